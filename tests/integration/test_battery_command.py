"""battery_response and the frequency products through store and files, and the command ``battery``."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from domain.settlement import parse_range
from domain.windows import Window
from pictures.battery import run_picture
from pictures.static import png
from products import battery_response
from sandbox import Sandbox
from tests.integration.conftest import PROJECT, Cli, World, instant, read_csv
from tests.unit.test_battery_response import DEFAULTS, auctions, every, frequency

DAY = "2024-10-27"
KEYS = ("battery_response", "frequency_quality", "frequency_events", "frequency_histogram")
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A place in which two days of frequency and prices are stored."""
    with Sandbox(seed=7) as sandbox:
        cli = Cli(tmp_path_factory.mktemp("stored"), sandbox)
        done = cli("fetch", "frequency", "response_auctions", "--start", "2024-10-26", "--end", DAY)
        assert done.returncode == 0, done.stderr
    yield cli


def test_products_are_stored_published_and_left_alone_the_second_time(stored: Cli) -> None:
    for key in KEYS:
        done = stored("process", key, "--start", DAY)
        assert done.returncode == 0, done.stdout + done.stderr
        rows = read_csv(stored.output / DAY / f"{key}.csv")
        if key in ("battery_response", "frequency_quality"):
            assert [int(row["settlement_period"]) for row in rows] == list(range(1, 51)), key
    rows = read_csv(stored.output / DAY / "battery_response.csv")
    assert {row["available"] for row in rows} <= {"true", "false", "True", "False", "1", "0"}
    seconds = sum(
        float(row["seconds"]) for row in read_csv(stored.output / DAY / "frequency_histogram.csv")
    )
    assert abs(seconds - 25 * 3600) < 1e-6
    again = stored("process", *KEYS, "--start", DAY)
    assert again.returncode == 0, again.stderr
    changed = stored("process", "battery_response", "--start", DAY, BATTERY_ENERGY_MWH="9")
    assert changed.returncode == 0, changed.stderr
    assert read_csv(stored.output / DAY / "battery_response.csv") != rows


def test_a_day_without_prices_has_no_revenue_and_one_without_frequency_waits(world: World) -> None:
    world.fetch(["frequency"], DAY)
    import process_data

    products = process_data.find_products(["battery_response"])
    window = parse_range(DAY)
    with world.store() as store:
        (part,) = process_data.process_windows(
            [(products[0], window)], store, world.settings(), window.end
        )
        assert part.computed == 1 and not part.failures
        (part,) = process_data.process_windows(
            [(products[0], parse_range("2024-07-01"))], store, world.settings(), window.end
        )
        assert "frequency" in next(iter(part.waiting.values()))
    rows = world.rows("battery_response")
    assert len(rows) == 50
    assert {row["revenue_gbp"] for row in rows} == {None}


def test_command_prints_a_table_and_writes_a_file_a_service(stored: Cli) -> None:
    done = stored(
        *shlex.split("battery --compare dc,dm,dr --power 50 --energy 100 --no-picture"),
        *("--start", "2024-10-26", "--end", DAY, "--to", "here"),
    )
    assert done.returncode == 0, done.stderr
    for word in ("dc", "dm", "dr", "synthetic", "available"):
        assert word in done.stdout
    files = sorted(path.name for path in (stored.folder / "here").glob("*.csv"))
    span = "20241025T2300Z_20241028T0000Z"
    assert files == [f"battery_{service}_{span}.csv" for service in ("dc", "dm", "dr")]
    # 50 MW of dr for an hour, both ways, is more than 100 MWh after losses; dc and dm fit.
    (note,) = [line for line in done.stdout.splitlines() if "takes a store" in line]
    assert note.startswith("! dr: ") and "100.3 MWh" in note
    rows = read_csv(stored.folder / "here" / files[2])
    assert len(rows) == 98
    # Continuous: the second day begins where the first ended.
    assert rows[48]["soc_start"] == rows[47]["soc_end"] != "0.5"
    assert "SYNTHETIC" in (stored.folder / "here" / "ATTRIBUTION.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="matplotlib is not installed")
def test_command_draws_a_picture(stored: Cli) -> None:
    done = stored("battery", "--service", "dr", "--start", DAY, "--to", "pictures")
    assert done.returncode == 0, done.stderr
    (path,) = (stored.folder / "pictures").glob("*.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="matplotlib is not installed")
@pytest.mark.parametrize("missing", [range(2, 4), range(24)], ids=["a gap", "no sample at all"])
def test_a_picture_of_a_range_with_gaps(missing: range) -> None:
    window = Window(instant("2024-07-01T00:00:00Z"), instant("2024-07-01T06:00:00Z"))
    samples = {t: hz for t, hz in every(15, window, 49.9).items() if t.hour not in missing}
    assert drawn_by("dr", samples, window).startswith(b"\x89PNG")


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="matplotlib is not installed")
def test_a_picture_of_weeks_is_drawn_by_period_and_day() -> None:
    window = parse_range("2024-10-20", "2024-10-31")
    assert drawn_by("dc", every(60, window, 49.9), window).startswith(b"\x89PNG")


def drawn_by(service: str, samples: dict[datetime, float], window: Window) -> bytes:
    plan = battery_response.Plan.of(**(DEFAULTS | {"response_service": service}))
    rows, run = battery_response.respond(frequency(samples), auctions(), window, plan)
    return png(run_picture(plan, rows, run, window, "synthetic"))


@pytest.mark.skipif(HAS_MATPLOTLIB, reason="matplotlib is installed")
def test_a_missing_library_is_one_sentence_with_the_install_command(stored: Cli) -> None:
    done = stored("battery", "--start", DAY)
    assert done.returncode == 2
    assert "python3 run.py --install-deps plot" in done.stderr
    assert (PROJECT / "requirements" / "plot.txt").is_file()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("--service dx", ["--service dx:", "efr_wide"]),
        ("--compare dc,dx", ["'dx'", "efr_narrow"]),
        ("--service dc --compare dr", ["--compare"]),
        ("--compare ,", ["--compare names no service"]),
        ("--power -5", ["--power -5: it must be a number above 0"]),
        ("--energy 0", ["--energy 0: it must be a number above 0"]),
        ("--direction up", ["low, high, both"]),
        ("--recovery often", ["none, target, next"]),
        ("--end 2024-10-28T00:15:00Z", ["settlement periods"]),
        ("--end 2024-10-26", ["reversed or empty"]),
        ("--start 27.10.2024", ["write it as 2024-10-27"]),
    ],
)
def test_wrong_calls_are_one_sentence(stored: Cli, call: str, words: list[str]) -> None:
    done = stored("battery", "--no-picture", "--start", DAY, *shlex.split(call))
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_without_frequency_it_says_what_to_fetch(offline: Cli, tmp_path: Path) -> None:
    done = offline("battery", "--no-picture", "--start", DAY)
    assert done.returncode == 3
    assert f"fetch frequency --start {DAY} --end {DAY}" in done.stderr
    assert not (offline.output / "battery").exists()
