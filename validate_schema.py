"""``validate-schema``: do our declarations still fit an OpenAPI document, and the stored tables them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from doctor import FINE, MIND, WRONG, Finding
from domain.keys import find_all
from domain.tables import Column, Table

if TYPE_CHECKING:
    from sources.dataset import Dataset
    from sources.elexon_rows import JsonRows
    from sources.openapi import Endpoint, Field
    from stores.sql import SqlStore

# What a document's type may be where a column has another one: (ours, theirs).
_READABLE = {("float", "int"), ("time", "date")}


def validate(keys: Iterable[str], store: SqlStore, openapi: Path | None) -> Iterator[Finding]:
    """Hold datasets (and products, where nothing is named) against a document and the store.

    ``keys`` are keys, aliases or groups; all, where there are none. Without ``openapi`` only the
    stored tables are looked at. Raises UsageError for an unknown key or a file that cannot be read.
    """
    from sources.openapi import read_document

    named = list(keys)
    datasets, tables = _chosen(named)
    findings: list[Finding] = []
    if openapi:
        document = read_document(openapi)
        findings += _codes(document)
        for dataset in datasets:
            findings += against_document(dataset, document)
    for table in tables:
        findings += against_store(table, store)
    if not findings:
        findings = [Finding("nothing", MIND, "to look at: no table is stored, no document named")]
    yield from findings if named else _in_short(findings)


def _chosen(keys: list[str]) -> tuple[list[Dataset], list[Table]]:
    from fetch_data import find_datasets
    from products import BY_KEY as products
    from products import PRODUCTS
    from sources import DATASETS

    if not keys:
        return list(DATASETS), [d.table for d in DATASETS] + [p.table for p in PRODUCTS]
    computed = [key for key in keys if key.casefold() in products]
    datasets = find_datasets(key for key in keys if key not in computed)
    tables = [product.table for product in find_all(computed, products, "product")]
    return datasets, [dataset.table for dataset in datasets] + tables


def _in_short(findings: list[Finding]) -> Iterator[Finding]:
    """The findings, with one line for all generated datasets that are fine."""
    from sources.elexon_codes import CODES, GROUP

    generated = {name.lower() for name in CODES}
    fine = {f.what for f in findings if f.verdict == FINE and f.what in generated}
    yield from (f for f in findings if f.verdict != FINE or f.what not in generated)
    if fine:
        yield Finding(GROUP, FINE, f"{len(fine)} generated datasets fit")


# --- against an OpenAPI document ------------------------------------------------------------------


def _codes(document: Mapping[str, Endpoint]) -> Iterator[Finding]:
    """Whether the data file of generated datasets is what the document gives."""
    from sources.elexon_codes import CODES, FILE, LEFT_OUT
    from sources.openapi import codes

    found, left_out = codes(document)
    old, new = CODES | LEFT_OUT, found | left_out
    parts = [
        f"{word} {', '.join(sorted(names))}"
        for word, names in (
            ("new", new.keys() - old.keys()),
            ("gone", old.keys() - new.keys()),
            ("changed", {name for name in old.keys() & new.keys() if old[name] != new[name]}),
        )
        if names
    ]
    if parts:
        advice = "write it anew with 'python -m sources.openapi FILE'"
        yield Finding(FILE.name, MIND, f"{'; '.join(parts)}: {advice}")
    else:
        yield Finding(FILE.name, FINE, f"{len(CODES)} datasets as the document gives them")


def against_document(dataset: Dataset, document: Mapping[str, Endpoint]) -> list[Finding]:
    """What of a dataset does not fit the document; nothing for one of another provider."""
    from sources.elexon_rows import ELEXON, JsonRows
    from sources.openapi import nameless

    read = dataset.read
    if dataset.provider is not ELEXON or not isinstance(read, JsonRows):
        return []
    endpoint = document.get(nameless(read.path))
    if endpoint is None:
        return [Finding(dataset.key, WRONG, f"the document has no path {read.path}")]
    findings = [*_parameters(dataset.key, read, endpoint), *_columns(dataset, read, endpoint)]
    asked = f"{read.path} fits"
    return findings or [Finding(dataset.key, FINE, asked)]


def _parameters(key: str, read: JsonRows, endpoint: Endpoint) -> Iterator[Finding]:
    """Parameters that we give and the endpoint does not know, or requires and we do not give."""
    given = {name for name in (read.start, read.end, *dict(read.fixed)) if name}
    known = endpoint.parameters
    if strange := given - known.keys():
        yield Finding(key, WRONG, f"{read.path} takes no {_listed(strange)}; it would be ignored")
    if lacking := {name for name, p in known.items() if p.required} - given:
        yield Finding(key, WRONG, f"{read.path} requires {_listed(lacking)}")
    kind = "date" if read.by_day else "time"
    ends = {n for n in (read.start, read.end) if n in known and known[n].dtype != kind}
    if ends:
        wanted = ", ".join(sorted({known[name].dtype for name in ends}))
        # A time is taken where a day is sent; the other way round the hours are lost.
        verdict = MIND if read.by_day and wanted == "time" else WRONG
        yield Finding(
            key, verdict, f"{_listed(ends)}: we send a {kind}, the document says {wanted}"
        )


def _columns(dataset: Dataset, read: JsonRows, endpoint: Endpoint) -> Iterator[Finding]:
    from sources.elexon_rows import IGNORED

    key, fields = dataset.key, endpoint.fields
    if not fields:
        yield Finding(key, MIND, f"the document says nothing of the rows of {read.path}")
        return
    made, absent = dict(read.made), dict(read.absent)
    columns = [column for column in dataset.table.columns if column.name not in made]
    missing = [column for column in columns if column.spelling not in fields]
    lenient = {c.spelling for c in missing if c.optional or c.spelling in absent}
    if gone := {column.spelling for column in missing} - lenient:
        yield Finding(key, WRONG, f"required here, unknown to the document: {_listed(gone)}")
    if lenient:
        yield Finding(key, MIND, f"unknown to the document: {_listed(lenient)}")
    there = [(column, fields[column.spelling]) for column in columns if column not in missing]
    for column, field in there:
        if not _readable(column, field, read):
            said = f"{column.spelling} is {column.dtype} here, {field.dtype} in the document"
            yield Finding(key, WRONG, said)
    strict = {c.spelling for c, f in there if f.nullable and not c.optional} - absent.keys()
    if strict:
        yield Finding(key, MIND, f"required here, may be empty there: {_listed(strict)}")
    if more := fields.keys() - {column.spelling for column in columns} - set(IGNORED):
        yield Finding(key, MIND, f"not declared here: {_listed(more)}")


def _readable(column: Column, field: Field, read: JsonRows) -> bool:
    """Whether values of the document's type become values of the column's."""
    if column.spelling in read.nested:
        return field.dtype in ("nested", "text")
    if column.spelling in read.spelled:
        return field.dtype == "text"
    return column.dtype == field.dtype or (column.dtype, field.dtype) in _READABLE


# --- against stored tables ------------------------------------------------------------------------


def against_store(table: Table, store: SqlStore) -> list[Finding]:
    """What of a stored table does not fit its declaration; nothing where none is stored."""
    stored = store.columns_of(table.name)
    if not stored:
        return []
    described = {
        str(name): (str(dtype), str(unit), bool(in_key))
        for name, dtype, unit, in_key in store.execute(
            "SELECT column_name, dtype, unit, in_key FROM columns WHERE table_name = ?",
            (table.name,),
        )
    }
    findings = [*_missing(table, stored), *_differing(table, stored, described)]
    return findings or [Finding(table.name, FINE, "the stored table fits")]


def _missing(table: Table, stored: list[str]) -> Iterator[Finding]:
    from stores.upsert import RETRIEVED

    missing = [column for column in table.columns if column.name not in stored]
    if required := {column.name for column in missing if not column.optional}:
        said = f"the stored table lacks {_listed(required)}, which this version needs"
        yield Finding(table.name, WRONG, f"{said}: start a new store")
    if later := {column.name for column in missing if column.optional}:
        said = f"the stored table lacks {_listed(later)}: the next write adds it"
        yield Finding(table.name, MIND, said)
    if more := set(stored) - set(table.names) - {RETRIEVED}:
        yield Finding(table.name, MIND, f"stored and no longer declared: {_listed(more)}")


def _differing(
    table: Table, stored: list[str], described: Mapping[str, tuple[str, str, bool]]
) -> Iterator[Finding]:
    """Columns whose stored values mean something else than the declaration says."""
    for column in table.columns:
        if column.name not in stored or column.name not in described:
            continue
        dtype, unit, in_key = described[column.name]
        if dtype != column.dtype:
            yield Finding(
                table.name, WRONG, f"{column.name} is {column.dtype} here and {dtype} in the store"
            )
        if unit != column.unit:
            said = f"{column.name} is in '{column.unit}' here and in '{unit}' in the store"
            yield Finding(table.name, WRONG, said)
        if in_key != (column.name in table.key):
            said = "belongs to the key" if in_key else "does not belong to the key"
            yield Finding(table.name, WRONG, f"{column.name} {said} in the store, unlike here")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
