"""half_hourly_averages from the providers' answers to the published file, against plain loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.integration.conftest import NOW, World, instant, read_csv

KEY = "half_hourly_averages"
DATASETS = "frequency,wind_solar,entsoe_load,entsoe_generation,entsoe_day_ahead_prices"
HALF = timedelta(minutes=30)
DAYS = {
    "2024-03-31": ("2024-03-31T00:00:00Z", "2024-03-31T23:00:00Z", 46),
    "2024-10-27": ("2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z", 50),
}
# (series, area, quantity, unit) -> (start, length [s], value) of its rows
Series = dict[tuple[str, str, str, str], list[tuple[datetime, float, float]]]


@pytest.fixture(scope="module")
def unlimited() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7, limits={"entsoe": None}) as sandbox:
        yield sandbox


@pytest.fixture
def world(tmp_path: Path, unlimited: Sandbox, clean_environment: None) -> World:
    made = World(tmp_path, unlimited)
    made.overrides |= {
        "DATASETS": DATASETS,
        "PRODUCTS": KEY,
        "ENTSOE_ZONES": "DE_LU,FR",
        "ENTSOE_REQUESTS_PER_S": "1000",
    }
    return made


# --- the same by hand -------------------------------------------------------------------------


def told(sandbox: Sandbox, table: str, start: str, end: str) -> Iterator[dict[str, Any]]:
    """The rows that the sandbox says there are, one dict each."""
    columns = sandbox.truth(table, start, end)["columns"]
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        row["at"] = instant(f"{row.get('time', row.get('start_time'))}Z")
        yield row


def true_series(sandbox: Sandbox, start: str, end: str) -> Series:
    found: Series = {}

    def add(series: str, area: str, quantity: str, unit: str, row: Any, value: Any) -> None:
        if not math.isnan(value):
            length = float(row.get("resolution_minutes", 30)) * 60
            name = (str(series), str(area), quantity, unit)
            found.setdefault(name, []).append((row["at"], length, float(value)))

    samples = list(told(sandbox, "frequency", start, end))
    for row, after in zip(samples, [*samples[1:], None], strict=True):
        held = (after["at"] - row["at"]).total_seconds() if after else math.inf
        row["resolution_minutes"] = min(held, 60) / 60
        hertz = round(float(row["frequency_hz"]), 9)
        add("frequency", "GB", "frequency", "Hz", row, hertz)
        outside = hertz < 49.8 or hertz > 50.2
        add("frequency", "GB", "seconds_outside_49_8_50_2", "s", row, outside)
        outside = hertz < 49.5 or hertz > 50.5
        add("frequency", "GB", "seconds_outside_49_5_50_5", "s", row, outside)
    for row in told(sandbox, "wind_solar", start, end):
        add(row["psr_type"], "GB", "generation", "MW", row, row["quantity_mw"])
    for row in told(sandbox, "entsoe_load", start, end):
        add("load", row["zone"], "load", "MW", row, row["load_mw"])
    for row in told(sandbox, "entsoe_generation", start, end):
        for side in ("generation", "consumption"):
            add(row["psr_type"], row["zone"], side, "MW", row, row[f"{side}_mw"])
    for row in told(sandbox, "entsoe_day_ahead_prices", start, end):
        name = "day-ahead" if row["sequence"] == 1 else f"day-ahead auction {row['sequence']}"
        add(name, row["zone"], "price", f"{row['currency']}/MWh", row, row["price"])
    return found


def by_hand(series: Series, start: str, end: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every half hour of every series from the parts of rows that lie in it."""
    figures: dict[tuple[str, ...], dict[str, Any]] = {}
    for (name, area, quantity, unit), rows in series.items():
        parts_of: dict[datetime, list[tuple[float, float]]] = {}
        for begin, length, value in rows:
            half = begin.replace(minute=begin.minute // 30 * 30, second=0)
            stop = begin + timedelta(seconds=length)
            while half < stop:
                seconds = (min(stop, half + HALF) - max(begin, half)).total_seconds()
                parts_of.setdefault(half, []).append((seconds, value))
                half += HALF
        half = instant(start)
        while half < instant(end):
            parts = parts_of.get(half, [])
            seconds = math.fsum(s for s, _ in parts)
            row: dict[str, Any] = dict.fromkeys(
                ("mean", "minimum", "maximum", "standard_deviation", "energy_mwh")
            )
            row |= {"unit": unit, "coverage": seconds / 1800}
            if seconds >= 900:
                integral = math.fsum(s * value for s, value in parts)
                row["mean"] = integral if unit == "s" else integral / seconds
                if unit != "s":
                    spread = math.fsum(s * (value - row["mean"]) ** 2 for s, value in parts)
                    row["minimum"] = min(value for _, value in parts)
                    row["maximum"] = max(value for _, value in parts)
                    row["standard_deviation"] = math.sqrt(spread / seconds)
                if unit == "MW":
                    row["energy_mwh"] = row["mean"] * seconds / 3600
            figures[(f"{half:%Y-%m-%dT%H:%M:%SZ}", name, area, quantity)] = row
            half += HALF
    return figures


def assert_equal_to_truth(
    world: World, day: str, areas: tuple[str, ...] = ("GB", "DE_LU", "FR")
) -> int:
    """The stored rows of a day are those made by hand; returns how many series there are."""
    start, end, periods = DAYS[day]
    truth = true_series(world.sandbox, start, end)
    series = {name: rows for name, rows in truth.items() if name[1] in areas}
    expected = by_hand(series, start, end)
    found = {
        (row["period_start"], row["series"], row["area"], row["quantity"]): row
        for row in world.rows(KEY)
        if start <= row["period_start"] < end
    }
    assert set(found) == set(expected)
    assert len(found) == periods * len(series)
    for key, figures in expected.items():
        row = found[key]
        assert row["settlement_date"] == day
        assert row["settlement_period"] == (instant(key[0]) - instant(start)) // HALF + 1
        for name, value in figures.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, abs=2e-9, rel=1e-12), (key, name)
            else:
                assert row[name] == value, (key, name)
    return len(series)


@pytest.mark.parametrize("day", DAYS)
def test_a_day_of_the_clock_change_equals_truth(world: World, day: str) -> None:
    report = world.run(day)
    assert [part.failures for part in report.processed] == [[]]
    series = assert_equal_to_truth(world, day)
    assert series >= 20
    names = {(row["series"], row["area"], row["quantity"]) for row in world.rows(KEY)}
    assert {
        ("frequency", "GB", "frequency"),
        ("Solar", "GB", "generation"),
        ("load", "FR", "load"),
        ("B16", "FR", "generation"),
        ("B10", "DE_LU", "consumption"),
        ("day-ahead", "DE_LU", "price"),
        ("day-ahead auction 2", "DE_LU", "price"),
        ("day-ahead", "FR", "price"),
    } <= names
    assert not any(row["energy_mwh"] for row in world.rows(KEY) if row["unit"] != "MW")
    published = read_csv(world.output / day / f"{KEY}.csv")
    assert len(published) == series * DAYS[day][2]


def test_what_comes_later_is_added(world: World) -> None:
    """Without the platform there are the British series; with it the day is computed again."""
    day = "2024-03-31"
    world.run(day, DATASETS="frequency,wind_solar")
    british = assert_equal_to_truth(world, day, areas=("GB",))
    (again,) = world.run(day).processed
    assert again.computed == 1
    assert assert_equal_to_truth(world, day) > british
    assert world.rows(f"{KEY}_history") == []
    (quiet,) = world.run(day).processed
    assert (quiet.computed, quiet.published) == (0, 0)


def test_days_in_one_run_and_one_by_one_are_the_same(world: World, tmp_path: Path) -> None:
    world.run("2024-10-26", "2024-10-28")
    other = World(tmp_path / "other", world.sandbox)
    other.overrides |= {
        **world.overrides,
        "OUTPUT_DIR": str(other.output),
        "STORE_URL": other.overrides["STORE_URL"],
    }
    for day in ("2024-10-28", "2024-10-27", "2024-10-26"):
        other.run(day)
    other.run("2024-10-26", "2024-10-28")
    assert len(world.rows(KEY)) > 3 * 48 * 20
    assert other.rows(KEY) == world.rows(KEY)
