"""The same day under other clocks, languages, hash seeds and numbers of workers: the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox import Fault, Sandbox
from tests.integration.conftest import Cli, csv_files, rows_of, true_frequency, true_wind

# Gaps, a batch that comes twice, and the long day.
FIRST, LAST = "2024-10-24", "2024-10-27"
BOUNDS = ("2024-10-23T23:00:00Z", "2024-10-28T00:00:00Z")
TABLES = ("frequency", "wind_solar", "average_power", "wind_solar_summary", "columns")
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "FETCH_WORKERS": "4"},
    "one worker": {"TZ": "Asia/Kolkata", "PYTHONHASHSEED": "1", "FETCH_WORKERS": "1"},
    "two workers": {
        "TZ": "Pacific/Apia",
        "LC_ALL": "de_DE.UTF-8",
        "LANG": "de_DE.UTF-8",
        "PYTHONHASHSEED": "random",
        "FETCH_WORKERS": "2",
    },
    "eight workers": {
        "TZ": "Europe/London",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "4242",
        "FETCH_WORKERS": "8",
    },
}


class Outcome:
    """What one run left behind, without what tells when it was."""

    def __init__(self, cli: Cli) -> None:
        self.cli = cli
        self.files = csv_files(cli.output)
        self.notice = (cli.output / "ATTRIBUTION.txt").read_bytes()
        self.tables = {table: rows_of(cli.database, table) for table in TABLES}
        self.ledger = rows_of(cli.database, "ledger", without=("asked_at", "counted_at"))


@pytest.fixture(scope="module")
def served_here() -> Iterator[Sandbox]:
    with Sandbox(seed=7) as sandbox:
        # Every answer in disorder and with rows that come twice.
        sandbox.faults = [Fault("duplicates")]
        yield sandbox


@pytest.fixture(scope="module")
def outcomes(served_here: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    def run(name: str) -> Outcome:
        cli = Cli(tmp_path_factory.mktemp("world"), served_here)
        done = cli("run", "--start", FIRST, "--end", LAST, **SETTINGS[name])
        assert done.returncode == 3, done.stderr  # the gap of the first day
        assert "frequency 2024-10-24: partial" in done.stdout
        return Outcome(cli)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SETTINGS, pool.map(run, SETTINGS), strict=True))


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "plain"])
def test_same_files_and_tables(outcomes: dict[str, Outcome], name: str) -> None:
    plain, other = outcomes["plain"], outcomes[name]
    assert sorted(other.files) == sorted(plain.files)
    for path, content in plain.files.items():
        assert other.files[path] == content, path
    assert other.notice == plain.notice
    for table in TABLES:
        assert other.tables[table] == plain.tables[table], table
    assert other.ledger == plain.ledger


def test_they_are_not_only_equal_but_right(
    outcomes: dict[str, Outcome], served_here: Sandbox
) -> None:
    """Equal errors are equal too."""
    plain = outcomes["plain"]
    rows = plain.tables["frequency"]
    assert [(row["measurement_time"], row["frequency_hz"]) for row in rows] == true_frequency(
        served_here, *BOUNDS
    )
    wind = [
        (row["period_start"], row["psr_type"], row["generation_mw"], row["publish_time"])
        for row in plain.tables["wind_solar"]
    ]
    assert sorted(wind) == true_wind(served_here, *BOUNDS)
    assert len(plain.files) == 2 * (4 + 1)
    days = {Path(path).parts[0] for path in plain.files if "/" in path or "\\" in path}
    assert days == {"2024-10-24", "2024-10-25", "2024-10-26", "2024-10-27"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_export_is_the_same_everywhere(outcomes: dict[str, Outcome], kind: str) -> None:
    def export(name: str) -> bytes:
        cli = outcomes["plain"].cli
        path = cli.folder / f"{name}.{kind}"
        done = cli("export", "wind_solar", "--to", str(path), **SETTINGS[name])
        assert done.returncode == 0, done.stderr
        return path.read_bytes()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(export, ("plain", "two workers"))
    assert first == second
