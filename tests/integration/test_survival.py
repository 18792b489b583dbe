"""Kills, power cuts, bad providers, bad disks: whatever happens, one clean run makes it whole.

"The same" always means: rows of every table and history, the ledger's facts, and every byte of the
published files equal those of a run that nobody disturbed, or the sandbox's own account.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import job
import stores.sqlite
from domain.errors import StoreError
from sandbox import Fault, Sandbox
from sandbox.endpoints import Limit
from sandbox.faults import KINDS, FaultChooser
from sources.entsoe import ENTSOE
from sources.transport import ATTEMPTS
from tests.integration.conftest import World, instant, rows_of
from tests.integration.survival import (
    BOOKKEEPING,
    DATASETS,
    EARLY,
    FIRST,
    LAST,
    LATE,
    LONG_STAGES,
    RUN,
    SETTINGS,
    STAGES,
    Place,
    Reference,
    Tally,
    assert_ledger_true,
    assert_sound,
    hidden_files,
    kill_often,
    picture,
    stored_rows,
    strange_files,
    survive_power_cuts,
    true_rows,
    undisturbed,
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and SIGSTOP")

# The settlement day on which nothing is withheld, and its bounds.
DAY = FIRST
BOUNDS = ("2024-07-15T23:00:00Z", "2024-07-16T23:00:00Z")
ZONES = ("DE_LU", "FR")
ENTSOE_KEYS = ("entsoe_load", "entsoe_generation", "entsoe_day_ahead_prices")
ONLY_ENTSOE = {"DATASETS": ",".join(ENTSOE_KEYS), "PRODUCTS": "", "ENTSOE_ZONES": "FR"}


@pytest.fixture(scope="session")
def early() -> Iterator[Sandbox]:
    with Sandbox(now=EARLY) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def late() -> Iterator[Sandbox]:
    with Sandbox(now=LATE) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, early: Sandbox, late: Sandbox) -> Reference:
    found = undisturbed(tmp_path_factory.mktemp("undisturbed"), early, late)
    for state in (found.early, found.late):
        assert {name.partition(":")[0] for name in state} >= {*DATASETS, "ledger"}
        assert sum(name.endswith(".csv") for name in state) == 6
    # There is history to lose.
    assert "wind_solar_history: 0 rows" in found.early
    for table in ("wind_solar", "entsoe_load", "entsoe_generation"):
        assert f"{table}_history: 0 rows" not in found.late
    return found


@pytest.fixture
def everything(world: World) -> World:
    """A world that fetches all datasets of both providers."""
    world.overrides |= SETTINGS
    return world


# --- kills -------------------------------------------------------------------------------------


def assert_killed_everywhere(tally: Tally, kills: int) -> None:
    assert tally.killed >= kills
    # Which moments were hit depends on how busy the machine is; these two take most of a run.
    assert set(LONG_STAGES) <= set(tally.kills), tally.kills


@posix_only
def test_killed_at_random_moments(
    tmp_path: Path, early: Sandbox, late: Sandbox, reference: Reference
) -> None:
    tally = kill_often(tmp_path, early, late, reference, 6, seed=11)
    assert_killed_everywhere(tally, 6)


@posix_only
@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_killed_a_thousand_times(
    tmp_path: Path, early: Sandbox, late: Sandbox, reference: Reference
) -> None:
    tally = kill_often(tmp_path, early, late, reference, 1_000, seed=12)
    assert_killed_everywhere(tally, 1_000)
    assert set(tally.kills) == set(STAGES)


@posix_only
def test_killed_while_writing_a_file_shows_no_half_of_it(
    tmp_path: Path, late: Sandbox, reference: Reference
) -> None:
    """The process dies between the bytes and the name; the hidden half is not for people."""
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); import main\n"
        "left = int(sys.argv[2]); real = os.fsync\n"
        "def dying(handle):\n"
        "    global left; left -= 1\n"
        "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(handle)\n"
        "os.fsync = dying; sys.argv[1:] = sys.argv[3:]; sys.exit(main.main())"
    )
    place = Place(tmp_path, late)
    project = str(Path(job.__file__).parent)
    for syncs in range(4):
        command = [sys.executable, "-c", code, project, str(syncs), *RUN]
        done = subprocess.run(command, env=place.environment, cwd=tmp_path, capture_output=True)
        assert done.returncode == -9, done.stderr
        assert_sound(place.output, tmp_path / "spare")
        assert strange_files_of_a_killed_run(place.output) == []
    place.clean(*RUN)
    assert strange_files(place.output) == []
    # The unnamed halves stay where they are, hidden; nothing reads them.
    assert all(Path(name).name.endswith(".tmp") for name in hidden_files(place.output))


def strange_files_of_a_killed_run(output: Path) -> list[str]:
    own = ("grid.db-wal", "grid.db-shm", "grid.db-journal")
    return [name for name in strange_files(output) if name not in own]


# --- power cuts --------------------------------------------------------------------------------


@posix_only
def test_power_cuts(tmp_path: Path, early: Sandbox, reference: Reference) -> None:
    tally = survive_power_cuts(tmp_path, early, reference.early, 5, seed=21)
    assert tally.copies >= 5 and tally.torn


@posix_only
@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_year_of_power_cuts(tmp_path: Path, early: Sandbox, reference: Reference) -> None:
    tally = survive_power_cuts(tmp_path, early, reference.early, 200, seed=22)
    assert tally.torn >= 40


# --- faults of ENTSO-E -------------------------------------------------------------------------

# What passes if the question is asked again, with the settings that keep the test short.
PASSING: dict[str, tuple[Fault, str]] = {
    "429-retry-after": (Fault("429-retry-after", seconds=0), "HTTP 429"),
    "500": (Fault("500"), "HTTP 500"),
    "503": (Fault("503"), "HTTP 503"),
    "html-200": (Fault("html-200"), "HTML"),
    "reset": (Fault("reset"), "broke off"),
    "hang": (Fault("hang"), "no answer in time"),
    "truncated": (Fault("truncated"), "broke off"),
    "truncated-json": (Fault("truncated-json"), "not well-formed"),
    "garbled": (Fault("garbled"), "not well-formed"),
    "garbled gzip": (Fault("garbled", gzipped=True), "does not decompress"),
}
GENERATION = "documentType=A75"
SHORT = {"ENTSOE_TIMEOUT_S": "0.5", "ENTSOE_DEADLINE_S": "10"}


def assert_truth(world: World, bounds: tuple[str, str] = BOUNDS, zones: Any = ("FR",)) -> None:
    for table in ENTSOE_KEYS:
        truth = true_rows(world.sandbox, table, *bounds, zones)
        assert len(truth) >= 24
        assert stored_rows(world.database, table) == truth, table


@pytest.mark.parametrize("kind", PASSING)
def test_fault_of_entsoe_once_costs_a_retry(world: World, impatient: None, kind: str) -> None:
    fault = replace(PASSING[kind][0], path=GENERATION, times=1)
    world.overrides |= SETTINGS | ONLY_ENTSOE | SHORT
    world.sandbox.faults = [fault]
    report = world.run(DAY)
    assert (report.exit_code, report.failures, report.requests) == (0, [], 4)
    assert Counter(r.fault for r in world.sandbox.requests) == {None: 3, fault.kind: 1}
    assert_truth(world)


@pytest.mark.parametrize("kind", PASSING)
def test_fault_of_entsoe_that_stays_fails_its_window_alone(
    world: World, impatient: None, kind: str
) -> None:
    fault, words = PASSING[kind]
    world.overrides |= SETTINGS | ONLY_ENTSOE | SHORT
    world.sandbox.faults = [replace(fault, path=GENERATION)]
    report = world.run(DAY)
    assert report.exit_code == 3
    assert len(report.failures) == 1
    assert words in report.failures[0]
    assert Counter(r.fault for r in world.sandbox.requests) == {None: 2, fault.kind: ATTEMPTS}
    assert world.states("entsoe_generation") == {DAY: "failed"}
    assert world.rows("entsoe_generation") == []
    assert world.states("entsoe_load") == {DAY: "complete"}
    world.sandbox.faults = []
    assert world.run(DAY).exit_code == 0
    assert_truth(world)


def test_slow_answer_of_entsoe_is_an_answer(world: World) -> None:
    world.overrides |= SETTINGS | ONLY_ENTSOE
    world.sandbox.faults = [Fault("slow", seconds=0.3)]
    assert world.run(DAY).exit_code == 0
    assert_truth(world)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("wrong-type"), "'n/a' is not a number"),
        (Fault("renamed"), "quantity"),
        (Fault("renamed", field="position"), "position"),
        (Fault("renamed", field="resolution"), "resolution"),
    ],
    ids=["wrong type", "value renamed", "position renamed", "resolution renamed"],
)
def test_document_that_does_not_fit_is_refused_whole(
    world: World, fault: Fault, words: str
) -> None:
    """A value under another name is a change of the format, never an empty day."""
    world.overrides |= SETTINGS | ONLY_ENTSOE
    world.sandbox.faults = [replace(fault, path=GENERATION)]
    report = world.run(DAY)
    assert world.states("entsoe_generation") == {DAY: "failed"}
    assert report.exit_code == 3
    assert words in report.failures[0]
    assert len(report.failures[0]) < 600
    assert world.rows("entsoe_generation") == []
    world.sandbox.faults = []
    assert world.run(DAY).exit_code == 0
    assert_truth(world)


@pytest.mark.parametrize("kind", ["empty", "dropped", "duplicates", "extra"])
def test_faults_of_rows_of_entsoe_end_with_the_truth(world: World, kind: str) -> None:
    world.overrides |= SETTINGS | ONLY_ENTSOE
    world.sandbox.faults = [Fault(kind)]
    report = world.run(DAY)
    lacking = kind in ("empty", "dropped")
    assert report.exit_code == (3 if lacking else 0)
    state = {"empty": "empty", "dropped": "partial"}.get(kind, "complete")
    assert [world.states(key) for key in ENTSOE_KEYS] == [{DAY: state}] * 3
    assert len(report.holes) == 3 * lacking
    world.sandbox.faults = []
    assert world.run(DAY).exit_code == 0
    assert_truth(world)


def test_revised_document_of_entsoe_keeps_what_was_told_before(world: World) -> None:
    world.overrides |= SETTINGS | ONLY_ENTSOE
    world.run(DAY)
    told = stored_rows(world.database, "entsoe_load")
    world.sandbox.faults = [Fault("revised")]
    again(world)
    assert all(
        a != b for a, b in zip(told, stored_rows(world.database, "entsoe_load"), strict=True)
    )
    assert stored_rows(world.database, "entsoe_load_history") == told
    world.sandbox.faults = []
    again(world)
    assert_truth(world)


def again(world: World) -> None:
    """Ask for everything of the day once more."""
    import fetch_data
    from domain.settlement import parse_range

    settings = world.settings()
    wanted = fetch_data.each_scope(
        fetch_data.find_datasets(ENTSOE_KEYS), settings, lambda *_: parse_range(DAY, None)
    )
    with world.store() as store:
        fetch_data.fetch_windows(wanted, store, settings, instant(LATE), by_name=True, again=True)


# --- everything at once ------------------------------------------------------------------------

# Runs over all days until nothing is missing any more; with 20 % of answers spoilt.
MOST_ROUNDS = 4


def survive_mixed_faults(world: World, days: list[str], share: float, seed: int) -> tuple[int, int]:
    """Run day by day under all faults until all is there; returns rounds and answers hit."""
    kinds = [kind for kind in KINDS if kind not in ("revised", "429")]
    each = share / len(kinds)
    # Of a list the first fault that hits is the only one: later ones need a larger part.
    pauses = {"429-retry-after": 0.0}
    faults = [
        Fault(kind, each / (1 - n * each), seconds=pauses.get(kind, 0.05))
        for n, kind in enumerate(kinds)
    ]
    world.sandbox.chooser = FaultChooser(seed, faults)
    rounds, codes = 0, {3}
    while codes != {0}:
        rounds += 1
        assert rounds <= MOST_ROUNDS, world.rows("ledger")
        reports = [
            world.run(day, ELEXON_TIMEOUT_S="0.5", FETCH_WORKERS="3", **SHORT) for day in days
        ]
        codes = {report.exit_code for report in reports}
        assert_ledger_true(world.database)
    return rounds, sum(request.fault is not None for request in world.sandbox.requests)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_mixed_faults_end_with_the_truth(
    everything: World, impatient: None, tmp_path: Path, seed: int
) -> None:
    """All kinds over both providers, 20 % of the answers; 429 without a word is the ban, see below."""
    days = ["2024-10-03", "2024-10-04", DAY, LAST]
    calm = World(tmp_path / "calm", everything.sandbox)
    calm.overrides |= SETTINGS
    for day in days:
        assert calm.run(day).exit_code == 0
    everything.sandbox.clear_requests()
    rounds, hit = survive_mixed_faults(everything, days, 0.2, seed)
    print(f"{rounds} rounds, {hit} answers hit")
    assert hit >= 5
    told, undisturbed = picture(everything.output), picture(calm.output)
    differ = {name.partition(":")[0] for name, _ in told.items() ^ undisturbed.items()}
    # Where one side of generation and consumption was dropped, the half row was told before.
    assert differ <= {"entsoe_generation_history"}
    assert_half_rows(everything.database)
    spans = [("2024-10-02T23:00:00Z", "2024-10-04T23:00:00Z"), (BOUNDS[0], "2024-07-17T23:00:00Z")]
    for table in DATASETS:
        truth = [
            row for span in spans for row in true_rows(everything.sandbox, table, *span, ZONES)
        ]
        assert stored_rows(everything.database, table) == sorted(truth, key=repr)


def assert_half_rows(database: Path) -> None:
    """Rows in the history of generation say less than, and nothing else than, the current ones."""
    current = {row[:4]: row[4:] for row in stored_rows(database, "entsoe_generation")}
    for row in stored_rows(database, "entsoe_generation_history"):
        sides = list(zip(row[4:], current[row[:4]], strict=True))
        assert None in row[4:]
        assert all(then in (None, now) for then, now in sides)


# --- a provider that is dead or wants to be left alone -----------------------------------------


@contextmanager
def dead_provider(kind: str, sandbox: Sandbox) -> Iterator[dict[str, str]]:
    if kind == "closed":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        yield {"ENTSOE_BASE_URL": f"http://127.0.0.1:{port}/api"}
        return
    sandbox.faults = [Fault(kind, path="/entsoe/")]
    yield {}


@pytest.mark.parametrize("kind", ["closed", "503", "hang", "429"])
def test_dead_provider_costs_its_deadline_and_no_other_data(everything: World, kind: str) -> None:
    """With all pauses as they are."""
    deadline_s = 3.0
    with dead_provider(kind, everything.sandbox) as settings:
        begin = time.monotonic()
        report = everything.run(
            DAY, ENTSOE_DEADLINE_S=f"{deadline_s}", ENTSOE_TIMEOUT_S="1", **settings
        )
        took = time.monotonic() - begin
    # One request may be under way when the deadline comes; 3 s are for the rest of the run.
    assert took < deadline_s + 1.0 + 3.0
    assert report.exit_code == 3
    assert len(report.failures) == 6
    for key in ("frequency", "wind_solar", "average_power", "wind_solar_summary"):
        assert everything.states(key) == {DAY: "complete"}
    for table in ("frequency", "wind_solar"):
        truth = true_rows(everything.sandbox, table, *BOUNDS, ())
        assert stored_rows(everything.database, table) == truth
    for key in ENTSOE_KEYS:
        assert everything.states(key) == {DAY: "failed"}
        assert everything.rows(key) == []
    everything.sandbox.faults = []
    assert everything.run(DAY).exit_code == 0
    assert_truth(everything, zones=ZONES)


@contextmanager
def limited(limit: Limit) -> Iterator[tuple[Sandbox, list[tuple[float, int]]]]:
    """A sandbox with a limit, and (moment, status) of every request to ENTSO-E."""
    with Sandbox(now=LATE, limits={"entsoe": limit}) as sandbox:
        served: list[tuple[float, int]] = []
        record = sandbox.record

        def listening(request: Any) -> None:
            if "/entsoe/" in request.path:
                served.append((time.monotonic(), request.status))
            record(request)

        sandbox.record = listening  # type: ignore[method-assign]
        yield sandbox, served


def test_ban_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_environment: None
) -> None:
    """Four requests a minute, then two seconds of silence; nine are needed."""
    ban_s = 2.0
    monkeypatch.setitem(ENTSOE.__dict__, "ban_s", ban_s + 0.1)
    with limited(Limit(requests_per_min=4, ban_s=ban_s)) as (sandbox, served):
        world = World(tmp_path, sandbox)
        world.overrides |= SETTINGS | ONLY_ENTSOE | {"FETCH_WORKERS": "1"}
        reports = [world.run(day, now=LATE) for day in ("2024-10-03", DAY, LAST)]
    assert [report.exit_code for report in reports] == [0, 0, 0]
    statuses = [status for _, status in served]
    assert Counter(statuses) == {200: 9, 429: 2}
    for n, (moment, status) in enumerate(served[:-1]):
        if status == 429:
            assert served[n + 1][0] - moment >= ban_s


def test_no_question_is_asked_during_a_ban(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_environment: None
) -> None:
    """A ban longer than the deadline: what remains fails without another request."""
    with limited(Limit(requests_per_min=2, ban_s=600)) as (sandbox, served):
        world = World(tmp_path, sandbox)
        world.overrides |= SETTINGS | ONLY_ENTSOE | {"FETCH_WORKERS": "1"}
        begin = time.monotonic()
        report = world.run(DAY, now=LATE, ENTSOE_DEADLINE_S="1")
        assert time.monotonic() - begin < 5.0
    assert report.exit_code == 3
    assert [status for _, status in served] == [200, 200, 429]


def test_own_rate_is_kept_so_that_no_ban_comes(tmp_path: Path, clean_environment: None) -> None:
    with limited(Limit(requests_per_min=400, ban_s=2)) as (sandbox, served):
        world = World(tmp_path, sandbox)
        world.overrides |= SETTINGS | ONLY_ENTSOE | {"ENTSOE_ZONES": "DE_LU,FR"}
        report = world.run(DAY, now=LATE, ENTSOE_REQUESTS_PER_S="3", FETCH_WORKERS="8")
    assert report.exit_code == 0
    moments = sorted(moment for moment, _ in served)
    assert len(moments) == 6
    # Five steps of a third of a second. On a busy machine the first may come as late as one second.
    assert moments[-1] - moments[0] > 5 / 3 - 1


# --- a disk that refuses at every single step --------------------------------------------------


class Disk:
    """Lets ``allowed`` steps pass, then refuses ``refused`` of them (all that follow, if None)."""

    def __init__(self, allowed: int, refused: int | None, trouble: Callable[[], Exception]) -> None:
        self.allowed, self.refused, self.trouble = allowed, refused, trouble
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        late = self.steps - self.allowed
        if late > 0 and (self.refused is None or late <= self.refused):
            raise self.trouble()

    @property
    def hit(self) -> bool:
        return self.steps > self.allowed


class Watched:
    """A connection whose statements are steps; giving up and looking always work."""

    def __init__(self, real: sqlite3.Connection, disk: Disk) -> None:
        self._real, self._disk = real, disk

    def execute(self, sql: str, *arguments: Any) -> Any:
        self._disk.step()
        return self._real.execute(sql, *arguments)

    def executemany(self, sql: str, rows: Any) -> Any:
        self._disk.step()
        return self._real.executemany(sql, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


SAYINGS = {
    "full": "database or disk is full",
    "read-only": "attempt to write a readonly database",
    "broken": "disk I/O error",
}


@contextmanager
def spoilt_database(disk: Disk) -> Iterator[None]:
    connect = sqlite3.connect
    stores.sqlite.sqlite3.connect = lambda *a, **k: Watched(connect(*a, **k), disk)  # type: ignore
    try:
        yield
    finally:
        stores.sqlite.sqlite3.connect = connect


@contextmanager
def spoilt_files(disk: Disk) -> Iterator[None]:
    """Every call with which ``utils.write_whole`` touches the disk is a step."""
    real = {
        (tempfile, "mkstemp"): tempfile.mkstemp,
        (os, "fdopen"): os.fdopen,
        (os, "fsync"): os.fsync,
        (Path, "mkdir"): Path.mkdir,
        (Path, "chmod"): Path.chmod,
        (Path, "replace"): Path.replace,
    }

    def wrapped(function: Any) -> Any:
        def stepping(*arguments: Any, **more: Any) -> Any:
            if not str(arguments[:1]).count(".db.locks"):  # locks have a test of their own
                disk.step()
            return function(*arguments, **more)

        return stepping

    for (owner, name), function in real.items():
        setattr(owner, name, wrapped(function))
    try:
        yield
    finally:
        for (owner, name), function in real.items():
            setattr(owner, name, function)


def assert_one_sentence(trouble: StoreError) -> None:
    said = str(trouble)
    assert 20 < len(said) < 300
    assert "\n" not in said
    assert said.endswith(".")


def refuse_each_step(
    root: Path, sandbox: Sandbox, settings: dict[str, str], kinds: list[str], every: int = 1
) -> int:
    """Refuse every statement of a one-day run once; returns how many there are."""
    calm = World(root / "calm", sandbox)
    calm.overrides |= settings
    counting = Disk(10**9, None, RuntimeError)
    with spoilt_database(counting):
        assert calm.run(DAY).exit_code == 0
    expected = picture(calm.output)
    sandbox.limits = {"entsoe": None}  # hundreds of runs in a minute are more than a client makes
    for number in range(0, counting.steps, every):
        kind = kinds[number % len(kinds)]
        trouble = SAYINGS[kind]
        # Once, as a disk that someone cleans up, and for good.
        refused = 1 if number // len(kinds) % 2 else None
        disk = Disk(number, refused, lambda trouble=trouble: sqlite3.OperationalError(trouble))
        world = World(root / f"step{number}", sandbox)
        world.overrides |= settings
        with spoilt_database(disk), pytest.raises(StoreError) as caught:
            world.run(DAY)
        assert disk.hit
        assert_one_sentence(caught.value)
        assert_sound(world.output, world.root / "spare")
        for name, content in files(world.output).items():
            assert content == files(calm.output)[name]
        assert world.run(DAY).exit_code == 0, number
        assert picture(world.output) == expected, number
        assert hidden_files(world.output) == []
        assert strange_files(world.output) == []
        shutil.rmtree(world.root)
    return counting.steps


def files(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.suffix in (".csv", ".txt")
    }


# A full disk met by the first files, a broken one by files that stand.
OFTEN = ((True, errno.ENOSPC), (False, errno.EIO))
SMALL = {
    "DATASETS": "wind_solar,entsoe_load",
    "PRODUCTS": "wind_solar_summary",
    "ENTSOE_ZONES": "FR",
    "FETCH_WORKERS": "1",
}


def test_database_refuses_at_every_statement(
    tmp_path: Path, sandbox: Sandbox, clean_environment: None
) -> None:
    # Every fourth, so that each kind of refusal comes by; the nightly tests take all of a larger run.
    steps = refuse_each_step(tmp_path, sandbox, SETTINGS | SMALL, list(SAYINGS), every=4)
    assert steps >= 50


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", SAYINGS)
def test_database_refuses_at_every_statement_of_a_whole_run(
    tmp_path: Path, sandbox: Sandbox, clean_environment: None, kind: str
) -> None:
    settings = SETTINGS | {"FETCH_WORKERS": "1"}
    assert refuse_each_step(tmp_path, sandbox, settings, [kind]) >= 150


# Every refusal looks the same to the code; the nightly tests take each with new files and old ones.
@pytest.mark.parametrize(
    ("anew", "code"),
    [
        pytest.param(anew, code, id=f"{what}-{errno.errorcode[code]}", marks=marks)
        for anew, what in ((True, "new files"), (False, "files that stand already"))
        for code in (errno.ENOSPC, errno.EROFS, errno.EIO)
        for marks in [() if (anew, code) in OFTEN else pytest.mark.nightly]
    ],
)
def test_disk_refuses_at_every_step_of_publishing(
    world: World, tmp_path: Path, code: int, anew: bool
) -> None:
    """The rows are in the store; files are old, new or absent, never anything between."""
    world.overrides |= {"DATASETS": "frequency", "PRODUCTS": "average_power"}
    if not anew:
        world.run(DAY)
    else:
        world.fetch(["frequency"], DAY)
    before = files(world.output)
    changed = {"RESPONSE_SERVICE": "dr"}

    def copied(name: str) -> World:
        shutil.copytree(world.output, tmp_path / name / "output")
        other = World(tmp_path / name, world.sandbox)
        other.overrides |= {"DATASETS": "frequency", "PRODUCTS": "average_power"} | changed
        return other

    calm = copied("calm")
    counting = Disk(10**9, None, RuntimeError)
    with spoilt_files(counting):
        assert calm.run(DAY).exit_code == 0
    after, expected = files(calm.output), picture(calm.output)
    assert before != after
    assert counting.steps >= 10
    for number in range(counting.steps):
        disk = Disk(number, 1, lambda: OSError(code, os.strerror(code)))
        other = copied(f"step{number}")
        with spoilt_files(disk), pytest.raises(StoreError) as caught:
            other.run(DAY)
        assert_one_sentence(caught.value)
        for name, content in files(other.output).items():
            assert content in (before.get(name), after[name]), (number, name)
        assert hidden_files(other.output) == []
        assert other.run(DAY).exit_code == 0
        assert picture(other.output) == expected, number
        assert files(other.output) == after
        assert strange_files(other.output) == []
        shutil.rmtree(other.root)


def test_lock_that_cannot_be_made_is_one_sentence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file that a run makes on a full disk may well be a lock."""
    real = Path.mkdir

    def refusing(path: Path, *arguments: Any, **more: Any) -> None:
        if path.name.endswith(".locks"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *arguments, **more)

    monkeypatch.setattr(Path, "mkdir", refusing)
    with pytest.raises(StoreError) as caught:
        world.run(DAY)
    assert_one_sentence(caught.value)
    monkeypatch.undo()
    assert world.run(DAY).exit_code == 0


# --- a database that another program holds -----------------------------------------------------

_HOLDER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE" if sys.argv[3] == "exclusive" else "BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


def assert_waits_for_the_lock(place: Place, seconds: float, expected: dict[str, str]) -> None:
    place.clean("fetch", "frequency", "--start", FIRST)  # a store to hold
    for hold in ("immediate", "exclusive"):
        command = [sys.executable, "-c", _HOLDER, str(place.database), str(seconds), hold]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            begin = time.monotonic()
            process = place.start(*RUN)
            out, err = process.communicate(timeout=seconds + 60)
            took = time.monotonic() - begin
            assert holder.wait(timeout=seconds + 5) == 0
        assert process.returncode == 0, out + err
        if hold == "immediate":  # else all was there and there was nothing to write
            assert took >= seconds - 0.5
    assert picture(place.output) == expected


def test_locked_database_is_waited_for(
    tmp_path: Path, early: Sandbox, reference: Reference
) -> None:
    assert_waits_for_the_lock(Place(tmp_path, early), 4, reference.early)


@pytest.mark.nightly
def test_database_locked_for_a_minute(tmp_path: Path, early: Sandbox, reference: Reference) -> None:
    assert_waits_for_the_lock(Place(tmp_path, early), 60, reference.early)


def test_history_of_the_reference_is_what_the_sandbox_told(
    tmp_path: Path, early: Sandbox, late: Sandbox, reference: Reference
) -> None:
    """What all the others are compared with is right itself."""
    place = Place(tmp_path, early)
    place.clean(*RUN)
    bounds = (BOUNDS[0], "2024-07-17T23:00:00Z")
    for table in DATASETS:
        assert stored_rows(place.database, table) == true_rows(early, table, *bounds, ZONES)
    assert picture(place.output) == reference.early
    told = {}
    for table in DATASETS:
        told[table] = rows_of(place.database, table, without=BOOKKEEPING)
    place.environment |= late.settings()
    place.clean("fetch", *DATASETS, "--start", FIRST, "--end", LAST, "--again")
    place.clean(*RUN)
    assert picture(place.output) == reference.late
    for table in DATASETS:
        assert stored_rows(place.database, table) == true_rows(late, table, *bounds, ZONES)
        now = rows_of(place.database, table, without=BOOKKEEPING)
        history = rows_of(place.database, f"{table}_history", without=BOOKKEEPING)
        assert sorted(map(repr, history)) == sorted(repr(r) for r in told[table] if r not in now)
    with closing(sqlite3.connect(place.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
