"""The market side of a folder as bytes: trades, imbalance prices, compensation prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sandbox.vpp.clock import QUARTER_S, compact, day_date, day_text, iso_z, moment, utc_text
from sandbox.vpp.files import DSO_FOLDER, File, table
from sandbox.vpp.market import ImbalancePrice, Trade

TRADE_HEADER = (
    "TradeId;Side;DeliveryStart;DeliveryEnd;ExecutionTime;Price;Currency;Volume;VolumeUnit"
)
PUBLIC_HEADER = TRADE_HEADER + ";DeliveryArea;Product"
_GERMAN_HEADER = "Datum;Zeitzone;von;bis;Datenkategorie;Datentyp;Einheit"
FINAL_HEADER = _GERMAN_HEADER + ";reBAP unterdeckt;reBAP ueberdeckt"
ESTIMATE_HEADER = _GERMAN_HEADER + ";AEP-Schätzer;Status"


def trades_name(kind: str, export: int) -> str:
    """Return the name of an export of `private` or `public` trades."""
    return f"exchange/{kind.title()}_Trades-{compact(export)}.csv"


def trades(kind: str, export: int, rows: Iterable[Trade], *, dirt: bool) -> File:
    """Return an export of trades; with dirt some whole seconds are written with a fraction too."""
    lines: list[list[object]] = []
    for trade in rows:
        for side in trade.sides:
            line = trade_cells(trade, side, dirt=dirt)
            if kind == "public":
                product = "XBID_Hour" if trade.end - trade.start > QUARTER_S else "XBID_Quarter"
                line += ["DE-SANDBOX", product]
            lines.append(line)
    header = PUBLIC_HEADER if kind == "public" else TRADE_HEADER
    title = f"# {kind.title()} trades, exported {iso_z(export)}, synthetic"
    return trades_name(kind, export), table(header, lines, ";", title)


def trade_cells(trade: Trade, side: str, *, dirt: bool) -> list[object]:
    """Return the cells of a trade as both exchanges' exports have them."""
    spelled = ".000Z" if dirt and int(trade.trade_id) % 7 == 0 else "Z"
    second, millis = divmod(trade.execution_ms, 1_000)
    execution = iso_z(second)
    if millis:
        execution = execution.replace("Z", f".{millis:03d}Z")
    return [
        trade.trade_id,
        side,
        iso_z(trade.start).replace("Z", spelled),
        iso_z(trade.end).replace("Z", spelled),
        execution,
        trade.price,
        "EUR",
        trade.volume,
        trade.unit,
    ]


def imbalance_name(kind: str, day: int) -> str:
    """Return the name of the imbalance prices (`final` or `estimation`) of a UTC day."""
    return f"imbalance/imbalance_price_{kind}_{day_text(day)}.csv"


def final_prices(day: int, prices: Sequence[ImbalancePrice]) -> File:
    """Return the final imbalance prices; most holes are missing rows, some are empty fields."""
    rows = []
    for price in prices:
        if price.final_short is None and price.start // QUARTER_S % 3:
            continue
        cells = [comma(price.final_short), comma(price.final_long)]
        rows.append([*german(price.start, "reBAP", "Qualitaetsgesichert"), *cells])
    return imbalance_name("final", day), table(FINAL_HEADER, rows, ";")


def estimated_prices(day: int, prices: Sequence[ImbalancePrice]) -> File:
    """Return the estimated imbalance prices with their status."""
    rows = [
        [*german(price.start, "AEP", "Schaetzung"), comma(price.estimate), price.status]
        for price in prices
        if price.estimate is not None
    ]
    return imbalance_name("estimation", day), table(ESTIMATE_HEADER, rows, ";")


def german(start: int, category: str, kind: str) -> list[object]:
    """Return the first seven cells of an imbalance price; the last `bis` of a day is 00:00."""
    von, bis = moment(start), moment(start + QUARTER_S)
    hours = [f"{von:%d.%m.%Y}", "UTC", f"{von:%H:%M}", f"{bis:%H:%M}"]
    return [*hours, category, kind, "EUR/MWh"]


def comma(value: Decimal | None) -> str | None:
    """Return a price with a decimal comma."""
    return None if value is None else f"{value:.2f}".replace(".", ",")


def compensation(day: int, prices: Iterable[tuple[int, Decimal]]) -> File:
    """Return the compensation prices of a UTC day."""
    rows = [(utc_text(start), utc_text(start + QUARTER_S), price) for start, price in prices]
    header = "delivery_start__utc_,delivery_end__utc_,price__euro_per_mwh_"
    name = f"{DSO_FOLDER}/redispatch_compensation_{day_date(day).isoformat()}.csv"
    return name, table(header, rows)
