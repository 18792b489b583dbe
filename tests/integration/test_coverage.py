"""The ledger, used: the calendar of days, holes told apart, repair, backfill, reading as of a moment."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import date, timedelta

import pytest

import backfill
import fetch_data
import holes
import job
from domain.ledger import Entry, State
from domain.settlement import day_window
from sandbox.faults import Fault
from tests.integration.conftest import Cli, World, instant, true_wind

FIRST, LAST = date(2024, 10, 1), date(2024, 10, 10)


def days_of(world: World, key: str, first: date, last: date, now: str) -> dict[str, holes.Day]:
    (dataset,) = fetch_data.find_datasets([key])
    with world.store() as store:
        found = holes.days_of(dataset, "", store, first, last, instant(now))
        return {str(day.day): day for day in found}


def mend(world: World, keys: list[str], now: str, first: date | None = None) -> job.Report:
    world.sandbox.now = now
    with world.store() as store:
        one = job.Job("repair", store, world.settings(), instant(now))
        return backfill.repair(one, keys, first, None)


def fill(
    world: World, keys: list[str], first: date, last: date, now: str, **changed: str
) -> job.Report:
    world.sandbox.now = now
    with world.store() as store:
        one = job.Job("backfill", store, world.settings(**changed), instant(now))
        return backfill.backfill(one, keys, first, last)


# --- four kinds of holes ---------------------------------------------------------------------------


def test_never_asked_too_early_empty_and_partial_are_told_apart(world: World) -> None:
    now = "2024-10-08T12:00:00Z"
    world.fetch(["wind_solar"], "2024-10-01", now=now)
    world.fetch(["wind_solar"], "2024-10-05", now="2024-10-05T20:00:00Z")  # the day is not over
    world.sandbox.faults = [Fault("empty")]
    world.fetch(["wind_solar"], "2024-10-06", now=now)
    world.sandbox.faults = ()
    world.fetch(["wind_solar"], "2024-10-07T00:00:00Z", "2024-10-07T06:00:00Z", now=now)
    days = days_of(world, "wind_solar", date(2024, 10, 1), date(2024, 10, 8), now)
    said = {day: (str(found.state), found.why) for day, found in days.items()}
    assert said == {
        "2024-10-01": ("complete", ""),
        "2024-10-02": ("due", "never asked"),
        "2024-10-03": ("due", "never asked"),
        "2024-10-04": ("due", "never asked"),
        "2024-10-05": ("due", "asked too early"),
        "2024-10-06": ("empty", "answered without rows"),
        "2024-10-07": ("due", "asked only for part of the day"),
        "2024-10-08": ("not_due", ""),
    }
    joined = holes.stretches(days.values())
    assert [(s.first.day, s.last.day, s.days) for s in joined] == [
        (2, 4, 3), (5, 5, 1), (6, 6, 1), (7, 7, 1),
    ]  # fmt: skip


def test_repair_asks_for_exactly_the_holes(world: World) -> None:
    now = "2024-10-12T12:00:00Z"
    world.fetch(["frequency"], "2024-10-01", "2024-10-02", now=now)
    world.fetch(["frequency"], "2024-10-05", "2024-10-10", now=now)
    before = {day for day, state in world.states("frequency").items() if state != "complete"}
    world.asked()
    report = mend(world, ["frequency"], now)
    asked = {first[:10] for _, first, _ in world.asked()}
    # 3 and 4 October begin at 23:00 UTC of the day before; holes of the grid itself are asked too.
    assert asked == {"2024-10-02"} | {
        str(date.fromisoformat(day) - timedelta(days=1)) for day in before
    }
    assert world.states("frequency").keys() == {f"2024-10-{n:02}" for n in range(1, 11)}
    assert report.processed[0].product.key == "average_power"
    assert report.processed[0].computed == 10
    world.asked()
    again = mend(world, ["frequency"], now)
    assert again.processed[0].computed == 0
    still = {day for day, state in world.states("frequency").items() if state != "complete"}
    assert len(world.asked()) == len(still)


def test_a_revision_recomputes_its_day_and_no_other(world: World) -> None:
    world.run("2024-09-01", "2024-09-05", now="2024-09-06T09:00:00Z", only=["wind_solar_summary"])
    report = mend(world, ["wind_solar"], "2024-09-14T09:00:00Z")
    restated = {row["settlement_date"] for row in world.rows("wind_solar_history")}
    summaries = next(p for p in report.processed if p.product.key == "wind_solar_summary")
    assert 0 < len(restated) < 5
    assert summaries.computed == summaries.published == len(restated)
    assert world.wind() == true_wind(world.sandbox, "2024-08-31T23:00:00Z", "2024-09-05T23:00:00Z")


def test_a_second_backfill_makes_no_request(world: World) -> None:
    now = "2024-11-25T09:00:00Z"
    first, last = date(2024, 3, 25), date(2024, 4, 5)
    fill(world, ["frequency", "wind_solar"], first, last, now)
    world.asked()
    report = fill(world, ["frequency", "wind_solar"], first, last, now)
    assert world.asked() == [] and report.requests == 0
    assert all(part.computed == 0 for part in report.processed)


def test_a_stopped_backfill_goes_on_where_it_was(world: World) -> None:
    now = "2024-11-25T09:00:00Z"
    fill(world, ["frequency"], date(2024, 4, 1), date(2024, 4, 6), now)
    world.asked()
    fill(world, ["frequency"], date(2024, 3, 30), date(2024, 4, 8), now)
    assert {first[:10] for _, first, _ in world.asked()} == {"2024-03-30", "2024-04-06"}


def test_a_cap_that_nobody_told_narrows_the_window(world: World) -> None:
    """/datasets/FREQ refuses more than a day; the reader learns it from the refusal and says so."""
    from dataclasses import replace

    (stream,) = fetch_data.find_datasets(["frequency"])
    capped = replace(stream, read=replace(stream.read, path="/datasets/FREQ"))
    world.sandbox.now = now = "2024-11-25T09:00:00Z"
    window = day_window(date(2024, 10, 5))
    with world.store() as store:
        wide = type(window)(window.start, window.start + timedelta(days=4))
        done = fetch_data.fetch_windows(
            [(capped, "", wide)],
            store,
            world.settings(FETCH_WORKERS="1"),  # or two windows learn it at the same time
            instant(now),
            by_name=True,
        )
    assert not done.fetched[0].failures
    notes = {entry.note for entry in done.entries}
    assert any("/datasets/FREQ allows only" in note for note in notes)
    refused = [r for r in world.sandbox.requests if r.status == 400]
    assert len(refused) == 1  # learnt once
    assert len(world.frequency()) == sum(e.rows for e in done.entries)
    assert {str(entry.state) for entry in done.entries} <= {"complete", "partial"}


# --- as of -----------------------------------------------------------------------------------------


def test_as_of_gives_what_was_published_by_then(world: World) -> None:
    day, start, end = "2024-10-05", "2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z"
    for now in ("2024-10-06T09:00:00Z", "2024-10-08T09:00:00Z", "2024-10-15T09:00:00Z"):
        world.fetch(["wind_solar"], day, now=now, again=True)
    every = true_wind(world.sandbox, start, end, every=True)
    for moment in ("2024-10-05T12:00:00Z", "2024-10-06T09:00:00Z", "2024-10-07T23:00:00Z"):
        newest: dict[tuple[str, str], tuple[str, float]] = {}
        for begin, kind, mw, published in every:
            if published <= moment:
                newest[begin, kind] = max(newest.get((begin, kind), ("", 0.0)), (published, mw))
        with world.store() as store:
            frame = store.read("wind_solar", day, as_of=moment)
        found = {
            (f"{row.period_start:%Y-%m-%dT%H:%M:%SZ}", row.psr_type): row.generation_mw
            for row in frame.itertuples()
        }
        assert found == {key: mw for key, (_, mw) in newest.items()}


def test_as_of_without_a_publish_time_goes_by_arrival(world: World) -> None:
    day = "2024-10-05"
    world.fetch(["market_index"], day, now="2024-10-06T09:00:00Z")
    with world.store() as store:
        assert not len(store.read("market_index", day, as_of="2024-10-06T08:59:59Z"))
        assert len(store.read("market_index", day, as_of="2024-10-06T09:00:00Z"))


# --- the command -----------------------------------------------------------------------------------


def test_coverage_shows_calendar_holes_and_exit_code(cli: Cli, world: World) -> None:
    settings = {"STORE_URL": f"sqlite:///{world.database}", "OUTPUT_DIR": str(world.output)}
    world.fetch(["wind_solar"], "2024-03-30", "2024-04-02")
    shown = cli(
        "coverage", "wind_solar", "--start", "2024-03-29", "--end", "2024-04-02", **settings
    )
    assert shown.returncode == 3, shown.stderr
    assert f"2024-03   {66.7}%  {' ' * 28}DCC" in shown.stdout
    assert "never asked" in shown.stdout
    full = cli("coverage", "wind_solar", "--start", "2024-03-30", "--end", "2024-04-02", **settings)
    assert full.returncode == 0 and "Holes: 0" in full.stdout
    table = cli(
        "coverage",
        "AGWS",
        "--start",
        "2024-03-29",
        "--end",
        "2024-04-02",
        "--format",
        "csv",
        **settings,
    )
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert Counter(row["state"] for row in rows) == {"complete": 4, "due": 1}
    told = json.loads(
        cli(
            "coverage",
            "AGWS",
            "--start",
            "2024-03-29",
            "--end",
            "2024-04-02",
            "--format",
            "json",
            **settings,
        ).stdout
    )
    assert [hole["first"] for hole in told["wind_solar"]["holes"]] == ["2024-03-29"]


def test_strict_counts_what_was_given_up(cli: Cli, world: World) -> None:
    day = date(2024, 10, 5)
    entry = Entry(
        "wind_solar", "", day, day_window(day), State.CONFIRMED_EMPTY, 0, 48, 0.0, 0,
        instant("2024-10-20T00:00:00Z"), instant("2024-10-20T00:00:00Z"), answers=5,
    )  # fmt: skip
    with world.store() as store, store.transaction():
        store.record(entry)
    settings = {"STORE_URL": f"sqlite:///{world.database}", "OUTPUT_DIR": str(world.output)}
    asked = ("coverage", "wind_solar", "--start", "2024-10-05", "--end", "2024-10-05")
    assert cli(*asked, **settings).returncode == 0
    strict = cli(*asked, "--strict", **settings)
    assert strict.returncode == 3 and "again and again (5 times)" in strict.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("coverage", "wind", "--start", "2024-10-05"), "there is no dataset 'wind'"),
        (("coverage", "--start", "2024-10-05", "--end", "2024-10-01"), "reversed"),
        (("repair", "--start", "2024-13-05"), "is not a day"),
        (("backfill", "--start", "2990-01-01"), "outside 1990 to 2100"),
    ],
)
def test_mistakes_are_one_sentence(cli: Cli, words: tuple[str, ...], said: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_list_as_it_stands_has_no_past(world: World) -> None:
    """The register is kept whole; what leaves it goes to history, and old days are not asked."""
    past = world.fetch(["bm_units"], "2024-10-05")
    assert past.requests == 0 and not past.holes
    world.fetch(["bm_units"], "2024-11-24")
    before = {row["national_grid_bm_unit"]: row for row in world.rows("bm_units")}
    world.sandbox.faults = [Fault("dropped", path="bmunits", fraction=0.5)]
    world.fetch(["bm_units"], "2024-11-24", again=True)
    after = {row["national_grid_bm_unit"]: row for row in world.rows("bm_units")}
    gone = {row["national_grid_bm_unit"] for row in world.rows("bm_units_history")}
    assert len(before) == 40 and 0 < len(after) < 40
    assert gone == before.keys() - after.keys()
    world.sandbox.faults = [Fault("empty", path="bmunits")]
    world.fetch(["bm_units"], "2024-11-24", again=True)
    assert len(world.rows("bm_units")) == len(after)  # an empty list is no news


# --- what is not published any more ------------------------------------------------------------------


def test_a_zone_that_fell_silent_is_no_hole_and_is_not_asked(cli: Cli, world: World) -> None:
    """Great Britain's last market day on the platform ended at 22:00 UTC on 14 June 2021."""
    gb = {"ENTSOE_ZONES": "GB"}
    now = "2021-07-01T09:00:00Z"
    report = fill(world, ["entsoe_load"], date(2021, 6, 1), date(2021, 6, 30), now, **gb)
    assert report.requests == 1 and not report.failures
    with world.store() as store:
        days = [day for _, day in store.entries("entsoe_load", date(2021, 6, 1), date(2021, 6, 30))]
    assert (min(days), max(days)) == (date(2021, 6, 1), date(2021, 6, 14))
    # Days of which the sandbox keeps something back apart, the last lacks the hour after its end.
    assert report.holes[-1].startswith("entsoe_load GB 2021-06-14: partial, 95.8% covered")
    silent = world.fetch(["entsoe_load"], "2021-06-15", "2021-06-30", now=now, **gb)
    assert silent.requests == 0 and not silent.holes
    settings = {**world.overrides, **gb, "STORE_URL": f"sqlite:///{world.database}"}
    asked = ("coverage", "entsoe_load", "--start", "2021-06-15", "--end", "2021-06-30")
    shown = cli(*asked, **settings)
    assert shown.returncode == 0
    assert "- nothing is published of GB since 2021-06-15: entsoe_load GB" in shown.stdout
    listed = json.loads(cli(*asked, "--format", "json", **settings).stdout)["entsoe_load GB"]
    assert {day["state"] for day in listed["days"]} == {"not_published"}
    assert listed["holes"] == []
