"""Pictures of the battery, of wind and solar: units, gaps and limits, on data made by hand."""

from __future__ import annotations

import unittest
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analysis import extremes
from analysis import wind_solar as figures
from analysis.capacity import Capacity
from analysis.sections import Section
from analysis.series import WindSolar
from domain.settlement import day_window, days_window, period_grid
from domain.windows import Window
from pictures import battery, wind_solar
from pictures.picture import Band, Bars, Cells, Line, Panel, Picture, Points, Rule
from products.battery_response import Plan, respond
from tests.unit.test_battery_response import DEFAULTS, auctions, every, frequency

START = datetime(2024, 7, 1, tzinfo=UTC)
SIX_HOURS = Window(START, START + timedelta(hours=6))


def of(panel: Panel, kind: type[Any], label: str = "") -> Any:
    """The one mark of that kind and label."""
    found = [m for m in panel.marks if isinstance(m, kind) and (not label or m.label == label)]
    assert len(found) == 1, [getattr(m, "label", m) for m in panel.marks]
    return found[0]


def run_of(window: Window, samples: dict[datetime, float], **assumptions: Any) -> Any:
    plan = Plan.of(**(DEFAULTS | {"response_service": "dr"} | assumptions))
    held = frequency(samples)
    rows, run = respond(held, auctions(), window, plan)
    return plan, held, rows, run


class Battery(unittest.TestCase):
    def test_power_is_broken_where_no_sample_is(self) -> None:
        missing = (START + timedelta(hours=2), START + timedelta(hours=3))
        samples = {
            t: hz
            for t, hz in every(15, SIX_HOURS, 49.8925).items()
            if not missing[0] <= t < missing[1]
        }
        plan, _, rows, run = run_of(SIX_HOURS, samples, battery_recovery="none")
        picture = battery.run_picture(plan, rows, run, SIX_HOURS, "synthetic")
        power, charge, energy = picture.panels
        self.assertEqual(power.y_label, "power [MW]\ndischarge + / charge -")
        self.assertEqual(charge.y_label, "state of charge\n[% of 2 MWh]")
        self.assertEqual(energy.y_label.split("\n")[0], "energy per settlement period [MWh]")
        line = of(power, Line, "requested")
        # The sample before the gap holds for a minute; then nothing is known until it ends.
        known = np.isfinite(line.y)
        inside = (line.x > np.datetime64("2024-07-01T02:00:45")) & (
            line.x < np.datetime64("2024-07-01T03:00:00")
        )
        self.assertFalse((known & inside).any())
        self.assertEqual(int((~known).sum()), 1)
        # 49.8925 Hz is half of the curve from 0.015 to 0.2 Hz: 0.0925 / 0.185 of 1 MW.
        np.testing.assert_allclose(line.y[known], 0.5)
        uncovered = of(charge, Band, "less than half covered")
        shown = uncovered.x[np.isfinite(uncovered.high)]
        self.assertEqual(shown[0], np.datetime64("2024-07-01T02:00:00"))
        self.assertEqual(shown[-1], np.datetime64("2024-07-01T03:00:00"))
        self.assertIn("83.5%", picture.subtitle)  # 5 h 45 s of 6 h
        self.assertIn("synthetic", picture.subtitle)

    def test_the_store_runs_down_in_a_straight_line_to_its_limit(self) -> None:
        plan, _, rows, run = run_of(
            SIX_HOURS, every(15, SIX_HOURS, 49.8925), battery_recovery="none", battery_soc_min=0.1
        )
        charge = battery.run_picture(plan, rows, run, SIX_HOURS, "live").panels[1]
        stored = of(charge, Line, "stored")
        self.assertAlmostEqual(float(stored.y[0]), 50.0)
        # 0.5 MW at 93 %: an hour takes 0.5376 of 2 MWh, which is 26.88 %.
        at = np.flatnonzero(stored.x == np.datetime64("2024-07-01T01:00:00"))[0]
        self.assertAlmostEqual(float(stored.y[at]), 50 - 100 * 0.5 / 0.93 / 2, places=6)
        self.assertAlmostEqual(float(stored.y[-1]), 10.0)
        self.assertEqual([m.at for m in charge.marks if isinstance(m, Rule)], [10.0, 100.0])
        self.assertTrue(any(m.label.startswith("starts without") for m in charge.marks))

    def test_of_many_pieces_least_and_greatest_are_kept(self) -> None:
        window = days_window(date(2024, 7, 1), date(2024, 7, 3))
        samples = every(15, window, 50.0)
        samples[window.start + timedelta(hours=30)] = 49.8
        plan, _, rows, run = run_of(window, samples, battery_recovery="none")
        picture = battery.run_picture(plan, rows, run, window, "live")
        self.assertIn("by settlement period", picture.subtitle)
        band = of(picture.panels[0], Band)
        self.assertEqual(float(np.nanmax(band.high)), 1.0)
        self.assertLess(float(np.nanmax(of(picture.panels[0], Line, "requested").y)), 0.01)
        self.assertLess(len(band.x), 3 * 48 * 3 + 1)

    def test_longer_ranges_have_their_bars_by_day(self) -> None:
        window = days_window(date(2024, 10, 24), date(2024, 10, 31))
        plan, _, rows, run = run_of(window, every(60, window, 49.9), battery_recovery="none")
        energy = battery.run_picture(plan, rows, run, window, "live").panels[2]
        bars = of(energy, Bars, "requested")
        self.assertEqual(len(bars.y), 8)
        self.assertTrue(energy.y_label.startswith("energy per settlement day [MWh]"))
        hours = (bars.right - bars.left) / np.timedelta64(1, "h")
        np.testing.assert_allclose(hours, [0.9 * h for h in (24, 24, 24, 25, 24, 24, 24, 24)])
        # Of 1 MW at 0.1 Hz under 50: 0.085 / 0.185.
        np.testing.assert_allclose(bars.y[0], 24 * 0.085 / 0.185)

    def test_a_range_without_a_sample_is_drawn_empty(self) -> None:
        plan, held, rows, run = run_of(SIX_HOURS, {})
        picture = battery.run_picture(plan, rows, run, SIX_HOURS, "live")
        self.assertFalse(np.isfinite(of(picture.panels[0], Line, "requested").y).any())
        self.assertIsNone(battery.response_scatter(plan, held, run, SIX_HOURS, "live"))

    def test_dots_off_the_curve_are_told_apart_by_their_reason(self) -> None:
        samples = every(15, SIX_HOURS, 49.9)
        plan, held, _, run = run_of(
            SIX_HOURS, samples, battery_recovery="none", battery_rated_mw=1.0
        )
        picture = battery.response_scatter(plan, held, run, SIX_HOURS, "live")
        assert picture is not None
        (panel,) = picture.panels
        self.assertEqual(picture.x_label, "frequency [Hz]")
        asked = of(panel, Points, "as asked")
        self.assertEqual(
            (asked.x.round(6).tolist(), asked.y.round(6).tolist()), ([49.9], [0.46])
        )  # 0.085 / 0.185, to 2 kW
        cut = of(panel, Points, "cut by a limit of power or energy")
        self.assertEqual(float(cut.y.min()), 0.0)
        self.assertFalse(any(m.label == "with recovery" for m in panel.marks))
        curve = of(panel, Line)
        np.testing.assert_allclose(curve.y[curve.x == 49.9], 0.085 / 0.185)

    def test_the_curve_of_one_direction_has_one_side(self) -> None:
        samples = {t: 49.9 if n % 2 else 50.1 for n, t in enumerate(every(15, SIX_HOURS, 50.0))}
        plan, held, _, run = run_of(SIX_HOURS, samples, response_direction="low")
        picture = battery.response_scatter(plan, held, run, SIX_HOURS, "live")
        assert picture is not None
        curve = of(picture.panels[0], Line)
        self.assertEqual(float(curve.y.min()), 0.0)
        self.assertGreater(float(curve.y.max()), 0.4)


def data_of(window: Window, power_mw: dict[str, Any], installed: bool = True) -> WindSolar:
    periods = period_grid(window)
    return WindSolar(
        window,
        periods,
        {name: np.asarray(values, dtype=float) for name, values in power_mw.items()},
        {
            name: Capacity(np.full(len(periods), 10.0), installed, "data: somewhere")
            for name in power_mw
        },
    )


def two_days() -> WindSolar:
    """Two days of which the second begins with six unknown hours."""
    window = days_window(date(2024, 7, 1), date(2024, 7, 2))
    n = np.arange(96.0)
    wind = np.where((n >= 48) & (n < 60), np.nan, n % 48 / 10)
    return data_of(window, {"Wind": wind, "Solar": np.where(n % 48 < 24, 0.0, 3.0)})


class WindAndSolar(unittest.TestCase):
    def words(self, picture: Picture) -> str:
        cells = [m.label for p in picture.panels for m in p.marks if isinstance(m, Cells)]
        axes = [picture.x_label, *(panel.y_label for panel in picture.panels)]
        return " ".join([picture.subtitle, *axes, *cells])

    def test_every_picture_names_units_range_and_coverage(self) -> None:
        data = two_days()
        pictures = [
            wind_solar.diurnal(data, figures.diurnal(data)),
            wind_solar.seasonal(data, figures.seasonal(data), "Wind"),
            wind_solar.duration(data, figures.duration(data)),
            wind_solar.ramp_histogram(data, extremes.ramp_histogram(data), 0.5),
            wind_solar.droughts(data, extremes.drought_events(data, 6.0), "Wind", "CBT"),
        ]
        both = wind_solar.together(data)
        assert both is not None
        for picture in [*pictures, both]:
            with self.subTest(picture.title):
                self.assertIn("2024-06-30 23:00 to 2024-07-02 23:00 UTC", picture.subtitle)
                self.assertIn("Wind 87.5%", picture.subtitle)
                self.assertRegex(self.words(picture), r"\[MW\]|\[%\]|ramps of")
        for picture in pictures[:2]:
            self.assertIn("Europe/London", self.words(picture))
        for picture in (pictures[2], pictures[4]):
            self.assertIn("Wind as share of: data: somewhere", picture.subtitle)

    def test_a_profile_is_mean_and_percentiles_of_each_period(self) -> None:
        data = two_days()
        (panel,) = wind_solar.diurnal(data, figures.diurnal(data)).panels
        line = of(panel, Line, "Wind")
        # Periods 1 and 48 of both days, of which the first is unknown on the second.
        self.assertEqual((float(line.y[0]), float(line.y[-1])), (0.0, 4.7))
        # A period stands around its own number.
        self.assertEqual((float(line.x[0]), float(line.x[-1])), (0.5, 48.5))

    def test_seasons_have_twelve_months_and_empty_ones_stay_empty(self) -> None:
        data = two_days()
        cells = of(wind_solar.seasonal(data, figures.seasonal(data), "Solar").panels[0], Cells)
        self.assertEqual(cells.z.shape, (48, 12))
        self.assertTrue(np.isfinite(cells.z[:, 6]).all())
        self.assertFalse(np.isfinite(np.delete(cells.z, 6, axis=1)).any())
        self.assertEqual((cells.z[0, 6], cells.z[47, 6]), (0.0, 3.0))

    def test_the_long_day_has_fifty_rows(self) -> None:
        window = day_window(date(2024, 10, 27))
        data = data_of(window, {"Wind": np.arange(50.0)})
        cells = of(wind_solar.seasonal(data, figures.seasonal(data), "Wind").panels[0], Cells)
        self.assertEqual(cells.z.shape, (50, 12))
        self.assertEqual(cells.z[49, 9], 49.0)

    def test_duration_curves_run_from_the_highest_down_in_percent(self) -> None:
        data = two_days()
        power, share = wind_solar.duration(data, figures.duration(data)).panels
        line, part = of(power, Line, "Wind"), of(share, Line, "Wind")
        self.assertEqual(float(line.y[0]), 4.7)
        self.assertAlmostEqual(float(part.y[0]), 47.0)  # of 10 MW
        self.assertTrue((np.diff(line.y) <= 0).all())
        self.assertTrue(0 < line.x[0] < line.x[-1] < 100)

    def test_no_ramp_of_a_size_is_no_point_on_a_logarithmic_axis(self) -> None:
        data = two_days()
        section = extremes.ramp_histogram(data)
        (panel,) = wind_solar.ramp_histogram(data, section, 0.5).panels
        self.assertTrue(panel.log_y)
        line = of(panel, Line, "Solar")
        self.assertGreater(np.nanmin(line.y), 0)
        one = section.frame[(section.frame["series"] == "Solar") & (section.frame["over_h"] == 0.5)]
        self.assertEqual(float(np.nanmax(line.y)), float(one["ramps"].max()))

    def test_droughts_are_bars_from_begin_to_end(self) -> None:
        data = two_days()
        events = extremes.drought_events(data, 6.0)
        picture = wind_solar.droughts(data, events, "Solar", "CBT")
        bars = of(picture.panels[0], Bars)
        # Two mornings without sun, from midnight to noon of British summer.
        self.assertEqual(
            bars.left.tolist(),
            [datetime(2024, 6, 30, 23), datetime(2024, 7, 1, 23)],
        )
        self.assertEqual(bars.right.tolist(), [datetime(2024, 7, 1, 11), datetime(2024, 7, 2, 11)])
        self.assertIn("mean share [%]", picture.panels[0].y_label)

    def test_wind_alone_has_no_picture_of_both(self) -> None:
        data = two_days()
        alone = replace(data, power_mw={"Wind": data.power_mw["Wind"]})
        self.assertIsNone(wind_solar.together(alone))

    def test_cells_of_both_add_up_to_all_half_hours(self) -> None:
        picture = wind_solar.together(two_days())
        assert picture is not None
        cells = of(picture.panels[0], Cells)
        self.assertAlmostEqual(float(np.nansum(cells.z)), 100.0)

    def test_errors_have_a_bar_a_forecast(self) -> None:
        rows = {
            "forecast": ["a", "b"], "series": ["Wind", "Solar"], "made": ["x", "y"],
            "observed": ["o", "o"], "mae_mw": [3.0, 5.0], "bias_mw": [-0.5, 1.0],
            "persistence_mae_mw": [8.0, float("nan")],
        }  # fmt: skip
        section = Section("forecast_errors", "Forecast errors", pd.DataFrame(rows), {})
        errors, bias = wind_solar.forecast_errors(two_days(), section).panels
        self.assertEqual(of(errors, Bars, "a, Wind, x").y.tolist(), [3.0])
        self.assertEqual(of(bias, Bars, "b, Solar, y").y.tolist(), [1.0])
        self.assertEqual(float(of(errors, Points).y[0]), 8.0)

    def test_two_ranges_lie_on_one_another(self) -> None:
        data = two_days()
        told = (figures.diurnal(data), figures.duration(data))
        without = Section("diurnal", "", told[0].frame.iloc[:0], {})
        profiles, curves = wind_solar.compared(("A", *told), ("B", *told), "Wind")
        self.assertEqual([m.label for m in curves.panels[0].marks], ["A", "B"])
        self.assertEqual(len(profiles.panels[0].marks), 4)
        half = wind_solar.compared(("A", *told), ("B", without, told[1]), "Wind")[1]
        self.assertEqual([m.label for m in half.panels[0].marks], ["A"])


if __name__ == "__main__":
    unittest.main()
