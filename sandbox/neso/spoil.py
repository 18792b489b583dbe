"""Faults of rows in a CSV: a row is a line, the columns are those of its header."""

from __future__ import annotations

from sandbox.calendar import instant_texts, one, to_instant
from sandbox.faults import Hit

# The columns that are moved by an hour, and those that are moved by two periods where a file has
# none of them.
_STAMPS = {"dtm", "Datetime_GMT", "Delivery Start", "Delivery End", "deliveryStart", "deliveryEnd"}
_PERIODS = {"SETTLEMENT_PERIOD"}
# The columns whose values come from a list.
_TYPES = ("Service", "auctionProduct")


def spoil_csv(hit: Hit, body: bytes, value: str) -> bytes:
    """Return a file after a fault of rows; `value` names its first measured column."""
    fault, rng = hit.fault, hit.rng
    newline = b"\r\n" if b"\r\n" in body[:4096] else b"\n"
    header, *lines = body.split(newline)[:-1]
    names = header.split(b",")
    field = (fault.field or value).encode()
    place = names.index(field) if field in names else len(names) - 1

    def some(fraction: float) -> list[int]:
        if not lines:
            return []
        return sorted(rng.sample(range(len(lines)), max(1, round(len(lines) * fraction))))

    match fault.kind:
        case "empty":
            lines = []
        case "duplicates":
            lines += [lines[at] for at in some(fault.fraction or 0.1)]
            rng.shuffle(lines)
        case "dropped":
            gone = set(some(fault.fraction or 0.1))
            lines = [line for at, line in enumerate(lines) if at not in gone]
        case "renamed":
            names[place] = (fault.value or f"{field.decode()}Value").encode()
            header = b",".join(names)
        case "extra":
            header += b"," + (fault.field or "warningType").encode()
            lines = [line + b"," + (fault.value or "SANDBOX").encode() for line in lines]
        case "wrong-type":
            for at in some(fault.fraction or 0.01):
                lines[at] = _put(lines[at], place, (fault.value or "n/a").encode())
        case "revised":
            for at in some(fault.fraction or 1.0):
                lines[at] = _put(lines[at], place, _revised(lines[at].split(b",")[place]))
        case "drop-half":
            lines = lines[: (len(lines) + 1) // 2]
        case "halve" | "flip":
            for at in some(fault.fraction or 1.0):
                text = lines[at].split(b",")[place]
                lines[at] = _put(lines[at], place, _scaled(text, fault.kind == "halve"))
        case "shift-hour":
            mine = _places(names, _STAMPS)
            later = _later if mine else _two_later
            for at in some(fault.fraction or 1.0):
                for each in mine or _places(names, _PERIODS):
                    lines[at] = _put(lines[at], each, later(lines[at].split(b",")[each]))
        case "new-type":
            kinds = _places(names, {fault.field} if fault.field else set(_TYPES))
            for at in some(fault.fraction or 0.1) if kinds else []:
                lines[at] = _put(lines[at], kinds[0], (fault.value or "SANDBOX_TYPE").encode())
    return newline.join([header, *lines, b""])


def _put(line: bytes, place: int, text: bytes) -> bytes:
    parts = line.split(b",")
    parts[place] = text
    return b",".join(parts)


def _places(names: list[bytes], wanted: set[str]) -> list[int]:
    return [place for place, name in enumerate(names) if name.decode() in wanted]


def _later(text: bytes) -> bytes:
    """Return a stamp an hour later, spelled as it was."""
    read = to_instant(text.decode().replace(" ", "T"))
    told = instant_texts(one(read + 3_600))[0][: len(text)]
    return (told if b"T" in text else told.replace("T", " ")).encode()


def _two_later(text: bytes) -> bytes:
    return str(int(text) + 2).encode()


def _scaled(text: bytes, halved: bool) -> bytes:
    value = float(text) * (0.5 if halved else -1.0) + 0.0
    return (str(int(value)) if b"." not in text else str(value)).encode()


def _revised(text: bytes) -> bytes:
    """Return a number one per cent higher; one without decimals stays without."""
    if b"." not in text:
        return str(int(text) + max(1, round(int(text) * 0.01))).encode()
    return str(round(float(text) * 1.01 + 0.001, 3)).encode()
