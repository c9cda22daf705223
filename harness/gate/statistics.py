"""Statistics of paired time, by numpy and scipy: restarts differ from each other, and quads within a restart.

A quad is base, head, head, base; its sample is the logarithm of head's time over base's. A restart gives the median of
its quads; the ratio is the trimmed mean over restarts: memory is laid out anew in each process, most differ by a few
percent and one in thirty by a third. Its error comes from a two-level bootstrap (restarts are drawn, then quads in
each), is scaled by sqrt(R / (R - 1)), and bounds are taken by Student's quantile: restarts are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any, List, Sequence, Tuple

import numpy as np
from scipy import stats

LEVEL = 0.05  # chance that any body's lower bound is too high
LIMIT = 1.03  # a slow-down up to this is not called one
RESAMPLES = 1000
POWER = 0.8
TRIM = 0.2  # of the restarts, at each end
_FLOOR = 1e-9  # of an error: equal samples have none


@dataclass(frozen=True)
class Ratio:
    """Head's time over base's."""

    ratio: float
    error: float  # of its logarithm
    degrees: int

    def lower(self, level: float) -> float:
        """Return the bound that the true ratio is below with a chance of ``level``."""
        return exp(log(self.ratio) - self._quantile(level) * self.error)

    def upper(self, level: float) -> float:
        """Return the bound that the true ratio is above with a chance of ``level``."""
        return exp(log(self.ratio) + self._quantile(level) * self.error)

    def p_within(self, limit: float = LIMIT) -> float:
        """Return the p of "the true ratio is at most the limit"."""
        return float(stats.t.sf((log(self.ratio) - log(limit)) / self.error, self.degrees))

    def detectable(self, level: float, limit: float = LIMIT) -> float:
        """Return the ratio that would be found slower than the limit in four of five runs."""
        return limit * exp((self._quantile(level) + self._quantile(1 - POWER)) * self.error)

    def _quantile(self, level: float) -> float:
        return float(stats.t.isf(level, self.degrees))


def ratio(restarts: Sequence[Sequence[float]], seed: int = 0) -> Ratio:
    """Return the ratio that quads in restarts show.

    Raises:
        ValueError: there are less than two restarts, or they have not the same number of quads.
    """
    data = np.asarray(restarts, dtype=float)
    if data.ndim != 2 or len(data) < 2:
        raise ValueError("at least two restarts with the same number of quads are needed")
    count, quads = data.shape
    drawn = np.random.default_rng(seed)
    chosen = drawn.integers(count, size=(RESAMPLES, count, 1))
    samples = data[chosen, drawn.integers(quads, size=(RESAMPLES, count, quads))]
    error = float(_middle(np.median(samples, axis=2)).std(ddof=1)) * sqrt(count / (count - 1))
    return Ratio(exp(float(_middle(np.median(data, axis=1)))), max(error, _FLOOR), count - 1 - 2 * int(TRIM * count))


def _middle(restarts: Any) -> Any:
    return stats.trim_mean(restarts, TRIM, axis=-1)


def holm(chances: Sequence[float], level: float = LEVEL) -> List[float]:
    """Return the level of each bound: the smallest p gets ``level / count``, the next more if that is below."""
    levels, current, open_ = [0.0] * len(chances), level / max(len(chances), 1), True
    for rank, number in enumerate(np.argsort(chances, kind="stable")):
        if open_:
            current = level / (len(chances) - rank)
            open_ = chances[int(number)] <= current
        levels[int(number)] = current
    return levels


def rate(found: int, of: int) -> Tuple[float, float]:
    """Return the 95 % interval of a rate by Clopper and Pearson."""
    interval = stats.binomtest(found, of).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
