"""invoices: what each contract is paid for a month, in exact decimals, version by version.

Production is the final measurement; best-of-infeed stands in where it is missing, and the invoice is
provisional. Nothing is billed by guess: a contract that lacks what its model needs gets no money and a
reason, a quarter hour without a price is counted and listed. Definitions: vpp reference, "Invoice".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.settlement import QUARTER, day_window, days_in
from domain.tables import Column, Table
from domain.windows import Window, format_instant
from products.best_of_infeed import DELIVERY_DAY, FINAL, FORECAST, LIVE, MISSING
from products.invoice_documents import documents
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import pandas as pd

SOURCES = (FINAL, LIVE, FORECAST, MISSING)
PRICE_MODELS = {"fixed": "price_eur_per_mwh", "market": ""}
FEE_MODELS = {
    "fixed_as_produced": "fee",
    "fixed_for_capacity": "fee",
    "percent_of_market": "fee_percent",
}
NOT_BILLABLE, PROVISIONAL, WITHDRAWN = "not_billable", "provisional", "withdrawn"
CENT = Decimal("0.01")
# Published figures have nine decimals, so in billionths they are whole numbers, which add up exactly.
NANO = 10**9
DIGITS = 60

SETTINGS = (
    DELIVERY_DAY,
    Setting(
        "VPP_VAT_PERCENT",
        "19",
        number(0, 100, "%"),
        "Value added tax on the lines of invoices [%].",
    ),
    Setting(
        "VPP_MARKET_FALLBACK",
        "none",
        choice("none", "day"),
        "Price of a quarter hour without a public trade: none (listed, not paid) or the day's public VWAP.",
    ),
    Setting(
        "VPP_INVOICE_ISSUER",
        "",
        str.strip,
        "Name and address at the head of invoices; lines are separated by ' | '.",
    ),
)


def compute(
    vpp_assets: pd.DataFrame,
    best_of_infeed: pd.DataFrame,
    asset_forecast: pd.DataFrame,
    trading: pd.DataFrame,
    vpp_redispatch_prices: pd.DataFrame,
    invoices: pd.DataFrame,
    *,
    window: Window,
    vpp_delivery_day: str,
    vpp_vat_percent: float,
    vpp_market_fallback: str,
    vpp_invoice_issuer: str,
) -> pd.DataFrame:
    """Every version of every invoice of the month ``window``, the newest one from what is known now.

    ``invoices`` are the versions so far; a new one is added only where the content differs. Power [kW]
    and prices [EUR/MWh] are taken as published, with nine decimals; amounts [EUR] are decimal texts,
    rounded half up per line. Contracts are those of the newest snapshot before the end of the month.
    """
    import pandas as pd

    clock = ZoneInfo(vpp_delivery_day)
    days = days_in(window, clock)
    month = f"{days[0]:%Y-%m}"
    bill = Bill(Decimal(str(vpp_vat_percent)))
    paid = dict(_nano(vpp_redispatch_prices, "price_eur_per_mwh"))
    told = {key: dict(_nano(f, "latest_power_kw")) for key, f in asset_forecast.groupby("asset_id")}
    infeed = dict(iter(best_of_infeed.groupby("asset_id")))
    common = {
        "last_day_start": day_window(days[-1], clock).start,
        "month": month,
        "clock": vpp_delivery_day,
        "issuer": vpp_invoice_issuer or None,
    }
    rows = []
    with localcontext(prec=DIGITS, rounding=ROUND_HALF_UP):
        market = _market_prices(trading, clock, daily=vpp_market_fallback == "day")
        for contract in _contracts(vpp_assets, days):
            asset = contract.terms["asset_id"]
            produced = Production.of(infeed.get(asset, best_of_infeed[:0]), contract.days, clock)
            row = _invoice(contract, produced, market, told.get(asset, {}), paid, bill)
            rows.append(row | common | {"invoice_id": f"{month}-{row['contract_id']}"})
    frame = pd.DataFrame(_with_versions(rows, invoices), columns=list(PRODUCT.table.names))
    frame["last_day_start"] = pd.to_datetime(frame["last_day_start"], utc=True)
    # A column in which every cell is empty would be one of numbers.
    dtypes = {"int": "int64", "text": "str", "decimal": "str"}
    return frame.astype(
        {
            column.name: dtypes[column.dtype]
            for column in PRODUCT.table.columns
            if column.dtype in dtypes
        }
    )


# --- contracts ------------------------------------------------------------------------------------


@dataclass
class Contract:
    """A row of the newest snapshot, the days of the month that it holds for, and why it cannot be billed."""

    terms: dict[str, Any]
    days: list[date]
    reasons: list[str] = field(default_factory=list)


def _contracts(assets: pd.DataFrame, days: Sequence[date]) -> list[Contract]:
    """The contracts that hold on any of the days, by id."""
    rows = assets[assets["kind"] == "contract"]
    newest = rows[rows["snapshot_at"] == rows["snapshot_at"].max()].sort_values("contract_id")
    found = [_contract(terms, days) for terms in newest.to_dict("records")]
    found = [contract for contract in found if contract.days]
    for n, one in enumerate(found):
        for other in found[n + 1 :]:
            both = set(one.days) & set(other.days)
            if both and one.terms["asset_id"] == other.terms["asset_id"]:
                ids = f"{one.terms['contract_id']} and {other.terms['contract_id']}"
                reason = (
                    f"{ids} both hold for {one.terms['asset_id']} from {min(both)} to {max(both)}"
                )
                one.reasons.append(reason)
                other.reasons.append(reason)
    return found


def _contract(terms: dict[str, Any], days: Sequence[date]) -> Contract:
    reasons = []
    ends = {"contract_begin": days[0], "contract_end": days[-1]}
    for name in ends:
        text = terms[name]
        try:
            if isinstance(text, str) and text:
                ends[name] = datetime.fromisoformat(text).date()
        except ValueError:
            reasons.append(f"{name} '{text}' is not a date")
    held = [day for day in days if ends["contract_begin"] <= day <= ends["contract_end"]]
    for what, models in (("price_model", PRICE_MODELS), ("fee_model", FEE_MODELS)):
        model = terms[what] if isinstance(terms[what], str) else ""
        if model not in models:
            reasons.append(f"{what} '{model}' is not one of {', '.join(models)}")
        elif models[model] and _decimal(terms[models[model]]) is None:
            needed = models[model].partition("_eur")[0]
            reasons.append(f"it has no {needed}, which its {what} '{model}' needs")
    if terms["fee_model"] == "fixed_for_capacity" and not _decimal(terms["capacity_kw"]):
        reasons.append("it has no capacity, which its fee_model 'fixed_for_capacity' needs")
    return Contract(terms, held, reasons)


def _decimal(value: Any) -> Decimal | None:
    """A number as it was written, None for an empty cell."""
    return None if value is None or value != value else Decimal(str(value))


# --- quantities and money -------------------------------------------------------------------------


def _nano(frame: pd.DataFrame, name: str) -> Iterable[tuple[int, int]]:
    """Start [s] and value [billionths] of each row that has one."""
    import numpy as np

    known = frame[frame[name].notna()]
    starts = known["period_start"].astype("int64").to_numpy() // 1_000_000
    values = np.rint(known[name].to_numpy() * NANO).astype("int64")
    return zip(starts.tolist(), values.tolist(), strict=True)


def _market_prices(trading: pd.DataFrame, clock: ZoneInfo, *, daily: bool) -> dict[int, int]:
    """Public VWAP [billionths of EUR/MWh] by quarter hour; with ``daily`` gaps have the day's VWAP."""
    prices = dict(_nano(trading, "public_vwap_eur_per_mwh"))
    if not daily or not len(trading):
        return prices
    volumes = dict(_nano(trading, "public_mwh"))
    starts = trading["period_start"]
    day_of = starts.dt.tz_convert(clock).dt.date
    of_day: dict[date, list[int]] = {}
    for start, day in zip((starts.astype("int64") // 1_000_000).tolist(), day_of, strict=True):
        of_day.setdefault(day, []).append(start)
    for quarters in of_day.values():
        traded = [start for start in quarters if start in prices]
        volume = sum(volumes[start] for start in traded)
        if not volume:
            continue
        money = sum(volumes[start] * prices[start] for start in traded)
        mean = int((Decimal(money) / volume).to_integral_value())
        prices.update({start: mean for start in quarters if start not in prices})
    return prices


@dataclass(frozen=True)
class Production:
    """Power [billionths of kW] by quarter hour, how many quarter hours have which source, redispatched ones."""

    power: dict[int, int]
    counts: dict[str, int]
    flagged: list[int]

    @classmethod
    def of(cls, infeed: pd.DataFrame, days: Sequence[date], clock: ZoneInfo) -> Production:
        """What best-of-infeed says of the days; a quarter hour that it does not have is missing."""
        spans = [day_window(day, clock) for day in days]
        inside = infeed[:0]
        if spans:
            inside = infeed[infeed["period_start"].between(spans[0].start, spans[-1].end, "left")]
        counts = {source: int((inside["source"] == source).sum()) for source in SOURCES}
        expected = sum(span.length // QUARTER for span in spans)
        counts[MISSING] += expected - len(inside)
        redispatched = inside.loc[inside["redispatched"] == 1, "period_start"]
        flagged = (redispatched.astype("int64") // 1_000_000).tolist()
        return cls(dict(_nano(inside, "power_kw")), counts, flagged)


def _mwh(nano_kw: int) -> Decimal:
    """Energy [MWh] of billionths of kW over a quarter of an hour."""
    return Decimal(nano_kw * 25).scaleb(-14)


def _money(nano_kw_nano_eur: int) -> Decimal:
    """EUR of (billionths of kW, a quarter of an hour) × (billionths of EUR/MWh)."""
    return Decimal(nano_kw_nano_eur * 25).scaleb(-23)


@dataclass(frozen=True)
class Bill:
    """How a line becomes money: ``vat_percent`` [%].

    >>> Bill(Decimal(19)).line("payout", Decimal("427.005"))
    {'payout_net_eur': '427.01', 'payout_vat_eur': '81.13', 'payout_gross_eur': '508.14'}
    """

    vat_percent: Decimal

    def line(self, name: str, amount: Decimal) -> dict[str, str]:
        """Net, VAT and gross [EUR] of an amount, each rounded half up (away from zero) to cents."""
        net = amount.quantize(CENT, ROUND_HALF_UP)
        vat = (net * self.vat_percent / 100).quantize(CENT, ROUND_HALF_UP)
        parts = {"net": net, "vat": vat, "gross": net + vat}
        # No amount is written as -0.00.
        return {f"{name}_{part}_eur": str(value + 0) for part, value in parts.items()}

    def total(self, lines: Sequence[dict[str, str]]) -> dict[str, str]:
        """Column by column the sum of the lines."""
        columns: dict[str, Decimal] = {}
        for line in lines:
            for name, value in line.items():
                name = "total_" + name.split("_", 1)[1]
                columns[name] = columns.get(name, Decimal(0)) + Decimal(value)
        return {name: str(value) for name, value in columns.items()}


def _invoice(
    contract: Contract,
    produced: Production,
    market: dict[int, int],
    told: dict[int, int],
    paid: dict[int, int],
    bill: Bill,
) -> dict[str, Any]:
    """The content of one invoice."""
    terms = contract.terms
    power = produced.power
    needs_market = terms["price_model"] == "market" or terms["fee_model"] == "percent_of_market"
    unpriced = [s for s, p in power.items() if p and s not in market] if needs_market else []
    unknown = [start for start in produced.flagged if start not in told or start not in paid]
    row: dict[str, Any] = {
        name: _text(terms[name])
        for name in (
            "contract_id", "asset_id", "technology", "price_model", "fee_model",
            "price_eur_per_mwh", "fee", "fee_percent",
        )
    }  # fmt: skip
    row |= {
        "capacity_mw": _text((_decimal(terms["capacity_kw"]) or Decimal(0)) / 1000),
        "first_day": str(contract.days[0]),
        "last_day": str(contract.days[-1]),
        "vat_percent": _text(bill.vat_percent),
        "production_mwh": _text(_mwh(sum(power.values()))),
        **{f"{source}_quarter_hours": produced.counts[source] for source in SOURCES},
        "unpriced_quarter_hours": len(unpriced),
        "unpriced_mwh": _text(_mwh(sum(power[start] for start in unpriced))),
        "unpriced_ranges": _ranges(unpriced),
        "redispatched_quarter_hours": len(produced.flagged),
        "unknown_redispatch_quarter_hours": len(unknown),
        "unknown_redispatch_ranges": _ranges(unknown),
    }
    if contract.reasons:
        return row | {"status": NOT_BILLABLE, "reasons": "; ".join(contract.reasons)}
    lines = [
        bill.line("payout", _payout(terms, power, market)),
        bill.line("redispatch", _redispatch(produced, told, paid)),
        bill.line("fee", -_fee(terms, power, market)),
    ]
    for line in (*lines, bill.total(lines)):
        row |= line
    compensated = sum(told[s] for s in produced.flagged if s in told and s in paid)
    row["compensated_mwh"] = _text(_mwh(compensated))
    reasons = list(_doubts(produced, row))
    return row | {"status": PROVISIONAL if reasons else FINAL, "reasons": "; ".join(reasons)}


def _payout(terms: dict[str, Any], power: dict[int, int], market: dict[int, int]) -> Decimal:
    if terms["price_model"] == "fixed":
        return _mwh(sum(power.values())) * (_decimal(terms["price_eur_per_mwh"]) or 0)
    return _money(sum(p * market[start] for start, p in power.items() if start in market))


def _fee(terms: dict[str, Any], power: dict[int, int], market: dict[int, int]) -> Decimal:
    fee = _decimal(terms[FEE_MODELS[terms["fee_model"]]]) or Decimal(0)
    if terms["fee_model"] == "fixed_as_produced":
        return _mwh(sum(power.values())) * fee
    if terms["fee_model"] == "fixed_for_capacity":
        return (_decimal(terms["capacity_kw"]) or Decimal(0)) / 1000 * fee
    value = _money(sum(p * market[start] for start, p in power.items() if start in market))
    return value * fee / 100


def _redispatch(produced: Production, told: dict[int, int], paid: dict[int, int]) -> Decimal:
    known = (start for start in produced.flagged if start in told and start in paid)
    return _money(sum(told[start] * paid[start] for start in known))


def _doubts(produced: Production, row: dict[str, Any]) -> Iterable[str]:
    """Why an invoice is provisional."""
    counts = produced.counts
    quarters = sum(counts.values())
    if counts[FINAL] < quarters:
        parts = [f"{counts[source]} {source}" for source in SOURCES[1:] if counts[source]]
        lacking = quarters - counts[FINAL]
        yield f"{lacking} of {quarters} quarter hours have no final production ({', '.join(parts)})"
    if row["unpriced_quarter_hours"]:
        yield (
            f"{row['unpriced_quarter_hours']} quarter hours with {row['unpriced_mwh']} MWh have no public "
            "trade and are not priced"
        )
    if row["unknown_redispatch_quarter_hours"]:
        yield (
            f"{row['unknown_redispatch_quarter_hours']} redispatched quarter hours have no forecast or no "
            "compensation price and are not paid"
        )


def _text(value: Any) -> str | None:
    """A number or a word as text, plainly written; None for an empty cell."""
    if isinstance(value, str):
        return value
    exact = _decimal(value)
    if exact is None:
        return None
    plain = f"{exact:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _ranges(starts: Sequence[int]) -> str:
    """Quarter hours as the spans that they make up, separated by blanks."""
    spans: list[list[int]] = []
    length = int(QUARTER.total_seconds())
    for start in sorted(starts):
        if spans and spans[-1][1] == start:
            spans[-1][1] = start + length
        else:
            spans.append([start, start + length])
    ends = ([format_instant(datetime.fromtimestamp(at, UTC)) for at in span] for span in spans)
    return " ".join("/".join(span) for span in ends)


# --- versions -------------------------------------------------------------------------------------


def _with_versions(rows: list[dict[str, Any]], earlier: pd.DataFrame) -> list[dict[Any, Any]]:
    """The earlier versions, and a new one of each invoice whose content is not that of its newest."""
    kept: list[dict[Any, Any]] = earlier.sort_values("version").to_dict("records")
    newest = {row["contract_id"]: row for row in kept}
    current = {row["contract_id"]: row for row in rows}
    for contract, before in newest.items():
        if contract not in current:
            current[contract] = _withdrawn(before)
    for contract, row in current.items():
        before = newest.get(contract, {})
        if _content(row) != _content(before):
            kept.append(row | {"version": before.get("version", 0) + 1})
    return kept


def _withdrawn(before: dict[Any, Any]) -> dict[Any, Any]:
    """What follows an invoice whose contract is no longer there."""
    empty = {name: None for name in before if name.endswith("_eur")}
    reason = "the newest snapshot of the contracts does not have it for this month"
    return before | empty | {"status": WITHDRAWN, "reasons": reason}


def _content(row: dict[Any, Any]) -> tuple[str, ...]:
    """What makes two versions differ; the store's empty cells are as empty as ours."""
    found = []
    for name in PRODUCT.table.names:
        value: Any = row.get(name)
        empty = name == "version" or value is None or value != value
        found.append(
            "" if empty else format_instant(value) if hasattr(value, "year") else str(value)
        )
    return tuple(found)


def _amounts(name: str, text: str) -> tuple[Column, ...]:
    parts = {"net": text, "vat": "VAT on it", "gross": "Net plus VAT"}
    return tuple(
        Column(f"{name}_{part}_eur", "decimal", "EUR", said, optional=True)
        for part, said in parts.items()
    )


PRODUCT = Product(
    key="invoices",
    title="Invoices by contract and month, every version, in exact decimals",
    grain="month",
    table=Table(
        name="invoices",
        columns=(
            Column("invoice_id", "text", "", "Month and contract"),
            Column("version", "int", "", "1, 2, …: the highest counts"),
            Column("contract_id", "text", "", "Contract"),
            Column("asset_id", "text", "", "Asset"),
            Column("month", "text", "", "Delivery month, YYYY-MM"),
            Column("last_day_start", "time", "UTC", "Start of the month's last delivery day"),
            Column("clock", "text", "", "Clock of the delivery days"),
            Column("first_day", "text", "", "First delivery day billed"),
            Column("last_day", "text", "", "Last delivery day billed"),
            Column("status", "text", "", "final, provisional, not_billable or withdrawn"),
            Column("reasons", "text", "", "Why it is not final", optional=True),
            Column("issuer", "text", "", "VPP_INVOICE_ISSUER", optional=True),
            Column("technology", "text", "", "wind or solar", optional=True),
            Column("capacity_mw", "decimal", "MW", "Contracted capacity"),
            Column("price_model", "text", "", "fixed or market", optional=True),
            Column("price_eur_per_mwh", "decimal", "EUR/MWh", "Fixed price", optional=True),
            Column("fee_model", "text", "", "fixed_as_produced, fixed_for_capacity, percent_of_market", optional=True),
            Column("fee", "decimal", "EUR/MWh or EUR/MW", "Fee by production or capacity", optional=True),
            Column("fee_percent", "decimal", "%", "Fee as a share of the market value", optional=True),
            Column("production_mwh", "decimal", "MWh", "Best-of-infeed of the days billed, exact"),
            Column("final_quarter_hours", "int", "", "Quarter hours with a final measurement"),
            Column("live_quarter_hours", "int", "", "Quarter hours with a live measurement instead"),
            Column("forecast_quarter_hours", "int", "", "Quarter hours with only a forecast"),
            Column("missing_quarter_hours", "int", "", "Quarter hours with no source at all"),
            Column("unpriced_quarter_hours", "int", "", "Quarter hours with infeed that has no market price"),
            Column("unpriced_mwh", "decimal", "MWh", "Their infeed, not in payout and fee"),
            Column("unpriced_ranges", "text", "", "Which they are (UTC)", optional=True),
            Column("redispatched_quarter_hours", "int", "", "Quarter hours that a redispatch touches"),
            Column("compensated_mwh", "decimal", "MWh", "Latest forecast of those that are paid", optional=True),
            Column("unknown_redispatch_quarter_hours", "int", "", "Those without a forecast or a price, not paid"),
            Column("unknown_redispatch_ranges", "text", "", "Which they are (UTC)", optional=True),
            *_amounts("payout", "Infeed payout"),
            *_amounts("redispatch", "Redispatch payout"),
            *_amounts("fee", "Fee, negative where it is kept back"),
            *_amounts("total", "To the owner: payout + redispatch + fee"),
            Column("vat_percent", "decimal", "%", "Value added tax"),
        ),
        key=("invoice_id", "version"),
        time="last_day_start",
    ),
    compute=compute,
    look_back={"vpp_assets": timedelta(days=3660)},
    # A month of 1,000 assets is three million quarter hours.
    columns={
        "best_of_infeed": ("asset_id", "period_start", "power_kw", "source", "redispatched"),
        "asset_forecast": ("asset_id", "period_start", "latest_power_kw"),
        "trading": ("period_start", "public_vwap_eur_per_mwh", "public_mwh"),
    },
    optional=frozenset({"trading", "vpp_redispatch_prices"}),
    reference=frozenset({"vpp_assets"}),
    settings=SETTINGS,
    clock_setting=DELIVERY_DAY.key,
    monthly=True,
    documents=documents,
    daily=True,
)  # fmt: skip
