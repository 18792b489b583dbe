"""The monthly invoices that a folder makes right, by plain loops in Decimal.

Figures are taken as they are published: powers and prices with nine decimals, rounded half to even.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sandbox.calendar import day_number
from sandbox.vpp.clock import day_start, quarter_hours
from sandbox.vpp.figures import KILO, QUARTER_H, told, traded
from sandbox.vpp.fleet import Contract, Snapshot
from sandbox.vpp.truth import Truth

CENT = Decimal("0.01")
NANO = Decimal("1e-9")
PRICE_MODELS = ("fixed", "market")
FEE_MODELS = ("fixed_as_produced", "fixed_for_capacity", "percent_of_market")


class Line(NamedTuple):
    """One line of an invoice in EUR."""

    net: Decimal
    vat: Decimal
    gross: Decimal


class Quarter(NamedTuple):
    """All that an invoice needs of a quarter hour; None is what is not known."""

    source: str
    mwh: Decimal | None
    vwap: Decimal | None = None
    redispatched: bool = False
    forecast_mwh: Decimal | None = None
    compensation: Decimal | None = None


@dataclass(frozen=True)
class Invoice:
    """What the owner of an asset gets for a month; without money where it is not billable."""

    invoice_id: str
    contract_id: str
    asset_id: str
    status: str
    production_mwh: Decimal
    final: int
    live: int
    forecast: int
    missing: int
    unpriced: int
    unpriced_mwh: Decimal
    unknown_redispatch: int
    payout: Line | None
    redispatch: Line | None
    fee: Line | None
    total: Line | None


def published(value: Decimal) -> Decimal:
    """Return a figure as other products find it in the store."""
    return value.quantize(NANO, ROUND_HALF_EVEN)


def line(amount: Decimal, vat_percent: Decimal) -> Line:
    """Return net, VAT and gross of an amount; half a cent is rounded away from zero."""
    net = amount.quantize(CENT, ROUND_HALF_UP)
    vat = (net * vat_percent / 100).quantize(CENT, ROUND_HALF_UP)
    # Adding 0 takes the sign from a -0.00.
    return Line(net + 0, vat + 0, net + vat + 0)


def bill(
    contract: Contract,
    quarters: Sequence[Quarter],
    month: str,
    *,
    vat_percent: Decimal = Decimal(19),
    billable: bool = True,
) -> Invoice:
    """Return the invoice of a contract from the quarter hours that it is billed for."""
    priced = contract.price_model == "market" or contract.fee_model == "percent_of_market"
    production = market_value = redispatch = unpriced_mwh = Decimal(0)
    counts = dict.fromkeys(("final", "live", "forecast", "missing"), 0)
    unpriced = unknown_redispatch = 0
    for quarter in quarters:
        counts[quarter.source] += 1
        if quarter.mwh:
            production += quarter.mwh
            if quarter.vwap is not None:
                market_value += quarter.mwh * quarter.vwap
            elif priced:
                unpriced += 1
                unpriced_mwh += quarter.mwh
        if quarter.redispatched:
            if quarter.forecast_mwh is None or quarter.compensation is None:
                unknown_redispatch += 1
            else:
                redispatch += quarter.forecast_mwh * quarter.compensation
    status = "not_billable"
    payout = compensated = fee = total = None
    if billable and complete(contract):
        payout = line(_payout(contract, production, market_value), vat_percent)
        compensated = line(redispatch, vat_percent)
        kept_back = line(_fee(contract, production, market_value), vat_percent)
        fee = Line(*(0 - part for part in kept_back))
        columns = zip(payout, compensated, fee, strict=True)
        total = Line(*(sum(column, Decimal(0)) for column in columns))
        doubtful = counts["final"] < len(quarters) or unpriced or unknown_redispatch
        status = "provisional" if doubtful else "final"
    return Invoice(
        invoice_id=f"{month}-{contract.contract_id}",
        contract_id=contract.contract_id,
        asset_id=contract.asset_id,
        status=status,
        production_mwh=production,
        final=counts["final"],
        live=counts["live"],
        forecast=counts["forecast"],
        missing=counts["missing"],
        unpriced=unpriced,
        unpriced_mwh=unpriced_mwh,
        unknown_redispatch=unknown_redispatch,
        payout=payout,
        redispatch=compensated,
        fee=fee,
        total=total,
    )


def complete(contract: Contract) -> bool:
    """Tell whether a contract has known models, and all that they need; a capacity of 0 is none."""
    if contract.price_model not in PRICE_MODELS or contract.fee_model not in FEE_MODELS:
        return False
    if contract.fee_model == "fixed_for_capacity" and not contract.capacity_mw:
        return False
    return contract.billable


def _payout(contract: Contract, production: Decimal, market_value: Decimal) -> Decimal:
    if contract.price_model == "market":
        return market_value
    assert contract.price is not None
    return production * contract.price


def _fee(contract: Contract, production: Decimal, market_value: Decimal) -> Decimal:
    if contract.fee_model == "percent_of_market":
        assert contract.fee_percent is not None
        return market_value * contract.fee_percent / 100
    assert contract.fee is not None
    quantity = production if contract.fee_model == "fixed_as_produced" else contract.capacity_mw
    return quantity * contract.fee


def invoices(
    truth: Truth,
    year: int,
    month: int,
    zone: str = "UTC",
    vat_percent: Decimal = Decimal(19),
    fallback: str = "none",
) -> dict[str, Invoice]:
    """Return the invoices of a month by contract; days that the folder does not have are missing.

    `fallback` is the price of a quarter hour without a public trade: none, or that of its day.
    """
    days = month_days(year, month)
    end = min(day_start(days[-1] + 1, zone), truth.as_of)
    contracts = truth.assets(end)
    held = {one.contract_id: _held(one, days) for one in contracts}
    # The folder was written for a few days only, and the month is asked for as a whole.
    view = replace(truth, days=tuple(days), snapshots=(Snapshot(0, contracts),))
    infeed = {(row.asset_id, row.start): row for row in view.best_of_infeed(zone=zone)}
    prices = vwaps(truth, days, zone, fallback)
    found = {}
    for contract in contracts:
        name, asset_id = contract.contract_id, contract.asset_id
        quarters = []
        for start in _starts(held[name], zone):
            # The infeed of an asset is known only while a snapshot names it.
            if asset_id not in {one.asset_id for one in truth.assets(start)}:
                quarters.append(Quarter("missing", None))
                continue
            row = infeed[asset_id, start]
            forecast = told(truth, asset_id, start, tradeable=False)
            power = None if row.power_kw is None else published(Decimal(row.power_kw))
            quarters.append(
                Quarter(
                    source=row.source or "missing",
                    mwh=None if power is None else power / KILO * QUARTER_H,
                    vwap=prices.get(start),
                    redispatched=row.redispatched,
                    forecast_mwh=None if forecast is None else forecast.energy_mwh,
                    compensation=truth.compensation.get(start),
                )
            )
        others = (one for one in contracts if one.asset_id == asset_id and one is not contract)
        alone = not any(set(held[name]) & set(held[other.contract_id]) for other in others)
        if quarters:
            found[name] = bill(
                contract, quarters, f"{year}-{month:02d}", vat_percent=vat_percent, billable=alone
            )
    return found


def month_days(year: int, month: int) -> range:
    """Return the day numbers of a month."""
    after = date(year + month // 12, month % 12 + 1, 1)
    return range(day_number(date(year, month, 1)), day_number(after))


def vwaps(
    truth: Truth, days: Sequence[int], zone: str = "UTC", fallback: str = "none"
) -> dict[int, Decimal]:
    """Return the public VWAP of each quarter hour of some delivery days that has one."""
    prices = {}
    for day in days:
        found = traded((), truth.public_trades, quarter_hours(day, zone))
        money = volume = Decimal(0)
        for start, one in found.items():
            if one.public_vwap is not None:
                prices[start] = published(one.public_vwap)
                money += prices[start] * one.public_mwh
                volume += one.public_mwh
        if fallback == "day" and volume:
            for start in found:
                prices.setdefault(start, published(money / volume))
    return prices


def _starts(days: Sequence[int], zone: str) -> Iterator[int]:
    for day in days:
        yield from quarter_hours(day, zone)


def _held(contract: Contract, days: Sequence[int]) -> list[int]:
    return [day for day in days if day_number(contract.begin) <= day <= day_number(contract.end)]
