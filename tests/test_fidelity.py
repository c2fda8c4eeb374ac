"""The measure of truth: what it says of magnifiers whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from magnifyme.cli import fidelity as command
from magnifyme.magnify.fidelity import (
    Frames,
    Magnify,
    measure_local,
    measure_moved,
    measure_still,
    measure_sway,
)
from magnifyme.magnify.textures import Scene, dead_leaves, gratings, mirrored

HZ = math.sqrt(10.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(dead_leaves(128, seed=1), size=112)


def perfect(scene: Scene, *, d_px: float, late: float = 0.0) -> Magnify:
    """Make a magnifier that knows the truth, and shows it `late` seconds too late."""

    def magnify(frames: Frames, fps: float, factor: float) -> Frames:
        times = np.arange(len(frames)) / fps - late
        course = (1.0 + factor) * d_px * np.sin(2 * np.pi * HZ * times)
        return np.array([np.rint(scene.frame(x)) for x in course], np.uint8)

    return magnify


def nothing(frames: Frames, fps: float, factor: float) -> Frames:
    return frames


def test_a_perfect_magnifier_is_told_to_be_one(scene: Scene) -> None:
    """A measure that finds fault with the truth would drive the engine away from it."""
    result = measure_moved(perfect(scene, d_px=0.1), scene, hz=HZ, factor=10, d_px=0.1)
    assert result.gain == pytest.approx(1, abs=0.002)
    assert abs(result.lag_deg) < 0.2
    assert max(result.other_px, result.across_px) < 0.003
    assert result.psnr > 58 > result.psnr_nothing + 20


def test_what_falls_short_is_told(scene: Scene) -> None:
    """Doing nothing, and a lag, are seen as what they are."""
    result = measure_moved(nothing, scene, hz=HZ, factor=10, d_px=0.1, sigma=1.0)
    assert result.gain == pytest.approx(1 / 11, rel=0.03)
    assert result.psnr == result.psnr_nothing
    late = measure_moved(perfect(scene, d_px=0.1, late=0.02), scene, hz=HZ, factor=10, d_px=0.1)
    assert late.lag_deg == pytest.approx(0.02 * HZ * 360, abs=0.5)
    shaken = measure_sway(nothing, scene, hz=3.0, factor=10, d_px=0.1, sway_px=3.0)
    assert shaken.added_sway_px < 0.02
    assert shaken.gain == pytest.approx(1 / 11, rel=0.1)


def test_noise_is_compared_with_what_went_in(scene: Scene) -> None:
    """Noise gain one is that of doing nothing; twice the noise is two."""
    assert measure_still(nothing, scene, factor=10, sigma=2.0).noise_gain == pytest.approx(1)
    double = measure_still(
        lambda frames, fps, factor: np.clip(
            frames.astype(int) * 2 - np.median(frames, axis=0).astype(int), 0, 255
        ).astype(np.uint8),
        scene,
        factor=10,
        sigma=2.0,
    )
    assert double.noise_gain == pytest.approx(2, rel=0.1)


def test_a_blob_moves_in_a_still_picture() -> None:
    scene = Scene(dead_leaves(176, seed=1), size=160)
    result = measure_local(nothing, scene, hz=HZ, factor=10, d_px=0.1)
    assert result.psnr_still > 55
    assert result.psnr_moving == result.psnr_moving_nothing < 40


def test_the_tables_show_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `magnifyme bench fidelity` prints is what the documents quote."""
    monkeypatch.setattr(command, "_scenes", lambda: {"leaves": Scene(dead_leaves(176, seed=1), size=160)})
    monkeypatch.setattr(command, "_QUICK_CELLS", ((10.0, 0.1),))
    figures = command.measure_fidelity("riesz", quick=True)
    moved = figures["moved"][0]
    assert moved["gain"] == pytest.approx(1, abs=0.05)
    assert all(row["noise_gain"] < 2 for row in figures["still"])
    loose, held = figures["sway"]
    assert held["added_sway_px"] < 0.2 < loose["added_sway_px"]
    tables = command.fidelity_tables(figures)
    assert [table.row_count for table in tables] == [2, 3, 2, 2]
    assert f"{moved['gain']:.3f}" in list(tables[0].columns[5].cells)


@pytest.mark.parametrize("name", ["leaves", "gratings", "mirrored"])
def test_textures_move_exactly(name: str, rng: np.random.Generator) -> None:
    """A texture that wrapped or rang at its edges would be the measure's own fault."""
    picture = {
        "leaves": lambda: dead_leaves(96, seed=2),
        "gratings": lambda: gratings(96, seed=2),
        "mirrored": lambda: mirrored(rng.integers(60, 200, (120, 130, 3), dtype=np.uint8), 96),
    }[name]()
    scene = Scene(picture, size=64)
    whole = scene.frame(3.0, -2.0)
    first = (picture.shape[0] - 64) // 2
    at = np.arange(first, first + 64)
    np.testing.assert_allclose(whole, picture[np.ix_(at + 2, at - 3)], atol=1e-6)
    half = Scene(np.array(picture), size=64)
    value, right, down = half.luma(0.3, 0.2)
    step = 1e-4
    np.testing.assert_allclose(
        (half.luma(0.3 - step, 0.2)[0] - half.luma(0.3 + step, 0.2)[0]) / (2 * step), right, atol=1e-3
    )
    np.testing.assert_allclose(
        (half.luma(0.3, 0.2 - step)[0] - half.luma(0.3, 0.2 + step)[0]) / (2 * step), down, atol=1e-3
    )
    assert value.std() > 5
