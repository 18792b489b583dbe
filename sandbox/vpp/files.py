"""The infeed side of a folder as bytes: contracts, technical data, live, forecasts, final, flags.

Each function renders numbers that the truth holds as well and adds the dirt of spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.vpp.clock import HOUR_S, QUARTER_S, berlin, compact, day_text, iso_z, moment, utc_text
from sandbox.vpp.fleet import AGAIN_AFTER_S, Contract, Plant, Snapshot
from sandbox.vpp.infeed import VERSION_ROWS

File = tuple[str, bytes]
Rows = Iterable[Sequence[object]]

LIVE_FOLDER = "vpp/live_measured_infeed"
FORECAST_FOLDER = "vpp/forecasts"
TECHNICAL_FOLDER = "vpp/technical_data"
DSO_FOLDER = "distribution_system_operator"

_CONTRACT_COLUMNS = (
    "contract_id,asset_id,metering_point_id,capacity,technology,contract_begin,contract_end,"
    "price_model,price,fee_model,fee,fee_percent"
)
_LIVE_ORDERS = (
    ("timestamp", "value", "quality"),
    ("quality", "timestamp", "value"),
    ("value", "timestamp", "quality"),
)
_LIVE_UNITS = {"timestamp": "ms", "value": "kW", "quality": "factor"}
# Whose forecasts are spelled how: by the index of the plant.
SECONDS_PLANT, TEXT_PLANT = 1, 2
TEXT_EVERY_S = 6 * HOUR_S


def table(header: str, rows: Rows, separator: str = ",", title: str = "") -> bytes:
    """Return a CSV file; None is an empty field, no field is ever quoted."""
    lines = [title] if title else []
    lines.append(header)
    lines += [separator.join("" if cell is None else str(cell) for cell in row) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8")


def document(content: dict[str, Any]) -> bytes:
    """Return a JSON file."""
    return (json.dumps(content, separators=(",", ":")) + "\n").encode("utf-8")


def columnar(key: dict[str, str], columns: Mapping[str, tuple[str, Sequence[object]]]) -> bytes:
    """Return a columnar JSON file from {column: (unit, values)}, in the order given."""
    return document(
        {
            "key": key,
            "column_ids": list(columns),
            "units": [unit for unit, _ in columns.values()],
            "values": [list(values) for _, values in columns.values()],
        }
    )


def contracts(snapshots: Sequence[Snapshot], *, dirt: bool) -> Iterator[File]:
    """Yield the contract files; with dirt columns are added over time and the newest comes twice."""
    for n, snapshot in enumerate(snapshots):
        header = _CONTRACT_COLUMNS
        extras = 1 if not dirt else min(n, 1) + (n == len(snapshots) - 1)
        header += "".join([",email", ",sales_region"][:extras])
        rows = [(*_contract(row), *[row.email, "north"][:extras]) for row in snapshot.contracts]
        body = table(header, rows)
        again = dirt and n == len(snapshots) - 1
        for instant in (snapshot.instant, snapshot.instant + AGAIN_AFTER_S)[: 1 + again]:
            yield f"crm/asset_contracts_{moment(instant):%Y%m%d_%H%M%S}.csv", body


def _contract(row: Contract) -> tuple[object, ...]:
    return (
        row.contract_id,
        row.asset_id,
        row.metering_point,
        row.capacity_mw,
        row.technology,
        row.begin,
        row.end,
        row.price_model,
        row.price,
        row.fee_model,
        row.fee,
        row.fee_percent,
    )


def technical_name(instant: int) -> str:
    """Return the name of the technical data of an instant."""
    return f"{TECHNICAL_FOLDER}/technical_data_{compact(instant)}.json"


def live_name(asset_id: str, day: int) -> str:
    """Return the name of the live values of a Berlin day."""
    return f"{LIVE_FOLDER}/{asset_id}_{day_text(day)}.json"


def live(plant: Plant, day: int, samples: Sequence[tuple[int, float]], *, dirt: bool) -> File:
    """Return the live values of a Berlin day; with dirt key and column order change by file."""
    cells: dict[str, list[float]] = {
        "timestamp": [float(instant) for instant, _ in samples],
        "value": [power for _, power in samples],
        "quality": [1.0] * len(samples),
    }
    turn = plant.index + day if dirt else 0
    key = {
        "entity_id" if turn % 2 else "asset_id": plant.asset_id,
        "type_id": "live_measured_infeed",
    }
    order = _LIVE_ORDERS[turn % len(_LIVE_ORDERS)]
    columns = {name: (_LIVE_UNITS[name], cells[name]) for name in order}
    return live_name(plant.asset_id, day), columnar(key, columns)


def forecast_name(asset_id: str, version: int) -> str:
    """Return the name of a forecast version in its usual spelling, which is UTC."""
    return f"{FORECAST_FOLDER}/{asset_id}_{compact(version)}.json"


def forecast_body(
    asset_id: str,
    version: int,
    power: Sequence[object],
    *,
    times: Sequence[Sequence[object]] | None = None,
    unit: str = "ms",
) -> bytes:
    """Return a forecast version; `times` replaces the columns start, end and version."""
    if times is None:
        times = _times(version, 1_000)
    names = ("start", "end", "version")
    columns: dict[str, tuple[str, Sequence[object]]] = {
        name: (unit, values) for name, values in zip(names, times, strict=True)
    }
    columns["power"] = ("kW", power)
    return columnar({"asset_id": asset_id, "type_id": "forecast"}, columns)


def forecast(plant: Plant, version: int, power: Sequence[float], *, dirt: bool) -> Iterator[File]:
    """Yield the file of a version, or the two in which the text plant's is written at times.

    With dirt the second plant's times are seconds under the label ms on even hours.
    """
    asset_id, name = plant.asset_id, forecast_name(plant.asset_id, version)
    if dirt and plant.index == TEXT_PLANT and version % TEXT_EVERY_S == 0:
        starts, ends, versions = _times(version, 1)
        utc = [[iso_z(one) for one in column] for column in (starts, ends, versions)]
        local = [[berlin(one).isoformat() for one in column] for column in (starts, ends, versions)]
        other = f"{FORECAST_FOLDER}/{asset_id}_{berlin(version):%Y%m%dT%H%M%S%z}.json"
        yield name, forecast_body(asset_id, version, power, times=utc, unit="ISO 8601")
        yield other, forecast_body(asset_id, version, power, times=local, unit="ISO 8601")
        return
    scale = 1_000
    if dirt and plant.index == SECONDS_PLANT and version // HOUR_S % 2 == 0:
        scale = 1
    yield name, forecast_body(asset_id, version, power, times=_times(version, scale))


def _times(version: int, scale: int) -> tuple[list[int], list[int], list[int]]:
    starts = [version + n * QUARTER_S for n in range(VERSION_ROWS)]
    return (
        [start * scale for start in starts],
        [(start + QUARTER_S) * scale for start in starts],
        [version * scale] * VERSION_ROWS,
    )


def final_name(metering_point: str, day: int) -> str:
    """Return the name of the final production of a UTC day."""
    return f"{DSO_FOLDER}/final_production_{metering_point}_{day_text(day)}.csv"


def final_rows(values: Iterable[tuple[int, float]]) -> list[list[str]]:
    """Return the cells of a final production."""
    return [[utc_text(start), f"{power:.3f}"] for start, power in values]


def final_header(metering_point: str) -> str:
    """Return the header of a final production."""
    return f"delivery_start__utc_,{metering_point}__kw_"


def redispatch_name(metering_point: str, published: int) -> str:
    """Return the name of redispatch flags, with the instant of their publication in UTC."""
    return f"{DSO_FOLDER}/redispatch_flag_{metering_point}_{moment(published):%Y%m%d_%H%M}.csv"


REDISPATCH_HEADER = "delivery_start,delivery_end,is_redispatched"


def redispatch(plant: Plant, published: int, span: tuple[int, int]) -> File:
    """Return redispatch flags: one row per quarter hour, or one for all of a solar plant's."""
    first, last = span
    if plant.technology == "solar":
        rows: Rows = [(_offset_text(first), _offset_text(last), "true")]
    else:
        # The quarter hours before and after are in the file as well, in normal operation.
        rows = [
            (_offset_text(at), _offset_text(at + QUARTER_S), first <= at < last)
            for at in range(first - QUARTER_S, last + QUARTER_S, QUARTER_S)
        ]
    return redispatch_name(plant.metering_point, published), table(REDISPATCH_HEADER, rows)


def _offset_text(instant: int) -> str:
    return f"{moment(instant):%Y-%m-%d %H:%M:%S}+00:00"
