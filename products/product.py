"""What a product declares: the figure, what it is computed from, and the function that does it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.settlement import LONDON
from domain.tables import Table
from utils import Setting

if TYPE_CHECKING:
    import pandas as pd

# The one keyword that is not an assumption: which settlement days are to be computed.
WINDOW = "window"


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
    settlement days. ``daily`` products make up the default of ``PRODUCTS``.
    """

    key: str
    title: str
    grain: str
    table: Table
    compute: Callable[..., pd.DataFrame]
    look_back: Mapping[str, timedelta] = field(default_factory=dict, hash=False)
    optional: frozenset[str] = frozenset()
    reference: frozenset[str] = frozenset()
    clock_setting: str = ""
    settings: tuple[Setting, ...] = ()
    daily: bool = False

    def clock(self, settings: Mapping[str, Any]) -> ZoneInfo:
        """The clock that the product's days follow."""
        return ZoneInfo(settings[self.clock_setting]) if self.clock_setting else LONDON

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Keys of the datasets and products it is computed from."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.compute).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """Names of its assumptions; each is the setting of that name in capitals."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.compute).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and name != WINDOW
        )
