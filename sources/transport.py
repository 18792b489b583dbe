"""The one HTTP path: polite, patient, and never fooled by half an answer.

A ``Client`` serves one provider during one run. It keeps to the provider's rate, retries what may
pass (429, 5xx, connection errors, timeouts, broken bodies) with exponential backoff and jitter,
obeys Retry-After, and gives up for the rest of the run: a dataset when several of its requests in a
row came to nothing, the provider when it has been without one good answer for longer than its
deadline. Then further windows fail at once: a dead provider costs minutes, not the night.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import requests
import tenacity
import urllib3

from domain.errors import BrokenAnswer, GivenUp, Refused, SchemaError, Unreachable
from sources.dataset import Provider
from utils import log

T = TypeVar("T")

USER_AGENT = "gridledger/1 (batch ETL; one polite client per run)"
SYNTHETIC_HEADER = "X-Synthetic-Data"
ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
FAILURES_TO_GIVE_UP = 3
# A year of one dataset is far smaller; what is larger is not an answer to our question.
LARGEST_BODY = 512 * 2**20
# Files are written to disk, so they may be larger; one that comes at this speed may take its time.
LARGEST_FILE = 4 * 2**30
SLOWEST_B_PER_S = 2**18
_BANNED = "HTTP 429: asked too often, and the ban outlasts the deadline"


@dataclass(frozen=True)
class Body:
    """The whole body of a good answer; ``synthetic`` where the sandbox sent it."""

    content: bytes
    synthetic: bool


class _Again(Exception):
    """The attempt failed in a way that may pass; ``wait_s`` is what Retry-After said."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Rate(Protocol):
    """When a provider may be asked; shared by all who ask it."""

    def wait(self) -> float:
        """Wait for one's turn; returns how long nobody may ask instead, or zero [s]."""
        ...

    def silence_s(self) -> float:
        """How long the provider wants to be left alone still [s]."""
        ...

    def keep_quiet(self, seconds: float) -> None:
        """Let nobody ask before the provider wants to be asked again."""
        ...


class RateLimit:
    """A ``Rate`` of at most ``per_s`` requests a second, evenly spaced, over all threads of the process."""

    def __init__(self, per_s: float) -> None:
        self._gap = 1.0 / per_s
        self._next = self._quiet_until = 0.0
        self._lock = threading.Lock()

    def wait(self) -> float:
        with self._lock:
            now = time.monotonic()
            if self._quiet_until > now:
                return self._quiet_until - now
            pause = self._next - now
            self._next = max(now, self._next) + self._gap
        if pause > 0:
            time.sleep(pause)
        return self.silence_s()

    def silence_s(self) -> float:
        return max(self._quiet_until - time.monotonic(), 0.0)

    def keep_quiet(self, seconds: float) -> None:
        with self._lock:
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)


class Client:
    """Asks one provider, on behalf of one run. Safe to share between threads.

    ``requests``, ``retries`` and ``bytes`` count what went over the wire, ``requests_of`` per dataset.
    Without a ``rate`` it keeps to the provider's within this process.
    """

    def __init__(
        self, provider: Provider, settings: Mapping[str, Any], rate: Rate | None = None
    ) -> None:
        prefix = provider.key.upper()
        self.provider = provider
        self.base_url: str = settings[f"{prefix}_BASE_URL"]
        self.timeout_s: float = settings[f"{prefix}_TIMEOUT_S"]
        self.deadline_s: float = settings[f"{prefix}_DEADLINE_S"]
        self.rate = rate or RateLimit(settings[f"{prefix}_REQUESTS_PER_S"])
        self.requests = self.retries = self.bytes = 0
        self.requests_of: Counter[str] = Counter()  # by dataset
        self.learnt: dict[str, timedelta] = {}
        self._sessions = threading.local()
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}  # in a row, by dataset
        self._waiting_since: float | None = None  # the first attempt since the last good answer
        self._stop = threading.Event()
        self._token = token = settings[provider.token_setting] if provider.token_setting else ""
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": provider.accept,
            "Accept-Encoding": "gzip",
        }
        if token:
            self._headers[provider.token_header] = token
        # A redirect would carry the token to whoever it names.
        self._follow = not token
        self._made: dict[Hashable, Any] = {}
        self._making: dict[Hashable, threading.Lock] = {}

    def get(
        self, dataset: str, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]
    ) -> tuple[T, Body]:
        """Ask ``path`` and decode the body; a body that ``decode`` calls broken is asked for again.

        ``dataset`` is the key on whose behalf it is asked.

        Raises Refused (the provider said no), Unreachable or BrokenAnswer (retries exhausted, or the
        provider was given up before).
        """

        def attempt() -> tuple[T, Body]:
            answer, content = self._attempt(dataset, self.base_url + path, params)
            return decode(content), Body(content, SYNTHETIC_HEADER in answer.headers)

        return self._patiently(dataset, path, attempt)

    def download(
        self, dataset: str, address: str, file: IO[bytes], check: Callable[[IO[bytes]], None]
    ) -> bool:
        """Write what stands at an address, which the provider named, to a file; follows redirects.

        Each attempt begins the file anew, so that a good end means a whole file; one that ``check``
        calls broken is asked for again. Returns whether the sandbox sent it. Raises as ``get`` does;
        SchemaError for an address that is not one of HTTP.
        """
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise SchemaError(
                f"{self.provider.title} names {address!r} as a file's address, which cannot be "
                "downloaded over HTTP; nothing of it was stored."
            )

        def attempt() -> bool:
            file.seek(0)
            file.truncate()
            answer, _ = self._attempt(dataset, address, {}, file)
            check(file)
            return SYNTHETIC_HEADER in answer.headers

        return self._patiently(dataset, parts.path, attempt)

    def reuse(self, address: str) -> None:
        """Nothing is asked for what was downloaded before: here it needs no word."""

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once a run however many threads want it; a failure is not kept."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            if key not in self._made:
                self._made[key] = make()
            made: T = self._made[key]
            return made

    def _patiently(self, dataset: str, path: str, attempt: Callable[[], T]) -> T:
        """Attempt until it succeeds or is not worth another try; ``path`` is for the error's sentence."""
        self._refuse_if_given_up(dataset)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((_Again, BrokenAnswer)),
            stop=self._stop_retrying,
            wait=self._pause_before_retry,
            sleep=self._sleep,
            before_sleep=self._note_retry,
            reraise=True,
        )
        try:
            result = retrying(attempt)
        except _Again as trouble:
            self._note_failure(dataset)
            raise Unreachable(self._sentence(path, str(trouble))) from None
        except BrokenAnswer as trouble:
            self._note_failure(dataset)
            raise BrokenAnswer(self._sentence(path, str(trouble))) from None
        except Refused as refusal:
            self._note_success(dataset)  # it is alive and knows what it wants
            said = self._without_token(refusal.body.decode("utf-8", "replace")).encode()
            raise Refused(self._without_token(str(refusal)), refusal.status, said) from None
        except SchemaError as trouble:
            self._note_success(dataset)
            raise SchemaError(self._without_token(str(trouble))) from None
        self._note_success(dataset)
        return result

    def counted(self) -> tuple[Counter[str], int]:
        """Requests by dataset, and retries, so far."""
        with self._lock:
            return self.requests_of.copy(), self.retries

    def stop(self) -> None:
        """End all waiting: the run was interrupted."""
        self._stop.set()

    def _attempt(
        self,
        dataset: str,
        address: str,
        params: Mapping[str, str],
        file: IO[bytes] | None = None,
    ) -> tuple[requests.Response, bytes]:
        """One request; a good body goes to ``file`` where there is one, and is returned otherwise."""
        with self._lock:
            if self._waiting_since is None:
                self._waiting_since = time.monotonic()
        if self._banned_for_good():
            raise _Again(_BANNED)
        while silence := self.rate.wait():
            if silence > self._left_s() or self._stop.is_set():
                raise _Again(_BANNED)
            self._sleep(silence)
        with self._lock:
            self.requests += 1
            self.requests_of[dataset] += 1
        try:
            with self._session().get(
                address,
                params=params,
                timeout=(min(self.timeout_s, 30.0), self.timeout_s),
                stream=True,
                allow_redirects=self._follow,
            ) as response:
                whole = response.status_code == 200 and file is not None
                content = b"" if whole else b"".join(self._chunks(response, LARGEST_BODY))
                for chunk in self._chunks(response, LARGEST_FILE, SLOWEST_B_PER_S) if whole else ():
                    file.write(chunk)  # type: ignore[union-attr]
        except (requests.RequestException, urllib3.exceptions.HTTPError) as trouble:
            raise _Again(_in_words(trouble)) from None
        self._judge_status(response, content)
        return response, content

    def _session(self) -> requests.Session:
        """A session a thread: requests does not promise that one may be shared."""
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = requests.Session()
            session.auth = _no_auth
            session.headers.update(self._headers)
            self._sessions.session = session
        return session

    def _chunks(
        self, response: requests.Response, largest: int, slowest_b_per_s: float = float("inf")
    ) -> Iterator[bytes]:
        """The body, within the size limit and the deadline even where it only drips.

        What has come faster than ``slowest_b_per_s`` does not count against the deadline.
        """
        begin = time.monotonic()
        size = 0
        # One read of the socket at a time: a larger unit would wait for as long as it drips.
        while chunk := response.raw.read1(2**18, decode_content=True):
            size += len(chunk)
            if size > largest:
                raise Refused(
                    f"{self.provider.title} sent more than {largest >> 20} MiB for one window; "
                    "nothing of it was stored.",
                    response.status_code,
                )
            allowed = self.deadline_s + size / slowest_b_per_s
            if time.monotonic() - begin > allowed or self._stop.is_set():
                raise _Again(f"the answer was still dripping after {allowed:.0f} s")
            yield chunk
        with self._lock:
            self.bytes += size

    def _judge_status(self, response: requests.Response, content: bytes) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 429:
            asked = _retry_after(response.headers.get("Retry-After"))
            pause = self.provider.ban_s if asked is None else asked
            self.rate.keep_quiet(pause)
            raise _Again("HTTP 429: asked too often", pause or None)
        if status == 408 or status >= 500:
            raise _Again(f"HTTP {status}", _retry_after(response.headers.get("Retry-After")))
        reason = " ".join(content[:2000].decode("utf-8", "replace").split())[:400]
        raise Refused(
            f"{self.provider.title} refused {response.request.path_url.partition('?')[0]} with HTTP "
            f"{status}: {reason or 'no reason given'}.",
            status,
            content,
        )

    # --- patience ---

    def _stop_retrying(self, state: tenacity.RetryCallState) -> bool:
        return (
            state.attempt_number >= ATTEMPTS
            or self._overdue()
            or self._banned_for_good()
            or self._stop.is_set()
        )

    def _pause_before_retry(self, state: tenacity.RetryCallState) -> float:
        trouble = state.outcome.exception() if state.outcome else None
        asked = getattr(trouble, "wait_s", None)
        jittered = tenacity.wait_random_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S)(state)
        return max(asked, jittered) if asked is not None else jittered

    def _sleep(self, seconds: float) -> None:
        pause = min(seconds, self._left_s())
        if pause > 0:
            self._stop.wait(pause)

    def _note_retry(self, state: tenacity.RetryCallState) -> None:
        with self._lock:
            self.retries += 1
        trouble = state.outcome.exception() if state.outcome else None
        log.info(
            "%s: attempt %d failed (%s), asking again",
            self.provider.key,
            state.attempt_number,
            trouble,
        )

    def _left_s(self) -> float:
        since = self._waiting_since
        return self.deadline_s - (time.monotonic() - since if since is not None else 0.0)

    def _banned_for_good(self) -> bool:
        """Whether the provider wants to be left alone for longer than we may wait."""
        return self.rate.silence_s() > self._left_s()

    def _overdue(self) -> bool:
        return self._left_s() <= 0

    def _note_success(self, dataset: str) -> None:
        with self._lock:
            self._failures[dataset] = 0
            self._waiting_since = None

    def _note_failure(self, dataset: str) -> None:
        with self._lock:
            self._failures[dataset] = self._failures.get(dataset, 0) + 1

    def _refuse_if_given_up(self, dataset: str) -> None:
        if self._stop.is_set():
            raise Unreachable(f"{self.provider.title} was not asked: the run is being stopped.")
        failures = self._failures.get(dataset, 0)
        if failures >= FAILURES_TO_GIVE_UP or (any(self._failures.values()) and self._overdue()):
            raise GivenUp(
                f"{self.provider.title} was given up for this run, having given no good answer to "
                "several requests; the next run asks again."
            )

    def _sentence(self, path: str, reason: str) -> str:
        what = f" for {path}" if path else ""
        sentence = f"{self.provider.title} gave no usable answer{what} ({reason})"
        return self._without_token(f"{sentence}; the next run asks again.")

    def without_token(self, body: bytes) -> bytes:
        """A body that can be kept, should the provider quote the token that it was sent."""
        if not self._token:
            return body
        return self._without_token(body.decode("latin-1")).encode("latin-1")

    def _without_token(self, text: str) -> str:
        """What a provider says, should it quote the token that it was sent."""
        for secret in (self._token, quote(self._token, safe="")) if self._token else ():
            text = text.replace(secret, "***")
        return text


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this, requests would send what ~/.netrc holds for the host."""
    return request


def _retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as a number or as a date."""
    if not header:
        return None
    try:
        if header.strip().isdecimal():
            return float(header)
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _in_words(trouble: Exception) -> str:
    """What went wrong, without the address: a query string may carry what must not be shown."""
    if isinstance(trouble, requests.exceptions.SSLError):
        return "the TLS connection failed"
    if isinstance(trouble, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(
        trouble, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.IncompleteRead
    ):
        return "the answer broke off"
    if isinstance(
        trouble, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError
    ):
        return "the answer does not decompress"
    if isinstance(trouble, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return "the connection failed or broke off"
    return type(trouble).__name__
