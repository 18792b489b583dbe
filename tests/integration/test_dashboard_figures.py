"""The pages Frequency & battery and Wind & solar: their figures are those of ``analyze``, of products and files.

Pages run through Streamlit's own test harness, without a browser; what they are held against are CSV files
read plainly, and what the commands print.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import main
from sandbox import Sandbox
from tests.integration.conftest import World, read_csv

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("streamlit") is None or importlib.util.find_spec("plotly") is None,
    reason="Streamlit is not installed",
)

FIRST, DAY = "2024-10-26", "2024-10-27"
NOW = "2024-11-25T09:00:00Z"
GAP = ("2024-10-27T03:00:00Z", "2024-10-27T05:00:00Z")
QUALITY = ("frequency_quality", "frequency_events", "frequency_histogram", "average_power")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two days of frequency and of wind and solar, two hours of the latter taken out."""
    with Sandbox(now=NOW, seed=7) as sandbox:
        world = World(tmp_path_factory.mktemp("pages"), sandbox)
        world.fetch(["wind_solar"], FIRST, DAY, now=NOW)
        world.fetch(["day_ahead_wind_forecast"], FIRST, DAY, now=NOW)
        world.run(FIRST, DAY, now=NOW, only=list(QUALITY), DATASETS="frequency,response_auctions")
        with closing(sqlite3.connect(world.database)) as db, db:
            db.execute("DELETE FROM wind_solar WHERE period_start >= ? AND period_start < ?", GAP)
        yield world


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> pytest.MonkeyPatch:
    return monkeypatch


def page(
    world: World | Path, name: str, settings: pytest.MonkeyPatch, part: str = "", **asked: str
) -> Any:
    """A page as it stands after its first run; ``part`` is the tab that is open."""
    from streamlit.testing.v1 import AppTest

    database = world.database if isinstance(world, World) else world
    settings.setenv("STORE_URL", f"sqlite:///{database}")

    def script(name: str) -> None:
        import importlib

        from dashboard.frame import standing

        standing(importlib.import_module(f"dashboard.{name}"))()

    shown = AppTest.from_function(script, default_timeout=60, kwargs={"name": name})
    for key, value in ({"start": FIRST, "end": DAY} | asked).items():
        shown.query_params[key] = value
    if part:
        shown.session_state[f"{name.replace('_', '-')}-part"] = part
    return run(shown)


def run(shown: Any) -> Any:
    shown.run()
    assert not shown.exception
    return shown


def metrics(shown: Any) -> dict[str, str]:
    return {metric.label: metric.value for metric in shown.metric}


def table(shown: Any, column: str) -> Any:
    """The one table with that head."""
    (found,) = [each.value for each in shown.dataframe if column in each.value.columns]
    return found


def analyzed(world: World, *more: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of the sections that ``analyze`` prints."""
    done = CliRunner().invoke(
        main.app,
        ["analyze", "--start", FIRST, "--end", DAY, "--format", "json", *more],
        env={"STORE_URL": f"sqlite:///{world.database}"},
    )
    assert done.exit_code == 0, done.output
    return {section["key"]: section["rows"] for section in json.loads(done.stdout)["sections"]}


def published(world: World, key: str) -> list[dict[str, str]]:
    return [row for day in (FIRST, DAY) for row in read_csv(world.output / day / f"{key}.csv")]


# --- frequency ------------------------------------------------------------------------------------


def test_figures_of_frequency_are_those_of_the_published_files(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    rows = published(filled, "frequency_quality")
    assert len(rows) == 98
    told = metrics(page(filled, "frequency", settings))
    assert told == {
        "Lowest [Hz]": f"{min(float(row['minimum_hz']) for row in rows):.3f}",
        "Highest [Hz]": f"{max(float(row['maximum_hz']) for row in rows):.3f}",
        "Outside ±0.2 Hz [s]": f"{sum(float(row['seconds_outside_49_8_50_2']) for row in rows):g}",
        "Covered": "100%",
    }
    assert all(float(row["coverage"]) == 1 for row in rows)
    shown = page(filled, "frequency", settings, "Quality and events")
    by_day = table(shown, DAY).set_index("settlement_date")
    for day in (FIRST, DAY):
        own = [row for row in rows if row["settlement_date"] == day]
        outside = sum(float(row["seconds_outside_deadband"]) for row in own)
        told_of_day = float(by_day.loc["seconds_outside_deadband", day])
        assert told_of_day == pytest.approx(outside, abs=0.5)  # whole seconds are shown


def test_the_series_shows_limits_and_what_is_covered(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from domain.settlement import parse_range
    from pictures import frequency
    from pictures.picture import Band, Bars, Line, Rule

    samples = filled.frequency()
    with filled.store() as store:
        picture = frequency.series(store, parse_range(FIRST, DAY))
        # Beyond some weeks the half-hourly figures stand in for the samples.
        monkeypatch.setattr(frequency, "SAMPLES", timedelta(days=1))
        coarse = frequency.series(store, parse_range(FIRST, DAY))
    assert picture is not None and coarse is not None
    hertz, strip = picture.panels
    limits = sorted(round(mark.at, 3) for mark in hertz.marks if isinstance(mark, Rule))
    assert {49.8, 49.985, 50.015, 50.2} <= set(limits)
    assert hertz.y_label == "frequency [Hz]" and strip.y_label == "covered [%]"
    (band,) = [mark for mark in hertz.marks if isinstance(mark, Band)]
    assert min(band.low) == min(hz for _, hz in samples)
    assert max(band.high) == max(hz for _, hz in samples)
    (bars,) = [mark for mark in strip.marks if isinstance(mark, Bars)]
    told = [100 * float(row["coverage"]) for row in published(filled, "frequency_quality")]
    assert bars.y.tolist() == pytest.approx(told)
    assert "settlement period" in bars.label
    rows = published(filled, "frequency_quality")
    (mean,) = [m for m in coarse.panels[0].marks if isinstance(m, Line)]
    assert max(mean.y) == max(float(row["mean_hz"]) for row in rows)


def test_events_are_those_of_the_published_files(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    rows = published(filled, "frequency_events")
    shown = page(filled, "frequency", settings, "Quality and events")
    listed = table(shown, "event_start")
    assert len(listed) == len(rows) > 0
    kinds = sorted({row["kind"] for row in rows})
    counts = table(shown, "longest_s")
    assert dict(zip(counts["kind"], counts["events"].astype(int), strict=True)) == {
        kind: sum(row["kind"] == kind for row in rows) for kind in kinds
    }
    shown.multiselect(key="frequency-kinds").set_value([kinds[0]])
    run(shown)
    assert set(table(shown, "event_start")["kind"]) == {kinds[0]}


def test_half_hourly_bars_are_those_of_the_published_files(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    from domain.settlement import parse_range
    from pictures.battery import half_hours
    from pictures.picture import Bars

    assert len(page(filled, "frequency", settings, "Half-hourly power").get("plotly_chart")) == 1
    with filled.store() as store:
        picture = half_hours(store, parse_range(FIRST, DAY))
    assert picture is not None
    (bars,) = [mark for mark in picture.panels[0].marks if isinstance(mark, Bars)]
    rows = published(filled, "average_power")
    assert bars.y.tolist() == pytest.approx([float(row["average_power_mw"]) for row in rows])


def test_services_compared_are_as_the_command_tells_them(
    filled: World, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = page(filled, "frequency", settings, "Battery")
    assert len(shown.get("plotly_chart")) == 2
    shown.slider(key="battery-power-mw").set_value(2.0)
    shown.slider(key="battery-energy-mwh").set_value(1.0)
    run(shown)
    told = table(shown, "figure").set_index("figure")
    assert list(told) == ["droop", "dc", "dm", "dr"]
    # The rated power stays where its own slider is.
    options = ("--power", "2", "--energy", "1", "--no-picture", "--to", str(tmp_path))
    done = CliRunner().invoke(
        main.app,
        ["battery", "--compare", "droop,dc,dm,dr", "--start", FIRST, "--end", DAY, *options],
        env={
            "STORE_URL": f"sqlite:///{filled.database}",
            "OUTPUT_DIR": str(tmp_path),
            "BATTERY_RATED_MW": "1",
        },
    )
    assert done.exit_code == 0, done.output
    for service in told:
        (path,) = tmp_path.glob(f"battery_{service}_*.csv")
        rows = read_csv(path)
        for figure, column in (
            ("out MWh", "discharge_mwh"),
            ("in MWh", "charge_mwh"),
            ("losses MWh", "losses_mwh"),
            ("not delivered MWh", "non_delivery_mwh"),
        ):
            total = sum(float(row[column]) for row in rows)
            assert float(told[service][figure]) == pytest.approx(total, abs=0.006), (
                service,
                figure,
            )
        assert told[service]["soc end"] == f"{float(rows[-1]['soc_end']):.1%}"
    assert any("takes a store" in each.value for each in shown.warning)


def test_a_setting_that_contradicts_is_one_sentence(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("BATTERY_SOC_MIN", "0.6")
    shown = page(filled, "frequency", settings, "Battery")
    (said,) = [each.value for each in shown.error]
    assert "cannot start at 0.5" in said


def test_a_long_range_is_run_through_up_to_the_limit_and_says_so(
    filled: World, settings: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    import dashboard.frequency

    monkeypatch.setattr(dashboard.frequency, "LONGEST_RUN", timedelta(days=1))
    shown = page(filled, "frequency", settings, "Battery")
    assert any("last 1 days" in each.value for each in shown.info)
    assert table(shown, "figure").set_index("figure")["droop"]["coverage"] == "100.0%"


# --- wind and solar -------------------------------------------------------------------------------


def test_figures_of_wind_and_solar_are_those_of_analyze(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    told = {row["series"]: row for row in analyzed(filled)["summary"]}
    shown = page(filled, "wind_solar", settings)
    found = metrics(shown)
    assert found["Wind, energy [MWh]"] == f"{told['Wind']['energy_mwh']:,.0f}"
    assert found["Solar, energy [MWh]"] == f"{told['Solar']['energy_mwh']:,.0f}"
    assert found["Wind, capacity factor [%]"] == f"{100 * told['Wind']['capacity_factor']:.1f}"
    share = told["Solar"]["relative_to_observed_maximum"]
    assert found["Solar, of maximum [%]"] == f"{100 * share:.1f}"
    assert any(told["Wind"]["reference"] in each.value for each in shown.caption)
    with closing(sqlite3.connect(filled.database)) as db:
        newest = dict(
            db.execute(
                "SELECT psr_type, generation_mw FROM wind_solar WHERE period_start = "
                "(SELECT max(period_start) FROM wind_solar)"
            )
        )
    assert found["Solar, latest [MW]"] == f"{newest['Solar']:,.0f}"
    wind = newest["Wind Offshore"] + newest["Wind Onshore"]
    assert found["Wind, latest [MW]"] == f"{wind:,.0f}"


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("Overview", ["coverage", "summary"]),
        ("Duration", ["relations"]),
        ("Ramps", ["ramps"]),
        ("Droughts", ["droughts"]),
        ("Forecasts", ["forecast_errors"]),
    ],
)
def test_tables_are_those_of_analyze(
    filled: World, settings: pytest.MonkeyPatch, part: str, keys: list[str]
) -> None:
    sections = analyzed(filled)
    shown = page(filled, "wind_solar", settings, part)
    assert shown.get("plotly_chart") or part == "Droughts"
    cells = {str(cell) for each in shown.dataframe for cell in each.value.to_numpy().ravel()}
    for key in keys:
        for row in sections[key]:
            for value in (v for v in row.values() if isinstance(v, float)):
                said = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.5g}"
                assert said in cells, (key, value)


def test_a_stated_capacity_makes_the_factor_that_analyze_makes(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    told = {r["series"]: r for r in analyzed(filled, "--capacity", "Solar=17000")["summary"]}
    shown = page(filled, "wind_solar", settings)
    field = shown.number_input(key="capacity-solar")
    assert field.label == "Installed capacity, Solar [MW]"
    assert (field.min, field.max) == (0.0, 1e6)
    field.set_value(17_000.0)
    run(shown)
    found = metrics(shown)
    assert found["Solar, capacity factor [%]"] == f"{100 * told['Solar']['capacity_factor']:.1f}"
    # And back again.
    shown.number_input(key="capacity-solar").set_value(0.0)
    run(shown)
    assert "Solar, of maximum [%]" in metrics(shown)


def test_hours_without_rows_are_a_gap_in_the_picture(filled: World) -> None:
    import numpy as np

    from domain.settlement import parse_range
    from pictures.picture import Band, Line
    from pictures.wind_solar import power

    with filled.store() as store:
        picture = power(store, parse_range(FIRST, DAY))
    assert picture is not None
    stack, lines = picture.panels
    assert [mark.label for mark in stack.marks if isinstance(mark, Band)] == [
        "Wind Offshore", "Wind Onshore", "Solar",
    ]  # fmt: skip
    inside = [np.datetime64(end.rstrip("Z")) for end in GAP]
    for line in (mark for mark in lines.marks if isinstance(mark, Line)):
        held = line.x[np.isfinite(line.y)]
        assert not ((held > inside[0]) & (held < inside[1])).any()
        assert int(np.isnan(line.y).sum()) == 1
    assert "coverage 95.9%" in picture.subtitle  # 4 of 98 half hours are not there
    (solar,) = [mark for mark in stack.marks if getattr(mark, "label", "") == "Solar"]
    with closing(sqlite3.connect(filled.database)) as db:
        ((highest,),) = db.execute(
            "SELECT max(total) FROM (SELECT sum(generation_mw) AS total FROM wind_solar "
            "GROUP BY period_start)"
        )
    assert np.nanmax(solar.high) == pytest.approx(highest)


def test_two_ranges_are_compared(filled: World, settings: pytest.MonkeyPatch) -> None:
    shown = page(filled, "wind_solar", settings, "Compare", start=DAY, end=DAY)
    assert len(shown.get("plotly_chart")) == 2
    assert len(shown.dataframe) == 2  # the day, and the day before
    shown.selectbox(key="wind-solar-compare").set_value("A year earlier")
    run(shown)
    assert any("2023-10-27" in each.value for each in shown.code)


def test_every_part_of_both_pages_stands(filled: World, settings: pytest.MonkeyPatch) -> None:
    for name, parts in (
        ("frequency", ("Series", "Distribution")),
        ("wind_solar", ("Profiles", "Compare")),
    ):
        for part in parts:
            shown = page(filled, name, settings, part)
            assert not shown.error, (name, part)


# --- little or nothing ----------------------------------------------------------------------------


def test_a_link_that_names_nothing_stored_is_told_without_a_word_of_it(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    strange = "![x](https://elsewhere.example)"
    shown = page(filled, "explorer", settings, table=strange, end=strange)
    told = [each.value for each in shown.info]
    assert told == [
        "The link names a table that is not stored here: another one is shown.",
        f"The link names no day such as 2024-10-27: {DAY} is shown.",
    ]
    shown = page(filled, "explorer", settings, table="wind_solar")
    assert not shown.info and shown.selectbox(key="table").value == "wind_solar"


@pytest.mark.parametrize("name", ["frequency", "wind_solar"])
def test_an_empty_store_says_which_command_fills_it(
    tmp_path: Path, settings: pytest.MonkeyPatch, name: str
) -> None:
    shown = page(tmp_path / "none.db", name, settings)
    assert not shown.error
    (command,) = [each.value for each in shown.code]
    assert command.startswith(f"python3 run.py fetch {name} --start ")
    assert not (tmp_path / "none.db").exists()


def test_solar_alone_is_sensible(
    filled: World, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = tmp_path / "solar.db"
    with closing(sqlite3.connect(filled.database)) as db, closing(sqlite3.connect(database)) as to:
        db.backup(to)
        to.execute("DELETE FROM wind_solar WHERE psr_type <> 'Solar'")
        to.execute("DELETE FROM frequency")
        to.commit()
    for part in ("Profiles", "Duration", "Forecasts"):
        shown = page(database, "wind_solar", settings, part)
        assert not shown.error, part
    assert {label.split(",")[0] for label in metrics(page(database, "wind_solar", settings))} == {
        "Solar"
    }
    assert any(
        "fetch frequency" in each.value for each in page(database, "frequency", settings).code
    )
