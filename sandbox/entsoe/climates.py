"""Size and place of the zones, and what plants they have: three in detail, the others by a rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.entsoe.zones import CONTROL_AREAS, ZONES, Zone
from sandbox.noise import chance


@dataclass(frozen=True)
class Climate:
    """A zone's size and place: demand in MW (mean, season, day, weekend, noise), fleets in MW.

    `middle` and `slope` turn residual demand, as a share of mean demand, into a price around 75.
    """

    latitude: float
    longitude: float
    demand: tuple[float, float, float, float, float]
    solar: float
    onshore: float
    offshore: float
    middle: float
    slope: float


CLIMATES = {
    "DE_LU": Climate(
        50.5, 10.0, (57_500, 3_800, 9_000, 8_500, 1_800), 62_000, 58_000, 8_200, 0.56, 145
    ),
    "FR": Climate(46.5, 2.5, (52_000, 12_500, 7_000, 4_500, 2_000), 18_000, 21_000, 900, 0.86, 160),
    "GB": Climate(
        52.5, -1.5, (31_500, 4_500, 7_000, 2_500, 1_000), 13_000, 12_000, 9_000, 0.68, 110
    ),
}

# psr type -> how it runs: (manner, lowest MW, highest MW, decimals). Manners: "steady" wanders
# slowly, "daily" holds one value all day, "follows" meets residual demand, the others are weather.
Fleet = dict[str, tuple[str, float, float, int]]
FLEETS: dict[str, Fleet] = {
    "DE_LU": {
        "B01": ("steady", 3_900, 4_500, 2),
        "B02": ("follows", 3_500, 15_000, 2),
        "B03": ("steady", 350, 650, 2),
        "B04": ("follows", 2_200, 17_000, 2),
        "B05": ("follows", 800, 11_000, 2),
        "B06": ("steady", 300, 340, 1),
        "B09": ("steady", 18, 26, 1),
        "B10": ("pumped", 0, 6_000, 2),
        "B11": ("steady", 1_300, 2_100, 2),
        "B12": ("follows", 60, 420, 2),
        "B15": ("steady", 70, 85, 1),
        "B16": ("solar", 0, 62_000, 2),
        "B17": ("steady", 480, 640, 2),
        "B18": ("offshore", 0, 8_200, 2),
        "B19": ("onshore", 0, 58_000, 2),
        "B20": ("daily", 95, 130, 2),
    },
    # France publishes whole megawatts: equal neighbours are frequent.
    "FR": {
        "B01": ("steady", 520, 600, 0),
        "B04": ("follows", 400, 8_500, 0),
        "B05": ("follows", 0, 1_400, 0),
        "B10": ("pumped", 0, 3_300, 0),
        "B11": ("steady", 2_800, 5_200, 0),
        "B12": ("follows", 300, 4_800, 0),
        "B14": ("follows", 33_000, 49_000, 0),
        "B16": ("solar", 0, 18_000, 0),
        "B18": ("offshore", 0, 900, 0),
        "B19": ("onshore", 0, 21_000, 0),
    },
    "GB": {
        "B01": ("steady", 1_800, 2_600, 0),
        "B04": ("follows", 2_500, 21_000, 0),
        "B14": ("steady", 5_000, 7_000, 0),
        "B16": ("solar", 0, 13_000, 0),
        "B18": ("offshore", 0, 9_000, 0),
        "B19": ("onshore", 0, 12_000, 0),
    },
}
# What the types draw from the grid themselves.
CONSUMERS: dict[str, tuple[str, ...]] = {
    "DE_LU": ("B10", "B16", "B19"),
    "FR": ("B10",),
    "GB": (),
}

# Of the other zones by type: how it runs, and between which shares of what is installed.
_MANNERS = {
    "B10": ("pumped", 0.0, 0.9),
    "B16": ("solar", 0.0, 1.0),
    "B18": ("offshore", 0.0, 1.0),
    "B19": ("onshore", 0.0, 1.0),
    "B02": ("follows", 0.1, 0.85),
    "B04": ("follows", 0.05, 0.8),
    "B05": ("follows", 0.05, 0.8),
    "B07": ("follows", 0.1, 0.8),
    "B12": ("follows", 0.1, 0.85),
    "B14": ("steady", 0.75, 0.97),
}
_STEADY = ("steady", 0.3, 0.75)
# How much of what is installed the weather feeds in over a year, about.
_YIELD = {"B16": 0.11, "B18": 0.4, "B19": 0.25}


def _climate(zone: Zone) -> Climate:
    installed, mean = dict(zone.fleet), zone.mean_mw
    weather = sum(share * installed.get(psr, 0.0) for psr, share in _YIELD.items())
    return Climate(
        *zone.place,
        (mean, 0.1 * mean, 0.16 * mean, 0.1 * mean, 0.035 * mean),
        installed.get("B16", 0.0),
        installed.get("B19", 0.0),
        installed.get("B18", 0.0),
        1.0 - min(0.9, weather / mean),
        130,
    )


def _fleet(zone: Zone) -> Fleet:
    # Some publish whole megawatts, where equal neighbours are frequent, others hundredths.
    decimals = 0 if chance(0, f"entsoe/{zone.key}/decimals") < 0.5 else 2
    found: Fleet = {}
    for psr, mw in zone.fleet:
        manner, low, high = _MANNERS.get(psr, _STEADY)
        found[psr] = (manner, round(low * mw), round(high * mw), decimals)
    return found


for _zone in ZONES:
    if _zone.key not in CLIMATES:
        CLIMATES[_zone.key] = _climate(_zone)
        FLEETS[_zone.key] = _fleet(_zone)
        CONSUMERS[_zone.key] = tuple(psr for psr in ("B10",) if psr in FLEETS[_zone.key])

# A control area is like its zone, and as large as its part of it.
for _area in CONTROL_AREAS:
    if _area.within is not None:
        _whole, _, _parts = _area.within
        _mean, _season, _day, _weekend, _noise = CLIMATES[_whole].demand
        _scale = 1.0 / _parts
        CLIMATES[_area.key] = replace(
            CLIMATES[_whole],
            demand=(
                _mean * _scale,
                _season * _scale,
                _day * _scale,
                _weekend * _scale,
                _noise * _scale,
            ),
            solar=CLIMATES[_whole].solar * _scale,
            onshore=CLIMATES[_whole].onshore * _scale,
            offshore=CLIMATES[_whole].offshore * _scale,
        )
        FLEETS[_area.key] = {
            psr: (manner, low * _scale, high * _scale, decimals)
            for psr, (manner, low, high, decimals) in FLEETS[_whole].items()
        }
        CONSUMERS[_area.key] = CONSUMERS[_whole]
