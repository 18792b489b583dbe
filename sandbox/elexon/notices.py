"""What is told now and then: system warnings, and the temperature of each day."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import DAY_S, instant_texts, one
from sandbox.elexon.base import HOUR_S, DailySeries, spread, texts
from sandbox.elexon.units import day_index
from sandbox.grid import Columns
from sandbox.noise import chance, octaves, uniform

_KINDS = ("SYNTHETIC MARGIN NOTICE", "SYNTHETIC SYSTEM OUTAGE", "SYNTHETIC TRADES")


class WarningSeries(DailySeries):
    """Columns `publish_time`, `warning_type` (None for some), `warning_text`; often none a day."""

    name = "system_warnings"
    axes: tuple[str, ...] = ("publish_time",)
    identity: tuple[str, ...] = ("publish_time", "warning_text")
    versioned = False

    def make_day(self, day: int) -> Columns:
        """Return the warnings of a UTC day."""
        drawn = chance(self.seed, "syswarn/count", day)
        count = 0 if drawn < 0.62 else 1 + int(6 * (drawn - 0.62))
        index = day_index(day, count)
        when = day * DAY_S + np.sort(
            (DAY_S * uniform(self.seed, "syswarn/when", index)).astype(np.int64)
        )
        kind = (len(_KINDS) * uniform(self.seed, "syswarn/kind", index)).astype(np.int64)
        told = instant_texts(when // 60 * 60)
        words = [
            f"{_KINDS[k]}\r\nThis is an invented warning of the sandbox, issued {text}.\r\nNo action is needed."
            for k, text in zip(kind.tolist(), told, strict=True)
        ]
        kinds: list[str | None] = [_KINDS[k] if k != 1 else None for k in kind.tolist()]
        return {
            "cell": np.arange(count, dtype=np.int64),
            "publish_time": when,
            "warning_type": texts(kinds),
            "warning_text": texts([*words]),
        }


class TemperatureSeries(DailySeries):
    """Columns `date` (midnight UTC), `temperature_c`, `average_c`, `high_c`, `low_c` (references),
    `publish_time`: one row a day, told at about 17:00 UTC; on one day in twenty an hour later again.
    """

    name = "temperature"
    axes: tuple[str, ...] = ("date", "publish_time")
    identity: tuple[str, ...] = ("date",)
    reach_s = 2 * DAY_S

    def make_day(self, day: int) -> Columns:
        """Return the temperature of a day, and its correction."""
        noon = one(day) * DAY_S + 12 * HOUR_S
        season = np.cos(2.0 * np.pi * (noon - 201 * DAY_S) / (365.2425 * DAY_S))
        usual = np.round(10.6 + 6.3 * season, 1)
        weather = octaves(self.seed, "temperature", ((150 * HOUR_S, 4.0), (40 * HOUR_S, 1.8)), noon)
        value = np.round(usual + weather, 1)
        when = (
            day * DAY_S
            + 17 * HOUR_S
            + spread(self.seed, "temperature/when", one(day), -900, 900).astype(np.int64)
        )
        parts = 2 if chance(self.seed, "temperature/again", day) < 1 / 20 else 1
        again = np.arange(parts)
        return {
            "cell": np.zeros(parts, dtype=np.int64),
            "date": np.full(parts, day * DAY_S, dtype=np.int64),
            "temperature_c": np.round(value + 0.3 * again, 1),
            "average_c": usual + 0.0 * again,
            "high_c": np.round(usual + 3.4 + 0.0 * again, 1),
            "low_c": np.round(usual - 3.6 + 0.0 * again, 1),
            "publish_time": when + HOUR_S * again,
        }
