"""Prices per settlement period: the market index of two providers, and the system prices."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import DAY_S, PERIOD_S, utc_offset
from sandbox.elexon.base import HOUR_S, CellSeries, Mask, draw, spread
from sandbox.elexon.runs import LAST_RUN_DAYS, RUNS, run_moment
from sandbox.grid import Columns
from sandbox.noise import Floats, Instants, octaves, uniform
from sandbox.wind_solar import WindSolarSeries

PROVIDERS = ("APXMIDP", "N2EXMIDP")
_LEVEL = ((240 * HOUR_S, 26.0), (24 * HOUR_S, 12.0), (3 * HOUR_S, 9.0))
_IMBALANCE = ((9 * HOUR_S, 190.0), (3 * HOUR_S, 160.0), (PERIOD_S, 120.0))
_HOURS = (0.0, 4.0, 7.0, 9.0, 13.0, 16.0, 18.0, 21.0, 24.0)
_SHAPE = (-16.0, -22.0, 4.0, 12.0, -8.0, 8.0, 42.0, 12.0, -16.0)


class Market:
    """The price of electricity that all series of prices are made of."""

    def __init__(self, seed: int, wind: WindSolarSeries) -> None:
        self.seed = seed
        self.wind = wind

    def price(self, starts: Instants) -> Floats:
        """Return the price of each period in GBP per MWh; much wind makes it negative."""
        middle = starts + PERIOD_S // 2
        local = (middle + utc_offset(middle)) % DAY_S / HOUR_S
        green = self.wind.wind_mw(middle) + 0.7 * self.wind.solar_mw(middle)
        level = 112.0 + octaves(self.seed, "price", _LEVEL, middle)
        return np.asarray(level + np.interp(local, _HOURS, _SHAPE) - 0.0042 * green)

    def imbalance(self, starts: Instants) -> Floats:
        """Return the net imbalance volume in MWh; positive where the system is short."""
        return octaves(self.seed, "imbalance", _IMBALANCE, starts + PERIOD_S // 2)


class MarketIndexSeries(CellSeries):
    """Columns `start_time`, `provider`, `price_gbp_per_mwh`, `volume_mwh`, `publish_time`.

    The second provider mostly trades nothing and says 0.0 for both. Known a quarter of an hour
    after the period; nothing is restated. Single rows and whole days are missing.
    """

    name = "market_index"
    identity: tuple[str, ...] = ("start_time", "provider")
    kind_column = "provider"
    cell_holes = 1 / 14
    day_holes = 1 / 40
    versioned = False

    def __init__(self, seed: int, market: Market) -> None:
        self.market = market
        super().__init__(seed)

    def kinds(self, day: int) -> tuple[str, ...]:
        """Return both providers."""
        return PROVIDERS

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return price and volume of each period."""
        price = np.zeros((len(starts), 2))
        volume = np.zeros((len(starts), 2))
        price[:, 0] = np.round(self.market.price(starts), 2)
        volume[:, 0] = np.round(spread(self.seed, "market_index/volume", starts, 350.0, 2_400.0), 2)
        trades = draw(self.seed, "market_index/second", starts, 0.02)
        price[trades, 1] = np.round(price[trades, 0] + 1.25, 2)
        volume[trades, 1] = np.round(volume[trades, 0] / 40.0, 2)
        every = np.ones(price.shape, dtype=np.bool_)
        when = starts[:, None] + PERIOD_S + PERIOD_S // 2
        return [(when, {"price_gbp_per_mwh": price, "volume_mwh": volume}, every)]


class SystemPriceSeries(CellSeries):
    """The single imbalance price and what it was made of; `publish_time` is the createdDateTime.

    Columns: `start_time`, `sell_gbp_per_mwh`, `buy_gbp_per_mwh`, `bsad_defaulted`,
    `derivation_code`, `scarcity_gbp_per_mwh`, `niv_mwh`, `sell_adjustment_gbp_per_mwh`,
    `buy_adjustment_gbp_per_mwh`, `replacement_gbp_per_mwh` and `replacement_mwh` (often NaN),
    `offer_mwh`, `bid_mwh`, `adjustment_sell_mwh`, `adjustment_buy_mwh`, the last four again with
    `tagged_` in front, `publish_time`. First told 20 minutes after the period; every settlement run
    tells the whole day again, with changed values for a part of it.
    """

    name = "system_prices"
    cell_holes = 1 / 25
    settled_after_s = LAST_RUN_DAYS * DAY_S
    kept_days = 400

    def __init__(self, seed: int, market: Market) -> None:
        self.market = market
        super().__init__(seed)

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return the first prices and those of every settlement run."""
        niv = self.market.imbalance(starts)
        price = self.market.price(starts) + 0.11 * niv
        every = np.ones((len(starts), 1), dtype=np.bool_)
        told = [(starts[:, None] + PERIOD_S + 1_200, self._values(starts, niv, price), every)]
        for run, age in RUNS:
            # A run that looks at a day again changes less of it than the one before.
            label = f"system_prices/{run}"
            changed = draw(self.seed, f"{label}/drawn", starts, 6.0 / (age + 8))
            shift = np.where(changed, spread(self.seed, f"{label}/shift", starts, -6.0, 6.0), 0.0)
            niv, price = niv + shift, price + 0.11 * shift
            when = np.full((1, 1), run_moment(day, age), dtype=np.int64)
            told.append((when, self._values(starts, niv, price), every))
        return told

    def _values(self, starts: Instants, niv: Floats, price: Floats) -> Columns:
        short = niv > 0
        bids = spread(self.seed, "system_prices/bids", starts, -340.0, -20.0)
        sold = np.where(short, 0.0, spread(self.seed, "system_prices/sold", starts, -60.0, 0.0))
        bought = np.where(short, spread(self.seed, "system_prices/bought", starts, 0.0, 60.0), 0.0)
        # Offers and bids make up what the adjustments leave of the imbalance.
        offers = np.maximum(niv - bids - sold - bought, 0.0)
        bids = np.minimum(niv - offers - sold - bought, 0.0)
        replaced = uniform(self.seed, "system_prices/replaced", starts) < 0.15
        nothing = np.zeros(len(starts))
        price = np.round(price, 5)
        values: Columns = {
            "sell_gbp_per_mwh": price,
            "buy_gbp_per_mwh": price.copy(),
            "bsad_defaulted": np.zeros(len(starts), dtype=np.bool_),
            "derivation_code": np.where(short, "P", "N"),
            "scarcity_gbp_per_mwh": nothing,
            "niv_mwh": niv,
            "sell_adjustment_gbp_per_mwh": nothing,
            "buy_adjustment_gbp_per_mwh": nothing,
            "replacement_gbp_per_mwh": np.where(replaced, price, np.nan),
            "replacement_mwh": np.where(replaced, 1.0, np.nan),
            "offer_mwh": offers,
            "bid_mwh": bids,
            "adjustment_sell_mwh": sold,
            "adjustment_buy_mwh": bought,
        }
        for name in ("offer_mwh", "bid_mwh", "adjustment_sell_mwh", "adjustment_buy_mwh"):
            share = uniform(self.seed, f"system_prices/tagged_{name}", starts)
            values[f"tagged_{name}"] = values[name] * np.where(share < 0.4, 0.0, share)
        return {
            name: (np.round(v, 12) + 0.0 if v.dtype == np.float64 else v)[:, None]
            for name, v in values.items()
        }
