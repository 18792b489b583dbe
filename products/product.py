"""What a product declares: the figure, what it is computed from, and the function that does it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.settlement import LONDON, ONE_DAY, PERIOD, QUARTER, day_window, month_window
from domain.tables import Table
from domain.windows import Window
from utils import Setting

if TYPE_CHECKING:
    import pandas as pd

# The one keyword that is not an assumption: which settlement days are to be computed.
WINDOW = "window"
_STEPS = {
    "quarter hour": QUARTER,
    "settlement period": PERIOD,
    "settlement day": ONE_DAY,
    "day": ONE_DAY,
}


@dataclass(frozen=True)
class Product:
    """A figure that is computed: key, table, and a pure function from frames to one frame.

    The positional parameters of ``compute`` are its inputs (dataset or product keys); its
    keyword-only parameters are assumptions, named like their settings in small letters, and
    ``window``, the settlement days asked for. It returns the rows of that window and no others, and
    the rows of a day do not depend on which days are computed with it. ``look_back`` says how far
    before the window an input is needed; inputs in ``optional`` may be absent as long as one is there.
    ``reference`` inputs are snapshots: the newest before the day counts, as far back as ``look_back``.
    ``clock_setting`` names the setting whose time zone the product's days follow; without it they are
    settlement days. ``columns`` says of a large input which columns are used; the others are not read.
    ``daily`` products make up the default of ``PRODUCTS``.

    ``monthly`` products have rows on the last day of a month only, computed from the whole month, which
    is their window. A product that has itself among its inputs gets the rows that it had before.
    ``issued_before_end`` is for what is issued once: inputs are read as they were known so long before
    the day's end, and a change of what it looks back on does not restate it. ``documents`` makes further
    files of a day's rows, by name; its second argument is their origin, live or synthetic.
    """

    key: str
    title: str
    grain: str
    table: Table
    compute: Callable[..., pd.DataFrame]
    look_back: Mapping[str, timedelta] = field(default_factory=dict, hash=False)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    optional: frozenset[str] = frozenset()
    reference: frozenset[str] = frozenset()
    clock_setting: str = ""
    settings: tuple[Setting, ...] = ()
    daily: bool = False
    monthly: bool = False
    issued_before_end: timedelta | None = None
    documents: Callable[[pd.DataFrame, str], Mapping[str, bytes]] | None = None

    def clock(self, settings: Mapping[str, Any]) -> ZoneInfo:
        """The clock that the product's days follow."""
        return ZoneInfo(settings[self.clock_setting]) if self.clock_setting else LONDON

    @property
    def step(self) -> timedelta | None:
        """How far rows lie apart, days of the clock as ONE_DAY; None where that is not one length."""
        return _STEPS.get(self.grain)

    def due(self, day: date) -> bool:
        """Whether the day can have rows."""
        return not self.monthly or (day + ONE_DAY).day == 1

    def span(self, day: date, clock: tzinfo) -> Window:
        """The window that the rows of a day are computed from, before looking back."""
        return month_window(day, clock) if self.monthly else day_window(day, clock)

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """Keys of the tables that ``compute`` takes, its own among them where it wants it."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.compute).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Keys of the datasets and products it is computed from."""
        return tuple(name for name in self.frames if name != self.key)

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """Names of its assumptions; each is the setting of that name in capitals."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.compute).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and name != WINDOW
        )
