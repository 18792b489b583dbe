"""The command ``dashboard``: Streamlit as a process beside this one, from its first answer to Ctrl-C."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Annotated

import typer

import console
import look
from domain.errors import GridledgerError, UsageError
from domain.settlement import ONE_DAY, settlement_date
from job import read_settings
from utils import PROJECT

LOOPBACK, PORT = "127.0.0.1", 8501
# Of the demo, besides its two days of 2024: so many days up to yesterday.
FORTNIGHT = 14
PATIENCE_S, END_S = 60.0, 10.0

app = typer.Typer()


@app.command(epilog=look.examples("dashboard", "dashboard --demo", "dashboard --port 8080"))
def dashboard(
    demo: Annotated[
        bool, typer.Option("--demo", help="On synthetic data under output/demo/, offline.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = PORT,
    address: Annotated[
        str, typer.Option(help="Address to listen on; from outside pages look and fetch nothing.")
    ] = LOOPBACK,
) -> int:
    """Show the store in a browser, until Ctrl-C; work started from its pages ends with it."""
    if not all(map(find_spec, ("streamlit", "plotly", "psutil"))):
        raise UsageError(
            "the dashboard needs libraries of its own: python3 run.py --install-deps dashboard"
        )
    port = _free_port(address, port)
    with contextlib.ExitStack() as held:
        if demo:
            held.enter_context(_demo())
        read_settings()  # what is wrong with them is said here, not on every page
        try:
            held.enter_context(_served(address, port))
            where = f"[{address}]" if ":" in address else address
            console.say(f"The dashboard is at http://{where}:{port} (Ctrl-C ends it).")
            if not is_loopback(address):
                console.say(
                    "Who is not on this machine can see it: its pages look and fetch nothing."
                )
            sys.stdout.flush()
            held.callback(_end_tasks)
            if demo:
                _fill_fortnight()
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            console.say("The dashboard ends.")
    return 0


def is_loopback(address: str | None) -> bool:
    """Whether only this machine can reach what listens on an address.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback(None)
    (True, False, False)
    """
    try:
        return address == "localhost" or ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _free_port(address: str, port: int) -> int:
    """The port, or a free one for 0; UsageError where nobody can listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name == "posix":  # as the server does it: what just ended does not stand in the way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as trouble:
            raise UsageError(
                f"port {port} on {address} cannot be used ({trouble.strerror}): choose another with "
                "--port, or 0 for a free one."
            ) from None
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _served(address: str, port: int) -> Iterator[None]:
    """Streamlit, answering; ended with the block. UsageError where it does not come up."""
    everywhere = address in ("0.0.0.0", "::")
    settings = {
        "STREAMLIT_SERVER_ADDRESS": address,
        "STREAMLIT_SERVER_PORT": str(port),
        # Its name for browsers; left to itself Streamlit asks a server on the internet for it.
        "STREAMLIT_BROWSER_SERVER_ADDRESS": socket.gethostname() if everywhere else address,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(PROJECT / "streamlit_app.py")],
        cwd=PROJECT,  # where its configuration lies
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process, which ends it
    ) as child:
        try:
            _wait_for(child, address, port)
            yield
        finally:
            child.terminate()
            try:
                child.wait(END_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                child.kill()


def _wait_for(child: subprocess.Popen[bytes], address: str, port: int) -> None:
    from http.client import HTTPConnection, HTTPException

    host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(address, address)
    over = time.monotonic() + PATIENCE_S
    while child.poll() is None and time.monotonic() < over:
        asking = HTTPConnection(host, port, timeout=5)
        try:
            asking.request("GET", "/_stcore/health")
            if asking.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
        finally:
            asking.close()
    raise UsageError("the dashboard did not come up; what it said stands above.")


def _end_tasks() -> None:
    """Stop what was started from the pages; it says itself how far it came."""
    from dashboard import tasks

    for task in tasks.listed(read_settings()):
        if task.running:
            console.say(f"stopped: {task.started.title}; what was finished stays.")
            tasks.stop(task)


# --- demo -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _demo() -> Iterator[None]:
    """The demo's settings in the environment, and the sandbox that they point at, while the block lasts."""
    import synthetic

    with synthetic.world() as overrides:
        os.environ.update(overrides)
        if not synthetic.DATABASE.exists():
            synthetic.run_days(overrides, synthetic.CLOCK_CHANGES)
        yield


def _fill_fortnight() -> None:
    """Start the daily job over the days up to yesterday; the page Data shows how far it is."""
    import synthetic
    from dashboard import tasks

    yesterday = settlement_date(datetime.now(UTC)) - ONE_DAY
    days = [yesterday - n * ONE_DAY for n in reversed(range(FORTNIGHT))]
    synthetic.write_plants(days)
    try:
        tasks.start(read_settings(), "run", (), days[0], days[-1])
    except GridledgerError as trouble:
        console.complain(f"error: {trouble}")
