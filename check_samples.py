"""``check-samples``: recorded answers through the real readers and products, and what became of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import GridledgerError, UsageError
from domain.tables import conform
from domain.windows import Window, format_instant
from domain.zones import MARKET_CLOCK
from fetch_data import find_datasets
from products import average_power
from sources.dataset import Dataset
from sources.elexon import IGNORED, read_rows
from sources.entsoe import Item
from sources.entsoe_xml import ACKNOWLEDGEMENT, Document, Period, expand, parse

if TYPE_CHECKING:
    import pandas as pd

READ, REFUSED, UNKNOWN, WRONG = "read", "refused", "no reader", "WRONG"


@dataclass(frozen=True)
class Verdict:
    """What became of one file; ``outcome`` is one of the four words above."""

    file: str
    outcome: str
    detail: str


def check(folder: Path) -> list[Verdict]:
    """Read every recorded answer in the folder that this version has a reader for.

    Raises UsageError where the folder has none.
    """
    verdicts: list[Verdict] = []
    for pattern, judge in CHECKS:
        for path in sorted(folder.glob(pattern)):
            try:
                verdicts += judge(path)
            except GridledgerError as trouble:
                verdicts.append(Verdict(path.name, WRONG, str(trouble)))
    if not verdicts:
        wanted = ", ".join(pattern for pattern, _ in CHECKS)
        raise UsageError(f"{folder} holds no recorded answers ({wanted}).")
    return verdicts


def elexon_body(path: Path) -> Iterator[Verdict]:
    """One recorded Elexon body: every value of every row must come out of the reader."""
    body = path.read_bytes()
    answer = json.loads(body)
    if isinstance(answer, dict) and "data" not in answer:
        yield _refused(path, body)
        return
    rows = answer["data"] if isinstance(answer, dict) else answer
    dataset = _dataset_of(rows)
    if dataset is None:
        named = rows[0].get("dataset", "rows without a dataset code") if rows else "no rows"
        yield Verdict(path.name, UNKNOWN, f"{len(rows)} rows of {named}")
        return
    read = read_rows(dataset.table, body, path.name)
    lost = list(_lost(dataset, rows, read.frame))
    if lost or read.unknown or len(read.frame) + len(read.older) != len(rows):
        yield Verdict(path.name, WRONG, "; ".join([*lost, *read.unknown]) or "rows went missing")
    else:
        yield Verdict(path.name, READ, f"{len(rows)} rows of {dataset.key}, every value kept")


def _refused(path: Path, body: bytes) -> Verdict:
    """An error body must be refused by a reader, never read as no rows."""
    (dataset,) = find_datasets(["wind_solar"])
    try:
        read_rows(dataset.table, body, path.name)
    except GridledgerError as trouble:
        return Verdict(path.name, REFUSED, str(trouble))
    return Verdict(path.name, WRONG, "an error body was read as rows")


def _dataset_of(rows: list[dict[str, Any]]) -> Dataset | None:
    try:
        return find_datasets([rows[0]["dataset"]])[0] if rows else find_datasets(["AGWS"])[0]
    except (UsageError, KeyError):
        return None


def _lost(dataset: Dataset, rows: list[dict[str, Any]], frame: pd.DataFrame) -> Iterator[str]:
    """Values of recorded rows that the frame does not have, found with plain loops."""
    columns = {column.spelling: column for column in dataset.table.columns}
    by_key = {
        tuple(_plain(row[name]) for name in dataset.table.key): row
        for row in frame.to_dict("records")
    }
    spelling = {column.name: column.spelling for column in dataset.table.columns}
    for row in rows:
        key = tuple(row[spelling[name]] for name in dataset.table.key)
        for field, value in row.items():
            if field in IGNORED:
                continue
            found = by_key.get(key, {}).get(columns[field].name) if field in columns else None
            if _plain(found) != value:
                yield f"{field} of {key}: {value!r} became {found!r}"


def _plain(value: Any) -> Any:
    """A frame's value as JSON would spell it."""
    if isinstance(value, datetime):
        midnight = value.tzinfo is None
        return value.date().isoformat() if midnight else format_instant(value)
    return value


def entsoe_document(path: Path) -> Iterator[Verdict]:
    """One recorded ENTSO-E document: every slot must equal what a second, plain reader finds."""
    body = path.read_bytes()
    document = parse(body)
    if document.root == ACKNOWLEDGEMENT:
        yield Verdict(path.name, REFUSED, document.reason)
        return
    ours = [
        (start, end, name, value)
        for series in document.series
        for period in series.periods
        for start, end, name, value in _slots_of(period, series.fields.get("curveType", "A01"))
    ]
    if not ours:
        yield Verdict(path.name, UNKNOWN, f"{document.root} without points in a Period")
        return
    plain = list(plain_slots(body))
    if sorted(ours) != sorted(plain):
        yield Verdict(path.name, WRONG, f"{len(ours)} slots, {len(plain)} by the plain reader")
        return
    yield Verdict(path.name, READ, f"{len(ours)} slots of {document.root}{_as_rows(document)}")


def _slots_of(period: Period, curve: str) -> Iterator[tuple[int, int, str, float]]:
    slots = expand(period, curve, MARKET_CLOCK)
    for name, values in slots.values.items():
        for start, end, value in zip(slots.start_s, slots.end_s, values, strict=True):
            if value == value:
                yield int(start), int(end), name, float(value)


def _as_rows(document: Document) -> str:
    """How many rows of a dataset they make, where they are one's."""
    for dataset in find_datasets(["entsoe"]):
        item = dataset.read
        if not isinstance(item, Item) or document.fields.get("type") != item.document_type:
            continue
        process = dict(item.extra).get("processType")
        if process in (None, document.fields.get("process.processType")):
            rows = conform(dataset.table, item.rows(document, "XX"), "recorded", later_wins=True)
            return f", {len(rows.frame)} rows of {dataset.key}"
    return ""


def plain_slots(body: bytes) -> Iterator[tuple[int, int, str, float]]:
    """Start, end, field and value of every slot, with ElementTree and plain loops.

    Nothing of it is shared with the real reader, so that they can be held against each other.
    """
    from xml.etree import ElementTree

    def local(element: ElementTree.Element) -> str:
        return element.tag.rpartition("}")[2]

    def texts(element: ElementTree.Element) -> dict[str, str]:
        return {local(child): (child.text or "").strip() for child in element.iter()}

    for series in ElementTree.fromstring(body):
        if not local(series).endswith("TimeSeries"):
            continue
        curve = texts(series).get("curveType", "A01")
        for period in (child for child in series if local(child) == "Period"):
            span = texts(next(child for child in period if local(child) == "timeInterval"))
            start, end = (datetime.fromisoformat(span[name]) for name in ("start", "end"))
            resolution = texts(period)["resolution"]
            points = {
                int(cells.pop("position")): cells
                for cells in (texts(child) for child in period if local(child) == "Point")
            }
            position, moment = 1, start
            held: dict[str, str] = {}
            while moment < end:
                until = min(_plain_step(start, moment, resolution), end)
                held = points.get(position, held if curve == "A03" else {})
                for name, text in held.items():
                    if name != "Point" and _is_number(text):
                        yield int(moment.timestamp()), int(until.timestamp()), name, float(text)
                position, moment = position + 1, until


def _plain_step(start: datetime, moment: datetime, resolution: str) -> datetime:
    """The end of the slot that begins at a moment."""
    count, unit = int(resolution.strip("PTSMHDY")), resolution[-1]
    if resolution.startswith("PT"):
        return moment + timedelta(seconds=count * {"S": 1, "M": 60, "H": 3600}[unit])
    wall = moment.astimezone(MARKET_CLOCK).replace(tzinfo=None)
    if unit == "D":
        wall += timedelta(days=count)
    else:
        months = wall.month - 1 + count * (12 if unit == "Y" else 1)
        wall = wall.replace(year=wall.year + months // 12, month=months % 12 + 1)
    return wall.replace(tzinfo=MARKET_CLOCK).astimezone(UTC)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# Mean share per half hour and MWh per MW (low, high) of the recorded hour, worked out independently
# of this program from the same file.
RECORDED_HOUR = {
    "dc": ((0.011891, 0.006633, 0.000688), (0.009110, 0.004954, 0.000399)),
    "dm": ((0.098034, 0.050514, 0.001497), (0.044207, 0.022972, 0.000869)),
    "dr": ((0.235483, 0.131498, 0.013756), (0.182206, 0.099084, 0.007982)),
}
# The recording does not say its day; the figures do not depend on it.
ANY_DAY = datetime(2019, 6, 4, tzinfo=UTC)


def recorded_hour(path: Path) -> Iterator[Verdict]:
    """The recorded GB hour (1 s) through ``average_power`` of 1 MW, beside the known figures."""
    import pandas as pd

    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    clock = [datetime.strptime(row["time_of_day"], "%H:%M:%S") for row in rows]
    since_midnight = [timedelta(hours=t.hour, minutes=t.minute, seconds=t.second) for t in clock]
    times = pd.to_datetime([ANY_DAY + span for span in since_midnight], utc=True)
    frequency = pd.DataFrame(
        {
            "measurement_time": times.astype("datetime64[us, UTC]"),
            "frequency_hz": [float(row["f_hz"]) for row in rows],
        }
    )
    begin = ANY_DAY + timedelta(hours=11)
    window = Window(begin, begin + timedelta(hours=1))
    for service, known in RECORDED_HOUR.items():
        result = average_power.compute(
            frequency, window=window, response_service=service, battery_power_mw=1.0
        )
        found = result[["average_power_mw", "discharge_mwh", "charge_mwh"]].to_numpy()
        worst = max(abs(found - known).max(axis=1))
        shown = "  ".join(f"{m:.6f} MW {d:.6f} MWh {c:.6f} MWh" for m, d, c in found)
        yield Verdict(
            path.name,
            READ if worst <= 1e-6 else WRONG,
            f"{len(rows)} samples as if on {ANY_DAY:%Y-%m-%d} (their day is unknown), {service} per MW, "
            f"mean / low / high of both half hours: {shown}; farthest from the known figures "
            f"{worst:.1e}",
        )


CHECKS: tuple[tuple[str, Callable[[Path], Iterator[Verdict]]], ...] = (
    ("elexon/*.json", elexon_body),
    ("entsoe/**/*.xml", entsoe_document),
    ("gb/gb_london_1s_one_hour.csv", recorded_hour),
)
