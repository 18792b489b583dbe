"""From the parts of a document to its bytes, in the order and indentation of the real ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.calendar import instant_texts, one
from sandbox.entsoe.layout import Period, TimeSeries
from sandbox.manners import ENTSOE

_RESOLUTIONS = {900: "PT15M", 1_800: "PT30M", 3_600: "PT60M"}


@dataclass(frozen=True)
class Form:
    """How the documents of an item look; depths are spaces of indentation.

    `depths` are those of the root's children, of TimeSeries and of Period. Everything below these
    is two deeper than what holds it, and a Point two deeper than its resolution.
    """

    root: str
    namespace: str
    root_depth: int
    depths: tuple[int, int, int]
    process: bool
    interval: str
    value: str
    value_depth: int = 0


LOAD = Form(
    "GL_MarketDocument",
    "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0",
    0,
    (2, 4, 8),
    True,
    "time_Period.timeInterval",
    "quantity",
)
GENERATION = Form(LOAD.root, LOAD.namespace, 0, (2, 6, 10), True, LOAD.interval, "quantity")
PRICES = Form(
    "Publication_MarketDocument",
    "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3",
    2,
    (4, 6, 10),
    False,
    "period.timeInterval",
    "price.amount",
    2,
)


@dataclass
class Paper:
    """A document about to be written. `extra` is an element that a fault adds to every Point."""

    form: Form
    kind: str
    mrid: str
    created: int
    start: int
    end: int
    series: list[TimeSeries]
    revision: int = 1
    extra: tuple[str, str] | None = None

    def encode(self) -> bytes:
        """Return the document."""
        form = self.form
        margin, edge = " " * form.depths[0], " " * form.root_depth
        head = [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'{edge}<{form.root} xmlns="{form.namespace}">',
            *(margin + line for line in self._head()),
        ]
        body = ["\n".join(head), "\n"]
        for number, series in enumerate(self.series, start=1):
            self._write(series, number, body)
        body.append(f"{edge}</{form.root}>")
        return "".join(body).encode()

    def _head(self) -> Iterable[str]:
        platform = f'codingScheme="A01">{ENTSOE.platform}'
        created = instant_texts(one(self.created))[0]
        yield f"<mRID>{self.mrid}</mRID>"
        yield f"<revisionNumber>{self.revision}</revisionNumber>"
        yield f"<type>{self.kind}</type>"
        if self.form.process:
            yield "<process.processType>A16</process.processType>"
        for side, role in (("sender", "A32"), ("receiver", "A33")):
            name = f"{side}_MarketParticipant"
            yield f"<{name}.mRID {platform}</{name}.mRID>"
            yield f"<{name}.marketRole.type>{role}</{name}.marketRole.type>"
        yield f"<createdDateTime>{created}</createdDateTime>"
        yield f"<{self.form.interval}>"
        yield f"  <start>{minute_text(self.start)}</start>"
        yield f"  <end>{minute_text(self.end)}</end>"
        yield f"</{self.form.interval}>"

    def _write(self, series: TimeSeries, number: int, body: list[str]) -> None:
        edge = " " * self.form.depths[1]
        lines = [f"<mRID>{number}</mRID>", *series.before]
        lines += [f"<curveType>{series.curve_type}</curveType>", *series.after]
        body.append(f"{edge}<TimeSeries>\n")
        body += [f"{edge}  {line}\n" for line in lines]
        for period in series.periods:
            self._write_period(period, body)
        body.append(f"{edge}</TimeSeries>\n")

    def _write_period(self, period: Period, body: list[str]) -> None:
        edge = " " * self.form.depths[2]
        end = period.start + period.slots * period.step_s
        body.append(
            f"{edge}<Period>\n{edge}  <timeInterval>\n"
            f"{edge}    <start>{minute_text(period.start)}</start>\n"
            f"{edge}    <end>{minute_text(end)}</end>\n{edge}  </timeInterval>\n"
            f"{edge}  <resolution>{_RESOLUTIONS[period.step_s]}</resolution>\n"
        )
        inner, name = " " * self.form.value_depth, self.form.value
        before = f"{edge}    <Point>\n{edge}      <position>"
        close = f"\n{edge}    </Point>\n"
        if self.extra is not None:
            close = f"\n{edge}      <{self.extra[0]}>{self.extra[1]}</{self.extra[0]}>{close}"
        between = f"</position>\n{edge}      {inner}<{name}>"
        after = f"</{name}>{close}"
        bare = f"</position>{close}"
        body += [
            f"{before}{position}{bare}"
            if text is None
            else f"{before}{position}{between}{text}{after}"
            for position, text in zip(period.positions, period.texts, strict=True)
        ]
        body.append(f"{edge}</Period>\n")


def minute_text(instant: int) -> str:
    """Return an instant as intervals show it, `2024-10-26T22:00Z`."""
    return instant_texts(one(instant))[0][:16] + "Z"
