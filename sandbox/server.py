"""The HTTP side: sockets, headers, compression, faults of a connection, stopping at once."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sandbox.answers import GZIP_FROM_BYTES, Answers, Document, Long, Plan, squeeze, wrap
from sandbox.endpoints import field_of, time_fields, value_fields
from sandbox.faults import (
    BODY_KINDS,
    DATA_KINDS,
    ROW_KINDS,
    STATUS_KINDS,
    ZIP_KINDS,
    FaultChooser,
    Hit,
    RowNames,
    html_page,
    spoil_body,
    spoil_rows,
)
from sandbox.gates import Gates
from sandbox.manners import Manners, Refusal

# By this header a client knows that what it stores is invented.
LABEL = ("X-Synthetic-Data", "gridledger-sandbox")
HTML = "text/html; charset=utf-8"
SLOW_S = 2.0
_DRIPS = 20


@dataclass(frozen=True)
class Request:
    """One request that was answered (or left without an answer: status 0).

    `bytes` is the length of the body sent, compressed if it was; `fault` is the kind that hit it. A
    parameter that was given several times has its values joined by commas.
    """

    method: str
    path: str
    params: dict[str, str]
    status: int
    bytes: int
    fault: str | None = None


class State(Protocol):
    """What the server reads from its owner for every request."""

    answers: Answers
    chooser: FaultChooser
    gates: Gates

    def instant(self) -> int:
        """Return the sandbox's present, in epoch seconds."""
        ...

    def record(self, request: Request) -> None:
        """Keep a request for inspection."""
        ...


@dataclass
class Answer:
    """An answer about to be sent. `promised` is the length that the headers state.

    A long answer has `pieces` instead of a body; of them no more than `size` bytes are sent.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    encoding: str | None = None
    promised: int | None = None
    pieces: Iterable[bytes] | None = None
    size: int = 0

    def halve(self) -> None:
        """Promise all and keep the first half."""
        if self.pieces is None:
            self.promised = len(self.body)
            self.body = self.body[: len(self.body) // 2]
        self.size //= 2

    def sent(self) -> int:
        """Return the length of what is sent."""
        return len(self.body) if self.pieces is None else self.size

    def parts(self, step: int | None) -> Iterator[bytes]:
        """Yield what is sent, in parts of no more than `step` bytes."""
        left = self.sent()
        for piece in [self.body] if self.pieces is None else self.pieces:
            for at in range(0, min(len(piece), left), step or max(1, len(piece))):
                yield piece[at : min(left, at + step if step else left)]
            left -= min(len(piece), left)
            if not left:
                return


class Server(ThreadingHTTPServer):
    """A threading server on 127.0.0.1 that stops at once, whatever its clients are doing."""

    # Threads are joined on closing instead of being left to die with the process.
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, port: int, state: State) -> None:
        self.state = state
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Register a connection before its thread starts, so that closing cannot miss it."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def reset_later(self, connection: socket.socket) -> None:
        """End a connection with RST instead of FIN as soon as its handler is done."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._guard:
            self._to_reset.add(connection)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; a reset must not be announced by an orderly FIN."""
        with self._guard:
            self._open.discard(request)
            reset = request in self._to_reset
            self._to_reset.discard(request)
        if reset:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client that left pass silently; anything else is an error of the sandbox."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self, *, serving: bool) -> None:
        """Stop serving, cut all connections and wait for their threads."""
        self.closing.set()
        # A server that never served would wait for the end of its loop for ever.
        if serving:
            self.shutdown()
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection with keep-alive."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a GET."""
        parts = urlsplit(self.path)
        params: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            params[name] = f"{params[name]},{value}" if name in params else value
        state = self.server.state
        manners = state.answers.manners_of(parts.path)
        plan = self._plan(parts.path, params, manners, parts.query)
        has_rows = not isinstance(plan, Refusal)
        hit = state.chooser.choose(parts.path, params, has_rows=has_rows)
        kind = hit.fault.kind if hit else None
        if hit and kind == "hang":
            self._record(parts.path, params, 0, 0, kind)
            self._hang(hit.fault.seconds)
            return
        answer = self._answer(state.answers, manners, plan, hit)
        if kind in ("reset", "truncated"):
            answer.halve()
        self._record(parts.path, params, answer.status, answer.sent(), kind)
        self._send(answer, drip_s=(hit.fault.seconds or SLOW_S) if hit and kind == "slow" else 0.0)
        if kind == "reset":
            self.server.reset_later(self.connection)
        if kind in ("reset", "truncated"):
            self.close_connection = True

    def _other_method(self) -> None:
        length = self.headers.get("Content-Length", "")
        self.rfile.read(int(length) if length.isdecimal() else 0)
        parts = urlsplit(self.path)
        manners = self.server.state.answers.manners_of(parts.path)
        answer = _refused(manners.not_found(), manners)
        self._record(parts.path, {}, answer.status, len(answer.body), None)
        self._send(answer)

    # The real gateways know no other method on these paths.
    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _other_method

    def _plan(
        self, path: str, params: Mapping[str, str], manners: Manners, query: str
    ) -> Plan | Document | Refusal:
        state, now = self.server.state, self.server.state.instant()
        provider = state.answers.catalogue.provider_of(path)
        refusal = state.gates.refuse(provider, self.headers, params, manners, now, path)
        origin = f"http://{self.headers.get('Host', '')}"
        return refusal or state.answers.plan(path, params, now, query, origin)

    def _answer(
        self,
        answers: Answers,
        manners: Manners,
        plan: Plan | Document | Refusal,
        hit: Hit | None,
    ) -> Answer:
        fault = hit.fault if hit else None
        if fault and fault.kind in STATUS_KINDS:
            return _stand_in(fault.kind, fault.seconds, manners)
        if isinstance(plan, Refusal):
            return _refused(plan, manners)
        zipped = "gzip" in self.headers.get("Accept-Encoding", "")
        answer = Answer(200, plan.content_type, b"", plan.headers)
        if hit and fault and fault.kind in ROW_KINDS + DATA_KINDS + BODY_KINDS + ZIP_KINDS:
            body = _spoilt(answers, plan, hit)
            if isinstance(body, Refusal):
                return _refused(body, manners)
            if fault.kind == "garbled" and fault.gzipped:
                answer.body, answer.encoding = b"\x1f\x8b" + body, "gzip"
                return answer
            zipped = not isinstance(plan, Long) and zipped
            zipped = zipped and len(body) >= GZIP_FROM_BYTES
            answer.body = squeeze(body) if zipped else body
        elif isinstance(plan, Long):
            answer.promised = answer.size = plan.length
            answer.pieces, zipped = plan.chunks(), False
        else:
            answer.body, zipped = answers.body(plan, zipped=zipped)
        answer.encoding = "gzip" if zipped else None
        return answer

    def _record(
        self, path: str, params: Mapping[str, str], status: int, size: int, kind: str | None
    ) -> None:
        # Before the last byte is sent: a client that has its answer finds the request recorded.
        request = Request(self.command, path, dict(params), status, size, kind)
        self.server.state.record(request)

    def _send(self, answer: Answer, drip_s: float = 0.0) -> None:
        promised = len(answer.body) if answer.promised is None else answer.promised
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        if answer.encoding:
            self.send_header("Content-Encoding", answer.encoding)
        self.send_header("Content-Length", str(promised))
        if self.command == "HEAD":
            self.end_headers()
            return
        self.end_headers()
        step = max(1, -(-answer.sent() // _DRIPS)) if drip_s else None
        for part in answer.parts(step):
            if drip_s and self.server.closing.wait(drip_s / _DRIPS):
                self.close_connection = True
                return
            self.wfile.write(part)

    def _hang(self, seconds: float | None) -> None:
        """Send nothing until the client leaves, the time is over or the server stops."""
        self.close_connection = True
        self.connection.settimeout(seconds)
        try:
            # What else the client sends is not answered; stopping shuts the socket down.
            while self.connection.recv(4096):
                pass
        except OSError:
            return

    def end_headers(self) -> None:
        """Label every answer, also those that the base class makes itself."""
        self.send_header(*LABEL)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the requests are kept in `Sandbox.requests`."""


def _stand_in(kind: str, seconds: float | None, manners: Manners) -> Answer:
    """Return an answer that does not come from the API behind the gateway."""
    if kind == "html-200":
        return Answer(200, HTML, html_page("Scheduled maintenance"), manners.headers)
    status = HTTPStatus(int(kind[:3]))
    own = manners.broken() if kind == "500" else None
    if own is not None:
        return _refused(own, manners)
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        refusal = manners.too_many()
        retry = (("Retry-After", f"{1 if seconds is None else seconds:g}"),)
        headers = retry if kind == "429-retry-after" else ()
        return Answer(refusal.status, refusal.content_type, refusal.body, headers)
    return Answer(status, HTML, html_page(f"{status.value} {status.phrase}"))


def _refused(refusal: Refusal, manners: Manners) -> Answer:
    headers = manners.headers + refusal.headers
    return Answer(refusal.status, refusal.content_type, refusal.body, headers)


def _spoilt(answers: Answers, plan: Plan | Document, hit: Hit) -> bytes | Refusal:
    if hit.fault.kind in BODY_KINDS:
        return spoil_body(hit, answers.plain(plan))
    if not isinstance(plan, Plan):
        return plan.spoilt(hit)
    columns = answers.columns(plan, stale=hit.fault.kind == "stale")
    names = RowNames(
        value_fields(plan.endpoint, columns),
        field_of(plan.endpoint, "publish_time"),
        field_of(plan.endpoint, "revision"),
        time_fields(plan.endpoint),
    )
    rows = spoil_rows(hit, answers.objects(plan, columns), names)
    return wrap(plan.endpoint, msgspec.json.encode(rows)[1:-1])
