"""The command ``analyze``: sections of figures, by default of British wind and solar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import console
from domain.errors import UsageError
from domain.keys import find
from domain.settlement import days_in, parse_range
from domain.windows import Window, format_instant
from job import read_settings
from look import conditions, examples

if TYPE_CHECKING:
    from analysis.sections import Section
    from domain.tables import Table
    from stores.sql import SqlStore

app = typer.Typer()

DEFAULT = "wind_solar"


@app.command(
    epilog=examples(
        "analyze",
        "analyze --start 2024-01-01 --end 2024-12-31 --capacity Solar=17000",
        "analyze entsoe_prices --start 2024-10-01 --end 2024-10-31 --where zone=FR --format json",
    )
)
def analyze(
    key: Annotated[
        str | None,
        typer.Argument(metavar="[KEY]", help="Dataset or product; British wind and solar."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="A", help="First day; of what is stored.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="B", help="Last day; the first if left out.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Rows to take (repeatable)."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to write it.")
    ] = "table",
    capacity: Annotated[
        list[str] | None,
        typer.Option(
            "--capacity",
            metavar="TYPE=MW",
            help="Installed capacity of Wind, Wind Offshore, Wind Onshore or Solar, instead of that "
            "from data (repeatable).",
        ),
    ] = None,
) -> int:
    """Say what stored data amount to: energy, extremes, profiles, ramps, droughts, forecast errors.

    Without KEY: British wind and solar. With KEY: figures of every column that has a unit. Exit code 3
    when nothing is stored for that.
    """
    from analysis.tables import figure_columns, stored_range, table_sections
    from analysis.wind_solar import wind_solar_sections
    from storage import open_store

    if end and not start:
        raise UsageError("--end without --start: say where the range begins.")
    if key and capacity:
        raise UsageError("--capacity is for British wind and solar: leave KEY out.")
    stated = stated_capacity(capacity or [])
    settings = read_settings()
    with open_store(settings["STORE_URL"], create=False) as store:
        table = find(key or DEFAULT, store.tables, "dataset or product")
        if not figure_columns(table):
            raise UsageError(
                f"{table.name} has no column of numbers with a unit: nothing to analyze."
            )
        wanted = conditions(table, where or [])
        window = parse_range(start, end) if start else stored_range(store, table, settings)
        if key or not window:
            sections = table_sections(store, table, window, wanted)
        else:
            sections = wind_solar_sections(store, window, wanted, stated)
        facts = _facts(store, table, window, where or [])
    if not sections:
        console.complain(
            f"no rows of {table.name} are stored for that: {how_to_fill(table, window)}"
        )
        return 3
    _write(form, facts, sections)
    return 0


def stated_capacity(texts: list[str]) -> dict[str, float]:
    """``TYPE=MW`` texts as MW by series; UsageError for what is neither."""
    from analysis.series import SERIES

    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        series = find(name, {each: each for each in SERIES}, "type")
        try:
            found[series] = float(value)
        except ValueError:
            found[series] = 0.0
        if not 0 < found[series] < 1e6:
            raise UsageError(
                f"--capacity {text}: write TYPE=MW with a number above 0, as Solar=17000."
            )
    return found


def how_to_fill(table: Table, window: Window | None) -> str:
    """The command that brings rows of a table, for the range or an example of one."""
    from products import PRODUCTS
    from sources import DATASETS

    names = {d.table.name: d.key for d in DATASETS} | {p.table.name: p.key for p in PRODUCTS}
    stage = "process" if table.name in {p.table.name for p in PRODUCTS} else "fetch"
    days = days_in(window) if window else []
    dates = f"--start {days[0]} --end {days[-1]}" if days else "--start 2024-10-01 --end 2024-10-31"
    return f"type 'python3 run.py {stage} {names[table.name]} {dates}'."


def _facts(
    store: SqlStore, table: Table, window: Window | None, where: list[str]
) -> dict[str, Any]:
    return {
        "table": table.name,
        "origin": store.origin,
        "start": format_instant(window.start) if window else None,
        "end": format_instant(window.end) if window else None,
        "where": where,
    }


def _write(form: str, facts: dict[str, Any], sections: list[Section]) -> None:
    from analysis.sections import as_csv, as_json, shown

    if form == "csv":
        console.say(as_csv(sections).rstrip("\n"))
        return
    if form == "json":
        console.say(as_json(facts, sections))
        return
    spans = f" {facts['start']}/{facts['end']}" if facts["start"] else ""
    console.say(f"{' '.join([facts['table'], *facts['where']])}{spans} ({facts['origin']})")
    for section in sections:
        told = shown(section)
        console.say()
        if told:
            console.show(section.title, *told)
        else:
            console.say(f"{section.title}: {len(section.frame)} rows with --format csv or json")
        if section.note:
            console.say(f"  {section.note}")
