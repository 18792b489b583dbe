"""The ENTSO-E Transparency Platform over the synthetic grid: one path, all by query, XML answers.

zones      what the platform knows: areas and borders (zones.csv, borders.csv), who answers for whom
climates   size, place and plants of each zone
model      demand, weather, dispatch and prices as pure functions of (seed, instant)
exchange   schedules, flows, capacities and net positions, from one net exchange a border
units      plants and generating units;  outages  of these and of lines, with revisions
curves     what an item of slots is;  power, market, balancing  those items
civil      items by days, weeks, months and years of civil time
contracts  reserves and capacity that was bought, bid by bid
days       a market day of a curve set: slots, publications, and the quirks that hit it
series     the items of slots as such days;  truth  all of them as tables
layout     from days to TimeSeries, Periods and Points
document   from those to bytes;  archive  documents in zips, and what goes wrong with them
items      how each item is asked for, and how it looks
queries    which queries are refused and what the others mean
platform   the service: puts these together and applies faults of rows
"""

from sandbox.entsoe.platform import Platform

__all__ = ["Platform"]
