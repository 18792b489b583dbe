"""The GB Carbon Intensity API: forecast and actual intensity, the generation mix, and both by region.

Its manners: times stand in the path, without seconds; an answer begins with the half hour that
*ends* at the asked moment, one too many; the past forecast is the last one, earlier ones are not
served; ``actual`` is null at first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import BrokenAnswer, SchemaError
from domain.ledger import Grid
from domain.settlement import ONE_DAY, settlement_columns
from domain.tables import Column, Table, conform
from domain.windows import Window
from sources.dataset import Answer, Asker, Dataset, Provider
from sources.windows import keep_window

if TYPE_CHECKING:
    import pandas as pd

CARBON_INTENSITY = Provider(
    key="carbon_intensity",
    title="GB Carbon Intensity",
    base_url="https://api.carbonintensity.org.uk",
    requests_per_s=2,
    attribution=(
        "Carbon Intensity API of the National Energy System Operator, with the University of Oxford, "
        "EDF Europe and WWF; CC BY 4.0, https://carbonintensity.org.uk"
    ),
)

PERIOD = timedelta(minutes=30)
WIDEST = timedelta(days=14)
INDEX = ("very low", "low", "moderate", "high", "very high")
FUELS = ("biomass", "coal", "imports", "gas", "nuclear", "other", "hydro", "solar", "wind")

# The end of a half hour follows from its start; the postcode is what was asked for.
IGNORED = ("to", "postcode")

Row = dict[str, Any]
T = TypeVar("T", dict[str, Any], list[Row])


# --- tables ---------------------------------------------------------------------------------------


def _intensity(
    name: str, meaning: str, source: str, *, optional: bool, smooth: float | None = None
) -> Column:
    bounds = (0.0, 1_500.0)
    return Column(
        name, "float", "gCO2/kWh", meaning, source, optional=optional, bounds=bounds, smooth=smooth
    )


def _share(name: str, meaning: str, source: str, *, optional: bool = False) -> Column:
    # Rounding may carry a share a little over the whole.
    return Column(name, "float", "%", meaning, source, optional=optional, bounds=(0.0, 100.5))


PERIOD_START = Column("period_start", "time", "UTC", "Start of the half hour", "from")
SETTLED = (
    Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
    Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
)

CARBON = Table(
    name="carbon_intensity",
    columns=(
        PERIOD_START,
        _intensity(
            "forecast_gco2_per_kwh", "Last forecast", "forecast", optional=False, smooth=1.5
        ),
        _intensity("actual_gco2_per_kwh", "Estimate afterwards", "actual", optional=True),
        Column("index", "text", "", "Band, whose bounds fall over the years", "index", known=INDEX),
        *SETTLED,
    ),
    key=("period_start",),
    time="period_start",
)

MIX = Table(
    name="carbon_generation_mix",
    columns=(
        PERIOD_START,
        Column("fuel", "text", "", "Fuel, or imports", "fuel", known=FUELS),
        _share("share_percent", "Share of generation and imports", "perc"),
        *SETTLED,
    ),
    key=("period_start", "fuel"),
    time="period_start",
)

REGIONAL = Table(
    name="carbon_regional",
    columns=(
        PERIOD_START,
        Column("region_id", "int", "", "Region, 1 to 17; 18 is Great Britain", "regionid"),
        Column("region", "text", "", "Its name", "shortname"),
        Column(
            "network_operator", "text", "", "Whose distribution area it is", "dnoregion",
            optional=True,
        ),
        _intensity(
            "forecast_gco2_per_kwh",
            "Last forecast; empty where all shares are 0, which is no data and not clean power",
            "forecast",
            optional=True,
        ),
        Column("index", "text", "", "Band of the forecast", "index", known=INDEX, optional=True),
        *(
            _share(f"{fuel}_percent", f"Forecast share of {fuel}", fuel, optional=True)
            for fuel in FUELS
        ),
        *SETTLED,
    ),
    key=("period_start", "region_id"),
    time="period_start",
)  # fmt: skip


# --- bodies ---------------------------------------------------------------------------------------


def periods(body: bytes, where: str) -> Iterator[Row]:
    """The half hours of an answer, whether it lists them or is one alone.

    Raises BrokenAnswer where it is not JSON, SchemaError where it is an error or has no such rows.
    """
    import msgspec

    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise BrokenAnswer(f"not JSON: {trouble}") from None
    error = answer.get("error") if isinstance(answer, dict) else None
    if error is not None:
        raise SchemaError(
            f"the Carbon Intensity API answered {where} with an error ({str(error)[:200]}); nothing of "
            "this window was stored."
        )
    data = answer.get("data") if isinstance(answer, dict) else None
    rows = [data] if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _shapeless(where, "it has no half hours under 'data'")
    yield from rows


def _shapeless(where: str, why: str) -> SchemaError:
    return SchemaError(
        f"the answer of the Carbon Intensity API for {where} has another shape than before ({why}); "
        "nothing of this window was stored."
    )


def _inner(row: Row, name: str, kind: type[T], where: str) -> T:
    """A field that holds more fields."""
    inner = row.get(name)
    if not isinstance(inner, kind) or (
        isinstance(inner, list) and not all(isinstance(each, dict) for each in inner)
    ):
        raise _shapeless(where, f"'{name}' is missing or is no {kind.__name__}")
    return inner


def intensity_rows(body: bytes, where: str) -> Iterator[Row]:
    """One row a half hour, the fields of ``intensity`` beside its times."""
    for row in periods(body, where):
        yield _flat(row, "intensity", where)


def mix_rows(body: bytes, where: str) -> Iterator[Row]:
    """One row a half hour and fuel."""
    for row in periods(body, where):
        rest = {name: value for name, value in row.items() if name != "generationmix"}
        for part in _inner(row, "generationmix", list, where):
            yield rest | part


def regional_rows(body: bytes, where: str) -> Iterator[Row]:
    """One row a half hour and region, the mix in columns, from either shape of answer.

    All regions come below each half hour, one region comes with its half hours below it.
    """
    for row in periods(body, where):
        outer, inner = ("regions", row.get("regions")), ("data", row.get("data"))
        name, _ = outer if outer[1] is not None else inner
        rest = {key: value for key, value in row.items() if key != name}
        for part in _inner(row, name, list, where):
            yield _regional(rest | part, where)


def _flat(row: Row, name: str, where: str) -> Row:
    inner = _inner(row, name, dict, where)
    return {key: value for key, value in row.items() if key != name} | inner


def _regional(row: Row, where: str) -> Row:
    shares: Row = {}
    for part in _inner(row, "generationmix", list, where):
        if not isinstance(part.get("fuel"), str):
            raise _shapeless(where, "a share of the mix names no fuel")
        shares[part["fuel"]] = part.get("perc")
    flat = _flat(row, "intensity", where)
    del flat["generationmix"]
    if flat.get("forecast") == 0 and not any(shares.values()):
        # All at zero is how the API says that it knows nothing.
        flat["forecast"] = flat["index"] = None
        shares = dict.fromkeys(shares)
    return flat | shares


# --- asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """The way of asking: a path that ends in both ends of the window, and how its body reads."""

    path: str
    rows: Callable[[bytes, str], Iterator[Row]]

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Asker) -> Answer:
        where = f"{dataset.key} {window}"
        path = f"{self.path}/{_minute(window.start)}/{_minute(window.end)}"
        columns, body = client.get(
            dataset.key, path, {}, lambda raw: self.columns(dataset.table, raw, where)
        )
        conformed = conform(dataset.table, columns, where, IGNORED)
        asked = Window(window.start - PERIOD, window.end)
        kept, stray = keep_window(dataset.table, conformed, window, where, asked)
        return Answer(kept, stray, len(body.content), body.synthetic)

    def columns(self, table: Table, body: bytes, where: str) -> dict[str, Any]:
        """Columns of a body under the provider's spelling, settlement day and period beside them.

        Raises BrokenAnswer or SchemaError.
        """
        rows = list(self.rows(body, where))
        if not rows:
            return {column.spelling: [] for column in table.columns}
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return columns | _settlement(columns.get("from", []))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _settlement(starts: list[Any]) -> dict[str, pd.Series]:
    """Settlement day and period of starts; nothing where they are no times, which ``conform`` will say."""
    import pandas as pd

    try:
        return (
            settlement_columns(pd.Series(pd.to_datetime(starts, utc=True, format="ISO8601")))
            if starts
            else {}
        )
    except (ValueError, TypeError):
        return {}


DATASETS = (
    Dataset(
        key="carbon_intensity",
        title="Carbon intensity of electricity, forecast and actual, half-hourly",
        provider=CARBON_INTENSITY,
        table=CARBON,
        read=Path("/intensity", intensity_rows),
        widest=WIDEST,
        completeness=Grid(PERIOD, value="actual_gco2_per_kwh"),
        lag=timedelta(hours=2),
        revisions=(ONE_DAY, 7 * ONE_DAY),
        available_from=date(2017, 9, 12),
        groups=("core", "carbon"),
        priority=20,
    ),
    Dataset(
        key="carbon_generation_mix",
        title="Generation mix of Great Britain in per cent, half-hourly",
        provider=CARBON_INTENSITY,
        table=MIX,
        read=Path("/generation", mix_rows),
        widest=WIDEST,
        completeness=Grid(PERIOD, "fuel"),
        lag=timedelta(hours=2),
        revisions=(ONE_DAY,),
        available_from=date(2017, 9, 12),
        groups=("carbon",),
        rows_a_day=432,
    ),
    Dataset(
        key="carbon_regional",
        title="Forecast carbon intensity and generation mix of 17 regions and Great Britain",
        provider=CARBON_INTENSITY,
        table=REGIONAL,
        read=Path("/regional/intensity", regional_rows),
        widest=WIDEST,
        completeness=Grid(PERIOD, "region_id"),
        lag=timedelta(hours=2),
        revisions=(ONE_DAY,),
        available_from=date(2017, 9, 12),
        groups=("carbon",),
        rows_a_day=864,
    ),
)
