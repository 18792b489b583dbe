"""Things that go wrong on the way: declared, chosen reproducibly, applied to rows or bytes.

Faults of the connection (`reset`, `hang`, `slow`, `truncated`) are carried out by the server, which
owns the socket.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import calendar

STATUS_KINDS = ("429", "429-retry-after", "500", "503", "html-200")
CONNECTION_KINDS = ("reset", "hang", "slow", "truncated")
BODY_KINDS = ("truncated-json", "garbled")
ROW_KINDS = ("empty", "duplicates", "dropped", "renamed", "extra", "wrong-type", "revised")
KINDS = STATUS_KINDS + CONNECTION_KINDS + BODY_KINDS + ROW_KINDS
# Well-formed and wrong: only a client that compares can tell. They are not in KINDS, of which a
# client is expected to end with the truth by asking again.
DATA_KINDS = ("shift-hour", "halve", "flip", "stale", "new-type", "drop-half")

# Of answers that are zips, others are left as they are: a member that ends in the middle, one whose
# checksum is wrong, a thousand members too many, one of 300 MB.
ZIP_KINDS = ("bad-member", "bad-checksum", "many-members", "huge-member")

# The columns whose values come from a list, by their names in an answer.
TYPE_FIELDS = (
    "fuelType", "psrType", "dataProvider", "settlementRunType", "warningType", "eventType",
    "service",
)  # fmt: skip

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with some answers.

    `probability` is that of an answer being hit, `path` a part of the request it is limited to
    (`/datasets/FREQ`, or of the query: `documentType=A44`), `times` the number of answers it hits at
    most. Of a list, the first fault that hits an answer is the only one.

    Arguments, with the default: `seconds` is the header of 429-retry-after (1), the longest silence
    of hang (until the client leaves), the duration of slow (2). `fraction` is the share of rows
    hit, at least one, by duplicates and dropped (0.1), wrong-type (0.01) and revised (1). `field`
    is what renamed and wrong-type touch (the first measured value), revised touches (all measured
    values) or extra adds ("warningType"). `value` is the new name for renamed, the text for
    wrong-type ("n/a"), the content for extra. `gzipped` makes garbled send bytes that claim to be
    gzip and are not, instead of bytes flipped in a proper answer.

    The kinds in DATA_KINDS lie about the data of a JSON answer: shift-hour moves the times of the
    rows by an hour (not the time of publication nor settlement dates; rows without times get a
    period two later), halve and flip change size and sign of the measured values, stale answers
    with the first publication of everything, new-type writes `value` ("SANDBOX_TYPE") into the
    first column of TYPE_FIELDS, drop-half leaves out the last half of the rows. `field` names
    another column and `fraction` (1; 0.1 for new-type) the share of rows.

    In a CSV a row is a line and the columns are those of its header; lists of NESO's files and
    resources are not data. Of the Carbon Intensity API the measured values stand inside the rows.

    In an XML document a row is one slot of one curve: dropped leaves gaps, revised changes values
    and raises revisionNumber, wrong-type replaces texts of Points and extra adds an element to each
    of them; renamed renames an element; duplicates sends a share of the TimeSeries twice; empty is
    the acknowledgement that there is no data. truncated-json cuts such a document off as well. In a
    zip this is done to its members. Zips have faults of their own (ZIP_KINDS); each spoils one member
    or adds to it, and other answers are left as they are.
    """

    kind: str
    probability: float = 1.0
    path: str = ""
    times: int | None = None
    seconds: float | None = None
    fraction: float | None = None
    field: str | None = None
    value: str | None = None
    gzipped: bool = False

    def __post_init__(self) -> None:
        known = KINDS + DATA_KINDS + ZIP_KINDS
        if self.kind not in known:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(known)}")
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"a probability lies between 0 and 1, not {self.probability}")
        if self.fraction is not None and not 0.0 < self.fraction <= 1.0:
            raise ValueError(f"a fraction lies above 0 and up to 1, not {self.fraction}")


@dataclass(frozen=True)
class Hit:
    """A fault that was chosen for an answer, and the randomness it may use."""

    fault: Fault
    rng: random.Random


class FaultChooser:
    """Chooses the fault of each answer, the same in every run with the same seed.

    The choice depends on the request and on how often it was made before, not on the order in which
    parallel clients happen to arrive. Only `times` is counted over all requests.
    """

    def __init__(self, seed: int, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._seed = seed
        self._asked: Counter[str] = Counter()
        self._hits: Counter[int] = Counter()
        self._lock = threading.Lock()

    def choose(self, path: str, params: Mapping[str, str], *, has_rows: bool) -> Hit | None:
        """Return the fault that hits this answer; faults of data only hit answers with data."""
        if not self.faults:
            return None
        request = f"{path}?{sorted(params.items())}"
        asked = "&".join([path, *(f"{name}={value}" for name, value in params.items())])
        with self._lock:
            self._asked[request] += 1
            nth = self._asked[request]
            for index, fault in enumerate(self.faults):
                if fault.path not in asked or (
                    not has_rows and fault.kind in ROW_KINDS + DATA_KINDS + BODY_KINDS + ZIP_KINDS
                ):
                    continue
                if fault.times is not None and self._hits[index] >= fault.times:
                    continue
                rng = random.Random(_number(f"{self._seed}/{index}/{fault.kind}/{nth}/{request}"))
                if rng.random() < fault.probability:
                    self._hits[index] += 1
                    return Hit(fault, rng)
        return None


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class RowNames:
    """What a fault must know of an endpoint's rows."""

    values: Sequence[str]
    publish: str | None
    revision: str | None
    times: Sequence[str] = ()


def spoil_rows(hit: Hit, rows: Rows, names: RowNames) -> Rows:
    """Return the rows of an answer after a fault of rows."""
    fault, rng = hit.fault, hit.rng
    # A list of units or warnings has no measured values.
    field = fault.field or (
        names.values[0] if names.values else next(iter(rows[0] if rows else ""), "")
    )
    match fault.kind:
        case "empty":
            return []
        case "duplicates":
            doubled = rows + [dict(rows[at]) for at in _some(rng, rows, fault.fraction or 0.1)]
            rng.shuffle(doubled)
            return doubled
        case "dropped":
            gone = set(_some(rng, rows, fault.fraction or 0.1))
            return [row for at, row in enumerate(rows) if at not in gone]
        case "renamed":
            new = fault.value or f"{field}Value"
            return [{new if name == field else name: v for name, v in row.items()} for row in rows]
        case "extra":
            name = fault.field or "warningType"
            return [{**row, name: fault.value or "SANDBOX"} for row in rows]
        case "wrong-type":
            for at in _some(rng, rows, fault.fraction or 0.01):
                rows[at][field] = fault.value or "n/a"
        case "revised":
            for at in _some(rng, rows, fault.fraction or 1.0):
                _revise(rows[at], [fault.field] if fault.field else names.values, names)
        case _:
            return _lie(hit, rows, names)
    return rows


def _lie(hit: Hit, rows: Rows, names: RowNames) -> Rows:
    """Return the rows after a fault of DATA_KINDS (stale rows come that way from the series)."""
    fault, rng = hit.fault, hit.rng
    values = [fault.field] if fault.field else names.values
    match fault.kind:
        case "drop-half":
            return rows[: (len(rows) + 1) // 2]
        case "shift-hour":
            times = [fault.field] if fault.field else names.times
            for at in _some(rng, rows, fault.fraction or 1.0):
                _shift(rows[at], times)
        case "halve" | "flip":
            factor = 0.5 if fault.kind == "halve" else -1
            for at in _some(rng, rows, fault.fraction or 1.0):
                _scale(rows[at], values, factor)
        case "new-type":
            kinds = (name for name in TYPE_FIELDS if rows and name in rows[0])
            kind = fault.field or next(kinds, None)
            for at in _some(rng, rows, fault.fraction or 0.1) if kind else ():
                rows[at][str(kind)] = fault.value or "SANDBOX_TYPE"
    return rows


def _shift(row: dict[str, Any], times: Sequence[str]) -> None:
    for name in times:
        if row.get(name) is not None:
            later = calendar.to_instant(row[name]) + 3_600
            # Some times have no Z.
            row[name] = calendar.instant_texts(calendar.one(later))[0][: len(row[name])]
    if not times and "settlementPeriod" in row:
        row["settlementPeriod"] += 2


def _scale(row: dict[str, Any], values: Sequence[str], factor: float) -> None:
    for name in values:
        value = row.get(name)
        if value is not None:
            row[name] = int(value * factor) if isinstance(value, int) else value * factor


def _some(rng: random.Random, rows: Rows, fraction: float) -> list[int]:
    """Return the positions of a share of the rows, at least one if there is any."""
    if not rows:
        return []
    return sorted(rng.sample(range(len(rows)), max(1, round(len(rows) * fraction))))


def _revise(row: dict[str, Any], values: Sequence[str], names: RowNames) -> None:
    for name in values:
        # A thousandth on top of one per cent: a night's zero changes as well.
        if isinstance(row[name], int):
            row[name] = round(row[name] * 1.01) + 1
        elif row[name] is not None:
            row[name] = round(row[name] * 1.01 + 0.001, 3)
    if names.publish is not None:
        later = calendar.to_instant(row[names.publish]) + 3_600
        row[names.publish] = calendar.instant_texts(calendar.one(later))[0]
    if names.revision is not None:
        row[names.revision] += 1


def spoil_body(hit: Hit, body: bytes) -> bytes:
    """Return a body after `truncated-json` or `garbled`; neither can be read afterwards."""
    if hit.fault.kind == "truncated-json":
        return body[: max(1, len(body) // 2)]
    spoilt = bytearray(body)
    for _ in range(8):
        # The high bit makes invalid UTF-8; no client could detect a flip that left valid JSON.
        at = hit.rng.randrange(len(spoilt))
        spoilt[at] |= 0x80
    return bytes(spoilt)


def html_page(title: str) -> bytes:
    """Return the page that a gateway in front of an API shows."""
    head = f"<!DOCTYPE html><html><head><title>{title}</title></head>"
    return f"{head}<body><h1>{title}</h1></body></html>".encode()
