"""Where work runs: in this process, or on the workers of a Dask cluster.

A task for a worker names what it is about, a key and a window, and carries a ``Run``: the run's plain
settings. What may hold a secret the worker takes from its own environment, so that it is in no task, no
scheduler's log and no page of the dashboard. What a worker needs for longer than one task (clients,
connections) it keeps until the run ends. ``cluster`` is the run's side of that, ``worker`` the other.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import ParamSpec, TypeVar

from executors.cluster import Cluster
from utils import Setting, Settings, choice, log, whole_number

__all__ = ["SETTINGS", "Cluster", "Here", "as_done", "open_cluster"]

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

THREADS, DASK = "threads", "dask"
_ADDRESS = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


def scheduler_address(value: str) -> str:
    """A parser of ``DASK_SCHEDULER``."""
    if value and not _ADDRESS.fullmatch(value):
        raise ValueError("it must look like tcp://HOST:PORT or tls://HOST:PORT, or be empty")
    return value


SETTINGS = (
    Setting(
        "FETCH_WORKERS",
        "4",
        whole_number(1, 64),
        "Requests to one provider under way at the same time; the rates below hold over all of them.",
    ),
    Setting(
        "EXECUTOR",
        THREADS,
        choice(THREADS, DASK),
        "Where windows are fetched and days computed: threads of one process, or workers of Dask.",
    ),
    Setting(
        "DASK_SCHEDULER",
        "",
        scheduler_address,
        "Scheduler whose workers EXECUTOR=dask uses (tcp://HOST:PORT); if empty, a cluster of its own "
        "on this machine with FETCH_WORKERS processes.",
    ),
)


class Here(Executor):
    """Runs a task at once, in the thread that submits it."""

    def submit(self, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(task(*args, **kwargs))
        except Exception as trouble:
            done.set_exception(trouble)
        return done


def as_done(
    items: Iterable[Item], submit: Callable[[Item], Future[T]], at_once: int
) -> Iterator[tuple[Item, Future[T]]]:
    """Items with their futures as they are done, at most ``at_once`` submitted and not yet taken."""
    left = iter(items)
    under_way: dict[Future[T], Item] = {}
    while True:
        under_way |= {submit(item): item for item in islice(left, at_once - len(under_way))}
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            yield under_way.pop(future), future


@contextlib.contextmanager
def open_cluster(
    settings: Settings, tell: Callable[[str], None] = log.info
) -> Iterator[Cluster | None]:
    """The cluster that the settings name, for the length of a run; None where threads do the work.

    It is started, or connected to, when it gets its first task; ``tell`` is then told where its
    dashboard is.
    """
    if settings["EXECUTOR"] == THREADS:
        yield None
        return
    cluster = Cluster(settings, tell)
    try:
        yield cluster
    finally:
        cluster.shutdown()
