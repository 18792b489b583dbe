"""``check-samples``: recorded answers through the real readers and products, and what became of them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.drift import SETTLEMENT
from domain.errors import GridledgerError, SchemaError, UsageError
from domain.tables import Column, Conformed, conform
from domain.windows import Window, format_instant
from domain.zones import MARKET_CLOCK
from fetch_data import find_datasets
from plain_entsoe import is_long, is_number, plain_fields, plain_slots
from products import average_power
from sources import carbon_intensity, neso_forecasts
from sources.carbon_intensity import Path as CarbonPath
from sources.dataset import Dataset
from sources.elexon_rows import IGNORED, JsonRows
from sources.entsoe import Item
from sources.entsoe_xml import ACKNOWLEDGEMENT, Document, Period, expand, parse
from sources.entsoe_zip import members
from sources.neso_files import CsvFile
from sources.neso_packages import Resource, read_listing
from sources.neso_rows import CsvFiles

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
    assert isinstance(dataset.read, JsonRows)
    read = dataset.read.rows(dataset.table, body, path.name)
    lost = list(_lost(dataset, dataset.read, rows, read))
    if lost or read.unknown:
        yield Verdict(path.name, WRONG, "; ".join([*lost, *read.unknown]))
    else:
        yield Verdict(path.name, READ, f"{len(rows)} rows of {dataset.key}, every value kept")


def _refused(path: Path, body: bytes) -> Verdict:
    """An error body must be refused by a reader, never read as no rows."""
    (dataset,) = find_datasets(["wind_solar"])
    try:
        JsonRows("").rows(dataset.table, body, path.name)
    except GridledgerError as trouble:
        return Verdict(path.name, REFUSED, str(trouble))
    return Verdict(path.name, WRONG, "an error body was read as rows")


def _dataset_of(rows: list[dict[str, Any]]) -> Dataset | None:
    if not rows:
        return find_datasets(["AGWS"])[0]
    if "elexonBmUnit" in rows[0]:  # the register does not say its name
        return find_datasets(["bm_units"])[0]
    try:
        return find_datasets([rows[0]["dataset"]])[0]
    except (UsageError, KeyError):
        return None


def _lost(
    dataset: Dataset, read: JsonRows, rows: list[dict[str, Any]], ours: Conformed
) -> Iterator[str]:
    """Recorded rows that the reader does not give back, value by value, found with plain loops."""
    made = {name for name, _ in read.made}
    columns = [c for c in dataset.table.columns if c.name not in made]
    known = {c.spelling for c in columns}
    for field in sorted({name for row in rows for name in row} - known - set(IGNORED)):
        yield f"{field} has no column"
    given = Counter(
        tuple(_canonical(read, c, row.get(c.spelling)) for c in columns) for row in rows
    )
    found: Counter[tuple[Any, ...]] = Counter()
    for frame in (ours.frame, ours.older):
        for row in frame.to_dict("records"):
            found[tuple(_canonical(read, c, row[c.name]) for c in columns)] += 1
    for values in given - found:
        yield f"not given back: {dict(zip((c.spelling for c in columns), values, strict=True))}"


def _canonical(read: JsonRows, column: Column, value: Any) -> Any:
    """A value in the one form that recorded row and frame share."""
    if value is None or value != value or value == dict(read.absent).get(column.spelling):
        return None
    if isinstance(value, datetime):
        return value.date().isoformat() if column.dtype == "date" else format_instant(value)
    if column.dtype == "time":
        return value.removesuffix("Z") + "Z"  # left out where UTC is meant
    if column.spelling in read.nested:
        return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
    return float(value) if column.dtype in ("float", "int") else value


def neso_file(path: Path) -> Iterator[Verdict]:
    """A recorded forecast of embedded wind and solar: every number of every line must come out."""
    table, files = neso_forecasts.EMBEDDED_FORECASTS, CsvFiles(lambda *_: ())
    resource = Resource("", neso_forecasts.CURRENT, "", ANY_DAY)
    with path.open("rb") as recorded:
        read = [(CsvFile(recorded, path.name), resource, neso_forecasts.CURRENT_FORM)]
        day = Window(ANY_DAY, ANY_DAY + timedelta(days=1))
        found = files.rows(table, read, day, path.name)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    given = [tuple(_as_number(value) for value in row.values()) for row in rows]
    spellings = {c.spelling: c.name for c in table.columns}
    ours = [
        (
            f"{row['period_end']:%Y-%m-%dT00:00:00}",
            f"{row['period_end']:%H:%M}",
            f"{row['settlement_date']:%Y-%m-%dT%H:%M:%S}",
            *(float(row[spellings[name]]) for name in list(rows[0])[3:]),
        )
        for row in found.frame.to_dict("records")
    ]
    if sorted(given) != sorted(ours) or found.unknown or found.strange:
        odd = "; ".join([*found.unknown, *found.strange])
        yield Verdict(path.name, WRONG, odd or "lines or values went missing")
    else:
        yield Verdict(path.name, READ, f"{len(rows)} lines of embedded_forecasts, every value kept")


def _as_number(text: str) -> str | float:
    return float(text) if is_number(text) else text


def neso_listing(path: Path) -> Iterator[Verdict]:
    """A recorded package: every CSV file of it must be listed, with its address and time."""
    body = path.read_bytes()
    listed = json.loads(body)["result"]
    files = [each for each in listed["resources"] if each["format"] == "CSV"]
    given = [(e["id"], e["name"], e["url"], e["last_modified"][:19] + "Z") for e in files]
    ours = [
        (each.id, each.name, each.url, format_instant(each.modified) if each.modified else "")
        for each in read_listing(body, listed["name"])
    ]
    detail = (
        f"{len(files)} of {len(listed['resources'])} resources of {listed['name']} are CSV files"
    )
    yield Verdict(path.name, READ if given == ours else WRONG, detail)


def carbon_body(path: Path) -> Iterator[Verdict]:
    """One recorded answer of the Carbon Intensity API: every value of every row must come out."""
    body = path.read_bytes()
    answer = json.loads(body)
    given = Counter(_carbon_values(answer.get("data", [])))
    regions = "regions" in str(body[:4000])
    (dataset,) = find_datasets(["carbon_regional" if regions else "carbon_intensity"])
    assert isinstance(dataset.read, CarbonPath)
    try:
        columns = dataset.read.columns(dataset.table, body, path.name)
    except SchemaError as trouble:
        yield Verdict(path.name, REFUSED if "error" in answer else WRONG, str(trouble))
        return
    read = conform(dataset.table, columns, path.name, carbon_intensity.IGNORED)
    found: Counter[tuple[str, Any, str, Any]] = Counter()
    for row in read.frame.to_dict("records"):
        start = f"{row['period_start']:%Y-%m-%dT%H:%MZ}"
        for column in dataset.table.columns:
            value = row[column.name]
            if column.name in ("period_start", *SETTLEMENT) or value is None or value != value:
                continue
            found[(start, row.get("region_id"), column.spelling, value)] += 1
    lost = [*(given - found), *(found - given)]
    if lost or read.unknown:
        yield Verdict(path.name, WRONG, f"not given back: {lost[:3]} {' '.join(read.unknown)}")
    else:
        yield Verdict(path.name, READ, f"{len(read.frame)} rows of {dataset.key}, every value kept")


def _carbon_values(data: list[dict[str, Any]]) -> Iterator[tuple[str, Any, str, Any]]:
    """Start, region, field and value of everything that an answer says, with plain loops."""
    for period in data:
        for part in period.get("regions", [period]):
            region = part.get("regionid")
            named = {n: part[n] for n in ("regionid", "dnoregion", "shortname") if n in part}
            mix = {share["fuel"]: share["perc"] for share in part.get("generationmix", [])}
            for name, value in (named | part["intensity"] | mix).items():
                if value is not None:
                    yield period["from"], region, name, value


def entsoe_document(path: Path) -> Iterator[Verdict]:
    """One recorded ENTSO-E document: nothing of it may be lost, in the reader or on the way to a table."""
    yield _entsoe_body(path.name, path.read_bytes())


def entsoe_archive(path: Path) -> Iterator[Verdict]:
    """A recorded archive of ENTSO-E documents: each member as ``entsoe_document`` judges it."""
    for name, body in members(path.read_bytes()):
        yield _entsoe_body(f"{path.name}: {name}", body)


def _entsoe_body(name: str, body: bytes) -> Verdict:
    document = parse(body)
    if document.root == ACKNOWLEDGEMENT:
        return Verdict(name, REFUSED, document.reason)
    ours = Counter(
        slot
        for series in document.series
        for period in series.periods
        for slot in _slots_of(period, series.fields.get("curveType", "A01"))
    )
    plain = Counter(plain_slots(body))
    told = [document.fields, *(series.fields for series in document.series)]
    fields = Counter(text for fields in told for text in fields.values())
    lost: list[Any] = [*(ours - plain), *(plain - ours)][:3]
    lost += [*(fields - (others := plain_fields(body))), *(others - fields)][:3]
    if lost:
        return Verdict(name, WRONG, f"not as the plain reader finds it: {lost}")
    kind = document.fields.get("type") or "no type"
    read = f"{ours.total()} values of {document.root} {kind}"
    dataset = _dataset_answering(document)
    if dataset is None:
        return Verdict(name, REFUSED, f"{read}: no dataset asks for such a document")
    return _as_rows(name, read, dataset, document, plain)


def _slots_of(period: Period, curve: str) -> Iterator[tuple[int, int, str, float | str]]:
    slots = expand(period, curve, MARKET_CLOCK, join=is_long(period.start, period.end))
    for name, values in (slots.values | slots.words).items():
        for start, end, value in zip(slots.start_s, slots.end_s, values, strict=True):
            if value is not None and value == value:
                yield int(start), int(end), name, value if isinstance(value, str) else float(value)


def _as_rows(
    name: str, read: str, dataset: Dataset, document: Document, plain: Iterable[Any]
) -> Verdict:
    """Rows of a dataset: every value of the plain reader must be among them at its time."""
    import pandas as pd

    item = dataset.read
    assert isinstance(item, Item)
    scope = "XX>YY" if dataset.table.scope == "border" else "XX"
    frame = pd.DataFrame(item.rows(document, scope))
    rows = conform(
        dataset.table, item.together(frame) if item.together else frame, name, later_wins=True
    )
    held: dict[float, list[tuple[int, int]]] = {}
    for part in (rows.frame, rows.older):
        starts = part["period_start"].astype("int64") // 1_000_000
        for column in dataset.table.columns:
            if column.dtype == "float":
                for start, seconds, value in zip(
                    starts, part["resolution_s"], part[column.name], strict=True
                ):
                    held.setdefault(value, []).append((start, start + seconds))
    exact = {(start, value) for value, spans in held.items() for start, _ in spans}
    lost = [
        (start, field, value)
        for start, end, field, value in plain
        if not isinstance(value, str)
        and (start, value) not in exact
        and not any(low <= start and end <= high for low, high in held.get(value, ()))
    ]
    if lost or rows.unknown:
        return Verdict(name, WRONG, f"not in {dataset.key}: {lost[:3]} {' '.join(rows.unknown)}")
    return Verdict(name, READ, f"{read}, all of them in {len(rows.frame)} rows of {dataset.key}")


def _dataset_answering(document: Document) -> Dataset | None:
    """The dataset that such a document is an answer to."""
    for dataset in find_datasets(["entsoe"]):
        if isinstance(dataset.read, Item) and _answers(dataset.read, document):
            return dataset
    return None


def _answers(item: Item, document: Document) -> bool:
    """Whether a document may be the answer to an item, by what both say."""
    told = {"documentType": {document.fields.get("type", "")}}
    told["processType"] = {document.fields.get("process.processType", "")}
    for name in ("businessType", "contract_MarketAgreement.type"):
        told[name] = {series.fields[name] for series in document.series if name in series.fields}
    asked = {"documentType": item.document_type, **dict(item.extra)}
    return all(told[name] <= {value} for name, value in asked.items() if name in told)


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
    ("entsoe/**/*.zip", entsoe_archive),
    ("neso/*.csv", neso_file),
    ("neso/*.json", neso_listing),
    ("carbon_intensity/*.json", carbon_body),
    ("gb/gb_london_1s_one_hour.csv", recorded_hour),
)
