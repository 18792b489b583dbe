"""The daily job from the provider's answer to the published file, against the sandbox's own account."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import process_data
import sources.transport
import storage
from domain.errors import StoreError, StoreMismatch
from domain.settlement import parse_range
from domain.tables import conform
from sandbox import Fault, Sandbox
from sources.dataset import Answer
from sources.elexon import DATASETS, WIND_SOLAR
from tests.integration.conftest import (
    FREQUENCY_PATH,
    WIND_PATH,
    Cli,
    World,
    csv_files,
    droop_by_hand,
    hashes,
    instant,
    read_csv,
    true_frequency,
    true_wind,
)

PRODUCTS = ("average_power", "wind_solar_summary")
# Settlement day, its UTC bounds, its settlement periods, its frequency samples.
DAYS = [
    ("2024-03-31", "2024-03-31T00:00:00Z", "2024-03-31T23:00:00Z", 46, 5520),
    ("2024-10-05", "2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z", 48, 5760),
    ("2024-10-27", "2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z", 50, 6000),
]
FREQ, WIND = FREQUENCY_PATH.rsplit("/", 1)[-1], WIND_PATH.rsplit("/", 1)[-1]


def only(world: World, key: str) -> list[dict[str, str]]:
    """Published rows of a product's own file."""
    return read_csv(world.output / f"{key}.csv")


def near(text: str, expected: float) -> bool:
    return abs(float(text) - expected) < 2e-9


@contextmanager
def failing_once(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, trouble: BaseException
) -> Iterator[None]:
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            raise trouble

        patch.setattr(module, name, fail)
        yield


# --- one day, all the way ----------------------------------------------------------------------


@pytest.mark.parametrize(("day", "start", "end", "periods", "samples"), DAYS)
def test_day_stored_equals_truth(
    world: World, day: str, start: str, end: str, periods: int, samples: int
) -> None:
    report = world.run(day)
    assert report.exit_code == 0
    assert world.frequency() == true_frequency(world.sandbox, start, end)
    assert world.wind() == true_wind(world.sandbox, start, end)
    assert len(world.frequency()) == samples
    assert len(world.wind()) == 3 * periods
    numbers = [row["settlement_period"] for row in world.rows("wind_solar")]
    assert sorted(set(numbers)) == list(range(1, periods + 1))
    assert {row["settlement_date"] for row in world.rows("wind_solar")} == {day}
    for key, rows in (("frequency", samples), ("wind_solar", 3 * periods)):
        entry = world.ledger(key)[day]
        assert (entry["state"], entry["rows"], entry["expected"]) == ("complete", rows, rows)
        assert entry["coverage"] == 1.0
        assert (entry["window_start"], entry["window_end"]) == (start, end)
    assert {row["value"] for row in world.rows("meta")} == {"synthetic"}


@pytest.mark.parametrize(("day", "start", "end", "periods", "samples"), DAYS)
def test_day_published_equals_plain_loops(
    world: World, day: str, start: str, end: str, periods: int, samples: int
) -> None:
    world.run(day, BATTERY_POWER_MW="10")
    expected = droop_by_hand(true_frequency(world.sandbox, start, end), 10.0)
    del expected[end]  # the last sample holds beyond the day, and the day ends there
    rows = only(world, "average_power")
    assert [row["period_start"] for row in rows] == sorted(expected)
    assert len(rows) == periods
    for number, row in enumerate(rows, start=1):
        half = expected[row["period_start"]]
        up, down, covered = half["up"], half["down"], half["covered"]
        assert near(row["average_power_mw"], (up - down) / covered)
        assert near(row["average_discharge_mw"], up / covered)
        assert near(row["average_charge_mw"], down / covered)
        assert near(row["average_activity_mw"], (up + down) / covered)
        assert near(row["discharge_mwh"], up / 3600)
        assert near(row["charge_mwh"], down / 3600)
        assert (row["samples"], float(row["coverage"])) == ("120", 1.0)
        assert (row["settlement_date"], row["settlement_period"]) == (day, str(number))
        assert row["service"] == "droop"

    truth = true_wind(world.sandbox, start, end)
    summary = only(world, "wind_solar_summary")
    assert [row["psr_type"] for row in summary] == ["Solar", "Wind Offshore", "Wind Onshore"]
    for row in summary:
        values = [(mw, begin) for begin, kind, mw, _ in truth if kind == row["psr_type"]]
        assert row["period_start"] == start
        assert near(row["energy_mwh"], sum(mw for mw, _ in values) / 2)
        assert near(row["mean_mw"], sum(mw for mw, _ in values) / periods)
        low, high = min(mw for mw, _ in values), max(mw for mw, _ in values)
        assert near(row["minimum_mw"], low)
        assert near(row["maximum_mw"], high)
        assert row["minimum_at"] == min(begin for mw, begin in values if mw == low)
        assert row["maximum_at"] == min(begin for mw, begin in values if mw == high)
        assert (row["periods"], float(row["coverage"])) == (str(periods), 1.0)

    for key in PRODUCTS:
        of_day = world.output / day / f"{key}.csv"
        assert of_day.read_bytes() == (world.output / f"{key}.csv").read_bytes()
        assert b"\r" not in of_day.read_bytes()
        # What is published is what is stored.
        stored = world.rows(key)
        assert [list(row) for row in read_csv(of_day)] == [list(row) for row in stored]
        assert len(read_csv(of_day)) == len(stored)
    assert "SYNTHETIC" in (world.output / "ATTRIBUTION.txt").read_text(encoding="utf-8")


def test_rows_before_the_day_reach_into_its_first_period(world: World) -> None:
    """A sample holds for 60 s, also over midnight: a gap that begins there is covered a little."""
    # 2024-10-22 lacks 682 samples in the middle; both neighbours are stored too.
    world.run("2024-10-21", "2024-10-23", only=["average_power"])
    truth = true_frequency(world.sandbox, "2024-10-20T23:00:00Z", "2024-10-23T23:00:00Z")
    expected = droop_by_hand(truth)
    stored = {row["period_start"]: row for row in world.rows("average_power")}
    assert len(stored) == 3 * 48
    thin = 0
    for start, row in stored.items():
        half = expected.get(start, {"covered": 0.0, "samples": 0})
        assert abs(row["coverage"] - half["covered"] / 1800) < 1e-9
        assert row["samples"] == half["samples"]
        if half["covered"] / 1800 < 0.5:
            thin += 1
            assert row["average_power_mw"] is None
            assert row["discharge_mwh"] is None
        else:
            mean = (half["up"] - half["down"]) / half["covered"]
            assert abs(row["average_power_mw"] - mean) < 2e-9
    assert thin > 2


def test_rerun_asks_nothing_and_changes_no_byte(cli: Cli, sandbox: Sandbox) -> None:
    first = cli("run", "--start", "2024-10-26", "--end", "2024-10-27")
    assert first.returncode == 0, first.stderr
    assert sandbox.requests
    sandbox.clear_requests()
    before = hashes(cli.output)
    assert {"grid.db", "average_power.csv", "2024-10-26/wind_solar_summary.csv"} <= set(before)
    second = cli("run", "--start", "2024-10-26", "--end", "2024-10-27")
    assert second.returncode == 0, second.stderr
    assert sandbox.requests == []
    assert hashes(cli.output) == before


def test_rerun_computes_and_publishes_nothing(world: World) -> None:
    world.run("2024-10-27")
    before = {path: path.stat().st_mtime_ns for path in world.output.rglob("*.csv")}
    report = world.run("2024-10-27")
    assert report.requests == 0
    assert report.exit_code == 0
    assert sum(part.computed + part.published for part in report.processed) == 0
    assert {path: path.stat().st_mtime_ns for path in world.output.rglob("*.csv")} == before


def test_again_asks_and_changes_only_what_differs(world: World) -> None:
    world.run("2024-10-27")
    rows, files = world.rows("frequency", without=()), csv_files(world.output)
    world.asked()
    report = world.fetch(["frequency"], "2024-10-27", again=True, now="2024-11-26T09:00:00Z")
    assert len(world.asked()) == 1
    assert [part.changed for part in report.fetched] == [0]
    assert world.rows("frequency", without=()) == rows
    assert csv_files(world.output) == files


# --- revisions and late rows -------------------------------------------------------------------


def test_revised_answer_moves_the_old_row_to_history(world: World) -> None:
    """2024-10-20 is published again at D+1 17:00 and at D+4 17:00."""
    start, end = "2024-10-19T23:00:00Z", "2024-10-20T23:00:00Z"
    first = world.run("2024-10-20", now="2024-10-21T06:00:00Z")
    assert first.exit_code == 0
    before = true_wind(world.sandbox, start, end)
    assert world.wind() == before
    assert world.rows("wind_solar_history") == []
    summary = (world.output / "2024-10-20" / "wind_solar_summary.csv").read_bytes()
    world.asked()

    second = world.run("2024-10-20", now="2024-10-22T06:00:00Z")
    assert [path for path, _, _ in world.asked()] == [WIND]  # frequency is never restated
    after = true_wind(world.sandbox, start, end)
    assert after != before
    assert world.wind() == after
    assert world.wind("wind_solar_history") == sorted(set(before) - set(after))
    assert sum(part.changed for part in second.fetched) == len(set(after) - set(before))
    assert (world.output / "2024-10-20" / "wind_solar_summary.csv").read_bytes() != summary

    world.run("2024-10-20", now="2024-10-26T06:00:00Z")
    last = true_wind(world.sandbox, start, end)
    assert last != after
    every = true_wind(world.sandbox, start, end, every=True)
    assert world.wind() == last
    assert sorted(world.wind() + world.wind("wind_solar_history")) == every
    # Both clocks are kept: the provider's, and ours.
    history = world.rows("wind_solar_history", without=())
    assert {row["retrieved_at"] for row in history} == {
        "2024-10-21T06:00:00Z",
        "2024-10-22T06:00:00Z",
    }
    assert {row["superseded_at"] for row in history} == {
        "2024-10-22T06:00:00Z",
        "2024-10-26T06:00:00Z",
    }


def test_revision_is_asked_when_it_is_due_and_not_before(world: World) -> None:
    world.run("2024-10-20", now="2024-10-21T06:00:00Z")
    world.asked()
    world.run("2024-10-20", now="2024-10-21T22:00:00Z")
    assert world.asked() == []
    world.run("2024-10-20", now="2024-10-21T23:30:00Z")  # a day after the day's end
    assert [path for path, _, _ in world.asked()] == [WIND]
    world.run("2024-10-20", now="2024-10-22T20:00:00Z")
    assert world.asked() == []


def test_older_publication_that_arrives_late_does_not_overwrite(world: World) -> None:
    """The newest publication is stored first; the one before it then only enters history."""
    start, end = "2024-10-19T23:00:00Z", "2024-10-20T23:00:00Z"
    world.run("2024-10-20", now="2024-10-30T06:00:00Z", only=["wind_solar"])
    current = world.wind()
    world.sandbox.now = "2024-10-21T06:00:00Z"
    early = true_wind(world.sandbox, start, end)
    assert early != current
    rows = conform(
        WIND_SOLAR,
        {
            "startTime": [row[0] for row in early],
            "psrType": [row[1] for row in early],
            "quantity": [row[2] for row in early],
            "publishTime": [row[3] for row in early],
            "businessType": [
                "Solar generation" if row[1] == "Solar" else "Wind generation" for row in early
            ],
            "settlementDate": ["2024-10-20"] * len(early),
            "settlementPeriod": [1 + n // 3 for n in range(len(early))],
        },
        "by hand",
    )
    dataset = next(d for d in DATASETS if d.key == "wind_solar")
    window = parse_range("2024-10-20")
    version = world.ledger("wind_solar")["2024-10-20"]["version"]
    for when in ("2024-10-30T07:00:00Z", "2024-10-30T08:00:00Z"):  # the second time adds nothing
        with world.store() as store:
            entries, changed = storage.write_answer(
                store, dataset, "", window, Answer(rows, 0, 0, True), instant(when)
            )
        assert changed == 0
        assert [str(entry.state) for entry in entries] == ["complete"]
        assert world.wind() == current
        assert world.wind("wind_solar_history") == sorted(set(early) - set(current))
    assert world.ledger("wind_solar")["2024-10-20"]["version"] == version


def test_late_rows_complete_the_day_and_recompute_no_other(world: World) -> None:
    """One row of 2024-10-31 is published at D+1 17:00 only."""
    first = world.run("2024-10-28", "2024-10-31", now="2024-11-01T06:00:00Z")
    assert first.exit_code == 3
    assert [hole.split(":")[0] for hole in first.holes] == ["wind_solar 2024-10-31"]
    assert world.ledger("wind_solar")["2024-10-31"]["rows"] == 143
    assert world.states("wind_solar")["2024-10-31"] == "partial"
    assert world.states("wind_solar_summary")["2024-10-31"] == "partial"
    files = {path: path.stat() for path in world.output.rglob("*.csv")}
    before = hashes(world.output)

    second = world.run("2024-10-28", "2024-10-31", now="2024-11-02T06:00:00Z")
    assert second.exit_code == 0
    assert set(world.states("wind_solar").values()) == {"complete"}
    assert world.states("wind_solar_summary")["2024-10-31"] == "complete"
    assert world.wind() == true_wind(world.sandbox, "2024-10-28T00:00:00Z", "2024-11-01T00:00:00Z")
    computed = {part.product.key: part.computed for part in second.processed}
    assert computed == {"average_power": 0, "wind_solar_summary": 1}
    written = {
        str(path.relative_to(world.output))
        for path, was in files.items()
        if path.stat().st_mtime_ns != was.st_mtime_ns or path.stat().st_ino != was.st_ino
    }
    assert written == {"wind_solar_summary.csv", "2024-10-31/wind_solar_summary.csv"}
    after = hashes(world.output)
    assert {name for name in before if after[name] != before[name]} - {"grid.db"} == written


def test_open_day_is_not_due_and_no_hole(world: World) -> None:
    """Today at noon: what there is is stored, nothing is called missing or complete."""
    report = world.run("2024-11-05", now="2024-11-05T12:00:00Z")
    assert world.states("frequency") == {"2024-11-05": "not_due"}
    assert world.states("wind_solar") == {"2024-11-05": "not_due"}
    assert report.holes == []
    assert report.exit_code == 0
    assert 0 < len(world.frequency()) < 5760
    world.run(now="2024-11-06T06:00:00Z")
    assert world.states("frequency") == {"2024-11-05": "complete"}
    assert len(world.frequency()) == 5760


# --- gaps --------------------------------------------------------------------------------------


def test_gap_is_partial_listed_and_finally_believed(world: World) -> None:
    begin = instant("2024-10-23T06:00:00Z")
    first = world.run("2024-10-22", now="2024-10-23T06:00:00Z", only=["average_power"])
    assert first.exit_code == 3
    assert first.holes == ["frequency 2024-10-22: partial, 88.2% covered"]
    assert world.ledger("frequency")["2024-10-22"]["rows"] == 5760 - 682
    assert world.states("average_power") == {"2024-10-22": "partial"}
    # Asked again and again within the hour, the same answer proves nothing.
    for minutes in range(5, 55, 5):
        when = (begin + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        again = world.run("2024-10-22", now=when, only=["average_power"])
        assert again.exit_code == 3
    assert world.states("frequency") == {"2024-10-22": "partial"}

    asked_at, code = [], 3
    world.asked()
    for hour in range(1, 24 * 14):
        when = (begin + timedelta(hours=hour, minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if hour % 24 and hour != 1:
            continue  # the job runs once a night, and once by hand
        report = world.run("2024-10-22", now=when, only=["average_power"])
        if world.asked():
            asked_at.append(hour)
        code = report.exit_code
        if code == 0:
            break
    assert code == 0
    assert world.states("frequency") == {"2024-10-22": "confirmed_partial"}
    assert world.states("average_power") == {"2024-10-22": "confirmed_partial"}
    assert 24 * 4 < hour <= 24 * 10  # believed after days, not after minutes, and not never
    assert world.ledger("frequency")["2024-10-22"]["coverage"] == pytest.approx(5078 / 5760)
    quiet = world.run("2024-10-22", now="2024-11-20T06:00:00Z", only=["average_power"])
    assert world.asked() == []
    assert (quiet.exit_code, quiet.holes) == (0, [])


def test_unattended_job_asks_for_a_hole_ever_more_rarely(world: World) -> None:
    world.run(now="2024-10-23T06:00:00Z", DATASETS="frequency", PRODUCTS="")
    asked = []
    world.asked()
    for n in range(1, 10):
        when = f"{instant('2024-10-23T06:00:00Z') + timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}"
        report = world.run(now=when, DATASETS="frequency", PRODUCTS="", CATCH_UP_DAYS="10")
        if any(first == "2024-10-21T23:00:00Z" for _, first, _ in world.asked()):
            asked.append(n)
        # Listed every day until it is believed, asked or not.
        listed = any("2024-10-22" in hole for hole in report.holes)
        assert listed == (world.states("frequency")["2024-10-22"] == "partial")
    assert world.states("frequency")["2024-10-22"] == "confirmed_partial"
    gaps = [b - a for a, b in itertools.pairwise(asked)]
    assert len(asked) == 4
    assert gaps == sorted(gaps)
    assert gaps[-1] > gaps[0]


# --- the form without dates --------------------------------------------------------------------


def test_first_run_fetches_just_yesterday(world: World) -> None:
    report = world.run(now="2024-11-06T06:00:00Z")
    assert report.exit_code == 0
    assert world.asked() == [
        (FREQ, "2024-11-05T00:00:00Z", "2024-11-05T23:59:59Z"),
        (WIND, "2024-11-05T00:00:00Z", "2024-11-05T23:59:59Z"),
    ]
    for key in ("frequency", "wind_solar", *PRODUCTS):
        assert world.states(key) == {"2024-11-05": "complete"}


def test_missed_days_are_caught_up(world: World) -> None:
    world.run(now="2024-11-06T06:00:00Z")
    report = world.run(now="2024-11-10T06:00:00Z")
    assert report.exit_code == 0
    days = [f"2024-11-{n:02}" for n in (5, 6, 7, 8, 9)]
    for key in ("frequency", "wind_solar", *PRODUCTS):
        assert world.states(key) == dict.fromkeys(days, "complete")
    assert world.frequency() == true_frequency(
        world.sandbox, "2024-11-05T00:00:00Z", "2024-11-10T00:00:00Z"
    )
    assert sorted(path.name for path in world.output.glob("2024-*")) == days
    assert {row["settlement_date"] for row in only(world, "average_power")} == {"2024-11-09"}


def test_catch_up_ends_at_the_limit(world: World) -> None:
    world.run(now="2024-10-03T06:00:00Z", only=["frequency"])
    world.asked()
    report = world.run(now="2024-10-20T06:00:00Z", only=["frequency"], CATCH_UP_DAYS="3")
    assert report.exit_code == 0
    assert sorted(world.states("frequency")) == [
        "2024-10-02",
        "2024-10-17",
        "2024-10-18",
        "2024-10-19",
    ]
    assert min(first for _, first, _ in world.asked()) == "2024-10-16T23:00:00Z"


def test_hole_in_the_middle_is_asked_again(world: World, impatient: None) -> None:
    """A day never asked for and a day that failed lie between days that are complete."""
    world.run("2024-10-01", only=["frequency"], now="2024-10-02T06:00:00Z")
    world.run("2024-10-03", only=["frequency"], now="2024-10-04T06:00:00Z")
    world.sandbox.faults = [Fault("500", path="FREQ")]
    failed = world.run("2024-10-04", only=["frequency"], now="2024-10-05T06:00:00Z")
    assert failed.exit_code == 1
    world.sandbox.faults = []
    world.run("2024-10-05", only=["frequency"], now="2024-10-06T06:00:00Z")
    assert world.states("frequency") == {
        "2024-10-01": "complete",
        "2024-10-03": "complete",
        "2024-10-04": "failed",
        "2024-10-05": "complete",
    }
    world.asked()
    report = world.run(only=["frequency"], now="2024-10-06T07:00:00Z")
    assert report.exit_code == 0
    assert [first for _, first, _ in world.asked()] == [
        "2024-10-01T23:00:00Z",
        "2024-10-03T23:00:00Z",
    ]
    assert world.states("frequency") == dict.fromkeys(
        [f"2024-10-0{n}" for n in (1, 2, 3, 4, 5)], "complete"
    )


def test_day_that_fails_is_listed_until_it_is_there(world: World, impatient: None) -> None:
    """Nothing else is due that night, and still the exit code tells of the hole."""
    world.run(now="2024-10-04T06:00:00Z", only=["frequency"])
    world.sandbox.faults = [Fault("503")]
    for hour in (6, 7):
        report = world.run(now=f"2024-10-05T0{hour}:00:00Z", only=["frequency"])
        assert report.exit_code == 1
        assert [hole.split(":")[0] for hole in report.holes] == ["frequency 2024-10-04"]
        assert report.failures
    world.sandbox.faults = []
    assert world.run(now="2024-10-05T08:00:00Z", only=["frequency"]).exit_code == 0


def test_added_dataset_starts_with_yesterday(world: World) -> None:
    for n in (4, 5, 6):
        world.run(now=f"2024-10-0{n}T06:00:00Z", DATASETS="frequency", PRODUCTS="average_power")
    world.asked()
    report = world.run(now="2024-10-07T06:00:00Z")
    assert report.exit_code == 0
    assert world.states("wind_solar") == {"2024-10-06": "complete"}
    assert sorted(world.states("frequency")) == [f"2024-10-0{n}" for n in (3, 4, 5, 6)]
    assert sorted(world.states("wind_solar_summary")) == ["2024-10-06"]


def test_clock_change_days_in_the_unattended_form(world: World) -> None:
    """Yesterday is a settlement day, also in the first hours after the clocks went back."""
    world.run(now="2024-10-28T00:30:00Z", only=["frequency"])
    assert world.states("frequency") == {"2024-10-27": "complete"}
    assert len(world.frequency()) == 6000
    # British midnight is 23:00 UTC in summer: at 23:15 UTC yesterday is already another day.
    world.run(now="2024-10-06T23:15:00Z", only=["frequency"])
    assert "2024-10-06" in world.states("frequency")


# --- products follow their inputs --------------------------------------------------------------


def test_changed_assumption_recomputes_and_republishes_every_day(world: World) -> None:
    days = [f"2024-10-0{n}" for n in (1, 2, 3, 4)]
    world.run(days[0], days[-1], now="2024-10-05T06:00:00Z")
    before = csv_files(world.output)
    world.asked()
    report = world.run(now="2024-10-05T06:30:00Z", RESPONSE_SERVICE="dc")
    assert report.exit_code == 0
    assert world.asked() == []
    done = {part.product.key: part for part in report.processed}
    assert (done["average_power"].computed, done["average_power"].published) == (4, 4)
    assert (done["wind_solar_summary"].computed, done["wind_solar_summary"].published) == (0, 0)
    after = csv_files(world.output)
    assert {name for name in before if before[name] != after[name]} == {
        "average_power.csv",
        *(f"{day}/average_power.csv" for day in days),
    }
    for day in days:
        rows = read_csv(world.output / day / "average_power.csv")
        assert {row["service"] for row in rows} == {"dc"}
    assert {row["service"] for row in world.rows("average_power")} == {"dc"}
    # What was current under the other assumption is history.
    assert {row["service"] for row in world.rows("average_power_history")} == {"droop"}
    assert len(world.rows("average_power_history")) == 4 * 48


def test_assumption_changed_back_gives_the_same_bytes(world: World) -> None:
    world.run("2024-10-27")
    before = csv_files(world.output)
    world.run("2024-10-27", RESPONSE_SERVICE="dm", BATTERY_POWER_MW="5")
    assert csv_files(world.output) != before
    world.run("2024-10-27")
    assert csv_files(world.output) == before


@pytest.mark.parametrize("name", ["average_power.csv", "2024-10-04/wind_solar_summary.csv"])
def test_deleted_file_is_written_again(world: World, name: str) -> None:
    world.run("2024-10-03", "2024-10-05", now="2024-10-20T06:00:00Z")
    before = csv_files(world.output)
    (world.output / name).unlink()
    world.asked()
    report = world.run("2024-10-03", "2024-10-05", now="2024-10-20T06:00:00Z")
    assert csv_files(world.output) == before
    assert world.asked() == []
    assert sum(part.computed for part in report.processed) == 0
    assert report.exit_code == 0


def test_only_brings_the_inputs_and_nothing_else(world: World) -> None:
    report = world.run("2024-10-05", only=["average_power"])
    assert report.exit_code == 0
    assert {path for path, _, _ in world.asked()} == {FREQ}
    assert [part.dataset.key for part in report.fetched] == ["frequency"]
    assert [part.product.key for part in report.processed] == ["average_power"]
    assert world.rows("wind_solar") == []
    assert sorted(csv_files(world.output)) == ["2024-10-05/average_power.csv", "average_power.csv"]


def test_own_file_of_a_product_is_the_newest_day(world: World) -> None:
    world.run("2024-10-05")
    newest = csv_files(world.output)
    world.run("2024-10-02")
    after = csv_files(world.output)
    for key in PRODUCTS:
        assert after[f"{key}.csv"] == newest[f"2024-10-05/{key}.csv"] == newest[f"{key}.csv"]
        assert after[f"2024-10-02/{key}.csv"] != after[f"{key}.csv"]
    world.run("2024-10-06")
    later = csv_files(world.output)
    for key in PRODUCTS:
        assert later[f"{key}.csv"] == later[f"2024-10-06/{key}.csv"]


# --- crashes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [StoreError("the disk is full"), KeyboardInterrupt(), RuntimeError("a bug")]
)
def test_crash_between_store_and_file_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    with (
        failing_once(monkeypatch, process_data, "publish_day", trouble),
        pytest.raises(type(trouble)),
    ):
        world.run("2024-10-05")
    assert len(world.rows("average_power")) == 48
    assert csv_files(world.output) == {}
    world.asked()
    report = world.run("2024-10-05")
    assert report.exit_code == 0
    assert world.asked() == []
    for key in PRODUCTS:
        assert len(read_csv(world.output / "2024-10-05" / f"{key}.csv")) == len(world.rows(key))
        assert (world.output / f"{key}.csv").exists()


def test_crash_while_republishing_does_not_leave_the_old_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("2024-10-05")
    with (
        failing_once(monkeypatch, process_data, "publish_day", StoreError("the disk is full")),
        pytest.raises(StoreError),
    ):
        world.run("2024-10-05", RESPONSE_SERVICE="dr")
    assert {row["service"] for row in only(world, "average_power")} == {"droop"}
    report = world.run("2024-10-05", RESPONSE_SERVICE="dr")
    assert {row["service"] for row in only(world, "average_power")} == {"dr"}
    assert sum(part.computed for part in report.processed if part.product.key == PRODUCTS[0]) == 0


def test_crash_inside_the_write_leaves_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and ledger stand or fall together."""
    with (
        failing_once(monkeypatch, storage, "answered", RuntimeError("a bug")),
        pytest.raises(RuntimeError),
    ):
        world.run("2024-10-05")
    assert world.rows("frequency") == []
    assert world.rows("ledger") == []
    assert world.run("2024-10-05").exit_code == 0
    assert len(world.frequency()) == 5760


# --- two origins -------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["live", "synthetic"])
def test_two_origins_never_mix(world: World, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """The sandbox without its header passes for a real provider."""

    def run_as(origin: str, day: str, **changed: str) -> Any:
        with monkeypatch.context() as patch:
            if origin == "live":
                patch.setattr(sources.transport, "SYNTHETIC_HEADER", "X-Not-There")
            return world.run(day, **changed)

    second = "synthetic" if first == "live" else "live"
    assert run_as(first, "2024-10-05").exit_code == 0
    assert [row["value"] for row in world.rows("meta")] == [first]
    said = (world.output / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert ("SYNTHETIC" in said) == (first == "synthetic")
    before = hashes(world.output)
    with pytest.raises(StoreMismatch, match=f"{first}.*{second}") as caught:
        run_as(second, "2024-10-06")
    assert caught.value.exit_code == 2
    assert hashes(world.output) == before

    # Another store, the same folder: the files do not mix either.
    files = csv_files(world.output)
    with pytest.raises(StoreMismatch, match="OUTPUT_DIR"):
        run_as(second, "2024-10-06", STORE_URL=f"sqlite:///{world.root / 'other.db'}")
    assert csv_files(world.output) == files


def test_synthetic_answer_into_a_live_store_ends_with_code_2(
    cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sources.transport, "SYNTHETIC_HEADER", "X-Not-There")
        world.run("2024-10-05")
    world.sandbox.now = None
    before = hashes(world.output)
    done = cli("run", "--date", "2024-10-06")
    assert done.returncode == 2
    assert "live" in done.stderr
    assert "synthetic" in done.stderr
    assert "Traceback" not in done.stderr
    assert hashes(world.output) == before


# --- parts of days -----------------------------------------------------------------------------


def test_instants_fetch_only_that_part_and_prove_no_day(world: World) -> None:
    start, end = "2024-10-05T10:00:00Z", "2024-10-05T12:00:00Z"
    report = world.run(start, end)
    assert world.asked() == [
        (FREQ, start, "2024-10-05T11:59:59Z"),
        (WIND, start, "2024-10-05T11:59:59Z"),
    ]
    assert world.frequency() == true_frequency(world.sandbox, start, end)
    assert world.wind() == true_wind(world.sandbox, start, end)
    for key in ("frequency", "wind_solar"):
        assert world.states(key) == {"2024-10-05": "due"}
    assert report.exit_code == 3
    assert len(report.holes) == 2
    assert set(world.states("average_power").values()) <= {"partial"}
    # However often: silence about the rest proves nothing.
    for n in range(6, 20):
        world.run(start, end, now=f"2024-12-{n:02}T06:00:00Z")
    assert world.states("frequency") == {"2024-10-05": "due"}

    done = world.run("2024-10-05")
    assert done.exit_code == 0
    assert world.states("frequency") == {"2024-10-05": "complete"}
    day = ("2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z")
    assert world.frequency() == true_frequency(world.sandbox, *day)
    assert world.wind() == true_wind(world.sandbox, *day)
    assert world.states("average_power") == {"2024-10-05": "complete"}


def test_instants_over_a_whole_day_and_parts_of_two(world: World) -> None:
    world.run("2024-10-04T12:00:00Z", "2024-10-06T12:00:00Z", only=["frequency"])
    assert world.states("frequency") == {
        "2024-10-04": "due",
        "2024-10-05": "complete",
        "2024-10-06": "due",
    }
    assert world.frequency() == true_frequency(
        world.sandbox, "2024-10-04T12:00:00Z", "2024-10-06T12:00:00Z"
    )


def test_part_of_a_quiet_hour_is_not_an_empty_day(world: World) -> None:
    """2024-10-22 has no sample for 2 h 50 min; asking in there brings nothing and proves nothing."""
    day = true_frequency(world.sandbox, "2024-10-21T23:00:00Z", "2024-10-22T23:00:00Z")
    last, _ = max(
        itertools.pairwise(day),
        key=lambda pair: instant(pair[1][0]) - instant(pair[0][0]),
    )
    start = instant(last[0]) + timedelta(minutes=10)
    texts = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (start, start + timedelta(hours=1))]
    report = world.run(*texts, only=["frequency"])
    assert world.states("frequency") == {"2024-10-22": "due"}
    assert world.frequency() == []
    assert report.exit_code == 3


# --- many days at once -------------------------------------------------------------------------


def test_many_days_equal_truth_whatever_the_order(world: World, tmp_path: Path) -> None:
    """A range in one run, and its days one by one backwards, give the same tables and files."""
    report = world.run("2024-10-24", "2024-10-28")
    assert {hole.split(":")[0] for hole in report.holes} == {"frequency 2024-10-24"}
    bounds = ("2024-10-23T23:00:00Z", "2024-10-29T00:00:00Z")
    assert world.frequency() == true_frequency(world.sandbox, *bounds)
    assert world.wind() == true_wind(world.sandbox, *bounds)
    other = World(tmp_path / "other", world.sandbox)
    for day in (28, 27, 26, 25, 24):
        other.run(f"2024-10-{day}")
    other.run("2024-10-24", "2024-10-28")
    assert csv_files(other.output) == csv_files(world.output)
    for table in ("frequency", "wind_solar", *PRODUCTS):
        assert other.rows(table) == world.rows(table)
