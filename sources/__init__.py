"""One module per provider; here they are gathered. A new provider is one more line."""

from sources import elexon
from sources.dataset import Dataset, Provider

DATASETS: tuple[Dataset, ...] = (*elexon.DATASETS,)
PROVIDERS: tuple[Provider, ...] = tuple(dict.fromkeys(dataset.provider for dataset in DATASETS))
