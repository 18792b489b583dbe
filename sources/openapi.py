"""An OpenAPI document as far as declarations are held against it, and the data file made from one.

``python -m sources.openapi PATH/openapi.json`` writes ``elexon_codes.toml`` anew: every dataset of
Elexon's document that no declaration of ours covers, with names and types only. The same document
and declarations give the same bytes. ``elexon_codes.py`` turns the file into datasets;
``validate-schema --openapi PATH`` says when it no longer fits a document.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import UsageError
from sources import DATASETS
from sources.elexon_codes import FAMILIES, FILE, GROUP, Code, Family, asked_by, is_dataset_field
from sources.elexon_rows import ELEXON, JsonRows

_CODE = re.compile(r"/datasets/([A-Z0-9]+)(?:/stream)?$")
_TYPES: dict[tuple[str, str | None], str] = {
    ("string", "date-time"): "time",
    ("string", "date"): "date",
    ("string", None): "text",
    ("number", None): "float",
    ("integer", None): "int",
    ("boolean", None): "flag",
}
_HEAD = """\
# Datasets of Elexon that no declaration of ours covers: names and types, as an OpenAPI document gives
# them. Written by 'python -m sources.openapi PATH/openapi.json'; do not edit.
#
# asked    the family of parameters by which a window is asked for (FAMILIES in elexon_codes.py)
# columns  a line each: the provider's spelling, the type, and ? where the document allows no value
"""


@dataclass(frozen=True)
class Field:
    """One field of a row: a type as tables have it (or ``nested``), and whether it may be empty."""

    dtype: str
    nullable: bool


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query; ``dtype`` as fields have it."""

    dtype: str
    required: bool


@dataclass(frozen=True)
class Endpoint:
    """One path: its query parameters and the fields of its rows."""

    path: str
    parameters: Mapping[str, Parameter]
    fields: Mapping[str, Field]


def read_document(path: Path) -> dict[str, Endpoint]:
    """The GET endpoints of an OpenAPI document by path; names of parameters in paths left out.

    Raises UsageError where the file cannot be read or is no such document.
    """
    try:
        document = json.loads(path.read_bytes())
        schemas = document.get("components", {}).get("schemas", {})
        return {
            nameless(where): _endpoint(where, item["get"], schemas)
            for where, item in document["paths"].items()
            if "get" in item
        }
    except OSError as trouble:
        raise UsageError(f"{path} cannot be read: {trouble.strerror}.") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as trouble:
        raise UsageError(
            f"{path} is not an OpenAPI document in JSON ({type(trouble).__name__}: {trouble})."
        ) from None


def nameless(path: str) -> str:
    """A path without the names of its parameters, which each side chooses as it likes.

    >>> nameless("/prices/{settlementDate}")
    '/prices/{}'
    """
    return re.sub(r"{[^}]*}", "{}", path)


def _endpoint(path: str, get: Mapping[str, Any], schemas: Mapping[str, Any]) -> Endpoint:
    parameters = {
        p["name"]: Parameter(_dtype(p.get("schema", {}), schemas), p.get("required", False))
        for p in get.get("parameters", ())
        if p.get("in") == "query"
    }
    return Endpoint(path, parameters, _fields(get, schemas))


def _fields(get: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Field]:
    """The fields of one row, whichever envelope the rows come in; none where nothing is said."""
    content = get.get("responses", {}).get("200", {}).get("content", {})
    body: Any = content.get("application/json") or next(iter(content.values()), {})
    row = _resolved(body.get("schema", {}), schemas)
    if "data" in row.get("properties", {}):
        row = _resolved(row["properties"]["data"], schemas)
    if row.get("type") == "array":
        row = _resolved(row["items"], schemas)
    return {
        name: Field(_dtype(schema, schemas), bool(schema.get("nullable")))
        for name, schema in row.get("properties", {}).items()
    }


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with what it refers to or is made of in its place."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "allOf" not in schema:
        return schema
    parts = [_resolved(part, schemas) for part in schema["allOf"]] + [schema]
    properties = {k: v for part in parts for k, v in part.get("properties", {}).items()}
    return {k: v for part in parts for k, v in part.items()} | {"properties": properties}


def _dtype(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """The type of a field as tables have it; ``nested`` for what is neither text, number nor flag."""
    schema = _resolved(schema, schemas)
    kind, form = str(schema.get("type")), schema.get("format")
    return _TYPES.get((kind, form)) or _TYPES.get((kind, None)) or "nested"


# --- the data file --------------------------------------------------------------------------------


def declared_by_hand() -> set[str]:
    """The codes that declarations of ours cover, by path, key or alias."""
    covered: set[str] = set()
    for dataset in DATASETS:
        if dataset.provider is not ELEXON or GROUP in dataset.groups:
            continue
        covered |= {name.upper() for name in (dataset.key, *dataset.aliases)}
        found = _CODE.match(dataset.read.path) if isinstance(dataset.read, JsonRows) else None
        covered |= {found[1]} if found else set()
    return covered


def codes(document: Mapping[str, Endpoint]) -> tuple[dict[str, Code], dict[str, str]]:
    """What the data file says of each code that we do not cover, and why others cannot be asked."""
    found: dict[str, Code] = {}
    left_out: dict[str, str] = {}
    names = {match[1] for path in document if (match := _CODE.match(path))}
    for name in sorted(names - declared_by_hand()):
        paths = [f"/datasets/{name}/stream", f"/datasets/{name}"]  # a stream has no cap
        codes = [_code(document[path]) for path in paths if path in document]
        usable = [code for code in codes if isinstance(code, Code)]
        if usable:
            found[name] = usable[0]
        else:
            left_out[name] = str(codes[0])
    return found, left_out


def _code(endpoint: Endpoint) -> Code | str:
    """How an endpoint is asked for a window and what it answers, or why it cannot be asked."""
    columns = {
        name: (field.dtype, field.nullable)
        for name, field in endpoint.fields.items()
        if not is_dataset_field(name)
    }
    for name, family in FAMILIES.items():
        if _fits(family, endpoint):
            if asked_by(family, columns) is None:
                return "its rows carry no time that the window bounds"
            return Code(endpoint.path, name, columns)
    required = [name for name, p in endpoint.parameters.items() if p.required]
    return f"no window can be asked for ({', '.join(required) or 'no'} required)"


def _fits(family: Family, endpoint: Endpoint) -> bool:
    required = {name for name, parameter in endpoint.parameters.items() if parameter.required}
    return required <= family.parameters <= set(endpoint.parameters)


def generate(document: Mapping[str, Endpoint]) -> str:
    """The text of the data file for a document."""
    found, left_out = codes(document)
    parts = [_HEAD]
    if left_out:
        reasons = "".join(f"{name} = {json.dumps(why)}\n" for name, why in left_out.items())
        parts.append("[left_out]\n" + reasons)
    for name, code in found.items():
        lines = "".join(
            f"{field} {dtype}{'?' if nullable else ''}\n"
            for field, (dtype, nullable) in code.columns.items()
        )
        parts.append(
            f'[{name}]\npath = "{code.path}"\nasked = "{code.asked}"\ncolumns = """\n{lines}"""\n'
        )
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the data file from the document named on the command line."""
    if len(arguments) != 1:
        print("usage: python -m sources.openapi PATH/openapi.json", file=sys.stderr)
        return 2
    try:
        document = read_document(Path(arguments[0]))
        found, left_out = codes(document)
        if not found:
            raise UsageError(f"{arguments[0]} names no dataset of Elexon: nothing was written.")
    except UsageError as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return trouble.exit_code
    FILE.write_text(generate(document), encoding="utf-8", newline="\n")
    print(f"{FILE.name}: {len(found)} datasets, {len(left_out)} that cannot be asked")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
