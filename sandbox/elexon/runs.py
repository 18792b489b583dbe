"""The settlement runs: when each restates a settlement day."""

from __future__ import annotations

from sandbox.calendar import DAY_S
from sandbox.elexon.base import HOUR_S

#: Name of each run and the days from the settlement day to its publication (assumed to be fixed;
#: really they are counted in working days).
RUNS = (("II", 7), ("SF", 24), ("R1", 56), ("R2", 119), ("R3", 217), ("RF", 420))
LAST_RUN_DAYS = RUNS[-1][1] + 2


def run_moment(day: int, age_days: int) -> int:
    """Return when the run of an age publishes a settlement day."""
    return (day + age_days) * DAY_S + 11 * HOUR_S
