"""A market day of a set of curves: its slots, when they are told, and what goes wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, day_number, market_offset, one, start_of_market_day
from sandbox.grid import QUIET_DAYS
from sandbox.noise import Floats, Instants, chance, uniform

Mask = NDArray[np.bool_]

# Load and generation of a slot are told an hour after its end.
LAG_S = 3_600
# Some days are restated in the morning of the days after.
RESTATED_DAYS = (1, 3)
RESTATED_AT_S = 10 * 3_600
# Prices of a day are told at 12:45 local time of the day before.
PRICES_AT_S = 45_900


def _number(text: str) -> int:
    return day_number(date.fromisoformat(text))


# Days of which tests and documentation may speak, whatever the seed: (zone, item, market day).
Name = tuple[str, str, int]
#: Two TimeSeries that differ; the later one holds.
DIFFERING: Name = ("FR", "load", _number("2024-02-07"))
#: The same TimeSeries twice.
TWICE: frozenset[Name] = frozenset(
    {
        ("FR", "load", _number("2024-02-14")),
        ("DE_LU", "generation", _number("2024-02-14")),
        ("FR", "prices", _number("2024-02-14")),
    }
)
#: Points without a value, for an hour from 12:00 local time.
NULLS: frozenset[Name] = frozenset(
    {
        ("DE_LU", "load", _number("2024-05-15")),
        ("DE_LU", "generation", _number("2024-05-15")),
        ("FR", "prices", _number("2024-07-03")),
    }
)
#: A gap after which a new Period begins, and one after which a new TimeSeries does.
GAP_PERIOD: Name = ("DE_LU", "load", _number("2024-02-20"))
GAP_SERIES: Name = ("DE_LU", "load", _number("2024-02-22"))
#: Restated at D+1 and again at D+3.
RESTATED: frozenset[Name] = frozenset(
    {("DE_LU", "load", _number("2024-06-05")), ("DE_LU", "generation", _number("2024-06-05"))}
)
#: Auction 1 is told late, at 14:00 UTC of the day itself.
LATE: Name = ("DE_LU", "prices", _number("2024-06-26"))
LATE_AT_S = 14 * 3_600
#: The last day of an old resolution and the first of the new one.
CHANGES = frozenset(
    _number(text) for text in ("2024-12-31", "2025-01-01", "2025-09-30", "2025-10-01")
)
_STATED = CHANGES | {
    name[2] for name in (DIFFERING, *TWICE, *NULLS, GAP_PERIOD, GAP_SERIES, *RESTATED, LATE)
}


@dataclass(frozen=True)
class Day:
    """Curves over one market day, each at the same slots.

    `versions` are values per curve and slot with the instant from which they hold, the first from
    when each slot is `told`; NaN is a Point without a value. `kept` is false in a gap, `fresh` is
    true where a TimeSeries begins, `twice` names curves sent a second time, `superseded` is what
    the first of two differing TimeSeries says.
    """

    starts: Instants
    step_s: int
    told: Instants
    versions: tuple[tuple[int, Floats], ...]
    kept: Mask
    fresh: Mask
    twice: tuple[int, ...] = ()
    superseded: Floats | None = None

    def values(self, now: int) -> Floats:
        """Return the values in force at `now`."""
        return [values for since, values in self.versions if since <= now][-1]

    def sent(self, now: int) -> Mask:
        """Tell of every curve and slot whether it is sent at `now`."""
        return np.asarray(self.kept & (self.told <= now))


class Quirks:
    """What goes wrong with which day of which item ("load", "generation", "prices") of a zone.

    The days named in this module do what is said of them and nothing else; all other days are left
    to chance, and the demonstration's are whole.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def gaps(self, name: Name, curves: int, slots: int) -> list[tuple[int, int, int, bool]]:
        """Return gaps as (curve, first slot, slot after it, whether a TimeSeries begins there)."""
        if name in (GAP_PERIOD, GAP_SERIES):
            return [(0, slots // 3, slots // 3 + 6, name == GAP_SERIES)]
        if name[1] == "prices" or not self._happens(name, "gap", 1 / 9):
            return []
        found = []
        for n in range(1 + int(2 * self._chance(name, "gap-count"))):
            curve = int(curves * self._chance(name, "gap-curve", n))
            length = 1 + int(slots / 8 * self._chance(name, "gap-length", n))
            # Never at the ends of a day: what begins after a gap, begins the same day.
            first = 1 + int((slots - length - 2) * self._chance(name, "gap-start", n))
            found.append((curve, first, first + length, self._chance(name, "gap-by", n) < 0.5))
        return found

    def nulls(self, name: Name, curves: int) -> int | None:
        """Return the curve whose Points from 12:00 to 13:00 local time have no value, if any."""
        if name in NULLS:
            return max(curves - 2, 0)
        if name[1] == "prices" or not self._happens(name, "null", 1 / 40):
            return None
        return int(curves * self._chance(name, "null-curve"))

    def twice(self, name: Name, curves: int) -> tuple[int, ...]:
        """Return the curves that are sent twice, with equal values."""
        if name in TWICE or self._happens(name, "twice", 1 / 14):
            return (int(curves * self._chance(name, "twice-curve")),)
        return ()

    def restated(self, name: Name) -> tuple[int, ...]:
        """Return after how many days values are told again: (), (1,) or (1, 3)."""
        if name in RESTATED:
            return RESTATED_DAYS
        if name[1] == "prices" or not self._happens(name, "restated", 1 / 5, also_quiet=True):
            return ()
        return RESTATED_DAYS[: 1 + (self._chance(name, "again") < 1 / 3)]

    def told_prices(self, zone: str, day: int, seat: int) -> int:
        """Return when the prices of an auction for a day are told."""
        if (zone, "prices", day) == LATE and seat == 1:
            return day * DAY_S + LATE_AT_S
        local = (day - 1) * DAY_S + PRICES_AT_S
        return local - int(market_offset(one(local))[0])

    def dress(
        self, name: Name, starts: Instants, told: Instants, values: Floats, *, restates: bool = True
    ) -> Day:
        """Return a day of curves with all that happens to it; forecasts are never restated."""
        day, (curves, slots) = name[2], values.shape
        step_s = int(starts[1] - starts[0])
        kept = np.ones(values.shape, dtype=np.bool_)
        fresh = np.zeros(values.shape, dtype=np.bool_)
        for curve, first, after, series in self.gaps(name, curves, slots):
            kept[curve, first:after] = False
            fresh[curve, after] = series
        null = self.nulls(name, curves)
        if null is not None:
            values = values.copy()
            noon = start_of_market_day(day) + DAY_S // 2
            values[null, (starts >= noon) & (starts < noon + 3_600)] = np.nan
        # The first version holds whenever a slot of it is told.
        versions = [(-(2**62), values)]
        for days in self.restated(name) if restates else ():
            latest = versions[-1][1]
            when = (day + days) * DAY_S + RESTATED_AT_S
            versions.append((when, self._changed(name, f"restated-{days}", 0.35, starts, latest)))
        superseded = None
        if name == DIFFERING:
            superseded = self._changed(name, "differing", 1.0, starts, values)
        twice = (0,) if superseded is not None else self.twice(name, curves)
        return Day(starts, step_s, told, tuple(versions), kept, fresh, twice, superseded)

    @staticmethod
    def plain(starts: Instants, told: Instants, values: Floats, kept: Mask, fresh: Mask) -> Day:
        """Return a day of curves to which nothing happens."""
        versions = ((-(2**62), values),)
        return Day(starts, int(starts[1] - starts[0]), told, versions, kept, fresh)

    def _changed(
        self, name: Name, label: str, share: float, starts: Instants, values: Floats
    ) -> Floats:
        """Return values of which a share is up to 4 per cent off; whole ones stay whole.

        What does not move is not changed: a constant curve stays one.
        """
        label = f"entsoe/{name[0]}/{name[1]}/{label}"
        index = starts[None, :] * 64 + np.arange(len(values), dtype=np.int64)[:, None]
        drawn = uniform(self.seed, f"{label}/drawn", index) < share
        drawn[:, 0] = False
        drawn[:, 1:] &= values[:, 1:] != values[:, :-1]
        factor = 0.96 + 0.08 * uniform(self.seed, f"{label}/factor", index)
        off = np.where(values == np.rint(values), np.rint(values * factor), values * factor)
        return np.asarray(np.where(drawn, np.round(off, 2) + 0.0, values))

    def _happens(self, name: Name, label: str, often: float, *, also_quiet: bool = False) -> bool:
        if name[2] in _STATED or (name[2] in QUIET_DAYS and not also_quiet):
            return False
        return self._chance(name, label) < often

    def _chance(self, name: Name, label: str, *index: int) -> float:
        zone, item, day = name
        return chance(self.seed, f"entsoe/{zone}/{item}/{label}", day, *index)
