"""What is wrong with, and what happens in, a series of frequency samples. Nothing is ever interpolated.

Rules (reference section 3). A sample that is not a number or outside 45 to 55 Hz is missing
(``implausible``). A single sample more than 0.3 Hz from both neighbours, which agree within 0.05 Hz, is
missing (``spike``); steepness alone is never a reason, because real events are steep. Outside 47 to
52 Hz a sample is ``questionable`` and kept. A ``gap`` is a step of more than one and a half times the
sample spacing. ``flat``: the same value for 60 s or longer; ``ramp``: a straight line for ten seconds
and six samples or longer, as fills leave behind. An excursion (``low``, ``high``) begins when the
deviation passes 0.2 Hz and ends with the last moment outside before 30 s inside, or before a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.integration import Pieces, held_pieces
from domain.response import NOMINAL_HZ, PLAUSIBLE_HZ

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

QUESTIONABLE_HZ = (47.0, 52.0)
# Bands by the largest deviation that is inside [Hz].
OPERATIONAL, STATUTORY, DEADBAND = 0.2, 0.5, 0.015
GAP_STEPS = 1.5
SPIKE_HZ, NEIGHBOURS_HZ = 0.3, 0.05
FLAT_S, RAMP_S, RAMP_STEPS = 60.0, 10.0, 6
# Two steps of a line that was written with six decimals differ by no more than this [Hz].
_STRAIGHT_HZ = 2.5e-6
QUIET_S = 30.0
KINDS = ("low", "high", "gap", "flat", "ramp", "implausible", "spike")


@dataclass(frozen=True)
class Samples:
    """Samples [s, Hz] in order of time, and which of them are ``implausible``, a ``spike``, usable."""

    times_s: Floats
    hertz: Floats
    implausible: Flags
    spike: Flags

    @property
    def usable(self) -> Flags:
        """Neither implausible nor a spike."""
        return ~(self.implausible | self.spike)

    @property
    def questionable(self) -> Flags:
        """Usable, but so far off that it deserves a look."""
        low, high = QUESTIONABLE_HZ
        return self.usable & ((self.hertz < low) | (self.hertz > high))


@dataclass(frozen=True)
class Event:
    """Something between two moments [s]; see the module's head for the kinds.

    ``samples``: how many are in it, or missing in a gap. For excursions ``extreme_hz`` is nadir or zenith,
    first reached at ``extreme_s``; ``slope_hz_per_s`` the steepest step between neighbouring samples,
    signed, the one into the excursion included; ``area_hz_s`` the integral of |deviation from 50 Hz|
    over covered time. For flat runs ``extreme_hz`` is the value and for ramps ``slope_hz_per_s`` the slope.
    ``cut``: it touches an end of the span looked at and may go on beyond.
    """

    kind: str
    start_s: float
    end_s: float
    samples: int
    cut: bool
    extreme_hz: float | None = None
    extreme_s: float | None = None
    slope_hz_per_s: float | None = None
    area_hz_s: float | None = None


def judge(times_s: Any, hertz: Any, cadence_s: float) -> Samples:
    """Samples [s, ascending; Hz] with a verdict on each; ``cadence_s`` is their spacing [s].

    >>> found = judge([0, 1, 2, 3], [50.0, 50.4, 50.01, 0.0], 1)
    >>> found.spike.tolist(), found.implausible.tolist()
    ([False, True, False, False], [False, False, False, True])
    """
    import numpy as np

    times, values = np.asarray(times_s, dtype=np.float64), np.asarray(hertz, dtype=np.float64)
    low, high = PLAUSIBLE_HZ
    implausible = ~((values >= low) & (values <= high))
    spike = np.zeros(values.size, dtype=bool)
    if values.size > 2:
        near = np.diff(times) <= GAP_STEPS * cadence_s
        step = np.diff(values)
        off = (np.abs(step) > SPIKE_HZ) & near
        agree = np.abs(values[2:] - values[:-2]) <= NEIGHBOURS_HZ
        good = ~implausible
        spike[1:-1] = off[:-1] & off[1:] & agree & good[:-2] & good[1:-1] & good[2:]
    return Samples(times, values, implausible, spike)


def deviation(hertz: Floats) -> Floats:
    """Deviation from 50 Hz [Hz], rounded to 1e-6 so that a limit is met exactly."""
    import numpy as np

    return np.round(hertz - NOMINAL_HZ, 6)


def usable_pieces(samples: Samples, edges_s: Any, hold_s: float) -> Pieces:
    """The time that usable samples hold for; see ``domain.integration.held_pieces``."""
    keep = samples.usable
    return held_pieces(samples.times_s[keep], samples.hertz[keep], edges_s, hold_s=hold_s)


def events(
    samples: Samples, start_s: float, end_s: float, *, cadence_s: float, hold_s: float = 60.0
) -> list[Event]:
    """Everything that begins in the span, or reaches into it, cut at its ends, in order of time.

    Samples from before the span belong in the input: they hold into it.
    """
    found = [
        *_excursions(samples, start_s, end_s, cadence_s, hold_s),
        *_gaps(samples, start_s, end_s, cadence_s),
        *_runs(samples, start_s, end_s, cadence_s),
        *_marked(samples, start_s, end_s, cadence_s),
    ]
    return sorted(found, key=lambda event: (event.start_s, event.kind))


def _excursions(
    samples: Samples, start_s: float, end_s: float, cadence_s: float, hold_s: float
) -> list[Event]:
    import numpy as np

    held = usable_pieces(samples, [start_s, end_s], hold_s)
    inside = slice(held.bounds[0], held.bounds[1])
    begin, seconds, hertz = held.start_s[inside], held.seconds[inside], held.value[inside]
    off = deviation(hertz)
    keep = samples.usable
    times, values = samples.times_s[keep], samples.hertz[keep]
    near = np.diff(times) <= GAP_STEPS * cadence_s
    slopes = np.where(near, np.diff(values) / np.diff(times), 0.0)
    # A gap ends an excursion: nobody knows what happened in it.
    blocks = (
        np.cumsum(np.append(0, (begin[1:] - (begin + seconds)[:-1]) > 0)) if begin.size else off
    )
    found = []
    for kind, sign in (("low", -1.0), ("high", 1.0)):
        outside = np.flatnonzero(sign * off > OPERATIONAL)
        if not outside.size:
            continue
        ends = (begin + seconds)[outside]
        apart = (begin[outside][1:] - ends[:-1] >= QUIET_S) | (
            blocks[outside][1:] != blocks[outside][:-1]
        )
        for group in np.split(outside, np.flatnonzero(apart) + 1):
            first, last = int(group[0]), int(group[-1])
            of_event = slice(first, last + 1)
            since, until = float(begin[first]), float(begin[last] + seconds[last])
            extreme = first + int(np.argmax(sign * off[of_event]))
            steps = slopes[(times[1:] >= since) & (times[1:] < until)]
            steepest = steps[int(np.argmax(np.abs(steps)))] if steps.size else 0.0
            found.append(
                Event(
                    kind,
                    since,
                    until,
                    int(((times >= since) & (times < until)).sum()),
                    since <= start_s or until >= end_s,
                    float(hertz[extreme]),
                    float(begin[extreme]),
                    float(steepest),
                    float((np.abs(off[of_event]) * seconds[of_event]).sum()),
                )
            )
    return found


def _gaps(samples: Samples, start_s: float, end_s: float, cadence_s: float) -> list[Event]:
    """Spans in which samples are missing: from when the next one was due to the next there is."""
    import numpy as np

    times = samples.times_s[samples.usable]
    before = times[times < start_s]
    # Without a sample just before the span the first one is due at its start.
    last = float(before[-1]) if before.size else start_s - cadence_s
    moments = np.concatenate([[max(last, start_s - cadence_s)], times[times >= start_s], [end_s]])
    found = []
    for n in np.flatnonzero(np.diff(moments) > GAP_STEPS * cadence_s):
        since, until = max(float(moments[n]) + cadence_s, start_s), float(moments[n + 1])
        missing = max(round((until - since) / cadence_s), 1)
        found.append(Event("gap", since, until, missing, since <= start_s or until >= end_s))
    return found


def _runs(samples: Samples, start_s: float, end_s: float, cadence_s: float) -> list[Event]:
    """Runs of one value, and straight lines, of samples that follow each other without a gap."""
    import numpy as np

    keep = samples.usable & (samples.times_s >= start_s) & (samples.times_s < end_s)
    times, hertz = samples.times_s[keep], samples.hertz[keep]
    near = np.diff(times) <= GAP_STEPS * cadence_s
    step = np.diff(hertz)
    found = []
    for first, last in _stretches(near & (step == 0)):
        if times[last + 1] - times[first] >= FLAT_S:
            found.append(
                _run("flat", times, first, last + 1, start_s, end_s, cadence_s, hertz[first])
            )
    moving = near & (step != 0)
    if step.size < 2:
        return found
    even = np.abs(np.diff(times, 2)) < 1e-9
    straight = (np.abs(np.diff(step)) <= _STRAIGHT_HZ) & even & moving[:-1] & moving[1:]
    # Steps no larger than the rounding itself tell no line from a standstill.
    straight &= np.abs(step[1:]) > _STRAIGHT_HZ
    least = max(RAMP_S, RAMP_STEPS * cadence_s)
    for first, last in _stretches(straight):
        until = last + 2
        if times[until] - times[first] >= least:
            slope = float((hertz[until] - hertz[first]) / (times[until] - times[first]))
            found.append(_run("ramp", times, first, until, start_s, end_s, cadence_s, None, slope))
    return found


def _run(
    kind: str,
    times: Floats,
    first: int,
    last: int,
    start_s: float,
    end_s: float,
    cadence_s: float,
    value: float | None,
    slope: float | None = None,
) -> Event:
    since, until = float(times[first]), float(times[last])
    cut = since < start_s + cadence_s or until + cadence_s >= end_s
    hertz = None if value is None else float(value)
    return Event(kind, since, until, last - first + 1, cut, hertz, slope_hz_per_s=slope)


def _marked(samples: Samples, start_s: float, end_s: float, cadence_s: float) -> list[Event]:
    """Implausible samples and spikes, those that follow each other as one event."""
    within = (samples.times_s >= start_s) & (samples.times_s < end_s)
    times = samples.times_s[within]
    found = []
    for kind, marked in (("implausible", samples.implausible), ("spike", samples.spike)):
        for first, last in _stretches(marked[within]):
            since, until = float(times[first]), min(float(times[last]) + cadence_s, end_s)
            cut = since <= start_s or until >= end_s
            value = float(samples.hertz[within][first])
            shown = value if value == value else None  # what is not a number is no extreme
            found.append(Event(kind, since, until, last - first + 1, cut, shown))
    return found


def _stretches(flags: Any) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    import numpy as np

    turns = np.diff(np.concatenate([[False], np.asarray(flags, dtype=bool), [False]]).astype(int))
    return list(
        zip(
            np.flatnonzero(turns == 1).tolist(),
            (np.flatnonzero(turns == -1) - 1).tolist(),
            strict=True,
        )
    )
