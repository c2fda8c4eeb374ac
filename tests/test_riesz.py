"""The Riesz engine against a float64 oracle, and against motion that is known exactly."""

from __future__ import annotations

import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import naive_riesz
from magnifyme.magnify import Magnifier, MagnifyError, magnify_frames
from magnifyme.magnify.riesz import RieszEngine

Frames = NDArray[np.uint8]
BAND = (2.0, 5.0)
MIDDLE_HZ = math.sqrt(10.0)


class Texture:
    """A periodic picture of detail of all sizes (amplitude 1 / frequency), moved by exact shifts."""

    def __init__(self, seed: int, *, size: int = 128, contrast: float = 35.0) -> None:
        rng = np.random.default_rng(seed)
        self.fy, self.fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
        radius = np.hypot(self.fx, self.fy)
        # Nothing below 4 px, where the interpolation of the picture itself makes small motion short.
        falling = np.where((radius > 1 / 64) & (radius < 0.25), 1.0 / np.maximum(radius, 1e-9), 0.0)
        self.spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * falling
        self.spectrum *= contrast / np.fft.irfft2(self.spectrum).std()

    def shifted(self, dx: float, dy: float = 0.0) -> NDArray[np.float64]:
        turn = np.exp(-2j * np.pi * (self.fx * dx + self.fy * dy))
        moved: NDArray[np.float64] = np.fft.irfft2(self.spectrum * turn) + 128.0
        return moved

    def displacement(self, frame: Frames, *, near: tuple[float, float]) -> NDArray[np.float64]:
        """Measure by how far the picture moved (x, y), by Gauss-Newton from a good guess."""
        inner = slice(24, -24)
        at = np.array(near)
        for _ in range(4):
            gx = (self.shifted(at[0] + 0.2, at[1]) - self.shifted(at[0] - 0.2, at[1])) / 0.4
            gy = (self.shifted(at[0], at[1] + 0.2) - self.shifted(at[0], at[1] - 0.2)) / 0.4
            slopes = np.stack([g[inner, inner].ravel() for g in (gx, gy)], 1)
            rest = (frame - self.shifted(*at))[inner, inner].ravel()
            at = at + np.linalg.lstsq(slopes, rest, rcond=None)[0]
        return at


def as_luma(plane: NDArray[np.float64], *, sigma: float = 0.0, seed: int = 0) -> Frames:
    noise = sigma * np.random.default_rng(seed).standard_normal(plane.shape)
    luma: Frames = np.clip(np.rint(plane + noise), 0, 255).astype(np.uint8)
    return luma


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    return 10 * math.log10(255.0**2 / max(float(((a - b.astype(np.float64)) ** 2).mean()), 1e-9))


def unrelated(rng: np.random.Generator, *, count: int, shape: tuple[int, int]) -> Frames:
    return rng.integers(90, 166, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("base_level", [0, 1])
@pytest.mark.parametrize("shape", [(64, 64), (37, 53), (53, 31), (9, 7), (5, 64)])
def test_a_shaky_picture_comes_out_as_the_oracle_says(shape: tuple[int, int], base_level: int) -> None:
    """Float32, fused loops and clever order must not change what a slow float64 program computes."""
    rng = np.random.default_rng(1)
    texture = Texture(4)
    moves = np.cumsum(0.15 * rng.standard_normal((12, 2)), 0)
    frames = np.array([as_luma(texture.shifted(*m), sigma=2.0, seed=k) for k, m in enumerate(moves)])
    frames = frames[:, : shape[0], : shape[1]]
    times = np.cumsum([0.0, *rng.choice([1 / 30, 1 / 60, 3 / 30], 11)])
    magnifier = Magnifier(fps=30, factor=8, band_hz=BAND, method="riesz", base_level=base_level)
    ours = np.array([magnifier(f, time=float(t)) for f, t in zip(frames, times, strict=True)])
    truth = naive_riesz.magnify(
        frames, fps=30, factor=8, band_hz=BAND, times=list(times), base_level=base_level
    )
    assert (np.abs(truth - frames)).max() > 10  # there is something to compare
    # SciPy's spline continues the picture otherwise beyond its edge, which reaches a little inwards.
    off = np.abs(ours - truth)
    inner = off[:, 8:-8, 8:-8] if min(shape) > 30 else off
    assert inner.max() < (0.75 if min(shape) > 30 else 12.0)
    assert off.mean() < 0.4


@pytest.mark.parametrize(
    ("seed", "fps", "factor", "d"),
    [
        (1, 30, 10, 0.02),
        (2, 30, 10, 0.1),
        (3, 30, 25, 0.05),
        (4, 30, 25, 0.1),
        (5, 30, 50, 0.05),
        (6, 30, 50, 0.1),
        (7, 60, 25, 0.1),
        (8, 200, 25, 0.05),
    ],
)
def test_known_motion_is_magnified_by_what_was_asked(seed: int, fps: float, factor: float, d: float) -> None:
    """x50 that shows x25 is a lie about the one number that people set; direction and moment hold too."""
    texture = Texture(seed)
    angle = seed * 0.7
    t = np.arange(int(2.2 * fps)) / fps
    xs = d * np.sin(2 * np.pi * MIDDLE_HZ * t)
    magnifier = Magnifier(fps=fps, factor=factor, band_hz=BAND, method="riesz")
    moved, seen = [], []
    direction = np.array([math.cos(angle), math.sin(angle)])
    better = []
    for k, x in enumerate(xs):
        frame = as_luma(texture.shifted(*(x * direction)), sigma=1.0, seed=k)
        out = magnifier(frame, time=float(t[k]))
        if magnifier.warm and k % max(1, int(fps) // 30) == 0:
            wanted = (1 + factor) * x * direction
            moved.append(texture.displacement(out, near=(wanted[0], wanted[1])) @ direction)
            seen.append(t[k])
            ideal = texture.shifted(*wanted)
            better.append((psnr(out, ideal), psnr(frame, ideal)))
    turn = 2 * np.pi * MIDDLE_HZ * np.array(seen)
    basis = np.stack([np.sin(turn), np.cos(turn), np.ones_like(turn)], 1)
    fitted = np.linalg.lstsq(basis, np.array(moved), rcond=None)[0]
    gain = math.hypot(fitted[0], fitted[1]) / d
    assert gain == pytest.approx(1 + factor, rel=0.05)
    assert abs(math.degrees(math.atan2(fitted[1], fitted[0]))) < 5
    ours, nothing = np.mean(better, 0)
    assert ours > nothing + 3


@pytest.mark.parametrize("factor", [10, 1000])
def test_a_still_picture_comes_out_exactly_as_it_went_in(factor: float, rng: np.random.Generator) -> None:
    """What stands still must not change by one grey level, the hardest edges included."""
    hard = rng.choice([0, 255], (61, 83)).astype(np.uint8)
    magnifier = Magnifier(fps=30, factor=factor, method="riesz")
    for _ in range(12):
        np.testing.assert_array_equal(magnifier(hard), hard)


def test_factor_0_is_the_identity(rng: np.random.Generator) -> None:
    frames = unrelated(rng, count=5, shape=(20, 30))
    np.testing.assert_array_equal(magnify_frames(frames, fps=30, factor=0, method="riesz"), frames)


def test_light_that_changes_is_not_motion() -> None:
    """A lamp that flickers must not make the face swim: the phase does not know how bright it is."""
    plane = Texture(3).shifted(0) - 128
    magnifier = Magnifier(fps=30, factor=25, band_hz=BAND, method="riesz")
    for k in range(60):
        lit = as_luma(128 + plane * (0.8 + 0.2 * math.sin(2 * np.pi * MIDDLE_HZ * k / 30)))
        out = magnifier(lit)
        assert psnr(out, lit) > 38


def test_a_long_still_noisy_scene_neither_drifts_nor_boils() -> None:
    """Summed-up phase must not run away over minutes (peers leak it away, or drift); noise stays noise."""
    plane = Texture(5, size=64).shifted(0)
    magnifier = Magnifier(fps=30, factor=50, band_hz=BAND, method="riesz")
    ratios, means = [], []
    for first in (0, 5800):
        ins, outs = [], []
        for k in range(first, first + 200 if first else 5800):
            frame = as_luma(plane, sigma=2.0, seed=k)
            out = magnifier(frame)
            if first + 100 <= k < first + 200:
                ins.append(frame[8:-8, 8:-8])
                outs.append(out[8:-8, 8:-8])
        ratios.append(float(np.sqrt(np.var(outs, axis=0).mean() / np.var(ins, axis=0).mean())))
        means.append(np.mean(outs, 0))
    assert ratios[1] < 1.15 * ratios[0]
    assert max(ratios) < 1.5
    assert abs(means[1] - means[0]).mean() < 1.0


def test_a_twitch_that_is_weak_but_there_passes_whole() -> None:
    """What is shrunk is noise: a motion of a few hundredths of a pixel under it keeps its size."""
    texture = Texture(9)
    t = np.arange(75) / 30
    twitch = 0.04 * np.exp(-(((t - 2.0) / 0.1) ** 2))
    peaks = []
    for sigma in (0.0, 2.0):
        magnifier = Magnifier(fps=30, factor=25, band_hz=BAND, method="riesz")
        moved = []
        for k, x in enumerate(twitch):
            out = magnifier(as_luma(texture.shifted(x), sigma=sigma, seed=k))
            if 1.8 < t[k] < 2.2:
                moved.append(texture.displacement(out, near=(20 * x, 0.0))[0])
        peaks.append(max(moved))
    assert peaks[0] > 0.3
    assert peaks[1] == pytest.approx(peaks[0], rel=0.1)


def test_the_noise_that_is_told_is_the_noise_that_is_there() -> None:
    """A user who sees the picture tremble can read by how much, and believe it."""
    texture = Texture(10)
    magnifiers = [Magnifier(fps=30, factor=25, band_hz=BAND, method="riesz") for _ in range(2)]
    apart, told = [], []
    for k in range(90):
        plane = texture.shifted(0.1 * math.sin(2 * np.pi * MIDDLE_HZ * k / 30))
        fields = []
        for seed, magnifier in enumerate(magnifiers):
            magnifier(as_luma(plane, sigma=2.0, seed=2 * k + seed))
            engine = magnifier._engine
            assert isinstance(engine, RieszEngine)
            fields.append(float(engine._amplitude) * engine._shrinkage.field)
        if k > 45:
            # Two streams of one scene differ by their noise, twice its variance.
            apart.append(((fields[0] - fields[1]) ** 2).sum(0).mean() / 2)
            assert magnifiers[0].noise_px is not None
            told.append(magnifiers[0].noise_px)
    assert np.mean(told) == pytest.approx(math.sqrt(np.mean(apart)), rel=0.3)
    assert Magnifier(fps=30).noise_px is None


def test_what_does_not_move_stays_while_something_beside_it_does() -> None:
    """A twitch of the mouth must not shake the background."""
    texture = Texture(6, size=192)
    still = as_luma(texture.shifted(0))
    ys, xs = np.mgrid[:192, :192]
    blob = np.exp(-((xs - 96) ** 2 + (ys - 96) ** 2) / (2 * 20.0**2))
    far, near = blob < 0.003, blob > 0.5
    ds = np.linspace(-1.2, 1.2, 49)
    stack = np.array([texture.shifted(d) for d in ds])

    def moved(d: float) -> NDArray[np.float64]:
        index = (d * blob + 1.2) / 0.05
        low = np.clip(index.astype(int), 0, 47)
        a, b = (np.take_along_axis(stack, (low + k)[None], 0)[0] for k in (0, 1))
        result: NDArray[np.float64] = a + (index - low) * (b - a)
        return result

    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND, method="riesz")
    for k in range(60):
        d = 0.1 * math.sin(2 * np.pi * MIDDLE_HZ * k / 30)
        frame = as_luma(moved(d))
        out = magnifier(frame)
        if magnifier.warm:
            assert psnr(out[far], still[far]) > 45
            if abs(d) > 0.05:
                ideal = moved(11 * d)
                assert psnr(out[near], ideal[near]) > psnr(frame[near], ideal[near]) + 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1), (2, 2), (13, 17), (64, 3), (97, 101)])
def test_every_size_works(shape: tuple[int, int], rng: np.random.Generator) -> None:
    frames = unrelated(rng, count=4, shape=shape)
    for base_level in (0, 1):
        out = magnify_frames(frames, fps=30, factor=1000, method="riesz", base_level=base_level)
        assert out.shape == frames.shape
        still = np.broadcast_to(frames[0], (4, *shape))
        np.testing.assert_array_equal(
            magnify_frames(np.array(still), fps=30, method="riesz", base_level=base_level), still
        )


def test_streaming_equals_batch_whatever_the_memory_looks_like(rng: np.random.Generator) -> None:
    """Padded, read-only, transposed and in-place frames are the same pictures."""
    frames = unrelated(rng, count=6, shape=(37, 45))
    batch = magnify_frames(frames, fps=30, method="riesz")
    plain, padded, turned, in_place = (Magnifier(fps=30, method="riesz") for _ in range(4))
    for frame, wanted in zip(frames, batch, strict=True):
        np.testing.assert_array_equal(plain(frame), wanted)
        wide = np.zeros((37, 64), np.uint8)
        wide[:, :45] = frame
        wide.flags.writeable = False
        np.testing.assert_array_equal(padded(wide[:, :45]), wanted)
        np.testing.assert_array_equal(turned(np.asfortranarray(frame)), wanted)
        own = frame.copy()
        assert in_place(own, out=own) is own
        np.testing.assert_array_equal(own, wanted)


def test_gaps_resets_and_new_sizes_start_anew(rng: np.random.Generator) -> None:
    """What the filter remembers is another motion's: the first frame after a break is shown as it is."""
    a, b, c = unrelated(rng, count=3, shape=(24, 24))
    magnifier = Magnifier(fps=30, method="riesz", factor=50)
    magnifier(a, time=0.0)
    assert (magnifier(b, time=0.03) != b).any()
    np.testing.assert_array_equal(magnifier(c, time=5.0), c)
    np.testing.assert_array_equal(magnifier(a, time=4.0), a)
    magnifier.reset()
    np.testing.assert_array_equal(magnifier(b, time=4.03), b)
    np.testing.assert_array_equal(magnifier(c[:20], time=4.06), c[:20])
    assert not magnifier.warm


def test_two_streams_in_two_threads_do_not_meet(rng: np.random.Generator) -> None:
    clips = [unrelated(rng, count=12, shape=(80, 90)) for _ in range(2)]
    alone = [magnify_frames(clip, fps=30, method="riesz") for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda clip: magnify_frames(clip, fps=30, method="riesz"), clips))
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_frame_allocates_nothing(rng: np.random.Generator, threads: int) -> None:
    frames = unrelated(rng, count=4, shape=(240, 320))
    out = np.empty_like(frames[0])
    magnifier = Magnifier(fps=30, method="riesz", threads=threads)
    for frame in frames:
        magnifier(frame, out=out)
    tracemalloc.start()
    for frame in frames:
        magnifier(frame, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000
    assert magnifier.state_bytes < 40 * frames[0].size


def test_what_riesz_has_not_is_told() -> None:
    with pytest.raises(MagnifyError, match="cutoff_wavelength_px"):
        Magnifier(fps=30, method="riesz", cutoff_wavelength_px=8.0)
    with pytest.raises(MagnifyError, match="'riesz'"):
        Magnifier(fps=30, method="magic")  # type: ignore[arg-type]
