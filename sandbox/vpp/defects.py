"""Files that no reader can take as they are, each listed with what is wrong and where.

They all belong to one day a week before the first delivery day, so that what a reader does with
the rest of a broken file (takes it or leaves it) changes no figure of the delivery days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.calendar import DAY_S
from sandbox.vpp import files, market_files
from sandbox.vpp.clock import HOUR_S, QUARTER_S, day_start
from sandbox.vpp.files import File
from sandbox.vpp.infeed import VERSION_ROWS, Infeed
from sandbox.vpp.market import Market

DAYS_BEFORE = 7
UNKNOWN_ASSET = "WIND_99"
UNKNOWN_POINT = f"DE00099{99:026d}"


@dataclass(frozen=True)
class Defect:
    """One fault: the file (relative, with /), its line from 1 or None, the place and the reason."""

    file: str
    line: int | None
    place: str
    reason: str


def broken_files(infeed: Infeed, market: Market, day: int) -> Iterator[tuple[File, list[Defect]]]:
    """Yield every broken file of a day with its defects."""
    yield from _final(infeed, day)
    yield from _live(infeed, day)
    yield from _forecasts(infeed, day)
    yield _trades(market, day)
    yield _imbalance(market, day)
    yield _redispatch(infeed, day)


def _final(infeed: Infeed, day: int) -> Iterator[tuple[File, list[Defect]]]:
    first, second, third = infeed.plants[:3]
    cases = (
        (first, "n/a", "a word where a number belongs"),
        (second, "12.500,7", "three columns where the header has two"),
        (third, '"812,5"', "a decimal comma where a point belongs"),
    )
    for plant, spoilt, reason in cases:
        rows = files.final_rows(infeed.final(plant, day))
        rows[3][1] = spoilt
        name = files.final_name(plant.metering_point, day)
        body = files.table(files.final_header(plant.metering_point), rows)
        yield (name, body), [Defect(name, 5, "column 2", reason)]
    name = files.final_name(UNKNOWN_POINT, day)
    body = files.table(
        files.final_header(UNKNOWN_POINT), files.final_rows(infeed.final(first, day))
    )
    yield (name, body), [Defect(name, 1, "header", "no asset has this metering point")]


def _live(infeed: Infeed, day: int) -> Iterator[tuple[File, list[Defect]]]:
    first, second, third = infeed.plants[:3]
    # Around noon, when the sun shines as well.
    start = day_start(day, "Europe/Berlin") + 10 * HOUR_S
    end = start + 4 * HOUR_S

    name, body = files.live(first, day, infeed.live(first, start, end), dirt=True)
    cut = body[: len(body) // 2]
    yield (name, cut), [Defect(name, None, f"byte {len(cut)}", "the JSON breaks off half-way")]

    watts = [(at, round(power * 1_000, 3)) for at, power in infeed.live(second, start, end)]
    reason = "the unit says kW, the values are W: a thousand times the capacity"
    name, body = files.live(second, day, watts, dirt=True)
    yield (name, body), [Defect(name, None, "units", reason)]

    samples = infeed.live(third, start, end)
    key = {"asset_id": third.asset_id, "type_id": "live_measured_infeed"}
    columns: dict[str, tuple[str, list[float]]] = {
        "timestamp": ("ms", [float(at) for at, _ in samples]),
        "value": ("kW", [power for _, power in samples[:-2]]),
        "quality": ("factor", [1.0] * len(samples)),
    }
    name = files.live_name(third.asset_id, day)
    reason = "the column value is two cells shorter than the others"
    yield (name, files.columnar(key, columns)), [Defect(name, None, "values[1]", reason)]


def _forecasts(infeed: Infeed, day: int) -> Iterator[tuple[File, list[Defect]]]:
    first, second, third = infeed.plants[:3]
    version = day * DAY_S + 10 * HOUR_S
    power = infeed.forecast(first, version)

    off = version + 7 * 60
    name = files.forecast_name(first.asset_id, off)
    reason = "the version 10:07 is not on a quarter hour"
    body = files.forecast_body(first.asset_id, off, power)
    yield (name, body), [Defect(name, None, "column version", reason)]

    name = files.forecast_name(UNKNOWN_ASSET, version)
    body = files.forecast_body(UNKNOWN_ASSET, version, power)
    yield (name, body), [Defect(name, None, "key", f"no contract knows the asset {UNKNOWN_ASSET}")]

    words: list[object] = [*infeed.forecast(second, version)]
    words[17] = "1234,5"
    name = files.forecast_name(second.asset_id, version)
    body = files.forecast_body(second.asset_id, version, words)
    reason = "a text with a decimal comma where a number belongs"
    yield (name, body), [Defect(name, None, "values[3][17]", reason)]

    # Minutes since 1970 are below 1e11 as seconds are.
    starts = [(version + n * QUARTER_S) // 60 for n in range(VERSION_ROWS)]
    times = (starts, [start + 15 for start in starts], starts[:1] * VERSION_ROWS)
    name = files.forecast_name(third.asset_id, version)
    body = files.forecast_body(
        third.asset_id, version, infeed.forecast(third, version), times=times
    )
    reason = "the unit says ms, the values are minutes: read as seconds they lie in 1970"
    yield (name, body), [Defect(name, None, "units", reason)]


def _trades(market: Market, day: int) -> tuple[File, list[Defect]]:
    rows = market.trades("private", day)[:12]
    export = (day + 1) * DAY_S
    name, body = market_files.trades("private", export, rows, dirt=True)
    lines = body.decode("utf-8").split("\n")
    columns = market_files.TRADE_HEADER.split(";")
    found = []
    for line, column, text, reason in (
        (4, "Price", "54,20", "a decimal comma where a point belongs"),
        (6, "Volume", "viel", "a word where a number belongs"),
        (8, "Side", "HOLD", "a side that is neither SELL nor BUY"),
        (10, "VolumeUnit", "GW", "a unit that is neither MW nor MWH"),
    ):
        cells = lines[line - 1].split(";")
        cells[columns.index(column)] = text
        lines[line - 1] = ";".join(cells)
        found.append(Defect(name, line, f"column {column}", reason))
    lines[11] = ";".join(lines[11].split(";")[:7])
    found.append(Defect(name, 12, "row", "seven columns where the header has nine"))
    return (name, "\n".join(lines).encode("utf-8")), found


def _imbalance(market: Market, day: int) -> tuple[File, list[Defect]]:
    prices = [price for price in market.imbalance(day) if price.final_short is not None]
    name, body = market_files.final_prices(day, prices)
    lines = body.decode("utf-8").split("\n")
    lines[6] += ";1,00"
    cells = lines[8].split(";")
    cells[2] = "25:00"
    lines[8] = ";".join(cells)
    return (name, "\n".join(lines).encode("utf-8")), [
        Defect(name, 7, "row", "ten columns where the header has nine"),
        Defect(name, 9, "column von", "25:00 is no time of day"),
    ]


def _redispatch(infeed: Infeed, day: int) -> tuple[File, list[Defect]]:
    plant = infeed.plants[1]
    start = day * DAY_S + 11 * HOUR_S
    name, body = files.redispatch(plant, start - HOUR_S, (start, start + QUARTER_S))
    body = body.replace(b"true", b"maybe")
    reason = "maybe is neither true nor false"
    return (name, body), [Defect(name, 2, "column is_redispatched", reason)]
