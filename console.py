"""What people see: tables and progress, rich on a terminal and plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence


def say(line: str = "") -> None:
    """One line for the person who runs the command."""
    print(line)


def complain(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr)


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; numbers are set right."""
    cells = [["" if cell is None else _text(cell) for cell in row] for row in rows]
    right = [any(isinstance(row[n], int | float) for row in rows) for n in range(len(header))]
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


def _text(cell: object) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on a terminal; None elsewhere, where the log's lines tell the same."""
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

        def advance(done: int, total: int, key: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {key}")

        yield advance
