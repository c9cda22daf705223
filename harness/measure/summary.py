"""Statistics of repeated measurements, by numpy."""

from __future__ import annotations

from typing import Dict, Sequence, Union

import numpy as np

RESAMPLES = 999


def summary(samples: Sequence[float]) -> Dict[str, Union[int, float]]:
    """Return count, median, quartiles, extremes, and a 95 % bootstrap interval of the median (seeded)."""
    data = np.asarray(samples, dtype=float)
    q1, median, q3 = np.percentile(data, [25, 50, 75])
    drawn = np.random.default_rng(0).choice(data, (RESAMPLES, data.size))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    named = {"median": median, "q1": q1, "q3": q3, "min": data.min(), "max": data.max(), "ci_low": low, "ci_high": high}
    return {"count": int(data.size), **{name: significant(float(value)) for name, value in named.items()}}


def significant(value: float, digits: int = 5) -> float:
    """Round to what a measurement can say."""
    return float(f"{value:.{digits}g}")
