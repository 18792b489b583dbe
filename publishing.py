"""``publish``: a store's tables as Parquet files in a folder or a bucket, or as tables of BigQuery.

Only parts whose rows changed since the last time are written; what stands in the target says itself what
that was. A target holds the tables of one store.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

import console
from copying import tables_of
from domain.errors import GridledgerError, StoreMismatch, UsageError
from domain.tables import Table
from job import read_settings
from look import examples

if TYPE_CHECKING:
    from stores.sql import SqlStore
    from stores.warehouse import Part, Warehouse

# A place that failed this often in a row is not asked any more in this run.
FAILURES_IN_A_ROW = 8
TARGETS = "parquet://FOLDER, s3://BUCKET/PATH, gs://BUCKET/PATH or bigquery://PROJECT/DATASET"

app = typer.Typer()
# Told about progress: parts done, parts in all, and the table of the last one.
Progress = Callable[[int, int, "Published"], None]


@dataclass
class Published:
    """What publishing came to for one table: its parts, and those that were written or failed."""

    table: Table
    changed: list[Part]
    gone: list[str]
    parts: int
    rows: int
    written: int = 0
    dropped: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The table's name."""
        return self.table.name


@app.command(
    "publish",
    epilog=examples(
        "publish --to parquet://output/lake",
        "publish --to s3://my-bucket/grid frequency wind_solar",
        "publish --to bigquery://my-project/grid --staging gs://my-bucket/staging --dry-run",
    ),
)
def publish(
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help=f"{TARGETS}.")],
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY...]", help="Datasets and products; all that is stored."),
    ] = None,
    staging: Annotated[
        str | None,
        typer.Option("--staging", metavar="gs://BUCKET/PATH", help="Where BigQuery loads from."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Parts that are sent at the same time.", min=1, max=64)
    ] = 4,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
) -> int:
    """Publish what is stored as Parquet files or BigQuery tables: what changed since the last time.

    Credentials are those of the machine (environment, profile, service account). A table that the store has
    no rows of is left as it stands there.
    """
    from storage import open_store

    with (
        open_store(read_settings()["STORE_URL"], create=False) as store,
        open_warehouse(to, staging) as warehouse,
    ):
        tables = tables_of(store, keys or [])
        if not store.origin:
            raise UsageError(f"{store.location()} holds nothing to publish: fetch something first.")
        if dry_run:
            return _finish(plan(store, warehouse, tables), dry_run=True)
        # Of one store and into one target there is one at a time; a lock's key is a file's name.
        with store.lock("publish to " + re.sub(r"[^\w.-]+", "-", to)[-100:]):
            planned = plan(store, warehouse, tables)
            with console.progress("publish") as progress:
                write(store, warehouse, planned, workers, progress)
    return _finish(planned, dry_run=False)


def open_warehouse(address: str, staging: str | None = None) -> Warehouse:
    """The warehouse at an address; UsageError for one that is none, or whose driver is not installed."""
    from stores.objects import open_folder
    from stores.parquet import ParquetWarehouse

    scheme, rest = urlsplit(address).scheme, address.partition("://")[2]
    if scheme not in ("parquet", "s3", "gs", "bigquery") or not rest.strip("/"):
        raise UsageError(f"--to names no place to publish to: write {TARGETS}.")
    if (scheme == "bigquery") != bool(staging):
        raise UsageError(
            "--to bigquery://… needs --staging gs://BUCKET/PATH, from where BigQuery loads."
            if scheme == "bigquery"
            else "--staging is for --to bigquery://… only: leave it out."
        )
    if scheme != "bigquery":
        return ParquetWarehouse(open_folder(rest if scheme == "parquet" else address))
    project, _, dataset = rest.rstrip("/").partition("/")
    if not dataset or "/" in dataset or not str(staging).startswith("gs://"):
        raise UsageError(
            "BigQuery takes --to bigquery://PROJECT/DATASET and --staging gs://BUCKET/PATH."
        )
    from products import PRODUCTS
    from sources import DATASETS
    from stores.bigquery import BigQueryWarehouse

    titles = {dataset.table.name: dataset.title for dataset in DATASETS}
    titles |= {product.table.name: product.title for product in PRODUCTS}
    return BigQueryWarehouse(project, dataset, open_folder(str(staging)), titles, datetime.now(UTC))


def plan(store: SqlStore, warehouse: Warehouse, tables: Sequence[Table]) -> list[Published]:
    """What is to be written and dropped, by table; writes nothing.

    Raises StoreMismatch where the target holds data of the other origin or what is not ours.
    """
    from stores.parts import parts_of

    origin = warehouse.origin()
    if origin and origin != store.origin:
        raise StoreMismatch(
            f"the target holds {origin} data and {store.location()} {store.origin}: the two are never "
            "mixed. Publish to another place."
        )
    planned = []
    for table in tables:
        parts = parts_of(store, table)
        if parts:
            warehouse.check(table)
        known = warehouse.known(table) if parts else {}
        changed = [part for part in parts if known.get(part.name) != part.fingerprint]
        gone = sorted(known.keys() - {part.name for part in parts})
        rows = sum(part.rows for part in parts)
        planned.append(Published(table, changed, gone, len(parts), rows))
    return planned


def write(
    store: SqlStore,
    warehouse: Warehouse,
    planned: Sequence[Published],
    workers: int,
    progress: Progress | None = None,
) -> None:
    """Write and drop what was planned; a part that fails is noted, and the others go on.

    The store is read by this thread into Parquet files of a temporary folder, ``workers`` threads send
    them; there are never more than two files for each.
    """
    every = sum(len(one.changed) for one in planned)
    in_a_row = done = 0
    with (
        tempfile.TemporaryDirectory(prefix="gridledger-", ignore_cleanup_errors=True) as folder,
        contextlib.closing(_sent(store, warehouse, planned, workers, Path(folder))) as sent,
    ):
        for one, failure in sent:
            done += 1
            in_a_row = in_a_row + 1 if failure else 0
            if failure:
                one.failures.append(failure)
            else:
                one.written += 1
            if progress:
                progress(done, every, one)
            if in_a_row == FAILURES_IN_A_ROW and done < every:
                one.failures.append(
                    f"{in_a_row} parts in a row failed: the rest is left to the next time."
                )
                return
    for one in planned:
        for name in one.gone:
            try:
                warehouse.drop(one.table, name)
                one.dropped += 1
            except GridledgerError as trouble:
                one.failures.append(str(trouble))


def _sent(
    store: SqlStore,
    warehouse: Warehouse,
    planned: Sequence[Published],
    workers: int,
    folder: Path,
) -> Generator[tuple[Published, str], None, None]:
    """Each changed part once it is sent, with what went wrong, if anything."""
    from stores.parts import write_part

    origin = store.origin
    under_way: dict[Future[str], Published] = {}

    def finished(at_most: int) -> Iterator[tuple[Published, str]]:
        while len(under_way) > at_most:
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()

    def send(part: Part, file: Path) -> str:
        try:
            warehouse.replace(part, file, origin)
        except GridledgerError as trouble:
            return f"{part.table.name} {part.name}".rstrip() + f": {trouble}"
        finally:
            file.unlink(missing_ok=True)
        return ""

    pool = ThreadPoolExecutor(workers, thread_name_prefix="publish")
    try:
        for one in planned:
            for part in one.changed:
                yield from finished(2 * workers - 1)
                file = folder / f"{part.table.name}{part.name}.parquet"
                try:
                    write_part(store, part, file)
                except GridledgerError as trouble:
                    yield one, f"{part.table.name} {part.name}".rstrip() + f": {trouble}"
                    continue
                under_way[pool.submit(send, part, file)] = one
        yield from finished(0)
    finally:
        # Not waiting: an interrupted run would sit out the timeouts of what is under way.
        pool.shutdown(wait=False, cancel_futures=True)


def _finish(planned: Sequence[Published], *, dry_run: bool) -> int:
    """Show what was done, or would be, and the exit code that it means."""
    if dry_run:
        header = ("key", "parts", "rows", "to write", "rows to write", "unchanged", "to drop")
        console.show(
            "Nothing was written; this would be",
            header,
            [
                [one.key, one.parts, one.rows, len(one.changed), sum(p.rows for p in one.changed),
                 one.parts - len(one.changed), len(one.gone)]
                for one in planned
            ],
        )  # fmt: skip
        return 0
    console.show(
        "Published",
        ("key", "parts", "rows", "written now", "unchanged", "dropped"),
        [
            [one.key, one.parts, one.rows, one.written, one.parts - len(one.changed), one.dropped]
            for one in planned
        ],
    )
    failures = [failure for one in planned for failure in one.failures]
    for failure in failures:
        console.complain(f"error: {failure}")
    if not failures:
        return 0
    return 3 if any(one.written or one.dropped for one in planned) else 1
