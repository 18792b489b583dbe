"""battery_power: what a response service asks of a battery at every frequency sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.response import PLAUSIBLE_HZ, SERVICES, response_mw
from domain.tables import Column, Table
from domain.windows import Window
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import pandas as pd

RESPONSE_SETTINGS = (
    Setting(
        "RESPONSE_SERVICE",
        "droop",
        choice(*SERVICES),
        f"Frequency-response service the battery gives: {', '.join(SERVICES)}.",
    ),
    Setting(
        "BATTERY_POWER_MW",
        "1.0",
        number(0, 10_000, "MW"),
        "Contracted power of the battery, both directions [MW].",
    ),
)

SERVICE_COLUMN = Column("service", "text", "", "Response service that the curve belongs to")


def plausible(frequency: pd.DataFrame) -> pd.DataFrame:
    """Samples within 45 to 55 Hz; what lies outside is a fault of the meter and counts as missing."""
    low, high = PLAUSIBLE_HZ
    return frequency[frequency["frequency_hz"].between(low, high)]


def compute(
    frequency: pd.DataFrame, *, window: Window, response_service: str, battery_power_mw: float
) -> pd.DataFrame:
    """Signed battery power [MW] per frequency sample of the window: discharge +, charge -.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz]. Implausible samples are left
    out. Source of the curves: ``domain.response``.
    """
    samples = plausible(frequency)
    inside = (samples["measurement_time"] >= window.start) & (
        samples["measurement_time"] < window.end
    )
    samples = samples[inside]
    return samples.assign(
        battery_power_mw=response_mw(samples["frequency_hz"], response_service, battery_power_mw),
        service=response_service,
    )


PRODUCT = Product(
    key="battery_power",
    title="Battery charge/discharge power per frequency sample (static response)",
    grain="sample",
    table=Table(
        name="battery_power",
        columns=(
            Column("measurement_time", "time", "UTC", "Moment of the frequency sample"),
            Column("frequency_hz", "float", "Hz", "System frequency"),
            Column("battery_power_mw", "float", "MW", "Battery power: discharge +, charge -"),
            SERVICE_COLUMN,
        ),
        key=("measurement_time",),
        time="measurement_time",
    ),
    compute=compute,
    settings=RESPONSE_SETTINGS,
)
