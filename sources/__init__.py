"""One module per provider; here they are gathered. A new provider is one more line."""

from sources import elexon, entsoe, vpp_files
from sources.dataset import Dataset, Provider
from utils import Setting

DATASETS: tuple[Dataset, ...] = (
    *elexon.DATASETS,
    *entsoe.DATASETS,
    *vpp_files.DATASETS,
)
PROVIDERS: tuple[Provider, ...] = tuple(dict.fromkeys(dataset.provider for dataset in DATASETS))
SETTINGS: tuple[Setting, ...] = (
    *(setting for provider in PROVIDERS for setting in provider.settings),
    *entsoe.SETTINGS,
    *vpp_files.SETTINGS,
)
