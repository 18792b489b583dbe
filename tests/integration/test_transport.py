"""The HTTP path against every way in which an answer can go wrong, over real sockets."""

from __future__ import annotations

import email.utils
import gzip
import json
import socket
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import job
import sources.transport
from domain.errors import BrokenAnswer, Refused, Unreachable
from domain.windows import Window
from sandbox import Fault, Sandbox
from sandbox.faults import KINDS, FaultChooser
from sources.elexon import DATASETS
from sources.elexon_rows import ELEXON
from sources.transport import ATTEMPTS, Client
from tests.integration.conftest import (
    WIND_PATH,
    World,
    csv_files,
    instant,
    scripted,
    true_frequency,
    true_wind,
)

DAY = "2024-10-05"
BOUNDS = ("2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z")
FREQUENCY = next(dataset for dataset in DATASETS if dataset.key == "frequency")
WIND_SOLAR = next(dataset for dataset in DATASETS if dataset.key == "wind_solar")
GOOD = (200, {"Content-Type": "application/json"}, b"[]")

# What passes if the question is asked again, each with the settings that keep the test short.
PASSING: dict[str, tuple[Fault, dict[str, str]]] = {
    "429": (Fault("429", path="FREQ"), {}),
    "429-retry-after": (Fault("429-retry-after", path="FREQ", seconds=0), {}),
    "500": (Fault("500", path="FREQ"), {}),
    "503": (Fault("503", path="FREQ"), {}),
    "html-200": (Fault("html-200", path="FREQ"), {}),
    "reset": (Fault("reset", path="FREQ"), {}),
    "hang": (Fault("hang", path="FREQ"), {"ELEXON_TIMEOUT_S": "0.25"}),
    "truncated": (Fault("truncated", path="FREQ"), {}),
    "truncated-json": (Fault("truncated-json", path="FREQ"), {}),
    "garbled": (Fault("garbled", path="FREQ"), {}),
    "garbled gzip": (Fault("garbled", path="FREQ", gzipped=True), {}),
}
WORDS = {
    "429": "HTTP 429",
    "429-retry-after": "HTTP 429",
    "500": "HTTP 500",
    "503": "HTTP 503",
    "html-200": "not JSON",
    "reset": "broke off",
    "hang": "no answer in time",
    "truncated": "broke off",
    "truncated-json": "not JSON",
    "garbled": "not JSON",
    "garbled gzip": "does not decompress",
}


def assert_equals_truth(world: World, bounds: tuple[str, str] = BOUNDS) -> None:
    assert world.frequency() == true_frequency(world.sandbox, *bounds)
    assert world.wind() == true_wind(world.sandbox, *bounds)


def asked(world: World, part: str) -> int:
    return sum(part in request.path for request in world.sandbox.requests)


def client_for(url: str, world: World, **changed: str) -> Client:
    return Client(ELEXON, world.settings(ELEXON_BASE_URL=url, **changed))


def get(client: Client, dataset: Any = FREQUENCY, hours: int = 1) -> Any:
    """One question of the dataset's own idiom."""
    start = instant("2024-10-05T00:00:00Z")
    end = instant(f"2024-10-05T{hours:02}:00:00Z")
    return dataset.read(dataset, "", Window(start, end), client)


# --- faults that pass --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PASSING)
def test_fault_once_costs_a_retry_and_nothing_else(
    world: World, impatient: None, kind: str
) -> None:
    fault, settings = PASSING[kind]
    world.sandbox.faults = [replace(fault, times=1)]
    report = world.run(DAY, **settings)
    assert Counter(request.fault for request in world.sandbox.requests) == {None: 2, fault.kind: 1}
    assert report.requests == 3
    assert (report.exit_code, report.holes, report.failures) == (0, [], [])
    assert world.states("frequency") == {DAY: "complete"}
    assert world.ledger("frequency")[DAY]["note"] == ""
    assert_equals_truth(world)


@pytest.mark.parametrize("kind", PASSING)
def test_fault_that_stays_fails_its_window_and_no_other(
    world: World, impatient: None, kind: str
) -> None:
    fault, settings = PASSING[kind]
    world.sandbox.faults = [fault]
    report = world.run(DAY, **settings)
    assert asked(world, "FREQ") == ATTEMPTS
    assert report.exit_code == 3
    assert [hole.split(",")[0] for hole in report.holes] == [f"frequency {DAY}: failed"]
    assert len(report.failures) == 1
    assert WORDS[kind] in report.failures[0]
    entry = world.ledger("frequency")[DAY]
    assert (entry["state"], entry["rows"], entry["coverage"]) == ("failed", 0, 0.0)
    assert WORDS[kind] in entry["note"]
    assert "measurementDateTimeFrom" not in str(report.failures)  # no query in what people read
    # Nothing half-parsed, nothing computed of it, and the other dataset is whole.
    assert world.frequency() == []
    assert world.rows("average_power") == []
    assert world.wind() == true_wind(world.sandbox, *BOUNDS)
    assert world.states("wind_solar") == {DAY: "complete"}

    world.sandbox.faults = []
    world.sandbox.clear_requests()
    mended = world.run(DAY)
    assert (mended.exit_code, asked(world, "FREQ"), asked(world, "wind")) == (0, 1, 0)
    assert_equals_truth(world)
    assert world.ledger("frequency")[DAY]["note"] == ""
    assert world.states("average_power") == {DAY: "complete"}


@pytest.mark.parametrize("kind", ["503", "truncated-json", "hang"])
def test_nothing_new_at_all_is_exit_code_1(world: World, impatient: None, kind: str) -> None:
    fault, settings = PASSING[kind]
    world.sandbox.faults = [replace(fault, path="")]
    report = world.run(DAY, **settings)
    assert report.exit_code == 1
    assert len(report.failures) == 2
    assert csv_files(world.output) == {}


@pytest.mark.parametrize("kind", ["500", "html-200", "truncated", "renamed", "wrong-type"])
def test_what_is_stored_survives_a_failed_question(
    world: World, impatient: None, kind: str
) -> None:
    world.run(DAY)
    before = {table: world.rows(table, without=()) for table in ("frequency", "wind_solar")}
    world.sandbox.faults = [Fault(kind)]
    report = world.fetch(["frequency", "wind_solar"], DAY, again=True)
    assert report.exit_code == 1
    assert {table: world.rows(table, without=()) for table in before} == before
    for key in before:
        entry = world.ledger(key)[DAY]
        assert entry["state"] == "complete"
        assert entry["note"]


# --- faults that do not pass -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("renamed", path="FREQ"), ["frequency", "lacks the column 'frequency'"]),
        (Fault("renamed", path="FREQ", value="hertz"), ["hertz"]),
        (Fault("renamed", path="FREQ", field="measurementTime"), ["'measurementTime'"]),
        (Fault("wrong-type", path="FREQ"), ["frequency_hz", "'n/a'", "a number"]),
        (Fault("wrong-type", path="FREQ", field="measurementTime"), ["measurement_time", "'n/a'"]),
    ],
    ids=["renamed", "renamed to", "time renamed", "wrong type", "wrong time"],
)
def test_rows_that_do_not_fit_are_refused_once_and_whole(
    world: World, fault: Fault, words: list[str]
) -> None:
    world.sandbox.faults = [fault]
    report = world.run(DAY)
    assert asked(world, "FREQ") == 1  # the same answer would come again
    assert report.exit_code == 3
    for word in words:
        assert word in report.failures[0]
        assert word in world.ledger("frequency")[DAY]["note"]
    assert world.states("frequency") == {DAY: "failed"}
    assert world.frequency() == []
    assert world.wind() == true_wind(world.sandbox, *BOUNDS)
    world.sandbox.faults = []
    assert world.run(DAY).exit_code == 0
    assert_equals_truth(world)


def test_one_wrong_value_spoils_the_window_not_the_neighbours(world: World) -> None:
    """Frequency is asked two days at a time: four of six days come."""
    world.sandbox.faults = [Fault("wrong-type", path="FREQ", times=1)]
    report = world.run("2024-10-01", "2024-10-06", only=["frequency"], FETCH_WORKERS="1")
    assert report.exit_code == 3
    assert list(world.states("frequency").values()) == ["failed"] * 2 + ["complete"] * 4
    assert world.frequency() == true_frequency(
        world.sandbox, "2024-10-02T23:00:00Z", "2024-10-06T23:00:00Z"
    )


def test_empty_answer_is_neither_success_nor_failure(world: World) -> None:
    world.sandbox.faults = [Fault("empty")]
    report = world.run(DAY)
    assert report.exit_code == 3
    assert report.failures == []
    assert report.holes == [f"frequency {DAY}: empty", f"wind_solar {DAY}: empty"]
    for key in ("frequency", "wind_solar"):
        entry = world.ledger(key)[DAY]
        assert (entry["state"], entry["rows"], entry["coverage"]) == ("empty", 0, 0.0)
    assert csv_files(world.output) == {}
    world.sandbox.faults = []
    assert world.run(DAY).exit_code == 0
    assert_equals_truth(world)


def test_empty_answer_does_not_take_what_is_there(world: World) -> None:
    world.run(DAY)
    world.sandbox.faults = [Fault("empty")]
    world.fetch(["frequency", "wind_solar"], DAY, again=True)
    assert_equals_truth(world)
    assert world.states("frequency") == {DAY: "complete"}


def test_dropped_rows_are_a_hole_until_they_come(world: World) -> None:
    world.sandbox.faults = [Fault("dropped")]
    report = world.run(DAY)
    assert report.exit_code == 3
    truth = true_frequency(world.sandbox, *BOUNDS)
    stored = world.frequency()
    assert len(stored) == 5760 - 576
    assert set(stored) < set(truth)
    assert [hole.split(",")[0] for hole in report.holes] == [
        f"frequency {DAY}: partial",
        f"wind_solar {DAY}: partial",
    ]
    assert world.ledger("frequency")[DAY]["coverage"] == pytest.approx(0.9)
    assert world.states("average_power") == {DAY: "partial"}
    thin = csv_files(world.output)
    world.sandbox.faults = []
    mended = world.run(DAY)
    assert mended.exit_code == 0
    assert_equals_truth(world)
    assert world.states("average_power") == {DAY: "complete"}
    assert csv_files(world.output)[f"{DAY}/average_power.csv"] != thin[f"{DAY}/average_power.csv"]


def test_dropped_rows_add_up_over_answers(world: World) -> None:
    """Another tenth is missing each time: what came before is not taken away."""
    world.sandbox.faults = [Fault("dropped", path="FREQ", fraction=0.3)]
    held = []
    for _ in range(3):
        world.run(DAY, only=["frequency"])
        held.append(len(world.frequency()))
    assert held[0] == 5760 - 1728
    assert held == sorted(held)
    assert held[2] > held[0]


def test_duplicates_collapse(world: World) -> None:
    world.sandbox.faults = [Fault("duplicates", fraction=0.5)]
    report = world.run(DAY)
    assert report.exit_code == 0
    assert {request.fault for request in world.sandbox.requests} == {"duplicates"}
    assert_equals_truth(world)
    assert world.rows("frequency_history") == []
    assert world.rows("wind_solar_history") == []


def test_extra_column_is_reported_and_passed_over(world: World) -> None:
    world.sandbox.faults = [Fault("extra", field="frequencyQuality")]
    report = world.run(DAY)
    assert report.exit_code == 0
    assert_equals_truth(world)
    for key in ("frequency", "wind_solar"):
        assert world.states(key) == {DAY: "complete"}
        assert "frequencyQuality" in world.ledger(key)[DAY]["note"]


def test_revised_without_a_publish_time_the_later_arrival_is_current(world: World) -> None:
    world.sandbox.faults = [Fault("revised", path="FREQ")]
    world.run(DAY, only=["frequency"], now="2024-11-01T06:00:00Z")
    revised = world.frequency()
    truth = true_frequency(world.sandbox, *BOUNDS)
    assert len(revised) == len(truth)
    assert all(a[1] != b[1] for a, b in zip(revised, truth, strict=True))
    world.sandbox.faults = []
    world.fetch(["frequency"], DAY, again=True, now="2024-11-02T06:00:00Z")
    assert world.frequency() == truth
    old = [(r["measurement_time"], r["frequency_hz"]) for r in world.rows("frequency_history")]
    assert sorted(old) == revised


def test_revised_with_a_publish_time_the_later_publication_stays(world: World) -> None:
    world.run(DAY, only=["wind_solar"])
    truth = world.wind()
    world.sandbox.faults = [Fault("revised", path="wind", fraction=0.5)]
    world.fetch(["wind_solar"], DAY, again=True)
    revised = world.wind()
    assert len(set(truth) - set(revised)) == 72
    world.sandbox.faults = []
    for _ in range(2):  # the first publication comes once more, and once more
        world.fetch(["wind_solar"], DAY, again=True)
        assert world.wind() == revised
        assert world.wind("wind_solar_history") == sorted(set(truth) - set(revised))


# --- patience ----------------------------------------------------------------------------------


def test_retry_after_is_obeyed(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("429-retry-after", path="FREQ", seconds=1, times=1)]
    begin = time.monotonic()
    report = world.run(DAY, only=["frequency"])
    assert time.monotonic() - begin >= 1.0
    assert (report.exit_code, report.requests) == (0, 2)


def test_429_without_the_header_waits_only_its_own_pause(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("429", path="FREQ", times=1)]
    begin = time.monotonic()
    assert world.run(DAY, only=["frequency"]).exit_code == 0
    assert time.monotonic() - begin < 5.0


def test_retry_after_as_a_date_is_obeyed(world: World, impatient: None) -> None:
    when = email.utils.formatdate(time.time() + 2, usegmt=True)
    with scripted((503, {"Retry-After": when}, b""), GOOD) as server:
        get(client_for(server.url, world))
        (first, *_), (second, *_) = server.asked
    assert second - first >= 0.9  # the date has no fraction of a second


@pytest.mark.parametrize("header", ["soon", "-5", "", "\xb2", "Wed, 99 Foo 2024 00:00:00 GMT"])
def test_retry_after_that_says_nothing_is_passed_over(
    world: World, impatient: None, header: str
) -> None:
    with scripted((429, {"Retry-After": header}, b""), GOOD) as server:
        get(client_for(server.url, world))
        assert len(server.asked) == 2


def test_retry_after_beyond_the_deadline_does_not_hold_the_night(
    world: World, impatient: None
) -> None:
    with scripted((429, {"Retry-After": "86400"}, b"")) as server:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match="HTTP 429"):
            get(client_for(server.url, world, ELEXON_DEADLINE_S="0.5"))
        assert time.monotonic() - begin < 10.0


def test_pauses_grow_and_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.transport, "LONGEST_PAUSE_S", 0.2)
    with scripted((500, {}, b"")) as server:
        begin = time.monotonic()
        with pytest.raises(Unreachable):
            get(client_for(server.url, world))
        assert time.monotonic() - begin < (ATTEMPTS - 1) * 0.2 + 5.0
        assert len(server.asked) == ATTEMPTS


def test_slow_answer_within_the_deadline_is_an_answer(world: World) -> None:
    world.sandbox.faults = [Fault("slow", path="FREQ", seconds=0.5)]
    report = world.run(DAY, only=["frequency"])
    assert report.exit_code == 0
    assert world.frequency() == true_frequency(world.sandbox, *BOUNDS)


def test_dripping_answer_ends_at_the_deadline(world: World, impatient: None) -> None:
    """Bytes keep coming, so no timeout between two of them helps."""
    world.sandbox.faults = [Fault("slow", path="FREQ", seconds=5)]
    begin = time.monotonic()
    report = world.run(DAY, only=["frequency"], ELEXON_DEADLINE_S="0.5")
    assert time.monotonic() - begin < 4.9
    assert report.exit_code == 1
    assert "dripping" in report.failures[0]
    assert world.frequency() == []
    assert world.states("frequency") == {DAY: "failed"}
    world.sandbox.faults = []
    assert world.run(DAY, only=["frequency"]).exit_code == 0
    assert world.frequency() == true_frequency(world.sandbox, *BOUNDS)


def test_hang_costs_the_timeout_and_no_more(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("hang")]
    begin = time.monotonic()
    report = world.run(DAY, ELEXON_TIMEOUT_S="0.2", FETCH_WORKERS="2")
    assert time.monotonic() - begin < ATTEMPTS * 0.2 + 2.0
    assert report.exit_code == 1


# --- a dead provider ---------------------------------------------------------------------------


def test_closed_port_is_given_up_after_three_requests(world: World, impatient: None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    report = world.run(
        "2024-09-01",
        "2024-09-30",
        only=["frequency"],
        ELEXON_BASE_URL=f"http://127.0.0.1:{port}/bmrs",
        FETCH_WORKERS="1",
    )
    assert time.monotonic() - begin < 5.0
    assert report.exit_code == 1
    assert report.requests == 3 * ATTEMPTS  # of fifteen windows
    assert len(report.failures) == 4  # three that failed, and once that it was given up
    assert report.fetched[0].given_up == 12
    assert len(report.holes) == 30
    assert set(world.states("frequency").values()) == {"failed"}
    assert len(world.states("frequency")) == 30
    # Two that end together may be taken in either order.
    assert sum("connection failed" in failure for failure in report.failures) == 3
    assert sum("given up" in failure for failure in report.failures) == 1


def test_dead_provider_costs_seconds_with_the_pauses_as_they_are(world: World) -> None:
    with pytest.raises(Unreachable, match="Elexon Insights gave no usable answer"):
        begin = time.monotonic()
        get(client_for("http://127.0.0.1:9", world, ELEXON_DEADLINE_S="1"))
    assert time.monotonic() - begin < 10.0


def test_deadline_gives_the_provider_up(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("hang")]
    begin = time.monotonic()
    report = world.run("2024-10-01", "2024-10-30", ELEXON_TIMEOUT_S="0.3", ELEXON_DEADLINE_S="0.5")
    assert time.monotonic() - begin < 5.0
    assert report.exit_code == 1
    assert report.requests < 20
    assert len(report.holes) == 60


def test_one_good_answer_resets_the_count(world: World, impatient: None) -> None:
    """Every window fails once in a while; nobody is given up for that."""
    world.sandbox.faults = [Fault("500", path="FREQ", probability=0.5)]
    report = world.run("2024-10-01", "2024-10-20", only=["frequency"], FETCH_WORKERS="1")
    assert asked(world, "FREQ") > 10
    assert not any("given up" in failure for failure in report.failures)


def test_the_same_client_asks_again_in_the_next_run(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("500")]
    assert world.run("2024-10-01", "2024-10-10", only=["frequency"]).exit_code == 1
    world.sandbox.faults = []
    assert world.run("2024-10-01", "2024-10-06", only=["frequency"]).exit_code == 0


# --- manners -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "8"])
def test_rate_limit_holds_over_all_threads(world: World, workers: str) -> None:
    rate = 20.0
    with scripted(GOOD) as server:
        begin = time.monotonic()
        world.run(
            "2024-10-01",
            "2024-10-20",
            only=["frequency"],
            ELEXON_BASE_URL=server.url,
            ELEXON_REQUESTS_PER_S=f"{rate:g}",
            FETCH_WORKERS=workers,
        )
        took = time.monotonic() - begin
        moments = sorted(moment for moment, _, _ in server.asked)
    assert len(moments) == 10
    assert took >= (len(moments) - 1) / rate
    assert moments[-1] - moments[0] >= (len(moments) - 1) / rate * 0.9
    # Evenly spaced, not a burst and then silence.
    assert moments[4] - moments[0] >= 4 / rate * 0.7


def test_retries_count_against_the_rate(world: World, impatient: None) -> None:
    with scripted((500, {}, b"")) as server:
        begin = time.monotonic()
        with pytest.raises(Unreachable):
            get(client_for(server.url, world, ELEXON_REQUESTS_PER_S="10"))
        assert time.monotonic() - begin >= (ATTEMPTS - 1) / 10
        assert len(server.asked) == ATTEMPTS


def test_request_says_who_asks_and_takes_gzip(world: World) -> None:
    body = gzip.compress(
        json.dumps([{"measurementTime": "2024-10-05T00:00:00Z", "frequency": 50.0}]).encode()
    )
    zipped = (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, body)
    with scripted(zipped) as server:
        answer = get(client_for(server.url, world))
        ((_, path, headers),) = server.asked
    assert "gridledger" in headers["User-Agent"]
    assert "python-requests" not in headers["User-Agent"]
    assert "gzip" in headers["Accept-Encoding"]
    assert "json" in headers["Accept"]
    assert path == (
        "/datasets/FREQ/stream?measurementDateTimeFrom=2024-10-05T00%3A00%3A00Z"
        "&measurementDateTimeTo=2024-10-05T00%3A59%3A59Z"
    )
    assert answer.rows.frame["frequency_hz"].tolist() == [50.0]
    assert not answer.synthetic  # no header, no sandbox


def test_no_credentials_of_the_user_travel(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc with a default entry is for other programs."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password hunter2\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted(GOOD) as server:
        get(client_for(server.url, world))
        ((_, _, headers),) = server.asked
    assert "Authorization" not in headers
    assert "Cookie" not in headers


def test_password_in_the_address_is_not_told(world: World, impatient: None) -> None:
    with scripted((404, {}, b"no such thing")) as server:
        url = server.url.replace("http://", "http://someone:hunter2@")
        report = world.run(DAY, only=["frequency"], ELEXON_BASE_URL=url)
    told = str(report.failures) + str(world.ledger("frequency")) + str(report.holes)
    assert "no such thing" in told
    assert "hunter2" not in told


def test_redirect_to_another_host_brings_no_foreign_page(world: World, impatient: None) -> None:
    """A captive portal sends everyone to its login page."""
    with scripted((200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")) as portal:
        there = f"{portal.url}/login"
        with scripted((302, {"Location": there}, b"")) as server:
            report = world.run(DAY, only=["frequency"], ELEXON_BASE_URL=server.url)
    assert report.exit_code == 1
    assert world.frequency() == []
    assert "Please log in" not in str(report.failures)
    assert world.states("frequency") == {DAY: "failed"}


def test_redirect_in_a_circle_ends(world: World, impatient: None) -> None:
    with scripted((302, {"Location": "/round"}, b"")) as server:
        begin = time.monotonic()
        with pytest.raises((Unreachable, Refused)):
            get(client_for(server.url, world))
        assert time.monotonic() - begin < 5.0


# --- refusals ----------------------------------------------------------------------------------


def test_wrong_path_is_refused_in_the_providers_words_and_not_retried(world: World) -> None:
    url = world.sandbox.settings()["ELEXON_BASE_URL"].replace("/v1", "/v9")
    report = world.run(DAY, ELEXON_BASE_URL=url)
    assert len(world.sandbox.requests) == 2  # one a dataset
    assert report.requests == 2
    assert report.exit_code == 1
    for failure in report.failures:
        assert "HTTP 404" in failure
        assert "not found" in failure.lower()
    for key in ("frequency", "wind_solar"):
        assert world.states(key) == {DAY: "failed"}
        assert "HTTP 404" in world.ledger(key)[DAY]["note"]


def test_too_wide_a_window_is_narrowed_to_what_the_provider_names(world: World) -> None:
    client = client_for(world.sandbox.settings()["ELEXON_BASE_URL"], world)
    window = Window(instant("2024-10-01T00:00:00Z"), instant("2024-10-20T00:00:00Z"))
    answer = WIND_SOLAR.read(WIND_SOLAR, "", window, client)
    assert [request.status for request in world.sandbox.requests] == [400, 200, 200, 200]
    assert answer.rows.strange == (
        f"{WIND_PATH} allows only 168 h at once: asked in narrower windows",
    )
    columns = world.sandbox.truth("wind_solar", "2024-10-01T00:00:00Z", "2024-10-20T00:00:00Z")
    assert len(answer.rows.frame) == len(columns["columns"]["start_time"])


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 418])
def test_every_other_status_is_refused_at_once(world: World, impatient: None, status: int) -> None:
    body = b"" if status == 204 else b"we would rather not"
    with scripted((status, {}, body)) as server:
        with pytest.raises(Refused, match=f"HTTP {status}") as caught:
            get(client_for(server.url, world))
        assert len(server.asked) == 1
    assert caught.value.status == status
    assert ("rather not" in str(caught.value)) == bool(body)


def test_refusals_do_not_give_the_provider_up(world: World) -> None:
    """It is alive and knows what it wants: every window gets its own refusal."""
    url = world.sandbox.settings()["ELEXON_BASE_URL"].replace("/v1", "/v9")
    report = world.run("2024-10-01", "2024-10-10", only=["frequency"], ELEXON_BASE_URL=url)
    assert report.requests == 5
    assert all("HTTP 404" in failure for failure in report.failures)


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b"", BrokenAnswer),
        (b"\xff\xfe\x00", BrokenAnswer),
        (b"[" * 200_000, BrokenAnswer),
        (b'[{"measurementTime": "2024-10-05T00:00:00Z", "frequency": 50.0}', BrokenAnswer),
    ],
    ids=["nothing", "not text", "deep", "cut"],
)
def test_bodies_that_cannot_be_read(
    world: World, impatient: None, body: bytes, trouble: type[Exception]
) -> None:
    with scripted((200, {"Content-Type": "application/json"}, body)) as server:
        with pytest.raises(trouble):
            get(client_for(server.url, world))
        assert len(server.asked) == ATTEMPTS


@pytest.mark.parametrize("body", [b"{}", b"null", b"42", b'"text"', b"[1, 2]", b'{"data": 7}'])
def test_json_that_is_no_list_of_rows_fails_its_window(world: World, body: bytes) -> None:
    with scripted((200, {"Content-Type": "application/json"}, body)) as server:
        report = world.run(DAY, only=["frequency"], ELEXON_BASE_URL=server.url)
    assert report.exit_code == 1
    assert world.frequency() == []
    assert world.states("frequency") == {DAY: "failed"}


def test_rows_of_another_day_are_not_taken_for_the_asked_one(world: World) -> None:
    """A renamed parameter is ignored by the API, which then sends its latest rows."""
    late = json.dumps([{"measurementTime": "2024-11-24T00:00:00Z", "frequency": 50.0}]).encode()
    with scripted((200, {"Content-Type": "application/json"}, late)) as server:
        report = world.run(DAY, only=["frequency"], ELEXON_BASE_URL=server.url)
    assert report.exit_code == 1
    assert "outside what was asked" in report.failures[0]
    assert world.frequency() == []


def test_body_beyond_the_limit_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.transport, "LARGEST_BODY", 100_000)
    bomb = gzip.compress(b" " * 5_000_000)  # 5 kB on the wire
    with scripted((200, {"Content-Encoding": "gzip"}, bomb)) as server:
        with pytest.raises(Refused, match="more than"):
            get(client_for(server.url, world))
        assert len(server.asked) == 1


# --- everything at once ------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "least", "rounds"), [(0.2, 3, 3), (0.6, 12, 8)])
def test_week_of_mixed_faults_ends_with_the_truth(
    world: World, impatient: None, share: float, least: int, rounds: int
) -> None:
    """Every kind but ``revised``, which no client can tell from a real revision."""
    kinds = [kind for kind in KINDS if kind != "revised"]
    each = share / len(kinds)
    # Of a list the first fault that hits is the only one: later ones need a larger part.
    faults = [Fault(kind, each / (1 - n * each), seconds=0.05) for n, kind in enumerate(kinds)]
    world.sandbox.chooser = FaultChooser(5, faults)
    days = [f"2024-10-{n:02}" for n in range(13, 20)]
    bounds = ("2024-10-12T23:00:00Z", "2024-10-19T23:00:00Z")
    truth = set(true_frequency(world.sandbox, *bounds))
    codes: list[int] = []
    while len(codes) < rounds and set(codes[-1:]) != {0}:
        # Day by day, so that there are requests enough for every kind.
        reports = [world.run(day, ELEXON_TIMEOUT_S="0.3", FETCH_WORKERS="2") for day in days]
        codes.append(max(report.exit_code for report in reports))
        assert set(world.frequency()) <= truth  # never anything but the truth
        for day, entry in world.ledger("frequency").items():
            assert (entry["state"] == "complete") == (entry["rows"] == 5760), day
    hit = Counter(request.fault for request in world.sandbox.requests if request.fault)
    assert sum(hit.values()) >= least, hit
    assert codes[-1] == 0, codes
    assert_equals_truth(world, bounds)
    for key in ("frequency", "wind_solar", "average_power", "wind_solar_summary"):
        assert world.states(key) == dict.fromkeys(days, "complete")


def test_faults_change_no_published_byte(
    world: World, impatient: None, tmp_path: Path, sandbox: Sandbox
) -> None:
    world.run("2024-10-13", "2024-10-15")
    sandbox.clear_requests()
    sandbox.faults = [
        Fault("truncated", times=1),
        Fault("500", times=2),
        Fault("wrong-type", path="wind", times=1),
        Fault("dropped", path="FREQ", times=1),
        Fault("duplicates"),
    ]
    other = World(tmp_path / "other", sandbox)
    codes = [other.run("2024-10-13", "2024-10-15").exit_code for _ in range(2)]
    assert codes == [3, 0]
    assert {request.fault for request in sandbox.requests} == {
        fault.kind for fault in sandbox.faults
    }
    assert csv_files(other.output) == csv_files(world.output)


def test_run_report_counts_what_went_over_the_wire(world: World, impatient: None) -> None:
    world.sandbox.faults = [Fault("503", times=2, path="FREQ")]
    report = world.run(DAY)
    assert isinstance(report, job.Report)
    assert report.requests == len(world.sandbox.requests) == 4
