"""One reader for every ENTSO-E document: bytes in, series of points out, expanded to slots.

Only local names are looked at, because namespaces drift. DOCTYPE and entities are refused, nesting
and text are limited. Points are by far the most of a document and look alike, so a pattern takes
them out first and expat reads the skeleton that is left; where anything about a document is
unusual, expat reads it whole. Both ways give the same result.

Nothing is lost of an element that comes more than once: the second is ``name[2]``. What points hold
beside numbers (a price's category) are their words. Outages call a Period ``Available_Period``.

Curve types (ENTSO-E, "Introduction of different time series possibilities"): A01 has every
position, a hole is a gap; A03 holds a value until the next position, the last one to the Period's
end, never across Periods.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.parsers import expat
from zoneinfo import ZoneInfo

from domain.errors import BrokenAnswer, SchemaError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DEEPEST = 24
LONGEST_TEXT = 100_000
MOST_REPEATS = 1000
# A month of 4-second slots, and ten such series: what claims more is no answer to our question.
MOST_SLOTS = 700_000
MOST_SLOTS_IN_ALL = 7_000_000
_LONGEST_STEP = 2**31
# How far a document's midnight may lie from that of the clock in which it is stepped.
_CLOCKS_APART = timedelta(hours=3)

ACKNOWLEDGEMENT = "Acknowledgement_MarketDocument"

# What a document must be for its points to be taken out: UTF-8, no comment, prefix or attribute there.
_HEAD = re.compile(
    rb"(<\?xml\s+version=[\"']1\.0[\"'](\s+encoding=[\"']utf-8[\"'])?"
    rb"(\s+standalone=[\"'](yes|no)[\"'])?\s*\?>)?\s*<",
    re.IGNORECASE,
)
_POINT = re.compile(
    rb"<Point>[ \t\r\n]*<position>(\d{1,9})</position>[ \t\r\n]*"
    rb"(?:<(quantity|price\.amount)>([-+.0-9eE]{1,40})</\2>[ \t\r\n]*)?</Point>"
)
# Point fields that are amounts of something; the others may be codes.
_AMOUNT = re.compile(r"(quantity|amount)(\[\d+\])?$", re.IGNORECASE)
_FIXED = re.compile(r"PT(\d{1,12})([SMH])$")
_CIVIL = re.compile(r"P(\d{1,12})([DMY])$")
_UNITS = {"S": 1, "M": 60, "H": 3600}


@dataclass
class Period:
    """Points of one stretch of time: ``values[name][i]`` belongs to slot ``positions[i]`` (from 1).

    ``words`` are the fields that are no numbers, None where a point has none.
    """

    start: datetime
    end: datetime
    resolution: str
    positions: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float64]]
    words: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)


def _told(columns: Mapping[str, npt.NDArray[Any]]) -> list[tuple[str, list[Any]]]:
    return [(name, column.tolist()) for name, column in columns.items()]


@dataclass
class Series:
    """One TimeSeries: its fields by path of local names (``MktPSRType/psrType``), and its periods."""

    fields: dict[str, str] = field(default_factory=dict)
    periods: list[Period] = field(default_factory=list)

    def content(self, *without: str) -> str:
        """What it says, but for some fields: the same exactly for series that say the same."""
        fields = sorted((name, text) for name, text in self.fields.items() if name not in without)
        periods = [
            (p.start, p.end, p.resolution, p.positions.tolist(), _told(p.values), _told(p.words))
            for p in self.periods
        ]
        return repr((fields, periods))


@dataclass
class Document:
    """A document: local name of its root, fields outside the series, and the series in order."""

    root: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The text of an acknowledgement: why there is no data, or what is wrong with the request."""
        return (
            self.fields.get("Reason/text", "no reason given")
            if self.root == ACKNOWLEDGEMENT
            else ""
        )


@dataclass(frozen=True)
class Slots:
    """A period expanded: one element a slot that has a value, times in seconds since 1970 UTC."""

    start_s: npt.NDArray[np.int64]
    end_s: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float64]]
    words: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)


def parse(body: bytes) -> Document:
    """Read a document.

    Raises BrokenAnswer for what is not well-formed XML or has a DOCTYPE, SchemaError for what we refuse (
    depth, size) or cannot make sense of (a position or value that is no number).
    """
    points, skeleton = _take_points_out(body)
    if points is not None and _is_plain(skeleton):
        return _Reader(points).read(skeleton)
    return _Reader(None).read(body)


def _is_plain(skeleton: bytes) -> bool:
    """Whether nothing about the document could make its points be anything but points.

    What was taken out cannot hold any of this.
    """
    head = _HEAD.match(skeleton)
    return (
        head is not None
        and skeleton.count(b"<?") == (head[1] is not None)
        and not any(odd in skeleton for odd in (b"<!", b":P", b"\0", b"_Period>", b"_Period "))
        and skeleton.count(b"<Period")
        == skeleton.count(b"<Period>")
        == skeleton.count(b"</Period>")
    )


def expand(period: Period, curve_type: str, zone: ZoneInfo, *, join: bool = False) -> Slots:
    """The slots of a period that have a value.

    ``curve_type`` A01 or A03; days, months and years step in the civil time of ``zone``. With ``join``
    the slots through which an A03 point holds are one. Raises SchemaError for a position outside the
    period or another curve type.
    """
    import numpy as np

    # An outage may last for years of minutes, of which only some points matter.
    edges = _Steps(period) if join and _FIXED.match(period.resolution) else _edges(period, zone)
    slots = len(edges) - 1
    index = period.positions - 1
    if len(index) and (index.min() < 0 or index.max() >= slots):
        raise SchemaError(
            f"a point has position {int(index.max()) + 1} in a period of {slots} slots "
            f"({period.start:%Y-%m-%dT%H:%MZ}, {period.resolution[:40]}); nothing of the document was stored."
        )
    if curve_type not in ("A01", "A03"):
        raise SchemaError(f"curve type {curve_type[:20]} is not one this program knows (A01, A03).")
    order = np.argsort(index, kind="stable")
    index = index[order]
    columns: list[dict[str, Any]] = [
        {name: column[order] for name, column in fields.items()}
        for fields in (period.values, period.words)
    ]
    until = index + 1
    if curve_type == "A03":
        until = np.append(index[1:], slots)
        if twice := bool((until == index).any()):
            # Both values hold, until the next position: which counts is for the table to tell.
            until = np.append(index, slots)[np.searchsorted(index, index, side="right")]
        if not join and len(index):
            lengths = until - index
            if lengths.sum() > MOST_SLOTS_IN_ALL:
                raise SchemaError("the same positions come over and over: it was not read.")
            columns = [{n: np.repeat(c, lengths) for n, c in fields.items()} for fields in columns]
            if twice:
                before = np.cumsum(lengths) - lengths
                index = np.arange(lengths.sum()) + np.repeat(index - before, lengths)
            else:
                index = np.arange(index[0], slots)
            until = index + 1
    return Slots(edges[index], edges[until], *columns)


class _Steps:
    """The edges of a period's slots of one length; only those that are asked for are worked out."""

    def __init__(self, period: Period) -> None:
        found = _FIXED.match(period.resolution)
        assert found
        self._start, self._end = int(period.start.timestamp()), int(period.end.timestamp())
        self._step = int(found[1]) * _UNITS[found[2]]
        if not 0 < self._step < _LONGEST_STEP:
            raise SchemaError(f"resolution {period.resolution[:40]} does not fit a period.")

    def __len__(self) -> int:
        return -(-(self._end - self._start) // self._step) + 1

    def all(self) -> npt.NDArray[np.int64]:
        import numpy as np

        edges = np.arange(self._start, self._end + self._step, self._step, dtype=np.int64)
        edges[-1] = self._end
        return edges

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        import numpy as np

        return np.minimum(self._start + numbers * self._step, self._end)


def _edges(period: Period, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """The starts of all slots of a period and its end, in seconds since 1970 UTC."""
    import numpy as np

    if _FIXED.match(period.resolution):
        steps = _Steps(period)
        if len(steps) - 1 > MOST_SLOTS:
            raise SchemaError(f"resolution {period.resolution[:40]} does not fit a period.")
        return steps.all()
    start, end = int(period.start.timestamp()), int(period.end.timestamp())
    if not (found := _CIVIL.match(period.resolution)) or int(found[1]) == 0:
        raise SchemaError(f"resolution {period.resolution[:40]} is not one this program knows.")
    count, unit = int(found[1]), found[2]
    moments = [start]
    local = period.start.astimezone(zone).replace(tzinfo=None)
    # What another clock leaves of a month or year is no slot of its own.
    rest = 0 if unit == "D" else int(_CLOCKS_APART.total_seconds())
    try:
        while moments[-1] < end:
            local_edge = _later(local, count * len(moments), unit)
            edge = int(local_edge.replace(tzinfo=zone).timestamp())
            moments.append(edge if edge < end - rest else end)
    except (OverflowError, ValueError) as trouble:
        raise SchemaError(
            f"resolution {period.resolution[:40]} cannot be stepped ({trouble})."
        ) from None
    return np.array(moments, dtype=np.int64)


def _later(local: datetime, count: int, unit: str) -> datetime:
    """A local time, without its clock, moved by days, months or years of civil time.

    The last hours of a day count as the next day, because midnight further east is the evening before:
    a month from 31 January 23:00 is 28 February 23:00, and a month from there 31 March 23:00. A day
    that a month does not have is its last.
    """
    if unit == "D":
        return local + timedelta(days=count)
    day = local + _CLOCKS_APART
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "Y" else 1)
    year, month = months // 12, months % 12 + 1
    last = monthrange(year, month)[1]
    return day.replace(year=year, month=month, day=min(day.day, last)) - _CLOCKS_APART


# --- reading ----------------------------------------------------------------------------------

_Points = tuple[
    "npt.NDArray[np.int64]",
    dict[str, "npt.NDArray[np.float64]"],
    dict[str, "npt.NDArray[np.object_]"],
]


def _take_points_out(body: bytes) -> tuple[list[_Points] | None, bytes]:
    """The points of every Period, and the document without them.

    None where a Period holds a point that does not look like the others.
    """
    import numpy as np

    taken: list[_Points] = []
    kept: list[bytes] = []
    here = 0
    while (begin := body.find(b"<Period>", here)) >= 0:
        end = body.find(b"</Period>", begin)
        first = body.find(b"<Point", begin, end)
        if end < 0 or body.find(b"<Period>", begin + 1, end) >= 0:
            return None, body
        if first < 0:
            taken.append((np.array([], np.int64), {}, {}))
        else:
            last = body.rfind(b"</Point>", first, end) + len(b"</Point>")
            block = body[first:last]
            # Between the points, then of each its position, the name of its value, the value.
            parts = _POINT.split(block)
            names = set(parts[2::4]) - {None}
            if len(parts) == 1 or len(names) > 1 or b"".join(parts[::4]).strip():
                return None, body
            try:
                values = np.array([value or b"nan" for value in parts[3::4]]).astype(np.float64)
            except ValueError:
                return None, body
            positions = np.array(parts[1::4]).astype(np.int64)
            taken.append((positions, {name.decode(): values for name in names}, {}))
            kept.append(body[here:first])
            here = last
        kept.append(body[here : end + 9])
        here = end + 9
    kept.append(body[here:])
    return taken, b"".join(kept)


class _Reader:
    """expat's callbacks: fields by path, series, periods, points."""

    def __init__(self, points: list[_Points] | None) -> None:
        self.document = Document()
        self._points = points
        self._periods = 0  # opened so far, wherever
        self._number = 0  # the one being read
        self._path: list[str] = []
        self._series: Series | None = None
        self._series_depth = 0
        self._period: dict[str, str] | None = None
        self._period_depth = 0
        self._own: list[dict[str, str]] = []
        self._text: list[str] = []
        self._length = 0

    def read(self, body: bytes) -> Document:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError) as trouble:  # also strange encodings
            raise BrokenAnswer(f"not well-formed XML: {trouble}") from None
        return self.document

    def _refuse(self, *_: Any) -> None:
        # HTML pages have one too, as a platform under maintenance sends: worth asking again.
        raise BrokenAnswer(
            "not one of its documents: it declares a DOCTYPE, as HTML does, or an entity"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._path.append(local)
        if len(self._path) > DEEPEST:
            raise SchemaError(f"the document nests more than {DEEPEST} elements: it was not read.")
        self._text, self._length = [], 0
        self._periods += local == "Period"
        if len(self._path) == 1:
            self.document.root = local
        elif local.endswith("TimeSeries") and len(self._path) == 2:
            self._series = Series()
            self.document.series.append(self._series)
        elif _is_period(local) and self._series is not None and self._period is None:
            self._period, self._own, self._period_depth = {}, [], len(self._path)
            self._number = self._periods - 1
        elif local == "Point" and self._period is not None:
            self._own.append({})

    def _characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_TEXT:
            raise SchemaError("a text in the document is longer than any we know: it was not read.")
        self._text.append(text)

    def _end(self, name: str) -> None:
        local = self._path[-1]
        depth = len(self._path)
        text = "".join(self._text).strip()
        self._text, self._length = [], 0
        if self._period is not None:
            if depth == self._period_depth:
                self._close_period()
            elif text and self._own and "Point" in self._path[self._period_depth :]:
                point, path = self._own[-1], "/".join(self._path[self._period_depth + 1 :])
                if path in point:
                    _put(point, path, text)
                else:
                    point[path] = text
            elif text:
                self._period[local] = text
        elif self._series is not None:
            if depth == 2:
                self._series = None
            elif text:
                _put(self._series.fields, "/".join(self._path[2:]), text)
        elif text and "Period" not in self._path:
            _put(self.document.fields, "/".join(self._path[1:]), text)
        self._path.pop()

    def _close_period(self) -> None:
        assert self._series is not None and self._period is not None
        facts, self._period = self._period, None
        if self._points is not None:
            positions, values, words = self._points[self._number]
        else:
            positions, values, words = _columns(self._own)
        try:
            start, end = _instant(facts["start"]), _instant(facts["end"])
            resolution = facts["resolution"]
            if not start < end:
                raise ValueError("it ends before it starts")
        except (KeyError, ValueError, OverflowError) as trouble:
            raise SchemaError(
                f"a Period without a readable start, end or resolution ({str(trouble)[:120]}); "
                "nothing of the document was stored."
            ) from None
        self._series.periods.append(Period(start, end, resolution, positions, values, words))


def _is_period(name: str) -> bool:
    return name == "Period" or name.endswith("_Period")


def _put(fields: dict[str, str], name: str, text: str) -> None:
    """Keep a field; one that is there already gets a number, so that none is lost."""
    number, free = 1, name
    while free in fields:
        number += 1
        free = f"{name}[{number}]"
        if number > MOST_REPEATS:
            raise SchemaError(f"{name[:80]} comes more than {MOST_REPEATS} times: it was not read.")
    fields[free] = text


def _columns(points: list[dict[str, str]]) -> _Points:
    """Points as arrays; a value that a point lacks is NaN, a word None."""
    import numpy as np

    names = dict.fromkeys(name for point in points for name in point if name != "position")
    number = [name for name in names if all(_is_number(p.get(name, "nan")) for p in points)]
    for name in names:
        if name not in number and _AMOUNT.search(name):
            odd = next(p[name] for p in points if not _is_number(p.get(name, "nan")))
            raise SchemaError(
                f"{name[:80]}: {odd[:40]!r} is not a number; nothing of the document was stored."
            )
    try:
        positions = np.array([int(point["position"]) for point in points], np.int64)
    except (KeyError, ValueError, OverflowError) as trouble:
        raise SchemaError(
            f"a Point without a readable position ({str(trouble)[:120]}); nothing of the document was stored."
        ) from None
    values = {name: np.array([float(p.get(name, "nan")) for p in points]) for name in number}
    words = {
        name: np.array([p.get(name) for p in points], dtype=object)
        for name in names
        if name not in number
    }
    return positions, values, words


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _instant(text: str) -> datetime:
    """``2024-10-26T22:00Z``, with or without seconds; ValueError outside 1990 to 2100."""
    instant = datetime.fromisoformat(text)
    if not 1990 <= instant.year <= 2100:
        raise ValueError(f"{text} lies outside 1990 to 2100")
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
