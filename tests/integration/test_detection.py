"""Data that lie: nothing of it passes in silence but what is known to, and calm days stay silent."""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks.detection import (
    DAYS,
    EXPLAINED,
    MISSED,
    Place,
    Score,
    core,
    judge_stale,
    measure,
    watch,
)
from sandbox import Sandbox

# A price may be negative, and no bound tells.
MAY_BE_MISSED = {("entsoe_day_ahead_prices", "flip the sign")}


def assert_no_worse(score: Score) -> None:
    assert set(score.missed) <= MAY_BE_MISSED
    assert {v.dataset for v in score.verdicts} == {dataset.key for dataset in core()}


def assert_silent(score: Score) -> None:
    unforeseen = [n for n in score.false_alarms if not any(reason in n for reason in EXPLAINED)]
    assert unforeseen == []


@pytest.mark.timeout(120)
def test_a_day_that_lies_is_told(clean_environment: None) -> None:
    assert_no_worse(measure(DAYS[2:3], core()))


@pytest.mark.timeout(120)
def test_nothing_is_said_of_calm_weeks(clean_environment: None) -> None:
    assert_silent(watch(date(2024, 10, 12), date(2024, 11, 3), core()))


def test_a_stale_answer_never_wins(sandbox: Sandbox, clean_environment: None) -> None:
    """Of days of which values were restated, in each dataset that has such."""
    place, tried = Place(sandbox), 0
    for dataset in core():
        if dataset.table.version:
            tried += 1
            assert judge_stale(place, dataset, DAYS[0]).outcome != MISSED
    assert tried >= 4


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_four_seasons_of_lies_are_told(clean_environment: None) -> None:
    assert_no_worse(measure(DAYS, core()))


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_nothing_is_said_of_a_calm_year(clean_environment: None) -> None:
    assert_silent(watch(date(2024, 1, 1), date(2024, 12, 31), core()))
