"""Asking for windows: in threads of this process or on the workers of a cluster, a few at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from domain.errors import ClusterError, GridledgerError, SchemaError, SourceError
from domain.ledger import Entry
from domain.settlement import days_in
from domain.windows import Window
from executors import Cluster
from executors.worker import Run, SharedRate, refuse_lacking, workplace
from raw_archive import read_and_keep
from sources import BY_KEY
from sources.dataset import Answer, Dataset, Provider
from storage import write_answer
from stores.sql import SqlStore
from utils import Settings, log

if TYPE_CHECKING:
    from sources.transport import Client

# Answers wait for the one thread that writes; this many rows of them at most, or one answer.
ROWS_UNDER_WAY = 400_000


class Scoped(Protocol):
    """Something that concerns one dataset and scope."""

    dataset: Dataset
    scope: str


Part = TypeVar("Part", bound=Scoped)


@dataclass(frozen=True)
class Written:
    """What became of an answer: the ledger entries of its days, and how much it was."""

    entries: list[Entry]
    rows: int
    changed: int
    bytes: int


@dataclass(frozen=True)
class Asked:
    """What came of asking for one window.

    ``requests_of`` (by dataset) and ``retries`` are all that the ``asker`` has counted of the provider.
    """

    outcome: Answer | Written | GridledgerError
    seconds: float = 0.0
    asker: str = ""
    requests_of: Counter[str] = field(default_factory=Counter)
    retries: int = 0


def answers(
    tasks: Sequence[tuple[Part, Window]],
    store: SqlStore,
    settings: Settings,
    now: datetime,
    stop: threading.Event,
    cluster: Cluster | None,
) -> Generator[tuple[Part, Window, Asked], None, None]:
    """What came of each window, as it comes; close it to end what is under way.

    Workers of a ``cluster`` write the answers to ``store`` themselves where it takes several writers. When
    ``stop`` is set, nothing more is asked.
    """
    with _asking(
        {part.dataset.provider for part, _ in tasks}, store, settings, now, cluster
    ) as ask:
        yield from _in_turn(tasks, ask, settings["FETCH_WORKERS"], stop)


@contextlib.contextmanager
def _asking(
    providers: Iterable[Provider],
    store: SqlStore,
    settings: Settings,
    now: datetime,
    cluster: Cluster | None,
) -> Iterator[Callable[[Scoped, Window], Future[Asked]]]:
    """The way of asking for a window: in a thread of this process, or on a worker of the cluster."""
    archive = settings["RAW_ARCHIVE"]
    if cluster:
        writes = cluster.may_write(store)
        yield lambda part, window: cluster.submit(
            _ask_on_worker, cluster.run, part.dataset.key, part.scope, window, archive, now, writes
        )
        return
    from sources.transport import Client

    clients = {provider: Client(provider, settings) for provider in providers}
    # Workers for each provider: one that has to be asked slowly must not hold up the others.
    pool = ThreadPoolExecutor(settings["FETCH_WORKERS"] * len(clients), thread_name_prefix="fetch")

    def ask(part: Scoped, window: Window) -> Future[Asked]:
        client = clients[part.dataset.provider]
        return pool.submit(_ask, part.dataset, part.scope, window, client, archive, now)

    try:
        yield ask
    finally:
        for client in clients.values():
            client.stop()
        # Not waiting: an interrupted run would sit out the timeouts of requests under way.
        pool.shutdown(wait=False, cancel_futures=True)


def _in_turn(
    tasks: Sequence[tuple[Part, Window]],
    ask: Callable[[Part, Window], Future[Asked]],
    workers: int,
    stop: threading.Event,
) -> Iterator[tuple[Part, Window, Asked]]:
    """Answers as they come.

    At most two for each of a provider's ``workers``, and not too many rows in all, are asked for and
    not yet taken.
    """
    under_way: dict[Future[Asked], tuple[Part, Window]] = {}
    waiting: dict[Provider, deque[tuple[Part, Window]]] = {}
    for part, window in sorted(tasks, key=lambda task: task[0].dataset.priority):
        waiting.setdefault(part.dataset.provider, deque()).append((part, window))
    asked: Counter[Provider] = Counter()
    rows = 0
    while True:
        for provider, queue in waiting.items():
            while queue and not stop.is_set() and asked[provider] < 2 * workers:
                more = _rows_of(*queue[0])
                if under_way and rows + more > ROWS_UNDER_WAY:
                    break
                part, window = queue.popleft()
                under_way[ask(part, window)] = (part, window)
                asked[provider] += 1
                rows += more
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            part, window = under_way.pop(future)
            asked[part.dataset.provider] -= 1
            rows -= _rows_of(part, window)
            yield part, window, _what_came(future)


def _what_came(future: Future[Asked]) -> Asked:
    try:
        return future.result()
    except ClusterError as trouble:
        return Asked(trouble)


def _rows_of(part: Scoped, window: Window) -> int:
    return part.dataset.rows_a_day * len(days_in(window))


def _ask(
    dataset: Dataset, scope: str, window: Window, client: Client, archive: str, now: datetime
) -> Asked:
    begin = time.perf_counter()
    outcome: Answer | GridledgerError
    try:
        outcome = read_and_keep(dataset, scope, window, client, archive, now)
    except (SourceError, SchemaError, ClusterError) as trouble:
        outcome = trouble
    except Exception as surprise:  # a fault of ours in one window must not end the night
        log.exception("%s %s: unforeseen", f"{dataset.key} {scope}".rstrip(), window)
        outcome = SourceError(
            f"an unforeseen {type(surprise).__name__} while reading the answer ({surprise}); the log "
            "has the details, please report it."
        )
    requests_of, retries = client.counted()
    return Asked(outcome, time.perf_counter() - begin, requests_of=requests_of, retries=retries)


def _ask_on_worker(
    run: Run, key: str, scope: str, window: Window, archive: str, now: datetime, writes: bool
) -> Asked:
    """``_ask``, with what a worker of a cluster keeps for the run; it ``writes`` the answer where it may."""
    from sources.transport import Client

    dataset = BY_KEY[key]
    provider = dataset.provider
    try:
        place = workplace(run)
        refuse_lacking(dataset.lacking(place.settings), key)

        def client() -> Client:
            per_s = place.settings[f"{provider.key.upper()}_REQUESTS_PER_S"]
            return Client(provider, place.settings, SharedRate(provider.key, per_s))

        shared = place.once(provider, client, Client.stop)
        asked = replace(_ask(dataset, scope, window, shared, archive, now), asker=place.id)
        if writes and isinstance(asked.outcome, Answer):
            done = written(place.store(), dataset, scope, window, asked.outcome, now)
            asked = replace(asked, outcome=done)
    except GridledgerError as trouble:
        return Asked(trouble)
    return asked


def written(
    store: SqlStore, dataset: Dataset, scope: str, window: Window, answer: Answer, now: datetime
) -> Written:
    """Write an answer with its ledger entries."""
    entries, changed = write_answer(store, dataset, scope, window, answer, now)
    return Written(entries, len(answer.rows.frame), changed, answer.bytes)
