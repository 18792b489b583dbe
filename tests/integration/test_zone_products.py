"""generation_mix, cross_border_balance and forecasts from the platform's answers to the published files.

Portugal has one border, with Spain; Spain has one more, with France, of which nothing else is fetched.
The figures are made again by plain loops over what the sandbox says there is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.psr_types import group_of
from sandbox import Sandbox
from tests.integration.conftest import NOW, World, instant, read_csv

DAY, START, END = "2024-10-27", "2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z"
HALF = timedelta(minutes=30)
ZONES, BORDERS = ("ES", "PT"), ("ES>FR", "FR>ES", "ES>PT", "PT>ES")
# Which rows -> half hour -> mean
Means = dict[tuple[str, ...], dict[datetime, float]]


@pytest.fixture(scope="module")
def unlimited() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7, limits={"entsoe": None}) as sandbox:
        yield sandbox


@pytest.fixture
def world(tmp_path: Path, unlimited: Sandbox, clean_environment: None) -> World:
    made = World(tmp_path, unlimited)
    made.overrides |= {"ENTSOE_ZONES": ",".join(ZONES), "ENTSOE_REQUESTS_PER_S": "1000"}
    return made


def run(world: World, product: str, *datasets: str) -> list[dict[str, Any]]:
    """The rows of a product after a run of the day."""
    (part,) = world.run(DAY, DATASETS=",".join(datasets), PRODUCTS=product).processed
    assert not part.failures
    return world.rows(product)


def told(sandbox: Sandbox, table: str, scopes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The rows that the sandbox says there are."""
    for scope in scopes:
        columns = sandbox.truth(table, START, END, scope=scope)["columns"]
        for cells in zip(*columns.values(), strict=True):
            yield dict(zip(columns, cells, strict=True))


def means(world: World, table: str, names: tuple[str, ...], value: str) -> Means:
    """The mean of each half hour that the rows of the sandbox cover, by the columns ``names``."""
    parts: dict[tuple[str, ...], dict[datetime, list[tuple[float, float]]]]
    parts = defaultdict(lambda: defaultdict(list))
    for row in told(world.sandbox, table, BORDERS if "from_zone" in names else ZONES):
        if math.isnan(row[value]):
            continue
        begin = instant(f"{row['time']}Z")
        seconds = float(row.get("resolution_s") or 60 * row["resolution_minutes"])
        end = begin + timedelta(seconds=seconds)
        half = max(begin - (begin - instant(START)) % HALF, instant(START))
        while half < end:
            held = (min(end, half + HALF) - max(begin, half)).total_seconds()
            parts[tuple(str(row[name]) for name in names)][half].append((held, float(row[value])))
            half += HALF
    return {
        key: {
            half: math.fsum(s * v for s, v in held) / math.fsum(s for s, _ in held)
            for half, held in halves.items()
            if math.fsum(s for s, _ in held) >= HALF.total_seconds() / 2
        }
        for key, halves in parts.items()
    }


def halves() -> list[datetime]:
    return [instant(START) + n * HALF for n in range(50)]


def test_the_mix_is_the_share_of_what_the_platform_told(world: World) -> None:
    made = means(world, "entsoe_generation", ("zone", "psr_type"), "generation_mw")
    used = means(world, "entsoe_generation", ("zone", "psr_type"), "consumption_mw")
    found = run(world, "generation_mix", "entsoe_generation")
    rows = {(row["zone"], row["psr_group"], row["period_start"]): row for row in found}
    checked = 0
    for zone in ZONES:
        types = [psr for (where, psr) in made if where == zone]
        for half in halves():
            groups: dict[str, float] = defaultdict(float)
            for psr in types:
                groups[group_of(psr)] += made[zone, psr][half]
            whole = math.fsum(max(mw, 0) for mw in groups.values())
            for group, mw in groups.items():
                row = rows.pop((zone, group, f"{half:%Y-%m-%dT%H:%M:%SZ}"))
                assert row["generation_mw"] == pytest.approx(mw, abs=1e-8)
                assert row["share"] == pytest.approx(max(mw, 0) / whole, abs=1e-8)
                assert (row["coverage"], row["unknown_types"]) == (1, 0)
                drawn = [
                    used[zone, p][half] for p in types if group_of(p) == group and (zone, p) in used
                ]
                assert (row["consumption_mw"] or 0) == pytest.approx(math.fsum(drawn), abs=1e-8)
                checked += 1
    assert not rows and checked > 50 * 10
    assert len(read_csv(world.output / DAY / "generation_mix.csv")) == checked


def test_the_balance_is_what_crossed_all_borders(world: World) -> None:
    border = ("from_zone", "to_zone")
    flows = means(world, "entsoe_flows", border, "flow_mw")
    scheduled = means(world, "entsoe_scheduled_exchanges", (*border, "contract"), "scheduled_mw")
    ahead = means(world, "entsoe_net_positions", ("zone", "contract"), "net_position_mw")
    inputs = ("entsoe_flows", "entsoe_scheduled_exchanges", "entsoe_net_positions")
    found = run(world, "cross_border_balance", *inputs)
    rows = {(row["zone"], row["period_start"]): row for row in found}
    assert len(rows) == 3 * 50
    for zone, neighbours in (("PT", ["ES"]), ("ES", ["FR", "PT"])):
        for half in halves():
            row = rows[zone, f"{half:%Y-%m-%dT%H:%M:%SZ}"]
            out = math.fsum(flows[zone, other][half] for other in neighbours)
            into = math.fsum(flows[other, zone][half] for other in neighbours)
            planned = math.fsum(
                scheduled[zone, other, "A05"][half] - scheduled[other, zone, "A05"][half]
                for other in neighbours
            )
            assert row["exports_mw"] == pytest.approx(out, abs=1e-8)
            assert row["imports_mw"] == pytest.approx(into, abs=1e-8)
            assert row["net_position_mw"] == pytest.approx(out - into, abs=1e-8)
            assert row["scheduled_difference_mw"] == pytest.approx(out - into - planned, abs=1e-8)
            sold = ahead[zone, "A01"][half]
            assert row["day_ahead_difference_mw"] == pytest.approx(out - into - sold, abs=1e-8)
            assert (row["borders"], row["unknown_borders"]) == (len(neighbours), 0)
    for row in (row for (zone, _), row in rows.items() if zone == "FR"):
        assert row["net_position_mw"] is None and row["exports_mw"] is not None
        assert row["unknown_borders"] == row["borders"] - 1 > 3


def test_flows_and_forecasts_stand_in_the_averages(world: World) -> None:
    found = run(
        world,
        "half_hourly_averages",
        "entsoe_flows",
        "entsoe_load_forecast_day",
        "entsoe_generation_forecast",
        "entsoe_wind_solar_forecast",
    )
    rows = {
        (row["quantity"], row["series"], row["area"], row["period_start"]): row["mean"]
        for row in found
    }
    flows = means(world, "entsoe_flows", ("from_zone", "to_zone"), "flow_mw")
    loads = means(world, "entsoe_load_forecast_day", ("zone",), "load_forecast_mw")
    sums = means(world, "entsoe_generation_forecast", ("zone",), "generation_forecast_mw")
    names = ("process", "psr_type", "zone")
    types = means(world, "entsoe_wind_solar_forecast", names, "forecast_mw")
    called = {
        "day_ahead": "forecast",
        "intraday": "intraday forecast",
        "current": "current forecast",
    }
    expected = {
        **{("flow", "flow", f"{start}>{end}"): halves for (start, end), halves in flows.items()},
        **{("load forecast", "load", zone): halves for (zone,), halves in loads.items()},
        **{("generation forecast", "all", zone): halves for (zone,), halves in sums.items()},
        **{
            (f"generation {called[process]}", *rest): halves
            for (process, *rest), halves in types.items()
        },
    }
    assert len(expected) > 4 + 2 + 2 + 3 * 2
    for key, halves_told in expected.items():
        assert len(halves_told) == 50
        for half, mean in halves_told.items():
            assert rows.pop((*key, f"{half:%Y-%m-%dT%H:%M:%SZ}")) == pytest.approx(mean, abs=1e-8)
    assert not rows


LONG = "entsoe_load_forecast_week,entsoe_load_forecast_year,entsoe_installed_capacity,entsoe_reservoirs"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_days_that_rows_of_weeks_and_years_cover_are_proven_and_asked_once(
    world: World, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        world.overrides["STORE_URL"] = request.getfixturevalue("postgres").new_database()
    last = "2024-10-30"
    first_run = world.run(DAY, last, DATASETS=LONG, PRODUCTS="")
    entries = [entry for part in first_run.fetched for entry in part.entries.values()]
    assert len(entries) == 4 * 2 * 4  # datasets, zones, days
    assert {(str(entry.state), entry.coverage) for entry in entries} == {("complete", 1)}
    assert not any(entry.note for entry in entries)
    world.asked()
    again = world.run(DAY, last, DATASETS=LONG, PRODUCTS="")
    assert sum(part.windows for part in again.fetched) == 0 and world.asked() == []
