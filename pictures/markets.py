"""Pictures of markets: prices, load, generation, flows and carbon, British and European."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from domain.analytics import duration_curve
from domain.settlement import days_in, days_window
from domain.windows import Window
from pictures.choosing import picture_of
from pictures.inks import BLUE, CYCLE, GREY, RUST, inks_of, label_of
from pictures.kinds import axis_label
from pictures.picture import Dash, Line, Mark, Panel, Picture
from pictures.spans import Part, Spans, line, picture, read_spans, stack
from pictures.subjects import unit_in
from stores.filtering import Condition
from stores.looking import MOST_ROWS

if TYPE_CHECKING:
    from stores.sql import SqlStore

# A heatmap has a column a day.
MOST_DAYS = 366
# Corners of a duration curve; values between are left out by rank, so that neither end is lost.
MOST_RANKS = 2000
FLOWS, BALANCE = "entsoe_flows", "cross_border_balance"
DAY_AHEAD, LOAD, LOAD_FORECAST = (
    "entsoe_day_ahead_prices",
    "entsoe_load",
    "entsoe_load_forecast_day",
)
MIX, GENERATION = "generation_mix", "entsoe_generation"
# The market index says 0 where nothing was traded, which is no price.
TRADED = (Condition("volume_mwh", ">", "0"),)
_AUCTION_DASHES: tuple[Dash, ...] = ("solid", "dash", "dot")


@dataclass(frozen=True)
class Price:
    """A series of prices: its table and column, what picks it out of the table, what it is called."""

    key: str
    column: str
    label: str
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filters(self) -> tuple[Condition, ...]:
        """Which of the rows have a price at all."""
        return TRADED if self.key == "market_index" else ()

    def unit(self, store: SqlStore) -> str:
        """Its currency and quantity, such as GBP/MWh."""
        return unit_in(store.tables[self.key].column(self.column), self.where)


# --- British --------------------------------------------------------------------------------------


def british_prices(store: SqlStore, window: Window) -> list[Price]:
    """The system price, and the market index of every data provider that is stored."""
    found = []
    if store.extent(store.tables["system_prices"], window=window):
        found.append(Price("system_prices", "system_buy_price_gbp_per_mwh", "System price"))
    providers = store.distinct(
        store.tables["market_index"], "data_provider", window=window, filters=TRADED
    )
    return found + [
        Price("market_index", "price_gbp_per_mwh", f"Market index {name}", {"data_provider": name})
        for name in providers
    ]


def gb_prices(store: SqlStore, window: Window) -> Picture | None:
    """System prices and market index in one panel, volumes below; None where neither is stored."""
    system = read_spans(
        store,
        "system_prices",
        ["system_buy_price_gbp_per_mwh", "system_sell_price_gbp_per_mwh", "net_imbalance_volume_mwh"],
        window,
    )  # fmt: skip
    by = ["data_provider"]
    index = read_spans(store, "market_index", ["price_gbp_per_mwh"], window, by=by, filters=TRADED)
    traded = read_spans(store, "market_index", ["volume_mwh"], window, by=by)
    if system is None and traded is None:
        return None
    prices: list[Mark] = []
    volumes: list[Mark] = []
    panels: list[Panel] = []
    told: dict[str, Spans] = {}
    notes = []
    if system:
        told["system prices"] = system
        prices += _system_prices(system)
    if traded:
        told["market index"] = traded
        notes.append("market index where something was traded")
        providers = sorted(traded.frame["data_provider"].unique())
        for provider, ink in zip(providers, CYCLE[1:], strict=False):
            label = f"market index {provider}"
            volumes += line(traded.of(data_provider=provider), "volume_mwh", label, ink)
            own = index.of(data_provider=provider) if index else None
            if own is not None and len(own.frame):
                prices += line(own, "price_gbp_per_mwh", label, ink)
    unit = store.tables["market_index"].column("price_gbp_per_mwh").unit
    panels.append(Panel(axis_label("price", unit), prices, height=1.3))
    if system:
        imbalance = line(system, "net_imbalance_volume_mwh", "net imbalance volume", GREY)
        panels.append(
            Panel(
                system.label("net_imbalance_volume_mwh") + "\n+ when the system was short",
                imbalance,
                height=0.7,
            )
        )
    if traded:
        panels.append(Panel(traded.label("volume_mwh", "traded volume"), volumes, height=0.7))
    return picture(store, "British prices", panels, told, notes)


def _system_prices(system: Spans) -> list[Mark]:
    """One line, unless there were two prices, as before November 2015."""
    buy, sell = "system_buy_price_gbp_per_mwh", "system_sell_price_gbp_per_mwh"
    ends = [end for end in ("", "_min", "_max") if buy + end in system.frame.columns]
    if all(system.frame[buy + end].equals(system.frame[sell + end]) for end in ends):
        return line(system, buy, "system price", CYCLE[0])
    bought = line(system, buy, "system buy price", CYCLE[0])
    return [*bought, *line(system, sell, "system sell price", CYCLE[0], "dash")]


def gb_generation(store: SqlStore, window: Window) -> Picture | None:
    """Generation by fuel and interconnector on top of one another; exports and pumping below zero."""
    spans = read_spans(store, "generation_outturn", ["generation_mw"], window, by=["fuel_type"])
    title = "British generation by fuel and interconnector"
    return _stacked(store, title, spans, "generation_mw", "fuel_type")


def carbon(store: SqlStore, window: Window) -> Picture | None:
    """Carbon intensity of Great Britain, forecast and estimate afterwards."""
    columns = {"actual_gco2_per_kwh": "actual", "forecast_gco2_per_kwh": "forecast"}
    spans = read_spans(store, "carbon_intensity", list(columns), window)
    if spans is None:
        return None
    marks = [
        *line(spans, "actual_gco2_per_kwh", "actual", CYCLE[0]),
        *line(spans, "forecast_gco2_per_kwh", "forecast", CYCLE[1], "dash"),
    ]
    panel = Panel(spans.label("actual_gco2_per_kwh", "carbon intensity"), marks, height=1.3)
    return picture(store, "Carbon intensity of Great Britain", [panel], {"carbon": spans})


# --- European -------------------------------------------------------------------------------------


def day_ahead(
    store: SqlStore, window: Window, zones: Sequence[str], auctions: Sequence[int] = (1,)
) -> list[Price]:
    """Day-ahead prices of zones, those of each auction and currency by themselves."""
    table = store.tables[DAY_AHEAD]
    found = []
    for zone in zones:
        of_zone = {"zone": zone, "auction_sequence": list(auctions)}
        for currency in store.distinct(table, "currency", window=window, where=of_zone):
            for auction in auctions:
                where = {"zone": zone, "auction_sequence": auction, "currency": currency}
                if store.extent(table, where, window=window):
                    label = zone if auction == 1 else f"{zone}, auction {auction}"
                    found.append(Price(DAY_AHEAD, "price_per_mwh", label, where))
    return found


def day_ahead_prices(store: SqlStore, window: Window, prices: Sequence[Price]) -> Picture | None:
    """Day-ahead prices over time, a panel a currency; None where none is stored."""
    zones = list(dict.fromkeys(price.where["zone"] for price in prices))
    inks = dict(zip(zones, inks_of(zones), strict=True))
    panels: dict[str, list[Mark]] = {}
    told: dict[str, Spans] = {}
    for price in prices:
        spans = read_spans(store, price.key, [price.column], window, price.where)
        if spans is None:
            continue
        told[price.label] = spans
        dash = _AUCTION_DASHES[(price.where["auction_sequence"] - 1) % 3]
        marks = line(spans, price.column, price.label, inks[price.where["zone"]], dash)
        panels.setdefault(price.unit(store), []).extend(marks)
    if not told:
        return None
    drawn = [
        Panel(axis_label("day-ahead price", unit), marks, height=1.3)
        for unit, marks in panels.items()
    ]
    return picture(store, f"Day-ahead prices: {', '.join(zones)}", drawn, told)


def load(store: SqlStore, window: Window, zones: Sequence[str]) -> Picture | None:
    """Actual load of zones; of a single one its day-ahead forecast, too."""
    marks: list[Mark] = []
    told: dict[str, Spans] = {}
    for zone, ink in zip(zones, inks_of(zones), strict=True):
        spans = read_spans(store, LOAD, ["load_mw"], window, {"zone": zone})
        if spans:
            told[zone] = spans
            marks += line(spans, "load_mw", zone, ink)
    if not told:
        return None
    if len(zones) == 1:
        forecast = read_spans(store, LOAD_FORECAST, ["load_mw"], window, {"zone": zones[0]})
        if forecast:
            told["day-ahead forecast"] = forecast
            marks += line(forecast, "load_mw", "day-ahead forecast", RUST, "dash")
    panel = Panel(next(iter(told.values())).label("load_mw"), marks, height=1.3)
    return picture(store, f"Load: {', '.join(zones)}", [panel], told)


def generation_mix(store: SqlStore, window: Window, zone: str) -> Picture | None:
    """Generation of a zone by group of types where the product is computed, else by type as stored."""
    for key, by in ((MIX, "psr_group"), (GENERATION, "psr_type")):
        spans = read_spans(store, key, ["generation_mw"], window, {"zone": zone}, [by])
        if spans:
            how = "group of types" if key == MIX else "type, as stored"
            title = f"Generation of {zone} by {how}"
            return _stacked(store, title, spans, "generation_mw", by)
    return None


def _stacked(
    store: SqlStore, title: str, spans: Spans | None, column: str, by: str
) -> Picture | None:
    """Series on top of one another, those with most at the bottom."""
    if spans is None:
        return None
    means = spans.frame.groupby(by)[column].mean().sort_values(ascending=False)
    parts = [
        (spans.of(**{by: name}), column, label_of(name), ink)
        for name, ink in zip(means.index, inks_of(list(means.index)), strict=True)
    ]
    panel = Panel(spans.label(column), stack(parts), height=1.8)
    return picture(store, title, [panel], {spans.key: spans})


def flows(store: SqlStore, window: Window, zone: str, neighbours: Sequence[str]) -> Picture | None:
    """Physical flows between a zone and its neighbours: out of it above zero, into it below."""
    directions = [(f"{zone}>{name}", f"to {name}") for name in neighbours]
    directions += [(f"{name}>{zone}", f"from {name}") for name in neighbours]
    inks = inks_of(neighbours) * 2
    parts: list[Part] = []
    down: list[int] = []
    told: dict[str, Spans] = {}
    for n, (border, label) in enumerate(directions):
        spans = read_spans(store, FLOWS, ["flow_mw"], window, {"border": border})
        if spans:
            told[border] = spans
            if n >= len(neighbours):
                down.append(len(parts))
            parts.append((spans, "flow_mw", label, inks[n]))
    if not parts:
        return None
    label = f"{parts[0][0].label('flow_mw')}\nout of {zone} +, into it −"
    panel = Panel(label, stack(parts, down=down), height=1.6)
    about = neighbours[0] if len(neighbours) == 1 else f"{len(neighbours)} neighbours"
    return picture(store, f"Physical flows between {zone} and {about}", [panel], told)


def balance(store: SqlStore, window: Window, zone: str) -> Picture | None:
    """Net position of a zone from flows beside what was scheduled; None where it is not computed."""
    columns = ["net_position_mw", "scheduled_mw", "day_ahead_mw", "exports_mw", "imports_mw"]
    spans = read_spans(store, BALANCE, columns, window, {"zone": zone})
    if spans is None:
        return None
    net = [
        *line(spans, "net_position_mw", "from physical flows", BLUE),
        *line(spans, "scheduled_mw", "total scheduled exchanges", RUST, "dash"),
        *line(spans, "day_ahead_mw", "day-ahead auctions", CYCLE[2], "dot"),
    ]
    sides = [
        *line(spans, "exports_mw", "exports", CYCLE[3]),
        *line(spans, "imports_mw", "imports", CYCLE[4]),
    ]
    panels = [
        Panel(f"{spans.label('net_position_mw')}\nexport +", net, height=1.2),
        Panel(spans.label("exports_mw", "flow"), sides),
    ]
    return picture(store, f"Net position of {zone}", panels, {"balance": spans})


# --- any price ------------------------------------------------------------------------------------


def price_duration(store: SqlStore, window: Window, prices: Sequence[Price]) -> Picture | None:
    """Prices from the highest down over the share of time at or above them, a panel a currency."""
    import numpy as np

    panels: dict[str, list[Mark]] = {}
    counts = []
    for price, ink in zip(prices, _inks(prices), strict=True):
        table = store.tables[price.key]
        lengths = ["resolution_s"] if "resolution_s" in table.names else []
        rows = store.page(
            table,
            window,
            price.where,
            price.filters,
            limit=MOST_ROWS,
            columns=[price.column, *lengths],
        )
        values = rows[price.column].to_numpy(dtype=float)
        counts.append(f"{price.label}: {np.isfinite(values).sum():,} values")
        if lengths:  # an hour is as long as four quarter hours
            seconds = rows["resolution_s"].to_numpy(dtype=int)
            values = np.repeat(values, seconds // math.gcd(*np.unique(seconds).tolist()))
        share, ordered = duration_curve(values)
        if not ordered.size:
            continue
        kept = np.unique(np.linspace(0, ordered.size - 1, MOST_RANKS).round().astype(int))
        dash = _AUCTION_DASHES[(price.where.get("auction_sequence", 1) - 1) % 3]
        marks = panels.setdefault(price.unit(store), [])
        marks.append(Line(100 * share[kept], ordered[kept], price.label, ink, dash))
    if not panels:
        return None
    span = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    return Picture(
        title="Price duration curve",
        subtitle=" · ".join([span, *counts, f"{store.origin} data"]),
        panels=[
            Panel(axis_label("price", unit), marks, height=1.3) for unit, marks in panels.items()
        ],
        x_label="share of time at or above [%]",
        x_is_time=False,
        x_limits=(0.0, 100.0),
    )


def _inks(prices: Sequence[Price]) -> list[str]:
    """An ink a zone, or a price where there are none, as in the picture over time."""
    names = [price.where.get("zone", price.label) for price in prices]
    inks = dict(zip(dict.fromkeys(names), inks_of(list(dict.fromkeys(names))), strict=True))
    return [inks[name] for name in names]


def price_heatmap(store: SqlStore, window: Window, price: Price) -> Picture | None:
    """A price by settlement day and period; of a long range the newest ``MOST_DAYS`` days."""
    days = days_in(window)
    shown = days_window(days[-MOST_DAYS:][0], days[-1])
    found = picture_of(store, price.key, shown, price.where, "heatmap", [price.column])
    if found is None:
        return None
    note = " · 0 stands where nothing was traded" if price.filters else ""
    note += f" · the newest {MOST_DAYS} of {len(days)} days" if len(days) > MOST_DAYS else ""
    title = f"{price.label} by day and settlement period"
    return replace(found, title=title, subtitle=found.subtitle + note)
