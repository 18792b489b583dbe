"""What the portal lists: packages, their resources, and where each resource's content comes from."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from sandbox.calendar import DAY_S, day_number, day_of, day_text, instant_texts, one
from sandbox.neso import auctions, demand, embedded, seconds, wind
from sandbox.neso.auctions import Auctions
from sandbox.neso.demand import HOUR_S, Demand
from sandbox.neso.embedded import Embedded
from sandbox.neso.seconds import Seconds
from sandbox.neso.tables import Table
from sandbox.neso.wind import DayAheadWind

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
# A year of half hours takes some 20 MB as texts.
_TABLES_HELD = 8


@dataclass(frozen=True)
class Resource:
    """A file of a package: uploaded under a name, or a table of the datastore alone.

    `modified` is the instant of its newest content. A month of seconds has `month` instead of a
    table: it is too long for the datastore here.
    """

    id: str
    name: str
    file: str
    modified: int
    table: Callable[[], Table] | None = None
    month: int | None = None
    uploaded: bool = True
    format: str = "CSV"

    @property
    def last_modified(self) -> str:
        """The modification as the portal writes it: naive UTC with microseconds."""
        # Seconds as the portal shows them: an upload never ends on a whole one.
        micro = int.from_bytes(hashlib.blake2b(self.id.encode(), digest_size=2).digest()) + 1
        return f"{instant_texts(one(self.modified))[0][:19]}.{micro:06d}"


@dataclass(frozen=True)
class Package:
    """A data set of the portal."""

    id: str
    name: str
    title: str
    notes: str
    resources: list[Resource] = field(default_factory=list)


class Shelves:
    """The packages as they stand at an instant."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.demand = Demand(seed)
        self.embedded = Embedded(seed, self.demand)
        self.wind = DayAheadWind(seed)
        self.auctions = Auctions(seed)
        self.seconds = Seconds(seed)
        self._held: OrderedDict[tuple[str, int], Table] = OrderedDict()
        self._lock = threading.Lock()

    def held(self, resource: Resource) -> Table | None:
        """Return a resource's table, made once for each of its modifications."""
        if resource.table is None:
            return None
        key = resource.id, resource.modified
        with self._lock:
            found = self._held.pop(key, None)
            if found is not None:
                self._held[key] = found
                return found
        made = resource.table()
        with self._lock:
            self._held[key] = made
            if len(self._held) > _TABLES_HELD:
                self._held.popitem(last=False)
        return made

    def packages(self, now: int) -> list[Package]:
        """Return all packages in the order of their names."""
        return [
            self._demand(now),
            self._wind(now),
            self._old_auctions(now),
            self._new_auctions(now),
            self._embedded(now),
            self._seconds(now),
        ]

    def _package(self, name: str, title: str, notes: str) -> Package:
        return Package(self._id(name), name, title, notes)

    def _id(self, label: str) -> str:
        # Ids can be created anew on the real portal; here they differ with the seed.
        digest = hashlib.blake2b(f"{self.seed}/neso/{label}".encode(), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    def _demand(self, now: int) -> Package:
        package = self._package(
            "historic-demand-data",
            "Historic Demand Data",
            "Synthetic: demand, embedded generation and interconnector flows, half-hourly.",
        )
        newest = demand.published_to(now) - 1
        for year in range(demand.FIRST_YEAR, int(day_text(day_of(newest))[:4]) + 1):
            name = f"Historic Demand Data {year}"
            ended = day_number(date(year + 1, 1, 1))
            last = min(ended, (now - demand.PUBLISHED_S) // DAY_S)
            package.resources.append(
                Resource(
                    self._id(name),
                    name,
                    f"demanddata_{year}.csv",
                    last * DAY_S + demand.PUBLISHED_S,
                    lambda year=year: self.demand.table(year, now),  # type: ignore[misc]
                )
            )
        return package

    def _embedded(self, now: int) -> Package:
        package = self._package(
            "embedded-wind-and-solar-forecasts",
            "Embedded Wind and Solar Forecasts",
            "Synthetic: forecasts of small wind and sun for 14 days; DATE_GMT ends the period.",
        )
        hour = embedded.newest_hour(now)
        issued = hour + embedded.ISSUED_S
        stamp = instant_texts(one(issued))[0]
        stamp = stamp[:16].translate(str.maketrans("", "", "-:T"))
        name = "Embedded Solar and Wind Forecast"
        package.resources.append(
            Resource(
                self._id(name),
                name,
                f"{stamp}_embedded_forecast.csv",
                issued,
                lambda: self.embedded.current(now),
            )
        )
        name = "Embedded Definition"
        written = day_number(date(2015, 10, 23)) * DAY_S + 13 * HOUR_S
        package.resources.append(
            Resource(self._id(name), name, "definition-of-embedded.docx", written, format="DOC")
        )
        # What lies before the current file is in an archive, up to the last half hour.
        for year in range(embedded.FIRST_YEAR, int(day_text(day_of(hour - 1))[:4]) + 1):
            for suffix, first, end in _archive_parts(year):
                if first > day_of(hour - 1):
                    continue
                name = f"Embedded Solar and Wind Forecast Archive {year}{suffix}"
                modified = min(issued, end * DAY_S + embedded.ISSUED_S)
                package.resources.append(
                    Resource(
                        self._id(name),
                        name,
                        f"embedded_archive_{year}.csv",
                        modified,
                        lambda first=first, end=end: self.embedded.archive(  # type: ignore[misc]
                            first, end, now
                        ),
                        uploaded=not suffix,
                    )
                )
        return package

    def _wind(self, now: int) -> Package:
        package = self._package(
            "day-ahead-wind-forecast",
            "Day Ahead Wind Forecast",
            "Synthetic: the incentive forecast of metered wind for the next settlement day.",
        )
        issued = (wind.newest_day(now) - 1) * DAY_S + wind.ISSUED_S
        tables = (self.wind.current, self.wind.history)
        names = ("Day Ahead Wind Forecast", "Historic Day Ahead Wind Forecasts")
        files = ("day_ahead_wind_forecast.csv", "historic_day_ahead_wind_forecasts.csv")
        for name, file, table in zip(names, files, tables, strict=True):
            package.resources.append(
                Resource(
                    self._id(name),
                    name,
                    file,
                    issued,
                    lambda table=table: table(now),  # type: ignore[misc]
                )
            )
        return package

    def _old_auctions(self, now: int) -> Package:
        package = self._package(
            "dynamic-containment-data",
            "Dynamic Containment Data",
            "Synthetic: results of DC, DM and DR per EFA block until 2 November 2023.",
        )
        name = "DC, DR & DM Results Summary Master Data 2021-2023"
        modified = min(now, (auctions.LAST_OLD - 1) * DAY_S + auctions.PUBLISHED_S)
        package.resources.append(
            Resource(
                self._id(name),
                name,
                "dc_results_summary_master_data_2021-2023.csv",
                modified,
                lambda: self.auctions.old(now),
                uploaded=False,
            )
        )
        return package

    def _new_auctions(self, now: int) -> Package:
        package = self._package(
            "eac-auction-results",
            "EAC (Enduring Auction Capability) Auction Results",
            "Synthetic: results of response and reserve from 3 November 2023; times are UTC.",
        )
        newest = (now - auctions.PUBLISHED_S) // DAY_S
        # A financial year runs from 1 April; the present one has no year in its name.
        name = "NESO Response-Reserve Results Summary"
        year = _financial_year(newest + 1)
        for each in [year, *range(year - 1, 2022, -1)]:
            if each < 2023:
                continue
            first, last = day_number(date(each, 4, 1)), day_number(date(each + 1, 4, 1)) - 1
            archived = each != year
            full = f"{name} FY{each} (Archive)" if archived else name
            slug = name.lower().replace(" ", "-")
            package.resources.append(
                Resource(
                    self._id(full),
                    full,
                    f"{slug}-fy{each}-archive.csv",
                    (min(last, newest + 1) - 1) * DAY_S + auctions.PUBLISHED_S,
                    lambda first=first, last=last: self.auctions.new(  # type: ignore[misc]
                        first, last, now
                    ),
                    uploaded=archived,
                )
            )
        return package

    def _seconds(self, now: int) -> Package:
        package = self._package(
            "system-frequency-data",
            "System Frequency Data",
            "Synthetic: historic frequency data, one value a second in UTC.",
        )
        for month in seconds.months(now):
            year, number = month // 12, month % 12
            name = f"{_MONTHS[number]} {year} - Historic Frequency Data"
            file = f"{'fnew' if year >= 2020 else 'f'}-{year}-{number + 1}.csv"
            package.resources.append(
                Resource(self._id(name), name, file, seconds.published_at(month), month=month)
            )
        return package


def _archive_parts(year: int) -> list[tuple[str, int, int]]:
    first, end = day_number(date(year, 1, 1)), day_number(date(year + 1, 1, 1))
    if year < embedded.HALVES_FROM:
        return [("", first, end)]
    middle = day_number(date(year, 6, 12))
    return [(" (Jan- Jun)", first, middle), (" (Jun - Dec)", middle, end)]


def _financial_year(day: int) -> int:
    year, month = map(int, day_text(day).split("-")[:2])
    return year - (month < 4)
