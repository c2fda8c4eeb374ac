"""Several faces in one picture, and a detector that takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from face_stage import Matrix, TruthDetector, gray_of, made_face
from magnifyme.magnify.similarity import apply
from magnifyme.models.face_detector import Detection
from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE, FaceCrop
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import Frame, frame_from_array

SIZE = (320, 240)


class Crowd:
    """Heads of made people on one wide picture, each of them where a test puts it; the later are in front."""

    def __init__(self, *identities: int, width: int = 760) -> None:
        self._faces = [made_face(SIZE, identity=identity) for identity in identities]
        self._pictures = [gray_of(face.draw()) for face in self._faces]
        rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
        self._masks = []
        for face in self._faces:
            away = np.hypot(columns - face.centre[0], 0.75 * (rows - face.centre[1])) / face.unit_px
            self._masks.append(np.clip(8.0 * (1.5 - away), 0.0, 1.0))
        self._wall = np.random.default_rng(3).normal(120.0, 4.0, (SIZE[1], width))
        self.detector = CrowdDetector()

    def show(self, *shifts: int | None, time: float) -> Frame:
        """Put each head `shifts` px to the right, None for who is not there, and tell the detector."""
        luma = self._wall.copy()
        seen: list[Matrix] = []
        for face, picture, mask, shift in zip(self._faces, self._pictures, self._masks, shifts, strict=True):
            if shift is None:
                continue
            part = luma[:, shift : shift + SIZE[0]]
            part += mask[:, : part.shape[1]] * (picture[:, : part.shape[1]] - part)
            there = face.landmarks + np.array([float(shift), 0.0])
            seen = [each for each in seen if np.hypot(*(each[2] - there[2])) > 0.8 * face.unit_px]
            seen.append(there)
        self.detector.seen = seen
        return frame_from_array(np.rint(luma).astype(np.uint8), time=time)

    def whose(self, crop: FaceCrop, *shifts: int | None) -> int | None:
        """Tell whose face a crop shows, by its place among the identities; None if it shows no face."""
        off = {}
        for place, (face, shift) in enumerate(zip(self._faces, shifts, strict=True)):
            if shift is not None:
                there = apply(crop.matrix, points=face.landmarks + np.array([float(shift), 0.0]))
                off[place] = float(np.abs(there - CANONICAL_LANDMARKS * CROP_SIZE).mean())
        nearest = min(off, key=off.__getitem__)
        return nearest if off[nearest] < 0.06 * CROP_SIZE else None


class CrowdDetector:
    """Sees the landmarks that it is told, in the order given; a `gate` holds it up until it is let in."""

    name = "crowd"

    def __init__(self) -> None:
        self.seen: list[Matrix] = []
        self.calls = 0
        self.gate: threading.Semaphore | None = None
        self.threads: set[str] = set()

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        seen = list(self.seen)
        if self.gate is not None:
            assert self.gate.acquire(timeout=10)
        eyes = [float(np.hypot(*(each[1] - each[0]))) for each in seen]
        return [
            Detection((each[0, 0] - eye, each[0, 1] - eye, 3 * eye, 3 * eye), each, 0.9)
            for each, eye in zip(seen, eyes, strict=True)
        ]


def test_each_face_has_a_track_and_no_more_than_wanted(rng: np.random.Generator) -> None:
    """Two people before the camera: each has events of their own, and `--faces 1` stays with the first."""
    crowd = Crowd(0, 2)
    for most, expected in ((1, [1]), (2, [1, 2]), (5, [1, 2])):
        tracker = FaceTracker(crowd.detector, faces=most)
        for number in range(5):
            crops = tracker.update(crowd.show(0, 400, time=number / 30.0))
            assert [crop.track_id for crop in crops] == expected
            assert [crowd.whose(crop, 0, 400) for crop in crops] == [0, 1][:most]
    with pytest.raises(ValueError, match="faces is 0"):
        FaceTracker(crowd.detector, faces=0)


def test_who_comes_later_is_followed_too() -> None:
    """The second person sits down half a minute later."""
    crowd = Crowd(0, 2)
    tracker = FaceTracker(crowd.detector, faces=2)
    for number in range(40):
        shifts = (0, 400 if number > 3 else None)
        crops = tracker.update(crowd.show(*shifts, time=number / 30.0))
    assert [crowd.whose(crop, 0, 400) for crop in crops] == [0, 1]


def test_names_survive_crossing_paths() -> None:
    """Missed otherwise: after two people have passed each other, one's events are told of the other."""
    crowd = Crowd(0, 5)
    tracker = FaceTracker(crowd.detector, faces=2)
    whose: dict[int, set[int | None]] = {}
    for number in range(100):
        way = min(4 * max(number - 5, 0), 320)
        crops = tracker.update(crowd.show(20 + way, 340 - way, time=number / 30.0))
        if abs(20 + way - (340 - way)) < 20:
            continue  # the two heads are one
        for crop in crops:
            whose.setdefault(crop.track_id, set()).add(crowd.whose(crop, 20 + way, 340 - way))
    assert whose == {1: {0}, 2: {1}}
    assert len(crops) == 2, "both are there again"


def test_a_name_survives_a_second_behind_somebody() -> None:
    """Who was hidden for a second is the same person, at another place too; but a new clip begins."""
    crowd = Crowd(0, 5)
    tracker = FaceTracker(crowd.detector, faces=2)
    told = []
    for number in range(60):
        shifts = (None if 10 <= number < 40 else 20 if number < 10 else 60, 400)
        crops = tracker.update(crowd.show(*shifts, time=number / 30.0))
        told.append([(crop.track_id, crop.restarted) for crop in crops])
        assert all(crowd.whose(crop, *shifts) == crop.track_id - 1 for crop in crops)
    assert told[9] == [(1, False), (2, False)]
    assert told[11:39] == [[(2, False)]] * 28
    back = [each for each in told[40:45] if (1, True) in each]
    assert len(back) == 1, "found again within the tenth of a second that a search takes"
    assert told[-1] == [(1, False), (2, False)]


def slowly(update: Callable[[Frame], object]) -> Callable[[Frame], None]:
    """Give a moment to the threads after each call."""

    def paused(frame: Frame) -> None:
        update(frame)
        time.sleep(0.01)

    return paused


@pytest.fixture
def late() -> Iterator[tuple[Crowd, FaceTracker]]:
    """Give a tracker whose detector answers only when it is let through."""
    crowd = Crowd(0)
    crowd.detector.gate = threading.Semaphore(0)
    tracker = FaceTracker(crowd.detector, background=True)
    yield crowd, tracker
    crowd.detector.gate.release(1000)
    tracker.close()


def answered(crowd: Crowd, tracker: FaceTracker) -> None:
    """Let the detector answer, and wait until it has."""
    asked = tracker._lookout._asked
    assert asked is not None
    assert crowd.detector.gate is not None
    crowd.detector.gate.release()
    asked[1].result(timeout=10)


def test_no_frame_waits_for_the_detector(late: tuple[Crowd, FaceTracker]) -> None:
    """Missed otherwise: a hitch of a frame or two, every second, in a live picture.

    The answer about an old frame is brought to the new one: the face has moved on meanwhile.
    """
    crowd, tracker = late
    for number in range(4):
        assert tracker.update(crowd.show(2 * number, time=number / 30.0)) == ()
    answered(crowd, tracker)
    for number in range(4, 50):
        shift = 2 * number
        (crop,) = tracker.update(crowd.show(shift, time=number / 30.0))
        assert crowd.whose(crop, shift) == 0
        assert crop.restarted == (number == 4)
    assert crowd.detector.calls == 2, "the confirmation that is under way is no reason to ask again"
    assert threading.current_thread().name not in crowd.detector.threads


def test_a_late_confirmation_is_held_against_the_frame_it_is_about(late: tuple[Crowd, FaceTracker]) -> None:
    """Missed otherwise: a walking person loses the track to a detection of where they were."""
    crowd, tracker = late
    tracker.update(crowd.show(0, time=0.0))
    answered(crowd, tracker)
    shift = 0
    for number in range(1, 200):
        shift = min(2 * number, 400)
        (crop,) = tracker.update(crowd.show(shift, time=number / 30.0))
        if tracker._lookout._asked is not None and number % 20 == 0:
            answered(crowd, tracker)
    assert (crop.track_id, crowd.whose(crop, shift)) == (1, 0)


def test_an_answer_from_before_a_break_is_not_believed(late: tuple[Crowd, FaceTracker]) -> None:
    """Missed otherwise: a face of the last camera, cut out of the next one's picture."""
    crowd, tracker = late
    before = crowd.show(0, time=0.0)
    assert tracker.update(before) == ()
    answered(crowd, tracker)
    wall = np.full(before.luma.shape, 90, np.uint8)
    crowd.detector.seen = []
    assert tracker.update(frame_from_array(wall, time=0.0, epoch=1)) == ()
    answered(crowd, tracker)
    assert tracker.update(frame_from_array(wall, time=0.03, epoch=1)) == ()


def test_what_goes_wrong_in_the_detector_is_raised(rng: np.random.Generator) -> None:
    """Missed otherwise: a detector that fails is a camera without faces."""

    class Broken(TruthDetector):
        def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
            raise RuntimeError("out of memory")

    for background in (False, True):
        tracker = FaceTracker(Broken(rng), background=background)
        frames = (frame_from_array(np.zeros((240, 320), np.uint8), time=at / 30.0) for at in range(1000))
        with pytest.raises(RuntimeError, match="out of memory"):
            list(map(slowly(tracker.update), frames))
        tracker.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("magnifyme_detect")]
