"""Documents in zips, and what goes wrong with documents and zips."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from sandbox.calendar import instant_texts, one
from sandbox.entsoe import exchange
from sandbox.entsoe.curves import tag
from sandbox.entsoe.document import Paper, minute_text
from sandbox.entsoe.layout import Period, TimeSeries, texts
from sandbox.entsoe.outages import ACTIVE, REASON_TEXTS, Outage
from sandbox.entsoe.queries import Query
from sandbox.faults import Hit

# Members carry one date: equal documents make equal bytes.
_WHEN = (2024, 1, 1, 0, 0, 0)
_MANY = 1_000
# In pieces of a megabyte: nobody holds it whole.
_HUGE_PIECES, _PIECE = 300, b" " * 1_000_000
_MINUTE_S = 60


def member_name(number: int, name: str, paper: Paper) -> str:
    """Return how the platform calls a member of a zip."""
    stamps = "-".join(
        "".join(letter for letter in minute_text(bound) if letter.isdigit())
        for bound in (paper.start, paper.end)
    )
    return f"{number:03}-{name}_{stamps}.xml"


def zipped(names: list[str], bodies: list[bytes]) -> bytes:
    """Return documents as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in zip(names, bodies, strict=True):
            _add(archive, name, body)
    return buffer.getvalue()


def bad_zip(hit: Hit, names: list[str], bodies: list[bytes]) -> bytes:
    """Return a zip after a fault of zips: one member of it is not as the others are."""
    place = hit.rng.randrange(len(bodies))
    match hit.fault.kind:
        case "bad-member":
            # Whole, and no XML: the zip itself is in order.
            bodies = [
                *bodies[:place],
                bodies[place][: len(bodies[place]) // 2],
                *bodies[place + 1 :],
            ]
        case "many-members":
            names = [*names, *(f"{n:04}-{names[place][4:]}" for n in range(1, _MANY + 1))]
            bodies = [*bodies, *([bodies[place]] * _MANY)]
        case "huge-member":
            return _huge(names, bodies, place)
        case _:
            body = bytearray(zipped(names, bodies))
            # A bit in the middle of the packed data: its checksum does not fit any more.
            body[_data_of(bytes(body), names[place])] ^= 0xFF
            return bytes(body)
    return zipped(names, bodies)


def _huge(names: list[str], bodies: list[bytes], place: int) -> bytes:
    """Return a zip with a member that is large only when it is unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, body) in enumerate(zip(names, bodies, strict=True)):
            if number != place:
                _add(archive, name, body)
                continue
            with archive.open(_info(name), "w") as member:
                for _ in range(_HUGE_PIECES):
                    member.write(_PIECE)
    return buffer.getvalue()


def _data_of(body: bytes, name: str) -> int:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        info = archive.getinfo(name)
    return info.header_offset + 30 + len(name.encode()) + info.compress_size // 2


def _add(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    archive.writestr(_info(name), body)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def outage_paper(query: Query, outage: Outage, paper: Paper) -> Paper:
    """Return the document of a revision of an outage."""
    paper.mrid, paper.revision, paper.created = outage.mrid, outage.revision, outage.created
    paper.process, paper.reason = "A26", (outage.reason, REASON_TEXTS.get(outage.reason, ""))
    paper.status = None if outage.status == ACTIVE else outage.status
    times = []
    for side, instant in (("start", outage.start), ("end", outage.end)):
        day, _, clock = instant_texts(one(instant))[0].partition("T")
        times += [tag(f"{side}_DateAndOrTime.date", day), tag(f"{side}_DateAndOrTime.time", clock)]
    positions = [(start - outage.start) // _MINUTE_S + 1 for start, _ in outage.steps]
    values = [power for _, power in outage.steps]
    period = Period(outage.start, outage.end, "PT1M", positions, _texts(values))
    before = (
        tag("businessType", outage.business),
        *_areas(query),
        *times,
        tag("quantity_Measure_Unit.name", "MAW"),
    )
    paper.series = [TimeSeries(before, "A03", _resource(query, outage), [period])]
    return paper


def _texts(values: list[float]) -> list[str | None]:
    return texts(np.array(values))


def _areas(query: Query) -> list[str]:
    names = ("in_Domain", "out_Domain") if query.item.border else ("biddingZone_Domain",)
    return [
        f'<{name}.mRID codingScheme="A01">{eic}</{name}.mRID>'
        for name, eic in zip(names, query.eics, strict=True)
    ]


def _resource(query: Query, outage: Outage) -> tuple[str, ...]:
    """Return the lines about what is out of service."""
    unit = outage.unit
    if query.item.border:
        place = " - ".join(exchange.ends(query.scope or ""))
        return (
            "<Asset_RegisteredResource>",
            f'  <mRID codingScheme="A01">{unit.eic}</mRID>',
            f"  <name>{unit.name}</name>",
            f"  <asset_PSRType.psrType>{unit.psr}</asset_PSRType.psrType>",
            f"  <location.name>{place}</location.name>",
            "</Asset_RegisteredResource>",
        )
    name = "production_RegisteredResource"
    power = f"{name}.pSRType.powerSystemResources"
    generating = query.item.key == "outages_generation"
    return (
        f'<{name}.mRID codingScheme="A01">{unit.eic}</{name}.mRID>',
        tag(f"{name}.name", unit.name),
        tag(f"{name}.location.name", query.scope),
        tag(f"{name}.pSRType.psrType", unit.psr),
        *(
            (
                f'  <{power}.mRID codingScheme="A01">{unit.eic}</{power}.mRID>',
                f"  {tag(f'{power}.name', unit.name)}",
            )
            if generating
            else ()
        ),
        # The attribute stands on a line of its own.
        f'  <{power}.nominalP\n            unit="MAW">{unit.nominal_mw}</{power}.nominalP>',
    )


# --- faults -----------------------------------------------------------------------------------


def fewer(papers: list[Paper], hit: Hit) -> list[Paper]:
    """Return documents without a share of their TimeSeries, at least one."""
    every = [(paper, series) for paper in papers for series in paper.series]
    count = max(1, round(len(every) * (hit.fault.fraction or 0.1)))
    gone = {id(every[at][1]) for at in hit.rng.sample(range(len(every)), count)}
    for paper in papers:
        paper.series = [series for series in paper.series if id(series) not in gone]
    return [paper for paper in papers if paper.series]


def revise(paper: Paper, *, slots: bool) -> None:
    """Make a document the next revision of itself; its values are off unless they are already."""
    paper.revision, paper.created = paper.revision + 1, paper.created + 3_600
    if slots:
        return
    for series in paper.series:
        for period in series.periods:
            numbers = [None if text is None else float(text) for text in period.texts]
            # A hundredth on top of one per cent: nothing changes as well.
            period.texts = [
                None if number is None else _texts([round(number * 1.01 + 0.01, 2)])[0]
                for number in numbers
            ]


def renamed(body: bytes, hit: Hit, value: str) -> bytes:
    """Return a document in which an element has another name."""
    name = hit.fault.field or value
    new = hit.fault.value or f"{name}Value"
    for mark in ("<{}>", "<{} ", "</{}>"):
        body = body.replace(mark.format(name).encode(), mark.format(new).encode())
    return body
