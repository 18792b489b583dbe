"""Production types of the ENTSO-E code list, and the groups that a generation mix is told in.

>>> group_of("B18"), group_of("B10"), group_of("B99")
('wind', 'storage', 'other')
"""

from __future__ import annotations

# Code: (name in the code list, group). Water that was pumped up and batteries give back what was
# generated before, so they are a group of their own and no part of hydro.
PSR_TYPES = {
    "B01": ("Biomass", "biomass"),
    "B02": ("Fossil brown coal/lignite", "coal"),
    "B03": ("Fossil coal-derived gas", "coal"),
    "B04": ("Fossil gas", "gas"),
    "B05": ("Fossil hard coal", "coal"),
    "B06": ("Fossil oil", "oil"),
    "B07": ("Fossil oil shale", "oil"),
    "B08": ("Fossil peat", "coal"),
    "B09": ("Geothermal", "other renewable"),
    "B10": ("Hydro pumped storage", "storage"),
    "B11": ("Hydro run-of-river and pondage", "hydro"),
    "B12": ("Hydro water reservoir", "hydro"),
    "B13": ("Marine", "other renewable"),
    "B14": ("Nuclear", "nuclear"),
    "B15": ("Other renewable", "other renewable"),
    "B16": ("Solar", "solar"),
    "B17": ("Waste", "waste"),
    "B18": ("Wind offshore", "wind"),
    "B19": ("Wind onshore", "wind"),
    "B20": ("Other", "other"),
    "B25": ("Energy storage", "storage"),
}
GROUPS = tuple(dict.fromkeys(group for _, group in PSR_TYPES.values()))


def group_of(psr_type: str) -> str:
    """The group of a production type; ``other`` for a code that is not in the list."""
    return PSR_TYPES.get(psr_type, PSR_TYPES["B20"])[1]
