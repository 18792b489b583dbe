"""ENTSO-E datasets of what a zone generates and uses: actual values and forecasts.

What is published for days or weeks is one row a day or week, which begins at the midnight of the
zone's clock (or the market's) and holds until the next; a settlement day has what holds on it, so
such a row may begin before the day that it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.errors import SchemaError, cited
from domain.ledger import Span
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.entsoe import (
    RESOLUTION_COLUMN,
    START_COLUMN,
    ZONE_COLUMN,
    ZONES_SETTING,
    Item,
    control_areas_asked,
    dataset_of,
    in_unit,
    slots,
)
from sources.entsoe_xml import Document, Series

if TYPE_CHECKING:
    import pandas as pd

# --- documents into rows --------------------------------------------------------------------------

PSR_TYPE = "MktPSRType/psrType"
# Series on the in side are generation, on the out side consumption; both are positive numbers.
SIDES = {"inBiddingZone_Domain.mRID": "generation", "outBiddingZone_Domain.mRID": "consumption"}
# Of forecasts for days and weeks one series holds the lowest values, another the highest.
EXTREMES = {"A60": "minimum", "A61": "maximum"}
# The unit of a generation document stands inside the type, that of a capacity document beside it.
UNIT_CODE = ("MktPSRType/PowerSystemResources/mRID", "registeredResource.mRID")
UNIT_NAME = ("MktPSRType/PowerSystemResources/name", "registeredResource.name")


def load_rows(document: Document, scope: str) -> dict[str, Any]:
    """Load or its forecast: one series of quantities."""
    return rows_of(document.series, scope, {})


def extreme_rows(document: Document, scope: str) -> dict[str, Any]:
    """The lowest and the highest load of days or weeks, side by side."""
    return _beside(_by_extreme(document.series), scope, {})


def sided_rows(document: Document, scope: str) -> dict[str, Any]:
    """Generation and consumption of a zone side by side."""
    return _beside(_by_side(document.series), scope, {})


def generation_rows(document: Document, scope: str) -> dict[str, Any]:
    """Generation and own consumption per type, side by side."""
    return _beside(_by_side(document.series), scope, {"psr_type": types_of})


def unit_rows(document: Document, scope: str) -> dict[str, Any]:
    """Generation and own consumption per unit, side by side."""
    told: Told = {"psr_type": types_of, "unit_eic": unit_codes, "unit_name": unit_names}
    return _beside(_by_side(document.series), scope, told)


def type_rows(document: Document, scope: str) -> dict[str, Any]:
    """One quantity per type: a forecast, a capacity."""
    return rows_of(document.series, scope, {"psr_type": types_of})


# What of the series becomes a column: one value a series.
Told = Mapping[str, Callable[[Sequence[Series]], Sequence[Any]]]


def types_of(series: Sequence[Series]) -> list[str]:
    """The production type code of each; empty where none is told."""
    return [one.fields.get(PSR_TYPE, "") for one in series]


def unit_codes(series: Sequence[Series]) -> list[str]:
    """The EIC code of each one's unit; SchemaError where one names none."""
    codes = [first_of(one, UNIT_CODE) for one in series]
    if not all(codes):
        raise SchemaError(
            f"a TimeSeries names no unit ({' or '.join(UNIT_CODE)}); the platform may have renamed it, "
            "and nothing of the document was stored."
        )
    return codes


def unit_names(series: Sequence[Series]) -> list[str]:
    """The name of each one's unit."""
    return [first_of(one, UNIT_NAME) for one in series]


def first_of(series: Series, paths: Iterable[str]) -> str:
    """The first of some fields that a series has; empty where it has none."""
    return next((series.fields[path] for path in paths if series.fields.get(path)), "")


def _by_side(series: Iterable[Series]) -> dict[str, list[Series]]:
    """Series by generation and consumption."""
    sides: dict[str, list[Series]] = {name: [] for name in SIDES.values()}
    for one in series:
        found = [name for path, name in SIDES.items() if path in one.fields]
        if len(found) != 1:
            raise SchemaError(
                f"a TimeSeries has {len(found)} of {', '.join(SIDES)} and not one; nothing of the "
                "document was stored."
            )
        sides[found[0]].append(one)
    return sides


def _by_extreme(series: Iterable[Series]) -> dict[str, list[Series]]:
    """Series by the lowest and the highest values."""
    found: dict[str, list[Series]] = {name: [] for name in EXTREMES.values()}
    for one in series:
        code = one.fields.get("businessType", "")
        if code not in EXTREMES:
            raise SchemaError(
                f"businessType: {cited(code)} is none of {', '.join(EXTREMES)}; nothing of the document was "
                "stored."
            )
        found[EXTREMES[code]].append(one)
    return found


def rows_of(series: Sequence[Series], scope: str, told: Told, unit: str = "MAW") -> dict[str, Any]:
    """The slots of all series with what is told of each; SchemaError for another unit."""
    import numpy as np

    in_unit(series, unit)
    found = slots(series, "quantity", scope)
    if not found:
        return {}
    owner = found.pop("series")
    columns = {name: np.array(of(series), dtype=object)[owner] for name, of in told.items()}
    return found | columns | {"zone": [scope] * len(owner)}


def _beside(lots: dict[str, list[Series]], scope: str, told: Told) -> dict[str, Any]:
    """The quantities of two lots of series as columns of the same rows, named like the lots.

    Of two values for one slot of a lot the later holds; the other is a row of its own before it. Where
    one lot has longer slots than the other, a value of it stands in each of the short ones.
    """
    import numpy as np
    import pandas as pd

    every = [one for series in lots.values() for one in series]
    in_unit(every, "MAW")
    facts = pd.DataFrame({name: of(every) for name, of in told.items()}, index=range(len(every)))
    named = [name for name in told if name != "unit_name"]  # which is no part of who it is
    who = facts.groupby(named).ngroup().to_numpy() if named else np.zeros(len(every), np.int64)
    key = ["period_start", "who", "resolution_s"]
    superseded, current = [], []
    others: set[str] = set()
    first = 0
    for name, series in lots.items():
        found = slots(series, "quantity", scope)
        if found:
            found["who"] = who[first:][found.pop("series")]
            others |= set(found) - {*key, "quantity"}
            frame = pd.DataFrame({each: found[each] for each in (*key, "quantity")})
            frame = frame.rename(columns={"quantity": name}).drop_duplicates(keep="last")
            again = frame.duplicated(key, keep="last")
            superseded.append(frame[again])
            current.append(frame[~again])
        first += len(series)
    if not current:
        return {}
    both = current[0]
    if len(current) == 2:
        both = both.merge(current[1], on=key, how="outer")
        if both.duplicated(["period_start", "who"]).any():  # hours beside quarter hours
            one, other = current
            fine = as_fine_as(one, other, "who"), as_fine_as(other, one, "who")
            both = fine[0].merge(fine[1], on=key, how="outer")
    rows = pd.concat([*superseded, both], ignore_index=True)
    facts = facts.assign(who=who).drop_duplicates("who").set_index("who")
    places = facts.index.get_indexer(pd.Index(rows["who"]))
    return {
        **{name: rows[name] for name in rows.columns if name != "who"},
        **{name: facts[name].to_numpy()[places] for name in told},
        "zone": [scope] * len(rows),
        **{name: np.full(len(rows), None) for name in others},
    }


def as_fine_as(frame: pd.DataFrame, other: pd.DataFrame, who: str) -> pd.DataFrame:
    """Slots cut in pieces as short as the slot of the other frame that begins with them.

    Frames of ``period_start``, ``resolution_s`` [s], values, and ``who``: the column that says whose.
    """
    import pandas as pd

    where = ["period_start", who]
    shortest = other.sort_values("resolution_s").drop_duplicates(where)
    length = frame["resolution_s"]
    step = frame[where].merge(shortest, on=where, how="left")["resolution_s"].to_numpy()
    pieces = (length // step).where(length % step == 0).fillna(1).clip(lower=1).astype("int64")
    cut = frame.loc[frame.index.repeat(pieces)]
    cut = cut.assign(resolution_s=length // pieces)
    number = cut.groupby(level=0).cumcount()
    later = pd.to_timedelta(number * cut["resolution_s"], unit="s").astype("timedelta64[s]")
    return cut.assign(period_start=cut["period_start"] + later).reset_index(drop=True)


# --- tables ---------------------------------------------------------------------------------------

TYPE_COLUMN = Column(
    "psr_type",
    "text",
    "",
    "Production type code, B01 to B25",
    known=tuple(f"B{number:02}" for number in range(1, 26)),
)
UNIT_COLUMNS = (
    Column("unit_eic", "text", "", "EIC of the unit"),
    Column("unit_name", "text", "", "Name of the unit", optional=True),
)
# What stands still draws a little.
_GENERATED = (-500.0, 100_000.0)
LARGEST_UNIT = 10_000.0


def zone_table(
    name: str, columns: Iterable[Column], *series: str, zone: Column = ZONE_COLUMN, **more: Any
) -> Table:
    """A table of a zone's rows; ``series`` are the columns that tell apart what begins together."""
    return Table(
        name=name,
        columns=(zone, START_COLUMN, *columns),
        key=("zone", "period_start", *series),
        time="period_start",
        scope="zone",
        **more,
    )


def power(name: str, description: str, source: str, **more: Any) -> Column:
    return Column(name, "float", "MW", description, source, **more)


LOAD = zone_table(
    "entsoe_load",
    (
        RESOLUTION_COLUMN,
        power("load_mw", "Mean actual total load", "quantity", bounds=(0.0, 200_000.0), smooth=1.5),
    ),
)
LOAD_FORECAST_DAY = zone_table(
    "entsoe_load_forecast_day",
    (
        RESOLUTION_COLUMN,
        power("load_mw", "Mean load, forecast", "quantity", bounds=(0.0, 200_000.0), smooth=1.5),
    ),
)


def _extremes(name: str) -> Table:
    return zone_table(
        name,
        (
            RESOLUTION_COLUMN,
            power(
                "minimum_load_mw", "Lowest load, forecast", "minimum", optional=True,
                bounds=(0.0, 200_000.0),
            ),
            power(
                "maximum_load_mw", "Highest load, forecast", "maximum", optional=True,
                bounds=(0.0, 200_000.0),
            ),
        ),
    )  # fmt: skip


LOAD_FORECAST_WEEK = _extremes("entsoe_load_forecast_week")
LOAD_FORECAST_MONTH = _extremes("entsoe_load_forecast_month")
LOAD_FORECAST_YEAR = _extremes("entsoe_load_forecast_year")

GENERATION = zone_table(
    "entsoe_generation",
    (
        TYPE_COLUMN,
        RESOLUTION_COLUMN,
        power(
            "generation_mw", "Mean generation", "generation", optional=True, bounds=_GENERATED,
            smooth=1.5,
        ),
        power(
            "consumption_mw", "Mean own consumption, >= 0", "consumption", optional=True,
            bounds=(0.0, 100_000.0),
        ),
    ),
    "psr_type",
)  # fmt: skip
GENERATION_PER_UNIT = zone_table(
    "entsoe_generation_per_unit",
    (
        *UNIT_COLUMNS,
        TYPE_COLUMN,
        RESOLUTION_COLUMN,
        power(
            "generation_mw", "Mean generation", "generation", optional=True,
            bounds=(-500.0, LARGEST_UNIT),
        ),
        power(
            "consumption_mw", "Mean own consumption, >= 0", "consumption", optional=True,
            bounds=(0.0, LARGEST_UNIT),
        ),
    ),
    "unit_eic",
    "psr_type",
    zone=Column("zone", "text", "", "Control area"),
    lane=("zone", "unit_eic"),  # a type may be corrected
)  # fmt: skip
GENERATION_FORECAST = zone_table(
    "entsoe_generation_forecast",
    (
        RESOLUTION_COLUMN,
        power(
            "generation_mw", "Mean generation, forecast", "generation", optional=True,
            bounds=_GENERATED,
        ),
        power(
            "consumption_mw", "Mean own consumption, forecast, >= 0", "consumption", optional=True,
            bounds=(0.0, 100_000.0),
        ),
    ),
)  # fmt: skip


def _wind_solar(name: str) -> Table:
    return zone_table(
        name,
        (
            TYPE_COLUMN,
            RESOLUTION_COLUMN,
            power("generation_mw", "Mean generation, forecast", "quantity", bounds=_GENERATED),
        ),
        "psr_type",
    )


# --- datasets -------------------------------------------------------------------------------------

OUT, IN = ("outBiddingZone_Domain",), ("in_Domain",)
_DAYS_2, _DAYS_4, _DAYS_8 = (timedelta(days=n) for n in (2, 4, 8))
# Windows within the month that the platform allows, and how long a row may hold, an hour of summer
# time included.
_A_MONTH = timedelta(days=28)
_DAILY, WEEKLY = (timedelta(days=n, hours=1) for n in (1, 7))
_CORE, _ALL = ("core", "entsoe"), ("entsoe",)
WIND_SOLAR_GROUP = "entsoe_wind_solar_forecast"


_USUAL: dict[str, Any] = {
    "groups": _ALL,
    "scopes_setting": ZONES_SETTING,
    "completeness": Span(),
    "widest": _A_MONTH,
    "lag": timedelta(0),
    "rows_a_day": 100,
}


def process(code: str) -> tuple[tuple[str, str], ...]:
    return (("processType", code),)


def by_zone(key: str, title: str, table: Table, item: Item, **more: Any) -> Dataset:
    """A dataset that is asked for zone by zone."""
    return dataset_of(key, title, table, item, **(_USUAL | more))


def _wind_solar_forecast(key: str, called: str, code: str) -> Dataset:
    # Three datasets: many zones publish no intraday forecast, which is no hole in the other two.
    return by_zone(
        key,
        f"Forecast of wind and solar generation by bidding zone and type, {called}",
        _wind_solar(key),
        Item("A69", IN, type_rows, process(code)),
        completeness=Span("psr_type"),
        groups=(*_ALL, WIND_SOLAR_GROUP),
        rows_a_day=288,
    )


DATASETS = (
    by_zone(
        "entsoe_load",
        "Actual total load by bidding zone",
        LOAD,
        Item("A65", OUT, load_rows, process("A16")),
        lag=timedelta(hours=4),
        revisions=(_DAYS_2, _DAYS_4, _DAYS_8),
        groups=_CORE,
    ),
    by_zone(
        "entsoe_generation",
        "Actual generation and own consumption by bidding zone and type",
        GENERATION,
        Item("A75", IN, generation_rows, process("A16")),
        aliases=("A75",),
        rows_a_day=1500,
        completeness=Span("psr_type"),
        lag=timedelta(hours=4),
        revisions=(_DAYS_2, _DAYS_4, _DAYS_8),
        groups=_CORE,
    ),
    by_zone(
        "entsoe_generation_per_unit",
        "Actual generation and own consumption by generation unit",
        GENERATION_PER_UNIT,
        Item("A73", IN, unit_rows, process("A16")),
        aliases=("A73",),
        completeness=Span("unit_eic"),
        scopes_setting="",
        scopes_of=control_areas_asked,
        widest=timedelta(hours=25),  # a day; the long one comes in halves
        lag=timedelta(days=5),  # so late they are to be published
        revisions=(_DAYS_8,),
        rows_a_day=10_000,
    ),
    by_zone(
        "entsoe_load_forecast_day",
        "Day-ahead forecast of the total load by bidding zone",
        LOAD_FORECAST_DAY,
        Item("A65", OUT, load_rows, process("A01")),
    ),
    by_zone(
        "entsoe_load_forecast_week",
        "Week-ahead forecast of each day's lowest and highest load by bidding zone",
        LOAD_FORECAST_WEEK,
        Item("A65", OUT, extreme_rows, process("A31")),
        reach=_DAILY,
        rows_a_day=2,
    ),
    by_zone(
        "entsoe_load_forecast_month",
        "Month-ahead forecast of each week's lowest and highest load by bidding zone",
        LOAD_FORECAST_MONTH,
        Item("A65", OUT, extreme_rows, process("A32")),
        reach=WEEKLY,
        rows_a_day=1,
    ),
    by_zone(
        "entsoe_load_forecast_year",
        "Year-ahead forecast of each week's lowest and highest load by bidding zone",
        LOAD_FORECAST_YEAR,
        Item("A65", OUT, extreme_rows, process("A33")),
        reach=WEEKLY,
        rows_a_day=1,
    ),
    by_zone(
        "entsoe_generation_forecast",
        "Day-ahead forecast of generation and own consumption by bidding zone",
        GENERATION_FORECAST,
        Item("A71", IN, sided_rows, process("A01")),
    ),
    _wind_solar_forecast(f"{WIND_SOLAR_GROUP}_day", "day-ahead", "A01"),
    _wind_solar_forecast(f"{WIND_SOLAR_GROUP}_intraday", "intraday", "A40"),
    _wind_solar_forecast(f"{WIND_SOLAR_GROUP}_current", "the current one", "A18"),
)
