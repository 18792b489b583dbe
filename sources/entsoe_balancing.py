"""ENTSO-E balancing datasets, by control area: imbalance, reserves, bids, activated energy.

What is published of reserves and directions is kept as published: quantities are positive and the
``direction`` says which way (up: more generation or less load). Codes that the platform means by
context become the words of the field (aFRR, up); all others stay codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.ledger import Events, Span
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.entsoe import (
    RESOLUTION_COLUMN,
    START_COLUMN,
    Item,
    Parameters,
    control_areas_asked,
    dataset_of,
    imbalance_areas_asked,
    in_unit,
    slots,
)
from sources.entsoe_xml import Document, Series

if TYPE_CHECKING:
    import pandas as pd

# --- documents into rows --------------------------------------------------------------------------

# Of a document's process, of a series' business type.
RESERVES = {
    "A52": "FCR", "A51": "aFRR", "A47": "mFRR", "A46": "RR",
    "A60": "mFRR", "A61": "mFRR", "A67": "aFRR", "A68": "aFRR",
    "A95": "FCR", "A96": "aFRR", "A97": "mFRR", "A98": "RR",
}  # fmt: skip
DIRECTIONS = {"A01": "up", "A02": "down", "A03": "both"}
_PRODUCT = ("standard_MarketProduct.marketProductType", "original_MarketProduct.marketProductType")
_PSR_TYPE = ("mktPSRType.psrType", "MktPSRType/psrType")
_BID_KEY = (
    "zone", "period_start", "resolution_s", "reserve", "agreement", "product", "psr_type",
    "direction",
)  # fmt: skip

# What is told of each series; the values stand in its points.
Told = Mapping[str, Callable[[Document, Series], str | None]]


def _field(*names: str, default: str | None = "") -> Callable[[Document, Series], str | None]:
    """The first of some fields that a series has."""

    def told(_: Document, series: Series) -> str | None:
        return next((series.fields[name] for name in names if name in series.fields), default)

    return told


def _direction(_: Document, series: Series) -> str:
    code = series.fields.get("flowDirection.direction", "")
    return DIRECTIONS.get(code, code)


def _process(document: Document, _: Series) -> str:
    return document.fields.get("process.processType", "")


def _reserve(document: Document, series: Series) -> str:
    """What kind of reserve it is: the series may say it, else the document does."""
    process = _process(document, series)
    return RESERVES.get(series.fields.get("businessType", ""), RESERVES.get(process, process))


def _status(document: Document, _: Series) -> str | None:
    return document.fields.get("docStatus/value")


_DIRECTED: Told = {"direction": _direction}
_PRICED: Told = {"currency": _field("currency_Unit.name")}
_KIND: Told = {
    "reserve": _reserve,
    "product": _field(*_PRODUCT),
    "psr_type": _field(*_PSR_TYPE),
    **_DIRECTED,
}


def _rows(document: Document, scope: str, told: Told, *values: str, **more: Any) -> dict[str, Any]:
    """The slots of all series with what is told of each; ``more`` as in ``slots``."""
    import numpy as np

    first, *beside = values
    found = slots(document.series, first, scope, tuple(beside), **more)
    if not found:
        return {}
    owner = found.pop("series")
    series = document.series
    columns = {
        name: np.array([of(document, each) for each in series], dtype=object)[owner]
        for name, of in told.items()
    }
    return found | columns | {"zone": [scope] * len(owner)}


def imbalance_price_rows(document: Document, scope: str) -> dict[str, Any]:
    """Imbalance prices; where surplus and deficit have prices of their own the category says which."""
    rows = _rows(
        document,
        scope,
        {"psr_type": _field(*_PSR_TYPE), "status": _status, **_PRICED},
        "imbalance_Price.amount",
        words=("imbalance_Price.category",),
    )
    if rows:
        category = rows["imbalance_Price.category"]
        category[category == None] = ""  # noqa: E711 (of every element)
    return rows


def imbalance_volume_rows(document: Document, scope: str) -> dict[str, Any]:
    """Total imbalance of an area and its direction."""
    in_unit(document.series, "MWH")
    return _rows(document, scope, {"status": _status, **_DIRECTED}, "quantity")


def balancing_state_rows(document: Document, scope: str) -> dict[str, Any]:
    """Area control error and its direction."""
    in_unit(document.series, "MAW")
    return _rows(document, scope, _DIRECTED, "quantity")


def activated_energy_rows(document: Document, scope: str) -> dict[str, Any]:
    """Activated balancing energy by reserve, product and source."""
    in_unit(document.series, "MWH")
    return _rows(document, scope, _KIND, "quantity")


def activated_price_rows(document: Document, scope: str) -> dict[str, Any]:
    """Prices of activated balancing energy by process, reserve, product and source."""
    return _rows(
        document,
        scope,
        {"process": _process, **_KIND, **_PRICED},
        "activation_Price.amount",
        words=("imbalance_Price.category",),
    )


def aggregated_bid_rows(document: Document, scope: str) -> dict[str, Any]:
    """What was offered, activated and unavailable of balancing energy, by process and product."""
    in_unit(document.series, "MAW")
    numbers = ("quantity", "secondaryQuantity", "unavailable_Quantity.quantity")
    return _rows(document, scope, {"process": _process, **_KIND}, *numbers)


def capacity_rows(document: Document, scope: str) -> dict[str, Any]:
    """Bought balancing capacity: quantity and price of each bid for as long as it holds."""
    in_unit(document.series, "MAW")
    document = replace(document, series=list(_each_once(document.series)))
    told: Told = {
        "agreement": _field("type_MarketAgreement.type"),
        "price_unit": _field("price_Measure_Unit.name", default=None),
        **_KIND,
        **_PRICED,
    }
    return _rows(document, scope, told, "quantity", "procurement_Price.amount", join=True)


def _each_once(series: Iterable[Series]) -> Iterator[Series]:
    """Series without those that are sent again under the same number: equal bids have numbers of their own."""
    sent = set()
    for one in series:
        told = one.content()
        if "mRID" not in one.fields or told not in sent:
            sent.add(told)
            yield one


def numbered_bids(rows: pd.DataFrame) -> pd.DataFrame:
    """Bids have no name, and pages count anew: their place by price and quantity tells them apart."""
    inside = [*_BID_KEY, "currency", "procurement_Price.amount", "quantity"]
    ordered = rows.sort_values(inside, ignore_index=True)
    ordered["bid"] = ordered.groupby(list(_BID_KEY)).cumcount() + 1
    return ordered


# --- tables ---------------------------------------------------------------------------------------

_PRICES = (-100_000.0, 100_000.0)
_AREA = Column("zone", "text", "", "Control area; of imbalances, area of one imbalance price")
_RESERVE = Column(
    "reserve", "text", "", "Kind of reserve", known=tuple(dict.fromkeys(RESERVES.values()))
)
_PROCESS = Column("process", "text", "", "Process type code: how it is activated")
_PRODUCT_COLUMN = Column("product", "text", "", "Market product code; empty where none is told")
_SOURCE = Column(
    "psr_type", "text", "", "A03 mixed, A04 generation, A05 load; empty where not told"
)
_DIRECTION = Column("direction", "text", "", "up, down or both", known=("", *DIRECTIONS.values()))
_CURRENCY = Column("currency", "text", "", "Currency of the price")
_STATUS = Column("status", "text", "", "A01 intermediate, A02 final, X01 estimated", optional=True)
_CATEGORY = "A04 surplus, A05 deficit, A06 average, A07 marginal, A08 cross-border"


def _table(name: str, columns: tuple[Column, ...], *series: str, **more: Any) -> Table:
    """A table of an area's rows; ``series`` are the columns that tell apart what begins together."""
    return Table(
        name=name,
        columns=(_AREA, START_COLUMN, *columns),
        key=("zone", "period_start", *series),
        time="period_start",
        scope="zone",
        **more,
    )


def _quantity(name: str, unit: str, description: str, source: str = "quantity") -> Column:
    return Column(
        name, "float", unit, description, source,
        optional=source != "quantity", bounds=(-200_000.0, 200_000.0),
    )  # fmt: skip


def _price(name: str, unit: str, description: str, source: str, **more: Any) -> Column:
    return Column(name, "float", unit, description, source, bounds=_PRICES, **more)


IMBALANCE_PRICES = _table(
    "entsoe_imbalance_prices",
    (
        Column(
            "category", "text", "", f"{_CATEGORY}; empty for one price",
            "imbalance_Price.category", known=("", "A04", "A05", "A06", "A07", "A08"),
        ),
        _SOURCE,
        RESOLUTION_COLUMN,
        _price("price_per_mwh", "currency/MWh", "Imbalance price", "imbalance_Price.amount"),
        _CURRENCY,
        _STATUS,
    ),
    "category", "psr_type", "currency",
    lane=("zone",),
)  # fmt: skip

IMBALANCE_VOLUMES = _table(
    "entsoe_imbalance_volumes",
    (
        _DIRECTION,
        RESOLUTION_COLUMN,
        _quantity("imbalance_mwh", "MWh", "Total imbalance of the interval, in the direction"),
        _STATUS,
    ),
    "direction",
    lane=("zone",),
)

BALANCING_STATE = _table(
    "entsoe_balancing_state",
    (
        _DIRECTION,
        RESOLUTION_COLUMN,
        _quantity("control_error_mw", "MW", "Open-loop area control error, in the direction"),
    ),
    "direction",
    lane=("zone",),
)

ACTIVATED_ENERGY = _table(
    "entsoe_activated_energy",
    (
        _RESERVE,
        _PRODUCT_COLUMN,
        _SOURCE,
        _DIRECTION,
        RESOLUTION_COLUMN,
        _quantity("activated_mwh", "MWh", "Activated balancing energy of the interval"),
    ),
    "reserve", "product", "psr_type", "direction",
)  # fmt: skip

ACTIVATED_PRICES = _table(
    "entsoe_activated_prices",
    (
        _PROCESS,
        _RESERVE,
        _PRODUCT_COLUMN,
        _SOURCE,
        _DIRECTION,
        RESOLUTION_COLUMN,
        _price(
            "price_per_mwh", "currency/MWh", "Price of activated balancing energy",
            "activation_Price.amount",
        ),
        _CURRENCY,
        Column("category", "text", "", _CATEGORY, "imbalance_Price.category", optional=True),
    ),
    "process", "reserve", "product", "psr_type", "direction", "currency",
)  # fmt: skip

AGGREGATED_BIDS = _table(
    "entsoe_aggregated_bids",
    (
        _PROCESS,
        _RESERVE,
        _PRODUCT_COLUMN,
        _SOURCE,
        _DIRECTION,
        RESOLUTION_COLUMN,
        Column("offered_mw", "float", "MW", "Offered", "quantity", optional=True),
        _quantity("activated_mw", "MW", "Activated of it", "secondaryQuantity"),
        _quantity("unavailable_mw", "MW", "Not available of it", "unavailable_Quantity.quantity"),
    ),
    "process", "product", "psr_type", "direction",
)  # fmt: skip


def _capacity(name: str) -> Table:
    return _table(
        name,
        (
            _RESERVE,
            Column(
                "agreement", "text", "",
                "Bought by A01 day, A02 week, A03 month, A04 year, A13 hour, A06 for longer",
            ),
            _PRODUCT_COLUMN,
            _SOURCE,
            _DIRECTION,
            Column("bid", "int", "", "Its place among the bids, cheapest first"),
            RESOLUTION_COLUMN,
            _quantity("capacity_mw", "MW", "Capacity bought"),
            _price(
                "price", "currency/price_unit", "Price of it", "procurement_Price.amount",
                optional=True,
            ),
            _CURRENCY,
            Column("price_unit", "text", "", "What the price is paid for: MAW, MWH", optional=True),
        ),
        *_BID_KEY[2:], "bid",
        # How long a bid lasts follows from how equal values were joined, its place from the others.
        lane=tuple(name for name in _BID_KEY if name not in ("period_start", "resolution_s")),
    )  # fmt: skip


CONTRACTED_RESERVES = _capacity("entsoe_contracted_reserves")
PROCURED_CAPACITY = _capacity("entsoe_procured_capacity")

# --- datasets -------------------------------------------------------------------------------------

_CONTROL_AREA, _AREA_DOMAIN = ("controlArea_Domain",), ("area_Domain",)
_A_DAY, _A_WEEK, _A_MONTH = (timedelta(days=n) for n in (1, 7, 28))
_YEARLY = timedelta(days=366, hours=1)
_RESTATED = (timedelta(days=2), timedelta(days=8), timedelta(days=40))
_DOCUMENTS = 100  # at most in one answer


def _variants(name: str, *codes: str) -> tuple[Parameters, ...]:
    return tuple(((name, code),) for code in codes)


def _by_area(key: str, title: str, table: Table, item: Item, **more: Any) -> Dataset:
    """A dataset that is asked for area by area, mostly control areas."""
    defaults: dict[str, Any] = {
        "widest": _A_WEEK,
        "lag": timedelta(hours=4),
        "completeness": Events(),
        "scopes_of": control_areas_asked,
        "priority": 40,
        "revisions": _RESTATED,
    }
    return dataset_of(key, title, table, item, **(defaults | more))


DATASETS = (
    _by_area(
        "entsoe_imbalance_prices",
        "Imbalance prices by area",
        IMBALANCE_PRICES,
        Item("A85", _CONTROL_AREA, imbalance_price_rows),
        aliases=("A85",),
        scopes_of=imbalance_areas_asked,
        completeness=Span("category"),
        rows_a_day=192,
    ),
    _by_area(
        "entsoe_imbalance_volumes",
        "Total imbalance volumes by area",
        IMBALANCE_VOLUMES,
        Item("A86", _CONTROL_AREA, imbalance_volume_rows, (("businessType", "A19"),)),
        # A slot has one direction or, of some areas, both: together they cover the day.
        completeness=Span(),
        scopes_of=imbalance_areas_asked,
        widest=_A_MONTH,
        rows_a_day=96,
    ),
    _by_area(
        "entsoe_balancing_state",
        "Current balancing state: area control error by minute and control area",
        BALANCING_STATE,
        Item("A86", _AREA_DOMAIN, balancing_state_rows, (("businessType", "B33"),)),
        completeness=Span(),
        rows_a_day=1440,
    ),
    _by_area(
        "entsoe_contracted_reserves",
        "Volumes and prices of contracted reserves by control area",
        CONTRACTED_RESERVES,
        Item(
            "A81",
            _CONTROL_AREA,
            capacity_rows,
            (("businessType", "B95"),),
            # Without a process it answers for all kinds of reserve.
            variants=_variants(
                "Type_MarketAgreement.Type", "A01", "A02", "A03", "A04", "A06", "A13"
            ),
            page=_DOCUMENTS,
            together=numbered_bids,
        ),
        aliases=("A81",),
        reach=_YEARLY,
        rows_a_day=500,
    ),
    _by_area(
        "entsoe_procured_capacity",
        "Procured balancing capacity by control area, bid by bid",
        PROCURED_CAPACITY,
        Item(
            "A15",
            _AREA_DOMAIN,
            capacity_rows,
            variants=_variants("processType", "A51", "A52", "A47", "A46"),
            page=_DOCUMENTS,
            together=numbered_bids,
        ),
        aliases=("A15",),
        # Thousands of bids a day in the larger areas, and 4,900 are the most of one window.
        widest=_A_DAY + timedelta(hours=1),
        reach=_YEARLY,
        rows_a_day=2000,
    ),
    _by_area(
        "entsoe_activated_energy",
        "Activated balancing energy by control area and reserve",
        ACTIVATED_ENERGY,
        Item("A83", _CONTROL_AREA, activated_energy_rows),
        aliases=("A83",),
        widest=_A_MONTH,
        rows_a_day=384,
    ),
    _by_area(
        "entsoe_activated_prices",
        "Prices of activated balancing energy by control area and reserve",
        ACTIVATED_PRICES,
        Item(
            "A84",
            _CONTROL_AREA,
            activated_price_rows,
            variants=(
                *_variants("processType", "A16", "A60", "A61", "A68"),
                # Cross-border marginal prices of aFRR, every four seconds.
                (
                    ("processType", "A67"),
                    ("businessType", "A96"),
                    ("Standard_MarketProduct", "A01"),
                ),
            ),
        ),
        aliases=("A84",),
        rows_a_day=10_000,
    ),
    _by_area(
        "entsoe_aggregated_bids",
        "Aggregated balancing energy bids by control area and process",
        AGGREGATED_BIDS,
        Item(
            "A24",
            _AREA_DOMAIN,
            aggregated_bid_rows,
            variants=_variants("processType", "A51", "A46", "A47", "A60", "A61", "A67", "A68"),
        ),
        aliases=("A24",),
        rows_a_day=600,
    ),
)
