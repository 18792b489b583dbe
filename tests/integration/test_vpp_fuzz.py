"""Whatever a file of the virtual power plant holds: rows that fit the table, or one sentence, never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import SchemaError
from domain.tables import conform
from sources.dataset import FileReading
from sources.vpp_files import DATASETS as FILES
from sources.vpp_files import Plants
from sources.vpp_market import DATASETS as MARKET
from tests.integration import test_vpp_bad_input as good

# A name and a good file for each reader; what is CSV may come as JSON too.
BODIES = {
    "read_contracts": (
        "asset_contracts_20240601_053000.csv",
        good.lines(good.HEADER, good.contract(1, "WIND_01", "DE1")),
    ),
    "read_technical": (
        "technical_data_20240701T000000Z.json",
        '{"assets": [{"asset_id": "WIND_01", "type": "wind", "technical_attributes": {"capacity_kw": 6200}}]}',
    ),
    "read_live": ("x.json", good.live("WIND_01")),
    "read_forecast": ("x.json", good.forecast("WIND_01")),
    "read_final": ("x.csv", "delivery_start__utc_,DE1__kw_\n2024-07-01 00:00:00 UTC,1.0\n"),
    "read_redispatch": (
        "redispatch_flag_DE1_20240701_0000.csv",
        "delivery_start,delivery_end,is_redispatched\n2024-07-01 10:00,2024-07-01 10:15,true\n",
    ),
    "read_private": ("x.csv", good.lines("# title", good.TRADES, good.trade(1), good.trade(2))),
    "read_public": ("x.csv", good.lines("# title", good.TRADES, good.trade(1), good.trade(1))),
    "read_final_prices": (
        "x.csv",
        good.lines(good.FINAL_PRICES, good.price("00:00", "00:15", "5,0")),
    ),
    "read_estimated_prices": (
        "x.csv",
        "Datum;Zeitzone;von;bis;Einheit;AEP-Schätzer;Status\n01.07.2024;UTC;00:00;00:15;EUR/MWh;5,0;0\n",
    ),
    "read_compensation": (
        "x.csv",
        "delivery_start__utc_,delivery_end__utc_,price__euro_per_mwh_\n"
        "2024-07-01 00:00:00 UTC,2024-07-01 00:15:00 UTC,50.0\n",
    ),
}
READERS = {
    read.__name__: (dataset.table, read)
    for dataset in (*FILES, *MARKET)
    if isinstance(dataset.read, FileReading)
    for _, read in dataset.read.readings
}
PLANTS = Plants({"WIND_01": "DE1"}, {"WIND_01": 6200.0})
CELLS = st.sampled_from(
    ["", "x", "-5", "nan", "inf", "1e400", "1,5", "1.5", '"', '"a', "2024-13-01", "a@b.c", "\0", "9" * 500,
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "24:00", "31.02.2024", "٣",
     "2024-07-01 10:00:00.500"]
) | st.text(max_size=6)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | CELLS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CELLS, inner, max_size=2),
    max_leaves=4,
) | st.sampled_from([10**400, -(10**30), 1e308])


def judge(reader: str, name: str, body: bytes) -> None:
    """Read, and hold what comes against the table."""
    table, read = READERS[reader]
    try:
        rows = read(name, body, PLANTS)
    except SchemaError as refusal:
        assert str(refusal)
        return
    assert all(reject.reason for reject in rows.rejects)
    conform(table, {c: list(rows.columns.get(c, [])) for c in table.names}, "x", later_wins=True)


def test_every_reader_has_a_good_file() -> None:
    assert set(BODIES) == set(READERS)
    for reader, (name, body) in BODIES.items():
        table, read = READERS[reader]
        rows = read(name, body.encode(), PLANTS)
        assert len(rows.columns[table.names[0]]) >= 1, reader


@pytest.mark.parametrize("reader", BODIES)
def test_names_with_times_that_are_none(reader: str) -> None:
    name, body = BODIES[reader]
    for other in (name.replace("2024", "9999"), name.replace("0701", "1399"), "", "x.csv", "x"):
        judge(reader, other, body.encode())


def everything(check: Callable[..., None], *strategies: Any) -> None:
    settings(max_examples=60, deadline=None, database=None)(given(*strategies)(check))()


@pytest.mark.parametrize("reader", BODIES)
def test_text_that_is_spoilt_anywhere(reader: str) -> None:
    name, body = BODIES[reader]
    separator = ";" if ";" in body else ","

    def check(cells: list[tuple[int, str]], cut: int) -> None:
        parts = body.split(separator)
        for at, cell in cells:
            parts[at % len(parts)] = cell
        text = separator.join(parts)
        judge(reader, name, text.encode("utf-8", "replace")[: cut or None])

    spoilt = st.lists(st.tuples(st.integers(0, 60), CELLS), max_size=3)
    everything(check, spoilt, st.just(0) | st.integers(1, 400))


@pytest.mark.parametrize("reader", BODIES)
def test_json_with_anything_anywhere(reader: str) -> None:
    name, body = BODIES[reader]
    if name.endswith(".json"):
        whole = json.loads(body)
    else:
        separator = ";" if ";" in body else ","
        header, *rows = (
            line.split(separator) for line in body.splitlines() if not line.startswith("#")
        )
        whole = [dict(zip(header, row, strict=True)) for row in rows]

    def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inner = node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()  # fmt: skip
        return [path, *(place for key, value in inner for place in places(value, (*path, key)))]

    def check(place: tuple[Any, ...], value: Any) -> None:
        changed = json.loads(json.dumps(whole))
        if not place:
            changed = value
        else:
            node = changed
            for key in place[:-1]:
                node = node[key]
            node[place[-1]] = value
        judge(reader, name.replace(".csv", ".json"), json.dumps(changed).encode())

    everything(check, st.sampled_from(places(whole)), VALUES)
