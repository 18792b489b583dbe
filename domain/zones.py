"""ENTSO-E bidding zones: their EIC codes, clocks, and since when they exist.

Codes from the EIC list of the transparency platform. A zone may answer an item under another area's
code; ``codes`` says so per document type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

# Market days of the single day-ahead coupling run by this clock, whichever zone takes part.
MARKET_CLOCK = ZoneInfo("Europe/Brussels")


@dataclass(frozen=True)
class Zone:
    """A bidding zone; ``codes`` maps a document type to the area code it is published under."""

    key: str
    title: str
    eic: str
    time_zone: str
    since: date = date(2015, 1, 1)
    codes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def code(self, document_type: str) -> str:
        """The area code to ask a document under."""
        return self.codes.get(document_type, self.eic)

    @property
    def clock(self) -> ZoneInfo:
        """Its civil time."""
        return ZoneInfo(self.time_zone)


ZONES = {
    zone.key: zone
    for zone in (
        Zone("AT", "Austria", "10YAT-APG------L", "Europe/Vienna", date(2018, 10, 1)),
        Zone("BE", "Belgium", "10YBE----------2", "Europe/Brussels"),
        Zone("CH", "Switzerland", "10YCH-SWISSGRIDZ", "Europe/Zurich"),
        Zone("CZ", "Czechia", "10YCZ-CEPS-----N", "Europe/Prague"),
        Zone("DE_LU", "Germany and Luxembourg", "10Y1001A1001A82H", "Europe/Berlin", date(2018, 10, 1)),
        Zone("DK_1", "Western Denmark", "10YDK-1--------W", "Europe/Copenhagen"),
        Zone("DK_2", "Eastern Denmark", "10YDK-2--------M", "Europe/Copenhagen"),
        Zone("ES", "Spain", "10YES-REE------0", "Europe/Madrid"),
        Zone("FI", "Finland", "10YFI-1--------U", "Europe/Helsinki"),
        Zone("FR", "France", "10YFR-RTE------C", "Europe/Paris"),
        Zone("NL", "Netherlands", "10YNL----------L", "Europe/Amsterdam"),
        Zone("PL", "Poland", "10YPL-AREA-----S", "Europe/Warsaw"),
        Zone("PT", "Portugal", "10YPT-REN------W", "Europe/Lisbon"),
    )
}  # fmt: skip
