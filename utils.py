"""The job's runtime kit: settings, logging, locks, run records. It knows nothing of electricity."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parent
VERSION = "0.1.0"
log = logging.getLogger("gridledger")


class SettingError(Exception):
    """A setting has a value that is not allowed; the message names key, value and what is."""


class Locked(Exception):
    """Another live process holds the lock."""


# --- settings -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One key of config.env: its default, what it may hold, and a line for whoever edits the file.

    ``parse`` turns text into the value, or raises ValueError saying what is allowed.
    """

    key: str
    default: str
    parse: Callable[[str], Any]
    comment: str
    secret: bool = False
    #: how the value is told to people, where that differs from the value
    shown: Callable[[str], str] = str


class Settings(Mapping[str, Any]):
    """All settings of a run, read once and not changed after; ``settings["BATTERY_POWER_MW"]``."""

    def __init__(self, values: Mapping[str, Any], declared: Iterable[Setting]) -> None:
        self._values = dict(values)
        self._declared = {setting.key: setting for setting in declared}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def shown(self) -> dict[str, str]:
        """The effective values as text, secrets masked."""
        texts = {
            key: ",".join(value)
            if isinstance(value, tuple)
            else str("" if value is None else value)
            for key, value in self._values.items()
        }
        return {key: _told(self._declared[key], text) for key, text in texts.items()}


def _told(setting: Setting, text: str) -> str:
    return "***" if text and setting.secret else setting.shown(text)


def load_settings(
    declared: Iterable[Setting],
    overrides: Mapping[str, str] | None = None,
    *,
    folder: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read config.env, config.local.env, the environment and ``overrides``, each over the one before.

    Raises SettingError with every wrong value in one message.
    """
    from dotenv import dotenv_values

    declared = list({setting.key: setting for setting in declared}.values())
    texts: dict[str, str] = {}
    for name in ("config.env", "config.local.env"):
        path = folder / name
        if path.exists():
            texts |= {
                k: v for k, v in dotenv_values(path, interpolate=False).items() if v is not None
            }
    texts |= dict(os.environ if environment is None else environment)
    texts |= dict(overrides or {})
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for setting in declared:
        text = texts.get(setting.key, setting.default).strip()
        try:
            values[setting.key] = setting.parse(text)
        except ValueError as problem:
            shown = "(secret)" if setting.secret else repr(setting.shown(text))
            wrong.append(f"{setting.key}={shown} is not allowed: {problem}.")
    if wrong:
        raise SettingError(" ".join(wrong) + " Correct it in config.local.env or the environment.")
    return Settings(values, declared)


def unknown_settings(declared: Iterable[Setting], *, folder: Path = PROJECT) -> list[str]:
    """Keys in config.local.env that nobody declares: most likely misspelt."""
    from dotenv import dotenv_values

    path = folder / "config.local.env"
    known = {setting.key for setting in declared}
    return sorted(set(dotenv_values(path, interpolate=False)) - known) if path.exists() else []


def token(value: str) -> str:
    """A parser of tokens that travel in an HTTP header."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("it must be printable ASCII without spaces")
    return value


def url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("it must be an http or https address")
    return value.rstrip("/")


def without_password(address: str) -> str:
    """An address for people: whatever in it may be a password is starred out.

    >>> without_password("postgresql://me:secret@host/db?sslpassword=more")
    'postgresql://me:***@host/db?sslpassword=***'
    """
    starred = re.sub(r"(?s)(://[^:/@]*:|:).*@", r"\1***@", address)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", starred)


def number(low: float, high: float, unit: str) -> Callable[[str], float]:
    """A parser of numbers above ``low`` and up to ``high``."""

    def parse(value: str) -> float:
        allowed = f"it must be a number above {low:g} and at most {high:g} [{unit}]"
        try:
            result = float(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not low < result <= high:
            raise ValueError(allowed)
        return result

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``low`` to ``high``, both included."""

    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(value)

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    """A parser that lets only these words pass."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"it must be one of {', '.join(allowed)}")
        return value

    return parse


def words(value: str) -> tuple[str, ...]:
    """The parts of a comma-separated list."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def several(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """A parser of a comma-separated list of known words."""
    known = tuple(dict.fromkeys(known))

    def parse(value: str) -> tuple[str, ...]:
        given = words(value)
        strange = [word for word in given if word not in known]
        if strange:
            listed = [*known[:20], "…"] if len(known) > 20 else known
            raise ValueError(f"'{strange[0]}' is not known; it may hold {', '.join(listed)}")
        return given

    return parse


def time_of_day(value: str) -> str:
    """A parser of times of day, HH:MM."""
    try:
        if len(value) != 5:
            raise ValueError
        datetime.strptime(value, "%H:%M")
    except ValueError:
        raise ValueError("it must be a time of day such as 06:00") from None
    return value


def folder(value: str) -> Path:
    """A parser of folders; a relative one hangs on the project, never on the working directory."""
    if not value:
        raise ValueError("it must name a folder")
    return (PROJECT / Path(value).expanduser()).resolve()


def folder_or_nothing(value: str) -> Path | None:
    """A parser of folders that need not be given."""
    return folder(value) if value else None


# --- files ----------------------------------------------------------------------------------------


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, even if the power fails."""
    with written_whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when the block ends, and not at all after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)  # mkstemp makes files that only their owner can read
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make a rename durable; only POSIX has a way to say it."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- locks ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a lock that dies with the process; raises Locked at once where another holds it."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Locked(f"{path.stem} is locked by another run") from None
    try:
        yield
    finally:
        lock.release()


# --- log and run records --------------------------------------------------------------------------


_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what the call gave as ``extra``.

    A traceback is the text ``exception``, its line breaks escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        told = {
            "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {
            name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def start_log(folder: Path, console_level: int = logging.INFO, form: str = "text") -> None:
    """Send the log to ``task_log.log`` in the folder (rotating) and, from a level on, to stderr.

    ``form`` is ``text``, or ``json`` for machines that read it.
    """
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.raiseExceptions = False  # a full disk must not print a traceback for every log line
    folder.mkdir(parents=True, exist_ok=True)
    to_console = logging.StreamHandler()
    to_console.setLevel(console_level)
    to_file = logging.handlers.RotatingFileHandler(
        folder / "task_log.log", maxBytes=5_000_000, backupCount=5, encoding="utf-8"
    )
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    text.converter = _utc
    line = JsonLines() if form == "json" else text
    for handler in (to_console, to_file):
        handler.setFormatter(line)
        log.addHandler(handler)


def _utc(seconds: float | None) -> Any:
    return datetime.fromtimestamp(seconds or 0, UTC).timetuple()


def record_run(folder: Path, record: Mapping[str, Any]) -> None:
    """Append one line to ``runs.jsonl``, from which ``status`` tells the last runs."""
    with (folder / "runs.jsonl").open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a crash cut the last line
                file.write(b"\n")
        file.write(json.dumps(record).encode() + b"\n")


def last_runs(folder: Path, count: int) -> list[dict[str, Any]]:
    """The newest run records, oldest first; a line cut by a crash is passed over."""
    path = folder / "runs.jsonl"
    if not path.exists():
        return []
    runs = []
    for line in _last_lines(path, count):
        with contextlib.suppress(ValueError):  # of JSON, or of UTF-8 in the middle of a letter
            runs.append(json.loads(line))
    return runs


_PIECE = 64 * 1024


def _last_lines(path: Path, count: int) -> list[bytes]:
    """At most ``count`` lines from a file's end, of which no more is read than they need."""
    read = b""
    with path.open("rb") as file:
        begin = file.seek(0, os.SEEK_END)
        while begin and read.count(b"\n") <= count:
            end, begin = begin, max(0, begin - _PIECE)
            file.seek(begin)
            read = file.read(end - begin) + read
    return read.splitlines()[-count:]


@contextlib.contextmanager
def timed(times: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds spent inside to ``times[stage]``."""
    from time import perf_counter

    begin = perf_counter()
    try:
        yield
    finally:
        times[stage] = times.get(stage, 0.0) + perf_counter() - begin
