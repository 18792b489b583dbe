"""Writes what documentation repeats from code: ``python reference.py``; a test holds it against the code.

The tables of its ``PAGES`` stand between ``<!-- name -->`` and ``<!-- /name -->``; config.env is
written whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from domain.ledger import Events, Grid, Rows
from job import EXIT_CODES, all_settings
from metrics import METRICS
from products import PRODUCTS
from sources import DATASETS
from sources.dataset import Dataset
from sources.elexon_codes import GROUP
from utils import PROJECT


def datasets() -> str:
    """Every dataset as a Markdown table."""
    rows = [
        (
            f"`{d.key}`",
            ", ".join(f"`{alias}`" for alias in d.aliases),
            d.title,
            d.provider.title,
            ", ".join(d.groups),
            f"{d.available_from:%Y}",
            _cadence(d),
            _completeness(d),
            _span(d.lag),
            ", ".join(f"D+{after.days}" for after in d.revisions) or "none",
            f"{d.rows_a_day:,}",
            f"[{d.provider.key}](#licences)",
        )
        for d in DATASETS
        if GROUP not in d.groups
    ]
    generated = ", ".join(f"`{d.key}`" for d in DATASETS if GROUP in d.groups)
    header = (
        "key", "aliases", "what", "provider", "groups", "from", "cadence", "a complete day", "lag",
        "asked again", "rows a day", "attribution",
    )  # fmt: skip
    more = (
        f"\nElexon's other datasets go by their codes (group `{GROUP}`; any number of rows a day, columns "
        f"as published, units not stated): {generated}.\n"
    )
    return _table(header, rows) + more


def _cadence(dataset: Dataset) -> str:
    rule = dataset.completeness
    if not dataset.table.time:
        return "as it stands"
    if isinstance(rule, Grid):
        seconds = int(rule.cadence.total_seconds())
        return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
    if isinstance(rule, Rows):
        return "daily" if rule.least == 1 else f"{rule.least} a day"
    return "events" if isinstance(rule, Events) else "as the source has it"


def _completeness(dataset: Dataset) -> str:
    rule = dataset.completeness
    per = f" for each {rule.series} seen" if rule.series else ""
    if isinstance(rule, Events):
        return "any number of rows"
    if isinstance(rule, Rows):
        return f"at least {rule.least} row{'s' * (rule.least > 1)}{per}"
    if isinstance(rule, Grid):
        return f"{timedelta(days=1) // rule.cadence} rows{per}"
    return f"every moment covered{per}"


def _span(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    if minutes and minutes % 1440 == 0:
        return f"{minutes // 1440} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def products() -> str:
    """Every product as a Markdown table."""
    rows = [
        (
            f"`{p.key}`",
            p.title,
            p.grain,
            ", ".join(f"`{name}`" for name in p.inputs),
            ", ".join(f"`{name.upper()}`" for name in p.assumptions),
            "daily" if p.daily else "on request",
        )
        for p in PRODUCTS
    ]
    return _table(("key", "what", "grain", "from", "settings", "computed"), rows)


def columns() -> str:
    """The columns of every product as Markdown tables."""
    parts = []
    for product in PRODUCTS:
        rows = [(f"`{c.name}`", c.unit, c.description) for c in product.table.columns]
        parts.append(
            f"## `{product.key}.csv`\n\n{product.title}.\n\n"
            + _table(("column", "unit", "meaning"), rows)
        )
    return "\n".join(parts)


def settings() -> str:
    """Every setting as a Markdown table."""
    rows = [
        (f"`{s.key}`", f"`{s.default}`" if s.default else "", s.comment) for s in all_settings()
    ]
    return _table(("setting", "default", "meaning"), rows)


def exit_codes() -> str:
    """Every exit code as a Markdown table."""
    return _table(("code", "meaning"), [(str(c), meaning) for c, meaning in EXIT_CODES.items()])


def licences() -> str:
    """Every provider with its attribution, as a Markdown list."""
    providers = dict.fromkeys(dataset.provider for dataset in DATASETS)
    return "".join(f"- {provider.title}: {provider.attribution}\n" for provider in providers)


def metrics() -> str:
    """Every metric as a Markdown table."""
    rows = [
        (f"`{name}`", ", ".join(f"`{label}`" for label in metric.labels), metric.text)
        for name, metric in METRICS.items()
    ]
    return _table(("metric", "labels", "meaning"), rows)


def config_env() -> str:
    """The text of config.env: every setting with its default under a line that explains it."""
    lines = [
        "# Defaults of every setting. Do not edit: put what differs into config.local.env, which git",
        "# ignores, or into the environment. Written by reference.py.",
    ]
    for setting in all_settings():
        lines += ["", f"# {setting.comment}", f"{setting.key}={setting.default}"]
    return "\n".join(lines) + "\n"


PAGES = ("README.md", "docs/columns.md", "docs/monitoring.md")
TABLES: dict[str, Callable[[], str]] = {
    "datasets": datasets,
    "products": products,
    "columns": columns,
    "settings": settings,
    "exit codes": exit_codes,
    "licences": licences,
    "metrics": metrics,
}


def filled(text: str) -> str:
    """The text with every marked table replaced by the one made from the code."""
    for name, make in TABLES.items():
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda found, make=make: found[1] + make() + found[2], text)
    return text


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join("| " + " | ".join(line) + " |\n" for line in cells)


def main() -> None:
    """Rewrite the tables of ``PAGES`` and config.env."""
    for page in PAGES:
        path = PROJECT / page
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    (PROJECT / "config.env").write_text(config_env(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
