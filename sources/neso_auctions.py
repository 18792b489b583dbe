"""Results of the auctions for dynamic response (DC, DM, DR): the closed ones, and those of the EAC.

The files until November 2023 write British local time, the Enduring Auction Capability's write UTC;
neither says so. The old ones name the EFA block, by which their clock is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from domain.errors import SchemaError
from domain.ledger import Rows
from domain.settlement import LONDON, ONE_DAY
from domain.tables import Column, Table
from domain.windows import Window
from sources.dataset import Dataset
from sources.neso_packages import Resource
from sources.neso_rows import (
    IGNORED,
    NESO,
    CsvFiles,
    Form,
    Listing,
    column_of,
    days,
    instants,
    numbers,
    with_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa

SERVICES = ("DCH", "DCL", "DMH", "DML", "DRH", "DRL")
# Reserve is sold in the same auction; its half hours are no response.
RESERVE = ("NBR", "PBR", "NQR", "PQR", "NSR", "PSR")
DFR, EAC = "DFR", "EAC"
# What the old files state of a block, beside what follows from its time.
STATED_DATE, STATED_BLOCK = "EFA Date", "EFA"
# The EAC's first delivery, of which the old auctions' last is the eve.
EAC_FROM = datetime(2023, 11, 2, 23, tzinfo=UTC)
BLOCKS_A_DAY = 6

RESPONSE_AUCTIONS = Table(
    name="response_auctions",
    columns=(
        Column("delivery_start", "time", "UTC", "Start of the EFA block"),
        Column(
            "service",
            "text",
            "",
            "Dynamic Containment, Moderation or Regulation (DC, DM, DR) for high (H) or low (L) frequency",
            known=SERVICES,
        ),
        Column("delivery_end", "time", "UTC", "End of the block: 3, 4 or 5 hours later"),
        Column(
            "cleared_volume_mw",
            "float",
            "MW",
            "Volume that cleared; 0 where none did",
            bounds=(0.0, 10_000.0),
        ),
        Column(
            "clearing_price_gbp_per_mw_per_h",
            "float",
            "GBP/MW/h",
            "Price for a MW held for an hour; until November 2023 also 0 where nothing cleared",
            optional=True,
            bounds=(-1_000.0, 5_000.0),
        ),
        Column("efa_date", "date", "", "EFA day, 23:00 to 23:00 Europe/London"),
        Column("efa_block", "int", "", "EFA block, 1 to 6, by the British wall clock"),
        Column(
            "auction",
            "text",
            "",
            "DFR until November 2023, then EAC (Enduring Auction Capability)",
            known=(DFR, EAC),
        ),
        Column("auction_id", "int", "", "Number of the auction (EAC)", "auctionID", optional=True),
        Column(
            "linked_service_window_id",
            "int",
            "",
            "Window that it is linked with, if any (EAC)",
            "linkedServiceWindowID",
            optional=True,
        ),
    ),
    key=("delivery_start", "service"),
    time="delivery_start",
)


# --- which files ----------------------------------------------------------------------------------

_OLD = "DC, DR & DM Results Summary Master Data 2021-2023"
_NEW = "NESO Response-Reserve Results Summary"


def _files(listing: Listing, window: Window) -> Iterator[tuple[Resource, Form]]:
    # A day's margin at each seam: rows that both sides have are the same.
    if window.start < EAC_FROM + ONE_DAY:
        yield listing("dynamic-containment-data").named(_OLD), Form(_old_moments, _old_columns)
    if window.end <= EAC_FROM - ONE_DAY:
        return
    package = listing("eac-auction-results")
    present = package.named(_NEW)
    archived = package.by(
        rf"(?:{_NEW}|{_NEW} FY(\d{{4}}) \(Archive\))",
        lambda match: int(match[1] or 0),
        f"{_NEW} FY<year> (Archive)",
    )
    # The year that has no archive yet stands in the present file.
    del archived[0]
    latest = max(archived, default=0)
    first = _financial_year(max(window.start - ONE_DAY, EAC_FROM))
    years = range(first, _financial_year(window.end + ONE_DAY) + 1)
    for resource in package.pick(archived, years) if archived else ():
        yield resource, Form(_new_moments, _new_columns)
    if years[-1] > latest:
        yield present, Form(_new_moments, _new_columns)


def _financial_year(moment: datetime) -> int:
    """The year in which the financial year of a moment began, on 1 April."""
    return moment.year - (moment.month < 4)


# --- how they read --------------------------------------------------------------------------------


def _old_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    return _from_local(rows, "Delivery Start", where)


def _from_local(rows: pa.Table, name: str, where: str) -> pa.Array:
    """UTC of British local times; no block starts in the hour that a clock change repeats or skips."""
    import pyarrow as pa
    import pyarrow.compute as pc

    naive = instants(column_of(rows, name, where), name, where).cast(pa.timestamp("us"))
    try:
        local = pc.assume_timezone(naive, "Europe/London")
    except pa.ArrowInvalid as trouble:
        raise SchemaError(
            f"'{name}' in {where} names a time that the British clock does not have or has twice "
            f"({trouble}); nothing of this window was stored."
        ) from None
    return local.cast(pa.timestamp("us", "UTC"))


def _old_columns(rows: pa.Table, moments: pa.Array, _: Resource, where: str) -> pa.Table:
    import pyarrow as pa

    named = {
        "service": column_of(rows, "Service", where),
        "delivery_end": _from_local(rows, "Delivery End", where),
        "cleared_volume_mw": column_of(rows, "Cleared Volume", where),
        "clearing_price_gbp_per_mw_per_h": _column(rows, "Clearing Price", where),
        STATED_DATE: days(column_of(rows, "EFA Date", where), "EFA Date", where),
        STATED_BLOCK: column_of(rows, "EFA", where),
        "auction": pa.array([DFR] * len(rows), pa.string()),
    }
    used = ["Service", "Delivery Start", "Delivery End", "Cleared Volume", "Clearing Price"]
    return with_columns(rows, named | _efa(moments)).drop_columns(used)


def _new_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    return instants(column_of(rows, "deliveryStart", where), "deliveryStart", where)


def _new_columns(rows: pa.Table, moments: pa.Array, _: Resource, where: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    service = column_of(rows, "auctionProduct", where)
    response = pc.invert(pc.is_in(service, pa.array(RESERVE)))
    rows, moments = rows.filter(response), moments.filter(response)
    end = column_of(rows, "deliveryEnd", where)
    named = {
        "service": column_of(rows, "auctionProduct", where),
        "delivery_end": instants(end, "deliveryEnd", where),
        "cleared_volume_mw": column_of(rows, "clearedVolume", where),
        "clearing_price_gbp_per_mw_per_h": _column(rows, "clearingPrice", where),
        "auction": pa.array([EAC] * len(rows), pa.string()),
    }
    used = ["auctionProduct", "deliveryStart", "deliveryEnd", "clearedVolume", "clearingPrice"]
    return with_columns(rows, named | _efa(moments)).drop_columns(used)


def _column(rows: pa.Table, name: str, where: str) -> pa.Array:
    """A column whose cells may be empty, but which must be there."""
    column_of(rows.slice(0, 0), name, where)
    return rows.column(name)


def _efa(moments: pa.Array) -> dict[str, pa.Array]:
    """Start, EFA day and block: the wall clock an hour on, in steps of four hours."""
    import pandas as pd
    import pyarrow as pa

    wall = pd.Series(moments.to_pandas()).dt.tz_convert(LONDON).dt.tz_localize(None)
    wall = wall + pd.Timedelta(hours=1)
    return {
        "delivery_start": moments,
        "efa_date": pa.array(wall.dt.strftime("%Y-%m-%d"), pa.string()),
        "efa_block": pa.array(wall.dt.hour // 4 + 1, pa.int64()),
    }


def _check_blocks(rows: pa.Table, where: str) -> Iterator[str]:
    """Old rows whose time and EFA block contradict each other: when most do, the clock is another."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if STATED_BLOCK not in rows.column_names:
        return
    efa_block = RESPONSE_AUCTIONS.column("efa_block")
    block = numbers(RESPONSE_AUCTIONS, efa_block, rows[STATED_BLOCK], where)
    other = pc.or_(
        pc.not_equal(rows[STATED_DATE], rows["efa_date"]),
        pc.not_equal(block, rows["efa_block"].cast(pa.float64())),
    )
    wrong = rows.filter(pc.fill_null(other, False))
    if not len(wrong):
        return
    start, day, number = (wrong[name][0] for name in ("delivery_start", STATED_DATE, STATED_BLOCK))
    said = f"{start.as_py():%Y-%m-%dT%H:%MZ} called block {number} of {day}"
    if 2 * len(wrong) > len(rows) - rows[STATED_BLOCK].null_count:
        raise SchemaError(
            f"response_auctions: in {where} most EFA blocks do not belong to their local times ({said}); "
            "NESO may have changed the clock, and nothing of this window was stored."
        )
    yield f"{len(wrong)} times contradict the EFA block that the file states ({said})"


DATASETS = (
    Dataset(
        key="response_auctions",
        title="Volumes and prices of dynamic response (DC, DM, DR) by EFA block",
        provider=NESO,
        table=RESPONSE_AUCTIONS,
        read=CsvFiles(_files, _check_blocks, (*IGNORED, STATED_DATE, STATED_BLOCK, "serviceType")),
        widest=366 * ONE_DAY,
        completeness=Rows(BLOCKS_A_DAY, "service"),
        lag=ONE_DAY,
        revisions=(9 * ONE_DAY,),
        available_from=date(2021, 9, 16),
        groups=("neso", "balancing", "response"),
        rows_a_day=36,
    ),
)
