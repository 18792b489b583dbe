"""The ledger of a store, and the files that were read: what is known of each day, beside the rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from domain.ledger import SILENT_AFTER, SILENT_DAYS, Entry, State
from domain.settlement import ONE_DAY
from domain.windows import Window, format_instant, parse_instant

T = TypeVar("T")

_LEDGER_COLUMNS = (
    "key", "scope", "day", "window_start", "window_end", "state", "rows", "expected", "coverage",
    "version", "asked_at", "counted_at", "answers", "inputs", "published", "note",
)  # fmt: skip


@dataclass(frozen=True)
class InputFile:
    """A file that was read: its name below the folder, its hash, and how many rows it gave."""

    name: str
    sha256: str
    size: int
    modified_ns: int
    rows: int


@dataclass(frozen=True)
class Standing:
    """What the ledger has of one key and scope over all its days.

    ``newest`` is the newest day with rows and ``answered_at`` the last good answer (for a product: when
    it was computed last), None where there is none. ``unpublished`` counts the days of a product whose
    files are older than its rows, ``days`` the days in each state.
    """

    key: str
    scope: str
    first: date
    last: date
    newest: date | None
    rows: int
    answered_at: datetime | None
    unpublished: int
    days: Mapping[State, int]


class Ledger(ABC):
    """The part of a store that keeps entries; see ``stores.sql``."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

    @abstractmethod
    def atomically(self, work: Callable[[], T]) -> T:
        """Do work in one transaction; where a connection can be lost, again from the work's start."""

    def record(self, entry: Entry) -> None:
        """Write one ledger entry over the one that was there."""
        self.execute(
            f"INSERT INTO ledger ({', '.join(_LEDGER_COLUMNS)}) "
            f"VALUES ({', '.join('?' * len(_LEDGER_COLUMNS))}) "
            "ON CONFLICT (key, scope, day) DO UPDATE SET "
            + ", ".join(f"{c} = excluded.{c}" for c in _LEDGER_COLUMNS[3:]),
            (
                entry.key, entry.scope, entry.day.isoformat(),
                format_instant(entry.window.start), format_instant(entry.window.end),
                str(entry.state), entry.rows, entry.expected, entry.coverage, entry.version,
                format_instant(entry.asked_at), format_instant(entry.counted_at), entry.answers,
                entry.inputs, entry.published, entry.note,
            ),
        )  # fmt: skip

    def note_files(
        self,
        dataset: str,
        files: Iterable[InputFile],
        rejects: Mapping[str, Sequence[tuple[int | None, str]]],
        known_at: datetime,
    ) -> None:
        """Note files and, of those read anew, what was rejected (line, reason); inside a transaction."""
        for file in files:
            self.execute(
                "INSERT INTO input_files (dataset, file, sha256, size, modified_ns, rows) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (dataset, file) DO UPDATE SET "
                "sha256 = excluded.sha256, size = excluded.size, "
                "modified_ns = excluded.modified_ns, rows = excluded.rows",
                (dataset, file.name, file.sha256, file.size, file.modified_ns, file.rows),
            )
        for name, found in rejects.items():
            self.execute(
                "DELETE FROM rejected_rows WHERE dataset = ? AND file = ?", (dataset, name)
            )
            for line, reason in found:
                self.execute(
                    "INSERT INTO rejected_rows (dataset, file, line, reason, read_at) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (dataset, name, line, reason, format_instant(known_at)),
                )

    def input_files(self, dataset: str) -> dict[str, InputFile]:
        """The files that were read for a dataset, by name."""
        found = self.execute(
            "SELECT file, sha256, size, modified_ns, rows FROM input_files WHERE dataset = ?",
            (dataset,),
        )
        return {row[0]: InputFile(*row) for row in found}

    def rejected_rows(self, dataset: str) -> dict[str, list[tuple[int | None, str]]]:
        """Line and reason of what was rejected when a file was last read, by file."""
        found: dict[str, list[tuple[int | None, str]]] = {}
        for file, line, reason in self.execute(
            "SELECT file, line, reason FROM rejected_rows WHERE dataset = ?", (dataset,)
        ):
            found.setdefault(file, []).append((line, reason))
        return found

    def entries(
        self,
        key: str,
        first: date | None = None,
        last: date | None = None,
        scope: str | None = None,
    ) -> dict[tuple[str, date], Entry]:
        """Ledger entries of a key (of one scope) by scope and day, in order."""
        found = self.execute(
            f"SELECT {', '.join(_LEDGER_COLUMNS)} FROM ledger WHERE key = ? AND day >= ? AND day <= ? "
            f"{'' if scope is None else 'AND scope = ? '}ORDER BY scope, day",
            (
                *(key, (first or date.min).isoformat(), (last or date.max).isoformat()),
                *([] if scope is None else [scope]),
            ),
        )
        entries = map(_entry, found)
        return {(entry.scope, entry.day): entry for entry in entries}

    def entries_of_days(self, first: date, last: date) -> list[Entry]:
        """Ledger entries of every key from ``first`` to ``last``, by key, scope and day, in one pass."""
        found = self.execute(
            f"SELECT {', '.join(_LEDGER_COLUMNS)} FROM ledger WHERE day >= ? AND day <= ? "
            "ORDER BY key, scope, day",
            (first.isoformat(), last.isoformat()),
        )
        return [_entry(row) for row in found]

    def day_states(
        self, key: str, first: date | None = None, scopes: Sequence[str] | None = None
    ) -> list[tuple[str, str, str, int, int, float, str, int, str]]:
        """Scope, day, state, rows, expected, coverage, asked_at, answers and note of a key's entries.

        As texts and in order: what a calendar of ten years needs, without making entries of it.
        """
        # With the scopes named, of a few days out of years only those are looked at.
        named = f"AND scope IN ({', '.join('?' * len(scopes))}) " if scopes else ""
        return self.execute(
            "SELECT scope, day, state, rows, expected, coverage, asked_at, answers, note "
            f"FROM ledger WHERE key = ? {named}AND day >= ? ORDER BY scope, day",
            (key, *(scopes or ()), (first or date.min).isoformat()),
        )

    def mean_coverage(
        self, key: str, first: date, last: date, scopes: Sequence[str] = ()
    ) -> float | None:
        """Mean coverage of days, of the scopes named or of all that are known, 0 to 1.

        A day that the ledger does not know counts as nothing, a complete one on which there was nothing
        to have as covered; None where it knows none of them.
        """
        nothing_due = f"state = '{State.COMPLETE}' AND rows = 0 AND expected = 0"
        named = f"AND scope IN ({', '.join('?' * len(scopes))})" if scopes else ""
        ((known, total),) = self.execute(
            f"SELECT count(DISTINCT scope), sum(CASE WHEN {nothing_due} THEN 1 ELSE coverage END) "
            "FROM ledger "
            f"WHERE key = ? AND day >= ? AND day <= ? {named}",
            (key, first.isoformat(), last.isoformat(), *scopes),
        )
        if not known:
            return None
        return float(total) / ((len(scopes) or known) * ((last - first).days + 1))

    def missing_days(self) -> dict[str, int]:
        """How many days of each key, over all scopes, are holes or were never asked for in between."""
        holes = ", ".join(f"'{state}'" for state in State if state.hole)
        found: dict[str, int] = {}
        for key, first, last, known, of_them in self.execute(
            "SELECT key, min(day), max(day), count(*), "
            f"count(CASE WHEN state IN ({holes}) THEN 1 END) FROM ledger GROUP BY key, scope"
        ):
            days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
            found[key] = found.get(key, 0) + days - known + of_them
        return found

    def standings(self) -> list[Standing]:
        """Every key and scope in order, summed up in one pass over the ledger."""
        found = self.execute(
            "SELECT key, scope, min(day), max(day), max(CASE WHEN rows > 0 THEN day END), sum(rows), "
            "max(CASE WHEN state <> 'failed' THEN asked_at END), "
            "count(CASE WHEN inputs <> published THEN 1 END), "
            + ", ".join(f"count(CASE WHEN state = '{state}' THEN 1 END)" for state in State)
            + " FROM ledger GROUP BY key, scope ORDER BY key, scope"
        )
        return [_standing(row) for row in found]

    def silent(self, key: str, scope: str, day: date) -> bool:
        """Whether nothing came of a key and scope for so long before a day that it is believed."""
        ((confirmed, rows),) = self.execute(
            "SELECT sum(CASE WHEN state = ? THEN 1 ELSE 0 END), sum(rows) FROM ledger "
            "WHERE key = ? AND scope = ? AND day >= ? AND day < ?",
            (
                State.CONFIRMED_EMPTY.value, key, scope,
                (day - SILENT_DAYS * ONE_DAY).isoformat(), day.isoformat(),
            ),
        )  # fmt: skip
        return not rows and (confirmed or 0) >= SILENT_AFTER

    def known_days(self, key: str, scope: str | None = None) -> tuple[date, date] | None:
        """The first and last settlement day that the ledger has of a key (and scope)."""
        ((first, last),) = self.execute(
            "SELECT min(day), max(day) FROM ledger WHERE key = ? AND scope = coalesce(?, scope)",
            (key, scope),
        )
        return (date.fromisoformat(first), date.fromisoformat(last)) if first else None

    def newest_day_with_rows(self, key: str) -> date | None:
        """The newest settlement day of which rows of the key are stored."""
        ((day,),) = self.execute("SELECT max(day) FROM ledger WHERE key = ? AND rows > 0", (key,))
        return date.fromisoformat(day) if day else None

    def mark_published(self, key: str, days: Mapping[date, str]) -> None:
        """Note from which inputs the files of these days were written."""

        def work() -> None:
            for day, inputs in days.items():
                self.execute(
                    "UPDATE ledger SET published = ? WHERE key = ? AND day = ?",
                    (inputs, key, day.isoformat()),
                )

        self.atomically(work)


def _standing(row: tuple[Any, ...]) -> Standing:
    key, scope, first, last, newest, rows, answered_at, unpublished, *days = row
    return Standing(
        key,
        scope,
        date.fromisoformat(first),
        date.fromisoformat(last),
        date.fromisoformat(newest) if newest else None,
        int(rows),
        parse_instant(answered_at) if answered_at else None,
        unpublished,
        dict(zip(State, days, strict=True)),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    fields = dict(zip(_LEDGER_COLUMNS, row, strict=True))
    window = Window(
        parse_instant(fields.pop("window_start")), parse_instant(fields.pop("window_end"))
    )
    fields["day"] = date.fromisoformat(fields["day"])
    fields["state"] = State(fields["state"])
    for name in ("asked_at", "counted_at"):
        fields[name] = parse_instant(fields[name])
    return Entry(window=window, **fields)
