"""Models that learn: leaks, holes, and the same bytes for any threads. The rest is in tests/unit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from products import forecast_models
from products.forecast_models import LEARNED
from tests.unit import test_forecasts as unit
from utils import PROJECT

pytestmark = pytest.mark.skipif(not unit.HAS_LEARNED, reason="scikit-learn is an extra")


@pytest.mark.parametrize("model", LEARNED)
def test_nothing_after_the_issue_changes_a_forecast(model: str) -> None:
    told = unit.changed_by_the_future(lambda *of: unit.issued(*of, [model]), seed=0)
    assert told == set()


@pytest.mark.parametrize("model", LEARNED)
def test_a_leak_planted_in_a_feature_is_caught(model: str) -> None:
    """``recent``, because no baseline uses it: only what learns can give it away."""
    # Trees only ask on which side of a threshold a value lies: a tiny leak leaves them as they are.
    peeking = unit.peeking_in("recent", 0.05)
    found = unit.leaked(forecast_models, "_examples", peeking, [model])
    assert found == {model}


@pytest.mark.parametrize("model", LEARNED)
def test_holes_in_the_past_leave_no_forecast_empty(model: str) -> None:
    assert unit.empty_or_crossed([model]) == set()


_DIGEST = """
import hashlib
from products.forecast_models import MODELS
from tests.unit.test_forecasts import at, fit, noisy, past
seen = past(at("2024-10-28T09:00"), noisy(7, 48 * 40))
told = fit(seen, 24, MODELS).predict(seen, MODELS)
parts = [told[name].point.tobytes() + told[name].quantiles.tobytes() for name in MODELS]
print(hashlib.sha256(b"".join(parts)).hexdigest())
"""


def test_same_bytes_for_any_threads_and_hash_seed() -> None:
    found = set()
    for threads, seed in (("1", "0"), ("4", "77")):
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": seed,
        }
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST],
            cwd=PROJECT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1
