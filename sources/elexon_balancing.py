"""Elexon Insights, the balancing mechanism and its prices."""

from __future__ import annotations

from datetime import timedelta

from domain.ledger import Events, Grid
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.elexon import (
    DAY,
    HISTORY,
    HOUR,
    PERIOD,
    PERIOD_START,
    PUBLISH_TIME,
    SETTLEMENT_DATE,
    SETTLEMENT_PERIOD,
)
from sources.elexon_rows import ELEXON, JsonRows, start_of_period

# Settlement is run again and again: interim, final, and three to four reconciliations.
SETTLEMENT_RUNS = (7 * DAY, 30 * DAY, 60 * DAY, 130 * DAY, 230 * DAY, 440 * DAY)
# Cannot be a price or a volume of one half hour; found by sign or unit errors.
PRICE_BOUNDS = (-3_000.0, 10_000.0)
_MADE_START = Column("period_start", "time", "UTC", "Start of the settlement period")

# Energy that raises output is counted +, what lowers it -; none of it exceeds what the system has.
BOUGHT, SOLD = (0.0, 30_000.0), (-30_000.0, 0.0)

# Which unit, on its two names.
NATIONAL_GRID_UNIT = Column(
    "national_grid_bm_unit", "text", "", "BM unit, NESO's name", "nationalGridBmUnit"
)
ELEXON_UNIT = Column("bm_unit", "text", "", "BM unit, Elexon's name", "bmUnit", optional=True)


def _mwh(
    name: str,
    meaning: str,
    source: str,
    *,
    optional: bool = True,
    bounds: tuple[float, float] | None = None,
) -> Column:
    return Column(name, "float", "MWh", meaning, source, optional=optional, bounds=bounds)


def _gbp_per_mwh(
    name: str, meaning: str, source: str, *, optional: bool = True, tick: float | None = None
) -> Column:
    return Column(
        name, "float", "GBP/MWh", meaning, source, optional=optional, bounds=PRICE_BOUNDS, tick=tick
    )


def _gbp(name: str, meaning: str, source: str, *, optional: bool = False) -> Column:
    return Column(name, "float", "GBP", meaning, source, optional=optional)


def _flag(name: str, meaning: str, source: str, *, optional: bool = False) -> Column:
    return Column(name, "flag", "", meaning, source, optional=optional)


def _level(name: str, meaning: str, source: str) -> Column:
    return Column(name, "float", "MW", meaning, source, bounds=(-10_000.0, 10_000.0))


BID_OFFER_ACCEPTANCES = Table(
    name="bid_offer_acceptances",
    columns=(
        NATIONAL_GRID_UNIT,
        Column("acceptance_number", "int", "", "Number of the acceptance", "acceptanceNumber"),
        Column("time_from", "time", "UTC", "Start of this piece of the ramp", "timeFrom"),
        Column("time_to", "time", "UTC", "End of this piece", "timeTo"),
        _level("level_from_mw", "Level at its start, absolute", "levelFrom"),
        _level("level_to_mw", "Level at its end, absolute", "levelTo"),
        ELEXON_UNIT,
        Column("acceptance_time", "time", "UTC", "When it was accepted", "acceptanceTime"),
        SETTLEMENT_DATE,
        Column(
            "settlement_period_from", "int", "", "First settlement period", "settlementPeriodFrom"
        ),
        Column("settlement_period_to", "int", "", "Last settlement period", "settlementPeriodTo"),
        _flag("deemed", "Deemed bid-offer", "deemedBoFlag"),
        _flag("system_operator", "Accepted for system reasons", "soFlag"),
        _flag("stor", "Short term operating reserve", "storFlag"),
        _flag("replacement_reserve", "Replacement reserve", "rrFlag", optional=True),
        Column("amendment", "text", "", "Original or amended", "amendmentFlag", optional=True),
    ),
    key=("national_grid_bm_unit", "acceptance_number", "time_from"),
    time="time_from",
)

MARKET_INDEX = Table(
    name="market_index",
    columns=(
        PERIOD_START,
        Column(
            "data_provider",
            "text",
            "",
            "Power exchange that reports",
            "dataProvider",
            known=("APXMIDP", "N2EXMIDP"),
        ),
        _gbp_per_mwh(
            "price_gbp_per_mwh",
            "Market index price; 0 without volume",
            "price",
            optional=False,
            tick=0.01,
        ),
        Column("volume_mwh", "float", "MWh", "Volume traded", "volume", bounds=(0.0, 100_000.0)),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
    ),
    key=("period_start", "data_provider"),
    time="period_start",
)

NETBSAD = Table(
    name="netbsad",
    columns=(
        _MADE_START,
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        _gbp(
            "buy_energy_cost_gbp", "Net buy-price cost, energy", "netBuyPriceCostAdjustmentEnergy"
        ),
        _mwh(
            "buy_energy_mwh", "Net buy-price volume, energy", "netBuyPriceVolumeAdjustmentEnergy",
            optional=False,
        ),
        _mwh(
            "buy_system_mwh", "Net buy-price volume, system", "netBuyPriceVolumeAdjustmentSystem",
            optional=False,
        ),
        _gbp_per_mwh(
            "buy_price_adjustment_gbp_per_mwh", "Buy price adjustment", "buyPricePriceAdjustment",
            optional=False,
        ),
        _gbp(
            "sell_energy_cost_gbp",
            "Net sell-price cost, energy",
            "netSellPriceCostAdjustmentEnergy",
        ),
        _mwh(
            "sell_energy_mwh", "Net sell-price volume, energy",
            "netSellPriceVolumeAdjustmentEnergy", optional=False,
        ),
        _mwh(
            "sell_system_mwh", "Net sell-price volume, system",
            "netSellPriceVolumeAdjustmentSystem", optional=False,
        ),
        _gbp_per_mwh(
            "sell_price_adjustment_gbp_per_mwh", "Sell price adjustment",
            "sellPricePriceAdjustment", optional=False,
        ),
    ),
    key=("period_start",),
    time="period_start",
)  # fmt: skip

DISBSAD = Table(
    name="disbsad",
    columns=(
        _MADE_START,
        Column("action", "int", "", "Number of the action in its period", "id"),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        _gbp("cost_gbp", "Cost; buying +", "cost", optional=True),
        _mwh("volume_mwh", "Volume; bought +", "volume", optional=False),
        _flag("system_operator", "For system reasons", "soFlag"),
        _flag("stor", "Short term operating reserve", "storFlag"),
        Column(
            "party", "text", "", "Party; empty where nothing happened", "partyId", optional=True
        ),
        Column("asset", "text", "", "Asset", "assetId", optional=True),
        _flag("tendered", "Tendered", "isTendered", optional=True),
        Column("service", "text", "", "Service", "service", optional=True),
    ),
    key=("period_start", "action"),
    time="period_start",
)

SYSTEM_PRICES = Table(
    name="system_prices",
    columns=(
        PERIOD_START,
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        _gbp_per_mwh(
            "system_sell_price_gbp_per_mwh", "System sell price", "systemSellPrice", optional=False,
            tick=0.00001,
        ),
        _gbp_per_mwh(
            "system_buy_price_gbp_per_mwh", "System buy price", "systemBuyPrice", optional=False,
            tick=0.00001,
        ),
        _mwh(
            "net_imbalance_volume_mwh",
            "Net imbalance volume; + when the system was short",
            "netImbalanceVolume",
            optional=False,
        ),
        Column("created_at", "time", "UTC", "When this run's price was made", "createdDateTime"),
        _flag("bsad_defaulted", "Balancing services data were defaulted", "bsadDefaulted"),
        Column(
            "price_derivation_code", "text", "", "How it was derived", "priceDerivationCode",
            optional=True,
        ),
        _gbp_per_mwh(
            "reserve_scarcity_price_gbp_per_mwh", "Reserve scarcity price", "reserveScarcityPrice"
        ),
        _gbp_per_mwh(
            "sell_price_adjustment_gbp_per_mwh", "Sell price adjustment", "sellPriceAdjustment"
        ),
        _gbp_per_mwh(
            "buy_price_adjustment_gbp_per_mwh", "Buy price adjustment", "buyPriceAdjustment"
        ),
        _gbp_per_mwh("replacement_price_gbp_per_mwh", "Replacement price", "replacementPrice"),
        _mwh(
            "replacement_price_volume_mwh", "Its reference volume", "replacementPriceReferenceVolume"
        ),
        _mwh("accepted_offers_mwh", "Accepted offers", "totalAcceptedOfferVolume", bounds=BOUGHT),
        _mwh("accepted_bids_mwh", "Accepted bids, -", "totalAcceptedBidVolume", bounds=SOLD),
        _mwh("adjustment_sell_mwh", "Adjustment, sell", "totalAdjustmentSellVolume"),
        _mwh("adjustment_buy_mwh", "Adjustment, buy", "totalAdjustmentBuyVolume"),
        _mwh(
            "tagged_offers_mwh",
            "Accepted offers tagged as for the system",
            "totalSystemTaggedAcceptedOfferVolume",
        ),
        _mwh(
            "tagged_bids_mwh",
            "Accepted bids tagged as for the system",
            "totalSystemTaggedAcceptedBidVolume",
        ),
        _mwh(
            "tagged_adjustment_sell_mwh", "Tagged adjustment, sell",
            "totalSystemTaggedAdjustmentSellVolume",
        ),
        _mwh(
            "tagged_adjustment_buy_mwh", "Tagged adjustment, buy",
            "totalSystemTaggedAdjustmentBuyVolume",
        ),
    ),
    key=("period_start",),
    time="period_start",
    version="created_at",
)  # fmt: skip

NON_BM_STOR = Table(
    name="non_bm_stor",
    columns=(
        PERIOD_START,
        Column(
            "generation_mw", "float", "MW", "Mean of non-BM reserve in use", "generation",
            bounds=(0.0, 10_000.0),
        ),
        PUBLISH_TIME,
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
    ),
    key=("period_start",),
    time="period_start",
    version="publish_time",
)  # fmt: skip

DATASETS = (
    Dataset(
        key="market_index",
        aliases=("MID",),
        title="Market index price and volume, half-hourly",
        provider=ELEXON,
        table=MARKET_INDEX,
        read=JsonRows("/datasets/MID/stream", "from", "to"),
        widest=28 * DAY,
        completeness=Grid(PERIOD, "data_provider"),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("core", "balancing"),
        rows_a_day=96,
        priority=20,
    ),
    Dataset(
        key="system_prices",
        aliases=("DISEBSP", "imbalance_prices"),
        title="System (imbalance) prices and volumes, half-hourly",
        provider=ELEXON,
        table=SYSTEM_PRICES,
        read=JsonRows("/balancing/settlement/system-prices/{day}"),
        widest=7 * DAY,
        completeness=Grid(PERIOD),
        lag=4 * HOUR,
        revisions=(1 * DAY, *SETTLEMENT_RUNS),
        available_from=HISTORY,
        groups=("core", "balancing"),
        priority=20,
    ),
    Dataset(
        key="bid_offer_acceptances",
        aliases=("BOALF",),
        title="Bid-offer acceptances, a row for each piece of the ramp",
        provider=ELEXON,
        table=BID_OFFER_ACCEPTANCES,
        read=JsonRows(
            "/datasets/BOALF/stream",
            "from",
            "to",
            overlapping=True,
            absent=(("nationalGridBmUnit", ""),),
        ),
        widest=2 * DAY,
        completeness=Events(),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("balancing",),
        rows_a_day=27_000,
    ),
    Dataset(
        key="netbsad",
        title="Net balancing services adjustment, half-hourly",
        provider=ELEXON,
        table=NETBSAD,
        read=JsonRows(
            "/datasets/NETBSAD/stream", "from", "to", made=(("period_start", start_of_period),)
        ),
        widest=7 * DAY,
        completeness=Grid(PERIOD),
        lag=2 * HOUR,
        revisions=(1 * DAY, 7 * DAY),
        available_from=HISTORY,
        groups=("balancing", "balancing_services"),
    ),
    Dataset(
        key="disbsad",
        title="Balancing services adjustment, action by action",
        provider=ELEXON,
        table=DISBSAD,
        read=JsonRows(
            "/datasets/DISBSAD/stream", "from", "to", made=(("period_start", start_of_period),)
        ),
        widest=7 * DAY,
        completeness=Events(),
        lag=2 * HOUR,
        revisions=(1 * DAY, 7 * DAY),
        available_from=HISTORY,
        groups=("balancing", "balancing_services"),
        rows_a_day=100,
    ),
    Dataset(
        key="non_bm_stor",
        aliases=("NONBM",),
        title="Short term operating reserve outside the balancing mechanism",
        provider=ELEXON,
        table=NON_BM_STOR,
        # Asked by the time of publication, which follows the period.
        read=JsonRows("/datasets/NONBM/stream", "from", "to", margin=timedelta(days=1)),
        widest=28 * DAY,
        completeness=Events(),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("balancing",),
    ),
)
