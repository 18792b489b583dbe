"""How lines of NESO's files become rows of a window: the idiom its datasets share, and its spellings of time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import SchemaError, cited
from domain.settlement import period_starts
from domain.tables import Column, Conformed, Table, conform, misfit
from domain.windows import Window
from sources.dataset import Answer, Asker, Dataset, Provider
from sources.neso_files import CsvFile, Shelf
from sources.neso_packages import Package, Resource, show_package

if TYPE_CHECKING:
    import pyarrow as pa

NESO = Provider(
    key="neso",
    title="NESO data portal",
    base_url="https://api.neso.energy/api/3/action",
    requests_per_s=1,
    attribution=(
        "Supported by National Energy SO Open Data; NESO Open Data Licence, "
        "https://www.neso.energy/data-portal/neso-open-licence"
    ),
    accept="*/*",
)

# The datastore numbers the rows of what it dumps.
IGNORED = ("_id",)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAMED_DAY = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})", re.ASCII)
_ZONED = re.compile(r"(Z|[+-]\d\d:?\d\d)$", re.ASCII)
_BRITISH_DAY = re.compile(r"(\d\d)/(\d\d)/(\d{4})", re.ASCII)

Listing = Callable[[str], Package]


@dataclass(frozen=True)
class Form:
    """How the lines of one kind of file read.

    ``moments`` finds what windows select by (UTC); ``columns`` makes of the selected lines and their
    moments the columns of the table under its spelling, numbers still as text.
    """

    moments: Callable[[pa.Table, Resource, str], pa.Array]
    columns: Callable[[pa.Table, pa.Array, Resource, str], pa.Table]


@dataclass(frozen=True)
class CsvFiles:
    """The way of asking that NESO's datasets share: which files hold a window, and how each reads.

    ``choose`` gets a function that shows a package by name; where it finds no file there are no rows.
    ``check`` looks at the rows before they enter the table: it may raise SchemaError, and returns
    what is odd but no error. ``ignored`` columns are not the table's and no drift either.
    """

    choose: Callable[[Listing, Window], Iterable[tuple[Resource, Form]]]
    check: Callable[[pa.Table, str], Iterable[str]] = lambda rows, where: ()
    ignored: tuple[str, ...] = IGNORED

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Asker) -> Answer:
        shelf = client.once("shelf", Shelf)
        packages: list[Package] = []
        size = 0

        def listing(name: str) -> Package:
            packages.append(show_package(client, dataset.key, name))
            return packages[-1]

        def files() -> Iterator[tuple[CsvFile, Resource, Form]]:
            nonlocal size
            for resource, form in self.choose(listing, window):
                file, fetched = shelf.file(client, dataset.key, resource)
                size += fetched
                yield file, resource, form

        rows = self.rows(dataset.table, files(), window, f"{dataset.key} {window}")
        return Answer(rows, 0, size, all(package.synthetic for package in packages))

    def rows(
        self,
        table: Table,
        files: Iterable[tuple[CsvFile, Resource, Form]],
        window: Window,
        where: str,
    ) -> Conformed:
        """Rows of the files that lie in the window, made to fit ``table``; raises as ``conform`` does."""
        import pyarrow as pa

        parts: list[pa.Table] = []
        for file, resource, form in files:
            for lines, times in file.rows(partial(_moments, form, resource, where), window):
                parts.append(form.columns(lines, times, resource, where))
        if not parts:
            parts.append(pa.table({column.spelling: pa.nulls(0) for column in table.columns}))
        # Files of different years have different columns.
        together = pa.concat_tables(parts, promote_options="default")
        together = with_numbers(table, together, where)
        odd = tuple(self.check(together, where))
        conformed = conform(table, together, where, self.ignored)
        return replace(conformed, strange=(*conformed.strange, *odd))


def _moments(form: Form, resource: Resource, where: str, lines: pa.Table) -> pa.Array:
    return form.moments(lines, resource, where)


def with_numbers(table: Table, rows: pa.Table, where: str) -> pa.Table:
    """The same rows with texts as numbers where the table has numbers; SchemaError where one is none."""
    import pyarrow as pa

    for column in table.columns:
        place = rows.schema.get_field_index(column.spelling)
        if place >= 0 and column.dtype in ("float", "int"):
            values = rows.column(place)
            if pa.types.is_string(values.type):
                rows = rows.set_column(
                    place, column.spelling, numbers(table, column, values, where)
                )
    return rows


def numbers(table: Table, column: Column, texts: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Numbers that are spelled as text; raises SchemaError, with the first that is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.utf8_trim_whitespace(texts).cast(pa.float64())
    except pa.ArrowInvalid:
        mixed = [_number(text) for text in texts.to_pylist()]
        if any(isinstance(value, str) for value in mixed):
            raise misfit(table, column, mixed, where) from None
        return pa.chunked_array([pa.array(mixed, pa.float64())])


def _number(text: str | None) -> Any:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def column_of(rows: pa.Table, name: str, where: str) -> pa.Array:
    """A column without empty cells, in one piece; SchemaError where it lacks or has some."""
    if name not in rows.column_names:
        raise SchemaError(
            f"the file for {where} lacks the column '{name}'; it has "
            f"{', '.join(rows.column_names)}. NESO may have renamed it; nothing of this window was stored."
        )
    values = rows.column(name).combine_chunks()
    if values.null_count:
        raise SchemaError(
            f"'{name}' is empty in {values.null_count} lines of the file for {where}, where a value is "
            "required; nothing of this window was stored."
        )
    return values


def instants(texts: pa.Array, what: str, where: str) -> pa.Array:
    """Texts such as 2020-01-01T00:00:00Z or 2016-01-01 00:00:00, without a zone UTC, to the second.

    Days may also be written 01/01/2016. Raises SchemaError, with the first that is no time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(texts):
        return texts.cast(pa.timestamp("us", "UTC"))
    # Looked at first: a cast that fails takes as long as ten that do not.
    first = texts[0].as_py()
    try:
        if "/" in first:
            times = pc.strptime(texts, format="%d/%m/%Y %H:%M:%S", unit="us")
        elif _ZONED.search(first):
            times = texts.cast(pa.timestamp("us", "UTC"))
        else:
            times = texts.cast(pa.timestamp("us"))
        return pc.floor_temporal(times.cast(pa.timestamp("us", "UTC")), unit="second")
    except pa.ArrowInvalid:
        pass
    for text in texts.to_pylist():
        try:
            pa.scalar(text.removesuffix("Z")).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            break
    raise SchemaError(
        f"{what}: {cited(text)} in {where} is not a time such as 2024-10-27T00:30:00Z; nothing of this window "
        "was stored."
    )


def days(texts: pa.Array, what: str, where: str) -> pa.Array:
    """Days as ISO texts, whichever way they are written: 2022-01-01, 01-JAN-2022 or 01/01/2022.

    A time after an ISO day is left out. Raises SchemaError, with the first that is no day.
    """
    import pyarrow as pa

    known = {text: _day(text) for text in texts.unique().to_pylist()}
    for text, day in known.items():
        if day is None:
            raise SchemaError(
                f"{what}: {cited(text)} in {where} is not a day such as 2024-10-27 or 27-OCT-2024; nothing of "
                "this window was stored."
            )
    # Month names are read here and not by strptime, which would ask the computer's language.
    return pa.array([known[text] for text in texts.to_pylist()], pa.string())


def _day(text: str) -> str | None:
    try:
        if named := _NAMED_DAY.fullmatch(text.strip()):
            month = _MONTHS.index(named[2].upper()) + 1
            return date(int(named[3]), month, int(named[1])).isoformat()
        if british := _BRITISH_DAY.fullmatch(text.strip()):
            return date(int(british[3]), int(british[2]), int(british[1])).isoformat()
        return date.fromisoformat(text.strip()[:10]).isoformat()
    except ValueError:
        return None


def settled(
    table: Table, rows: pa.Table, day: Column, period: Column, where: str
) -> tuple[pa.Array, pa.Array]:
    """Settlement days as ISO texts, and the starts (UTC) of the periods that two columns name."""
    import pyarrow as pa

    iso_days = days(column_of(rows, day.spelling, where), day.spelling, where)
    texts = pa.chunked_array([column_of(rows, period.spelling, where)])
    periods = numbers(table, period, texts, where).to_pandas()
    starts = period_starts(iso_days.to_pandas(), periods)
    return iso_days, pa.array(starts.to_numpy("datetime64[us]"), pa.timestamp("us", "UTC"))


def with_columns(rows: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """The rows with some columns put in place of those of the same name, or added."""
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = (
            rows.append_column(name, values) if place < 0 else rows.set_column(place, name, values)
        )
    return rows
