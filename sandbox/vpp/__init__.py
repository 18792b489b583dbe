"""A synthetic VPP input folder, and what a correct reader must find in it.

    written = write_folder(Path("vpp_in"), [date(2024, 3, 31), date(2024, 10, 27)])
    written.truth.best_of_infeed(zone="Europe/Berlin")
    figures.trading(written.truth, date(2024, 3, 31), "Europe/Berlin")

It imports nothing of the project. Files are byte-identical for the same arguments.

Who has what on a UTC day d (days since 1970-01-01), with n wind plants in order of their ids:
plant d mod n has no final production (live), plant d + 1 mod n has neither final production nor,
from 08:00 to 14:00 UTC, live values (forecast) and is curtailed from 10:00 to 12:00; SOLAR_02 is
curtailed from 11:00 to 11:45. All other plants have both, with holes in the live values.
"""

from sandbox.vpp.defects import Defect
from sandbox.vpp.fleet import Contract, Plant, Snapshot
from sandbox.vpp.folder import Written, write_folder
from sandbox.vpp.market import ImbalancePrice, Trade
from sandbox.vpp.truth import (
    FinalRow,
    ForecastRow,
    Infeed,
    LiveRow,
    PortfolioInfeed,
    Truth,
    live_mean,
)

__all__ = [
    "Contract",
    "Defect",
    "FinalRow",
    "ForecastRow",
    "ImbalancePrice",
    "Infeed",
    "LiveRow",
    "Plant",
    "PortfolioInfeed",
    "Snapshot",
    "Trade",
    "Truth",
    "Written",
    "live_mean",
    "write_folder",
]
