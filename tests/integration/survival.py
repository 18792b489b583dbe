"""Runs that are killed, stopped and copied, and the picture of what they leave behind.

Shared by the survival tests and ``benchmarks.reliability``. Nothing here trusts the code under test:
stores are read with plain ``sqlite3``, files as bytes.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import Sandbox
from tests.integration.conftest import DIARIES, Cli, rows_of

DATASETS = (
    "frequency",
    "wind_solar",
    "entsoe_load",
    "entsoe_generation",
    "entsoe_day_ahead_prices",
)
PRODUCTS = ("average_power", "wind_solar_summary")
SETTINGS = {
    "DATASETS": ",".join(DATASETS),
    "PRODUCTS": ",".join(PRODUCTS),
    "ENTSOE_ZONES": "DE_LU,FR",
    "ENTSOE_REQUESTS_PER_S": "1000",
    "ELEXON_REQUESTS_PER_S": "1000",
}
# Days of which the sandbox withholds nothing and later restates wind, load and generation.
FIRST, LAST = "2024-07-16", "2024-07-17"
# The moment at which values are first told, and one after all revisions.
EARLY, LATE = "2024-07-18T06:00:00Z", "2024-11-25T09:00:00Z"
RUN = ("run", "--start", FIRST, "--end", LAST)
AGAIN = ("fetch", *DATASETS, "--start", FIRST, "--end", LAST, "--again")
AT_ONCE = 3

BOOKKEEPING = ("retrieved_at", "superseded_at")
LEDGER_FACTS = (
    "key", "scope", "day", "window_start", "window_end", "state", "rows", "expected", "coverage",
)  # fmt: skip
TIMES = {"frequency": "measurement_time"}


# --- what a run left ---------------------------------------------------------------------------


def tables_of(database: Path) -> dict[str, list[dict[str, Any]]]:
    """Every table but those that describe the store, without what says when we did something."""
    with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        name: rows_of(database, name, without=BOOKKEEPING)
        for name in names
        if name not in ("meta", "columns", "ledger")
    }
    ledger = rows_of(database, "ledger")
    found["ledger"] = [{name: row[name] for name in LEDGER_FACTS} for row in ledger]
    return found


def picture(output: Path) -> dict[str, str]:
    """Hash of every table's rows, of the ledger's facts, and of every file for people."""
    found = {}
    for name, rows in tables_of(output / "grid.db").items():
        text = "\n".join(sorted(repr(list(row.values())) for row in rows))
        found[f"{name}: {len(rows)} rows"] = hashlib.sha256(text.encode()).hexdigest()
    for path in visible(output):
        if path.suffix in (".csv", ".txt"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(output))] = digest
    return found


def visible(folder: Path) -> list[Path]:
    """The files that a person sees: neither hidden nor below a hidden folder."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def strange_files(output: Path) -> list[str]:
    """Visible files that an undisturbed run would not leave."""
    return [
        str(path.relative_to(output))
        for path in visible(output)
        if path.suffix not in (".csv", ".lock")
        and path.name not in (*DIARIES, "ATTRIBUTION.txt", "grid.db")
    ] + [str(path.relative_to(output)) for path in output.rglob("*.new.csv")]


def hidden_files(output: Path) -> list[str]:
    """What killed writers left beside the files they were about to replace."""
    return [str(path.relative_to(output)) for path in output.rglob(".*") if path.is_file()]


def assert_sound(output: Path, spare: Path) -> None:
    """Whatever was cut off: the store is intact, its ledger true, and every CSV whole.

    Looks at copies, so that the next run meets exactly what the last one left.
    """
    if (output / "grid.db").exists():
        shutil.rmtree(spare, ignore_errors=True)
        copy_store(output, spare)
        with closing(sqlite3.connect(spare / "grid.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            made = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchall()
        if made:
            assert_ledger_true(spare / "grid.db")
    for path in visible(output):
        if path.suffix == ".csv":
            lines = path.read_text(encoding="utf-8").split("\n")
            assert lines.pop() == ""
            assert len({line.count(",") for line in lines}) == 1, path


def assert_ledger_true(database: Path) -> None:
    """Every entry counts what its table holds."""
    with closing(sqlite3.connect(database)) as db:
        for row in rows_of(database, "ledger"):
            time_column = TIMES.get(row["key"], "period_start")
            zone = "AND zone = :scope" if row["scope"] else ""
            found = db.execute(
                f"SELECT count(*) FROM {row['key']} WHERE {time_column} >= :window_start "
                f"AND {time_column} < :window_end {zone}",
                row,
            )
            assert found.fetchone() == (row["rows"],), row
            assert (row["state"] == "complete") <= (row["coverage"] == 1.0), row


def copy_store(output: Path, to: Path) -> None:
    """The database as the disk has it: file, log and rollback journal, not the shared memory."""
    to.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-journal"):
        if (output / f"grid.db{suffix}").exists():
            shutil.copyfile(output / f"grid.db{suffix}", to / f"grid.db{suffix}")


# --- killing -----------------------------------------------------------------------------------

STAGES = ("starting", "fetching", "writing", "computing", "publishing", "ending")
LONG_STAGES = ("fetching", "writing")


@dataclass
class Tally:
    """What was done and found."""

    kills: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    clean_runs: int = 0
    copies: int = 0
    torn: int = 0

    @property
    def killed(self) -> int:
        return sum(self.kills.values())


class Place(Cli):
    """A store and output folder with the settings of these tests."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, sandbox)
        self.environment |= SETTINGS

    def stage(self, logged: int, begun: float) -> str:
        """How far a process got that began when the log had ``logged`` bytes."""
        log = self.output / "task_log.log"
        new = log.read_bytes()[logged:] if log.exists() else b""
        files = [p for p in self.output.rglob("*.csv") if p.stat().st_mtime >= begun]
        if b"ends with exit code" in new:
            return "ending"
        if files:
            return "publishing"
        if b"rows computed" in new:
            return "computing"
        if b"new or changed" in new:
            return "writing"
        return "fetching" if b"begins" in new else "starting"

    def killed_after(self, seconds: float, *arguments: str, after: bytes = b"") -> str:
        """Start a command and kill it after so long; the stage it had reached, or "" if it was done.

        With ``after`` the time runs from when these words appear in its log.
        """
        log = self.output / "task_log.log"
        logged, begun = (log.stat().st_size if log.exists() else 0), time.time()
        process = self.start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while after and process.poll() is None:
                if log.exists() and after in log.read_bytes()[logged:]:
                    break
                time.sleep(0.004)
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode in (0, 3), f"{arguments}: exit code {process.returncode}"
            return ""
        return self.stage(logged, begun)

    def clean(self, *arguments: str) -> None:
        """A run that nobody disturbs; it must find no lock, no damage and nothing missing."""
        assert_clean(self(*arguments))


def assert_clean(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@dataclass
class Reference:
    """What an undisturbed run leaves before and after the revisions, and how long each part takes."""

    early: dict[str, str]
    late: dict[str, str]
    run_s: float
    again_s: float


def undisturbed(folder: Path, early: Sandbox, late: Sandbox) -> Reference:
    place = Place(folder, early)
    # As long as the processes take that will be killed, which are started in the same way.
    begin = time.monotonic()
    assert_clean(place.from_scratch(*RUN))
    run_s = time.monotonic() - begin
    first = picture(place.output)
    place.environment |= late.settings()
    begin = time.monotonic()
    assert_clean(place.from_scratch(*AGAIN))
    again_s = time.monotonic() - begin
    place.clean(*RUN)
    return Reference(first, picture(place.output), run_s, again_s)


def kill_often(
    folder: Path, early: Sandbox, late: Sandbox, reference: Reference, kills: int, seed: int
) -> Tally:
    """Kill at least so many runs, in chains on the same store; every chain must end like the reference.

    A chain: five killed runs and a clean one against the early sandbox, then four killed fetches of
    everything again and two killed runs against the late one, and clean ones of both. Moments are
    spread evenly and shuffled: some over a little more than the whole duration, some from where the
    imports are done, from the first rows written, or from the first product computed.
    """
    tally, rng = Tally(), random.Random(seed)

    def moments() -> Iterator[float]:
        count = 24
        while True:
            parts = [(n + rng.random()) / count for n in range(count)]
            rng.shuffle(parts)
            yield from parts

    spread = moments()

    def chain(number: int, parts: Sequence[float]) -> None:
        place = Place(folder / f"chain{number}", early)
        spare = place.folder / "spare"

        def kill(part: float, length_s: float, *arguments: str) -> None:
            # Several processes share the cores, so each takes longer than the undisturbed one did.
            marks = [(b"", 1.3), (b"begins", 0.5), (b"new or changed", 0.3), (b"computed", 0.08)]
            after, share = marks[rng.randrange(4 if arguments == RUN else 3)]
            stage = place.killed_after(part * share * length_s, *arguments, after=after)
            assert_sound(place.output, spare)
            if stage:
                tally.kills[stage] += 1

        for part in parts[:5]:
            kill(part, reference.run_s, *RUN)
        place.clean(*RUN)
        assert picture(place.output) == reference.early
        place.environment |= late.settings()
        for part in parts[5:9]:
            kill(part, reference.again_s, *AGAIN)
        for part in parts[9:]:
            kill(part, reference.run_s, *RUN)
        place.clean(*AGAIN)
        place.clean(*RUN)
        assert picture(place.output) == reference.late
        assert strange_files(place.output) == []
        tally.hidden += len(hidden_files(place.output))
        tally.clean_runs += 3
        shutil.rmtree(place.folder)

    number = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Which moments are hit is chance: on until those have come that take most of a run.
        while tally.killed < kills or (
            not set(LONG_STAGES) <= set(tally.kills) and tally.killed < 4 * kills
        ):
            # As many chains as surely do not kill too often, at least one on each core.
            wanted = max(AT_ONCE, (kills - tally.killed) // 11)
            chains = [
                pool.submit(chain, number + n, [next(spread) for _ in range(11)])
                for n in range(wanted)
            ]
            number += wanted
            for one in chains:
                one.result()
    return tally


# --- power cuts --------------------------------------------------------------------------------


def copies_of_a_run(place: Place, to: Path, every_s: float, seed: int) -> list[Path]:
    """Copies of store and files at random moments of one run, each of a single moment.

    The process stands still while its files are copied, so that a copy is what a disk would hold if
    the power failed just then. Some copies also lose the end of the write-ahead log, cut anywhere
    and partly overwritten, as far as nothing of it has reached the database file yet: what was not
    synced may be lost.
    """
    rng = random.Random(seed)
    process = place.start(*RUN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    copies: list[Path] = []
    first: bytes | None = None
    try:
        while process.poll() is None:
            time.sleep(rng.uniform(0.2, 1.8) * every_s)
            process.send_signal(signal.SIGSTOP)
            if process.poll() is not None:
                break
            database = place.output / "grid.db"
            if database.exists():
                copy = to / f"copy{len(copies)}" / "output"
                copy_store(place.output, copy)
                for path in visible(place.output):
                    if path.suffix in (".csv", ".txt", ".jsonl"):
                        target = copy / path.relative_to(place.output)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(path, target)
                content = database.read_bytes()
                if _has_schema(content):
                    first = first or content
                if content == first and (copy / "grid.db-wal").exists() and len(copies) % 2:
                    _tear(copy / "grid.db-wal", rng)
                copies.append(copy)
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return copies


def _has_schema(content: bytes) -> bool:
    """Whether a database file is in write-ahead mode, from where on writes go to the log."""
    return len(content) > 20 and content[18] == 2


def _tear(log: Path, rng: random.Random) -> None:
    """Cut a write-ahead log anywhere and spoil the last bytes of what is left."""
    content = bytearray(log.read_bytes())
    cut = rng.randint(0, len(content))
    del content[cut:]
    for n in range(max(0, cut - rng.randint(0, 512)), cut):
        content[n] = rng.randrange(256)
    log.write_bytes(content)
    (log.parent / "torn").touch()


def survive_power_cuts(
    folder: Path, sandbox: Sandbox, expected: dict[str, str], copies: int, seed: int
) -> Tally:
    """Take at least so many copies of running runs; each must be intact and end like ``expected``.

    At least one of them has lost the end of its write-ahead log.
    """
    tally = Tally()

    def mend(copy: Path, lost: bool) -> None:
        if (copy / "torn").exists():
            (copy / "torn").unlink()
            tally.torn += 1
        if lost:  # a folder whose name had not reached the disk
            shutil.rmtree(copy / LAST, ignore_errors=True)
        assert_sound(copy, copy.parent / "spare")
        place = Place(copy.parent, sandbox)
        assert place.output == copy
        place.clean(*RUN)
        assert picture(copy) == expected
        assert strange_files(copy) == []
        tally.copies += 1
        tally.clean_runs += 1
        shutil.rmtree(copy.parent)

    number = 0
    while tally.copies < copies or not tally.torn:
        place = Place(folder / f"run{number}", sandbox)
        taken = copies_of_a_run(place, folder / f"copies{number}", 0.06, seed + number)
        left = max(copies - tally.copies, 1)
        if len(taken) > left:  # spread over the whole run, not its first moments
            drawn = random.Random(seed).sample(taken, left)
            torn = [copy for copy in taken if (copy / "torn").exists()]
            if torn and not set(torn) & set(drawn):
                drawn[0] = torn[-1]
            taken = sorted(drawn)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(mend, c, n % 3 == 0) for n, c in enumerate(taken)]:
                done.result()
        assert picture(place.output) == expected
        shutil.rmtree(place.folder)
        number += 1
    return tally


# --- truth -------------------------------------------------------------------------------------


def true_rows(
    sandbox: Sandbox, table: str, start: str, end: str, zones: Sequence[str]
) -> list[Any]:
    """Rows of a table as the sandbox itself tells them, in the form of ``stored_rows``."""
    columns = sandbox.truth(table, start, end)["columns"]
    names = {
        "frequency": ("time", "frequency_hz"),
        "wind_solar": ("start_time", "psr_type", "quantity_mw", "publish_time"),
        "entsoe_load": ("zone", "time", "resolution_minutes", "load_mw"),
        "entsoe_generation": (
            "zone", "time", "psr_type", "resolution_minutes", "generation_mw", "consumption_mw",
        ),
        "entsoe_day_ahead_prices": (
            "zone", "time", "sequence", "resolution_minutes", "price", "currency",
        ),
    }[table]  # fmt: skip
    rows = []
    for values in zip(*(columns[name] for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        if "zone" in row and row["zone"] not in zones:
            continue
        rows.append(tuple(_plain(name, value) for name, value in row.items()))
    return sorted(rows, key=repr)


def _plain(name: str, value: Any) -> Any:
    if name.endswith("time"):
        return f"{value}Z"
    if name == "resolution_minutes":
        return int(value) * 60
    if name == "sequence":
        return int(value)
    if isinstance(value, float):
        return None if value != value else float(value)
    return str(value)


def stored_rows(database: Path, table: str) -> list[Any]:
    """Rows as they are stored, in the columns that ``true_rows`` tells."""
    kept = {
        "frequency": ("measurement_time", "frequency_hz"),
        "wind_solar": ("period_start", "psr_type", "generation_mw", "publish_time"),
    }.get(table)
    rows = rows_of(database, table)
    return sorted((tuple(row[n] for n in kept or row) for row in rows), key=repr)
