"""From the parts of a document to its bytes, in the order and indentation of the real ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat

from sandbox.calendar import instant_texts, one
from sandbox.entsoe.layout import Period, TimeSeries
from sandbox.manners import ENTSOE


@dataclass(frozen=True)
class Form:
    """How the documents of an item look; depths are spaces of indentation.

    `depths` are those of the root's children, of TimeSeries and of Period. Everything below these
    is two deeper than what holds it, and a Point two deeper than its resolution. `value` names what
    Points hold, `period` their Periods; `maker_first` tells where the head has the time of making.
    """

    root: str
    namespace: str
    root_depth: int
    depths: tuple[int, int, int]
    interval: str
    value: str
    value_depth: int = 0
    period: str = "Period"
    maker_first: bool = True
    declaration: str = "utf-8"


_GL = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"
_PUBLICATION = "urn:iec62325.351:tc57wg16:451-3:publicationdocument"
_BALANCING = "urn:iec62325.351:tc57wg16:451-6:balancingdocument"
_GL_TIME, _TIME = "time_Period.timeInterval", "period.timeInterval"

LOAD = Form("GL_MarketDocument", _GL, 0, (2, 4, 8), _GL_TIME, "quantity")
GENERATION = replace(LOAD, depths=(2, 6, 10))
FAR_AHEAD = replace(LOAD, depths=(2, 6, 12))
WEATHER = replace(FAR_AHEAD, declaration="UTF-8")
STORED = replace(LOAD, depths=(2, 8, 10), declaration="UTF-8")
TOTAL = replace(LOAD, depths=(4, 12, 20), declaration="UTF-8")
FLOWS = Form("Publication_MarketDocument", f"{_PUBLICATION}:7:0", 0, (2, 4, 8), _TIME, "quantity")
FAR_AHEAD_FLOWS = replace(FLOWS, depths=(2, 6, 12))
SCHEDULES = replace(FLOWS, root_depth=2, depths=(4, 8, 14))
POSITIONS = replace(FLOWS, depths=(2, 2, 4), declaration="UTF-8")
PRICES = Form(
    FLOWS.root, f"{_PUBLICATION}:7:3", 2, (4, 6, 10), _TIME, "price.amount", value_depth=2
)
IMBALANCE = Form(
    "Balancing_MarketDocument",
    f"{_BALANCING}:4:4",
    0,
    (2, 4, 8),
    _TIME,
    "imbalance_Price.amount",
    declaration="UTF-8",
)
VOLUMES = replace(
    IMBALANCE, namespace=f"{_BALANCING}:3:0", root_depth=2, depths=(4, 6, 10), value="quantity"
)
STATE = replace(VOLUMES, namespace=f"{_BALANCING}:4:1")
RESERVES = replace(STATE, value_depth=2, declaration="utf-8")
BIDS = replace(STATE, root_depth=0, depths=(4, 4, 8), declaration="utf-8")
ACTIVATIONS = replace(
    BIDS, depths=(2, 14, 16), value="activation_Price.amount", declaration="utf-8"
)
ENERGY = replace(ACTIVATIONS, value="quantity")
OUTAGES = Form(
    "Unavailability_MarketDocument",
    "urn:iec62325.351:tc57wg16:451-6:outagedocument:3:0",
    0,
    (2, 2, 8),
    "unavailability_Time_Period.timeInterval",
    "quantity",
    period="Available_Period",
    maker_first=False,
    declaration="UTF-8",
)


@dataclass
class Paper:
    """A document about to be written. `extra` is an element that a fault adds to every Point.

    `areas` are lines that stand in the head instead of in the TimeSeries.
    """

    form: Form
    kind: str
    mrid: str
    created: int
    start: int
    end: int
    series: list[TimeSeries]
    process: str | None = None
    areas: tuple[str, ...] = ()
    status: str | None = None
    decided: int | None = None
    reason: tuple[str, str] | None = None
    revision: int = 1
    extra: tuple[str, str] | None = None

    def encode(self) -> bytes:
        """Return the document."""
        form = self.form
        margin, edge = " " * form.depths[0], " " * form.root_depth
        head = [
            f'<?xml version="1.0" encoding="{form.declaration}"?>',
            f'{edge}<{form.root} xmlns="{form.namespace}">',
            *(margin + line for line in self._head()),
        ]
        body = ["\n".join(head), "\n"]
        for number, series in enumerate(self.series, start=1):
            self._write(series, number, body)
        if self.reason is not None:
            code, text = self.reason
            lines = ["<Reason>", f"  <code>{code}</code>", f"  <text>{text}</text>", "</Reason>"]
            body += [f"{margin}{line}\n" for line in lines if text or "<text>" not in line]
        body.append(f"{edge}</{form.root}>")
        return "".join(body).encode()

    def _head(self) -> Iterable[str]:
        platform = f'codingScheme="A01">{ENTSOE.platform}'
        created = instant_texts(one(self.created))[0]
        yield f"<mRID>{self.mrid}</mRID>"
        yield f"<revisionNumber>{self.revision}</revisionNumber>"
        yield f"<type>{self.kind}</type>"
        if self.process is not None:
            yield f"<process.processType>{self.process}</process.processType>"
        if not self.form.maker_first:
            yield f"<createdDateTime>{created}</createdDateTime>"
        for side, role in (("sender", "A32"), ("receiver", "A33")):
            name = f"{side}_MarketParticipant"
            yield f"<{name}.mRID {platform}</{name}.mRID>"
            yield f"<{name}.marketRole.type>{role}</{name}.marketRole.type>"
        if self.form.maker_first:
            yield f"<createdDateTime>{created}</createdDateTime>"
            yield from self._status()
        yield from self.areas
        if self.decided is not None:
            name = "allocationDecision_DateAndOrTime.dateTime"
            yield f"<{name}>{instant_texts(one(self.decided))[0]}</{name}>"
        yield f"<{self.form.interval}>"
        yield f"  <start>{minute_text(self.start)}</start>"
        yield f"  <end>{minute_text(self.end)}</end>"
        yield f"</{self.form.interval}>"
        if not self.form.maker_first:
            yield from self._status()

    def _status(self) -> Iterable[str]:
        if self.status is not None:
            yield from ("<docStatus>", f"  <value>{self.status}</value>", "</docStatus>")

    def _write(self, series: TimeSeries, number: int, body: list[str]) -> None:
        edge = " " * self.form.depths[1]
        lines = [f"<mRID>{number}</mRID>", *series.before]
        lines += [f"<curveType>{series.curve_type}</curveType>", *series.after]
        body.append(f"{edge}<TimeSeries>\n")
        body += [f"{edge}  {line}\n" for line in lines]
        for period in series.periods:
            self._write_period(period, series.tail, body)
        body.append(f"{edge}</TimeSeries>\n")

    def _write_period(self, period: Period, tail: tuple[str, ...], body: list[str]) -> None:
        edge, form = " " * self.form.depths[2], self.form
        body.append(
            f"{edge}<{form.period}>\n{edge}  <timeInterval>\n"
            f"{edge}    <start>{minute_text(period.start)}</start>\n"
            f"{edge}    <end>{minute_text(period.end)}</end>\n{edge}  </timeInterval>\n"
            f"{edge}  <resolution>{period.resolution}</resolution>\n"
        )
        inner, name = " " * form.value_depth, form.value
        line = f"\n{edge}      {inner}"
        before = f"{edge}    <Point>\n{edge}      <position>"
        close = f"\n{edge}    </Point>\n"
        if self.extra is not None:
            close = f"\n{edge}      <{self.extra[0]}>{self.extra[1]}</{self.extra[0]}>{close}"
        between = f"</position>{line}<{name}>"
        after = "".join([f"</{name}>", *(f"{line}{each}" for each in tail)])
        bare = f"</position>{close}"
        further = [
            [f"{line}<{field}>{text}</{field}>" for text in column] for field, column in period.more
        ]
        others = map("".join, zip(*further, strict=True)) if further else repeat("")
        body += [
            f"{before}{position}{bare}"
            if text is None
            else f"{before}{position}{between}{text}{after}{more}{close}"
            for position, text, more in zip(period.positions, period.texts, others, strict=False)
        ]
        body.append(f"{edge}</{form.period}>\n")


def minute_text(instant: int) -> str:
    """Return an instant as intervals show it, `2024-10-26T22:00Z`."""
    return instant_texts(one(instant))[0][:16] + "Z"
