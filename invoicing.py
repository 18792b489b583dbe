"""``invoice list|show|render``: the invoices that the store has, as table, in full, as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

import console
from domain.errors import StoreError, UsageError
from domain.settlement import month_window, parse_day
from job import read_settings
from look import examples
from utils import Settings, write_whole

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="Look at invoices and write them as files.",
    epilog=examples("invoice list --month 2024-10", "invoice show 2024-10-C-0001"),
)

Identity = Annotated[str, typer.Argument(metavar="ID", help="Month and contract: 2024-10-C-0001.")]
Version = Annotated[int | None, typer.Option(help="Instead of the newest.", min=1)]
Month = Annotated[str | None, typer.Option(metavar="YYYY-MM", help="One delivery month.")]


@app.command("list", epilog=examples("invoice list", "invoice list --month 2024-10 --all"))
def list_invoices(
    month: Month = None,
    contract: Annotated[str | None, typer.Option(help="One contract.")] = None,
    status: Annotated[
        str | None, typer.Option(help="final, provisional, not_billable or withdrawn.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Older versions too.")] = False,
) -> int:
    """List invoices, the newest version of each; why one is not final stands in 'invoice show'."""
    rows, origin = _stored(month)
    for name, wanted in (("month", month), ("contract_id", contract), ("status", status)):
        rows = rows[rows[name] == wanted] if wanted else rows
    rows = rows.sort_values(["month", "contract_id", "version"])
    if not every:
        rows = rows.drop_duplicates("invoice_id", keep="last")
    cells = [
        [
            row["invoice_id"],
            row["version"],
            row["asset_id"],
            row["status"],
            f"{float(row['production_mwh']):,.3f}",
            *(_text(row[f"total_{part}_eur"]) for part in ("net", "vat", "gross")),
        ]
        for row in rows.to_dict("records")
    ]
    header = ("invoice", "version", "asset", "status", "MWh", "net EUR", "VAT EUR", "gross EUR")
    console.show(f"Invoices ({origin})", header, cells)
    return 0


@app.command(
    epilog=examples("invoice show 2024-10-C-0001", "invoice show 2024-10-C-0001 --version 1")
)
def show(identity: Identity, version: Version = None) -> int:
    """Show one invoice: its lines, its quantities, and why it is not final."""
    row, origin = _one(identity, version)
    content = _content(row, origin)
    facts = content["production"]["quarter_hours"]
    console.say(f"{identity} version {content['version']}: {content['status']} ({origin} data)")
    for reason in content["reasons"]:
        console.say(f"! {reason}")
    lines = [
        [line["text"], *(line[part] for part in ("net", "vat", "gross"))]
        for line in (*content["lines"], *_total(content))
    ]
    if lines:
        console.say()
        console.show("To the owner", ("line", "net EUR", "VAT EUR", "gross EUR"), lines)
    console.say()
    shown: list[list[object]] = [
        [name.replace("_", " "), value] for name, value in content["contract"].items() if value
    ]
    shown += [
        [
            "days",
            f"{content['days']['first']} to {content['days']['last']} ({content['days']['clock']})",
        ],
        ["production MWh", content["production"]["mwh"]],
        ["quarter hours", ", ".join(f"{count} {name}" for name, count in facts.items())],
        *([f"not priced {n}", span] for n, span in enumerate(content["unpriced"]["ranges"], 1)),
    ]
    console.show("What it is made of", ("what", "value"), shown)
    return 0


@app.command(epilog=examples("invoice render 2024-10-C-0001 --to invoices"))
def render(
    identity: Identity,
    version: Version = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to.")] = Path(),
) -> int:
    """Write one invoice as JSON and as a page that prints, again, from the store."""
    from products.invoice_documents import as_json, as_page, file_name

    row, origin = _one(identity, version)
    content = _content(row, origin)
    name = file_name(row["contract_id"], row["month"], row["version"])
    for ending, body in (("json", as_json(content)), ("html", as_page(content))):
        path = to / f"{name}.{ending}"
        try:
            write_whole(path, body)
        except OSError as trouble:
            raise StoreError(f"{path} could not be written: {trouble.strerror}.") from None
        console.say(f"written: {path}")
    return 0


def _stored(month: str | None) -> tuple[pd.DataFrame, str]:
    """The invoices of the store, and their origin; UsageError for a month that cannot have any yet."""
    from storage import open_store, tables

    settings = read_settings()
    if month:
        _refuse_unfinished(month, settings)
    with open_store(settings["STORE_URL"], create=False) as store:
        return store.read_table(tables()["invoices"]), store.origin or "empty"


def _refuse_unfinished(month: str, settings: Settings) -> None:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise UsageError(f"'{month}' is not a month: write it as 2024-10.")
    clock = ZoneInfo(settings["VPP_DELIVERY_DAY"])
    end = month_window(parse_day(f"{month}-01"), clock).end
    if end > datetime.now(UTC):
        raise UsageError(
            f"the month {month} is not over: its invoices can be made from {end.astimezone(clock):%Y-%m-%d} on."
        )


def _one(identity: str, version: int | None) -> tuple[dict[Any, Any], str]:
    """The wanted version of an invoice; UsageError says what there is instead."""
    rows, origin = _stored(None)
    ours = rows[rows["invoice_id"] == identity].sort_values("version")
    if not len(ours):
        month = identity[:7]
        of_month = sorted(set(rows.loc[rows["month"] == month, "invoice_id"]))
        there = ", ".join(of_month) or f"none of {month}; 'invoice list' shows what there is"
        raise UsageError(f"there is no invoice '{identity}': there is {there}.")
    found = ours if version is None else ours[ours["version"] == version]
    if not len(found):
        known = ", ".join(str(one) for one in ours["version"])
        raise UsageError(f"{identity} has no version {version}: it has {known}.")
    return found.iloc[-1].to_dict(), origin


def _content(row: dict[Any, Any], origin: str) -> dict[str, Any]:
    from products.invoice_documents import as_dict

    return as_dict(row, origin)


def _total(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if content["total"]:
        yield {"text": "Total", **content["total"]}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
