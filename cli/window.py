"""The live window: original | magnified, the tracked face, the last event."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.stream.errors import StreamError

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.stream.monitor import Observation

_TITLE = "MagnifyMe: original | magnified (q ends)"
_GREEN = (80, 220, 80)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
# A window this wide fits the screens of today's notebooks.
_WIDEST_PX = 1280
# An event's name stays in the picture for so long, in seconds of the stream.
_EVENT_SHOWN_S = 3.0


class Window:
    """A window on this machine's screen; raises StreamError where there is none."""

    def __init__(self) -> None:
        _require_screen()
        self._drawing = Drawing()
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyAllWindows()

    def show(self, observation: Observation | None) -> bool:
        """Show an observation, or the last one on; False when the user has pressed q or Esc or closed it."""
        if observation is not None:
            self._draw(observation)
        if not self._opened:
            return True
        key = cv2.waitKey(1) & 0xFF
        return key not in (ord("q"), 27) and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def _draw(self, observation: Observation) -> None:
        picture = self._drawing.picture(observation)
        if not self._opened:
            self._opened = True
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            height, width = picture.shape[:2]
            shrink = min(1.0, _WIDEST_PX / width)
            cv2.resizeWindow(_TITLE, round(width * shrink), round(height * shrink))
        cv2.imshow(_TITLE, picture)


class Drawing:
    """Draws observations; remembers the last event."""

    def __init__(self) -> None:
        self._event: Event | None = None

    def picture(self, observation: Observation) -> NDArray[np.uint8]:
        """Draw original and magnified side by side, BGR uint8 [H, 2 W, 3]."""
        frame = observation.frame
        pair = np.hstack([frame.bgr(), frame.bgr(luma=observation.magnified_luma())])
        if observation.events:
            self._event = observation.events[-1]
        line = max(1, frame.size[1] // 360)
        for watched in observation.faces:
            x, y, width, height = (round(value) for value in watched.face.box)
            cv2.rectangle(pair, (x, y), (x + width, y + height), _GREEN, line, cv2.LINE_AA)
        if self._event is not None and frame.time - self._event.offset < _EVENT_SHOWN_S:
            text = self._event.label or self._event.kind
            if self._event.label and self._event.made_faces:
                text += " (demo model, made faces)"
            place, size = (10, frame.size[1] - 14), frame.size[1] / 700
            # Dark below light: readable on any picture.
            for colour, stroke in ((_BLACK, 4 * line), (_WHITE, line)):
                cv2.putText(pair, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, stroke, cv2.LINE_AA)
        return pair


def _require_screen() -> None:
    """Find out in another process whether a window can be opened: Qt aborts where it cannot."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise StreamError("--window needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY names one")
    trial = "import cv2; cv2.namedWindow('trial'); cv2.waitKey(1)"
    if subprocess.run([sys.executable, "-c", trial], capture_output=True, check=False).returncode:
        raise StreamError("--window cannot open a window on this screen: leave it out, or use --output FILE")
