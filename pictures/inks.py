"""The one palette and the one set of words for types of generation.

Every ink of a series stands out from white and from Streamlit's dark page alike (contrast 3:1 and more,
as WCAG asks of graphics), and the first six of ``CYCLE`` stay apart for colour-blind eyes; the tests hold both.
"""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hls_to_rgb, rgb_to_hls
from itertools import cycle

from domain.psr_types import PSR_TYPES, group_of

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#0e1117"

# The first six were searched for: as far apart as the two contrasts allow, also for red-blind and
# green-blind eyes. The rest are for pictures with many series, whose lines are dashed as well.
BLUE, RUST, GREEN, PINK, OCHRE, CYAN = (
    "#1393f9",
    "#aa5928",
    "#137050",
    "#e30e9a",
    "#b48f00",
    "#04a1c6",
)
RED, VIOLET, OLIVE, BROWN = "#d64545", "#8468d8", "#7f9a1e", "#7d6b5d"
STEEL, GREY = "#6f8faf", "#858585"
# A light green that the total of wind, offshore wind and solar stay apart from.
JADE = "#04a459"
CYCLE = (BLUE, RUST, GREEN, PINK, OCHRE, CYAN, VIOLET, RED, OLIVE, STEEL, BROWN, GREY)

INKS = {
    "first": BLUE,
    "second": RUST,
    "limit": RED,
    "curve": RUST,
    "gap": "#9a9a9a",
    "other": GREY,
    # what generates
    "wind": GREEN,
    "wind onshore": JADE,
    "wind offshore": CYAN,
    "solar": OCHRE,
    "nuclear": VIOLET,
    "gas": RUST,
    "coal": BROWN,
    "oil": RED,
    "biomass": OLIVE,
    "hydro": BLUE,
    "storage": PINK,
    "imports": STEEL,
    "waste": "#9c8a5b",
    "other renewable": "#5f9e6e",
}
# Where many series share an ink: a step of hue, and the luminances between which the contrast holds.
HUE_STEP, DARKEST, BRIGHTEST = 20 / 360, 0.13, 0.29
# Low to high, and negative to positive, as (place, colour).
SEQUENTIAL = (
    (0.0, "#440154"),
    (0.25, "#3b528b"),
    (0.5, "#21918c"),
    (0.75, "#5ec962"),
    (1.0, "#fde725"),
)
SIGNED = (
    (0.0, "#b2182b"),
    (0.25, "#ef8a62"),
    (0.5, "#f7f7f7"),
    (0.75, "#67a9cf"),
    (1.0, "#2166ac"),
)

# Elexon's fuels, Carbon Intensity's and the words of all: (what people call it, ink).
_WORDS = {
    "ccgt": ("Gas, combined cycle", "gas"),
    "ocgt": ("Gas, open cycle", "oil"),
    "npshyd": ("Hydro", "hydro"),
    "ps": ("Pumped storage", "storage"),
    "solar": ("Solar", "solar"),
    "wind": ("Wind", "wind"),
    "wind onshore": ("Wind onshore", "wind onshore"),
    "wind offshore": ("Wind offshore", "wind offshore"),
    "nuclear": ("Nuclear", "nuclear"),
    "gas": ("Gas", "gas"),
    "coal": ("Coal", "coal"),
    "oil": ("Oil", "oil"),
    "biomass": ("Biomass", "biomass"),
    "hydro": ("Hydro", "hydro"),
    "storage": ("Storage", "storage"),
    "imports": ("Imports", "imports"),
    "waste": ("Waste", "waste"),
    "other": ("Other", "other"),
    "other renewable": ("Other renewable", "other renewable"),
}
_INTERCONNECTORS = {
    "intfr": "France (IFA)",
    "intifa2": "France (IFA2)",
    "intelec": "France (ElecLink)",
    "intirl": "Ireland (Moyle)",
    "intew": "Ireland (East-West)",
    "intgrnl": "Ireland (Greenlink)",
    "intned": "Netherlands (BritNed)",
    "intnem": "Belgium (Nemo)",
    "intnsl": "Norway (NSL)",
    "intvkl": "Denmark (Viking)",
}
_PSR_INKS = {"B18": "wind offshore", "B19": "wind onshore", "B20": "other"}
# Columns whose values are types of generation.
FUEL_COLUMNS = ("psr_type", "psr_group", "fuel_type", "fuel", "technology", "series")


def label_of(value: object) -> str:
    """What people call a series: a production type by its name, anything else as it is.

    >>> label_of("B16"), label_of("INTFR"), label_of("DE_LU"), label_of("")
    ('Solar', 'France (IFA)', 'DE_LU', '(none)')
    """
    text = str(value)
    folded = text.casefold()
    if text in PSR_TYPES:
        return PSR_TYPES[text][0]
    if folded in _INTERCONNECTORS:
        return _INTERCONNECTORS[folded]
    return _WORDS[folded][0] if folded in _WORDS else text or "(none)"


def ink_of(value: object) -> str | None:
    """The ink of a type of generation; None for anything else."""
    text = str(value)
    folded = text.casefold()
    if text in PSR_TYPES:
        return _PSR_INKS.get(text, group_of(text))
    if folded in _INTERCONNECTORS:
        return "imports"
    return _WORDS[folded][1] if folded in _WORDS else None


def inks_of(values: Sequence[object]) -> list[str]:
    """An ink a series: that of its type of generation, else the next of the cycle that is free.

    Of several with the same ink, such as interconnectors, the later ones get shades of it.

    >>> inks_of(["solar", "DE_LU", "B16"])[0], len(set(inks_of(["INTFR", "INTNED", "INTNSL"])))
    ('solar', 3)
    """
    wanted = [ink_of(value) for value in values]
    own = {INKS[ink] for ink in wanted if ink}
    spare = cycle([ink for ink in CYCLE if ink not in own] or CYCLE)
    found: list[str] = []
    for ink in wanted:
        before = wanted[: len(found)].count(ink) if ink else 0
        found.append(_shade(INKS[ink], before) if ink and before else ink or next(spare))
    return found


def _shade(colour: str, number: int) -> str:
    """Neighbouring hues, further each time, dark and bright by turns within what both pages bear.

    The first is at the other end than the colour itself.
    """
    base = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    hue, _, saturation = rgb_to_hls(*base)
    ends = sorted((DARKEST, BRIGHTEST), key=lambda end: abs(luminance(*base) - end))
    turn = HUE_STEP * ((number + 1) // 2) * (1 if number % 4 in (1, 2) else -1)
    wanted = ends[number % 2]
    low, high = 0.0, 1.0
    while high - low > 0.001:  # luminance grows with lightness, but has no inverse to write down
        middle = (low + high) / 2
        shade = hls_to_rgb((hue + turn) % 1, middle, max(saturation, 0.35))
        low, high = (middle, high) if luminance(*shade) < wanted else (low, middle)
    return "#" + "".join(f"{round(255 * part):02x}" for part in shade)


def luminance(red: float, green: float, blue: float) -> float:
    """How bright a colour is, 0 to 1, from its parts from 0 to 1 (relative luminance of WCAG 2).

    >>> round(luminance(1, 1, 1), 6), round(luminance(0, 0.5, 0), 3)
    (1.0, 0.153)
    """
    parts = (
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in (red, green, blue)
    )
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def colour(ink: str) -> str:
    """The colour of an ink as ``#rrggbb``; a colour stands for itself."""
    return ink if ink.startswith("#") else INKS[ink]
