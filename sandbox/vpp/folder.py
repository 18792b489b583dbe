"""`write_folder`: a whole VPP folder for some delivery days, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sandbox.calendar import DAY_S, day_number, to_instant
from sandbox.vpp import files, market_files
from sandbox.vpp.clock import HOUR_S, QUARTER_S, day_start
from sandbox.vpp.defects import DAYS_BEFORE, Defect, broken_files
from sandbox.vpp.files import File
from sandbox.vpp.fleet import build_fleet, snapshots, technical_data
from sandbox.vpp.infeed import Infeed
from sandbox.vpp.market import Market, Trade
from sandbox.vpp.truth import Moment, Truth

# When files arrive, counted from the end of their UTC day (technical data: from its start).
FINAL_AFTER_S = 8 * HOUR_S
COMPENSATION_AFTER_S = 9 * HOUR_S
FINAL_PRICE_AFTER_S = 12 * HOUR_S
ESTIMATE_AFTER_S = QUARTER_S
TECHNICAL_AT_S = 4 * HOUR_S
# Redispatch is announced this long before it begins.
ANNOUNCED_S = 2 * HOUR_S


@dataclass(frozen=True)
class Written:
    """A folder as it was written; `files` are relative, with /, in order."""

    folder: Path
    files: tuple[str, ...]
    defects: tuple[Defect, ...]
    truth: Truth


def write_folder(
    folder: Path,
    days: Iterable[date],
    *,
    assets: int = 6,
    seed: int = 7,
    as_of: Moment = None,
    dirt: bool = True,
    defects: bool | None = None,
    late_final: bool = False,
) -> Written:
    """Write the VPP input folder for some delivery days as it lies there at `as_of`.

    `as_of` is an aware datetime, its text or epoch seconds; None is the start of the second day
    after the last one (UTC), when everything has arrived. `days` are covered as UTC and as Berlin
    days. Without `dirt` nothing is missing, spelled in two ways or broken. `defects` (None: as
    `dirt`) adds the files that cannot be read. With `late_final` the final production of each
    day's late plant has arrived after all. Files of an earlier call are overwritten, not removed.
    """
    numbers = sorted({day_number(day) for day in days})
    if not numbers:
        raise ValueError("no delivery day was given")
    if as_of is None:
        as_of = (numbers[-1] + 2) * DAY_S
    now = as_of if isinstance(as_of, int) else to_instant(as_of)
    infeed = Infeed(seed, build_fleet(assets), dirt=dirt, late_final=late_final)
    builder = _Builder(infeed, Market(seed, dirt=dirt), tuple(numbers), now, dirt)
    contents = dict(builder.files())
    found: list[Defect] = []
    if dirt if defects is None else defects:
        for (name, body), named in broken_files(infeed, builder.market, numbers[0] - DAYS_BEFORE):
            contents[name] = body
            found += named
    for name, body in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return Written(folder, tuple(sorted(contents)), tuple(found), builder.truth)


class _Builder:
    """Fills the truth and renders the files from it, one kind after the other."""

    def __init__(
        self, infeed: Infeed, market: Market, days: tuple[int, ...], now: int, dirt: bool
    ) -> None:
        self.infeed = infeed
        self.market = market
        self.days = days
        self.now = now
        self.dirt = dirt
        # A Berlin day begins on the UTC day before; a UTC day ends in the next Berlin day.
        self.utc_days = sorted({day + shift for day in days for shift in (-1, 0)})
        self.berlin_days = sorted({day + shift for day in days for shift in (-1, 0, 1)})
        self.truth = Truth(days, now, snapshots(infeed.plants, days[0], now, dirt=dirt))

    def files(self) -> Iterator[File]:
        """Yield all files but the broken ones."""
        yield from files.contracts(self.truth.snapshots, dirt=self.dirt)
        yield from self._technical_data()
        yield from self._live()
        yield from self._forecasts()
        yield from self._final()
        yield from self._redispatch()
        yield from self._trades()
        yield from self._imbalance()

    def _technical_data(self) -> Iterator[File]:
        for day in sorted({*self.berlin_days, self.days[0] - 2}):
            instant = day * DAY_S + TECHNICAL_AT_S
            missing = self.dirt and day == self.days[0]
            if instant <= self.now and not missing:
                body = files.document(technical_data(self.infeed.plants))
                yield files.technical_name(instant), body

    def _live(self) -> Iterator[File]:
        for plant in self.infeed.plants:
            known = self.truth.live[plant.asset_id] = []
            for day in self.berlin_days:
                start = day_start(day, "Europe/Berlin")
                end = day_start(day + 1, "Europe/Berlin")
                samples = self.infeed.live(plant, start, end)
                samples = [one for one in samples if one[0] <= self.now * 1_000]
                if samples:
                    known += samples
                    yield files.live(plant, day, samples, dirt=self.dirt)

    def _forecasts(self) -> Iterator[File]:
        for plant in self.infeed.plants:
            known = self.truth.forecasts[plant.asset_id] = {}
            versions = {one for day in self.days for one in self.infeed.versions(plant, day)}
            for version in sorted(versions):
                if version <= self.now:
                    power = known[version] = self.infeed.forecast(plant, version)
                    yield from files.forecast(plant, version, power, dirt=self.dirt)

    def _final(self) -> Iterator[File]:
        for plant in self.infeed.plants:
            known = self.truth.final[plant.asset_id] = {}
            for day in self.utc_days:
                arrived = (day + 1) * DAY_S + FINAL_AFTER_S <= self.now
                if arrived and self.infeed.has_final(plant, day):
                    values = self.infeed.final(plant, day)
                    known |= values
                    point = plant.metering_point
                    body = files.table(files.final_header(point), files.final_rows(values))
                    yield files.final_name(point, day), body

    def _redispatch(self) -> Iterator[File]:
        for plant in self.infeed.plants:
            known = self.truth.redispatch[plant.asset_id] = {}
            for day in self.utc_days:
                span = self.infeed.redispatched(plant, day)
                if span is not None and span[0] - ANNOUNCED_S <= self.now:
                    published = span[0] - ANNOUNCED_S
                    known |= dict.fromkeys(range(*span, QUARTER_S), published)
                    yield files.redispatch(plant, published, span)
        for day in self.utc_days:
            if (day + 1) * DAY_S + COMPENSATION_AFTER_S <= self.now:
                starts = range(day * DAY_S, (day + 1) * DAY_S, QUARTER_S)
                prices = {start: self.market.compensation(start) for start in starts}
                self.truth.compensation |= prices
                yield market_files.compensation(day, prices.items())

    def _trades(self) -> Iterator[File]:
        known: dict[str, tuple[Trade, ...]] = {}
        for kind in ("private", "public"):
            trades = [trade for day in self.utc_days for trade in self.market.trades(kind, day)]
            exports = self.market.exports(kind, trades, self.now)
            exported = {trade.trade_id: trade for rows in exports.values() for trade in rows}
            known[kind] = tuple(exported[trade_id] for trade_id in sorted(exported))
            for export, rows in exports.items():
                yield market_files.trades(kind, export, rows, dirt=self.dirt)
        self.truth.private_trades, self.truth.public_trades = known["private"], known["public"]

    def _imbalance(self) -> Iterator[File]:
        for day in self.utc_days:
            prices = self.market.imbalance(day)
            final_known = (day + 1) * DAY_S + FINAL_PRICE_AFTER_S <= self.now
            # An estimate is published a quarter hour after the end of its own.
            last = self.now - ESTIMATE_AFTER_S - QUARTER_S
            prices = [
                price.as_known(final=final_known, estimate=price.start <= last) for price in prices
            ]
            self.truth.imbalance |= {
                price.start: price
                for price in prices
                if (price.final_short, price.estimate) != (None, None)
            }
            if final_known:
                yield market_files.final_prices(day, prices)
            if any(price.estimate is not None for price in prices):
                yield market_files.estimated_prices(day, prices)
