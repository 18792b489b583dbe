"""An invoice as files: JSON for programs, and a page that prints on one sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import pandas as pd

LINES = {
    "payout": "Infeed payout",
    "redispatch": "Redispatch payout",
    "fee": "Fee",
}
_AMOUNTS = ("net", "vat", "gross")


def documents(rows: pd.DataFrame, origin: str) -> dict[str, bytes]:
    """JSON and HTML of every version among the rows, by path under the day's folder."""
    found = {}
    for row in rows.to_dict("records"):
        content = as_dict(row, origin)
        path = f"invoices/{file_name(row['contract_id'], row['month'], row['version'])}"
        found[f"{path}.json"] = as_json(content)
        found[f"{path}.html"] = as_page(content)
    return found


def file_name(contract: str, month: str, version: int) -> str:
    """The name of an invoice's files without ending; a contract's odd characters are quoted."""
    return f"invoice_{quote(contract, safe='')}_{month}_v{version}"


def as_json(content: Mapping[str, Any]) -> bytes:
    """The invoice as JSON; amounts are decimal texts, because a JSON number would be a float."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def as_dict(row: Mapping[Any, Any], origin: str) -> dict[str, Any]:
    """A row of ``invoices`` as a nested document."""
    cell: dict[str, Any] = {name: None if value != value else value for name, value in row.items()}
    reasons = [reason for reason in (cell["reasons"] or "").split("; ") if reason]
    billed = cell["total_net_eur"] is not None
    return {
        "invoice_id": cell["invoice_id"],
        "version": int(cell["version"]),
        "status": cell["status"],
        "reasons": reasons,
        "data": origin,
        "issuer": cell["issuer"],
        "month": cell["month"],
        "days": {"first": cell["first_day"], "last": cell["last_day"], "clock": cell["clock"]},
        "contract": {
            name: cell[name]
            for name in (
                "contract_id", "asset_id", "technology", "capacity_mw", "price_model",
                "price_eur_per_mwh", "fee_model", "fee", "fee_percent",
            )
        },
        "production": {
            "mwh": cell["production_mwh"],
            "quarter_hours": {
                source: int(cell[f"{source}_quarter_hours"])
                for source in ("final", "live", "forecast", "missing")
            },
        },
        "unpriced": {
            "quarter_hours": int(cell["unpriced_quarter_hours"]),
            "mwh": cell["unpriced_mwh"],
            "ranges": (cell["unpriced_ranges"] or "").split(),
        },
        "redispatch": {
            "quarter_hours": int(cell["redispatched_quarter_hours"]),
            "compensated_mwh": cell["compensated_mwh"],
            "unknown_quarter_hours": int(cell["unknown_redispatch_quarter_hours"]),
            "unknown_ranges": (cell["unknown_redispatch_ranges"] or "").split(),
        },
        "currency": "EUR",
        "vat_percent": cell["vat_percent"],
        "lines": list(_lines(cell)) if billed else [],
        "total": {part: cell[f"total_{part}_eur"] for part in _AMOUNTS} if billed else None,
    }  # fmt: skip


def _lines(cell: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, title in LINES.items():
        yield {
            "line": name,
            "text": f"{title}: {_terms(name, cell)}",
            **{part: cell[f"{name}_{part}_eur"] for part in _AMOUNTS},
        }


def _terms(name: str, cell: Mapping[str, Any]) -> str:
    """How the amount of a line comes about."""
    if name == "redispatch":
        return f"{cell['compensated_mwh']} MWh of latest forecast at compensation prices"
    if name == "payout" and cell["price_model"] == "fixed":
        return f"{cell['production_mwh']} MWh × {cell['price_eur_per_mwh']} EUR/MWh"
    priced = f"{_priced(cell)} MWh at the public VWAP of each quarter hour"
    if name == "payout":
        return priced
    if cell["fee_model"] == "fixed_for_capacity":
        return f"{cell['capacity_mw']} MW × {cell['fee']} EUR/MW"
    if cell["fee_model"] == "percent_of_market":
        return f"{cell['fee_percent']} % of {priced}"
    return f"{cell['production_mwh']} MWh × {cell['fee']} EUR/MWh"


def _priced(cell: Mapping[str, Any]) -> str:
    return f"{Decimal(cell['production_mwh']) - Decimal(cell['unpriced_mwh']):f}"


# --- the page -------------------------------------------------------------------------------------

_STYLE = """
  @page { size: A4; margin: 18mm }
  body { font: 10.5pt/1.45 system-ui, sans-serif; color: #111; max-width: 46em; margin: 2em auto; padding: 0 1em }
  h1 { font-size: 1.5em; margin: 0 0 .2em } h2 { font-size: 1.05em; margin: 1.6em 0 .4em }
  .issuer { white-space: pre-line; margin-bottom: 2em }
  .note { border: 1.5pt solid #b45309; padding: .5em .9em; margin: 1em 0 }
  .synthetic { border-color: #b91c1c; font-weight: 600 }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; vertical-align: top; padding: .3em .5em; border-bottom: .5pt solid #bbb }
  td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
  tr.total td { font-weight: 600; border-top: 1.2pt solid #111 }
  .facts th { width: 12em; font-weight: 500 }
  @media (max-width: 34em) { th, td { padding: .25em .2em; font-size: .85em } th.number { white-space: normal } }
  @media print { body { margin: 0; padding: 0 } }
"""
_NAMES = {
    "capacity_mw": "capacity [MW]",
    "price_eur_per_mwh": "price [EUR/MWh]",
    "fee_percent": "fee [%]",
}
_TITLES = {
    "final": "Invoice",
    "provisional": "Provisional invoice",
    "not_billable": "Not billable",
    "withdrawn": "Withdrawn invoice",
}


def as_page(content: Mapping[str, Any]) -> bytes:
    """The invoice as a page of its own, without scripts and without anything from elsewhere."""
    title = f"{_TITLES.get(content['status'], 'Invoice')} {content['invoice_id']}"
    version = f"Version {content['version']}"
    if content["version"] > 1:
        version += f", which replaces version {content['version'] - 1}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)} v{content['version']}</title><style>{_STYLE}</style></head><body>",
        *_synthetic(content),
        *_issuer(content),
        f"<h1>{escape(title)}</h1>",
        f"<p>{version}. Delivery month {content['month']}, {content['days']['first']} to "
        f"{content['days']['last']} ({escape(content['days']['clock'])}).</p>",
        *_reasons(content),
        "<h2>Contract</h2>",
        _facts(content["contract"]),
        *_money(content),
        "<h2>Quantities</h2>",
        _facts(_quantities(content)),
        "</body></html>",
    ]
    return ("\n".join(parts) + "\n").encode()


def _synthetic(content: Mapping[str, Any]) -> Iterator[str]:
    if content["data"] != "live":
        yield '<p class="note synthetic">SYNTHETIC DATA: made up for demonstration, owed by nobody.</p>'


def _issuer(content: Mapping[str, Any]) -> Iterator[str]:
    if content["issuer"]:
        lines = "\n".join(line.strip() for line in content["issuer"].split("|"))
        yield f'<div class="issuer">{escape(lines)}</div>'


def _reasons(content: Mapping[str, Any]) -> Iterator[str]:
    if content["reasons"]:
        items = "".join(f"<li>{escape(reason)}</li>" for reason in content["reasons"])
        yield f'<div class="note">Status: {escape(content["status"])}<ul>{items}</ul></div>'


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{_NAMES.get(name, name.replace('_', ' '))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
        if value not in (None, "")
    )
    return f'<table class="facts">{rows}</table>'


def _money(content: Mapping[str, Any]) -> Iterator[str]:
    if not content["lines"]:
        return
    head = "".join(
        f'<th class="number">{name} [EUR]</th>'
        for name in ("net", f"VAT {content['vat_percent']} %", "gross")
    )
    yield f"<h2>Amounts to the owner</h2><table><tr><th>line</th>{head}</tr>"
    for line in content["lines"]:
        yield f"<tr><td>{escape(line['text'])}</td>{_numbers(line)}</tr>"
    yield f'<tr class="total"><td>Total</td>{_numbers(content["total"])}</tr></table>'


def _numbers(amounts: Mapping[str, Any]) -> str:
    return "".join(f'<td class="number">{Decimal(amounts[part]):,}</td>' for part in _AMOUNTS)


def _quantities(content: Mapping[str, Any]) -> dict[str, str]:
    sources = content["production"]["quarter_hours"]
    found = {
        "production": f"{content['production']['mwh']} MWh",
        "quarter hours": ", ".join(f"{count} {name}" for name, count in sources.items()),
    }
    unpriced, redispatch = content["unpriced"], content["redispatch"]
    if unpriced["quarter_hours"]:
        found["not priced"] = (
            f"{unpriced['mwh']} MWh in {unpriced['quarter_hours']} quarter hours: "
            + _spans(unpriced["ranges"])
        )
    if redispatch["quarter_hours"]:
        found["redispatched"] = (
            f"{redispatch['quarter_hours']} quarter hours, {redispatch['compensated_mwh'] or 0} MWh paid"
        )
    if redispatch["unknown_ranges"]:
        found["redispatched, not paid"] = _spans(redispatch["unknown_ranges"])
    return found


def _spans(ranges: Sequence[str]) -> str:
    """Spans as people read them, in UTC."""
    return (
        ", ".join(
            span.replace("T", " ").replace(":00Z", "").replace("/", " to ") for span in ranges
        )
        + " UTC"
    )
