"""The service: CKAN's actions, the links of the files and the bucket behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from sandbox.answers import Call, Document
from sandbox.grid import Columns
from sandbox.manners import NESO, Refusal
from sandbox.neso import datastore, files, sql
from sandbox.neso.packages import Package, Resource, Shelves

ACTIONS = "/api/3/action/"
_MOST_PACKAGES = 1_000


class Portal:
    """Answers as the data portal does, whose CKAN is version 2.8."""

    tables: Collection[str] = (
        "historic_demand",
        "embedded_forecasts",
        "day_ahead_wind_forecast",
        "response_auctions",
        "historic_frequency",
    )

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.shelves = Shelves(seed)

    def rows(self, table: str, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return the truth as a table, see `Sandbox.truth`."""
        match table:
            case "historic_demand":
                return self.shelves.demand.rows(first, last, now)
            case "embedded_forecasts":
                return self.shelves.embedded.rows(first, last, now, every=every)
            case "day_ahead_wind_forecast":
                return self.shelves.wind.rows(first, last, now)
            case "response_auctions":
                return self.shelves.auctions.rows(first, last, now)
            case _:
                return self.shelves.seconds.rows(first, last, now)

    def holes(self, table: str, first: int, last: int) -> Columns | None:
        """Return the seconds that no file holds; other tables have no holes."""
        if table != "historic_frequency":
            return None
        return {"time": self.shelves.seconds.holes(first, last)}

    def respond(self, call: Call) -> Document | Refusal:
        """Decide what a path below the portal is answered with."""
        if call.path.startswith(ACTIONS):
            return self._act(call, call.path[len(ACTIONS) :])
        match call.path.split("/")[1:]:
            case ["dataset", package, "resource", resource, "download", _]:
                found = self._resource(call, resource)
                if found is not None and found[0].id == package and found[1].uploaded:
                    return files.redirect(call.origin, found[1], self.seed, call.now)
            case ["datastore", "dump", resource]:
                found = self._resource(call, resource)
                if found is not None and found[1].table is not None:
                    return files.File(found[1], self.shelves, call.now, dump=True)
            case ["bucket", "resources", resource, name]:
                refusal = files.opened(f"/neso{call.path}", call.query, self.seed, call.now)
                found = self._resource(call, resource)
                if refusal is None and found is not None and found[1].file == name:
                    return files.File(found[1], self.shelves, call.now)
                return refusal or files.no_such_key()
        return NESO.not_found()

    def _act(self, call: Call, action: str) -> Document | Refusal:
        params = call.params
        match action.strip("/"):
            case "package_list":
                names = sorted(package.name for package in self.shelves.packages(call.now))
                return self._result(call, action, names)
            case "package_search":
                return self._search(call)
            case "package_show" | "datapackage_show":
                if not params.get("id"):
                    return _invalid(call, action, {"name_or_id": ["Missing value"]})
                for package in self.shelves.packages(call.now):
                    if params["id"] in (package.id, package.name):
                        return self._result(call, action, _shown(call, package, action))
                return _missing(call, action, "Not found")
            case "resource_show":
                if not params.get("id"):
                    return _invalid(call, action, {"id": ["Missing value"]})
                found = self._resource(call, params["id"])
                if found is None:
                    return _missing(call, action, "Not found: Resource was not found.")
                return self._result(call, action, _described(call, *found))
            case "datastore_search":
                return self._rows(call, action)
            case "datastore_search_sql":
                return self._rows_sql(call, action)
        body = msgspec.json.encode(f"Bad request - Action name not known: {action}")
        return Refusal(400, NESO.json_type, body)

    def _search(self, call: Call) -> Refusal:
        params = call.params
        try:
            rows, start = int(params.get("rows", "10")), int(params.get("start", "0"))
        except ValueError:
            return _invalid(call, "package_search", {"rows": ["Invalid integer"]})
        words = params.get("q", "*:*").lower().replace('"', "").split()
        found = [
            package
            for package in self.shelves.packages(call.now)
            if words == ["*:*"] or all(word in _words(package) for word in words)
        ]
        if params.get("sort", "").startswith("name"):
            found.sort(key=lambda package: package.name, reverse=params["sort"].endswith("desc"))
        page = found[start : start + min(rows, _MOST_PACKAGES)]
        result = {
            "count": len(found),
            "sort": params.get("sort", "score desc, metadata_modified desc"),
            "facets": {},
            "results": [_shown(call, package, "package_show") for package in page],
            "search_facets": {},
        }
        return self._result(call, "package_search", result)

    def _rows(self, call: Call, action: str) -> Document | Refusal:
        wanted = call.params.get("resource_id") or call.params.get("id")
        if not wanted:
            return _invalid(call, action, {"resource_id": ["Missing value"]})
        found = self._resource(call, wanted)
        table = None if found is None else self.shelves.held(found[1])
        if found is None or table is None:
            return _missing(call, action, f'Not found: Resource "{wanted}" was not found.')
        params = {**call.params, "resource_id": wanted}
        try:
            result, records = datastore.search(table, params, f"/api/3/action/{action}")
        except datastore.Invalid as trouble:
            return _invalid(call, action, trouble.errors)
        key = action, found[1].id, found[1].modified, tuple(sorted(params.items())), call.origin
        return datastore.Found(key, _help(call, action), result, records, table.value)

    def _rows_sql(self, call: Call, action: str) -> Document | Refusal:
        text = call.params.get("sql", "")
        if not text:
            return _invalid(call, action, {"sql": ["Missing value"]})
        try:
            select = sql.read(text)
            found = self._resource(call, select.resource)
            table = None if found is None else self.shelves.held(found[1])
            if found is None or table is None:
                return _missing(call, action, f'Not found: relation "{select.resource}"')
            result, records = datastore.search_sql(table, select, text)
        except sql.SqlError as trouble:
            complaint = f"(ProgrammingError) {trouble}"
            errors = {"query": [complaint], "info": {"statement": [text], "orig": [str(trouble)]}}
            return _invalid(call, action, errors)
        key = action, found[1].id, found[1].modified, text, call.origin
        return datastore.Found(key, _help(call, action), result, records, table.value)

    def _resource(self, call: Call, wanted: str) -> tuple[Package, Resource] | None:
        for package in self.shelves.packages(call.now):
            for resource in package.resources:
                if resource.id == wanted:
                    return package, resource
        return None

    def _result(self, call: Call, action: str, result: Any) -> Refusal:
        body = {"help": _help(call, action), "success": True, "result": result}
        # Not rows: faults of data belong to the files and the datastore.
        return Refusal(200, NESO.json_type, msgspec.json.encode(body))


def _words(package: Package) -> str:
    return f"{package.name} {package.title} {package.notes}".lower()


def _shown(call: Call, package: Package, action: str) -> dict[str, Any]:
    resources = [_described(call, package, each) for each in package.resources]
    if action == "datapackage_show":
        paths = [{"name": one["name"], "path": one["url"], "format": "csv"} for one in resources]
        return {"name": package.name, "title": package.title, "resources": paths}
    newest = max((one["last_modified"] for one in resources), default=None)
    return {
        "id": package.id,
        "name": package.name,
        "title": package.title,
        "notes": package.notes,
        "license_id": "synthetic",
        "license_title": "Synthetic data of gridledger's sandbox",
        "state": "active",
        "metadata_modified": newest,
        "num_resources": len(resources),
        "resources": resources,
    }


def _described(call: Call, package: Package, resource: Resource) -> dict[str, Any]:
    path = f"dataset/{package.id}/resource/{resource.id}/download/{resource.file}"
    if not resource.uploaded:
        path = f"datastore/dump/{resource.id}"
    return {
        "id": resource.id,
        "package_id": package.id,
        "name": resource.name,
        "format": resource.format,
        "url_type": "upload" if resource.uploaded else "datastore",
        "url": f"{call.origin}/neso/{path}",
        "last_modified": resource.last_modified,
        "size": None,
        "state": "active",
        "datastore_active": resource.table is not None,
    }


def _help(call: Call, action: str) -> str:
    return f"{call.origin}/neso{ACTIONS}help_show?name={action}"


def _missing(call: Call, action: str, message: str) -> Refusal:
    return _failed(call, action, 404, {"message": message, "__type": "Not Found Error"})


def _invalid(call: Call, action: str, errors: Mapping[str, Any]) -> Refusal:
    return _failed(call, action, 409, {**errors, "__type": "Validation Error"})


def _failed(call: Call, action: str, status: int, error: Mapping[str, Any]) -> Refusal:
    body = {"help": _help(call, action), "success": False, "error": error}
    return Refusal(status, NESO.json_type, msgspec.json.encode(body))
