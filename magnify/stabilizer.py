"""Hold the picture still, magnify, put back: small motion on a picture that sways as a whole.

    register  each frame to a reference picture: a similarity, the pose
    hold      the frame as seen from the reference's pose; what has left it stays as it was last seen
    magnify   the still picture, by an engine that knows nothing of all this
    put back  what the engine changed is added to the frame, at its place in the frame

The picture itself is not what is held still: that would resample it twice, and blacken its borders. The frame
stays where it is, only the change travels.

Motion of the whole picture within the band is in the pose and not in the still picture. The pose is four
numbers and can be band-passed by steeper sections than a picture: of a sway at a tenth of the band's middle
they leave a thousandth. What passes is magnified and moves the frame as a whole.

Where the picture no longer resembles the reference, or has left too much of it, the current frame becomes the
reference, and the engine starts anew; the pose's filter goes on.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .planes import Bytes, Floats, flat_plane, plane_geometry
from .pyramid import reduce_rows
from .registration import Template
from .riesz_formulas import LIMIT_PX
from .similarity import compose, rotation_of, scale_of
from .spline import fit_spline, load, spline_room
from .stabilizer_kernels import difference, hold, note_seen, put_back
from .temporal import BandPass, section_step
from .warp import invert_affine, spline_coefficients

# Butterworth sections for the pose. Two leave a hundredth of a sway at a tenth of the middle: too much of
# several pixels times ten; four lag too far beside the middle.
POSE_ORDER = 3
# A sway under way at the start looks like a jolt, and rings in steep sections: the pose's motion fades in
# from half of the time that the filter needs to one and a half of it.
POSE_WARM_SHARE = 1.5
# The picture is registered at half size and half of that again, until its longer side has at most so many
# pixels: what is averaged there costs nothing and tells the motion as well.
_FINE_SIDE = 192
_COARSE_LEVELS = 2
# A coarse search that went further, in shares of the side, has found nothing.
_LARGEST_STEP = 0.3
# Parts of the picture, each way, that have their own light and vote on the motion.
_PARTS = 4
# How much the reference explains, compared with the best so far: less is another scene, or a changed one.
_LOST_SHARE, _STALE_DROP = 0.5, 0.2
_LEAST_VISIBLE = 0.6
_STALE_SCALE, _STALE_TURN = 1.2, math.radians(12.0)
_STALE_SECONDS = 0.5
_SEEN_LONG_AGO = np.float32(1e6)


class Engine(Protocol):
    """What magnifies a picture that is held still."""

    shape: tuple[int, int]

    @property
    def state_bytes(self) -> int: ...

    @property
    def filter_bytes(self) -> int: ...

    @property
    def noise_px(self) -> float | None: ...

    def start(self, luma: Bytes) -> None: ...

    def step(self, luma: Bytes, *, dt: float, out: Bytes) -> None: ...


class StabilizedEngine:
    """An engine for a stream that sways: like the engine it is made of, to whoever uses it.

    `pose_band_pass` is what passes of the whole picture's motion.
    """

    def __init__(self, engine: Engine, *, pose_band_pass: BandPass, factor: float) -> None:
        self.shape = shape = engine.shape
        self._engine = engine
        self._band_pass = pose_band_pass
        self._amplitude = factor * pose_band_pass.gain
        height, width = shape
        self._centre = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
        self._radius = max(*self._centre, 1.0)
        self._picture = np.zeros(shape, np.float32)
        self._source, self._change = spline_room(shape), spline_room(shape)
        self._held, self._magnified = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._seen = np.zeros(((height + 3) // 4, (width + 3) // 4), np.float32)
        self._weights = np.zeros_like(self._seen)
        self._scratch = np.zeros((4, width + 24 + 4), np.float32)
        self._whole = np.zeros((2, width), np.int32)
        self._follower = _Follower(shape)
        self._pose_state = np.zeros((len(pose_band_pass.sections), 2, 4), np.float32)
        self._pose = np.zeros(4)
        self._pose_seconds = 0.0

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream, scratch included."""
        own = (
            self._picture,
            self._source,
            self._change,
            self._held,
            self._magnified,
            self._seen,
            self._weights,
            self._scratch,
            self._whole,
        )
        return self._engine.state_bytes + sum(array.nbytes for array in own) + self._follower.state_bytes

    @property
    def filter_bytes(self) -> int:
        """Bytes that each frame hands to the next."""
        return self._engine.filter_bytes + self._held.nbytes + self._seen.nbytes + self._pose_state.nbytes

    @property
    def noise_px(self) -> float | None:
        """How far noise alone moves what is shown, as the engine tells it."""
        return self._engine.noise_px

    def start(self, luma: Bytes) -> None:
        """Forget everything, and take a picture [H, W] as the one that stands still."""
        self._forget_pose()
        self._load(luma)
        self._follower.look(self._picture)
        self._anchor(luma)

    def step(self, luma: Bytes, *, dt: float, out: Bytes) -> None:
        """Magnify the picture that comes `dt` seconds after the last one into `out`, both uint8 [H, W]."""
        self._load(luma)
        found = self._follower.follow(self._picture, dt=dt)
        if found is None:
            self._forget_pose()
            self._anchor(luma)
            np.copyto(out, luma)
            return
        fit_spline(self._picture, self._source, 0, 1, self._scratch[0])
        hold(self._source, found, self._held, self._scratch, self._whole)
        self._engine.step(self._held, dt=dt, out=self._magnified)
        note_seen(found, self.shape, dt, self._seen, self._weights)
        difference(self._magnified, self._held, self._weights, self._picture, self._scratch)
        fit_spline(self._picture, self._change, 0, 1, self._scratch[0])
        shown = invert_affine(self._magnified_pose(found, dt=dt))
        stale = self._follower.stale
        if stale:
            # The frame itself, before `out`, which may be the same memory, is written.
            self._load(luma)
            self._follower.look(self._picture)
            self._anchor(luma)
        put_back(
            self._source,
            compose(found, inner=shown),
            self._change,
            shown,
            flat_plane(out, writeable=True),
            plane_geometry(luma, out),
            self._scratch,
            self._whole,
        )

    def _load(self, luma: Bytes) -> None:
        rows = (0, self.shape[0])
        load(flat_plane(luma, writeable=False), plane_geometry(luma, luma), self._picture, rows)

    def _anchor(self, luma: Bytes) -> None:
        """Take the frame as the still picture."""
        np.copyto(self._held, luma)
        self._engine.start(self._held)
        self._seen.fill(_SEEN_LONG_AGO)
        self._pose.fill(0.0)

    def _forget_pose(self) -> None:
        self._pose_state.fill(0.0)
        self._pose_seconds = 0.0

    def _magnified_pose(self, found: NDArray[np.float64], *, dt: float) -> NDArray[np.float64]:
        """Step the pose's filter and give the pose [2, 3] with the motion that passes magnified."""
        # Four pixel distances: growth and turn at the picture's edge, the middle's way right and down.
        moved = found[:, :2] @ self._centre + found[:, 2] - self._centre
        pose = np.array([(found[0, 0] - 1.0) * self._radius, found[1, 0] * self._radius, moved[0], moved[1]])
        line = (pose - self._pose).astype(np.float32)
        self._pose = pose
        for state, coefficients in zip(self._pose_state, self._band_pass.coefficients(dt=dt), strict=True):
            section_step(line, state[0], state[1], coefficients)
        self._pose_seconds += dt
        share = self._pose_seconds / self._band_pass.warm_seconds - (POSE_WARM_SHARE - 1.0)
        amplitude = self._amplitude * min(max(share, 0.0), 1.0)
        pose = pose + np.clip(amplitude * self._pose_state[-1, 0], -LIMIT_PX, LIMIT_PX)
        cosine, sine = 1.0 + pose[0] / self._radius, pose[1] / self._radius
        linear = np.array([[cosine, -sine], [sine, cosine]])
        return np.concatenate([linear, (self._centre + pose[2:] - linear @ self._centre)[:, None]], axis=1)


class _Follower:
    """Finds where each frame of a stream lies, from what the first looked like."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._planes: list[Floats] = []
        level = 0
        size = shape
        last = 1
        while level < last + _COARSE_LEVELS:
            level += 1
            size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
            self._planes.append(np.zeros(size, np.float32))
            if max(size) > _FINE_SIDE:
                last = level + 1
        self._fine = last - 1
        self._line = np.zeros(shape[1] + 4, np.float32)
        fine, coarse = self._planes[self._fine], self._planes[-1]
        self._coefficients = np.zeros_like(fine), np.zeros_like(coarse)
        self._templates: tuple[Template, Template] | None = None
        self._warp = np.eye(2, 3)
        self._best = 0.0
        self._doubtful_seconds = 0.0
        self.stale = False

    @property
    def state_bytes(self) -> int:
        return sum(plane.nbytes for plane in (*self._planes, *self._coefficients))

    def look(self, picture: Floats) -> None:
        """Take a picture [H, W] as the reference; the next frame is looked for where it lies."""
        self._reduce(picture)
        fine, coarse = self._planes[self._fine], self._planes[-1]
        self._templates = _template(fine, _PARTS), _template(coarse, 1)
        self._warp = np.eye(2, 3)
        self._best = 0.0
        self._doubtful_seconds = 0.0
        self.stale = False

    def follow(self, picture: Floats, *, dt: float) -> NDArray[np.float64] | None:
        """Find the pose [2, 3] of a picture, from the reference's pixels to its own.

        None where it is another scene; then it is the reference from now on.
        """
        assert self._templates is not None
        self._reduce(picture)
        fine, coarse = self._planes[self._fine], self._planes[-1]
        spline_coefficients(coarse, out=self._coefficients[1])
        warp = _between_levels(self._warp, -_COARSE_LEVELS)
        self._templates[1].solve(self._coefficients[1], warp=warp)
        guess = _between_levels(warp, _COARSE_LEVELS)
        far = np.abs(guess - self._warp)[:, 2].max() > _LARGEST_STEP * max(fine.shape)
        warp = self._warp.copy() if far else guess
        spline_coefficients(fine, out=self._coefficients[0])
        agreement, visible, residual = self._templates[0].solve(self._coefficients[0], warp=warp)
        if not math.isfinite(residual):
            # A blank picture: nothing in it says that it moves.
            self.stale = True
            return _between_levels(self._warp, self._fine + 1)
        if agreement < _LOST_SHARE * self._best or visible < _LEAST_VISIBLE / 2.0:
            self.look(picture)
            return None
        self._warp = warp
        self._best = max(self._best, agreement)
        self._doubtful_seconds += dt
        if agreement >= self._best - _STALE_DROP:
            self._doubtful_seconds = 0.0
        away = abs(rotation_of(warp)) > _STALE_TURN or abs(math.log(scale_of(warp))) > math.log(_STALE_SCALE)
        self.stale = away or visible < _LEAST_VISIBLE or self._doubtful_seconds > _STALE_SECONDS
        return _between_levels(warp, self._fine + 1)

    def _reduce(self, picture: Floats) -> None:
        for plane in self._planes:
            reduce_rows(picture, plane, 0, plane.shape[0], self._line)
            picture = plane


def _template(plane: Floats, parts: int) -> Template:
    """Make a plane [h, w] a reference of `parts` by `parts` parts."""
    height, width = plane.shape
    rows, columns = np.arange(height) * parts // height, np.arange(width) * parts // width
    return Template(
        plane,
        labels=(rows[:, None] * parts + columns).astype(np.int64),
        weights=np.ones_like(plane),
        counts=np.ones(parts * parts),
    )


def _between_levels(warp: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Take a map [2, 3] of pixels `levels` levels of the pyramid finer (coarser where negative)."""
    scale = 2.0**levels
    finer = warp.copy()
    # Cell q of the coarser level has its middle at scale (q + 1/2) - 1/2.
    half = (scale - 1.0) / 2.0
    finer[:, 2] = scale * warp[:, 2] + half - warp[:, :2] @ np.full(2, half)
    return finer
