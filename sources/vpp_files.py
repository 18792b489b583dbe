"""What a virtual power plant receives as files: contracts, technical data, live and final infeed,
forecasts, redispatch.

Files stand under ``VPP_DIR`` in the folders that ``Dataset.files`` names. A file is read once; what
it says goes into tables with its own times, also those of days nobody asked for. Personal data
(``email``) is never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from domain.errors import SchemaError
from domain.ledger import Events
from domain.settlement import QUARTER
from domain.tables import Column, Table
from sources.dataset import Dataset, FileReading, Provider
from sources.vpp_formats import (
    Reject,
    Row,
    Rows,
    columnar,
    epoch_ms,
    mislabelled,
    no_number,
    numbers,
    powers_kw,
    quarter_hour,
    records,
)
from utils import Setting, folder_or_nothing

VPP = Provider(
    key="vpp",
    title="Files of the virtual power plant",
    base_url="",
    requests_per_s=0,
    attribution="the operator's own data",
)

SETTINGS = (
    Setting(
        "VPP_DIR",
        "",
        folder_or_nothing,
        "Folder of the virtual power plant's files; without one its datasets are skipped.",
    ),
)

_UNTIL_ONE_DOES = "; once one in crm/ does, this file is read"
# A value this many times the capacity contradicts its unit label.
IMPLAUSIBLE_TIMES_CAPACITY = 10.0


@dataclass(frozen=True)
class Plants:
    """What contracts and technical data say of the assets: metering point and capacity [kW].

    Empty as long as no contract was read; then nothing is checked against it.
    """

    metering_points: Mapping[str, str]
    capacities_kw: Mapping[str, float]

    def check_asset(self, asset: str) -> None:
        """SchemaError for an asset that no contract knows."""
        if self.metering_points and asset not in self.metering_points:
            raise SchemaError(f"no contract knows the asset {asset}{_UNTIL_ONE_DOES}")

    def check_metering_point(self, point: str) -> None:
        """SchemaError for a metering point that no contract knows."""
        if self.metering_points and point not in self.metering_points.values():
            raise SchemaError(f"no contract knows the metering point {point}{_UNTIL_ONE_DOES}")

    def check_powers(self, asset: str, values: list[float | None]) -> None:
        """SchemaError where values and unit label contradict each other."""
        capacity = self.capacities_kw.get(asset, 0.0)
        highest = max((abs(value) for value in values if value is not None), default=0.0)
        if capacity and highest > IMPLAUSIBLE_TIMES_CAPACITY * capacity:
            raise SchemaError(
                f"{highest:.0f} kW is {highest / capacity:.0f} times the capacity of {asset}: the unit "
                "label contradicts the values, or the contract's capacity [MW] is wrong"
            )


def read_contracts(name: str, body: bytes, plants: Plants) -> Rows:
    """A full snapshot of the contracts; its time stands in the file's name.

    A contract whose terms make no sense is kept, because its asset is there, and is said.
    """
    snapshot = _stamp(name, r"(\d{8}_\d{6})\.(?:csv|json)$", "%Y%m%d_%H%M%S")
    rows = Rows.of(ASSETS)
    spans: dict[str, list[tuple[str, date, date]]] = {}
    required = ("contract_id", "asset_id", "metering_point_id", "capacity", "technology")
    for line, row in records(body, (*required, *_TERMS, *_PRICES), rows.rejects):
        texts = {name: row[name].strip() for name in (*required, *_TERMS)}
        try:
            shifted = next((name for name, text in texts.items() if "@" in text), "")
            if shifted:
                raise ValueError(f"{shifted}: it holds an e-mail address, so the cells are shifted")
            rows.append(
                snapshot_at=snapshot,
                kind="contract",
                asset_id=texts["asset_id"],
                contract_id=texts["contract_id"],
                metering_point_id=texts["metering_point_id"],
                capacity_kw=row.number("capacity") * 1000,
                technology=texts["technology"],
                **{name: texts[name] or None for name in _TERMS},
                **{column: row.optional_number(cell) for cell, column in _PRICES.items()},
            )
        except ValueError as problem:
            rows.rejects.append(Reject(line, str(problem)))
            continue
        begin, end = date.min, date.max
        try:
            begin = row.day("contract_begin") or begin
            end = row.day("contract_end") or end
            for model, allowed in _MODELS.items():
                if texts[model] not in allowed:
                    raise ValueError(f"{model}: '{texts[model]}' is not {' or '.join(allowed)}")
        except ValueError as problem:
            said = f"{problem}; {texts['contract_id']} is kept and cannot be billed"
            rows.rejects.append(Reject(line, said))
        asset, contract = texts["asset_id"], texts["contract_id"]
        for other, since, until in spans.setdefault(asset, []):
            if begin <= until and since <= end:
                said = (
                    f"{asset} has two contracts for the same days, {other} and {contract}: both are kept, "
                    "neither can be billed until one ends before the other begins"
                )
                rows.rejects.append(Reject(line, said))
        spans[asset].append((contract, begin, end))
    return rows


class _Technical(TypedDict):
    assets: list[dict[str, Any]]


def read_technical(name: str, body: bytes, plants: Plants) -> Rows:
    """Technical data of the assets; the snapshot's time stands in the file's name."""
    import msgspec

    snapshot = _stamp(name, r"(\d{8}T\d{6})Z\.json$", "%Y%m%dT%H%M%S")
    rows = Rows.of(ASSETS)
    try:
        assets = msgspec.json.decode(body, type=_Technical)["assets"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise SchemaError(f"it is no JSON with a list of assets ({trouble})") from None
    for number, asset in enumerate(assets):
        try:
            told = asset["technical_attributes"]["capacity_kw"]
            (capacity,) = numbers([told])
            if capacity is None:
                raise ValueError(f"capacity_kw: {no_number(told)}")
            rows.append(
                snapshot_at=snapshot,
                kind="technical",
                asset_id=str(asset["asset_id"]),
                contract_id="",
                capacity_kw=capacity,
                technology=str(asset["type"]),
                status=str(asset.get("status", "")),
            )
        except KeyError as missing:
            rows.rejects.append(Reject(None, f"assets[{number}]: it has no {missing}"))
        except TypeError:
            said = f"assets[{number}]: its technical_attributes are no object"
            rows.rejects.append(Reject(None, said))
        except ValueError as problem:
            rows.rejects.append(Reject(None, f"assets[{number}]: {problem}"))
    return rows


def read_live(name: str, body: bytes, plants: Plants) -> Rows:
    """Live measured infeed of one asset, about one sample a minute."""
    series = columnar(body)
    plants.check_asset(series.entity)
    times = epoch_ms(series.column("timestamp"), "timestamp")
    powers = powers_kw(series, "value")
    plants.check_powers(series.entity, powers)
    quality = numbers(series.columns.get("quality", [None] * len(times)))
    rows = Rows.of(LIVE)
    rows.notes += mislabelled(series, "timestamp")
    for n, (ms, power, factor) in enumerate(zip(times, powers, quality, strict=True)):
        if ms is None or power is None:
            said = no_number(series.column("value")[n]) if power is None else "it has no time"
            rows.rejects.append(Reject(None, f"sample {n}: {said}"))
            continue
        rows.append(
            asset_id=series.entity,
            measurement_time=datetime.fromtimestamp(ms // 1000, UTC),
            millisecond=ms % 1000,
            power_kw=power,
            quality=factor,
        )
    return rows


def read_forecast(name: str, body: bytes, plants: Plants) -> Rows:
    """One version of one asset's forecast, quarter-hourly."""
    series = columnar(body)
    plants.check_asset(series.entity)
    starts = epoch_ms(series.column("start"), "start")
    versions = epoch_ms(series.column("version"), "version")
    powers = powers_kw(series, "power")
    plants.check_powers(series.entity, powers)
    quarter_ms = QUARTER // timedelta(milliseconds=1)
    rows = Rows.of(FORECASTS)
    rows.notes += mislabelled(series, "start")
    for n, (start, version, power) in enumerate(zip(starts, versions, powers, strict=True)):
        if start is None or version is None or power is None:
            said = no_number(series.column("power")[n]) if power is None else "it has no time"
            rows.rejects.append(Reject(None, f"slot {n}: {said}"))
            continue
        for what, ms in (("version", version), ("start", start)):
            if ms % quarter_ms:
                moment = datetime.fromtimestamp(ms / 1000, UTC)
                raise SchemaError(
                    f"its {what} {moment:%H:%M:%S} is not on a quarter hour (:00, :15, :30, :45)"
                )
        rows.append(
            asset_id=series.entity,
            version=datetime.fromtimestamp(version // 1000, UTC),
            period_start=datetime.fromtimestamp(start // 1000, UTC),
            power_kw=power,
        )
    return rows


def read_final(name: str, body: bytes, plants: Plants) -> Rows:
    """Final measured production of one metering point, which stands in the column's name."""
    rows = Rows.of(FINAL)
    column, point = "", ""
    for line, row in records(body, ("delivery_start__utc_",), rows.rejects):
        if not column:
            column = next((c for c in row if c.endswith("__kw_")), "")
            point = column.removesuffix("__kw_")
            if not point:
                raise SchemaError("no column is named after a metering point (…__kw_)")
            plants.check_metering_point(point)
        with rows.at(line):
            rows.append(
                metering_point_id=point,
                period_start=quarter_hour(row.time("delivery_start__utc_"), "delivery_start"),
                power_kw=row.number(column),
            )
    for asset in (one for one, its in plants.metering_points.items() if its == point):
        plants.check_powers(asset, rows.columns["power_kw"])
    return rows


def read_redispatch(name: str, body: bytes, plants: Plants) -> Rows:
    """Redispatch flags of one metering point, which stands in the file's name with its time."""
    found = re.search(r"redispatch_flag_(.+)_(\d{8}_\d{4})\.(?:csv|json)$", name)
    if not found:
        raise SchemaError("its name does not end in _<metering point>_YYYYMMDD_HHMM.csv")
    plants.check_metering_point(found[1])
    published = _stamp(name, r"(\d{8}_\d{4})\.(?:csv|json)$", "%Y%m%d_%H%M")
    rows = Rows.of(REDISPATCH)
    header = ("delivery_start", "delivery_end", "is_redispatched")
    for line, row in records(body, header, rows.rejects):
        with rows.at(line):
            start, end = (
                row.time(column).replace(microsecond=0)
                for column in ("delivery_start", "delivery_end")
            )
            if end <= start:
                raise ValueError(f"delivery_end: {end:%Y-%m-%d %H:%M} is not after delivery_start")
            rows.append(
                metering_point_id=found[1],
                period_start=start,
                period_end=end,
                redispatched=_truth(row),
                publish_time=published,
            )
    return rows


def _truth(row: Row) -> int:
    word = row["is_redispatched"].strip().casefold()
    if word not in ("true", "false"):
        raise ValueError(f"is_redispatched: '{row['is_redispatched']}' is neither true nor false")
    return int(word == "true")


def _stamp(name: str, pattern: str, form: str) -> datetime:
    found = re.search(pattern, name)
    try:
        if not found:
            raise ValueError
        return datetime.strptime(found[1], form).replace(tzinfo=UTC)
    except ValueError:
        raise SchemaError("its name does not end in a time") from None


_TERMS = ("contract_begin", "contract_end", "price_model", "fee_model")
_MODELS = {
    "price_model": ("fixed", "market"),
    "fee_model": ("fixed_as_produced", "fixed_for_capacity", "percent_of_market"),
}
_PRICES = {"price": "price_eur_per_mwh", "fee": "fee", "fee_percent": "fee_percent"}

_ASSET = Column("asset_id", "text", "", "Asset")
_POINT = Column("metering_point_id", "text", "", "Metering point of the asset")
_START = Column("period_start", "time", "UTC", "Start of the quarter hour")

ASSETS = Table(
    name="vpp_assets",
    columns=(
        Column("snapshot_at", "time", "UTC", "When the snapshot was taken, from the file's name"),
        Column("kind", "text", "", "contract or technical: which file says it"),
        _ASSET,
        Column("contract_id", "text", "", "Contract; empty for technical data"),
        Column("metering_point_id", "text", "", "Metering point of the asset", optional=True),
        Column("capacity_kw", "float", "kW", "Installed capacity"),
        Column("technology", "text", "", "wind or solar"),
        Column("status", "text", "", "Status of the asset (technical data)", optional=True),
        Column("contract_begin", "text", "", "First day of the contract", optional=True),
        Column("contract_end", "text", "", "Last day of the contract", optional=True),
        Column("price_model", "text", "", "fixed or market", optional=True),
        Column("price_eur_per_mwh", "float", "EUR/MWh", "Price of the fixed model", optional=True),
        Column("fee_model", "text", "", "How the fee is counted", optional=True),
        Column("fee", "float", "EUR per unit of the fee model", "Fee", optional=True),
        Column("fee_percent", "float", "%", "Fee of the percentage model", optional=True),
    ),
    key=("snapshot_at", "kind", "asset_id", "contract_id"),
    time="snapshot_at",
)

LIVE = Table(
    name="vpp_live_infeed",
    columns=(
        _ASSET,
        Column("measurement_time", "time", "UTC", "Moment of the sample, to the second"),
        Column("millisecond", "int", "ms", "What the moment has beyond the second"),
        Column("power_kw", "float", "kW", "Measured infeed; small negative values are own use"),
        Column("quality", "float", "", "Quality factor as delivered", optional=True),
    ),
    key=("asset_id", "measurement_time", "millisecond"),
    time="measurement_time",
)

FORECASTS = Table(
    name="vpp_forecasts",
    columns=(
        _ASSET,
        Column("version", "time", "UTC", "When the forecast was made"),
        _START,
        Column("power_kw", "float", "kW", "Forecast mean power"),
    ),
    key=("asset_id", "version", "period_start"),
    time="period_start",
)

FINAL = Table(
    name="vpp_final_production",
    columns=(_POINT, _START, Column("power_kw", "float", "kW", "Final measured mean power")),
    key=("metering_point_id", "period_start"),
    time="period_start",
)

REDISPATCH = Table(
    name="vpp_redispatch",
    columns=(
        _POINT,
        Column("period_start", "time", "UTC", "Start of the redispatch"),
        Column("period_end", "time", "UTC", "End of the redispatch"),
        Column("redispatched", "int", "", "1 if curtailed, 0 if not"),
        Column("publish_time", "time", "UTC", "When the flag was published, from the file's name"),
    ),
    key=("metering_point_id", "period_start"),
    time="period_start",
    version="publish_time",
)


def from_files(
    key: str,
    title: str,
    table: Table,
    lag: timedelta,
    *readings: tuple[str, Callable[[str, bytes, Plants], Rows]],
    expected: bool = True,
) -> Dataset:
    """A dataset that is read from files; what may be CSV may be JSON with the same columns."""
    both = [
        (pattern.removesuffix(ending) + other, read)
        for pattern, read in readings
        for ending in (Path(pattern).suffix,)
        for other in ((".csv", ".json") if ending == ".csv" else (ending,))
    ]
    return Dataset(
        key=key,
        title=title,
        provider=VPP,
        table=table,
        read=FileReading("VPP_DIR", tuple(both), expected),
        widest=timedelta(days=2),
        completeness=Events(),
        lag=lag,
        available_from=date(2000, 1, 1),
        groups=("core", "vpp"),
        needs=("VPP_DIR",),
        priority=30,
    )


DATASETS = (
    # Contracts first: the others are checked against them.
    from_files(
        "vpp_assets",
        "Assets of the virtual power plant, from contracts and technical data",
        ASSETS,
        timedelta(0),
        ("crm/asset_contracts_*.csv", read_contracts),
        ("vpp/technical_data/technical_data_*.json", read_technical),
    ),
    from_files(
        "vpp_live_infeed",
        "Live measured infeed by asset",
        LIVE,
        timedelta(hours=2),
        ("vpp/live_measured_infeed/*.json", read_live),
    ),
    from_files(
        "vpp_final_production",
        "Final measured production by metering point",
        FINAL,
        timedelta(hours=2),
        ("distribution_system_operator/final_production_*.csv", read_final),
    ),
    from_files(
        "vpp_forecasts",
        "Forecasts by asset, every version",
        FORECASTS,
        timedelta(hours=2),
        ("vpp/forecasts/*.json", read_forecast),
    ),
    from_files(
        "vpp_redispatch",
        "Redispatch flags by metering point",
        REDISPATCH,
        timedelta(hours=2),
        ("distribution_system_operator/redispatch_flag_*.csv", read_redispatch),
        expected=False,  # no file means normal operation
    ),
)


def plants(assets: Any) -> Plants:
    """What the ``vpp_assets`` rows say, the newest snapshot of each asset counting."""
    newest = assets.sort_values(["snapshot_at", "kind"], ascending=[True, False])
    points, capacities = {}, {}
    for row in newest.itertuples():
        capacities[row.asset_id] = float(row.capacity_kw)
        if row.kind == "contract":
            points[row.asset_id] = row.metering_point_id
    return Plants(points, capacities)
