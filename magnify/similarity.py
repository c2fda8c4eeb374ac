"""Similarity transforms of the plane as matrices [2, 3]: rotation, scale and translation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def fit_similarity(points: NDArray[np.float64], *, to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the similarity [2, 3] that takes `points` [N, 2] nearest to `to` [N, 2] by least squares.

    The closed form of Umeyama (1991) in two dimensions, without reflection. Points that all coincide give
    a matrix that is not finite.
    """
    from_mean, to_mean = points.mean(axis=0), to.mean(axis=0)
    p, q = points - from_mean, to - to_mean
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.divide((p * q).sum(), (p * p).sum())
        sine = np.divide((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum(), (p * p).sum())
        linear = np.array([[cosine, -sine], [sine, cosine]])
        return np.concatenate([linear, (to_mean - linear @ from_mean)[:, None]], axis=1)


def compose(outer: NDArray[np.float64], *, inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the map [2, 3] that applies `inner` first, then `outer`."""
    product = outer[:, :2] @ inner
    product[:, 2] += outer[:, 2]
    return product


def apply(matrix: NDArray[np.float64], *, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points [N, 2]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def scale_of(matrix: NDArray[np.float64]) -> float:
    """Give by how much the map enlarges lengths."""
    return math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))


def rotation_of(matrix: NDArray[np.float64]) -> float:
    """Give the angle by which the map turns, in radians, from x towards y."""
    return math.atan2(float(matrix[1, 0]), float(matrix[0, 0]))
