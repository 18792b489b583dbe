"""cross_border_balance: what flows out of a zone less what flows in, beside what was scheduled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from domain.tables import Column, Table
from domain.windows import Window
from domain.zones import BIDDING_ZONE, ZONES
from products.averaging import HOUR, Grid, average_rows, sum_over
from products.product import Product

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

KEY = ("period_start", "zone")
TOTAL, DAY_AHEAD = "total", "day_ahead"


def compute(
    entsoe_flows: pd.DataFrame,
    entsoe_scheduled_exchanges: pd.DataFrame,
    entsoe_net_positions: pd.DataFrame,
    *,
    window: Window,
) -> pd.DataFrame:
    """Exports, imports and net position per settlement period of the window and zone.

    All inputs from 1 h before the window: ``entsoe_flows`` with ``from_zone``, ``to_zone``,
    ``period_start`` (UTC), ``resolution_s`` [s], ``flow_mw`` [MW]; ``entsoe_scheduled_exchanges`` the
    same with ``contract`` and ``exchange_mw``; ``entsoe_net_positions`` with ``zone``, ``contract``
    and ``net_position_mw``.

    The two directions of a border are published apart and both count: what flows over it is known
    where both are (50 % coverage). Exports and imports are sums over the known borders; the net
    position is empty unless all borders are known that the zone has that settlement day, and
    ``unknown_borders`` counts the others. A zone has lines on days on which one of its borders has a
    row. What was scheduled needs all borders in the same way, but for those with an area that publishes
    nothing itself (Great Britain) where no schedule came; its difference is that of the flows over the
    same borders. Over the whole of its borders what flows through a zone cancels out, so a difference
    to the schedule is deviation, losses or error.
    """
    import numpy as np

    grid = Grid.of(window)
    flows = _Flows.of(grid, entsoe_flows, "flow_mw")
    borders = _Borders.of(grid, flows)
    flowed = _Balance.of(grid, borders, flows)
    total = entsoe_scheduled_exchanges["contract"] == TOTAL
    exchanges = _Flows.of(grid, entsoe_scheduled_exchanges[total], "exchange_mw")
    with_schedules = borders.with_schedules(grid, exchanges)
    scheduled = _Balance.of(grid, with_schedules, exchanges).net
    off_schedule = _Balance.of(grid, with_schedules, flows).net - scheduled
    ahead = _day_ahead(grid, borders.zones, entsoe_net_positions)

    period, zone = np.nonzero(borders.present[:, grid.day_of_period].T)
    return grid.periods.take(period).assign(
        zone=np.array(borders.zones, dtype=object)[zone],
        **{
            name: values[zone, period]
            for name, values in (
                ("net_position_mw", flowed.net),
                ("exports_mw", flowed.exports),
                ("imports_mw", flowed.imports),
                ("both_ways_mw", flowed.both_ways),
                ("scheduled_mw", scheduled),
                ("scheduled_difference_mw", off_schedule),
                ("day_ahead_mw", ahead),
                ("day_ahead_difference_mw", flowed.net - ahead),
                ("borders", flowed.borders.astype(np.int64)),
                ("unknown_borders", flowed.unknown.astype(np.int64)),
                ("coverage", flowed.coverage),
            )
        },
    )[list(PRODUCT.table.names)]


@dataclass(frozen=True)
class _Borders:
    """The borders of all zones that have flows: ``pairs`` of a zone and its neighbour, one element each.

    ``zone`` is the number of the first among ``zones``; ``expected`` (borders, days) says on which days
    there is such a border, ``present`` (zones, days) on which days a zone has a row.
    """

    zones: list[str]
    pairs: list[tuple[str, str]]
    zone: npt.NDArray[np.intp]
    expected: npt.NDArray[np.bool_]
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid, flows: _Flows) -> _Borders:
        import numpy as np

        zones = sorted({zone for pair in flows.place for zone in pair})
        both = {either for a, b in flows.place for either in ((a, b), (b, a))}
        pairs = sorted(both | {(a, b) for a in zones for b in _neighbours(a)})
        zone = np.array([zones.index(a) for a, _ in pairs], dtype=np.intp)
        told = flows.told(flows.present, pairs) | flows.told(flows.present, _turned(pairs))
        there = [
            [b in _neighbours(a) and _there(a, b, day) for day in _days(grid)] for a, b in pairs
        ]
        present = np.zeros((len(zones), told.shape[1]), dtype=np.bool_)
        np.logical_or.at(present, zone, told)
        return cls(
            zones, pairs, zone, told | np.array(there, np.bool_).reshape(told.shape), present
        )

    def with_schedules(self, grid: Grid, exchanges: _Flows) -> _Borders:
        """Without the borders of silent areas, on days of which no schedule came for them."""
        import numpy as np

        silent = np.array(
            [[_silent(a, day) or _silent(b, day) for day in _days(grid)] for a, b in self.pairs],
            dtype=np.bool_,
        ).reshape(self.expected.shape)
        told = exchanges.told(exchanges.present, self.pairs)
        told |= exchanges.told(exchanges.present, _turned(self.pairs))
        return replace(self, expected=self.expected & (told | ~silent))


@dataclass(frozen=True)
class _Flows:
    """Means and coverage (directions, periods) of one quantity; ``place`` is the row of FROM and TO."""

    place: dict[tuple[str, str], int]
    mean: Floats
    coverage: Floats
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid, rows: pd.DataFrame, column: str) -> _Flows:
        on_grid = average_rows(
            grid,
            rows[["from_zone", "to_zone"]],
            rows["period_start"],
            rows["resolution_s"],
            rows[column],
            HOUR,
        )
        ends = on_grid.names.itertuples(index=False, name=None)
        place = {(start, end): row for row, (start, end) in enumerate(ends)}
        return cls(place, on_grid.found.mean, on_grid.found.coverage, on_grid.present)

    def told(self, figure: npt.NDArray[Any], pairs: list[tuple[str, str]]) -> npt.NDArray[Any]:
        """A figure of these directions; NaN, or False, of the ones that have no row."""
        import numpy as np

        nothing = np.full((1, figure.shape[1]), np.nan if figure.dtype.kind == "f" else 0)
        return np.concatenate([figure, nothing.astype(figure.dtype)])[
            [self.place.get(pair, -1) for pair in pairs]
        ]


@dataclass(frozen=True)
class _Balance:
    """Sums over the borders of each zone (zones, periods)."""

    net: Floats
    exports: Floats
    imports: Floats
    both_ways: Floats
    borders: Floats
    unknown: Floats
    coverage: Floats

    @classmethod
    def of(cls, grid: Grid, borders: _Borders, flows: _Flows) -> _Balance:
        import numpy as np

        def over_borders(values: npt.NDArray[Any]) -> Floats:
            return sum_over(borders.zone, values.astype(float), len(borders.zones))

        there, back = borders.pairs, _turned(borders.pairs)
        outward, inward = flows.told(flows.mean, there), flows.told(flows.mean, back)
        expected = borders.expected[:, grid.day_of_period]
        known = expected & ~np.isnan(outward) & ~np.isnan(inward)
        count, unknown = over_borders(expected), over_borders(expected & ~known)
        exports, imports, both_ways = (
            np.where(count > unknown, over_borders(np.where(known, values, 0.0)), np.nan)
            for values in (outward, inward, np.minimum(outward, inward))
        )
        covered = [np.nan_to_num(flows.told(flows.coverage, each)) for each in (there, back)]
        share = over_borders(np.where(expected, sum(covered), 0.0)) / np.maximum(2 * count, 1)
        net = np.where(unknown == 0, exports - imports, np.nan)
        return cls(net, exports, imports, both_ways, count, unknown, share)


def _day_ahead(grid: Grid, zones: list[str], rows: pd.DataFrame) -> Floats:
    """Mean net position of the day-ahead auctions (zones, periods)."""
    import numpy as np

    rows = rows[rows["contract"] == DAY_AHEAD]
    on_grid = average_rows(
        grid,
        rows[["zone"]],
        rows["period_start"],
        rows["resolution_s"],
        rows["net_position_mw"],
        HOUR,
    )
    place = {zone: row for row, zone in enumerate(on_grid.names["zone"])}
    nothing = np.full((1, len(grid.periods)), np.nan)
    return np.concatenate([on_grid.found.mean, nothing])[[place.get(z, -1) for z in zones]]


def _turned(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(b, a) for a, b in pairs]


def _neighbours(zone: str) -> list[str]:
    """The bidding zones that it has a border with, now or ever."""
    known = ZONES[zone].neighbours if zone in ZONES else ()
    return [other for other in known if ZONES[other].kind == BIDDING_ZONE]


def _days(grid: Grid) -> list[date]:
    return [day.date() for day in grid.periods["settlement_date"].unique()]


def _silent(zone: str, day: date) -> bool:
    """Whether the zone publishes nothing itself on the day."""
    return zone in ZONES and ZONES[zone].silent_from <= day


def _there(a: str, b: str, day: date) -> bool:
    """Whether both zones are there on the day."""
    return all(ZONES[zone].since <= day < ZONES[zone].until for zone in (a, b))


def _power(name: str, description: str) -> Column:
    return Column(name, "float", "MW", description, optional=True)


PRODUCT = Product(
    key="cross_border_balance",
    title="Net position of a zone from physical flows, beside schedules, on settlement periods",
    grain="settlement period",
    table=Table(
        name="cross_border_balance",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column("zone", "text", "", "Bidding zone"),
            _power(
                "net_position_mw",
                "Mean exports less imports over all borders, > 0 export; empty where one is unknown",
            ),
            _power("exports_mw", "Mean outward flow over the known borders"),
            _power("imports_mw", "Mean inward flow over the known borders"),
            _power(
                "both_ways_mw",
                "Of both: what flowed in both directions of a border in the same period",
            ),
            _power(
                "scheduled_mw",
                "Net of the total scheduled exchanges over all borders that have schedules",
            ),
            _power(
                "scheduled_difference_mw", "Net flows over the same borders less what was scheduled"
            ),
            _power("day_ahead_mw", "Net position of the day-ahead auctions, as published"),
            _power("day_ahead_difference_mw", "Net position less that of the day-ahead auctions"),
            Column("borders", "int", "", "Borders of the zone on that settlement day"),
            Column("unknown_borders", "int", "", "Of these, a direction of which is not known"),
            Column("coverage", "float", "", "Covered share of the period, mean of all directions"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
        ),
        key=KEY,
        time="period_start",
    ),
    compute=compute,
    look_back={
        "entsoe_flows": HOUR,
        "entsoe_scheduled_exchanges": HOUR,
        "entsoe_net_positions": HOUR,
    },
    optional=frozenset({"entsoe_scheduled_exchanges", "entsoe_net_positions"}),
)
