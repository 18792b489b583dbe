"""The run's side: a cluster that is started or connected to, tasks handed out, what became of them."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from typing import Any, ParamSpec, TypeVar

from domain.errors import ClusterError, ClusterLost, GridledgerError, UsageError
from executors.worker import AT_HOME, LOCKS, Run, code_version, end_run, other_code
from sources import PROVIDERS
from sources import SETTINGS as SOURCE_SETTINGS
from storage import POSTGRES
from stores.sql import SqlStore
from utils import Settings, log

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_S = 10.0
GOODBYE_S = 5.0
# Without a worker for so long, a run gives up what it still wanted of the cluster.
ALONE_S = 60.0
LOOK_EVERY_S = 1.0
_QUIET = ("distributed", "tornado", "bokeh")


class Cluster(Executor):
    """An executor whose tasks run on Dask workers; see ``open_cluster``.

    A future fails with ClusterError where no worker could do the task: each died of it, none is there,
    or they lack the code. Raises ClusterError at the first task where the scheduler does not answer or
    its workers are of no use.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        plain = {
            s.key: settings[s.key]
            for s in SOURCE_SETTINGS
            if s not in AT_HOME and s.key in settings
        }
        self.run = Run(uuid.uuid4().hex, code_version(), plain)
        self._client: Any = None
        self._tasks: Any = None
        self._under_way: set[Future[Any]] = set()
        self._lost = ""
        self._marked: SqlStore | None = None
        self._closed = threading.Event()
        self._closing = contextlib.ExitStack()

    @property
    def workers(self) -> int:
        """How many worker processes there are, at least one."""
        self._begin()
        return max(1, self._count())

    def may_write(self, store: SqlStore) -> bool:
        """Whether workers can write to the store themselves, as several may write to PostgreSQL.

        By a lock with the run's name they then know that their STORE_URL leads to the same database.
        """
        if not store.url.startswith(POSTGRES) or store.url != self._settings["STORE_URL"]:
            return False
        if store is not self._marked:
            self._closing.enter_context(store.lock(self.run.id))
            self._marked = store
        return True

    def submit(self, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self._begin()
        told: Future[T] = Future()
        if self._lost or self._client.status != "running":
            told.set_exception(ClusterLost(self._note_lost()))
            return told
        self._under_way.add(told)
        self._tasks.submit(task, *args, **kwargs).add_done_callback(
            lambda theirs: self._hand_over(theirs, told)
        )
        return told

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the run: workers of a cluster of its own end, others forget it."""
        self._closed.set()
        self._closing.close()

    # --- beginning ---

    def _begin(self) -> None:
        if self._client is not None:
            return
        library = _library()
        _keep_quiet()
        address = self._settings["DASK_SCHEDULER"]
        try:
            client = self._connected(library, address) if address else self._local(library)
            client.forward_logging(log.name, logging.INFO)
        except (OSError, RuntimeError, TypeError, ValueError) as trouble:
            log.info("Dask: %s", trouble)
            raise ClusterError(_no_cluster(address, trouble)) from None
        self._tasks = client.get_executor(pure=False)
        self._closing.callback(self._tasks.shutdown, wait=False)
        self._client = client
        threading.Thread(target=self._watch, name="dask", daemon=True).start()
        if client.dashboard_link:
            self._tell(f"Dask: {client.dashboard_link} shows what the workers do")

    def _connected(self, library: Any, address: str) -> Any:
        client = library.Client(address, timeout=CONNECT_S, set_as_default=False)
        self._closing.callback(client.close, timeout=2)
        for worker, code in client.run(code_version, on_error="return").items():
            if isinstance(code, BaseException):
                raise ClusterError(_cannot_import(worker, code))
            if code != self.run.code:
                raise ClusterError(other_code(worker))
        self._closing.callback(self._say_goodbye)
        return client

    def _local(self, library: Any) -> Any:
        import dask

        dask.config.set({f"{LOCKS}.lease-validation-interval": 1})
        cluster = library.LocalCluster(
            n_workers=self._settings["FETCH_WORKERS"],
            # As with threads: who has to be asked slowly must not hold up the others.
            threads_per_worker=sum(bool(provider.base_url) for provider in PROVIDERS),
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload=[end_run.__module__],
            env={s.key: str(self._settings[s.key]) for s in AT_HOME if s.key in self._settings},
        )
        self._closing.callback(cluster.close, timeout=5)
        client = library.Client(cluster, set_as_default=False)
        self._closing.callback(client.close, timeout=2)
        return client

    def _say_goodbye(self) -> None:
        def say() -> None:
            with contextlib.suppress(Exception):  # who does not hear it forgets the run later
                self._client.run(end_run, self.run.id, on_error="ignore")

        if self._client and not self._lost:
            saying = threading.Thread(target=say, daemon=True)
            saying.start()
            saying.join(GOODBYE_S)

    # --- going on ---

    def _hand_over(self, theirs: Future[T], told: Future[T]) -> None:
        """Pass on what became of a task; whatever is not an error of ours in words of ours."""
        self._under_way.discard(told)
        with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
            try:
                result = theirs.result()
            except GridledgerError as trouble:
                told.set_exception(trouble)
            except CancelledError:
                told.set_exception(self._cancelled())
            except Exception as trouble:
                told.set_exception(ClusterError(_in_words(trouble)))
            else:
                told.set_result(result)

    def _cancelled(self) -> ClusterError:
        if self._lost or self._client.status != "running":
            return ClusterLost(self._note_lost())
        return ClusterError("somebody cancelled the task at the Dask scheduler; run again.")

    def _watch(self) -> None:
        """Give up what is under way when there has been no worker for too long."""
        seen = time.monotonic()
        while not self._closed.wait(LOOK_EVERY_S) and not self._lost:
            if not self._under_way or self._count():
                seen = time.monotonic()
            elif time.monotonic() - seen > ALONE_S:
                self._lost = (
                    f"no Dask worker was there for {ALONE_S:.0f} s: start workers; what was not done is "
                    "done by the next run."
                )
        for future in list(self._under_way) if self._lost else ():
            self._under_way.discard(future)
            with contextlib.suppress(InvalidStateError):  # done in this very moment
                future.set_exception(ClusterLost(self._lost))

    def _count(self) -> int:
        """How many workers there are; none where nobody can tell."""
        try:
            return len(self._client.nthreads())
        except Exception as trouble:  # a connection that breaks has many names
            log.info("Dask: %s", trouble)
            return 0

    def _note_lost(self) -> str:
        """Why nothing is asked of the cluster any more; if nobody knows better, its scheduler is gone."""
        self._lost = self._lost or (
            "the connection to the Dask scheduler was lost; what was not done is done by the next run."
        )
        return self._lost


def _keep_quiet() -> None:
    """What matters comes as a future's error; and frames travel with their tasks on purpose."""
    import dask

    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})


def _library() -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise UsageError(
            "EXECUTOR=dask needs Dask, which is not installed: type "
            "'python3 run.py --install-deps dask' first."
        ) from None
    return distributed


def _no_cluster(address: str, trouble: Exception) -> str:
    if address:
        return (
            f"no Dask scheduler answers at DASK_SCHEDULER={address}: start it there ('python -m dask "
            "scheduler'), or leave the setting empty for a cluster on this machine."
        )
    return (
        f"no Dask cluster could be started on this machine ({trouble}): try fewer FETCH_WORKERS, or "
        "EXECUTOR=threads."
    )


def _in_words(trouble: Exception) -> str:
    """Why Dask could not bring a result, as a sentence."""
    from distributed.scheduler import KilledWorker

    if isinstance(trouble, KilledWorker):
        return (
            f"every worker that took the task died of it, {trouble.allowed_failures + 1} in all; look into "
            "the workers' logs (was the memory too small?), the next run asks again."
        )
    log.error("Dask: %s", trouble, exc_info=trouble)
    if isinstance(trouble, ImportError | AttributeError):
        return _cannot_import("that got the task", trouble)
    return (
        f"an unforeseen {type(trouble).__name__} on a Dask worker ({trouble}); the log has the details, "
        "please report it."
    )


def _cannot_import(worker: str, trouble: BaseException) -> str:
    return (
        f"the Dask worker {worker} cannot import gridledger ({trouble}): start it in the project's folder "
        "with 'python -m dask worker', as docs/deploy.md shows."
    )
