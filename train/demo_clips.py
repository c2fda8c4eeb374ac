"""Clips of made expressions for the demo model, cut from made streams that went the way of live frames."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numba
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.warp import spline_coefficients, warp_affine
from magnifyme.models.clip import represent
from magnifyme.models.face_detector import Detection, HaarCascade
from magnifyme.models.recipe import Recipe
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.pipeline import FacePipeline

from .synthetic import SyntheticSource, TrueEvent

VARIANTS = 8
"""Clips of each expression to learn from."""

_FPS = 30.0
_SIZE = (640, 480)
# The stream is drawn only around each expression: so long before the onset that the magnifier's filters
# have settled, and so long after the apex that a late apex can be taken.
_LEAD_S = 0.5
_LATE_FRAMES = 2
# A spotter marks onset and apex about this far from the truth, in frames, but never more than this share
# of the rise.
_JITTER_FRAMES, _JITTER_SHARE = 2, 0.4
# How far the crop's geometry strays when detectors place it: on made faces, against landmarks set by hand,
# YuNet and the cascades had up to 15 % of size, 8 degrees and 12 px. Standard deviations of log size, of
# degrees, and of pixels.
_SIZE_SPREAD, _TURN_SPREAD, _SHIFT_SPREAD = 0.08, 4.5, 6.0
# The lamp between onset and apex: gain (standard deviation of its logarithm) and offset in gray levels.
_GAIN_SPREAD, _OFFSET_SPREAD = 0.02, 2.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A made stream to cut clips from.

    `seed` and `identity` are `SyntheticSource`'s. `amplitude_px` is the range of the largest displacement,
    in pixels of a 640×480 frame. `noise` and `sway` are `SyntheticSource`'s too.
    """

    seed: int
    identity: int
    seconds: float
    amplitude_px: tuple[float, float]
    noise: float
    sway: float

    def open(self) -> SyntheticSource:
        """Open the stream, as fast as it can be drawn."""
        return SyntheticSource(
            seconds=self.seconds,
            fps=_FPS,
            size=_SIZE,
            seed=self.seed,
            identity=self.identity,
            paced=False,
            noise=self.noise,
            sway=self.sway,
            amplitude_px=self.amplitude_px,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Inputs of the network, float16 [N, 3, size, size], and of each the index of its label in the recipe
    and its identity, [N]. `missed` counts the expressions that gave none: the face was not followed, or
    nothing was spotted."""

    inputs: NDArray[np.float16]
    labels: NDArray[np.int64]
    identities: NDArray[np.int64]
    missed: int


def make_clips(
    cut: Callable[[Stream, Recipe], Clips],
    *,
    streams: Sequence[Stream],
    recipe: Recipe,
    processes: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Clips:
    """Cut the clips of all streams, in their order; `progress` is told the streams done and their number.

    `cut` is `cut_stream` or `watch_stream`. The outcome does not depend on `processes`.
    """
    parts: list[Clips] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for part in pool.map(cut, streams, [recipe] * len(streams)):
            parts.append(part)
            progress(len(parts), len(streams))
    return Clips(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.identities for part in parts]),
        sum(part.missed for part in parts),
    )


def cut_stream(stream: Stream, recipe: Recipe) -> Clips:
    """Cut clips to learn from: `VARIANTS` of each expression, its place and times known and then varied."""
    # The streams run in parallel already.
    numba.set_num_threads(1)
    rng = np.random.default_rng([stream.seed, 5])
    source = stream.open()
    way = _KnownWay(source, recipe=recipe)
    inputs, labels, missed = [], [], 0
    for event in _expressions(source):
        crops = way.watch(event)
        if crops is None:
            missed += 1
            continue
        for _ in range(VARIANTS):
            onset, apex = _vary(*_pick(crops, event=event, rng=rng), rng=rng)
            inputs.append(represent(onset, apex=apex, recipe=recipe))
            labels.append(recipe.labels.index(event.label))
    return _clips(inputs, labels=labels, missed=missed, stream=stream, recipe=recipe)


def watch_stream(stream: Stream, recipe: Recipe) -> Clips:
    """Cut clips to report on, exactly as a live stream gives them: one of each expression that is spotted.

    The face is found by the Haar cascade, onset and apex are the spotter's.
    """
    numba.set_num_threads(1)
    source = stream.open()
    pipeline = FacePipeline(
        HaarCascade(),
        fps=_FPS,
        shown=Magnification.learned(recipe),
    )
    coming = _expressions(source)
    missed = len(coming)
    inputs, labels = [], []
    for marked in chain.from_iterable(pipeline.step(frame).marked for frame in source):
        interval, onset, apex = marked.interval, marked.onset, marked.apex
        if interval.kind == "blink" or onset is None or apex is None:
            continue
        seen = next((e for e in coming if e.onset < interval.offset and interval.onset < e.offset), None)
        if seen is None:
            continue
        coming.remove(seen)
        missed -= 1
        inputs.append(represent(onset, apex=apex, recipe=recipe))
        labels.append(recipe.labels.index(seen.label))
    return _clips(inputs, labels=labels, missed=missed, stream=stream, recipe=recipe)


def _expressions(source: SyntheticSource) -> list[TrueEvent]:
    return [event for event in source.truth if event.kind == "micro"]


def _clips(
    inputs: list[NDArray[np.float32]], *, labels: list[int], missed: int, stream: Stream, recipe: Recipe
) -> Clips:
    size = recipe.input_size
    return Clips(
        np.array(inputs, np.float16).reshape(-1, 3, size, size),
        np.array(labels, np.int64),
        np.full(len(labels), stream.identity, np.int64),
        missed,
    )


class _KnownPlace:
    """A detector that knows where the made face is: training needs no model from the network."""

    name = "truth"

    def __init__(self, source: SyntheticSource) -> None:
        self.at = 0.0
        self._source = source

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        landmarks = self._source.locate(self._source.face.landmarks, at=self.at, expression=False)
        (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
        return [Detection((left, top, right - left, bottom - top), landmarks, 1.0)]


class _KnownWay:
    """Track and magnify as a live stream does, but draw only the frames around each expression."""

    def __init__(self, source: SyntheticSource, *, recipe: Recipe) -> None:
        self._source = source
        self._detector = _KnownPlace(source)
        self._tracker = FaceTracker(self._detector)
        self._magnifier = Magnification.learned(recipe).magnifier(_FPS)

    def watch(self, event: TrueEvent) -> dict[int, NDArray[np.uint8]] | None:
        """Give the magnified crops around an expression, by frame number; None if the face was lost."""
        first = max(0, math.floor((event.onset - _LEAD_S) * _FPS))
        last = math.ceil(event.apex * _FPS) + _LATE_FRAMES
        keep_from = max(first, math.floor(event.onset * _FPS) - _JITTER_FRAMES)
        self._magnifier.reset()
        crops: dict[int, NDArray[np.uint8]] = {}
        for number in range(first, last + 1):
            frame = self._source.frame(number)
            self._detector.at = frame.time
            faces = self._tracker.update(frame)
            if not faces or (faces[0].restarted and number > first):
                return None
            (face,) = faces
            magnified = self._magnifier(face.luma, time=frame.time)
            if number >= keep_from:
                crops[number] = magnified
        return crops


def _pick(
    crops: dict[int, NDArray[np.uint8]], *, event: TrueEvent, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Take the onset and the apex about as well as a spotter does."""
    rise = (event.apex - event.onset) * _FPS
    spread = min(float(_JITTER_FRAMES), _JITTER_SHARE * rise)
    onset, apex = (round(at * _FPS + rng.uniform(-spread, spread)) for at in (event.onset, event.apex))
    onset = min(max(onset, min(crops)), max(crops) - 1)
    return crops[onset], crops[min(max(apex, onset + 1), max(crops))]


def _vary(
    onset: NDArray[np.uint8], apex: NDArray[np.uint8], *, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Move, turn and scale both crops alike, and change the light between them."""
    side = onset.shape[0]
    scale = math.exp(rng.normal(0.0, _SIZE_SPREAD))
    turn = math.radians(rng.normal(0.0, _TURN_SPREAD))
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    centre = np.full(2, (side - 1) / 2.0)
    offset = centre - linear @ (centre + rng.normal(0.0, _SHIFT_SPREAD, 2))
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    gain, lift = math.exp(rng.normal(0.0, _GAIN_SPREAD)), rng.normal(0.0, _OFFSET_SPREAD)
    lit = np.clip(gain * apex.astype(np.float32) + lift, 0, 255).astype(np.uint8)
    first, second = (
        warp_affine(spline_coefficients(crop), matrix=matrix, out=np.empty_like(crop))
        for crop in (onset, lit)
    )
    return first, second
