"""The sandbox's ENTSO-E over real HTTP, read with ElementTree and plain loops."""

from __future__ import annotations

import gzip
import math
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import requests

from sandbox import Fault, Limit, Sandbox

NOW = "2025-11-15T00:00:00Z"
DE_LU, FR, GB = "10Y1001A1001A82H", "10YFR-RTE------C", "10YGB----------A"
ZONES = {"DE_LU": DE_LU, "FR": FR}
MINUTES = {"PT15M": 15, "PT30M": 30, "PT60M": 60}
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
DAY = ("2024-03-29T23:00Z", "2024-03-30T23:00Z")  # one on which nothing goes wrong


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7, limits={"entsoe": None}) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    server.clear_requests()
    yield server
    server.faults, server.now, server.limits = (), NOW, {"entsoe": None}


# --- a client that shares nothing with the sandbox ------------------------------------------


def ask(sandbox: Sandbox, params: dict[str, str], **headers: str) -> requests.Response:
    settings = sandbox.settings()
    headers = {"SECURITY_TOKEN": settings["ENTSOE_API_TOKEN"], **headers}
    return requests.get(settings["ENTSOE_BASE_URL"], params=params, headers=headers, timeout=20)


def query(kind: str, start: str, end: str, zone: str = DE_LU, **more: str) -> dict[str, str]:
    own = {
        "A65": {"processType": "A16", "outBiddingZone_Domain": zone},
        "A75": {"processType": "A16", "in_Domain": zone},
        "A44": {"contract_MarketAgreement.type": "A01", "in_Domain": zone, "out_Domain": zone},
    }[kind]
    stamps = {
        "periodStart": moment(start).strftime("%Y%m%d%H%M"),
        "periodEnd": moment(end).strftime("%Y%m%d%H%M"),
    }
    return {"documentType": kind, **own, **stamps, **more}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


def text_at(element: ET.Element, *path: str) -> str | None:
    """The text of the first element down a path of local names."""
    for name in path:
        found = next((child for child in element if local(child.tag) == name), None)
        if found is None:
            return None
        element = found
    return element.text


@dataclass
class Read:
    """One slot of one curve, as a plain loop over the document finds it."""

    key: tuple[str, ...]
    start: datetime
    minutes: int
    value: float | None


def children(element: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in element if local(child.tag) == name]


def curve_of(series: ET.Element) -> tuple[str, ...]:
    into, out = (
        text_at(series, f"{side}BiddingZone_Domain.mRID") is not None for side in ("in", "out")
    )
    if text_at(series, "in_Domain.mRID"):
        return (text_at(series, SEQUENCE) or "1", text_at(series, "currency_Unit.name") or "")
    assert into != out
    return ("in" if into else "out", text_at(series, "MktPSRType", "psrType") or "")


def expand(body: bytes, value: str) -> list[Read]:
    """Every slot of every TimeSeries in the order of the document."""
    found = []
    for series in children(ET.fromstring(body), "TimeSeries"):
        kind = text_at(series, "curveType")
        for period in children(series, "Period"):
            start = moment(text_at(period, "timeInterval", "start") or "")
            end = moment(text_at(period, "timeInterval", "end") or "")
            minutes = MINUTES[text_at(period, "resolution") or ""]
            slots = (end - start) // timedelta(minutes=minutes)
            assert start + slots * timedelta(minutes=minutes) == end > start
            points = {
                int(text_at(point, "position") or ""): text_at(point, value)
                for point in children(period, "Point")
            }
            assert list(points) == sorted(points)
            assert min(points) == 1 and max(points) <= slots
            if kind == "A01":
                assert len(points) == slots
            holds: str | None = None
            for slot in range(slots):
                if slot + 1 in points:
                    assert kind == "A01" or slot == 0 or points[slot + 1] != holds
                    holds = points[slot + 1]
                number = None if holds is None else float(holds)
                at = start + slot * timedelta(minutes=minutes)
                found.append(Read(curve_of(series), at, minutes, number))
    return found


def last_of_each(read: list[Read]) -> dict[tuple[Any, ...], tuple[int, float]]:
    """(curve, start) -> (minutes, value): the later TimeSeries wins; none without a value."""
    table: dict[tuple[Any, ...], tuple[int, float | None]] = {}
    for slot in read:
        table[slot.key, slot.start] = (slot.minutes, slot.value)
    return {key: (m, value) for key, (m, value) in table.items() if value is not None}


def served(sandbox: Sandbox, kind: str, start: str, end: str, zone: str = "DE_LU") -> Any:
    response = ask(sandbox, query(kind, start, end, ZONES[zone]))
    assert response.status_code == 200, response.text
    value = "price.amount" if kind == "A44" else "quantity"
    return last_of_each(expand(response.content, value))


def true(sandbox: Sandbox, kind: str, start: str, end: str, zone: str = "DE_LU") -> Any:
    """The truth in the shape of `served`."""
    table = {"A65": "load", "A75": "generation", "A44": "day_ahead_prices"}[kind]
    columns = sandbox.truth(f"entsoe_{table}", start, end)["columns"]
    found = {}
    for n in range(len(columns["time"])):
        if columns["zone"][n] != zone:
            continue
        at = columns["time"][n].item().replace(tzinfo=UTC)
        minutes = int(columns["resolution_minutes"][n])
        if kind == "A65":
            found[("out", ""), at] = (minutes, float(columns["load_mw"][n]))
        elif kind == "A44":
            key = (str(columns["sequence"][n]), str(columns["currency"][n]))
            found[key, at] = (minutes, float(columns["price"][n]))
        else:
            for side, name in (("in", "generation_mw"), ("out", "consumption_mw")):
                number = float(columns[name][n])
                if not math.isnan(number):
                    found[(side, str(columns["psr_type"][n])), at] = (minutes, number)
    return found


def refusal(response: requests.Response, status: int) -> str:
    """The reason in an acknowledgement."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "text/xml"
    assert response.headers["Content-Disposition"] == 'inline; filename="acknowledgement.xml"'
    assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"
    root = ET.fromstring(response.content)
    spelled = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"
    assert root.tag == f"{{{spelled}}}Acknowledgement_MarketDocument"
    assert [local(child.tag) for child in root] == [
        "mRID",
        "createdDateTime",
        "sender_MarketParticipant.mRID",
        "sender_MarketParticipant.marketRole.type",
        "receiver_MarketParticipant.mRID",
        "receiver_MarketParticipant.marketRole.type",
        "received_MarketDocument.createdDateTime",
        "Reason",
    ]
    assert text_at(root, "Reason", "code") == "999"
    return text_at(root, "Reason", "text") or ""


# --- documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["DE_LU", "FR"])
@pytest.mark.parametrize("kind", ["A65", "A75", "A44"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-02-01T00:00Z", "2024-03-01T00:00Z"),  # twice, differing, both kinds of gaps
        ("2024-05-14T22:00Z", "2024-05-16T22:00Z"),  # Points without a value
        ("2024-06-30T22:00Z", "2024-07-07T22:00Z"),  # a Point without a price
        ("2024-12-30T23:00Z", "2025-01-02T23:00Z"),  # load and generation change resolution
        ("2025-09-28T22:00Z", "2025-10-02T22:00Z"),  # prices change resolution
        ("2024-03-30T23:00Z", "2024-03-31T22:00Z"),
        ("2024-10-26T22:00Z", "2024-10-27T23:00Z"),
    ],
)
def test_documents_hold_the_truth(
    sandbox: Sandbox, kind: str, zone: str, start: str, end: str
) -> None:
    found = served(sandbox, kind, start, end, zone)
    if kind == "A44":
        # Whole market days are served, also where only a part was asked for.
        bounds = moment(start), moment(end)
        found = {key: v for key, v in found.items() if bounds[0] <= key[1] < bounds[1]}
    assert found
    assert found == true(sandbox, kind, start, end, zone)


@pytest.mark.parametrize("kind", ["A65", "A75", "A44"])
def test_a_running_day_holds_what_is_told(sandbox: Sandbox, kind: str) -> None:
    day = ("2024-06-05T22:00Z", "2024-06-07T22:00Z")
    for now in ("2024-06-06T10:44Z", "2024-06-06T13:07Z", "2024-06-06T13:15Z"):
        sandbox.now = now
        for zone in ZONES:
            found = served(sandbox, kind, *day, zone)
            assert found == true(sandbox, kind, *day, zone)
    newest = max(at for _, at in served(sandbox, "A65", *day))
    assert newest == moment("2024-06-06T12:00Z")


def test_clock_change_days(sandbox: Sandbox) -> None:
    for start, hours in (("2024-03-30T23:00Z", 23), ("2024-10-26T22:00Z", 25)):
        end = (moment(start) + timedelta(hours=hours)).isoformat()
        for zone, per_hour in (("DE_LU", 4), ("FR", 1)):
            assert len(served(sandbox, "A65", start, end, zone)) == hours * per_hour
            types = {key for key, _ in served(sandbox, "A75", start, end, zone)}
            slots = len(served(sandbox, "A75", start, end, zone))
            assert slots == len(types) * hours * per_hour
            assert len(types) == (19 if zone == "DE_LU" else 11)
        sequences = [key[0] for key, _ in served(sandbox, "A44", start, end)]
        assert (sequences.count("1"), sequences.count("2")) == (hours, 4 * hours)
    # From October 2025 also the first auction is in quarter hours: 100 on the long day.
    long_day = served(sandbox, "A44", "2025-10-25T22:00Z", "2025-10-26T23:00Z")
    sequences = [key[0] for key, _ in long_day]
    assert (sequences.count("1"), sequences.count("2")) == (100, 100)
    sandbox.now = "2026-04-05T00:00:00Z"
    short = served(sandbox, "A44", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "FR")
    assert len(short) == 92


def test_the_document_of_load(sandbox: Sandbox) -> None:
    start, end = "2024-05-05T00:00Z", "2024-05-05T02:00Z"
    response = ask(sandbox, query("A65", start, end))
    assert response.headers["Content-Type"] == "text/xml"
    assert response.headers["Content-Disposition"] == (
        'inline; filename="Actual Total Load_202405050000-202405050200.xml"'
    )
    assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"
    root = ET.fromstring(response.content)
    assert root.tag == (
        "{urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0}GL_MarketDocument"
    )
    assert [(local(child.tag), (child.text or "").strip()) for child in root][1:] == [
        ("revisionNumber", "1"),
        ("type", "A65"),
        ("process.processType", "A16"),
        ("sender_MarketParticipant.mRID", "10X1001A1001A450"),
        ("sender_MarketParticipant.marketRole.type", "A32"),
        ("receiver_MarketParticipant.mRID", "10X1001A1001A450"),
        ("receiver_MarketParticipant.marketRole.type", "A33"),
        ("createdDateTime", NOW),
        ("time_Period.timeInterval", ""),
        ("TimeSeries", ""),
    ]
    assert len(text_at(root, "mRID") or "") == 32
    assert text_at(root, "time_Period.timeInterval", "start") == start
    assert text_at(root, "time_Period.timeInterval", "end") == end
    (series,) = children(root, "TimeSeries")
    assert [(local(child.tag), (child.text or "").strip()) for child in series] == [
        ("mRID", "1"),
        ("businessType", "A04"),
        ("objectAggregation", "A01"),
        ("outBiddingZone_Domain.mRID", DE_LU),
        ("quantity_Measure_Unit.name", "MAW"),
        ("curveType", "A03"),
        ("Period", ""),
    ]
    assert children(series, "outBiddingZone_Domain.mRID")[0].attrib == {"codingScheme": "A01"}
    lines = response.text.splitlines()
    assert lines[0] == '<?xml version="1.0" encoding="utf-8"?>'
    assert lines[15:17] == ["    <TimeSeries>", "      <mRID>1</mRID>"]
    assert lines[28:30] == ["            <Point>", "              <position>1</position>"]
    assert not response.text.endswith("\n")


def test_the_document_of_generation(sandbox: Sandbox) -> None:
    for zone in ZONES:
        root = ET.fromstring(ask(sandbox, query("A75", *DAY, ZONES[zone])).content)
        sides = [curve_of(series)[0] for series in children(root, "TimeSeries")]
        assert sides == sorted(sides, reverse=zone == "DE_LU")
        assert sides.count("out") == (3 if zone == "DE_LU" else 1)
    root = ET.fromstring(ask(sandbox, query("A75", *DAY)).content)
    first = children(root, "TimeSeries")[0]
    assert [(local(child.tag), (child.text or "").strip()) for child in first] == [
        ("mRID", "1"),
        ("businessType", "A01"),
        ("objectAggregation", "A08"),
        ("outBiddingZone_Domain.mRID", DE_LU),
        ("quantity_Measure_Unit.name", "MAW"),
        ("curveType", "A03"),
        ("MktPSRType", ""),
        ("Period", ""),
    ]
    assert {text_at(s, "curveType") for s in children(root, "TimeSeries")} == {"A01", "A03"}
    only = ET.fromstring(ask(sandbox, query("A75", *DAY, psrType="B10")).content)
    assert [curve_of(s) for s in children(only, "TimeSeries")] == [("out", "B10"), ("in", "B10")]
    whole = ET.fromstring(ask(sandbox, query("A75", *DAY, curveType="A01")).content)
    assert {text_at(s, "curveType") for s in children(whole, "TimeSeries")} == {"A01"}
    assert expand(ET.tostring(whole), "quantity") == expand(ET.tostring(root), "quantity")


def test_the_document_of_prices(sandbox: Sandbox) -> None:
    response = ask(sandbox, query("A44", *DAY))
    name = 'inline; filename="Energy Prices_202403292300-202403302300.xml"'
    assert response.headers["Content-Disposition"] == name
    root = ET.fromstring(response.content)
    assert root.tag == (
        "{urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3}Publication_MarketDocument"
    )
    assert "process.processType" not in [local(child.tag) for child in root]
    series = children(root, "TimeSeries")
    assert [text_at(each, SEQUENCE) for each in series] == ["2", "1"]
    assert [(local(child.tag), (child.text or "").strip()) for child in series[1]] == [
        ("mRID", "2"),
        ("auction.type", "A01"),
        ("businessType", "A62"),
        ("in_Domain.mRID", DE_LU),
        ("out_Domain.mRID", DE_LU),
        ("contract_MarketAgreement.type", "A01"),
        ("currency_Unit.name", "EUR"),
        ("price_Measure_Unit.name", "MWH"),
        (SEQUENCE, "1"),
        ("curveType", "A03"),
        ("Period", ""),
    ]
    week = "2024-05-05T22:00Z", "2024-05-12T22:00Z"
    listed = children(ET.fromstring(ask(sandbox, query("A44", *week)).content), "TimeSeries")
    order = [text_at(each, SEQUENCE) or "" for each in listed]
    assert order == sorted(order, reverse=True), "all of sequence 2 first"
    for sequence in ("1", "2"):
        picked = ask(sandbox, query("A44", *week, **{SEQUENCE: sequence}))
        found = children(ET.fromstring(picked.content), "TimeSeries")
        assert {text_at(each, SEQUENCE) for each in found} == {sequence}
    french = ask(sandbox, query("A44", *week, FR)).text
    assert "classificationSequence" not in french


def test_flat_curves_are_one_point(sandbox: Sandbox) -> None:
    night = ask(sandbox, query("A75", "2024-10-26T22:00Z", "2024-10-27T04:00Z", psrType="B16"))
    for series in children(ET.fromstring(night.content), "TimeSeries"):
        (period,) = children(series, "Period")
        (point,) = children(period, "Point")
        assert text_at(point, "position") == "1"
        assert text_at(point, "quantity") == ("0" if curve_of(series)[0] == "in" else "1.3")
    day = ask(sandbox, query("A75", "2024-10-27T00:00Z", "2024-10-28T00:00Z", psrType="B20"))
    assert day.text.count("<Point>") == 1


def test_how_documents_stutter(sandbox: Sandbox) -> None:
    def shape(kind: str, start: str, end: str, zone: str) -> list[list[tuple[int, int]]]:
        """(slots, Points) of every Period of every TimeSeries."""
        root = ET.fromstring(ask(sandbox, query(kind, start, end, zone)).content)
        found: list[list[tuple[int, int]]] = []
        for series in children(root, "TimeSeries"):
            found.append([])
            for period in children(series, "Period"):
                start, end = (text_at(period, "timeInterval", n) or "" for n in ("start", "end"))
                minutes = MINUTES[text_at(period, "resolution") or ""]
                slots = (moment(end) - moment(start)) // timedelta(minutes=minutes)
                found[-1].append((slots, len(children(period, "Point"))))
        return found

    gap = shape("A65", "2024-02-19T23:00Z", "2024-02-20T23:00Z", DE_LU)
    assert [[slots for slots, _ in series] for series in gap] == [[32, 58]]
    gap = shape("A65", "2024-02-21T23:00Z", "2024-02-22T23:00Z", DE_LU)
    assert [[slots for slots, _ in series] for series in gap] == [[32], [58]]
    change = shape("A65", "2024-12-30T23:00Z", "2025-01-01T23:00Z", FR)
    assert [[slots for slots, _ in series] for series in change] == [[24, 96]]

    def twice(day: str) -> list[set[float | None]]:
        start = moment(day) - timedelta(hours=1)
        end = start + timedelta(days=1)
        params = query("A65", start.isoformat(), end.isoformat(), FR)
        slots: dict[Any, list[float | None]] = {}
        for slot in expand(ask(sandbox, params).content, "quantity"):
            slots.setdefault(slot.start, []).append(slot.value)
        assert [len(values) for values in slots.values()] == [2] * 24
        return [set(values) for values in slots.values()]

    assert {len(values) for values in twice("2024-02-14")} == {1}, "equal"
    assert [len(values) for values in twice("2024-02-07")].count(2) > 20, "they differ"
    # A Point without a value: known to the document, absent from the truth.
    for kind, day, zone, value in (
        ("A65", "2024-05-15T00:00Z", DE_LU, "quantity"),
        ("A44", "2024-07-03T00:00Z", FR, "price.amount"),
    ):
        end = (moment(day) + timedelta(hours=20)).isoformat()
        read = expand(ask(sandbox, query(kind, day, end, zone)).content, value)
        assert [slot.start.hour for slot in read if slot.value is None] == [10] * (
            4 if zone == DE_LU else 1
        )
    # Hydro reservoirs come in a TimeSeries for every day.
    root = ET.fromstring(
        ask(sandbox, query("A75", "2024-10-25T22:00Z", "2024-10-28T23:00Z")).content
    )
    curves = [curve_of(series) for series in children(root, "TimeSeries")]
    assert curves.count(("in", "B12")) == 3


# --- windows --------------------------------------------------------------------------------


def test_load_and_generation_are_cut_to_the_window(sandbox: Sandbox) -> None:
    for kind in ("A65", "A75"):
        found = served(sandbox, kind, "2024-05-06T10:07Z", "2024-05-06T12:00Z")
        times = {at for _, at in found}
        assert (min(times), max(times)) == (
            moment("2024-05-06T10:15Z"),
            moment("2024-05-06T11:45Z"),
        )


def test_prices_are_served_by_the_whole_market_day(sandbox: Sandbox) -> None:
    for start, end, first, last in (
        ("2024-05-06T10:07Z", "2024-05-06T10:08Z", "2024-05-05T22:00Z", "2024-05-06T22:00Z"),
        ("2024-05-06T21:59Z", "2024-05-06T22:00Z", "2024-05-05T22:00Z", "2024-05-06T22:00Z"),
        ("2024-05-06T21:59Z", "2024-05-06T22:01Z", "2024-05-05T22:00Z", "2024-05-07T22:00Z"),
        ("2024-10-27T05:00Z", "2024-10-27T06:00Z", "2024-10-26T22:00Z", "2024-10-27T23:00Z"),
    ):
        response = ask(sandbox, query("A44", start, end, FR))
        root = ET.fromstring(response.content)
        assert moment(text_at(root, "period.timeInterval", "start") or "") == moment(first)
        assert moment(text_at(root, "period.timeInterval", "end") or "") == moment(last)
        times = [slot.start for slot in expand(response.content, "price.amount")]
        assert (min(times), max(times)) == (moment(first), moment(last) - timedelta(hours=1))


def test_windows_that_are_too_wide(sandbox: Sandbox) -> None:
    # The local May: a calendar month by the clock on the wall, not on the stamps of UTC.
    response = ask(sandbox, query("A65", "2025-04-30T22:00Z", "2025-05-31T22:00Z"))
    assert refusal(response, 400) == (
        "Provided time interval (2025-04-30T22:00:00Z - 2025-05-31T22:00:00Z) is larger than "
        "maximum allowed period 'P1M' for 'ACTUAL_TOTAL_LOAD_R3:XML' export."
    )
    response = ask(sandbox, query("A75", "2025-04-30T22:00Z", "2025-05-30T22:00Z"))
    assert len(expand(response.content, "quantity")) > 50_000
    response = ask(sandbox, query("A44", "2024-01-01T00:00Z", "2025-01-01T00:01Z"))
    assert "'P1Y'" in refusal(response, 400)


def test_prices_by_the_hundred(sandbox: Sandbox) -> None:
    window = "2023-12-31T23:00Z", "2024-04-30T22:00Z"
    text = refusal(ask(sandbox, query("A44", *window)), 400)
    start, _, rest = text.partition("(")
    count = int(rest.partition(")")[0])
    assert start == "The number of instances "
    assert rest == f"{count}) exceeds the allowed maximum (100) for data item ENERGY_PRICES."
    # Two auctions on 121 days, and what comes twice.
    assert 242 <= count < 300
    found: dict[Any, Any] = {}
    sizes = []
    for offset in range(0, 4_801, 100):
        response = ask(sandbox, query("A44", *window, offset=str(offset)))
        if "No matching data" in response.text:
            break
        read = expand(response.content, "price.amount")
        sizes.append(len(children(ET.fromstring(response.content), "TimeSeries")))
        found |= last_of_each(read)
    assert sizes[:-1] == [100] * (len(sizes) - 1) and sum(sizes) == count
    assert found == true(sandbox, "A44", *window)
    assert "not valid" in refusal(ask(sandbox, query("A44", *window, offset="4900")), 400)


def test_nothing_to_tell(sandbox: Sandbox) -> None:
    for params in (
        query("A65", "2030-01-01T00:00Z", "2030-01-02T00:00Z"),
        query("A75", "2010-01-01T00:00Z", "2010-01-02T00:00Z"),
        query("A44", *DAY, "10YCY-1001A0003J"),
        query("A65", "2021-06-15T00:00Z", "2021-06-16T00:00Z", GB),
        query("A44", *DAY, GB),
    ):
        assert refusal(ask(sandbox, params), 200).startswith("No matching data found for Data item")
    text = refusal(ask(sandbox, query("A65", *DAY, "10YCY-1001A0003J")), 200)
    assert text == (
        "No matching data found for Data item ACTUAL_TOTAL_LOAD_R3 [6.1.A] (10YCY-1001A0003J) and "
        "interval 2024-03-29T23:00:00Z/2024-03-30T23:00:00Z."
    )
    early = query("A65", "2021-06-10T00:00Z", "2021-06-10T01:00Z", GB)
    assert {slot.minutes for slot in expand(ask(sandbox, early).content, "quantity")} == {30}


def test_wrong_queries(sandbox: Sandbox) -> None:
    good = query("A65", *DAY)
    for params, words in (
        ({}, "check you request against dependency tables"),
        ({**good, "documentType": "A01"}, "check you request against dependency tables"),
        ({**good, "outBiddingZone_Domain": "10YXX----------X"}, "10YXX----------X is not valid"),
        ({**good, "colour": "green"}, "Input parameter does not exist: colour"),
        ({**good, "periodStart": "now"}, "is not valid"),
    ):
        assert words in refusal(ask(sandbox, params), 400)


def test_names_of_parameters_in_any_case_and_another_form_of_the_window(sandbox: Sandbox) -> None:
    plain = ask(sandbox, query("A44", *DAY)).content
    for change in (str.upper, str.lower):
        params = {change(name): value for name, value in query("A44", *DAY).items()}
        assert ask(sandbox, params).content == plain
    params = query("A65", *DAY)
    plain = ask(sandbox, params).content
    for name in ("periodStart", "periodEnd"):
        del params[name]
    assert ask(sandbox, {**params, "timeInterval": "/".join(DAY)}).content == plain


# --- the token, the limit, the transport ----------------------------------------------------


def test_both_ways_of_the_token(sandbox: Sandbox) -> None:
    settings = sandbox.settings()
    url, token = settings["ENTSOE_BASE_URL"], settings["ENTSOE_API_TOKEN"]
    assert url == f"{sandbox.url}/entsoe/api" and token.startswith("synthetic-token-")
    params = query("A44", *DAY)
    for more, headers, status in (
        ({}, {"SECURITY_TOKEN": token}, 200),
        ({}, {"security_token": token}, 200),
        ({"securityToken": token}, {}, 200),
        ({"securitytoken": token}, {}, 200),
        ({}, {}, 401),
        ({"securityToken": "x"}, {}, 401),
        ({}, {"SECURITY_TOKEN": "x"}, 401),
        ({}, {"SECURITY_TOKEN": ""}, 401),
    ):
        response = requests.get(url, params={**params, **more}, headers=headers, timeout=10)
        assert response.status_code == status
        if status == 401:
            assert refusal(response, 401) == "Authentication failed."
    # A wrong query is not judged before the token is.
    assert requests.get(url, timeout=10).status_code == 401


def test_the_ban_and_its_end(sandbox: Sandbox) -> None:
    sandbox.limits = {"entsoe": Limit(requests_per_min=5, ban_s=0.5)}
    params = query("A44", *DAY, FR)
    assert [ask(sandbox, params).status_code for _ in range(5)] == [200] * 5
    banned = ask(sandbox, params)
    assert banned.status_code == 429
    assert (
        banned.text == "Max allowed requests per minute from each unique IP is max up to 400 only"
    )
    assert "Retry-After" not in banned.headers
    assert [ask(sandbox, {}).status_code for _ in range(3)] == [429] * 3
    base = sandbox.settings()["ELEXON_BASE_URL"]
    assert requests.get(f"{base}/datasets/FREQ", timeout=10).status_code == 200
    time.sleep(0.6)
    assert ask(sandbox, params).status_code == 200


def test_the_limit_of_400_is_real(sandbox: Sandbox) -> None:
    sandbox.limits = None
    settings = sandbox.settings()
    with requests.Session() as session:
        session.headers["SECURITY_TOKEN"] = settings["ENTSOE_API_TOKEN"]
        url, params = settings["ENTSOE_BASE_URL"], query("A44", *DAY, "10YCY-1001A0003J")
        statuses = [session.get(url, params=params, timeout=10).status_code for _ in range(402)]
    assert statuses == [200] * 400 + [429] * 2


def test_gzip_only_on_request(sandbox: Sandbox) -> None:
    plain = ask(sandbox, query("A65", *DAY), **{"Accept-Encoding": "identity"})
    zipped = ask(sandbox, query("A65", *DAY), **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) < len(plain.content) / 3
    assert plain.content == zipped.content


def test_other_paths_and_methods(sandbox: Sandbox) -> None:
    url = sandbox.settings()["ENTSOE_BASE_URL"]
    token = {"SECURITY_TOKEN": sandbox.settings()["ENTSOE_API_TOKEN"]}
    assert requests.get(f"{url}/load", headers=token, timeout=10).status_code == 404
    assert requests.post(url, data=b"<a/>", headers=token, timeout=10).status_code == 404


def test_a_month_of_generation_is_fast(sandbox: Sandbox) -> None:
    ask(sandbox, query("A75", *DAY))
    params = query("A75", "2023-03-01T00:00Z", "2023-04-01T00:00Z")
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        response = ask(sandbox, params)
        taken.append(time.perf_counter() - started)
    assert len(expand(response.content, "quantity")) > 45_000
    # Measured at 0.2 s and 0.04 s; the bounds are for a machine that is busy.
    assert taken[0] < 2.0 and taken[1] < taken[0]


# --- what changes with time -----------------------------------------------------------------


def test_restated_days(sandbox: Sandbox) -> None:
    day = ("2024-06-04T22:00Z", "2024-06-05T22:00Z")
    for kind in ("A65", "A75"):
        seen, created = [], []
        for now in ("2024-06-06T09:00Z", "2024-06-06T12:00Z", "2024-06-08T12:00Z"):
            sandbox.now = now
            seen.append(served(sandbox, kind, *day))
            root = ET.fromstring(ask(sandbox, query(kind, *day)).content)
            created.append(text_at(root, "createdDateTime") or "")
            assert seen[-1] == true(sandbox, kind, *day)
        assert seen[0].keys() == seen[1].keys() == seen[2].keys()
        assert seen[0] != seen[1] != seen[2]
        assert created == sorted(set(created))


def test_sequence_1_is_late_on_one_day(sandbox: Sandbox) -> None:
    window = "2024-06-25T22:00Z", "2024-06-26T22:00Z"
    for now, sequences in (
        ("2024-06-25T10:44Z", set()),
        ("2024-06-25T10:45Z", {"2"}),
        ("2024-06-26T13:59Z", {"2"}),
        ("2024-06-26T14:00Z", {"1", "2"}),
    ):
        sandbox.now = now
        response = ask(sandbox, query("A44", *window))
        found = [] if b"999" in response.content else expand(response.content, "price.amount")
        assert {slot.key[0] for slot in found} == sequences
        french = ask(sandbox, query("A44", *window, FR))
        assert ("No matching" in french.text) == (not sequences)


def test_history_holds_every_publication(sandbox: Sandbox) -> None:
    window = ("entsoe_load", "2024-06-04T22:00Z", "2024-06-05T22:00Z")
    history = sandbox.history(*window)["columns"]
    truth = sandbox.truth(*window)["columns"]
    assert (np.diff(history["publish_time"]) >= np.timedelta64(0, "s")).all()
    last: dict[Any, float] = {}
    for zone, at, value in zip(history["zone"], history["time"], history["load_mw"], strict=True):
        last[zone, at] = float(value)
    keys = zip(truth["zone"], truth["time"], strict=True)
    assert [last[key] for key in keys] == truth["load_mw"].tolist()
    assert len(history["time"]) > len(truth["time"])


# --- faults ---------------------------------------------------------------------------------


def clean_and_hit(sandbox: Sandbox, fault: Fault, kind: str = "A65") -> tuple[bytes, bytes]:
    sandbox.faults = ()
    clean = ask(sandbox, query(kind, *DAY)).content
    sandbox.faults = [fault]
    return clean, ask(sandbox, query(kind, *DAY)).content


def test_status_faults(sandbox: Sandbox) -> None:
    for kind, status in (("429", 429), ("429-retry-after", 429), ("500", 500), ("503", 503)):
        sandbox.faults = [Fault(kind)]
        response = ask(sandbox, query("A65", *DAY))
        assert response.status_code == status
        if status == 429:
            assert response.text.startswith("Max allowed requests per minute")
        else:
            assert response.headers["Content-Type"].startswith("text/html")
    sandbox.faults = [Fault("html-200")]
    response = ask(sandbox, query("A65", *DAY))
    assert (response.status_code, "maintenance" in response.text) == (200, True)
    sandbox.faults = [Fault("truncated")]
    with pytest.raises(requests.exceptions.RequestException):
        ask(sandbox, query("A65", *DAY))


def test_bodies_that_cannot_be_read(sandbox: Sandbox) -> None:
    for fault in (Fault("truncated-json"), Fault("garbled")):
        for kind in ("A65", "A75", "A44"):
            clean, hit = clean_and_hit(sandbox, fault, kind)
            ET.fromstring(clean)
            with pytest.raises(ET.ParseError):
                ET.fromstring(hit)
    sandbox.faults = [Fault("garbled", gzipped=True)]
    with pytest.raises(requests.exceptions.ContentDecodingError):
        ask(sandbox, query("A65", *DAY))


def test_empty(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("empty")]
    assert "No matching data" in refusal(ask(sandbox, query("A65", *DAY)), 200)


@pytest.mark.parametrize("kind", ["A65", "A75", "A44"])
def test_faults_of_rows(sandbox: Sandbox, kind: str) -> None:
    value = "price.amount" if kind == "A44" else "quantity"

    def series(body: bytes) -> int:
        return len(children(ET.fromstring(body), "TimeSeries"))

    clean, hit = clean_and_hit(sandbox, Fault("duplicates", fraction=0.5), kind)
    assert series(hit) == series(clean) + max(1, round(series(clean) / 2))
    assert last_of_each(expand(hit, value)) == last_of_each(expand(clean, value))
    assert len(expand(hit, value)) > len(expand(clean, value))

    clean, hit = clean_and_hit(sandbox, Fault("dropped", fraction=0.25), kind)
    before, after = (last_of_each(expand(body, value)) for body in (clean, hit))
    assert after.items() < before.items()
    assert 0.7 < len(after) / len(before) < 0.8

    clean, hit = clean_and_hit(sandbox, Fault("revised"), kind)
    before, after = (last_of_each(expand(body, value)) for body in (clean, hit))
    assert before.keys() == after.keys()
    assert all(before[key] != after[key] for key in before)
    roots = [ET.fromstring(body) for body in (clean, hit)]
    assert [text_at(root, "revisionNumber") for root in roots] == ["1", "2"]
    created = [text_at(root, "createdDateTime") or "" for root in roots]
    assert created[0] < created[1]

    clean, hit = clean_and_hit(sandbox, Fault("wrong-type"), kind)
    assert hit.count(b">n/a<") == max(1, round(0.01 * clean.count(b"<Point>")))
    ET.fromstring(hit)

    clean, hit = clean_and_hit(sandbox, Fault("extra", field="note", value="new"), kind)
    assert hit.count(b"<note>new</note>") == clean.count(b"<Point>")
    assert expand(hit, value) == expand(clean, value)

    clean, hit = clean_and_hit(sandbox, Fault("renamed"), kind)
    assert f"<{value}>".encode() not in hit
    assert expand(hit, f"{value}Value") == expand(clean, value)
    clean, hit = clean_and_hit(sandbox, Fault("renamed", field="resolution", value="step"), kind)
    assert (hit.count(b"<step>"), hit.count(b"</step>")) == (clean.count(b"<resolution>"),) * 2


def test_faults_are_limited_to_a_kind_of_document(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("503", path="documentType=A44")]
    assert ask(sandbox, query("A65", *DAY)).status_code == 200
    assert ask(sandbox, query("A44", *DAY)).status_code == 503


def test_requests_are_recorded(sandbox: Sandbox) -> None:
    params = query("A65", *DAY)
    response = ask(sandbox, params, **{"Accept-Encoding": "gzip"})
    ask(sandbox, {})
    first, second = sandbox.requests
    assert (first.path, first.params, first.status) == ("/entsoe/api", params, 200)
    assert first.bytes == int(response.headers["Content-Length"])
    assert len(gzip.compress(response.content)) < first.bytes * 2
    assert second.status == 400
