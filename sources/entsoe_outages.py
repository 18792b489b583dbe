"""ENTSO-E outages of production units, generation units and the grid: what is available, and when.

A message (``mrid``) has one row for each stretch of time in which the available power is the same. A
newer revision takes the place of the one before it, whose rows go to history. An outage is answered on
every day that it touches, so rows may begin long before the day that was asked for. The platform
gives messages that were withdrawn only to who asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from domain.errors import SchemaError
from domain.ledger import Events
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.entsoe import (
    RESOLUTION_COLUMN,
    START_COLUMN,
    ZONE_COLUMN,
    ZONES_SETTING,
    Item,
    borders_asked,
    dataset_of,
    in_unit,
    slots,
)
from sources.entsoe_xml import Document, Series

# --- documents into rows --------------------------------------------------------------------------

STATUSES = {"A05": "active", "A09": "cancelled", "A13": "withdrawn"}
KINDS = {"A53": "planned", "A54": "forced"}
_SPAN = "unavailability_Time_Period.timeInterval"
_PLANT = "production_RegisteredResource"
_UNIT = f"{_PLANT}.pSRType.powerSystemResources"
_ASSET = "Asset_RegisteredResource"


def unit_rows(document: Document, scope: str) -> dict[str, Any]:
    """Stretches of an outage of a unit; of a generation unit the plant is told beside it."""
    rows = _rows(document, scope)
    for row in rows:
        fields = row.pop("fields")
        unit, plant = fields.get(f"{_UNIT}.mRID"), fields.get(f"{_PLANT}.mRID")
        name, plant_name = fields.get(f"{_UNIT}.name"), fields.get(f"{_PLANT}.name")
        row |= {
            "zone": scope,
            "unit_eic": unit or plant,
            "unit_name": name or plant_name,
            "plant_eic": plant,
            "plant_name": plant_name,
            "psr_type": fields.get(f"{_PLANT}.pSRType.psrType"),
            "location": fields.get(f"{_PLANT}.location.name"),
            "installed_mw": _number(fields.get(f"{_UNIT}.nominalP")),
        }
    return _columns(rows)


def grid_rows(document: Document, scope: str) -> dict[str, Any]:
    """Stretches of an outage of the grid, with the assets that are out."""
    start, _, end = scope.partition(">")
    rows = _rows(document, scope)
    for row in rows:
        fields = row.pop("fields")
        row |= {
            "border": scope,
            "from_zone": start,
            "to_zone": end,
            "asset_eic": _listed(fields, f"{_ASSET}/mRID"),
            "asset_name": _listed(fields, f"{_ASSET}/name"),
            "asset_type": _listed(fields, f"{_ASSET}/asset_PSRType.psrType"),
            "location": _listed(fields, f"{_ASSET}/location.name"),
        }
    return _columns(rows)


def _rows(document: Document, scope: str) -> list[dict[str, Any]]:
    """What all outages have, a row a stretch; one that tells no power has a single row without it."""
    facts = document.fields
    status = facts.get("docStatus/value", "A05")
    message = {
        "mrid": facts.get("mRID"),
        "revision": _whole_number(facts.get("revisionNumber", "1")),
        "status": STATUSES.get(status, status),
        "reason_code": _listed(facts, "Reason/code"),
        "reason": _listed(facts, "Reason/text"),
        "outage_start": facts.get(f"{_SPAN}/start"),
        "outage_end": facts.get(f"{_SPAN}/end"),
    }
    return [
        message
        | {
            "series": series.fields.get("mRID", str(number)),
            "outage_type": KINDS.get(kind := series.fields.get("businessType", ""), kind),
            "fields": series.fields,
        }
        | stretch
        for number, series in enumerate(_each_once(document.series) or [Series()], 1)
        for stretch in _stretches(document, series, scope)
    ]


def _each_once(series: list[Series]) -> list[Series]:
    """Series without those that say the same again under another number."""
    told: dict[str, Series] = {}
    for one in series:
        told.setdefault(one.content("mRID"), one)
    return list(told.values())


def _stretches(document: Document, series: Series, scope: str) -> Iterator[dict[str, Any]]:
    in_unit([series], "MAW")
    found = slots([series], "quantity", scope, join=True)
    if found and len(found["series"]):
        del found["series"]
        for values in zip(*found.values(), strict=True):
            yield dict(zip(found, values, strict=True))
        return
    start, end = _span(document, series)
    seconds = int((end - start).total_seconds())
    yield {"period_start": start, "resolution_s": seconds, "quantity": None}


def _span(document: Document, series: Series) -> tuple[datetime, datetime]:
    """The time of an outage as its series tells it, else as its document does."""
    ends = []
    for side in ("start", "end"):
        day, clock = (
            series.fields.get(f"{side}_DateAndOrTime.{part}") for part in ("date", "time")
        )
        told = f"{day}T{clock}" if day and clock else document.fields.get(f"{_SPAN}/{side}", "")
        try:
            ends.append(datetime.fromisoformat(told.removesuffix("Z") + "+00:00"))
        except ValueError:
            raise SchemaError(
                f"an outage without power tells no {side} ({told[:40]!r}); nothing of the document was "
                "stored."
            ) from None
    return ends[0], ends[1]


def _listed(fields: dict[str, str], name: str) -> str | None:
    """All values of an element that may come several times."""
    values = [text for key, text in fields.items() if key == name or key.startswith(f"{name}[")]
    return "; ".join(dict.fromkeys(values)) or None


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise SchemaError(
            f"nominalP: {text[:40]!r} is not a number; nothing of the document was stored."
        ) from None


def _whole_number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise SchemaError(
            f"revisionNumber: {text[:20]!r} is not a number; nothing of the document was stored."
        )
    return int(text)


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    import pandas as pd

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    times = pd.to_datetime(pd.Series(columns["period_start"]), utc=True)
    return columns | {"period_start": times.astype("datetime64[us, UTC]")}


# --- tables ---------------------------------------------------------------------------------------


def _text(name: str, description: str) -> Column:
    return Column(name, "text", "", description, optional=True)


_MESSAGE = (
    Column("mrid", "text", "", "Message"),
    Column("series", "text", "", "Its part, mostly 1"),
    START_COLUMN,
    RESOLUTION_COLUMN,
    Column(
        "available_mw", "float", "MW", "Power that stays available; empty where not told",
        "quantity", optional=True, bounds=(-1_000.0, 200_000.0),
    ),
    Column("revision", "int", "", "Revision of the message"),
    Column(
        "status", "text", "", "active, cancelled or withdrawn", known=tuple(STATUSES.values())
    ),
    Column("outage_type", "text", "", "planned or forced", known=tuple(KINDS.values())),
    Column("outage_start", "time", "UTC", "When the outage begins", optional=True),
    Column("outage_end", "time", "UTC", "When it ends", optional=True),
    _text("reason_code", "Reason codes"),
    _text("reason", "Reason"),
)  # fmt: skip


def _table(name: str, scope: tuple[Column, ...], what: tuple[Column, ...]) -> Table:
    first = scope[0].name
    return Table(
        name=name,
        columns=(*scope, *_MESSAGE, *what),
        key=(first, "mrid", "series", "period_start"),
        time="period_start",
        scope=first,
        revision="revision",
        whole=(first, "mrid"),
    )


_UNIT_COLUMNS = (
    Column(
        "installed_mw", "float", "MW", "Nominal power of the unit",
        optional=True, bounds=(0.0, 20_000.0),
    ),
    _text("unit_eic", "EIC of the unit"),
    _text("unit_name", "Name of the unit"),
    _text("plant_eic", "EIC of its plant"),
    _text("plant_name", "Name of its plant"),
    _text("psr_type", "Production type code, B01 to B25"),
    _text("location", "Where"),
)  # fmt: skip

GENERATION_OUTAGES = _table("entsoe_outages_generation", (ZONE_COLUMN,), _UNIT_COLUMNS)
PRODUCTION_OUTAGES = _table("entsoe_outages_production", (ZONE_COLUMN,), _UNIT_COLUMNS)
TRANSMISSION_OUTAGES = _table(
    "entsoe_outages_transmission",
    (
        Column("border", "text", "", "Border and direction, FROM>TO"),
        Column("from_zone", "text", "", "Zone that power leaves"),
        Column("to_zone", "text", "", "Zone that power enters"),
    ),
    (
        _text("asset_eic", "EIC of what is out"),
        _text("asset_name", "Name of what is out"),
        _text("asset_type", "Kind of asset, B21 to B24"),
        _text("location", "Where"),
    ),
)

# --- datasets -------------------------------------------------------------------------------------

_DOCUMENTS = 200  # at most in one answer
_WITHDRAWN = (("DocStatus", "A13"),)


def _outages(code: str, title: str, table: Table, rows: Any, **more: Any) -> Dataset:
    border = table.scope == "border"
    places = ("Out_Domain", "In_Domain") if border else ("BiddingZone_Domain",)
    item = Item(code, places, rows, variants=((), _WITHDRAWN), page=_DOCUMENTS)
    return dataset_of(
        table.name,
        title,
        table,
        item,
        aliases=(code,),
        widest=timedelta(days=7),
        completeness=Events(),
        lag=timedelta(hours=4),
        revisions=tuple(timedelta(days=n) for n in (2, 8, 40)),
        # Longer outages are stored, too; only the count of a day passes over them.
        reach=timedelta(days=31),
        rows_a_day=500,
        priority=50,
        **more,
    )


DATASETS = (
    _outages(
        "A80",
        "Outages of generation units by bidding zone: available power, newest revision",
        GENERATION_OUTAGES,
        unit_rows,
        scopes_setting=ZONES_SETTING,
    ),
    _outages(
        "A77",
        "Outages of production units by bidding zone: available power, newest revision",
        PRODUCTION_OUTAGES,
        unit_rows,
        scopes_setting=ZONES_SETTING,
    ),
    _outages(
        "A78",
        "Outages of the grid by border and direction: available capacity, newest revision",
        TRANSMISSION_OUTAGES,
        grid_rows,
        scopes_of=borders_asked,
    ),
)
