"""Reserves under contract and capacity procured: bids of market days, a TimeSeries each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sandbox.calendar import market_day_of, start_of_market_day
from sandbox.entsoe.climates import CLIMATES
from sandbox.entsoe.curves import tag
from sandbox.entsoe.layout import Period, TimeSeries, texts
from sandbox.entsoe.zones import BY_KEY
from sandbox.grid import Columns
from sandbox.noise import chance

PROCESSES = ("A51", "A52", "A47")
DAILY = "A01"
# Symmetric for containment, upwards and downwards for the others.
_WAYS = {"A51": ("A01", "A02"), "A52": ("A03",), "A47": ("A01", "A02")}
_BLOCK_S = 4 * 3_600
# Both are told at nine in the morning of the day before.
_TOLD_S = -54_000
_PAIRED = ("quantity", "procurement_Price.amount")


@dataclass(frozen=True)
class Contract:
    """What was agreed: power and its price for blocks of four hours, from `start` on."""

    process: str
    direction: str
    psr: str
    start: int
    end: int
    step_s: int
    quantities: tuple[float, ...]
    prices: tuple[float, ...]

    def blocks(self) -> list[int]:
        """Return where each block starts; the last of a day ends with it."""
        return [self.start + _BLOCK_S * n for n in range(len(self.quantities))]


def contracts(
    item: str, seed: int, zone: str, process: str, first: int, end: int, now: int
) -> list[Contract]:
    """Return what was agreed for the market days that a window touches."""
    days = range(market_day_of(first), market_day_of(end - 1) + 1) if end > first else range(0)
    make = _reserves if item == "contracted_reserves" else _procured
    return [
        each
        for day in days
        if BY_KEY[zone].coupled and BY_KEY[zone].is_open(day)
        if start_of_market_day(day) + _TOLD_S <= now
        for each in make(seed, zone, process, day)
        if item == "contracted_reserves" or (each.start < end and each.end > first)
    ]


def told(contract: Contract) -> int:
    """Return when a contract was told."""
    return start_of_market_day(market_day_of(contract.start)) + _TOLD_S


def _size(zone: str) -> float:
    return float(CLIMATES[zone].demand[0])


def _reserves(seed: int, zone: str, process: str, day: int) -> Iterator[Contract]:
    """Yield a contract for each direction of a day."""
    start, end = start_of_market_day(day), start_of_market_day(day + 1)
    for way in _WAYS[process]:
        label = f"entsoe/{zone}/reserves/{process}/{way}"
        blocks = range(-(-(end - start) // _BLOCK_S))
        share = {"A51": 0.02, "A52": 0.008, "A47": 0.025}[process]
        # Power is bought for the day, prices are by the block and often equal.
        bought = round(_size(zone) * share * (0.9 + 0.2 * chance(seed, f"{label}/mw", day)))
        prices = [
            round(3.0 + 15.0 * chance(seed, f"{label}/price", day, block // 2), 2)
            for block in blocks
        ]
        yield Contract(
            process, way, "A04", start, end, 3_600, (float(bought),) * len(blocks), tuple(prices)
        )


def _procured(seed: int, zone: str, process: str, day: int) -> Iterator[Contract]:
    """Yield the bids that were taken for each block of a day."""
    start, end = start_of_market_day(day), start_of_market_day(day + 1)
    bids = 30 if zone == "DE_50HZ" else 4
    for begin in range(start, end, _BLOCK_S):
        for way in reversed(_WAYS[process]):
            price = 1.0
            for bid in range(bids):
                label = f"entsoe/{zone}/procured/{process}/{way}/{bid}"
                price = round(price + 0.4 * chance(seed, f"{label}/price", begin), 2)
                power = 1.0 + int(20 * chance(seed, f"{label}/mw", begin))
                until = min(begin + _BLOCK_S, end)
                yield Contract(process, way, "A03", begin, until, 900, (power,), (price,))


def series(zone: str, contract: Contract) -> TimeSeries:
    """Return a contract as it stands in a document."""
    standard = "A03" if contract.psr == "A04" else "A01"
    before = (
        tag("businessType", "B95"),
        tag("type_MarketAgreement.type", DAILY),
        f"    {tag('standard_MarketProduct.marketProductType', standard)}",
        f"  {tag('mktPSRType.psrType', contract.psr)}",
        tag("flowDirection.direction", contract.direction),
        tag("currency_Unit.name", BY_KEY[zone].currency),
        tag("quantity_Measure_Unit.name", "MAW"),
        tag("price_Measure_Unit.name", "MAW"),
    )
    pairs = list(zip(contract.quantities, contract.prices, strict=True))
    kept = [n for n in range(len(pairs)) if n == 0 or pairs[n] != pairs[n - 1]]
    columns = [texts(np.array([pairs[n][field] for n in kept])) for field in (0, 1)]
    period = Period(
        contract.start,
        contract.end,
        {900: "PT15M", 3_600: "PT60M"}[contract.step_s],
        [n * _BLOCK_S // contract.step_s + 1 for n in kept],
        columns[0],
        ((_PAIRED[1], columns[1]),),
    )
    return TimeSeries(before, "A03", (), [period])


def rows(item: str, zone: str, contract: Contract, number: int) -> Columns:
    """Return the truth of a contract: a row for each slot of its resolution.

    Slots are given because a document may leave out a point that equals the one before.
    """
    starts = np.arange(contract.start, contract.end, contract.step_s, dtype=np.int64)
    block = (starts - contract.start) // _BLOCK_S
    count = len(starts)
    return {
        "zone": np.full(count, zone),
        "time": starts,
        "resolution_s": np.full(count, contract.step_s, dtype=np.int64),
        "process": np.full(count, contract.process),
        "contract": np.full(count, DAILY),
        "direction": np.full(count, contract.direction),
        "psr_type": np.full(count, contract.psr),
        "bid": np.full(count, number, dtype=np.int64),
        "quantity_mw": np.array(contract.quantities)[block],
        "price_per_mw": np.array(contract.prices)[block],
        "currency": np.full(count, BY_KEY[zone].currency),
        "publish_time": np.full(count, told(contract), dtype=np.int64),
    }
