"""ENTSO-E Transparency Platform: load, generation and day-ahead prices by bidding zone.

Request manners (reference of the platform, 2026): a token in the ``SECURITY_TOKEN`` header; windows
of at most one calendar month counted on the UTC stamps, so 28 days here; "no data" is a 200 with an
acknowledgement; day-ahead prices come as whole market days; 400 requests a minute and token, then a
ban of about ten minutes. The document's creation time is the moment of the answer, not of a
publication, so revisions are told apart by arrival.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from domain.errors import BrokenAnswer, Refused, SchemaError
from domain.ledger import Span
from domain.settlement import days_in, days_window
from domain.tables import Column, Table, conform
from domain.windows import Window
from domain.zones import MARKET_CLOCK, ZONES
from sources.dataset import Answer, Asker, Dataset, Provider
from sources.entsoe_xml import (
    ACKNOWLEDGEMENT,
    MOST_SLOTS_IN_ALL,
    Document,
    Series,
    expand,
    parse,
)
from sources.windows import keep_window
from utils import Setting, several, token

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

ZONES_SETTING = "ENTSOE_ZONES"
SETTINGS = (
    Setting(
        "ENTSOE_API_TOKEN",
        "",
        token,
        "Security token of the ENTSO-E API; without one its datasets are skipped.",
        secret=True,
    ),
    Setting(ZONES_SETTING, "DE_LU,FR", several(ZONES), "Bidding zones to fetch from ENTSO-E."),
)

_NARROWEST = timedelta(hours=1)
# How the platform says that a window is too wide; the wording has changed over the years.
_TOO_WIDE = re.compile(
    r"larger than maximum allowed period|exceeds the allowed (maximum|limit)|exceeds allowed limit"
)


@dataclass(frozen=True)
class Item:
    """How one data item is asked for: its codes, and which parameters hold the zone.

    ``rows`` turns the series of a document into columns of the table. Where ``whole_days``, an answer
    brings every market day that the window touches as a whole.
    """

    document_type: str
    zone_parameters: tuple[str, ...]
    rows: Callable[[Document, str], dict[str, Any]]
    extra: tuple[tuple[str, str], ...] = ()
    whole_days: bool = False

    def __call__(self, dataset: Dataset, scope: str, window: Window, client: Asker) -> Answer:
        import pandas as pd

        where = f"{dataset.key} {scope} {window}"
        parts = list(self._pieces(dataset, scope, window, client))
        frames = [pd.DataFrame(part.columns) for part in parts if part.columns]
        data: Any = pd.concat(frames) if frames else {c.spelling: [] for c in dataset.table.columns}
        rows = conform(dataset.table, data, where, later_wins=True)
        kept, stray = keep_window(dataset.table, rows, window, where, self._may_hold(window))
        return Answer(kept, stray, sum(p.bytes for p in parts), any(p.synthetic for p in parts))

    def _may_hold(self, window: Window) -> Window:
        """The span in which rows may lie that answer for the window."""
        if not self.whole_days:
            return window
        days = days_in(window, MARKET_CLOCK)
        span = days_window(days[0], days[-1], MARKET_CLOCK)
        return Window(span.start, span.end - timedelta(seconds=1))  # the end is not sent here

    def _pieces(
        self, dataset: Dataset, scope: str, window: Window, client: Asker
    ) -> Iterator[_Piece]:
        """The answers to a window; one that is refused as too wide is halved and asked again."""
        params = {
            "documentType": self.document_type,
            **dict(self.extra),
            **dict.fromkeys(self.zone_parameters, ZONES[scope].code(self.document_type)),
            "periodStart": f"{window.start:%Y%m%d%H%M}",
            "periodEnd": f"{window.end:%Y%m%d%H%M}",
        }
        try:
            document, body = client.get(dataset.key, "", params, parse)
        except Refused as refusal:
            said = _reason(refusal.body) or str(refusal)
            if not _TOO_WIDE.search(said) or window.length <= _NARROWEST:
                raise Refused(
                    f"ENTSO-E refused {dataset.key} of {scope} for {window}: {said}", refusal.status
                ) from None
            middle = window.start + window.length // 2 // _NARROWEST * _NARROWEST
            for half in (Window(window.start, middle), Window(middle, window.end)):
                yield from self._pieces(dataset, scope, half, client)
            return
        columns = {} if document.root == ACKNOWLEDGEMENT else self.rows(document, scope)
        yield _Piece(columns, len(body.content), body.synthetic)


@dataclass(frozen=True)
class _Piece:
    columns: dict[str, Any]
    bytes: int
    synthetic: bool


def _reason(body: bytes) -> str:
    """What an acknowledgement says; empty where the body is something else."""
    try:
        return parse(body).reason
    except (BrokenAnswer, SchemaError):
        return ""


def _slots(series: Iterable[Series], value: str) -> dict[str, Any]:
    """All slots of some series: period_start, resolution_s, the value, and which series it was.

    Slots without a value are left out. What else points hold becomes an empty column of that name,
    for ``conform`` to tell.
    """
    import numpy as np

    starts, seconds, values, owner = [], [], [], []
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
            slots = expand(period, one.fields.get("curveType", "A01"), MARKET_CLOCK)
            total += len(slots.start_s)
            if total > MOST_SLOTS_IN_ALL:
                raise SchemaError(
                    f"the document holds more than {MOST_SLOTS_IN_ALL} slots: it was not read."
                )
            others |= set(period.values) - {value}
            known = ~np.isnan(slots.values[value])
            starts.append(slots.start_s[known])
            seconds.append((slots.end_s - slots.start_s)[known])
            values.append(slots.values[value][known])
            owner.append(np.full(known.sum(), number))
    if not starts:
        return {}
    return {
        "period_start": np.concatenate(starts).astype("datetime64[s]"),
        "resolution_s": np.concatenate(seconds),
        value: np.concatenate(values),
        "series": np.concatenate(owner),
    } | {name: np.full(sum(map(len, starts)), None) for name in others}


def load_rows(document: Document, scope: str) -> dict[str, Any]:
    """Actual total load: one series of quantities."""
    slots = _slots(document.series, "quantity")
    if not slots:
        return {}
    owner = slots.pop("series")
    return slots | {"zone": [scope] * len(owner)}


def generation_rows(document: Document, scope: str) -> dict[str, Any]:
    """Generation and own consumption per type, side by side.

    A series with an ``outBiddingZone_Domain`` is consumption: both are published as positive numbers.
    """
    import numpy as np
    import pandas as pd

    key = ["period_start", "psr_type", "resolution_s"]
    sides = {}
    others: set[str] = set()
    types = sorted({s.fields.get("MktPSRType/psrType", "") for s in document.series})
    for side, direction in (("generation", "inBiddingZone"), ("consumption", "outBiddingZone")):
        series = [s for s in document.series if f"{direction}_Domain.mRID" in s.fields]
        slots = _slots(series, "quantity")
        if slots:
            places = [types.index(s.fields.get("MktPSRType/psrType", "")) for s in series]
            slots["psr_type"] = np.array(places)[slots.pop("series")]
            others |= set(slots) - {*key, "quantity"}
            sides[side] = pd.DataFrame({name: slots[name] for name in (*key, "quantity")}).rename(
                columns={"quantity": side}
            )
    if not sides:
        return {}
    frames = [frame.drop_duplicates(key, keep="last") for frame in sides.values()]
    both = frames[0] if len(frames) == 1 else frames[0].merge(frames[1], on=key, how="outer")
    both["psr_type"] = np.array(types, dtype=object)[both["psr_type"]]
    both["zone"] = scope
    return {name: both[name] for name in both.columns} | {
        name: np.full(len(both), None) for name in others
    }


def price_rows(document: Document, scope: str) -> dict[str, Any]:
    """Day-ahead prices; where a zone has two auctions the position says which, else it is 1."""
    import numpy as np

    slots = _slots(document.series, "price.amount")
    if not slots:
        return {}
    owner = slots.pop("series")
    fields = [series.fields for series in document.series]
    position = "classificationSequence_AttributeInstanceComponent.position"
    told = [f.get(position, "1") for f in fields]
    if not all(text.isdecimal() and len(text) < 4 for text in told):
        raise SchemaError(f"{position}: {told} holds what is no number; nothing was stored.")
    return slots | {
        "zone": [scope] * len(owner),
        "auction_sequence": np.array([int(text) for text in told])[owner],
        "currency": np.array([f.get("currency_Unit.name", "") for f in fields], dtype=object)[
            owner
        ],
    }


ZONE_COLUMN = Column("zone", "text", "", "Bidding zone")
START_COLUMN = Column("period_start", "time", "UTC", "Start of the interval")
RESOLUTION_COLUMN = Column("resolution_s", "int", "s", "Length of the interval")

LOAD = Table(
    name="entsoe_load",
    columns=(
        ZONE_COLUMN,
        START_COLUMN,
        RESOLUTION_COLUMN,
        Column(
            "load_mw", "float", "MW", "Mean actual total load", "quantity",
            bounds=(0.0, 200_000.0), smooth=1.5,
        ),
    ),
    key=("zone", "period_start"),
    time="period_start",
    scope="zone",
)  # fmt: skip

GENERATION = Table(
    name="entsoe_generation",
    columns=(
        ZONE_COLUMN,
        START_COLUMN,
        Column(
            "psr_type", "text", "", "Production type code, B01 to B25",
            known=tuple(f"B{number:02}" for number in range(1, 26)),
        ),
        RESOLUTION_COLUMN,
        Column(
            "generation_mw", "float", "MW", "Mean generation", "generation", optional=True,
            # What stands still draws a little.
            bounds=(-500.0, 100_000.0), smooth=1.5,
        ),
        Column(
            "consumption_mw",
            "float",
            "MW",
            "Mean own consumption, >= 0",
            "consumption",
            optional=True,
            bounds=(0.0, 100_000.0),
        ),
    ),
    key=("zone", "period_start", "psr_type"),
    time="period_start",
    scope="zone",
)  # fmt: skip

PRICES = Table(
    name="entsoe_day_ahead_prices",
    columns=(
        ZONE_COLUMN,
        START_COLUMN,
        Column("auction_sequence", "int", "", "1 is the price; 2 a second auction of the zone"),
        RESOLUTION_COLUMN,
        # The coupled auctions end between -500 and 5,000 EUR, in cents.
        Column(
            "price_per_mwh", "float", "currency/MWh", "Day-ahead price", "price.amount",
            bounds=(-10_000.0, 100_000.0), tick=0.01,
        ),
        Column("currency", "text", "", "Currency of the price"),
    ),
    key=("zone", "period_start", "auction_sequence", "currency"),
    time="period_start",
    scope="zone",
)  # fmt: skip

_A_MONTH = timedelta(days=28)
_RESTATED = (timedelta(days=2), timedelta(days=4), timedelta(days=8))


def _by_zone(
    key: str,
    title: str,
    table: Table,
    item: Item,
    completeness: Span,
    lag: timedelta,
    revisions: tuple[timedelta, ...] = (),
) -> Dataset:
    """A dataset that is asked for zone by zone, with the token."""
    return Dataset(
        key=key,
        aliases=(item.document_type,),
        title=title,
        provider=ENTSOE,
        table=table,
        read=item,
        widest=_A_MONTH,
        completeness=completeness,
        lag=lag,
        revisions=revisions,
        available_from=date(2015, 1, 5),
        groups=("core", "entsoe"),
        scopes_setting=ZONES_SETTING,
        needs=("ENTSOE_API_TOKEN",),
        rows_a_day=1500,
        priority=30,
    )


DATASETS = (
    _by_zone(
        "entsoe_load",
        "Actual total load by bidding zone",
        LOAD,
        Item("A65", ("outBiddingZone_Domain",), load_rows, (("processType", "A16"),)),
        Span("resolution_s"),
        timedelta(hours=4),
        _RESTATED,
    ),
    _by_zone(
        "entsoe_generation",
        "Actual generation and own consumption by bidding zone and type",
        GENERATION,
        Item("A75", ("in_Domain",), generation_rows, (("processType", "A16"),)),
        Span("resolution_s", "psr_type"),
        timedelta(hours=4),
        _RESTATED,
    ),
    _by_zone(
        "entsoe_day_ahead_prices",
        "Day-ahead prices by bidding zone",
        PRICES,
        Item(
            "A44",
            ("in_Domain", "out_Domain"),
            price_rows,
            (("contract_MarketAgreement.type", "A01"),),
            whole_days=True,
        ),
        Span("resolution_s", "auction_sequence"),
        timedelta(0),
    ),
)
