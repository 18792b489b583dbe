"""The page Explorer: any stored table, its rows filtered, counted, drawn and taken away.

What is chosen stands in the page's address, under the keys of the widgets, so that a link shows the
same. Conditions are written ``column operator value`` there; ``stores.filtering`` checks them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from math import ceil
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.frame import View, chosen_range, command_line, content_of, draw, empty, kept, plain
from domain.errors import UsageError
from domain.settlement import days_in
from domain.tables import Column, Table
from domain.windows import Window, parse_instant
from products import PRODUCTS
from sources import DATASETS
from storage import open_store
from stores.filtering import OPERATORS, Condition, fitting
from utils import Settings

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

TITLE = "Explorer"
ABOUT = "Any table: filter, page, draw, download. Times are UTC."

PAGE_ROWS = 50
# What a download makes in memory, and a spreadsheet can still open.
DOWNLOAD_ROWS = 200_000
OFFERED_VALUES = 50
_MIME = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
# What is offered for a column; every pair that is not here is refused with a reason anyway.
_ORDERED = ("=", "!=", "<", "<=", ">", ">=", "is empty")
_FITTING = {"text": ("=", "!=", "contains", "is empty"), "flag": ("=", "!=", "is empty")}
_OF_A_TABLE = ("columns", "where", "sort", "page", "chart", "kind")


@dataclass(frozen=True)
class Chosen:
    """Which rows of a table, as the visitor narrowed them down."""

    key: str
    table: Table
    window: Window | None
    columns: tuple[str, ...]
    filters: tuple[Condition, ...]
    as_of: datetime | None


def show(view: View) -> None:
    """Draw the page."""
    stored = stored_keys(view.store)
    if not stored:
        empty("data", "run")
        return
    if "table" not in st.session_state and "table" in st.query_params:
        if st.query_params["table"] in stored:
            st.session_state["table"] = st.query_params["table"]
        else:
            st.info("The link names a table that is not stored here: another one is shown.")
    # Not bound to the address like the others: there its whole title would stand.
    key = st.selectbox(
        "Table",
        list(stored),
        format_func=lambda key: f"{key} · {stored[key]}",
        key="table",
        on_change=_forget_table,
    )
    st.query_params["table"] = key
    table = view.store.tables[key]
    window = chosen_range(view, [key]) if table.time else None
    _describe(table)
    texts, columns, order, as_of = _choices(view.store, table, window)
    try:
        chosen = Chosen(
            key=key,
            table=table,
            window=window,
            columns=tuple(columns) or table.names,
            filters=tuple(read_condition(table, text) for text in texts),
            as_of=parse_instant(as_of.strip()) if as_of.strip() else None,
        )
        _rows(view, chosen, order)
        _chart(view, chosen)
    except UsageError as problem:
        st.error(plain(problem))


@cache
def _titles() -> dict[str, str]:
    return {d.key: d.title for d in DATASETS} | {p.key: p.title for p in PRODUCTS}


def stored_keys(store: SqlStore) -> dict[str, str]:
    """The datasets and products of which the store has a table, with their titles."""
    made = {name for (name,) in store.execute("SELECT DISTINCT table_name FROM columns")}
    return {k: title for k, title in _titles().items() if store.tables[k].name in made}


def _forget_table() -> None:
    """What was chosen of the table before means nothing for the next."""
    for name in _OF_A_TABLE:
        st.session_state.pop(name, None)


def _describe(table: Table) -> None:
    with st.expander("Columns: units and meaning"):
        st.table(
            {
                "column": [
                    f"`{c.name}`" + (" (key)" if c.name in table.key else "") for c in table.columns
                ],
                "unit": [plain(c.unit or "–") for c in table.columns],
                "type": [c.dtype for c in table.columns],
                "meaning": [plain(c.description) for c in table.columns],
            },
            hide_index=True,
            alt="Columns with their units and meaning",
        )


# --- choices --------------------------------------------------------------------------------------


def _choices(
    store: SqlStore, table: Table, window: Window | None
) -> tuple[list[str], list[str], str, str]:
    """Conditions as text, columns, the column to sort by, and the moment of knowing."""
    adding = st.expander("Add a condition", on_change="rerun", key="adding")
    if adding.open:  # to list the values of a column takes a look at all of its rows
        with adding:
            _new_condition(store, table, window)
    texts = st.multiselect(
        "Conditions (all of them hold)",
        st.session_state.get("where", []),
        key="where",
        accept_new_options=True,
        placeholder="All rows",
        help="Written as column, operator, value: generation_mw > 100. Operators: "
        + ", ".join(f"`{operator}`" for operator in OPERATORS),
        bind="query-params",
    )
    left, middle, right = st.columns(3)
    columns = left.multiselect(
        "Columns to show",
        table.names,
        key="columns",
        placeholder="All columns",
        bind="query-params",
    )
    newest = [f"-{table.time}"] if table.time else []
    orders = [sign + name for name in table.names for sign in ("", "-")]
    order = middle.selectbox(
        "Sort by (- is downwards)",
        list(dict.fromkeys([*newest, *orders])),
        key="sort",
        bind="query-params",
    )
    as_of = right.text_input(
        "As known at (UTC)",
        key="as_of",
        placeholder="now, or 2024-10-28T06:00:00Z",
        help="Rows as they were known at an instant: revisions that came later are left out.",
        bind="query-params",
    )
    return texts, columns, order, as_of or ""


def _new_condition(store: SqlStore, table: Table, window: Window | None) -> None:
    """Column, operator and value, and a button that adds them to the conditions."""
    one, two, three = st.columns([3, 2, 3])
    name = one.selectbox("Column", table.names, key=f"{table.name}-column")
    column = table.column(name)
    operator = two.selectbox(
        "Operator", _FITTING.get(column.dtype, _ORDERED), key=f"{name}-operator"
    )
    value = _value(three, store, table, column, window) if operator != "is empty" else ""
    if st.button("Add the condition", icon=":material/filter_alt:"):
        text = f"{name} {operator} {value}".strip()
        try:
            read_condition(table, text)
        except UsageError as problem:
            st.error(plain(problem))
            return
        st.session_state["where"] = [*st.session_state.get("where", []), text]


def _value(place: Any, store: SqlStore, table: Table, column: Column, window: Window | None) -> str:
    """What somebody compares with; of text and flags, the values that there are stand to choose."""
    label = f"Value [{column.unit}]" if column.unit else "Value"
    if column.dtype == "flag":
        return str(place.selectbox(label, ["true", "false"], key=f"{column.name}-flag"))
    if column.dtype == "text":
        offered = store.distinct(table, column.name, OFFERED_VALUES, window)
        chosen = place.selectbox(
            label, offered, index=None, accept_new_options=True, key=f"{column.name}-value"
        )
        return chosen or ""
    return str(place.text_input(label, key=f"{column.name}-number"))


def read_condition(table: Table, text: str) -> Condition:
    """A condition from its text; UsageError where the table has no such column or the value does not fit.

    >>> from storage import tables
    >>> read_condition(tables()["wind_solar"], "psr_type = Wind Onshore")
    Condition(column='psr_type', operator='=', value='Wind Onshore')
    """
    name, _, rest = text.strip().partition(" ")
    if name not in table.names:
        raise UsageError(
            f"'{name[:40]}' is no column of {table.name}: write COLUMN OPERATOR VALUE with one of "
            f"{', '.join(table.names)}."
        )
    for operator in sorted(OPERATORS, key=len, reverse=True):
        if rest == operator or rest.startswith(f"{operator} "):
            condition = Condition(name, operator, rest.removeprefix(operator).strip())
            fitting(table, condition)
            return condition
    raise UsageError(
        f"'{text[:40]}' holds no operator: write COLUMN OPERATOR VALUE with one of "
        f"{', '.join(OPERATORS)}."
    )


# --- rows -----------------------------------------------------------------------------------------


def _rows(view: View, chosen: Chosen, order: str) -> None:
    count = view.store.count(
        chosen.table, chosen.window, filters=chosen.filters, as_of=chosen.as_of
    )
    if not count:
        st.info("No rows fit these choices.", icon=":material/filter_alt_off:")
        return
    pages = ceil(count / PAGE_ROWS)
    _first_page_again((chosen, order))
    above = st.container()
    number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    first = (number - 1) * PAGE_ROWS
    frame = view.store.page(
        chosen.table,
        chosen.window,
        filters=chosen.filters,
        order=[order],
        limit=PAGE_ROWS,
        offset=first,
        as_of=chosen.as_of,
        columns=chosen.columns,
    )
    above.markdown(
        f"**{count:,} rows**, {first + 1:,} to {first + len(frame):,} on page {number:,} of {pages:,}"
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content" if len(frame) <= 10 else "auto",
        column_config={name: _header(chosen.table.column(name)) for name in chosen.columns},
        placeholder="",
        alt=f"Rows of {chosen.key}",
    )
    _downloads(view, chosen, count)


def _first_page_again(looked_at: object) -> None:
    """Other rows begin at their first page; the page of an address counts when one comes by it."""
    before = st.session_state.setdefault("explorer-rows", looked_at)
    if before != looked_at:
        st.session_state["explorer-rows"] = looked_at
        st.session_state.pop("page", None)


def _header(column: Column) -> Any:
    """How a column is shown, with its unit and meaning at its head."""
    about = " · ".join(filter(None, [plain(column.description), plain(column.unit)]))
    kinds = st.column_config
    if column.dtype == "time":
        return kinds.DatetimeColumn(help=about, format="YYYY-MM-DD HH:mm:ss[Z]", timezone="UTC")
    if column.dtype == "date":
        return kinds.DateColumn(help=about, format="YYYY-MM-DD")
    if column.dtype in ("float", "int"):
        return kinds.NumberColumn(help=about, format="%d" if column.dtype == "int" else None)
    return kinds.Column(help=about)


# --- chart ----------------------------------------------------------------------------------------


def _chart(view: View, chosen: Chosen) -> None:
    """The picture of what is chosen, where it is wanted: its queries may take a second."""
    from pictures.choosing import KINDS, picture_of

    if not st.toggle("Chart", key="chart", bind="query-params"):
        return
    kind = st.selectbox(
        "Kind of chart",
        [_SUITABLE, *KINDS],
        key="kind",
        bind="query-params",
    )
    numbers = [n for n in chosen.columns if chosen.table.column(n).dtype in _NUMBERS]
    make = partial(
        picture_of,
        view.store,
        chosen.key,
        chosen.window,
        kind=None if kind == _SUITABLE else kind,
        columns=numbers if chosen.columns != chosen.table.names else None,
        filters=chosen.filters,
    )
    picture = kept(make, "explorer", content_of(view.store), *make.args[1:], make.keywords)
    if picture is None or not picture.known:
        st.info("Nothing of this can be drawn.")
        return
    draw(picture, "explorer-chart")
    if chosen.as_of:
        st.caption("The chart shows what is known now.")


_NUMBERS, _SUITABLE = ("float", "int", "decimal"), "what suits the table"


# --- downloads ------------------------------------------------------------------------------------


def _downloads(view: View, chosen: Chosen, count: int) -> None:
    few = count <= DOWNLOAD_ROWS
    left, right, _ = st.columns([1, 1, 2])
    for place, name, kind in ((left, "CSV", "csv"), (right, "Parquet", "parquet")):
        place.download_button(
            name,
            file_of(view.settings, chosen, kind),
            file_name(chosen, kind),
            _MIME[kind],
            icon=":material/download:",
            on_click="ignore",
            disabled=not few,
            help=f"All {count:,} rows, in the order of the table's key",
        )
    if not few:
        st.caption(
            f"A download holds {DOWNLOAD_ROWS:,} rows at most: narrow the choice down, or let this "
            "command write a file of any size. It takes no conditions but `=`."
        )
        command_line(export_command(chosen))


def file_of(settings: Settings, chosen: Chosen, kind: str) -> Callable[[], bytes]:
    """What makes the file once somebody wants it; it has a store of its own, being another thread."""

    def content() -> bytes:
        from stores.files import csv_bytes, parquet_bytes

        with open_store(settings["STORE_URL"], create=False) as store:
            frame = rows_of(store, chosen)
            origin = store.origin
        if kind == "csv":
            return csv_bytes(chosen.table, frame)
        return parquet_bytes(chosen.table, frame, {"gridledger_origin": origin})

    return content


def rows_of(store: SqlStore, chosen: Chosen) -> pd.DataFrame:
    """All rows that are chosen, sorted by key, ``DOWNLOAD_ROWS`` at most."""
    return store.page(
        chosen.table,
        chosen.window,
        filters=chosen.filters,
        limit=DOWNLOAD_ROWS,
        as_of=chosen.as_of,
        columns=chosen.columns,
    )


def file_name(chosen: Chosen, ending: str) -> str:
    """What a file is called: table and days."""
    return "_".join([chosen.key, *map(str, _ends(chosen.window))]) + f".{ending}"


def _ends(window: Window | None) -> list[date]:
    return [days_in(window)[0], days_in(window)[-1]] if window else []


def export_command(chosen: Chosen) -> str:
    """The command that writes the same rows, as far as ``export`` knows their conditions."""
    words = ["export", chosen.key]
    words += [
        f"--{name} {day}" for name, day in zip(("start", "end"), _ends(chosen.window), strict=False)
    ]
    words += [
        f"--where {shlex.quote(f'{c.column}={c.value}')}"
        for c in chosen.filters
        if c.operator == "="
    ]
    if chosen.columns != chosen.table.names:
        words.append(f"--columns {','.join(chosen.columns)}")
    if chosen.as_of:
        words.append(f"--as-of {chosen.as_of:%Y-%m-%dT%H:%M:%SZ}")
    return " ".join([*words, f"--to {chosen.key}.parquet"])
