"""What a virtual power plant receives of its markets: trades, imbalance and compensation prices.

Files as in ``sources.vpp_files``. A trade is known by its TradeId alone: equal rows with different
ids are partial fills of one order. Its volume is stored as the file says it, with its unit.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from domain.settlement import QUARTER
from domain.tables import Column, Table
from sources.vpp_files import IMPLAUSIBLE_TIMES_CAPACITY, Plants, from_files
from sources.vpp_formats import Row, Rows, in_utc, quarter_hour, records

SELL, BUY = "SELL", "BUY"
MW, MWH = "MW", "MWH"
FINAL, ESTIMATE = "final", "estimate"
# Nothing traded here delivers for longer than the longest day.
LONGEST_DELIVERY = timedelta(hours=25)
# How the imbalance files call their clocks. A summer day's CET is CET, not local time.
CLOCKS = {"UTC": 0, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2}

_TRADE = (
    "TradeId", "Side", "DeliveryStart", "DeliveryEnd", "ExecutionTime", "Price", "Currency", "Volume",
    "VolumeUnit",
)  # fmt: skip
_PRICES = ("Datum", "Zeitzone", "von", "bis", "Einheit")
_SHORT, _LONG = "reBAP unterdeckt", "reBAP ueberdeckt"
_GUESS, _STATUS = "AEP-Schätzer", "Status"


def read_private(name: str, body: bytes, plants: Plants) -> Rows:
    """Our own trades. One listed twice in a file is counted once; the first row holds."""
    rows = Rows.of(PRIVATE)
    seen: dict[str, tuple[int, dict[str, Any]]] = {}
    limit_mw = sum(plants.capacities_kw.values()) / 1000 * IMPLAUSIBLE_TIMES_CAPACITY
    for line, row in records(body, _TRADE, rows.rejects, ";"):
        with rows.at(line):
            cells = _trade(row)
            identity = cells["trade_id"]
            if identity in seen:
                first, before = seen[identity]
                same = (
                    "it counts once"
                    if cells == before
                    else f"the values differ, line {first} counts"
                )
                raise ValueError(
                    f"TradeId {identity} is listed twice, first in line {first}: {same}"
                )
            hours = (cells["period_end"] - cells["period_start"]) / timedelta(hours=1)
            power = cells["volume"] / (hours if cells["volume_unit"] == MWH else 1)
            if limit_mw and power > limit_mw:
                raise ValueError(
                    f"Volume: {row['Volume']} {row['VolumeUnit']} is more than "
                    f"{IMPLAUSIBLE_TIMES_CAPACITY:g} times the capacity of all assets: the unit label "
                    "contradicts the value, or a contract is missing in crm/"
                )
            seen[identity] = (line, cells)
            rows.append(**cells)
    return rows


def read_public(name: str, body: bytes, plants: Plants) -> Rows:
    """Everybody's trades. Both legs of one id may be listed; they are one trade, without a side."""
    rows = Rows.of(PUBLIC)
    seen: dict[str, dict[str, Any]] = {}
    legs: set[tuple[str, str]] = set()
    for line, row in records(body, _TRADE, rows.rejects, ";"):
        with rows.at(line):
            cells = _trade(row)
            identity, side = cells["trade_id"], cells.pop("side")
            if (identity, side) in legs:
                raise ValueError(f"TradeId {identity} is listed twice as {side}; it counts once")
            if seen.get(identity, cells) != cells:
                raise ValueError(f"the legs of TradeId {identity} differ; the first one counts")
            legs.add((identity, side))
            if identity not in seen:
                seen[identity] = cells
                rows.append(**cells)
    return rows


def _trade(row: Row) -> dict[str, Any]:
    """The cells of a trade; ValueError says what is wrong with it."""
    identity = row["TradeId"].strip()
    if not identity:
        raise ValueError("TradeId: it is empty")
    start, end = _delivery(row, "DeliveryStart", "DeliveryEnd")
    row.word("Currency", "EUR")
    volume = row.number("Volume")
    if volume < 0:
        raise ValueError(f"Volume: '{row['Volume']}' is negative; the side says the direction")
    return {
        "trade_id": identity,
        "side": row.word("Side", SELL, BUY),
        "period_start": start,
        "period_end": end,
        "execution_time": row.time("ExecutionTime").replace(microsecond=0),
        "price_eur_per_mwh": row.number("Price"),
        "volume": volume,
        "volume_unit": row.word("VolumeUnit", MW, MWH),
    }


def read_final_prices(name: str, body: bytes, plants: Plants) -> Rows:
    """Final imbalance prices; an empty price is a hole that the estimate fills."""
    rows = Rows.of(IMBALANCE)
    for line, row in records(body, (*_PRICES, _SHORT, _LONG), rows.rejects, ";"):
        with rows.at(line):
            start = _german_start(row)
            if not row[_SHORT].strip():
                continue
            rows.append(
                period_start=start,
                kind=FINAL,
                price_eur_per_mwh=row.comma_number(_SHORT),
                price_long_eur_per_mwh=row.comma_number(_LONG) if row[_LONG].strip() else None,
            )
    return rows


def read_estimated_prices(name: str, body: bytes, plants: Plants) -> Rows:
    """Estimated imbalance prices with their status; any but 0 marks a doubtful one."""
    rows = Rows.of(IMBALANCE)
    for line, row in records(body, (*_PRICES, _GUESS, _STATUS), rows.rejects, ";"):
        with rows.at(line):
            start = _german_start(row)
            if not row[_GUESS].strip():
                continue
            rows.append(
                period_start=start,
                kind=ESTIMATE,
                price_eur_per_mwh=row.comma_number(_GUESS),
                status=row.whole_number(_STATUS),
            )
    return rows


def _german_start(row: Row) -> datetime:
    """The start of a quarter hour from Datum, Zeitzone and von; ``bis`` 00:00 is the next day."""
    zone = row["Zeitzone"].strip()
    if zone not in CLOCKS:
        raise ValueError(f"Zeitzone: '{zone}' is not {', '.join(CLOCKS)}")
    row.word("Einheit", "EUR/MWh", "€/MWh")
    start, end = (_german_time(row, name) for name in ("von", "bis"))
    if (end - start) % timedelta(days=1) != QUARTER:
        raise ValueError(f"bis: {row['bis']} is not a quarter hour after {row['von']}")
    clock = timezone(timedelta(hours=CLOCKS[zone]))
    return quarter_hour(in_utc(start.replace(tzinfo=clock), "Datum"), "von")


def _german_time(row: Row, name: str) -> datetime:
    day, hour = row["Datum"].strip(), row[name].strip()
    try:
        return datetime.strptime(f"{day} {hour}", "%d.%m.%Y %H:%M")
    except ValueError:
        raise ValueError(f"{name}: '{day} {hour}' is not a time such as 27.10.2024 23:45") from None


def read_compensation(name: str, body: bytes, plants: Plants) -> Rows:
    """Prices at which curtailed energy is paid, one per quarter hour; not per asset."""
    rows = Rows.of(COMPENSATION)
    header = ("delivery_start__utc_", "delivery_end__utc_", "price__euro_per_mwh_")
    for line, row in records(body, header, rows.rejects):
        with rows.at(line):
            price = row.number("price__euro_per_mwh_")
            start, end = _delivery(row, *header[:2])
            while start < end:
                rows.append(period_start=start, price_eur_per_mwh=price)
                start += QUARTER
    return rows


def _delivery(row: Row, first: str, last: str) -> tuple[datetime, datetime]:
    """Start and end of a delivery on quarter hours; ValueError for one that nobody trades."""
    start, end = quarter_hour(row.time(first), first), quarter_hour(row.time(last), last)
    if not timedelta() < end - start <= LONGEST_DELIVERY:
        raise ValueError(f"{last}: {end - start} after {first} is no delivery")
    return start, end


_TRADE_ID = Column("trade_id", "text", "", "TradeId of the exchange")
_SPAN = (
    Column("period_start", "time", "UTC", "Start of the delivery"),
    Column("period_end", "time", "UTC", "End of the delivery"),
    Column("execution_time", "time", "UTC", "When it was traded, to the second"),
    Column("price_eur_per_mwh", "float", "EUR/MWh", "Price; may be negative"),
    Column("volume", "float", "volume_unit", "Volume as the file says it, never negative"),
    Column("volume_unit", "text", "", "MW (mean power) or MWH (energy), as the file says it"),
)
_QUARTER = Column("period_start", "time", "UTC", "Start of the quarter hour")

PRIVATE = Table(
    name="vpp_private_trades",
    columns=(_TRADE_ID, Column("side", "text", "", "SELL or BUY, from our side"), *_SPAN),
    key=("trade_id",),
    time="period_start",
)

PUBLIC = Table(
    name="vpp_public_trades",
    columns=(_TRADE_ID, *_SPAN),
    key=("trade_id",),
    time="period_start",
)

IMBALANCE = Table(
    name="vpp_imbalance_prices",
    columns=(
        _QUARTER,
        Column("kind", "text", "", "final or estimate"),
        Column("price_eur_per_mwh", "float", "EUR/MWh", "Price of the short side, or its estimate"),
        Column(
            "price_long_eur_per_mwh",
            "float",
            "EUR/MWh",
            "Final price of the long side, where the file has one",
            optional=True,
        ),
        Column(
            "status", "int", "", "Status of an estimate; other than 0 is doubtful", optional=True
        ),
    ),
    key=("period_start", "kind"),
    time="period_start",
)

COMPENSATION = Table(
    name="vpp_redispatch_prices",
    columns=(
        _QUARTER,
        Column("price_eur_per_mwh", "float", "EUR/MWh", "Compensation price; may be negative"),
    ),
    key=("period_start",),
    time="period_start",
)

DATASETS = (
    from_files(
        "vpp_private_trades",
        "Own trades at the exchange",
        PRIVATE,
        timedelta(hours=2),
        ("exchange/Private_Trades-*.csv", read_private),
    ),
    from_files(
        "vpp_public_trades",
        "All trades at the exchange",
        PUBLIC,
        timedelta(hours=2),
        ("exchange/Public_Trades-*.csv", read_public),
    ),
    from_files(
        "vpp_imbalance_prices",
        "Imbalance prices, final and estimated",
        IMBALANCE,
        timedelta(hours=2),
        ("imbalance/imbalance_price_final_*.csv", read_final_prices),
        ("imbalance/imbalance_price_estimation_*.csv", read_estimated_prices),
    ),
    from_files(
        "vpp_redispatch_prices",
        "Prices at which curtailed energy is compensated",
        COMPENSATION,
        timedelta(hours=2),
        ("distribution_system_operator/redispatch_compensation_*.csv", read_compensation),
    ),
)
