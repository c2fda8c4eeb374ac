"""A made live stream of a face, with the exact truth about it: what the demo, tests and benchmarks watch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from magnifyme.stream.closing import Closing
from magnifyme.stream.frame import Frame, frame_from_av
from magnifyme.stream.rate import HIGHEST_FPS

from .acting import Script, act
from .expressions import CX, CY, DX, LID_TRAVEL, expression_field
from .flow import moved_points
from .head import HeadMotion
from .looks import Looks
from .render import MadeFace, SensorNoise
from .shortcomings import Shortcomings
from .timeline import Timeline, TrueEvent

__all__ = ["Looks", "MadeFace", "Script", "Shortcomings", "SyntheticSource", "TrueEvent"]

# A lamp and a cloud: at most 1.5 % of the brightness, over many seconds.
_LIGHT_HZ, _LIGHT_SHARE = (0.03, 0.11), (0.010, 0.005)


class SyntheticSource(Closing):
    """Yield frames of a face that moves as `truth` says; a `stream.source.Source`.

    `paced` frames come at the pace of a clock, late ones late and none skipped; otherwise as fast as they
    are drawn. The same arguments give the same bytes, and any frame can be drawn by itself with `frame`.
    """

    def __init__(
        self,
        *,
        seconds: float | None = None,
        fps: float = 30.0,
        size: tuple[int, int] = (640, 480),
        seed: int = 0,
        paced: bool = True,
        events: Literal["random"] | Script | Sequence[TrueEvent] = "random",
        sway: float = 1.0,
        noise: float = 1.0,
        identity: int = 0,
        blinks: bool = True,
        light: float = 1.0,
        amplitude_px: tuple[float, float] = (0.5, 1.2),
        looks: Looks | None = None,
        turn_deg: float = 0.0,
        shortcomings: Shortcomings | None = None,
    ) -> None:
        """Prepare a stream of `seconds` (None: endless) at `fps` in `size` (width, height).

        `events` are random micro-expressions of `amplitude_px` (lowest, highest) in frame pixels, with
        `blinks`; or those given, with blinks; or all that a `Script` says. `sway` and `light` scale head
        motion and light drift (0: none), `noise` is the sensor's, in grey levels. `identity` 0 is the
        portrait, others are made-up relatives; `looks` choose the portrait, the skin's tone and glasses. The
        head turns aside and nods by up to `turn_deg`, at most `head.MOST_TURN_DEG`. `shortcomings` are the
        camera's: flicker, late and lost frames. Raises ValueError.
        """
        if not 0.0 < fps <= HIGHEST_FPS:
            raise ValueError(f"fps is {fps}; it must be above 0 and at most {HIGHEST_FPS:g}")
        if seconds is not None and not seconds > 0.0:
            raise ValueError(f"seconds is {seconds}; it must be above 0, or None for an endless stream")
        if not 0.0 < amplitude_px[0] <= amplitude_px[1]:
            raise ValueError(f"amplitude_px is {amplitude_px}; it must be (lowest, highest), above 0")
        if isinstance(events, Script) and seconds is None:
            raise ValueError("a script is drawn to its end: give seconds")
        self.name = "synthetic"
        self.live = paced
        self.fps: float | None = fps
        self.status = "connecting"
        self.last_error: str | None = None
        self.reconnects = 0
        self.dropped = 0
        self.damaged = 0
        self.warnings: list[str] = []
        self.face = MadeFace(size=size, identity=identity, looks=looks)
        self._frame_s = 1.0 / fps
        self._fps = fps
        self._count = None if seconds is None else max(1, round(seconds * fps))
        self._seconds = seconds
        self._seed = seed
        self._noise = noise
        if isinstance(events, Script):
            assert seconds is not None
            events = act(seed, seconds=seconds, unit_px=self.face.unit_px, script=events)
            blinks = False  # the script has its own
        self._timeline = Timeline(
            seed=seed,
            seconds=seconds,
            events=events,
            blinks=blinks,
            amplitude_px=amplitude_px,
            blink_px=LID_TRAVEL * self.face.unit_px,
        )
        rng = np.random.default_rng([seed, 3])
        turn_rng = np.random.default_rng([seed, 6])
        self._head = HeadMotion(rng, turn_rng=turn_rng, sway=sway, turn_deg=turn_deg)
        self._shortcomings = shortcomings or Shortcomings()
        self._light = light * np.array(_LIGHT_SHARE)
        self._light_phase = rng.uniform(0.0, math.tau, 2)
        self._fields: dict[int, tuple[TrueEvent, NDArray[np.float64]]] = {}
        self._next = 0
        self._stopped = threading.Event()

    @property
    def frames(self) -> int | None:
        """How many frames are taken, those that are lost among them; None if the stream is endless."""
        return self._count

    @property
    def truth(self) -> list[TrueEvent]:
        """All events of the stream; of an endless one, those that have begun by the last frame drawn."""
        known = self._seconds if self._seconds is not None else (self._next - 1) / self._fps
        return self._timeline.until(known)

    def frame(self, number: int) -> Frame:
        """Draw frame `number` by itself; its arrival is now."""
        at = self.time_of(number)
        drift = 1.0 + float(self._light @ np.sin(math.tau * np.array(_LIGHT_HZ) * at + self._light_phase))
        picture = self.face.draw(
            bumps=self.bumps(at),
            pose=self.pose(at),
            turn=self.turn(at),
            light=drift * self._shortcomings.light(at, rows=self.face.size[1]),
            noise=SensorNoise(self._noise, (self._seed, 4, number)),
        )
        return frame_from_av(picture, time=at, sequence=number, arrival=time.monotonic())

    def time_of(self, number: int) -> float:
        """Tell when frame `number` is taken, in seconds of the stream."""
        delay_s = self._shortcomings.delay_s(number, seed=self._seed, frame_s=self._frame_s)
        return number / self._fps + delay_s

    def pose(self, at: float) -> NDArray[np.float64]:
        """Give the affine map [2, 3] that takes the resting head to the frame at time `at`.

        A similarity, unless the head turns; what else turning does is in `turn`.
        """
        return self._head.pose(at, centre=self.face.centre, unit_px=self.face.unit_px)

    def angles(self, at: float) -> tuple[float, float]:
        """Tell how far the head is turned at time `at`, in radians: to the right of the picture, and down."""
        return self._head.angles(at)

    def turn(self, at: float) -> NDArray[np.float64]:
        """Give the displacement field [N, 7] of the head turned at time `at`, in resting pixels."""
        return self._head.bumps(at, landmarks=self.face.landmarks)

    def head_matrix(self, at: float) -> NDArray[np.float64]:
        """Give the affine map [2, 3] from the portrait's pixels to the frame's at time `at`, for the head.

        It leaves the expression out, the depth of a turned head, and the warp of an `identity` other than 0:
        see `locate`.
        """
        pose, portrait = self.pose(at), self.face.portrait_matrix
        linear = pose[:, :2] @ portrait[:, :2]
        return np.concatenate([linear, (pose[:, :2] @ portrait[:, 2] + pose[:, 2])[:, None]], axis=1)

    def bumps(self, at: float) -> NDArray[np.float64]:
        """Give the displacement field [N, 7] of turning and of the events under way at time `at`, in resting
        pixels."""
        active = [
            part
            for event in self._timeline.active(at)
            for part in event.movements()
            if part.onset <= at < part.offset
        ]
        # A movement is kept with its field, so that its id stays its own; both go when it is over.
        self._fields = {
            id(event): self._fields.get(id(event)) or (event, self._unit_field(event)) for event in active
        }
        fields = [np.zeros((0, 7))]
        for event, unit in self._fields.values():
            bumps = unit.copy()
            bumps[:, DX:] *= event.level(at) * event.amplitude_px
            fields.append(bumps)
        expression = np.concatenate(fields)
        turn = self.turn(at)
        if len(turn):
            # Muscles turn with the head that they are in.
            expression[:, [CX, CY]] = moved_points(expression[:, [CX, CY]], bumps=turn)
        return np.concatenate([turn, expression])

    def displacement(self, at: float, *, since: float | None = None) -> NDArray[np.float64]:
        """Tell exactly how far what each pixel shows at `at` has moved, float64 [H, W, 2], frame pixels.

        It stood at the pixel minus its displacement at time `since`, or in the resting face if that is None.
        Head and expression count; the rims of glasses, which follow the head alone, do not.
        """
        before = None if since is None else (self.bumps(since), self.pose(since))
        return self.face.displacement(
            bumps=self.bumps(at),
            pose=self.pose(at),
            bumps_before=None if before is None else before[0],
            pose_before=None if before is None else before[1],
        )

    def locate(
        self, points: NDArray[np.float64], *, at: float, expression: bool = True
    ) -> NDArray[np.float64]:
        """Tell where face points [N, 2], in frame pixels at rest, are at time `at`: exact, with `expression`.

        `face.landmarks` are such points.
        """
        bumps = self.bumps(at) if expression else self.turn(at)
        return self.face.locate(points, bumps=bumps, pose=self.pose(at))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from where the last iteration ended."""
        start = 0.0
        first = self._next
        while not self._stopped.is_set() and (self._count is None or self._next < self._count):
            if self._shortcomings.loses(self._next, seed=self._seed):
                self._next += 1
                self.dropped += 1
                continue
            frame = self.frame(self._next)
            if self.live:
                if self._next == first:
                    # The clock starts with the first picture: its kernels may have been compiled before it.
                    start = time.monotonic()
                due = start + frame.time - first * self._frame_s
                if self._stopped.wait(max(0.0, due - time.monotonic())):
                    break
                frame = replace(frame, arrival=time.monotonic())
            self.status = "live"
            self._next += 1
            yield frame
        self.status = "stopped" if self._stopped.is_set() else "ended"

    def stop(self) -> None:
        """End the iteration, from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """End the stream for good."""
        self._stopped.set()
        if self.status != "ended":
            self.status = "stopped"

    def _unit_field(self, event: TrueEvent) -> NDArray[np.float64]:
        return expression_field(event.action_units, landmarks=self.face.landmarks, asymmetry=event.asymmetry)
