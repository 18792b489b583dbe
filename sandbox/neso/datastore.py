"""The datastore's two searches: rows of one resource as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox.faults import Hit, RowNames, spoil_rows
from sandbox.neso import sql
from sandbox.neso.tables import Table

MOST_ROWS = 32_000
_DEFAULT_ROWS = 100


class Invalid(ValueError):
    """Parameters that do not pass; `errors` is CKAN's explanation by field."""

    def __init__(self, **errors: Any) -> None:
        super().__init__(str(errors))
        self.errors = errors


class Unknown(ValueError):
    """A resource that the datastore does not hold."""


@dataclass(frozen=True)
class Found:
    """An answer of a search, with everything but its records ready."""

    key: tuple[Any, ...]
    help: str
    result: dict[str, Any]
    records: list[dict[str, Any]]
    value: str
    content_type: str = "application/json;charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        """Return the answer in CKAN's envelope."""
        return self._wrap(self.records)

    def spoilt(self, hit: Hit) -> bytes:
        """Return the answer after a fault of rows."""
        first = self.records[0].get(self.value) if self.records else None
        # A number that was sent as a text is not revised.
        names = RowNames([self.value] if isinstance(first, int | float) else [], None, None)
        return self._wrap(spoil_rows(hit, [dict(row) for row in self.records], names))

    def _wrap(self, records: list[dict[str, Any]]) -> bytes:
        result = {**self.result, "records": records}
        return msgspec.json.encode({"help": self.help, "success": True, "result": result})


def search(table: Table, params: Mapping[str, str], path: str) -> tuple[dict[str, Any], Any]:
    """Return the result and the records of `datastore_search`. Raises Invalid."""
    limit = min(_natural(params, "limit", _DEFAULT_ROWS), MOST_ROWS)
    offset = _natural(params, "offset", 0)
    picked = _filtered(table, params.get("filters", "{}"))
    for name, falling in reversed(_order(table, params.get("sort", ""))):
        picked = _sorted(table, picked, name, falling)
    names = [name.strip() for name in params["fields"].split(",")] if "fields" in params else []
    for name in names:
        if name not in table.values:
            raise Invalid(fields=[f'field "{name}" not in table'])
    total = len(picked)
    picked = picked[offset : offset + limit]
    query = {name: value for name, value in params.items() if name != "offset"}
    links = {
        "start": f"{path}?{urlencode(query)}",
        "next": f"{path}?{urlencode({**query, 'offset': offset + limit})}",
    }
    result: dict[str, Any] = {
        "include_total": True,
        "resource_id": params["resource_id"],
        "fields": [each for each in table.fields if not names or each["id"] in names],
        "records_format": "objects",
        "limit": limit,
        "total": total,
        "_links": links,
    }
    if offset:
        result["offset"] = offset
    return result, _records(table, picked, names or list(table.values))


def search_sql(table: Table, select: sql.Select, text: str) -> tuple[dict[str, Any], Any]:
    """Return the result and the records of `datastore_search_sql`. Raises SqlError."""
    kinds = _kinds(table)
    every = not select.columns
    names = list(table.values) if every else select.columns
    for name in [*names, *(one[0] for one in select.where), *(one[0] for one in select.order)]:
        if name not in kinds:
            raise sql.SqlError(f'column "{name}" does not exist')
    picked = list(range(len(table)))
    for name, sign, word in select.where:
        kind, values = kinds[name], table.values[name]
        wanted = sql.literal(kind, word)
        picked = [at for at in picked if sql.compare(sign, kind, values[at], wanted)]
    for name, falling in reversed(select.order):
        picked = _sorted(table, picked, name, falling)
    wanted_rows = len(picked) if select.limit is None else select.limit
    picked = picked[select.offset : select.offset + wanted_rows]
    records = _records(table, picked[:MOST_ROWS], names)
    fields = [{"id": name, "type": kinds[name]} for name in names]
    for record in records:
        for name in names:
            # Exact numbers leave this action as texts, unlike those of the plain search.
            if kinds[name] == "numeric" and record[name] is not None:
                record[name] = str(record[name])
        if every:
            words = (value for name, value in record.items() if name != "_id")
            record["_full_text"] = " ".join(f"'{word}':1" for word in words)
    if every:
        fields.append({"id": "_full_text", "type": "tsvector"})
    result: dict[str, Any] = {"sql": text, "fields": fields}
    if len(picked) > MOST_ROWS:
        result["records_truncated"] = True
    return result, records


def _records(table: Table, picked: list[int], names: list[str]) -> list[dict[str, Any]]:
    columns = [table.values[name] for name in names]
    return [dict(zip(names, (column[at] for column in columns), strict=True)) for at in picked]


def _filtered(table: Table, text: str) -> list[int]:
    try:
        filters = json.loads(text)
    except ValueError:
        raise Invalid(filters=["Cannot parse JSON"]) from None
    if not isinstance(filters, dict):
        raise Invalid(filters=["invalid filters"])
    picked = list(range(len(table)))
    kinds = _kinds(table)
    for name, wanted in filters.items():
        if name not in kinds:
            raise Invalid(filters=[f'invalid filter field "{name}"'])
        asked = wanted if isinstance(wanted, list) else [wanted]
        try:
            accepted = {sql.literal(kinds[name], str(one)) for one in asked}
        except sql.SqlError as trouble:
            raise Invalid(filters=[str(trouble)]) from None
        values = table.values[name]
        picked = [at for at in picked if values[at] in accepted]
    return picked


def _order(table: Table, text: str) -> list[tuple[str, bool]]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, way = part.rpartition(" ")
        if way.lower() not in ("asc", "desc") or not name:
            name, way = part, "asc"
        name = name.strip().strip('"')
        if name not in table.values:
            raise Invalid(sort=[f'field "{name}" not in table'])
        found.append((name, way.lower() == "desc"))
    return found


def _sorted(table: Table, picked: list[int], name: str, falling: bool) -> list[int]:
    kind, values = _kinds(table)[name], table.values[name]
    # As PostgreSQL does, no value stands above all values.
    return sorted(
        picked,
        key=lambda at: (
            values[at] is None,
            "" if values[at] is None else sql.rank(kind, values[at]),
        ),
        reverse=falling,
    )


def _kinds(table: Table) -> dict[str, str]:
    return {"_id": "int4", **table.kinds}


def _natural(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise Invalid(**{name: ["Invalid integer"]}) from None
    if number < 0:
        raise Invalid(**{name: ["Must be a natural number"]})
    return number
