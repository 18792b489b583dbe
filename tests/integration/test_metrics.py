"""Metrics as real programs see them: promtool, and a Prometheus that scrapes a schedule."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import metrics
from domain.settlement import settlement_date
from sandbox import Fault, Sandbox
from tests.integration.conftest import (
    NOW,
    PROJECT,
    WIND_PATH,
    Cli,
    World,
    instant,
    rows_of,
    wait_until,
)
from tests.unit.test_dashboard import queries

DAY = "2024-10-05"
DEPLOY = PROJECT / "deploy" / "prometheus"
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs prometheus and promtool on the PATH (Debian's package is called prometheus)",
)
Told = dict[tuple[str, ...], float]


def told_by(text: str) -> Told:
    """Values by name without its prefix and labels, by Prometheus' own parser."""
    return {
        (sample.name.removeprefix("gridledger_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def written(cli: Cli) -> Told:
    return told_by((cli.output / "metrics.prom").read_text(encoding="utf-8"))


def promtool(*arguments: str, said: str = "") -> str:
    """What promtool says; it must find nothing wrong."""
    done = subprocess.run(
        ["promtool", *arguments], input=said, capture_output=True, text=True, cwd=DEPLOY, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what stands in deploy/ --------------------------------------------------------------------


@needs_prometheus
def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yaml")
    tested = set(re.findall(r"alertname: (\w+)", (DEPLOY / "alerts_test.yaml").read_text()))
    assert tested == set(re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yaml").read_text()))


@needs_prometheus
def test_the_example_configuration_and_its_rules_are_valid() -> None:
    said = promtool("check", "config", "prometheus.yaml")
    assert "8 rules found" in said


@needs_prometheus
def test_every_query_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries())]
    file = tmp_path / "queries.yaml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


# --- metrics.prom and the log -------------------------------------------------------------------


def test_a_run_tells_its_figures_and_a_failed_one_leaves_the_last_success(cli: Cli) -> None:
    done = cli("--log-format", "json", "run", "--date", DAY)
    assert done.returncode == 0, done.stderr
    good = written(cli)
    assert good["last_run_exit_code", "run"] == 0
    assert good["last_run_rows", "run"] == 5760 + 144
    assert good["last_run_requests", "run"] == 2
    assert good["last_run_received_bytes", "run"] > 10_000
    assert good["dataset_rows", "frequency", ""] == good["dataset_last_run_rows", "frequency", ""]
    newest = {
        key: datetime.fromtimestamp(good["dataset_newest_row_timestamp_seconds", key, ""], UTC)
        for key in ("frequency", "wind_solar")
    }
    # A day of summer time ends at 23:00 UTC; rows are labelled by their start.
    assert newest["frequency"] == instant("2024-10-05T22:59:45Z")
    assert newest["wind_solar"] == instant("2024-10-05T22:30:00Z")
    assert good["dataset_entries", "wind_solar", "", "complete"] == 1
    assert good["store_info", "sqlite", "synthetic"] == 1
    assert good["product_stale", "average_power"] == 0

    said = [json.loads(line) for line in done.stderr.splitlines()]
    kept = (cli.output / "task_log.log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in kept] == said
    assert (said[-1]["command"], said[-1]["exit_code"]) == ("run", 0)
    assert "5760 rows" in " ".join(line["message"] for line in said)

    cli.database.write_bytes(b"not a database, and long enough to be read as one" * 99)
    for suffix in ("-wal", "-shm"):
        cli.database.with_name(cli.database.name + suffix).unlink(missing_ok=True)
    assert cli("run", "--date", DAY).returncode == 2
    bad = written(cli)
    assert bad["last_run_exit_code", "run"] == 2
    assert bad["last_run_failures", "run"] == 1
    start, success = "last_run_start_timestamp_seconds", "last_success_timestamp_seconds"
    assert bad[start, "run"] >= good[start, "run"]  # whole seconds
    assert bad[success, "run"] == good[success, "run"]
    assert not any(name.startswith("store") for name, *_ in bad)


@needs_prometheus
def test_promtool_finds_nothing_to_say_of_the_file(world: World) -> None:
    world.sandbox.faults = [Fault("extra", path=WIND_PATH)]
    world.run("2024-11-23", "2024-11-24")
    with world.store() as store:
        figures = metrics.collect(store, world.settings(), [], instant(NOW))
    text = generate_latest(figures.registry).decode()
    assert "gridledger_dataset_last_drift_timestamp_seconds{" in text
    assert promtool("check", "metrics", said=text) == ""


def test_a_repair_of_one_dataset_leaves_the_figures_of_the_others(
    cli: Cli, sandbox: Sandbox
) -> None:
    sandbox.faults = [Fault("dropped", path=WIND_PATH, fraction=0.5)]
    assert cli("fetch", "frequency", "wind_solar", "--start", DAY).returncode == 3
    before = written(cli)
    sandbox.faults = []
    assert cli("repair", "wind_solar").returncode == 0
    after = written(cli)
    assert before["dataset_entries", "wind_solar", "", "partial"] == 1
    assert after["dataset_entries", "wind_solar", "", "partial"] == 0
    assert after["dataset_rows", "wind_solar", ""] == 144
    for key in before:
        if "frequency" in key or "fetch" in key:
            assert after[key] == before[key], key
    assert after["last_run_exit_code", "repair"] == 0


def test_what_the_source_changed_is_told_as_drift(world: World, impatient: None) -> None:
    """One day a kind of change, all at once as the daily job would have met them."""
    lies = ["extra", "new-type", "shift-hour", "renamed", "halve"]
    others = ["dropped", "duplicates", "500"]
    now = "2024-11-25T09:00:00Z"
    told = []
    world.fetch(["wind_solar"], "2024-11-05", now=now)
    for number, kind in enumerate([*lies, *others]):
        # A calm day lies between two others, for a series that is gone is told on the next day, too.
        day = f"2024-11-{7 + 2 * number:02}"
        world.sandbox.faults = []
        world.fetch(["wind_solar"], day.replace(day[-2:], f"{6 + 2 * number:02}"), now=now)
        world.sandbox.faults = [Fault(kind, path=WIND_PATH)]
        world.fetch(["wind_solar"], day, now=now, ELEXON_DEADLINE_S="1")
        with world.store() as store:
            figures = metrics.collect(store, world.settings(), [], instant(now))
        seen = told_by(generate_latest(figures.registry).decode())
        told.append(seen["dataset_drifts", "wind_solar", ""])
    notes = {day: row["note"] for day, row in world.ledger("wind_solar").items()}
    assert told == [1, 2, 3, 4, 5, 5, 5, 5], notes


# --- over HTTP ------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_one_sentence(offline: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = offline("schedule", METRICS_PORT=port)
    assert done.returncode == 2
    assert f"METRICS_PORT={port} on 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert not offline.output.exists()  # no job was begun


class Prometheus:
    """A real one on loopback that looks four times a second and waits for no alert's 'for'."""

    def __init__(self, folder: Path, target: int) -> None:
        rules = (DEPLOY / "alerts.yaml").read_text(encoding="utf-8")
        (folder / "alerts.yaml").write_text(re.sub(r"for: \w+", "for: 0s", rules))
        (folder / "prometheus.yaml").write_text(
            "global: {scrape_interval: 250ms, evaluation_interval: 250ms}\n"
            "rule_files: [alerts.yaml]\n"
            "scrape_configs:\n"
            "  - job_name: gridledger\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
            )

    def get(self, path: str) -> Any:
        """What its API answers; None as long as it is not up."""
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(self.url + path, timeout=5) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code == 503:
                return None
            raise AssertionError(refused.read().decode()) from None
        except OSError:
            return None
        assert told["status"] == "success", told
        return told["data"]

    def query(self, text: str) -> dict[str, float]:
        """Values by dataset, product, command or nothing."""
        data = self.get(f"/api/v1/query?query={quote(text)}")
        found = {}
        for series in data["result"] if data else ():
            labels = series["metric"]
            names = ("dataset", "product", "command", "state")
            key = next((labels[name] for name in names if name in labels), "")
            found[key] = float(series["value"][1])
        return found

    def firing(self) -> dict[tuple[str, str], dict[str, str]]:
        """Annotations of what fires, by alert and dataset."""
        data = self.get("/api/v1/alerts")
        return {
            (alert["labels"]["alertname"], alert["labels"].get("dataset", "")): alert["annotations"]
            for alert in (data["alerts"] if data else ())
            if alert["state"] == "firing"
        }


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    folder.mkdir()
    server = Prometheus(folder, target)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


@needs_prometheus
@pytest.mark.timeout(90)
def test_a_real_prometheus_sees_the_schedule_and_warns_of_a_hole(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    # The schedule goes by the clock; the day before yesterday is due, whatever the hour is now.
    day = settlement_date(datetime.now(UTC)) - timedelta(days=2)
    sandbox.faults = [Fault("dropped", path=WIND_PATH, fraction=0.5)]
    chosen = {"DATASETS": "wind_solar", "PRODUCTS": "wind_solar_summary"}
    assert cli("fetch", "wind_solar", "--start", str(day), **chosen).returncode == 3
    port = free_port()
    process = cli.start(
        "schedule",
        METRICS_PORT=str(port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **chosen,
    )
    try:
        with prometheus(tmp_path / "prometheus", port) as server:
            wait_until(
                lambda: server.query("gridledger_last_success_timestamp_seconds").keys() > {"fetch"}
            )
            wait_until(lambda: server.query("gridledger_run_in_progress") == {"": 0.0})
            wait_until(lambda: ("GridledgerCoverageBelowOne", "wind_solar") in server.firing())
            assert server.query("up") == {"": 1.0}
            entries = [row for row in rows_of(cli.database, "ledger") if row["key"] == "wind_solar"]
            due = [row["rows"] / row["expected"] for row in entries if row["state"] != "not_due"]
            lowest = server.query("gridledger_dataset_coverage_min_ratio")
            assert lowest == {"wind_solar": pytest.approx(min(due))}
            rows = len(rows_of(cli.database, "wind_solar"))
            assert server.query("gridledger_dataset_rows") == {"wind_solar": rows}
            # A rule goes by its last look, which may have been in the middle of the run.
            hole = "GridledgerCoverageBelowOne", "wind_solar"
            said = f" {100 * min(due):.4g}% "
            wait_until(lambda: said in server.firing().get(hole, {}).get("summary", ""))
            firing = server.firing()
            assert firing.keys() == {hole}
            assert "repair wind_solar" in firing[hole]["action"]
            for query in queries():
                if not query.endswith("> 0"):  # failures and drift, of which there are none
                    assert server.query(query), query
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            wait_until(lambda: server.query("up") == {"": 0.0})
            wait_until(lambda: ("GridledgerMetricsMissing", "") in server.firing())
    finally:
        process.kill()
        process.communicate()
