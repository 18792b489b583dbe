"""``publish --to bigquery://…``: the real command, client, Parquet files and bucket against a stand-in.

What the tables must hold is typed by hand, or read from the store with plain ``sqlite3``.
"""

from __future__ import annotations

import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import main
import storage
from domain.errors import GridledgerError
from domain.settlement import parse_range
from domain.tables import Table, conform
from tests.integration.bigquery import PROJECT, BigQuery
from tests.integration.bigquery_values import Refused
from tests.integration.buckets import BUCKET, gcs_server
from tests.integration.conftest import Cli, instant, rows_of, wait_until
from tests.integration.test_store_contract import KINDS, METERED, PLAIN, UNITS, metered, write

pytest.importorskip("gcp_storage_emulator", reason="type 'python3 run.py test --all'")

TO, STAGING = f"bigquery://{PROJECT}/grid", f"gs://{BUCKET}/here"
TABLES = {table.name: table for table in (PLAIN, METERED, KINDS, UNITS)}
LATER = instant("2024-11-20T06:00:00Z")
# The half hour around the end of October, in which the British month begins at midnight UTC.
TURN = [("2024-10-31T23:30:00Z", 49.9), ("2024-10-31T23:45:00Z", 50.0), ("2024-11-01T00:00:00Z", 50.1)]  # fmt: skip


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an emulator of Google Cloud Storage with one bucket."""
    with gcs_server() as settings:
        yield settings["STORAGE_EMULATOR_HOST"]


@pytest.fixture
def google(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQuery]:
    """The stand-in with an empty dataset and bucket, where every client of this test will find them."""
    urllib.request.urlopen(f"{bucket}/wipe?keep-buckets=1", timeout=10).close()
    with BigQuery(bucket) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        server.answer(
            "POST",
            f"/bigquery/v2/projects/{PROJECT}/datasets",
            {},
            {"datasetReference": {"datasetId": "grid"}},
            "",
        )
        server.steps.clear()
        yield server


@dataclass
class Done:
    """What the command came to."""

    code: int
    said: str


class Desk:
    """A store with tables of the tests, and the command that publishes it."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def store(self) -> Any:
        return storage.open_store(f"sqlite:///{self.path}")

    def publish(self, *words: str, to: str = TO, staging: str = STAGING) -> Done:
        arguments = ["publish", "--to", to, "--staging", staging, *words]
        self._capsys.readouterr()
        try:
            code = main.app(arguments, standalone_mode=False)
        except GridledgerError as trouble:
            return Done(trouble.exit_code, str(trouble))
        told = self._capsys.readouterr()
        return Done(code, told.out + told.err)


@pytest.fixture
def desk(
    tmp_path: Path,
    google: BigQuery,
    clean_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    path = tmp_path / "grid.db"
    monkeypatch.setenv("STORE_URL", f"sqlite:///{path}")
    monkeypatch.setattr(storage, "tables", lambda: TABLES)
    return Desk(path, capsys)


def levels(*rows: tuple[str, float]) -> Any:
    """A frame of the plain table."""
    data = {"moment": [row[0] for row in rows], "level_hz": [row[1] for row in rows]}
    return conform(PLAIN, data, "by hand").frame


def fill(desk: Desk) -> None:
    """Every kind of value and of table."""
    kinds = {
        "moment": ["2024-10-05T00:00:00Z"] * 3 + ["2024-11-05T00:00:00Z"],
        "name": ["a", "b", "c", "a"],
        "amount_eur": ["0.00012345678901", "-99999999999999999999.999999999999999999", None, "12.30"],
        "figure": [0.1, 1e300, None, -5e-324],
        "sure": [True, False, None, None],
        "day": ["2024-02-29", "0001-01-01", "9999-12-31", None],
        "count": [2**62, -1, None, 0],
        "word": ["é 漢 🔌\n", "'; DROP TABLE kinds; --", "", None],
    }  # fmt: skip
    units = {"unit_id": ["A", "B"], "capacity_mw": [1.5, None]}
    with desk.store() as store:
        write(store, PLAIN, levels(*TURN))
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00"), ("10:00", "B", -2.5, "09:00")))
        write(store, KINDS, conform(KINDS, kinds, "by hand").frame)
        write(store, UNITS, conform(UNITS, units, "by hand").frame)


def as_published(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    """A row of SQLite as BigQuery's client gives it."""
    read: dict[str, Callable[[Any], Any]] = {
        "time": instant,
        "date": date.fromisoformat,
        "flag": bool,
        "decimal": Decimal,
    }
    return tuple(
        None if row[c.name] is None else read.get(c.dtype, lambda value: value)(row[c.name])
        for c in table.columns
    )


def fill_frequency(cli: Cli) -> None:
    """Three samples of a dataset that there is, for a process of its own."""
    table = storage.tables()["frequency"]
    time, level = (column.spelling for column in table.columns)
    data = {time: [row[0] for row in TURN], level: [row[1] for row in TURN]}
    with storage.open_store(cli.environment["STORE_URL"]) as store:
        write(store, table, conform(table, data, "by hand").frame)


def client() -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    return Client(PROJECT, AnonymousCredentials(), location="europe-west2")


def objects() -> list[str]:
    from stores.objects import open_folder

    return open_folder(f"gs://{BUCKET}").names()


def level_rows(google: BigQuery) -> list[tuple[str, float]]:
    found = google.select("SELECT strftime(moment, '%xT%XZ'), level_hz FROM grid.plain ORDER BY 1")
    return [(str(moment), hertz) for moment, hertz in found]


# --- what is published -------------------------------------------------------------------------


def test_copies_equal_the_store(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    done = desk.publish()
    assert done.code == 0, done.said
    for table in TABLES.values():
        columns = ", ".join(f"`{name}`" for name in table.names)
        sql = f"SELECT {columns} FROM `{PROJECT}.grid.{table.name}`"
        found = [tuple(row.values()) for row in client().query(sql).result()]
        stored = [as_published(table, row) for row in rows_of(desk.path, table.name)]
        assert sorted(found, key=lambda row: str(row[:2])) == stored, table.name
        assert len(found) > 1
    assert google.select("SELECT amount_eur FROM grid.kinds WHERE name = 'a' ORDER BY 1") == [
        (Decimal("0.00012345678901"),),
        (Decimal("12.3"),),
    ]
    assert google.select(
        "SELECT table_name, part, row_count, origin FROM grid._gridledger ORDER BY 1, 2"
    ) == [
        ("kinds", "2024-10", 3, "synthetic"),
        ("kinds", "2024-11", 1, "synthetic"),
        ("metered", "2024-10", 2, "synthetic"),
        ("plain", "2024-10", 2, "synthetic"),
        ("plain", "2024-11", 1, "synthetic"),
        ("units", "", 2, "synthetic"),
    ]
    assert sorted(google.datasets["grid"]) == ["_gridledger", *sorted(TABLES)]
    assert objects() == []


def test_tables_are_described(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("kinds", "metered", "units").code == 0
    kinds, metered, units = (
        google.datasets["grid"][name] for name in ("kinds", "metered", "units")
    )
    assert [(f["name"], f["type"], f["mode"]) for f in kinds["schema"]["fields"]] == [
        ("moment", "TIMESTAMP", "REQUIRED"),
        ("name", "STRING", "REQUIRED"),
        ("amount_eur", "BIGNUMERIC", "NULLABLE"),
        ("figure", "FLOAT", "NULLABLE"),
        ("sure", "BOOLEAN", "NULLABLE"),
        ("day", "DATE", "NULLABLE"),
        ("count", "INTEGER", "NULLABLE"),
        ("word", "STRING", "NULLABLE"),
    ]
    assert metered["schema"]["fields"][2]["description"] == "Mean power [MW]"
    assert metered["timePartitioning"] == {"type": "DAY", "field": "period_start"}
    assert metered["clustering"] == {"fields": ["unit_id", "period_start"]}
    assert metered["labels"] == {"gridledger_origin": "synthetic"}
    assert metered["description"].endswith("Times are UTC, intervals are labelled by their start. Origin: synthetic.")  # fmt: skip
    assert "requirePartitionFilter" not in metered
    assert "timePartitioning" not in units
    assert units["clustering"] == {"fields": ["unit_id"]}


def test_every_declared_table_can_be_made(google: BigQuery) -> None:
    from stores.bigquery import BigQueryWarehouse
    from stores.objects import open_folder

    tables = {table.name: table for table in storage.tables().values()}
    with BigQueryWarehouse(PROJECT, "grid", open_folder(STAGING), {}, datetime.now(UTC)) as grid:
        for table in tables.values():
            grid._make_fit(table, "live")
    made = google.datasets["grid"]
    assert len(made) == len(tables) > 50
    for name, table in tables.items():
        assert made[name].get("timePartitioning", {}).get("field", "") == table.time
        clustered = made[name]["clustering"]["fields"]
        assert len(clustered) == min(4, len(table.key)), name
        assert set(clustered) <= set(table.key)


def test_title_and_command_as_a_process(offline: Cli, google: BigQuery, bucket: str) -> None:
    fill_frequency(offline)
    there = {"BIGQUERY_EMULATOR_HOST": google.url, "STORAGE_EMULATOR_HOST": bucket}
    done = offline("publish", "--to", TO, "--staging", STAGING, "--workers", "2", **there)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-6:] == ["frequency", "2", "3", "2", "0", "0"]
    assert google.datasets["grid"]["frequency"]["description"].startswith("System frequency")
    assert google.select("SELECT count(*), sum(frequency_hz) FROM grid.frequency") == [(3, 150.0)]


def test_again_adds_nothing(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish().code == 0
    before = google.select("FROM grid._gridledger ORDER BY ALL")
    google.steps.clear()
    google.queries.clear()
    assert desk.publish().code == 0
    assert google.queries == [
        f"SELECT table_name, part, fingerprint FROM `{PROJECT}.grid._gridledger` WHERE TRUE\n"
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name, part ORDER BY published_at DESC) = 1"
    ]
    changes = ("load", "tables.insert", "tables.patch", "tables.delete")
    assert not set(changes) & set(google.steps)
    assert google.select("FROM grid._gridledger ORDER BY ALL") == before


def test_revised_day_replaces_its_rows_and_no_other_month(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    # A month whose rows did not change is not read, not even to be mended.
    google.select("UPDATE grid.plain SET level_hz = 1 WHERE moment = '2024-11-01T00:00:00Z'")
    revised = levels(("2024-10-31T23:30:00Z", 49.5), ("2024-10-31T12:00:00Z", 50.2))
    with desk.store() as store:
        write(store, PLAIN, revised, LATER, replace=parse_range("2024-10-31", "2024-10-31"))
    assert "49.5" not in str(level_rows(google))
    done = desk.publish("plain")
    assert done.code == 0
    assert done.said.split()[-6:] == ["plain", "2", "3", "1", "1", "0"]
    assert level_rows(google) == [
        ("2024-10-31T12:00:00Z", 50.2),
        ("2024-10-31T23:30:00Z", 49.5),
        ("2024-11-01T00:00:00Z", 1.0),
    ]


def test_part_that_is_gone_is_dropped_and_may_return(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    with desk.store() as store:
        nothing = levels()
        write(store, PLAIN, nothing, LATER, replace=parse_range("2024-11-01", "2024-11-01"))
    done = desk.publish("plain")
    assert (done.code, done.said.split()[-1]) == (0, "1")
    assert level_rows(google) == TURN[:2]
    line = "SELECT fingerprint, row_count FROM grid._gridledger ORDER BY published_at DESC LIMIT 1"
    assert google.select(line) == [("", 0)]
    assert desk.publish("plain").said.split()[-1] == "0"
    with desk.store() as store:
        write(store, PLAIN, levels(TURN[2]), LATER + timedelta(days=1))
    assert desk.publish("plain").code == 0
    assert level_rows(google) == TURN


def test_list_as_it_stands_replaces_the_one_before(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("units").code == 0
    with desk.store() as store:
        newer = {"unit_id": ["B", "C"], "capacity_mw": [4.0, None]}
        write(store, UNITS, conform(UNITS, newer, "by hand").frame, LATER)
    assert desk.publish("units").code == 0
    assert google.select("FROM grid.units ORDER BY 1") == [("B", 4.0), ("C", None)]


def test_dry_run_changes_nothing(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    done = desk.publish("--dry-run")
    assert done.code == 0
    assert "Nothing was written" in done.said
    assert google.datasets["grid"] == {}
    assert google.steps == ["datasets.get", "tables.list"]
    assert objects() == []


def test_parts_go_in_parallel_but_merges_of_a_table_one_by_one(
    desk: Desk, google: BigQuery
) -> None:
    with desk.store() as store:
        write(store, PLAIN, levels(*((f"2024-0{m}-05T00:00:00Z", 50.0) for m in range(1, 5))))
    together = threading.Barrier(2)
    merging = [0, 0]

    def before(step: str) -> None:
        if step == "load":
            together.wait(10)  # no load begins before another one does
        elif step == "query":
            merging[0] += 1
            merging[1] = max(merging)
            time.sleep(0.05)  # the time in which another one would come
            merging[0] -= 1

    google.before = before
    done = desk.publish("plain", "--workers", "4")
    assert done.code == 0, done.said
    assert merging == [0, 1]
    assert len(level_rows(google)) == 4


# --- the statements, on tables typed by hand -----------------------------------------------------


def merge_by_hand(google: BigQuery, target: str, staged: str, window: Any) -> list[tuple[Any, ...]]:
    """Rows (minute of 2024-11-01, Hz, count) after our MERGE of staged ones into a target."""
    from stores.bigquery import merge_statement

    columns = "moment TIMESTAMPTZ NOT NULL, level_hz DOUBLE NOT NULL, count BIGINT, day DATE"
    for name, values in (("plain", target), ("staged", staged)):
        google.select(f"CREATE TABLE grid.{name} ({columns})")
        google.datasets["grid"][name] = {}
        google.select(
            f"INSERT INTO grid.{name} SELECT TIMESTAMPTZ '2024-11-01T00:00:00Z' + to_minutes(m), hz, c, NULL "
            f"FROM (VALUES {values}) AS v (m, hz, c)"
        )
    names = (f"`{PROJECT}.grid.{name}`" for name in ("plain", "staged"))
    client().query(merge_statement(PLAIN, *names, window), job_retry=None).result()
    return google.select(
        "SELECT date_diff('minute', TIMESTAMPTZ '2024-11-01T00:00:00Z', moment), level_hz, count "
        "FROM grid.plain ORDER BY 1"
    )


def test_merge_makes_exactly_these_rows_of_the_window(google: BigQuery) -> None:
    november = parse_range("2024-11-01", "2024-11-30")
    target = """
        (-1, 1.0, 1), (43200, 1.0, 1),                            -- a minute before, and the end
        (0, 50.0, 1), (1, 50.0, 1), (2, 50.0, NULL), (3, 50.0, NULL),
        (4, 50.0, 4), (43199, 50.0, 5)                            -- not staged
    """
    staged = "(0, 50.0, 1), (1, 50.5, 1), (2, 50.0, NULL), (3, 50.0, 7), (5, 49.0, NULL)"
    assert merge_by_hand(google, target, staged, november) == [
        (-1, 1.0, 1),
        (0, 50.0, 1),
        (1, 50.5, 1),
        (2, 50.0, None),
        (3, 50.0, 7),
        (5, 49.0, None),
        (43200, 1.0, 1),
    ]


def test_merge_of_a_list_spans_all_rows(google: BigQuery) -> None:
    assert merge_by_hand(google, "(0, 1.0, 1), (1, 1.0, NULL)", "(1, 1.0, 2), (99, 3.0, 3)", None) == [
        (1, 1.0, 2),
        (99, 3.0, 3),
    ]  # fmt: skip


def test_merge_names_its_window_in_both_conditions() -> None:
    from stores.bigquery import merge_statement

    keys_only = replace(PLAIN, columns=PLAIN.columns[:1])
    assert "UPDATE" not in merge_statement(keys_only, "`a`", "`b`", None)
    said = merge_statement(PLAIN, "`a`", "`b`", parse_range("2024-07-01", "2024-07-31"))
    july = (
        "t.`moment` >= TIMESTAMP '2024-06-30T23:00:00Z' AND t.`moment` < TIMESTAMP '2024-07-31T23:00:00Z'"
    )  # fmt: skip
    assert said.count(july) == 2
    assert (
        f"ON t.`moment` = s.`moment` AND {july}\nWHEN MATCHED AND (t.`level_hz` IS DISTINCT" in said
    )


def test_newest_line_of_a_part_holds(google: BigQuery) -> None:
    from stores.bigquery import newest_lines

    google.datasets["grid"]["log"] = {}
    google.select(
        "CREATE TABLE grid.log (table_name TEXT, part TEXT, fingerprint TEXT, published_at TIMESTAMPTZ)"
    )
    google.select(
        "INSERT INTO grid.log VALUES ('a', '2024-10', 'old', '2024-11-01T00:00:00Z'), "
        "('a', '2024-10', 'new', '2024-11-01T00:00:01Z'), ('a', '2024-11', 'x', '2024-10-01T00:00:00Z'), "
        "('b', '2024-10', 'y', '2024-11-01T00:00:00Z'), ('b', '2024-10', '', '2024-11-02T00:00:00Z')"
    )
    found = client().query(newest_lines(f"`{PROJECT}.grid.log`")).result()
    assert sorted(tuple(row.values()) for row in found) == [
        ("a", "2024-10", "new"),
        ("a", "2024-11", "x"),
        ("b", "2024-10", ""),
    ]


# --- when something breaks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        "load",
        "query",
        *(pytest.param(f"{x}.insert", marks=pytest.mark.nightly) for x in ("tables", "jobs")),
    ],
)
def test_part_that_fails_stays_as_it_was(desk: Desk, google: BigQuery, step: str) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    with desk.store() as store:
        write(
            store,
            PLAIN,
            levels(("2024-10-31T23:30:00Z", 49.5), ("2024-11-01T00:00:00Z", 51)),
            LATER,
        )
    seen: list[str] = []

    def fail_for_the_first(name: str) -> None:
        # The first query is the one for the fingerprints.
        if name == step and (seen or step in ("load", "tables.insert")):
            google.before = lambda _: None
            raise Refused("invalid", "Quota exceeded: your project did too much\nof it")
        seen.extend([name] if name == step else [])

    google.before = fail_for_the_first
    done = desk.publish("plain", "--workers", "1")
    assert done.code == 3
    assert "error: plain 2024-10: bigquery://grid-test/grid refused (" in done.said
    assert (
        "Quota exceeded: your project did too much): what was published stays as it was."
        in done.said
    )
    assert level_rows(google) == [*TURN[:2], ("2024-11-01T00:00:00Z", 51.0)]
    assert sorted(google.datasets["grid"]) == ["_gridledger", "plain"]
    assert objects() == []
    assert desk.publish("plain").code == 0
    assert [hertz for _, hertz in level_rows(google)] == [49.5, 50.0, 51.0]


def test_rows_and_fingerprint_stand_or_fall_together(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    with desk.store() as store:
        write(store, PLAIN, levels(("2024-10-31T23:30:00Z", 49.5)), LATER)
    google.select("ALTER TABLE grid._gridledger ADD COLUMN more TEXT")
    google.select("UPDATE grid._gridledger SET more = ''")
    google.select("ALTER TABLE grid._gridledger ALTER COLUMN more SET NOT NULL")
    done = desk.publish("plain")
    assert (done.code, level_rows(google)) == (1, TURN)
    assert "NOT NULL" in done.said


@pytest.mark.parametrize("step", ["query", pytest.param("load", marks=pytest.mark.nightly)])
def test_killed_in_the_middle_and_published_again(
    offline: Cli, google: BigQuery, bucket: str, step: str
) -> None:
    fill_frequency(offline)
    there = {"BIGQUERY_EMULATOR_HOST": google.url, "STORAGE_EMULATOR_HOST": bucket}
    words = ("publish", "--to", TO, "--staging", STAGING, "frequency")
    reached, go_on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == step:
            reached.set()
            go_on.wait(60)

    google.before = hold
    process = offline.start(*words, **there)
    try:
        assert reached.wait(60)
    finally:
        process.kill()
        process.communicate()
    google.before = lambda _: None
    go_on.set()  # a job that was sent runs on without whoever sent it
    wait_until(google.idle)
    count = "SELECT count(*) FROM grid.frequency"
    assert google.select(count)[0][0] in ({0} if step == "load" else {1, 2})
    stale = [t for name, t in google.datasets["grid"].items() if name.startswith("_gridledger_")]
    assert stale
    for table in stale:
        expires = datetime.fromtimestamp(int(table["expirationTime"]) / 1000, UTC)
        assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(days=1)
    done = offline(*words, **there)
    assert done.returncode == 0, done.stderr
    assert google.select("SELECT frequency_hz FROM grid.frequency ORDER BY measurement_time") == [
        (49.9,), (50.0,), (50.1,),
    ]  # fmt: skip


def test_leftovers_of_long_ago_are_removed(desk: Desk) -> None:
    from stores.objects import open_folder

    fill(desk)
    folder = open_folder(STAGING)
    recent = f"_gridledger_staging/{datetime.now(UTC):%Y%m%dT%H%M%SZ}_0a/plain_202410.parquet"
    for name in (
        "_gridledger_staging/20241001T000000Z_0a/plain_202410.parquet",
        recent,
        "mine.csv",
    ):
        folder.write(name, b"left")
    assert desk.publish("plain").code == 0
    assert folder.names() == [recent, "mine.csv"]


# --- what is refused -------------------------------------------------------------------------------


def field(google: BigQuery, table: str, name: str) -> dict[str, Any]:
    fields = google.datasets["grid"][table]["schema"]["fields"]
    return next(each for each in fields if each["name"] == name)


def another_type(google: BigQuery) -> None:
    field(google, "plain", "level_hz")["type"] = "STRING"


def required_missing(google: BigQuery) -> None:
    google.datasets["grid"]["plain"]["schema"]["fields"].pop(1)


def required_unknown(google: BigQuery) -> None:
    field(google, "plain", "day")["name"] = "night"
    field(google, "plain", "night")["mode"] = "REQUIRED"


def not_ours(google: BigQuery) -> None:
    google.datasets["grid"]["plain"]["labels"] = {"team": "desk"}


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        (another_type, "grid-test.grid.plain.level_hz is STRING and should be FLOAT: delete the table"),
        (required_missing, "grid-test.grid.plain lacks the required column level_hz (FLOAT)"),
        (required_unknown, "grid-test.grid.plain.night is REQUIRED, which nothing of ours fills"),
        (not_ours, "grid-test.grid.plain was not made by gridledger: it was left untouched."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_schema_drift_is_refused_before_anything_is_written(
    desk: Desk,
    google: BigQuery,
    drift: Callable[[BigQuery], None],
    said: str,
    words: tuple[str, ...],
) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    drift(google)
    google.steps.clear()
    done = desk.publish(*words, "metered", "plain")
    assert done.code == 2
    assert said in done.said
    assert not {"load", "tables.insert", "tables.patch", "tables.delete"} & set(google.steps)


def test_optional_column_is_added_and_a_required_one_relaxed(
    desk: Desk, google: BigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk)
    moment, level, _, day = PLAIN.columns
    narrow = replace(PLAIN, columns=(moment, level, replace(day, optional=False)))
    with desk.store() as store:
        write(
            store,
            PLAIN,
            levels(*TURN).assign(day="2024-10-05").astype({"day": "datetime64[s]"}),
            LATER,
        )
    monkeypatch.setattr(storage, "tables", lambda: {"plain": narrow})
    assert desk.publish("plain").code == 0
    assert [f["name"] for f in google.datasets["grid"]["plain"]["schema"]["fields"]] == [
        "moment", "level_hz", "day",
    ]  # fmt: skip
    monkeypatch.setattr(storage, "tables", lambda: TABLES)
    with desk.store() as store:
        write(store, PLAIN, levels(TURN[0]).assign(count=3), LATER + timedelta(days=1))
    assert desk.publish("plain").code == 0
    assert [(f["name"], f["mode"]) for f in google.datasets["grid"]["plain"]["schema"]["fields"]] == [
        ("moment", "REQUIRED"), ("level_hz", "REQUIRED"), ("day", "NULLABLE"), ("count", "NULLABLE"),
    ]  # fmt: skip
    assert google.select("SELECT level_hz, count, day FROM grid.plain ORDER BY moment") == [
        (49.9, 3, None), (50.0, None, date(2024, 10, 5)), (50.1, None, date(2024, 10, 5)),
    ]  # fmt: skip


def test_origins_are_not_mixed(desk: Desk, google: BigQuery) -> None:
    fill(desk)
    assert desk.publish("plain").code == 0
    desk.path.unlink()
    with desk.store() as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), synthetic=False)
    google.steps.clear()
    done = desk.publish()
    assert done.code == 2
    assert "synthetic data" in done.said
    assert "tables.insert" not in google.steps


def over_quota(step: str) -> None:
    if step == "tables.list":
        raise Refused("quotaExceeded", "Quota exceeded: too many")


def forbidden(step: str) -> None:
    if step == "datasets.get":
        raise Refused(
            "accessDenied", "Access Denied: Dataset grid-test:grid: no bigquery.datasets.get"
        )


@pytest.mark.parametrize(
    ("to", "staging", "before", "code", "said"),
    [
        (f"bigquery://{PROJECT}/nowhere", STAGING, None, 2, "'bq mk --location=LOCATION --dataset grid-test:nowhere'"),
        ("bigquery://another/grid", STAGING, None, 2, "the dataset another.grid does not exist"),
        (f"bigquery://{PROJECT}/gr`id", STAGING, None, 2, "write bigquery://PROJECT/DATASET"),
        (TO, STAGING, forbidden, 1, "(Access Denied: Dataset grid-test:grid: no bigquery.datasets.get): the account needs"),
        (TO, STAGING, over_quota, 1, "refused (Quota exceeded: too many): what was published stays"),
        (TO, "gs://no-such-bucket/x", None, 2, "there is no bucket for gs://no-such-bucket/x: make it"),
    ],
)  # fmt: skip
def test_places_that_cannot_be_published_to(
    desk: Desk,
    google: BigQuery,
    to: str,
    staging: str,
    before: Callable[[str], None] | None,
    code: int,
    said: str,
) -> None:
    fill(desk)
    google.before = before or google.before
    done = desk.publish("plain", to=to, staging=staging)
    assert (done.code, said in done.said) == (code, True), done.said
    assert "plain" not in google.datasets["grid"] or not level_rows(google)


def test_nobody_there_and_no_credentials(
    desk: Desk, google: BigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stores.bigquery

    fill(desk)
    soon = stores.bigquery.RETRY.with_timeout(0.2)
    monkeypatch.setitem(stores.bigquery.PATIENCE, "retry", soon)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:9")
    done = desk.publish("plain")
    assert done.code == 1
    assert "bigquery://grid-test/grid gave no answer in time" in done.said
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/secret-key.json")
    done = desk.publish("plain")
    assert done.code == 2
    assert "type 'gcloud auth application-default login'" in done.said
    assert "secret-key" not in done.said


def test_driver_that_is_not_installed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stores.bigquery", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    monkeypatch.delattr("google.cloud.bigquery", raising=False)
    done = desk.publish("plain")
    assert done.code == 2
    assert "type 'python3 run.py --install-deps bigquery' first" in done.said


# --- the stand-in itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM `grid-test.grid.t`", "DELETE must have a WHERE clause"),
        ("DELETE FROM `grid-test.grid.none` WHERE TRUE", "Not found: Table grid-test:grid.none"),
        ("SELECT 1 FROM t", "must be qualified"),
        ("INSERT INTO `grid-test.grid.t` (k, v) VALUES (NULL, 1)", "NOT NULL"),
        ("INSERT INTO `grid-test.grid.t` (k, v) VALUES ('a', 1e21)", "1e21|1e\\+21|out of range"),
        ("SELEC 1", "no |Syntax"),
        (
            "MERGE INTO `grid-test.grid.t` AS t USING `grid-test.grid.s` AS s ON t.k = s.k "
            "WHEN MATCHED THEN UPDATE SET v = s.v",
            "at most one source row",
        ),
    ],
)
def test_stand_in_refuses_statements(google: BigQuery, sql: str, said: str) -> None:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery import SchemaField
    from google.cloud.bigquery import Table as Made

    schema = [SchemaField("k", "STRING", "REQUIRED"), SchemaField("v", "BIGNUMERIC")]
    for name in ("t", "s"):
        client().create_table(Made(f"{PROJECT}.grid.{name}", schema))
    google.select("INSERT INTO grid.t VALUES ('a', 1)")
    google.select("INSERT INTO grid.s VALUES ('a', 2), ('a', 3)")
    with pytest.raises(GoogleAPICallError, match=said):
        client().query(sql, job_retry=None).result()
    assert google.select("FROM grid.t") == [("a", 1)]


@pytest.mark.parametrize(
    ("kind", "nullable", "said"),
    [
        ("int64", False, "Field 'k' has type int64"),
        ("string", True, "changed mode from REQUIRED to NULLABLE"),
        ("string", False, ""),
    ],
)
def test_stand_in_refuses_files_that_do_not_fit(
    google: BigQuery, kind: str, nullable: bool, said: str
) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from google.api_core.exceptions import BadRequest, Conflict
    from google.cloud.bigquery import LoadJobConfig, SchemaField
    from google.cloud.bigquery import Table as Made

    from stores.objects import open_folder

    rows = pa.table(
        [pa.array(["1"]).cast(kind)], schema=pa.schema([pa.field("k", kind, nullable=nullable)])
    )
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    folder = open_folder(STAGING)
    folder.write("file.parquet", sink.getvalue())
    made = Made(f"{PROJECT}.grid.t", [SchemaField("k", "STRING", "REQUIRED")])
    client().create_table(made)
    config = LoadJobConfig(
        schema=made.schema, source_format="PARQUET", write_disposition="WRITE_EMPTY"
    )
    load = lambda: client().load_table_from_uri(f"{STAGING}/file.parquet", made, job_config=config)  # noqa: E731
    try:
        if said:
            with pytest.raises(BadRequest, match=said):
                load().result()
            assert google.select("FROM grid.t") == []
            return
        load().result()
        with pytest.raises(Conflict, match="Already Exists"):
            load().result()
        with pytest.raises(Conflict, match="Already Exists"):
            client().create_table(made)
        assert google.select("FROM grid.t") == [("1",)]
    finally:
        folder.remove("file.parquet")
