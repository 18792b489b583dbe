"""How each provider says no: the one place that knows how a provider words its errors.

A new provider is a subclass of `Manners` and a line in `MANNERS`; the server knows none of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from sandbox import calendar


@dataclass(frozen=True)
class Refusal:
    """An answer that is not data."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Manners:
    """What every provider needs; wordings are those of a plain JSON API."""

    json_type = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def not_found(self) -> Refusal:
        """Answer an unknown path, an unknown method or a missing required parameter."""
        return Refusal(404, self.json_type, b'{"message":"Not found"}')

    def malformed(self, parameter: str, value: str) -> Refusal:
        """Answer a parameter that cannot be read."""
        body = {"message": f"Invalid value for {parameter}: {value}"}
        return Refusal(400, self.json_type, msgspec.json.encode(body))

    def reversed(self, start: str, end: str) -> Refusal:
        """Answer a window that ends before it starts."""
        body = {"message": f"{end} is before {start}"}
        return Refusal(400, self.json_type, msgspec.json.encode(body))

    def too_wide(self, start: str, end: str, cap_words: str) -> Refusal:
        """Answer a window that is wider than the endpoint's cap."""
        body = {"message": f"{start} to {end} exceeds {cap_words}"}
        return Refusal(400, self.json_type, msgspec.json.encode(body))

    def combined(self, one: str, other: str) -> Refusal:
        """Answer parameters that exclude each other."""
        body = {"message": f"{one} cannot be used together with {other}"}
        return Refusal(400, self.json_type, msgspec.json.encode(body))

    def too_many(self) -> Refusal:
        """Answer a client that asks too often."""
        return Refusal(429, self.json_type, b'{"message":"Too many requests"}')

    def broken(self) -> Refusal | None:
        """Answer an error of the API itself, None if only its gateway's page is known."""
        return None

    def unauthorised(self, now: int) -> Refusal:
        """Answer a request without the right token; `now` in epoch seconds."""
        return Refusal(401, self.json_type, b'{"message":"Unauthorised"}')

    def not_acceptable(self, form: str) -> Refusal:
        """Answer a `format` that the real API has and the sandbox does not."""
        body = {"message": f"the sandbox serves format=json only, not {form}"}
        return Refusal(406, self.json_type, msgspec.json.encode(body))


class ElexonManners(Manners):
    """Azure API Management in front of ASP.NET."""

    headers = (("Cache-Control", "no-store, must-revalidate, no-cache"),)

    def not_found(self) -> Refusal:
        """Answer as the gateway does, whose URL templates contain the required parameters."""
        body = b'{ "statusCode": 404, "message": "Resource not found" }'
        return Refusal(404, "application/json", body)

    def too_many(self) -> Refusal:
        """Answer as the gateway does (assumed; none was ever seen)."""
        body = b'{ "statusCode": 429, "message": "Rate limit is exceeded." }'
        return Refusal(429, "application/json", body)

    def malformed(self, parameter: str, value: str) -> Refusal:
        """Answer as ASP.NET does when it cannot bind a parameter."""
        return self._problem(
            parameter, f"The value '{value}' is not valid for {_pascal(parameter)}."
        )

    def reversed(self, start: str, end: str) -> Refusal:
        """Answer a window that ends before it starts (wording assumed)."""
        return self._problem("", f"{_pascal(end)} must not be earlier than {_pascal(start)}")

    def combined(self, one: str, other: str) -> Refusal:
        """Answer parameters that exclude each other (wording assumed)."""
        return self._problem("", f"{_pascal(one)} cannot be set when {_pascal(other)} is set")

    def too_wide(self, start: str, end: str, cap_words: str) -> Refusal:
        """Answer a window beyond the cap in the words of the real API."""
        names = f"{_pascal(start)} and {_pascal(end)}"
        return self._problem(
            "", f"The date range between {names} inclusive must not exceed {cap_words}"
        )

    def _problem(self, parameter: str, message: str) -> Refusal:
        trace = hashlib.blake2b(f"{parameter}\n{message}".encode(), digest_size=24).hexdigest()
        body: dict[str, Any] = {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "errors": {parameter: [message]},
            "traceId": f"00-{trace[:32]}-{trace[32:]}-00",
        }
        return Refusal(400, "application/problem+json; charset=utf-8", msgspec.json.encode(body))


class EntsoeManners(Manners):
    """The ENTSO-E Transparency Platform, which says all but its limits in acknowledgements."""

    platform = "10X1001A1001A450"

    def not_found(self) -> Refusal:
        """Answer another path or method (assumed)."""
        return Refusal(404, "text/html", b"<html><body><h1>404 Not Found</h1></body></html>")

    def too_many(self) -> Refusal:
        """Answer a token during its ban, in the words that users report."""
        words = "Max allowed requests per minute from each unique IP is max up to 400 only"
        return Refusal(429, "text/plain; charset=utf-8", words.encode())

    def unauthorised(self, now: int) -> Refusal:
        """Answer a request without the right token."""
        return self.acknowledge(401, "Authentication failed.", now)

    def acknowledge(self, status: int, text: str, now: int) -> Refusal:
        """Answer with an acknowledgement: 200 for no data, 400 for a request that cannot be met."""
        created = calendar.instant_texts(calendar.one(now))[0]
        digest = hashlib.blake2b(f"{now}\n{text}".encode(), digest_size=7).hexdigest()
        lines = [
            f"<mRID>{digest[:8]}-{digest[8:12]}-{digest[12]}</mRID>",
            f"<createdDateTime>{created}</createdDateTime>",
        ]
        for side, role in (("sender", "A32"), ("receiver", "A39")):
            name = f"{side}_MarketParticipant"
            lines += [
                f'<{name}.mRID codingScheme="A01">{self.platform}</{name}.mRID>',
                f"<{name}.marketRole.type>{role}</{name}.marketRole.type>",
            ]
        name = "received_MarketDocument.createdDateTime"
        lines += [
            f"<{name}>{created}</{name}>",
            "<Reason>",
            "\t<code>999</code>",
            f"\t<text>{escape(text)}</text>",
            "</Reason>",
        ]
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Acknowledgement_MarketDocument\n'
            '\txmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">\n\t'
            + "\n\t".join(lines)
            + "\n</Acknowledgement_MarketDocument>\n"
        )
        headers = (("Content-Disposition", 'inline; filename="acknowledgement.xml"'),)
        return Refusal(status, "text/xml", body.encode(), headers)


class NesoManners(Manners):
    """NESO's data portal; what its actions say they say themselves."""

    json_type = "application/json;charset=utf-8"

    def not_found(self) -> Refusal:
        """Answer a path that is neither an action nor a file (assumed)."""
        return Refusal(404, "text/html; charset=utf-8", b"<html><h1>404 Not Found</h1></html>")

    def too_many(self) -> Refusal:
        """Answer a blocked address: no 429, no header that tells for how long (page assumed)."""
        page = b"<html><h1>Sorry, you have been blocked</h1></html>"
        return Refusal(403, "text/html; charset=utf-8", page)


class CarbonManners(Manners):
    """The GB Carbon Intensity API behind its gateway."""

    json_type = "application/json"

    def not_found(self) -> Refusal:
        """Answer anything that it cannot read: a path as well as a date."""
        return self.failed("400 Bad Request", "Please enter a valid path e.g. /intensity/")

    def broken(self) -> Refusal:
        """Answer an error of the API itself."""
        return self.failed("500 Internal Server Error", "There was an internal server error")

    def failed(self, code: str, message: str) -> Refusal:
        """Answer in the API's one shape of errors."""
        body = {"error": {"code": code, "message": message}}
        return Refusal(int(code[:3]), self.json_type, msgspec.json.encode(body))


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


ENTSOE = EntsoeManners()
NESO = NesoManners()
CARBON = CarbonManners()
MANNERS: dict[str, Manners] = {
    "elexon": ElexonManners(),
    "entsoe": ENTSOE,
    "neso": NESO,
    "carbon_intensity": CARBON,
}
PLAIN = Manners()
