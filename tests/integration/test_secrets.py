"""A token that nobody but the provider ever sees.

Every command runs as a real process with a token of its own, under every fault and with wrong
settings; then everything it said and everything it left on the disk is searched for that token.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from sandbox import Fault, Sandbox
from sandbox.faults import KINDS
from tests.integration.conftest import PROJECT, Cli, scripted

DAY = "2024-10-05"
TOKEN = "Zq7-secret/token+9f3e1c5a"
# What a program could turn it into on the way.
FORMS = {
    "plain": TOKEN.encode(),
    "in a query": quote(TOKEN, safe="").encode(),
    "base64": base64.b64encode(TOKEN.encode()),
    "hex": TOKEN.encode().hex().encode(),
    "its middle": TOKEN[4:-4].encode(),
    "UTF-16": TOKEN.encode("utf-16-le"),
}
COMMON = {
    "ENTSOE_API_TOKEN": TOKEN,
    "DATASETS": "wind_solar,entsoe_load,entsoe_generation,entsoe_day_ahead_prices",
    "PRODUCTS": "wind_solar_summary",
    "ENTSOE_ZONES": "FR",
    "ENTSOE_REQUESTS_PER_S": "1000",
    "ENTSOE_TIMEOUT_S": "0.5",
    "ENTSOE_DEADLINE_S": "1",
}


@pytest.fixture(scope="module")
def told() -> Iterator[Sandbox]:
    """A sandbox that takes our token and no other."""
    with Sandbox(now="2024-11-25T09:00:00Z") as sandbox:
        providers = sandbox.answers.catalogue.providers
        entsoe = providers["entsoe"]
        token = type(entsoe.token)(
            **{
                **{f: getattr(entsoe.token, f) for f in entsoe.token.__struct_fields__},
                "value": TOKEN,
            }
        )
        fields = {f: getattr(entsoe, f) for f in entsoe.__struct_fields__} | {"token": token}
        providers["entsoe"] = type(entsoe)(**fields)
        sandbox.limits = None
        yield sandbox


@pytest.fixture
def place(tmp_path: Path, told: Sandbox) -> Iterator[Cli]:
    told.faults = []
    told.clear_requests()
    cli = Cli(tmp_path, told)
    cli.environment |= COMMON
    yield cli
    told.faults = []


def assert_silent(place: Cli, done: subprocess.CompletedProcess[str]) -> None:
    """Nothing that was said or written holds the token in any form."""
    said = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    written = {
        str(path.relative_to(place.folder)): path.read_bytes()
        for path in place.folder.rglob("*")
        if path.is_file()
    }
    for where, content in (said | written).items():
        for form, secret in FORMS.items():
            assert secret not in content, f"{form} in {where}"


def assert_wrote(place: Cli) -> None:
    """The search had something to search."""
    names = {path.name for path in place.output.rglob("*") if path.is_file()}
    assert {"grid.db", "task_log.log", "runs.jsonl"} <= names


# --- faults ------------------------------------------------------------------------------------

FAULTS = [Fault(kind, seconds=0.1) for kind in KINDS] + [Fault("garbled", gzipped=True)]
DOCUMENTS = ("documentType=A65", "documentType=A75", "documentType=A44")
# One kind for each of the three documents, so that a run meets three.
THREES = [FAULTS[n : n + 3] for n in range(0, len(FAULTS), 3)]


def test_a_good_run_needs_the_token_and_does_not_tell_it(place: Cli, told: Sandbox) -> None:
    done = place("run", "--date", DAY)
    assert done.returncode == 0, done.stderr
    assert {r.status for r in told.requests if "/entsoe/" in r.path} == {200}
    # It travels in a header; an address is what proxies and servers log.
    assert not any("token" in name.lower() for r in told.requests for name in r.params)
    assert_wrote(place)
    assert_silent(place, done)
    wrong = place("run", "--date", "2024-10-06", ENTSOE_API_TOKEN=f"{TOKEN}x")
    assert wrong.returncode == 3
    assert "Authentication failed" in wrong.stdout + wrong.stderr
    assert_silent(place, wrong)


@pytest.mark.parametrize("three", THREES, ids=lambda three: " ".join(f.kind for f in three))
def test_faults_do_not_tell_it(place: Cli, told: Sandbox, three: list[Fault]) -> None:
    told.faults = [replace(fault, path=path) for fault, path in zip(three, DOCUMENTS, strict=False)]
    done = place("run", "--date", DAY)
    assert done.returncode in (0, 3), done.stderr
    kinds = {fault.kind for fault in three}
    # A plain 429 is a ban: what has not been asked by then is not asked at all.
    assert {r.fault for r in told.requests} >= (kinds & {"429"} or kinds)
    assert_wrote(place)
    assert_silent(place, done)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_provider_that_quotes_the_token_is_not_quoted(place: Cli, status: int) -> None:
    """Error pages may repeat the request with all its headers."""
    page = f"Invalid token: SECURITY_TOKEN={TOKEN} ({quote(TOKEN, safe='')})".encode()
    acknowledged = (
        b"<Acknowledgement_MarketDocument><Reason><code>999</code><text>"
        + page
        + b"</text></Reason>"
        b"</Acknowledgement_MarketDocument>"
    )
    xml = {"Content-Type": "text/xml"}
    with scripted((status, xml, page), (status, xml, acknowledged)) as server:
        done = place("run", "--date", DAY, ENTSOE_BASE_URL=f"{server.url}/api")
        assert done.returncode == 3, done.stderr
        assert any("SECURITY_TOKEN" in headers for _, _, headers in server.asked)
    assert_wrote(place)
    assert_silent(place, done)


def test_closed_port_does_not_tell_it(place: Cli) -> None:
    done = place("run", "--date", DAY, ENTSOE_BASE_URL="http://127.0.0.1:9/api")
    assert done.returncode == 3
    assert_silent(place, done)


# --- redirects ---------------------------------------------------------------------------------


@contextmanager
def redirecting(status: int, to: str) -> Iterator[str]:
    with scripted((status, {"Location": to}, b"")) as first:
        yield first.url
        assert first.asked
        assert all(headers["SECURITY_TOKEN"] == TOKEN for _, _, headers in first.asked)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirect_does_not_carry_it_away(place: Cli, status: int) -> None:
    """Another port of the same host is another server."""
    with scripted((200, {}, b"<a/>")) as second, redirecting(status, f"{second.url}/take") as url:
        done = place("run", "--date", DAY, ENTSOE_BASE_URL=f"{url}/api")
        assert done.returncode == 3
        assert second.asked == []
    assert_silent(place, done)


@pytest.mark.parametrize("command", [("doctor",), ("doctor", "--live")])
def test_doctor_shows_it_to_the_provider_alone(place: Cli, command: tuple[str, ...]) -> None:
    with (
        scripted((200, {}, b"<a/>")) as second,
        scripted((302, {"Location": f"{second.url}/take"}, b"")) as first,
    ):
        done = place(*command, ENTSOE_BASE_URL=f"{first.url}/api")
        assert first.asked
        for _, path, headers in second.asked:
            assert_no_token(path, headers)
    assert "Traceback" not in done.stderr
    assert_silent(place, done)


def assert_no_token(path: str, headers: Mapping[str, str]) -> None:
    told = f"{path} {headers}".encode()
    assert not any(secret in told for secret in FORMS.values())


def test_elexon_never_receives_it(place: Cli) -> None:
    with scripted((200, {"Content-Type": "application/json"}, b"[]")) as other:
        place("run", "--date", DAY, ELEXON_BASE_URL=f"{other.url}/bmrs/api/v1")
        assert other.asked
        for _, path, headers in other.asked:
            assert_no_token(path, headers)


# --- other commands, wrong settings, crashes ---------------------------------------------------


def test_commands_that_look_do_not_tell_it(place: Cli) -> None:
    assert place("run", "--date", DAY).returncode == 0
    commands = [
        ("--help",),
        ("run", "--help"),
        ("status",),
        ("datasets",),
        ("products",),
        ("doctor",),
        ("run", "--date", "2999-01-01"),
        ("fetch", TOKEN[:3], "--start", DAY),
        ("nonsense",),
    ]
    for command in commands:
        assert_silent(place, place(*command))


WRONG = {
    "another setting is wrong": {"FETCH_WORKERS": "many"},
    "the token has a line break": {"ENTSOE_API_TOKEN": f"{TOKEN}\nX-Evil: 1"},
    "the token has a letter that no header takes": {"ENTSOE_API_TOKEN": f"{TOKEN}\u0416"},
    "the token has quotes and spaces": {"ENTSOE_API_TOKEN": f' "{TOKEN}" '},
    "the address is no address": {"ENTSOE_BASE_URL": "nowhere"},
    "a zone is not known": {"ENTSOE_ZONES": "FR,XX"},
    "the store is of another kind": {"STORE_URL": "mysql://localhost/x"},
    "the output is a file": {"OUTPUT_DIR": "/dev/null/output"},
}


LOOKING = ("the token has a letter that no header takes", "the output is a file")


@pytest.mark.parametrize(
    ("case", "command"),
    [
        *((case, ("run", "--date", DAY)) for case in WRONG),
        *((case, (command,)) for case in LOOKING for command in ("doctor", "status")),
    ],
)
def test_wrong_settings_do_not_tell_it(place: Cli, case: str, command: tuple[str, ...]) -> None:
    done = place(*command, **WRONG[case])
    assert "Traceback" not in done.stderr, done.stderr[-800:]
    assert_silent(place, done)


_CRASH = """
import sys
sys.path.insert(0, sys.argv[1])
where = sys.argv[2]
import main, sources.transport, asking, sources.entsoe
def broken(*arguments, **more):
    raise RuntimeError("a fault of ours")
if where == "request":
    sources.transport.Client._judge_status = broken
elif where == "reader":
    sources.entsoe.parse = broken
elif where == "store":
    asking.write_answer = broken
else:
    import storage
    storage.open_store = broken
sys.argv[1:] = ["run", "--date", sys.argv[3]]
sys.exit(main.main())
"""


@pytest.mark.parametrize(
    "where",
    ["request", "open", *(pytest.param(w, marks=pytest.mark.nightly) for w in ("reader", "store"))],
)
def test_crash_with_its_traceback_does_not_tell_it(place: Cli, where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CRASH, str(PROJECT), where, DAY],
        env=place.environment,
        cwd=place.folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode != 0
    log = place.output / "task_log.log"
    assert "a fault of ours" in done.stderr + log.read_text(encoding="utf-8")
    assert_silent(place, done)
