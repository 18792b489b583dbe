#!/usr/bin/env python3
"""Starts gridledger: makes .venv beside this file, installs what is pinned there, runs main.py.

    python3 run.py [ARGUMENTS OF main.py]
    python3 run.py --install-deps [EXTRA ...]    install requirements.txt and the extras, then stop
    python3 run.py --check-deps [EXTRA ...]      say what is missing (exit code 2), change nothing

An extra is a file requirements/EXTRA.txt.
"""

# Standard library only, in the syntax of Python 3.8, so that an old Python answers with a sentence.
# What only an installation needs is imported inside functions: a start with all in place is fast.

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

NEEDED = (3, 11)
WINDOWS = os.name == "nt"
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
# What is installed, in lines "VALUE NAME": of `python` the interpreter the venv stands on (or
# `unfinished`), of a requirements file its SHA-256.
STAMP = VENV / "gridledger-stamp.txt"
UNFINISHED = "unfinished"
FAILED = 2


class Need(NamedTuple):
    command: str
    options: frozenset[str]  # one of these must be given; an empty set means always
    extra: str


ALL = ("dev", "postgres", "plot", "forecast", "dask", "s3", "gcs", "bigquery", "dashboard")
NEEDS = (
    *(Need("test", frozenset({"--all", "--nightly"}), extra) for extra in ALL),
    Need("battery", frozenset(), "plot"),
    Need("plot", frozenset(), "plot"),
    Need("report", frozenset(), "plot"),
    Need("dashboard", frozenset(), "dashboard"),
    Need(
        "forecast",
        frozenset({"ridge", "boosting", "--model=ridge", "--model=boosting"}),
        "forecast",
    ),
)


# What an address needs, wherever it stands: in an argument or in one of these settings.
SCHEMES = {
    "postgresql://": "postgres",
    "s3://": "s3",
    "gs://": "gcs",
    "bigquery://": "bigquery",
}
ADDRESSES = ("STORE_URL", "RAW_ARCHIVE")


class LauncherError(Exception):
    """One sentence that the user can act on."""


def main(args: list[str]) -> int:
    try:
        if sys.version_info[:2] < NEEDED:
            raise LauncherError(version_message(sys.version_info[:2], newer_python()))
        if args[:1] == ["--check-deps"]:
            return check_deps(args[1:])
        if args[:1] == ["--install-deps"]:
            prepare(wanted(args[1:]), verify=True)
            say("Everything is installed.")
            return 0
        prepare(wanted(extras_for(args)))
        return start_main(args)
    except LauncherError as error:
        say(f"run.py: {error}")
    except OSError as error:
        advice = "make sure that the folder can be written and the disk has space, and start again"
        say(f"run.py: The environment {VENV} could not be prepared ({error}); {advice}.")
    except KeyboardInterrupt:
        say("run.py: Interrupted; the next start resumes the installation.")
        return 130
    if {"--help", "-h"} & set(args):
        print(__doc__)
    return FAILED


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def version_message(version: tuple[int, ...], newer: str | None) -> str:
    needed, this = (".".join(map(str, v[:2])) for v in (NEEDED, version))
    advice = "install a newer one (python.org, or your system's packages) and start run.py with it"
    if newer:
        advice = f"start it with the newer one on this machine: {newer} run.py"
    return f"Python {needed} or newer is needed, this is {this}; {advice}"


def newer_python() -> str | None:
    import shutil

    names = (f"python3.{minor}" for minor in range(NEEDED[1], NEEDED[1] + 6))
    return next((name for name in names if shutil.which(name)), None)


# ---- what is wanted, what is there -----------------------------------------------------------


def extras_for(args: list[str]) -> list[str]:
    """The extras that these arguments of main.py need.

    The command is looked for anywhere, because options with values may stand before it. A value
    that happens to be spelled like a command costs an installation, never a wrong result.
    """
    given = set(args)
    fits = (n for n in NEEDS if n.command in given and (not n.options or n.options & given))
    extras = [need.extra for need in fits]
    texts = [*args, *map(setting, ADDRESSES)]
    extras += [extra for scheme, extra in SCHEMES.items() if any(scheme in text for text in texts)]
    if "plot" in given and any(text.endswith(".html") for text in args):
        extras.append("dashboard")
    by_dask = "dask" in given or "--executor=dask" in given or setting("EXECUTOR") == "dask"
    if by_dask or setting("DASK_SCHEDULER"):
        extras.append("dask")
    return list(dict.fromkeys(extras))


def setting(name: str) -> str:
    """A setting as main.py will see it, as far as it differs from the default."""
    value, path = "", ROOT / "config.local.env"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        key, _, rest = line.partition("=")
        if key.split()[-1:] == [name] and "#" not in key:  # an `export` may stand before it
            value = rest.strip().strip("'\"")
    return os.environ.get(name, value)


def wanted(extras: list[str]) -> dict[str, str]:
    """The requirements files, with the SHA-256 of each."""
    known = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))
    for extra in extras:
        if extra not in known:
            raise LauncherError(f"There is no extra {extra!r}; there are: {', '.join(known)}.")
    names = ["requirements.txt", *(f"requirements/{extra}.txt" for extra in extras)]
    if not (ROOT / names[0]).is_file():
        raise LauncherError(f"{ROOT / names[0]} is missing; get a complete copy of the project.")
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}


def pins(names: Iterable[str]) -> list[str]:
    """The lines `name==version` and `name==version ; marker` of requirements files."""
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in names)
    lines = (line.rstrip(" \\") for text in texts for line in text.splitlines())
    return [line for line in lines if "==" in line and line[0].isalnum()]


def read_stamp() -> dict[str, str]:
    lines = STAMP.read_text(encoding="utf-8").splitlines() if STAMP.is_file() else []
    return {name: value for value, _, name in (line.rpartition(" ") for line in lines)}


def write_stamp(stamp: dict[str, str]) -> None:
    beside = STAMP.with_suffix(".new")
    beside.write_text("".join(f"{v} {k}\n" for k, v in stamp.items()), encoding="utf-8")
    beside.replace(STAMP)


def base_python() -> str | None:
    """The interpreter that the venv stands on; None when it, or the venv, is not there."""
    if not PYTHON.exists():  # nor does a link whose target an upgrade of the system removed
        return None
    if not WINDOWS:
        return str(PYTHON.resolve())
    # There python.exe is a copy that starts the interpreter in the folder pyvenv.cfg names.
    lines = (VENV / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    homes = (line.partition("=")[2].strip() for line in lines if line.startswith("home"))
    base = Path(next(homes, "")) / "python.exe"
    return str(base) if base.is_file() else None


def is_ready(files: dict[str, str], stamp: dict[str, str]) -> bool:
    base = base_python()
    return base is not None and {"python": base, **files}.items() <= stamp.items()


def venv_runs() -> bool:
    """Whether the venv's Python starts, is new enough and is the version the venv was made for."""
    import subprocess

    test = (
        "import sys, sysconfig, pathlib; packages = pathlib.Path(sysconfig.get_path('purelib'));"
        f"sys.exit(not (sys.version_info >= {NEEDED} and sys.prefix != sys.base_prefix"
        " and packages.is_dir()))"
    )
    try:
        done = subprocess.run([str(PYTHON), "-I", "-c", test], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


# Runs in the venv. A marker cannot be judged while `packaging`, which is pinned too, is missing.
COMPARE = """
import sys
from importlib import metadata
def parts(version): return [part.lstrip("0") for part in version.split(".")]
for line in sys.stdin:
    pin, _, marker = line.strip().partition(";")
    name, _, version = pin.strip().partition("==")
    if marker:
        try: from packaging.markers import Marker
        except ImportError: continue
        if not Marker(marker.strip()).evaluate(): continue
    try: found = metadata.version(name)
    except metadata.PackageNotFoundError: print(f"{name} {version} is not installed")
    else:
        if parts(found) != parts(version): print(f"{name} is {found}, pinned is {version}")
"""


def unmet(names: Iterable[str]) -> list[str]:
    import subprocess

    command, given = [str(PYTHON), "-I", "-c", COMPARE], "\n".join(pins(names))
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    trouble = [f"The environment does not work: {done.stderr}"] if done.returncode else []
    return [*dict.fromkeys(done.stdout.splitlines()), *trouble]


def check_deps(extras: list[str]) -> int:
    files = wanted(extras)
    missing = unmet(files) if venv_runs() else [f"There is no working environment {VENV}."]
    print("\n".join(missing) or "Everything is installed as pinned.")
    if missing:
        say(f"run.py: Not all is installed; run: {' '.join(['run.py --install-deps', *extras])}")
    return FAILED if missing else 0


# ---- installing ------------------------------------------------------------------------------


def prepare(files: dict[str, str], verify: bool = False) -> None:
    """Brings the venv to what the files say; `verify` also looks at the packages themselves."""
    if not verify and is_ready(files, read_stamp()):
        return
    with take_lock() as lock:
        stamp = read_stamp()  # another launcher may have done the work meanwhile
        if not is_ready({}, stamp):
            # A venv that somebody made by hand, or whose Python moved, is kept when it works.
            if stamp.get("python") == UNFINISHED or not venv_runs():
                create_venv(lock)
                stamp = {}
            stamp["python"] = base_python() or UNFINISHED
            write_stamp(stamp)
        todo = {name: sha for name, sha in files.items() if stamp.get(name) != sha}
        if verify and not todo and unmet(files):
            todo = files
        if todo:
            install(todo, stamp, lock)


def take_lock() -> IO[bytes]:
    """Waits until no other launcher installs; closing the file, or dying, gives the lock back."""
    import time

    lock = (ROOT / ".venv.lock").open("ab")
    if not try_lock(lock):
        say("Another run.py is installing here; waiting for it …")
        while not try_lock(lock):
            time.sleep(0.1)
    return lock


def try_lock(lock: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def create_venv(lock: IO[bytes]) -> None:
    import shutil

    commands = venv_commands()
    old = VENV.with_name(".venv.old")  # renamed first: a half-deleted venv must not look like one
    shutil.rmtree(old, ignore_errors=True)
    if VENV.exists() or VENV.is_symlink():
        say("The environment .venv does not work (any more); making it anew …")
        VENV.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    VENV.mkdir()
    write_stamp({"python": UNFINISHED})
    run_one_of(commands, "The environment .venv could not be made", lock)


def venv_commands() -> list[list[str]]:
    import shutil
    from importlib.util import find_spec

    # -P: a file pip.py in the user's folder must not be taken for pip.
    python, uv = [sys.executable, "-P", "-m"], shutil.which("uv")
    commands = [[uv, "venv", "--allow-existing", "--python", sys.executable]] if uv else []
    if find_spec("venv") and find_spec("ensurepip"):
        commands.append([*python, "venv"])
    elif find_spec("venv") and find_spec("pip"):
        commands.append([*python, "venv", "--without-pip"])
    elif find_spec("virtualenv"):
        commands.append([*python, "virtualenv"])
    if not commands:
        raise LauncherError(
            "This Python cannot make environments; install the package python3-venv "
            "(Debian, Ubuntu: apt install python3-venv) and start again."
        )
    return [[*command, str(VENV)] for command in commands]


def install_commands(names: Iterable[str]) -> list[list[str]]:
    import shutil
    from importlib.util import find_spec

    python, uv = str(PYTHON), shutil.which("uv")
    # Compiled here, as pip does it: not every process that starts may write beside the libraries.
    commands = [[uv, "pip", "install", "--compile-bytecode", "--python", python]] if uv else []
    quiet = ["install", "--disable-pip-version-check", "--no-input"]
    folder = "Lib" if WINDOWS else "lib/python*"
    if any(VENV.glob(f"{folder}/site-packages/pip/__main__.py")):
        commands.append([python, "-P", "-m", "pip", *quiet])
    elif find_spec("pip"):
        commands.append([sys.executable, "-P", "-m", "pip", "--python", python, *quiet])
    if not commands:
        raise LauncherError(f"There is no pip for {VENV}; delete that folder and start again.")
    files = [part for name in names for part in ("-r", str(ROOT / name))]
    return [[*command, "--require-hashes", *files] for command in commands]


def install(files: dict[str, str], stamp: dict[str, str], lock: IO[bytes]) -> None:
    import time

    begin = time.monotonic()
    count = len({pin.split("==")[0] for pin in pins(files)})
    what = f"of {', '.join(files)}" if len(stamp) > 1 else "(first run only)"
    # Taken out before and put in after: what an interruption leaves is never taken as installed.
    stamp = {name: value for name, value in stamp.items() if name not in files}
    write_stamp(stamp)
    say(f"Installing {count} {'package' if count == 1 else 'packages'} {what} …")
    run_one_of(install_commands(files), "The packages could not be installed", lock, count)
    write_stamp({**stamp, **files})
    say(f"Installed in {time.monotonic() - begin:.0f} s.")


def run_one_of(commands: list[list[str]], failure: str, lock: IO[bytes], count: int = 0) -> None:
    """Runs the first command, and the next one when it fails: uv does not know pip's settings."""
    tail: list[str] = []
    for number, command in enumerate(commands):
        if number:
            say(f"{Path(commands[number - 1][0]).stem} did not succeed; trying without it …")
        code, tail = run_shown(command, lock, count)
        if code == 0:
            return
    raise LauncherError("\n    ".join([f"{failure}: {reason(' '.join(tail))}", *tail[-8:]]))


def run_shown(command: list[str], lock: IO[bytes], count: int) -> tuple[int, list[str]]:
    """Runs an installer, shows its progress on stderr, returns its exit code and last lines.

    On a terminal pip draws its own progress on stdout, which becomes our stderr. Elsewhere a line
    for every tenth package is enough.
    """
    import subprocess

    terminal = sys.stderr.isatty()
    begun: set[str] = set()
    tail: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if terminal else subprocess.PIPE,
        stderr=subprocess.PIPE if terminal else subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PIP_USER": "0"},  # --user, set by some hosts, cannot work in a venv
        # The installer keeps the lock when this process is killed: no second one beside it.
        pass_fds=() if WINDOWS else (lock.fileno(),),
    ) as process:
        for line in filter(None, map(str.rstrip, process.stderr or process.stdout or ())):
            tail = [*tail[-60:], line]
            if terminal:
                say(line)
            elif line.startswith(("Collecting ", "Processing ")) and line not in begun:
                begun.add(line)
                if len(begun) % 10 == 0:
                    say(f"  {len(begun)} of {count} …")
    return process.returncode, tail


# fmt: off
REASONS = (
    (("not match the hashes", "hash mismatch"),
     "a package differs from its pinned hash; get a fresh copy of the requirements files, or ask "
     "whoever runs your package mirror."),
    (("no space left", "os error 28", "not enough space", "disk quota"),
     "the disk is full; make room and start again."),
    (("connection", "name resolution", "dns error", "timed out", "unreachable", "proxy", "getaddr",
      "failed to fetch", "error sending request", "certificate"),
     "the package index does not answer (no network, a proxy?); connect and start again."),
    (("no matching distribution", "no version of", "not found in the package registry"),
     "the package index of this machine lacks a pinned version; use one that is up to date."),
    (("permission denied", "read-only file system"),
     "a folder cannot be written; start as the user who owns the project folder."),
)
# fmt: on


def reason(output: str) -> str:
    output = output.lower()
    fits = (sentence for marks, sentence in REASONS if any(mark in output for mark in marks))
    return next(fits, "the last lines say why; when in doubt delete .venv and start again.")


# ---- starting --------------------------------------------------------------------------------


def start_main(args: list[str]) -> int:
    command = [str(PYTHON), str(ROOT / "main.py"), *args]
    if not WINDOWS:
        # The same process goes on as main.py: signals and Ctrl-C reach it without a middleman.
        os.execv(command[0], command)
    import subprocess

    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the console sends it to main.py too, which decides
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
