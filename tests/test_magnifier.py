"""The magnifier against a float64 oracle, and against motion that is known exactly."""

from __future__ import annotations

import math
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import naive_magnify
from busy import Frames, busy_clip
from magnifyme.magnify import Magnifier, MagnifyError, magnify_frames
from magnifyme.magnify.linear import LinearEngine

BAND = (1.0, 5.0)
MIDDLE_HZ = math.sqrt(5.0)


class Texture:
    """A periodic random texture of wavelengths 9 to 40 px that moves by exact sub-pixel shifts."""

    def __init__(self, seed: int, *, size: int = 96) -> None:
        rng = np.random.default_rng(seed)
        self.fy, self.fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
        radius = np.hypot(self.fx, self.fy)
        spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
        self.spectrum = spectrum * ((radius > 1 / 40) & (radius < 1 / 9)) / np.maximum(radius, 1e-9)
        self.spectrum *= 35.0 / np.fft.irfft2(self.spectrum).std()

    def shifted(self, dx: float) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = np.fft.irfft2(self.spectrum * np.exp(-2j * np.pi * self.fx * dx)) + 128.0
        return moved

    def clip(self, xs: NDArray[np.float64], *, sigma: float = 0.0, seed: int = 0) -> Frames:
        rng = np.random.default_rng(seed)
        planes = np.array([self.shifted(x) for x in xs])
        planes += sigma * rng.standard_normal(planes.shape)
        frames: Frames = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
        return frames

    def displacement(self, frame: Frames, *, near: float) -> float:
        """Measure by how far the texture moved, by Gauss-Newton from a good guess."""
        inner = slice(12, -12)
        for _ in range(2):
            slope = (self.shifted(near + 0.1) - self.shifted(near - 0.1))[inner, inner] / 0.2
            rest = frame[inner, inner] - self.shifted(near)[inner, inner]
            near += float((slope * rest).sum() / (slope * slope).sum())
        return near


def response(x: NDArray[np.float64], t: NDArray[np.float64], hz: float) -> complex:
    """Fit a sinusoid of `hz`: its amplitude and lead against a sine, as a complex number."""
    basis = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t), np.ones_like(t)], 1)
    sine, cosine, _ = np.linalg.lstsq(basis, x, rcond=None)[0]
    return complex(sine, cosine)


def out_motion(texture: Texture, d: float, t: NDArray[np.float64], **options: Any) -> complex:
    """Feed a texture moving by d sin(2 pi f t), f the band's middle; measure the motion that comes out."""
    xs = d * np.sin(2 * np.pi * MIDDLE_HZ * t)
    magnifier = Magnifier(band_hz=BAND, **options)
    moved, seen = [], []
    every = max(1, len(t) // 90)
    for k, (x, moment, frame) in enumerate(zip(xs, t, texture.clip(xs), strict=True)):
        out = magnifier(frame, time=float(moment))
        if magnifier.warm and k % every == 0:
            moved.append(texture.displacement(out, near=(1 + options["factor"]) * x))
            seen.append(moment)
    return response(np.array(moved), np.array(seen), MIDDLE_HZ) / d


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 5), (8, 8), (13, 31), (47, 29), (64, 49)])
@pytest.mark.parametrize("base_level", [0, 1])
def test_equals_the_oracle_at_any_size(
    rng: np.random.Generator, shape: tuple[int, int], base_level: int
) -> None:
    """Odd, prime, portrait and one-pixel pictures are magnified by the same formula as all others."""
    frames = busy_clip(rng, count=9, shape=shape)
    out = magnify_frames(frames, fps=30, factor=6, band_hz=BAND, base_level=base_level, denoise=False)
    true = naive_magnify.magnify(frames, fps=30, factor=6, band_hz=BAND, base_level=base_level)
    assert np.abs(out - true).max() < 0.501


@pytest.mark.parametrize("fps", [30.0, 60.0, 200.0])
@pytest.mark.parametrize(("order", "cutoff", "base_level"), [(1, 9.0, 0), (2, 0.0, 1), (3, 30.0, 1)])
def test_equals_the_oracle_for_every_option(
    rng: np.random.Generator, fps: float, order: int, cutoff: float, base_level: int
) -> None:
    """The filter's order, the wavelength bound and irregular frames do what their formulas say."""
    frames = busy_clip(rng, count=25, shape=(40, 50))
    times = np.cumsum(rng.choice([0.8, 1.0, 2.0, 3.0, 0.0], len(frames))) / fps
    magnifier = Magnifier(
        fps=fps,
        factor=8,
        band_hz=BAND,
        order=order,
        base_level=base_level,
        cutoff_wavelength_px=cutoff,
        denoise=False,
    )
    out = np.array([magnifier(frame, time=float(t)) for frame, t in zip(frames, times, strict=True)])
    true = naive_magnify.magnify(
        frames,
        fps=fps,
        factor=8,
        band_hz=BAND,
        times=times.tolist(),
        base_level=base_level,
        cutoff=cutoff,
        order=order,
    )
    assert np.abs(out - true).max() < 0.502


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (37, 53), (64, 48)])
@pytest.mark.parametrize(("fps", "order", "base_level"), [(30.0, 1, 1), (60.0, 2, 0), (200.0, 1, 1)])
def test_noise_is_held_back_as_the_oracle_does(
    rng: np.random.Generator, shape: tuple[int, int], fps: float, order: int, base_level: int
) -> None:
    """Place by place, with dropped, late and repeated frames: what does not stand out is not magnified."""
    count = round(fps)
    times = np.cumsum(rng.choice([0.8, 1.0, 2.0, 0.0], count, p=[0.3, 0.4, 0.2, 0.1])) / fps
    # From the left, where there is noise only, to the right, where there is hardly any.
    share = np.linspace(0, 1, shape[1])
    course = 12 * share * np.sin(2 * np.pi * MIDDLE_HZ * times)[:, None, None]
    noise = 4 * (1 - share) * rng.standard_normal((count, *shape))
    frames = np.clip(np.rint(rng.integers(60, 190, shape) + course + noise), 0, 255).astype(np.uint8)
    magnifier = Magnifier(fps=fps, factor=8, band_hz=BAND, order=order, base_level=base_level)
    out = np.array([magnifier(frame, time=float(t)) for frame, t in zip(frames, times, strict=True)])
    impulse = np.eye(1, 20 * count, 1).T
    even = [k / fps for k in range(len(impulse))]
    passed = naive_magnify.band_pass(impulse, times=even, band_hz=BAND, fps=fps, order=order)
    held, free = (
        naive_magnify.magnify(
            frames,
            fps=fps,
            factor=8,
            band_hz=BAND,
            times=times.tolist(),
            base_level=base_level,
            order=order,
            noise=noise,
        )
        for noise in (float((passed**2).sum()) / 6, 0.0)
    )
    assert np.abs(out - held).max() < 0.51
    if shape[1] > 1 and shape[0] > 3:
        assert np.abs(held - free).max() > 5.0


@pytest.mark.parametrize("factor", [10.0, 50.0])
def test_noise_of_a_still_scene_is_not_magnified(factor: float) -> None:
    """Missed otherwise: a picture that boils, five or ten times as noisy as what the camera sent."""
    frames = Texture(2).clip(np.zeros(90), sigma=2.0)
    out = magnify_frames(frames, fps=30, factor=factor, band_hz=BAND)
    plain = magnify_frames(frames, fps=30, factor=factor, band_hz=BAND, denoise=False)
    noise, held, boiling = (clip[45:].std(axis=0).mean() for clip in (frames, out, plain))
    assert held < 1.1 * noise
    assert boiling > 2.0 * noise


def test_clear_motion_passes_the_noise_gate_whole() -> None:
    """Motion that stands out of the noise is magnified as if there were none."""
    texture, t = Texture(3), np.arange(90) / 30.0
    xs = 0.08 * np.sin(2 * np.pi * MIDDLE_HZ * t)
    frames = texture.clip(xs, sigma=1.0)
    late = slice(45, None)
    gains = []
    for denoise in (True, False):
        out = magnify_frames(frames, fps=30, factor=10, band_hz=BAND, denoise=denoise)
        moved = [texture.displacement(o, near=11 * x) for x, o in zip(xs, out, strict=True)]
        gains.append(abs(response(np.array(moved)[late], t[late], MIDDLE_HZ)) / 0.08)
    assert gains[0] > 0.98 * gains[1]


def test_keeps_its_precision_where_the_band_is_far_below_the_rate(rng: np.random.Generator) -> None:
    """A slow band on a fast camera for many frames: rounding in float32 must not add up or get stuck."""
    t = np.arange(4000) / 1000.0
    motion = 20 * np.sin(2 * np.pi * 0.6 * t)[:, None, None] * rng.standard_normal((12, 12))
    frames = np.clip(np.rint(190 + motion), 0, 255).astype(np.uint8)
    out = magnify_frames(frames, fps=1000, factor=2, band_hz=(0.3, 1.2), base_level=0)
    passed = naive_magnify.band_pass(
        frames.astype(float), times=t.tolist(), band_hz=(0.3, 1.2), fps=1000, order=1
    )
    for k in range(3000, 4000, 50):
        change = naive_magnify.weigh_octaves(passed[k], factor=2, base_level=0, cutoff=0)
        assert np.abs(out[k] - np.clip(frames[k] + 2 * change, 0, 255)).max() < 0.51


@pytest.mark.parametrize(("fps", "seed"), [(30.0, 1), (60.0, 2), (200.0, 3)])
@pytest.mark.parametrize(("factor", "d"), [(10.0, 0.08), (25.0, 0.03), (50.0, 0.015)])
def test_motion_is_magnified_by_one_plus_factor_without_delay(
    fps: float, seed: int, factor: float, d: float
) -> None:
    """Factor 10 means (1 + 10) d, at every camera rate: within 10 % and 3 degrees up to the bound."""
    t = np.arange(int(2.4 * fps)) / fps
    gain = out_motion(Texture(seed), d, t, fps=fps, factor=factor)
    assert abs(gain) == pytest.approx(1 + factor, rel=0.1)
    assert abs(math.degrees(math.atan2(gain.imag, gain.real))) < 3.0


@pytest.mark.parametrize("order", [1, 2])
def test_dropped_and_late_frames_keep_the_gain(rng: np.random.Generator, order: int) -> None:
    """A camera that drops every fifth frame and jitters shows the same motion as one that does not."""
    t = np.arange(90) / 30.0
    kept = t[rng.random(len(t)) > 0.2]
    late = kept + rng.uniform(-0.008, 0.008, len(kept))
    even = out_motion(Texture(4), 0.05, t, fps=30, factor=10, order=order)
    uneven = out_motion(Texture(4), 0.05, late, fps=30, factor=10, order=order)
    assert abs(uneven - even) < 0.03 * abs(even)


def test_the_same_frames_without_their_times_lose_the_gain(rng: np.random.Generator) -> None:
    """The test above would notice a magnifier that ignores time: this one ignores it, and is off."""
    t = np.arange(90) / 30.0
    kept = t[rng.random(len(t)) > 0.2]
    true = out_motion(Texture(4), 0.05, kept, fps=30, factor=10)
    texture, frames_at = Texture(4), np.arange(len(kept)) / 30.0
    xs = 0.05 * np.sin(2 * np.pi * MIDDLE_HZ * kept)
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND)
    moved = [
        texture.displacement(magnifier(frame), near=11 * x)
        for x, frame in zip(xs, texture.clip(xs), strict=True)
    ]
    late = frames_at > magnifier.warm_seconds
    assert abs(response(np.array(moved)[late], kept[late], MIDDLE_HZ) / 0.05 - true) > 0.05 * abs(true)


@pytest.mark.parametrize("factor", [10.0, 50.0])
def test_the_wavelength_bound_spares_long_waves_and_weakens_none(factor: float) -> None:
    """Short waves are magnified less and long ones whole; a peer turns this round, another's gain falls
    below 1."""
    x = np.arange(288)
    gains = []
    for wavelength in (6, 12, 24, 36):
        t = np.arange(75) / 30.0
        d = 0.03 * np.sin(2 * np.pi * MIDDLE_HZ * t)[:, None, None]
        wave = 128 + 60 * np.sin(2 * np.pi * (x - d) / wavelength)
        frames = np.rint(np.repeat(wave, 256, axis=1)).astype(np.uint8)
        out = magnify_frames(
            frames, fps=30, factor=factor, band_hz=BAND, cutoff_wavelength_px=20.0, denoise=False
        )
        turned = np.angle((out[:, 8:-8] @ np.exp(-2j * np.pi * x / wavelength)).mean(axis=1))
        moved = -(turned - turned[0]) * wavelength / (2 * np.pi)
        gains.append(abs(response(moved[38:], t[38:], MIDDLE_HZ)) / 0.03)
    assert gains == sorted(gains)
    assert gains[0] > 0.95
    assert gains[-1] == pytest.approx(1 + factor, rel=0.1)


def test_motion_outside_the_band_is_left_alone() -> None:
    """Slow head drift (one tenth of the low edge) is not blown up: less than a tenth of the factor."""
    texture, t = Texture(5), np.arange(360) / 30.0
    xs = 0.3 * np.sin(2 * np.pi * 0.1 * t)
    frames = texture.clip(xs)
    out = magnify_frames(frames, fps=30, factor=10, band_hz=BAND)
    moved = np.array([texture.displacement(o, near=x) for x, o in zip(xs, out, strict=True)])
    assert abs(moved - xs)[60:].max() < 0.3 * 10 / 10


@pytest.mark.parametrize("order", [1, 2])
def test_a_still_picture_comes_out_unchanged(rng: np.random.Generator, order: int) -> None:
    """No shimmer, no drift: a still scene is given back to the bit, however bright and however long."""
    frame = rng.integers(0, 256, (37, 53)).astype(np.uint8)
    magnifier = Magnifier(fps=30, factor=50, band_hz=BAND, order=order)
    for k in range(100):
        assert np.array_equal(magnifier(frame, time=k / 29.0), frame)


@pytest.mark.parametrize("order", [1, 2])
def test_a_picture_that_becomes_still_leaves_nothing_behind(rng: np.random.Generator, order: int) -> None:
    """After motion the state ends at zero and not in numbers so small that the processor crawls."""
    moving, still = busy_clip(rng, count=30, shape=(12, 12)), busy_clip(rng, count=1, shape=(12, 12))[0]
    magnifier = Magnifier(fps=10, factor=50, band_hz=(1.0, 4.0), order=order)
    for frame in moving:
        magnifier(frame)
    for _ in range(400):
        out = magnifier(still)
    assert np.array_equal(out, still)
    assert isinstance(magnifier._engine, LinearEngine)
    assert not magnifier._engine._state.any()


def test_flicker_of_the_light_is_not_magnified(rng: np.random.Generator) -> None:
    """A lamp that flickers by two grey levels in the band must not make the picture flash by twenty."""
    t = np.arange(90) / 30.0
    scene = rng.integers(60, 180, (64, 64))
    light = np.rint(2 * np.sin(2 * np.pi * MIDDLE_HZ * t)).astype(int)
    frames = (scene[None] + light[:, None, None]).astype(np.uint8)
    out = magnify_frames(frames, fps=30, factor=20, band_hz=BAND)
    assert np.array_equal(out, frames)


def test_factor_zero_gives_the_input_back(rng: np.random.Generator) -> None:
    """The switch position "off" is off."""
    frames = busy_clip(rng, count=6, shape=(20, 30))
    assert np.array_equal(magnify_frames(frames, fps=30, factor=0, band_hz=BAND), frames)


@pytest.mark.parametrize("threads", [1, 3])
def test_streaming_equals_the_clip_to_the_bit(rng: np.random.Generator, threads: int) -> None:
    """What was seen live is what the file shows, on one thread or on several."""
    frames = busy_clip(rng, count=12, shape=(61, 83))
    clip = magnify_frames(frames, fps=30, factor=10, band_hz=BAND)
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND, threads=threads)
    for frame, expected in zip(frames, clip, strict=True):
        assert np.array_equal(magnifier(frame), expected)


def test_colour_keeps_its_chroma(rng: np.random.Generator) -> None:
    """Faces keep their colour: the three channels change by the same, which is the luma's change."""
    frames = rng.integers(60, 196, (8, 21, 33, 3)).astype(np.uint8)
    out = magnify_frames(frames, fps=30, factor=3, band_hz=BAND)
    luma = ((frames @ np.array([77, 150, 29]) + 128) >> 8).astype(np.uint8)
    change = magnify_frames(luma, fps=30, factor=3, band_hz=BAND).astype(int) - luma
    assert np.array_equal(out, np.clip(frames + change[..., None], 0, 255))
    swapped = magnify_frames(frames[..., ::-1], fps=30, factor=3, band_hz=BAND, channels="bgr")
    assert np.array_equal(swapped, out[..., ::-1])


@pytest.mark.parametrize("case", ["gap", "backwards", "size", "reset"])
def test_a_break_starts_anew(rng: np.random.Generator, case: str) -> None:
    """After a cut or a reconnect the old scene must not ghost through the new one."""
    frames = busy_clip(rng, count=12, shape=(24, 32))
    fresh = Magnifier(fps=30, factor=10, band_hz=BAND)
    broken = Magnifier(fps=30, factor=10, band_hz=BAND)
    before = busy_clip(rng, count=50, shape=(20, 20) if case == "size" else (24, 32))
    for k, frame in enumerate(before):
        broken(frame, time=10.0 + k / 30)
    assert broken.warm
    if case == "reset":
        broken.reset()
    start = {"gap": 10 + 49 / 30 + 0.51, "backwards": 3.0, "size": 10 + 50 / 30, "reset": 10 + 50 / 30}[case]
    for k, frame in enumerate(frames):
        assert np.array_equal(broken(frame, time=start + k / 30), fresh(frame, time=k / 30 + start))
        assert broken.warm == fresh.warm == (k / 30 >= broken.warm_seconds)


def test_a_short_gap_does_not_start_anew(rng: np.random.Generator) -> None:
    """Three lost frames are no reason to stop magnifying."""
    frames = busy_clip(rng, count=20, shape=(24, 32))
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND)
    for k, frame in enumerate(frames):
        out = magnifier(frame, time=k / 30 if k < 10 else (k + 3) / 30)
        assert k == 0 or not np.array_equal(out, frame)


def test_reads_every_layout(rng: np.random.Generator) -> None:
    """The decoder's padded, read-only planes and sliced or flipped arrays give what packed ones give."""
    frames = busy_clip(rng, count=6, shape=(30, 45))
    expected = magnify_frames(frames, fps=30, factor=10, band_hz=BAND)
    padded = np.zeros((6, 30, 64), np.uint8)
    padded[:, :, :45] = frames
    padded.flags.writeable = False
    column_major = [np.asfortranarray(frame) for frame in frames]
    flipped = np.ascontiguousarray(frames[:, ::-1, ::-1])[:, ::-1, ::-1]
    for clip in (padded[:, :, :45], column_major, flipped):
        magnifier = Magnifier(fps=30, factor=10, band_hz=BAND)
        for frame, true in zip(clip, expected, strict=True):
            assert np.array_equal(magnifier(frame), true)


def test_writes_where_it_is_told(rng: np.random.Generator) -> None:
    """`out` may be a part of a larger picture, or the frame itself, and nothing beside it is touched."""
    frames = busy_clip(rng, count=6, shape=(30, 45))
    expected = magnify_frames(frames, fps=30, factor=10, band_hz=BAND)
    beside, in_place = (Magnifier(fps=30, factor=10, band_hz=BAND) for _ in range(2))
    canvas = np.full((40, 60), 7, np.uint8)
    for frame, true in zip(frames, expected, strict=True):
        assert beside(frame, out=canvas[5:35, 10:55]).base is not None
        assert np.array_equal(canvas[5:35, 10:55], true)
        assert in_place(frame, out=frame) is frame
        assert np.array_equal(frame, true)
    canvas[5:35, 10:55] = 7
    assert (canvas == 7).all()


def test_two_magnifiers_in_two_threads(rng: np.random.Generator) -> None:
    """Two cameras in one process neither disturb each other nor end the process."""
    frames = busy_clip(rng, count=40, shape=(90, 120))
    expected = magnify_frames(frames, fps=30, factor=10, band_hz=BAND)
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(magnify_frames, frames, fps=30, factor=10, band_hz=BAND, threads=1 + k % 2)
            for k in range(8)
        ]
        assert all(np.array_equal(job.result(), expected) for job in jobs)


def test_a_crop_takes_far_less_than_a_frame_period_and_allocates_nothing(rng: np.random.Generator) -> None:
    """Live watching at 200 fps needs the 256x256 crop in under a millisecond, and memory that stays flat."""
    frames = busy_clip(rng, count=4, shape=(256, 256))
    magnifier, out = Magnifier(fps=200), np.empty((256, 256), np.uint8)
    best = math.inf
    for k in range(100):
        start = time.perf_counter()
        magnifier(frames[k % 4], time=k / 200, out=out)
        best = min(best, time.perf_counter() - start)
    assert best < 0.001
    tracemalloc.start()
    for k in range(100, 120):
        magnifier(frames[k % 4], time=k / 200, out=out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000
    assert magnifier.state_bytes < 5 * 256 * 256


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fps": 30, "band_hz": (1, 20)}, "more than 40 frames a second, this one gives 30"),
        ({"fps": 10, "band_hz": (1, 5)}, "below 5 Hz"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": math.nan}, "fps is nan"),
        ({"fps": 30, "band_hz": (0, 5)}, "low edge above 0"),
        ({"fps": 30, "band_hz": (5, 1)}, "band 5-1 Hz is empty"),
        ({"fps": 30, "band_hz": 3}, "two numbers"),
        ({"fps": 30, "factor": -1}, "from 0 to 1000"),
        ({"fps": 30, "factor": math.nan}, "factor is nan"),
        ({"fps": 30, "method": "magic"}, "this version has 'linear'"),
        ({"fps": 30, "device": "abacus"}, "this version has 'cpu', 'cuda' and 'auto'"),
        ({"fps": 30, "device": "cuda", "stabilize": True}, "stabilize runs on the CPU only"),
        ({"fps": 30, "base_level": 2}, "base_level is 2"),
        ({"fps": 30, "order": 0}, "order is 0"),
        ({"fps": 30, "threads": 0}, "threads is 0"),
        ({"fps": 30, "cutoff_wavelength_px": -1}, "cutoff_wavelength_px is -1"),
    ],
)
def test_says_what_is_wrong_with_an_argument(options: dict[str, Any], told: str) -> None:
    """A user who asks for the impossible reads the value, the rule and what would do, in one line."""
    with pytest.raises(MagnifyError) as caught:
        Magnifier(**options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_says_what_is_wrong_with_a_frame() -> None:
    """A float or colour picture by mistake is named, not turned into noise."""
    magnifier, good = Magnifier(fps=30), np.zeros((4, 6), np.uint8)
    wrong: list[Any] = [good.astype(float), np.zeros((4, 6, 3), np.uint8), np.zeros((0, 6), np.uint8), None]
    for frame in wrong:
        with pytest.raises(MagnifyError, match="plane of luma"):
            magnifier(frame)
    frozen = good.copy()
    frozen.flags.writeable = False
    for out in (
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 6), np.float32),
        frozen,
        np.zeros((6, 4), np.uint8).T,
    ):
        with pytest.raises(MagnifyError, match="out is"):
            magnifier(good, out=out)  # type: ignore[arg-type]
    with pytest.raises(MagnifyError, match="time is nan"):
        magnifier(good, time=math.nan)
    with pytest.raises(MagnifyError, match="frames must be"):
        magnify_frames(good, fps=30)
    with pytest.raises(MagnifyError, match="4 channels"):
        magnify_frames(np.zeros((2, 4, 6, 4), np.uint8), fps=30)
    with pytest.raises(MagnifyError, match="channels is 'yuv'"):
        magnify_frames(np.zeros((2, 4, 6, 3), np.uint8), fps=30, channels="yuv")  # type: ignore[arg-type]
