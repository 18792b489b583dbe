"""NESO's data portal over the synthetic grid: CKAN's actions, files behind redirects, a datastore.

tables     a resource's content: columns of texts with the datastore's types
demand     demand, embedded generation and interconnectors; the weather of the forecasts
embedded   the hourly forecasts of embedded wind and sun, and their archives
wind       the day-ahead forecast of metered wind, and its history
auctions   response auctions, old (local time) and present (UTC)
seconds    frequency every second, in months
packages   what is listed at an instant: packages, resources, names, modifications
files      the links, the presigned addresses and the content behind them
datastore  the two searches, sql the little SQL of one of them
spoil      faults of rows in a CSV
portal     the service: puts these together
"""

from sandbox.neso.portal import Portal

__all__ = ["Portal"]
