"""ENTSO-E datasets of the markets: prices and net positions by zone, flows, exchanges and capacities by border.

A border is one direction: ``FR>DE_LU`` is what leaves France for Germany, so that both directions are
two scopes with values of their own, never netted. Net positions are positive where a zone exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from domain.errors import SchemaError
from domain.ledger import Span
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.entsoe import (
    RESOLUTION_COLUMN,
    START_COLUMN,
    ZONE_COLUMN,
    ZONES_SETTING,
    Item,
    borders_asked,
    dataset_of,
    in_unit,
    slots,
)
from sources.entsoe_power import as_fine_as
from sources.entsoe_xml import Document, Series

# --- documents into rows --------------------------------------------------------------------------

SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
CONTRACT = "contract_MarketAgreement.type"
PRICE_UNIT = "price_Measure_Unit.name"
CONTRACTS = {"A01": "day_ahead", "A05": "total", "A07": "intraday"}
# A net position goes from or to this, which is no area.
REGION = "REGION_CODE"


def price_rows(document: Document, scope: str) -> dict[str, Any]:
    """Prices of auctions; where a zone has several the position says which, else it is 1."""
    in_unit(document.series, "MWH", PRICE_UNIT)
    found = slots(document.series, "price.amount", scope)
    if not found:
        return {}
    owner = found.pop("series")
    return found | {
        "zone": [scope] * len(owner),
        "auction_sequence": _each(_sequences(document.series), owner),
        "currency": _each([s.fields.get("currency_Unit.name", "") for s in document.series], owner),
    }


def border_rows(document: Document, scope: str) -> dict[str, Any]:
    """One quantity of a border."""
    return _across(document, scope, {})


def exchange_rows(document: Document, scope: str) -> dict[str, Any]:
    """One quantity of a border by contract."""
    return _across(document, scope, {"contract": _contracts(document.series)})


def _across(document: Document, scope: str, told: dict[str, list[str]]) -> dict[str, Any]:
    """Quantities of a border, with what is ``told`` of each series."""
    in_unit(document.series, "MAW")
    found = slots(document.series, "quantity", scope)
    if not found:
        return {}
    owner = found.pop("series")
    start, _, end = scope.partition(">")
    places = {"border": scope, "from_zone": start, "to_zone": end}
    of_series = {name: [place] * len(document.series) for name, place in places.items()} | told
    return found | {name: _each(values, owner) for name, values in of_series.items()}


def net_position_rows(document: Document, scope: str) -> dict[str, Any]:
    """Net positions by contract: what is exported less what is imported.

    Both are published as positive numbers, in series of their own. Where one has longer slots than
    the other, a value of it stands in each of the short ones.
    """
    import pandas as pd

    in_unit(document.series, "MAW")
    key = ["period_start", "resolution_s", "contract"]
    frames = []
    for sign, series in zip((1, -1), _by_direction(document.series), strict=True):
        found = slots(series, "quantity", scope)
        if found:
            owner = found.pop("series")
            found |= {"contract": _each(_contracts(series), owner)}
            side = pd.DataFrame(found).drop_duplicates(key, keep="last")
            side["quantity"] *= sign
            frames.append(side)
    if not frames:
        return {}
    if len(frames) == 2:
        one, other = frames
        cut = as_fine_as(one, other, "contract"), as_fine_as(other, one, "contract")
        frames = [side.drop_duplicates(key, keep="last") for side in cut]
    both = pd.concat(frames)
    net = both.groupby(key, as_index=False)["quantity"].sum()
    found = {name: net[name] for name in (*key, "quantity")} | {"zone": [scope] * len(net)}
    return found | {str(name): [None] * len(net) for name in set(both) - set(net)}


def _by_direction(series: Sequence[Series]) -> tuple[list[Series], list[Series]]:
    """The series that are exports, and those that are imports."""
    exports: list[Series] = []
    imports: list[Series] = []
    for one in series:
        to, start = (one.fields.get(f"{side}_Domain.mRID", "") for side in ("in", "out"))
        if to.startswith(REGION) == start.startswith(REGION):
            raise SchemaError(
                f"a net position goes from {start[:20]!r} to {to[:20]!r}, one of which should be "
                f"{REGION}; nothing of the document was stored."
            )
        (exports if to.startswith(REGION) else imports).append(one)
    return exports, imports


def _sequences(series: Sequence[Series]) -> list[int]:
    told = [one.fields.get(SEQUENCE, "1") for one in series]
    if not all(text.isdecimal() and len(text) < 4 for text in told):
        raise SchemaError(f"{SEQUENCE}: {told} holds what is no number; nothing was stored.")
    return [int(text) for text in told]


def _contracts(series: Sequence[Series]) -> list[str]:
    codes = [one.fields.get(CONTRACT, "") for one in series]
    if not all(codes):
        raise SchemaError(
            f"a TimeSeries has no {CONTRACT}; the platform may have renamed it, and nothing of the "
            "document was stored."
        )
    return [CONTRACTS.get(code, code) for code in codes]


def _each(of_series: Sequence[Any], owner: Any) -> Any:
    """What is told of each series, for each of its slots."""
    import numpy as np

    return np.array(of_series, dtype=object)[owner]


# --- tables ---------------------------------------------------------------------------------------

BORDER_COLUMNS = (
    Column("border", "text", "", "Border and direction, FROM>TO"),
    Column("from_zone", "text", "", "Area that the power leaves"),
    Column("to_zone", "text", "", "Area that the power enters"),
)
CONTRACT_COLUMN = Column(
    "contract", "text", "", "What was traded: day_ahead, intraday or total",
    known=tuple(CONTRACTS.values()),
)  # fmt: skip


def _prices(name: str, sequence: str, price: str) -> Table:
    return Table(
        name=name,
        columns=(
            ZONE_COLUMN,
            START_COLUMN,
            Column("auction_sequence", "int", "", sequence),
            RESOLUTION_COLUMN,
            # The coupled auctions end between -500 and 5,000 EUR, in cents.
            Column(
                "price_per_mwh", "float", "currency/MWh", price, "price.amount",
                bounds=(-10_000.0, 100_000.0), tick=0.01,
            ),
            Column("currency", "text", "", "Currency of the price"),
        ),
        key=("zone", "period_start", "auction_sequence", "currency"),
        time="period_start",
        scope="zone",
        lane=("zone", "auction_sequence"),
    )  # fmt: skip


def _of_border(name: str, value: Column, *series: Column) -> Table:
    return Table(
        name=name,
        columns=(*BORDER_COLUMNS, START_COLUMN, *series, RESOLUTION_COLUMN, value),
        key=("border", "period_start", *(column.name for column in series)),
        time="period_start",
        scope="border",
    )


def _power(name: str, description: str, bounds: tuple[float, float]) -> Column:
    return Column(name, "float", "MW", description, "quantity", bounds=bounds)


# No border carries as much.
_ACROSS = (0.0, 20_000.0)

PRICES = _prices(
    "entsoe_day_ahead_prices",
    "1 is the price; 2 a second auction of the zone",
    "Day-ahead price",
)
INTRADAY_PRICES = _prices(
    "entsoe_intraday_prices",
    "1 to 3: the intraday auction (IDA1, IDA2, IDA3)",
    "Price of the intraday auction",
)
NET_POSITIONS = Table(
    name="entsoe_net_positions",
    columns=(
        ZONE_COLUMN,
        START_COLUMN,
        CONTRACT_COLUMN,
        RESOLUTION_COLUMN,
        _power(
            "net_position_mw",
            "Net position of the implicit auctions, > 0 export",
            (-50_000.0, 50_000.0),
        ),
    ),
    key=("zone", "period_start", "contract"),
    time="period_start",
    scope="zone",
)
FLOWS = _of_border(
    "entsoe_flows", _power("flow_mw", "Mean physical flow in this direction, >= 0", _ACROSS)
)
SCHEDULED_EXCHANGES = _of_border(
    "entsoe_scheduled_exchanges",
    _power("exchange_mw", "Scheduled commercial exchange in this direction, >= 0", _ACROSS),
    CONTRACT_COLUMN,
)


def _capacity(key: str, ahead: str) -> Table:
    return _of_border(
        key,
        _power("capacity_mw", f"Net transfer capacity in this direction, {ahead} ahead", _ACROSS),
    )


# --- datasets -------------------------------------------------------------------------------------

SAME = ("in_Domain", "out_Domain")
FROM_TO = ("out_Domain", "in_Domain")
_A_MONTH, _A_YEAR = timedelta(days=28), timedelta(days=364)
_DAYS_2, _DAYS_8 = timedelta(days=2), timedelta(days=8)
_RESTATED = (_DAYS_2, timedelta(days=4), _DAYS_8)
# The third intraday auction is of the afternoon alone; in every zone that is 12 hours.
AFTERNOON = timedelta(hours=12)


# Names of parameters differ in case from item to item.
_CONTRACT_TYPE = "contract_MarketAgreement.Type"


def _contract(code: str, name: str = _CONTRACT_TYPE) -> tuple[tuple[str, str], ...]:
    return ((name, code),)


_USUAL: dict[str, Any] = {
    "widest": _A_MONTH,
    "lag": timedelta(0),
    "completeness": Span(),
    "rows_a_day": 100,
}


def _by_zone(key: str, title: str, table: Table, item: Item, **more: Any) -> Dataset:
    usual = _USUAL | {"scopes_setting": ZONES_SETTING}
    return dataset_of(key, title, table, item, **(usual | more))


def _by_border(key: str, title: str, table: Table, item: Item, **more: Any) -> Dataset:
    return dataset_of(key, title, table, item, **(_USUAL | {"scopes_of": borders_asked} | more))


def _transfer_capacity(ahead: str, code: str, reach: timedelta) -> Dataset:
    key = f"entsoe_transfer_capacity_{ahead}"
    return _by_border(
        key,
        f"Net transfer capacity by border and direction, {ahead} ahead",
        _capacity(key, ahead),
        # Whole days may come, or weeks and years, as far as the platform has published them.
        Item("A61", FROM_TO, border_rows, _contract(code), whole_days=True),
        widest=_A_YEAR,
        reach=reach,
        revisions=(_DAYS_2,),
        rows_a_day=24,
        priority=60,
    )


DATASETS = (
    _by_zone(
        "entsoe_day_ahead_prices",
        "Day-ahead prices by bidding zone",
        PRICES,
        Item("A44", SAME, price_rows, _contract("A01", CONTRACT), whole_days=True, page=100),
        aliases=("A44",),
        completeness=Span("auction_sequence"),
        groups=("core", "entsoe"),
        rows_a_day=200,
        priority=30,
    ),
    _by_zone(
        "entsoe_intraday_prices",
        "Prices of the intraday auctions by bidding zone",
        INTRADAY_PRICES,
        Item("A44", SAME, price_rows, _contract("A07", CONTRACT), whole_days=True, page=100),
        completeness=Span("auction_sequence", shorter=(("3", AFTERNOON),)),
        available_from=date(2024, 6, 14),  # the first day that the coupled auctions were for
        rows_a_day=250,
    ),
    _by_zone(
        "entsoe_net_positions",
        "Net positions of the implicit auctions by bidding zone, day-ahead and intraday",
        NET_POSITIONS,
        Item(
            "A25",
            SAME,
            net_position_rows,
            (("businessType", "B09"),),
            whole_days=True,
            variants=(_contract("A01"), _contract("A07")),
        ),
        aliases=("A25",),
        completeness=Span("contract"),
        revisions=(_DAYS_2,),
        rows_a_day=200,
    ),
    _by_border(
        "entsoe_flows",
        "Physical flows by border and direction",
        FLOWS,
        Item("A11", FROM_TO, border_rows),
        aliases=("A11",),
        lag=timedelta(hours=4),
        revisions=_RESTATED,
    ),
    _by_border(
        "entsoe_scheduled_exchanges",
        "Scheduled commercial exchanges by border and direction, day-ahead and total",
        SCHEDULED_EXCHANGES,
        # Asked for neither contract, the platform sends both.
        Item("A09", FROM_TO, exchange_rows),
        aliases=("A09",),
        completeness=Span("contract"),
        lag=timedelta(hours=4),
        revisions=(_DAYS_2,),
        rows_a_day=200,
    ),
    _transfer_capacity("day", "A01", timedelta(0)),
    _transfer_capacity("week", "A02", timedelta(days=7, hours=1)),
    _transfer_capacity("month", "A03", timedelta(days=31, hours=1)),
    _transfer_capacity("year", "A04", timedelta(days=366, hours=1)),
)
