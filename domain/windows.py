"""Half-open UTC windows ``[start, end)`` and the text form of instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.errors import UsageError

SECOND = timedelta(seconds=1)  # what times are stored to


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open span of time ``[start, end)``, both ends aware and in UTC.

    >>> Window(parse_instant("2024-10-27T00:00Z"), parse_instant("2024-10-27T00:30Z")).hours
    0.5
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for instant in (self.start, self.end):
            if instant.utcoffset() != timedelta(0):
                raise ValueError(f"a window is in UTC, not {instant!r}")
        if self.end <= self.start:
            raise ValueError(f"a window ends after it starts: {self}")

    def __str__(self) -> str:
        return f"{format_instant(self.start)}/{format_instant(self.end)}"

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def hours(self) -> float:
        """Elapsed hours [h]."""
        return self.length / timedelta(hours=1)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def common(self, other: Window) -> Window | None:
        """The part that both windows cover, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def reaching_back(self, look_back: timedelta) -> Window:
        """The same window with its start moved ``look_back`` earlier."""
        return Window(self.start - look_back, self.end)

    def pieces(self, widest: timedelta) -> Iterator[Window]:
        """Cut into consecutive windows of at most ``widest``, none lost, none overlapping."""
        start = self.start
        while start < self.end:
            end = min(start + widest, self.end)
            yield Window(start, end)
            start = end


def format_instant(instant: datetime) -> str:
    """The one text form of an instant, to the second.

    >>> format_instant(datetime(2024, 10, 27, 0, 30, tzinfo=UTC))
    '2024-10-27T00:30:00Z'
    """
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant; one without an offset is UTC.

    Raises UsageError for anything else.

    >>> parse_instant("2024-10-27T01:30+01:00").isoformat()
    '2024-10-27T00:30:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a time: write a day as 2024-10-27 or an instant as "
            "2024-10-27T00:30:00Z."
        ) from None
    if not 1990 <= instant.year <= 2100:
        raise UsageError(f"{text} lies outside 1990 to 2100, where there is nothing to ask for.")
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
