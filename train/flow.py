"""Where the skin in a pixel comes from: the one formula that frames are drawn by and their truth is told by.

A pixel asks backwards: the head's pose is undone, fading into the still background, then the displacement of
turning and muscles. The way from one frame to another goes back to rest and forth again.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .expressions import CX, CY, DX, DY, RX, RY_DOWN, RY_UP

# Outside the head's ellipse the head's motion fades away; it is gone at this many times its half axes.
_FADE = 1.8
_OUTER = _FADE * _FADE
# Newton's method from a pixel's own place: steps, halvings of a step, where it has arrived, and the step of
# its slopes, in pixels.
_STEPS, _HALVINGS, _NEAR_PX, _SLOPE_PX = 60, 12, 1e-7, 1e-4


def moved_points(points: NDArray[np.float64], *, bumps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find where the skin at `points` [N, 2] has gone, as `expressions.move_points` does, but at once."""
    there = np.ascontiguousarray(points[None], np.float64).copy()
    still = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    place_rows(np.ascontiguousarray(points[None]), still, np.ones(4), bumps, there)
    moved: NDArray[np.float64] = there[0]
    return moved


@njit(cache=True, nogil=True, fastmath=True)
def head_weight(u: float, v: float) -> float:
    """Tell how much of the head's motion a place takes part in; (u, v) from its middle, in half axes."""
    far = min(max((_OUTER - u * u - v * v) / (_OUTER - 1.0), 0.0), 1.0)
    return far * far * (3.0 - 2.0 * far)


@njit(cache=True, nogil=True, fastmath=True)
def bump_weight(u: float, v: float) -> float:
    """Tell how much of a bump's displacement a place takes part in; (u, v) from its centre, in radii."""
    inside = max(1.0 - u * u - v * v, 0.0)
    return inside * (inside * inside)


@njit(cache=True, nogil=True)
def source_of(
    x: float,
    y: float,
    inverse: NDArray[np.float64],
    head: NDArray[np.float64],
    bumps: NDArray[np.float64],
) -> tuple[float, float]:
    """Tell where the skin rests that is drawn at (x, y).

    `inverse` [2, 3] undoes the pose, `head` is its middle and half axes, `bumps` [N, 7] the displacement.
    """
    back_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
    back_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]
    weight = head_weight((back_x - head[0]) / head[2], (back_y - head[1]) / head[3])
    source_x, source_y = x + weight * (back_x - x), y + weight * (back_y - y)
    for k in range(bumps.shape[0]):
        u = (back_x - bumps[k, CX]) / bumps[k, RX]
        v = back_y - bumps[k, CY]
        v /= bumps[k, RY_UP] if v < 0.0 else bumps[k, RY_DOWN]
        share = bump_weight(u, v)
        source_x -= share * bumps[k, DX]
        source_y -= share * bumps[k, DY]
    return source_x, source_y


@njit(cache=True, nogil=True)
def rest_rows(
    inverse: NDArray[np.float64],
    head: NDArray[np.float64],
    bumps: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write where the skin of each pixel rests into `out` [H, W, 2]: `source_of`."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = source_of(float(column), float(row), inverse, head, bumps)
            out[row, column, 0], out[row, column, 1] = x, y


@njit(cache=True, nogil=True)
def place_rows(
    rest: NDArray[np.float64],
    inverse: NDArray[np.float64],
    head: NDArray[np.float64],
    bumps: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Find where the skin that rests at `rest` [H, W, 2] is drawn: `source_of` undone, into `out` [H, W, 2].

    `out` holds first guesses. What a step cannot bring nearer stays where it is.
    """
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = out[row, column, 0], out[row, column, 1]
            goal_x, goal_y = rest[row, column, 0], rest[row, column, 1]
            at_x, at_y = source_of(x, y, inverse, head, bumps)
            error = np.hypot(at_x - goal_x, at_y - goal_y)
            for _ in range(_STEPS):
                if error < _NEAR_PX:
                    break
                right = source_of(x + _SLOPE_PX, y, inverse, head, bumps)
                below = source_of(x, y + _SLOPE_PX, inverse, head, bumps)
                a, c = (right[0] - at_x) / _SLOPE_PX, (right[1] - at_y) / _SLOPE_PX
                b, d = (below[0] - at_x) / _SLOPE_PX, (below[1] - at_y) / _SLOPE_PX
                determinant = a * d - b * c
                if determinant == 0.0:
                    break
                off_x, off_y = at_x - goal_x, at_y - goal_y
                step_x = (d * off_x - b * off_y) / determinant
                step_y = (a * off_y - c * off_x) / determinant
                before = error
                for _ in range(_HALVINGS):
                    at_x, at_y = source_of(x - step_x, y - step_y, inverse, head, bumps)
                    error = np.hypot(at_x - goal_x, at_y - goal_y)
                    if error < before:
                        break
                    step_x *= 0.5
                    step_y *= 0.5
                x -= step_x
                y -= step_y
                if error >= before:
                    break
            out[row, column, 0], out[row, column, 1] = x, y
