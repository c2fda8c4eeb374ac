"""Small motion on a picture that sways as a whole: the one is magnified, the other is not."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import map_coordinates, spline_filter

from magnifyme.magnify import Magnifier, magnify_frames
from magnifyme.magnify.magnifier import Method
from test_riesz import BAND, Frames, Texture, as_luma, psnr, unrelated


class Swaying:
    """A textured scene larger than the picture, so that its borders show what really enters and leaves."""

    def __init__(self, seed: int, *, size: int, shown: tuple[int, int]) -> None:
        self.texture, self.shown = Texture(seed, size=size), shown
        self.first = (size - shown[0]) // 2, (size - shown[1]) // 2

    def frame(self, dx: float, dy: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        (top, left), (height, width) = self.first, self.shown
        return self.texture.shifted(dx, dy)[top : top + height, left : left + width]


@pytest.mark.parametrize(
    ("method", "seed", "fps", "factor"),
    [("linear", 1, 30, 10.0), ("linear", 2, 60, 10.0), ("riesz", 3, 30, 10.0), ("riesz", 4, 60, 25.0)],
)
def test_sway_stays_as_it_is_and_what_is_small_grows(
    method: Method, seed: int, fps: float, factor: float
) -> None:
    """A head that sways by pixels must not hide, nor be taken for, what moves by a tenth of one."""
    scene = Swaying(seed, size=192, shown=(160, 160))
    magnifier = Magnifier(fps=fps, factor=factor, band_hz=BAND, method=method, stabilize=True)
    small, off, seen, better = [], [], [], []
    for k in range(int(4 * fps)):
        t = k / fps
        sway, twitch = 8.0 * math.sin(2 * np.pi * 0.3 * t), 0.1 * math.sin(2 * np.pi * 3 * t)
        frame = as_luma(scene.frame(sway, twitch), sigma=1.0, seed=k)
        out = magnifier(frame, time=t)
        if t < 2.0 or k % int(fps // 30):
            continue
        wanted = sway, (1 + factor) * twitch
        found = _displacement(scene, out, near=wanted)
        small.append(found[1])
        off.append(found[0] - sway)
        seen.append(t)
        ideal, inner = scene.frame(*wanted), (slice(12, -12), slice(12, -12))
        better.append((psnr(out[inner], ideal[inner]), psnr(frame[inner], ideal[inner])))
    turn = 2 * np.pi * 3 * np.array(seen)
    basis = np.stack([np.sin(turn), np.cos(turn), np.ones_like(turn)], 1)
    fitted = np.linalg.lstsq(basis, np.array(small), rcond=None)[0]
    assert math.hypot(fitted[0], fitted[1]) / 0.1 == pytest.approx(1 + factor, rel=0.2)
    assert math.sqrt(np.mean(np.square(off))) < 0.2
    ours, nothing = np.mean(better, 0)
    assert ours > nothing + 6


def _displacement(scene: Swaying, frame: Frames, *, near: tuple[float, float]) -> tuple[float, float]:
    """Measure by how far the picture moved (x, y), by Gauss-Newton from a good guess."""
    at, inner = np.array(near), (slice(24, -24), slice(24, -24))
    for _ in range(4):
        gx = (scene.frame(at[0] + 0.2, at[1]) - scene.frame(at[0] - 0.2, at[1])) / 0.4
        gy = (scene.frame(at[0], at[1] + 0.2) - scene.frame(at[0], at[1] - 0.2)) / 0.4
        slopes = np.stack([g[inner].ravel() for g in (gx, gy)], 1)
        at = at + np.linalg.lstsq(slopes, (frame - scene.frame(*at))[inner].ravel(), rcond=None)[0]
    return float(at[0]), float(at[1])


@pytest.mark.parametrize("method", ["linear", "riesz"])
def test_what_enters_and_leaves_does_not_flare(method: Method) -> None:
    """A border that comes into view is new, not motion: nothing there may be magnified."""
    scene = Swaying(3, size=192, shown=(120, 120))
    magnifier = Magnifier(fps=30, factor=25, band_hz=BAND, method=method, stabilize=True)
    inner, border = slice(16, -16), np.r_[0:16, 104:120]
    kept = []
    for k in range(120):
        frame = as_luma(scene.frame(12.0 * math.sin(2 * np.pi * 0.3 * k / 30), 0.0))
        out = magnifier(frame)
        if k > 60:
            kept.append((psnr(out[:, inner], frame[:, inner]), psnr(out[:, border], frame[:, border])))
    middle, edges = np.mean(kept, 0)
    assert middle > 36
    assert edges > middle - 2


@pytest.mark.parametrize("method", ["linear", "riesz"])
def test_a_pan_goes_on_and_on(method: Method) -> None:
    """A camera that turns away for good must not leave its reference behind, nor tear the picture."""
    scene = Swaying(4, size=256, shown=(96, 96))
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND, method=method, stabilize=True)
    worst = math.inf
    for k in range(120):
        frame = as_luma(scene.frame(0.8 * k, 0.0), sigma=1.0, seed=k)
        out = magnifier(frame)
        if k > 60:  # the start of the pan itself is motion within the band
            worst = min(worst, psnr(out, frame))
    assert worst > 30


@pytest.mark.parametrize("method", ["linear", "riesz"])
def test_turn_and_growth_are_sway_too(method: Method) -> None:
    """A head that nods and leans forward moves by more than a shift."""
    texture = Texture(5, size=128)
    ys, xs = np.mgrid[:128, :128] - 63.5
    coefficients = spline_filter(texture.shifted(0), order=5, mode="grid-wrap")
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND, method=method, stabilize=True)
    plain = Magnifier(fps=30, factor=10, band_hz=BAND, method=method)
    kept = []
    for k in range(90):
        turn, grow = 0.05 * math.sin(2 * np.pi * 0.3 * k / 30), 0.04 * math.sin(2 * np.pi * 0.25 * k / 30)
        c, s = (1 + grow) * math.cos(turn), (1 + grow) * math.sin(turn)
        at = [63.5 + s * xs + c * ys, 63.5 + c * xs - s * ys]
        frame = as_luma(map_coordinates(coefficients, at, order=5, mode="grid-wrap", prefilter=False))
        ours, without = magnifier(frame), plain(frame)
        if k > 45:
            kept.append((psnr(ours, frame), psnr(without, frame)))
    still, shaken = np.mean(kept, 0)
    assert still > 34
    assert still > shaken + 8


@pytest.mark.parametrize("method", ["linear", "riesz"])
def test_a_still_picture_comes_out_exactly_as_it_went_in(method: Method, rng: np.random.Generator) -> None:
    hard = rng.choice([0, 255], (61, 83)).astype(np.uint8)
    magnifier = Magnifier(fps=30, factor=1000, method=method, stabilize=True)
    for _ in range(12):
        np.testing.assert_array_equal(magnifier(hard), hard)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1), (2, 2), (13, 17), (64, 3), (97, 401)])
def test_every_size_works(shape: tuple[int, int], rng: np.random.Generator) -> None:
    frames = unrelated(rng, count=5, shape=shape)
    blank = np.full((3, *shape), 90, np.uint8)
    for clip in (frames, blank, np.concatenate([blank, frames, blank])):
        out = magnify_frames(clip, fps=30, factor=100, method="riesz", stabilize=True)
        assert out.shape == clip.shape
    np.testing.assert_array_equal(magnify_frames(blank, fps=30, stabilize=True), blank)


def test_streaming_equals_batch_whatever_the_memory_looks_like() -> None:
    """Padded, read-only, transposed and in-place frames are the same pictures."""
    scene = Swaying(6, size=128, shown=(75, 90))
    frames = np.array([as_luma(scene.frame(0.7 * k, 0.2 * k), sigma=1.0, seed=k) for k in range(40)])
    batch = magnify_frames(frames, fps=30, method="riesz", stabilize=True)
    plain, padded, turned, in_place = (Magnifier(fps=30, method="riesz", stabilize=True) for _ in range(4))
    for frame, wanted in zip(frames, batch, strict=True):
        np.testing.assert_array_equal(plain(frame), wanted)
        wide = np.zeros((75, 128), np.uint8)
        wide[:, :90] = frame
        wide.flags.writeable = False
        np.testing.assert_array_equal(padded(wide[:, :90]), wanted)
        np.testing.assert_array_equal(turned(np.asfortranarray(frame)), wanted)
        own = frame.copy()
        assert in_place(own, out=own) is own
        np.testing.assert_array_equal(own, wanted)


def test_a_cut_starts_anew() -> None:
    """Two scenes are not one that moved: the first frame of the new one is shown as it is."""
    one, two = Texture(7), Texture(8)
    magnifier = Magnifier(fps=30, factor=25, band_hz=BAND, method="riesz", stabilize=True)
    for k in range(20):
        magnifier(as_luma(one.shifted(0.1 * math.sin(k)), sigma=1.0, seed=k))
    for k in range(20):
        frame = as_luma(two.shifted(0.02 * math.sin(k)), sigma=1.0, seed=k)
        out = magnifier(frame)
        if k == 0:
            np.testing.assert_array_equal(out, frame)
        assert psnr(out, frame) > 30


def test_a_frame_allocates_little_and_the_state_is_small() -> None:
    scene = Swaying(9, size=400, shown=(300, 380))
    frames = [as_luma(scene.frame(0.3 * k, 0.0), sigma=1.0, seed=k) for k in range(8)]
    out = np.empty_like(frames[0])
    magnifier = Magnifier(fps=30, method="riesz", stabilize=True)
    for frame in frames:
        magnifier(frame, out=out)
    tracemalloc.start()
    for frame in frames:
        magnifier(frame, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000
    assert magnifier.state_bytes < 60 * out.size
