"""What every page stands in: the store, the range, pictures, what is missing, troubles, the footer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import ModuleType
from typing import TYPE_CHECKING, Any

import streamlit as st

from domain.errors import GridledgerError
from domain.settlement import LONDON, ONE_DAY, days_window, settlement_date
from domain.windows import Window
from job import read_settings
from storage import attribution, open_store
from utils import VERSION, SettingError, Settings, log

if TYPE_CHECKING:
    from pictures.picture import Picture
    from stores.sql import SqlStore

SYNTHETIC_WORDS = "Synthetic data: every number on this page is made up by the sandbox."

# Links of the menu have no sign of their own that the keyboard is on them.
# No primary colour can be read both below white, as on buttons, and on the dark theme's ground: what is
# chosen has the colour of text, and so have the links of captions, which are paler than others.
_STYLE = """<style>
.stMultiSelect [data-tag], .stMultiSelect [data-tag] * { background: transparent; color: inherit; }
.stMultiSelect [data-tag] { border: 1px solid; }
.stTabs [role="tab"], .stButtonGroup [data-selected="true"], [data-testid="stSliderThumbValue"],
[data-testid="stCaptionContainer"] a { color: inherit !important; }
[data-testid="stSidebarNavLink"]:focus-visible { outline: 2px solid currentColor; }
</style>"""


@dataclass(frozen=True)
class View:
    """What a page looks at: the open store, the settings in force, the moment of looking."""

    store: SqlStore
    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """The settlement day that it is."""
        return settlement_date(self.now)


def standing(page: ModuleType) -> Callable[[], None]:
    """A page with all that surrounds it; ``page`` has TITLE, ABOUT and ``show(view)``.

    Foreseeable troubles are shown in their own words, all others only in the log: what a visitor reads
    holds neither a path of this machine nor a traceback.
    """

    def draw() -> None:
        st.html(_STYLE)
        st.title(page.TITLE)
        st.caption(page.ABOUT)
        try:
            settings = read_settings()
            with open_store(settings["STORE_URL"], create=False) as store:
                view = View(store, settings, datetime.now(UTC))
                if store.origin == "synthetic":
                    st.warning(SYNTHETIC_WORDS, icon=":material/science:")
                page.show(view)
                _footer(store)
        except (GridledgerError, SettingError) as trouble:
            log.warning("dashboard, %s: %s", page.TITLE, trouble)
            st.error(plain(trouble))
        except Exception:  # a fault of ours must show neither code nor data to a visitor
            log.exception("dashboard, %s: an unforeseen fault", page.TITLE)
            st.error("This page failed for an unforeseen reason. The log says more.")

    draw.__name__ = page.__name__.rpartition(".")[2]
    return draw


# A path of this machine, of either kind; what follows its last separator stays.
_PATH = re.compile(r"(?<![\w:/])(?:[A-Za-z]:\\|/)(?:[^\s/\\:]+[/\\])+")


def shown(trouble: object) -> str:
    """A message as a visitor may read it: without the folders of this machine.

    >>> shown("/home/ann/grid/output/gridledger.db is not ours")
    '…/gridledger.db is not ours'
    """
    return _PATH.sub("…/", str(trouble))


# What Markdown, formulas, colours and icons are written with.
_MARKS = re.compile(r"[\\`*_{}\[\]()<>#+|~$:!&-]")
# Where an address becomes a link by itself, escaped or not; a character of no width comes between.
_LINKS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)")


def plain(text: object) -> str:
    """Text of somewhere else as Streamlit's Markdown shows it letter by letter, without our folders.

    A link to a page can hold any text, and an error repeats it: it must not become a picture or a link.

    >>> print(plain("'![x](y)' does not fit generation_mw"))
    '\\!\\[x\\]\\(y\\)' does not fit generation\\_mw
    """
    return _LINKS.sub("\u2060", _MARKS.sub(r"\\\g<0>", shown(text)))


def _footer(store: SqlStore) -> None:
    st.divider()
    lines = attribution(store.origin or "nothing is stored yet").splitlines()
    st.caption("  \n".join(lines))
    st.caption(f"gridledger {VERSION}")


# --- range ----------------------------------------------------------------------------------------


def chosen_range(
    view: View, keys: Sequence[str], days: int = 7, clock: tzinfo = LONDON
) -> Window | None:
    """The settlement days that the visitor looks at: at first the newest ``days`` stored of ``keys``.
    By another ``clock`` they are delivery days.

    None where nothing is stored of any of them. Both ends stand in the page's address, so that a link
    shows the same.
    """
    stored = stored_days(view, keys, clock)
    if stored is None:
        return None
    first, last = stored
    asked = st.query_params
    newest = days_window(max(first, last - (days - 1) * ONE_DAY), last, clock)
    # Not before the first of them that has rows: an empty beginning shows nothing.
    held = stored_days(view, keys, clock, newest) or stored
    start = _day(asked.get("start"), held[0])
    end = _day(asked.get("end"), last)
    start, end = sorted((min(max(start, first), last), min(max(end, first), last)))
    left, right = st.columns(2)
    called = "settlement day" if clock == LONDON else f"delivery day ({clock})"
    start = left.date_input(
        f"First {called}", start, min_value=first, max_value=last, key=f"{keys[0]}-start"
    )
    end = right.date_input(
        f"Last {called}", end, min_value=first, max_value=last, key=f"{keys[0]}-end"
    )
    if end < start:
        st.info("The last day comes before the first: the two are taken the other way round.")
        start, end = end, start
    st.query_params.update(start=start.isoformat(), end=end.isoformat())
    return days_window(start, end, clock)


def stored_days(
    view: View, keys: Sequence[str], clock: tzinfo = LONDON, window: Window | None = None
) -> tuple[date, date] | None:
    """The first and the last day of the clock, in a window, of which any of the tables has rows."""
    found = [view.store.extent(view.store.tables[key], window=window) for key in keys]
    windows = [window for window in found if window]
    if not windows:
        return None
    first, last = min(w.start for w in windows), max(w.end for w in windows)
    return first.astimezone(clock).date(), (last - timedelta(seconds=1)).astimezone(clock).date()


def _day(text: str | None, otherwise: date) -> date:
    """A day of the address; of what is none the visitor is told, without a word of it."""
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        st.info(f"The link names no day such as 2024-10-27: {otherwise} is shown.")
        return otherwise


# --- what is shown --------------------------------------------------------------------------------


def draw(picture: Picture, key: str) -> None:
    """A picture as a chart that one can point at; ``key`` tells it from others of the page."""
    from pictures.interactive import figure

    st.header(plain(picture.title))
    st.caption(plain(picture.subtitle))
    st.plotly_chart(
        figure(picture),
        key=key,
        alt=f"{picture.title}, {picture.subtitle}",
        width="stretch",
        config={"displaylogo": False, "responsive": True},
    )


def empty(what: str, command: str) -> None:
    """What to do where nothing is stored."""
    st.info(f"Nothing stored yet: {what}. This command fills the gap:", icon=":material/inbox:")
    command_line(command)


def command_line(words: str) -> None:
    """A command to copy; in one colour, because those of a highlighted one are too pale."""
    st.code(f"python3 run.py {words}", language=None, wrap_lines=True)


def age(then: datetime, now: datetime) -> str:
    """How long ago, as one says it.

    >>> age(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 3, 20, tzinfo=UTC))
    '3 h ago'
    """
    seconds = (now - then).total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def content_of(store: SqlStore) -> str:
    """What differs as soon as anything in the store does; cached figures are kept under it."""
    return f"{store.location()} {store.moment()}"


@st.cache_data(max_entries=50, show_spinner="Computing …")
def kept(_compute: Callable[..., Any], name: str, content: str, *arguments: Any) -> Any:
    """What ``_compute`` makes of the store, once for each name, content and arguments."""
    return _compute()
