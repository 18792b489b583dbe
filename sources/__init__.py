"""One module per provider; here they are gathered. A new provider is one more line."""

from sources import (
    carbon_intensity,
    elexon,
    elexon_balancing,
    elexon_codes,
    elexon_units,
    entsoe,
    entsoe_balancing,
    entsoe_capacities,
    entsoe_market,
    entsoe_outages,
    entsoe_power,
    neso,
    neso_auctions,
    neso_forecasts,
    vpp_files,
    vpp_market,
)
from sources.dataset import Dataset, Provider
from utils import Setting

DATASETS: tuple[Dataset, ...] = (
    *elexon.DATASETS,
    *elexon_balancing.DATASETS,
    *elexon_units.DATASETS,
    *elexon_codes.DATASETS,
    *neso.DATASETS,
    *neso_forecasts.DATASETS,
    *neso_auctions.DATASETS,
    *carbon_intensity.DATASETS,
    *entsoe_power.DATASETS,
    *entsoe_capacities.DATASETS,
    *entsoe_market.DATASETS,
    *entsoe_balancing.DATASETS,
    *entsoe_outages.DATASETS,
    *vpp_files.DATASETS,
    *vpp_market.DATASETS,
)
BY_KEY = {dataset.key: dataset for dataset in DATASETS}
PROVIDERS: tuple[Provider, ...] = tuple(dict.fromkeys(dataset.provider for dataset in DATASETS))
SETTINGS: tuple[Setting, ...] = (
    *(setting for provider in PROVIDERS for setting in provider.settings),
    *entsoe.SETTINGS,
    *vpp_files.SETTINGS,
)
