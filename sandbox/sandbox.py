"""`Sandbox`: the stand-in as tests, the demonstration and the benchmarks use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any

import numpy as np

from sandbox import calendar
from sandbox.answers import Answers
from sandbox.endpoints import Catalogue, Limit
from sandbox.entsoe import Platform
from sandbox.faults import Fault, FaultChooser
from sandbox.gates import Gates
from sandbox.grid import Columns, build_grid
from sandbox.server import Request, Server

Moment = str | datetime | None


class Sandbox:
    """A loopback server that behaves like the providers' APIs over a synthetic grid.

    `now` is the present the providers publish at: an aware datetime or its text, None for the real
    clock. `limits` replaces the limit of requests of a provider, None for no limit:
    `{"entsoe": Limit(requests_per_min=400, ban_s=2)}`. As a context manager it serves from a
    thread; `serve_forever` serves in the calling one.
    """

    def __init__(
        self,
        *,
        now: Moment = None,
        seed: int = 7,
        port: int = 0,
        faults: Sequence[Fault] = (),
        limits: Mapping[str, Limit | None] | None = None,
    ) -> None:
        self.seed = seed
        self.now = now
        services = {"entsoe": Platform(seed)}
        self.answers = Answers(Catalogue.load(), build_grid(seed), services=services)
        self.faults = faults
        self.limits = limits
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = Server(port, self)
        self._thread: threading.Thread | None = None
        self._serving = False

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point the project at the sandbox, with synthetic tokens."""
        found = {}
        for provider in self.answers.catalogue.providers.values():
            found[provider.setting] = self.url + provider.prefix
            if provider.token is not None:
                found[provider.token.setting] = provider.token.value
        return found

    @property
    def now(self) -> Moment:
        """The present as it was set; None is the real clock."""
        return self._now

    @now.setter
    def now(self, moment: Moment) -> None:
        self._instant = None if moment is None else calendar.to_instant(moment)
        self._now = moment

    def instant(self) -> int:
        """Return the sandbox's present, in epoch seconds."""
        instant = self._instant
        return int(time.time()) if instant is None else instant

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong; setting it starts all counts anew."""
        return self.chooser.faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self.chooser = FaultChooser(self.seed, faults)

    @property
    def limits(self) -> Mapping[str, Limit | None]:
        """The limits in force, by provider; setting them (None: as real) ends every ban."""
        return self.gates.limits

    @limits.setter
    def limits(self, limits: Mapping[str, Limit | None] | None) -> None:
        self.gates = Gates(self.answers.catalogue.providers, limits)

    @property
    def requests(self) -> list[Request]:
        """The requests served so far, in the order they were answered."""
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        """Forget the requests served so far."""
        with self._lock:
            self._requests.clear()

    def record(self, request: Request) -> None:
        """Keep a request for inspection (called by the server)."""
        with self._lock:
            self._requests.append(request)

    def truth(self, series: str, start: str | datetime, end: str | datetime) -> dict[str, Any]:
        """Return the rows of a series in [start, end) known at `now`, oldest first, none twice.

        The answer is {"columns": {name: numpy array}}. Columns of `frequency`: time, frequency_hz;
        of `wind_solar`: start_time, psr_type, business_type, quantity_mw, publish_time, revision,
        document. Times are datetime64[s] in UTC. Rows never published are not there.

        Of ENTSO-E, one row per zone and slot (hour, half or quarter hour) with zone ("DE_LU"), time
        and resolution_minutes: `entsoe_load` with load_mw; `entsoe_generation` by psr_type with
        generation_mw and consumption_mw, NaN where that side has no value; and
        `entsoe_day_ahead_prices` by sequence (1 also where the document names none) with price
        (per MWh) and currency. publish_time is when these values were first told. A slot in a gap
        or without a value on any side is not there; of TimeSeries that differ, the later holds.
        """
        return self._known(series, start, end, every=False)

    def history(self, series: str, start: str | datetime, end: str | datetime) -> dict[str, Any]:
        """Return all publications up to `now` of the rows in [start, end), oldest first.

        The columns are those of `truth`.
        """
        known = self._known(series, start, end, every=True)
        columns: Columns = known["columns"]
        if "publish_time" in columns:
            order = np.argsort(columns["publish_time"], kind="stable")
            known["columns"] = {name: values[order] for name, values in columns.items()}
        return known

    def _known(
        self, series: str, start: str | datetime, end: str | datetime, *, every: bool
    ) -> dict[str, Any]:
        first, last = calendar.to_instant(start), calendar.to_instant(end) - 1
        for service in self.answers.services.values():
            if series in service.tables:
                columns = service.rows(series, first, last, self.instant(), every=every)
                break
        else:
            source = self.answers.grid[series]
            columns = source.rows(source.axes[0], first, last, self.instant(), every=every)
        seconds = np.dtype("datetime64[s]")
        shown = {
            name: values.astype(seconds) if name.endswith("time") else values
            for name, values in columns.items()
        }
        return {"columns": shown}

    def serve_forever(self) -> None:
        """Serve in this thread until Ctrl+C (or `close` from another thread), then stop cleanly."""
        self._serving = True
        try:
            with suppress(KeyboardInterrupt):
                self._server.serve_forever(poll_interval=0.05)
        finally:
            self.close()

    def __enter__(self) -> Sandbox:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox"
        )
        self._serving = True
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, also with clients that wait, and leave no thread behind."""
        self._server.stop(serving=self._serving)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
