"""The magnifier's benchmark."""

from __future__ import annotations

import pytest

from magnifyme.magnify import MagnifyError, bench


def test_the_benchmark_measures_what_it_says() -> None:
    """`magnifyme bench` must not print figures that contradict each other, or measure nothing."""
    result = bench.measure((64, 48), seconds=0.05)
    assert (result.size, result.threads) == ((64, 48), 1)
    assert 0 < result.best_ms <= result.ms_per_frame
    assert result.fps == pytest.approx(1000 / result.ms_per_frame)
    # Luma in and out; a float32 pair and a 16-bit plane at half size, read and written.
    assert result.bytes_per_frame == 2 * 64 * 48 + 2 * 32 * 24 * (4 + 4 + 2)
    copying_ms = 1000 * result.bytes_per_frame / result.copy_bytes_per_s
    assert result.share_of_floor == pytest.approx(copying_ms / result.ms_per_frame)
    riesz = bench.measure((64, 48), seconds=0.05, method="riesz")
    assert riesz.method == "riesz"
    assert 0 < riesz.best_ms <= riesz.ms_per_frame
    with pytest.raises(MagnifyError, match="nothing to measure"):
        bench.measure((0, 48))
