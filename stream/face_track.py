"""One face that is followed: registered in every frame to a look of itself, and cut out held still."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, fit_similarity, rotation_of, scale_of
from magnifyme.magnify.warp import invert_affine

from .face import CANONICAL_LANDMARKS, FaceCrop
from .face_plane import cut_face, reduction_for
from .frame import Frame
from .quality import Quality, detail_of, turn_of
from .registration import GRID, Reference

if TYPE_CHECKING:
    from magnifyme.models.face_detector import Detection

BRIDGED_S = 0.25
"""A face that was away for no longer goes on as before: what remembers it bridges such a hole."""

_LEAST_EYE_DISTANCE_PX = 10.0  # Smaller faces have too little detail to be held to a fraction of a pixel.
# How much of the picture the reference explains is compared with what it explained at best: noise sets that.
_LOST_SHARE = 0.5  # Another face or the background is explained less than half as well.
_STALE_DROP = 0.15  # So much less, and pose or light have changed.
_STALE_S = 0.3  # For so long: a passing hand or a blurred frame is no new look.
_STALE_SCALE = 1.2
_STALE_TURN = math.radians(12.0)
_ROOM = 0.12  # What is searched around the crop's last place, as a share of its size.
_LEAST_VISIBLE = 0.6  # Share of the rigid parts that must lie within the frame.
# A face that goes away from the lamp loses detail for good: the most that was seen fades, by frame.
_FADE = 0.998


@dataclass(frozen=True, slots=True)
class _Look:
    """What a face looked like, at which matrix, in a frame thinned by `reduction`."""

    reference: Reference
    matrix: NDArray[np.float64]
    reduction: int

    @classmethod
    def of(
        cls,
        frame: Frame,
        matrix: NDArray[np.float64],
        *,
        landmarks: NDArray[np.float64],
        size: int,
        before: int | None = None,
    ) -> Self | None:
        """Remember the face as `matrix` finds it in the frame; None where that is outside of it.

        `landmarks` [5, 2] are those of the face in its crop.
        """
        reduction = reduction_for(matrix, step=size / GRID, before=before)
        plane = cut_face(frame.luma, matrix=matrix, size=size, reduction=reduction)
        if plane is None:
            return None
        warp, shares = plane.warp(matrix), (landmarks + 0.5) / size
        reference = Reference(plane.coefficients, warp=warp, crop_size=size, landmarks=shares)
        return cls(reference, matrix, reduction)


class Track:
    """One face: `matrix` [2, 3] takes frame pixels to those of its crop.

    `missing_since` is the stream time at which it was lost, None while it is followed. `confirmed` is when a
    detector last saw it. `agreement` is how well its look explains the last frame, as a share of the best.
    """

    def __init__(self, look: _Look, face: Detection, *, number: int, time: float, crop_size: int) -> None:
        self.number = number
        self.matrix = look.matrix
        self.asked_matrix = look.matrix
        self.missing_since: float | None = None
        self.doubted_since: float | None = None
        self.confirmed = time
        self.score = face.score
        self.agreement = 1.0
        self._size = crop_size
        self._canonical = canonical(crop_size)
        self._look = look
        self._crop_reduction = reduction_for(look.matrix)
        x, y, width, height = face.box
        box = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
        self._box = apply(look.matrix, points=box)
        self._landmarks = apply(look.matrix, points=face.landmarks)
        self._restarted, self._renewed = True, False
        self._best_agreement = 0.0
        self._stale_since: float | None = None
        self._residual_px = 0.0
        self._turn_deg, self._most_detail = turn_of(face.landmarks), 0.0

    @classmethod
    def start(cls, frame: Frame, face: Detection, *, number: int, crop_size: int) -> Self | None:
        """Begin where a detector saw a face; None where none can be held."""
        matrix = fit_similarity(face.landmarks, to=canonical(crop_size))
        eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
        if not np.isfinite(matrix).all() or not eyes >= _LEAST_EYE_DISTANCE_PX:
            return None
        landmarks = apply(matrix, points=face.landmarks)
        look = _Look.of(frame, matrix, landmarks=landmarks, size=crop_size)
        if look is None:
            return None
        return cls(look, face, number=number, time=frame.time, crop_size=crop_size)

    def follow(self, frame: Frame) -> bool:
        """Find the face near its last place; False, and missing, where it is not."""
        self._renewed = False
        if self._align(frame, guess=self.matrix):
            self._found(frame.time)
            self._renew_when_stale(frame)
            return True
        if self.missing_since is None:
            self.missing_since = frame.time
        return False

    def find(self, frame: Frame, face: Detection) -> bool:
        """Find the missing face where a detector saw one: the same one, told by its look."""
        if not self._align(frame, guess=fit_similarity(face.landmarks, to=self._canonical)):
            return False
        self._found(frame.time)
        return True

    def confirm(self, face: Detection, *, time: float) -> None:
        """Take note that a detector saw the face."""
        self.confirmed, self.score, self._turn_deg = time, face.score, turn_of(face.landmarks)

    def lose(self, *, time: float) -> None:
        """Take the face for missing: what is held is not this face."""
        self.missing_since = time

    def restart(self) -> None:
        """Let the next crop begin anew: the whole picture has jumped."""
        self._restarted = True

    def crop(self, frame: Frame) -> FaceCrop | None:
        """Cut the face out of the frame it was found in."""
        plane = cut_face(frame.luma, matrix=self.matrix, size=self._size, reduction=self._crop_reduction)
        if plane is None:
            return None
        corners = apply(invert_affine(self.matrix), points=self._box)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        restarted, self._restarted = self._restarted, False
        luma = plane.crop(self.matrix, size=self._size)
        return FaceCrop(
            luma=luma,
            matrix=self.matrix,
            box=(float(left), float(top), float(right - left), float(bottom - top)),
            score=self.score,
            track_id=self.number,
            restarted=restarted,
            renewed=self._renewed,
            quality=self._quality(luma),
        )

    def distance(self, landmarks: NDArray[np.float64], *, matrix: NDArray[np.float64]) -> float:
        """Tell how far landmarks [5, 2] are from the face where `matrix` puts it, rms, in eye distances."""
        expected = apply(invert_affine(matrix), points=self._canonical)
        off = math.sqrt(float(((landmarks - expected) ** 2).sum(axis=1).mean()))
        return off / float(np.linalg.norm(expected[1] - expected[0]))

    def landmarks(self) -> NDArray[np.float64]:
        """Tell where in the frame the face's landmarks [5, 2] are."""
        return apply(invert_affine(self.matrix), points=self._canonical)

    def _quality(self, luma: NDArray[np.uint8]) -> Quality:
        detail = detail_of(luma)
        self._most_detail = max(detail, _FADE * self._most_detail)
        eyes = self._canonical[1] - self._canonical[0]
        return Quality(
            residual_px=self._residual_px,
            sharpness=detail / self._most_detail if self._most_detail else 1.0,
            eyes_px=float(np.linalg.norm(eyes)) / scale_of(self.matrix),
            turn_deg=self._turn_deg,
            fit=self.agreement,
        )

    def _found(self, time: float) -> None:
        if self.missing_since is not None and not 0.0 <= time - self.missing_since <= BRIDGED_S:
            self._restarted = True
        self.missing_since = self.doubted_since = None

    def _align(self, frame: Frame, *, guess: NDArray[np.float64]) -> bool:
        """Register the frame to the look and move the track; False where that fails."""
        look = self._look
        plane = cut_face(frame.luma, matrix=guess, size=self._size, reduction=look.reduction, room=_ROOM)
        if plane is None:
            return False
        found = look.reference.align(plane.coefficients, guess=plane.warp(guess))
        expected = self._best_agreement or 1.0
        if found.agreement < _LOST_SHARE * expected or found.visible < _LEAST_VISIBLE:
            look.reference.forget()
            return False
        self.matrix = plane.matrix(found.warp)
        self._residual_px = found.residual / scale_of(self.matrix)
        self._best_agreement = max(self._best_agreement, found.agreement)
        self.agreement = found.agreement / self._best_agreement
        if found.agreement >= self._best_agreement - _STALE_DROP:
            self._stale_since = None
        elif self._stale_since is None:
            self._stale_since = frame.time
        return True

    def _renew_when_stale(self, frame: Frame) -> None:
        """Take a new look where pose, size or light have gone too far; the crop does not move."""
        change = scale_of(self.matrix) / scale_of(self._look.matrix)
        turn = rotation_of(self.matrix) - rotation_of(self._look.matrix)
        turn = abs(math.remainder(turn, math.tau))
        stale = self._stale_since is not None and frame.time - self._stale_since >= _STALE_S
        if stale or turn > _STALE_TURN or not 1.0 / _STALE_SCALE < change < _STALE_SCALE:
            fresh = _Look.of(
                frame,
                self.matrix,
                landmarks=self._landmarks,
                size=self._size,
                before=self._look.reduction,
            )
            if fresh is not None:
                self._look = fresh
                self._crop_reduction = reduction_for(self.matrix, before=self._crop_reduction)
                self._best_agreement, self._stale_since = 0.0, None
                self._renewed = True


def canonical(crop_size: int) -> NDArray[np.float64]:
    """Give the landmarks [5, 2] in pixels of a crop."""
    return CANONICAL_LANDMARKS * crop_size - 0.5
