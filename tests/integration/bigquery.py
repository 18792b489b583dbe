"""A stand-in of BigQuery on loopback: the REST calls that ``stores.bigquery`` makes, and no others.

DuckDB keeps the rows, sqlglot translates the SQL, objects come from an emulator of Google Cloud Storage.
It refuses what the documentation says that BigQuery refuses, in BigQuery's form. It shows that our
requests and statements mean what they should; whether Google takes them it cannot prove.

Its own faults are answered with 400: after a 5xx the client would try again for minutes.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.integration.bigquery_values import (
    CLUSTERED,
    TABLE_NAME,
    Refused,
    Resource,
    check_words,
    column,
    encoded,
    parquet,
    read_fields,
    shape,
)

PROJECT, LOCATION = "grid-test", "europe-west2"


class BigQuery:
    """One project on a free port of 127.0.0.1.

    ``before`` is called ahead of every step ("datasets.get", "tables.patch", …, and "load" or "query"
    when a job begins to run); it may wait, or raise ``Refused``.
    """

    def __init__(self, storage: str) -> None:
        import duckdb

        self._storage = storage
        self._db = duckdb.connect()
        self._db.execute("SET TimeZone = 'UTC'")
        self._lock = threading.RLock()
        self._jobs: dict[str, Resource] = {}
        self._answers: dict[str, Any] = {}
        self.datasets: dict[str, dict[str, Resource]] = {}
        self.before: Callable[[str], None] = lambda step: None
        self.steps: list[str] = []
        self.queries: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows by DuckDB's SQL, past all that is tested; tables are ``dataset.table``."""
        with self._lock:
            return self._db.execute(sql).fetchall()

    def idle(self) -> bool:
        """Whether every job that was sent has come to its end."""
        return all(job["status"]["state"] == "DONE" for job in self._jobs.values())

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, etag: str) -> Any:
        """What one request is answered with; raises Refused."""
        root = re.escape(f"/bigquery/v2/projects/{PROJECT}")
        dataset, table, job = r"/datasets(?:/(\w+))?", r"/tables(?:/([^/]+))?", r"/(?:jobs|queries)"
        if not path.startswith(f"/bigquery/v2/projects/{PROJECT}/"):
            raise Refused("notFound", f"Not found: {path} is no path of project {PROJECT}")
        if found := re.fullmatch(root + dataset, path):
            return self._on_datasets(method, found[1], body)
        if found := re.fullmatch(root + dataset + table, path):
            return self._on_tables(method, found[1], found[2], body, etag)
        if method == "POST" and re.fullmatch(root + "/jobs", path):
            return self._insert_job(body)
        if method == "GET" and (found := re.fullmatch(root + job + r"/([^/]+)", path)):
            return self._get_job(found[1], query, results="/queries/" in path)
        raise Refused("invalid", f"the stand-in has no {method} {path}")

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self.before(name)

    # --- datasets and tables ----------------------------------------------------------------------

    def _on_datasets(self, method: str, name: str | None, body: Any) -> Resource:
        self._step("datasets.get" if method == "GET" else "datasets.insert")
        if method == "POST":
            name = str(body["datasetReference"]["datasetId"])
            with self._lock:
                if name in self.datasets:
                    raise Refused("duplicate", f"Already Exists: Dataset {PROJECT}:{name}")
                self.datasets[name] = {}
                self._db.execute(f'CREATE SCHEMA "{name}"')
        self._tables(str(name))
        return {
            "kind": "bigquery#dataset",
            "datasetReference": {"projectId": PROJECT, "datasetId": name},
            "location": LOCATION,
        }

    def _tables(self, dataset: str) -> dict[str, Resource]:
        """The live tables of a dataset; what expired is gone."""
        if dataset not in self.datasets:
            raise Refused("notFound", f"Not found: Dataset {PROJECT}:{dataset}")
        tables = self.datasets[dataset]
        for name, table in list(tables.items()):
            if int(table.get("expirationTime", 2**62)) < time.time() * 1000:
                self._drop(dataset, name)
        return tables

    def _table(self, dataset: str, name: str) -> Resource:
        tables = self._tables(dataset)
        if name not in tables:
            raise Refused("notFound", f"Not found: Table {PROJECT}:{dataset}.{name}")
        return tables[name]

    def _drop(self, dataset: str, name: str) -> None:
        del self.datasets[dataset][name]
        self._db.execute(f'DROP TABLE "{dataset}"."{name}"')

    def _on_tables(self, method: str, dataset: str, name: str | None, body: Any, etag: str) -> Any:
        verbs = {"POST": "insert", "PATCH": "patch", "DELETE": "delete"}
        verb = verbs.get(method, "get" if name else "list")
        self._step(f"tables.{verb}")
        with self._lock:
            if verb == "list":
                return {"tables": list(self._tables(dataset).values())}
            if verb == "insert":
                return self._insert_table(dataset, body)
            table = self._table(dataset, str(name))
            if verb == "delete":
                self._drop(dataset, str(name))
                return {}
            if etag and etag != table["etag"]:
                raise Refused("conditionNotMet", "Precondition Failed")
            return self._patch_table(table, body) if verb == "patch" else table

    def _insert_table(self, dataset: str, body: Any) -> Resource:
        name = body["tableReference"]["tableId"]
        if name in self._tables(dataset):
            raise Refused("duplicate", f"Already Exists: Table {PROJECT}:{dataset}.{name}")
        if not TABLE_NAME.fullmatch(name):
            raise Refused("invalid", f'Invalid table ID "{name}".')
        fields = read_fields(body["schema"]["fields"])
        kinds = {field["name"]: field["type"] for field in fields}
        part = body.get("timePartitioning")
        if part and kinds.get(part.get("field")) not in ("TIMESTAMP", "DATE"):
            raise Refused("invalid", f"The field specified for partitioning cannot be {part}.")
        by = body.get("clustering", {}).get("fields", [])
        if len(by) > 4 or any(kinds.get(name) not in CLUSTERED for name in by):
            raise Refused("invalid", f"Entity cannot be clustered by {by}.")
        check_words(body)
        table = {
            **body,
            "kind": "bigquery#table",
            "type": "TABLE",
            "schema": {"fields": fields},
            "location": LOCATION,
            "creationTime": str(int(time.time() * 1000)),
            "etag": "1",
        }
        columns = ", ".join(map(column, fields))
        self._db.execute(f'CREATE TABLE "{dataset}"."{name}" ({columns})')
        self.datasets[dataset][name] = table
        return table

    def _patch_table(self, table: Resource, body: Any) -> Resource:
        reference = table["tableReference"]
        where = f'"{reference["datasetId"]}"."{reference["tableId"]}"'
        if "schema" in body:
            old = {field["name"]: field for field in table["schema"]["fields"]}
            new = {field["name"]: field for field in read_fields(body["schema"]["fields"])}
            changes = []
            for name, field in old.items():
                if name not in new:
                    raise Refused(
                        "invalid", f"Provided Schema does not match Table: {name} missing"
                    )
                if new[name]["type"] != field["type"]:
                    raise Refused(
                        "invalid", f"Field {name} has changed type to {new[name]['type']}"
                    )
                if (field["mode"], new[name]["mode"]) == ("NULLABLE", "REQUIRED"):
                    raise Refused("invalid", f"Field {name} has changed mode to REQUIRED")
                if field["mode"] != new[name]["mode"]:
                    changes.append(f'ALTER COLUMN "{name}" DROP NOT NULL')
            for name in new.keys() - old.keys():
                if new[name]["mode"] == "REQUIRED":
                    raise Refused("invalid", f"Cannot add required columns to a table: {name}")
                changes.append(f"ADD COLUMN {column(new[name])}")
            for change in changes:
                self._db.execute(f"ALTER TABLE {where} {change}")
            body = body | {"schema": {"fields": list(new.values())}}
        check_words(body)
        table.update(body, etag=str(int(table["etag"]) + 1))
        return table

    # --- jobs -------------------------------------------------------------------------------------

    def _insert_job(self, body: Any) -> Resource:
        self._step("jobs.insert")
        reference = {"projectId": PROJECT, "location": LOCATION, **body.get("jobReference", {})}
        name = reference["jobId"]
        if reference["location"] != LOCATION:
            raise Refused(
                "notFound", f"Not found: Dataset was not found in {reference['location']}"
            )
        # A job is under way for as long as nobody has asked for it.
        running = {"state": "RUNNING"}
        job = body | {"id": name, "jobReference": reference, "status": running}
        with self._lock:
            if name in self._jobs:
                raise Refused("duplicate", f"Already Exists: Job {PROJECT}:{name}")
            self._jobs[name] = job
        kind = "load" if "load" in job["configuration"] else "query"
        job["configuration"]["jobType"] = kind.upper()
        job["statistics"] = {"creationTime": str(int(time.time() * 1000)), kind: {}}
        done: Resource = {"state": "DONE"}
        try:
            self._step(kind)
            with self._lock:
                run = self._load if kind == "load" else self._query
                self._answers[name] = run(job["configuration"][kind])
        except Refused as no:
            done["errorResult"] = {"reason": no.reason, "message": str(no), "location": kind}
            done["errors"] = [done["errorResult"]]
        job["status"] = done
        return job | {"status": running}

    def _get_job(self, name: str, query: dict[str, str], *, results: bool) -> Resource:
        self._step("jobs.getQueryResults" if results else "jobs.get")
        if name not in self._jobs or query.get("location") != LOCATION:
            raise Refused("notFound", f"Not found: Job {PROJECT}:{query.get('location')}.{name}")
        job = self._jobs[name]
        if not results:
            return dict(job)
        if failed := job["status"].get("errorResult"):
            raise Refused(failed["reason"], failed["message"])
        fields, rows = encoded(self._answers[name])
        found = {"jobReference": job["jobReference"], "jobComplete": True, "totalRows": len(rows)}
        if query.get("maxResults") != "0":
            found["rows"] = rows
        return found | {"schema": {"fields": fields}}

    def _load(self, job: Resource) -> None:
        """Rows of Parquet files into a table; all or none."""
        target = job["destinationTable"]
        dataset, name = target["datasetId"], target["tableId"]
        fields = read_fields(job["schema"]["fields"])
        if job.get("sourceFormat") != "PARQUET" or job.get("autodetect"):
            raise Refused("invalid", "the stand-in loads Parquet with a schema only")
        table = self._table(dataset, name)
        empty = not self._count(dataset, name)
        if job.get("writeDisposition", "WRITE_APPEND") == "WRITE_EMPTY" and not empty:
            raise Refused("duplicate", f"Already Exists: Table {PROJECT}:{dataset}.{name}")
        if [shape(field) for field in fields] != [shape(f) for f in table["schema"]["fields"]]:
            raise Refused("invalid", f"Provided Schema does not match Table {dataset}.{name}.")
        files = [parquet(uri, self._object(uri), fields) for uri in job["sourceUris"]]
        with self._all_or_nothing():
            if job["writeDisposition"] == "WRITE_TRUNCATE":
                self._db.execute(f'DELETE FROM "{dataset}"."{name}"')
            for rows in files:
                self._db.register("incoming", rows)
                self._db.execute(f'INSERT INTO "{dataset}"."{name}" BY NAME FROM incoming')
                self._db.unregister("incoming")

    def _count(self, dataset: str, name: str) -> int:
        ((count,),) = self._db.execute(f'SELECT count(*) FROM "{dataset}"."{name}"').fetchall()
        return int(count)

    def _object(self, uri: str) -> bytes:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        address = f"{self._storage}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
        try:
            with urllib.request.urlopen(address, timeout=10) as found:
                content: bytes = found.read()
                return content
        except urllib.error.HTTPError:
            raise Refused("notFound", f"Not found: URI {uri}") from None

    # --- SQL --------------------------------------------------------------------------------------

    def _query(self, job: Resource) -> Any:
        """The answer of the last statement, as Arrow; a transaction stands or falls as a whole."""
        import sqlglot
        from sqlglot import exp

        if job.get("useLegacySql", True):
            raise Refused("invalidQuery", "the stand-in knows no legacy SQL")
        self.queries.append(job["query"])
        try:
            script = [each for each in sqlglot.parse(job["query"], read="bigquery") if each]
        except sqlglot.errors.SqlglotError as trouble:
            raise Refused("invalidQuery", f"Syntax error: {trouble}") from None
        atomic = isinstance(script[0], exp.Transaction)
        if atomic != isinstance(script[-1], exp.Commit):
            raise Refused("invalidQuery", "the stand-in expects a transaction to span the script")
        answer = None
        with self._all_or_nothing() if atomic else contextlib.nullcontext():
            for statement in script[1:-1] if atomic else script:
                answer = self._run(self._translated(statement, job.get("queryParameters", [])))
        return answer

    def _translated(self, statement: Any, parameters: list[Resource]) -> Any:
        from sqlglot import exp

        if not isinstance(statement, exp.Select | exp.Merge | exp.Insert | exp.Delete):
            raise Refused("invalidQuery", f"the stand-in runs no {statement.key.upper()}")
        if isinstance(statement, exp.Delete) and not statement.args.get("where"):
            raise Refused("invalidQuery", "DELETE must have a WHERE clause")
        for table in statement.find_all(exp.Table):
            if table.catalog != PROJECT:
                raise Refused("invalidQuery", f'Table "{table.name}" must be qualified')
            self._table(table.db, table.name)
            table.set("catalog", None)
        given = {each["name"]: each for each in parameters}
        for asked in list(statement.find_all(exp.Parameter)):
            if asked.name not in given:
                raise Refused("invalidQuery", f"Query parameter '{asked.name}' not found")
            value = given[asked.name]["parameterValue"]["value"]
            kind = given[asked.name]["parameterType"]["type"]
            asked.replace(exp.cast(exp.Literal.string(value), kind, dialect="bigquery"))
        return statement

    def _run(self, statement: Any) -> Any:
        import duckdb
        from sqlglot import exp

        try:
            if isinstance(statement, exp.Merge):
                self._refuse_many_matches(statement)
            answer = self._db.sql(statement.sql("duckdb"))
            return answer.to_arrow_table() if isinstance(statement, exp.Select) else None
        except duckdb.Error as trouble:
            raise Refused("invalidQuery", str(trouble)) from None

    def _refuse_many_matches(self, merge: Any) -> None:
        target, source, on = (
            merge.args[part].sql("duckdb") for part in ("this", "using", "on")
        )  # fmt: skip
        alias = merge.this.alias_or_name
        ((most,),) = self._db.execute(
            f"SELECT max(matches) FROM (SELECT count(*) AS matches FROM {target} JOIN {source} "
            f"ON {on} GROUP BY {alias}.rowid)"
        ).fetchall()
        if most and most > 1:
            raise Refused(
                "invalidQuery",
                "UPDATE/MERGE must match at most one source row for each target row",
            )

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        import duckdb

        self._db.execute("BEGIN")
        try:
            yield
        except duckdb.Error as trouble:
            self._db.execute("ROLLBACK")
            raise Refused("invalid", str(trouble)) from None
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- the server -------------------------------------------------------------------------------

    def __enter__(self) -> BigQuery:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._db.close()


def _handler(bigquery: BigQuery) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second would wait for the client's receipt

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                status, answer = 200, bigquery.answer(
                    self.command,
                    unquote(parts.path),
                    {name: values[-1] for name, values in parse_qs(parts.query).items()},
                    json.loads(body or b"null"),
                    self.headers.get("If-Match", ""),
                )  # fmt: skip
            except Refused as no:
                status, answer = no.status, _error(no.status, no.reason, str(no))
            except Exception as fault:
                status, answer = 400, _error(400, "invalid", f"fault of the stand-in: {fault!r}")
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

    return Handler


def _error(status: int, reason: str, message: str) -> Resource:
    listed = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": status, "message": message, "errors": listed}}
