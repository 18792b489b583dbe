"""Pictures of a virtual power plant: infeed and its sources, forecast, trading, imbalance, performance.

An ``asset`` of None is the portfolio. Quarter hours belong to the delivery days of a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from domain.settlement import days_in
from domain.windows import Window
from pictures.inks import BLUE, BROWN, CYAN, GREEN, GREY, OCHRE, PINK, RED, RUST, VIOLET
from pictures.kinds import axis_label
from pictures.picture import Mark, Panel, Picture
from pictures.spans import Part, Spans, bars, line, picture, read_spans, shades, stack
from products.best_of_infeed import FINAL, FORECAST, LIVE, MISSING
from products.performance_daily import PORTFOLIO
from stores.looking import ROWS

if TYPE_CHECKING:
    from stores.sql import SqlStore

# Of longer ranges money and energy are shown by delivery day: a mean of quarter hours is no total.
MOST_DAYS_BY_QUARTER = 14
SOURCE_INKS = {FINAL: GREEN, LIVE: BLUE, FORECAST: OCHRE}
_COUNTED = {FINAL: GREEN, LIVE: BLUE, FORECAST: OCHRE, MISSING: GREY}


def infeed(store: SqlStore, window: Window, asset: str | None, clock: tzinfo) -> Picture | None:
    """Best-of-infeed, and which source counts; None where nothing is stored."""
    if asset is None:
        return _portfolio_infeed(store, window, clock)
    where = {"asset_id": asset}
    by_source = read_spans(store, "best_of_infeed", ["power_kw"], window, where, ["source"], clock)
    spans = read_spans(
        store, "best_of_infeed", ["power_kw", "redispatched"], window, where, (), clock
    )
    if by_source is None or spans is None:
        return None
    title = f"Best-of-infeed of {asset} by source"
    if spans.bucket:
        counted: list[Part] = [
            (by_source.of(source=source), ROWS, source, ink) for source, ink in _COUNTED.items()
        ]
        panels = [
            Panel(spans.label("power_kw", "infeed"), line(spans, "power_kw"), height=1.2),
            Panel("quarter hours by source [-]", stack(counted, whole=False), height=0.9),
        ]
    else:
        parts: list[Part] = [
            (by_source.of(source=source), "power_kw", source, ink)
            for source, ink in SOURCE_INKS.items()
        ]
        marks = stack(parts, whole=False)
        missing = by_source.of(source=MISSING).frame
        marks += shades(
            missing["start"].to_numpy(),
            missing["end"].to_numpy(),
            [True] * len(missing),
            "no source",
        )
        marks += _flagged(spans, "redispatched", "redispatched", PINK)
        panels = [Panel(spans.label("power_kw", "infeed"), marks, height=1.5)]
    return picture(store, title, panels, {"infeed": spans}, delivery_days=True)


def _portfolio_infeed(store: SqlStore, window: Window, clock: tzinfo) -> Picture | None:
    counts = {f"{source}_assets": (source, ink) for source, ink in _COUNTED.items()}
    spans = read_spans(
        store, "portfolio_best_of_infeed", ["power_kw", *counts], window, clock=clock
    )
    if spans is None:
        return None
    power = line(spans, "power_kw", "sum over the assets with a source")
    power += _flagged(spans, "missing_assets", "assets without a source")
    parts: list[Part] = [(spans, name, source, ink) for name, (source, ink) in counts.items()]
    panels = [
        Panel(spans.label("power_kw", "infeed"), power, height=1.2),
        Panel(axis_label("assets by source", ""), stack(parts), height=0.9),
    ]
    title = "Best-of-infeed of the portfolio, and where it comes from"
    return picture(store, title, panels, {"infeed": spans}, delivery_days=True)


def forecast(store: SqlStore, window: Window, asset: str | None, clock: tzinfo) -> Picture | None:
    """The latest and the tradeable forecast beside best-of-infeed; None where no forecast is stored."""
    where = {"asset_id": asset} if asset else None
    key, infeed_key = (
        ("asset_forecast", "best_of_infeed")
        if asset
        else ("portfolio_forecast", "portfolio_best_of_infeed")
    )
    columns = ["latest_power_kw", "tradeable_power_kw"]
    spans = read_spans(store, key, columns, window, where, (), clock)
    if spans is None:
        return None
    told = {"forecast": spans}
    marks = [
        *line(spans, "latest_power_kw", "latest forecast", BLUE),
        *line(spans, "tradeable_power_kw", "latest tradeable forecast", RUST, "dash"),
    ]
    came = read_spans(store, infeed_key, ["power_kw"], window, where, (), clock)
    if came:
        told["best-of-infeed"] = came
        marks += line(came, "power_kw", "best-of-infeed", GREY)
    panel = Panel(spans.label("latest_power_kw", "power"), marks, height=1.5)
    title = f"Forecast of {asset or 'the portfolio'}"
    return picture(store, title, [panel], told, delivery_days=True)


def trading(store: SqlStore, window: Window, clock: tzinfo) -> Picture | None:
    """Own prices beside the public VWAP, energies with the open position, money; None without any."""
    by_day = len(days_in(window, clock)) > MOST_DAYS_BY_QUARTER
    columns = [
        "private_vwap_eur_per_mwh", "public_vwap_eur_per_mwh", "spread_eur_per_mwh", "sell_mwh",
        "buy_mwh", "net_mwh", "infeed_mwh", "open_position_mwh", "revenue_eur", "pnl_eur",
    ]  # fmt: skip
    key = "trading_daily" if by_day else "trading"
    spans = read_spans(store, key, columns, window, clock=clock)
    if spans is None:
        return None
    panels = [
        _panel(
            spans,
            "price",
            {
                "private_vwap_eur_per_mwh": ("private VWAP", BLUE),
                "public_vwap_eur_per_mwh": ("public VWAP", RUST),
                "spread_eur_per_mwh": ("spread: private − public", GREY),
            },
        ),
        _panel(
            spans,
            "energy",
            {
                "sell_mwh": ("sold", GREEN),
                "buy_mwh": ("bought", PINK),
                "net_mwh": ("net: sold − bought", CYAN),
                "infeed_mwh": ("infeed", OCHRE),
            },
        ),
        _panel(
            spans, "open position", {"open_position_mwh": ("open position", VIOLET)},
            "+ is sold and not fed in",
        ),
        _panel(spans, "money", {"revenue_eur": ("revenue", RED), "pnl_eur": ("PnL", BROWN)}),
    ]  # fmt: skip
    title = f"Trading against the public VWAP by {'delivery day' if by_day else 'quarter hour'}"
    return picture(store, title, panels, {"trading": spans}, delivery_days=True)


def imbalance(store: SqlStore, window: Window, asset: str | None, clock: tzinfo) -> Picture | None:
    """Imbalance, its price and what it costs; None where nothing is stored."""
    where = {"asset_id": asset} if asset else None
    key = "imbalance_cost" if asset else "portfolio_imbalance_cost"
    columns = ["imbalance_mwh", "price_eur_per_mwh", "cost_eur"]
    spans = read_spans(store, key, [*columns, "doubtful"], window, where, (), clock)
    if spans is None:
        return None
    price = _panel(spans, "imbalance price", {"price_eur_per_mwh": ("imbalance price", RUST)})
    doubtful = _flagged(spans, "doubtful", "doubtful estimate")
    panels = [
        _panel(spans, "imbalance", {"imbalance_mwh": ("imbalance", BLUE)}, "+ is short"),
        Panel(price.y_label, [*price.marks, *doubtful]),
        _panel(spans, "cost", {"cost_eur": ("cost", VIOLET)}, "+ is what we pay"),
    ]
    title = f"Imbalance of {asset or 'the portfolio'} and its cost by quarter hour"
    return picture(store, title, panels, {"imbalance": spans}, delivery_days=True)


def performance(
    store: SqlStore, window: Window, asset: str | None, clock: tzinfo
) -> Picture | None:
    """Production, capacity factor, capture price and money by delivery day; None without any."""
    prices = {
        "capture_price_eur_per_mwh": ("capture price", BLUE),
        "mean_vwap_eur_per_mwh": ("mean public VWAP", RUST),
    }
    money = {
        "market_value_eur": ("market value", OCHRE),
        "revenue_eur": ("trading PnL", BROWN),
        "imbalance_cost_eur": ("imbalance cost, + is what we pay", PINK),
    }
    if asset:  # trades are the portfolio's alone
        del money["revenue_eur"]
    errors = {
        "nmae": ("forecast error (nMAE)", VIOLET),
        "capacity_factor": ("capacity factor", CYAN),
    }
    spans = read_spans(
        store,
        "performance_daily",
        ["production_mwh", *errors, *prices, *money],
        window,
        {"asset_id": asset or PORTFOLIO},
        (),
        clock,
    )
    if spans is None:
        return None
    panels = [
        Panel(
            spans.label("production_mwh", "production a day"),
            bars(spans, "production_mwh", "production", GREEN),
        ),
        _panel(spans, "share of capacity", errors),
        _panel(spans, "price", prices),
        _panel(spans, "money a day", money),
    ]
    title = f"Performance of {asset or 'the portfolio'} by delivery day"
    return picture(store, title, panels, {"performance": spans}, delivery_days=True)


def _panel(
    spans: Spans, called: str, columns: Mapping[str, tuple[str, str]], sign: str = ""
) -> Panel:
    """A line a column (label, ink), all of one unit."""
    marks: list[Mark] = []
    for name, (label, ink) in columns.items():
        marks += line(spans, name, label, ink)
    return Panel(spans.label(next(iter(columns)), called) + (f"\n{sign}" if sign else ""), marks)


def _flagged(spans: Spans, column: str, label: str, ink: str = "gap") -> list[Mark]:
    """Where a count or a flag is above 0."""
    frame = spans.frame
    above: Any = (frame[column] > 0).to_numpy()
    return shades(frame["start"].to_numpy(), frame["end"].to_numpy(), above, label, ink)
