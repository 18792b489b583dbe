"""How pages and pictures say a quantity, a share, a length of time."""

from __future__ import annotations

from datetime import timedelta


def words(name: str, unit: str) -> str:
    """A column's name without its unit, as words.

    >>> words("generation_mw", "MW"), words("price_gbp_per_mwh", "GBP/MWh"), words("price_per_mwh", "EUR/MWh")
    ('generation', 'price', 'price')
    """
    suffix = unit.lower().replace("/", "_per_").replace(" ", "_").replace("%", "percent")
    # A unit that depends on the row (currency/MWh) leaves only its lower half in the name.
    lower = suffix.partition("_per_")[2]
    for end in (suffix, f"per_{lower}" if lower else ""):
        if end and name.endswith(f"_{end}"):
            name = name.removesuffix(f"_{end}")
    return name.replace("_", " ")


def percent(share: float) -> str:
    """A share as people read it, never 100 % of what is not whole; empty where it is not known.

    >>> percent(1.0), percent(0.99999), percent(0.5)
    ('100%', '99.9%', '50.0%')
    """
    if share != share:
        return ""
    return "100%" if share >= 1 else f"{min(share, 0.999):.1%}"


def lasting(length: timedelta) -> str:
    """A length as people say it.

    >>> lasting(timedelta(seconds=15)), lasting(timedelta(minutes=30)), lasting(timedelta(days=7))
    ('15 s', '30 min', '7 days')
    """
    seconds = length.total_seconds()
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name if seconds > unit or name != 'days' else 'day'}"
    return f"{seconds:g} s"
