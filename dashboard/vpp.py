"""The page Virtual power plant: infeed, forecast, trading, imbalance, performance, invoices."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.frame import View, chosen_range, content_of, draw, empty, kept, plain
from domain.tables import Column, Table
from domain.windows import Window
from pictures import vpp
from pictures.words import words
from products.invoice_documents import as_dict, as_json, as_page, file_name
from products.invoices import SOURCES
from products.performance_daily import PORTFOLIO

if TYPE_CHECKING:
    import pandas as pd

TITLE = "Virtual power plant"
ABOUT = "Infeed, forecasts, trading, imbalance, performance and invoices."

PAGE_ROWS = 50
MOST_ASSETS, MOST_MONTHS = 10_000, 1000
WHOLE = "Portfolio"
_MONEY = ("total_net_eur", "total_vat_eur", "total_gross_eur")
_LISTED = (
    "invoice_id", "version", "asset_id", "status", "production_mwh", *_MONEY,
)  # fmt: skip
_REPORTED = (
    "month", "asset_id", "days", "capacity_mw", "production_mwh", "capacity_factor", "nmae",
    "market_value_eur", "capture_price_eur_per_mwh", "capture_rate", "revenue_eur",
    "imbalance_cost_eur", "unknown_cost_quarter_hours",
)  # fmt: skip
_TRADED = (
    "delivery_date", "revenue_eur", "pnl_eur", "trades", "sell_mwh", "buy_mwh", "net_mwh",
    "private_vwap_eur_per_mwh", "public_vwap_eur_per_mwh", "spread_eur_per_mwh", "public_mwh",
    "infeed_mwh", "open_position_mwh", "quarter_hours", "open_quarter_hours",
)  # fmt: skip


def show(view: View) -> None:
    """Draw the page: one subject at a time, so that nothing is read that nobody looks at."""
    if not any(view.store.extent(view.store.tables[key]) for key in _NEEDED):
        _nothing_at_all(view)
        return
    subject = st.segmented_control(
        "Subject", list(_SUBJECTS), key="vpp", default="Infeed", required=True, bind="query-params"
    )
    _SUBJECTS[subject or "Infeed"](view)


def _nothing_at_all(view: View) -> None:
    if view.settings["VPP_DIR"]:
        empty("figures of the virtual power plant", f"run --date {_lately(view)}")
        return
    st.info(
        "There is no virtual power plant: VPP_DIR is not set. Name the folder of its files in "
        "config.local.env, or look at a synthetic one:",
        icon=":material/inbox:",
    )
    st.code("python3 run.py dashboard --demo", language=None, wrap_lines=True)


# --- subjects -------------------------------------------------------------------------------------


def _infeed(view: View) -> None:
    keys = ["portfolio_best_of_infeed", "best_of_infeed"]
    _by_asset(view, keys, "best-of-infeed", vpp.infeed)
    with st.expander("What counts as infeed"):
        st.markdown(
            f"Per quarter hour the first of {', '.join(SOURCES[:-1])} that there is: a priority, not a "
            "maximum. A redispatch sets only the forecast to zero, because measurements show it already. "
            "Where no source is known there is a gap, and of the portfolio a sum without that asset."
        )


def _forecast(view: View) -> None:
    _by_asset(view, ["portfolio_forecast", "asset_forecast"], "forecast", vpp.forecast)


def _imbalance(view: View) -> None:
    keys = ["portfolio_imbalance_cost", "imbalance_cost"]
    _by_asset(view, keys, "imbalance", vpp.imbalance)


def _trading(view: View) -> None:
    window = _range(view, ["trading", "trading_daily"], "trading")
    if window is None:
        return
    clock = _clock(view)
    _draw(view, "trading", window, lambda: vpp.trading(view.store, window, clock))
    st.header("By delivery day")
    table = view.store.tables["trading_daily"]
    _rows(view, "trading", table, _TRADED, window, None, ("-period_start",))


def _performance(view: View) -> None:
    asset = _by_asset(view, ["performance_daily"], "performance", vpp.performance)
    table = view.store.tables["performance_report"]
    months = _stored(view, "performance_report", "month", MOST_MONTHS)
    if not months:
        st.info("The report of a month is made when the month is over.", icon=":material/event:")
        return
    st.header(f"By month: {plain(asset or WHOLE)}")
    _rows(
        view, "months", table, _REPORTED, None, {"asset_id": asset or PORTFOLIO}, ("-last_day_start",)
    )  # fmt: skip
    st.header("All assets of a month")
    left, right = st.columns(2)
    month = left.selectbox("Month", months[::-1], key="report-month")
    sorting = {
        f"{_called(table.column(name))}, {way}": sign + name
        for name in _REPORTED[4:]
        for way, sign in (("highest first", "-"), ("lowest first", ""))
    }
    order = right.selectbox("Sort by", list(sorting), key="report-sort")
    _rows(view, "report", table, _REPORTED, None, {"month": month}, (sorting[order],))


def _by_asset(
    view: View,
    keys: Sequence[str],
    what: str,
    picture: Callable[..., Any],
) -> str | None:
    """A picture of the portfolio or of an asset; returns the asset, None for the portfolio."""
    window = _range(view, keys, what)
    if window is None:
        return None
    assets = _stored(view, "vpp_assets", "asset_id", MOST_ASSETS, kind="contract")
    if not assets:  # a copy of the figures alone
        assets = [
            one for one in _stored(view, keys[-1], "asset_id", MOST_ASSETS) if one != PORTFOLIO
        ]
    chosen = st.selectbox(
        "Portfolio or asset",
        [WHOLE, *assets],
        key="asset",
        help="Type to search.",
        bind="query-params",
    )
    asset = None if chosen == WHOLE else chosen
    _draw(
        view, what, window, lambda: picture(view.store, window, asset, _clock(view)), chosen
    )  # fmt: skip
    return asset


# --- invoices -------------------------------------------------------------------------------------


def _invoices(view: View) -> None:
    months = _stored(view, "invoices", "month", MOST_MONTHS)
    if not months:
        st.info(
            "No invoices yet: they are made when a delivery month is over.", icon=":material/event:"
        )
        st.code(
            f"python3 run.py process invoices --start {_lately(view)}",
            language=None,
            wrap_lines=True,
        )
        return
    left, middle, right = st.columns(3)
    month = left.selectbox("Delivery month", months[::-1], key="invoice-month")
    rows = view.store.read_table(view.store.tables["invoices"], where={"month": month})
    rows = rows.sort_values(["contract_id", "version"])
    newest = rows.drop_duplicates("invoice_id", keep="last")
    statuses = sorted(newest["status"].unique())
    wanted = middle.multiselect("Status", statuses, key="invoice-status", placeholder="all")
    text = right.text_input("Contract or asset contains", key="invoice-text", max_chars=100)
    found = newest[newest["status"].isin(wanted or statuses)]
    named = found["contract_id"] + " " + found["asset_id"]
    found = found[named.str.contains(text.strip(), case=False, regex=False)]
    st.markdown(f"**{len(found):,} invoices** of {len(newest):,}, the newest version of each")
    if found.empty:
        return
    pages = ceil(len(found) / PAGE_ROWS)
    page = st.pagination(pages, key="invoice-page") if pages > 1 else 1
    table = view.store.tables["invoices"]
    shown = found.iloc[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    _table(table, shown[list(_LISTED)], "Invoices")
    _invoice(view, rows, list(found["invoice_id"]))


def _invoice(view: View, rows: pd.DataFrame, ids: Sequence[str]) -> None:
    left, right = st.columns([2, 1])
    identity = left.selectbox("Invoice", ids, key="invoice", help="Type to search.")
    versions = [int(one) for one in rows.loc[rows["invoice_id"] == identity, "version"]][::-1]
    version = right.selectbox("Version", versions, key=f"version-{identity}")
    row = rows[(rows["invoice_id"] == identity) & (rows["version"] == version)].iloc[0].to_dict()
    content = as_dict(row, view.store.origin)
    st.header(f"{plain(identity)}, version {version}: {content['status'].replace('_', ' ')}")
    days = content["days"]
    st.caption(f"Delivery days {days['first']} to {days['last']} ({days['clock']})")
    for reason in content["reasons"]:
        st.warning(plain(reason), icon=":material/info:")
    total = [{"text": "Total", **content["total"]}] if content["total"] else []
    lines = [
        {
            "To the owner": line["text"],
            **{f"{part} [{content['currency']}]": line[part] for part in ("net", "vat", "gross")},
        }
        for line in [*content["lines"], *total]
    ]
    if lines:
        st.table(lines)
    name = file_name(row["contract_id"], row["month"], row["version"])
    page = as_page(content)
    left, right = st.columns(2)
    left.download_button("Download as page", page, f"{name}.html", "text/html", key="invoice-html")
    right.download_button(
        "Download as JSON", as_json(content), f"{name}.json", "application/json", key="invoice-json"
    )
    with st.expander("As it prints"):
        # As data it has an origin of its own: whatever stood in it could not reach this page.
        st.iframe(
            f"data:text/html;base64,{b64encode(page).decode()}",
            height=900,
            alt=f"Invoice {identity}",
        )


_NEEDED = (
    "portfolio_best_of_infeed",
    "portfolio_forecast",
    "trading",
    "performance_daily",
    "invoices",
)
_SUBJECTS: dict[str, Callable[[View], None]] = {
    "Infeed": _infeed,
    "Forecast": _forecast,
    "Trading": _trading,
    "Imbalance": _imbalance,
    "Performance": _performance,
    "Invoices": _invoices,
}


# --- what the subjects share ----------------------------------------------------------------------


def _clock(view: View) -> ZoneInfo:
    """The clock of the delivery days."""
    return ZoneInfo(view.settings["VPP_DELIVERY_DAY"])


def _lately(view: View) -> str:
    return (view.today - timedelta(days=2)).isoformat()


def _range(view: View, keys: Sequence[str], what: str) -> Window | None:
    window = chosen_range(view, keys, clock=_clock(view))
    if window is None:
        empty(what, f"process {' '.join(keys)} --start {_lately(view)}")
    return window


def _stored(view: View, key: str, column: str, most: int, **where: str) -> list[Any]:
    """What a column has, in the rows that have these values."""
    store = view.store
    found: list[Any] = kept(
        lambda: store.distinct(store.tables[key], column, most, where=where),
        f"{key} {column}",
        content_of(store),
    )
    return found


def _draw(view: View, name: str, window: Window, made: Callable[[], Any], *chosen: object) -> None:
    """Draw a picture, made once for each content of the store and choice; say where there is none."""
    clock = view.settings["VPP_DELIVERY_DAY"]
    picture = kept(made, f"vpp {name}", content_of(view.store), window, clock, *chosen)
    if picture is None:
        st.info("Nothing is stored for that in this range.", icon=":material/date_range:")
    else:
        draw(picture, f"vpp-{name}")


def _rows(
    view: View,
    name: str,
    table: Table,
    columns: Sequence[str],
    window: Window | None,
    where: Mapping[str, Any] | None,
    order: Sequence[str],
) -> None:
    """Rows of the store, a page at a time."""
    count = view.store.count(table, window, where)
    if not count:
        st.info("No rows in this range.", icon=":material/date_range:")
        return
    pages = ceil(count / PAGE_ROWS)
    above = st.container()
    page = st.pagination(pages, key=f"{name}-page") if pages > 1 else 1
    frame = view.store.page(
        table, window, where, (), order, PAGE_ROWS, (page - 1) * PAGE_ROWS, None, columns
    )
    above.caption(
        f"{count:,} {'row' if count == 1 else 'rows'}"
        + (f", page {page} of {pages}" if pages > 1 else "")
    )
    _table(table, frame, table.name)


def _table(table: Table, frame: pd.DataFrame, alt: str) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        column_config={name: _header(table.column(name)) for name in frame.columns},
        placeholder="",
        alt=alt,
    )


def _called(column: Column) -> str:
    """A column's name with its unit."""
    return words(column.name, column.unit) + (f" [{column.unit}]" if column.unit else "")


def _header(column: Column) -> Any:
    label, about = _called(column), plain(column.description)
    if column.dtype == "decimal":  # an exact number, which a float is not
        return st.column_config.TextColumn(label, help=about, alignment="right")
    if column.dtype == "float":
        return st.column_config.NumberColumn(label, help=about, format="%.3f")
    if column.dtype == "date":
        return st.column_config.DateColumn(label, help=about, format="YYYY-MM-DD")
    return st.column_config.Column(label, help=about)
