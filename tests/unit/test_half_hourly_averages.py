"""half_hourly_averages on inputs made by hand, against figures computed by hand or second by second."""

from __future__ import annotations

import math
import random
import unittest
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from domain.integration import average_intervals
from domain.settlement import day_window, days_window, period_window, settlement_columns
from domain.tables import Table, conform
from domain.windows import Window
from products.half_hourly_averages import PRODUCT, compute
from sources import DATASETS
from sources.elexon import FREQUENCY, WIND_SOLAR
from sources.entsoe_market import PRICES
from sources.entsoe_power import GENERATION, LOAD

SHORT, LONG, WINTER, SUMMER = (
    date(2024, 3, 31), date(2024, 10, 27), date(2024, 1, 10), date(2024, 7, 1),
)  # fmt: skip
HOUR, HALF, QUARTER = 3600, 1800, 900
INPUTS = {d.key: d.table for d in DATASETS if d.key in PRODUCT.inputs}
MEASURED = ("mean", "minimum", "maximum", "standard_deviation", "energy_mwh")
Frames = dict[str, pd.DataFrame]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def after(start: datetime, *seconds: float) -> list[datetime]:
    return [start + timedelta(seconds=s) for s in seconds]


# --- inputs with the dtypes that a store returns ----------------------------------------------


def frame_of(table: Table, **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({table.column(name).spelling: values for name, values in columns.items()})
    return conform(table, frame, "a test").frame


def empty(table: Table) -> pd.DataFrame:
    return conform(table, {column.spelling: [] for column in table.columns}, "a test").frame


def frequency(samples: dict[datetime, float]) -> pd.DataFrame:
    return frame_of(
        FREQUENCY, measurement_time=list(samples), frequency_hz=list(map(float, samples.values()))
    )


def wind_solar(rows: Iterable[tuple[datetime, str, float]]) -> pd.DataFrame:
    starts, types, megawatts = zip(*rows, strict=True)
    times = pd.Series(starts, dtype="datetime64[us, UTC]")
    return frame_of(
        WIND_SOLAR,
        period_start=times,
        psr_type=types,
        generation_mw=megawatts,
        publish_time=times,
        **settlement_columns(times),
    )


def load(rows: Iterable[tuple[datetime, int, float]], zone: str = "FR") -> pd.DataFrame:
    starts, seconds, megawatts = zip(*rows, strict=True)
    return frame_of(
        LOAD,
        zone=[zone] * len(starts),
        period_start=list(starts),
        resolution_s=seconds,
        load_mw=list(map(float, megawatts)),
    )


def generation(
    rows: Iterable[tuple[datetime, int, str, float | None, float | None]], zone: str = "FR"
) -> pd.DataFrame:
    starts, seconds, types, made, used = zip(*rows, strict=True)
    return frame_of(
        GENERATION,
        zone=[zone] * len(starts),
        period_start=list(starts),
        resolution_s=seconds,
        psr_type=types,
        generation_mw=pd.Series(made, dtype="float64"),
        consumption_mw=pd.Series(used, dtype="float64"),
    )


def prices(
    rows: Iterable[tuple[datetime, int, float]],
    auction: int = 1,
    currency: str = "EUR",
    zone: str = "FR",
) -> pd.DataFrame:
    starts, seconds, money = zip(*rows, strict=True)
    return frame_of(
        PRICES,
        zone=[zone] * len(starts),
        period_start=list(starts),
        auction_sequence=[auction] * len(starts),
        resolution_s=seconds,
        price_per_mwh=list(map(float, money)),
        currency=[currency] * len(starts),
    )


def averages(window: Window, **inputs: pd.DataFrame) -> pd.DataFrame:
    """The product's rows; inputs that are not named are absent."""
    given = {key: inputs.get(key, empty(table)) for key, table in INPUTS.items()}
    rows = conform(PRODUCT.table, compute(**given, window=window), "a test")
    assert rows.unknown == () and not len(rows.older)
    return rows.frame


def pick(frame: pd.DataFrame, series: str, quantity: str, area: str = "") -> pd.DataFrame:
    wanted = (frame["series"] == series) & (frame["quantity"] == quantity)
    if area:
        wanted &= frame["area"] == area
    return frame[wanted].reset_index(drop=True)


def one(frame: pd.DataFrame, period: int = 0) -> dict[str, Any]:
    return dict(frame.iloc[period])


class Case(unittest.TestCase):
    def assert_row(self, row: dict[str, Any], **expected: Any) -> None:
        for name, value in expected.items():
            if value is None:
                self.assertTrue(pd.isna(row[name]), f"{name} is {row[name]}")
            elif isinstance(value, float):
                self.assertAlmostEqual(row[name], value, delta=1e-12, msg=name)
            else:
                self.assertEqual(row[name], value, name)


class Frequency(Case):
    PERIOD = period_window(SUMMER, 21)

    def within(self, samples: dict[float, float], quantity: str = "frequency") -> dict[str, Any]:
        """One period; samples are given in seconds from its start."""
        start = self.PERIOD.start
        given = {start + timedelta(seconds=s): hz for s, hz in samples.items()}
        rows = averages(self.PERIOD, frequency=frequency(given))
        return one(pick(rows, "frequency", quantity, "GB"))

    def test_weighted_by_time(self) -> None:
        # 49.9 for 15 s, 50.1 for 45 s, again and again.
        samples = {60 * n: 49.9 for n in range(30)} | {60 * n + 15: 50.1 for n in range(30)}
        self.assert_row(
            self.within(samples),
            unit="Hz",
            mean=50.05,
            minimum=49.9,
            maximum=50.1,
            standard_deviation=math.sqrt(0.25 * 0.15**2 + 0.75 * 0.05**2),
            energy_mwh=None,
            coverage=1.0,
            settlement_period=21,
        )

    def test_a_constant_has_no_deviation_at_all(self) -> None:
        for hertz in (49.9, 50.017, 49.983):
            row = self.within({7 * n: hertz for n in range(260)})
            self.assertEqual((row["mean"], row["minimum"], row["maximum"]), (hertz,) * 3)
            self.assertEqual(row["standard_deviation"], 0.0)

    def test_a_sample_holds_a_minute_and_looks_in_from_before(self) -> None:
        # 60 s of the first sample lie half before the period; then 900 s, then nothing.
        samples = {-30: 49.0} | {30 + 15 * n: 50.0 for n in range(57)}
        row = self.within(samples)  # 30 s at 49, 14 min 15 s at 50 and 45 s more
        self.assert_row(row, coverage=930 / 1800, mean=(30 * 49 + 900 * 50) / 930, minimum=49.0)
        late = self.within({-61: 40.1} | {15 * n: 50.0 for n in range(120)})
        self.assert_row(late, minimum=50.0, coverage=1.0)

    def test_below_half_nothing_is_claimed_and_half_is_enough(self) -> None:
        half = {60 * n: 50.0 for n in range(15)}
        self.assert_row(self.within(half), coverage=0.5, mean=50.0, standard_deviation=0.0)
        del half[0.0]
        for quantity in ("frequency", "seconds_outside_49_8_50_2"):
            row = self.within(half, quantity)
            self.assert_row(row, coverage=14 / 30, **dict.fromkeys(MEASURED))

    def test_implausible_samples_are_left_out(self) -> None:
        samples = {15.0 * n: 50.0 for n in range(120)} | {300.0: 0.0, 315.0: 99.9}
        self.assert_row(self.within(samples), coverage=1.0, minimum=50.0, maximum=50.0)
        # A period of nothing else still has a row, and it says so.
        row = self.within({-300: 50.0, 300: 0.0})
        self.assert_row(row, coverage=0.0, mean=None)

    def test_seconds_outside_the_bands(self) -> None:
        # On a band's edge is inside; 30 s below both, 15 s above one, 60 s held above both.
        samples = {15.0 * n: 50.0 for n in range(120)}
        samples |= {0: 49.8, 15: 50.2, 30: 49.5, 45: 50.5}  # the last two: outside the narrow one
        samples |= {300: 49.49, 315: 49.49, 330: 50.21}
        samples[1785] = 50.51
        narrow = self.within(samples, "seconds_outside_49_8_50_2")
        self.assert_row(
            narrow,
            unit="s",
            mean=30.0 + 30.0 + 15.0 + 15.0,
            minimum=None,
            maximum=None,
            standard_deviation=None,
            energy_mwh=None,
            coverage=1.0,
        )
        wide = self.within(samples, "seconds_outside_49_5_50_5")
        self.assert_row(wide, mean=30.0 + 15.0)

    def test_seconds_outside_count_covered_time_only(self) -> None:
        samples = dict.fromkeys(range(0, 1200, 15), 49.0)  # the last holds to 1245 s
        row = self.within(samples, "seconds_outside_49_8_50_2")
        self.assert_row(row, mean=1245.0, coverage=1245 / 1800)
        self.assert_row(self.within(dict.fromkeys(range(0, 1800, 15), 50.0)), mean=50.0)
        quiet = self.within(dict.fromkeys(range(0, 1800, 15), 50.0), "seconds_outside_49_5_50_5")
        self.assert_row(quiet, mean=0.0)


class WindAndSolar(Case):
    def test_a_half_hour_stands_as_it_is(self) -> None:
        window = day_window(SUMMER)
        rows = [(window.start, "Solar", 0.0), (window.start, "Wind Onshore", 1234.5)]
        rows += [(start, "Solar", 10.0) for start in after(window.start, HALF)]
        found = averages(window, wind_solar=wind_solar(rows))
        self.assertEqual(len(found), 2 * 48)
        solar, wind = (pick(found, name, "generation", "GB") for name in ("Solar", "Wind Onshore"))
        self.assert_row(
            one(wind),
            unit="MW",
            mean=1234.5,
            minimum=1234.5,
            maximum=1234.5,
            standard_deviation=0.0,
            energy_mwh=617.25,
            coverage=1.0,
            settlement_period=1,
        )
        self.assert_row(one(solar), mean=0.0, energy_mwh=0.0)
        self.assert_row(one(solar, 1), mean=10.0, energy_mwh=5.0)
        self.assert_row(one(solar, 2), coverage=0.0, **dict.fromkeys(MEASURED))
        self.assertEqual(set(wind["coverage"][1:]), {0.0})


class OnTheGrid(Case):
    WINDOW = day_window(SUMMER)
    START = WINDOW.start

    def test_quarter_hours_and_hours_in_half_hours(self) -> None:
        quarters = zip(after(self.START, 0, 900, 1800, 2700), (100, 300, 40, 40), strict=True)
        rows = [(start, QUARTER, mw) for start, mw in quarters]
        rows += [(start, HOUR, 80) for start in after(self.START, HOUR)]
        found = pick(averages(self.WINDOW, entsoe_load=load(rows)), "load", "load", "FR")
        self.assertEqual(len(found), 48)
        self.assert_row(
            one(found),
            mean=200.0,
            minimum=100.0,
            maximum=300.0,
            standard_deviation=100.0,
            energy_mwh=100.0,
            coverage=1.0,
            unit="MW",
        )
        self.assert_row(one(found, 1), mean=40.0, energy_mwh=20.0, standard_deviation=0.0)
        for period in (2, 3):
            self.assert_row(one(found, period), mean=80.0, energy_mwh=40.0, coverage=1.0)
        self.assert_row(one(found, 4), coverage=0.0)

    def test_one_quarter_of_two_is_half(self) -> None:
        found = averages(self.WINDOW, entsoe_load=load([(self.START, QUARTER, 60)]))
        # A quarter hour of 60 MW is 15 MWh; of the other quarter nothing is known.
        self.assert_row(one(found), mean=60.0, energy_mwh=15.0, coverage=0.5)

    def test_less_than_half_is_not_enough(self) -> None:
        found = averages(self.WINDOW, entsoe_load=load([(self.START, 600, 60)]))
        self.assert_row(one(found), coverage=1 / 3, **dict.fromkeys(MEASURED))

    def test_all_periods_of_the_days_with_rows_and_no_others(self) -> None:
        window = days_window(date(2024, 3, 30), date(2024, 4, 1))
        for day, periods in ((SHORT, 46), (date(2024, 3, 30), 48)):
            rows = [(day_window(day).start + timedelta(hours=3), HOUR, 5.0)]
            found = averages(window, entsoe_load=load(rows))
            with self.subTest(day=day):
                self.assertEqual(list(found["settlement_period"]), list(range(1, periods + 1)))
                self.assertEqual({f"{d:%Y-%m-%d}" for d in found["settlement_date"]}, {f"{day}"})
                self.assertEqual(found["coverage"].sum(), 2.0)

    def test_days_of_46_48_and_50_periods_with_all_inputs(self) -> None:
        for day, periods in ((SHORT, 46), (SUMMER, 48), (LONG, 50)):
            window = day_window(day)
            seconds = int(window.hours * HOUR)
            halves = after(window.start, *range(0, seconds, HALF))
            quarters = after(window.start, *range(0, seconds, QUARTER))
            hours = after(window.start, *range(0, seconds, HOUR))
            samples = after(window.start, *range(0, seconds, 60))
            found = averages(
                window,
                frequency=frequency(dict.fromkeys(samples, 50.0)),
                wind_solar=wind_solar((t, "Solar", 8.0) for t in halves),
                entsoe_load=load((t, QUARTER, n) for n, t in enumerate(quarters)),
                entsoe_generation=generation((t, HOUR, "B16", n, 1.0) for n, t in enumerate(hours)),
                entsoe_day_ahead_prices=prices((t, HOUR, -n) for n, t in enumerate(hours)),
            )
            counts = found.groupby(["series", "area", "quantity"]).size()
            with self.subTest(day=day):
                self.assertEqual(len(counts), 3 + 1 + 1 + 2 + 1)
                self.assertEqual(set(counts), {periods})
                self.assertEqual(set(found["coverage"]), {1.0})
                power = found[found["unit"] == "MW"]
                np.testing.assert_array_equal(power["energy_mwh"], power["mean"] / 2)
                self.assertEqual(
                    list(pick(found, "load", "load")["mean"]),
                    [2 * n + 0.5 for n in range(periods)],
                )
                self.assertEqual(
                    list(pick(found, "B16", "generation")["mean"]),
                    [float(n // 2) for n in range(periods)],
                )
                self.assertEqual(
                    list(pick(found, "day-ahead", "price")["mean"]),
                    [-float(n // 2) for n in range(periods)],
                )
                self.assertEqual(
                    list(pick(found, "Solar", "generation")["settlement_period"]),
                    list(range(1, periods + 1)),
                )
                self.assertFalse((found["series"] == "").any())

    def test_an_hour_that_straddles_midnight_counts_on_both_sides(self) -> None:
        for day in (SUMMER, WINTER):  # 23:00Z and 00:00Z
            start = day_window(day).start
            rows = load([(start - timedelta(minutes=30), HOUR, 7), *_from(start, 1800, HOUR, 46)])
            before, here = (averages(day_window(d), entsoe_load=rows) for d in (_eve(day), day))
            with self.subTest(day=day):
                self.assert_row(one(before, 47), mean=7.0, coverage=1.0)
                self.assert_row(one(here), mean=7.0, coverage=1.0, energy_mwh=3.5)
                self.assertEqual(set(here["coverage"]), {1.0})

    def test_an_hour_up_to_midnight_stays_on_its_day(self) -> None:
        for day in (SUMMER, WINTER):
            start = day_window(day).start
            rows = load([(start - timedelta(hours=1), HOUR, 7), *_from(start, 0, HOUR, 3)])
            here = averages(day_window(day), entsoe_load=rows)
            with self.subTest(day=day):
                self.assert_row(one(here), mean=3.0, coverage=1.0)

    def test_nothing_reaches_further_than_the_look_back(self) -> None:
        window = day_window(SUMMER)
        rows = [
            (window.start - timedelta(minutes=90), 4 * HOUR, 7),
            *_from(window.start, HOUR, HOUR, 3),
        ]
        together = averages(days_window(_eve(SUMMER), SUMMER), entsoe_load=load(rows))
        alone = averages(window, entsoe_load=load(rows[1:]))
        self.assertEqual(list(together["mean"].dropna()[:3]), [7.0, 7.0, 7.0])
        pd.testing.assert_frame_equal(together[-48:].reset_index(drop=True), alone)
        self.assertEqual(float(alone["coverage"].iloc[0]), 0.0)


def _eve(day: date) -> date:
    return day - timedelta(days=1)


def _from(start: datetime, offset: int, step: int, mw: float) -> list[tuple[datetime, int, float]]:
    return [(t, step, mw) for t in after(start, *range(offset, 24 * HOUR, step))]


class MixedResolutions(Case):
    WINDOW = day_window(WINTER)
    START = WINDOW.start

    def halves(self, *rows: tuple[int, int, float]) -> list[dict[str, Any]]:
        """The first two periods of rows given as (second, length, MW)."""
        given = load([(self.START + timedelta(seconds=s), length, mw) for s, length, mw in rows])
        found = averages(self.WINDOW, entsoe_load=given)
        return [one(found, 0), one(found, 1)]

    def test_the_row_that_starts_later_holds(self) -> None:
        first, second = self.halves((0, HOUR, 100), (900, QUARTER, 20), (1800, HALF, 40))
        self.assert_row(
            first, mean=60.0, minimum=20.0, maximum=100.0, coverage=1.0, energy_mwh=30.0
        )
        self.assert_row(second, mean=40.0, minimum=40.0, maximum=40.0, coverage=1.0)

    def test_a_stale_hour_holds_again_where_nothing_later_does(self) -> None:
        first, second = self.halves((0, HOUR, 100), (900, QUARTER, 20))
        self.assert_row(first, mean=60.0, coverage=1.0)
        self.assert_row(second, mean=100.0, coverage=1.0, standard_deviation=0.0)

    def test_stale_quarters_behind_a_new_hour_do_not_count_twice(self) -> None:
        rows = [(0, HOUR, 100), (900, 900, 1), (1800, 900, 2), (2700, 900, 3)]
        first, second = self.halves(*rows)
        self.assert_row(first, mean=50.5, coverage=1.0, energy_mwh=25.25)
        self.assert_row(second, mean=2.5, coverage=1.0, energy_mwh=1.25)

    def test_rows_across_each_other(self) -> None:
        first, second = self.halves((0, HALF, 10), (900, HOUR, 30))
        self.assert_row(first, mean=20.0, coverage=1.0)
        self.assert_row(second, mean=30.0, coverage=1.0)

    def test_the_resolution_changes_within_a_day(self) -> None:
        rows = _from(self.START, 12 * HOUR, QUARTER, 4.0)
        rows += [row for row in _from(self.START, 0, HOUR, 2.0) if row[0] < rows[0][0]]
        found = averages(self.WINDOW, entsoe_load=load(rows))
        self.assertEqual(list(found["mean"]), [2.0] * 24 + [4.0] * 24)
        self.assertEqual(set(found["coverage"]), {1.0})
        self.assertEqual(found["energy_mwh"].sum(), 72.0)


class Generation(Case):
    WINDOW = day_window(SUMMER)
    START = WINDOW.start

    def test_consumption_stands_apart(self) -> None:
        rows = [
            (self.START, HALF, "B10", 500.0, None),
            (self.START + timedelta(seconds=HALF), HALF, "B10", None, 300.0),
            (self.START, HALF, "B16", 20.0, None),
        ]
        found = averages(self.WINDOW, entsoe_generation=generation(rows))
        self.assertEqual(len(found), 3 * 48)
        made, used = (pick(found, "B10", side) for side in ("generation", "consumption"))
        self.assert_row(one(made), mean=500.0, energy_mwh=250.0, coverage=1.0)
        self.assert_row(one(used), mean=None, coverage=0.0)
        self.assert_row(one(made, 1), mean=None, coverage=0.0)
        self.assert_row(one(used, 1), mean=300.0, energy_mwh=150.0, coverage=1.0)
        self.assertEqual(len(pick(found, "B16", "consumption")), 0)

    def test_zones_and_types_are_kept_apart(self) -> None:
        rows = [(self.START, HALF, name, mw, None) for name, mw in (("B16", 1.0), ("B19", 2.0))]
        both = pd.concat(
            [generation(rows), generation([(*rows[0][:3], 5.0, None)], zone="DE_LU")],
            ignore_index=True,
        )
        found = averages(self.WINDOW, entsoe_generation=both)
        firsts = found[found["settlement_period"] == 1]
        self.assertEqual(
            list(zip(firsts["series"], firsts["area"], firsts["mean"], strict=True)),
            [("B16", "DE_LU", 5.0), ("B16", "FR", 1.0), ("B19", "FR", 2.0)],
        )

    def test_a_type_that_is_not_named_has_a_name(self) -> None:
        found = averages(
            self.WINDOW, entsoe_generation=generation([(self.START, HALF, "", 1.0, None)])
        )
        self.assertEqual(set(found["series"]), {"unknown"})


class Prices(Case):
    WINDOW = day_window(WINTER)
    START = WINDOW.start

    def test_an_hourly_price_stands_in_both_half_hours_and_is_never_energy(self) -> None:
        found = averages(
            self.WINDOW,
            entsoe_day_ahead_prices=prices([(self.START, HOUR, -12.5)]),
        )
        for period in (0, 1):
            self.assert_row(
                one(found, period),
                series="day-ahead",
                quantity="price",
                area="FR",
                unit="EUR/MWh",
                mean=-12.5,
                minimum=-12.5,
                maximum=-12.5,
                standard_deviation=0.0,
                coverage=1.0,
            )
        self.assertTrue(found["energy_mwh"].isna().all())

    def test_quarter_hourly_prices(self) -> None:
        rows = [(t, QUARTER, p) for t, p in zip(after(self.START, 0, 900), (10, 30), strict=True)]
        row = one(averages(self.WINDOW, entsoe_day_ahead_prices=prices(rows)))
        self.assert_row(row, mean=20.0, standard_deviation=10.0, energy_mwh=None)

    def test_a_second_auction_is_a_series_of_its_own(self) -> None:
        both = pd.concat(
            [prices([(self.START, HOUR, 50)]), prices([(self.START, QUARTER, 99)], auction=2)],
            ignore_index=True,
        )
        found = averages(self.WINDOW, entsoe_day_ahead_prices=both)
        self.assertEqual(one(pick(found, "day-ahead", "price"))["mean"], 50.0)
        self.assert_row(one(pick(found, "day-ahead auction 2", "price")), mean=99.0, coverage=0.5)

    def test_another_currency(self) -> None:
        found = averages(
            self.WINDOW, entsoe_day_ahead_prices=prices([(self.START, HOUR, 50)], currency="GBP")
        )
        self.assertEqual(
            set(zip(found["series"], found["unit"], strict=True)), {("day-ahead", "GBP/MWh")}
        )

    def test_two_currencies_on_one_day_stay_apart_on_that_day(self) -> None:
        eve = day_window(_eve(WINTER)).start
        both = pd.concat(
            [
                prices([(eve, HOUR, 7.5), (self.START, HOUR, 75)], currency="BGN"),
                prices([(self.START + timedelta(hours=1), HOUR, 50)]),
            ],
            ignore_index=True,
        )
        together = averages(days_window(_eve(WINTER), WINTER), entsoe_day_ahead_prices=both)
        names = together.groupby(["settlement_date", "series"])["unit"].unique().explode()
        self.assertEqual(
            [(f"{day:%d}", series, unit) for (day, series), unit in names.items()],
            [
                ("09", "day-ahead", "BGN/MWh"),
                ("10", "day-ahead", "EUR/MWh"),
                ("10", "day-ahead BGN", "BGN/MWh"),
            ],
        )
        self.assertEqual(one(pick(together, "day-ahead BGN", "price"))["mean"], 75.0)
        alone = averages(
            self.WINDOW, entsoe_day_ahead_prices=both[both["period_start"] >= self.START]
        )
        pd.testing.assert_frame_equal(alone, together[48:].reset_index(drop=True))


class FlowsAndForecasts(Case):
    WINDOW = day_window(SUMMER)
    START = day_window(SUMMER).start
    # An hour of 60, then a quarter of 20 and one of 40, which is another half hour's 30.
    ROWS = ((0, HOUR, 60.0), (HOUR, QUARTER, 20.0), (HOUR + QUARTER, QUARTER, 40.0))

    def given(self, key: str, column: str, **more: Any) -> pd.DataFrame:
        table = INPUTS[key]
        starts = after(self.START, *(offset for offset, _, _ in self.ROWS))
        columns = {
            "zone": ["FR"] * 3,
            "period_start": starts,
            "resolution_s": [length for _, length, _ in self.ROWS],
            column: [value for _, _, value in self.ROWS],
            **{name: [value] * 3 for name, value in more.items()},
        }
        return frame_of(table, **{n: v for n, v in columns.items() if n in table.names})

    def test_each_stands_under_its_name(self) -> None:
        border = {"border": "FR>DE_LU", "from_zone": "FR", "to_zone": "DE_LU"}
        wind, power = {"psr_type": "B19"}, "generation_mw"
        ahead = "entsoe_wind_solar_forecast"
        for key, column, more, name in (
            ("entsoe_flows", "flow_mw", border, ("flow", "FR>DE_LU", "flow")),
            ("entsoe_load_forecast_day", "load_mw", {}, ("load", "FR", "load forecast")),
            ("entsoe_generation_forecast", power, {}, ("all", "FR", "generation forecast")),
            (
                "entsoe_generation_forecast",
                "consumption_mw",
                {},
                ("all", "FR", "consumption forecast"),
            ),
            (f"{ahead}_day", power, wind, ("B19", "FR", "generation forecast")),
            (f"{ahead}_intraday", power, wind, ("B19", "FR", "generation intraday forecast")),
            (f"{ahead}_current", power, wind, ("B19", "FR", "generation current forecast")),
        ):
            with self.subTest(name=name):
                found = averages(self.WINDOW, **{key: self.given(key, column, **more)})
                self.assertEqual(len(found), 48)
                rows = found[["series", "area", "quantity"]].itertuples(index=False, name=None)
                self.assertEqual(set(rows), {name})
                self.assertEqual(found["mean"][:3].tolist(), [60.0, 60.0, 30.0])
                self.assertEqual(found["energy_mwh"][:3].tolist(), [30.0, 30.0, 15.0])
                self.assertEqual(set(found["unit"]), {"MW"})

    def test_a_forecast_stands_beside_what_came(self) -> None:
        found = averages(
            self.WINDOW,
            entsoe_load=load([(self.START, HALF, 55)]),
            entsoe_load_forecast_day=self.given("entsoe_load_forecast_day", "load_mw"),
        )
        self.assertEqual(one(pick(found, "load", "load", "FR"))["mean"], 55)
        self.assertEqual(one(pick(found, "load", "load forecast", "FR"))["mean"], 60)


class Absent(Case):
    def test_any_one_input_is_enough(self) -> None:
        window = day_window(SUMMER)
        full = made_up(random.Random(3), window)
        everything = averages(window, **full)
        parts = [averages(window, **{key: frame}) for key, frame in full.items()]
        self.assertEqual(PRODUCT.optional, set(INPUTS))
        self.assertEqual(sum(map(len, parts)), len(everything))
        for part in parts:
            self.assertGreater(len(part), 0)
            merged = everything.merge(part[list(PRODUCT.table.key)])
            pd.testing.assert_frame_equal(merged, part)

    def test_without_any_there_is_nothing(self) -> None:
        self.assertEqual(len(averages(day_window(SUMMER))), 0)

    def test_columns_without_a_type_will_do(self) -> None:
        bare = {key: pd.DataFrame(columns=list(table.names)) for key, table in INPUTS.items()}
        given = bare | {"wind_solar": wind_solar([(day_window(SUMMER).start, "Solar", 1.0)])}
        self.assertEqual(len(averages(day_window(SUMMER), **given)), 48)
        self.assertEqual(len(averages(day_window(SUMMER), **bare)), 0)


# --- pseudo-random data -------------------------------------------------------------------------


def made_up(rng: random.Random, window: Window) -> Frames:
    """All inputs with gaps, odd values and mixed resolutions, from an hour before the window."""
    start, seconds = window.start - timedelta(hours=1), int(window.hours * HOUR) + HOUR
    samples: dict[datetime, float] = {}
    second = 0
    while second < seconds:
        samples[start + timedelta(seconds=second)] = rng.choice(
            (49.4, 49.79, 49.8, 50.0, 50.013, 50.2, 50.3, 50.6, 0.0)
        )
        second += rng.choice((1, 7, 15, 15, 15, 15, 59, 60, 61, 200))

    def slots(step: int, offset: int = 0, keep: float = 0.8) -> Iterable[datetime]:
        return (t for t in after(start, *range(offset, seconds, step)) if rng.random() < keep)

    mixed = dict.fromkeys(slots(HOUR, rng.choice((0, HALF))), HOUR)
    mixed |= dict.fromkeys(slots(QUARTER, keep=0.4), QUARTER)
    mixed |= dict.fromkeys(slots(HALF, keep=0.2), HALF)
    demand = [(t, length, rng.uniform(0, 900)) for t, length in mixed.items()]
    infeed = [
        (t, step, kind, rng.choice((None, 0.0, -0.0, rng.uniform(0, 50))), rng.choice((None, 3.3)))
        for kind, step in (("B10", HOUR), ("B16", QUARTER))
        for t in slots(step)
    ]
    paid = [(t, HOUR, rng.uniform(-50, 90)) for t in slots(HOUR)]
    return {
        "frequency": frequency(samples),
        "wind_solar": wind_solar((t, "Solar", rng.uniform(0, 9)) for t in slots(HALF, HALF)),
        "entsoe_load": load(demand),
        "entsoe_generation": generation(infeed),
        "entsoe_day_ahead_prices": pd.concat(
            [prices(paid), prices([(t, QUARTER, 1.1) for t in slots(QUARTER)], auction=2)],
            ignore_index=True,
        ),
    }


Painted = dict[tuple[str, str, str, str], list[tuple[int, int, float]]]


def rows_by_series(inputs: Frames) -> Painted:
    """(start, length, value) of every series, by plain loops over the rows."""
    found: Painted = {}

    def add(*name: str, start: Any, length: int, value: float) -> None:
        if not math.isnan(value):
            found.setdefault(name, []).append((int(start.timestamp()), length, value))  # type: ignore[arg-type]

    for row in inputs["frequency"].itertuples():
        if 45 <= row.frequency_hz <= 55:
            for quantity, unit, value in (
                ("frequency", "Hz", row.frequency_hz),
                ("seconds_outside_49_8_50_2", "s", abs(row.frequency_hz - 50) > 0.2 + 1e-9),
                ("seconds_outside_49_5_50_5", "s", abs(row.frequency_hz - 50) > 0.5 + 1e-9),
            ):
                when = row.measurement_time
                add("frequency", "GB", quantity, unit, start=when, length=60, value=value)
    for row in inputs["wind_solar"].itertuples():
        name = (row.psr_type, "GB", "generation", "MW")
        add(*name, start=row.period_start, length=1800, value=row.generation_mw)
    for row in inputs["entsoe_load"].itertuples():
        name = ("load", row.zone, "load", "MW")
        add(*name, start=row.period_start, length=row.resolution_s, value=row.load_mw)
    for row in inputs["entsoe_generation"].itertuples():
        for side in ("generation", "consumption"):
            name = (row.psr_type, row.zone, side, "MW")
            value = getattr(row, f"{side}_mw")
            add(*name, start=row.period_start, length=row.resolution_s, value=value)
    for row in inputs["entsoe_day_ahead_prices"].itertuples():
        series = "day-ahead" if row.auction_sequence == 1 else "day-ahead auction 2"
        name = (series, row.zone, "price", f"{row.currency}/MWh")
        add(*name, start=row.period_start, length=row.resolution_s, value=row.price_per_mwh)
    return found


def second_by_second(inputs: Frames, window: Window) -> dict[tuple[str, ...], dict[str, Any]]:
    """The figures by painting every second: rows in order of their start, later ones over earlier."""
    first, last = int(window.start.timestamp()), int(window.end.timestamp())
    figures: dict[tuple[str, ...], dict[str, Any]] = {}
    for (series, area, quantity, unit), rows in rows_by_series(inputs).items():
        if not any(first <= start < last for start, _, _ in rows):
            continue  # nothing of it begins on the day
        painted: dict[int, float] = {}
        for start, length, value in sorted(rows):
            for second in range(max(start, first), min(start + length, last)):
                painted[second] = value
        for period in range(first, last, 1800):
            seconds = [painted[s] for s in range(period, period + 1800) if s in painted]
            row: dict[str, Any] = dict.fromkeys(MEASURED) | {"coverage": len(seconds) / 1800}
            if len(seconds) >= 900:
                mean = math.fsum(seconds) / len(seconds)
                spread = math.fsum((value - mean) ** 2 for value in seconds) / len(seconds)
                row |= {
                    "mean": mean,
                    "minimum": min(seconds),
                    "maximum": max(seconds),
                    "standard_deviation": math.sqrt(spread),
                }
                if unit == "MW":
                    row["energy_mwh"] = math.fsum(seconds) / 3600
                if unit == "s":
                    row |= dict.fromkeys(MEASURED) | {"mean": math.fsum(seconds)}
            when = datetime.fromtimestamp(period, UTC)
            figures[(f"{when:%H:%M}", series, area, quantity, unit)] = row
    return figures


class PseudoRandom(unittest.TestCase):
    def test_equal_to_a_loop_over_seconds(self) -> None:
        start = day_window(WINTER).start
        window = Window(start, start + timedelta(hours=3))
        filled = 0
        for seed in range(5):
            inputs = made_up(random.Random(seed), window)
            expected = second_by_second(inputs, window)
            found = averages(window, **inputs)
            self.assertEqual(len(found), len(expected))
            for row in found.to_dict("records"):
                name = (
                    f"{row['period_start']:%H:%M}",
                    *(row[key] for key in ("series", "area", "quantity", "unit")),
                )
                for figure, value in expected[name].items():
                    with self.subTest(seed=seed, row=name, figure=figure):
                        if value is None:
                            self.assertTrue(math.isnan(row[figure]), row[figure])
                        else:
                            filled += 1
                            self.assertAlmostEqual(row[figure], value, delta=1e-7)
        self.assertGreater(filled, 500)

    def test_days_together_and_each_alone_are_the_same_bits(self) -> None:
        days = [date(2024, 10, 26) + timedelta(days=n) for n in range(3)]
        inputs = made_up(random.Random(11), days_window(days[0], days[-1]))
        together = averages(days_window(days[0], days[-1]), **inputs)
        total = 0
        for day in days:
            window = day_window(day)
            near: Frames = {}
            for key, frame in inputs.items():  # as process_data reads them
                times = frame[INPUTS[key].time]
                since = window.start - PRODUCT.look_back.get(key, timedelta())
                near[key] = frame[(times >= since) & (times < window.end)]
            alone = averages(window, **near)
            times = together["period_start"]
            same = together[(times >= window.start) & (times < window.end)].reset_index(drop=True)
            total += len(alone)
            with self.subTest(day=day):
                pd.testing.assert_frame_equal(same, alone, check_exact=True)
                for column in (*MEASURED, "coverage"):
                    self.assertEqual(
                        same[column].to_numpy().tobytes(), alone[column].to_numpy().tobytes()
                    )
        self.assertEqual(total, len(together))

    def test_the_order_of_rows_does_not_matter_and_inputs_stay_as_they_were(self) -> None:
        window = day_window(LONG)
        empties = {key: empty(table) for key, table in INPUTS.items()}
        inputs = empties | made_up(random.Random(5), window)
        before = {key: frame.copy(deep=True) for key, frame in inputs.items()}
        found = compute(**inputs, window=window)
        shuffled = {key: frame.sample(frac=1, random_state=1) for key, frame in inputs.items()}
        pd.testing.assert_frame_equal(compute(**shuffled, window=window), found, check_exact=True)
        for key, frame in inputs.items():
            pd.testing.assert_frame_equal(frame, before[key])
        key = list(PRODUCT.table.key)
        pd.testing.assert_frame_equal(found.sort_values(key, ignore_index=True), found)
        self.assertEqual(tuple(found.columns), PRODUCT.table.names)

    def test_no_negative_zero(self) -> None:
        window = day_window(SUMMER)
        rows = [(window.start, HALF, "B16", -0.0, -0.0)]
        found = averages(
            window,
            entsoe_generation=generation(rows),
            entsoe_day_ahead_prices=prices([(window.start, HOUR, -0.0)]),
        )
        for column in (*MEASURED, "coverage"):
            values = found[column].dropna().to_numpy()
            self.assertFalse(np.signbit(values).any(), column)


class AverageIntervals(unittest.TestCase):
    def test_rows_without_length_and_outside_count_for_nothing(self) -> None:
        found = average_intervals(
            [-50, 10, 30, 200], [-10, 10, 90, 300], [9, 9, 4, 9], [0, 60, 120], min_coverage=0
        )
        self.assertEqual(found.mean.tolist(), [[4.0, 4.0]])
        self.assertEqual(found.coverage.tolist(), [[0.5, 0.5]])

    def test_a_row_longer_than_all_intervals(self) -> None:
        found = average_intervals([-100], [500], [3.0], [0, 60, 180])
        self.assertEqual(found.integral.tolist(), [[180.0, 360.0]])
        self.assertEqual(found.coverage.tolist(), [[1.0, 1.0]])

    def test_series_do_not_touch_each_other(self) -> None:
        found = average_intervals(
            [0, 0, 30], [60, 60, 60], [1, 5, 7], [0, 60], series=[0, 2, 2], count=3
        )
        np.testing.assert_array_equal(found.mean, [[1.0], [np.nan], [6.0]])
        self.assertEqual(found.coverage.tolist(), [[1.0], [0.0], [1.0]])

    def test_nested_three_deep_with_a_gap_behind(self) -> None:
        found = average_intervals(
            [0, 10, 20, 70], [60, 50, 30, 80], [1, 2, 3, 4], list(range(0, 90, 10)), min_coverage=0
        )
        np.testing.assert_array_equal(found.mean, [[1, 2, 3, 2, 2, 1, np.nan, 4]])

    def test_no_rows_at_all(self) -> None:
        found = average_intervals([], [], [], [0, 60, 120])
        self.assertTrue(np.isnan(found.mean).all() and np.isnan(found.integral).all())
        self.assertEqual(found.coverage.tolist(), [[0.0, 0.0]])
        self.assertEqual(average_intervals([], [], [], [0, 60], count=0).mean.shape, (0, 1))

    def test_two_rows_that_start_together_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            average_intervals([0, 0], [60, 30], [1, 2], [0, 60])


if __name__ == "__main__":
    unittest.main()
