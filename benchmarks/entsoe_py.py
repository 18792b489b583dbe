"""The half of ``benchmarks.entsoe_beside`` that another Python runs as a program: one that has entsoe-py."""

from __future__ import annotations

import importlib
import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.entsoe_cases import DATASETS, END, FAULTS, START, ZONES, Fault, Value


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


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
