"""Commands that look and change nothing: datasets, products, status, doctor, schema, export, samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import console
from domain.errors import StoreError, UsageError
from domain.keys import find
from domain.settlement import parse_day, parse_range
from domain.windows import parse_instant
from job import read_settings
from utils import last_runs, write_whole

if TYPE_CHECKING:
    import holes
    from domain.tables import Table
    from stores.sql import SqlStore

app = typer.Typer()


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "Examples:\n\n\b\n" + "\n".join(f"  python3 run.py {line}" for line in lines)


@app.command(epilog=examples("datasets", "datasets --codes"))
def datasets(
    codes: Annotated[
        bool, typer.Option("--codes", help="Elexon's other datasets instead, by their codes.")
    ] = False,
) -> int:
    """List what can be fetched."""
    from sources import DATASETS
    from sources.elexon_codes import CODES, GROUP

    if codes:
        _list_codes()
        return 0
    rows = [
        [
            dataset.key,
            ", ".join(dataset.aliases),
            dataset.provider.title,
            ", ".join(dataset.groups),
            dataset.available_from,
            dataset.title,
        ]
        for dataset in DATASETS
        if GROUP not in dataset.groups
    ]
    console.show("Datasets", ("key", "aliases", "provider", "groups", "from", "title"), rows)
    console.say(f"and {len(CODES)} more of Elexon by their codes: 'datasets --codes' lists them.")
    return 0


def _list_codes() -> None:
    """The datasets that are known by names and types only, and those that cannot be asked."""
    from sources.elexon_codes import CODES, LEFT_OUT

    rows: list[list[object]] = [
        [name.lower(), code.path, code.asked, ", ".join(code.columns)]
        for name, code in CODES.items()
    ]
    rows += [[name, "", "not at all", why] for name, why in LEFT_OUT.items()]
    console.show("Datasets by code", ("key", "path", "asked by", "columns"), rows)


@app.command(epilog=examples("products"))
def products() -> int:
    """List what can be computed."""
    from products import PRODUCTS

    rows = [
        [
            product.key,
            ", ".join(product.inputs),
            product.grain,
            ", ".join(name.upper() for name in product.assumptions),
            "yes" if product.daily else "on request",
            product.title,
        ]
        for product in PRODUCTS
    ]
    header = ("key", "inputs", "grain", "settings", "daily", "title")
    console.show("Products", header, rows)
    return 0


@app.command(
    epilog=examples(
        "coverage", "coverage core --start 2024-01-01 --strict", "coverage --format csv"
    )
)
def coverage(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY...]", help="Keys, aliases or groups; DATASETS if left out."),
    ] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="A", help="First day.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="B", help="Last day.")] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to write it.")
    ] = "table",
    strict: Annotated[
        bool, typer.Option("--strict", help="Days given up after many equal answers are holes too.")
    ] = False,
) -> int:
    """Show day by day what is complete, and every hole with its reason.

    Without dates: from the first day that the ledger knows to yesterday. Exit code 3 when a due day is
    neither complete nor confirmed.
    """
    import holes
    from fetch_data import find_datasets
    from storage import open_store

    settings = read_settings()
    datasets = find_datasets(keys or settings["DATASETS"])
    first, last = (parse_day(text) if text else None for text in (start, end))
    if first and last and last < first:
        raise UsageError(f"the range is reversed: {first} comes after {last}.")
    now = datetime.now(UTC)
    days: dict[str, list[holes.Day]] = {}
    with open_store(settings["STORE_URL"], create=False) as store:
        for dataset in datasets:
            if dataset.lacking(settings):
                console.complain(
                    f"{dataset.key}: skipped for want of {dataset.lacking(settings)[0]}"
                )
                continue
            for scope in dataset.scopes(settings):
                found = list(holes.days_of(dataset, scope, store, first, last, now))
                days[f"{dataset.key} {scope}".rstrip()] = found
    if form == "csv":
        console.say(holes.as_csv(day for listed in days.values() for day in listed).rstrip("\n"))
    elif form == "json":
        console.say(holes.as_json(days, strict=strict))
    else:
        _show_coverage(days, strict=strict)
    some = any(day.hole(strict=strict) for listed in days.values() for day in listed)
    return 3 if some else 0


def _show_coverage(days: Mapping[str, list[holes.Day]], *, strict: bool) -> None:
    import holes

    console.say(holes.RULER)
    for name, listed in days.items():
        console.say(name)
        console.show_cells(
            (label, [(" ", "") if cell is None else holes.CELLS[cell] for cell in cells])
            for label, cells in holes.calendar(listed)
        )
    console.say(holes.LEGEND)
    for why, keys in holes.not_published(days).items():
        console.say(f"- {why}: {', '.join(keys)}")
    found = [hole for listed in days.values() for hole in holes.stretches(listed, strict=strict)]
    rows = [
        [
            f"{h.key} {h.scope}".rstrip(),
            h.first,
            h.last,
            h.days,
            h.state,
            h.why,
            h.rows,
            h.expected,
            h.note,
        ]
        for h in found
    ]
    header = ("key", "from", "to", "days", "state", "why", "rows", "of", "note")
    console.show(f"Holes: {len(found)}", header, rows)
    if found:
        console.say("To ask for them again: python3 run.py repair")


@app.command(epilog=examples("status"))
def status() -> int:
    """Say what is stored, how the last runs ended, and which settings are in force."""
    from products import PRODUCTS
    from sources import DATASETS
    from sources.elexon_codes import GROUP
    from storage import open_store

    settings = read_settings()
    with open_store(settings["STORE_URL"], create=False) as store:
        tables = [*(d.table for d in DATASETS), *(p.table for p in PRODUCTS)]
        generated = {d.table.name for d in DATASETS if GROUP in d.groups}
        sizes = [store.size(table) for table in tables]
        sizes = [size for size in sizes if size.rows or size.table not in generated]
        rejected = {d.key: sum(map(len, store.rejected_rows(d.key).values())) for d in DATASETS}
        kind = store.origin or "empty"
        title = f"Store {store.location()}: {kind}, {store.size_bytes() / 1e6:.1f} MB"
    rows: list[list[object]] = [[size.table, size.rows, size.first, size.last] for size in sizes]
    console.show(title, ("table", "rows", "first", "last"), rows)
    listed = ", ".join(f"{key} {count}" for key, count in rejected.items() if count)
    if listed:
        console.say(f"! rejected and not corrected yet: {listed} (table rejected_rows)")
    header = ("started", "command", "seconds", "requests", "rows", "holes", "exit_code")
    runs = last_runs(settings["OUTPUT_DIR"], 10)
    console.show("Last runs", header, [[run.get(name) for name in header] for run in runs])
    console.show("Settings in force", ("key", "value"), list(settings.shown().items()))
    return 0


@app.command(epilog=examples("doctor", "doctor --live"))
def doctor(
    live: Annotated[
        bool, typer.Option("--live", help="Also one small request per provider, checked.")
    ] = False,
) -> int:
    """Check the prerequisites: Python, disk, clock, store, every provider."""
    from doctor import WRONG, examine

    findings = list(examine(read_settings(), live=live, now=datetime.now(UTC)))
    rows = [[finding.verdict, finding.what, finding.detail] for finding in findings]
    console.show("Doctor", ("verdict", "what", "detail"), rows)
    return 1 if any(finding.verdict == WRONG for finding in findings) else 0


@app.command(
    "validate-schema",
    epilog=examples("validate-schema", "validate-schema balancing --openapi openapi.json"),
)
def validate_schema(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY...]", help="Keys, aliases or groups; all.")
    ] = None,
    openapi: Annotated[
        Path | None, typer.Option("--openapi", metavar="FILE", help="Elexon's OpenAPI document.")
    ] = None,
) -> int:
    """Hold declarations against the stored tables and, where one is named, an OpenAPI document."""
    from doctor import WRONG
    from storage import open_store
    from validate_schema import validate

    with open_store(read_settings()["STORE_URL"], create=False) as store:
        findings = list(validate(keys or [], store, openapi))
    rows = [[finding.verdict, finding.what, finding.detail] for finding in findings]
    console.show("Declarations", ("verdict", "key", "what"), rows)
    return 3 if any(finding.verdict == WRONG for finding in findings) else 0


@app.command("check-samples", epilog=examples("check-samples recorded/"))
def check_samples(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of recorded answers.")],
) -> int:
    """Put recorded answers through the real readers and products."""
    from check_samples import WRONG, check

    verdicts = check(folder)
    rows = [[verdict.outcome, verdict.file, verdict.detail] for verdict in verdicts]
    console.show("Recorded answers", ("outcome", "file", "detail"), rows)
    return 1 if any(verdict.outcome == WRONG for verdict in verdicts) else 0


@app.command(
    epilog=examples(
        "export wind_solar --start 2024-10-27 --where psr_type=Solar --to solar.csv",
        "export frequency --to frequency.parquet",
        "export wind_solar --start 2024-10-27 --as-of 2024-10-28T06:00:00Z --to then.csv",
    )
)
def export(
    key: Annotated[str, typer.Argument(help="Dataset or product.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="FILE.csv or FILE.parquet.")],
    start: Annotated[str | None, typer.Option("--start", metavar="A")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="B")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Rows to take (repeatable)."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="Columns to take.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was known at this instant.")
    ] = None,
) -> int:
    """Write stored rows to a CSV or Parquet file."""
    from storage import open_store
    from stores.files import csv_bytes, parquet_bytes

    if to.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{to.name} ends neither in .csv nor in .parquet: name the file so.")
    if end and not start:
        raise UsageError("--end without --start: say where the range begins.")
    settings = read_settings()
    with open_store(settings["STORE_URL"], create=False) as store:
        table = find(key, store.tables, "dataset or product")
        frame = store.read_table(
            table,
            parse_range(start, end) if start else None,
            conditions(table, where or []),
            [name.strip() for name in columns.split(",")] if columns else None,
            as_of=parse_instant(as_of) if as_of else None,
        )
        origin = store.origin
    if not len(frame):
        console.complain(f"no rows of {table.name} are stored for that; nothing was written.")
        return 3
    if to.suffix == ".csv":
        content = csv_bytes(table, frame)
    else:
        content = parquet_bytes(table, frame, {"gridledger_origin": origin})
    try:
        write_whole(to, content)
    except OSError as trouble:
        raise StoreError(f"{to.name} could not be written: {trouble.strerror}.") from None
    console.say(f"{len(frame)} rows of {table.name} ({origin}) to {to}")
    return 0


def conditions(table: Table, texts: list[str]) -> dict[str, list[object]]:
    """``COLUMN=VALUE`` texts as values of the column's type; UsageError for what does not fit."""
    found: dict[str, list[object]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        column = next((c for c in table.columns if c.name == name), None)
        if not equals or column is None:
            raise UsageError(
                f"--where {text}: write COLUMN=VALUE with one of {', '.join(table.names)}."
            )
        try:
            found.setdefault(name, []).append(_TYPED[column.dtype](value))
        except (ValueError, KeyError):
            raise UsageError(f"--where {text}: '{value}' does not fit {name}.") from None
    return found


_TYPED: dict[str, Callable[[str], object]] = {
    "text": str,
    "decimal": str,
    "float": float,
    "int": int,
    "flag": lambda text: {"true": True, "false": False}[text.lower()],
    "time": parse_instant,
    "date": date.fromisoformat,
}


def say_what_was_written(folder: Path, store: SqlStore, days: list[date]) -> None:
    """How to open what the demo made."""
    console.say("\nWritten, all of it synthetic:")
    for path in sorted(folder.glob("*.csv")) + [
        path for day in days for path in sorted((folder / day.isoformat()).glob("*.csv"))
    ]:
        rows = path.read_bytes().count(b"\n") - 1
        console.say(f"  {_shown(path)}  {rows} rows")
    for day in days:
        if (page := folder / day.isoformat() / "report.html").exists():
            console.say(f"  {_shown(page)}  the day as a page")
    for path in sorted(folder.glob("*/invoices")):
        pages = len(list(path.glob("*.html")))
        console.say(f"  {_shown(path)}/  {pages} invoices as pages and as JSON")
    console.say(f"  {_shown(folder / store.location())}  open it with any SQLite browser")
    console.say("CSV files open in a spreadsheet; times are UTC, units stand in the column names.")


def _shown(path: Path) -> Path:
    """A path as one would type it from here, where that is possible."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
