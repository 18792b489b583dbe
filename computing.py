"""Computing batches of days: one after the other here, or several at once on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from domain.errors import SchemaError
from domain.ledger import Entry, State
from domain.tables import Table, conform
from domain.windows import Window
from executors import Cluster, Here, as_done
from executors.worker import Run, workplace
from products import BY_KEY
from products.product import WINDOW
from storage import tables, write_product
from stores.sql import SqlStore

if TYPE_CHECKING:
    import pandas as pd

# Nothing physical is finer than this; the bits behind it only tell how a sum was ordered.
DECIMALS = 9


@dataclass(frozen=True)
class Batch:
    """Consecutive days to compute together: with their look-back the rows that ``window`` selects.

    ``inputs`` has for each day the fingerprint of its inputs and the state they allow.
    """

    key: str
    window: Window
    clock: tzinfo
    inputs: dict[date, tuple[str, State]]
    assumptions: Mapping[str, Any]
    now: datetime


Written = tuple[list[Entry], int]


def worked_through(
    batches: list[Batch], store: SqlStore, cluster: Cluster | None
) -> Iterator[tuple[Batch, Future[Written]]]:
    """Each batch with the entries and the number of rows that were written of it, or its failure."""
    if not batches:
        return
    if cluster is None:
        here = Here()
        yield from as_done(batches, lambda batch: here.submit(_compute_and_write, batch, store), 1)
        return
    # What looks at its own days before needs them written.
    product = BY_KEY[batches[0].key]
    at_once = 1 if product.key in product.frames else cluster.workers
    if cluster.may_write(store):
        yield from as_done(
            batches, lambda batch: cluster.submit(_work_on_worker, cluster.run, batch), at_once
        )
        return

    def compute(batch: Batch) -> Future[pd.DataFrame]:
        return cluster.submit(_compute_on_worker, cluster.run, batch, _inputs(batch, store))

    def write(batch: Batch, frame: Future[pd.DataFrame]) -> Written:
        return _write(batch, frame.result(), store)

    for batch, frame in as_done(batches, compute, at_once):
        yield batch, Here().submit(write, batch, frame)


def _work_on_worker(run: Run, batch: Batch) -> Written:
    """A batch from reading to writing on a worker of a cluster, over a connection of its own."""
    return _compute_and_write(batch, workplace(run).store())


def _compute_on_worker(run: Run, batch: Batch, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """A batch whose reading and writing another does, on a worker that is fit for the run."""
    workplace(run)
    return _compute(batch, frames)


def _compute_and_write(batch: Batch, store: SqlStore) -> Written:
    return _write(batch, _compute(batch, _inputs(batch, store)), store)


def _inputs(batch: Batch, store: SqlStore) -> list[pd.DataFrame]:
    product, window = BY_KEY[batch.key], batch.window
    before = product.issued_before_end
    as_of = None if before is None else window.end - before
    frames = []
    for key in product.frames:
        reach = window.reaching_back(product.look_back.get(key, timedelta()))
        used = product.columns.get(key)
        frames.append(store.read_table(tables()[key], reach, columns=used, as_of=as_of))
    return frames


def _write(batch: Batch, frame: pd.DataFrame, store: SqlStore) -> Written:
    product = BY_KEY[batch.key]
    entries = write_product(store, product, batch.clock, frame, batch.inputs, batch.now)
    return entries, len(frame)


def _compute(batch: Batch, frames: list[pd.DataFrame]) -> pd.DataFrame:
    product, window = BY_KEY[batch.key], batch.window
    result = product.compute(*frames, **{WINDOW: window}, **batch.assumptions)
    rows = conform(product.table, result, str(window))
    if rows.unknown or len(rows.older):
        raise SchemaError(
            f"{product.key}: the computation for {window} returned "
            + (f"undeclared columns {', '.join(rows.unknown)}" if rows.unknown else "a key twice")
            + "; nothing of it was stored."
        )
    return rounded(product.table, rows.frame)


def rounded(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its floats as they are stored and published, without a negative zero."""
    floats = [column.name for column in table.columns if column.dtype == "float"]
    frame[floats] = frame[floats].round(DECIMALS) + 0.0
    return frame
