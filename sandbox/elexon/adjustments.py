"""Balancing services outside the mechanism: NETBSAD, DISBSAD and non-BM STOR."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import PERIOD_S, periods_in_day, start_of_day
from sandbox.elexon.base import HOUR_S, CellSeries, DailySeries, Mask, draw, spread, texts, whole
from sandbox.grid import Columns
from sandbox.noise import Instants, uniform


class NetSeries(CellSeries):
    """Net balancing services adjustments, nearly always zero.

    Columns `start_time`, `buy_cost_gbp`, `buy_mwh`, `buy_system_mwh`, `buy_gbp_per_mwh`,
    `sell_cost_gbp`, `sell_mwh`, `sell_system_mwh`, `sell_gbp_per_mwh`, `publish_time`. Told an hour
    before the period; one period in ten is overwritten two hours after it, then with values.
    """

    name = "netbsad"
    cell_holes = 1 / 30
    ahead_s = HOUR_S
    _NAMES = (
        "buy_cost_gbp", "buy_mwh", "buy_system_mwh", "buy_gbp_per_mwh",
        "sell_cost_gbp", "sell_mwh", "sell_system_mwh", "sell_gbp_per_mwh",
    )  # fmt: skip

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return zeros for every period, then what was bought and sold in some."""
        index = starts[:, None]
        zeros: Columns = {name: np.zeros(index.shape) for name in self._NAMES}
        used = draw(self.seed, "netbsad/used", index, 0.1)
        buys = draw(self.seed, "netbsad/buys", index, 0.5)
        volume = np.round(spread(self.seed, "netbsad/volume", index, 5.0, 250.0), 3)
        price = np.round(spread(self.seed, "netbsad/price", index, 30.0, 190.0), 2)
        told: Columns = dict(zeros)
        for side, chosen, sign in (("buy", buys, 1.0), ("sell", ~buys, -1.0)):
            told[f"{side}_mwh"] = np.where(chosen, sign * volume, 0.0)
            told[f"{side}_cost_gbp"] = np.where(chosen, np.round(sign * volume * price, 2), 0.0)
            told[f"{side}_system_mwh"] = np.where(chosen, np.round(sign * volume / 2, 3), 0.0)
        every = np.ones(index.shape, dtype=np.bool_)
        return [(index - HOUR_S, zeros, every), (index + PERIOD_S + 2 * HOUR_S, told, used)]


class DisaggregatedSeries(DailySeries):
    """The single actions behind them; a period without any has one row that says nothing happened.

    Columns `start_time`, `id`, `cost_gbp`, `volume_mwh`, `so_flag`, `stor_flag`, `party`, `asset`,
    `is_tendered` and `service` (the last four None where nothing happened), `publish_time`.
    Told three quarters of an hour after the period starts.
    """

    name = "disbsad"
    identity: tuple[str, ...] = ("start_time", "id")
    versioned = False
    _MOST = 3

    def make_day(self, day: int) -> Columns:
        """Return the actions of a settlement day."""
        starts = np.arange(periods_in_day(day), dtype=np.int64) * PERIOD_S + start_of_day(day)
        drawn = uniform(self.seed, "disbsad/count", starts)
        actions = np.where(drawn < 0.75, 0, 1 + (12 * (drawn - 0.75)).astype(np.int64))
        rows = np.maximum(actions, 1)
        start = np.repeat(starts, rows)
        number = np.arange(len(start)) - np.repeat(np.cumsum(rows) - rows, rows) + 1
        real = np.repeat(actions > 0, rows)
        index = start * (self._MOST + 1) + number
        volume = np.where(
            real, np.round(spread(self.seed, "disbsad/mwh", index, -90.0, 90.0), 3), 0.0
        )
        price = spread(self.seed, "disbsad/price", index, 40.0, 150.0)
        maker = (9 * uniform(self.seed, "disbsad/party", index)).astype(np.int64)
        tendered = texts([None] * len(start))
        tendered[real] = (uniform(self.seed, "disbsad/tendered", index) < 0.5)[real]
        parties = texts([f"SYNTH{n}" for n in range(9)])[maker]
        assets = texts([f"SYNTH-ASSET-{n}" for n in range(9)])[maker]
        service = texts(["Synthetic reserve"] * len(start))
        for column in (parties, assets, service):
            column[~real] = None
        return {
            "cell": np.arange(len(start), dtype=np.int64),
            "start_time": start,
            "id": number.astype(np.int64),
            "cost_gbp": np.round(volume * price, 2) + 0.0,
            "volume_mwh": volume + 0.0,
            "so_flag": real & (uniform(self.seed, "disbsad/so", index) < 0.4),
            "stor_flag": real & (uniform(self.seed, "disbsad/stor", index) < 0.2),
            "party": parties,
            "asset": assets,
            "is_tendered": tendered,
            "service": service,
            "publish_time": start + PERIOD_S * 3 // 2,
        }


class NonBmStorSeries(CellSeries):
    """Short-term reserve used outside the mechanism: `start_time`, `generation_mw`, `publish_time`.

    Mostly zero; told five minutes after the period. Periods in which nothing was used are told too,
    but half of the days tell nothing at all, so that nobody may count on rows.
    """

    name = "non_bm_stor"
    axes: tuple[str, ...] = ("start_time", "publish_time")
    versioned = False
    day_holes = 0.5
    cell_holes = 0.0

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return the reserve of each period."""
        index = starts[:, None]
        used = draw(self.seed, "nonbm/used", index // (3 * HOUR_S), 0.15)
        power = whole(np.where(used, spread(self.seed, "nonbm/power", index, 4.0, 260.0), 0.0))
        every = np.ones(index.shape, dtype=np.bool_)
        return [(index + PERIOD_S + 300, {"generation_mw": power}, every)]
