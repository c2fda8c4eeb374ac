"""Find faces and hold them still: detection finds, registration holds.

A detector's box jumps by pixels while the face moves by less than one, and whatever the crop jitters is
magnified afterwards. So the detector only starts a track and confirms it now and then; the crop's position
comes from the registration of each frame to a reference picture of the same face, never from frame to
frame, so that nothing drifts. A face that was hidden is known again by its look, and keeps its number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .face import CROP_SIZE, FaceCrop
from .face_track import Track
from .frame import Frame
from .lookout import Lookout, Sighting
from .scene import Box, Change, Scene

if TYPE_CHECKING:
    from magnifyme.models.face_detector import Detection, FaceDetector

# How often a lost face is looked for: just under 0.1 s, or three frames at 30 fps would become four.
_SEARCH_S = 0.095
# For so many intervals of confirmation a face must go unseen: a detector overlooks a turned one twice.
_UNSEEN = 2.5
_NEAR = 0.5  # A detection this near, in eye distances, is the same face; two tracks this near hold the same.
_OVERLAP = 1.6  # Heads are wider than this: of two so near, in eye distances, one covers the other.
# How far a face can have gone, in eye distances: within a frame, and for each second that it was not seen.
_JERK, _STRIDE = 1.0, 4.0
_REMEMBERED_S = 2.0  # A missing face is known again for so long: longer than a hand passes before it.
# Where a missing face is expected, another is not believed at once: it may be the same, half hidden.
_DOUBT_S = 0.3


class FaceTracker:
    """Follows the largest faces of a stream, at most `faces` of them.

    `detector` finds faces in BGR pictures. It is asked at the start, when a face is lost, and every
    `redetect_ms` of stream time to confirm the tracks and to find other faces. In the `background` it has a
    thread of its own, so that no frame waits for it, and `close` ends that thread; otherwise the same frames
    give the same crops in every run. `crop_size` is the side of the crops in pixels. `change` tells what
    happened to the whole picture with the last frame.
    """

    def __init__(
        self,
        detector: FaceDetector,
        *,
        faces: int = 1,
        background: bool = False,
        redetect_ms: float = 1000.0,
        crop_size: int = CROP_SIZE,
    ) -> None:
        if faces < 1:
            raise ValueError(f"faces is {faces}; it must be at least 1: give how many are to be followed")
        if not redetect_ms > 0.0:
            raise ValueError(
                f"redetect_ms is {redetect_ms}; it must be above 0: give milliseconds, such as 1000"
            )
        if crop_size < 32:
            raise ValueError(
                f"crop_size is {crop_size}; it must be at least 32: give {CROP_SIZE}, for example"
            )
        self._lookout = Lookout(detector, background=background)
        self._most = faces
        self._redetect_s = redetect_ms / 1000.0
        self._crop_size = crop_size
        self._tracks: list[Track] = []
        self._scene = Scene()
        self.change: Change = "none"
        self._boxes: list[Box] = []
        self._count = 0
        self._asked_time = -math.inf
        self._stream: tuple[int, tuple[int, int]] | None = None

    def reset(self) -> None:
        """Forget the faces and look for them in the next frame."""
        self._tracks.clear()
        self._scene.reset()
        self._lookout.forget()
        self._asked_time = -math.inf

    def close(self) -> None:
        """End the detector's thread."""
        self._lookout.close()

    def update(self, frame: Frame) -> tuple[FaceCrop, ...]:
        """Give the faces in `frame` held still, in the order in which they were found."""
        stream = (frame.epoch, frame.size)
        if stream != self._stream:
            self.reset()
            self._stream = stream
        change = self.change = self._scene.see(frame.luma, faces=self._boxes)
        lost = change == "cut"
        for track in self._tracks:
            if change != "none":
                track.restart()
            if change == "cut":
                track.lose(time=frame.time)
                # Another scene has other people: who is there is believed at once.
                track.doubted_since = -math.inf
            else:
                was_there = track.missing_since is None
                lost |= not track.follow(frame) and was_there
        self._part_rivals(frame.time)
        self._ask(frame, at_once=lost)
        sighting = self._lookout.answer()
        if sighting is not None:
            self._use(sighting, frame)
        self._tracks = [track for track in self._tracks if not self._forgotten(track, frame.time)]
        crops = [crop for track in self._followed() if (crop := track.crop(frame)) is not None]
        self._boxes = [crop.box for crop in crops]
        return tuple(crops)

    def _followed(self) -> list[Track]:
        return [track for track in self._tracks if track.missing_since is None]

    def _missing(self) -> list[Track]:
        return [track for track in self._tracks if track.missing_since is not None]

    def _forgotten(self, track: Track, time: float) -> bool:
        missing_since = track.missing_since
        return missing_since is not None and not 0.0 <= time - missing_since <= _REMEMBERED_S

    def _part_rivals(self, time: float) -> None:
        """Where two tracks hold the same face, leave it to the one whose look fits it better."""
        by_fit = sorted(self._followed(), key=lambda track: track.agreement, reverse=True)
        for place, track in enumerate(by_fit):
            for better in by_fit[:place]:
                if track.distance(better.landmarks(), matrix=track.matrix) < _NEAR:
                    track.lose(time=time)

    def _ask(self, frame: Frame, *, at_once: bool) -> None:
        searching = not self._followed() or self._missing()
        interval = _SEARCH_S if searching else self._redetect_s
        due = at_once or abs(frame.time - self._asked_time) >= interval
        if due and self._lookout.ask(frame):
            self._asked_time = frame.time
            for track in self._tracks:
                track.asked_matrix = track.matrix

    def _use(self, sighting: Sighting, frame: Frame) -> None:
        """Confirm the faces that are followed, find missing ones again, and begin with new ones."""
        rest = self._confirm(sighting)
        for track in self._missing():
            rest = self._find(track, rest, frame)
        doubtful = self._doubtful(rest, frame.time)
        for face in rest:
            if len(self._followed()) >= self._most:
                return
            covered = any(
                track.distance(face.landmarks, matrix=track.matrix) < _OVERLAP for track in self._followed()
            )
            if not covered and all(face is not other for other in doubtful):
                self._start(face, sighting, frame)

    def _confirm(self, sighting: Sighting) -> list[Detection]:
        """End tracks that have not been seen for too long; give the faces that belong to none."""
        rest, time = list(sighting.faces), sighting.frame.time
        for track in self._followed():
            off = [track.distance(face.landmarks, matrix=track.asked_matrix) for face in rest]
            nearest = min(range(len(rest)), key=off.__getitem__, default=None)
            if nearest is not None and off[nearest] <= _NEAR:
                track.confirm(rest.pop(nearest), time=time)
            elif abs(time - track.confirmed) > _UNSEEN * self._redetect_s:
                self._tracks.remove(track)
        return rest

    def _find(self, track: Track, faces: list[Detection], frame: Frame) -> list[Detection]:
        """Look for a missing face among those that were seen; give the others."""
        if len(self._followed()) >= self._most:
            return faces
        near = sorted(
            (face for face in faces if self._within_reach(track, face, frame.time)),
            key=lambda face: track.distance(face.landmarks, matrix=track.matrix),
        )
        for face in near:
            if track.find(frame, face):
                return [other for other in faces if other is not face]
        return faces

    def _within_reach(self, track: Track, face: Detection, time: float) -> bool:
        missing_since = time if track.missing_since is None else track.missing_since
        reach = _JERK + _STRIDE * (time - missing_since)
        return track.distance(face.landmarks, matrix=track.matrix) <= reach

    def _doubtful(self, faces: list[Detection], time: float) -> list[Detection]:
        """Give those of the faces that may still turn out to be a missing one."""
        doubtful = []
        for track in self._missing():
            near = [face for face in faces if self._within_reach(track, face, time)]
            if not near:
                track.doubted_since = None
            elif track.doubted_since is None:
                track.doubted_since = time
            if track.doubted_since is not None and time - track.doubted_since < _DOUBT_S:
                doubtful += near
        return doubtful

    def _start(self, face: Detection, sighting: Sighting, frame: Frame) -> None:
        """Begin a track where a face was seen, and bring it to this frame."""
        track = Track.start(sighting.frame, face, number=self._count + 1, crop_size=self._crop_size)
        if track is not None and (frame is sighting.frame or track.follow(frame)):
            self._count += 1
            self._tracks.append(track)
