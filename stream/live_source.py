"""What all live sources share: a reading thread, the newest pictures, and coming back."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import av

from .closing import Closing
from .demuxer import Picture
from .errors import SourceError, SourceRefused, SourceTimeout
from .frame import Frame, frame_from_av
from .timeline import Timeline
from .upright import upright

# Frames that wait for a slow reader; older ones are dropped, so that it lags 1/4 s at 30 fps at most.
_WAITING_FRAMES = 8
# Silence for so long is called a stall; after so long the connection is given up and made anew, because
# a camera that lost its power or its cable never says goodbye.
_STALLED_S = 2.0
_GIVE_UP_S = 10.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.25, 10.0
# So many frames without a break make a connection a good one: the next break is met with a short delay.
_GOOD_FRAMES = 30
# Damage is withheld until the next key frame, but streams exist that send none for very long.
_LONGEST_WITHHELD_S = 10.0


class Connection(Protocol):
    """One opened stream, used by one thread."""

    fps: float | None

    def read(self) -> list[Picture]:
        """Give the next pictures, none if nothing came for about a second; EOFError when it is over."""

    def close(self) -> None:
        """Let go of it."""


class LiveSource(Closing):
    """Iterate the frames of a live stream, which may stall, break and come back, until `stop`.

    A thread of its own connects, reads and closes, because FFmpeg's reads cannot be broken off from
    outside, and cutting them into short ones tears packets apart on slow networks. So `stop` ends the
    iteration at once, and `close` waits for the thread: as long as a read (a second) or a connection
    attempt (`timeout_s`) may take.

    The first connection is made at once, and its SourceError raised; later ones are tried again and again
    with growing delays, the longest at once where the server says no, since cameras lock out those who
    ask too often. `last_error` then says why. `dropped` counts the frames that came faster than they were
    taken, `damaged` those withheld because of transmission errors; both leave holes in `sequence`.
    """

    live = True

    def __init__(self, name: str, *, connect: Callable[[], Connection], timeout_s: float) -> None:
        self.name = name
        self.fps: float | None = None
        self.status = "connecting"
        self.reconnects = 0
        self.dropped = 0
        self.damaged = 0
        self.warnings: list[str] = []
        self.last_error: str | None = None
        self._connect = connect
        self._timeline = Timeline(live=True)
        self._sequence = 0
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        # Daemon only for the worst case, a driver that never returns: `close` waits for it.
        self._thread = threading.Thread(target=self._run, name=f"read {name}", daemon=True)
        self._thread.start()
        self._wait_until_open(timeout_s)
        self._patience_s = timeout_s + 2.0

    def __iter__(self) -> Iterator[Frame]:
        """Give frames until `stop`, the oldest of those that wait first."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._failure or self._stop.is_set())
                if self._stop.is_set():
                    break
                if not self._frames and self._failure is not None:
                    raise self._failure
                frame = self._frames.popleft()
            yield frame
        self.status = "stopped"

    def stop(self) -> None:
        """End the iteration, also in the middle of a stall or of a delay; from any thread."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End the reading thread, which closes the connection."""
        self.stop()
        self._thread.join(self._patience_s)
        self.status = "stopped"

    def _wait_until_open(self, timeout_s: float) -> None:
        try:
            # Names are looked up without a limit of FFmpeg's: ours lets go of the thread.
            if not self._opened.wait(timeout_s + 1.0):
                raise SourceTimeout(f"{self.name} did not answer within {timeout_s:g} s")
            if isinstance(self._failure, Exception):
                self._thread.join()
                raise self._failure
        except BaseException:
            self.stop()
            raise

    def _run(self) -> None:
        """Connect, read and come back; the reading thread's whole life."""
        try:
            delay = _FIRST_DELAY_S
            while not self._stop.is_set():
                try:
                    frames = self._read(self._connect())
                except SourceError as error:
                    if not self._opened.is_set():
                        raise
                    frames, self.last_error = 0, str(error)
                    if isinstance(error, SourceRefused):
                        delay = _LONGEST_DELAY_S
                if frames >= _GOOD_FRAMES:
                    delay = _FIRST_DELAY_S
                self._set_status("waiting")
                # Jitter, so that many readers of one server do not come back as one.
                self._stop.wait(delay * random.uniform(0.75, 1.0))
                delay = min(2 * delay, _LONGEST_DELAY_S)
                self._set_status("connecting")
                self._timeline.cut()
        except BaseException as error:  # noqa: BLE001 - raised again where the frames are taken
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            self._opened.set()

    def _read(self, connection: Connection) -> int:
        """Read a connection until it breaks, stalls for too long, or `stop`; say how many frames came."""
        frames = 0
        heard = withheld_since = time.monotonic()
        try:
            self.fps = self._timeline.fps = connection.fps or self.fps
            self._opened.set()
            while not self._stop.is_set():
                pictures = connection.read()
                now = time.monotonic()
                if not pictures and now - heard > _GIVE_UP_S:
                    self.last_error = f"{self.name} sent nothing for {_GIVE_UP_S:g} s"
                    break
                if not pictures and now - heard > _STALLED_S:
                    self._set_status("stalled")
                for picture, damaged in pictures:
                    heard = now
                    self.reconnects += frames == 0 and self._sequence > 0
                    frames += 1
                    frame = self._frame(picture, damaged=damaged, arrival=now)
                    if not damaged:
                        withheld_since = now
                    if damaged and now - withheld_since < _LONGEST_WITHHELD_S:
                        self.damaged += 1
                    else:
                        self._hand_over(frame)
        except EOFError as end:
            self.last_error = f"{self.name} broke off{f' ({end})' if end.args else ''}"
        finally:
            connection.close()
        return frames

    def _frame(self, picture: av.VideoFrame, *, damaged: bool, arrival: float) -> Frame:
        turned = upright(picture)
        seconds = self._timeline.place(picture.time, size=(turned.width, turned.height), arrival=arrival)
        self._sequence += 1
        return frame_from_av(
            turned,
            time=seconds,
            sequence=self._sequence - 1,
            epoch=self._timeline.epoch,
            arrival=arrival,
            damaged=damaged,
        )

    def _hand_over(self, frame: Frame) -> None:
        with self._changed:
            if len(self._frames) == _WAITING_FRAMES:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
            self._set_status("live")
            self._changed.notify_all()

    def _set_status(self, status: str) -> None:
        if not self._stop.is_set():
            self.status = status
