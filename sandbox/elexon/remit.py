"""REMIT messages: outages of the units, told again with every revision."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.calendar import DAY_S, instant_texts, one
from sandbox.elexon.base import HOUR_S, DailySeries, texts
from sandbox.elexon.units import COUNT, Fleet, Unit
from sandbox.grid import Columns
from sandbox.noise import chance

_MOST_REVISIONS = 6
_CAUSES = ("Unknown", "Other", "Planned maintenance", "Plant failure")
_FUELS = {"CCGT": "Fossil Gas", "WIND": "Wind Onshore", "NUCLEAR": "Nuclear", "BIOMASS": "Biomass",
          "NPSHYD": "Hydro Water Reservoir", "PS": "Hydro Pumped Storage"}  # fmt: skip
_TEXTS = (
    "mrid", "message_type", "event_type", "unavailability_type", "participant", "registration",
    "asset", "asset_type", "affected_unit", "affected_unit_eic", "fuel_type", "event_status",
    "duration_uncertainty", "cause", "related_information", "outage_profile",
)  # fmt: skip
_TIMES = ("publish_time", "created_time", "event_start_time", "event_end_time")
_NUMBERS = ("normal_capacity_mw", "available_capacity_mw", "unavailable_capacity_mw")


class RemitSeries(DailySeries):
    """All revisions of all messages, each a row of its own; events begin on the day that makes them.

    Columns: `publish_time`, `mrid`, `revision`, `created_time`, `message_type`, `event_type`,
    `unavailability_type`, `participant`, `registration`, `asset`, `asset_type`, `affected_unit`,
    `affected_unit_eic`, `fuel_type`, `normal_capacity_mw`, `available_capacity_mw`,
    `unavailable_capacity_mw`, `event_status`, `event_start_time`, `event_end_time` (0 where it is
    open), `duration_uncertainty`, `cause`, `related_information`, `outage_profile` (a list of
    startTime, endTime, capacity). None where the answer has no such key.
    """

    name = "remit"
    axes: tuple[str, ...] = ("publish_time",)
    identity: tuple[str, ...] = ("mrid", "revision")
    reach_s = 8 * DAY_S
    versioned = False

    def __init__(self, seed: int, fleet: Fleet) -> None:
        self.fleet = fleet
        super().__init__(seed)

    def make_day(self, day: int) -> Columns:
        """Return every revision of the messages whose first one is told on a UTC day."""
        rows: list[dict[str, Any]] = []
        for n in range(8 + int(18 * self._chance("count", day))):
            rows += self._message(day, n)
        columns: Columns = {"cell": np.arange(len(rows), dtype=np.int64)}
        for name in (*_TIMES, "revision"):
            columns[name] = np.array([row[name] for row in rows], dtype=np.int64)
        for name in _NUMBERS:
            columns[name] = np.array([row[name] for row in rows], dtype=np.float64)
        for name in _TEXTS:
            columns[name] = texts([row[name] for row in rows])
        return columns

    def _message(self, day: int, n: int) -> list[dict[str, Any]]:
        unit = self.fleet.units[int(COUNT * self._chance("unit", day, n))]
        told = day * DAY_S + int(DAY_S * self._chance("when", day, n))
        planned = self._chance("planned", day, n) < 0.4
        begin = (told - 2 * HOUR_S if not planned else told + 5 * DAY_S) // 60 * 60
        length = HOUR_S * (1 + int(60 * self._chance("length", day, n)))
        open_ended = self._chance("open", day, n) < 0.1
        share = self._chance("share", day, n)
        revisions = 1 + int(_MOST_REVISIONS * self._chance("revisions", day, n) ** 3)
        rows = []
        for revision in range(1, revisions + 1):
            if revision > 1:
                told += 600 + int(20 * HOUR_S * self._chance("later", day, n, revision))
                length = max(
                    HOUR_S, length + HOUR_S * int(9 * self._chance("longer", day, n, revision) - 4)
                )
            last = revision == revisions > 2
            over = last and self._chance("over", day, n) < 0.5
            row = self._common(unit, day, n, planned)
            row["publish_time"], row["created_time"] = told, told // 60 * 60 - 120
            row["revision"] = revision
            row["event_status"] = ("Dismissed" if n % 2 else "Inactive") if over else "Active"
            row["event_start_time"] = begin
            row["event_end_time"] = 0 if open_ended else begin + length
            available = round(row["normal_capacity_mw"] * share)
            row["available_capacity_mw"] = float(available)
            row["unavailable_capacity_mw"] = row["normal_capacity_mw"] - available
            row["duration_uncertainty"] = "+/- 2 hours" if n % 3 == 0 else None
            row["related_information"] = "Invented by the sandbox\n" if n % 4 == 0 else None
            row["outage_profile"] = None
            if n % 5 == 0 and not open_ended:
                row["outage_profile"] = _profile(
                    begin, length, available, row["normal_capacity_mw"]
                )
            rows.append(row)
        return rows

    def _common(self, unit: Unit, day: int, n: int, planned: bool) -> dict[str, Any]:
        return {
            "mrid": f"48XSYNTHETIC{unit.number:03d}X-NGET-RMT-{(day * 32 + n) % 100_000_000:08d}",
            "message_type": "UnavailabilitiesOfElectricityFacilities",
            "event_type": "Consumption unavailability"
            if unit.demand
            else "Production unavailability",
            "unavailability_type": "Planned" if planned else "Unplanned",
            "participant": f"SYNTH{unit.number % 9}",
            "registration": f"48XSYNTHETIC{unit.number:03d}X",
            "asset": unit.elexon or unit.ng,
            "asset_type": "Consumption" if unit.demand else "Production",
            "affected_unit": unit.ng,
            "affected_unit_eic": f"48WSYNTH{unit.number:04d}--X" if unit.fuel else None,
            "fuel_type": _FUELS.get(unit.fuel or ""),
            "normal_capacity_mw": unit.capacity_mw,
            "cause": _CAUSES[int(len(_CAUSES) * self._chance("cause", day, n))],
        }

    def _chance(self, label: str, *index: int) -> float:
        return chance(self.seed, f"remit/{label}", *index)


def _profile(begin: int, length: int, available: float, normal: float) -> list[dict[str, Any]]:
    middle = begin + length // 2
    corners = [instant_texts(one(moment))[0] for moment in (begin, middle, begin + length)]
    levels = (available, (available + normal) / 2.0)
    return [
        {"startTime": corners[at], "endTime": corners[at + 1], "capacity": level}
        for at, level in enumerate(levels)
    ]
