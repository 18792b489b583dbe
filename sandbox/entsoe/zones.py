"""The areas that the sandbox's platform knows, and the three that have data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sandbox.calendar import day_number
from sandbox.grid import HISTORY_STARTS

HOUR_S = 3_600
QUARTER_S = 900
# The single day-ahead coupling moved to quarter hours with this market day.
QUARTER_HOUR_PRICES_FROM = day_number(date(2025, 10, 1))


@dataclass(frozen=True)
class Zone:
    """A bidding zone with data from market day `begins` until, exclusively, `ends`.

    `steps` are the resolutions of load and generation before and from market day `changes`; `seats`
    are the sequences of its day-ahead auctions in the order in which documents list them, 0 for an
    only one that is not named.
    """

    key: str
    eic: str
    begins: int
    ends: int | None = None
    steps: tuple[int, int] = (QUARTER_S, QUARTER_S)
    changes: int = 0
    seats: tuple[int, ...] = (0,)
    currency: str = "EUR"

    def step_s(self, day: int) -> int:
        """Return the resolution of load and generation on a market day."""
        return self.steps[day >= self.changes]

    def price_step_s(self, seat: int, day: int) -> int:
        """Return the resolution of an auction's prices for a market day."""
        early = seat != 2 and day < QUARTER_HOUR_PRICES_FROM
        return HOUR_S if early else QUARTER_S

    def is_open(self, day: int) -> bool:
        """Tell whether the zone has data of a market day."""
        return day >= self.begins and (self.ends is None or day < self.ends)


_FIRST_DAY = HISTORY_STARTS // 86_400

ZONES = (
    Zone(
        "DE_LU",
        "10Y1001A1001A82H",
        begins=day_number(date(2018, 10, 1)),
        # The second auction is listed first; only the first is the coupled market.
        seats=(2, 1),
    ),
    Zone(
        "FR",
        "10YFR-RTE------C",
        begins=_FIRST_DAY,
        steps=(HOUR_S, QUARTER_S),
        changes=day_number(date(2025, 1, 1)),
    ),
    Zone(
        "GB",
        "10YGB----------A",
        begins=_FIRST_DAY,
        ends=day_number(date(2021, 6, 15)),
        steps=(1_800, 1_800),
        currency="GBP",
    ),
)
BY_KEY = {zone.key: zone for zone in ZONES}
BY_EIC = {zone.eic: zone for zone in ZONES}

# Known to the platform, never with data in the sandbox.
WITHOUT_DATA = frozenset(
    {
        "10YAT-APG------L",
        "10YBE----------2",
        "10YCH-SWISSGRIDZ",
        "10YCZ-CEPS-----N",
        "10Y1001A1001A83F",
        "10Y1001A1001A63L",
        "10YDK-1--------W",
        "10YDK-2--------M",
        "10YES-REE------0",
        "10YFI-1--------U",
        "10YHU-MAVIR----U",
        "10Y1001A1001A59C",
        "10Y1001A1001A73I",
        "10YNL----------L",
        "10YNO-2--------T",
        "10YPL-AREA-----S",
        "10YPT-REN------W",
        "10Y1001A1001A46L",
    }
)
