"""How Elexon is asked and how its JSON becomes rows.

Request manners (reference of the Insights API, checked 2026): both ends of a window are inclusive;
rows come newest first; a wrong optional parameter is ignored and the *latest* data returned, so
rows outside the asked window are a sign that we asked wrongly; caps answer HTTP 400 and name
themselves; ``/stream`` paths have no cap and send a bare array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from domain.errors import BrokenAnswer, Refused, SchemaError
from domain.settlement import days_in, days_window, period_starts
from domain.tables import Conformed, Table, as_arrow, conform
from domain.windows import SECOND, Window, format_instant
from sources.dataset import Answer, Asker, Dataset, Provider
from sources.windows import keep_window, split_window

if TYPE_CHECKING:
    import pyarrow as pa

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
NO_TIME = timedelta(0)
_HOUR = timedelta(hours=1)
_CAP = re.compile(r"must not exceed (\d+) (minute|hour|day)")

# Makes a column of the columns that came.
Maker = Callable[["pa.Table"], Any]


@dataclass(frozen=True)
class JsonRows:
    """The way of asking that Elexon's datasets share: a path, and the two ends of a window.

    ``start`` and ``end`` are the parameters of the ends; without them the path answers with a list
    as it stands. ``by_day``: the ends are settlement days, both included. A path with ``{day}`` is
    asked for one settlement day after the other. The moment asked by lies ``offset`` after a row's
    own time, or up to ``margin`` later still. ``overlapping`` answers also bring rows that began before the window.
    ``part`` is the widest single request; several make up one answer. ``fixed`` parameters are sent
    with every one.

    ``absent`` says what a field means that is null or not there; ``nested`` fields are kept as JSON
    text; ``spelled`` fields are numbers that come as text; ``made`` columns are computed from the
    others.
    """

    path: str
    start: str = ""
    end: str = ""
    by_day: bool = False
    offset: timedelta = NO_TIME
    margin: timedelta = NO_TIME
    overlapping: bool = False
    part: timedelta | None = None
    fixed: tuple[tuple[str, str], ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    nested: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()
    made: tuple[tuple[str, Maker], ...] = ()

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Asker) -> Answer:
        import pyarrow as pa

        where = f"{dataset.key} {window}"
        parts: list[pa.Table] = []
        size, synthetic, notes = 0, True, set()
        for asked in self.parts(window, client.learnt.get(self.path)):
            for rows, body, note in self._ask(dataset, asked, client, where):
                parts.append(rows)
                size += len(body.content)
                synthetic = body.synthetic
                notes.add(note)
        together = pa.concat_tables(parts, promote_options="default")
        conformed = conform(dataset.table, together, where, IGNORED)
        conformed = replace(conformed, strange=(*conformed.strange, *sorted(notes - {""})))
        if not dataset.table.time:
            return Answer(conformed, 0, size, synthetic)
        kept, stray = keep_window(dataset.table, conformed, window, where, self._may_hold(window))
        return Answer(kept, stray, size, synthetic)

    def parts(self, window: Window, learnt: timedelta | None = None) -> list[Window]:
        """The single requests that make up one answer; ``learnt`` is a cap that turned out."""
        widest = min((w for w in (self.part, learnt) if w), default=window.length)
        if "{day}" in self.path:
            return [days_window(day, day) for day in days_in(window)]
        return split_window(window, widest) if self.start else [window]

    def _ask(
        self, dataset: Dataset, window: Window, client: Asker, where: str
    ) -> Iterator[tuple[pa.Table, Any, str]]:
        """The rows of one part, asked in narrower parts where the provider says that it is too wide."""
        try:
            rows, body = client.get(
                dataset.key,
                self.path.format(day=days_in(window)[0]),
                self._parameters(window),
                lambda raw: self.columns(dataset.table, raw, where),
            )
        except Refused as refusal:
            cap = allowed(refusal)
            if cap is None or cap >= window.length:
                raise
            client.learnt[self.path] = cap
            note = f"{self.path} allows only {cap / _HOUR:g} h at once: asked in narrower windows"
            for narrower in split_window(window, cap):
                for rows, body, _ in self._ask(dataset, narrower, client, where):
                    yield rows, body, note
        else:
            yield rows, body, ""

    def _parameters(self, window: Window) -> dict[str, str]:
        if not self.start:
            return {}
        if self.by_day:
            days = days_in(window)
            return {self.start: str(days[0]), self.end: str(days[-1]), **dict(self.fixed)}
        # The window's end is exclusive here and inclusive there.
        last = window.end + self.offset + self.margin - SECOND
        return {
            self.start: format_instant(window.start + self.offset),
            self.end: format_instant(last),
            **dict(self.fixed),
        }

    def _may_hold(self, window: Window) -> Window:
        """The span in which rows may lie that answer for the window."""
        if self.by_day or "{day}" in self.path:
            days = days_in(window)
            window = days_window(days[0], days[-1])
        before = timedelta(days=1) if self.overlapping else self.margin
        return Window(window.start - before, window.end + self.margin)

    def rows(self, table: Table, body: bytes, where: str) -> Conformed:
        """Rows of one body, made to fit ``table``; raises as ``columns`` and ``conform`` do."""
        return conform(table, self.columns(table, body, where), where, IGNORED)

    def columns(self, table: Table, body: bytes, where: str) -> pa.Table:
        """Columns of a JSON body, whichever of the three envelopes it has, as the provider spells them.

        Raises BrokenAnswer where the body is not such JSON, SchemaError where values do not fit.
        """
        import msgspec

        try:
            try:
                columns = _columns_as_declared(self, table, body)
            except msgspec.ValidationError:
                # Something unusual: read it without expectations, so that conform can say what it is.
                columns = _columns_as_they_come(self, body, where)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
            raise BrokenAnswer(f"not JSON: {trouble}") from None
        for name in self.spelled:
            columns[name] = [_number(value) for value in columns.get(name, [])]
        rows = len(next(iter(columns.values()), ()))
        for name, meaning in self.absent:
            values = columns.get(name, [None] * rows)
            columns[name] = [meaning if value is None else value for value in values]
        arrow = as_arrow(table, columns, where)
        for name, make in self.made:
            try:
                arrow = arrow.append_column(name, [make(arrow)])
            except KeyError as missing:
                raise SchemaError(
                    f"{table.name}: the answer for {where} lacks {missing}. The provider may have "
                    "renamed it; nothing of this window was stored."
                ) from None
            except (ValueError, TypeError, OverflowError) as trouble:
                raise SchemaError(
                    f"{table.name}.{name} cannot be told from the answer for {where} ({trouble}); nothing "
                    "of this window was stored."
                ) from None
        return arrow


def allowed(refusal: Refused) -> timedelta | None:
    """The widest window that a refusal names, if it names one.

    >>> allowed(Refused("…", 400, b"… inclusive must not exceed 12 hours"))
    datetime.timedelta(seconds=43200)
    """
    found = _CAP.search(refusal.body.decode("utf-8", "replace"))
    return timedelta(**{found[2] + "s": int(found[1])}) if found else None


def start_of_period(columns: pa.Table) -> pa.Array:
    """``period_start`` of rows that only name settlement date and period."""
    import pyarrow as pa

    starts = period_starts(
        columns["settlementDate"].to_pandas(), columns["settlementPeriod"].to_pandas()
    )
    naive = starts.dt.tz_convert(None).to_numpy()
    return pa.array(naive, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


def fingerprint(*names: str) -> Maker:
    """Makes a short text that is the same exactly for rows that agree in these columns (all, if none)."""

    def make(columns: pa.Table) -> pa.Array:
        import hashlib

        import pyarrow as pa

        chosen = [columns[name].to_pylist() for name in names or sorted(columns.column_names)]
        digests = [
            hashlib.blake2b(repr(row).encode(), digest_size=8).hexdigest()
            for row in zip(*chosen, strict=True)
        ]
        return pa.array(digests, pa.string())

    return make


def _number(text: Any) -> Any:
    """The number in a text; what is none is left for conform to refuse."""
    try:
        return float(text) if isinstance(text, str) else text
    except ValueError:
        return text


# --- decoding -------------------------------------------------------------------------------------


def _columns_as_declared(read: JsonRows, table: Table, body: bytes) -> dict[str, list[Any]]:
    answer = _decoder(read, table).decode(body)
    rows = answer if isinstance(answer, list) else answer.data
    made = {name for name, _ in read.made}
    columns = {
        c.spelling: [getattr(row, c.name) for row in rows]
        for c in table.columns
        if c.name not in made
    }
    for name in read.nested:
        columns[name] = [None if raw is None else bytes(raw).decode() for raw in columns[name]]
    return columns


@cache
def _decoder(read: JsonRows, table: Table) -> Any:
    """A typed decoder for either envelope: three times faster than dicts, and it refuses surprises."""
    import msgspec

    types: dict[str, Any] = {
        "float": float, "int": int, "flag": bool, "text": str, "time": str, "date": str,
    }  # fmt: skip
    made, absent = {name for name, _ in read.made}, {name for name, _ in read.absent}
    fields: list[Any] = []
    for column in table.columns:
        if column.name in made:
            continue
        kind = types[column.dtype]
        if column.spelling in read.nested:
            kind = msgspec.Raw
        elif column.spelling in read.spelled:
            kind = str
        if column.sent:
            fields.append((column.name, kind | None))
        elif column.optional or column.spelling in absent:
            fields.append((column.name, kind | None, None))
        else:
            fields.append((column.name, kind))
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


def _columns_as_they_come(read: JsonRows, body: bytes, where: str) -> dict[str, list[Any]]:
    import msgspec

    answer = msgspec.json.decode(body)
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SchemaError(
            f"the answer for {where} is JSON but not a list of rows; nothing of it was stored."
        )
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name in read.nested:
        values = columns.get(name, [])
        columns[name] = [
            None if value is None else msgspec.json.encode(value).decode() for value in values
        ]
    return columns
