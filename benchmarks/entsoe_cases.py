"""What entsoe-py and the project are both asked, what is right, and how far an answer is from it.

What is right is told by the sandbox's model, not by either reader. Another Python imports this module,
so it imports the standard library alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

# A week of market days, the last of 25 hours.
ZONES = ("FR", "NL", "PL", "DE_LU")
START, END = "2025-10-19T22:00Z", "2025-10-26T23:00Z"
DATASETS = {
    "load": "entsoe_load",
    "generation": "entsoe_generation",
    "prices": "entsoe_day_ahead_prices",
}
# Start of the slot [s since 1970], what it is of, value.
Value = tuple[int, str, float]


class Fault(NamedTuple):
    """Something that entsoe-py is known to get wrong, and where the sandbox has it.

    ``query`` is entsoe-py's; ``keep`` are the columns of ours, and of the sandbox's table, that a row
    must have, ``names`` those that tell apart what begins together.
    """

    called: str
    says: str
    query: str
    dataset: str
    zone: str
    start: str
    end: str
    ours: str
    truth: str
    names: tuple[str, ...] = ()
    keep: tuple[tuple[str, object], ...] = ()


_DAY = ("2025-10-19T22:00Z", "2025-10-20T22:00Z")
_BIDS = ("direction",), (("process", "A51"),)
_AUCTIONS = "price_per_mwh", "price", ("auction_sequence",)
FAULTS = (
    Fault(
        "A24 slots", "points only where bids change",
        "bids", "entsoe_aggregated_bids", "FR", *_DAY, "offered_mw", "offered_mw", *_BIDS,
    ),
    Fault(
        "A03 tails", "last points left out, down to one of 96",
        "generation", "entsoe_generation", "NL", *_DAY, "generation_mw", "generation_mw",
        ("psr_type",),
    ),
    Fault(
        "P1Y stamp", "a civil year, from 2024-12-31T23:00Z",
        "capacity", "entsoe_installed_capacity", "FR", "2024-12-31T23:00Z", "2025-12-31T22:00Z",
        "capacity_mw", "installed_capacity_mw", ("psr_type",),
    ),
    Fault(
        "two auctions, the query", "sequence 2 before sequence 1",
        "prices", "entsoe_day_ahead_prices", "DE_LU", *_DAY, *_AUCTIONS,
    ),
    Fault(
        "two auctions, the document", "sequence 2 before sequence 1",
        "auctions", "entsoe_day_ahead_prices", "DE_LU", *_DAY, *_AUCTIONS,
    ),
    Fault(
        "PT4S", "aFRR prices every four seconds",
        "activated", "entsoe_activated_prices", "FR", *_DAY, "price_per_mwh", "price_per_mwh",
        ("direction",), (("resolution_s", 4),),
    ),
    Fault(
        "half-hourly prices", "prices by the half hour",
        "prices", "entsoe_day_ahead_prices", "IE_SEM", "2025-09-10T22:00Z", "2025-09-11T22:00Z",
        *_AUCTIONS,
    ),
    Fault(
        "Points without a value", "points with a position alone",
        "generation", "entsoe_generation", "DE_LU", "2024-05-14T22:00Z", "2024-05-15T22:00Z",
        "generation_mw", "generation_mw", ("psr_type",),
    ),
    Fault(
        "a curve twice", "a curve in two TimeSeries, some days",
        "load", "entsoe_load", "FR", "2025-05-01T22:00Z", "2025-05-28T22:00Z", "load_mw", "load_mw",
    ),
)  # fmt: skip


def seconds(text: str) -> int:
    """Seconds since 1970 of ``2025-10-12T22:00Z``."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


NOW = "2025-11-20T00:00:00Z"
NOW_S = seconds(NOW)

_DIRECTIONS = {"A01": "up", "A02": "down"}


def truth(
    platform: Any, key: str, zone: str, window: tuple[str, str], column: str, names: tuple[str, ...],
    keep: tuple[tuple[str, object], ...] = (),
) -> list[Value]:  # fmt: skip
    """The values that the sandbox's model has in a window, named by ``names``."""
    first, end = (seconds(text) for text in window)
    rows = platform.rows(key, first, end - 1, NOW_S, every=False, scope=zone)
    spelt = {"auction_sequence": "sequence"}
    chosen = [
        n for n in range(len(rows["time"])) if all(rows[name][n] == value for name, value in keep)
    ]
    return [
        (
            int(rows["time"][n]),
            " ".join(
                _DIRECTIONS.get(text := str(rows[spelt.get(name, name)][n]), text) for name in names
            ),
            float(rows[column][n]),
        )
        for n in chosen
        if rows[column][n] == rows[column][n]
    ]


class Compared(NamedTuple):
    """Values against others: how many there should be, and what became of them."""

    wanted: int
    equal: int
    different: int
    missing: int
    beyond: int
    twice: int

    @property
    def said(self) -> str:
        """In words: all equal, or what is not."""
        if self.wanted == self.equal and not self.beyond and not self.twice:
            return f"all {self.equal:,} equal"
        odd = [
            f"{count:,} {what}"
            for count, what in (
                (self.different, "different"), (self.missing, "missing"),
                (self.beyond, "where none is"), (self.twice, "twice"),
            )
            if count
        ]  # fmt: skip
        return f"of {self.wanted:,}: {self.equal:,} equal, {', '.join(odd)}"


def compared(wanted: Iterable[Value], found: Iterable[Value]) -> Compared:
    """Found values against the wanted ones, slot by slot; of a slot told twice the first counts."""
    right = {(start, name): value for start, name, value in wanted}
    slots: Counter[tuple[int, str]] = Counter()
    first: dict[tuple[int, str], float] = {}
    for start, name, value in found:
        slots[start, name] += 1
        first.setdefault((start, name), value)
    both = right.keys() & first.keys()
    equal = sum(right[slot] == first[slot] for slot in both)
    return Compared(
        len(right), equal, len(both) - equal, len(right.keys() - both), len(first.keys() - both),
        sum(count > 1 for count in slots.values()),
    )  # fmt: skip
