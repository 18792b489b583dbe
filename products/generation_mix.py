"""generation_mix: which share of a zone's generation each group of types has, per settlement period."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from domain.psr_types import GROUPS, PSR_TYPES, group_of
from domain.tables import Column, Table
from domain.windows import Window
from products.averaging import HOUR, Grid, OnGrid, average_rows, seconds, sum_over
from products.product import Product

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

KEY = ("period_start", "zone", "psr_group")
STORAGE = [code for code in PSR_TYPES if group_of(code) == "storage"]


def compute(entsoe_generation: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """Mean generation, own consumption and share per settlement period of the window, zone and group.

    ``entsoe_generation``, from 1 h before the window: ``zone``, ``period_start`` (UTC), ``psr_type``,
    ``resolution_s`` [s], ``generation_mw`` and ``consumption_mw`` [MW].

    The share is that of the group in what all groups generate, storage that discharges among them;
    what a group or storage consumes is told beside it and never netted. A group that draws more than
    it makes has the share 0. A mean needs 50 % coverage of each of its types; where one type of the
    zone that has rows on that settlement day lacks it, nobody knows the whole, and all shares of the
    zone are empty. ``unknown_types`` counts them.

    Of storage, a row with one side only says that the other is 0, on days on which its type has both:
    what pumps does not generate, and some zones publish each hour in one direction. Other types use
    power for themselves while they generate, so of theirs the other side stays unknown.
    """
    import numpy as np
    import pandas as pd

    grid = Grid.of(window)
    made = _side(grid, entsoe_generation, "generation_mw", "consumption_mw")
    used = _side(grid, entsoe_generation, "consumption_mw", "generation_mw")
    lines = pd.concat([made.names, used.names])[["zone", "psr_group"]].drop_duplicates()
    lines = lines.sort_values(["zone", "psr_group"], ignore_index=True)
    zones, names = pd.factorize(lines["zone"])

    generation, unknown, coverage = _per_group(grid, made, lines)
    consumption, *_ = _per_group(grid, used, lines)
    missing = sum_over(zones, unknown, len(names))[zones]
    positive = np.maximum(generation, 0.0)
    whole = sum_over(zones, np.where(np.isnan(positive), 0.0, positive), len(names))[zones]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((missing == 0) & (whole > 0), positive / whole, np.nan)

    there = _per_day(made, lines) | _per_day(used, lines)
    period, line = np.nonzero(there[:, grid.day_of_period].T)
    return grid.periods.take(period).assign(
        zone=lines["zone"].take(line).array,
        psr_group=lines["psr_group"].take(line).array,
        **{
            name: values[line, period]
            for name, values in (
                ("generation_mw", generation),
                ("consumption_mw", consumption),
                ("share", share),
                ("unknown_types", missing.astype(np.int64)),
                ("coverage", coverage),
            )
        },
    )[list(PRODUCT.table.names)]


def _side(grid: Grid, rows: pd.DataFrame, column: str, other: str) -> OnGrid:
    """Means of each zone and type, with the type's group among the names.

    Of storage a row of the ``other`` side counts as 0; present are the days that have a value.
    """
    import pandas as pd

    idle = rows["psr_type"].isin(STORAGE) & rows[other].notna()
    rows = rows[rows[column].notna() | idle]
    who = ["zone", "psr_type"]
    means = average_rows(
        grid, rows[who], rows["period_start"], rows["resolution_s"], rows[column].fillna(0.0), HOUR
    )
    said = rows[rows[column].notna()]
    index = pd.MultiIndex.from_frame(means.names)
    series = index.get_indexer(pd.MultiIndex.from_frame(said[who]))
    present = grid.present(seconds(said["period_start"]), series, len(index))
    means.names["psr_group"] = means.names["psr_type"].map(group_of).astype("str")
    return replace(means, present=present)


def _per_group(
    grid: Grid, means: OnGrid, lines: pd.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums, number of unknown types and least coverage per line and period, of types with rows that day.

    The sum is NaN where a type is unknown or there is none.
    """
    import numpy as np

    where = _places(means, lines)
    there = means.present[:, grid.day_of_period]
    values = np.where(there, means.found.mean, 0.0)
    types = sum_over(where, there.astype(float), len(lines))
    sums = sum_over(where, values, len(lines))
    unknown = sum_over(where, np.isnan(values).astype(float), len(lines))
    coverage = np.ones(sums.shape)
    np.minimum.at(coverage, where, np.where(there, means.found.coverage, 1.0))
    return np.where(types > 0, sums, np.nan), unknown, np.where(types > 0, coverage, 0.0)


def _per_day(means: OnGrid, lines: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which lines have rows on which day."""
    import numpy as np

    there = np.zeros((len(lines), means.present.shape[1]), dtype=np.bool_)
    np.logical_or.at(there, _places(means, lines), means.present)
    return there


def _places(means: OnGrid, lines: pd.DataFrame) -> npt.NDArray[np.intp]:
    """The line of each series."""
    import pandas as pd

    index = pd.MultiIndex.from_frame(lines)
    return index.get_indexer(pd.MultiIndex.from_frame(means.names[["zone", "psr_group"]]))


PRODUCT = Product(
    key="generation_mix",
    title="Share of each group of production types in a zone's generation on settlement periods",
    grain="settlement period",
    table=Table(
        name="generation_mix",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column("zone", "text", "", "Bidding zone"),
            Column("psr_group", "text", "", f"{', '.join(f'`{g}`' for g in sorted(GROUPS))}"),
            Column(
                "generation_mw",
                "float",
                "MW",
                "Mean generation of the group, < 0 where it draws more than it makes; 0 of `storage` that "
                "only charges or pumps",
                optional=True,
            ),
            Column(
                "consumption_mw",
                "float",
                "MW",
                "Mean own consumption of the group, >= 0; of `storage`, charging and pumping",
                optional=True,
            ),
            Column(
                "share",
                "float",
                "",
                "Share in the generation of all groups, 0 to 1; empty where a type is unknown",
                optional=True,
            ),
            Column(
                "unknown_types",
                "int",
                "",
                "Types of the zone that cover less than half of the period",
            ),
            Column(
                "coverage", "float", "", "Covered share of the period, of the least covered type"
            ),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
        ),
        key=KEY,
        time="period_start",
    ),
    compute=compute,
    look_back={"entsoe_generation": HOUR},
)
