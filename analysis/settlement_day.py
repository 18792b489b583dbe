"""The key figures of one settlement day, from whatever a store has of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from analysis.sections import AS_UNIT, Section
from domain.ledger import Entry
from domain.settlement import LONDON, day_window
from domain.tables import Table
from pictures.inks import label_of
from pictures.subjects import unit_in, units_in
from products import BY_KEY, frequency_quality

if TYPE_CHECKING:
    import pandas as pd

    from domain.windows import Window
    from stores.sql import SqlStore

FREQUENCY, BATTERY, WIND_SOLAR = "Frequency", "Battery", "Wind and solar"
GENERATION, DEMAND, PRICES = "Generation by fuel", "Demand", "Prices"
CARBON, VPP = "Carbon intensity", "Virtual power plant"
SUBJECTS = (FREQUENCY, BATTERY, WIND_SOLAR, GENERATION, DEMAND, PRICES, CARBON, VPP)
QUALITY = frequency_quality.PRODUCT.key


@dataclass(frozen=True)
class Level:
    """A quantity that has a lowest, a mean and a highest value, each in a column of its table.

    The mean is weighted by the column ``weight``, and rows without weight count for nothing; ``at`` are the columns that say when the extremes
    were, where it is not the start of the row.
    """

    subject: str
    called: str
    key: str
    mean: str
    lowest: str = ""
    highest: str = ""
    weight: str = ""
    at: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Total:
    """A quantity that adds up over the day."""

    subject: str
    called: str
    key: str
    column: str


LEVELS = (
    Level(FREQUENCY, "Frequency", QUALITY, "mean_hz", "minimum_hz", "maximum_hz", "coverage"),
    Level(BATTERY, "Average power", "average_power", "average_power_mw", weight="coverage"),
    Level(
        WIND_SOLAR,
        "Generation",
        "wind_solar_summary",
        "mean_mw",
        "minimum_mw",
        "maximum_mw",
        at=("minimum_at", "maximum_at"),
    ),
    Level(GENERATION, "Generation", "generation_outturn", "generation_mw"),
    Level(DEMAND, "National demand", "demand_outturn", "national_demand_mw"),
    Level(DEMAND, "Transmission system demand", "demand_outturn", "transmission_system_demand_mw"),
    Level(DEMAND, "Load", "entsoe_load", "load_mw", weight="resolution_s"),
    Level(PRICES, "System price", "system_prices", "system_buy_price_gbp_per_mwh"),
    Level(PRICES, "Market index price", "market_index", "price_gbp_per_mwh", weight="volume_mwh"),
    Level(
        PRICES,
        "Day-ahead price",
        "entsoe_day_ahead_prices",
        "price_per_mwh",
        weight="resolution_s",
    ),
    Level(CARBON, "Carbon intensity", "carbon_intensity", "actual_gco2_per_kwh"),
    Level(CARBON, "Carbon intensity, forecast", "carbon_intensity", "forecast_gco2_per_kwh"),
    Level(VPP, "Best-of-infeed", "portfolio_best_of_infeed", "power_kw"),
    Level(VPP, "Imbalance price", "portfolio_imbalance_cost", "price_eur_per_mwh"),
    Level(VPP, "VWAP of own trades", "trading_daily", "private_vwap_eur_per_mwh"),
    Level(VPP, "VWAP of public trades", "trading_daily", "public_vwap_eur_per_mwh"),
)
TOTALS = (
    Total(FREQUENCY, "Time outside 49.8 to 50.2 Hz", QUALITY, "seconds_outside_49_8_50_2"),
    Total(FREQUENCY, "Time outside 49.5 to 50.5 Hz", QUALITY, "seconds_outside_49_5_50_5"),
    Total(FREQUENCY, "Time error", QUALITY, "time_error_s"),
    Total(BATTERY, "Energy discharged", "average_power", "discharge_mwh"),
    Total(BATTERY, "Energy charged", "average_power", "charge_mwh"),
    Total(WIND_SOLAR, "Energy", "wind_solar_summary", "energy_mwh"),
    Total(PRICES, "Net imbalance volume", "system_prices", "net_imbalance_volume_mwh"),
    Total(VPP, "Best-of-infeed", "portfolio_best_of_infeed", "energy_mwh"),
    *(
        Total(
            VPP,
            f"Quarter hours of assets: {source}",
            "portfolio_best_of_infeed",
            f"{source}_assets",
        )
        for source in ("final", "live", "forecast", "missing")
    ),
    Total(VPP, "Own trades", "trading_daily", "trades"),
    Total(VPP, "Net sold", "trading_daily", "net_mwh"),
    Total(VPP, "Revenue", "trading_daily", "revenue_eur"),
    Total(VPP, "PnL", "trading_daily", "pnl_eur"),
    Total(VPP, "Imbalance", "portfolio_imbalance_cost", "imbalance_mwh"),
    Total(VPP, "Imbalance cost", "portfolio_imbalance_cost", "cost_eur"),
)
_LABELS = ("subject", "quantity", "series", "unit")
_LEVEL_UNITS = {
    "lowest": AS_UNIT, "lowest_at": "UTC", "mean": AS_UNIT, "highest": AS_UNIT, "highest_at": "UTC",
    "coverage": "",
}  # fmt: skip
_TOTAL_UNITS = {"total": AS_UNIT, "coverage": ""}
NOTE = (
    "Of the rows there are; coverage says how much of the day they are, by the ledger. A lowest or highest "
    "value is told with the start of its interval."
)


def day_sections(store: SqlStore, day: date, settings: Mapping[str, Any]) -> list[Section]:
    """Levels and totals of a day; one row a quantity and series of which there is a value.

    Labels are ``subject``, ``quantity``, ``series`` and ``unit``, which is the one that the column declares.
    ``settings`` are FREQUENCY_CADENCE_S and VPP_DELIVERY_DAY, the clock of the virtual power plant's days.
    """
    import pandas as pd

    told = _Day(store, day, settings)
    levels = pd.DataFrame(
        [row for level in LEVELS for row in _level(told, level)], columns=[*_LABELS, *_LEVEL_UNITS]
    )
    for name in ("lowest_at", "highest_at"):
        levels[name] = pd.to_datetime(levels[name], utc=True)
    totals = pd.DataFrame(
        [row for total in TOTALS for row in _total(told, total)], columns=[*_LABELS, *_TOTAL_UNITS]
    )
    return [
        Section("day_levels", "Lowest, mean and highest", levels, _LEVEL_UNITS, NOTE),
        Section("day_totals", "Totals", totals, _TOTAL_UNITS, NOTE),
    ]


def span_of(key: str, day: date, settings: Mapping[str, Any]) -> Window:
    """The day as a table means it: a settlement day, or a delivery day of another clock."""
    product = BY_KEY.get(key)
    return day_window(day, product.clock(settings) if product else LONDON)


class _Day:
    """The rows of a day, each table read once, and how much of the day they cover."""

    def __init__(self, store: SqlStore, day: date, settings: Mapping[str, Any]) -> None:
        self._store, self._day, self._settings = store, day, settings
        self._rows: dict[str, pd.DataFrame] = {}
        self._entries: dict[str, Mapping[tuple[str, date], Entry]] = {}

    def table(self, key: str) -> Table:
        return self._store.tables[key]

    def rows(self, key: str) -> pd.DataFrame:
        if key not in self._rows:
            span = span_of(key, self._day, self._settings)
            found = self._store.read_table(self.table(key), span)
            if found.empty and key == QUALITY:
                found = self._judged(span)
            self._rows[key] = found
        return self._rows[key]

    def _judged(self, span: Window) -> pd.DataFrame:
        """Quality of the stored frequency, where the product is not made every day."""
        product = frequency_quality.PRODUCT
        reach = span.reaching_back(product.look_back["frequency"])
        samples = self._store.read_table(self.table("frequency"), reach)
        if samples.empty:
            return self._store.read_table(product.table, span)
        cadence = self._settings[frequency_quality.CADENCE.key]
        return product.compute(samples, window=span, frequency_cadence_s=cadence)

    def coverage(self, key: str, series: Mapping[str, Any]) -> float:
        """The mean of the scopes by the ledger; of the series' own where it is a scope."""
        if key == QUALITY:
            key = "frequency"
        if key not in self._entries:
            self._entries[key] = self._store.entries(key, self._day, self._day)
        found = self._entries[key].values()
        own = series.get(self.table(key).scope)
        of = [entry.coverage for entry in found if own is None or entry.scope == own]
        return sum(of) / len(of) if of else float("nan")


def _level(told: _Day, level: Level) -> Iterator[dict[str, Any]]:
    import numpy as np

    for labels, series, rows in _by_series(told, level.key, level.called, level.mean):
        weighs = rows[level.weight] > 0 if level.weight else True
        known = rows[rows[level.mean].notna() & weighs]
        if known.empty:
            continue
        values = known[level.mean].to_numpy(dtype=float)
        weights = known[level.weight].to_numpy(dtype=float) if level.weight else None
        ends: dict[str, Any] = {}
        if len(known) > 1 or level.lowest:  # else it is one figure of the whole day
            low = known[level.lowest or level.mean].astype(float)
            high = known[level.highest or level.mean].astype(float)
            at = [known[name or told.table(level.key).time] for name in level.at]
            ends = {
                "lowest": low.min(),
                "lowest_at": at[0].iloc[int(low.argmin())],
                "highest": high.max(),
                "highest_at": at[1].iloc[int(high.argmax())],
            }
        yield {
            "subject": level.subject,
            **labels,
            **ends,
            "mean": float(np.average(values, weights=weights)),
            "coverage": told.coverage(level.key, series),
        }


def _total(told: _Day, total: Total) -> Iterator[dict[str, Any]]:
    for labels, series, rows in _by_series(told, total.key, total.called, total.column):
        known = rows[total.column].dropna()
        if len(known):
            yield {
                "subject": total.subject,
                **labels,
                "total": float(known.sum()),
                "coverage": told.coverage(total.key, series),
            }


def _by_series(
    told: _Day, key: str, called: str, column: str
) -> Iterator[tuple[dict[str, str], dict[str, Any], pd.DataFrame]]:
    """Labels, what tells the series from the others, and the rows of each series of the day."""
    table, rows = told.table(key), told.rows(key)
    declared = table.column(column)
    units = units_in(table, declared)
    by = [name for name in (*table.key, *units) if name != table.time]
    by = [name for name in dict.fromkeys(by) if name in units or _tells(table, name, rows)]
    groups = rows.groupby(by, sort=True, dropna=False) if by else [((), rows)]
    for values, group in groups if len(rows) else ():
        of = dict(zip(by, values, strict=True))
        shown = [label_of(value) for name, value in of.items() if name not in units]
        unit = unit_in(declared, of)
        yield {"quantity": called, "series": " ".join(shown), "unit": unit}, of, group


def _tells(table: Table, name: str, rows: pd.DataFrame) -> bool:
    """Whether a key column says what a series is: a word does, a number where there are several."""
    return table.column(name).dtype == "text" or rows[name].nunique() > 1
