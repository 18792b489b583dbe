"""``python -m benchmarks.reliability``: kill runs, cut the power and spoil answers, and count.

Runs the project's own command line against the sandbox, as the survival tests do, with numbers of
kills, copies and weeks that can be told, and writes ``docs/reliability.md``. Any difference from a run
that nobody disturbed ends it with an error and without a report.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.detection import TITLE as LIES
from domain.settlement import ONE_DAY
from sandbox import Fault, Sandbox
from sandbox.faults import KINDS, FaultChooser
from tests.integration.survival import (
    DATASETS,
    EARLY,
    FIRST,
    LAST,
    LATE,
    SETTINGS,
    STAGES,
    Place,
    Tally,
    assert_ledger_true,
    kill_often,
    picture,
    stored_rows,
    survive_power_cuts,
    true_rows,
    undisturbed,
)
from utils import PROJECT, write_whole

SHARE = 0.2
MOST_ROUNDS = 6
# Weeks whose days the sandbox fills in the end; in summer time, so that a day begins at 23:00 UTC.
FIRST_WEEK = date(2024, 4, 8)
# History may hold half rows of generation, where one of its two sides came later.
MAY_DIFFER = "entsoe_generation_history"


@dataclass
class Weeks:
    """What the weeks of mixed faults came to."""

    weeks: int = 0
    answers: int = 0
    rounds: Counter[int] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    rows: int = 0


def main() -> int:
    """Do it all, then write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--copies", type=int, default=100)
    parser.add_argument("--weeks", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    begin = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as place,
        Sandbox(now=EARLY) as early,
        Sandbox(now=LATE) as late,
    ):
        folder = Path(place)
        reference = undisturbed(folder / "undisturbed", early, late)
        kills = kill_often(folder / "kills", early, late, reference, wanted.kills, wanted.seed)
        print(f"{kills.killed} kills", flush=True)
        cuts = survive_power_cuts(
            folder / "cuts", early, reference.early, wanted.copies, wanted.seed
        )
        print(f"{cuts.copies} copies", flush=True)
        weeks = mixed_weeks(folder / "weeks", wanted.weeks, wanted.seed)
        print(f"{weeks.weeks} weeks", flush=True)
    took = time.monotonic() - begin
    page = PROJECT / "docs" / "reliability.md"
    # The last section belongs to benchmarks.detection.
    _, mark, lies = page.read_text(encoding="utf-8").partition(f"\n## {LIES}\n")
    write_whole(page, (report(kills, cuts, weeks, took / 60) + mark + lies).encode())
    return 0


def mixed_weeks(folder: Path, count: int, seed: int) -> Weeks:
    """Weeks of daily runs of which every fifth answer is spoilt, until nothing is missing."""
    found = Weeks()
    for week in range(count):
        days = [FIRST_WEEK + (7 * week + n) * ONE_DAY for n in range(7)]
        with Sandbox(now=LATE) as sandbox:
            calm = Place(folder / f"calm{week}", sandbox)
            for day in days:
                calm("run", "--date", day.isoformat())
            expected = picture(calm.output)
            sandbox.clear_requests()
            sandbox.chooser = FaultChooser(seed + week, faults())
            place = Place(folder / f"week{week}", sandbox)
            place.environment |= SETTINGS | {
                "ELEXON_TIMEOUT_S": "0.5",
                "ENTSOE_TIMEOUT_S": "0.5",
                "ENTSOE_DEADLINE_S": "10",
            }
            rounds = 0
            while not same(place.output, expected):
                rounds += 1
                if rounds > MOST_ROUNDS:
                    raise SystemExit(f"week {week}: not whole after {MOST_ROUNDS} rounds")
                for day in days:
                    done = place("run", "--date", day.isoformat())
                    if done.returncode not in (0, 1, 3) or "Traceback" in done.stderr:
                        raise SystemExit(done.stderr)
                assert_ledger_true(place.database)
            start = f"{days[0] - ONE_DAY}T23:00:00Z"
            end = f"{days[-1]}T23:00:00Z"
            for table in DATASETS:
                truth = true_rows(sandbox, table, start, end, ("DE_LU", "FR"))
                if stored_rows(place.database, table) != truth:
                    raise SystemExit(f"week {week}: {table} is not what the sandbox told")
                found.rows += len(truth)
            found.weeks += 1
            found.rounds[rounds] += 1
            found.answers += len(sandbox.requests)
            found.hit.update(r.fault for r in sandbox.requests if r.fault)
    return found


def faults() -> list[Fault]:
    """All kinds but ``revised``, which no client can tell from a real revision, and the plain ban."""
    kinds = [kind for kind in KINDS if kind not in ("revised", "429")]
    each = SHARE / len(kinds)
    # Of a list the first fault that hits is the only one: later ones need a larger part.
    pauses = {"429-retry-after": 0.0}
    return [
        Fault(kind, each / (1 - n * each), seconds=pauses.get(kind, 0.05))
        for n, kind in enumerate(kinds)
    ]


def same(output: Path, expected: dict[str, str]) -> bool:
    """Whether a store and its files are those of the undisturbed run."""
    if not (output / "grid.db").exists():
        return False
    differ = picture(output).items() ^ expected.items()
    return {name.partition(":")[0] for name, _ in differ} <= {MAY_DIFFER}


def report(kills: Tally, cuts: Tally, weeks: Weeks, minutes: float) -> str:
    """The page."""
    stages = [f"| {stage} | {kills.kills[stage]} |" for stage in STAGES]
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(weeks.hit.items()))
    hit = sum(weeks.hit.values())
    rounds = ", ".join(f"{count} after {n}" for n, count in sorted(weeks.rounds.items()))
    return f"""# Reliability

What was done to the suite, how often, and what was found. Measured on {datetime.now(UTC):%Y-%m-%d} on a
machine with 2 cores, in {minutes:.0f} minutes, by `python -m benchmarks.reliability`, which writes this
page and stops without writing it at the first difference. All of it runs the real command line against
the sandbox over loopback HTTP, into a real SQLite file. "The same" means: the rows of every table and
history, the ledger's facts (state, rows, coverage of each day) and every byte of the CSV files.

## Killed

{kills.killed} runs over {FIRST} and {LAST} with all five datasets of both providers were ended by
SIGKILL at random moments, up to eleven on the same store before it was left in peace. Half of them were
first fetches, half asked for everything again after values had been restated.

| killed while | times |
| --- | --- |
{chr(10).join(stages)}

- After every kill a copy of the store passed `PRAGMA integrity_check`, every ledger entry counted
  exactly the rows of its table, and every CSV file was whole.
- {kills.clean_runs} clean runs followed. All of them found no lock, ended with exit code 0 and left
  the same as a run that nobody disturbed.
- Temporary files left behind where a person would see them: 0. Hidden ones (`.<name>.….tmp`, of a file
  that was about to be written): {kills.hidden}.

## Power cut

{cuts.copies} copies of store and files were taken from running runs at random moments, without the
shared memory, as a disk would hold them. {cuts.torn} of them also lost the end of their write-ahead log,
cut anywhere and partly overwritten, and every third lost a folder of published files. All passed the
integrity check, and one run on each copy made it the same as an undisturbed one.

What this does not show: a disk that says it has synced and has not.

## Every fifth answer spoilt

{weeks.weeks} weeks, run day by day, over both providers, with {SHARE:.0%} of the answers spoilt in one of
{len(faults())} ways. {hit} of {weeks.answers} answers were hit: {kinds}.

- Weeks that were the same as undisturbed ones, by rounds of daily runs it took: {rounds}.
- {weeks.rows:,} rows equal the sandbox's own account of its grid. Nothing else was ever stored, and no day
  was called complete that was not.

## What the tests add

`python3 run.py test --all` kills 100 runs, copies 14, refuses every single SQL statement of a run and
every step of publishing a file (disk full, read-only, broken), holds the database locked, bans the
client, and lets hypothesis play the provider against a model of the ledger; `test --nightly` kills
1,000 and plays for longer.
"""


if __name__ == "__main__":
    sys.exit(main())
