"""The synthetic data of Elexon beside frequency and wind and solar; all of it is invented.

Every value is a function of seed and time. What a series' columns are stands in its docstring. Rows
that were told more than once have a later `publish_time`.

    base.py         settlement days on demand, versions, holes, repeated rows
    fuels.py        generation_outturn, fuel_instructions        demand.py   demand_outturn
    prices.py       market_index, system_prices                  runs.py     settlement runs
    units.py        the fleet, bm_units                          physical.py physical_notifications,
    acceptances.py  bid_offer_acceptances                                    bid_offers,
    adjustments.py  netbsad, disbsad, non_bm_stor                            individual_generation
    forecasts.py    wind_forecasts, loss_of_load                 remit.py    remit
    notices.py      system_warnings, temperature                 endpoints.toml  what is served
"""

from __future__ import annotations

from sandbox.calendar import PERIOD_S
from sandbox.elexon.acceptances import AcceptanceSeries
from sandbox.elexon.adjustments import DisaggregatedSeries, NetSeries, NonBmStorSeries
from sandbox.elexon.demand import DemandSeries
from sandbox.elexon.forecasts import LossOfLoadSeries, WindForecastSeries
from sandbox.elexon.fuels import SAMPLE_S, FuelSeries, PowerPlants
from sandbox.elexon.notices import TemperatureSeries, WarningSeries
from sandbox.elexon.physical import BidOfferSeries, MeteredSeries, NotificationSeries
from sandbox.elexon.prices import Market, MarketIndexSeries, SystemPriceSeries
from sandbox.elexon.remit import RemitSeries
from sandbox.elexon.units import Fleet, UnitSeries
from sandbox.grid import Series
from sandbox.wind_solar import WindSolarSeries


def build_elexon(seed: int, wind: WindSolarSeries) -> dict[str, Series]:
    """Return the series by the names of the project's datasets."""
    plants, market, fleet = PowerPlants(seed, wind), Market(seed, wind), Fleet(seed)
    return {
        "bid_offer_acceptances": AcceptanceSeries(seed, fleet),
        "generation_outturn": FuelSeries(seed, "generation_outturn", plants, PERIOD_S),
        "fuel_instructions": FuelSeries(seed, "fuel_instructions", plants, SAMPLE_S),
        "demand_outturn": DemandSeries(seed, plants),
        "system_warnings": WarningSeries(seed),
        "individual_generation": MeteredSeries(seed, fleet),
        "market_index": MarketIndexSeries(seed, market),
        "wind_forecasts": WindForecastSeries(seed, wind),
        "netbsad": NetSeries(seed),
        "disbsad": DisaggregatedSeries(seed),
        "system_prices": SystemPriceSeries(seed, market),
        "loss_of_load": LossOfLoadSeries(seed),
        "non_bm_stor": NonBmStorSeries(seed),
        "temperature": TemperatureSeries(seed),
        "remit": RemitSeries(seed, fleet),
        "physical_notifications": NotificationSeries(seed, fleet),
        "bid_offers": BidOfferSeries(seed, fleet),
        "bm_units": UnitSeries(fleet),
    }
