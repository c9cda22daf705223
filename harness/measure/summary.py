"""Statistics of repeated measurements, by numpy."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Union

import numpy as np

RESAMPLES = 999
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1.0)


def summary(samples: Sequence[float]) -> Dict[str, Union[int, float]]:
    """Return count, median, quartiles, extremes, and a 95 % bootstrap interval of the median (seeded)."""
    data = np.asarray(samples, dtype=float)
    q1, median, q3 = np.percentile(data, [25, 50, 75])
    drawn = np.random.default_rng(0).choice(data, (RESAMPLES, data.size))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    named = {"median": median, "q1": q1, "q3": q3, "min": data.min(), "max": data.max(), "ci_low": low, "ci_high": high}
    return {"count": int(data.size), **{name: significant(float(value)) for name, value in named.items()}}


def distribution(values: Sequence[int]) -> Dict[str, Any]:
    """Return how many there are, and the least value that each share of them does not exceed."""
    found = np.quantile(np.asarray(values, dtype=float), SHARES, method="inverted_cdf")
    quantiles = {f"{share:g}": significant(float(value)) for share, value in zip(SHARES, found)}
    return {"count": len(values), "unit": "ns", "quantiles": quantiles}


def significant(value: float, digits: int = 5) -> float:
    """Round to what a measurement can say."""
    return float(f"{value:.{digits}g}")
