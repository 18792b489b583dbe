"""The page Markets: British and European prices, load, generation, flows, carbon intensity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.frame import View, chosen_range, content_of, draw, empty, kept
from domain.windows import Window
from pictures import markets

if TYPE_CHECKING:
    from pictures.markets import Price

TITLE = "Markets"
ABOUT = "Prices, load, generation and flows, British and European."

# More lines than that nobody tells apart.
MOST_ZONES = 6
MOST_STORED = 1000
NOTHING = "Nothing is stored in this range: choose another."


def show(view: View) -> None:
    """Draw the page: one subject at a time, so that nothing is read that nobody looks at."""
    subject = st.segmented_control(
        "Subject", list(_SUBJECTS), key="markets", default="GB prices", required=True, bind="query-params"
    )  # fmt: skip
    _SUBJECTS[subject or "GB prices"](view)


def _gb_prices(view: View) -> None:
    window = _range(view, ["system_prices", "market_index"], "British prices")
    if window is None:
        return
    store = view.store
    _draw(view, "gb-prices", window, lambda: markets.gb_prices(store, window))
    prices = markets.british_prices(store, window)
    _shape(view, window, prices)


def _european_prices(view: View) -> None:
    window = _range(view, [markets.DAY_AHEAD], "European prices")
    if window is None:
        return
    store = view.store
    left, right = st.columns([3, 1])
    zones = _zones(view, left, markets.DAY_AHEAD, window)
    auctions = _stored(view, markets.DAY_AHEAD, "auction_sequence", window)
    wanted = right.multiselect(
        "Auctions", auctions, default=auctions[:1], key="auctions",
        help="1 is the price; 2 is a second auction of the zone, kept apart.",
    )  # fmt: skip
    if not zones or not wanted:
        st.info("Choose a zone and an auction.", icon=":material/touch_app:")
        return
    prices = markets.day_ahead(store, window, zones, wanted)
    _draw(
        view,
        "day-ahead",
        window,
        lambda: markets.day_ahead_prices(store, window, prices),
        *zones,
        *wanted,
    )
    _shape(view, window, prices)


def _shape(view: View, window: Window, prices: Sequence[Price]) -> None:
    """How long prices are how high, and when."""
    if not prices:
        return
    store = view.store
    labels = [price.label for price in prices]
    _draw(view, "duration", window, lambda: markets.price_duration(store, window, prices), *labels)
    named = {f"{price.label} [{price.unit(store)}]": price for price in prices}
    name = st.selectbox("Price by day and settlement period", list(named), key="heat-price")
    _draw(view, "heat", window, lambda: markets.price_heatmap(store, window, named[name]), name)


def _load(view: View) -> None:
    window = _range(view, [markets.LOAD], "load")
    if window is None:
        return
    zones = _zones(view, st, markets.LOAD, window)
    if not zones:
        st.info("Choose a zone.", icon=":material/touch_app:")
        return
    _draw(view, "load", window, lambda: markets.load(view.store, window, zones), *zones)


def _generation(view: View) -> None:
    keys = ["generation_outturn", markets.MIX, markets.GENERATION]
    window = _range(view, keys, "generation")
    if window is None:
        return
    store = view.store
    zones = [
        *_stored(view, markets.MIX, "zone", window),
        *_stored(view, markets.GENERATION, "zone", window),
    ]
    british = store.extent(store.tables["generation_outturn"], window=window)
    names = ([_BRITAIN] if british else []) + sorted(set(zones))
    if not names:
        st.info(NOTHING, icon=":material/date_range:")
        return
    name = str(st.selectbox("Zone", names, key="mix-zone", bind="query-params"))
    if name == _BRITAIN:
        _draw(view, "gb-generation", window, lambda: markets.gb_generation(store, window))
    else:
        _draw(view, "mix", window, lambda: markets.generation_mix(store, window, name), name)


_BRITAIN = "Great Britain, by fuel"
_EVERY = "All neighbours"


def _flows(view: View) -> None:
    window = _range(view, [markets.FLOWS, markets.BALANCE], "flows")
    if window is None:
        return
    store = view.store
    neighbours: dict[str, set[str]] = {}
    for border in _stored(view, markets.FLOWS, "border", window):
        one, _, other = border.partition(">")
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    known = {*neighbours, *_stored(view, markets.BALANCE, "zone", window)}
    if not known:
        st.info(NOTHING, icon=":material/date_range:")
        return
    left, right = st.columns(2)
    # The zone of which there is most: others are only at the far end of its borders.
    most = max(sorted(known), key=lambda name: len(neighbours.get(name, ())))
    zones = sorted(known)
    zone = left.selectbox(
        "Zone", zones, index=zones.index(most), key="flow-zone", bind="query-params"
    )
    borders = sorted(neighbours.get(zone, ()))
    neighbour = right.selectbox("Border with", [_EVERY, *borders], key=f"border-{zone}")
    chosen = borders if neighbour == _EVERY else [neighbour]
    if chosen:
        _draw(
            view, "flows", window, lambda: markets.flows(store, window, zone, chosen), zone, *chosen
        )
    _draw(
        view,
        "balance",
        window,
        lambda: markets.balance(store, window, zone),
        zone,
        otherwise=f"The net position of {zone} is not computed in this range: "
        f"'process {markets.BALANCE}' does it where all borders of the zone are stored.",
    )


def _carbon(view: View) -> None:
    window = _range(view, ["carbon_intensity"], "carbon intensity")
    if window is None:
        return
    _draw(view, "carbon", window, lambda: markets.carbon(view.store, window))


_SUBJECTS: dict[str, Callable[[View], None]] = {
    "GB prices": _gb_prices,
    "European prices": _european_prices,
    "Load": _load,
    "Generation": _generation,
    "Flows": _flows,
    "Carbon": _carbon,
}


# --- what the subjects share ----------------------------------------------------------------------


def _range(view: View, keys: Sequence[str], what: str) -> Window | None:
    window = chosen_range(view, keys)
    if window is None:
        fetched = " ".join(key for key in keys if key not in (markets.MIX, markets.BALANCE))
        empty(what, f"fetch {fetched} --start {view.today - timedelta(days=2)}")
    return window


def _zones(view: View, place: Any, key: str, window: Window) -> list[str]:
    """The zones to compare, of those that are stored in the range."""
    stored = _stored(view, key, "zone", window)
    return list(
        place.multiselect(
            "Zones", stored, default=stored[:2], key=f"{key}-zones", max_selections=MOST_ZONES
        )
    )


def _stored(view: View, key: str, column: str, window: Window) -> list[Any]:
    """What a column has in the range."""
    table = view.store.tables[key]
    found: list[Any] = kept(
        lambda: view.store.distinct(table, column, MOST_STORED, window),
        f"{key} {column}",
        content_of(view.store),
        window,
    )
    return found


def _draw(
    view: View,
    name: str,
    window: Window,
    made: Callable[[], Any],
    *chosen: object,
    otherwise: str = NOTHING,
) -> None:
    """Draw a picture, made once for each content of the store and choice; say where there is none."""
    picture = kept(made, name, content_of(view.store), window, *chosen)
    if picture is None:
        st.info(otherwise, icon=":material/date_range:")
    else:
        draw(picture, name)
