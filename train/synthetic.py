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

from .expressions import DX, LID_TRAVEL, expression_field
from .render import MadeFace, SensorNoise
from .timeline import Timeline, TrueEvent

__all__ = ["MadeFace", "SyntheticSource", "TrueEvent"]

# How a person sits still: slow waves of these rates, and how far each part of the pose goes, rms: sideways
# and up in eye distances (about 2 px in 640×480), roll in radians, size as a share.
_SWAY_HZ = (0.07, 0.45)
_SWAY_WAVES = 4
_SWAY_RMS = np.array([0.022, 0.016, math.radians(0.5), 0.005])
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
        events: Literal["random"] | Sequence[TrueEvent] = "random",
        sway: float = 1.0,
        noise: float = 1.0,
        identity: int = 0,
        blinks: bool = True,
        light: float = 1.0,
        amplitude_px: tuple[float, float] = (0.5, 1.2),
    ) -> None:
        """Prepare a stream of `seconds` (None: endless) at `fps` in `size` (width, height).

        `events` are random micro-expressions of `amplitude_px` (lowest, highest) in frame pixels, or those
        given. `sway` and `light` scale head motion and light drift (0: none), `noise` is the sensor's, in
        grey levels. `identity` 0 is the portrait, others are made-up relatives. Raises ValueError.
        """
        if not 0.0 < fps <= HIGHEST_FPS:
            raise ValueError(f"fps is {fps}; it must be above 0 and at most {HIGHEST_FPS:g}")
        if seconds is not None and not seconds > 0.0:
            raise ValueError(f"seconds is {seconds}; it must be above 0, or None for an endless stream")
        if not 0.0 < amplitude_px[0] <= amplitude_px[1]:
            raise ValueError(f"amplitude_px is {amplitude_px}; it must be (lowest, highest), above 0")
        self.name = "synthetic"
        self.live = paced
        self.fps: float | None = fps
        self.status = "connecting"
        self.last_error: str | None = None
        self.reconnects = 0
        self.dropped = 0
        self.damaged = 0
        self.warnings: list[str] = []
        self.face = MadeFace(size=size, identity=identity)
        self._frame_s = 1.0 / fps
        self._fps = fps
        self._count = None if seconds is None else max(1, round(seconds * fps))
        self._seconds = seconds
        self._seed = seed
        self._noise = noise
        self._timeline = Timeline(
            seed=seed,
            seconds=seconds,
            events=events,
            blinks=blinks,
            amplitude_px=amplitude_px,
            blink_px=LID_TRAVEL * self.face.unit_px,
        )
        rng = np.random.default_rng([seed, 3])
        self._sway = sway * _SWAY_RMS * math.sqrt(2.0 / _SWAY_WAVES)
        self._sway_hz = rng.uniform(*_SWAY_HZ, (4, _SWAY_WAVES))
        self._sway_phase = rng.uniform(0.0, math.tau, (4, _SWAY_WAVES))
        self._light = light * np.array(_LIGHT_SHARE)
        self._light_phase = rng.uniform(0.0, math.tau, 2)
        self._fields: dict[int, tuple[TrueEvent, NDArray[np.float64]]] = {}
        self._next = 0
        self._stopped = threading.Event()

    @property
    def truth(self) -> list[TrueEvent]:
        """All events of the stream; of an endless one, those that have begun by the last frame drawn."""
        known = self._seconds if self._seconds is not None else (self._next - 1) / self._fps
        return self._timeline.until(known)

    def frame(self, number: int) -> Frame:
        """Draw frame `number` by itself; its arrival is now."""
        at = number / self._fps
        picture = self.face.draw(
            bumps=self.bumps(at),
            pose=self.pose(at),
            light=1.0 + float(self._light @ np.sin(math.tau * np.array(_LIGHT_HZ) * at + self._light_phase)),
            noise=SensorNoise(self._noise, (self._seed, 4, number)),
        )
        return frame_from_av(picture, time=at, sequence=number, arrival=time.monotonic())

    def pose(self, at: float) -> NDArray[np.float64]:
        """Give the similarity [2, 3] that takes the resting head to the frame at time `at`."""
        waves = np.sin(math.tau * self._sway_hz * at + self._sway_phase).sum(axis=1)
        x, y, roll, growth = waves * self._sway
        shift = self.face.unit_px * np.array([x, y])
        scale = 1.0 + growth
        cos, sin = scale * math.cos(roll), scale * math.sin(roll)
        linear = np.array([[cos, -sin], [sin, cos]])
        centre = self.face.centre
        return np.concatenate([linear, (centre + shift - linear @ centre)[:, None]], axis=1)

    def head_matrix(self, at: float) -> NDArray[np.float64]:
        """Give the affine map [2, 3] from the portrait's pixels to the frame's at time `at`, for the head.

        It leaves the expression out, and the warp of an `identity` other than 0: see `locate`.
        """
        pose, portrait = self.pose(at), self.face.portrait_matrix
        linear = pose[:, :2] @ portrait[:, :2]
        return np.concatenate([linear, (pose[:, :2] @ portrait[:, 2] + pose[:, 2])[:, None]], axis=1)

    def bumps(self, at: float) -> NDArray[np.float64]:
        """Give the displacement field [N, 7] of the events under way at time `at`, in resting pixels."""
        active = self._timeline.active(at)
        # An event is kept with its field, so that its id stays its own; both go when it is over.
        self._fields = {
            id(event): self._fields.get(id(event)) or (event, self._unit_field(event)) for event in active
        }
        fields = [np.zeros((0, 7))]
        for event, unit in self._fields.values():
            bumps = unit.copy()
            bumps[:, DX:] *= event.level(at) * event.amplitude_px
            fields.append(bumps)
        return np.concatenate(fields)

    def locate(
        self, points: NDArray[np.float64], *, at: float, expression: bool = True
    ) -> NDArray[np.float64]:
        """Tell where face points [N, 2], in frame pixels at rest, are at time `at`: exact, with `expression`.

        `face.landmarks` are such points.
        """
        return self.face.locate(points, bumps=self.bumps(at) if expression else None, pose=self.pose(at))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from where the last iteration ended."""
        start = 0.0
        first = self._next
        while not self._stopped.is_set() and (self._count is None or self._next < self._count):
            frame = self.frame(self._next)
            if self.live:
                if self._next == first:
                    # The clock starts with the first picture: its kernels may have been compiled before it.
                    start = time.monotonic()
                due = start + (self._next - first) * self._frame_s
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
