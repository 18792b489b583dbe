"""Trades, imbalance prices and compensation prices of one bidding zone; money in EUR/MWh."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np

from sandbox.calendar import DAY_S
from sandbox.noise import chance, octaves
from sandbox.vpp.clock import HOUR_S, QUARTER_S
from sandbox.wind_solar import solar_height

EXPORT_S = {"private": 12 * HOUR_S, "public": 24 * HOUR_S}
OVERLAP_S = 2 * HOUR_S

# Nobody trades these quarter hours in public; a fallback must be declared.
QUIET_HOURS = (3,)
# Of these the final imbalance price never comes, and the estimate of the second one is doubtful.
FINAL_HOLES = (24, 25, 26)
DOUBTFUL = 25

_PRICE = ((36 * HOUR_S, 22.0), (8 * HOUR_S, 16.0), (2 * HOUR_S, 9.0), (QUARTER_S, 4.0))


@dataclass(frozen=True)
class Trade:
    """One trade, however often and in however many files it is written.

    `start` and `end` are epoch seconds, `execution_ms` epoch milliseconds. `volume` is in `unit`,
    MW or MWH. A public trade may be listed with both its legs; `sides` then holds both.
    """

    trade_id: str
    sides: tuple[str, ...]
    start: int
    end: int
    execution_ms: int
    price: Decimal
    volume: Decimal
    unit: str

    @property
    def hours(self) -> Decimal:
        """The length of the delivery, in hours."""
        return Decimal(self.end - self.start) / HOUR_S

    @property
    def mwh(self) -> Decimal:
        """The energy of the trade."""
        return self.volume if self.unit == "MWH" else self.volume * self.hours

    @property
    def mw(self) -> Decimal:
        """The mean power of the trade."""
        return self.volume if self.unit == "MW" else self.volume / self.hours


@dataclass(frozen=True)
class ImbalancePrice:
    """The imbalance prices of a quarter hour: final (None in a hole) and estimated."""

    start: int
    final_short: Decimal | None
    final_long: Decimal | None
    estimate: Decimal | None
    status: int | None

    def as_known(self, *, final: bool, estimate: bool) -> ImbalancePrice:
        """Return what of it is known when the final or the estimated prices are not out yet."""
        return ImbalancePrice(
            self.start,
            self.final_short if final else None,
            self.final_long if final else None,
            self.estimate if estimate else None,
            self.status if estimate else None,
        )


class Market:
    """Every price and trade under one seed, as pure functions of the UTC day."""

    def __init__(self, seed: int, *, dirt: bool) -> None:
        self.seed = seed
        self.dirt = dirt
        self._levels = lru_cache(maxsize=512)(self._make_levels)

    def price(self, start: int, label: str = "price") -> float:
        """Return the level of the market in a quarter hour; from 12:00 to 12:30 UTC it is negative."""
        day, second = divmod(start, DAY_S)
        level = self._levels(day)[second // QUARTER_S]
        level += 6.0 * (chance(self.seed, f"vpp/{label}", start) - 0.5)
        if second // 1_800 == 24:
            level = -4.0 - 20.0 * chance(self.seed, "vpp/dip", start)
        return level

    def compensation(self, start: int) -> Decimal:
        """Return the price at which curtailed energy of a quarter hour is paid."""
        return _cents(self.price(start, "compensation") - 1.5)

    def imbalance(self, day: int) -> list[ImbalancePrice]:
        """Return the imbalance prices of a UTC day."""
        rows = []
        for n, start in enumerate(range(day * DAY_S, (day + 1) * DAY_S, QUARTER_S)):
            swing = 90.0 * (chance(self.seed, "vpp/imbalance", start) - 0.45)
            level = self.price(start, "imbalance") + swing
            final: Decimal | None = _cents(level)
            long = final
            if final is not None and chance(self.seed, "vpp/two-prices", start) < 0.05:
                long = final - Decimal("7.25")
            hole = n in FINAL_HOLES or chance(self.seed, "vpp/final-hole", start) < 0.03
            if self.dirt and hole:
                final = long = None
            drawn = chance(self.seed, "vpp/status", start)
            status = 1 if n == DOUBTFUL or drawn < 0.03 else 2 if drawn < 0.05 else 0
            guess = _cents(level + 30.0 * (chance(self.seed, "vpp/estimate", start) - 0.5))
            rows.append(ImbalancePrice(start, final, long, guess, status if self.dirt else 0))
        return rows

    def trades(self, kind: str, day: int) -> list[Trade]:
        """Return the trades (`private` or `public`) delivered on a UTC day, by TradeId."""
        found: list[Trade] = []
        for hour in range(24):
            start = day * DAY_S + hour * HOUR_S
            if self.dirt and kind == "public" and hour in QUIET_HOURS:
                continue
            for n in range(2 if kind == "public" else int(1.7 * self._draw(kind, "hour", start))):
                found += self._deal(kind, day, len(found), start, start + HOUR_S, n)
            for quarter in range(start, start + HOUR_S, QUARTER_S):
                drawn = self._draw(kind, "quarters", quarter)
                for n in range(2 + int(2 * drawn) if kind == "public" else int(2.4 * drawn)):
                    found += self._deal(kind, day, len(found), quarter, quarter + QUARTER_S, n)
        return found

    def _draw(self, kind: str, what: str, *index: int) -> float:
        return chance(self.seed, f"vpp/{kind}/{what}", *index)

    def _deal(self, kind: str, day: int, count: int, start: int, end: int, n: int) -> list[Trade]:
        """Return one trade, or the two equal fills that an order was split into."""

        def draw(what: str) -> float:
            return self._draw(kind, what, start, end, n)

        lead = 5 * 60 + 18 * HOUR_S * draw("lead") ** 2
        execution_ms = (start - int(lead)) * 1_000
        if draw("fraction") < 0.6:
            execution_ms += int(1_000 * draw("milliseconds"))
        megawatts = Decimal(1 + int(60 * draw("volume"))) / 10
        in_energy = draw("unit") < 0.2
        hours = Decimal(end - start) / HOUR_S
        sides: tuple[str, ...] = ("SELL",) if draw("side") < 0.75 else ("BUY",)
        if kind == "public" and draw("legs") < 0.3:
            sides = ("BUY", "SELL")
        level = sum(self.price(at) for at in range(start, end, QUARTER_S)) * QUARTER_S
        spread = 5.0 * (draw("spread") - 0.5)
        first = {"private": 1, "public": 5}[kind] * 1_000_000_000 + day * 10_000 + count
        fills = 2 if draw("fills") < 0.12 else 1
        return [
            Trade(
                trade_id=str(first + fill),
                sides=sides,
                start=start,
                end=end,
                execution_ms=execution_ms,
                price=_cents(level / (end - start) + spread),
                volume=megawatts * hours if in_energy else megawatts,
                unit="MWH" if in_energy else "MW",
            )
            for fill in range(fills)
        ]

    def exports(self, kind: str, trades: list[Trade], as_of: int) -> dict[int, list[Trade]]:
        """Return the files of trades by the instant of their export, each with its rows in order.

        Private trades are exported at 00:00 and 12:00 UTC, public ones at 00:00. With dirt each
        private export repeats the trades of the two hours before its window.
        """
        step = EXPORT_S[kind]
        files: dict[int, list[Trade]] = {}
        for trade in sorted(trades, key=lambda one: (one.execution_ms, one.trade_id)):
            export = -(-trade.execution_ms // (step * 1_000)) * step
            again = self.dirt and kind == "private"
            for moment in (export, export + step):
                late = trade.execution_ms > (moment - step - OVERLAP_S) * 1_000
                if moment <= as_of and (moment == export or (again and late)):
                    files.setdefault(moment, []).append(trade)
        return dict(sorted(files.items()))

    def _make_levels(self, day: int) -> list[float]:
        starts = np.arange(day * DAY_S, (day + 1) * DAY_S, QUARTER_S, dtype=np.int64)
        sun = np.maximum(solar_height(starts + 2_760), 0.0)
        level = 78.0 + octaves(self.seed, "vpp/price", _PRICE, starts) - 62.0 * sun
        return [float(one) for one in level]


def _cents(value: float) -> Decimal:
    return Decimal(round(value * 100)).scaleb(-2)
