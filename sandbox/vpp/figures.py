"""The figures made from a folder: forecasts, trading and imbalance, by plain loops in Decimal.

Slow, short and easy to believe, and nothing of the project in it. None is what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sandbox.calendar import day_number
from sandbox.vpp.clock import QUARTER_S, quarter_hours
from sandbox.vpp.market import Trade
from sandbox.vpp.truth import Truth

QUARTER_H = Decimal("0.25")
KILO = Decimal(1_000)


class Told(NamedTuple):
    """A forecast: when it was made (None for a portfolio's mixture), and what it says."""

    version: int | None
    power_kw: Decimal
    energy_mwh: Decimal


class PortfolioTold(NamedTuple):
    """The sum of the assets' forecasts, how many there are, and the oldest version among them."""

    power_kw: Decimal
    energy_mwh: Decimal
    assets: int
    oldest: int


class Imbalance(NamedTuple):
    """What an asset, or all of them, deviates from the forecast in a quarter hour, and its cost."""

    forecast_mwh: Decimal | None
    measured_mwh: Decimal | None
    price: Decimal | None
    price_source: str | None
    imbalance_mwh: Decimal | None
    cost_eur: Decimal | None
    unknown_assets: int


@dataclass
class Traded:
    """What was traded for a quarter hour or a day; a VWAP is None without a trade."""

    revenue: Decimal = Decimal(0)
    pnl: Decimal = Decimal(0)
    sell: Decimal = Decimal(0)
    buy: Decimal = Decimal(0)
    trades: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    private_eur: Decimal = Decimal(0)
    public_eur: Decimal = Decimal(0)
    public_mwh: Decimal = Decimal(0)
    public_trades: set[str] = field(default_factory=set)
    infeed: Decimal = Decimal(0)

    @property
    def private_vwap(self) -> Decimal | None:
        """The own prices, weighted by volume."""
        volume = self.sell + self.buy
        return self.private_eur / volume if volume else None

    @property
    def public_vwap(self) -> Decimal | None:
        """All prices, weighted by volume."""
        return self.public_eur / self.public_mwh if self.public_mwh else None

    @property
    def spread(self) -> Decimal | None:
        """The private minus the public VWAP."""
        if self.private_vwap is None or self.public_vwap is None:
            return None
        return self.private_vwap - self.public_vwap

    @property
    def open_position(self) -> Decimal:
        """What was sold and is not fed in."""
        return self.sell - self.buy - self.infeed


def told(truth: Truth, asset_id: str, start: int, *, tradeable: bool) -> Told | None:
    """Return the latest (or the latest tradeable) forecast of an asset and quarter hour."""
    found = truth.latest_forecast(asset_id, start, tradeable=tradeable)
    if found is None:
        return None
    power = Decimal(str(found[1]))
    return Told(found[0], power, power / KILO * QUARTER_H)


def portfolio_told(truth: Truth, start: int, *, tradeable: bool) -> PortfolioTold | None:
    """Return the sum of the forecasts that there are for a quarter hour."""
    parts: list[tuple[int, Decimal]] = []
    for contract in truth.assets():
        one = told(truth, contract.asset_id, start, tradeable=tradeable)
        if one is not None and one.version is not None:
            parts.append((one.version, one.power_kw))
    if not parts:
        return None
    power = sum((power for _, power in parts), Decimal(0))
    oldest = min(version for version, _ in parts)
    return PortfolioTold(power, power / KILO * QUARTER_H, len(parts), oldest)


def traded(
    private: Sequence[Trade], public: Sequence[Trade], starts: Iterable[int]
) -> dict[int, Traded]:
    """Return what was traded for each quarter hour; a trade counts in all that it delivers in."""
    found = {start: Traded() for start in starts}
    for trade in private:
        sign = {"SELL": 1, "BUY": -1}[trade.sides[0]]
        if trade.start in found:
            found[trade.start].revenue += sign * trade.mwh * trade.price
            found[trade.start].begun.add(trade.trade_id)
        for start in range(trade.start, trade.end, QUARTER_S):
            if start not in found:
                continue
            here, energy = found[start], trade.mw * QUARTER_H
            here.pnl += sign * energy * trade.price
            here.private_eur += energy * trade.price
            here.trades.add(trade.trade_id)
            if sign > 0:
                here.sell += energy
            else:
                here.buy += energy
    for trade in public:
        for start in range(trade.start, trade.end, QUARTER_S):
            if start in found:
                energy = trade.mw * QUARTER_H
                found[start].public_eur += energy * trade.price
                found[start].public_mwh += energy
                found[start].public_trades.add(trade.trade_id)
    return found


def trading(truth: Truth, day: date, zone: str = "UTC") -> dict[int, Traded]:
    """Return what was traded for each quarter hour of a delivery day, and the infeed."""
    starts = quarter_hours(day_number(day), zone)
    found = traded(truth.private_trades, truth.public_trades, starts)
    for row in truth.best_of_infeed([day], zone=zone):
        if row.power_kw is not None:
            found[row.start].infeed += Decimal(row.power_kw) / KILO * QUARTER_H
    return found


def total(parts: Iterable[Traded]) -> Traded:
    """Return the totals of quarter hours."""
    day = Traded()
    for part in parts:
        day.revenue += part.revenue
        day.pnl += part.pnl
        day.sell += part.sell
        day.buy += part.buy
        day.trades |= part.trades
        day.begun |= part.begun
        day.private_eur += part.private_eur
        day.public_eur += part.public_eur
        day.public_mwh += part.public_mwh
        day.public_trades |= part.public_trades
        day.infeed += part.infeed
    return day


def imbalance_costs(
    truth: Truth, day: date, zone: str = "UTC", *, tradeable: bool = True
) -> dict[tuple[str, int], Imbalance]:
    """Return the imbalance of each asset and quarter hour of a delivery day."""
    found = {}
    for row in truth.best_of_infeed([day], zone=zone):
        measured = None
        if row.source in ("final", "live") and row.power_kw is not None:
            measured = Decimal(row.power_kw) / KILO * QUARTER_H
        forecast = told(truth, row.asset_id, row.start, tradeable=tradeable)
        expected = None if forecast is None else forecast.energy_mwh
        price, source = truth.imbalance_price(row.start) or (None, None)
        deviation = None if measured is None or expected is None else expected - measured
        cost = None if deviation is None or price is None else deviation * price
        found[row.asset_id, row.start] = Imbalance(
            expected, measured, price, source, deviation, cost, int(deviation is None)
        )
    return found


def portfolio_imbalance_costs(
    truth: Truth, day: date, zone: str = "UTC", *, tradeable: bool = True
) -> dict[int, Imbalance]:
    """Return the sums over the assets of which forecast and measurement are known."""
    parts: dict[int, list[Imbalance]] = {}
    rows = imbalance_costs(truth, day, zone, tradeable=tradeable)
    for (_, start), row in rows.items():
        parts.setdefault(start, []).append(row)
    found = {}
    for start, ones in parts.items():
        unknown = 0
        forecast = measured = Decimal(0)
        for one in ones:
            if one.forecast_mwh is None or one.measured_mwh is None:
                unknown += 1
                continue
            forecast += one.forecast_mwh
            measured += one.measured_mwh
        price, source = ones[0].price, ones[0].price_source
        if unknown == len(ones):
            found[start] = Imbalance(None, None, price, source, None, None, unknown)
            continue
        cost = None if price is None else (forecast - measured) * price
        found[start] = Imbalance(
            forecast, measured, price, source, forecast - measured, cost, unknown
        )
    return found
