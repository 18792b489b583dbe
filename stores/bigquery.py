"""A BigQuery dataset as a warehouse: tables by day, brought up to date month by month with MERGE.

A part goes as Parquet to a staging bucket, from there by a load job into a staging table, and from there
with one MERGE into its table. The MERGE and the line in ``_gridledger`` that says what stands there now are
one transaction. That table is only ever added to, because BigQuery aborts transactions that change the
same rows at once; the newest line of a part holds.

Credentials are the application default ones of Google Cloud.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as JobTimeout
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

from domain.errors import GridledgerError, StoreError, StoreMismatch, UsageError
from domain.settlement import month_window
from domain.tables import Column, Table
from domain.windows import Window, format_instant
from stores.objects import Folder
from stores.warehouse import Part, Warehouse
from utils import log

try:
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY
    from requests import RequestException
except ImportError:
    raise UsageError(
        "bigquery:// needs google-cloud-bigquery, which is not installed: type "
        "'python3 run.py --install-deps bigquery' first."
    ) from None

# As the API spells them in its answers.
TYPES = {
    "time": "TIMESTAMP",
    "date": "DATE",
    "float": "FLOAT",
    "int": "INTEGER",
    "flag": "BOOLEAN",
    "text": "STRING",
    "decimal": "BIGNUMERIC",  # NUMERIC has nine digits after the point, exact energy has more
}
MOST_CLUSTERED = 4
LOG = "_gridledger"
LOG_COLUMNS = {
    "table_name": "STRING",
    "part": "STRING",
    "fingerprint": "STRING",  # empty for a part that was dropped
    "row_count": "INTEGER",
    "origin": "STRING",
    "published_at": "TIMESTAMP",
}
STAGING = "_gridledger_staging"
ORIGIN = "gridledger_origin"  # the label that says that a table is ours
# How long a request may take, how long it is tried again, and how long a job is waited for.
REQUEST_S, JOB_S = 60.0, 1800.0
RETRY, JOB_RETRY = DEFAULT_RETRY.with_timeout(120.0), DEFAULT_JOB_RETRY.with_timeout(JOB_S)
PATIENCE: dict[str, Any] = {"retry": RETRY, "timeout": REQUEST_S}
LEFTOVERS = timedelta(days=1)
_STAMP = "%Y%m%dT%H%M%SZ"
# Where a stand-in listens; the client library's own variable.
EMULATOR = "BIGQUERY_EMULATOR_HOST"


class BigQueryWarehouse(Warehouse):
    """The dataset ``project.dataset``, which must exist; ``staging`` is a folder in a bucket near it.

    ``titles`` name tables for people; ``now`` dates what a killed run leaves behind. Raises UsageError for
    a dataset that does not exist or without credentials, StoreError where Google refuses.
    """

    def __init__(
        self, project: str, dataset: str, staging: Folder, titles: Mapping[str, str], now: datetime
    ) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9.:-]+", project) or not re.fullmatch(r"\w+", dataset):
            raise UsageError(
                f"bigquery://{project}/{dataset} is no dataset: write bigquery://PROJECT/DATASET."
            )
        self._address, self._where = f"{project}.{dataset}", f"bigquery://{project}/{dataset}"
        self._staging = staging
        self._titles = titles
        self._now = now
        self._run = f"{now.astimezone(UTC):{_STAMP}}_{token_hex(4)}"
        self._lock = threading.Lock()
        self._begun = False
        self._merging: dict[str, threading.Lock] = {}
        with self._our_errors():
            self._client = _client(project)
            found = self._found(self._client.get_dataset, self._address)
        if found is None:
            # A location cannot be changed later, nor guessed: whoever makes the dataset chooses.
            raise UsageError(
                f"the dataset {self._address} does not exist: make it where the staging bucket is, with "
                f"'bq mk --location=LOCATION --dataset {project}:{dataset}'."
            )
        self._location = found.location
        self._staged = staging.names(STAGING)  # also says at once whether there is such a bucket

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def origin(self) -> str:
        return next((origin for origin in self._tables.values() if origin), "")

    def check(self, table: Table) -> None:
        self._checked(table)

    def known(self, table: Table) -> dict[str, str]:
        return self._known.get(table.name, {}) if table.name in self._tables else {}

    def replace(self, part: Part, file: Path, origin: str) -> None:
        table = part.table
        piece = f"{table.name}_{part.name}".replace("-", "").strip("_")
        staged, name = f"{STAGING}_{self._run}_{piece}", f"{STAGING}/{self._run}/{piece}.parquet"
        self._staging.take(name, file)
        try:
            with self._our_errors():
                merging = self._prepared(table, origin)
                self._load(table, f"{self._staging.address}/{name}", staged)
                here, there = self._ref(table.name), self._ref(staged)
                change = merge_statement(table, here, there, part.window)
                # Neighbouring months share a day, of which BigQuery allows one change at a time.
                with merging:
                    self._become(table, part.name, change, part.fingerprint, part.rows, origin)
        finally:
            self._remove(staged, name)

    def drop(self, table: Table, name: str) -> None:
        window = month_window(datetime.strptime(name, "%Y-%m").date()) if name else None
        where = _inside("t", table, window) if window else "TRUE"
        change = f"DELETE FROM {self._ref(table.name)} AS t WHERE {where}"
        with self._our_errors():
            self._become(table, name, change, "", 0, self.origin())

    # --- what stands there ------------------------------------------------------------------------

    @cached_property
    def _tables(self) -> dict[str, str]:
        """The dataset's tables with the origin of their rows; empty for a table that is not ours."""
        with self._our_errors():
            found = self._client.list_tables(self._address, **PATIENCE)
            return {item.table_id: item.labels.get(ORIGIN, "") for item in found}

    @cached_property
    def _known(self) -> dict[str, dict[str, str]]:
        """Fingerprints by table and part."""
        known: dict[str, dict[str, str]] = {}
        if LOG in self._tables:
            with self._our_errors():
                for row in self._query(newest_lines(self._ref(LOG)), {}):
                    if row["fingerprint"]:
                        known.setdefault(row["table_name"], {})[row["part"]] = row["fingerprint"]
        return known

    def _checked(self, table: Table) -> Any:
        """The live table, or None; StoreMismatch where ours does not fit into it."""
        if table.name not in self._tables:
            return None
        with self._our_errors():
            live = self._found(self._client.get_table, f"{self._address}.{table.name}")
        if live is None:
            return None
        where = f"{self._address}.{table.name}"
        if ORIGIN not in live.labels:
            raise StoreMismatch(
                f"{where} was not made by gridledger: it was left untouched. Publish into another dataset."
            )
        ours = {column.name: column for column in table.columns}
        there = {field.name: field for field in live.schema}
        for name, column in ours.items():
            kind = TYPES[column.dtype]
            if name not in there and not column.optional:
                raise StoreMismatch(
                    f"{where} lacks the required column {name} ({kind}), which BigQuery cannot add: delete "
                    "the table, the next publish makes it anew."
                )
            if name in there and there[name].field_type != kind:
                raise StoreMismatch(
                    f"{where}.{name} is {there[name].field_type} and should be {kind}: delete the table, "
                    "the next publish makes it anew."
                )
        for name, field in there.items():
            if field.mode == "REPEATED" or (field.mode == "REQUIRED" and name not in ours):
                raise StoreMismatch(
                    f"{where}.{name} is {field.mode}, which nothing of ours fills: delete the table, the "
                    "next publish makes it anew."
                )
        return live

    # --- writing ----------------------------------------------------------------------------------

    def _prepared(self, table: Table, origin: str) -> threading.Lock:
        """The lock of a table that stands there and fits."""
        with self._lock:
            if not self._begun:
                self._begin()
            if table.name not in self._merging:
                self._make_fit(table, origin)
                self._merging[table.name] = threading.Lock()
            return self._merging[table.name]

    def _begin(self) -> None:
        """Make the table of fingerprints, and remove what runs of long ago could not."""
        if LOG not in self._tables:
            fields = [
                bigquery.SchemaField(name, kind, "REQUIRED") for name, kind in LOG_COLUMNS.items()
            ]
            made = bigquery.Table(f"{self._address}.{LOG}", fields)
            made.description = "What gridledger published; the newest line of a part holds."
            self._client.create_table(made, exists_ok=True, **PATIENCE)
        oldest = f"{self._now.astimezone(UTC) - LEFTOVERS:{_STAMP}}"
        for name in self._staged:  # staging tables expire by themselves
            if name.removeprefix(f"{STAGING}/") < oldest:
                self._staging.remove(name)
        self._begun = True

    def _make_fit(self, table: Table, origin: str) -> None:
        live = self._checked(table)
        if live is None:
            live = bigquery.Table(f"{self._address}.{table.name}", _schema(table))
            if table.time:
                live.time_partitioning = bigquery.TimePartitioning(field=table.time)
            live.clustering_fields = clustering(table) or None
            live.labels = {ORIGIN: origin}
            live.description = (
                f"{self._titles.get(table.name, table.name)}. Times are UTC, intervals are labelled by "
                f"their start. Origin: {origin}."
            )
            self._client.create_table(live, **PATIENCE)
            return
        fields = {field.name: field for field in live.schema}
        ours = {field.name: field for field in _schema(table)}
        for name, field in ours.items():
            if name not in fields or (fields[name].mode, field.mode) == ("REQUIRED", "NULLABLE"):
                fields[name] = bigquery.SchemaField.from_api_repr(field.to_api_repr())
        if list(fields.values()) != list(live.schema):
            live.schema = list(fields.values())
            self._client.update_table(live, ["schema"], **PATIENCE)

    def _load(self, table: Table, uri: str, staged: str) -> None:
        """Rows of a Parquet file into a new table that expires."""
        made = bigquery.Table(f"{self._address}.{staged}", _schema(table))
        made.expires = self._now + LEFTOVERS
        self._client.create_table(made, **PATIENCE)
        config = bigquery.LoadJobConfig(
            schema=_schema(table),
            source_format="PARQUET",
            # Into the table as it is: to overwrite it might lose its expiry.
            write_disposition="WRITE_EMPTY",
            decimal_target_types=[TYPES["decimal"]],
        )
        job = self._client.load_table_from_uri(
            uri, made, job_config=config, location=self._location, **PATIENCE
        )
        job.result(retry=RETRY, timeout=JOB_S)

    def _become(
        self, table: Table, part: str, change: str, fingerprint: str, rows: int, origin: str
    ) -> None:
        """Change a table and say so in the log, both or neither."""
        line = dict(zip(LOG_COLUMNS, (table.name, part, fingerprint, rows, origin), strict=False))
        self._query(
            f"BEGIN TRANSACTION;\n{change};\n"
            f"INSERT INTO {self._ref(LOG)} ({', '.join(LOG_COLUMNS)})\n"
            f"VALUES ({', '.join(f'@{name}' for name in line)}, CURRENT_TIMESTAMP());\n"
            "COMMIT TRANSACTION",
            line,
        )

    def _remove(self, staged: str, name: str) -> None:
        """Remove what was staged; what cannot be removed goes later, so the part does not fail for it."""
        try:
            with self._our_errors():
                self._client.delete_table(
                    f"{self._address}.{staged}", not_found_ok=True, **PATIENCE
                )
            self._staging.remove(name)
        except GridledgerError as trouble:
            log.warning("bigquery: %s was not removed yet: %s", staged, trouble)

    # --- the client -------------------------------------------------------------------------------

    def _query(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        given = [
            bigquery.ScalarQueryParameter(
                name, "INT64" if isinstance(value, int) else "STRING", value
            )
            for name, value in parameters.items()
        ]
        config = bigquery.QueryJobConfig(query_parameters=given)
        job = self._client.query(
            sql, config, location=self._location, job_retry=JOB_RETRY, **PATIENCE
        )
        return job.result(retry=RETRY, timeout=JOB_S, job_retry=JOB_RETRY)

    def _found(self, get: Any, name: str) -> Any:
        """What the client gets by a name; None where there is no such thing."""
        try:
            return get(name, **PATIENCE)
        except api.NotFound:
            return None

    def _ref(self, table: str) -> str:
        return f"`{self._address}.{table}`"

    @contextlib.contextmanager
    def _our_errors(self) -> Iterator[None]:
        where = self._where
        try:
            yield
        except (api.RetryError, auth.TransportError, RequestException, JobTimeout, ConnectionError):
            raise StoreError(
                f"{where} gave no answer in time: what was published stays; publish again later."
            ) from None
        except auth.GoogleAuthError:
            # Their words may quote a key file.
            raise UsageError(
                f"{where} needs credentials of Google Cloud that are valid: type 'gcloud auth "
                "application-default login', or run as a service account."
            ) from None
        except api.GoogleAPICallError as no:
            said, reason = _words(no)
            if reason == "accessDenied" or isinstance(no, api.Unauthorized):
                raise StoreError(
                    f"{where} is not allowed ({said}): the account needs BigQuery Data Editor on the "
                    "dataset, BigQuery Job User on the project and Storage Object User on the bucket."
                ) from None
            raise StoreError(
                f"{where} refused ({said}): what was published stays as it was. Publish again; if that "
                "does not help, please report it."
            ) from None


def merge_statement(table: Table, target: str, staged: str, window: Window | None) -> str:
    """The MERGE that makes the target's rows of a window exactly the staged ones.

    Without a window, all rows. The window stands in both conditions, so that only its days are read.
    """
    inside = [_inside("t", table, window)] if window else []
    on = [*(f"t.{_quoted(c)} = s.{_quoted(c)}" for c in table.key), *inside]
    names = ", ".join(map(_quoted, table.names))
    lines = [f"MERGE INTO {target} AS t USING {staged} AS s", f"ON {' AND '.join(on)}"]
    if table.values:
        differ = (f"t.{_quoted(c)} IS DISTINCT FROM s.{_quoted(c)}" for c in table.values)
        become = (f"{_quoted(c)} = s.{_quoted(c)}" for c in table.values)
        lines += [f"WHEN MATCHED AND ({' OR '.join(differ)}) THEN UPDATE SET {', '.join(become)}"]
    values = ", ".join(f"s.{_quoted(c)}" for c in table.names)
    lines += [
        f"WHEN NOT MATCHED BY TARGET THEN INSERT ({names}) VALUES ({values})",
        " AND ".join(["WHEN NOT MATCHED BY SOURCE", *inside]) + " THEN DELETE",
    ]
    return "\n".join(lines)


def newest_lines(log_table: str) -> str:
    """The query for what the log says of every part now."""
    return (
        f"SELECT table_name, part, fingerprint FROM {log_table} WHERE TRUE\n"
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name, part ORDER BY published_at DESC) = 1"
    )


def clustering(table: Table) -> list[str]:
    """The key columns to cluster by: time last, which the partition has told to the day already."""
    by = [name for name in table.key if table.column(name).dtype != "float"]
    return sorted(by, key=lambda name: name == table.time)[:MOST_CLUSTERED]


def _inside(alias: str, table: Table, window: Window) -> str:
    time = f"{alias}.{_quoted(table.time)}"
    start, end = map(format_instant, (window.start, window.end))
    return f"{time} >= TIMESTAMP '{start}' AND {time} < TIMESTAMP '{end}'"


def _quoted(name: str) -> str:
    return f"`{name}`"


def _schema(table: Table) -> list[Any]:
    return [
        bigquery.SchemaField(
            column.name,
            TYPES[column.dtype],
            "NULLABLE" if column.optional else "REQUIRED",
            description=_description(column),
        )
        for column in table.columns
    ]


def _description(column: Column) -> str:
    return f"{column.description} [{column.unit}]" if column.unit else column.description


def _client(project: str) -> Any:
    anonymous: Any = AnonymousCredentials
    return bigquery.Client(project, anonymous() if EMULATOR in os.environ else None)


def _words(no: Any) -> tuple[str, str]:
    """The first line of what Google said, without the address that was asked, and its reason."""
    first: dict[str, str] = next(iter(no.errors), {})
    said = first.get("message") or str(no.message)
    return said.strip().splitlines()[0].rstrip("."), first.get("reason", "")
