"""Bodies that nobody should send: read as they are or refused in our words, soon and in little memory.

Valid bodies are spoilt at random (cut, flipped, stuffed with what readers stumble over). Whatever
comes of it, nothing but a ``GridledgerError`` may leave a reader, and the two ways of reading an
ENTSO-E document must agree.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.errors import GridledgerError
from domain.tables import Conformed, conform
from domain.zones import MARKET_CLOCK
from sandbox.entsoe import Platform
from sources.elexon import FREQUENCY, WIND_SOLAR
from sources.elexon_rows import JsonRows
from sources.entsoe_market import PRICES, price_rows
from sources.entsoe_power import GENERATION, LOAD, generation_rows, load_rows
from sources.entsoe_xml import Document, _Reader, expand, parse
from tests.integration.conftest import PROJECT, instant

# Of the few kilobytes that are tried here, nothing may take longer even on a busy machine.
SLOW_S = 5.0
QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
CI = settings(**QUICK, derandomize=True, max_examples=150)
NIGHTLY = settings(**QUICK, max_examples=10_000)


# --- valid bodies ------------------------------------------------------------------------------


def real(document: str, **more: str) -> bytes:
    """What the sandbox's platform answers for one hour-resolution day of France."""
    france = "10YFR-RTE------C"
    params = {
        "documentType": document,
        **more,
        "periodStart": "202410042200",
        "periodEnd": "202410050200",
    }
    names = {"A65": ["outBiddingZone_Domain"], "A75": ["in_Domain"]}.get(
        document, ["in_Domain", "out_Domain"]
    )
    params |= dict.fromkeys(names, france)
    now = int(instant("2024-11-25T09:00:00Z").timestamp())
    return Platform(7).plan(params, now).encode()  # type: ignore[union-attr]


ACKNOWLEDGED = (
    b'<?xml version="1.0"?><Acknowledgement_MarketDocument xmlns="urn:x"><mRID>1</mRID>'
    b"<Reason><code>999</code><text>No matching data found</text></Reason>"
    b"</Acknowledgement_MarketDocument>"
)
XML = {
    "load": real("A65", processType="A16"),
    "generation": real("A75", processType="A16"),
    "prices": real("A44", **{"contract_MarketAgreement.type": "A01"}),
    "nothing": ACKNOWLEDGED,
}
PERIOD = (
    b"<Period><timeInterval><start>2024-10-04T22:00Z</start><end>2024-10-05T00:00Z</end>"
    b"</timeInterval><resolution>PT60M</resolution>%b</Period>"
)
POINTS = (
    b"<Point><position>1</position><quantity>5</quantity></Point>"
    b"<Point><position>2</position><quantity>6</quantity></Point>"
)


def document(*series: bytes, head: bytes = b"") -> bytes:
    """A small load document of which each part can be spoilt by hand."""
    fields = b"<outBiddingZone_Domain.mRID>10YFR-RTE------C</outBiddingZone_Domain.mRID>"
    parts = b"".join(
        b"<TimeSeries>%b<curveType>A01</curveType>%b</TimeSeries>" % (fields, s) for s in series
    )
    return b"%b<GL_MarketDocument><mRID>1</mRID>%b</GL_MarketDocument>" % (head, parts)


def period(points: bytes = POINTS, **texts: str) -> bytes:
    """A Period, with other texts in start, end or resolution."""
    body = PERIOD % points
    for name, text in texts.items():
        body = re.sub(
            rb"<%b>.*?<" % name.encode(), b"<%b>%b<" % (name.encode(), text.encode()), body
        )
    return body


FREQUENCIES = [
    {"dataset": "FREQ", "measurementTime": f"2024-10-05T00:00:{s:02}Z", "frequency": 50.0 + s / 1e3}
    for s in (0, 15, 30, 45)
]
WINDS = [
    {
        "publishTime": "2024-10-05T03:00:00Z",
        "businessType": "Wind generation",
        "psrType": kind,
        "quantity": 1234.5,
        "startTime": "2024-10-05T00:00:00Z",
        "settlementDate": "2024-10-05",
        "settlementPeriod": 3,
        "documentId": "NGET-1",
        "documentRevisionNumber": 1,
    }
    for kind in ("Wind Onshore", "Solar")
]
JSON = {
    "frequency": (FREQUENCY, json.dumps(FREQUENCIES).encode()),
    "wind and solar": (WIND_SOLAR, json.dumps({"data": WINDS, "metadata": {}}).encode()),
}


# --- ways to spoil them ------------------------------------------------------------------------

_STUFF = [
    *(str(n).encode() for n in (0, -1, 1.5, 2**31, 2**63, 2**64, 10**30)),
    *(b"nan", b"inf", b"-Infinity", b"1e400", b"1e308", b"-0", b"1_0", b"0x1F", b"+5", b" 7 "),
    *(b"", b"\x00", b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"),
    *("\u0661\u0662".encode(), "\u2028".encode(), "\u00e9".encode(), b"1" * 50, b"9" * 5000),
]
XML_STUFF = [
    *_STUFF,
    *(b"<!-- a -->", b"<![CDATA[7]]>", b"<?note <Period></Period>?>", b"<?note?>", b"]]>"),
    *(b"&amp;", b"&#49;", b"&nothing;", b"&#0;", b"<", b">", b"<a>", b"</a>", b"<a/>", b"</Point>"),
    *(b"<Point>", b"<Point/>", b"<Period>", b"</Period>", b"<TimeSeries>", b"</TimeSeries>"),
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b'<!ENTITY a SYSTEM "file:///etc/hostname">'),
    *(b"<Period/>", b"<n:Period>", b"</n:Period>", b"<x:Point xmlns:x='u'>", b"<a>" * 40),
    *(b"<quantity>3</quantity>", b"<position>3</position>", b"<position>1</position>"),
    *(b"<price.amount>3</price.amount>", b"<secondaryQuantity>1</secondaryQuantity>"),
    *(b"<resolution>P1D</resolution>", b"<resolution>P1M</resolution>", b"<resolution>PT0S</resolution>"),
    *(b"<curveType>A03</curveType>", b"<curveType>A02</curveType>", b"P99999999999D", b"P1Y"),
    *(b"PT99999999999999999999S", b"PT1S", b"0001-01-01T00:00Z", b"9999-12-31T23:59Z", b"PT7M"),
    *(b"2024-02-30T00:00Z", b"2024-10-05T00:00+23:59", b"2024-W40-6", b"2024-01-31T00:00Z"),
    *(b'<?xml version="1.0" encoding="utf-16"?>', b'<?xml version="1.0" encoding="nonsense"?>'),
    *(b"<Period>" + POINTS + b"</Period>", period(), period(b""), b"<Period a='1'>"),
]  # fmt: skip
JSON_STUFF = [
    *_STUFF,
    *(b"null", b"true", b"[]", b"{}", b'"x"', b"[" * 60, b'{"a":' * 60, b"NaN", b"1E400", b"-"),
    *(b'"\\ud800"', b'"\\u0000"', b'"2024-10-05"', b'"2024-10-05T00:00:00.5Z"', b'"9999-99-99"'),
    *(b'"0001-01-01T00:00:00+14:00"', b'"2024-10-05T00:00:00"', b'"=1+1"', b",", b":", b"]", b"}"),
    *(b'"frequency":1,', b'"data":[],', b'"\xff"', b"[[]]", b"1e5", b"3.0", b'"99999-01-01"'),
]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, body: bytes, stuff: list[bytes], marks: bytes, most: int = 4) -> bytes:
    """``body`` after a few changes, mostly where a tag or token begins or ends."""
    joints = re.compile(b"[%b]" % re.escape(marks))
    for _ in range(draw(st.integers(1, most))):
        places = [m.start() + draw(st.integers(0, 1)) for m in joints.finditer(body)] or [0]
        at, to = (places[draw(st.integers(0, len(places) - 1))] for _ in range(2))
        at, to = min(at, to), max(at, to)
        way = draw(st.integers(0, 7))
        if way == 0:
            body = body[: draw(st.integers(0, len(body)))]
        elif way == 1 and body:
            place = draw(st.integers(0, len(body) - 1))
            flipped = body[place] ^ (1 << draw(st.integers(0, 7)))
            body = body[:place] + bytes([flipped]) + body[place + 1 :]
        elif way == 2:
            body = body[:at] + draw(st.binary(max_size=8)) + body[at:]
        elif way == 3:
            body = body[:at] + body[to:]
        elif way == 4:
            body = body[:to] + body[at:to] + body[to:]
        elif way == 5:
            end = min((p for p in places if p > at), default=at)
            body = body[:at] + draw(st.sampled_from(stuff)) + body[end:]
        else:
            body = body[:at] + draw(st.sampled_from(stuff)) + body[at:]
        body = body[:40_000]
    return body


def xml_bodies() -> st.SearchStrategy[bytes]:
    """Real documents, small ones and several Periods, all of them spoilt."""
    one, none, point = period(), period(b""), period(POINTS[: len(POINTS) // 2])
    price = point.replace(b"quantity", b"price.amount")
    small = [document(point), document(one, none), document(none + one), document(price + point)]
    bodies = [*small, *small, *small, *XML.values()]
    return st.sampled_from(bodies).flatmap(lambda body: spoilt(body, XML_STUFF, b"<>"))


# --- what must hold ----------------------------------------------------------------------------


def outcome(read: Any, *arguments: Any) -> Any:
    """What a reader returned, or the word "refused"; anything but our own errors comes through."""
    begin = time.perf_counter()
    try:
        return read(*arguments)
    except GridledgerError as refusal:
        assert 0 < len(str(refusal)) < 2_000
        return "refused"
    finally:
        assert time.perf_counter() - begin < SLOW_S


def plain(found: Document | str) -> Any:
    """A document as plain Python, so that two can be compared; NaN equals NaN."""
    if isinstance(found, str):
        return found
    return (
        found.root,
        found.fields,
        [
            (
                series.fields,
                [
                    (p.start, p.end, p.resolution, p.positions.tolist(), _texts(p.values))
                    for p in series.periods
                ],
            )
            for series in found.series
        ],
    )


def _texts(values: dict[str, Any]) -> dict[str, list[str]]:
    return {name: [repr(float(v)) for v in column] for name, column in values.items()}


def assert_read_or_refused(body: bytes) -> None:
    """Both readers agree; what they read expands and fits its table, or is refused."""
    fast = outcome(parse, body)
    assert plain(fast) == plain(outcome(_Reader(None).read, body))
    if isinstance(fast, str):
        return
    for series in fast.series:
        for one in series.periods:
            slots = outcome(expand, one, series.fields.get("curveType", "A01"), MARKET_CLOCK)
            if not isinstance(slots, str):
                assert len(slots.start_s) == len(slots.end_s)
                assert (slots.end_s > slots.start_s).all()
                assert all(len(v) == len(slots.start_s) for v in slots.values.values())
    for rows, table in ((load_rows, LOAD), (generation_rows, GENERATION), (price_rows, PRICES)):
        found = outcome(_conformed, rows, table, fast)
        if isinstance(found, Conformed):
            assert not found.frame.duplicated(list(table.key)).any()


def _conformed(rows: Any, table: Any, found: Document) -> Any:
    columns = rows(found, "FR")
    return conform(table, columns, "a spoilt answer", later_wins=True) if columns else None


# Found by the machine or by hand; each of them once got past a reader, or could.
KNOWN = {
    "as it should be": document(period()),
    "a Period with an attribute before another": document(
        period(POINTS).replace(b"<Period>", b'<Period a="1">') + period(POINTS.replace(b"5", b"9"))
    ),
    "a Period with an attribute": document(period().replace(b"<Period>", b'<Period a="1">')),
    "a Period outside the series": document(period(), head=b"").replace(
        b"<mRID>", PERIOD % POINTS.replace(b"5", b"9") + b"<mRID>"
    ),
    "a Period in a processing instruction": document(period(), head=b"<?note <Period></Period>?>"),
    "a Period in a Period": document(period(POINTS + b"<Period></Period>")),
    "an empty Period in a Period": document(period(POINTS + period(b"")), period(b"")),
    "UTF-16": document(period()).decode().encode("utf-16"),
    "an unknown encoding": b'<?xml version="1.0" encoding="nonsense"?>' + document(period()),
    "an encoding of several bytes": b'<?xml version="1.0" encoding="shift_jis"?>'
    + document(period()),
    "NUL behind a value": document(period(POINTS.replace(b"5", b"5\x00"))),
    "white space that XML does not have": document(period(POINTS.replace(b"<Point>", b"<Point>\x0c"))),
    "an underscore": document(period(POINTS.replace(b"5", b"1_0"))),
    "Arabic digits": document(period(POINTS.replace(b"5", "\u0665".encode()))),
    "a non-breaking space": document(period(POINTS.replace(b"5", b"5\xc2\xa0"))),
    "a Latin-1 space": document(period(POINTS.replace(b"5", b"5\x85"))),
    "a position beyond 64 bits": document(period(POINTS.replace(b">1<", b">%d<" % 2**70))),
    "a position twice": document(period(POINTS.replace(b">2<", b">1<"))),
    "a position of 0": document(period(POINTS.replace(b">1<", b">0<"))),
    "positions out of order": document(period(POINTS[59:] + POINTS[:59])),
    "a comment in a Point": document(period(POINTS.replace(b"<quantity>", b"<!-- --><quantity>"))),
    "an instruction in a Point": document(period(POINTS.replace(b"<quantity>", b"<?a?><quantity>"))),
    "a value that is infinite": document(period(POINTS.replace(b"5", b"1e400"))),
    "a step beyond 64 bits": document(period(resolution="PT99999999999999999999S")),
    "a step of a billion days": document(period(resolution="P9999999999D")),
    "a step of a million days": document(period(resolution="P999999999D")),
    "a month from the 31st": document(
        period(start="2024-01-31T12:00Z", end="2024-05-31T12:00Z", resolution="P1M")
    ),
    "a year until the end of time": document(
        period(start="2024-01-01T00:00Z", end="9999-12-31T23:59Z", resolution="P1Y")
    ),
    "days since the beginning of time": document(
        period(start="0001-01-01T00:00Z", end="9999-12-31T00:00Z", resolution="P1D")
    ),
    "an offset beyond the first year": document(
        period(start="0001-01-01T00:00+14:00", end="0001-01-02T00:00Z", resolution="P1D")
    ),
    "an auction that is no number": XML["prices"].replace(
        b"<curveType>",
        b"<classificationSequence_AttributeInstanceComponent.position>x"
        b"</classificationSequence_AttributeInstanceComponent.position><curveType>",
    ),
    "a prefix": document(period()).replace(b"<Period>", b"<n:Period>").replace(b"</Per", b"</n:Per"),
    "a name behind Point": document(period(POINTS.replace(b"<Point>", b"<Points>", 1))),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_odd_documents_are_read_or_refused(name: str) -> None:
    assert_read_or_refused(KNOWN[name])


def test_what_is_not_spoilt_is_read() -> None:
    """Else all of this would prove that everything is refused."""
    for body in XML.values():
        assert_read_or_refused(body)
        assert not isinstance(outcome(parse, body), str)
    assert sum(len(p.positions) for s in parse(XML["generation"]).series for p in s.periods) > 20
    for table, body in JSON.values():
        assert len(JsonRows("").rows(table, body, "here").frame) == len(
            re.findall(b"Time", body)
        ) // (1 if table is FREQUENCY else 2)


@CI
@given(xml_bodies())
def test_spoilt_documents(body: bytes) -> None:
    assert_read_or_refused(body)


@pytest.mark.nightly
@NIGHTLY
@given(xml_bodies())
def test_spoilt_documents_all_night(body: bytes) -> None:
    assert_read_or_refused(body)


@CI
@given(st.data())
def test_points_in_any_order_agree(data: st.DataObject) -> None:
    """Whole Points and Periods, shuffled, doubled, left out: what the fast way is made for."""
    numbers = st.sampled_from([b"1", b"2", b"3", b"24", b"0", b"9999999999", b"01", b" 2", b"x"])
    texts = st.sampled_from([b"1", b"-2.5", b"", b" 3 ", b"1e3", b"nan", b"n/a", b"1,5", b"4" * 41])
    names = st.sampled_from([b"quantity", b"quantity", b"quantity", b"price.amount", b"secondary"])
    gaps = st.sampled_from([b"", b"\n ", b"\r\n\t", b"x"])

    def point() -> bytes:
        name = data.draw(names)
        parts = [
            b"<position>%b</position>" % data.draw(numbers),
            b"<%b>%b</%b>" % (name, data.draw(texts), name),
        ]
        if data.draw(st.integers(0, 9)) == 0:
            parts = data.draw(st.permutations(parts))
        return b"<Point>%b</Point>%b" % (b"".join(parts), data.draw(gaps))

    parts = [
        period(b"".join(point() for _ in range(data.draw(st.integers(0, 3)))))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    assert_read_or_refused(document(b"".join(parts), *parts[:1]))


# --- Elexon ------------------------------------------------------------------------------------


def json_bodies() -> st.SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from(sorted(JSON)).flatmap(
        lambda name: st.tuples(st.just(name), spoilt(JSON[name][1], JSON_STUFF, b'{}[],:"'))
    )


def assert_rows_or_refused(name: str, body: bytes) -> None:
    table = JSON[name][0]
    found = outcome(JsonRows("").rows, table, body, "a spoilt answer")
    if isinstance(found, Conformed):
        assert not found.frame.duplicated(list(table.key)).any()
        for column in table.columns:
            if column.dtype == "float":
                assert np.isfinite(found.frame[column.name]).all()
            if not column.optional:
                assert not found.frame[column.name].isna().any()


@CI
@given(json_bodies())
@example(("frequency", b"9" * 5000))
@example(
    ("frequency", b'[{"measurementTime":"2024-10-05T00:00:00Z","frequency":' + b"9" * 5000 + b"}]")
)
@example(("frequency", b"[" * 100_000))
@example(("frequency", b'{"data":' * 100_000))
@example(("frequency", b'[{"measurementTime":"\\ud800","frequency":50}]'))
@example(
    ("frequency", b'[{"measurementTime":"2024-10-05T00:00:00Z","frequency":50,"x":"\\ud800"}]')
)
@example(("frequency", b'[{"measurementTime":"99999-10-05T00:00:00Z","frequency":50}]'))
@example(("frequency", b'[{"measurementTime":1728086400,"frequency":50}]'))
@example(("frequency", b"\xef\xbb\xbf[]"))
def test_spoilt_rows(case: tuple[str, bytes]) -> None:
    assert_rows_or_refused(*case)


@pytest.mark.nightly
@NIGHTLY
@given(json_bodies())
def test_spoilt_rows_all_night(case: tuple[str, bytes]) -> None:
    assert_rows_or_refused(*case)


@CI
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["data", "frequency", "measurementTime", "x"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_at_all(answer: Any) -> None:
    assert_rows_or_refused("frequency", json.dumps(answer).encode())


# --- guided by coverage ------------------------------------------------------------------------

_GUIDED = """
import sys
project, kind, corpus, seconds = sys.argv[1:]
sys.path.insert(0, project)
import atheris
with atheris.instrument_imports(include=["sources", "domain"]):
    import sources.elexon, sources.entsoe, sources.entsoe_xml
from tests.integration import test_fuzz
def one(body):
    if kind == "xml":
        test_fuzz.assert_read_or_refused(body)
    else:
        test_fuzz.assert_rows_or_refused(kind, body)
options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-verbosity=0"]
atheris.Setup([sys.argv[0], *options, corpus], one)
atheris.Fuzz()
"""


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["xml", *JSON])
def test_guided_by_coverage(tmp_path: Path, kind: str) -> None:
    """Ten minutes of atheris in all; it is no requirement, for few platforms have it."""
    pytest.importorskip("atheris")
    bodies = [*XML.values(), *KNOWN.values()] if kind == "xml" else [JSON[kind][1]]
    for n, body in enumerate(bodies):
        (tmp_path / f"body{n}").write_bytes(body)
    command = [sys.executable, "-c", _GUIDED, str(PROJECT), kind, str(tmp_path), "200"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout.decode()[-3000:] + done.stderr.decode()[-3000:]


# --- memory and time ---------------------------------------------------------------------------

_LAUGHS = b"".join(
    b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"ha") for n in range(12)
)
_SECONDS = {"start": "2024-01-01T00:00Z", "end": "2024-03-20T00:00Z", "resolution": "PT1S"}
BOMBS: dict[str, bytes] = {
    "a billion laughs": b"<!DOCTYPE a [" + _LAUGHS + b"]><a>&l11;</a>",
    "quadratic entity": b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 50_000 + b'">]><a>' + b"&b;" * 20_000 + b"</a>",
    "an external entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///dev/zero">]><a>&b;</a>',
    "a million levels": b"<a>" * 1_000_000,
    "a million levels inside a Point": document(period(b"<Point>" + b"<a>" * 1_000_000)),
    "one text of 30 MB": b"<a>" + b"x" * 30_000_000 + b"</a>",
    "an attribute of 30 MB": b'<a b="' + b"x" * 30_000_000 + b'"/>',
    "a Point of 30 MB of spaces": document(period(b"<Point>" + b" " * 30_000_000 + POINTS)),
    "half a million Points that never end": document(period(b"<Point>" * 500_000)),
    "half a million Periods that never end": document(b"<Period>" * 500_000),
    "Periods of many seconds": document(
        *[period(POINTS, **_SECONDS).replace(b"A01", b"A03")] * 100
    ).replace(b"A01", b"A03"),
    "days since the beginning of time": KNOWN["days since the beginning of time"],
}  # fmt: skip

_CHILD = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from domain.errors import GridledgerError
from domain.zones import MARKET_CLOCK
from sources.elexon import FREQUENCY
from sources.elexon_rows import JsonRows
from sources.entsoe_market import PRICES, price_rows
from sources.entsoe_power import GENERATION, LOAD, generation_rows, load_rows
from sources.entsoe_xml import parse
import msgspec, numpy, pandas, pyarrow
JsonRows("").rows(FREQUENCY, b'[]', 'warm')
body = sys.stdin.buffer.read()
status = open('/proc/self/status').read()
now = int(status.split('VmSize:')[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (now + 768 * 2**20,) * 2)
begin = time.perf_counter()
try:
    if sys.argv[2] == 'json':
        JsonRows("").rows(FREQUENCY, body, 'a bomb')
    else:
        found = parse(body)
        load_rows(found, 'FR')
    print('read', end=' ')
except GridledgerError as refusal:
    print('refused', end=' ')
print(round(time.perf_counter() - begin, 2))
"""


def assert_harmless(kind: str, body: bytes) -> None:
    """Read or refused within 20 s and 768 MB beyond what the libraries take."""
    if not sys.platform.startswith("linux"):
        pytest.skip("limits the memory of a process, which only Linux does as needed here")
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(PROJECT), kind],
        input=body,
        capture_output=True,
        timeout=60,
    )
    words = done.stdout.decode().split()
    assert done.returncode == 0, done.stderr.decode()[-600:]
    assert words[0] in ("read", "refused")
    assert float(words[1]) < 20.0, words


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_of_xml(name: str) -> None:
    assert_harmless("xml", BOMBS[name])


@pytest.mark.parametrize(
    "body",
    [b"[" * 5_000_000, b'{"data":' * 2_000_000, b"1" * 20_000_000, b'"' + b"x" * 30_000_000],
    ids=["arrays", "objects", "digits", "text"],
)
def test_bombs_of_json(body: bytes) -> None:
    assert_harmless("json", body)
