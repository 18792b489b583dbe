"""Results of the response auctions: the old summary in local time, the present ones in UTC."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, day_number, day_texts, instant_texts, utc_offset
from sandbox.grid import Columns, join, take
from sandbox.neso.demand import HOUR_S
from sandbox.neso.tables import Table
from sandbox.noise import Floats, Instants, octaves, uniform

# An EFA day runs from 23:00 to 23:00 by the British clock in six blocks of four hours.
BLOCKS, BLOCK_S = 6, 4 * HOUR_S
SERVICES = ("DCH", "DCL", "DMH", "DML", "DRH", "DRL")
# First EFA day of each family, of the auction that replaced them, and of quick reserve in it.
_SINCE = {
    "DC": day_number(date(2021, 9, 16)),
    "DR": day_number(date(2022, 4, 8)),
    "DM": day_number(date(2022, 5, 6)),
}
LAST_OLD = day_number(date(2023, 11, 2))
FIRST_NEW = LAST_OLD + 1
_RESERVE_SINCE = day_number(date(2024, 12, 3))
_RESERVES = ("NQR", "PQR")
# Results come at a quarter to three in the afternoon before the EFA day.
PUBLISHED_S = 14 * HOUR_S + 45 * 60
_PRICES = {"DCH": 3.0, "DCL": 6.0, "DMH": 2.0, "DML": 4.0, "DRH": 1.5, "DRL": 8.0}
_VOLUMES = {"DCH": 900, "DCL": 1_100, "DMH": 160, "DML": 180, "DRH": 300, "DRL": 310}
_LAYERS = ((240 * HOUR_S, 0.5), (30 * HOUR_S, 0.5), (4 * HOUR_S, 0.35))

_OLD_KINDS = {
    "Service": "text",
    "EFA Date": "date",
    "Delivery Start": "timestamp",
    "Delivery End": "timestamp",
    "EFA": "numeric",
    "Cleared Volume": "numeric",
    "Clearing Price": "numeric",
}
_NEW_KINDS = {
    "auctionID": "int4",
    "auctionProduct": "text",
    "serviceType": "text",
    "deliveryStart": "timestamp",
    "deliveryEnd": "timestamp",
    "clearedVolume": "numeric",
    "clearingPrice": "numeric",
    "linkedServiceWindowID": "int4",
}


class Auctions:
    """Cleared volumes and prices per service and EFA block."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def old(self, now: int) -> Table:
        """Return the summary of 2021 to 2023; its times are local and say nothing of that."""
        found = self.results(_SINCE["DC"], LAST_OLD, now)
        stamps = {name: _stamps(found[name] + utc_offset(found[name])) for name in ("start", "end")}
        columns = {
            "Service": found["service"].tolist(),
            "EFA Date": day_texts(found["efa_day"]),
            "Delivery Start": stamps["start"],
            "Delivery End": stamps["end"],
            "EFA": list(map(str, found["efa_block"].tolist())),
            "Cleared Volume": list(map(_number, found["volume"].tolist())),
            "Clearing Price": list(map(_number, found["price"].tolist())),
        }
        return Table(columns, _OLD_KINDS, "Cleared Volume")

    def new(self, first_day: int, last_day: int, now: int) -> Table:
        """Return the summary of the EFA days from `first_day` to `last_day`, reserve among it."""
        found = self.results(max(first_day, FIRST_NEW), last_day, now)
        found["kind"] = np.full(len(found["start"]), "Response")
        reserve = self._reserve(max(first_day, _RESERVE_SINCE), last_day, now)
        found = join([found, reserve])
        found = take(found, np.lexsort((found["service"], found["start"])))
        # One auction a day for all services, numbered from the first one.
        columns = {
            "auctionID": list(map(str, (found["efa_day"] - FIRST_NEW + 1).tolist())),
            "auctionProduct": found["service"].tolist(),
            "serviceType": found["kind"].tolist(),
            "deliveryStart": _stamps(found["start"]),
            "deliveryEnd": _stamps(found["end"]),
            "clearedVolume": list(map(_number, found["volume"].tolist())),
            "clearingPrice": list(map(_number, found["price"].tolist())),
            "linkedServiceWindowID": [""] * len(found["start"]),
        }
        return Table(columns, _NEW_KINDS, "clearedVolume")

    def results(self, first_day: int, last_day: int, now: int) -> Columns:
        """Return the response results of EFA days known at `now`, by start and service."""
        days = np.arange(first_day, min(last_day, _known(now)) + 1, dtype=np.int64)
        day = np.repeat(days, BLOCKS * len(SERVICES))
        block = np.tile(np.repeat(np.arange(BLOCKS), len(SERVICES)), len(days))
        service = np.tile(np.arange(len(SERVICES)), BLOCKS * len(days))
        since = np.array([_SINCE[name[:2]] for name in SERVICES])
        held = day >= since[service]
        day, block, service = day[held], block[held], service[held]
        start, end = block_start(day, block), block_start(day, block + 1)
        volume, price = self._cleared(start, service, day >= FIRST_NEW)
        return {
            "start": start,
            "end": end,
            "service": np.array(SERVICES)[service],
            "efa_day": day,
            "efa_block": block + 1,
            "volume": volume,
            "price": price,
        }

    def rows(self, first: int, last: int, now: int) -> Columns:
        """Return the truth of DC, DM and DR by the start of delivery in UTC."""
        found = self.results(
            max((first + HOUR_S) // DAY_S - 1, _SINCE["DC"]), last // DAY_S + 2, now
        )
        found = take(found, (found["start"] >= first) & (found["start"] <= last))
        return {
            "start_time": found["start"],
            "end_time": found["end"],
            "service": found["service"],
            "efa_date": found["efa_day"].astype("datetime64[D]"),
            "efa_block": found["efa_block"],
            "cleared_volume_mw": found["volume"],
            "clearing_price_gbp_per_mw_h": found["price"],
            "publish_time": (found["efa_day"] - 1) * DAY_S + PUBLISHED_S,
        }

    def _cleared(
        self, start: Instants, service: Instants, new: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        volume, price = np.zeros(len(start)), np.zeros(len(start))
        for n, name in enumerate(SERVICES):
            mine = service == n
            level = octaves(self.seed, f"neso/auction/{name}", _LAYERS, start[mine])
            volume[mine] = np.round(_VOLUMES[name] * (1.0 + 0.35 * level))
            price[mine] = _PRICES[name] * (1.0 + 1.6 * level)
        index = start * len(SERVICES) + service
        # Prices may lie below zero only since the new auction.
        price = np.where(new, price, np.maximum(price, 0.2))
        exact = uniform(self.seed, "neso/auction/exact", index)
        price = np.where(new & (exact < 0.02), price + exact, np.round(price, 2)) + 0.0
        # In the old files a block in which nothing cleared has the price 0 as well.
        nothing = ~new & (uniform(self.seed, "neso/auction/nothing", index) < 0.03)
        return np.where(nothing, 0.0, volume), np.where(nothing, 0.0, price)

    def _reserve(self, first_day: int, last_day: int, now: int) -> Columns:
        """Return quick reserve: the same files hold its half hours among the blocks."""
        days = np.arange(first_day, min(last_day, _known(now)) + 1, dtype=np.int64)
        first = np.zeros(1, dtype=np.int64)
        bounds = block_start(np.append(days, days[-1:] + 1), first)
        start = np.arange(bounds[0], bounds[-1], HOUR_S // 2) if len(days) else first[:0]
        start = np.repeat(start, len(_RESERVES))
        service = np.tile(np.arange(len(_RESERVES)), len(start) // len(_RESERVES))
        drawn = uniform(self.seed, "neso/auction/reserve", start * len(_RESERVES) + service)
        return {
            "start": start,
            "end": start + HOUR_S // 2,
            "service": np.array(_RESERVES)[service],
            "efa_day": (start + utc_offset(start) + HOUR_S) // DAY_S,
            "efa_block": np.zeros(len(start), dtype=np.int64),
            "volume": np.round(250.0 + 200.0 * drawn),
            "price": np.round(12.0 * drawn - 1.0, 2) + 0.0,
            "kind": np.full(len(start), "Reserve"),
        }


def block_start(day: Instants, block: Instants) -> Instants:
    """Return the instant at which blocks 0 to 6 of EFA days start; block 6 is the next day."""
    local = day * DAY_S - HOUR_S + block * BLOCK_S
    # No boundary lies in the hours that a clock change skips or repeats.
    return local - utc_offset(local - HOUR_S)


def _known(now: int) -> int:
    return (now - PUBLISHED_S) // DAY_S + 1


def _stamps(instants: Instants) -> list[str]:
    return [text[:19] for text in instant_texts(instants)]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
