"""The ENTSO-E Transparency Platform over the synthetic grid: one path, all by query, XML answers.

zones      what the platform knows: EIC codes, and the three zones that have a past here
model      demand, weather, dispatch and prices as pure functions of (seed, instant)
days       a market day of a curve set: slots, publications, and the quirks that hit it
series     load, generation and prices as such days; the truth as tables
layout     from days to TimeSeries, Periods and Points
document   from those to bytes
queries    which queries are refused and what the others mean
platform   the service: puts these together and applies faults of rows
"""

from sandbox.entsoe.platform import Platform

__all__ = ["Platform"]
