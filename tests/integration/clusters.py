"""A real Dask scheduler with real workers: processes of their own on 127.0.0.1, ended and waited for."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.conftest import PROJECT, wait_until


class DaskCluster:
    """A scheduler and as many workers as were started; what they print is in ``folder``."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port, self.dashboard_port = _free_port(), _free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.page = f"http://127.0.0.1:{self.dashboard_port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._environment = dict(environment)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start(
            "scheduler",
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--dashboard-address", f"127.0.0.1:{self.dashboard_port}"),
        )
        wait_until(self._listens, 60)

    def _start(
        self, role: str, *arguments: str, cwd: Path = PROJECT, **settings: str
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{role}-{len(self._processes)}.txt").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", role, *arguments],
                cwd=cwd,
                env=self._environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        return process

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start_worker(self, *, cwd: Path = PROJECT, **settings: str) -> None:
        """Start a worker without a nanny, so that a killed one stays away."""
        self.workers.append(
            self._start(
                "worker",
                self.address,
                *("--host", "127.0.0.1", "--nthreads", "2", "--no-nanny", "--no-dashboard"),
                *("--local-directory", str(self.folder)),
                cwd=cwd,
                **settings,
            )
        )

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many have reported."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def said(self) -> bytes:
        """All that the processes printed."""
        return b"".join(file.read_bytes() for file in sorted(self.folder.glob("*.txt")))

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


@contextlib.contextmanager
def dask_cluster(
    folder: Path, workers: int, environment: Mapping[str, str]
) -> Iterator[DaskCluster]:
    """A running cluster, ended at the end."""
    cluster = DaskCluster(folder, environment)
    try:
        for _ in range(workers):
            cluster.start_worker()
        if workers:
            cluster.wait_for_workers(workers)
        yield cluster
    finally:
        cluster.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
