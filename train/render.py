"""Draw a face whose every point lies where it is told to, to a thousandth of a pixel.

A frame is one warp of one picture: each pixel asks where its skin came from (head pose undone, then the
displacement of the muscles) and samples the picture there with cubic B-splines. Nothing is warped twice.
"""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from numba import njit
from numpy.typing import NDArray

from magnifyme.magnify.warp import invert_affine, sample_cubic

from .expressions import CX, CY, DX, DY, RX, RY_DOWN, RY_UP, move_points
from .flow import bump_weight, head_weight, place_rows, rest_rows
from .looks import Looks
from .portrait import FacePicture, face_picture

REST: NDArray[np.float64] = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The head's pose when it does not move."""

# The head turns as a whole inside an ellipse about the face's middle and fades into the still background
# outside it. Its half axes in eye distances.
_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT = 1.35, 1.75
# Black of 8-bit video: light is multiplied above it.
_BLACK = 16.0
_NO_BUMPS = np.zeros((0, 7))
# 1 MB of noise: small enough for the cache, long enough that rows seldom meet again.
_NOISE_LENGTH = 1 << 18


class SensorNoise(NamedTuple):
    """Random numbers of one frame: `sigma` in grey levels, and `seed` of this very frame."""

    sigma: float
    seed: tuple[int, ...]


class MadeFace:
    """A face that can be drawn with any pose and any displacement field; used from one thread.

    `size` is (width, height) of the frames. `identity` 0 is the portrait itself, every other number another
    made-up face; `looks` says what else is chosen. `landmarks` [5, 2] are the face's in frame pixels at rest,
    in the order of `stream.face.CANONICAL_LANDMARKS`; `unit_px` is the distance of its eyes.
    """

    def __init__(
        self, *, size: tuple[int, int] = (640, 480), identity: int = 0, looks: Looks | None = None
    ) -> None:
        """Prepare the picture; raises ValueError if `size` is not at least 16×16."""
        width, height = size
        if width < 16 or height < 16:
            raise ValueError(f"size is {width}×{height}; a made face needs at least 16×16")
        self.size = size
        self.identity = identity
        self._picture: FacePicture = face_picture(size, identity=identity, looks=looks)
        self.landmarks = self._picture.landmarks
        self.portrait_matrix = self._picture.matrix
        self.unit_px = float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))
        eyes, mouth = self.landmarks[:2].mean(axis=0), self.landmarks[3:].mean(axis=0)
        self.centre: NDArray[np.float64] = (eyes + mouth) / 2.0
        half = self.unit_px * np.array([_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT])
        self._head = np.concatenate([self.centre, half])
        self._shift = np.zeros((2, height, width), np.float32)
        noise = np.random.default_rng(20210621).standard_normal(_NOISE_LENGTH + width)
        self._noise = noise.astype(np.float32)

    def draw(
        self,
        *,
        bumps: NDArray[np.float64] | None = None,
        pose: NDArray[np.float64] | None = None,
        light: float | NDArray[np.float64] = 1.0,
        noise: SensorNoise | None = None,
        turn: NDArray[np.float64] | None = None,
    ) -> av.VideoFrame:
        """Draw one frame as yuv420p (BT.601, limited range).

        `bumps` [N, 7] is the displacement field in rest coordinates, `pose` [2, 3] takes the resting face to
        the frame, `light` multiplies the brightness, of the whole frame or of each row [H]. `turn` [M, 7] are
        those of the bumps that glasses follow.
        """
        pose = REST if pose is None else pose
        self._map_shift(_NO_BUMPS if bumps is None else bumps, pose)
        width, height = self.size
        light = np.broadcast_to(np.asarray(light, np.float64), (height,))
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.colorspace = Colorspace.ITU601
        frame.color_range = ColorRange.MPEG
        offsets = np.zeros(height, np.int64)
        strength = np.zeros(height, np.float32)
        if noise is not None and noise.sigma > 0.0:
            rng = np.random.default_rng(noise.seed)
            offsets[:] = rng.integers(_NOISE_LENGTH, size=height)
            strength[:] = noise.sigma * (1.0 - 2.0 * rng.integers(2, size=height))
        margin = self._picture.margin
        luma, u, v = (_plane(plane) for plane in frame.planes)
        _draw_luma(self._picture.luma, self._shift, margin, light, self._noise, offsets, strength, luma)
        _draw_chroma(self._picture.u, self._shift, margin, u)
        _draw_chroma(self._picture.v, self._shift, margin, v)
        if self._picture.glasses is not None:
            cover, rim, half, box = self._picture.glasses
            self._map_shift(_NO_BUMPS if turn is None else turn, pose)
            _draw_over(cover, rim, box, self._shift, margin, light, self._noise, offsets, strength, luma)
            _bleach_under(half, box / 2.0, self._shift, margin, u)
            _bleach_under(half, box / 2.0, self._shift, margin, v)
        return frame

    def locate(
        self,
        points: NDArray[np.float64],
        *,
        bumps: NDArray[np.float64] | None = None,
        pose: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Tell where face points [N, 2], given in frame pixels at rest, are drawn: the exact truth."""
        moved = move_points(points, bumps=_NO_BUMPS if bumps is None else bumps)
        matrix = REST if pose is None else pose
        there: NDArray[np.float64] = moved @ matrix[:, :2].T + matrix[:, 2]
        return there

    def displacement(
        self,
        *,
        bumps: NDArray[np.float64] | None = None,
        pose: NDArray[np.float64] | None = None,
        bumps_before: NDArray[np.float64] | None = None,
        pose_before: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Tell how far the skin in each pixel has moved, exactly, float64 [H, W, 2] in frame pixels.

        What is drawn at a pixel with `bumps` and `pose` is drawn at that pixel minus its displacement with
        those `before` (at rest, if none are given). Glasses are left out.
        """
        bumps, bumps_before = (
            np.ascontiguousarray(_NO_BUMPS if b is None else b, np.float64) for b in (bumps, bumps_before)
        )
        width, height = self.size
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        pixels = np.stack([x, y], axis=-1)
        rest = np.empty_like(pixels)
        rest_rows(invert_affine(REST if pose is None else pose), self._head, bumps, rest)
        before = pixels.copy()
        inverse_before = invert_affine(REST if pose_before is None else pose_before)
        place_rows(rest, inverse_before, self._head, bumps_before, before)
        return pixels - before

    def _map_shift(self, bumps: NDArray[np.float64], pose: NDArray[np.float64]) -> None:
        bumps = np.ascontiguousarray(bumps, np.float64)
        matrix = np.ascontiguousarray(pose, np.float64)
        boxes = _boxes(bumps, matrix, self.size)
        _shift_rows(invert_affine(matrix), self._head, bumps, boxes, self._shift)


def _plane(plane: VideoPlane) -> NDArray[np.uint8]:
    memory: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return memory.reshape(plane.height, plane.line_size)


def _boxes(bumps: NDArray[np.float64], pose: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.int64]:
    """Bound each bump by frame columns and rows [left, top, right, bottom), after the head's pose."""
    boxes = np.zeros((len(bumps), 4), np.int64)
    for index, bump in enumerate(bumps):
        x = bump[CX] + bump[RX] * np.array([-1.0, 1.0, -1.0, 1.0])
        y = bump[CY] + np.array([-bump[RY_UP], -bump[RY_UP], bump[RY_DOWN], bump[RY_DOWN]])
        corners = np.stack([x, y], axis=1) @ pose[:, :2].T + pose[:, 2]
        low = np.floor(corners.min(axis=0)).astype(np.int64)
        high = np.ceil(corners.max(axis=0)).astype(np.int64) + 1
        boxes[index] = *np.clip(low, 0, size), *np.clip(high, 0, size)
    return boxes


@njit(cache=True, nogil=True, fastmath=True)
def _shift_rows(
    inverse: NDArray[np.float64],
    head: NDArray[np.float64],
    bumps: NDArray[np.float64],
    boxes: NDArray[np.int64],
    shift: NDArray[np.float32],
) -> None:
    """Write for each pixel how far away its skin rests: shift[0] in x, shift[1] in y."""
    height, width = shift.shape[1:]
    for row in range(height):
        for column in range(width):
            back_x = inverse[0, 0] * column + inverse[0, 1] * row + inverse[0, 2]
            back_y = inverse[1, 0] * column + inverse[1, 1] * row + inverse[1, 2]
            u = (back_x - head[0]) / head[2]
            v = (back_y - head[1]) / head[3]
            weight = head_weight(u, v)
            shift[0, row, column] = weight * (back_x - column)
            shift[1, row, column] = weight * (back_y - row)
    for k in range(bumps.shape[0]):
        cx, cy = bumps[k, CX], bumps[k, CY]
        across = 1.0 / bumps[k, RX]
        up, down = 1.0 / bumps[k, RY_UP], 1.0 / bumps[k, RY_DOWN]
        dx, dy = bumps[k, DX], bumps[k, DY]
        for row in range(boxes[k, 1], boxes[k, 3]):
            for column in range(boxes[k, 0], boxes[k, 2]):
                u = (inverse[0, 0] * column + inverse[0, 1] * row + inverse[0, 2] - cx) * across
                v = inverse[1, 0] * column + inverse[1, 1] * row + inverse[1, 2] - cy
                v *= up if v < 0.0 else down
                share = bump_weight(u, v)
                if share > 0.0:
                    shift[0, row, column] -= np.float32(share * dx)
                    shift[1, row, column] -= np.float32(share * dy)


@njit(cache=True, nogil=True, fastmath=True)
def _draw_luma(
    coefficients: NDArray[np.float32],
    shift: NDArray[np.float32],
    margin: float,
    light: NDArray[np.float64],
    noise: NDArray[np.float32],
    offsets: NDArray[np.int64],
    strength: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    height, width = shift.shape[1:]
    for row in range(height):
        offset, sigma = offsets[row], strength[row]
        gain = np.float32(light[row])
        # One half for rounding.
        lift = np.float32(_BLACK * (1.0 - light[row]) + 0.5)
        for column in range(width):
            x = column + margin + np.float64(shift[0, row, column])
            y = row + margin + np.float64(shift[1, row, column])
            value = gain * sample_cubic(coefficients, x, y) + lift + sigma * noise[offset + column]
            out[row, column] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@njit(cache=True, nogil=True, fastmath=True)
def _draw_chroma(
    coefficients: NDArray[np.float32], shift: NDArray[np.float32], margin: float, out: NDArray[np.uint8]
) -> None:
    height, width = shift.shape[1:]
    for row in range((height + 1) // 2):
        for column in range((width + 1) // 2):
            # A chroma sample stands in the middle of its four luma pixels; half a luma pixel of error in
            # where the shift is read does not show.
            x = column + 0.5 * (margin + np.float64(shift[0, 2 * row, 2 * column]))
            y = row + 0.5 * (margin + np.float64(shift[1, 2 * row, 2 * column]))
            value = sample_cubic(coefficients, x, y) + np.float32(0.5)
            out[row, column] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@njit(cache=True, nogil=True, fastmath=True)
def _draw_over(
    cover: NDArray[np.float32],
    luma: NDArray[np.float32],
    box: NDArray[np.float64],
    shift: NDArray[np.float32],
    margin: float,
    light: NDArray[np.float64],
    noise: NDArray[np.float32],
    offsets: NDArray[np.int64],
    strength: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Lay a lit layer over `out`; the noise of a pixel is that of the whole, whatever covers it."""
    height, width = shift.shape[1:]
    for row in range(height):
        offset, sigma = offsets[row], strength[row]
        gain, lift = np.float32(light[row]), np.float32(_BLACK * (1.0 - light[row]))
        for column in range(width):
            x = column + margin + np.float64(shift[0, row, column])
            y = row + margin + np.float64(shift[1, row, column])
            if not (box[0] < x < box[2] and box[1] < y < box[3]):
                continue
            share = min(max(sample_cubic(cover, x, y), np.float32(0.0)), np.float32(1.0))
            own = gain * sample_cubic(luma, x, y) + share * (lift + sigma * noise[offset + column])
            value = own + (np.float32(1.0) - share) * out[row, column] + np.float32(0.5)
            out[row, column] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@njit(cache=True, nogil=True, fastmath=True)
def _bleach_under(
    cover: NDArray[np.float32],
    box: NDArray[np.float64],
    shift: NDArray[np.float32],
    margin: float,
    out: NDArray[np.uint8],
) -> None:
    """Take the colour out of a chroma plane where a gray layer covers it."""
    height, width = shift.shape[1:]
    for row in range((height + 1) // 2):
        for column in range((width + 1) // 2):
            x = column + 0.5 * (margin + np.float64(shift[0, 2 * row, 2 * column]))
            y = row + 0.5 * (margin + np.float64(shift[1, 2 * row, 2 * column]))
            if not (box[0] < x < box[2] and box[1] < y < box[3]):
                continue
            share = min(max(sample_cubic(cover, x, y), np.float32(0.0)), np.float32(1.0))
            gray = np.float32(128.0)
            out[row, column] = np.uint8(gray + (np.float32(1.0) - share) * (out[row, column] - gray) + 0.5)
