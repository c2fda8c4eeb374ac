"""What time a stream's frames come, and when it starts anew."""

from __future__ import annotations

import math

from .errors import MagnifyError

# A stream that pauses for longer starts anew: what the filter remembers is another motion's.
MAX_GAP_SECONDS = 0.5
# ... but never for less than a few frames, where frames are far apart.
_MAX_GAP_FRAMES = 4.0


class StreamClock:
    """Follow one stream's time; `seen` is for how many seconds it has run unbroken."""

    def __init__(self, *, fps: float) -> None:
        self.seen = 0.0
        self._period = 1.0 / fps
        self._max_gap = max(MAX_GAP_SECONDS, _MAX_GAP_FRAMES / fps)
        self._fresh = True
        self._time: float | None = None

    def check(self, time: float | None) -> None:
        """Raise MagnifyError for a time that is none."""
        if time is not None and not math.isfinite(time):
            raise MagnifyError(f"time is {time}; give seconds of the stream's clock, or None for 1 / fps")

    def advance(self, time: float | None, *, anew: bool = False) -> float | None:
        """Move to the next frame's time; return the seconds passed, or None where the stream starts anew.

        Without a time the frame comes a period after the last one. Time that runs backwards and a long gap
        start anew, and so does `anew`.
        """
        self.check(time)
        last = self._time
        passed = self._period
        if time is None:
            self._time = None if last is None else last + self._period
        else:
            self._time = float(time)
            if last is not None:
                passed = self._time - last
        if anew or self._fresh or not 0.0 <= passed <= self._max_gap:
            self._fresh = False
            self.seen = 0.0
            return None
        self.seen += passed
        return passed

    def reset(self) -> None:
        """Make the next frame the first."""
        self._fresh = True
        self._time = None
        self.seen = 0.0
