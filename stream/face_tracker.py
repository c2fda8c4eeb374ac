"""Find a face and hold it still: detection finds, registration holds.

A detector's box jumps by pixels while the face moves by less than one, and whatever the crop jitters is
magnified afterwards. So the detector only starts a track and confirms it now and then; the crop's position
comes from the registration of each frame to a reference picture of the same face, never from frame to
frame, so that nothing drifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, fit_similarity, rotation_of, scale_of
from magnifyme.magnify.warp import invert_affine

from .face import CANONICAL_LANDMARKS, CROP_SIZE, FaceCrop
from .face_plane import cut_face, reduction_for
from .frame import Frame
from .registration import GRID, Reference

if TYPE_CHECKING:
    from magnifyme.models.face_detector import Detection, FaceDetector

# How often a lost face is looked for: just under 0.1 s, or three frames at 30 fps would become four.
_SEARCH_S = 0.095
_MISSES = 3  # So many confirmations in a row must fail: a detector overlooks a turned face once.
_NEAR = 0.5  # A detection this near, in eye distances, is the same face.
_JERK = 1.0  # No face moves further than this within a frame, in eye distances: it is a cut.
_LEAST_EYE_DISTANCE_PX = 10.0  # Smaller faces have too little detail to be held to a fraction of a pixel.
# How much of the picture the reference explains is compared with what it explained at best: noise sets that.
_LOST_SHARE = 0.5  # Another face or the background is explained less than half as well.
_STALE_DROP = 0.15  # So much less, and pose or light have changed.
_STALE_S = 0.3  # For so long: a passing hand or a blurred frame is no new look.
_STALE_SCALE = 1.2
_STALE_TURN = math.radians(12.0)
_ROOM = 0.12  # What is searched around the crop's last place, as a share of its size.
_LEAST_VISIBLE = 0.6  # Share of the rigid parts that must lie within the frame.


@dataclass(frozen=True, slots=True)
class _Look:
    """What a face looked like, at which matrix, in a frame thinned by `reduction`."""

    reference: Reference
    matrix: NDArray[np.float64]
    reduction: int


@dataclass(slots=True)
class _Track:
    """One face that is followed: where it is, and what it looked like."""

    number: int
    matrix: NDArray[np.float64]
    look: _Look
    crop_reduction: int
    box: NDArray[np.float64]  # The detector's box as corners [4, 2] in the crop.
    score: float
    confirmed: float
    restarted: bool = True
    misses: int = 0
    best_agreement: float = 0.0
    doubtful_since: float | None = None
    residual_px: float = 0.0


class FaceTracker:
    """Follows the largest face of a stream.

    `detector` finds faces in BGR pictures. It is asked at the start, when the face is lost, and every
    `redetect_ms` of stream time to confirm the track. `crop_size` is the side of the crops in pixels.
    `renewals` counts how often the reference picture was renewed.
    """

    def __init__(
        self, detector: FaceDetector, *, redetect_ms: float = 1000.0, crop_size: int = CROP_SIZE
    ) -> None:
        if not redetect_ms > 0.0:
            raise ValueError(
                f"redetect_ms is {redetect_ms}; it must be above 0: give milliseconds, such as 1000"
            )
        if crop_size < 32:
            raise ValueError(
                f"crop_size is {crop_size}; it must be at least 32: give {CROP_SIZE}, for example"
            )
        self.renewals = 0
        self._detector = detector
        self._redetect_s = redetect_ms / 1000.0
        self._crop_size = crop_size
        self._canonical = CANONICAL_LANDMARKS * crop_size - 0.5
        self._track: _Track | None = None
        self._tracks = 0
        self._search_time = -math.inf
        self._stream: tuple[int, tuple[int, int]] | None = None

    def reset(self) -> None:
        """Forget the face and look for one in the next frame."""
        self._track = None
        self._search_time = -math.inf

    def update(self, frame: Frame) -> FaceCrop | None:
        """Give the face in `frame` held still, or None while there is none."""
        stream = (frame.epoch, frame.size)
        if stream != self._stream:
            self.reset()
            self._stream = stream
        faces: list[Detection] | None = None
        if self._track is not None:
            faces = self._follow(frame, self._track)
            if self._track is not None:
                return self._crop(frame, self._track)
        elif abs(frame.time - self._search_time) < _SEARCH_S:
            return None
        return self._start(frame, self._detect(frame) if faces is None else faces)

    def _follow(self, frame: Frame, track: _Track) -> list[Detection] | None:
        """Move the track to this frame or end it; give what the detector saw if it was asked."""
        faces = None
        followed = self._align(frame, track, guess=track.matrix)
        if not followed:
            # A jerk may be too fast to follow: a detection nearby tells where to look.
            faces = self._detect(frame)
            face = self._nearest(faces, track=track, within=_JERK)
            if face is not None:
                guess = fit_similarity(face.landmarks, to=self._canonical)
                followed = self._align(frame, track, guess=guess)
        if followed:
            track.restarted = False
            self._renew_when_stale(frame, track)
            if faces is None and abs(frame.time - track.confirmed) >= self._redetect_s:
                faces = self._detect(frame)
                followed = self._confirm(track, faces, time=frame.time)
        if not followed:
            self._track = None
        return faces

    def _align(self, frame: Frame, track: _Track, *, guess: NDArray[np.float64]) -> bool:
        """Register the frame to the track's reference and move the track; False where that fails."""
        plane = cut_face(
            frame.luma, matrix=guess, size=self._crop_size, reduction=track.look.reduction, room=_ROOM
        )
        if plane is None:
            return False
        found = track.look.reference.align(plane.coefficients, guess=plane.warp(guess))
        expected = track.best_agreement or 1.0
        if found.agreement < _LOST_SHARE * expected or found.visible < _LEAST_VISIBLE:
            return False
        track.matrix = plane.matrix(found.warp)
        track.residual_px = found.residual / scale_of(track.matrix)
        track.best_agreement = max(track.best_agreement, found.agreement)
        if found.agreement >= track.best_agreement - _STALE_DROP:
            track.doubtful_since = None
        elif track.doubtful_since is None:
            track.doubtful_since = frame.time
        return True

    def _renew_when_stale(self, frame: Frame, track: _Track) -> None:
        """Take a new reference where pose, size or light have gone too far; the crop does not move."""
        change = scale_of(track.matrix) / scale_of(track.look.matrix)
        turn = rotation_of(track.matrix) - rotation_of(track.look.matrix)
        turn = abs(math.remainder(turn, math.tau))
        doubtful = track.doubtful_since is not None and frame.time - track.doubtful_since >= _STALE_S
        if doubtful or turn > _STALE_TURN or not 1.0 / _STALE_SCALE < change < _STALE_SCALE:
            fresh = self._look(frame, track.matrix, before=track.look.reduction)
            if fresh is not None:
                track.look = fresh
                track.crop_reduction = reduction_for(track.matrix, before=track.crop_reduction)
                track.best_agreement, track.doubtful_since = 0.0, None
                self.renewals += 1

    def _confirm(self, track: _Track, faces: list[Detection], *, time: float) -> bool:
        """Compare the track with what the detector sees; False when it has not been seen too often."""
        face = self._nearest(faces, track=track, within=_NEAR)
        track.confirmed = time
        if face is None:
            track.misses += 1
        else:
            track.misses, track.score = 0, face.score
        return track.misses < _MISSES

    def _start(self, frame: Frame, faces: list[Detection]) -> FaceCrop | None:
        """Begin a track at the largest face that can be held."""
        self._search_time = frame.time
        for face in faces:
            matrix = fit_similarity(face.landmarks, to=self._canonical)
            eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
            if not np.isfinite(matrix).all() or not eyes >= _LEAST_EYE_DISTANCE_PX:
                continue
            look = self._look(frame, matrix)
            if look is None:
                continue
            self._tracks += 1
            x, y, width, height = face.box
            box = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
            self._track = _Track(
                number=self._tracks,
                matrix=matrix,
                look=look,
                crop_reduction=reduction_for(matrix),
                box=apply(matrix, points=box),
                score=face.score,
                confirmed=frame.time,
            )
            return self._crop(frame, self._track)
        return None

    def _crop(self, frame: Frame, track: _Track) -> FaceCrop | None:
        plane = cut_face(
            frame.luma, matrix=track.matrix, size=self._crop_size, reduction=track.crop_reduction
        )
        if plane is None:
            return None
        corners = apply(invert_affine(track.matrix), points=track.box)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return FaceCrop(
            luma=plane.crop(track.matrix, size=self._crop_size),
            matrix=track.matrix,
            box=(float(left), float(top), float(right - left), float(bottom - top)),
            score=track.score,
            track_id=track.number,
            restarted=track.restarted,
            residual_px=track.residual_px,
        )

    def _look(self, frame: Frame, matrix: NDArray[np.float64], *, before: int | None = None) -> _Look | None:
        """Remember the face as `matrix` finds it in the frame; None where that is outside of it."""
        reduction = reduction_for(matrix, step=self._crop_size / GRID, before=before)
        plane = cut_face(frame.luma, matrix=matrix, size=self._crop_size, reduction=reduction)
        if plane is None:
            return None
        warp = plane.warp(matrix)
        return _Look(Reference(plane.coefficients, warp=warp, crop_size=self._crop_size), matrix, reduction)

    def _detect(self, frame: Frame) -> list[Detection]:
        if min(frame.size) < 2.0 * _LEAST_EYE_DISTANCE_PX:
            return []
        return self._detector.detect(frame.bgr())

    def _nearest(self, faces: list[Detection], *, track: _Track, within: float) -> Detection | None:
        """Give the face whose landmarks lie nearest to the track's, at most `within` eye distances away."""
        expected = apply(invert_affine(track.matrix), points=self._canonical)
        limit = within * float(np.linalg.norm(expected[1] - expected[0]))
        distances = [float(np.sqrt(((f.landmarks - expected) ** 2).sum(axis=1).mean())) for f in faces]
        nearest = min(range(len(faces)), key=distances.__getitem__, default=None)
        return None if nearest is None or not distances[nearest] <= limit else faces[nearest]
