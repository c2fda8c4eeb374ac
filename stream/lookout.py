"""Looks for faces beside the frames' own way: a detection takes as long as several frames."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .frame import Frame

if TYPE_CHECKING:
    from magnifyme.models.face_detector import Detection, FaceDetector

# Smaller pictures hold no face, and detectors do not take them.
_LEAST_SIDE_PX = 20


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The faces that were seen in a frame, the largest first."""

    frame: Frame
    faces: list[Detection]


class Lookout:
    """Ask a detector about one frame at a time: `ask`, and take the `answer` when it is there.

    In the `background` the detector has a thread of its own, and the answer comes with a later frame: a live
    stream is never held up. Otherwise `ask` waits, and the answer is there at once: a file gives the same
    result in every run. What goes wrong in the detector is raised by `answer`.
    """

    def __init__(self, detector: FaceDetector, *, background: bool) -> None:
        self._detector = detector
        self._thread = ThreadPoolExecutor(1, "magnifyme_detect") if background else None
        self._asked: tuple[Frame, Future[list[Detection]]] | None = None

    def ask(self, frame: Frame) -> bool:
        """Let the detector look at a frame; False while it is still looking at an earlier one."""
        if self._asked is not None:
            return False
        if self._thread is not None:
            self._asked = frame, self._thread.submit(self._detect, frame)
            return True
        done: Future[list[Detection]] = Future()
        done.set_result(self._detect(frame))
        self._asked = frame, done
        return True

    def answer(self) -> Sighting | None:
        """Give what was seen, once, with the frame it was seen in; None while there is nothing new."""
        if self._asked is None or not self._asked[1].done():
            return None
        (frame, done), self._asked = self._asked, None
        return Sighting(frame, done.result())

    def forget(self) -> None:
        """Want no answer to what was asked."""
        self._asked = None

    def close(self) -> None:
        """Wait for the detector and end its thread."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _detect(self, frame: Frame) -> list[Detection]:
        return self._detector.detect(frame.bgr()) if min(frame.size) >= _LEAST_SIDE_PX else []
