"""ENTSO-E answers that are zip archives: their documents, one by one, within limits.

Balancing and outage items send up to 200 documents in an archive. What is no whole archive is worth
asking again; what breaks a limit or cannot be a document is refused, and nothing is skipped.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from domain.errors import BrokenAnswer, SchemaError

SIGNATURE = b"PK"
# The platform sends 200 at most, a few kB to a few MB each, that pack to a tenth or a fiftieth.
MOST_MEMBERS = 1000
LARGEST_MEMBER = 256 * 2**20
LARGEST_IN_ALL = 512 * 2**20
MOST_TIMES = 300
_TOO_SMALL_TO_JUDGE = 2**20
_ENTRY = b"PK\x01\x02"
_NOT_STORED = "nothing of the answer was stored"


def is_zip(body: bytes) -> bool:
    """Whether a body is an archive: its first bytes tell, which headers do not always."""
    return body.startswith(SIGNATURE)


def members(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every member, in the archive's order.

    Raises BrokenAnswer, which names the member, for an archive that is cut or garbled; SchemaError
    where it holds what is no document, or is larger than the limits of this module.
    """
    if body.count(_ENTRY) > MOST_MEMBERS:  # before an object is made of each
        raise SchemaError(f"the archive holds more than {MOST_MEMBERS} members; {_NOT_STORED}.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(body))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as trouble:
        raise BrokenAnswer(f"not a whole zip archive: {trouble}") from None
    with archive:
        entries = archive.infolist()
        if not entries:
            raise BrokenAnswer("a zip archive without a document")
        _refuse_oversized(entries, len(body))
        for entry in entries:
            yield entry.filename, _read(archive, entry)


def shown(name: str) -> str:
    """A member's name as an error says it."""
    return repr(name if len(name) <= 120 else f"{name[:120]}…")


def _refuse_oversized(entries: list[zipfile.ZipInfo], packed: int) -> None:
    """zipfile gives no more of a member than its entry claims, so the claims are what to judge."""
    for entry in entries:
        if entry.file_size > LARGEST_MEMBER:
            raise SchemaError(
                f"member {shown(entry.filename)} of the archive is larger than "
                f"{LARGEST_MEMBER >> 20} MiB; {_NOT_STORED}."
            )
    size = sum(entry.file_size for entry in entries)
    if size > LARGEST_IN_ALL:
        raise SchemaError(
            f"the archive unpacks to more than {LARGEST_IN_ALL >> 20} MiB; {_NOT_STORED}."
        )
    if size > max(packed * MOST_TIMES, _TOO_SMALL_TO_JUDGE):
        raise SchemaError(
            f"the archive unpacks to more than {MOST_TIMES} times its size; {_NOT_STORED}."
        )


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    name = shown(entry.filename)
    if not entry.filename.lower().endswith(".xml"):
        raise SchemaError(f"member {name} of the archive is no XML document; {_NOT_STORED}.")
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as trouble:
        raise BrokenAnswer(f"member {name} of the archive is broken: {trouble}") from None
    except (RuntimeError, NotImplementedError) as trouble:  # encrypted, or packed in a strange way
        raise SchemaError(
            f"member {name} of the archive cannot be unpacked ({trouble}); {_NOT_STORED}."
        ) from None
