"""Items by the day, week, month or year of civil time: forecasts far ahead, capacities, reservoirs.

Any period that a window touches is returned whole. Its start and end are midnights of the zone's own
clock, so that a day of October has 25 hours and a year begins on the last evening of the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from sandbox.calendar import DAY_S, day_number, day_text, market_day_of, start_of_market_day
from sandbox.entsoe import exchange, units
from sandbox.entsoe.climates import FLEETS
from sandbox.entsoe.curves import Curve, area, scheduled_directions, tag
from sandbox.entsoe.layout import Period, TimeSeries, texts
from sandbox.entsoe.market import border_areas
from sandbox.entsoe.power import MEGAWATT, load_forecast, psr_lines, unit_lines
from sandbox.entsoe.zones import BY_KEY, ZONES
from sandbox.grid import Columns
from sandbox.noise import Floats, uniform

DAY, WEEK, MONTH, YEAR = "P1D", "P7D", "P1M", "P1Y"
_STORED_MWH = {"B12": 900.0, "B11": 0.0, "B10": 8.0}


@dataclass(frozen=True)
class Span:
    """A period of civil time; `number` is its first day, counted from 1970."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class CivilItem:
    """An item of long periods of one length.

    `values` are those of one period, one for each curve. Rows of the truth have all curves of a
    period side by side where there are several `columns`. It is told so many seconds after the
    period's start, negative for before.
    """

    key: str
    unit: str
    columns: tuple[str, ...]
    curves: Callable[[str], list[Curve]]
    values: Callable[[int, str, Span], list[float]]
    told: int
    border: bool = False
    scopes: Callable[[], list[str]] = lambda: [zone.key for zone in ZONES]

    def spans(self, scope: str, first: int, end: int, now: int) -> list[Span]:
        """Return the periods that [first, end) touches and that are told by `now`."""
        hours = 0 if self.border else BY_KEY[scope].hours
        number = market_day_of(first) - 1
        found = []
        while end > first:
            span = _span(self.unit, number, hours)
            if span.start >= end or span.start + self.told > now:
                break
            if span.end > first and _open(scope, span):
                found.append(span)
            number = _next(self.unit, span.number)
        return found

    def series(
        self, seed: int, scope: str, spans: list[Span], wanted: list[int]
    ) -> list[TimeSeries]:
        """Return the curves asked for, a Period for periods one after the other."""
        runs: list[list[Span]] = []
        for span in spans:
            if not runs or runs[-1][-1].end != span.start:
                runs.append([])
            runs[-1].append(span)
        found = []
        for place in wanted:
            curve = self.curves(scope)[place]
            periods = []
            for run in runs:
                values = np.array([self.values(seed, scope, span)[place] for span in run])
                kept = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
                periods.append(
                    Period(
                        run[0].start,
                        run[-1].end,
                        self.unit,
                        (kept + 1).tolist(),
                        texts(values[kept]),
                    )
                )
            if periods:
                found.append(TimeSeries(curve.before, "A03", curve.after, periods))
        return found

    def rows(self, seed: int, scope: str, first: int, last: int, now: int) -> list[Columns]:
        """Return the truth of a scope: all periods that the instants from `first` to `last` touch."""
        spans = self.spans(scope, first, last + 1, now)
        found = []
        curves = self.curves(scope)
        for span in spans:
            values = self.values(seed, scope, span)
            base: Columns = {
                "time": np.array([span.start]),
                "resolution_s": np.array([span.end - span.start]),
            }
            told = {"publish_time": np.array([span.start + self.told])}
            if len(self.columns) > 1:
                named = zip(self.columns, values, strict=True)
                found.append(base | {name: np.array([value]) for name, value in named} | told)
                continue
            for curve, value in zip(curves, values, strict=True):
                labels = {name: np.array([label]) for name, label in curve.labels}
                found.append(base | labels | {self.columns[0]: np.array([value])} | told)
        return found


def _open(scope: str, span: Span) -> bool:
    if ">" in scope:
        return exchange.border_of(scope).is_scheduled(span.number)
    return BY_KEY[scope].is_open(span.number)


@lru_cache(maxsize=4_096)
def _span(unit: str, number: int, hours: int) -> Span:
    first = _first(unit, number)
    bounds = (start_of_market_day(day) - hours * 3_600 for day in (first, _next(unit, first)))
    return Span(first, *bounds)


def _first(unit: str, number: int) -> int:
    """Return the first day of the period that holds a day; weeks begin on Mondays."""
    day = date.fromisoformat(day_text(number))
    match unit:
        case "P7D":
            return number - day.weekday()
        case "P1M":
            return number - (day.day - 1)
        case "P1Y":
            return day_number(day.replace(month=1, day=1))
    return number


def _next(unit: str, first: int) -> int:
    day = date.fromisoformat(day_text(first))
    match unit:
        case "P7D":
            return first + 7
        case "P1M":
            return day_number((day.replace(day=1) + timedelta(days=32)).replace(day=1))
        case "P1Y":
            return day_number(date(day.year + 1, 1, 1))
    return first + 1


# --- load, far ahead ----------------------------------------------------------------------------


def _extremes(seed: int, zone: str, span: Span, share: float) -> list[float]:
    """Return the least and the most load forecast of a period."""
    forecast = load_forecast(seed, zone, np.arange(span.start, span.end, 3_600), 3_600, share)
    return [float(forecast.min()), float(forecast.max())]


def _extreme_curves(zone: str) -> list[Curve]:
    areas = area("outBiddingZone_Domain", zone)
    return [
        Curve((), (tag("businessType", business), tag("objectAggregation", "A01"), areas, MEGAWATT))
        for business in ("A60", "A61")
    ]


def _load(key: str, unit: str, share: float, told: int) -> CivilItem:
    return CivilItem(
        key,
        unit,
        ("load_forecast_min_mw", "load_forecast_max_mw"),
        _extreme_curves,
        lambda seed, zone, span: _extremes(seed, zone, span, share),
        told,
    )


# --- what is installed ---------------------------------------------------------------------------


def _year(span: Span) -> int:
    return date.fromisoformat(day_text(span.number)).year


def _type_curves(zone: str) -> list[Curve]:
    lines = (
        tag("businessType", "A37"),
        tag("objectAggregation", "A08"),
        area("inBiddingZone_Domain", zone),
        MEGAWATT,
    )
    return [Curve((("psr_type", psr),), lines, psr_lines(psr)) for psr in FLEETS[zone]]


def _installed(seed: int, zone: str, span: Span) -> list[float]:
    return [units.installed_mw(zone, psr, _year(span)) for psr in FLEETS[zone]]


def _plant_curves(zone: str) -> list[Curve]:
    return [
        Curve(
            (("psr_type", unit.psr), ("unit_eic", unit.eic), ("unit_name", unit.name)),
            (
                tag("businessType", "B11"),
                tag("objectAggregation", "A06"),
                area("inBiddingZone_Domain", zone),
                f'<registeredResource.mRID codingScheme="A01">{unit.eic}</registeredResource.mRID>',
                tag("registeredResource.name", unit.name),
                MEGAWATT,
            ),
            unit_lines(unit.psr, unit.eic, unit.name),
        )
        for unit in units.plants(zone)
    ]


def _plants(seed: int, zone: str, span: Span) -> list[float]:
    return [unit.nominal_mw for unit in units.plants(zone)]


# --- reservoirs -----------------------------------------------------------------------------------


def _reservoir_zones() -> list[str]:
    return [zone.key for zone in ZONES if "B12" in FLEETS[zone.key]]


def _reservoir_curve(zone: str) -> list[Curve]:
    areas = area("inBiddingZone_Domain", zone)
    unit = "<quantity_Measure_Unit.name>MWH</quantity_Measure_Unit.name>"
    return [Curve((), (tag("businessType", "A01"), tag("objectAggregation", "A01"), areas, unit))]


def _stored(seed: int, zone: str, span: Span) -> list[float]:
    """Return what reservoirs hold: least in April, most in October."""
    most = sum(
        hours * FLEETS[zone][psr][2] for psr, hours in _STORED_MWH.items() if psr in FLEETS[zone]
    )
    wave = np.cos(2.0 * np.pi * (span.number / 365.2425 - 0.77))
    noise = uniform(seed, f"entsoe/{zone}/reservoir", np.array([span.number]))[0]
    return [float(np.round(most * (0.5 + 0.28 * wave + 0.1 * noise), 2))]


def _capacity(key: str, unit: str, kind: str, told: int) -> CivilItem:
    return CivilItem(
        key,
        unit,
        ("transfer_capacity_mw",),
        lambda scope: [Curve((), (tag("businessType", "A27"), *border_areas(scope), MEGAWATT))],
        lambda seed, scope, span: _whole(
            exchange.capacity_mw(seed, scope, np.array([span.start]), kind)
        ),
        told,
        border=True,
        scopes=scheduled_directions,
    )


def _whole(values: Floats) -> list[float]:
    return [float(value) for value in values]


CIVIL = {
    item.key: item
    for item in (
        _load("load_forecast_week", DAY, 0.05, -3 * DAY_S),
        _load("load_forecast_month", WEEK, 0.08, -7 * DAY_S),
        _load("load_forecast_year", WEEK, 0.1, -30 * DAY_S),
        CivilItem(
            "capacity_per_type",
            YEAR,
            ("installed_capacity_mw",),
            _type_curves,
            _installed,
            -7 * DAY_S,
        ),
        CivilItem(
            "capacity_per_unit",
            YEAR,
            ("installed_capacity_mw",),
            _plant_curves,
            _plants,
            -7 * DAY_S,
        ),
        CivilItem(
            "reservoirs",
            WEEK,
            ("stored_energy_mwh",),
            _reservoir_curve,
            _stored,
            10 * DAY_S,
            scopes=_reservoir_zones,
        ),
        _capacity("capacity_week", DAY, "week", -2 * DAY_S),
        _capacity("capacity_month", WEEK, "month", -7 * DAY_S),
        _capacity("capacity_year", MONTH, "year", -30 * DAY_S),
    )
}
