"""Forecasts: measures, models against plain loops, and that nothing after the issue time is known."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
import unittest
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

import forecast_commands
import forecasting
import storage
from domain import scores
from domain.errors import UsageError
from domain.settlement import LONDON, day_window, days_window, settlement_columns
from domain.tables import Table, conform
from domain.windows import Window
from products import forecast_models, generation_forecast
from products.forecast_models import BASELINES, LEARNED, Past, fit
from sources.elexon import WIND_SOLAR
from stores.sql import SqlStore

# Loading scikit-learn takes longer than all of these tests: what learns is in tests/integration.
HAS_LEARNED = bool(find_spec("sklearn") and find_spec("threadpoolctl"))
HALF = timedelta(minutes=30)
DAY = timedelta(days=1)
LATE = timedelta(hours=2, minutes=30)
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def noisy(seed: int, count: int, missing: float = 0.02) -> np.ndarray:
    """Half-hourly values [MW] with a day in them, some unknown."""
    rng = random.Random(seed)
    level, values = 5000.0, []
    for n in range(count):
        level += rng.gauss(0, 150) - 0.02 * (level - 5000)
        value = max(level + 2000 * np.sin(2 * np.pi * n / 48), 0.0)
        values.append(np.nan if rng.random() < missing else round(value, 3))
    return np.array(values)


def past(issue: datetime, values: np.ndarray, clock: ZoneInfo = LONDON) -> Past:
    """The values up to an issue time."""
    return Past(int(issue.timestamp()) - 1800 * len(values), 1800, values, clock)


class Measures(unittest.TestCase):
    """The worked numbers of the reference (§5, §6)."""

    Y, F = (10.0, 20.0, 30.0, 40.0), (12.0, 18.0, 33.0, 35.0)
    PERSISTENCE = (8.0, 10.0, 20.0, 30.0)

    def test_point_forecasts(self) -> None:
        for got, expected in (
            (scores.bias(self.F, self.Y), -0.5),
            (scores.mae(self.F, self.Y), 3.0),
            (scores.rmse(self.F, self.Y), 10.5**0.5),
            (scores.nmae(self.F, self.Y, 50.0), 0.06),
            (scores.mae(self.PERSISTENCE, self.Y), 8.0),
            (scores.rmse(self.PERSISTENCE, self.Y), 76**0.5),
            (scores.skill(3.0, 8.0), 0.625),
            (scores.skill(8.0, 3.0), 1 - 8 / 3),
        ):
            self.assertAlmostEqual(got, expected, delta=1e-9)
        skill = scores.skill(scores.rmse(self.F, self.Y), scores.rmse(self.PERSISTENCE, self.Y))
        self.assertAlmostEqual(skill, 0.6283, delta=5e-5)
        self.assertAlmostEqual(skill, 1 - (10.5 / 76) ** 0.5, delta=1e-9)

    def test_quantiles(self) -> None:
        self.assertAlmostEqual(scores.pinball([80.0], [100.0], 0.9), 18.0, delta=1e-6)
        self.assertAlmostEqual(scores.pinball([120.0], [100.0], 0.9), 2.0, delta=1e-6)
        self.assertEqual(scores.coverage([0, 0, 0, 0], [2, 2, 2, 2], [0, 2, 3, -1]), 0.5)

    def test_what_is_unknown_counts_nowhere(self) -> None:
        nan = float("nan")
        self.assertEqual(scores.mae([1.0, nan, 3.0], [2.0, 5.0, nan]), 1.0)
        self.assertEqual(scores.coverage([0, nan], [1, 1], [1, 1]), 1.0)
        self.assertTrue(np.isnan(scores.rmse([nan], [1.0])))
        self.assertTrue(np.isnan(scores.skill(1.0, 0.0)))


class BaselinesAgainstLoops(unittest.TestCase):
    """Each simple model once more, one value at a time."""

    LEADS = 96

    def check(self, seen: Past, name: str, one: Callable[[datetime], float]) -> None:
        told = fit(seen, self.LEADS, [name]).predict(seen, [name])[name].point
        issue = datetime.fromtimestamp(seen.issue_s, UTC)
        expected = [one(issue + n * HALF) for n in range(self.LEADS)]
        np.testing.assert_allclose(told, expected, rtol=1e-9, err_msg=name)

    def cases(self) -> list[tuple[Past, dict[datetime, float]]]:
        found = []
        for seed, issue in enumerate(
            (
                at("2024-03-31T09:00"),
                at("2024-04-01T00:30"),
                at("2024-10-27T00:30"),
                at("2024-10-28T10:00"),
                at("2024-07-01T09:00"),
            )
        ):
            values = noisy(seed, 48 * 60, 0.05)
            values[-5:] = np.nan  # not published yet
            seen = past(issue, values)
            start = datetime.fromtimestamp(seen.start_s, UTC)
            known = {start + n * HALF: v for n, v in enumerate(values) if v == v}
            found.append((seen, known))
        return found

    def test_persistence(self) -> None:
        for seen, known in self.cases():
            self.check(seen, "persistence", lambda _, known=known: known[max(known)])

    def test_diurnal_follows_local_time_over_clock_changes(self) -> None:
        for seen, known in self.cases():
            wall_of: dict[datetime, datetime] = {}
            for n in range(len(seen.values) + self.LEADS):
                instant = datetime.fromtimestamp(seen.start_s + 1800 * n, UTC)
                wall_of.setdefault(instant.astimezone(LONDON).replace(tzinfo=None), instant)

            def same(target: datetime, known=known, wall_of=wall_of) -> float:
                wall = target.astimezone(LONDON).replace(tzinfo=None)
                instants = (wall_of.get(wall - n * DAY) for n in range(1, 8))
                return next((known[i] for i in instants if i in known), float("nan"))

            self.check(seen, "diurnal", same)

    def test_late_hours_of_the_day_ahead_lag_two_days(self) -> None:
        values = np.arange(48.0 * 10)
        told = fit(past(at("2024-07-01T09:00"), values), 96, ["diurnal"])
        point = told.predict(past(at("2024-07-01T09:00"), values), ["diurnal"])["diurnal"].point
        np.testing.assert_array_equal(point[:48], values[-48:])
        np.testing.assert_array_equal(point[48:], values[-48:])  # 48 h before, not 24

    @staticmethod
    def climatology(known: dict[datetime, float]) -> Callable[[datetime], float]:
        """Mean of the same month and time of day, else of the same time of day."""
        cells: dict[tuple[int, ...], list[float]] = {}
        for instant, value in known.items():
            wall = instant.astimezone(LONDON)
            for cell in ((wall.month, wall.hour, wall.minute), (wall.hour, wall.minute)):
                cells.setdefault(cell, []).append(value)

        def mean(target: datetime) -> float:
            wall = target.astimezone(LONDON)
            cell = (wall.month, wall.hour, wall.minute)
            same = cells.get(cell) or cells[cell[1:]]
            return sum(same) / len(same)

        return mean

    def test_climatology_and_combination(self) -> None:
        for seen, known in self.cases()[:2]:
            mean = sum(known.values()) / len(known)
            variance = sum((v - mean) ** 2 for v in known.values()) / len(known)
            clim = self.climatology(known)
            steps = {n: v for n, v in enumerate(seen.values) if v == v}

            def combined(target: datetime, known=known, steps=steps, mean=mean, variance=variance, clim=clim) -> float:  # fmt: skip
                last = max(known)
                lag = (target - last) // HALF
                pairs = [(v, steps[n + lag]) for n, v in steps.items() if n + lag in steps]
                r = sum((a - mean) * (b - mean) for a, b in pairs) / len(pairs) / variance
                share = min(max(r, 0.0), 1.0)
                return share * known[last] + (1 - share) * clim(target)

            self.check(seen, "climatology", clim)
            self.check(seen, "combination", combined)


def wind_rows(values: np.ndarray, start: datetime, published: list[datetime]) -> pd.DataFrame:
    """Rows of wind_solar, half an hour each, of one type."""
    starts = pd.Series([start + n * HALF for n in range(len(values))], dtype="datetime64[us, UTC]")
    frame = pd.DataFrame(
        {
            "period_start": starts,
            "psr_type": "Solar",
            "generation_mw": values,
            "publish_time": pd.Series(published, dtype="datetime64[us, UTC]"),
            **settlement_columns(starts),
        }
    )
    return fitting(WIND_SOLAR, frame.dropna(subset=["generation_mw"]))


def fitting(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    spelled = frame.rename(columns={c.name: c.spelling for c in table.columns})
    return conform(table, spelled, "made up").frame


def stored(*frames: pd.DataFrame, table: Table = WIND_SOLAR, known: str = "2024-12-01") -> SqlStore:
    store = storage.open_store("sqlite:///:memory:")
    for frame in frames:
        store.write(table, frame, known_at=at(known), synthetic=True, entries=lambda _: [])
    return store


SOLAR = forecasting.find_series("gb_solar")
LEADS = 24
Told = dict[str, bytes]
Forecaster = Callable[[SqlStore, datetime], Told]


def changed_by_the_future(forecast: Forecaster, seed: int) -> set[str]:
    """Models whose forecasts change with what was published after the issue; what catches a leak.

    The second store has the same past; later values are shuffled, and older ones are restated after
    the issue.
    """
    rng = np.random.default_rng(seed)
    issue = at("2024-10-27T09:00") + int(rng.integers(0, 48)) * HALF
    count, start = 48 * 35, at("2024-09-25T00:00")
    values = noisy(seed, count)
    starts = [start + n * HALF for n in range(count)]
    lates = [LATE if rng.random() < 0.9 else timedelta(hours=30) for _ in range(count)]
    published = [begin + HALF + late for begin, late in zip(starts, lates, strict=True)]
    future = np.array([moment > issue for moment in published])
    altered = values.copy()
    altered[future] = rng.permutation(values[future]) * 1.7 + 11
    restated = wind_rows(
        values[:1000] + 900, start, [issue + timedelta(minutes=1)] * 1000
    )  # all of it after the issue
    with (
        stored(wind_rows(values, start, published)) as one,
        stored(wind_rows(altered, start, published), restated) as other,
    ):
        told, again = forecast(one, issue), forecast(other, issue)
    return {model for model, content in told.items() if content != again[model]}


def issued(store: SqlStore, issue: datetime, models: Sequence[str] = ()) -> Told:
    """What the backtest forecasts at two issues, by model; the first one's models serve both."""
    hours = LEADS / 2
    done = forecasting.backtest(store, SOLAR, [issue - DAY, issue], models, hours=hours, train=32 * DAY)  # fmt: skip
    assert all(np.isfinite(point).any() for point in done.point.values())
    return {name: p.tobytes() + done.quantiles[name].tobytes() for name, p in done.point.items()}


def to_come(store: SqlStore, issue: datetime) -> float:
    """Mean of what the store has of the half day after the issue: what no forecast may know."""
    _, values = forecasting.read_series(store, SOLAR, Window(issue, issue + DAY / 2), None)
    return float(values.mean())


def leaked(
    where: ModuleType, name: str, make: Callable[[Any, float], Any], models: Sequence[str] = ()
) -> set[str]:
    """Models that change when a part of the code is replaced by one that knows the future.

    ``make`` builds the replacement from the real part and the future's mean.
    """

    def leaky(store: SqlStore, issue: datetime) -> Told:
        replacement = make(getattr(where, name), to_come(store, issue))
        with mock.patch.object(where, name, replacement):
            return issued(store, issue, models)

    return changed_by_the_future(leaky, 0)


def peeking_in(feature: str, weight: float = 1e-6) -> Callable[[Any, float], Any]:
    """A leak in one feature of the issue at hand, whose future is not among what models learn from."""

    def make(real: Any, future: float) -> Any:
        def examples(past: Past, issues: np.ndarray, *of: Any) -> Any:
            known = real(past, issues, *of)
            leak = weight * future * (issues[:, None] == len(past.values))
            return replace(known, **{feature: getattr(known, feature) + leak})

        return examples

    return make


class Leakage(unittest.TestCase):
    def test_nothing_after_the_issue_changes_a_forecast(self) -> None:
        for seed in range(3):
            with self.subTest(seed=seed):
                self.assertEqual(changed_by_the_future(issued, seed), set())

    def test_a_leak_planted_in_the_reading_is_caught_in_every_model(self) -> None:
        """Values as they stand now instead of as they were known at the issue."""

        def newest(real: Any, _: float) -> Any:
            return lambda store, series, window, as_of: real(store, series, window, None)

        self.assertEqual(leaked(forecasting, "read_series", newest), set(BASELINES))

    def test_a_leak_planted_in_a_feature_is_caught_where_it_is_used(self) -> None:
        for name, users in (("last", {"persistence", "combination"}), ("diurnal", {"diurnal"})):
            found = leaked(forecast_models, "_examples", peeking_in(name))
            self.assertEqual(found, users)

    def test_a_leak_planted_in_what_is_learnt_is_caught(self) -> None:
        """A climatology, or a scale, that has seen what it is tested on."""

        def raised(real: Any, future: float) -> Any:
            return lambda past: real(past) + 1e-6 * future

        found = leaked(forecast_models, "_climatology", raised)
        self.assertEqual(found, {"climatology", "combination"})

    def test_a_backtest_knows_no_more_than_a_prediction(self) -> None:
        start, values = at("2024-06-01T00:00"), noisy(3, 48 * 60)
        published = [start + n * HALF + HALF + LATE for n in range(len(values))]
        issues = [at("2024-07-10T08:00") + n * DAY for n in range(3)]
        with stored(wind_rows(values, start, published)) as store:
            whole = forecasting.backtest(store, SOLAR, issues, [], hours=12, train=30 * DAY)
        cut = [moment <= issues[0] for moment in published]
        first = np.where(cut, values, np.nan)
        with stored(wind_rows(first, start, published)) as store:
            seen = forecasting.known_at(store, SOLAR, issues[0], 30 * DAY)
            told = fit(seen, 24, BASELINES).predict(
                forecasting.known_at(store, SOLAR, issues[0], 15 * DAY), BASELINES
            )
        for name in BASELINES:
            np.testing.assert_array_equal(whole.point[name][0], told[name].point)
        np.testing.assert_array_equal(whole.observed[0], values[39 * 48 + 16 : 39 * 48 + 16 + 24])

    def test_an_assumed_lag_hides_what_it_says(self) -> None:
        start, values = at("2024-06-01T00:00"), noisy(3, 48 * 40, 0)
        series = forecasting.find_series("gb_solar", 5.0)
        late = [at("2025-01-01")] * len(values)
        with stored(wind_rows(values, start, late)) as store:
            seen = forecasting.known_at(store, series, at("2024-07-05T09:00"), 20 * DAY)
            unseen = forecasting.known_at(store, SOLAR, at("2024-07-05T09:00"), 20 * DAY)
        self.assertEqual(seen.delay, 10)
        self.assertEqual(seen.values[-11], values[34 * 48 + 18 - 11])
        self.assertTrue(np.isnan(unseen.values).all())


def empty_or_crossed(names: Sequence[str]) -> set[str]:
    """Models that leave a forecast empty, negative or with crossing quantiles after a past with holes."""
    values = noisy(5, 48 * 40, 0.3)
    values[48 * 10 : 48 * 16] = np.nan
    seen = past(at("2024-10-28T09:00"), values)
    return {
        name
        for name, told in fit(seen, 12, names).predict(seen, names).items()
        if not np.isfinite(told.point).all()
        or (np.diff(told.quantiles, axis=1) < 0).any()
        or (told.quantiles < 0).any()
    }


class MissingData(unittest.TestCase):
    def test_holes_in_the_past_leave_no_forecast_empty(self) -> None:
        self.assertEqual(empty_or_crossed(BASELINES), set())

    def test_nothing_known_gives_nothing(self) -> None:
        seen = past(at("2024-10-28T09:00"), np.full(480, np.nan))
        for told in fit(seen, 8, BASELINES).predict(seen, BASELINES).values():
            self.assertTrue(np.isnan(told.point).all())
        with stored() as store, self.assertRaisesRegex(UsageError, "nothing of gb_solar was known"):
            forecasting.backtest(store, SOLAR, [at("2024-10-28T09:00")], [])

    def test_too_little_to_learn_from_is_said(self) -> None:
        if not HAS_LEARNED:
            self.skipTest("scikit-learn is an extra")
        for model in LEARNED:
            with self.assertRaisesRegex(UsageError, "issues to learn from"):
                fit(past(at("2024-10-28T09:00"), noisy(1, 48 * 10)), 8, [model])

    def test_without_the_library_one_sentence_says_what_to_type(self) -> None:
        with (
            mock.patch("importlib.util.find_spec", return_value=None),
            self.assertRaisesRegex(UsageError, "run.py --install-deps forecast"),
        ):
            forecast_models.check_models(["ridge"])
        with self.assertRaisesRegex(UsageError, "no model"):
            forecast_models.check_models(["oracle"])


class Scores(unittest.TestCase):
    def test_all_models_on_the_same_pairs_and_negative_skill_stays(self) -> None:
        nan = np.nan
        point = {name: np.array([[10.0, 11.0], [12.0, 13.0]]) for name in BASELINES}
        point["persistence"] = np.array([[11.0, nan], [11.0, 16.0]])
        point["ridge"] = np.array([[20.0, 30.0], [8.0, 16.5]])
        observed = np.array([[11.0, 12.0], [12.0, 16.0]])
        wide = {name: np.stack([v - 1, v, v + 1], axis=-1) for name, v in point.items()}
        done = forecasting.Backtest([], 1800, observed, point, wide, 50.0, "stated", 1)
        rows = [
            dict(zip(forecasting.HEADER, r, strict=True)) for r in forecasting.scores(done, [0, 1])
        ]
        self.assertEqual([r["model"] for r in rows], [*BASELINES, "ridge"])
        self.assertEqual({r["pairs"] for r in rows}, {3})
        ridge = rows[-1]
        # Pairs (20, 11), (8, 12), (16.5, 16); persistence errs by 0, -1, 0.
        self.assertAlmostEqual(ridge["bias_mw"], (9 - 4 + 0.5) / 3, delta=1e-9)
        self.assertAlmostEqual(ridge["mae_mw"], 13.5 / 3, delta=1e-9)
        self.assertAlmostEqual(ridge["nmae"], 13.5 / 3 / 50, delta=1e-9)
        self.assertEqual(ridge["mae_reference"], "persistence")
        self.assertAlmostEqual(ridge["skill_mae"], 1 - 13.5, delta=1e-9)
        self.assertAlmostEqual(ridge["coverage_p10_p90"], 1 / 3, delta=1e-9)
        self.assertEqual(rows[0]["skill_mae"], 0.0)

    def test_issues_follow_the_local_clock(self) -> None:
        for day, expected in ((SPRING, "08:00"), (AUTUMN, "09:00")):
            before, issue = forecasting.issues_between(days_window(day - DAY, day), "09:00", SOLAR)
            self.assertEqual(f"{issue:%H:%M}", expected)
            self.assertEqual(abs(issue - before - DAY), timedelta(hours=1))


class SeriesAndProduct(unittest.TestCase):
    def test_an_unknown_series_is_told_what_there_is(self) -> None:
        for name in ("gb", "asset:", "zone:XX:wind", "zone:DE_LU:coal"):
            with self.assertRaisesRegex(UsageError, "gb_wind"):
                forecasting.find_series(name)

    def test_wind_is_the_sum_where_both_types_are_known(self) -> None:
        start = at("2024-07-01T00:00")
        rows = wind_rows(np.array([1.0, 2.0, 3.0]), start, [start + DAY] * 3)
        on, off = rows.assign(psr_type="Wind Onshore"), rows.assign(psr_type="Wind Offshore")[1:]
        with stored(pd.concat([on, off]).sort_values(["period_start", "psr_type"])) as store:
            wind = forecasting.find_series("gb_wind")
            times, values = forecasting.read_series(store, wind, Window(start, start + DAY), None)
        self.assertEqual(list(values), [4.0, 6.0])
        self.assertEqual(times[0], int(start.timestamp()) + 1800)

    def test_infeed_counts_where_it_was_measured_and_is_in_mw(self) -> None:
        start = at("2024-07-01T00:00")
        starts = pd.Series([start + n * HALF / 2 for n in range(4)], dtype="datetime64[us, UTC]")
        frame = pd.DataFrame(
            {
                "asset_id": "a1",
                "period_start": starts,
                "power_kw": [1000.0, 2000.0, 3000.0, np.nan],
                "energy_mwh": 0.0,
                "source": ["final", "forecast", "live", "missing"],
                "redispatched": 0,
                "live_coverage": 1.0,
            }
        )
        tables = storage.tables()
        rows = fitting(tables["best_of_infeed"], frame)
        with stored(rows, table=tables["best_of_infeed"], known="2024-07-02") as store:
            one = forecasting.find_series("asset:a1")
            window = Window(start, start + DAY)
            _, values = forecasting.read_series(store, one, window, None)
            self.assertEqual(list(values), [1.0, 3.0])
            _, before = forecasting.read_series(store, one, window, at("2024-07-01T12:00"))
            self.assertEqual(len(before), 0)

    def test_a_portfolio_counts_where_every_asset_was_measured(self) -> None:
        start = at("2024-07-01T00:00")
        starts = pd.Series([start + n * HALF / 2 for n in range(4)], dtype="datetime64[us, UTC]")
        frame = pd.DataFrame(
            {
                "period_start": starts,
                "power_kw": [1000.0, 2000.0, 3000.0, 4000.0],
                "energy_mwh": 0.0,
                "assets": 2,
                "final_assets": [2, 1, 1, 1],
                "live_assets": [0, 1, 0, 0],
                "forecast_assets": [0, 0, 1, 0],
                "missing_assets": [0, 0, 0, 1],
                "redispatched_assets": 0,
            }
        )
        table = storage.tables()["portfolio_best_of_infeed"]
        with stored(fitting(table, frame), table=table) as store:
            one = forecasting.find_series("portfolio")
            _, values = forecasting.read_series(store, one, Window(start, start + DAY), None)
        self.assertEqual(list(values), [1.0, 2.0])

    def test_capacity_is_of_the_newest_contracts_at_the_issue_else_labelled(self) -> None:
        table = storage.tables()["vpp_assets"]
        frame = pd.DataFrame(
            [
                {
                    "snapshot_at": pd.Timestamp(day, tz="UTC"),
                    "kind": "contract",
                    "asset_id": asset,
                    "contract_id": "c",
                    "capacity_kw": kw,
                    "technology": "wind",
                }
                for day, asset, kw in (
                    ("2024-01-01", "a1", 1000.0),
                    ("2024-06-01", "a1", 2000.0),
                    ("2024-06-01", "a2", 500.0),
                    ("2024-09-01", "a1", 9000.0),
                )
            ]
        )
        issue = at("2024-07-01T09:00")
        seen = past(issue, np.array([1.0, 7.0, np.nan]))
        with stored(fitting(table, frame), table=table) as store:
            for name, stated, expected, source in (
                ("asset:a1", None, 2.0, "contracts of 2024-06-01"),
                ("portfolio", None, 2.5, "contracts of 2024-06-01"),
                ("portfolio", 4.0, 4.0, "stated"),
                ("asset:a9", None, 7.0, "NOT installed"),
                ("gb_wind", None, 7.0, "NOT installed"),
            ):
                one = forecasting.find_series(name)
                found, where = forecasting.capacity_of(store, one, stated, seen, issue)
                self.assertEqual(found, expected, name)
                self.assertIn(source, where)

    def test_a_zones_hour_counts_where_it_is_covered_whole(self) -> None:
        start = at("2024-07-01T00:00")
        quarters = [start + n * HALF / 2 for n in range(7)]
        frame = pd.DataFrame(
            {
                "zone": "DE_LU",
                "period_start": pd.Series(quarters, dtype="datetime64[us, UTC]"),
                "psr_type": "B16",
                "resolution_s": 900,
                "generation_mw": [10.0, 20.0, 30.0, 40.0, 1.0, 1.0, 1.0],
                "consumption_mw": np.nan,
            }
        )
        table = storage.tables()["entsoe_generation"]
        with stored(fitting(table, frame), table=table) as store:
            solar = forecasting.find_series("zone:DE_LU:solar")
            times, values = forecasting.read_series(store, solar, Window(start, start + DAY), None)
        self.assertEqual((list(times), list(values)), ([int(start.timestamp())], [25.0]))

    def product(self, days: Window, rows: pd.DataFrame) -> pd.DataFrame:
        return generation_forecast.compute(
            rows, window=days, forecast_model="combination", forecast_hours=24.0
        )

    def test_days_together_equal_each_alone_and_the_future_counts_nowhere(self) -> None:
        for last in (SPRING, AUTUMN):
            first = last - DAY
            days = days_window(first, last + DAY)
            start = days.start - 20 * DAY
            values = noisy(8, int((days.end - start) / HALF))
            published = [start + (n + 1) * HALF + LATE for n in range(len(values))]
            rows = wind_rows(values, start, published)
            together = self.product(days, rows)
            alone = []
            for n in range(3):
                window = day_window(first + n * DAY)
                issue = window.end - HALF
                later = rows["publish_time"] > issue
                changed = rows.assign(
                    generation_mw=rows["generation_mw"].where(~later, 9 * rows["generation_mw"])
                )
                alone.append(self.product(window, changed))
            pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
            self.assertEqual(len(together), 3 * 48)
            self.assertEqual(set(together["series"]), {"gb_solar"})
            self.assertTrue((together["period_start"] >= together["issue_time"]).all())
            self.assertTrue((together["known_until"] <= together["issue_time"] - LATE).all())


class Commands(unittest.TestCase):
    def run_command(self, *words: str) -> tuple[int, str]:
        out = StringIO()
        with redirect_stdout(out):
            code = forecast_commands.app(list(words), standalone_mode=False)
        return code, out.getvalue()

    def test_train_predict_and_backtest(self) -> None:
        start, values = at("2024-06-01T00:00"), noisy(3, 48 * 60)
        published = [start + (n + 1) * HALF + LATE for n in range(len(values))]
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/g.db"
            with storage.open_store(url) as store:
                rows = wind_rows(values, start, published)
                store.write(
                    WIND_SOLAR, rows, known_at=at("2024-12-01"), synthetic=True, entries=lambda _: []
                )  # fmt: skip
            with mock.patch.dict(os.environ, {"STORE_URL": url, "OUTPUT_DIR": folder}):
                issue = ("--series", "gb_solar", "--issue", "2024-07-20T09:10:00Z")
                code, text = self.run_command("train", *issue)
                self.assertEqual(code, 0)
                self.assertIn("No model is stored", text)
                code, text = self.run_command("predict", *issue, "--hours", "24")
                self.assertEqual(code, 0)
                self.assertIn("(synthetic), issue 2024-07-20T09:00:00Z", text)
                written = Path(folder, "forecast_gb_solar.csv").read_bytes()
                self.assertEqual(written.count(b"\n"), 49)
                self.run_command("predict", *issue, "--hours", "24")
                again = Path(folder, "forecast_gb_solar.csv").read_bytes()
                self.assertEqual(hashlib.sha256(again).digest(), hashlib.sha256(written).digest())
                code, text = self.run_command(
                    "backtest", "--series", "gb_solar", "--start", "2024-07-10", "--end",
                    "2024-07-14", "--train-days", "30", "--hours", "24",
                )  # fmt: skip
                self.assertEqual(code, 0)
                self.assertIn("5 issues at 09:00, 1 fits", text)
                self.assertIn("NOT installed", text)
                table = pd.read_csv(Path(folder, "forecast_backtest_gb_solar.csv"))
                self.assertEqual(len(table), 48 * len(BASELINES))
                self.assertTrue((table["skill_mae"] <= 0).all())  # baselines against the best
                self.assertIn("SYNTHETIC", Path(folder, "ATTRIBUTION.txt").read_text())
                for words, said in (
                    (
                        ("--series", "portfolio"),
                        "nothing of portfolio was known .* process portfolio_best",
                    ),
                    (
                        ("--issue", "2024-01-01T00:00:00Z"),
                        "type 'python3 run.py fetch wind_solar --start 2023-",
                    ),
                    (("--issue", "2098-01-01T00:00:00Z"), "has not come yet"),
                    (("--model", "oracle"), "no model: there are persistence"),
                    (("--series", "gb_coal"), "no series: there are gb_wind"),
                ):
                    with self.assertRaisesRegex(UsageError, said):
                        self.run_command("predict", *words)


if __name__ == "__main__":
    unittest.main()
