"""Small ENTSO-E documents and archives made by hand, and a platform that answers with them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from sources.transport import Body

T = TypeVar("T")
Params = Mapping[str, str]

NO_DATA = "No matching data found for Data item X and interval Y."


def acknowledgement(text: str = NO_DATA) -> bytes:
    return (
        "<Acknowledgement_MarketDocument><mRID>1</mRID><Reason><code>999</code>"
        f"<text>{text}</text></Reason></Acknowledgement_MarketDocument>"
    ).encode()


def elements(fields: Mapping[str, object]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())


def points(*told: Mapping[str, object]) -> str:
    return "".join(f"<Point>{elements(fields)}</Point>" for fields in told)


def period(start: str, end: str, resolution: str, inside: str, name: str = "Period") -> str:
    return (
        f"<{name}><timeInterval><start>{start}</start><end>{end}</end></timeInterval>"
        f"<resolution>{resolution}</resolution>{inside}</{name}>"
    )


def series(*periods: str, **fields: object) -> str:
    """A TimeSeries; ``__`` in the name of a field stands for a dot."""
    told = {"curveType": "A03"} | {name.replace("__", "."): v for name, v in fields.items()}
    return f"<TimeSeries>{elements(told)}{''.join(periods)}</TimeSeries>"


def document(*inside: str, root: str = "Balancing_MarketDocument", **fields: object) -> bytes:
    told = elements({name.replace("__", "."): value for name, value in fields.items()})
    return f"<{root}>{told}{''.join(inside)}</{root}>".encode()


def archive(bodies: Iterable[bytes], name: str = "{:03}-DOCUMENT.xml") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for number, body in enumerate(bodies, 1):
            file.writestr(name.format(number), body)
    return packed.getvalue()


class Platform:
    """An ``Asker`` that answers what a function of the parameters says, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Params], bytes]) -> None:
        self.answer = answer
        self.asked: list[dict[str, str]] = []
        self.learnt: dict[str, timedelta] = {}

    def get(
        self, dataset: str, path: str, params: Params, decode: Callable[[bytes], T]
    ) -> tuple[T, Body]:
        self.asked.append(dict(params))
        body = self.answer(params)
        return decode(body), Body(body, True)

    def download(self, *_: Any) -> bool:
        raise NotImplementedError

    def reuse(self, address: str) -> None:
        raise NotImplementedError

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        return make()
