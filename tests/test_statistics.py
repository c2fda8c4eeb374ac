"""The figures that people quote are right."""

from __future__ import annotations

import numpy as np
import pytest

from magnifyme.stream.statistics import LatencyHistogram, Statistics


def test_percentiles_agree_with_numpy(rng: np.random.Generator) -> None:
    """A p99 read off the display must be the p99, to a few per cent, over any range of latencies."""
    values = np.exp(rng.normal(2.0, 1.5, 20_000))
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(float(value))
    for share in (0.01, 0.5, 0.95, 0.99):
        assert histogram.percentile(share) == pytest.approx(np.quantile(values, share), rel=0.03)
    assert histogram.maximum_ms == values.max()
    assert histogram.mean_ms == pytest.approx(values.mean())


@pytest.mark.parametrize("value", [0.0, 1e-9, 1e9])
def test_extreme_durations_are_counted(value: float) -> None:
    """Neither a clock that stands still nor a night's pause breaks the histogram."""
    histogram = LatencyHistogram()
    histogram.add(value)
    assert histogram.count == 1
    assert histogram.percentile(0.5) <= value


def test_nothing_measured_is_zero() -> None:
    """A stream that ended before its first frame still gets a summary."""
    assert LatencyHistogram().percentile(0.99) == 0.0
    assert Statistics().mean_fps == 0.0
    assert Statistics().current_fps == 0.0
