"""The magnifier's benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from magnifyme.cli import bench as command
from magnifyme.magnify import MagnifyError, bench
from program import Here


def test_the_benchmark_measures_what_it_says() -> None:
    """`magnifyme bench` must not print figures that contradict each other, or measure nothing."""
    result = bench.measure((64, 48), seconds=0.05)
    assert (result.size, result.threads) == ((64, 48), 1)
    assert 0 < result.best_ms <= result.ms_per_frame
    assert result.fps == pytest.approx(1000 / result.ms_per_frame)
    # Luma in and out; a float32 pair and two 16-bit planes at half size, and two averages of each block.
    assert result.bytes_per_frame == 2 * 64 * 48 + 2 * 32 * 24 * (4 + 4 + 2 + 2) + 2 * 8 * 6 * (4 + 4)
    copying_ms = 1000 * result.bytes_per_frame / result.copy_bytes_per_s
    assert result.share_of_floor == pytest.approx(copying_ms / result.ms_per_frame)
    riesz = bench.measure((64, 48), seconds=0.05, method="riesz")
    assert riesz.method == "riesz"
    assert 0 < riesz.best_ms <= riesz.ms_per_frame
    with pytest.raises(MagnifyError, match="nothing to measure"):
        bench.measure((0, 48))


@pytest.mark.parametrize("only", [None, "riesz"])
def test_one_engine_can_be_measured_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, only: str | None
) -> None:
    """Minutes on a GPU that is paid by the minute are not spent on the engine that was not asked for."""
    monkeypatch.setattr(command, "_MAGNIFY_SIZES", ((32, 24),))
    asked = [] if only is None else ["--method", only]
    done = Here(monkeypatch, capfd)("bench", "magnify", "--seconds", "0.1", "--json", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    measured = [row["method"] for row in json.loads(done.stdout)["magnify"]]
    assert measured == (["linear", "riesz"] if only is None else [only])
