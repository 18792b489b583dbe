"""Deterministic randomness: a number for every (seed, label, index), with no state to advance.

A value never depends on the window asked, on what was asked before or on the process. Only integers
and the four basic float operations are used, so that machines agree to the last bit.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]


@lru_cache(maxsize=4096)
def key(seed: int, label: str) -> int:
    """Return the 64-bit key of one stream of random numbers."""
    digest = hashlib.blake2b(f"{seed}/{label}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def uniform(seed: int, label: str, index: Instants) -> Floats:
    """Return one number in [0, 1) for each index."""
    mixed = index.astype(np.uint64)
    # The finaliser of SplitMix64: neighbours in, unrelated numbers out, at a few operations each.
    mixed = (mixed + np.uint64(key(seed, label))) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def chance(seed: int, label: str, *index: int) -> float:
    """Return one number in [0, 1) for one tuple of indices."""
    return key(seed, "/".join([label, *map(str, index)])) / 2.0**64


def smooth(seed: int, label: str, period_s: int, instants: Instants) -> Floats:
    """Return noise in [-1, 1] that moves to another random level every `period_s` seconds."""
    if not len(instants):
        return np.zeros(0)
    cell = instants // period_s
    first = int(cell.min())
    lattice = (
        2.0 * uniform(seed, label, np.arange(first, int(cell.max()) + 2, dtype=np.int64)) - 1.0
    )
    place = cell - first
    share = (instants - cell * period_s) / period_s
    weight = share * share * (3.0 - 2.0 * share)
    return lattice[place] * (1.0 - weight) + lattice[place + 1] * weight


def octaves(
    seed: int, label: str, layers: tuple[tuple[int, float], ...], instants: Instants
) -> Floats:
    """Return the sum of several `smooth` noises, given as (period in seconds, amplitude)."""
    total = np.zeros(len(instants))
    for period_s, amplitude in layers:
        total += amplitude * smooth(seed, f"{label}/{period_s}", period_s, instants)
    return total
