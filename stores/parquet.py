"""A folder of Parquet files as a warehouse: one file a settlement month, in Hive partitions.

``<table>/settlement_year=2024/settlement_month=10/<table>.parquet``, and ``<table>/<table>.parquet`` for
a table without time. A file is replaced in place, whole, so that who reads sees the month as it was or as
it is. Beside the tables stands ``_gridledger/<table>.json`` with what was published: readers of Hive
partitions pass over names with an underscore. It is written after the file that it tells of.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from domain.errors import StoreMismatch
from domain.tables import Table
from stores.objects import Folder
from stores.warehouse import Part, Warehouse

MANIFESTS = "_gridledger"
# Grows when an older program would misread what stands there.
VERSION = 1


class ParquetWarehouse(Warehouse):
    """The tables below a folder. One process at a time may publish into it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._manifests: dict[str, dict[str, Any]] = {}
        self._noting = threading.Lock()

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def origin(self) -> str:
        for name in self._folder.names(MANIFESTS):
            return str(self._manifest(Path(name).stem)["origin"])
        return ""

    def check(self, table: Table) -> None:
        if self._manifest(table.name):
            return
        if files := self._folder.names(table.name):
            raise StoreMismatch(
                f"{self._folder.address}/{table.name} holds files that were not published by this program "
                f"({files[0]}): nothing was written there. Publish to another folder."
            )

    def known(self, table: Table) -> dict[str, str]:
        parts = self._manifest(table.name).get("parts", {})
        there = set(self._folder.names(table.name)) if parts else set()
        return {n: p["fingerprint"] for n, p in parts.items() if _file(table, n) in there}

    def replace(self, part: Part, file: Path, origin: str) -> None:
        if not self._manifest(part.table.name):
            self._note(part.table, origin, {})  # from here on the files there are ours
        self._folder.take(_file(part.table, part.name), file)
        said = {"fingerprint": part.fingerprint, "rows": part.rows}
        self._note(part.table, origin, {part.name: said})

    def drop(self, table: Table, name: str) -> None:
        self._folder.remove(_file(table, name))
        self._note(table, self._manifest(table.name)["origin"], {name: None})

    def _manifest(self, table: str) -> dict[str, Any]:
        """What was published of a table; empty for nothing."""
        if table not in self._manifests:
            name = f"{MANIFESTS}/{table}.json"
            content = self._folder.read(name)
            try:
                found = {} if content is None else json.loads(content)
                ours = content is None or found["version"] == VERSION
            except (ValueError, KeyError, TypeError):
                ours = False
            if not ours:
                raise StoreMismatch(
                    f"{self._folder.address}/{name} was not written by this version of the program: update "
                    "it, or publish to another folder."
                )
            self._manifests[table] = found
        return self._manifests[table]

    def _note(self, table: Table, origin: str, changed: dict[str, dict[str, Any] | None]) -> None:
        with self._noting:
            parts = {**self._manifest(table.name).get("parts", {}), **changed}
            manifest = {
                "version": VERSION,
                "origin": origin,
                "parts": {name: parts[name] for name in sorted(parts) if parts[name]},
            }
            content = json.dumps(manifest, indent=1) + "\n"
            self._folder.write(f"{MANIFESTS}/{table.name}.json", content.encode())
            self._manifests[table.name] = manifest


def _file(table: Table, part: str) -> str:
    year, _, month = part.partition("-")
    months = f"settlement_year={int(year)}/settlement_month={int(month)}/" if part else ""
    return f"{table.name}/{months}{table.name}.parquet"
