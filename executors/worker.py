"""A worker's side: what it keeps while a run lasts, and how all workers together keep to one pace."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import platform
import threading
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, TypeVar, cast

from domain.errors import ClusterError
from sources import SETTINGS as SOURCE_SETTINGS
from storage import POSTGRES, open_store
from storage import SETTINGS as STORE_SETTINGS
from stores.sql import SqlStore
from utils import PROJECT, SettingError, load_settings, log

T = TypeVar("T")

# What a worker has to have in its own environment, because it may hold a secret.
AT_HOME = [s for s in (*STORE_SETTINGS, *SOURCE_SETTINGS) if s.secret or s.shown is not str]
# Of runs that could not say goodbye a worker keeps so many.
RUNS_KEPT = 4
# A worker that dies while it is its turn to ask holds up the others for so long.
LEASE_S = 10
LOCKS = "distributed.scheduler.locks"


@dataclass(frozen=True)
class Run:
    """What a worker has to know of a run; it travels with every task and holds no secret."""

    id: str
    code: str
    settings: Mapping[str, Any] = field(repr=False)


def dask_setup(worker: Any) -> None:
    """Called by Dask in each worker of a cluster of our own."""
    import signal

    # Ctrl-C on a terminal reaches all its processes; only the run decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def code_version() -> str:
    """A fingerprint of the code and of the libraries that decide what a task's result is."""
    digest = hashlib.sha256()
    for library in ("pandas", "pyarrow", "numpy"):
        digest.update(f"{library} {metadata.version(library)} ".encode())
    digest.update(".".join(platform.python_version_tuple()[:2]).encode())
    folders = ("domain", "executors", "sources", "products", "stores")
    files = [*PROJECT.glob("*.py"), *(f for name in folders for f in (PROJECT / name).rglob("*"))]
    for file in sorted(f for f in files if f.suffix in (".py", ".toml")):
        digest.update(file.relative_to(PROJECT).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


class Workplace:
    """What a worker process keeps for as long as a run lasts. Safe to share between threads."""

    def __init__(self, run: Run) -> None:
        if run.code != code_version():
            raise ClusterError(other_code(here()))
        try:
            own = load_settings(AT_HOME)
        except SettingError as problem:
            raise ClusterError(f"the Dask worker {here()}: {problem}") from None
        log.setLevel(logging.INFO)  # Dask hands the log's lines to the run
        self.id = uuid.uuid4().hex
        self._run = run.id
        self.settings: dict[str, Any] = {**run.settings, **own}
        self._ending = contextlib.ExitStack()
        self._made: dict[Hashable, Any] = {}
        self._stores = threading.local()
        self._lock = threading.Lock()

    def once(self, key: Hashable, make: Callable[[], T], end: Callable[[T], None]) -> T:
        """What ``make`` gives, made once a run; ``end`` is called with it when the run ends."""
        with self._lock:
            if key not in self._made:
                self._made[key] = made = make()
                self._ending.callback(end, made)
            found: T = self._made[key]
            return found

    def store(self) -> SqlStore:
        """This thread's own connection to the store of the run."""
        store: SqlStore | None = getattr(self._stores, "store", None)
        if store is None:
            store = open_store(self.settings["STORE_URL"], create=False)
            try:
                _refuse_other_store(store, self._run)
            except BaseException:
                store.close()
                raise
            self._stores.store = store
            with self._lock:
                self._ending.callback(store.close)
        return store

    def close(self) -> None:
        with self._lock:
            self._ending.close()


_RUNS: dict[str, Workplace] = {}
_RUNS_LOCK = threading.Lock()


def workplace(run: Run) -> Workplace:
    """What this worker keeps for the run; ClusterError where it is not fit for it."""
    with _RUNS_LOCK:
        if run.id not in _RUNS:
            while len(_RUNS) >= RUNS_KEPT:
                _RUNS.pop(next(iter(_RUNS))).close()
            _RUNS[run.id] = Workplace(run)
        return _RUNS[run.id]


def end_run(identity: str) -> None:
    """Let go of all that this worker keeps for a run; whatever still waits in it ends."""
    # Dask calls this where it also serves its locks, for which whoever we wait for may wait.
    threading.Thread(target=_end_run, args=(identity,), daemon=True).start()


def _end_run(identity: str) -> None:
    with _RUNS_LOCK:
        place = _RUNS.pop(identity, None)
    if place:
        place.close()


def here() -> str:
    """This worker's address, for people."""
    from distributed import get_worker

    return str(get_worker().address)


def refuse_lacking(lacking: Iterable[str], what: str) -> None:
    """ClusterError where this worker's environment lacks settings."""
    missing = ", ".join(lacking)
    if missing:
        raise ClusterError(
            f"the Dask worker {here()} lacks {missing}, without which {what} cannot be fetched: put it into "
            "the environment in which the worker is started."
        )


def _refuse_other_store(store: SqlStore, run: str) -> None:
    """ClusterError where this is not the database in which the run holds the lock of its name."""
    if store.url.startswith(POSTGRES):
        from stores.postgres import PostgresStore

        if cast(PostgresStore, store).is_locked(run):
            return
    raise ClusterError(
        f"the Dask worker {here()} has another STORE_URL than the run ({store.location()}): give both the "
        "same database; nothing was written."
    )


class SharedRate:
    """A provider's rate over all workers of a cluster, as ``transport.RateLimit`` over all threads.

    Whoever may ask holds a lock of the cluster for as long as the gap to the next request is, so that
    clocks need not agree; for the end of a silence they must.
    """

    def __init__(self, provider: str, per_s: float) -> None:
        import dask
        import distributed

        shared = cast(Any, distributed)
        self._gap = 1.0 / per_s
        with _in_touch():
            with dask.config.set({f"{LOCKS}.lease-timeout": LEASE_S}):
                self._turn = shared.Lock(f"gridledger asks {provider}")
                self._turn.register()
            self._quiet_until = shared.Variable(f"gridledger leaves {provider} alone")
            with self._turn:
                try:
                    self._quiet_until.get(timeout=0.05)
                except TimeoutError:
                    self._quiet_until.set(0.0)

    def wait(self) -> float:
        """Wait for one's turn; returns how long nobody may ask instead, or zero [s]."""
        with _in_touch():
            self._turn.acquire()
        silence = self.silence_s()
        if silence:
            self._pass_on()
            return silence
        passing_on = threading.Timer(self._gap, self._pass_on)
        passing_on.daemon = True
        passing_on.start()
        return 0.0

    def silence_s(self) -> float:
        """How long the provider wants to be left alone still [s]."""
        with _in_touch():
            until: float = self._quiet_until.get()
        return max(until - time.time(), 0.0)

    def keep_quiet(self, seconds: float) -> None:
        """Let no worker ask before the provider wants to be asked again."""
        with _in_touch():
            self._quiet_until.set(max(self._quiet_until.get(), time.time() + seconds))

    def _pass_on(self) -> None:
        with contextlib.suppress(Exception):  # a turn that cannot be given back ends by itself
            self._turn.release()


@contextlib.contextmanager
def _in_touch() -> Iterator[None]:
    """ClusterError where the scheduler does not answer, as when the run was interrupted."""
    try:
        yield
    except Exception as trouble:  # a connection that breaks has many names
        raise ClusterError(
            f"a Dask worker lost its scheduler ({type(trouble).__name__}): the next run asks again."
        ) from None


def other_code(worker: str) -> str:
    return (
        f"the Dask worker {worker} runs another version of gridledger or its libraries: bring it to the "
        "same, and start it again."
    )
