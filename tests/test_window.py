"""What the window shows, drawn without a screen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from magnifyme.cli import window
from magnifyme.cli.window import Drawing, Window
from magnifyme.stream.events import Event
from magnifyme.stream.face import FaceCrop
from magnifyme.stream.face_watch import WatchedFace
from magnifyme.stream.frame import frame_from_array
from magnifyme.stream.monitor import Observation


def observed(*, time: float, events: tuple[Event, ...] = ()) -> Observation:
    """Make an observation of a gray 200x160 picture with a face, magnified by +20 grey levels."""
    crop = np.full((256, 256), 100, np.uint8)
    matrix = np.array([[2.56, 0.0, -128.0], [0.0, 2.56, -76.8]])  # the crop is the square at (50, 30)
    face = FaceCrop(crop, matrix, (60.0, 40.0, 80.0, 80.0), 0.9, 1)
    frame = frame_from_array(np.full((160, 200), 100, np.uint8), time=time)
    return Observation(
        frame,
        (WatchedFace(face, crop + np.uint8(20), 0.5, False, np.zeros((1, 2), np.float32)),),
        events,
        1.0,
    )


def event(label: str | None) -> Event:
    """Make an event that ends at 2 s."""
    return Event(
        stream="made",
        track=1,
        onset=1.6,
        apex=1.8,
        offset=2.0,
        kind="micro",
        label=label,
        probabilities={label: 1.0} if label else {},
        intensity_px=0.5,
        model_id="m",
        made_faces=True,
        wall_time="2026-11-23T12:00:00+00:00",
        run_start="2026-11-23T11:00:00+00:00",
    )


@pytest.fixture
def drawing() -> Drawing:
    """Give what draws the window's pictures."""
    return Drawing()


def test_original_left_magnified_right(drawing: Drawing) -> None:
    """The user compares two halves: the magnified face must be right, and only the face differ."""
    picture = drawing.picture(observed(time=0.0))
    assert picture.shape == (160, 400, 3)
    assert (picture[80, 90] == 100).all()
    assert (picture[80, 290] == 120).all()
    assert (picture[5, 205] == 100).all()
    assert (picture[60, 60] != 100).any()  # the box around the tracked face


def test_the_last_event_is_named_for_a_while(drawing: Drawing) -> None:
    """An expression lasts a third of a second: its name must stay long enough to be read, then go."""
    plain = drawing.picture(observed(time=1.0))
    named = drawing.picture(observed(time=2.1, events=(event("surprise"),)))
    assert (named[130:, :200] != plain[130:, :200]).any()
    assert (drawing.picture(observed(time=4.9))[130:, :200] == named[130:, :200]).all()
    assert (drawing.picture(observed(time=5.1)) == plain).all()


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_while_nothing_comes_the_window_still_takes_keys(key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that stalls must not freeze the window, and q must end the run."""
    keys = [-1, -1, key]
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "waitKey", lambda _: keys.pop(0))
    monkeypatch.setattr(window, "_require_screen", lambda: None)
    with Window() as shown:
        assert shown.show(None)
        assert len(keys) == 3  # there is no window yet
        assert shown.show(observed(time=0.0))
        assert shown.show(None)
        assert not shown.show(None)
