"""What pictures show, how it is chosen, and that its colours can be told apart."""

from __future__ import annotations

import doctest
import unittest
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pictures.inks
import pictures.kinds
import pictures.picture
import pictures.subjects
import pictures.words
from domain.errors import UsageError
from domain.ledger import Entry, State
from domain.settlement import day_window, days_in, parse_range, settlement_columns
from domain.tables import Table, conform
from domain.windows import Window
from pictures import inks
from pictures.choosing import picture_of, usual_kind
from pictures.picture import Band, Cells, Line, Picture, Points, broken, stacked, stairs
from pictures.subjects import numbers_of, series_columns, unit_in
from sources import DATASETS
from storage import tables
from stores.filtering import Condition
from stores.sqlite import IN_MEMORY, SqliteStore

TABLES = tables()
LATE = datetime(2026, 1, 1, tzinfo=UTC)


def store_of(**frames: pd.DataFrame) -> SqliteStore:
    """A store in memory with these rows of these tables, under the names of their columns."""
    store = SqliteStore("sqlite:///:memory:", Path(IN_MEMORY), TABLES)
    for key, frame in frames.items():
        table = TABLES[key]
        spelled = {column.name: column.spelling for column in table.columns}
        whole = filled(table, frame.reset_index(drop=True))
        rows = conform(table, whole.rename(columns=spelled), "a test").frame
        store.write(table, rows, known_at=LATE, synthetic=True, entries=lambda changed: [])
    return store


def wind_solar(first: str, last: str, *, without: tuple[str, ...] = ()) -> pd.DataFrame:
    """Half hours of three types; solar is 0, wind counts up from 100 and 1000."""
    window = parse_range(first, last)
    starts = pd.date_range(window.start, window.end, freq="30min", inclusive="left", unit="us")
    starts = starts[~starts.strftime("%Y-%m-%dT%H:%M").isin(without)]
    n = np.arange(len(starts))
    parts = [
        rows_of_type(starts, "Solar", 0.0 * n),
        rows_of_type(starts, "Wind Offshore", 100.0 + n),
        rows_of_type(starts, "Wind Onshore", 1000.0 + n),
    ]
    return pd.concat(parts, ignore_index=True)


def rows_of_type(starts: pd.DatetimeIndex, kind: str, mw: Any) -> pd.DataFrame:
    return pd.DataFrame({"period_start": starts, "psr_type": kind, "generation_mw": mw})


def filled(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with something in every column that must not be empty."""
    fillers = {"text": "x", "int": 1, "time": rows[table.time], "float": 7.0}
    if "settlement_period" in table.names:
        rows = rows.assign(**settlement_columns(rows[table.time]))
    needed = [c for c in table.columns if c.name not in rows and not c.optional]
    return rows.assign(**{column.name: fillers[column.dtype] for column in needed})


def frequency(first: str, seconds: int, hertz: Any, step: int = 15) -> pd.DataFrame:
    times = pd.date_range(first, periods=seconds // step, freq=f"{step}s", tz="UTC", unit="us")
    return pd.DataFrame({"measurement_time": times, "frequency_hz": hertz})


def drawn(store: SqliteStore, *asked: Any, **more: Any) -> Picture:
    picture = picture_of(store, *asked, **more)
    assert picture is not None
    return picture


def marks_of(picture: Picture, kind: type) -> list[Any]:
    return [mark for panel in picture.panels for mark in panel.marks if isinstance(mark, kind)]


class Marks(unittest.TestCase):
    def test_examples(self) -> None:
        for module in (
            pictures.picture,
            pictures.inks,
            pictures.subjects,
            pictures.words,
            pictures.kinds,
        ):
            with self.subTest(module=module.__name__):
                self.assertEqual(doctest.testmod(module).failed, 0)

    def test_stairs_break_at_gaps_and_overlaps_are_cut(self) -> None:
        x, y = stairs(np.array([0, 10, 30]), np.array([10, 25, 40]), [1.0, 2.0, 3.0])
        self.assertEqual(x.tolist(), [0, 10, 10, 25, 25, 30, 40])
        np.testing.assert_array_equal(y, [1, 1, 2, 2, np.nan, 3, 3])
        x, y = stairs(np.array([0, 10]), np.array([15, 20]), [1.0, np.nan])
        np.testing.assert_array_equal(y, [1, 1, np.nan, np.nan])
        self.assertEqual(x.tolist(), [0, 10, 10, 20])
        self.assertEqual([part.size for part in stairs(np.array([]), np.array([]), [])], [0, 0])

    def test_samples_are_not_joined_over_a_gap(self) -> None:
        x, y = broken(np.array([0, 15, 30, 300, 315]), 60, np.arange(5.0))
        self.assertEqual(int(np.isnan(y).sum()), 1)
        self.assertTrue(np.isnan(y[3]) and x[3] == 30)

    def test_a_stack_keeps_its_sum_and_hangs_negatives_below(self) -> None:
        ends = stacked([[1.0, np.nan, -2.0], [3.0, np.nan, 5.0], [np.nan, np.nan, -1.0]])
        tops = np.array([high for _, high in ends])
        np.testing.assert_array_equal(tops[:, 0], [1, 4, 4])
        np.testing.assert_array_equal(tops[:, 2], [-2, 5, -3])
        self.assertTrue(np.isnan(tops[:, 1]).all())


class Inks(unittest.TestCase):
    def test_series_stand_out_from_light_and_dark_pages(self) -> None:
        for name, colour in {**inks.INKS, **{c: c for c in inks.CYCLE}}.items():
            if name == "gap":
                continue
            for page in (inks.LIGHT_PAGE, inks.DARK_PAGE):
                with self.subTest(ink=name, page=page):
                    self.assertGreaterEqual(contrast(colour, page), 3.0)

    def test_shades_of_many_series_stand_out_too(self) -> None:
        links = list(next(c for c in TABLES["generation_outturn"].columns if c.known).known)
        for colour in filter(lambda ink: ink.startswith("#"), inks.inks_of(links * 3)):
            for page in (inks.LIGHT_PAGE, inks.DARK_PAGE):
                with self.subTest(colour=colour, page=page):
                    self.assertGreaterEqual(contrast(colour, page), 3.0)

    def test_the_first_six_stay_apart_for_every_eye_and_so_do_wind_and_solar(self) -> None:
        kinds = ["Wind", "Wind Onshore", "Wind Offshore", "Solar"]
        for few in (inks.CYCLE[:6], list(map(inks.colour, inks.inks_of(kinds)))):
            for (name, eye), (one, other) in product(EYES.items(), combinations(few, 2)):
                with self.subTest(eye=name, pair=(one, other)):
                    apart = np.linalg.norm(lab(eye @ linear(one)) - lab(eye @ linear(other)))
                    self.assertGreater(float(apart), 20.0)

    def test_shades_of_one_ink_stay_apart(self) -> None:
        links = list(map(inks.colour, inks.inks_of(["INTFR", "INTNED", "INTNEM", "INTNSL"] * 2)))
        for one, other in combinations(links, 2):
            with self.subTest(pair=(one, other)):
                apart = np.linalg.norm(lab(linear(one)) - lab(linear(other)))
                self.assertGreater(float(apart), 14.0)
        for word in ("wind", "solar", "imports", "nuclear", "coal"):
            base, shade = map(inks.colour, inks.inks_of([word, word]))
            with self.subTest(base=word):  # the first is as bright as the base is dark
                self.assertGreater(contrast(base, shade), 1.25)

    def test_types_have_one_word_and_one_ink_whoever_names_them(self) -> None:
        for words in (("B16", "Solar", "solar"), ("B14", "NUCLEAR", "nuclear")):
            self.assertEqual(len({inks.label_of(word) for word in words}), 1)
            self.assertEqual(len({inks.ink_of(word) for word in words}), 1)
        self.assertIsNone(inks.ink_of("DE_LU"))
        fuels = ["CCGT", "NUCLEAR", "WIND", "PS", "INTFR", "INTNED", "INTNSL", "INTIRL", "OTHER"]
        self.assertEqual(len(set(inks.inks_of(fuels))), len(fuels))
        self.assertEqual(inks.inks_of(["A", "B"]), list(inks.CYCLE[:2]))

    def test_every_fuel_that_elexon_declares_has_a_word(self) -> None:
        for key in ("generation_outturn", "carbon_generation_mix"):
            table = TABLES[key]
            fuel = next(c for c in table.columns if c.name in inks.FUEL_COLUMNS)
            for word in fuel.known:
                with self.subTest(fuel=word):
                    self.assertIsNotNone(inks.ink_of(word))


# Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "all cones": np.eye(3),
    "green-blind": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "red-blind": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}  # fmt: skip


LUMINANCE = [0.2126, 0.7152, 0.0722]


def linear(colour: str) -> Any:
    parts = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    low, high = sorted(float(linear(c) @ LUMINANCE) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(light: Any) -> Any:
    """CIE L*a*b* of linear light under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(light, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


class Choice(unittest.TestCase):
    def test_every_table_with_times_has_a_kind_or_says_why_not(self) -> None:
        for key, table in TABLES.items():
            with self.subTest(key=key):
                try:
                    kind = usual_kind(table)
                except UsageError as none:
                    self.assertIn("no numbers", str(none))
                else:
                    self.assertIn(kind, pictures.choosing.KINDS)

    def test_kinds_that_suit(self) -> None:
        for key, kind in (
            ("frequency", "line"),
            ("wind_solar", "area"),
            ("entsoe_generation", "area"),
            ("carbon_generation_mix", "area"),
            ("entsoe_installed_capacity", "line"),
            ("frequency_histogram", "histogram"),
            ("system_prices", "line"),
        ):
            with self.subTest(key=key):
                self.assertEqual(usual_kind(TABLES[key]), kind)

    def test_numbers_are_quantities_and_not_book_keeping(self) -> None:
        names = [column.name for column in numbers_of(TABLES["entsoe_generation"])]
        self.assertEqual(names, ["generation_mw", "consumption_mw"])
        names = [column.name for column in numbers_of(TABLES["average_power"])]
        self.assertNotIn("coverage", names)
        self.assertNotIn("settlement_period", names)
        with self.assertRaisesRegex(UsageError, "no numbers"):
            numbers_of(TABLES["system_warnings"])
        with self.assertRaisesRegex(UsageError, "holds no numbers to draw"):
            numbers_of(TABLES["wind_solar"], ["psr_type"])

    def test_units_that_rows_decide(self) -> None:
        table = TABLES["entsoe_day_ahead_prices"]
        price = table.column("price_per_mwh")
        self.assertEqual(unit_in(price, {"currency": "GBP"}), "GBP/MWh")
        self.assertIn("currency", series_columns(table, [price]))
        mean = TABLES["half_hourly_averages"].column("mean")
        self.assertEqual(unit_in(mean, {"unit": "Hz"}), "Hz")

    def test_a_table_without_times_or_of_no_such_name_is_refused(self) -> None:
        with store_of() as store:
            with self.assertRaisesRegex(UsageError, "no times"):
                picture_of(store, "bm_units")
            with self.assertRaisesRegex(UsageError, "there is no dataset or product"):
                picture_of(store, "wimd_solar")
            with self.assertRaisesRegex(UsageError, "no kind of picture"):
                picture_of(store, "wind_solar", kind="pie")
            self.assertIsNone(picture_of(store, "wind_solar"))

    def test_the_newest_range_is_taken_and_nothing_before_it(self) -> None:
        old, new = wind_solar("2023-01-01", "2023-01-02"), wind_solar("2024-10-26", "2024-10-27")
        with store_of(wind_solar=pd.concat([old, new])) as store:
            picture = drawn(store, "wind_solar")
        self.assertEqual(
            [str(end) for end in picture.x_limits or ()],
            ["2024-10-25T23:00:00.000000", "2024-10-28T00:00:00.000000"],
        )
        self.assertIn("2024-10-25 23:00 to 2024-10-28 00:00 UTC", picture.subtitle)
        self.assertIn("synthetic data", picture.subtitle)
        self.assertTrue(picture.footer[0].startswith("SYNTHETIC"))
        self.assertIn("Elexon", " ".join(picture.footer))


class Lines(unittest.TestCase):
    def test_a_series_a_type_and_gaps_break_it(self) -> None:
        rows = wind_solar(
            "2024-10-27", "2024-10-27", without=("2024-10-27T06:00", "2024-10-27T06:30")
        )
        with store_of(wind_solar=rows) as store:
            picture = drawn(store, "wind_solar", kind="line")
        lines = marks_of(picture, Line)
        self.assertEqual({line.label for line in lines}, {"Solar", "Wind offshore", "Wind onshore"})
        self.assertEqual(picture.panels[0].y_label, "generation [MW]")
        for line in lines:
            self.assertEqual(int(np.isnan(line.y).sum()), 1)
            at = int(np.flatnonzero(np.isnan(line.y))[0])
            self.assertEqual(str(line.x[at]), "2024-10-27T06:00:00.000000")
            self.assertEqual(str(line.x[at + 1]), "2024-10-27T07:00:00.000000")
        known = lines[-1].y[~np.isnan(lines[-1].y)]
        self.assertEqual(
            set(known[::2]), set(rows.loc[rows["psr_type"] == "Wind Onshore", "generation_mw"])
        )

    def test_conditions_of_any_kind_narrow_rows_and_buckets_alike(self) -> None:
        rows = wind_solar("2024-10-26", "2024-10-27")
        limit = float(rows["generation_mw"].median())
        filters = (
            Condition("psr_type", "!=", "Solar"),
            Condition("generation_mw", ">", str(limit)),
        )
        own = rows[(rows["psr_type"] != "Solar") & (rows["generation_mw"] > limit)]
        with store_of(wind_solar=rows) as store:
            few = drawn(store, "wind_solar", kind="line", filters=filters)
            old = drawn(store, "wind_solar", kind="profile", filters=filters)
        for line in marks_of(few, Line):
            kept = own.loc[own["psr_type"].str.lower() == line.label.lower(), "generation_mw"]
            self.assertEqual(set(line.y[~np.isnan(line.y)]), set(kept))
        self.assertIn(f"only rows with psr_type != Solar and generation_mw > {limit}", few.subtitle)
        self.assertNotIn("Solar", {line.label for line in marks_of(old, Line)})
        samples = frequency("2024-06-01", 86_400, np.tile([49.9, 50.1], 2880))
        with store_of(frequency=samples) as store:
            picture = drawn(
                store,
                "frequency",
                parse_range("2024-06-01T00:00Z", "2024-06-02T00:00Z"),
                filters=[Condition("frequency_hz", ">", "50")],
            )
        (band,) = marks_of(picture, Band)
        self.assertEqual((float(np.nanmin(band.low)), float(np.nanmax(band.high))), (50.1, 50.1))

    def test_a_panel_a_unit(self) -> None:
        times = pd.date_range("2024-10-27", periods=8, freq="30min", tz="UTC", unit="us")
        rows = pd.DataFrame({"period_start": times, "data_provider": "APXMIDP"})
        rows = rows.assign(price_gbp_per_mwh=50.0, volume_mwh=100.0)
        with store_of(market_index=rows) as store:
            picture = drawn(store, "market_index")
        self.assertEqual(
            [panel.y_label for panel in picture.panels], ["price [GBP/MWh]", "volume [MWh]"]
        )
        self.assertIn("APXMIDP", picture.title)

    def test_many_samples_become_mean_and_extremes_and_none_is_lost(self) -> None:
        hertz = 50 + 0.05 * np.sin(np.arange(5760) / 50)
        hertz[3000], hertz[100] = 49.6, 50.31
        with store_of(frequency=frequency("2024-06-01", 86_400, hertz)) as store:
            picture = drawn(
                store, "frequency", parse_range("2024-06-01T00:00Z", "2024-06-02T00:00Z")
            )
        (line,), (band,) = marks_of(picture, Line), marks_of(picture, Band)
        self.assertLess(line.x.size, 2100)
        self.assertEqual(float(np.nanmin(band.low)), 49.6)
        self.assertEqual(float(np.nanmax(band.high)), 50.31)
        pairs = hertz.reshape(-1, 8)
        np.testing.assert_allclose(line.y[::2], pairs.mean(axis=1))
        self.assertIn("15 s, drawn as mean, minimum and maximum of 2 min", picture.subtitle)

    def test_few_samples_are_a_line_with_markers_broken_where_they_lack(self) -> None:
        rows = frequency("2024-06-01", 600, 50.0).drop(index=range(10, 20))
        with store_of(frequency=rows) as store:
            picture = drawn(
                store, "frequency", parse_range("2024-06-01T00:00Z", "2024-06-01T00:10Z")
            )
        (line,) = marks_of(picture, Line)
        self.assertTrue(line.markers)
        self.assertEqual(int(np.isnan(line.y).sum()), 1)

    def test_trades_are_points(self) -> None:
        times = pd.date_range("2024-10-27", periods=8, freq="15min", tz="UTC", unit="us")
        rows = pd.DataFrame({"period_start": times, "trade_id": [f"t{n}" for n in range(8)]})
        rows = rows.assign(price_eur_per_mwh=np.arange(8.0), volume=1.0, volume_unit="MW")
        with store_of(vpp_public_trades=rows) as store:
            picture = drawn(store, "vpp_public_trades")
        self.assertEqual(marks_of(picture, Line), [])
        labels = [panel.y_label for panel in picture.panels]
        self.assertEqual(labels, ["price [EUR/MWh]", "volume [MW]"])
        self.assertEqual(marks_of(picture, Points)[0].y.tolist(), list(range(8)))

    def test_a_column_in_two_units_is_not_drawn_on_one_axis(self) -> None:
        times = pd.date_range("2024-10-27", periods=8, freq="15min", tz="UTC", unit="us")
        rows = pd.DataFrame({"period_start": times, "trade_id": [f"t{n}" for n in range(8)]})
        rows = rows.assign(volume=np.arange(8.0), volume_unit=["MWH", "MW"] * 4)
        with store_of(vpp_private_trades=rows) as store:
            for kind in ("duration", "histogram", "profile"):
                with (
                    self.subTest(kind=kind),
                    self.assertRaisesRegex(UsageError, "MWH and MW .* --where volume_unit=VALUE"),
                ):
                    picture_of(store, "vpp_private_trades", kind=kind, columns=["volume"])
            whole = drawn(store, "vpp_private_trades", kind="line", columns=["volume"])
            one = drawn(
                store, "vpp_private_trades", None, {"volume_unit": ["MW"]}, "duration", ["volume"]
            )
        self.assertEqual({panel.y_label for panel in whole.panels}, {"volume [MW]", "volume [MWH]"})
        self.assertEqual(one.panels[0].y_label, "volume [MW]")
        self.assertEqual(marks_of(one, Line)[0].y.tolist(), [7.0, 5.0, 3.0, 1.0])

    def test_prices_of_a_zone_in_two_currencies_are_two_series(self) -> None:
        times = pd.date_range("2024-10-27", periods=4, freq="1h", tz="UTC", unit="us")
        every = pd.DataFrame({"period_start": times, "resolution_s": 3600})
        parts = [
            every.assign(zone=zone, currency=currency, price_per_mwh=price)
            for zone, currency, price in (("CH", "EUR", 40.0), ("CH", "CHF", 38.0), ("FR", "EUR", 41.0))
        ]  # fmt: skip
        with store_of(entsoe_day_ahead_prices=pd.concat(parts)) as store:
            picture = drawn(store, "entsoe_day_ahead_prices")
        told = {
            (panel.y_label, line.label): set(line.y)
            for panel in picture.panels
            for line in panel.marks
            if isinstance(line, Line)
        }
        self.assertEqual(
            told,
            {
                ("price [EUR/MWh]", "CH EUR"): {40.0},
                ("price [CHF/MWh]", "CH CHF"): {38.0},
                ("price [EUR/MWh]", "FR EUR"): {41.0},
            },
        )

    def test_every_dataset_and_product_knows_whose_data_it_shows(self) -> None:
        keys = {dataset.key for dataset in DATASETS}
        for key, table in TABLES.items():
            subject = pictures.subjects.subject_of(table)
            with self.subTest(key=key):
                self.assertTrue(subject.providers)
                self.assertTrue(key not in keys or len(subject.providers) == 1)


def cover(store: SqliteStore, key: str, first: str, last: str, coverage: float = 1.0) -> None:
    """Days of a ledger that are complete; without coverage there was nothing to have."""
    for day in days_in(parse_range(first, last)):
        rows = 7 if coverage else 0
        window = day_window(day)
        store.record(
            Entry(key, "", day, window, State.COMPLETE, rows, rows, coverage, 1, LATE, LATE, 1)
        )


class Known(unittest.TestCase):
    """What the subtitle says of how much is known: counted by hand from the rows."""

    def test_filters_are_named_and_what_they_cut_is_not_covered(self) -> None:
        with store_of(wind_solar=wind_solar("2024-10-01", "2024-10-02")) as store:
            cover(store, "wind_solar", "2024-10-01", "2024-10-02")
            whole = drawn(store, "wind_solar", where={"psr_type": ["Solar"]})
            noon = drawn(
                store, "wind_solar", where={"psr_type": ["Solar"], "settlement_period": [24]}
            )
        self.assertIn("· 30 min · coverage 100% ·", whole.subtitle)
        self.assertNotIn("only rows", whole.subtitle)
        # One half hour of the 48 of a day; rows are a day apart, but last half an hour.
        self.assertIn("· 30 min · coverage 2.1% ·", noon.subtitle)
        self.assertIn("only rows with settlement_period = 24", noon.subtitle)
        self.assertNotIn("psr_type =", noon.subtitle)

    def test_a_filter_that_chooses_series_cuts_nothing_of_them(self) -> None:
        rows = wind_solar("2024-10-01", "2024-10-01")
        kind = np.where(rows["psr_type"] == "Solar", "Solar generation", "Wind generation")
        with store_of(wind_solar=rows.assign(business_type=kind)) as store:
            cover(store, "wind_solar", "2024-10-01", "2024-10-01")
            picture = drawn(
                store, "wind_solar", filters=[Condition("business_type", "contains", "Wind")]
            )
        self.assertIn("coverage 100% ·", picture.subtitle)
        self.assertIn("only rows with business_type contains Wind", picture.subtitle)

    def test_buckets_say_what_a_filter_cuts_too(self) -> None:
        rows = wind_solar("2024-11-01", "2024-11-25")  # 1200 half hours from 1000 MW up
        with store_of(wind_solar=rows) as store:
            cover(store, "wind_solar", "2024-11-01", "2024-11-25")
            picture = drawn(
                store,
                "wind_solar",
                parse_range("2024-11-01", "2024-11-25"),
                kind="line",
                filters=[
                    Condition("psr_type", "=", "Wind Onshore"),
                    Condition("generation_mw", ">=", "1100"),
                ],
            )
        self.assertIn("drawn as mean", picture.subtitle)
        self.assertIn("coverage 91.7%", picture.subtitle)  # 1100 of 1200

    def test_empty_values_are_not_covered_in_rows_and_buckets(self) -> None:
        for last, drawn_as in (("2024-11-01", "· 15 min ·"), ("2024-11-12", "15 min, drawn as")):
            window = parse_range("2024-11-01", last)
            times = pd.date_range(
                window.start, window.end, freq="15min", inclusive="left", unit="us"
            )
            rows = pd.DataFrame({"period_start": times, "asset_id": "A"})
            rows = rows.assign(forecast_mwh=1.0, measured_mwh=2.0, price_eur_per_mwh=3.0)
            rows["cost_eur"] = np.where(np.arange(len(rows)) % 4 == 0, np.nan, 5.0)
            with self.subTest(last=last), store_of(imbalance_cost=rows) as store:
                cover(store, "imbalance_cost", "2024-11-01", last)
                asked = ["forecast_mwh", "measured_mwh", "price_eur_per_mwh", "cost_eur"]
                every = drawn(store, "imbalance_cost", window, columns=asked)
                costs = drawn(store, "imbalance_cost", window, columns=["cost_eur"])
                other = drawn(store, "imbalance_cost", window, columns=["imbalance_mwh"])
            self.assertIn(drawn_as, every.subtitle)
            self.assertIn("coverage 100%, of cost 75.0% ·", every.subtitle)
            self.assertIn("coverage 75.0% ·", costs.subtitle)
            self.assertEqual((every.known, costs.known, other.known), (True, True, False))

    def test_of_events_no_share_is_known_and_no_step(self) -> None:
        starts = pd.date_range("2024-10-01", periods=4, freq="2055s", tz="UTC", unit="us")
        rows = pd.DataFrame({"event_start": starts, "kind": "low", "cut": False})
        rows = rows.assign(event_end=starts, settlement_date=pd.Timestamp("2024-10-01"))
        with store_of(frequency_events=rows) as store:
            cover(store, "frequency_events", "2024-10-01", "2024-10-01")
            picture = drawn(store, "frequency_events")
        self.assertTrue(picture.subtitle.endswith(" UTC · synthetic data"), picture.subtitle)

    def test_days_on_which_there_was_nothing_to_have_are_covered(self) -> None:
        with store_of() as store:
            cover(store, "frequency_events", "2024-10-01", "2024-10-02", coverage=0.0)
            cover(store, "frequency_events", "2024-10-03", "2024-10-03", coverage=0.5)
            first, last = date(2024, 10, 1), date(2024, 10, 4)
            told = store.mean_coverage("frequency_events", first, last)
        self.assertEqual(told, 2.5 / 4)  # of the fourth day nothing is known

    def test_an_empty_column_shows_nothing_in_any_kind(self) -> None:
        with store_of(wind_solar=wind_solar("2024-10-01", "2024-10-01")) as store:
            for kind in ("line", "area", "heatmap", "histogram", "duration", "profile"):
                with self.subTest(kind=kind):
                    empty = drawn(store, "wind_solar", kind=kind, columns=["document_revision"])
                    self.assertFalse(empty.known)
                    self.assertTrue(drawn(store, "wind_solar", kind=kind).known)


class Calendars(unittest.TestCase):
    def test_days_on_which_clocks_change_are_marked_and_have_their_periods(self) -> None:
        for day, periods in (("2024-03-31", 46), ("2024-10-27", 50)):
            with self.subTest(day=day), store_of(wind_solar=wind_solar(day, day)) as store:
                start, end = (
                    day_window(pd.Timestamp(day).date()).start,
                    day_window(pd.Timestamp(day).date()).end,
                )
                window = Window(start - timedelta(days=1), end + timedelta(days=1))
                picture = drawn(
                    store, "wind_solar", window, {"psr_type": "Wind Onshore"}, "heatmap"
                )
                (cells,) = marks_of(picture, Cells)
                self.assertEqual([words for _, words in cells.marks], [f"{periods} periods"])
                column = [str(x)[:10] for x in cells.x].index(day)
                self.assertEqual(int(np.isfinite(cells.z[:, column]).sum()), periods)
                np.testing.assert_array_equal(
                    cells.z[:periods, column], 1000.0 + np.arange(periods)
                )
                others = np.delete(cells.z, column, axis=1)
                self.assertTrue(np.isnan(others).all())

    def test_cells_that_cover_little_are_hatched(self) -> None:
        rows = frequency("2024-06-01", 7200, 50.0).drop(index=range(130, 200))
        with store_of(frequency=rows) as store:
            picture = drawn(store, "frequency", parse_range("2024-06-01"), kind="heatmap")
        (cells,) = marks_of(picture, Cells)
        found = [(r, c) for r, c in zip(*np.nonzero(cells.hatched), strict=True)]
        self.assertEqual(found, [(3, 0)])  # 01:30 local: 50 of 120 samples
        self.assertIn("hatched", picture.subtitle)

    def test_profile_is_in_local_time(self) -> None:
        """Noon of a summer day in London is 11:00 UTC."""
        rows = wind_solar("2024-07-01", "2024-07-05")
        noon = rows["period_start"].dt.strftime("%H:%M") == "11:00"
        rows["generation_mw"] = np.where(noon, 500.0, 0.0)
        with store_of(wind_solar=rows) as store:
            picture = drawn(
                store,
                "wind_solar",
                parse_range("2024-07-01", "2024-07-05"),
                {"psr_type": "Solar"},
                "profile",
            )
        (line,) = marks_of(picture, Line)
        self.assertEqual(set(line.x[line.y == 500.0]), {12.0, 12.5})
        self.assertIn("Europe/London", picture.x_label)
        self.assertFalse(picture.x_is_time)

    def test_rows_of_a_day_or_longer_have_no_time_of_day(self) -> None:
        day = day_window(date(2024, 10, 27)).start
        rows = pd.DataFrame({"period_start": pd.to_datetime([day]), "psr_type": "Solar"})
        rows = rows.assign(
            minimum_at=rows["period_start"],
            maximum_at=rows["period_start"],
            settlement_date=pd.Timestamp("2024-10-27"),
        )
        with store_of(wind_solar_summary=rows) as store:
            for kind in ("heatmap", "profile"):
                with (
                    self.subTest(kind=kind),
                    self.assertRaisesRegex(UsageError, "last a day or longer"),
                ):
                    picture_of(store, "wind_solar_summary", kind=kind)

    def test_a_profile_of_long_rows_holds_as_long_as_they(self) -> None:
        times = pd.date_range("2024-01-10", periods=6, freq="4h", tz="UTC", unit="us")
        rows = pd.DataFrame({"period_start": times, "zone": "FR", "resolution_s": 14_400})
        with store_of(entsoe_load=rows.assign(load_mw=np.arange(6.0))) as store:
            picture = drawn(store, "entsoe_load", where={"zone": ["FR"]}, kind="profile")
        (line,) = marks_of(picture, Line)
        # Paris is an hour ahead of UTC: the blocks begin at 1, 5, … 21 o'clock.
        self.assertEqual(line.x[::2].tolist(), [1, 5, 9, 13, 17, 21])
        self.assertEqual(line.x[1::2].tolist(), [5, 9, 13, 17, 21, 25])


if __name__ == "__main__":
    unittest.main()
