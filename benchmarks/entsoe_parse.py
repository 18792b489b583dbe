"""ENTSO-E documents: our reader beside plain loops of the standard library and entsoe-py.

Run as ``python -m benchmarks.entsoe_parse``; docs/performance.md holds the outcome. A year of
quarter-hourly generation by type of DE_LU, in windows of 28 days as the job asks for them, once in
the curve types as served (A03, one series A01) and once all A01. entsoe-py is measured where
``GRIDLEDGER_ENTSOE_PY`` names a Python that has it. Each reader runs in a process of its own, a
document after the other, and keeps nothing of one when it reads the next, as the job does.

Points without a value are left out of the year, because entsoe-py cannot read a document with one;
a single day that has some is read apart.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

import console
from benchmarks.measure import peak_mb, printed_by, record
from utils import PROJECT

if TYPE_CHECKING:
    import pandas as pd

SETTING = "GRIDLEDGER_ENTSOE_PY"
ZONE, EIC, SEED = "DE_LU", "10Y1001A1001A82H", 7
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 2, 1, tzinfo=UTC)  # all restatements are out
WIDEST = timedelta(days=28)
WITHOUT_VALUES = datetime(2024, 5, 15, tzinfo=UTC)  # a day of the sandbox with such Points
A_DAY = timedelta(days=1)
VARIANTS = {"A03": "curve types as served", "A01": "all A01"}
# What takes less than this is measured three times.
SHORT_S = 5.0
FASTER, LEANER = 40, 10
SIDES = {"inBiddingZone_Domain.mRID": "generation", "outBiddingZone_Domain.mRID": "consumption"}
STEP_S = 900

# Start of the slot [s since 1970], type, side, value.
Value = tuple[int, str, str, float]
KEY = ("time", "psr_type", "side")


class Reader(NamedTuple):
    """A way of reading: what is measured, and how its result becomes values to compare."""

    read: Callable[[bytes], Any]
    values: Callable[[Any], Iterable[Value]]


# --- the project ----------------------------------------------------------------------------------


def _to_table(body: bytes) -> pd.DataFrame:
    """From bytes to rows that fit the table, as the dataset does it."""
    import pandas as pd

    from domain.tables import conform
    from sources.entsoe_power import GENERATION, generation_rows
    from sources.entsoe_xml import parse

    columns = pd.DataFrame(generation_rows(parse(body), ZONE))
    return conform(GENERATION, columns, "benchmark", later_wins=True).frame


def _table_values(frame: pd.DataFrame) -> Iterator[Value]:
    for side in SIDES.values():
        known = frame[frame[f"{side}_mw"].notna()]
        seconds = known["period_start"].astype("int64") // 1_000_000
        for start, psr, value in zip(seconds, known["psr_type"], known[f"{side}_mw"], strict=True):
            yield start, psr, side, value


def _to_slots(body: bytes) -> list[tuple[str, str, Any]]:
    """From bytes to arrays of slots."""
    from domain.zones import MARKET_CLOCK
    from sources.entsoe_xml import expand, parse

    return [
        (
            series.fields["MktPSRType/psrType"],
            next(side for name, side in SIDES.items() if name in series.fields),
            expand(period, series.fields["curveType"], MARKET_CLOCK),
        )
        for series in parse(body).series
        for period in series.periods
    ]


def _slot_values(slots: list[tuple[str, str, Any]]) -> Iterator[Value]:
    for psr, side, period in slots:
        for start, value in zip(period.start_s, period.values["quantity"], strict=True):
            if value == value:
                yield start, psr, side, value


# --- plain loops ----------------------------------------------------------------------------------


def _slots_of(
    start: str, end: str, curve: str, points: list[tuple[int, float | None]]
) -> Iterator[tuple[int, float]]:
    first = int(datetime.fromisoformat(start).timestamp())
    slots = (int(datetime.fromisoformat(end).timestamp()) - first) // STEP_S
    for number, (position, value) in enumerate(points):
        after = position + 1
        if curve == "A03":
            after = points[number + 1][0] if number + 1 < len(points) else slots + 1
        if value is not None:
            for slot in range(position, after):
                yield first + (slot - 1) * STEP_S, value


def _with_iterparse(body: bytes) -> list[Value]:
    """ElementTree, a TimeSeries at a time."""
    rows: list[Value] = []
    for _, series in ElementTree.iterparse(io.BytesIO(body)):
        if series.tag.rpartition("}")[2] != "TimeSeries":
            continue
        curve, psr, side = "A01", "", ""
        periods = []
        for child in series:
            name = child.tag.rpartition("}")[2]
            if name in SIDES:
                side = SIDES[name]
            elif name == "curveType":
                curve = child.text or ""
            elif name == "MktPSRType":
                psr = child[0].text or ""
            elif name == "Period":
                periods.append(child)
        for interval, _, *points in periods:
            found = [
                (int(p[0].text or ""), float(p[1].text or "") if len(p) > 1 else None)
                for p in points
            ]
            texts = interval[0].text or "", interval[1].text or ""
            rows += [(at, psr, side, value) for at, value in _slots_of(*texts, curve, found)]
        series.clear()
    return rows


def _with_expat(body: bytes) -> list[Value]:
    """Callbacks that keep the last text and decide where an element ends."""
    rows: list[Value] = []
    facts: dict[str, str] = {}
    points: list[tuple[int, float | None]] = []
    pieces: list[str] = []

    def begin(name: str, _: dict[str, str]) -> None:
        pieces.clear()
        if name == "Point":
            facts.pop("quantity", None)
        elif name == "TimeSeries":
            facts.clear()

    def finish(name: str) -> None:
        if name == "Point":
            value = facts.get("quantity")
            points.append((int(facts["position"]), None if value is None else float(value)))
        elif name == "Period":
            times.append((facts["start"], facts["end"], list(points)))
            points.clear()
        elif name == "TimeSeries":
            side = next(side for key, side in SIDES.items() if key in facts)
            for start, end, own in times:
                found = _slots_of(start, end, facts["curveType"], own)
                rows.extend([(at, facts["psrType"], side, value) for at, value in found])
            times.clear()
        else:
            facts[name] = "".join(pieces)

    times: list[tuple[str, str, list[tuple[int, float | None]]]] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = pieces.append
    parser.Parse(body, True)
    return rows


# --- entsoe-py ------------------------------------------------------------------------------------


def _with_entsoe_py(body: bytes) -> Any:
    return importlib.import_module("entsoe.parsers").parse_generation(body.decode())


def _entsoe_py_values(frame: Any) -> Iterator[Value]:
    labels = importlib.import_module("entsoe.mappings").PSRTYPE_MAPPINGS
    codes = {label: code for code, label in labels.items()}
    sides = {"Actual Aggregated": "generation", "Actual Consumption": "consumption"}
    for label, metric in frame.columns:
        known = frame[label, metric].dropna()
        for start, value in zip(known.index, known, strict=True):
            yield int(start.timestamp()), codes[label], sides[metric], value


OURS, SLOTS, THEIRS = "ours, to the table", "ours, parse and expand", "entsoe-py"
READERS = {
    OURS: Reader(_to_table, _table_values),
    SLOTS: Reader(_to_slots, _slot_values),
    "expat, plain loop": Reader(_with_expat, lambda rows: rows),
    "iterparse, plain loop": Reader(_with_iterparse, lambda rows: rows),
    THEIRS: Reader(_with_entsoe_py, _entsoe_py_values),
}


# --- the process of a reader ----------------------------------------------------------------------


def child(name: str, variant: str, folder: Path) -> None:
    """Measure one reader; prints the figures and leaves its values in a file."""
    import numpy as np

    reader = READERS[name]
    bodies = sorted(folder.glob(f"{variant}-*.xml"))

    def year(*, keep: bool) -> tuple[float, float]:
        """Seconds of wall and of processor that reading took."""
        wall = cpu = 0.0
        for path in bodies:
            body = path.read_bytes()
            begin = time.perf_counter(), time.process_time()
            result = reader.read(body)
            wall += time.perf_counter() - begin[0]
            cpu += time.process_time() - begin[1]
            if keep:
                time_s, psr_type, side, mw = map(np.array, zip(*reader.values(result), strict=True))
                file = _file(folder, path.stem, name)
                np.savez(file, time=time_s, psr_type=psr_type, side=side, mw=mw)
        return wall, cpu

    reader.read((folder / "day.xml").read_bytes())  # loads the libraries
    before = peak_mb()
    taken = [year(keep=False)]
    after = peak_mb()
    if taken[0][0] < SHORT_S:
        taken += [year(keep=False), year(keep=False)]
    year(keep=True)  # apart, because making values to compare takes memory of its own
    wall, cpu = (statistics.median(clock) for clock in zip(*taken, strict=True))
    try:
        odd = reader.values(reader.read((folder / "without-values.xml").read_bytes()))
        outcome = f"{len(list(odd))} values"
    except Exception as trouble:
        outcome = f"fails: {type(trouble).__name__}: {trouble}"
    figures = {"s": wall, "cpu_s": cpu, "before_mb": before, "peak_mb": after, "odd": outcome}
    console.say(json.dumps(figures))


def _file(folder: Path, document: str, name: str) -> Path:
    return folder / f"{document} {name}.npz"


# --- the whole ------------------------------------------------------------------------------------


def main(*, write: bool) -> int:
    """Measure and print; ``write`` puts what is printed into docs/performance.md too."""
    printed = printed_by(_measure)
    if write:
        record("entsoe documents", printed)
    return 0


def _measure() -> None:
    """Write the documents, measure every reader, compare the values, print."""
    pythons = dict.fromkeys(READERS, sys.executable)
    theirs = os.environ.get(SETTING, "")
    if theirs:
        pythons[THEIRS] = theirs
    else:
        del pythons[THEIRS]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _write_documents(folder)
        for variant, words in VARIANTS.items():
            figures = {
                name: _run(python, name, variant, folder) for name, python in pythons.items()
            }
            _show(variant, words, figures, folder)
    if not theirs:
        console.say(f"entsoe-py was left out: {SETTING} names no Python that has it.")


def _write_documents(folder: Path) -> None:
    """The year in both variants, a day to warm up on, and a day with Points without a value."""
    from sandbox.entsoe import Platform
    from sandbox.entsoe.days import Name, Quirks

    class Whole(Quirks):
        def nulls(self, name: Name, curves: int) -> int | None:
            return None

    whole, served = Platform(SEED), Platform(SEED)
    whole.series.quirks = Whole(SEED)
    for variant in VARIANTS:
        start = START
        while start < END:
            end = min(start + WIDEST, END)
            body = _document(whole, start, end, variant)
            (folder / f"{variant}-{start:%Y%m%d}.xml").write_bytes(body)
            start = end
    (folder / "day.xml").write_bytes(_document(whole, START, START + A_DAY))
    odd = _document(served, WITHOUT_VALUES, WITHOUT_VALUES + A_DAY)
    (folder / "without-values.xml").write_bytes(odd)


def _document(platform: Any, start: datetime, end: datetime, variant: str = "A03") -> bytes:
    params = {
        "documentType": "A75",
        "processType": "A16",
        "in_Domain": EIC,
        "periodStart": f"{start:%Y%m%d%H%M}",
        "periodEnd": f"{end:%Y%m%d%H%M}",
    }
    if variant == "A01":  # as served is A03 but for one series
        params["curveType"] = variant
    body: bytes = platform.plan(params, int(NOW.timestamp())).encode()
    return body


def _run(python: str, name: str, variant: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-m", "benchmarks.entsoe_parse", name, variant, str(folder)],
        cwd=PROJECT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _show(variant: str, words: str, figures: dict[str, dict[str, Any]], folder: Path) -> None:
    values = {name: _values_of(folder, variant, name) for name in figures}
    ours = values[OURS]
    bodies = [path.read_bytes() for path in folder.glob(f"{variant}-*.xml")]
    base = figures.get(THEIRS, figures[OURS])
    cells: list[list[object]] = []
    for name, found in figures.items():
        grown = found["peak_mb"] - found["before_mb"]
        cells.append(
            [
                name,
                found["s"],
                found["cpu_s"],
                f"{len(values[name]) / found['s']:,.0f}",
                round(found["peak_mb"]),
                round(grown, 1),
                base["s"] / found["s"],
                base["cpu_s"] / found["cpu_s"],
                "" if name == OURS else _differences(ours, values[name]),
            ]
        )
    points = sum(body.count(b"<Point>") for body in bodies)
    console.show(
        f"{ZONE} generation, {(END - START).days} days, {ours['psr_type'].nunique()} types, {words}: "
        f"{len(bodies)} documents, {sum(map(len, bodies)) / 1e6:.1f} MB, {points:,} points, "
        f"{len(ours):,} values",
        (
            *("reader", "s", "CPU s", "values/s", "peak MB", "grown MB"),
            *(f"{THEIRS if THEIRS in figures else OURS} / it", "by CPU", "values against ours"),
        ),
        cells,
    )
    if THEIRS in figures:
        console.say()
        _show_targets(figures, _differences(ours, values[THEIRS]))
    console.say()
    odd = [[name, found["odd"]] for name, found in figures.items()]
    console.show(
        f"A day with Points without a value ({WITHOUT_VALUES:%Y-%m-%d})", ("reader", "outcome"), odd
    )
    console.say()


def _values_of(folder: Path, variant: str, name: str) -> pd.DataFrame:
    """What a reader made of all documents; of a slot that is sent twice the later value."""
    import numpy as np
    import pandas as pd

    parts = []
    for path in sorted(folder.glob(f"{variant}-*.xml")):
        with np.load(_file(folder, path.stem, name)) as columns:
            parts.append(pd.DataFrame(dict(columns)))
    return pd.concat(parts).drop_duplicates(list(KEY), keep="last", ignore_index=True)


def _show_targets(figures: dict[str, dict[str, Any]], differences: str) -> None:
    ours, theirs = figures[OURS], figures[THEIRS]
    faster = theirs["s"] / ours["s"]
    share = (ours["peak_mb"] - ours["before_mb"]) / (theirs["peak_mb"] - theirs["before_mb"])
    cells: list[list[object]] = [
        [f"{THEIRS} / ours, at least {FASTER}", faster, _met(faster >= FASTER)],
        [f"memory grown, share of {THEIRS}, below 1/{LEANER}", share, _met(share < 1 / LEANER)],
        [f"values against {THEIRS}", differences, _met(differences == "equal")],
    ]
    console.show("Targets", ("what", "measured", "met"), cells)


def _met(is_met: bool) -> str:
    return "yes" if is_met else "NO"


def _differences(ours: pd.DataFrame, others: pd.DataFrame) -> str:
    """``equal``, or how many values differ and the first of them."""
    both = ours.merge(others, "outer", list(KEY), suffixes=("_ours", "_its"))
    odd = both[both["mw_ours"] != both["mw_its"]]  # a missing one is NaN, unlike everything
    if odd.empty:
        return "equal"
    odd.insert(0, "start", odd.pop("time").astype("datetime64[s]").astype(str))
    shown = [
        f"{start} {psr} {side} {own} / {its}"
        for start, psr, side, own, its in odd.head(3).to_numpy().tolist()
    ]
    return f"{len(odd)} of {len(both)} differ (ours / its): {'; '.join(shown)}"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(main(write="--write" in sys.argv))
