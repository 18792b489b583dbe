"""How the assets and the portfolio did on a day or in a month, by plain loops in Decimal.

What is summed are figures as they are published, with nine decimals; None is what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.calendar import day_number
from sandbox.vpp import figures
from sandbox.vpp.billing import published, vwaps
from sandbox.vpp.clock import quarter_hours
from sandbox.vpp.figures import QUARTER_H
from sandbox.vpp.truth import Infeed, Truth

PORTFOLIO = "PORTFOLIO"


@dataclass(frozen=True)
class Performance:
    """The sums of an asset or of the portfolio over a day or a month, and the ratios of them."""

    day_quarter_hours: int = 0
    quarter_hours: int = 0
    final_quarter_hours: int = 0
    live_quarter_hours: int = 0
    forecast_quarter_hours: int = 0
    missing_quarter_hours: int = 0
    production_mwh: Decimal | None = None
    capacity_mw: Decimal | None = None
    covered_capacity_mwh: Decimal = Decimal(0)
    compared_quarter_hours: int = 0
    error_mwh: Decimal | None = None
    absolute_error_mwh: Decimal | None = None
    market_value_eur: Decimal | None = None
    priced_mwh: Decimal | None = None
    vwap_sum: Decimal | None = None
    vwap_quarter_hours: int = 0
    revenue_eur: Decimal | None = None
    imbalance_cost_eur: Decimal | None = None
    unknown_cost_quarter_hours: int = 0
    redispatched_quarter_hours: int = 0
    redispatched_mwh: Decimal | None = None

    @property
    def capacity_factor(self) -> Decimal | None:
        """What was produced of what the capacity allows."""
        return _ratio(self.production_mwh, self.covered_capacity_mwh)

    @property
    def bias_mw(self) -> Decimal | None:
        """The mean error; positive is too high a forecast."""
        return _ratio(self.error_mwh, self.compared_quarter_hours * QUARTER_H)

    @property
    def mae_mw(self) -> Decimal | None:
        """The mean size of the error."""
        return _ratio(self.absolute_error_mwh, self.compared_quarter_hours * QUARTER_H)

    @property
    def nmae(self) -> Decimal | None:
        """The mean size of the error by capacity."""
        return _ratio(self.mae_mw, self.capacity_mw)

    @property
    def capture_price(self) -> Decimal | None:
        """What a MWh was worth on the market."""
        return _ratio(self.market_value_eur, self.priced_mwh)

    @property
    def capture_rate(self) -> Decimal | None:
        """That, by the mean price."""
        mean = _ratio(self.vwap_sum, Decimal(self.vwap_quarter_hours))
        return _ratio(self.capture_price, mean)


def performance(
    truth: Truth, days: Iterable[date], zone: str = "UTC", *, tradeable: bool = True
) -> dict[str, Performance]:
    """Return the figures of a delivery day, or of a month of which some days are known, by asset.

    Those of a month are made of its daily ones, as they are published.
    """
    dailies = [_daily(truth, day, zone, tradeable) for day in days]
    if len(dailies) == 1:
        return dailies[0]
    parts: dict[str, list[Performance]] = {}
    for daily in dailies:
        for name, one in daily.items():
            parts.setdefault(name, []).append(_rounded(one))
    found = {}
    for name, ones in parts.items():
        # The portfolio's capacity is one of the whole day, an asset's of its time under contract.
        time = "day_quarter_hours" if name == PORTFOLIO else "quarter_hours"
        weighted = (one.capacity_mw * getattr(one, time) for one in ones if one.capacity_mw)
        total = _added(ones)
        capacity = _ratio(_sum(weighted), Decimal(getattr(total, time)))
        found[name] = replace(total, capacity_mw=capacity)
    return found


def _daily(truth: Truth, day: date, zone: str, tradeable: bool) -> dict[str, Performance]:
    number = day_number(day)
    starts = quarter_hours(number, zone)
    prices = vwaps(truth, [number], zone)
    each: dict[str, list[Performance]] = {}
    errors: dict[int, list[Decimal | None]] = {}
    for view, begin, end in _views(truth, number, starts):
        # Of two contracts for an asset the one counts that is in force.
        contracts = sorted(view.assets(), key=lambda one: one.begin <= day <= one.end)
        capacities = {one.asset_id: one.capacity_mw for one in contracts}
        imbalances = figures.imbalance_costs(view, day, zone, tradeable=tradeable)
        rows = {(row.asset_id, row.start): row for row in view.best_of_infeed([day], zone=zone)}
        for (asset_id, start), row in rows.items():
            if begin <= start < end:
                one = _quarter(
                    truth, row, capacities[asset_id], imbalances[asset_id, start], prices
                )
                each.setdefault(asset_id, []).append(one)
                errors.setdefault(start, []).append(one.error_mwh)
    common: dict[str, Any] = {
        "day_quarter_hours": len(starts),
        "vwap_sum": _sum(prices.values()),
        "vwap_quarter_hours": len(prices),
    }
    assets = {}
    for asset_id, ones in each.items():
        capacity = _ratio(_sum(one.capacity_mw for one in ones), Decimal(len(ones)))
        assets[asset_id] = replace(_added(ones), **common, capacity_mw=capacity)
    if not assets:
        return {}
    weighted = (one.capacity_mw * one.quarter_hours for one in assets.values() if one.capacity_mw)
    known = [_sum(ones) for ones in errors.values() if None not in ones]
    whole = replace(
        _added(assets.values()),
        **common,
        capacity_mw=_ratio(_sum(weighted), Decimal(len(starts))),
        compared_quarter_hours=len(known),
        error_mwh=_sum(known),
        absolute_error_mwh=_sum(abs(one) for one in known if one is not None),
        revenue_eur=_revenue(truth, starts),
    )
    return assets | {PORTFOLIO: whole}


def _quarter(
    truth: Truth,
    row: Infeed,
    capacity: Decimal,
    imbalance: figures.Imbalance,
    prices: Mapping[int, Decimal],
) -> Performance:
    """Return the figures of an asset and a quarter hour."""
    energy = None if row.energy_mwh is None else published(Decimal(row.energy_mwh))
    price = prices.get(row.start)
    error = _published(imbalance.imbalance_mwh)
    cost = _published(imbalance.cost_eur)
    forecast = figures.told(truth, row.asset_id, row.start, tradeable=False)
    return Performance(
        quarter_hours=1,
        final_quarter_hours=int(row.source == "final"),
        live_quarter_hours=int(row.source == "live"),
        forecast_quarter_hours=int(row.source == "forecast"),
        missing_quarter_hours=int(row.source is None),
        production_mwh=energy,
        capacity_mw=capacity,
        covered_capacity_mwh=Decimal(0) if row.source is None else capacity * QUARTER_H,
        compared_quarter_hours=int(error is not None),
        error_mwh=error,
        absolute_error_mwh=None if error is None else abs(error),
        market_value_eur=None if energy is None or price is None else energy * price,
        priced_mwh=None if price is None else energy,
        imbalance_cost_eur=cost,
        unknown_cost_quarter_hours=int(cost is None),
        redispatched_quarter_hours=int(row.redispatched),
        redispatched_mwh=forecast.energy_mwh if row.redispatched and forecast else None,
    )


def _views(truth: Truth, day: int, starts: range) -> Iterator[tuple[Truth, int, int]]:
    """Yield the truth under each snapshot that holds on a day, with the span in which it does."""
    known = [one for one in truth.snapshots if one.instant <= truth.as_of]
    ends = [one.instant for one in known[1:]] + [starts.stop]
    for snapshot, end in zip(known, ends, strict=False):
        if snapshot.instant < starts.stop and end > starts.start:
            # The folder may have been written for other days than the one that is asked for.
            yield replace(truth, days=(day,), snapshots=(snapshot,)), snapshot.instant, end


def _revenue(truth: Truth, starts: range) -> Decimal | None:
    """Return what the trades earn; without one nothing tells whether there were any."""
    found = figures.traded(truth.private_trades, (), starts)
    if not any(one.trades for one in found.values()):
        return None
    return sum((published(one.pnl) for one in found.values()), Decimal(0))


def _added(parts: Iterable[Performance]) -> Performance:
    """Return the sums of all figures; where there is nothing to sum there is no sum."""
    parts = list(parts)
    sums: dict[str, Any] = {
        field.name: _sum(getattr(part, field.name) for part in parts)
        for field in fields(Performance)
    }
    return Performance(**sums)


def _rounded(one: Performance) -> Performance:
    values: dict[str, Any] = {
        name: published(value) for name, value in vars(one).items() if isinstance(value, Decimal)
    }
    return replace(one, **values)


def _published(value: Decimal | None) -> Decimal | None:
    return None if value is None else published(value)


def _sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def _ratio(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return None if part is None or not whole else part / whole
