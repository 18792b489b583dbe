"""NESO and Carbon Intensity over real HTTP: rows against the sandbox's own account, files fetched once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import fetch_data
import sources.transport
from domain.errors import SchemaError, SourceError
from domain.settlement import parse_range
from domain.windows import Window
from sandbox import Fault, Sandbox
from sources.carbon_intensity import FUELS
from sources.dataset import Answer, Dataset, FileReading
from sources.neso import HISTORIC_DEMAND
from sources.transport import Client
from utils import load_settings

from .conftest import World

NOW = "2024-11-25T09:00:00Z"
# Both hold a clock change.
WEEKS = [("2024-03-28", "2024-04-03"), ("2024-10-24", "2024-10-30")]
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def api(server: Sandbox, clean_environment: None) -> Iterator[Sandbox]:
    server.clear_requests()
    yield server
    server.faults, server.now = (), NOW


def dataset(key: str) -> Dataset:
    (found,) = fetch_data.find_datasets([key])
    return found


def client(api: Sandbox, key: str) -> Client:
    settings = {setting.key: setting.default for setting in fetch_data.SETTINGS} | api.settings()
    rates = {"NESO_REQUESTS_PER_S": "1000", "CARBON_INTENSITY_REQUESTS_PER_S": "1000"}
    return Client(dataset(key).provider, load_settings(fetch_data.SETTINGS, settings | rates))


def ask(key: str, window: Window, by: Client) -> Answer:
    one = dataset(key)
    assert not isinstance(one.read, FileReading)
    return one.read(one, "", window, by)


def rows(answer: Answer, *names: str) -> list[Row]:
    frame = answer.rows.frame
    return sorted(zip(*(map(plain, frame[name].tolist()) for name in names), strict=True))


def true_rows(api: Sandbox, key: str, window: Window, *names: str) -> list[Row]:
    columns = api.truth(key, window.start, window.end)["columns"]
    return sorted(zip(*(map(plain, columns[name].tolist()) for name in names), strict=True))


def plain(value: Any) -> Any:
    """Moments as naive UTC, nothing as None: what both sides can be compared by."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value


def settled(answer: Answer) -> dict[str, list[int]]:
    """The settlement periods that the rows name, by day."""
    found: dict[str, set[int]] = {}
    frame = answer.rows.frame
    for day, period in zip(frame["settlement_date"], frame["settlement_period"], strict=True):
        found.setdefault(f"{day:%Y-%m-%d}", set()).add(int(period))
    return {day: sorted(periods) for day, periods in found.items()}


@pytest.mark.parametrize(("first", "last"), WEEKS)
def test_demand_wind_and_auctions_of_clock_change_weeks(
    api: Sandbox, first: str, last: str
) -> None:
    window, by = parse_range(first, last), client(api, "historic_demand")
    answer = ask("historic_demand", window, by)
    values = {c.name: c.spelling for c in HISTORIC_DEMAND.columns if c.unit == "MW"}
    for name, spelling in values.items():
        truth = true_rows(api, "historic_demand", window, "start_time", f"{spelling.lower()}_mw")
        assert rows(answer, "period_start", name) == truth, name
    assert (answer.synthetic, answer.rows.unknown, answer.rows.strange) == (True, (), ())
    changed = {"2024-03-31": 46, "2024-10-27": 50}
    for day, periods in settled(answer).items():
        assert periods == list(range(1, changed.get(day, 48) + 1))

    answer = ask("day_ahead_wind_forecast", window, by)
    assert rows(
        answer, "period_start", "wind_forecast_mw", "wind_capacity_mw", "published_at"
    ) == true_rows(
        api, "day_ahead_wind_forecast", window,
        "start_time", "incentive_forecast_mw", "capacity_mw", "publish_time",
    )  # fmt: skip

    answer = ask("response_auctions", window, by)
    names = ("service", "efa_block", "cleared_volume_mw")
    assert rows(
        answer, "delivery_start", "delivery_end", *names, "clearing_price_gbp_per_mw_per_h"
    ) == true_rows(
        api, "response_auctions", window,
        "start_time", "end_time", *names, "clearing_price_gbp_per_mw_h",
    )  # fmt: skip
    assert set(answer.rows.frame["auction"]) == {"EAC"}


def test_auctions_over_the_seam_of_the_old_and_the_new(api: Sandbox) -> None:
    window, by = parse_range("2023-10-28", "2023-11-05"), client(api, "response_auctions")
    answer = ask("response_auctions", window, by)
    names = ("service", "efa_block", "cleared_volume_mw")
    assert rows(answer, "delivery_start", "delivery_end", *names) == true_rows(
        api, "response_auctions", window, "start_time", "end_time", *names
    )
    assert set(answer.rows.frame["auction"]) == {"DFR", "EAC"}
    assert (answer.rows.unknown, answer.rows.strange, answer.rows.conflicts) == ((), (), 0)


def test_the_present_forecast_and_what_the_archive_keeps(api: Sandbox) -> None:
    by = client(api, "embedded_forecasts")
    today = ask("embedded_forecasts", parse_range("2024-11-25"), by).rows.frame
    issued = today[today["issue_known"]]
    assert set(issued["published_at"]) == {datetime(2024, 11, 25, 8, 25, 3, tzinfo=UTC)}
    assert len(issued) == 14 * 48
    told = api.truth("embedded_forecasts", "2024-11-25T08:00:00Z", "2024-12-09T08:00:00Z")
    assert list(issued["embedded_wind_forecast_mw"]) == list(
        told["columns"]["embedded_wind_forecast_mw"]
    )
    window = parse_range("2024-10-27")
    answer = ask("embedded_forecasts", window, by)
    assert not answer.rows.frame["issue_known"].any()
    half = np.timedelta64(30, "m")
    columns = api.truth("embedded_forecasts", "2024-10-26T22:30:00Z", "2024-10-27T23:30:00Z")
    solar = columns["columns"]["embedded_solar_forecast_mw"].tolist()
    ends = (columns["columns"]["start_time"] + half).tolist()
    assert rows(answer, "published_at", "embedded_solar_forecast_mw") == sorted(
        zip(ends, solar, strict=True)
    )


@pytest.mark.parametrize(("first", "last"), WEEKS)
def test_carbon_intensity_of_clock_change_weeks(api: Sandbox, first: str, last: str) -> None:
    window, by = parse_range(first, last), client(api, "carbon_intensity")
    names = ("forecast_gco2_per_kwh", "actual_gco2_per_kwh", "index")
    answer = ask("carbon_intensity", window, by)
    assert rows(answer, "period_start", "forecast_gco2_per_kwh", "index") == true_rows(
        api, "carbon_intensity", window, "start_time", "forecast_gco2_per_kwh", "index"
    )
    actual = api.truth("carbon_intensity", window.start, window.end)["columns"][names[1]]
    assert np.array_equal(answer.rows.frame[names[1]].to_numpy(), actual, equal_nan=True)
    answer = ask("carbon_generation_mix", window, by)
    assert rows(answer, "period_start", "fuel", "share_percent") == true_rows(
        api, "carbon_generation_mix", window, "start_time", "fuel", "percent"
    )
    assert {len(periods) for periods in settled(answer).values()} >= {48}
    answer = ask("carbon_regional", window, by)
    truth = api.truth("carbon_regional", window.start, window.end)["columns"]
    shares = np.column_stack([truth[f"{fuel}_percent"] for fuel in FUELS])
    nothing = (shares.sum(axis=1) == 0) & (truth["forecast_gco2_per_kwh"] == 0)
    frame = answer.rows.frame
    assert list(frame["region_id"]) == truth["region_id"].tolist()
    for name in ("forecast_gco2_per_kwh", *(f"{fuel}_percent" for fuel in FUELS)):
        given = np.where(nothing, np.nan, truth[name])
        assert np.array_equal(frame[name].to_numpy(), given, equal_nan=True), name


def test_a_month_of_seconds_is_downloaded_once_for_all_its_days(api: Sandbox) -> None:
    by = client(api, "historic_frequency")
    days = [parse_range(day) for day in ("2024-03-30", "2024-03-31", "2024-03-29")]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda day: ask("historic_frequency", day, by), days))
    for window, answer in zip(days, answers, strict=True):
        truth = api.truth("historic_frequency", window.start, window.end)["columns"]
        frame = answer.rows.frame
        moments = frame["measurement_time"].to_numpy("datetime64[s]")
        assert np.array_equal(moments, truth["time"])
        assert np.array_equal(frame["frequency_hz"].to_numpy(), truth["frequency_hz"])
    assert len(answers[1].rows.frame) <= 23 * 3600
    assert sum(answer.bytes > 0 for answer in answers) == 1
    # The list, the link, and the presigned address that it redirects to.
    assert len(api.requests) == 3


def test_a_whole_run_asks_for_each_package_once_and_the_second_for_nothing(
    world: World,
) -> None:
    keys = ("day_ahead_wind_forecast", "response_auctions", "carbon_intensity")
    settings = {"NESO_REQUESTS_PER_S": "1000", "CARBON_INTENSITY_REQUESTS_PER_S": "1000"}
    world.fetch(keys, "2024-10-26", "2024-10-28", now=NOW, **settings)
    shown = [r.params["id"] for r in world.sandbox.requests if r.path.endswith("package_show")]
    assert sorted(shown) == ["day-ahead-wind-forecast", "eac-auction-results"]
    for key in keys:
        assert set(world.states(key).values()) == {"complete"}, key
        assert len(world.states(key)) == 3
    assert len(world.rows("response_auctions")) == 3 * 36
    world.sandbox.clear_requests()
    world.fetch(keys, "2024-10-26", "2024-10-28", now=NOW, **settings)
    assert world.asked() == []


@pytest.mark.parametrize(
    "kind", ["503", "reset", "truncated", "html-200", "truncated-json", "garbled"]
)
def test_a_file_that_fails_is_asked_for_again_and_comes_whole(
    api: Sandbox, impatient: None, kind: str
) -> None:
    api.faults = [Fault(kind, path="bucket", times=1)]
    by = client(api, "day_ahead_wind_forecast")
    window = parse_range("2024-10-27")
    answer = ask("day_ahead_wind_forecast", window, by)
    assert len(answer.rows.frame) == 50
    assert by.retries >= 1


def test_a_full_disk_and_a_foreign_address_are_one_sentence(
    api: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = client(api, "day_ahead_wind_forecast")
    with pytest.raises(SchemaError, match="cannot be downloaded over HTTP"):
        by.download("x", "file:///etc/hostname", None, print)  # type: ignore[arg-type]

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.transport.Client, "download", full)
    with pytest.raises(SourceError, match="No space left on device"):
        ask("day_ahead_wind_forecast", parse_range("2024-10-27"), by)
