"""The one clock of a source: places every picture on it and says where a new epoch begins."""

from __future__ import annotations

# A live stream whose timestamps leap further ahead than this has lost its clock, not a few pictures.
_LEAP_S = 2.0
# Longer silence than this before a picture without a timestamp is taken for a real gap.
_SILENCE_S = 0.5
# A repeated timestamp moves on by this, so that time grows within an epoch.
_TICK_S = 1e-3
_USUAL_FPS = 25.0


class Timeline:
    """Place pictures by their timestamps in seconds, from 0 at the first one, never backwards.

    A step back, a change of size, a reconnect (`cut`) and, if `live`, a leap of more than two seconds
    begin a new epoch. Where the stream's own timestamps do not connect, a live timeline goes on by the
    arrivals, another by one picture of the rate; missing timestamps are filled in the same way.
    """

    def __init__(self, *, live: bool, fps: float | None = None) -> None:
        self.fps = fps
        self.epoch = 0
        self._live = live
        self._time: float | None = None
        self._offset: float | None = None  # from the stream's timestamps to ours; None until one was seen
        # The shortest way of a picture so far: arrival minus time. Only what comes late is above it.
        self._lag = float("inf")
        self._size = (0, 0)
        self._cut = False

    def cut(self) -> None:
        """Begin a new epoch with the next picture, whatever its timestamp."""
        self._cut = True

    def place(self, pts: float | None, *, size: tuple[int, int], arrival: float) -> float:
        """Give the time in seconds of the next picture, by its timestamp or None; counts epochs."""
        if self._time is None:
            time = 0.0
            self._offset = None if pts is None else -pts
        else:
            time = self._next(pts, last=self._time, due=arrival - self._lag, resized=size != self._size)
        self._lag = min(self._lag, arrival - time)
        self._time, self._size, self._cut = time, size, False
        return time

    def _next(self, pts: float | None, *, last: float, due: float, resized: bool) -> float:
        nominal = 1.0 / (self.fps or _USUAL_FPS)
        broken = self._cut
        if pts is not None and not broken:
            if self._offset is None:
                self._offset = last + nominal - pts
            time = pts + self._offset
        elif self._live and (broken or due > last + _SILENCE_S or self.fps is None):
            time = due
        else:
            time = last + nominal
        # Less than a picture back is jitter of the camera's clock; more is another clock.
        broken = broken or time < last - nominal or (self._live and time > last + _LEAP_S)
        if broken:
            time = max(due if self._live else last + nominal, last + _TICK_S)
            self._offset = None if pts is None else time - pts
        if broken or resized:
            self.epoch += 1
        return max(time, last + _TICK_S)
