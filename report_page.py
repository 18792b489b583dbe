"""The daily report as one page: everything in it, nothing from elsewhere, the same facts the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from analysis.settlement_day import SUBJECTS
from domain.settlement import day_window, periods_in
from holes import Day
from pictures.inks import DARK_PAGE, LIGHT_PAGE, RED
from pictures.words import percent

if TYPE_CHECKING:
    from analysis.sections import Section

# Figures that stand at the head, by subject and quantity; of levels their mean.
HEADLINES = (
    ("Frequency", "Frequency"),
    ("Frequency", "Time outside 49.8 to 50.2 Hz"),
    ("Battery", "Energy discharged"),
    ("Battery", "Energy charged"),
    ("Wind and solar", "Energy"),
    ("Demand", "National demand"),
    ("Prices", "System price"),
    ("Carbon intensity", "Carbon intensity"),
    ("Virtual power plant", "Best-of-infeed"),
    ("Virtual power plant", "PnL"),
    ("Virtual power plant", "Imbalance cost"),
)
# Of more series than this a description names the means alone.
FEW = 4


@dataclass(frozen=True)
class Chart:
    """A picture as SVG, its words, and which quantities describe it."""

    key: str
    subject: str
    quantities: tuple[str, ...]
    title: str
    subtitle: str
    svg: bytes


@dataclass(frozen=True)
class Content:
    """What a report says. ``inputs`` is the fingerprint of what it was made from."""

    day: date
    origin: str
    inputs: str
    levels: Section
    totals: Section
    charts: Sequence[Chart]
    days: Sequence[Day]
    lacking: Sequence[str]
    holes: Sequence[str]
    drift: Sequence[str]
    attribution: Sequence[str]


def marked(inputs: str) -> str:
    """How a page says what it was made from; near its begin."""
    return f'<meta name="gridledger-inputs" content="{inputs}">'


def as_page(content: Content) -> bytes:
    """The report as HTML, without scripts and without anything from elsewhere."""
    span, title = day_window(content.day), f"Settlement day {content.day}"
    hours = span.length.total_seconds() / 3600
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        marked(content.inputs),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title} · gridledger</title><style>{_STYLE}</style></head><body>",
        f"<header><h1>{title}</h1>",
        f"<p>{content.day:%A}, {periods_in(content.day)} settlement periods ({hours:g} hours, "
        f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC) · "
        f"{escape(content.origin)} data</p>",
        *_synthetic(content),
        "</header><main>",
        *_headlines(content),
        *(part for subject in SUBJECTS for part in _subject(content, subject)),
        *_coverage(content),
        *_list(
            "Holes",
            content.holes,
            "None: all that was due on this day is there, or confirmed as all there is.",
        ),
        *_list("Drift", content.drift, "None: no answer of this day looks unlike those before."),
        "</main><footer><h2>Whose data</h2>",
        *(f"<p>{_linked(line)}</p>" for line in content.attribution),
        f"<p>{escape(content.levels.note)}</p>",
        "<p>Times are UTC; discharge and export are positive.</p>",
        "</footer></body></html>",
    ]
    return ("\n".join(parts) + "\n").encode()


def _synthetic(content: Content) -> Iterator[str]:
    if content.origin != "live":
        yield '<p class="synthetic">SYNTHETIC DATA: made up for demonstration, measured by nobody.</p>'


# --- figures --------------------------------------------------------------------------------------


def _headlines(content: Content) -> Iterator[str]:
    tiles = []
    for subject, quantity in HEADLINES:
        totals = _rows(content.totals, subject, [quantity])
        for row in totals:
            tiles.append((_name(row), _value(row["total"], row["unit"]), _part(row)))
        for row in [] if totals else _rows(content.levels, subject, [quantity]):
            reach = ""
            if row["lowest"] == row["lowest"]:
                low, high = (_number(row[name], row["unit"]) for name in ("lowest", "highest"))
                reach = f"{low} to {high}"
            small = ", ".join(filter(None, ["mean", reach, _part(row)]))
            tiles.append((_name(row), _value(row["mean"], row["unit"]), small))
    if tiles:
        yield '<section aria-labelledby="key"><h2 id="key">Key figures</h2><dl class="tiles">'
        for name, value, small in tiles:
            said = f"<small>{escape(small)}</small>" if small else ""
            yield f"<div><dt>{escape(name)}</dt><dd>{value}{said}</dd></div>"
        yield "</dl></section>"


def _part(row: Any) -> str:
    """What is to be known of a figure of a part of the day."""
    return f"{percent(row['coverage'])} of the day" if row["coverage"] < 1 else ""


def _subject(content: Content, subject: str) -> Iterator[str]:
    """The tables and charts of one subject; nothing where there is neither."""
    levels, totals = _rows(content.levels, subject), _rows(content.totals, subject)
    charts = [chart for chart in content.charts if chart.subject == subject]
    if not (levels or totals or charts):
        return
    yield f"<section><h2>{escape(subject)}</h2>"
    if totals:
        about, names = _heading(totals, "total of the day")
        rows = [
            (name, _value(row["total"], row["unit"]), percent(row["coverage"]))
            for name, row in zip(names, totals, strict=True)
        ]
        yield from _table(f"{subject}, totals", (about, "total", "coverage"), rows)
    if levels:
        about, names = _heading(levels, "over the day")
        listed = [
            (
                name,
                _extreme(row, "lowest", content.day),
                _value(row["mean"], row["unit"]),
                _extreme(row, "highest", content.day),
                percent(row["coverage"]),
            )
            for name, row in zip(names, levels, strict=True)
        ]
        header = (about, "lowest (UTC)", "mean", "highest (UTC)", "coverage")
        yield from _table(f"{subject}, lowest, mean and highest", header, listed)
    for chart in charts:
        yield from _figure(chart, [row for row in levels if row["quantity"] in chart.quantities])
    yield "</section>"


def _rows(section: Section, subject: str, quantities: Sequence[str] = ()) -> list[Any]:
    found = section.frame[section.frame["subject"] == subject].to_dict("records")
    return [row for row in found if not quantities or row["quantity"] in quantities]


def _heading(rows: Sequence[Any], otherwise: str) -> tuple[str, list[str]]:
    """What a table is about, and the names of its rows, which do not repeat it."""
    quantities = {row["quantity"] for row in rows}
    if len(quantities) == 1 and all(row["series"] for row in rows):
        return quantities.pop().lower(), [row["series"] for row in rows]
    return otherwise, [_name(row) for row in rows]


def _name(row: Any) -> str:
    return ", ".join(filter(None, [row["quantity"], row["series"]]))


def _extreme(row: Any, which: str, day: date) -> str:
    if row[which] != row[which]:
        return ""
    at = _time(row[f"{which}_at"], day)
    return f"{_value(row[which], row['unit'])} <small>{at}</small>"


def _time(moment: datetime, day: date) -> str:
    """A time of the day, with its date where UTC has another: summer days begin the evening before."""
    shown = f"{moment:%H:%M}" if moment.date() == day else f"{moment:%d %b %H:%M}"
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def _value(value: float, unit: str) -> str:
    """A figure for people, the whole of it for programs."""
    shown = f"{_number(value, unit)} {unit}".rstrip()
    if unit == "s" and abs(value) >= 60:
        shown += f" ({value / 60:.1f} min)"
    return f'<data value="{value!r}">{escape(shown)}</data>'


def _number(value: float, unit: str) -> str:
    """A number with as many places as say something.

    >>> _number(49.98739, "Hz"), _number(26539.3, "MW"), _number(-1.5, "MWh"), _number(3.0, "MW")
    ('49.987', '26,539', '-1.50', '3')
    >>> _number(127.14, "gCO2/kWh"), _number(1127.0, "GBP/MWh")
    ('127.1', '1,127.00')
    """
    if unit == "Hz":
        return f"{value:.3f}"
    if unit.endswith("/MWh"):
        return f"{value:,.2f}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


# --- charts ---------------------------------------------------------------------------------------


def _figure(chart: Chart, levels: Sequence[Any]) -> Iterator[str]:
    told = description(levels)
    alt = f"Chart: {chart.title}. {told}" if told else f"Chart: {chart.title}."
    yield f"<figure><h3>{escape(chart.title)}</h3>"
    yield '<div class="wide" tabindex="0" role="group" aria-label="Chart, scrolls sideways">'
    yield f"{inlined(chart.key, chart.svg, alt)}</div>"
    yield f"<figcaption>{escape(chart.subtitle)}</figcaption></figure>"


def description(levels: Sequence[Any]) -> str:
    """The figures of a chart as a sentence, for who does not see it."""
    told = []
    for row in levels:
        text = f"{_name(row)}: mean {_number(row['mean'], row['unit'])} {row['unit']}"
        if len(levels) <= FEW and row["lowest"] == row["lowest"]:
            text += ", " + ", ".join(
                f"{end} {_number(row[end], row['unit'])} at {row[f'{end}_at']:%H:%M}"
                for end in ("lowest", "highest")
            )
        told.append(text)
    return f"{'; '.join(told)}." if told else ""


def inlined(key: str, svg: bytes, alt: str) -> str:
    """An SVG of matplotlib as a part of a page: its own names, the page's colours, words for ears."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    for pattern, instead in (
        (r"(?s)\s*<metadata>.*?</metadata>", ""),
        (r"(?s)\s*<style.*?</style>", ""),  # it would hold for the whole page, which says it itself
        (r"(?s)<!--.*?-->", ""),
        (r'<g id="[^"]*"', "<g"),
        (r'\bid="', f'id="{key}-'),
        (r"url\(#", f"url(#{key}-"),
        (r'href="#', f'href="#{key}-'),
        (r' (?:width|height)="[\d.]+pt"', ""),
        (r' xmlns(?::xlink)?="[^"]*"', ""),
        (r"fill: #ffffff", "fill: none"),
        (r"#000000|#b0b0b0", "currentColor"),
        (r'(?s) d="[^"]*"', _shorter),
    ):
        text = re.sub(pattern, instead, text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1).rstrip()


def _shorter(path: re.Match[str]) -> str:
    """A path to a hundredth of a point, on one line."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0]).replace("\n", "")


# --- coverage and the rest ------------------------------------------------------------------------


def _coverage(content: Content) -> Iterator[str]:
    yield "<section><h2>Coverage</h2>"
    rows = [
        (
            f"{day.key} {day.scope}".rstrip(),
            f'<span class="{"bad" if day.hole(strict=False) else "good"}">{escape(day.state)}</span>',
            f"{day.rows:,} of {day.expected:,}",
            percent(day.coverage),
            escape("; ".join(filter(None, [day.why, day.note]))),
        )
        for day in content.days
    ]
    header = ("dataset or product", "state", "rows", "coverage", "note")
    yield from _table("Coverage of datasets and products", header, rows)
    yield from (f"<p>{escape(line)}</p>" for line in content.lacking)
    yield "</section>"


def _list(title: str, lines: Sequence[str], none: str) -> Iterator[str]:
    yield f"<section><h2>{title}</h2>"
    if lines:
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
    else:
        yield f"<p>{none}</p>"
    yield "</section>"


def _table(
    name: str, header: Sequence[str], rows: Iterable[tuple[str, *tuple[str, ...]]]
) -> Iterator[str]:
    """A table that scrolls by itself; the first cell of a row is text, the others are HTML."""
    yield f'<div class="wide" tabindex="0" role="group" aria-label="{escape(name)}"><table><thead><tr>'
    yield "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    yield "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _linked(line: str) -> str:
    """A line of attribution with its addresses as links."""
    parts = re.split(r"(https://[^\s,;<>\"')]+)", line)
    return "".join(
        f'<a href="{escape(part)}">{escape(part)}</a>' if n % 2 else escape(part)
        for n, part in enumerate(parts)
    )


_STYLE = f"""
  :root {{ --page: {LIGHT_PAGE}; --ink: #16191f; --quiet: #555d68; --line: #c9ced6; --bad: #b3261e; --link: #0b57a4 }}
  @media (prefers-color-scheme: dark) {{
    :root {{ --page: {DARK_PAGE}; --ink: #e6e8ec; --quiet: #a3abb8; --line: #3a414d; --bad: #ff8a80; --link: #7fb8ff }}
  }}
  @media print {{
    :root {{ --page: #fff; --ink: #000; --quiet: #444; --line: #bbb; --bad: #900; --link: #000 }}
  }}
  @page {{ size: A4; margin: 14mm }}
  body {{ font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
         max-width: 62em; margin: 1.5em auto; padding: 0 1em }}
  h1 {{ font-size: 1.6em; margin: 0 }} h2 {{ font-size: 1.25em; margin: 2em 0 .5em }} h3 {{ font-size: 1em; margin: 1.5em 0 .3em }}
  header p {{ margin: .3em 0 }} small, figcaption, footer p {{ color: var(--quiet); font-size: .85em }}
  .synthetic {{ border: 2px solid {RED}; padding: .4em .8em; font-weight: 600 }}
  .tiles {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5em, 1fr)); gap: .6em; margin: 0 }}
  .tiles div {{ border: 1px solid var(--line); border-radius: .4em; padding: .5em .7em; break-inside: avoid }}
  .tiles dt {{ color: var(--quiet); font-size: .85em }} .tiles dd {{ margin: 0; font-size: 1.15em; font-weight: 600 }}
  .tiles small {{ display: block; font-size: .7em; font-weight: 400 }}
  .wide {{ overflow-x: auto }}
  table {{ border-collapse: collapse; margin: .5em 0 1em; font-variant-numeric: tabular-nums }}
  th, td {{ text-align: left; vertical-align: top; padding: .25em .9em .25em 0; border-bottom: 1px solid var(--line) }}
  th {{ font-weight: 500 }} thead th {{ color: var(--quiet); font-size: .85em }}
  tr {{ break-inside: avoid }} td small {{ white-space: nowrap }}
  .bad {{ color: var(--bad); font-weight: 600 }}
  figure {{ margin: 0; break-inside: avoid }}
  svg {{ display: block; width: 100%; min-width: 42em; height: auto }}
  svg * {{ stroke-linejoin: round; stroke-linecap: butt }} svg text {{ fill: currentColor }}
  a {{ color: var(--link); overflow-wrap: anywhere }} footer {{ border-top: 1px solid var(--line); margin-top: 3em }}
  li, td:last-child {{ overflow-wrap: anywhere }}
  @media (max-width: 40em) {{ h1 {{ font-size: 1.3em }} th, td {{ font-size: .85em; padding-right: .6em }} }}
  @media print {{ body {{ margin: 0; padding: 0; max-width: none; font-size: 9.5pt }} svg {{ min-width: 0 }} .wide {{ overflow: visible }} }}
"""
