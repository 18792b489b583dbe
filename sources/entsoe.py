"""ENTSO-E Transparency Platform: provider, settings, and how one data item is asked for.

Request manners (reference of the platform, 2026): a token in the ``SECURITY_TOKEN`` header; windows
of at most one calendar month counted on the UTC stamps, so 28 days here; "no data" is a 200 with an
acknowledgement; day-ahead prices come as whole market days; 400 requests a minute and token, then a
ban of about ten minutes. The document's creation time is the moment of the answer, not of a
publication, so revisions are told apart by arrival.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.errors import BrokenAnswer, Refused, SchemaError
from domain.ledger import Publication
from domain.settlement import days_in, days_window
from domain.tables import Column, Table, conform
from domain.windows import Window
from domain.zones import (
    MARKET_CLOCK,
    ZONES,
    borders_of,
    control_areas_of,
    ends_of,
    find_border,
    find_zones,
    imbalance_areas_of,
    published,
)
from sources.dataset import Answer, Asker, Dataset, Provider
from sources.entsoe_taken import taken_back
from sources.entsoe_xml import (
    ACKNOWLEDGEMENT,
    MOST_SLOTS_IN_ALL,
    Document,
    Series,
    expand,
    parse,
)
from sources.entsoe_zip import is_zip, members, shown
from sources.windows import keep_window
from utils import Setting, token, words

if TYPE_CHECKING:
    import pandas as pd

    from sources.transport import Body

ENTSOE = Provider(
    key="entsoe",
    title="ENTSO-E Transparency Platform",
    base_url="https://web-api.tp.entsoe.eu/api",
    requests_per_s=6,
    accept="application/xml",
    deadline_s=900,
    ban_s=600,
    token_header="SECURITY_TOKEN",
    token_setting="ENTSOE_API_TOKEN",
    attribution=(
        "Contains data of the ENTSO-E Transparency Platform, https://transparency.entsoe.eu, under "
        "its terms and conditions"
    ),
)

ZONES_SETTING, BORDERS_SETTING = "ENTSOE_ZONES", "ENTSOE_BORDERS"
SETTINGS = (
    Setting(
        "ENTSOE_API_TOKEN",
        "",
        token,
        "Security token of the ENTSO-E API; without one its datasets are skipped.",
        secret=True,
    ),
    Setting(
        ZONES_SETTING,
        "DE_LU,FR",
        lambda value: find_zones(words(value)),
        "Areas to fetch from ENTSO-E, by key or EIC code; all: every live bidding zone.",
    ),
    Setting(
        BORDERS_SETTING,
        "",
        lambda value: tuple(dict.fromkeys(map(find_border, words(value)))),
        "Borders to fetch from ENTSO-E, as FR>DE_LU; empty: both directions of all that ENTSOE_ZONES have.",
    ),
)


def borders_asked(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Scopes of datasets by border."""
    return settings[BORDERS_SETTING] or borders_of(settings[ZONES_SETTING])


def control_areas_asked(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Scopes of datasets by control area."""
    return control_areas_of(settings[ZONES_SETTING])


def imbalance_areas_asked(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Scopes of datasets by area of one imbalance price."""
    return imbalance_areas_of(settings[ZONES_SETTING])


Parameters = tuple[tuple[str, str], ...]

_NARROWEST = timedelta(hours=1)
_LAST_OFFSET = 4800
_NO_DATA = "No matching data found"
# How it refuses an item that an area does not have: it has no rows, and will have none tomorrow.
_NOT_OF_AREA = "not valid for this area"
# How the platform says that a window is too wide; the wording has changed over the years.
_TOO_WIDE = re.compile(
    r"larger than maximum allowed period|exceeds the allowed (maximum|limit)|exceeds allowed limit"
)


@dataclass(frozen=True)
class Item:
    """How one data item is asked for: its codes, and which parameters hold the zone, or both of a border.

    ``rows`` turns the series of a document into columns of the table; ``together`` does to the rows of
    a whole answer what no document alone can tell. Answers to all ``variants`` of the parameters make
    up one. Where ``whole_days``, an answer brings every market day that the window touches as a whole.
    ``page`` is how many documents come at most at once, where the item is asked page by page.
    """

    document_type: str
    zone_parameters: tuple[str, ...]
    rows: Callable[[Document, str], dict[str, Any]]
    extra: Parameters = ()
    whole_days: bool = False
    variants: tuple[Parameters, ...] = ((),)
    page: int = 0
    together: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Asker) -> Answer:
        import pandas as pd

        where = f"{dataset.key} {scope} {window}"
        parts = [
            part
            for variant in self.variants
            for part in self._pieces(dataset, scope, window, client, variant)
        ]
        frames = [part.rows for part in parts if part.rows is not None]
        data: Any = pd.concat(frames) if frames else {c.spelling: [] for c in dataset.table.columns}
        rows = conform(dataset.table, data, where, later_wins=True)
        may_hold = self._may_hold(window)
        kept, stray = keep_window(dataset.table, rows, window, where, may_hold, dataset.reach)
        taken = [part.taken_back for part in parts if part.taken_back is not None]
        return Answer(
            kept,
            stray,
            bytes=sum(part.bytes for part in parts),
            synthetic=any(part.synthetic for part in parts),
            said="; ".join(dict.fromkeys(part.said for part in parts if part.said)),
            taken_back=conform(dataset.table.spans, pd.concat(taken), where).frame
            if taken
            else None,
        )

    def address(self, scope: str) -> dict[str, str]:
        """The parameters that say where: an area, or the border between two."""
        if ">" in scope:
            codes = (zone.code(self.document_type) for zone in ends_of(scope))
            return dict(zip(self.zone_parameters, codes, strict=True))
        return dict.fromkeys(self.zone_parameters, ZONES[scope].code(self.document_type))

    def published(self, scope: str) -> Publication:
        """The days of which the scope has this document at all."""
        return published(scope, self.document_type)

    def _may_hold(self, window: Window) -> Window:
        """The span in which rows may lie that answer for the window."""
        if not self.whole_days:
            return window
        days = days_in(window, MARKET_CLOCK)
        span = days_window(days[0], days[-1], MARKET_CLOCK)
        return Window(span.start, span.end - timedelta(seconds=1))  # the end is not sent here

    def _pieces(
        self, dataset: Dataset, scope: str, window: Window, client: Asker, variant: Parameters
    ) -> Iterator[_Piece]:
        """The answers to a window; one that is refused as too wide is halved and asked again.

        A refusal for want of data ends the pages, and those before it count.
        """
        params = {
            "documentType": self.document_type,
            **dict(self.extra),
            **dict(variant),
            **self.address(scope),
            "periodStart": f"{window.start:%Y%m%d%H%M}",
            "periodEnd": f"{window.end:%Y%m%d%H%M}",
        }
        pages: list[tuple[list[Document], Body]] = []
        try:
            for page in self._pages(dataset, params, client):
                pages.append(page)
        except (Refused, _TooMany) as refusal:
            said = str(refusal)
            if isinstance(refusal, Refused):
                said = _reason(refusal.body) or said
                if _NO_DATA in said:  # as the platform put it before it answered 200: no more pages
                    yield self._piece(dataset.table, pages, scope)
                    return
                if _NOT_OF_AREA in said and not pages:
                    yield _Piece(said=said)
                    return
                if not _TOO_WIDE.search(said):
                    raise Refused(
                        f"ENTSO-E refused {dataset.key} of {scope} for {window}: {said}",
                        refusal.status,
                    ) from None
            if window.length <= _NARROWEST:
                raise Refused(
                    f"ENTSO-E does not give {dataset.key} of {scope} for {window}, narrow as it is: "
                    f"{said}",
                    getattr(refusal, "status", 200),
                ) from None
            half = window.length // 2 // _NARROWEST * _NARROWEST
            middle = window.start + max(half, _NARROWEST)
            for part in (Window(window.start, middle), Window(middle, window.end)):
                yield from self._pieces(dataset, scope, part, client, variant)
            return
        yield self._piece(dataset.table, pages, scope)

    def _pages(
        self, dataset: Dataset, params: Mapping[str, str], client: Asker
    ) -> Iterator[tuple[list[Document], Body]]:
        """The pages of an answer, up to the first that is not full; one that fails fails the answer.

        Raises _TooMany where the platform has more than it gives, or gives the same page again.
        """
        if not self.page:
            yield client.get(dataset.key, "", params, self._documents)
            return
        before = ""
        for offset in range(0, _LAST_OFFSET + 1, self.page):
            page, body = client.get(
                dataset.key, "", {**params, "offset": str(offset)}, self._documents
            )
            yield page, body
            # What the platform counts are documents of some items and series of others.
            if max(len(page), sum(len(document.series) for document in page)) < self.page:
                return
            now = _fingerprint(page)
            if now == before:  # as in late 2025, when offsets were not heeded for days
                raise _TooMany(f"the page at offset {offset} repeats the one before it")
            before = now
        most = _LAST_OFFSET + self.page
        raise _TooMany(f"it has more than the {most} documents that it gives at most")

    def _documents(self, body: bytes) -> list[Document]:
        """The documents of an answer; SchemaError where one is not of the type that was asked for."""
        found = documents(body)
        for document in found:
            told = document.fields.get("type", self.document_type)
            if told != self.document_type:
                raise SchemaError(
                    f"a document of type {told[:20]} came where {self.document_type} was asked for; "
                    "nothing of the answer was stored."
                )
        return found

    def _piece(self, table: Table, pages: list[tuple[list[Document], Body]], scope: str) -> _Piece:
        every = [document for page, _ in pages for document in page]
        rows = self._frame(every, scope)
        if rows is not None and self.together:
            rows = self.together(rows)
        taken = []
        if table.lasts:
            names = [column.spelling for column in table.columns if column.dtype == "float"]
            taken = [back for one in every if (back := taken_back(one, ["quantity", *names]))]
        bodies = [body for _, body in pages]
        return _Piece(
            rows,
            sum(len(body.content) for body in bodies),
            any(body.synthetic for body in bodies),
            taken_back=self._frame(taken, scope),
        )

    def _frame(self, documents: list[Document], scope: str) -> pd.DataFrame | None:
        """The rows of documents; None without any."""
        import pandas as pd

        columns = [self.rows(document, scope) for document in documents]
        frames = [frame for each in columns if each and len(frame := pd.DataFrame(each))]
        return pd.concat(frames, ignore_index=True) if frames else None


@dataclass(frozen=True)
class _Piece:
    rows: pd.DataFrame | None = None
    bytes: int = 0
    synthetic: bool = False
    said: str = ""
    taken_back: pd.DataFrame | None = None


def dataset_of(key: str, title: str, table: Table, item: Item, **more: Any) -> Dataset:
    """A dataset of the platform: asked for with the token, from the day on which it began."""
    usual: dict[str, Any] = {"available_from": date(2015, 1, 5), "groups": ("entsoe",)}
    return Dataset(
        key=key,
        title=title,
        provider=ENTSOE,
        table=table,
        read=item,
        publication=item.published,
        needs=("ENTSOE_API_TOKEN",),
        **(usual | more),
    )


class _TooMany(Exception):
    """A window has more documents than can be had of it at once."""


def documents(body: bytes) -> list[Document]:
    """The documents of an answer, be it one or an archive, without those that say "no matching data".

    Raises BrokenAnswer and SchemaError as ``parse`` and ``members`` do, naming the member; Refused where
    the platform acknowledges anything else.
    """
    if not is_zip(body):
        found = [parse(body)]
    else:
        found = [_of_member(name, content) for name, content in members(body)]
    for document in found:
        if document.root == ACKNOWLEDGEMENT and _NO_DATA not in document.reason:
            raise Refused(document.reason, 200)
    return [document for document in found if document.root != ACKNOWLEDGEMENT]


def _of_member(name: str, content: bytes) -> Document:
    try:
        return parse(content)
    except (BrokenAnswer, SchemaError) as trouble:
        raise type(trouble)(f"member {shown(name)} of the archive: {trouble}") from None


def _fingerprint(page: list[Document]) -> str:
    """The same exactly for pages of the same series; what a document says of itself is new each time."""
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for series in (series for document in page for series in document.series):
        digest.update(series.content().encode())
    return digest.hexdigest()


def _reason(body: bytes) -> str:
    """What an acknowledgement says; empty where the body is something else."""
    try:
        return parse(body).reason
    except (BrokenAnswer, SchemaError):
        return ""


def in_unit(series: Iterable[Series], unit: str, told: str = "quantity_Measure_Unit.name") -> None:
    """Raise SchemaError where a series is told to be in another unit than the table holds."""
    for one in series:
        if one.fields.get(told, unit) != unit:
            raise SchemaError(
                f"a {told.partition('_')[0]} in {one.fields[told][:20]} came where the platform sent "
                f"{unit} before; nothing of the document was stored."
            )


def slots(
    series: Iterable[Series],
    value: str,
    scope: str,
    beside: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    *,
    join: bool = False,
) -> dict[str, Any]:
    """All slots of some series: period_start, resolution_s, the value, and which series it was.

    Other numbers may stand ``beside`` the value, and ``words``; a slot without any number is left
    out. What else points hold becomes an empty column of that name, for ``conform`` to tell. ``join``
    as in ``expand``.
    """
    import numpy as np

    numbers = (value, *beside)
    found: dict[str, list[Any]] = {
        name: [] for name in ("period_start", "resolution_s", *numbers, *words, "series")
    }
    others: set[str] = set()
    total = 0
    for number, one in enumerate(series):
        for period in one.periods:
            if value not in period.values:
                if period.values:
                    raise SchemaError(
                        f"points hold {', '.join(period.values)} and no {value}; the platform may have "
                        "renamed it, and nothing of the document was stored."
                    )
                continue
            curve, clock = one.fields.get("curveType", "A01"), _clock(period.start, scope)
            part = expand(period, curve, clock, join=join)
            total += len(part.start_s)
            if total > MOST_SLOTS_IN_ALL:
                raise SchemaError(
                    f"the document holds more than {MOST_SLOTS_IN_ALL} slots: it was not read."
                )
            others |= {*period.values, *period.words} - {*numbers, *words}
            absent = np.full(len(part.start_s), np.nan)
            columns = [part.values.get(name, absent) for name in numbers]
            known = ~np.isnan(columns[0]) if not beside else ~np.isnan(columns).all(axis=0)
            found["period_start"].append(part.start_s[known])
            found["resolution_s"].append((part.end_s - part.start_s)[known])
            for name, column in zip(numbers, columns, strict=True):
                found[name].append(column[known])
            for name in words:
                unsaid = np.full(len(part.start_s), None)
                found[name].append(part.words.get(name, unsaid)[known])
            found["series"].append(np.full(known.sum(), number))
    if not found["series"]:
        return {}
    rows = {name: np.concatenate(pieces) for name, pieces in found.items()}
    rows["period_start"] = rows["period_start"].astype("datetime64[s]")
    return rows | {name: np.full(len(rows["series"]), None) for name in others}


def _clock(start: datetime, scope: str) -> ZoneInfo:
    """The clock in whose days, weeks and years a period steps: where it begins at midnight."""
    own = ZONES[scope].clock if scope in ZONES else MARKET_CLOCK
    return own if start.astimezone(own).time() == time() else MARKET_CLOCK


ZONE_COLUMN = Column("zone", "text", "", "Bidding zone")
START_COLUMN = Column("period_start", "time", "UTC", "Start of the interval")
RESOLUTION_COLUMN = Column("resolution_s", "int", "s", "Length of the interval")
