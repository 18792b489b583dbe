"""Documents of ENTSO-E read a second time, with ElementTree and plain loops.

Nothing of it is shared with the real reader, so that ``check_samples`` can hold the two against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from domain.zones import MARKET_CLOCK


def is_long(start: datetime, end: datetime) -> bool:
    """Whether a period is compared point by point: outages have years of minutes."""
    return end - start > timedelta(days=40)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _has_points(element: ElementTree.Element) -> bool:
    return _local(element) == "Period" or _local(element).endswith("_Period")


def plain_fields(body: bytes) -> Counter[str]:
    """The texts of all elements outside periods."""
    found: Counter[str] = Counter()
    waiting = [ElementTree.fromstring(body)]
    while waiting:
        element = waiting.pop()
        waiting += [child for child in element if not _has_points(child)]
        text = (element.text or "").strip()
        if text:
            found[text] += 1
    return found


def plain_slots(body: bytes) -> Iterator[tuple[int, int, str, float | str]]:
    """Start, end, field and value of every slot."""
    for series in ElementTree.fromstring(body):
        if not _local(series).endswith("TimeSeries"):
            continue
        facts = {_local(child): (child.text or "").strip() for child in series}
        for period in filter(_has_points, series):
            texts = {_local(child): (child.text or "").strip() for child in period.iter()}
            start, end = (datetime.fromisoformat(texts[name]) for name in ("start", "end"))
            points: dict[int, list[tuple[str, str]]] = {}
            for point in (child for child in period if _local(child) == "Point"):
                cells = _cells(point)
                points.setdefault(int(dict(cells)["position"]), []).extend(cells)
            slots = _point_by_point if is_long(start, end) else _slot_by_slot
            holds = facts.get("curveType", "A01") == "A03"
            for since, until, held in slots(start, end, texts["resolution"], points, holds=holds):
                for name, text in held:
                    if name != "position":
                        value = float(text) if is_number(text) else text
                        yield int(since.timestamp()), int(until.timestamp()), name, value


def _cells(point: ElementTree.Element) -> list[tuple[str, str]]:
    """Names and texts of a point; the second of a name has its number."""
    cells: list[tuple[str, str]] = []
    seen: Counter[str] = Counter()

    def walk(element: ElementTree.Element, path: str) -> None:
        for child in element:
            name = path + _local(child)
            if child.text and child.text.strip():
                seen[name] += 1
                number = f"[{seen[name]}]" if seen[name] > 1 else ""
                cells.append((name + number, child.text.strip()))
            walk(child, f"{name}/")

    walk(point, "")
    return cells


_Points = dict[int, list[tuple[str, str]]]
_Held = Iterator[tuple[datetime, datetime, list[tuple[str, str]]]]


def _slot_by_slot(
    start: datetime, end: datetime, resolution: str, points: _Points, *, holds: bool
) -> _Held:
    """Slot by slot."""
    position, moment = 1, start
    held: list[tuple[str, str]] = []
    while moment < end:
        until = min(_step(start, moment, resolution), end)
        held = points.get(position, held if holds else [])
        yield moment, until, held
        position, moment = position + 1, until


def _point_by_point(
    start: datetime, end: datetime, resolution: str, points: _Points, *, holds: bool
) -> _Held:
    """Point by point; each holds until the next."""
    order, begins = sorted(points), []
    at, moment = 1, start
    for position in order:
        if resolution.startswith("PT"):
            moment += (position - at) * (_step(start, start, resolution) - start)
        else:
            for _ in range(position - at):
                moment = _step(start, moment, resolution)
        at = position
        begins.append(moment)
    for position, since, later in zip(order, begins, [*begins[1:], end], strict=True):
        until = later if holds else min(_step(start, since, resolution), end)
        yield since, until, points[position]


def _step(start: datetime, moment: datetime, resolution: str) -> datetime:
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


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
