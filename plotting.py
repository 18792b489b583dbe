"""The command ``plot``: a picture of any dataset or product as PNG, SVG or HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import console
from domain.errors import StoreError, UsageError
from domain.keys import find
from domain.settlement import parse_range
from job import read_settings
from look import conditions, examples
from utils import write_whole

app = typer.Typer()

SUFFIXES = (".png", ".svg", ".html")


@app.command(
    epilog=examples(
        "plot wind_solar",
        "plot frequency --start 2024-10-27 --kind histogram",
        "plot entsoe_generation --where zone=DE_LU --to mix.html",
        "plot demand_outturn --kind heatmap --to demand.svg",
    )
)
def plot(
    key: Annotated[str, typer.Argument(help="Dataset or product.")],
    start: Annotated[
        str | None, typer.Option("--start", metavar="A", help="First day; the newest if left out.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="B", help="Last day.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Rows to show (repeatable)."),
    ] = None,
    kind: Annotated[
        Literal["line", "area", "heatmap", "histogram", "duration", "profile", "scatter"] | None,
        typer.Option("--kind", help="Instead of the one that suits the table."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="Columns to show.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="PNG, SVG or HTML; OUTPUT_DIR/plots/KEY.png."),
    ] = None,
) -> int:
    """Draw a dataset or product; without options its newest days, a panel a unit.

    Gaps stay gaps, long ranges are drawn as mean, minimum and maximum. Exit code 3 when nothing is
    stored for it.
    """
    from pictures import interactive, static
    from pictures.choosing import picture_of
    from storage import open_store

    if to and to.suffix not in SUFFIXES:
        raise UsageError(f"{to.name} ends in none of {', '.join(SUFFIXES)}: name the file so.")
    if end and not start:
        raise UsageError("--end without --start: say where the range begins.")
    settings = read_settings()
    with open_store(settings["STORE_URL"], create=False) as store:
        table = find(key, store.tables, "dataset or product")
        picture = picture_of(
            store,
            key,
            parse_range(start, end) if start else None,
            conditions(table, where or []),
            kind,
            [name.strip() for name in columns.split(",")] if columns else None,
            settings["BATTERY_POWER_MW"],
        )
    if picture is None:
        console.complain(
            f"nothing of {table.name} is stored for that: 'fetch' or 'process' it first."
        )
        return 3
    if not picture.known:
        raise UsageError(
            f"{columns or table.name} is empty in all of these rows: there is nothing to draw."
        )
    path = to or settings["OUTPUT_DIR"] / "plots" / f"{table.name}.png"
    drawn = {".png": static.png, ".svg": static.svg, ".html": interactive.html}[path.suffix](
        picture
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, drawn)
    except OSError as trouble:
        raise StoreError(f"{path.name} could not be written: {trouble.strerror}.") from None
    console.say(f"{picture.title}\n{picture.subtitle}\nwritten: {path}")
    return 0
