"""A whole file watched: every movement of the face in it, and how its parts moved all the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifyme.models.classifier import Classifier, Prediction
from magnifyme.models.face_detector import FaceDetector

from .errors import NotAVideo
from .face_watch import Marked
from .image_folder import ImageFolder
from .magnification import Magnification
from .motion import REGIONS
from .pipeline import FacePipeline
from .quality import ADVICE
from .source import Source
from .spotter import Interval

# Until a file without a nominal rate has shown its own.
_ASSUMED_FPS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An interval, the face's number, the frames nearest to onset, apex and offset, and its name, if any.

    Frames are counted from 0; in a folder of pictures they have the numbers in the pictures' names, as
    annotations do.
    """

    interval: Interval
    track: int
    frames: tuple[int, int, int]
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Spotted:
    """What was found in the source `name`, and what it was found from.

    `times` float64 [T] are those of all frames in seconds; `displacement` float32 [T, len(REGIONS), 2] is how
    far each region was from rest, in pixels of the crop, NaN where no face was followed or its rest was not
    known yet. `with_face` counts the frames with a face. `model_id` names the classifier, None if there was
    none; `made_faces` says that it was trained on made faces.
    """

    name: str
    found: tuple[Found, ...]
    times: NDArray[np.float64]
    displacement: NDArray[np.float32]
    with_face: int
    model_id: str | None = None
    made_faces: bool = False

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        frames = len(self.times)
        return float(self.times[-1] - self.times[0]) * frames / (frames - 1) if frames > 1 else 0.0


def spot_source(
    source: Source,
    *,
    detector: FaceDetector,
    classifier: Classifier | None = None,
    progress: Callable[[int], None] = lambda frames: None,
    notice: Callable[[str], None] = lambda line: None,
) -> Spotted:
    """Watch a file or a folder of pictures to its end, as a live stream is watched.

    `classifier` names the expressions; without it nothing is named. `progress` is told the frames done,
    `notice` what people should know. Raises SourceError, and MagnifyError where the camera is too slow.
    """
    fps = source.fps or _ASSUMED_FPS
    magnification = Magnification(method="linear")  # nobody sees it, if nothing is to be named
    if classifier is not None:
        magnification = Magnification.learned(classifier.recipe)
    pipeline = FacePipeline(detector, fps=fps, shown=magnification)
    marked: list[Marked] = []
    predictions: list[Prediction | None] = []
    sequences: list[int] = []
    times: list[float] = []
    displacement: list[NDArray[np.float32]] = []
    nothing = np.full((len(REGIONS), 2), np.nan, np.float32)
    with_face = 0
    flaws: Counter[str | None] = Counter()

    def take(ended: tuple[Marked, ...]) -> None:
        # At once: the pictures that a classifier reads are not kept.
        marked.extend(ended)
        predictions.extend(_name(one, classifier) for one in ended)

    for frame in source:
        step = pipeline.step(frame)
        take(step.marked)
        with_face += bool(step.faces)
        times.append(frame.time)
        sequences.append(frame.sequence)
        displacement.append(step.faces[0].displacement if step.faces else nothing)
        flaws.update(watched.face.quality.flaw for watched in step.faces)
        progress(len(times))
    take(pipeline.finish())
    if not times:
        raise NotAVideo(f"{source.name} has no frames")
    for line in source.warnings:
        notice(line)
    for flaw, frames in flaws.items():
        if flaw is not None:
            notice(f"{flaw} in {frames} of {len(times)} frames: {ADVICE[flaw]}; nothing was spotted in them")
    numbers = np.array(source.numbers)[sequences] if isinstance(source, ImageFolder) else np.array(sequences)
    clock = np.array(times)
    found = [
        Found(one.interval, one.track, _nearest(one.interval, times=clock, numbers=numbers), prediction)
        for one, prediction in zip(marked, predictions, strict=True)
    ]
    return Spotted(
        name=source.name,
        # A blink is known sooner than the expression that it came with.
        found=tuple(sorted(found, key=lambda one: (one.interval.onset, one.interval.offset))),
        times=clock,
        displacement=np.stack(displacement),
        with_face=with_face,
        model_id=classifier.model_id if classifier else None,
        made_faces=classifier is not None and classifier.recipe.made_faces,
    )


def _name(marked: Marked, classifier: Classifier | None) -> Prediction | None:
    if classifier is None or marked.interval.kind == "blink" or marked.onset is None or marked.apex is None:
        return None
    return classifier.classify(marked.onset, apex=marked.apex)


def _nearest(
    interval: Interval, *, times: NDArray[np.float64], numbers: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Give the numbers of the frames nearest to onset, apex and offset."""
    onset, apex, offset = (
        int(numbers[int(np.abs(times - moment).argmin())])
        for moment in (interval.onset, interval.apex, interval.offset)
    )
    return onset, apex, offset
