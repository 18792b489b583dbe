"""What a correct reader must find in a folder, and the two products computed from it.

Plain loops over plain numbers: slow, short and easy to believe. Nothing here reads a file.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sandbox.calendar import day_number, to_instant
from sandbox.vpp.clock import QUARTER_S, quarter_hours
from sandbox.vpp.fleet import Contract, Snapshot
from sandbox.vpp.market import ImbalancePrice, Trade

HOLD_S = 300
MIN_COVERAGE = 0.5

Moment = str | datetime | int | None
Samples = Sequence[tuple[int, float]]


class LiveRow(NamedTuple):
    """One live sample."""

    asset_id: str
    instant_ms: int
    power_kw: float


class FinalRow(NamedTuple):
    """The final production of a quarter hour."""

    asset_id: str
    start: int
    power_kw: float


class ForecastRow(NamedTuple):
    """The forecast of a quarter hour in one version."""

    asset_id: str
    version: int
    start: int
    power_kw: float


class Infeed(NamedTuple):
    """Best-of-infeed of an asset and a quarter hour; `source` is final, live, forecast or None."""

    asset_id: str
    start: int
    power_kw: float | None
    energy_mwh: float | None
    source: str | None
    redispatched: bool
    live_coverage: float


class PortfolioInfeed(NamedTuple):
    """Best-of-infeed of all assets together, and how many of them came from which source."""

    start: int
    power_kw: float
    energy_mwh: float
    final: int
    live: int
    forecast: int
    missing: int


def live_mean(
    samples: Samples, start: int, *, hold_s: int = HOLD_S, until: int | None = None
) -> tuple[float | None, float]:
    """Return the mean of a quarter hour in kW and its coverage, from (epoch ms, kW) in order.

    A value holds until the next one, at most `hold_s`, and never beyond `until`. The mean is
    weighted by time and clipped below 0; without any value it is None.
    """
    first, last = start * 1_000, (start + QUARTER_S) * 1_000
    if until is not None:
        last = min(last, until * 1_000)
    begin = bisect_left(samples, (first - hold_s * 1_000, float("-inf")))
    covered, total = 0, 0.0
    for at in range(begin, len(samples)):
        instant, power = samples[at]
        if instant >= last:
            break
        end = instant + hold_s * 1_000
        if at + 1 < len(samples):
            end = min(end, samples[at + 1][0])
        length = min(end, last) - max(instant, first)
        if length > 0:
            covered += length
            total += power * length
    if not covered:
        return None, 0.0
    return max(total / covered, 0.0), covered / (QUARTER_S * 1_000)


@dataclass
class Truth:
    """Everything that is written to a folder without fault, by asset; instants are epoch seconds.

    Files of the day of defects are not in it. A time as of which something is asked is epoch
    seconds, a datetime or its text; None is the time as of which the folder was written. Files
    without a time of their own (final production) are known as soon as they are in the folder.
    """

    days: tuple[int, ...]
    as_of: int
    snapshots: tuple[Snapshot, ...]
    live: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    final: dict[str, dict[int, float]] = field(default_factory=dict)
    forecasts: dict[str, dict[int, tuple[float, ...]]] = field(default_factory=dict)
    #: Curtailed quarter hours, each with the instant at which the flag was published.
    redispatch: dict[str, dict[int, int]] = field(default_factory=dict)
    compensation: dict[int, Decimal] = field(default_factory=dict)
    private_trades: tuple[Trade, ...] = ()
    public_trades: tuple[Trade, ...] = ()
    imbalance: dict[int, ImbalancePrice] = field(default_factory=dict)

    def assets(self, as_of: Moment = None) -> tuple[Contract, ...]:
        """Return the contracts of the newest snapshot not later than `as_of`."""
        known = [one for one in self.snapshots if one.instant <= self._at(as_of)]
        return known[-1].contracts if known else ()

    def live_rows(self) -> Iterator[LiveRow]:
        """Yield the live samples."""
        for asset_id, samples in self.live.items():
            for instant_ms, power_kw in samples:
                yield LiveRow(asset_id, instant_ms, power_kw)

    def final_rows(self) -> Iterator[FinalRow]:
        """Yield the final production."""
        for asset_id, values in self.final.items():
            for start, power_kw in values.items():
                yield FinalRow(asset_id, start, power_kw)

    def forecast_rows(self) -> Iterator[ForecastRow]:
        """Yield every version of the forecasts once."""
        for asset_id, versions in self.forecasts.items():
            for version, values in versions.items():
                for n, power_kw in enumerate(values):
                    yield ForecastRow(asset_id, version, version + n * QUARTER_S, power_kw)

    def latest_forecast(
        self,
        asset_id: str,
        start: int,
        *,
        as_of: Moment = None,
        tradeable: bool = False,
        exact: bool = False,
    ) -> tuple[int, float] | None:
        """Return (version, kW) of the latest (or the latest tradeable) forecast of a quarter hour.

        That is the newest version not later than min(start, as_of floored to 15 min), one quarter
        hour earlier than the start if `tradeable`; with `exact` that very version or None.
        """
        now = self._at(as_of) // QUARTER_S * QUARTER_S
        wanted = min(start - QUARTER_S if tradeable else start, now)
        versions = self.forecasts.get(asset_id, {})
        known = sorted(versions)
        at = bisect_right(known, wanted)
        if not at or (exact and wanted not in versions):
            return None
        version = known[at - 1]
        place = (start - version) // QUARTER_S
        values = versions[version]
        return (version, values[place]) if place < len(values) else None

    def live_quarter(
        self, asset_id: str, start: int, *, as_of: Moment = None, hold_s: int = HOLD_S
    ) -> tuple[float | None, float]:
        """Return the live mean of a quarter hour in kW and its coverage, as `live_mean` does."""
        samples = self.live.get(asset_id, [])
        now = self._at(as_of)
        known = bisect_right(samples, (now * 1_000, float("inf")))
        if known < len(samples):
            samples = samples[:known]
        return live_mean(samples, start, hold_s=hold_s, until=now)

    def best_of_infeed(
        self,
        days: Iterable[date] | None = None,
        *,
        zone: str = "UTC",
        as_of: Moment = None,
        hold_s: int = HOLD_S,
        min_coverage: float = MIN_COVERAGE,
    ) -> list[Infeed]:
        """Return a row per asset under contract and quarter hour of the delivery days, in order.

        Final production, else the live mean where its coverage is at least `min_coverage`, else the
        latest forecast, which is 0 where redispatch is flagged. Energy is power times 0.25 h.
        """
        rows = []
        asked = self._asked(days)
        for contract in self.assets(as_of):
            for day in asked:
                for start in quarter_hours(day, zone):
                    rows.append(
                        self._best(contract.asset_id, start, self._at(as_of), hold_s, min_coverage)
                    )
        return rows

    def portfolio_best_of_infeed(
        self,
        days: Iterable[date] | None = None,
        *,
        zone: str = "UTC",
        as_of: Moment = None,
        hold_s: int = HOLD_S,
        min_coverage: float = MIN_COVERAGE,
    ) -> list[PortfolioInfeed]:
        """Return the sums over assets; an asset without a source counts as missing, not as 0."""
        parts: dict[int, list[Infeed]] = {}
        for row in self.best_of_infeed(
            days, zone=zone, as_of=as_of, hold_s=hold_s, min_coverage=min_coverage
        ):
            parts.setdefault(row.start, []).append(row)
        sums = []
        for start in sorted(parts):
            power = sum(row.power_kw for row in parts[start] if row.power_kw is not None)
            counts = Counter(row.source for row in parts[start])
            sums.append(
                PortfolioInfeed(
                    start,
                    power,
                    power / 1_000 * 0.25,
                    counts["final"],
                    counts["live"],
                    counts["forecast"],
                    counts[None],
                )
            )
        return sums

    def imbalance_price(self, start: int) -> tuple[Decimal, str] | None:
        """Return the price that counts and where it is from: `final`, `estimate` or `doubtful`."""
        row = self.imbalance.get(start)
        if row is None:
            return None
        if row.final_short is not None:
            return row.final_short, "final"
        if row.estimate is None:
            return None
        return row.estimate, "doubtful" if row.status else "estimate"

    def _best(
        self, asset_id: str, start: int, now: int, hold_s: int, min_coverage: float
    ) -> Infeed:
        flagged = self.redispatch.get(asset_id, {}).get(start, now + 1) <= now
        live, coverage = self.live_quarter(asset_id, start, as_of=now, hold_s=hold_s)
        forecast = self.latest_forecast(asset_id, start, as_of=now)
        final = self.final.get(asset_id, {}).get(start)
        power: float | None
        source: str | None
        if final is not None:
            power, source = final, "final"
        elif live is not None and coverage >= min_coverage:
            power, source = live, "live"
        elif forecast is not None:
            power, source = 0.0 if flagged else forecast[1], "forecast"
        else:
            power = source = None
        energy = None if power is None else power / 1_000 * 0.25
        return Infeed(asset_id, start, power, energy, source, flagged, coverage)

    def _asked(self, days: Iterable[date] | None) -> list[int]:
        asked = list(self.days) if days is None else [day_number(day) for day in days]
        strange = sorted(set(asked) - set(self.days))
        if strange:
            raise ValueError(f"the folder was not written for delivery day {strange[0]}")
        return sorted(set(asked))

    def _at(self, as_of: Moment) -> int:
        if as_of is None:
            return self.as_of
        return as_of if isinstance(as_of, int) else to_instant(as_of)
