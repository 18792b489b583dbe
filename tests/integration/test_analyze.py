"""``analyze`` on a store filled from the sandbox, against plain SQL and plain loops.

Two weeks around the long day of October 2024; of one day six hours are taken out, so that there is a gap.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import main
import storage
from analysis.extremes import ramp_histogram
from analysis.sections import Section, as_csv, as_json, shown
from analysis.series import read_wind_solar
from analysis.tables import covers_time, stored_range, table_sections
from analysis.wind_solar import wind_solar_sections
from domain.settlement import parse_range, settlement_period
from domain.tables import conform
from domain.windows import Window
from products import PRODUCTS
from sandbox import Sandbox
from stores.sql import SqlStore
from tests.integration.conftest import World, instant

FIRST, LAST = "2024-10-20", "2024-11-02"
BOUNDS = ("2024-10-19T23:00:00Z", "2024-11-03T00:00:00Z")
LONG_DAY, GAP_DAY = "2024-10-27", "2024-10-23"
GAP = ("2024-10-23T03:00:00Z", "2024-10-23T09:00:00Z")
NOW = "2025-01-20T09:00:00Z"
HALF = timedelta(minutes=30)
KEYS = (
    "wind_solar", "historic_demand", "wind_forecasts", "day_ahead_wind_forecast",
    "embedded_forecasts",
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Sandbox(now=NOW, seed=7) as sandbox:
        world = World(tmp_path_factory.mktemp("analyze"), sandbox)
        for key in KEYS:
            world.fetch([key], FIRST, LAST, now=NOW)
        world.run(LONG_DAY, LONG_DAY, now=NOW, only=["average_power"], DATASETS="frequency")
    with closing(sqlite3.connect(world.database)) as db, db:
        db.execute("DELETE FROM wind_solar WHERE period_start >= ? AND period_start < ?", GAP)
        # NESO does not say of each forecast when it was issued.
        db.execute(
            "UPDATE day_ahead_wind_forecast SET published_at = NULL WHERE settlement_date = ?",
            (LONG_DAY,),
        )
        # A period of which half is known.
        db.execute(
            "UPDATE average_power SET coverage = 0.5, discharge_mwh = discharge_mwh / 2 "
            "WHERE period_start = '2024-10-27T05:30:00Z'"
        )
    with world.store() as store:
        _write(store, "generation_forecast", list(_forecasts()))
    yield world


ISSUE = "2024-10-24T22:30:00Z"


def _forecasts() -> Iterator[dict[str, Any]]:
    """4,000 MW of onshore wind for two days, from the start of the issue's own period on."""
    for n in range(96):
        start = f"{instant(ISSUE) + n * HALF:%Y-%m-%dT%H:%M:%SZ}"
        yield {
            "issue_time": ISSUE, "series": "gb_wind_onshore", "model": "climatology",
            "period_start": start, "lead_hours": n / 2, "forecast_mw": 4000.0,
            "known_until": ISSUE,
        }  # fmt: skip


def asked(world: World, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(world.database)) as db:
        return db.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module")
def sections(filled: World) -> dict[str, Section]:
    with filled.store() as store:
        return {s.key: s for s in wind_solar_sections(store, parse_range(FIRST, LAST))}


@pytest.fixture(scope="module")
def power(filled: World) -> dict[str, dict[datetime, float]]:
    """Mean power [MW] by series and start, as plain SQL gives it."""
    found: dict[str, dict[datetime, float]] = defaultdict(dict)
    wanted = "SELECT psr_type, period_start, generation_mw FROM wind_solar WHERE period_start >= ? AND period_start < ?"
    for kind, start, megawatts in asked(filled, wanted, *BOUNDS):
        found[kind][instant(start)] = megawatts
    onshore = found["Wind Onshore"]
    found["Wind"] = {t: mw + onshore[t] for t, mw in found["Wind Offshore"].items() if t in onshore}
    return found


def of(section: Section, **labels: object) -> dict[str, Any]:
    """The one row with these labels."""
    frame = section.frame
    for name, value in labels.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return row


# --- figures of wind and solar ---------------------------------------------------------------------


def test_energy_extremes_and_coverage_are_those_of_plain_sql(
    filled: World, sections: dict[str, Section]
) -> None:
    rows = asked(
        filled,
        "SELECT psr_type, sum(generation_mw) / 2, avg(generation_mw), max(generation_mw), "
        "min(generation_mw), count(*) FROM wind_solar WHERE period_start >= ? AND period_start < ? "
        "GROUP BY psr_type",
        *BOUNDS,
    )
    assert len(rows) == 3
    for kind, energy, mean, highest, lowest, periods in rows:
        told = of(sections["summary"], series=kind)
        assert told["energy_mwh"] == pytest.approx(energy)
        assert told["mean_mw"] == pytest.approx(mean)
        assert (told["maximum_mw"], told["minimum_mw"]) == (highest, lowest)
        (at,) = asked(
            filled,
            "SELECT min(period_start) FROM wind_solar WHERE psr_type = ? AND generation_mw = ?",
            kind,
            highest,
        )
        assert told["maximum_at"] == pd.Timestamp(at[0])
        covered = of(sections["coverage"], series=kind)
        # Fourteen days, of which one has two periods more.
        assert (covered["periods"], covered["periods_due"]) == (periods, 14 * 48 + 2)
        assert told["coverage"] == pytest.approx(periods / 674)


def test_the_gap_is_seen_and_is_not_zero(
    sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    told = of(sections["coverage"], series="Wind")
    assert told["longest_gap_h"] == 6.0
    assert told["longest_gap_from"] == pd.Timestamp(GAP[0])
    assert of(sections["summary"], series="Wind")["minimum_mw"] == min(power["Wind"].values()) > 0


def test_capacity_factor_of_solar_takes_its_capacity_from_data(
    filled: World, sections: dict[str, Section]
) -> None:
    ((factor,),) = asked(
        filled,
        "SELECT sum(w.generation_mw) / sum(h.embedded_solar_capacity_mw) FROM wind_solar w "
        "JOIN historic_demand h USING (period_start) WHERE psr_type = 'Solar' "
        "AND period_start >= ? AND period_start < ?",
        *BOUNDS,
    )
    told = of(sections["summary"], series="Solar")
    assert told["capacity_factor"] == pytest.approx(factor)
    assert told["full_load_h"] == pytest.approx(factor * 8760)
    assert told["reference"] == "data: historic_demand"
    assert math.isnan(told["relative_to_observed_maximum"])


def test_capacity_factor_of_wind_takes_the_capacity_that_its_forecast_names(
    filled: World, sections: dict[str, Section]
) -> None:
    ((factor, periods),) = asked(
        filled,
        "SELECT sum(megawatts) / sum(wind_capacity_mw), count(*) FROM (SELECT period_start, "
        "sum(generation_mw) AS megawatts FROM wind_solar WHERE psr_type LIKE 'Wind%' "
        "AND period_start >= ? AND period_start < ? GROUP BY 1 HAVING count(*) = 2) "
        "JOIN day_ahead_wind_forecast USING (period_start)",
        *BOUNDS,
    )
    told = of(sections["summary"], series="Wind")
    assert told["capacity_factor"] == pytest.approx(factor)
    assert told["reference"] == "data: day_ahead_wind_forecast"
    assert periods == of(sections["coverage"], series="Wind")["periods"]


def test_without_capacity_nothing_is_called_a_capacity_factor(
    sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    told = of(sections["summary"], series="Wind Onshore")
    values = sorted(power["Wind Onshore"].values())
    assert math.isnan(told["capacity_factor"]) and math.isnan(told["full_load_h"])
    # P99.9 lies between the two highest of so few.
    assert values[-2] < told["reference_mw"] < values[-1]
    assert told["relative_to_observed_maximum"] == pytest.approx(
        statistics.fmean(values) / told["reference_mw"]
    )
    assert told["reference"].startswith("observed maximum")


@pytest.mark.parametrize(
    ("key", "rows", "source"),
    [
        (
            "entsoe_installed_capacity",
            {"zone": "GB", "period_start": "2020-01-01T00:00:00Z", "psr_type": "B16",
             "resolution_s": 366 * 86_400, "capacity_mw": 400.0},
            "data: entsoe_installed_capacity",
        ),
        (
            "igca",
            {"publish_time": "2020-02-01T00:00:00Z", "psr_type": "Solar", "year": 2020,
             "quantity": 400.0, "row_id": "1"},
            "data: igca",
        ),
        (
            "igca",
            {"publish_time": "2018-02-01T00:00:00Z", "psr_type": "Solar", "year": 2018,
             "quantity": 400.0, "row_id": "1"},
            "observed maximum (P99.9)",
        ),
        (
            "igca",
            {"publish_time": "2020-02-01T00:00:00Z", "psr_type": "Solar", "year": 2021,
             "quantity": 400.0, "row_id": "1"},
            "observed maximum (P99.9)",
        ),
        (
            "igca",
            {"publish_time": "2020-02-01T00:00:00Z", "psr_type": "Solar", "year": 2020,
             "quantity": 0.0, "row_id": "1"},
            "observed maximum (P99.9)",
        ),
        (
            "igca",
            {"publish_time": "2020-02-01T00:00:00Z", "psr_type": "Solar", "year": 2020,
             "quantity": 150.0, "row_id": "1"},
            "observed maximum (P99.9) (output exceeds the capacity of igca)",
        ),
    ],
)  # fmt: skip
def test_capacity_of_a_year_holds_for_that_year(
    tmp_path: Path, key: str, rows: dict[str, Any], source: str
) -> None:
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, key, [rows])
        times = [f"2020-06-01T{hour:02}:00:00Z" for hour in (10, 11, 12)]
        _write(
            store, "wind_solar", [_solar(t, mw) for t, mw in zip(times, (100, 200, 0), strict=True)]
        )
        window = Window(instant("2020-06-01T10:00:00Z"), instant("2020-06-01T12:30:00Z"))
        told = of(wind_solar_sections(store, window)[0], series="Solar")
    assert told["reference"] == source
    if source.startswith("data"):
        # Three half hours of 400 MW; what lies between them is not known.
        assert (told["capacity_factor"], told["energy_mwh"]) == (pytest.approx(0.25), 150.0)
        assert told["coverage"] == pytest.approx(3 / 5)


@pytest.mark.filterwarnings("error")
def test_a_night_of_solar_and_types_that_never_meet_have_no_shares(tmp_path: Path) -> None:
    """Zero is the highest output, wind is known of neither moment: unknown, not infinite, not zero."""
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        one, other = "2020-06-01T00:00:00Z", "2020-06-01T00:30:00Z"
        kinds = (("Solar", one, 0), ("Solar", other, 0), ("Wind Onshore", one, 5), ("Wind Offshore", other, 7))  # fmt: skip
        _write(store, "wind_solar", [_solar(t, mw) | {"psr_type": k} for k, t, mw in kinds])
        found = {s.key: s for s in wind_solar_sections(store, Window(instant(one), instant("2020-06-01T01:00:00Z")))}  # fmt: skip
    told = of(found["summary"], series="Solar")
    assert told["energy_mwh"] == 0.0
    assert math.isnan(told["relative_to_observed_maximum"]) and math.isnan(told["capacity_factor"])
    assert set(found["summary"].frame["series"]) == {"Solar", "Wind Onshore", "Wind Offshore"}
    assert of(found["coverage"], series="Wind")["periods"] == 0
    json.loads(as_json({}, list(found.values())))
    assert as_csv(list(found.values()))


def _solar(start: str, megawatts: float) -> dict[str, Any]:
    return {
        "period_start": start, "psr_type": "Solar", "generation_mw": float(megawatts),
        "publish_time": start, "settlement_date": start[:10], "settlement_period": settlement_period(instant(start)),
    }  # fmt: skip


def _write(store: SqlStore, key: str, rows: list[dict[str, Any]]) -> None:
    """Rows into a table, through the same gate as any answer."""
    table = store.tables[key]
    sent = {
        column.spelling: [row.get(column.name) for row in rows]
        for column in table.columns
        if not column.optional or column.name in rows[0]
    }
    for column in table.columns:
        if column.dtype == "int" and column.spelling in sent:
            sent[column.spelling] = [value or 0 for value in sent[column.spelling]]
    frame = conform(table, sent, "a test").frame
    store.write(
        table, frame, known_at=instant(NOW), synthetic=True, entries=lambda changed: ()
    )  # fmt: skip


def test_stated_capacity_counts_and_is_called_an_input(
    filled: World, power: dict[str, dict[datetime, float]]
) -> None:
    stated = {"Wind Offshore": 15_000.0, "Wind Onshore": 14_000.0}
    with filled.store() as store:
        found = wind_solar_sections(store, parse_range(FIRST, LAST), capacity_mw=stated)
    told = of(found[0], series="Wind")
    assert told["capacity_factor"] == pytest.approx(statistics.fmean(power["Wind"].values()) / 29e3)
    assert told["reference"] == "input: --capacity"


def test_profiles_are_means_by_period_of_the_local_clock(
    filled: World, sections: dict[str, Section]
) -> None:
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    wanted = "SELECT psr_type, settlement_period, generation_mw FROM wind_solar WHERE period_start >= ? AND period_start < ?"
    for kind, period, megawatts in asked(filled, wanted, *BOUNDS):
        values[kind, period].append(megawatts)
    told = sections["diurnal"].frame
    for (kind, period), some in values.items():
        row = of(sections["diurnal"], series=kind, settlement_period=period)
        assert row["mean_mw"] == pytest.approx(statistics.fmean(some))
        assert row["p50_mw"] == pytest.approx(statistics.median(some))
        assert row["intervals"] == len(some)
        if len(some) > 2:
            tenths = statistics.quantiles(some, n=10, method="inclusive")
            assert (row["p10_mw"], row["p90_mw"]) == pytest.approx((tenths[0], tenths[-1]))
    assert len(told[told["series"] == "Solar"]) == 50
    assert of(sections["diurnal"], series="Solar", settlement_period=50)["intervals"] == 1
    # The gap lies at 04:00 to 10:00 local time, still summer's: periods 9 to 20.
    counts = {
        n: of(sections["diurnal"], series="Wind", settlement_period=n)["intervals"]
        for n in (8, 9, 20, 21)
    }
    assert counts == {8: 14, 9: 13, 20: 13, 21: 14}


def test_months_are_local_months(filled: World, sections: dict[str, Section]) -> None:
    rows = asked(
        filled,
        "SELECT psr_type, substr(settlement_date, 1, 7), sum(generation_mw) / 2 FROM wind_solar "
        "WHERE period_start >= ? AND period_start < ? GROUP BY 1, 2",
        *BOUNDS,
    )
    for kind, month, energy in rows:
        assert of(sections["monthly"], series=kind, month=month)["energy_mwh"] == pytest.approx(
            energy
        )
    seasonal = sections["seasonal"].frame
    assert set(seasonal["month"]) == {10, 11}


@pytest.mark.parametrize("hours", [0.5, 1.0, 4.0])
def test_ramps_are_those_of_a_loop_that_stops_at_gaps(
    hours: float, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    steps = int(2 * hours)
    for series, known in power.items():
        found = {
            t: known[t] - known[t - steps * HALF]
            for t in known
            if all(t - n * HALF in known for n in range(1, steps + 1))
        }
        told = of(sections["ramps"], series=series, over_h=hours)
        assert told["ramps"] == len(found) < len(known) - steps, "none across the gap"
        assert told["worst_down_mw"] == pytest.approx(min(found.values()))
        assert told["worst_up_mw"] == pytest.approx(max(found.values()))
        worst = min(found, key=lambda t: (found[t], t))
        assert told["worst_down_at"] == pd.Timestamp(worst)


def test_every_ramp_has_its_place_in_the_histogram(
    filled: World, sections: dict[str, Section]
) -> None:
    with filled.store() as store:
        bars = ramp_histogram(read_wind_solar(store, parse_range(FIRST, LAST))).frame
    counted = bars.groupby(["series", "over_h"])["ramps"].sum()
    for row in sections["ramps"].frame.itertuples():
        assert counted[row.series, row.over_h] == row.ramps
    # One axis shows all series: bars compare where their edges are the same, to the widest ramp of all.
    for hours, own in bars.groupby("over_h"):
        edges = {tuple(of["from_mw"]) for _, of in own.groupby("series")}
        told = sections["ramps"].frame
        told = told[told["over_h"] == hours]
        widest = max(-told["worst_down_mw"].min(), told["worst_up_mw"].max())
        assert len(edges) == 1 and own["from_mw"].min() == -widest


def test_duration_curve_falls_through_all_values(
    sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    frame = sections["duration"].frame
    for series, known in power.items():
        curve, ordered = frame[frame["series"] == series], sorted(known.values(), reverse=True)
        assert len(curve) <= 500
        for row in curve.iloc[[0, 7, 250, -1]].itertuples():
            rank = round(row.exceedance * len(ordered) + 0.5)
            assert row.power_mw == pytest.approx(ordered[rank - 1])
        assert curve["exceedance"].iloc[0] == pytest.approx(0.5 / len(ordered))


def test_droughts_of_solar_are_those_of_a_loop(
    filled: World, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    capacity = {
        instant(start): mw
        for start, mw in asked(
            filled, "SELECT period_start, embedded_solar_capacity_mw FROM historic_demand"
        )
    }
    found, run = [], []
    start, end = map(instant, BOUNDS)
    for n in range(int((end - start) / HALF) + 1):
        t = start + n * HALF
        if t in power["Solar"] and power["Solar"][t] < 0.1 * capacity[t]:
            run.append(t)
            continue
        if len(run) >= 48:
            missing = sum(0.1 * capacity[at] - power["Solar"][at] for at in run) / 2
            found.append((run[0], run[-1] + HALF, len(run) / 2, missing))
        run = []
    frame = sections["drought_events"].frame
    own = frame[
        (frame["series"] == "Solar")
        & (frame["definition"] == "CBT")
        & (frame["threshold"] == "10 %")
    ]
    assert found and len(own) == len(found)
    for row, (first, after, hours, missing) in zip(own.itertuples(), found, strict=True):
        assert (row.start, row.end, row.hours) == (
            pd.Timestamp(first), pd.Timestamp(after), hours,
        )  # fmt: skip
        assert row.deficit_mwh == pytest.approx(missing)
    told = of(sections["droughts"], series="Solar", definition="CBT", threshold="10 %")
    assert (told["events"], told["hours"]) == (len(found), sum(each[2] for each in found))
    assert told["longest_h"] == max(each[2] for each in found)


def test_correlation_of_half_hours_and_of_whole_days(
    filled: World, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    told = of(sections["relations"], one="Wind", other="Solar")
    both = sorted(power["Wind"].keys() & power["Solar"].keys())
    wind, sun = [power["Wind"][t] for t in both], [power["Solar"][t] for t in both]
    assert told["intervals"] == len(both)
    assert told["pearson"] == pytest.approx(statistics.correlation(wind, sun))
    together = statistics.pstdev([a + b for a, b in zip(wind, sun, strict=True)])
    assert told["complementarity"] == pytest.approx(
        1 - together / (statistics.pstdev(wind) + statistics.pstdev(sun))
    )
    days = asked(
        filled,
        "SELECT avg(w.mw), avg(s.generation_mw), settlement_date FROM wind_solar s JOIN (SELECT "
        "period_start, sum(generation_mw) AS mw, count(*) AS n FROM wind_solar WHERE psr_type LIKE "
        "'Wind%' GROUP BY 1) w USING (period_start) WHERE psr_type = 'Solar' AND w.n = 2 "
        "AND period_start >= ? AND period_start < ? GROUP BY settlement_date "
        "HAVING count(*) = CASE settlement_date WHEN ? THEN 50 ELSE 48 END",
        *BOUNDS,
        LONG_DAY,
    )
    assert GAP_DAY not in {day for *_, day in days} and len(days) > 2
    assert told["whole_days"] == len(days)
    assert told["pearson_daily_means"] == pytest.approx(
        statistics.correlation([day[0] for day in days], [day[1] for day in days])
    )


def test_a_day_that_the_range_cuts_is_no_whole_day(filled: World) -> None:
    window = Window(instant("2024-10-28T12:00:00Z"), instant("2024-10-31T12:00:00Z"))
    with filled.store() as store:
        found = {s.key: s for s in wind_solar_sections(store, window)}
    assert of(found["relations"], one="Wind", other="Solar")["whole_days"] == 2


def test_anomalies_are_without_month_and_period(
    filled: World, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    slots = {
        instant(start): (day[:7], period)
        for start, day, period in asked(
            filled, "SELECT period_start, settlement_date, settlement_period FROM wind_solar"
        )
    }
    rest: dict[str, dict[datetime, float]] = {}
    for series in ("Wind", "Solar"):
        groups: dict[Any, list[float]] = defaultdict(list)
        for t, mw in power[series].items():
            groups[slots[t]].append(mw)
        rest[series] = {
            t: mw - statistics.fmean(groups[slots[t]])
            for t, mw in power[series].items()
            if len(groups[slots[t]]) > 1
        }
    both = rest["Wind"].keys() & rest["Solar"].keys()
    told = of(sections["relations"], one="Wind", other="Solar")
    assert told["pearson_anomalies"] == pytest.approx(
        statistics.correlation([rest["Wind"][t] for t in both], [rest["Solar"][t] for t in both])
    )


# --- forecasts -------------------------------------------------------------------------------------


def test_day_ahead_wind_is_held_against_metered_wind(
    filled: World, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    told = of(sections["forecast_errors"], forecast="day_ahead_wind_forecast")
    rows = asked(
        filled, "SELECT period_start, wind_forecast_mw, published_at FROM day_ahead_wind_forecast"
    )
    forecast = {instant(t): mw for t, mw, _ in rows}
    issues = {instant(t): issued for t, _, issued in rows}

    def back(start: datetime) -> timedelta:
        """A day, or as many as it takes for the half hour to have ended by the issue."""
        days = timedelta(days=1)
        while issues[start] and start + HALF - days > instant(issues[start]):
            days += timedelta(days=1)
        return days

    needed = {back(t).days if issues[t] else None for t in forecast}
    assert needed == {None, 1, 2}, "the issue is told of some, and early enough of some"
    _same_errors(told, forecast, power["Wind"], back)


def test_hourly_wind_forecast_known_a_day_before(
    filled: World, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    newest: dict[datetime, tuple[datetime, float]] = {}
    issues = "SELECT publish_time, hour_start, generation_mw FROM wind_forecasts ORDER BY 1"
    for issued, hour, megawatts in asked(filled, issues):
        if instant(hour) - instant(issued) >= timedelta(days=1):
            newest[instant(hour)] = instant(issued), megawatts
    hourly = {
        t: (power["Wind"][t] + power["Wind"][t + HALF]) / 2
        for t in power["Wind"]
        if t.minute == 0 and t + HALF in power["Wind"]
    }

    def back(hour: datetime) -> timedelta:
        known = hour + 2 * HALF - newest[hour][0]
        return timedelta(days=math.ceil(known / timedelta(days=1)))

    told = of(sections["forecast_errors"], made="24 h before or earlier", series="Wind")
    _same_errors(told, {t: mw for t, (_, mw) in newest.items()}, hourly, back)


def test_embedded_solar_is_held_against_the_estimate_of_the_same_plants_by_day(
    filled: World, sections: dict[str, Section]
) -> None:
    observed = {
        instant(t): mw
        for t, mw in asked(filled, "SELECT period_start, embedded_solar_mw FROM historic_demand")
    }
    rows = asked(
        filled,
        "SELECT period_start, embedded_solar_forecast_mw FROM embedded_forecasts "
        "WHERE issue_known = 0 ORDER BY published_at",
    )
    start, end = map(instant, BOUNDS)
    forecast = {
        instant(t): mw
        for t, mw in rows
        if start <= instant(t) < end and (mw > 0 or observed[instant(t)] > 0)
    }
    assert 0 < len(forecast) < len(rows) * 0.6, "nights are left out"
    told = of(
        sections["forecast_errors"],
        series="Embedded solar",
        made="last one (issue not told)",
    )
    _same_errors(told, forecast, observed, lambda t: timedelta(days=1))


@pytest.mark.parametrize(("made", "days"), [("up to 24 h", 1), ("24 to 48 h", 2)])
def test_our_own_forecast_is_told_by_how_far_ahead(
    made: str, days: int, sections: dict[str, Section], power: dict[str, dict[datetime, float]]
) -> None:
    told = of(sections["forecast_errors"], forecast="generation_forecast (climatology)", made=made)
    first = instant(ISSUE) + (days - 1) * timedelta(days=1)
    forecast = {first + n * HALF: 4000.0 for n in range(48)}
    _same_errors(told, forecast, power["Wind Onshore"], lambda t: timedelta(days=days))


def _same_errors(
    told: dict[str, Any],
    forecast: dict[datetime, float],
    observed: dict[datetime, float],
    back: Any,
) -> None:
    """Pairs, bias, MAE and skill against what was observed so long before, by plain loops."""
    start, end = map(instant, BOUNDS)
    within = {t: mw for t, mw in observed.items() if start <= t < end}
    pairs = {t: forecast[t] - within[t] for t in forecast.keys() & within.keys()}
    assert told["pairs"] == len(pairs) >= 48
    assert told["bias_mw"] == pytest.approx(statistics.fmean(pairs.values()))
    assert told["mae_mw"] == pytest.approx(statistics.fmean(map(abs, pairs.values())))
    simple = {t: abs(within[t - back(t)] - within[t]) for t in pairs if t - back(t) in within}
    ours = statistics.fmean(abs(pairs[t]) for t in simple)
    assert told["persistence_mae_mw"] == pytest.approx(statistics.fmean(simple.values()))
    assert told["skill_mae"] == pytest.approx(1 - ours / statistics.fmean(simple.values()))


# --- any table -------------------------------------------------------------------------------------


def test_samples_of_a_day_are_covered_and_weighted(filled: World) -> None:
    bounds = ("2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z")
    ((rows, mean, low, high),) = asked(
        filled,
        "SELECT count(*), avg(frequency_hz), min(frequency_hz), max(frequency_hz) FROM frequency "
        "WHERE measurement_time >= ? AND measurement_time < ?",
        *bounds,
    )
    with filled.store() as store:
        (section,) = table_sections(store, store.tables["FREQ"], parse_range(LONG_DAY))
    told = of(section)
    assert told["unit"] == "Hz"
    assert (told["rows"], told["minimum"], told["maximum"]) == (rows, low, high)
    assert told["mean"] == pytest.approx(mean)
    assert told["coverage"] == pytest.approx(rows * 15 / (25 * 3600))


def test_energy_of_a_product_counts_covered_time(filled: World) -> None:
    rows = asked(filled, "SELECT average_discharge_mw, discharge_mwh, coverage FROM average_power")
    with filled.store() as store:
        (section,) = table_sections(store, store.tables["average_power"], parse_range(LONG_DAY))
    power = of(section, column="average_discharge_mw")
    energy = sum(mw * 0.5 * covered for mw, _, covered in rows)
    assert power["energy_mwh"] == pytest.approx(energy)
    assert power["energy_mwh"] == pytest.approx(sum(mwh for _, mwh, _ in rows))
    assert of(section, column="discharge_mwh")["energy_mwh"] == pytest.approx(energy)
    assert power["mean"] == pytest.approx(energy / sum(0.5 * covered for *_, covered in rows))


def test_forecasts_that_were_issued_again_have_no_energy(filled: World) -> None:
    with filled.store() as store:
        (section,) = table_sections(store, store.tables["wind_forecasts"])
    ((rows,),) = asked(filled, "SELECT count(generation_mw) FROM wind_forecasts")
    assert of(section)["rows"] == rows
    assert "energy_mwh" not in section.frame.columns
    assert "coverage" not in section.frame.columns


def test_hours_and_quarter_hours_of_one_series_count_once(tmp_path: Path) -> None:
    """8 MW for an hour, from the half hour on 2 and 4 MW by the quarter: 4 + 0.5 + 1 MWh."""
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        table = store.tables["entsoe_generation"]
        rows = ((0, 3600, 8.0), (30, 900, 2.0), (45, 900, 4.0))
        _write(store, "entsoe_generation", [
            {"zone": "FR", "period_start": f"2024-10-01T00:{minute:02}:00Z", "psr_type": "B16",
             "resolution_s": seconds, "generation_mw": megawatts}
            for minute, seconds, megawatts in rows
        ])  # fmt: skip
        start = instant("2024-10-01T00:00:00Z")
        window = Window(start, start + timedelta(hours=2))
        (section,) = table_sections(store, table, window)
        told = of(section, column="generation_mw", zone="FR", psr_type="B16")
        assert told["energy_mwh"] == pytest.approx(5.5)
        assert (told["coverage"], told["mean"]) == (0.5, pytest.approx(5.5))
        assert set(section.frame["column"]) == {"generation_mw"}, (
            "a column without values says nothing"
        )


LOAD_ROWS = [
    {"zone": zone, "period_start": f"2024-10-01T{clock}:00Z", "resolution_s": seconds, "load_mw": mw}
    for zone, clock, seconds, mw in (
        ("DE_LU", "11:45", 900, 40.0), ("DE_LU", "12:00", 900, 44.0), ("FR", "11:00", 3600, 50.0),
        ("FR", "12:00", 3600, 60.0), ("DE_LU", "12:15", 900, 48.0),
    )
]  # fmt: skip
SUMMARY_ROW = {
    "period_start": "2024-10-26T23:00:00Z", "psr_type": "Solar", "settlement_date": LONG_DAY,
    "energy_mwh": 250.0, "mean_mw": 10.0, "minimum_mw": 0.0, "minimum_at": "2024-10-26T23:00:00Z",
    "maximum_mw": 90.0, "maximum_at": "2024-10-27T12:00:00Z", "periods": 50, "coverage": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "rows", "clock", "expected"),
    [
        # The hour that began before the last quarter ends after it.
        ("entsoe_load", LOAD_ROWS, "UTC", ("2024-10-01T11:00:00Z", "2024-10-01T13:00:00Z")),
        # The long day, of British time and of Berlin's, which is not UTC's.
        ("wind_solar_summary", [SUMMARY_ROW], "UTC", ("2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z")),
        (
            "trading_daily",
            [{"period_start": "2024-10-26T22:00:00Z", "delivery_date": LONG_DAY, "public_mwh": 1.0}],
            "Europe/Berlin", ("2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"),
        ),
        # A month stands on its last day.
        (
            "performance_report",
            [{"last_day_start": "2024-10-31T00:00:00Z", "month": "2024-10", "asset_id": "A"}],
            "UTC", ("2024-10-31T00:00:00Z", "2024-11-01T00:00:00Z"),
        ),
        ("wind_solar", [_solar("2024-10-27T01:00:00Z", 1)], "UTC", ("2024-10-27T01:00:00Z", "2024-10-27T01:30:00Z")),
    ],
)  # fmt: skip
def test_what_is_stored_ends_with_its_last_row(
    tmp_path: Path, key: str, rows: list[dict[str, Any]], clock: str, expected: tuple[str, str]
) -> None:
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, key, rows)
        window = stored_range(store, store.tables[key], {"VPP_DELIVERY_DAY": clock})
    assert window == Window(*map(instant, expected))


def test_of_a_large_table_the_newest_days_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.tables.MOST_ROWS", 1)
    rows = [
        {"zone": "FR", "period_start": f"{day}T00:00:00Z", "resolution_s": 3600, "load_mw": 1.0}
        for day in ("2024-01-01", "2024-03-31")
    ]
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, "entsoe_load", rows)
        window = stored_range(store, store.tables["entsoe_load"], {})
    assert window == Window(instant("2024-02-29T01:00:00Z"), instant("2024-03-31T01:00:00Z"))


def test_the_last_interval_counts_whole(tmp_path: Path) -> None:
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, "entsoe_load", LOAD_ROWS)
        table = store.tables["entsoe_load"]
        (section,) = table_sections(store, table, stored_range(store, table, {}))
    # A quarter of 40 + 44 + 48 MW, and two hours of 50 and 60 MW.
    germany, france = of(section, zone="DE_LU"), of(section, zone="FR")
    assert (germany["energy_mwh"], germany["mean"]) == pytest.approx((33.0, 44.0))
    assert (france["energy_mwh"], france["mean"]) == pytest.approx((110.0, 55.0))
    assert (germany["coverage"], france["coverage"]) == pytest.approx((0.375, 1.0))


def test_auctions_of_one_hour_are_two_prices(tmp_path: Path) -> None:
    start = instant("2024-10-01T00:00:00Z")
    rows = [
        {"zone": "DE_LU", "period_start": f"{start + n * timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
         "auction_sequence": auction, "resolution_s": 3600, "price_per_mwh": price, "currency": "EUR"}
        for auction, prices in ((1, (50.0, 70.0)), (2, (10.0, 20.0)))
        for n, price in enumerate(prices)
    ]  # fmt: skip
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        table = store.tables["entsoe_day_ahead_prices"]
        _write(store, table.name, rows)
        window = Window(start, start + timedelta(hours=2))
        (section,) = table_sections(store, table, window)
    first, second = of(section, auction_sequence=1), of(section, auction_sequence=2)
    assert (first["rows"], first["mean"], first["minimum"]) == (2, 60.0, 50.0)
    assert (second["rows"], second["mean"], second["minimum"]) == (2, 15.0, 10.0)
    assert (first["unit"], first["coverage"]) == ("EUR/MWh", 1.0)


def test_volumes_of_two_units_are_never_averaged(tmp_path: Path) -> None:
    at = "2024-10-01T00:00:00Z"
    rows = [
        {"trade_id": str(n), "side": "BUY", "period_start": at, "period_end": "2024-10-01T00:15:00Z",
         "execution_time": at, "price_eur_per_mwh": 50.0, "volume": volume, "volume_unit": unit}
        for n, (volume, unit) in enumerate(((4.0, "MW"), (6.0, "MW"), (1.0, "MWH")))
    ]  # fmt: skip
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, "vpp_private_trades", rows)
        (section,) = table_sections(store, store.tables["vpp_private_trades"])
    powers, energies = (of(section, column="volume", unit=unit) for unit in ("MW", "MWH"))
    assert (powers["rows"], powers["mean"]) == (2, 5.0)
    assert (energies["rows"], energies["mean"]) == (1, 1.0)


def test_a_label_that_is_not_told_keeps_zones_apart(tmp_path: Path) -> None:
    of_hour = {
        "period_start": "2024-10-01T00:00:00Z", "reserve": "FCR", "agreement": "daily",
        "product": "standard", "psr_type": "mixed", "direction": "up", "bid": 1,
        "resolution_s": 3600, "currency": "EUR",
    }  # fmt: skip
    bids = (
        ("DE_LU", 10.0, 7.0, "MW"), ("DE_LU", 30.0, None, None), ("FR", 50.0, None, None),
        ("FR", 70.0, None, None),
    )  # fmt: skip
    rows = [
        of_hour | {"zone": zone, "bid": bid, "capacity_mw": mw, "price": price, "price_unit": unit}
        for bid, (zone, mw, price, unit) in enumerate(bids)
    ]
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        table = store.tables["entsoe_contracted_reserves"]
        _write(store, table.name, rows)
        (section,) = table_sections(store, table)
    assert of(section, column="price")["unit"] == "EUR/MW"
    capacity = section.frame[section.frame["column"] == "capacity_mw"]
    assert set(zip(capacity["zone"], capacity["mean"], strict=True)) == {
        ("DE_LU", 10.0), ("DE_LU", 30.0), ("FR", 60.0),
    }  # fmt: skip
    header, _ = shown(section) or ([], [])
    assert "capacity_mw, FR, 3600, FCR, daily, standard, mixed, up, EUR, MW" in header


def test_a_share_of_assets_is_no_time(tmp_path: Path) -> None:
    """A quarter hour of which half the assets are known has a price and a cost like any other."""
    rows = [
        {"period_start": start, "forecast": "latest", "price_source": "rebap", "coverage": coverage,
         "price_eur_per_mwh": price, "cost_eur": 1.0, "forecast_mwh": 1.0, "measured_mwh": 1.0,
         "imbalance_mwh": 0.0}
        for start, coverage, price in (
            ("2024-10-01T00:00:00Z", 0.5, 100.0), ("2024-10-01T00:15:00Z", 1.0, 40.0),
        )
    ]  # fmt: skip
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        table = store.tables["portfolio_imbalance_cost"]
        _write(store, table.name, rows)
        (section,) = table_sections(store, table, stored_range(store, table, {}))
    price = of(section, column="price_eur_per_mwh")
    assert (price["mean"], price["coverage"]) == (70.0, 1.0)


def test_every_product_says_what_its_coverage_is_of() -> None:
    said = {p.key: covers_time(p.table) for p in PRODUCTS if "coverage" in p.table.names}
    # Of assets, and of a day's half hours: how long a day is nobody counts in hours.
    others = {"portfolio_imbalance_cost", "wind_solar_summary"}
    assert {key for key, of_time in said.items() if not of_time} == others
    assert not covers_time(next(p.table for p in PRODUCTS if "coverage" not in p.table.names))


def test_days_have_the_energy_that_they_tell(tmp_path: Path) -> None:
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as store:
        _write(store, "wind_solar_summary", [SUMMARY_ROW])
        (section,) = table_sections(store, store.tables["wind_solar_summary"])
    assert of(section, column="energy_mwh")["energy_mwh"] == 250.0
    assert math.isnan(of(section, column="mean_mw")["energy_mwh"])
    assert "there is no energy" not in section.note


# --- the command -----------------------------------------------------------------------------------


@pytest.fixture
def analyze(filled: World, monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> Any:
    def run(*arguments: str) -> Result:
        monkeypatch.setenv("STORE_URL", filled.overrides["STORE_URL"])
        monkeypatch.setenv("OUTPUT_DIR", filled.overrides["OUTPUT_DIR"])
        return CliRunner().invoke(main.app, ["analyze", *arguments], standalone_mode=False)

    return run


RANGE = ("--start", FIRST, "--end", LAST)


def test_json_and_csv_say_the_same_with_units(analyze: Any, sections: dict[str, Section]) -> None:
    told = json.loads(analyze(*RANGE, "--format", "json").stdout)
    assert (told["start"], told["end"], told["origin"]) == (*BOUNDS, "synthetic")
    by_key = {section["key"]: section for section in told["sections"]}
    assert by_key.keys() == sections.keys()
    assert by_key["summary"]["units"]["energy_mwh"] == "MWh"
    lines = list(csv.DictReader(io.StringIO(analyze(*RANGE, "--format", "csv").stdout)))
    figures = {
        (line["section"], line["series"], line["figure"]): line
        for line in lines
        if line["section"] in ("summary", "coverage")
    }
    for key in ("summary", "coverage"):
        for row in by_key[key]["rows"]:
            for figure, unit in by_key[key]["units"].items():
                line = figures[key, row["series"], figure]
                assert line["unit"] == unit
                value = line["text"] or (float(line["value"]) if line["value"] else None)
                assert value == row[figure]
    assert sum(len(s["rows"]) * len(s["units"]) for s in told["sections"]) == len(lines)


def test_columns_of_a_table_carry_their_own_units(analyze: Any) -> None:
    done = analyze("historic_demand", "--start", FIRST, "--format", "csv")
    units = {line["column"]: line["unit"] for line in csv.DictReader(io.StringIO(done.stdout)) if line["figure"] == "mean"}  # fmt: skip
    assert units["national_demand_mw"] == "MW"


def test_the_screen_shows_sections_and_what_to_do_for_long_ones(analyze: Any) -> None:
    done = analyze(*RANGE)
    assert done.exit_code == 0 and not done.exception
    for words in ("after curtailment", "Ramps", "Droughts of 24 h", "with --format csv or json"):
        assert words in done.stdout


def test_rows_can_be_chosen(analyze: Any) -> None:
    told = json.loads(analyze(*RANGE, "--where", "psr_type=Solar", "--format", "json").stdout)
    (summary,) = (s for s in told["sections"] if s["key"] == "summary")
    assert [row["series"] for row in summary["rows"]] == ["Solar"]


def test_frequency_is_shown_with_the_digits_it_needs(analyze: Any) -> None:
    done = analyze("frequency", "--start", LONG_DAY, "--end", LONG_DAY)
    (mean,) = (
        line.split()[-1] for line in done.stdout.splitlines() if line.split()[:1] == ["mean"]
    )
    assert len(mean.split(".")[1]) >= 2, done.stdout


def test_nothing_stored_is_one_sentence_and_code_3(analyze: Any) -> None:
    done = analyze("--start", "2020-01-01", "--end", "2020-01-31")
    assert done.return_value == 3
    assert (
        "type 'python3 run.py fetch wind_solar --start 2020-01-01 --end 2020-01-31'" in done.stderr
    )
    done = analyze("generation_mix", "--start", "2020-01-01")
    assert done.return_value == 3
    assert "process generation_mix --start 2020-01-01" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--capacity", "Solar=much"),
        ("--capacity", "Solar=-5"),
        ("--capacity", "Coal=5"),
        ("frequency", "--capacity", "Solar=5"),
        ("--end", "2024-10-27"),
        ("--where", "psr_type"),
        ("no_such_table",),
        ("system_warnings",),
    ],
)
def test_a_wrong_word_is_refused(analyze: Any, wrong: tuple[str, ...]) -> None:
    done = analyze(*wrong)
    assert type(done.exception).__name__ == "UsageError", done.stdout
