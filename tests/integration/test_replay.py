"""The archive of answers, and tables rebuilt from it after the providers are gone.

What a run left in its store is what the replayed store has to hold; both are read with plain ``sqlite3``, and
the archive with ``gzip`` and ``json``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import fetch_data
import raw_archive
import replaying
import storage
from domain.errors import StoreError
from domain.settlement import parse_range
from domain.windows import Window
from sandbox import Fault, Sandbox
from sandbox.vpp import write_folder
from sources.dataset import Answer
from sources.transport import Client
from tests.integration.buckets import SECRET, s3_server
from tests.integration.conftest import NOW, Cli, World, instant, rows_of, scripted

EARLY, LATE = "2024-10-06T09:00:00Z", "2024-11-08T12:00:00Z"
FIRST, LAST = "2024-10-04", "2024-10-06"
# Every idiom of every provider: streams, days in paths, lists, listings with files, zones, documents.
ASKED = (
    "frequency", "wind_solar", "system_prices", "market_index", "bm_units",
    "historic_demand", "day_ahead_wind_forecast", "embedded_forecasts", "response_auctions",
    "carbon_intensity", "carbon_regional",
    "entsoe_load", "entsoe_generation", "entsoe_day_ahead_prices",
)  # fmt: skip
VPP_DAY = date(2024, 10, 5)
QUICK = {
    "FETCH_WORKERS": "2",
    "PRODUCTS": "",
    "ENTSOE_ZONES": "FR,NL",
    **{f"{name}_REQUESTS_PER_S": "1000" for name in ("NESO", "CARBON_INTENSITY", "ENTSOE")},
}
# A redelivered file is told by its content, and when it was touched is nobody's business.
NOT_REBUILT = ("modified_ns",)


def content(database: Path) -> dict[str, str]:
    """A hash of every table, also of history, ledger and list of files, with all their moments."""
    found = {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted(names):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info('{name}')")]
            listed = ", ".join(f'"{c}"' for c in columns if c not in NOT_REBUILT)
            rows = sorted(db.execute(f'SELECT {listed} FROM "{name}"').fetchall(), key=repr)
            found[name] = f"{len(rows)} {hashlib.sha256(repr(rows).encode()).hexdigest()}"
    return found


def bodies(archive: Path) -> dict[Path, bytes]:
    return {path: gzip.decompress(path.read_bytes()) for path in archive.rglob("*.gz")}


def readings(archive: Path, dataset: str = "*") -> dict[Path, Any]:
    return {path: json.loads(path.read_bytes()) for path in archive.glob(f"{dataset}/*/*.json")}


def rebuilt(archive: Path, database: Path, **chosen: Any) -> dict[str, replaying.Replayed]:
    found = raw_archive.archive_at(str(archive))
    with storage.open_store(f"sqlite:///{database}") as store:
        return replaying.replay_readings(found, found.names(), store, **chosen)


def failures(done: Mapping[str, replaying.Replayed]) -> list[str]:
    return [line for part in done.values() for line in part.failures]


class Past:
    """A store that lived through two runs, and the archive that they left; the providers are gone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.archive = root / "raw"
        with Sandbox(now=EARLY, seed=7) as sandbox:
            self.token = sandbox.settings()["ENTSOE_API_TOKEN"]
            self.world = World(root, sandbox)
            self.world.overrides |= {
                "RAW_ARCHIVE": str(self.archive),
                "VPP_DIR": str(root / "vpp"),
                **QUICK,
            }
            write_folder(root / "vpp", [VPP_DAY], assets=3)
            (root / "vpp" / "SYNTHETIC.txt").write_text("made by the sandbox\n")
            # At first no plant is known, and one price is another.
            shutil.move(root / "vpp" / "crm", root / "crm")
            priced = next((root / "vpp" / "imbalance").glob("*estimation*.csv"))
            prices = priced.read_bytes()
            priced.write_bytes(prices.replace(b",", b"1,", 1))
            # An answer that breaks off is asked again, and only the whole one is kept.
            sandbox.faults = [Fault("truncated-json", path="/datasets/MID", times=2)]
            self.run(EARLY)
            sandbox.faults = [Fault("revised", path="wind-and-solar")]
            shutil.move(root / "crm", root / "vpp" / "crm")
            priced.write_bytes(prices)
            self.run(LATE)
            self.asked = list(sandbox.requests)
        self.database = self.world.database
        self.content = content(self.database)

    def run(self, now: str) -> None:
        self.world.sandbox.now = now
        settings = self.world.settings()
        datasets = fetch_data.find_datasets([*ASKED, "vpp"])
        days = {"bm_units": now[:10], "embedded_forecasts": now[:10]}
        wanted = fetch_data.each_scope(
            datasets,
            settings,
            lambda d, _: parse_range(days[d.key]) if d.key in days else parse_range(FIRST, LAST),
        )
        with self.world.store() as store:
            done = fetch_data.fetch_windows(
                wanted, store, settings, instant(now), by_name=True, again=True
            )
        assert not [line for part in done.fetched for line in part.failures]
        assert not [part.key for part in done.fetched if part.skipped]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("past"))


@pytest.fixture
def archive(past: Past, tmp_path: Path) -> Path:
    """A copy of the archive, for tests that spoil it."""
    return Path(shutil.copytree(past.archive, tmp_path / "raw"))


# --- what is rebuilt ------------------------------------------------------------------------------


def test_the_replayed_store_is_the_same(past: Past, tmp_path: Path) -> None:
    again = tmp_path / "again.db"
    assert failures(rebuilt(past.archive, again)) == []
    once = content(again)
    assert sorted(once) == sorted(past.content)
    assert [name for name in once if once[name] != past.content[name]] == []
    # There is something to compare: every table has rows, and what was revised has a past.
    assert [key for key in ASKED if once[key].startswith("0 ")] == []
    revised = {"wind_solar", "system_prices", "carbon_intensity", "vpp_imbalance_prices"}
    assert [key for key in revised if once[f"{key}_history"].startswith("0 ")] == []
    assert not once["rejected_rows"].startswith("0 ")
    # A second time changes nothing.
    twice = rebuilt(past.archive, again)
    assert content(again) == once
    assert {key: part.known for key, part in twice.items()} == {
        key: len(readings(past.archive, key)) for key in twice
    }


def test_a_replay_into_the_store_that_was_answered_changes_nothing(
    past: Past, tmp_path: Path
) -> None:
    own = Path(shutil.copy(past.database, tmp_path / "own.db"))
    done = rebuilt(past.archive, own)
    assert content(own) == past.content
    assert sum(part.changed for part in done.values()) == 0


def test_a_stopped_replay_goes_on(past: Past, tmp_path: Path) -> None:
    again = tmp_path / "again.db"
    archive = raw_archive.archive_at(str(past.archive))
    keys = ("wind_solar", "system_prices", "vpp_imbalance_prices")
    names = [name for name in archive.names() if name.dataset in keys]
    with storage.open_store(f"sqlite:///{again}") as store:
        replaying.replay_readings(archive, names[:4], store)
        replaying.replay_readings(archive, names, store)
    found = content(again)
    for key in keys:
        assert found[key] == past.content[key]
        assert found[f"{key}_history"] == past.content[f"{key}_history"]


def test_what_a_store_knows_from_later_stays(past: Past, tmp_path: Path) -> None:
    """Of a reading of three days only the day is written that the store does not know better."""
    mixed = tmp_path / "mixed.db"
    archive = raw_archive.archive_at(str(past.archive))
    names = [name for name in archive.names() if name.dataset == "system_prices"]
    early, late = names[0], names[-1]
    assert early.known_at < late.known_at
    with storage.open_store(f"sqlite:///{mixed}") as store:
        replaying.replay_readings(archive, [late], store)
        with store.transaction():
            store.execute("DELETE FROM system_prices WHERE settlement_date = '2024-10-04'")
            store.execute("DELETE FROM ledger WHERE day = '2024-10-04'")
        before = rows_of(mixed, "system_prices")
        done = replaying.replay_readings(archive, [early], store)
    assert done["system_prices"].changed == 48
    after = rows_of(mixed, "system_prices")
    assert [row for row in after if row["settlement_date"] != "2024-10-04"] == before
    assert len(after) == len(before) + 48
    assert rows_of(mixed, "system_prices_history") == []


def test_a_range_takes_the_answers_that_touch_it(past: Past, tmp_path: Path) -> None:
    cli = Cli(tmp_path, None)
    url = f"sqlite:///{cli.output / 'some.db'}"
    chosen = ("--from", str(past.archive), "--to", url)
    done = cli(
        "replay", "frequency", "wind_solar", *chosen, "--start", "2024-10-05", "--end", "2024-10-05"
    )
    assert done.returncode == 0, done.stderr
    assert "'process'" in done.stdout
    # Two days at once is the widest window of frequency; the answer for the 6th does not touch.
    days = {row["settlement_date"] for row in rows_of(cli.output / "some.db", "wind_solar")}
    assert days == {"2024-10-04", "2024-10-05", "2024-10-06"}
    days = {row["measurement_time"][:10] for row in rows_of(cli.output / "some.db", "frequency")}
    assert days == {"2024-10-03", "2024-10-04", "2024-10-05"}
    none = cli("replay", "frequency", *chosen, "--start", "2023-10-05")
    assert none.returncode == 2
    assert "holds no answer" in none.stderr


# --- what is in the archive -----------------------------------------------------------------------


def test_each_body_stands_once_under_its_hash_and_no_token_anywhere(past: Past) -> None:
    found = bodies(past.archive)
    for path, body in found.items():
        assert path.name == f"{hashlib.sha256(body).hexdigest()}.gz"
    named = {
        kept["file"]
        for reading in readings(past.archive).values()
        for each in (*reading["exchanges"], *reading["files"])
        for kept in [each["body"]]
    }
    assert named == {str(path.relative_to(past.archive)) for path in found}
    everything = [*found.values(), *(p.read_bytes() for p in readings(past.archive))]
    assert not [content for content in everything if past.token.encode() in content]
    # What answered was kept, what broke off was not.
    assert {r.status for r in past.asked if r.fault} == {200}
    prices = readings(past.archive, "market_index").values()
    assert [len(reading["exchanges"]) for reading in prices] == [1, 1]
    paths = [e["path"] for r in readings(past.archive).values() for e in r["exchanges"]]
    assert any(path.endswith(".csv") for path in paths)
    assert not [path for path in paths if "?" in path]


def test_a_file_that_serves_several_windows_is_kept_once_a_run(
    world: World, tmp_path: Path
) -> None:
    raw, now = tmp_path / "raw", instant(NOW)
    (demand,) = fetch_data.find_datasets(["historic_demand"])
    days = [parse_range(day) for day in ("2024-10-01", "2024-10-05", "2024-10-09")]
    settings = world.settings(RAW_ARCHIVE=str(raw), **QUICK)
    with world.store() as store:
        fetch_data.fetch_windows(
            [(demand, "", day) for day in days], store, settings, now, by_name=True
        )
    files = [[e["body"]["file"] for e in r["exchanges"]] for r in readings(raw).values()]
    assert len(files) == 3
    assert all(each == files[0] for each in files)
    assert len(bodies(raw)) == len(files[0]) == 2
    for day in days:  # each reading stands for itself
        again = tmp_path / f"{day.start:%d}.db"
        rebuilt(raw, again, window=day)
        assert len(rows_of(again, "historic_demand")) == 48


# --- what providers refuse ------------------------------------------------------------------------


@pytest.fixture
def direct(world: World, tmp_path: Path) -> Direct:
    return Direct(world, tmp_path / "raw", tmp_path / "again.db")


class Direct:
    """Reads windows that no run would ask for, and replays them."""

    def __init__(self, world: World, archive: Path, database: Path) -> None:
        self.world, self.archive, self.database = world, archive, database
        self.settings = world.settings(**QUICK)
        self.clients: dict[str, Client] = {}

    def read(self, key: str, scope: str, start: str, end: str) -> Answer:
        (dataset,) = fetch_data.find_datasets([key])
        client = self.clients.setdefault(key, Client(dataset.provider, self.settings))
        window = Window(instant(start), instant(end))
        return raw_archive.read_and_keep(
            dataset, scope, window, client, str(self.archive), instant(NOW)
        )

    def replayed(self, key: str) -> list[dict[str, Any]]:
        assert failures(rebuilt(self.archive, self.database)) == []
        return rows_of(self.database, key)


def test_windows_that_were_refused_as_too_wide(direct: Direct) -> None:
    read = [
        direct.read("wind_solar", "", "2024-10-01T00:00:00Z", "2024-10-20T00:00:00Z"),
        # The second time the reader knows it before.
        direct.read("wind_solar", "", "2024-10-20T00:00:00Z", "2024-11-01T00:00:00Z"),
    ]
    statuses = [[e["status"] for e in r["exchanges"]] for r in readings(direct.archive).values()]
    assert sorted(statuses) == [[200, 200], [400, 200, 200, 200]]
    rows = direct.replayed("wind_solar")
    assert len(rows) == sum(len(answer.rows.frame) for answer in read)


def test_a_refusal_that_is_halved_and_one_that_says_nothing_is_there(direct: Direct) -> None:
    wide = direct.read("entsoe_load", "FR", "2024-09-01T00:00:00Z", "2024-10-11T00:00:00Z")
    empty = direct.read("entsoe_load", "NL", "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z")
    assert [len(empty.rows.frame), empty.rows.unknown] == [0, ()]
    (halved,) = [r for r in readings(direct.archive).values() if r["scope"] == "FR"]
    assert [e["status"] for e in halved["exchanges"]] == [400, 200, 200]
    rows = direct.replayed("entsoe_load")
    assert len(rows) == len(wide.rows.frame) > 900


def test_a_token_that_comes_back_in_an_answer_is_not_kept(world: World, tmp_path: Path) -> None:
    token = "Zq7-secret-9f3e1c5a"
    document = f"<Acknowledgement_MarketDocument><Reason><code>999</code><text>No matching data found for {token}</text></Reason></Acknowledgement_MarketDocument>"
    with scripted((200, {}, document.encode())) as server:
        settings = world.settings(ENTSOE_BASE_URL=server.url, ENTSOE_API_TOKEN=token)
        (load,) = fetch_data.find_datasets(["entsoe_load"])
        window = Window(instant("2024-10-01T00:00:00Z"), instant("2024-10-02T00:00:00Z"))
        client = Client(load.provider, settings)
        raw_archive.read_and_keep(load, "FR", window, client, str(tmp_path), instant(NOW))
    (body,) = bodies(tmp_path).values()
    assert body.decode() == document.replace(token, "***")


# --- what goes wrong ------------------------------------------------------------------------------


def test_damage_costs_its_readings_and_is_told(archive: Path, past: Past, tmp_path: Path) -> None:
    def body(key: str) -> Path:
        reading = readings(archive, key)[sorted(readings(archive, key))[0]]
        return archive / reading["exchanges"][0]["body"]["file"]

    def early(key: str) -> Path:
        return next(p for p in readings(archive, key) if p.name.startswith("20241006"))

    body("market_index").unlink()
    body("carbon_intensity").write_bytes(gzip.compress(b"{}"))
    half = body("entsoe_load").read_bytes()
    body("entsoe_load").write_bytes(half[: len(half) // 2])
    early("wind_solar").write_bytes(early("wind_solar").read_bytes()[:-10])
    (archive / "bm_units" / "2024-10-06" / "gone.json").write_text("{")  # not ours
    cli = Cli(tmp_path, None)
    keys = ("market_index", "carbon_intensity", "entsoe_load", "wind_solar", "bm_units")
    url = f"sqlite:///{cli.output / 'some.db'}"
    done = cli("replay", *keys, "--to", url, RAW_ARCHIVE=str(archive))
    assert done.returncode == 3
    told = [line for line in done.stdout.splitlines() if line.startswith("! ")]
    for key, said in (
        ("market_index", "is missing"),
        ("carbon_intensity", "was damaged"),
        ("entsoe_load", "was damaged"),
        ("wind_solar", "is damaged"),
    ):
        assert [line for line in told if key in line and said in line], (key, told)
    assert "Traceback" not in done.stderr
    found = content(cli.output / "some.db")
    assert found["bm_units"] == past.content["bm_units"]
    assert not found["wind_solar"].startswith("0 ")  # the later run is there


def test_a_crash_between_body_and_reading_leaves_no_reading(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    world.overrides["RAW_ARCHIVE"] = str(tmp_path / "raw")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(raw_archive.Archive, "put_reading", die)
        world.fetch(["wind_solar"], "2024-10-05")
    assert len(bodies(tmp_path / "raw")) == 1
    assert readings(tmp_path / "raw") == {}
    assert world.rows("wind_solar") == []  # the store is never ahead of the archive
    world.fetch(["wind_solar"], "2024-10-05")
    rebuilt(tmp_path / "raw", tmp_path / "again.db")
    assert rows_of(tmp_path / "again.db", "wind_solar") == world.rows("wind_solar") != []


def test_an_archive_that_cannot_be_written_fails_the_window_with_one_sentence(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    world.overrides["RAW_ARCHIVE"] = str(raw)
    raw.mkdir()
    (raw / "wind_solar").write_text("a file where a folder should be")
    report = world.fetch(["wind_solar", "market_index"], "2024-10-05")
    assert len(report.failures) == 1
    assert "could not be kept in RAW_ARCHIVE" in report.failures[0]
    assert world.states("wind_solar") == {"2024-10-05": "failed"}
    assert world.rows("wind_solar") == []
    assert world.states("market_index") == {"2024-10-05": "complete"}
    world.overrides["RAW_ARCHIVE"] = str(raw / "wind_solar")
    with pytest.raises(StoreError, match=r"cannot be (used|written)"):
        world.fetch(["market_index"], "2024-10-06")
    assert world.states("market_index") == {"2024-10-05": "complete"}


def test_wrong_addresses(offline: Cli) -> None:
    for address in (
        "s3://key:secret@bucket/raw",
        "gs://secret@bucket",
        "s3://bucket:secret",
        "s3://bucket/raw?secret=1",
        "s3://",
        "ftp://host/raw",
        "https://bucket.s3.example/raw",
    ):
        with pytest.raises(ValueError, match="credentials never stand in it"):
            raw_archive.folder_address(address)
    for address in ("", "output/raw", "/srv/raw@home", "s3://bucket", "gs://bucket/raw/2024"):
        assert raw_archive.folder_address(address) == address
    wrong = "s3://key:secret@bucket/raw"
    for done in (
        offline("fetch", "wind_solar", "--start", "2024-10-05", RAW_ARCHIVE=wrong),
        offline("replay", "--to", "sqlite:///:memory:", "--from", wrong),
    ):
        assert done.returncode == 2
        assert "s3://key:***@bucket/raw' is not allowed" in done.stderr
        assert "secret" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
    assert not offline.database.exists()


def test_replay_without_an_archive(offline: Cli, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'some.db'}"
    nothing = offline("replay", "--to", target)
    assert nothing.returncode == 2
    assert "set RAW_ARCHIVE" in nothing.stderr
    empty = offline("replay", "--to", target, "--from", str(tmp_path / "nowhere"))
    assert empty.returncode == 2
    assert "holds no answer" in empty.stderr
    assert not (tmp_path / "some.db").exists()


# --- on S3 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """A bucket of a real server; the settings that lead there."""
    pytest.importorskip("moto.server", reason="needs the developers' libraries")
    with s3_server() as settings:
        yield settings


def test_an_archive_on_s3(cli: Cli, bucket: dict[str, str], tmp_path: Path) -> None:
    chosen = bucket | {"RAW_ARCHIVE": "s3://grid/raw"}
    done = cli(
        "fetch",
        "wind_solar",
        "historic_demand",
        "--start",
        "2024-10-05",
        NESO_REQUESTS_PER_S="1000",
        **chosen,
    )
    assert done.returncode == 0, done.stderr
    again = tmp_path / "again.db"
    done = cli(
        "replay",
        "--to",
        f"sqlite:///{again}",
        ELEXON_BASE_URL="http://127.0.0.1:9",
        NESO_BASE_URL="http://127.0.0.1:9",
        **chosen,
    )
    assert done.returncode == 0, done.stderr
    found, wanted = content(again), content(cli.database)
    for key in ("wind_solar", "historic_demand", "ledger"):
        assert found[key] == wanted[key]
    assert not found["wind_solar"].startswith("0 ")
    said = [done.stdout, done.stderr, (cli.output / "task_log.log").read_text()]
    assert not [text for text in said if SECRET in text]


def test_a_bucket_that_is_not_there(cli: Cli, sandbox: Sandbox, bucket: dict[str, str]) -> None:
    address = "s3://nobody/raw"
    done = cli("fetch", "wind_solar", "--start", "2024-10-05", RAW_ARCHIVE=address, **bucket)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert address in done.stderr
    assert sandbox.requests == []
    gone = bucket | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = cli("replay", "--to", "sqlite:///:memory:", "--from", "s3://grid/raw", **gone)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "s3://grid/raw" in done.stderr
