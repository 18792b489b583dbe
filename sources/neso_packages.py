"""NESO's data portal (CKAN): what a package lists.

Files are chosen by name: ids can be created anew and file names carry dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import BrokenAnswer, SchemaError, cited

if TYPE_CHECKING:
    from sources.dataset import Asker

# As many files an error names.
NAMED = 20
K = TypeVar("K", int, tuple[int, int])


@dataclass(frozen=True)
class Resource:
    """One file of a package; ``modified`` is when its present content was uploaded (UTC)."""

    id: str
    name: str
    url: str
    modified: datetime | None


@dataclass(frozen=True)
class Package:
    """The CSV files that a data set of the portal lists; ``synthetic`` where the sandbox lists them."""

    name: str
    resources: tuple[Resource, ...]
    synthetic: bool

    def named(self, name: str) -> Resource:
        """The file of exactly that name; SchemaError, naming what there is, where it has none."""
        for resource in self.resources:
            if resource.name == name:
                return resource
        raise self._lacks(name)

    def by(
        self, pattern: str, key: Callable[[re.Match[str]], K], what: str
    ) -> dict[K, list[Resource]]:
        """Files whose whole name fits a pattern, by what ``key`` makes of it; SchemaError where none does."""
        found: dict[K, list[Resource]] = {}
        for resource in self.resources:
            match = re.fullmatch(pattern, resource.name.strip())
            if match:
                found.setdefault(key(match), []).append(resource)
        if not found:
            raise self._lacks(what)
        return found

    def pick(self, found: dict[K, list[Resource]], wanted: Iterable[K]) -> list[Resource]:
        """The files of the wanted years or months.

        What lies before the first or after the last is not published (yet), which is no error; a
        gap between them is one that was renamed: SchemaError.
        """
        chosen: list[Resource] = []
        for key in wanted:
            if key in found:
                chosen += found[key]
            elif min(found) < key < max(found):
                shown = str(key) if isinstance(key, int) else f"{key[0]}-{key[1]:02}"
                raise self._lacks(f"a file of {shown}, as of what lies around it")
        return chosen

    def _lacks(self, what: str) -> SchemaError:
        names = ", ".join(f"'{resource.name}'" for resource in self.resources[:NAMED])
        more = len(self.resources) - NAMED
        names = f"{names} and {more} more" if more > 0 else names or "no CSV file"
        return SchemaError(
            f"NESO's package '{self.name}' lacks {what!r}; it has {names}. NESO may have renamed it; "
            "nothing of this window was stored."
        )


def show_package(client: Asker, dataset: str, name: str) -> Package:
    """The package as the portal lists it, asked for once a run; raises as ``Client.get`` does."""

    def ask() -> Package:
        resources, body = client.get(
            dataset, "/package_show", {"id": name}, lambda raw: read_listing(raw, name)
        )
        return Package(name, resources, body.synthetic)

    return client.once(("package", name), ask)


def read_listing(body: bytes, name: str) -> tuple[Resource, ...]:
    """The CSV files in the answer of ``package_show``; raises BrokenAnswer or SchemaError."""
    import msgspec

    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise BrokenAnswer(f"not JSON: {trouble}") from None
    answer = answer if isinstance(answer, dict) else {"error": answer}
    if answer.get("success") is not True:
        said = str(answer.get("error"))[:200]
        raise SchemaError(f"NESO does not show its package '{name}': {said}; nothing was stored.")
    result = answer.get("result")
    listed = result.get("resources") if isinstance(result, dict) else None
    fields = ("id", "name", "url")
    if not isinstance(listed, list) or not all(
        isinstance(each, dict) and all(isinstance(each.get(f), str) for f in fields)
        for each in listed
    ):
        raise SchemaError(
            f"NESO's package '{name}' is not described by a list of resources with id, name and url; "
            "the portal may have changed, and nothing was stored."
        )
    return tuple(
        Resource(each["id"], each["name"], each["url"], _instant(each, name))
        for each in listed
        if str(each.get("format") or "CSV").upper() in ("CSV", "ZIP")
    )


def _instant(resource: dict[str, Any], package: str) -> datetime | None:
    """When a resource was uploaded; the portal leaves the zone (UTC) out. To the second."""
    text = resource.get("last_modified") or resource.get("created")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise SchemaError(
            f"NESO's package '{package}' says that {resource['name']!r} was modified at {cited(text)}, "
            "which is not a time; nothing of this window was stored."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)
