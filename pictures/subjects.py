"""What a table is to a picture: whose data, along which time, which numbers in which unit, which series."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import UsageError
from domain.ledger import Events, Grid
from domain.settlement import PERIOD
from domain.tables import Column, Table
from products import PRODUCTS
from products.product import Product
from sources import DATASETS
from sources.dataset import Dataset, Provider
from stores.selecting import check_columns
from stores.sql import SYNTHETIC

# When a row was said, not what it is about.
SAID = ("publish_time", "published_at", "issue_time", "version")
# What numbers rows without being a series of them.
IDS = ("trade_id", "acceptance_number", "invoice_id", "mrid", "text_id", "action", "bid")
# Numbers about the row itself.
_ABOUT_ROWS = (
    "coverage",
    "resolution_s",
    "samples",
    "quality",
    "settlement_period",
    "revision",
    "lead_hours",
)

_EVERYTHING: tuple[Dataset | Product, ...] = (*DATASETS, *PRODUCTS)


@dataclass(frozen=True)
class Subject:
    """A dataset or product as pictures know it.

    ``step`` is how far rows lie apart by declaration; None where only they tell. Of ``events`` there may
    be any number: no share of them is known.
    """

    key: str
    title: str
    table: Table
    grain: str
    providers: tuple[Provider, ...]
    step: timedelta | None = None
    events: bool = False


def subject_of(table: Table) -> Subject:
    """Title, grain and the providers of whatever it is made from."""
    made = {product.key: product for product in PRODUCTS}
    fetched = {dataset.key: dataset for dataset in DATASETS}
    found: Dataset | Product = next(
        each for each in _EVERYTHING if each.table is table or each.table == table
    )
    providers: dict[str, Provider] = {}
    waiting, seen = [found.key], set()
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        if key in made:
            waiting += made[key].inputs
        else:
            providers[fetched[key].provider.key] = fetched[key].provider
    listed = tuple(providers[key] for key in sorted(providers))
    if isinstance(found, Product):
        grain, step, events = found.grain, found.step, found.grain == "event"
    else:
        grain, proof = "", found.completeness
        halves = "settlement_period" in table.names and drawn_along(table).endswith("_start")
        step = proof.cadence if isinstance(proof, Grid) else PERIOD if halves else None
        events = isinstance(proof, Events)
    return Subject(found.key, found.title, table, grain, listed, step, events)


def attribution(origin: str, subjects: Iterable[Subject]) -> list[str]:
    """Whose data these are, a line each, and that they are made up where they are."""
    made_up = ["SYNTHETIC: made by gridledger's sandbox; nothing of it was measured by anyone."]
    providers = [provider for subject in subjects for provider in subject.providers]
    lines = [f"{provider.title}: {provider.attribution}" for provider in providers]
    return list(dict.fromkeys([*(made_up if origin == SYNTHETIC else []), *lines]))


def drawn_along(table: Table) -> str:
    """The column of time that rows are about: not the one that says when they were published."""
    if table.time in SAID:
        for name in table.key:
            if name not in SAID and table.column(name).dtype == "time":
                return name
    return table.time


def numbers_of(table: Table, wanted: Sequence[str] | None = None) -> tuple[Column, ...]:
    """The columns to draw: those named, or every quantity; UsageError where there is none."""
    if wanted:
        check_columns(table, wanted)
        chosen = tuple(table.column(name) for name in wanted)
        for column in chosen:
            if column.dtype not in ("float", "int", "decimal"):
                raise UsageError(f"{table.name}.{column.name} holds no numbers to draw.")
        return chosen
    for kinds in (("float", "decimal"), ("int",)):
        found = tuple(
            column
            for column in table.columns
            if column.dtype in kinds
            and column.name not in (*table.key, *_ABOUT_ROWS)
            and not column.name.startswith("standard_deviation")
        )
        if found:
            return found
    raise UsageError(f"{table.name} has no numbers to draw: 'export' shows its rows.")


def series_columns(table: Table, columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns that tell series apart, those that a unit depends on among them."""
    along = drawn_along(table)
    names = [
        name
        for name in table.key
        if table.column(name).dtype in ("text", "int")
        and name not in (along, *IDS, "millisecond", "revision", "deviation_mhz")
    ]
    for column in columns:
        names += [name for name in units_in(table, column) if name not in names]
    return tuple(names)


def units_in(table: Table, column: Column) -> list[str]:
    """The columns whose values are part of a column's unit, as in ``currency/MWh``."""
    known = [c.name for c in table.columns if c.dtype == "text"]
    return [name for name in re.findall(r"\w+", column.unit) if name in known]


def unit_in(column: Column, values: Mapping[str, object]) -> str:
    """The unit of a column in rows with these values.

    >>> price = Column("price_per_mwh", "float", "currency/MWh", "")
    >>> unit_in(price, {"currency": "EUR"})
    'EUR/MWh'
    """
    unit = column.unit.removeprefix("as ").replace("`", "")
    for name, value in values.items():
        unit = re.sub(rf"\b{re.escape(name)}\b", str(value), unit)
    return unit


def is_instant(subject: Subject) -> bool:
    """Whether rows tell of moments and not of intervals."""
    along = drawn_along(subject.table)
    if subject.grain in ("sample", "event") or any(name in IDS for name in subject.table.key):
        return True
    return along not in ("time_from",) and not along.endswith("_start")
