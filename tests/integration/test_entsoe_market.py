"""Markets of ENTSO-E over HTTP, held against what the sandbox's grid did, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import fetch_data
import job
import storage
from domain.ledger import State
from domain.settlement import parse_range
from fetch_data import FetchReport
from sandbox import Sandbox
from stores.sql import SqlStore
from tests.integration.conftest import scripted
from utils import load_settings

# The day with 25 hours, and the day before it.
FIRST, LAST = "2024-10-26", "2024-10-27"
START, END = "2024-10-25T23:00:00Z", "2024-10-28T00:00:00Z"
ZONES = ("DE_LU", "FR", "NO_2")
BORDERS = ("FR>DE_LU", "DE_LU>FR", "GB>FR", "NO_2>DE_LU")
CONTRACTS = {"A01": "day_ahead", "A05": "total", "A07": "intraday"}
# Our columns, and what the truth calls them.
COLUMNS = {
    "entsoe_day_ahead_prices": {"auction_sequence": "sequence", "price_per_mwh": "price", "currency": "currency"},
    "entsoe_intraday_prices": {"auction_sequence": "sequence", "price_per_mwh": "price", "currency": "currency"},
    "entsoe_net_positions": {"contract": "contract", "net_position_mw": "net_position_mw"},
    "entsoe_flows": {"from_zone": "from_zone", "to_zone": "to_zone", "flow_mw": "flow_mw"},
    "entsoe_scheduled_exchanges": {"contract": "contract", "exchange_mw": "scheduled_mw"},
    "entsoe_transfer_capacity_day": {"capacity_mw": "transfer_capacity_mw"},
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(now="2024-10-29T12:00:00Z") as running:
        yield running


@pytest.fixture
def store() -> Iterator[SqlStore]:
    with storage.open_store("sqlite:///:memory:") as opened:
        yield opened


def fetch(store: SqlStore, sandbox: Sandbox, key: str, first: str, last: str) -> FetchReport:
    settings = {setting.key: setting.default for setting in job.all_settings()}
    settings |= sandbox.settings() | {
        "ENTSOE_ZONES": ",".join(ZONES),
        "ENTSOE_BORDERS": ",".join(BORDERS),
        "ENTSOE_REQUESTS_PER_S": "1000",
    }
    report = fetch_data.fetch([key], first, last, store=store, **settings)
    assert not [line for part in report.fetched for line in part.failures]
    return report


def stored(store: SqlStore, table: str, columns: list[str]) -> set[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in columns)
    found = store.execute(f'SELECT {names} FROM "{table}"')
    assert len(found) == len(set(found)) > 0
    return set(found)


def truth(
    sandbox: Sandbox, table: str, scope: str, columns: dict[str, str]
) -> set[tuple[Any, ...]]:
    """Rows of the truth as plain values in our order."""
    told = sandbox.truth(table, START, END)["columns"]
    if "resolution_s" not in told:
        told["resolution_s"] = told["resolution_minutes"] * 60
    names = [scope, "time", "resolution_s", *columns.values()]
    wanted = ZONES if scope == "zone" else BORDERS
    return {
        tuple(plain(name, value) for name, value in zip(names, row, strict=True))
        for row in zip(*(told[name].tolist() for name in names), strict=True)
        if row[0] in wanted and ("contract" not in columns or sold(table, row[-2]))
    }


def sold(table: str, contract: str) -> bool:
    """Whether we ask for the contract; the total of net positions we do not."""
    return (table, contract) != ("entsoe_net_positions", "A05")


def plain(name: str, value: Any) -> Any:
    if name == "time":
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return CONTRACTS[value] if name == "contract" else value


@pytest.mark.parametrize("table", list(COLUMNS))
def test_every_row_is_the_grids(store: SqlStore, sandbox: Sandbox, table: str) -> None:
    report = fetch(store, sandbox, table, FIRST, LAST)
    scope = "zone" if "zone" in report.fetched[0].dataset.table.names else "border"
    assert {part.scope for part in report.fetched} == set(ZONES if scope == "zone" else BORDERS)
    columns = COLUMNS[table]
    ours = stored(store, table, [scope, "period_start", "resolution_s", *columns])
    assert ours == truth(sandbox, table, scope, columns)


def test_a_second_run_asks_for_nothing(store: SqlStore, sandbox: Sandbox) -> None:
    first = fetch(store, sandbox, "entsoe_flows", FIRST, LAST)
    assert first.requests == len(BORDERS)
    assert fetch(store, sandbox, "entsoe_flows", FIRST, LAST).requests == 0


def test_an_area_that_does_not_have_an_item_is_empty_and_not_red_for_ever(store: SqlStore) -> None:
    said = "Data item ENERGY_PRICES is not valid for this area"
    body = (
        "<Acknowledgement_MarketDocument><Reason><code>999</code>"
        f"<text>{said}</text></Reason></Acknowledgement_MarketDocument>"
    )
    settings = {setting.key: setting.default for setting in job.all_settings()}
    key = "entsoe_day_ahead_prices"
    with scripted((400, {"Content-Type": "text/xml"}, body.encode())) as server:
        settings |= {
            "ENTSOE_BASE_URL": server.url,
            "ENTSOE_API_TOKEN": "synthetic-token-0000",
            "ENTSOE_ZONES": "FR",
            "ENTSOE_REQUESTS_PER_S": "1000",
        }
        loaded = load_settings(fetch_data.SETTINGS, settings)
        wanted = fetch_data.each_scope(
            fetch_data.find_datasets([key]), loaded, lambda *_: parse_range(FIRST)
        )
        told = []
        for days in range(0, 30, 2):
            now = datetime(2024, 10, 29, 12, tzinfo=UTC) + timedelta(days=days)
            fetch_data.fetch_windows(wanted, store, loaded, now, by_name=False, again=False)
            ((_, entry),) = store.entries(key, date(2024, 10, 26), date(2024, 10, 26), "FR").items()
            told.append((entry.state, len(server.asked)))
            assert entry.note == f"the provider says: {said}"
    assert told[0] == (State.EMPTY, 1)
    # Five answers, further apart each time, are believed.
    assert told[-1] == (State.CONFIRMED_EMPTY, 5)
