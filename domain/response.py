"""Static frequency-response services: which share of its contracted power a battery gives at f.

A curve is a list of points: deviation from 50 Hz [Hz] -> share of contracted power (0 to 1), linear
between them, 0 before the first, the last value after the last. Low frequency discharges (+), high
frequency charges (-). Points: DC from NESO's service page; DM and DR from Table 1 of the response
service terms; FCR is proportional to the full deviation, with the 10 mHz insensitivity that the
rules allow; ``droop`` is a plain linear droop without deadband, full at 0.5 Hz.

Samples of 1 s or 15 s cannot show how fast a unit answers, so this is the static response: what the
curve asks for, never proof of performance.

The two enhanced services (EFR, ended) are modelled by the reference line in the middle of their
envelope. ``sustain_h`` is how long full power must last; for ``droop``, which nobody sells, and ``fcr``,
where it depends on the system operator (15 to 30 minutes), it is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NOMINAL_HZ = 50.0
# Outside this band a reading is a fault of the meter, not of the grid.
PLAUSIBLE_HZ = (45.0, 55.0)
# Which side of 50 Hz a contract answers: below, above, or either.
DIRECTIONS = ("low", "high", "both")


@dataclass(frozen=True)
class ResponseService:
    """A service: ``points`` (deviation [Hz], share of contracted power) and ``sustain_h`` [h]."""

    key: str
    title: str
    points: tuple[tuple[float, float], ...]
    sustain_h: float
    # A step at the first point: below it nothing is asked, from it on the curve holds.
    insensitivity_hz: float = 0.0


SERVICES = {
    service.key: service
    for service in (
        ResponseService("droop", "Linear droop, full at 0.5 Hz", ((0.0, 0.0), (0.5, 1.0)), 0.5),
        ResponseService("dc", "Dynamic Containment", ((0.015, 0.0), (0.2, 0.05), (0.5, 1.0)), 0.25),
        ResponseService("dm", "Dynamic Moderation", ((0.015, 0.0), (0.1, 0.05), (0.2, 1.0)), 0.5),
        ResponseService("dr", "Dynamic Regulation", ((0.015, 0.0), (0.2, 1.0)), 1.0),
        ResponseService(
            "fcr",
            "Frequency Containment Reserve (Continental Europe)",
            ((0.0, 0.0), (0.2, 1.0)),
            0.5,
            insensitivity_hz=0.010,
        ),
        ResponseService(
            "efr_wide",
            "Enhanced Frequency Response, wide band (service 1, ended)",
            ((0.05, 0.0), (0.25, 0.20 / 0.45), (0.5, 1.0)),
            0.25,
        ),
        ResponseService(
            "efr_narrow",
            "Enhanced Frequency Response, narrow band (service 2, ended)",
            ((0.015, 0.0), (0.25, 0.235 / 0.485), (0.5, 1.0)),
            0.25,
        ),
    )
}


def service(key: str) -> ResponseService:
    """The service of that name; UsageError names those there are."""
    try:
        return SERVICES[key]
    except KeyError:
        raise UsageError(
            f"there is no response service '{key}': choose from {', '.join(SERVICES)}."
        ) from None


def response_share(frequency_hz: Any, service_key: str) -> npt.NDArray[np.float64]:
    """The signed share of contracted power that a service asks for, per sample.

    ``frequency_hz``: array of frequencies [Hz]. Returns an array of the same shape, -1 to 1,
    discharge +. The deviation is rounded to 1e-6 Hz first, because 50.015 - 50 is not 0.015 in
    binary. Source of the points: see the module's head.

    >>> [round(float(x), 6) for x in response_share([49.65, 50.1, 50.0], "dc")]
    [0.525, -0.022973, 0.0]
    """
    import numpy as np

    curve = service(service_key)
    deviation = np.round(NOMINAL_HZ - np.asarray(frequency_hz, dtype=np.float64), 6)
    size = np.abs(deviation)
    xs, ys = zip(*curve.points, strict=True)
    share = np.interp(size, xs, ys, left=0.0)
    share = (
        np.where(size <= curve.insensitivity_hz, 0.0, share) if curve.insensitivity_hz else share
    )
    return np.copysign(share, deviation) + 0.0


def response_mw(
    frequency_hz: Any, service_key: str, power_mw: float, direction: str = "both"
) -> npt.NDArray[np.float64]:
    """Battery power [MW] per sample: discharge +, charge -; see ``response_share``.

    ``direction`` says what is contracted: ``low`` answers low frequency only, ``high`` high frequency
    only, ``both`` either, each with ``power_mw``.

    >>> float(response_mw([49.75], "droop", 10.0)[0])
    5.0
    """
    import numpy as np

    if direction not in DIRECTIONS:
        raise UsageError(f"'{direction}' is no direction: choose from {', '.join(DIRECTIONS)}.")
    share = response_share(frequency_hz, service_key)
    if direction != "both":
        share = np.maximum(share, 0.0) if direction == "low" else np.minimum(share, 0.0)
    return share * power_mw + 0.0
