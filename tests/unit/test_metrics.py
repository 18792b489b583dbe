"""Metrics against a ledger made by hand, figures worked out by hand, read by Prometheus' own parser."""

from __future__ import annotations

import platform
import tempfile
import tomllib
import unittest
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import job
import metrics
from domain.drift import tells_of_drift
from domain.errors import StoreError
from domain.ledger import Entry, State
from domain.settlement import day_window
from storage import open_store
from stores.sql import SqlStore
from utils import PROJECT, VERSION, Settings, load_settings

NOW = datetime(2024, 11, 25, 9, tzinfo=UTC)  # a day of November begins at 00:00 UTC
ASKED = datetime(2024, 11, 24, 6, tzinfo=UTC)
Told = dict[tuple[str, ...], float]
# date -d 2024-11-24T06:00Z +%s, and so on
AT_24TH_0600, AT_24TH_0700, AT_25TH_0000 = 1732428000, 1732431600, 1732492800


def seconds(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> float:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def settings(**changed: str) -> Settings:
    defaults = {setting.key: setting.default for setting in job.all_settings()}
    wanted = {"DATASETS": "wind_solar", "CATCH_UP_DAYS": "5"}
    return load_settings(job.all_settings(), defaults | wanted | changed, environment={})


def entry(key: str, day: int, state: State, **facts: Any) -> Entry:
    """An entry of a day of November 2024."""
    on = date(2024, 11, day)
    usual = {"rows": 0, "expected": 150, "coverage": 0.0, "version": 1, "scope": ""}
    times = {"asked_at": ASKED, "counted_at": ASKED}
    return Entry(key=key, day=on, window=day_window(on), state=state, **(usual | times | facts))


def told_by(text: str) -> Told:
    """Values by name without its prefix and labels: what a scrape of this text gives."""
    return {
        (sample.name.removeprefix("gridledger_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def tell(
    entries: Iterable[Entry] = (), runs: Iterable[Mapping[str, Any]] = (), **changed: str
) -> Told:
    with open_store("sqlite:///:memory:") as store:
        for one in entries:
            store.record(one)
        figures = metrics.collect(store, settings(**changed), runs, NOW)
    return told_by(generate_latest(figures.registry).decode())


WIND = [
    entry("wind_solar", 18, State.FAILED),  # before the last five days
    entry("wind_solar", 20, State.COMPLETE, rows=150, coverage=1.0),
    entry("wind_solar", 21, State.PARTIAL, rows=75, coverage=0.5),
    entry("wind_solar", 22, State.CONFIRMED_PARTIAL, rows=60, coverage=0.4),
    # nobody asked for the 23rd; the 24th was asked before its lag of 4 hours was over
    entry("wind_solar", 24, State.NOT_DUE, rows=135, coverage=0.9),
]


class Data(unittest.TestCase):
    def test_coverage_is_of_the_due_days_among_the_last(self) -> None:
        told = tell(WIND)
        # (1 + 0.5 + 0.4 + 0 + 0.9) / 5
        self.assertAlmostEqual(told["dataset_coverage_ratio", "wind_solar", ""], 0.56)
        self.assertEqual(told["dataset_coverage_min_ratio", "wind_solar", ""], 0)
        # the partial one, the one never asked, the one asked too early; not the confirmed one
        self.assertEqual(told["dataset_holes", "wind_solar", ""], 3)

    def test_a_day_that_is_not_due_does_not_count(self) -> None:
        days = [
            entry("frequency", 23, State.COMPLETE, rows=5760, coverage=1.0),
            entry("frequency", 24, State.NOT_DUE, rows=5000, coverage=0.87),
        ]
        with open_store("sqlite:///:memory:") as store:
            for one in days:
                store.record(one)
            five_past = datetime(2024, 11, 25, 0, 5, tzinfo=UTC)  # the lag is ten minutes
            figures = metrics.collect(store, settings(DATASETS="frequency"), [], five_past)
        told = told_by(generate_latest(figures.registry).decode())
        self.assertEqual(told["dataset_coverage_ratio", "frequency", ""], 1)
        self.assertEqual(told["dataset_holes", "frequency", ""], 0)

    def test_all_days_are_counted_by_state(self) -> None:
        told = tell(WIND)
        counted = {key[3]: told[key] for key in told if key[0] == "dataset_entries"}
        self.assertEqual({name for name, days in counted.items() if days},
                         {"failed", "complete", "partial", "confirmed_partial", "not_due"})  # fmt: skip
        self.assertEqual(set(counted), {str(state) for state in State})
        self.assertEqual(sum(counted.values()), 5)
        self.assertEqual(told["dataset_rows", "wind_solar", ""], 150 + 75 + 60 + 135)

    def test_a_failure_is_no_answer(self) -> None:
        later = datetime(2024, 11, 24, 7, tzinfo=UTC)
        told = tell([*WIND, entry("wind_solar", 23, State.FAILED, asked_at=later)])
        self.assertEqual(
            told["dataset_last_answer_timestamp_seconds", "wind_solar", ""], AT_24TH_0600
        )
        told = tell([*WIND, entry("wind_solar", 23, State.EMPTY, asked_at=later)])
        self.assertEqual(
            told["dataset_last_answer_timestamp_seconds", "wind_solar", ""], AT_24TH_0700
        )

    def test_a_dataset_of_the_daily_job_that_never_came_is_missed(self) -> None:
        told = tell()
        self.assertEqual(told["dataset_daily", "wind_solar", ""], 1)
        self.assertEqual(told["dataset_coverage_min_ratio", "wind_solar", ""], 0)
        self.assertEqual(told["dataset_holes", "wind_solar", ""], 1)
        self.assertNotIn(("dataset_last_answer_timestamp_seconds", "wind_solar", ""), told)

    def test_what_lacks_its_token_is_missed_only_where_it_once_came(self) -> None:
        asks = {"DATASETS": "entsoe_load", "ENTSOE_ZONES": "FR,DE_LU"}
        self.assertEqual([k for k in tell(**asks) if k[0] == "dataset_daily"], [])
        told = tell([entry("entsoe_load", 21, State.COMPLETE, scope="FR", coverage=1.0)], **asks)
        self.assertEqual(told["dataset_daily", "entsoe_load", "FR"], 1)
        self.assertEqual(told["dataset_holes", "entsoe_load", "FR"], 3)
        self.assertNotIn(("dataset_daily", "entsoe_load", "DE_LU"), told)

    def test_what_was_fetched_once_by_hand_is_judged_by_what_was_asked(self) -> None:
        told = tell([
            entry("demand_outturn", 20, State.COMPLETE, coverage=1.0),
            entry("demand_outturn", 22, State.PARTIAL, coverage=0.5),
        ])  # fmt: skip
        self.assertEqual(told["dataset_daily", "demand_outturn", ""], 0)
        # the 20th to the 22nd, of which the 21st was left out
        self.assertEqual(told["dataset_coverage_ratio", "demand_outturn", ""], 0.5)
        self.assertEqual(told["dataset_holes", "demand_outturn", ""], 2)

    def test_what_was_fetched_by_hand_long_ago_has_no_coverage(self) -> None:
        told = tell([entry("demand_outturn", 3, State.PARTIAL, rows=24, coverage=0.5)])
        self.assertEqual(told["dataset_rows", "demand_outturn", ""], 24)
        self.assertNotIn(("dataset_coverage_ratio", "demand_outturn", ""), told)

    def test_a_list_as_it_stands_is_counted_in_its_table_and_not_day_by_day(self) -> None:
        days = [entry("bm_units", day, State.COMPLETE, rows=40, coverage=1.0) for day in (23, 24)]
        told = tell(days)
        self.assertEqual(told["dataset_rows", "bm_units", ""], 0)  # there is none
        self.assertEqual(told["dataset_entries", "bm_units", "", "complete"], 2)
        self.assertNotIn(("dataset_newest_row_timestamp_seconds", "bm_units", ""), told)

    def test_lag_is_told_where_every_day_has_rows(self) -> None:
        told = tell([
            entry("wind_solar", 24, State.COMPLETE, coverage=1.0),
            entry("system_warnings", 24, State.COMPLETE, coverage=1.0),
        ])  # fmt: skip
        self.assertEqual(told["dataset_lag_seconds", "wind_solar", ""], 4 * 3600)
        self.assertNotIn(("dataset_lag_seconds", "system_warnings", ""), told)

    def test_drift_is_what_the_notes_call_so(self) -> None:
        told = tell([
            entry("wind_solar", 18, State.COMPLETE, coverage=1.0, note="unknown columns old"),
            entry("wind_solar", 21, State.COMPLETE, coverage=1.0, note="unknown columns warningType"),
            entry("wind_solar", 22, State.PARTIAL, note="Elexon Insights did not answer"),
            entry("wind_solar", 23, State.COMPLETE, coverage=1.0,
                  note="Wind Offshore was there the day before and is missing",
                  asked_at=datetime(2024, 11, 24, 7, tzinfo=UTC)),
        ])  # fmt: skip
        self.assertEqual(told["dataset_drifts", "wind_solar", ""], 2)
        self.assertEqual(
            told["dataset_last_drift_timestamp_seconds", "wind_solar", ""], AT_24TH_0700
        )
        self.assertNotIn(("dataset_last_drift_timestamp_seconds", "frequency", ""), told)

    def test_a_conflict_or_a_stray_row_is_no_drift(self) -> None:
        for note in (
            "3 rows came twice with different values",
            "2 rows lay outside what was asked and were left out",
            "Elexon Insights gave no usable answer for /datasets/FREQ (HTTP 500)",
            "",
        ):
            self.assertFalse(tells_of_drift(note), note)

    def test_products_have_their_newest_day_and_what_is_not_published(self) -> None:
        whole = {"coverage": 1.0, "rows": 48, "expected": 48}
        told = tell([
            entry("average_power", 22, State.COMPLETE, inputs="a", published="a", **whole),
            entry("average_power", 23, State.COMPLETE, inputs="a", published="a", **whole),
            entry("average_power", 24, State.COMPLETE, inputs="b", published="a", **whole),
        ])  # fmt: skip
        self.assertEqual(
            told["product_newest_day_timestamp_seconds", "average_power"], AT_25TH_0000
        )
        self.assertEqual(told["product_stale", "average_power"], 1)
        self.assertEqual(told["product_rows", "average_power"], 3 * 48)

    def test_the_newest_row_is_that_of_the_scope(self) -> None:
        import pandas as pd

        from sources import DATASETS

        (load,) = (dataset for dataset in DATASETS if dataset.key == "entsoe_load")
        starts = pd.to_datetime(["2024-11-23T10:00Z", "2024-11-23T11:00Z", "2024-11-23T12:00Z"])
        columns = {
            "zone": ["FR", "FR", "DE_LU"],
            "period_start": starts,
            "resolution_s": [3600] * 3,
            "load_mw": [1.0, 2.0, 3.0],
        }
        frame = pd.DataFrame({name: columns.get(name) for name in load.table.names})
        with open_store("sqlite:///:memory:") as store:
            for scope, rows in (("FR", 2), ("DE_LU", 1)):
                store.record(entry("entsoe_load", 23, State.PARTIAL, scope=scope, rows=rows))
                store.record(entry("entsoe_load", 24, State.EMPTY, scope=scope))
            store.write(load.table, frame, known_at=NOW, synthetic=True, entries=lambda _: [])
            figures = metrics.collect(store, settings(DATASETS="entsoe_load"), [], NOW)
        told = told_by(generate_latest(figures.registry).decode())
        name = "dataset_newest_row_timestamp_seconds"
        self.assertEqual(told[name, "entsoe_load", "FR"], seconds(2024, 11, 23, 11))
        self.assertEqual(told[name, "entsoe_load", "DE_LU"], seconds(2024, 11, 23, 12))
        self.assertEqual(told["store_info", "sqlite", "synthetic"], 1)


def run(command: str, hour: int, code: int, **facts: Any) -> dict[str, Any]:
    """A run record of the 24th that took 90.5 s."""
    usual = {"seconds": 90.5, "requests": 7, "rows": 5760, "holes": 0, "error": ""}
    began = f"2024-11-24T{hour:02}:00:00Z"
    return {"started": began, "command": command, "exit_code": code} | usual | facts


class Runs(unittest.TestCase):
    def test_a_failed_run_moves_the_last_start_and_not_the_last_success(self) -> None:
        told = tell(runs=[run("run", 6, 0), run("run", 7, 1, failures=2, requests=3)])
        self.assertEqual(told["last_run_start_timestamp_seconds", "run"], AT_24TH_0700)
        self.assertEqual(told["last_success_timestamp_seconds", "run"], AT_24TH_0600 + 90.5)
        self.assertEqual(told["last_run_exit_code", "run"], 1)
        self.assertEqual(told["last_run_failures", "run"], 2)
        self.assertEqual(told["last_run_requests", "run"], 3)
        self.assertEqual(told["last_run_duration_seconds", "run"], 90.5)

    def test_a_run_with_holes_came_to_its_end_and_one_that_found_all_locked_did_not(self) -> None:
        for code, came in ((0, True), (3, True), (1, False), (2, False), (4, False), (130, False)):
            told = tell(runs=[run("run", 6, code)])
            self.assertEqual(("last_success_timestamp_seconds", "run") in told, came, code)

    def test_each_command_has_its_own(self) -> None:
        told = tell(runs=[run("run", 6, 0), run("repair", 7, 3, holes=4)])
        self.assertEqual(told["last_run_start_timestamp_seconds", "run"], AT_24TH_0600)
        self.assertEqual(told["last_run_holes", "run"], 0)
        self.assertEqual(told["last_run_holes", "repair"], 4)

    def test_a_repair_of_one_dataset_leaves_the_others_figures(self) -> None:
        told = tell(runs=[
            run("run", 6, 3, bytes=900, retries=2,
                datasets={"wind_solar": {"failures": 1}, "entsoe_load FR": {"rows": 24, "bytes": 800},
                          "frequency": {"failures": 2}},
                products={"average_power": {"waiting": 3}, "trading": {"failures": 1}}),
            run("repair", 7, 0, datasets={"wind_solar": {"requests": 1, "rows": 144}},
                products={"average_power": {"rows": 48}}),
        ])  # fmt: skip
        self.assertEqual(told["dataset_last_run_failures", "wind_solar", ""], 0)
        self.assertEqual(told["dataset_last_run_rows", "wind_solar", ""], 144)
        self.assertEqual(told["dataset_last_run_requests", "wind_solar"], 1)
        self.assertEqual(told["dataset_last_run_failures", "frequency", ""], 2)
        self.assertEqual(told["dataset_last_run_rows", "entsoe_load", "FR"], 24)
        self.assertEqual(told["dataset_last_run_received_bytes", "entsoe_load", "FR"], 800)
        self.assertEqual(told["product_waiting", "average_power"], 0)
        self.assertEqual(told["product_last_run_rows", "average_power"], 48)
        self.assertEqual(told["product_last_run_failures", "trading"], 1)
        self.assertEqual(told["last_run_received_bytes", "run"], 900)
        self.assertEqual(told["last_run_retries", "run"], 2)

    def test_what_older_records_do_not_say_is_not_invented(self) -> None:
        told = tell(runs=[run("run", 6, 0)])
        self.assertNotIn(("last_run_received_bytes", "run"), told)
        self.assertNotIn(("last_run_failures", "run"), told)

    def test_without_a_store_there_are_the_runs(self) -> None:
        figures = metrics.collect(None, settings(), [run("run", 6, 1)], NOW)
        told = told_by(generate_latest(figures.registry).decode())
        self.assertEqual(told["last_run_exit_code", "run"], 1)
        self.assertEqual({key[0] for key in told if key[0].startswith(("dataset", "store"))}, set())

    def test_a_store_that_breaks_meanwhile_leaves_the_runs(self) -> None:
        class Broken:
            url = "sqlite:///x"

            def __getattr__(self, name: str) -> Any:
                raise StoreError("grid.db is damaged")

        with self.assertLogs("gridledger", "WARNING") as said:
            broken: Any = Broken()
            figures = metrics.collect(broken, settings(), [run("run", 6, 1)], NOW)
        self.assertIn("grid.db is damaged", said.output[0])
        told = told_by(generate_latest(figures.registry).decode())
        self.assertEqual(told["last_run_exit_code", "run"], 1)


class Declared(unittest.TestCase):
    def test_the_version_is_that_of_the_project(self) -> None:
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
        self.assertEqual(VERSION, project["project"]["version"])
        python = platform.python_version()
        built = [key for key in tell() if key[0] == "build_info"]
        self.assertEqual(built, [("build_info", python, "1", VERSION)])

    def test_names_keep_to_prometheus_conventions(self) -> None:
        for name, metric in metrics.METRICS.items():
            with self.subTest(name):
                self.assertRegex(name, r"^gridledger_[a-z][a-z_]*[a-z]$")
                self.assertNotRegex(name, "_(total|count|sum|bucket)$")  # they are no counters
                self.assertTrue(metric.text.endswith("."))
                # Prometheus' own labels would be renamed at the scrape.
                self.assertFalse({"job", "instance"} & set(metric.labels))

    def test_the_file_holds_every_metric_of_the_list(self) -> None:
        with tempfile.TemporaryDirectory() as name, open_store("sqlite:///:memory:") as store:
            folder = Path(name)
            (folder / "runs.jsonl").write_text(
                '{"command": "run", "started": "2024-11-24T06:00:00Z", "seconds": 1, "requests": 0, '
                '"retries": 0, "bytes": 0, "rows": 0, "failures": 0, "holes": 0, "exit_code": 0, '
                '"datasets": {"frequency": {}}, "products": {"average_power": {}}}\n'
            )
            self.fill(store)
            metrics.write(store, settings(OUTPUT_DIR=name), NOW)
            text = (folder / "metrics.prom").read_text(encoding="utf-8")
            self.assertEqual([p.name for p in folder.glob("*.prom")], ["metrics.prom"])
            self.assertEqual((folder / "metrics.prom").stat().st_mode & 0o777, 0o644)
        families = {family.name: family for family in text_string_to_metric_families(text)}
        self.assertEqual(families.keys(), metrics.METRICS.keys() - {metrics.IN_PROGRESS})
        for name, family in families.items():
            self.assertEqual(family.type, "gauge")
            self.assertEqual(family.documentation, metrics.METRICS[name].text)

    @staticmethod
    def fill(store: SqlStore) -> None:
        import pandas as pd

        from sources import DATASETS

        table = next(d.table for d in DATASETS if d.key == "frequency")
        columns = {
            "measurement_time": pd.to_datetime(["2024-11-24T10:00Z"]),
            "frequency_hz": [50.0],
        }
        frame = pd.DataFrame({name: columns.get(name) for name in table.names})
        store.write(table, frame, known_at=NOW, synthetic=False, entries=lambda _: [])
        store.record(entry("frequency", 24, State.PARTIAL, rows=1, note="unknown columns x"))
        store.record(entry("average_power", 24, State.PARTIAL, rows=48))


class Served(unittest.TestCase):
    def scrape(self, page: metrics.Page) -> Told:
        registry = CollectorRegistry()
        registry.register(page)
        return told_by(generate_latest(registry).decode())

    def test_the_page_is_the_file_and_whether_a_run_is_under_way(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = metrics.Page(Path(folder) / "metrics.prom")
            self.assertEqual(self.scrape(page), {("run_in_progress",): 0})
            with page.run():
                self.assertEqual(self.scrape(page), {("run_in_progress",): 1})
            with open_store("sqlite:///:memory:") as store:
                metrics.write(store, settings(OUTPUT_DIR=folder), NOW)
            written = told_by((Path(folder) / "metrics.prom").read_text(encoding="utf-8"))
            self.assertEqual(self.scrape(page), written | {("run_in_progress",): 0})

    def test_without_a_port_nothing_is_served(self) -> None:
        with metrics.served(settings()) as page:
            self.assertIsInstance(page, metrics.Page)

    def test_wrong_addresses_are_refused_with_a_reason(self) -> None:
        for key, value in (
            ("METRICS_PORT", "0"),
            ("METRICS_PORT", "65536"),
            ("METRICS_PORT", "http"),
            ("METRICS_ADDRESS", ""),
            ("METRICS_ADDRESS", "two words"),
        ):
            with self.subTest(f"{key}={value}"), self.assertRaisesRegex(Exception, key):
                settings(**{key: value})


if __name__ == "__main__":
    unittest.main()
