"""Demand and what embedded wind and sun take off it, half-hourly in whole megawatts."""

from __future__ import annotations

from datetime import date

import numpy as np

from sandbox.calendar import (
    DAY_S,
    PERIOD_S,
    day_number,
    day_text,
    settlement_day,
    settlement_period,
    start_of_day,
    utc_offset,
)
from sandbox.grid import HISTORY_STARTS, Columns, take
from sandbox.neso.tables import Table
from sandbox.noise import Floats, Instants, octaves
from sandbox.wind_solar import solar_height

HOUR_S = 3_600
FIRST_YEAR = 2016
# The year's file is replaced in the morning and then reaches to the end of the day before.
PUBLISHED_S = 8 * HOUR_S + 15 * 60
# Years whose dates are written 01-JAN-2022; all others write 2023-01-01.
NAMED_MONTHS = frozenset({2022, 2024})
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

# Interconnectors in the portal's order: column, year of its first file, first day of flow, MW.
LINKS = (
    ("IFA_FLOW", 2009, date(2009, 1, 1), 2_000),
    ("IFA2_FLOW", 2021, date(2021, 1, 22), 1_000),
    ("BRITNED_FLOW", 2011, date(2011, 4, 1), 1_000),
    ("MOYLE_FLOW", 2009, date(2009, 1, 1), 450),
    ("EAST_WEST_FLOW", 2012, date(2012, 9, 20), 500),
    ("NEMO_FLOW", 2019, date(2019, 1, 31), 1_000),
    ("NSL_FLOW", 2021, date(2021, 10, 1), 1_400),
    ("ELECLINK_FLOW", 2022, date(2022, 5, 25), 1_000),
    ("VIKING_FLOW", 2023, date(2023, 12, 29), 1_400),
    # In the file of the year in which it was tested, with nothing but zeros.
    ("GREENLINK_FLOW", 2024, date(2025, 1, 29), 500),
)
_SCOTTISH_FROM = 2023
_DAY_SHAPE = (
    *(-0.72, -0.86, -0.95, -1.0, -0.98, -0.8, -0.35, 0.2, 0.5, 0.6, 0.65, 0.7, 0.72),
    *(0.68, 0.62, 0.65, 0.8, 1.0, 0.98, 0.85, 0.6, 0.25, -0.2, -0.5, -0.72),
)
_WIND = ((96 * HOUR_S, 0.6), (30 * HOUR_S, 0.4), (9 * HOUR_S, 0.2), (2 * HOUR_S, 0.06))
_CLOUD = ((72 * HOUR_S, 0.5), (10 * HOUR_S, 0.35), (2 * HOUR_S, 0.18))
_DEMAND = ((60 * HOUR_S, 0.6), (7 * HOUR_S, 0.3), (HOUR_S, 0.1))
_FLOW = ((120 * HOUR_S, 0.6), (20 * HOUR_S, 0.45), (3 * HOUR_S, 0.3))
_YEAR_S = 365.2425 * DAY_S


class Demand:
    """Outturn per settlement period; also the weather that the embedded forecasts foretell."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def wind_capacity(self, starts: Instants) -> Floats:
        """Return the embedded wind capacity in MW, which grows by the quarter."""
        return np.floor(5_200.0 + 28.0 * _quarters(starts))

    def solar_capacity(self, starts: Instants) -> Floats:
        """Return the embedded solar capacity in MW."""
        return np.floor(10_600.0 + 290.0 * _quarters(starts))

    def wind(self, starts: Instants) -> Floats:
        """Return embedded wind generation as a share of its capacity."""
        level = 0.33 + 0.24 * octaves(self.seed, "neso/wind", _WIND, starts + PERIOD_S // 2)
        return np.clip(level, 0.01, 0.9)

    def solar(self, starts: Instants) -> Floats:
        """Return embedded solar generation as a share of its capacity, 0 at night."""
        middle = starts + PERIOD_S // 2
        cloud = np.clip(0.6 + octaves(self.seed, "neso/cloud", _CLOUD, middle), 0.12, 1.0)
        return np.asarray(0.78 * np.maximum(solar_height(middle), 0.0) ** 1.2 * cloud)

    def outturn(self, starts: Instants) -> Columns:
        """Return every quantity in MW, spelled as the portal spells its columns."""
        wind_mw, solar_mw = self.wind_capacity(starts), self.solar_capacity(starts)
        wind, solar = wind_mw * self.wind(starts), solar_mw * self.solar(starts)
        nd = np.maximum(self._gross(starts) - wind - solar, 9_000.0)
        local_hour = ((starts + utc_offset(starts)) % DAY_S) / HOUR_S
        pumping = np.where((local_hour < 6.5) | (local_hour >= 23), 1_500.0, 8.0)
        pumping += 180.0 * octaves(self.seed, "neso/pumping", _DEMAND, starts)
        pumping = np.maximum(np.floor(pumping), 0.0)
        flows = {name: self._flow(name, since, most, starts) for name, _, since, most in LINKS}
        exported = np.sum([np.maximum(-flow, 0.0) for flow in flows.values()], axis=0)
        nd = np.floor(nd)
        columns = {
            "ND": nd,
            # Station load, pumping and exports are demand of the transmission system alone.
            "TSD": nd + 600.0 + pumping + exported,
            "ENGLAND_WALES_DEMAND": np.floor(0.9 * nd),
            "EMBEDDED_WIND_GENERATION": np.floor(wind),
            "EMBEDDED_WIND_CAPACITY": wind_mw,
            "EMBEDDED_SOLAR_GENERATION": np.floor(solar),
            "EMBEDDED_SOLAR_CAPACITY": solar_mw,
            "NON_BM_STOR": np.zeros(len(starts)),
            "PUMP_STORAGE_PUMPING": pumping,
            "SCOTTISH_TRANSFER": np.floor(2_200.0 + 2_600.0 * (self.wind(starts) - 0.3) / 0.3),
        }
        return columns | flows

    def names(self, year: int) -> list[str]:
        """Return the measured columns of a year's file: they grow with the years."""
        links = [name for name, since, _, _ in LINKS if since <= year]
        scottish = ["SCOTTISH_TRANSFER"] if year >= _SCOTTISH_FROM else []
        fixed = [
            *("ND", "TSD", "ENGLAND_WALES_DEMAND"),
            *("EMBEDDED_WIND_GENERATION", "EMBEDDED_WIND_CAPACITY"),
            *("EMBEDDED_SOLAR_GENERATION", "EMBEDDED_SOLAR_CAPACITY"),
            *("NON_BM_STOR", "PUMP_STORAGE_PUMPING"),
        ]
        return fixed + scottish + links

    def table(self, year: int, now: int) -> Table:
        """Return a year's file as it stands at `now`."""
        first = start_of_day(day_number(date(year, 1, 1)))
        end = min(start_of_day(day_number(date(year + 1, 1, 1))), published_to(now))
        starts = np.arange(first, max(end, first), PERIOD_S, dtype=np.int64)
        days = settlement_day(starts)
        known = {day: _date_text(day) for day in np.unique(days).tolist()}
        outturn = self.outturn(starts)
        columns = {
            "SETTLEMENT_DATE": [known[day] for day in days.tolist()],
            "SETTLEMENT_PERIOD": list(map(str, settlement_period(starts).tolist())),
        }
        for name in self.names(year):
            columns[name] = list(map(str, outturn[name].astype(np.int64).tolist()))
        kinds = dict.fromkeys(columns, "int4")
        kinds["SETTLEMENT_DATE"] = "text" if year in NAMED_MONTHS else "date"
        return Table(columns, kinds, "ND")

    def rows(self, first: int, last: int, now: int) -> Columns:
        """Return the truth: NaN where the year's file has no such column."""
        last = min(last, published_to(now) - 1)
        starts = np.arange(-(-max(first, HISTORY_STARTS) // PERIOD_S), last // PERIOD_S + 1)
        starts = starts.astype(np.int64) * PERIOD_S
        days = settlement_day(starts)
        years = np.array([int(day_text(day)[:4]) for day in days.tolist()], dtype=np.int64)
        columns: Columns = {"start_time": starts}
        columns["settlement_date"] = days.astype("datetime64[D]")
        columns["settlement_period"] = settlement_period(starts)
        for name, values in self.outturn(starts).items():
            since = next((year for year in range(2009, 2100) if name in self.names(year)), 2100)
            columns[f"{name.lower()}_mw"] = np.where(years >= since, values, np.nan)
        columns["publish_time"] = (days + 1) * DAY_S + PUBLISHED_S
        return take(columns, years >= FIRST_YEAR)

    def _gross(self, starts: Instants) -> Floats:
        local = starts + utc_offset(starts)
        power = 31_500.0 + 4_800.0 * np.cos(2.0 * np.pi * (starts / _YEAR_S - 0.04))
        shape = np.interp((local % DAY_S) / HOUR_S, np.arange(25.0), np.array(_DAY_SHAPE))
        # 1970-01-01 was a Thursday: days 2 and 3 of a week so counted are the weekend.
        weekend = np.isin(local // DAY_S % 7, (2, 3))
        power += 6_800.0 * shape - 2_400.0 * weekend
        return np.asarray(power + 900.0 * octaves(self.seed, "neso/demand", _DEMAND, starts))

    def _flow(self, name: str, since: date, most: int, starts: Instants) -> Floats:
        share = 0.35 + 0.7 * octaves(self.seed, f"neso/{name}", _FLOW, starts)
        flow = np.floor(most * np.clip(share, -1.0, 1.0))
        return np.where(starts >= day_number(since) * DAY_S, flow, 0.0)


def published_to(now: int) -> int:
    """Return the instant up to which demand is published at `now`."""
    return start_of_day((now - PUBLISHED_S) // DAY_S)


def _quarters(starts: Instants) -> Floats:
    return np.floor((starts - HISTORY_STARTS) / (_YEAR_S / 4.0))


def _date_text(day: int) -> str:
    text = day_text(day)
    if int(text[:4]) not in NAMED_MONTHS:
        return text
    return f"{text[8:]}-{_MONTHS[int(text[5:7]) - 1]}-{text[:4]}"
