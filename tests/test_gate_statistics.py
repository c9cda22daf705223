"""The gate's statistics on simulated data: what they promise of their errors they keep."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest

from harness.gate.statistics import LIMIT, holm, rate, ratio

RESTARTS, QUADS, TIMES = 10, 20, 120


def simulated(drawn: np.random.Generator, true: float, between: float = 0.006) -> List[List[float]]:
    """Draw quads: restarts differ by ``between``, quads have heavy tails."""
    quads = drawn.standard_t(3, (RESTARTS, QUADS)) * 0.02 + drawn.normal(0, between, (RESTARTS, 1))
    found: List[List[float]] = (quads + np.log(true)).tolist()
    return found


def test_intervals_cover_the_true_ratio_as_often_as_they_say() -> None:
    drawn = np.random.default_rng(1)
    found = [ratio(simulated(drawn, 1.01, between=0.015), seed) for seed in range(TIMES)]
    covered = sum(one.lower(0.05) <= 1.01 <= one.upper(0.05) for one in found)
    assert covered >= 0.9 * TIMES


def test_a_bootstrap_of_quads_alone_would_not_cover() -> None:
    drawn = np.random.default_rng(1)
    pooled = [np.ravel(simulated(drawn, 1, between=0.015)) for _ in range(TIMES)]
    halves = [1.96 * quads.std() / np.sqrt(quads.size) for quads in pooled]
    assert sum(abs(quads.mean()) <= half for quads, half in zip(pooled, halves)) < 0.8 * TIMES


def test_equal_trees_are_never_called_slower_and_almost_always_pass() -> None:
    drawn = np.random.default_rng(2)
    found = [ratio(simulated(drawn, 1), seed) for seed in range(TIMES)]
    assert [one for one in found if one.lower(0.05 / 8) > LIMIT] == []
    assert sum(one.upper(0.05 / 8) <= LIMIT for one in found) >= 0.98 * TIMES


def test_at_the_limit_itself_false_alarms_stay_below_the_level() -> None:
    drawn = np.random.default_rng(3)
    found = [ratio(simulated(drawn, LIMIT), seed) for seed in range(TIMES)]
    assert sum(one.lower(0.05) > LIMIT for one in found) <= 0.05 * TIMES


def test_five_percent_are_found() -> None:
    drawn = np.random.default_rng(4)
    found = [ratio(simulated(drawn, 1.05, between=0.003), seed) for seed in range(TIMES)]
    assert sum(one.lower(0.05 / 4) > LIMIT for one in found) >= 0.95 * TIMES


def test_what_is_called_detectable_is_found_in_four_of_five() -> None:
    drawn = np.random.default_rng(5)
    typical = np.median([ratio(simulated(drawn, 1), seed).detectable(0.05) for seed in range(20)])
    found = [ratio(simulated(drawn, float(typical)), seed).lower(0.05) > LIMIT for seed in range(TIMES)]
    assert 0.7 * TIMES <= sum(found) <= 0.95 * TIMES


def test_equal_samples_have_no_error() -> None:
    found = ratio([[0.0] * 3] * 3)
    assert found.lower(0.01) == pytest.approx(1) == pytest.approx(found.upper(0.01))


@pytest.mark.parametrize("restarts", [[[0.0]], [], [[0.0, 0.1], [0.0]]])
def test_one_restart_is_too_few(restarts: List[List[float]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # numpy's own for ragged ones
        ratio(restarts)


def test_holm_gives_more_only_after_a_rejection() -> None:
    assert holm([0.5, 0.001, 0.02]) == pytest.approx([0.05, 0.05 / 3, 0.05 / 2])
    assert holm([0.5, 0.03, 0.4]) == pytest.approx([0.05 / 3] * 3)
    assert holm([]) == []


def test_no_alarm_in_sixty_evaluations_bounds_the_rate() -> None:
    assert rate(0, 60) == pytest.approx((0, 1 - 0.025 ** (1 / 60)))
    assert rate(10, 10)[1] == 1
