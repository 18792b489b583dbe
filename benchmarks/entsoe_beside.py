"""entsoe-py beside the project on the same sandbox: seconds, values one by one, known faults.

``benchmarks.entsoe_zones`` runs it where ``GRIDLEDGER_ENTSOE_PY`` names a Python that has entsoe-py;
``benchmarks.entsoe_py`` is what that one runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import console
from benchmarks.entsoe_cases import (
    DATASETS,
    END,
    FAULTS,
    START,
    ZONES,
    Value,
    compared,
    seconds,
    truth,
)
from benchmarks.measure import in_child
from utils import PROJECT

SETTING = "GRIDLEDGER_ENTSOE_PY"
# What takes less than this is measured three times.
SHORT_S = 5.0


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
        [python, "-W", "ignore", "-m", "benchmarks.entsoe_py", *addresses, str(folder)],
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
                truth(platform, DATASETS[item], zone, (START, END), column, names),
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
        right = truth(
            platform, fault.dataset, fault.zone, window, fault.truth, fault.names, fault.keep
        )
        if "error" in their:
            theirs = f"no value: {their['error']}"
        else:
            # Its windows are closed at the end, which is no error of values.
            found = [value for value in their["values"] if value[0] != seconds(fault.end)]
            coupled = _coupled(right) if "auction_sequence" in fault.names else right
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
