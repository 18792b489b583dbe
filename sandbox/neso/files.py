"""Files: the portal's link, the redirect to a presigned address in a bucket, and the content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sandbox.calendar import instant_texts, one, to_instant
from sandbox.faults import Hit
from sandbox.manners import Refusal
from sandbox.neso.packages import Resource, Shelves
from sandbox.neso.spoil import spoil_csv

BUCKET = "/bucket"
EXPIRES_S = 7 * 86_400
_XML = "application/xml"


@dataclass(frozen=True)
class File:
    """The bytes of a resource, sent as the bucket sends them: uncompressed, length stated."""

    resource: Resource
    shelves: Shelves
    now: int
    dump: bool = False

    @property
    def content_type(self) -> str:
        """The type of the answer: only the datastore knows that it is CSV."""
        return "text/csv; charset=utf-8" if self.dump else "application/octet-stream"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The name under which a browser would save it."""
        name = f"{self.resource.id}.csv" if self.dump else self.resource.file
        return (("Content-Disposition", f'attachment; filename="{name}"'),)

    @property
    def key(self) -> tuple[Any, ...]:
        """What the content depends on."""
        return "neso-file", self.resource.id, self.resource.modified, self.dump

    @property
    def length(self) -> int:
        """The length in bytes."""
        if self.resource.month is not None:
            return self.shelves.seconds.length(self.resource.month)
        return len(self.encode())

    def chunks(self) -> Iterator[bytes]:
        """Yield the content; a month of seconds is written while it is sent."""
        if self.resource.month is not None:
            yield from self.shelves.seconds.chunks(self.resource.month)
        else:
            yield self.encode()

    def encode(self) -> bytes:
        """Return the content in one piece."""
        if self.resource.month is not None:
            return b"".join(self.shelves.seconds.chunks(self.resource.month))
        table = self.shelves.held(self.resource)
        if table is None:
            return b"Synthetic: the definition of embedded generation is not part of the sandbox.\n"
        return table.dump if self.dump else table.csv

    def spoilt(self, hit: Hit) -> bytes | Refusal:
        """Return the content after a fault of rows."""
        if self.resource.month is not None:
            return spoil_csv(hit, self.encode(), "f")
        table = self.shelves.held(self.resource)
        return self.encode() if table is None else spoil_csv(hit, self.encode(), table.value)


def redirect(origin: str, resource: Resource, seed: int, now: int) -> Refusal:
    """Answer a portal's link with the presigned address."""
    location = f"{origin}{address(resource, seed, now)}"
    headers = (
        ("Location", location),
        ("Set-Cookie", "sandbox_session=synthetic; Path=/; HttpOnly"),
        ("Cache-Control", "no-store"),
    )
    return Refusal(302, "text/html; charset=utf-8", b"<html>Redirecting</html>", headers)


def address(resource: Resource, seed: int, now: int) -> str:
    """Return the presigned path and query of a resource at `now`."""
    stamp = instant_texts(one(now))[0].translate(str.maketrans("", "", "-:"))
    scope = f"sandbox/{stamp[:8]}/auto/s3/aws4_request"
    path = f"/neso{BUCKET}/resources/{resource.id}/{quote(resource.file)}"
    disposition = f"attachment; filename={resource.file}"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(scope, safe='')}"
        f"&X-Amz-Date={stamp}&X-Amz-Expires={EXPIRES_S}&X-Amz-SignedHeaders=host"
        f"&response-content-disposition={quote(disposition, safe='')}"
    )
    return f"{path}?{query}&X-Amz-Signature={_sign(seed, path, query)}"


def opened(path: str, query: str, seed: int, now: int) -> Refusal | None:
    """Return the refusal of a presigned address, None if it opens the file.

    The query is compared as it was sent: one that was decoded and encoded again does not fit.
    """
    signed, mark, signature = query.rpartition("&X-Amz-Signature=")
    if not mark or signature != _sign(seed, path, signed):
        return _denied("SignatureDoesNotMatch", "The request signature does not match.")
    stamp = parse_qs(urlsplit(f"?{signed}").query)["X-Amz-Date"][0]
    text = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:15]}Z"
    if now > to_instant(text) + EXPIRES_S:
        return _denied("ExpiredRequest", "Request has expired.")
    return None


def _sign(seed: int, path: str, query: str) -> str:
    return hashlib.blake2b(f"{seed}\n{path}\n{query}".encode(), digest_size=32).hexdigest()


def _denied(code: str, message: str) -> Refusal:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Refusal(403, _XML, body.encode())


def no_such_key() -> Refusal:
    """Answer a presigned address of a file that was replaced since."""
    return Refusal(404, _XML, b"<Error><Code>NoSuchKey</Code></Error>")
