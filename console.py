"""What people see: tables and progress, rich on a terminal and plain lines elsewhere."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any


def say(line: str = "") -> None:
    """One line for the person who runs the command."""
    print(line)


def complain(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr)


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; columns of figures are set right."""
    cells = [["" if cell is None else _text(cell) for cell in row] for row in rows]
    right = [any(_FIGURE.fullmatch(row[n]) for row in cells) for n in range(len(header))]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title, title_justify="left", header_style="bold")
        for name, numeric in zip(header, right, strict=True):
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    say(title)
    for row in (list(header), *cells):
        aligned = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ]
        say("  " + "  ".join(aligned).rstrip())


@contextlib.contextmanager
def live(header: Sequence[str]) -> Iterator[Callable[[Sequence[Sequence[str]]], None]]:
    """A table on the terminal that is drawn anew whenever its rows are told."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    with Live(console=Console(stderr=True), transient=True) as screen:

        def draw(rows: Sequence[Sequence[str]]) -> None:
            table = Table(*header, header_style="bold")
            for row in rows:
                table.add_row(*row)
            screen.update(table)

        yield draw


def show_cells(lines: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> None:
    """A label and coloured letters a line; letters alone where nobody sees colours."""
    if not sys.stdout.isatty():
        for label, cells in lines:
            say(f"  {label}  {''.join(letter for letter, _ in cells)}".rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    out = Console()
    for label, cells in lines:
        text = Text(f"  {label}  ")
        for letter, colour in cells:
            text.append(letter, style=colour)
        out.print(text)


# 5.08e-05 and -1.2, 100.0%, 0.00 (part), nan
_FIGURE = re.compile(r"(-?[\d.]+(e-?\d+)?%?|nan)( \(part\))?")


def _text(cell: object) -> str:
    """Three figures of a float, and all before its point."""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if 1000 <= abs(cell) < 1e9 else f"{cell:.3g}"


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, Any], None] | None]:
    """A bar on a terminal; None elsewhere, where the log's lines tell the same.

    What is told must have a ``key``.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int, part: Any) -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {part.key}")

        yield advance
