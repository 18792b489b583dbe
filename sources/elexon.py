"""Elexon Insights (BMRS): British system and generation data, no key needed.

Request manners (reference of the Insights API, checked 2026): both ends of a window are inclusive;
rows come newest first; a wrong optional parameter is ignored and the *latest* data returned, so
rows outside the asked window are a sign that we asked wrongly; caps answer HTTP 400; ``/stream``
paths have no cap and send a bare array.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from domain.errors import BrokenAnswer, SchemaError
from domain.ledger import Grid
from domain.tables import Column, Conformed, Table, conform
from domain.windows import Window, format_instant
from sources.dataset import Answer, Dataset, Provider
from sources.windows import keep_window

if TYPE_CHECKING:
    from sources.transport import Client

ELEXON = Provider(
    key="elexon",
    title="Elexon Insights",
    base_url="https://data.elexon.co.uk/bmrs/api/v1",
    requests_per_s=5,
    attribution=(
        "Contains BMRS data (c) Elexon Limited copyright and database right; "
        "BMRS Data Licence Terms, https://www.elexon.co.uk/bsc/data/balancing-mechanism-reporting-agent/copyright-licence-bmrs-data/"
    ),
)

# Fields that only repeat what was asked for.
IGNORED = ("dataset",)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class JsonRows:
    """The way of asking that all Elexon datasets share: a path and the two ends of a window.

    The window's end is exclusive here and inclusive there, hence the second that is taken off.
    """

    path: str
    start: str
    end: str

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Client) -> Answer:
        params = {
            self.start: format_instant(window.start),
            self.end: format_instant(window.end - _SECOND),
        }
        where = f"{dataset.key} {window}"
        rows, body = client.get(
            dataset.key, self.path, params, lambda raw: read_rows(dataset.table, raw, where)
        )
        kept, stray = keep_window(dataset.table, rows, window, where)
        return Answer(kept, stray, len(body.content), body.synthetic)


def read_rows(table: Table, body: bytes, where: str) -> Conformed:
    """Rows of a JSON body, whichever of the three envelopes it has, made to fit ``table``.

    Raises BrokenAnswer where the body is not such JSON, SchemaError where rows do not fit.
    """
    import msgspec

    try:
        try:
            return conform(table, _columns_as_declared(table, body), where, IGNORED)
        except msgspec.ValidationError:
            # Something unusual: read it without expectations, so that conform can say what it is.
            return conform(table, _columns_as_they_come(body, where), where, IGNORED)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise BrokenAnswer(f"not JSON: {trouble}") from None


def _columns_as_declared(table: Table, body: bytes) -> dict[str, list[Any]]:
    answer = _decoder(table).decode(body)
    rows = answer if isinstance(answer, list) else answer.data
    return {c.spelling: [getattr(row, c.name) for row in rows] for c in table.columns}


@cache
def _decoder(table: Table) -> Any:
    """A typed decoder for either envelope: three times faster than dicts, and it refuses surprises."""
    import msgspec

    types = {"float": float, "int": int, "text": str, "time": str, "date": str}
    fields: list[Any] = []
    for column in table.columns:
        if column.optional:
            fields.append((column.name, types[column.dtype] | None, None))
        else:
            fields.append((column.name, types[column.dtype]))
    fields += [(name, Any, None) for name in IGNORED]
    row = msgspec.defstruct(
        table.name,
        fields,
        rename={column.name: column.spelling for column in table.columns},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    envelope = msgspec.defstruct("Envelope", [("data", list[row]), ("metadata", Any, None)])  # type: ignore[valid-type]
    return msgspec.json.Decoder(list[row] | envelope)  # type: ignore[valid-type]


def _columns_as_they_come(body: bytes, where: str) -> dict[str, list[Any]]:
    import msgspec

    answer = msgspec.json.decode(body)
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SchemaError(
            f"the answer for {where} is JSON but not a list of rows; nothing of it was stored."
        )
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


FREQUENCY = Table(
    name="frequency",
    columns=(
        Column("measurement_time", "time", "UTC", "Moment of the measurement", "measurementTime"),
        Column("frequency_hz", "float", "Hz", "System frequency", "frequency"),
    ),
    key=("measurement_time",),
    time="measurement_time",
)

WIND_SOLAR = Table(
    name="wind_solar",
    columns=(
        Column("period_start", "time", "UTC", "Start of the settlement period", "startTime"),
        Column("psr_type", "text", "", "Solar, Wind Onshore or Wind Offshore", "psrType"),
        Column(
            "generation_mw",
            "float",
            "MW",
            "Mean generation in the period, metered or estimated",
            "quantity",
        ),
        Column(
            "business_type",
            "text",
            "",
            "Wind generation or Solar generation",
            "businessType",
            optional=True,
        ),
        Column("publish_time", "time", "UTC", "When this version was published", "publishTime"),
        Column("settlement_date", "date", "", "Settlement day (Europe/London)", "settlementDate"),
        Column(
            "settlement_period",
            "int",
            "",
            "Settlement period, 1 to 46, 48 or 50",
            "settlementPeriod",
        ),
        Column(
            "document_id",
            "text",
            "",
            "Document that carried the row, where the answer names it",
            "documentId",
            optional=True,
        ),
        Column(
            "document_revision",
            "int",
            "",
            "Revision of that document",
            "documentRevisionNumber",
            optional=True,
        ),
    ),
    key=("period_start", "psr_type"),
    time="period_start",
    version="publish_time",
)

DATASETS = (
    Dataset(
        key="frequency",
        aliases=("FREQ",),
        title="System frequency, every 15 s",
        provider=ELEXON,
        table=FREQUENCY,
        read=JsonRows("/datasets/FREQ/stream", "measurementDateTimeFrom", "measurementDateTimeTo"),
        widest=timedelta(days=2),
        completeness=Grid(timedelta(seconds=15)),
        lag=timedelta(minutes=10),
        available_from=date(2016, 1, 1),
        groups=("core",),
        daily=True,
    ),
    Dataset(
        key="wind_solar",
        aliases=("AGWS", "B1630"),
        title="Actual or estimated wind and solar generation, half-hourly",
        provider=ELEXON,
        table=WIND_SOLAR,
        read=JsonRows("/generation/actual/per-type/wind-and-solar", "from", "to"),
        widest=timedelta(days=7),
        completeness=Grid(timedelta(minutes=30), "psr_type"),
        lag=timedelta(hours=4),
        revisions=(timedelta(days=1), timedelta(days=2), timedelta(days=5), timedelta(days=8)),
        available_from=date(2016, 1, 1),
        groups=("core",),
        daily=True,
    ),
)
