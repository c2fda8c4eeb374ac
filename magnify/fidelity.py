"""Measure how true the magnifier is, on motion that is known exactly.

The ideal is the same picture without noise, moved by (1 + factor) d. What came out is registered to the known
picture (Gauss-Newton, no interpolation), and a sinusoid of the motion's frequency is fitted to the course:
its size is the gain, its phase the lag, what is left is motion that was not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .textures import Floats, Scene

Frames = NDArray[np.uint8]
Magnify = Callable[[Frames, float, float], Frames]
"""What is measured: frames uint8 [T, H, W, 3], frames a second, factor -> frames."""

_LUMA = np.array([0.299, 0.587, 0.114])
# What is scored: after the start of the filters, for two seconds, inside of the border.
_FIRST_S, _LAST_S, _BORDER = 1.5, 3.5, 32
# A fast stream is scored at about this rate.
_SCORED_FPS = 15.0


@dataclass(frozen=True)
class Moved:
    """A picture that moved as a whole: gain over 1 + factor, lag, what else moved, and PSNR in dB.

    `other_px` is motion at other frequencies than the input's, rms, `across_px` motion of the input's
    frequency in the other direction.
    """

    fps: float
    factor: float
    d_px: float
    sigma: float
    gain: float
    lag_deg: float
    other_px: float
    across_px: float
    psnr: float
    psnr_nothing: float


@dataclass(frozen=True)
class Still:
    """A still noisy picture: its noise out over its noise in."""

    factor: float
    sigma: float
    noise_gain: float


@dataclass(frozen=True)
class Local:
    """A blob that moved in a still picture: PSNR in dB where it moves and where it does not."""

    factor: float
    d_px: float
    sigma: float
    psnr_moving: float
    psnr_moving_nothing: float
    psnr_still: float


@dataclass(frozen=True)
class Sway:
    """Small motion on a large slow sway: the one's gain over 1 + factor, what was added to the other, rms."""

    factor: float
    d_px: float
    sigma: float
    gain: float
    added_sway_px: float
    psnr: float
    psnr_nothing: float


def measure_moved(
    magnify: Magnify,
    scene: Scene,
    *,
    hz: float,
    factor: float,
    d_px: float,
    sigma: float = 0.0,
    fps: float = 30.0,
    seed: int = 0,
) -> Moved:
    """Move a scene by d sin(2 pi hz t) to the right, magnify, and compare with the ideal."""
    times, scored = _times(fps)
    course = d_px * np.sin(2.0 * np.pi * hz * times)
    frames = _frames([scene.frame(x) for x in course], sigma=sigma, seed=seed)
    out = magnify(frames, fps, factor)
    inner = _inner(scene)
    found, errors, errors_nothing = [], [], []
    for k in scored:
        wanted = (1.0 + factor) * course[k]
        ideal = scene.frame(wanted)[inner]
        errors.append(((out[k][inner] - ideal) ** 2).mean())
        errors_nothing.append(((frames[k][inner] - ideal) ** 2).mean())
        found.append(_displacement(scene, out[k], starts=((wanted, 0.0), (course[k], 0.0))))
    along, across = np.array(found).T
    gain, lag, other = _sinusoid(along, times[scored], hz=hz)
    astray, _, other_across = _sinusoid(across, times[scored], hz=hz)
    return Moved(
        fps=fps,
        factor=factor,
        d_px=d_px,
        sigma=sigma,
        gain=gain / d_px / (1.0 + factor),
        lag_deg=lag,
        other_px=math.hypot(other, other_across),
        across_px=astray,
        psnr=_psnr(errors),
        psnr_nothing=_psnr(errors_nothing),
    )


def measure_still(
    magnify: Magnify, scene: Scene, *, factor: float, sigma: float, fps: float = 30.0, seed: int = 0
) -> Still:
    """Magnify a still scene under noise and compare the changes in time, out over in."""
    times, scored = _times(fps)
    frames = _frames([scene.frame(0.0)] * len(times), sigma=sigma, seed=seed)
    out = magnify(frames, fps, factor)
    inner = _inner(scene)
    before, after = (
        np.var([clip[k][inner] @ _LUMA for k in scored], axis=0).mean() for clip in (frames, out)
    )
    return Still(factor, sigma, math.sqrt(after / before))


def measure_local(
    magnify: Magnify,
    scene: Scene,
    *,
    hz: float,
    factor: float,
    d_px: float,
    sigma: float = 0.0,
    fps: float = 30.0,
    seed: int = 0,
) -> Local:
    """Move a soft blob of about 60 px in the middle of a scene, magnify, and compare with the ideal."""
    times, scored = _times(fps)
    course = d_px * np.sin(2.0 * np.pi * hz * times)
    ys, xs = np.mgrid[: scene.size, : scene.size] - scene.size / 2.0
    blob = np.exp(-(xs**2 + ys**2) / (2.0 * (0.11 * scene.size) ** 2))
    stepped = _Stack(scene, reach_px=(1.0 + factor) * d_px)
    frames = _frames([stepped.moved(x * blob) for x in course], sigma=sigma, seed=seed)
    out = magnify(frames, fps, factor)
    moving, still = blob > 0.5, np.zeros(blob.shape, bool)
    still[_inner(scene)] = blob[_inner(scene)] < 0.01
    rest = scene.frame(0.0)
    errors, errors_nothing, errors_still = [], [], []
    for k in scored:
        ideal = stepped.moved((1.0 + factor) * course[k] * blob)
        errors.append(((out[k] - ideal)[moving] ** 2).mean())
        errors_nothing.append(((frames[k] - ideal)[moving] ** 2).mean())
        errors_still.append(((out[k] - rest)[still] ** 2).mean())
    return Local(factor, d_px, sigma, _psnr(errors), _psnr(errors_nothing), _psnr(errors_still))


def measure_sway(
    magnify: Magnify,
    scene: Scene,
    *,
    hz: float,
    factor: float,
    d_px: float,
    sigma: float = 1.0,
    fps: float = 30.0,
    sway_px: float = 8.0,
    sway_hz: float = 0.3,
    seed: int = 0,
) -> Sway:
    """Sway a scene to the right while it moves down by d sin(2 pi hz t), which alone is to be magnified."""
    times, scored = _times(fps)
    sway = sway_px * np.sin(2.0 * np.pi * sway_hz * times)
    small = d_px * np.sin(2.0 * np.pi * hz * times)
    frames = _frames([scene.frame(x, y) for x, y in zip(sway, small, strict=True)], sigma=sigma, seed=seed)
    out = magnify(frames, fps, factor)
    inner = _inner(scene)
    found, errors, errors_nothing = [], [], []
    for k in scored:
        wanted = (sway[k], (1.0 + factor) * small[k])
        ideal = scene.frame(*wanted)[inner]
        errors.append(((out[k][inner] - ideal) ** 2).mean())
        errors_nothing.append(((frames[k][inner] - ideal) ** 2).mean())
        found.append(_displacement(scene, out[k], starts=(wanted, (sway[k], small[k]))))
    across, along = np.array(found).T
    gain, _, _ = _sinusoid(along, times[scored], hz=hz)
    return Sway(
        factor=factor,
        d_px=d_px,
        sigma=sigma,
        gain=gain / d_px / (1.0 + factor),
        added_sway_px=float(np.sqrt(np.mean((across - sway[scored]) ** 2))),
        psnr=_psnr(errors),
        psnr_nothing=_psnr(errors_nothing),
    )


class _Stack:
    """A scene at many displacements, each pixel interpolated between them: motion that differs by place."""

    # Cubic interpolation over steps this small is exact to a thousandth of a grey level.
    _STEP_PX = 0.1

    def __init__(self, scene: Scene, *, reach_px: float) -> None:
        self._reach = math.ceil(reach_px / self._STEP_PX) + 2
        steps = np.arange(-self._reach, self._reach + 1) * self._STEP_PX
        self._planes = np.array([scene.frame(step) for step in steps])

    def moved(self, field: Floats) -> Floats:
        """Give the scene moved right by `field` [size, size] pixels, place by place."""
        at = field / self._STEP_PX + self._reach
        low = np.floor(at).astype(int)
        t = (at - low)[..., None]
        rows, columns = np.indices(field.shape)
        a, b, c, d = (self._planes[low + k, rows, columns] for k in (-1, 0, 1, 2))
        # Lagrange's cubic through four steps.
        result: Floats = (
            -t * (t - 1.0) * (t - 2.0) / 6.0 * a
            + (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0 * b
            - (t + 1.0) * t * (t - 2.0) / 2.0 * c
            + (t + 1.0) * t * (t - 1.0) / 6.0 * d
        )
        return result


def _times(fps: float) -> tuple[Floats, NDArray[np.int64]]:
    """Give the frames' times, and which of them are scored."""
    times = np.arange(round(_LAST_S * fps)) / fps
    return times, np.arange(round(_FIRST_S * fps), len(times), max(1, round(fps / _SCORED_FPS)))


def _frames(pictures: list[Floats], *, sigma: float, seed: int) -> Frames:
    rng = np.random.default_rng(seed)
    noisy = (picture + sigma * rng.standard_normal(picture.shape) for picture in pictures)
    return np.array([np.clip(np.rint(picture), 0, 255) for picture in noisy], np.uint8)


def _inner(scene: Scene) -> tuple[slice, slice]:
    inner = slice(_BORDER, scene.size - _BORDER)
    return inner, inner


def _displacement(
    scene: Scene, frame: Frames, *, starts: tuple[tuple[float, float], ...]
) -> tuple[float, float]:
    """Find by how much a frame is the scene moved, from the best of some guesses."""
    inner = _inner(scene)
    luma = (frame @ _LUMA)[inner]
    weight = np.outer(*[np.hanning(luma.shape[0])] * 2)
    at = np.array(min(starts, key=lambda s: float((weight * (luma - scene.luma(*s)[0][inner]) ** 2).sum())))
    for _ in range(8):
        value, right, down = (plane[inner] for plane in scene.luma(float(at[0]), float(at[1])))
        rest = weight * (luma - value)
        # A picture that moves right takes the values of what lies left of it: its slopes, negative.
        xx, xy, yy = (weight * right**2).sum(), (weight * right * down).sum(), (weight * down**2).sum()
        step = np.linalg.solve([[xx, xy], [xy, yy]], [-(rest * right).sum(), -(rest * down).sum()])
        at = at + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-4:
            break
    return float(at[0]), float(at[1])


def _sinusoid(course: Floats, times: Floats, *, hz: float) -> tuple[float, float, float]:
    """Fit a sine of a frequency: its amplitude, its lag in degrees, and the rms of what is left."""
    turn = 2.0 * np.pi * hz * times
    basis = np.stack([np.sin(turn), np.cos(turn), np.ones_like(turn)], axis=1)
    fitted = np.linalg.lstsq(basis, course, rcond=None)[0]
    left = float(np.sqrt(np.mean((course - basis @ fitted) ** 2)))
    return math.hypot(fitted[0], fitted[1]), math.degrees(math.atan2(-fitted[1], fitted[0])), left


def _psnr(squares: list[float]) -> float:
    return 10.0 * math.log10(255.0**2 / max(float(np.mean(squares)), 1e-9))
