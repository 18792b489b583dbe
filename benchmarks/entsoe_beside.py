"""entsoe-py beside the project on the same sandbox: seconds, values one by one, known faults.

``benchmarks.entsoe_zones`` runs it where ``GRIDLEDGER_ENTSOE_PY`` names a Python that has entsoe-py;
that Python runs this module as a program, so it imports nothing else at its head. What is right is
told by the sandbox's model, not by either reader.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import console
from benchmarks.measure import in_child
from utils import PROJECT

SETTING = "GRIDLEDGER_ENTSOE_PY"
THEIRS = "entsoe-py"
# A week of market days, the last of 25 hours.
ZONES = ("FR", "NL", "PL", "DE_LU")
START, END = "2025-10-19T22:00Z", "2025-10-26T23:00Z"
DATASETS = {
    "load": "entsoe_load",
    "generation": "entsoe_generation",
    "prices": "entsoe_day_ahead_prices",
}
# What takes less than this is measured three times.
SHORT_S = 5.0

# Start of the slot [s since 1970], what it is of, value.
Value = tuple[int, str, float]


class Fault(NamedTuple):
    """Something that entsoe-py is known to get wrong, and where the sandbox has it.

    ``query`` is entsoe-py's; ``keep`` are the columns of ours, and of the sandbox's table, that a row
    must have, ``names`` those that tell apart what begins together.
    """

    called: str
    says: str
    query: str
    dataset: str
    zone: str
    start: str
    end: str
    ours: str
    truth: str
    names: tuple[str, ...] = ()
    keep: tuple[tuple[str, object], ...] = ()


_DAY = ("2025-10-19T22:00Z", "2025-10-20T22:00Z")
_BIDS = ("direction",), (("process", "A51"),)
_AUCTIONS = "price_per_mwh", "price", ("auction_sequence",)
FAULTS = (
    Fault(
        "A24 slots", "points only where bids change",
        "bids", "entsoe_aggregated_bids", "FR", *_DAY, "offered_mw", "offered_mw", *_BIDS,
    ),
    Fault(
        "A03 tails", "last points left out, down to one of 96",
        "generation", "entsoe_generation", "NL", *_DAY, "generation_mw", "generation_mw",
        ("psr_type",),
    ),
    Fault(
        "P1Y stamp", "a civil year, from 2024-12-31T23:00Z",
        "capacity", "entsoe_installed_capacity", "FR", "2024-12-31T23:00Z", "2025-12-31T22:00Z",
        "capacity_mw", "installed_capacity_mw", ("psr_type",),
    ),
    Fault(
        "two auctions, the query", "sequence 2 before sequence 1",
        "prices", "entsoe_day_ahead_prices", "DE_LU", *_DAY, *_AUCTIONS,
    ),
    Fault(
        "two auctions, the document", "sequence 2 before sequence 1",
        "auctions", "entsoe_day_ahead_prices", "DE_LU", *_DAY, *_AUCTIONS,
    ),
    Fault(
        "PT4S", "aFRR prices every four seconds",
        "activated", "entsoe_activated_prices", "FR", *_DAY, "price_per_mwh", "price_per_mwh",
        ("direction",), (("resolution_s", 4),),
    ),
    Fault(
        "half-hourly prices", "prices by the half hour",
        "prices", "entsoe_day_ahead_prices", "IE_SEM", "2025-09-10T22:00Z", "2025-09-11T22:00Z",
        *_AUCTIONS,
    ),
    Fault(
        "Points without a value", "points with a position alone",
        "generation", "entsoe_generation", "DE_LU", "2024-05-14T22:00Z", "2024-05-15T22:00Z",
        "generation_mw", "generation_mw", ("psr_type",),
    ),
    Fault(
        "a curve twice", "a curve in two TimeSeries, some days",
        "load", "entsoe_load", "FR", "2025-05-01T22:00Z", "2025-05-28T22:00Z", "load_mw", "load_mw",
    ),
)  # fmt: skip


def seconds(text: str) -> int:
    """Seconds since 1970 of ``2025-10-12T22:00Z``."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


# --- the process with entsoe-py -------------------------------------------------------------------


def child(served: str, whole: str, folder: Path) -> None:
    """Measure entsoe-py; leaves figures and values in a file.

    Of the sandboxes at these addresses ``whole`` has a value in every Point.
    """
    client = importlib.import_module("entsoe")
    module = importlib.import_module("entsoe.entsoe")
    pandas = client.EntsoePandasClient(api_key="synthetic-token-0000", retry_count=1)
    raw = client.EntsoeRawClient(api_key="synthetic-token-0000", retry_count=1)
    module.URL = whole
    figures: dict[str, Any] = {"version": module.__version__}
    for item in DATASETS:
        # Also lets the sandbox make the documents before anything is measured.
        bodies = [_raw(raw, item, zone, START, END) for zone in ZONES]
        taken = [time.perf_counter()]
        answers = [_asked(pandas, item, zone, START, END) for zone in ZONES]
        taken.append(time.perf_counter())
        for body in bodies:
            _PARSE[item](body)
        taken.append(time.perf_counter())
        figures[item] = {
            "whole_s": taken[1] - taken[0],
            "parse_s": taken[2] - taken[1],
            "values": {
                zone: list(_values(item, answer))
                for zone, answer in zip(ZONES, answers, strict=True)
            },
        }
    module.URL = served
    figures["faults"] = [_outcome(pandas, raw, fault) for fault in FAULTS]
    (folder / "theirs.json").write_text(json.dumps(figures))


def _stamps(*texts: str) -> list[Any]:
    pandas = importlib.import_module("pandas")
    return [pandas.Timestamp(text) for text in texts]


def _raw(client: Any, item: str, zone: str, start: str, end: str) -> str:
    query = {"load": "load", "generation": "generation", "prices": "day_ahead_prices"}[item]
    first, last = _stamps(start, end)
    text: str = getattr(client, f"query_{query}")(zone, start=first, end=last)
    return text


def _parsers() -> Any:
    return importlib.import_module("entsoe.parsers")


_PARSE: dict[str, Callable[[str], Any]] = {
    "load": lambda text: _parsers().parse_loads(text, process_type="A16"),
    "generation": lambda text: _parsers().parse_generation(text),
    "prices": lambda text: _parsers().parse_prices(text),
}


def _asked(client: Any, query: str, zone: str, start: str, end: str) -> Any:
    """What a query gives, as entsoe-py gives it."""
    first, last = _stamps(start, end)
    window = {"start": first, "end": last}
    match query:
        case "load":
            return client.query_load(zone, **window)
        case "prices":
            return client.query_day_ahead_prices(zone, **window)
        case "generation":
            return client.query_generation(zone, **window)
        case "capacity":
            return client.query_installed_generation_capacity(zone, **window)
        case "bids":
            return client.query_aggregated_bids(zone, "A51", **window)
        case _:
            return client.query_activated_balancing_energy_prices(
                zone, process_type="A67", **window
            )


def _values(query: str, found: Any) -> Iterator[Value]:
    """What was found, slot by slot."""
    match query:
        case "load":
            yield from _of_series(found["Actual Load"])
        case "prices":
            yield from _of_series(found)
        case "generation" | "capacity":
            yield from _of_types(found)
        case "bids":
            for direction, number, unit in found.columns:
                if unit == "Offered":
                    yield from _of_series(found[direction, number, unit], direction.lower())
        case _:
            for direction, rows in found.groupby("Direction"):
                yield from _of_series(rows["Price"], direction.lower())


def _of_series(series: Any, name: str = "") -> Iterator[Value]:
    known = series.dropna()
    for start, value in zip(known.index, known, strict=True):
        yield int(start.timestamp()), name, float(value)


def _of_types(frame: Any) -> Iterator[Value]:
    """Of a frame by type what is generated (or installed)."""
    codes = {v: k for k, v in importlib.import_module("entsoe.mappings").PSRTYPE_MAPPINGS.items()}
    for column in frame.columns:
        label, metric = column if isinstance(column, tuple) else (column, "Actual Aggregated")
        if metric == "Actual Aggregated":
            yield from _of_series(frame[column], codes[label])


def _outcome(client: Any, raw: Any, fault: Fault) -> dict[str, Any]:
    try:
        if fault.query != "auctions":
            found = _asked(client, fault.query, fault.zone, fault.start, fault.end)
            return {"values": list(_values(fault.query, found))}
        read = _PARSE["prices"](_raw(raw, "prices", fault.zone, fault.start, fault.end))
        return {"values": [v for series in read.values() for v in _of_series(series)]}
    except Exception as trouble:
        said = textwrap.shorten(str(trouble), 70, placeholder=" …")
        return {"error": f"{type(trouble).__name__}: {said}"}


# --- the project ----------------------------------------------------------------------------------


class Kept:
    """An ``Asker`` that keeps the bodies a client brings, or gives those kept instead of asking."""

    def __init__(self, client: Any = None) -> None:
        self.learnt: dict[str, Any] = {}
        self._client = client
        self._bodies: list[Any] = []
        self._next = 0

    def get(self, dataset: str, path: str, params: Any, decode: Callable[[bytes], Any]) -> Any:
        if self._client:
            found, body = self._client.get(dataset, path, params, decode)
            self._bodies.append(body)
            return found, body
        body = self._bodies[self._next % len(self._bodies)]
        self._next += 1
        return decode(body.content), body

    def replay(self) -> None:
        """From now on give what was kept, in the same order."""
        self._client = None


def ours(served: Mapping[str, str], whole: Mapping[str, str], folder: Path) -> None:
    """Measure the project; leaves the same file as ``child``."""
    import fetch_data
    from domain.windows import Window
    from sources import BY_KEY
    from sources.transport import Client
    from utils import load_settings

    def asker(settings: Mapping[str, str]) -> Any:
        unhurried = {**settings, "ENTSOE_REQUESTS_PER_S": "1000"}
        loaded = load_settings(fetch_data.SETTINGS, unhurried)
        return Client(BY_KEY["entsoe_load"].provider, loaded)

    def answer(key: str, zone: str, start: str, end: str, client: Any) -> Any:
        window = Window(*(datetime.fromtimestamp(seconds(text), UTC) for text in (start, end)))
        dataset = BY_KEY[key]
        assert not isinstance(dataset.read, fetch_data.FileReading)
        return dataset.read(dataset, zone, window, client).rows.frame

    def read(key: str, client: Any) -> list[Any]:
        return [answer(key, zone, START, END, client) for zone in ZONES]

    client, figures = asker(whole), {}
    columns = {"load": "load_mw", "generation": "generation_mw", "prices": "price_per_mwh"}
    for item, key in DATASETS.items():
        kept = Kept(client)
        frames = read(key, kept)
        kept.replay()
        figures[item] = {
            "whole_s": _median(partial(read, key, client)),
            "parse_s": _median(partial(read, key, kept)),
            "values": {
                zone: list(_of_frame(frame, columns[item], _names(item)))
                for zone, frame in zip(ZONES, frames, strict=True)
            },
        }
    client = asker(served)
    figures["faults"] = []
    for fault in FAULTS:
        frame = answer(fault.dataset, fault.zone, fault.start, fault.end, client)
        for name, value in fault.keep:
            frame = frame[frame[name] == value]
        values = list(_of_frame(frame, fault.ours, fault.names))
        figures["faults"].append({"values": values})
    (folder / "ours.json").write_text(json.dumps(figures))


def _names(item: str) -> tuple[str, ...]:
    return {"generation": ("psr_type",), "prices": ("auction_sequence",)}.get(item, ())


def _median(work: Callable[[], Any]) -> float:
    taken = []
    while not taken or (taken[0] < SHORT_S and len(taken) < 3):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _of_frame(frame: Any, column: str, names: Iterable[str]) -> Iterator[Value]:
    known = frame[frame[column].notna()]
    starts = known["period_start"].astype("int64") // 1_000_000
    labels = [" ".join(map(str, each)) for each in zip(*(known[n] for n in names), strict=True)]
    for start, name, value in zip(starts, labels or [""] * len(known), known[column], strict=True):
        yield int(start), name, float(value)


# --- what is right --------------------------------------------------------------------------------


_DIRECTIONS = {"A01": "up", "A02": "down"}


def _truth(
    platform: Any, key: str, zone: str, window: tuple[str, str], column: str, names: tuple[str, ...],
    keep: tuple[tuple[str, object], ...] = (),
) -> list[Value]:  # fmt: skip
    first, end = (seconds(text) for text in window)
    rows = platform.rows(key, first, end - 1, NOW_S, every=False, scope=zone)
    spelt = {"auction_sequence": "sequence"}
    chosen = [
        n for n in range(len(rows["time"])) if all(rows[name][n] == value for name, value in keep)
    ]
    return [
        (
            int(rows["time"][n]),
            " ".join(
                _DIRECTIONS.get(text := str(rows[spelt.get(name, name)][n]), text) for name in names
            ),
            float(rows[column][n]),
        )
        for n in chosen
        if rows[column][n] == rows[column][n]
    ]


NOW = "2025-11-20T00:00:00Z"
NOW_S = seconds(NOW)


class Compared(NamedTuple):
    """Values against others: how many there should be, and what became of them."""

    wanted: int
    equal: int
    different: int
    missing: int
    beyond: int
    twice: int

    @property
    def said(self) -> str:
        """In words: all equal, or what is not."""
        if self.wanted == self.equal and not self.beyond and not self.twice:
            return f"all {self.equal:,} equal"
        odd = [
            f"{count:,} {what}"
            for count, what in (
                (self.different, "different"), (self.missing, "missing"),
                (self.beyond, "where none is"), (self.twice, "twice"),
            )
            if count
        ]  # fmt: skip
        return f"of {self.wanted:,}: {self.equal:,} equal, {', '.join(odd)}"


def compared(wanted: Iterable[Value], found: Iterable[Value]) -> Compared:
    """Found values against the wanted ones, slot by slot; of a slot told twice the first counts."""
    right = {(start, name): value for start, name, value in wanted}
    slots: Counter[tuple[int, str]] = Counter()
    first: dict[tuple[int, str], float] = {}
    for start, name, value in found:
        slots[start, name] += 1
        first.setdefault((start, name), value)
    both = right.keys() & first.keys()
    equal = sum(right[slot] == first[slot] for slot in both)
    return Compared(
        len(right), equal, len(both) - equal, len(right.keys() - both), len(first.keys() - both),
        sum(count > 1 for count in slots.values()),
    )  # fmt: skip


# --- the whole ------------------------------------------------------------------------------------


def show(served: Mapping[str, str], whole: Mapping[str, str], platform: Any, folder: Path) -> None:
    """Measure both against these sandboxes and print; ``platform`` tells what ``whole`` knows."""
    python = os.environ.get(SETTING, "")
    if not python:
        console.say(f"entsoe-py was left out: {SETTING} names no Python that has it.")
        return
    in_child(ours, served, whole, folder)
    addresses = [settings["ENTSOE_BASE_URL"] for settings in (served, whole)]
    subprocess.run(
        [python, "-W", "ignore", "-m", "benchmarks.entsoe_beside", *addresses, str(folder)],
        cwd=PROJECT,
        check=True,
    )
    own, its = (json.loads((folder / f"{name}.json").read_text()) for name in ("ours", "theirs"))
    _show_items(own, its, platform)
    console.say()
    _show_faults(own, its)


def _show_items(own: dict[str, Any], its: dict[str, Any], platform: Any) -> None:
    cells: list[list[object]] = []
    for item in DATASETS:
        values: list[list[Value]] = [[], [], []]
        for zone in ZONES:
            names, column = _names(item), {"prices": "price"}.get(item, f"{item}_mw")
            told = (
                _truth(platform, DATASETS[item], zone, (START, END), column, names),
                own[item]["values"][zone],
                its[item]["values"][zone],
            )
            for part, found in zip(values, told, strict=True):
                part += [(t, f"{zone} {name}".rstrip(), v) for t, name, v in found if _inside(t)]
        right, ours_, theirs = values
        coupled = _coupled(right) if item == "prices" else right
        took = [figures[item][f"{part}_s"] for part in ("whole", "parse") for figures in (own, its)]
        cells.append(
            [
                item, f"{len(ours_):,}", f"{len(theirs):,}", *took,
                took[1] / took[0], took[3] / took[2],
                compared(right, ours_).said, compared(coupled, theirs).said,
            ]
        )  # fmt: skip
    console.show(
        f"Beside entsoe-py {its['version']}: {', '.join(ZONES)}, {START} to {END}, one after the other",
        ("item", "values, ours", "its", "end to end [s], ours", "its", "parse [s], ours", "its",
         "its / ours, end to end", "parse", "ours against the model", "entsoe-py against the model"),
        cells,
    )  # fmt: skip


def _coupled(prices: Iterable[Value]) -> list[Value]:
    """The prices of sequence 1, which entsoe-py asks for, under the name that it gives them: none."""
    return [(t, n.removesuffix("1").rstrip(), v) for t, n, v in prices if n.endswith("1")]


def _inside(start: int) -> bool:
    return seconds(START) <= start < seconds(END)


def _show_faults(own: dict[str, Any], its: dict[str, Any]) -> None:
    from sandbox.entsoe import Platform

    platform = Platform(7)
    cells: list[list[object]] = []
    for fault, our, their in zip(FAULTS, own["faults"], its["faults"], strict=True):
        window = (fault.start, fault.end)
        right = _truth(
            platform, fault.dataset, fault.zone, window, fault.truth, fault.names, fault.keep
        )
        if "error" in their:
            theirs = f"no value: {their['error']}"
        else:
            # Its windows are closed at the end, which is no error of values.
            found = [value for value in their["values"] if value[0] != seconds(fault.end)]
            coupled = _coupled(right) if fault.names == _AUCTIONS[2] else right
            theirs = compared(coupled, found).said
        mine = compared(right, our["values"]).said
        shows = "no" if theirs.startswith("all ") else "yes"
        cells.append(
            [fault.called, f"{fault.zone} {fault.start[:10]}", fault.says, shows, theirs, mine]
        )
    console.show(
        f"Known faults of entsoe-py {its['version']}, against the model of the sandbox",
        ("fault", "where", "what the document says", "shows", "entsoe-py", "ours"),
        cells,
    )


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
