"""Made people who look unlike: is the user's own picture taken, or told what is wrong with it?"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.models.face_detector import Detection, HaarCascade
from magnifyme.stream.errors import NotAVideo, SourceError, SourceNotFound
from magnifyme.stream.frame import frame_from_av, plane_view
from magnifyme.train.looks import Looks, Portrait
from magnifyme.train.own_portrait import read_portrait
from magnifyme.train.portrait import PORTRAIT_LANDMARKS, load_portrait
from magnifyme.train.render import MadeFace, SensorNoise

Array = NDArray[np.float64]


def luma(face: MadeFace, **how: object) -> Array:
    return np.array(frame_from_av(face.draw(**how), time=0.0).luma, np.float64)  # type: ignore[arg-type]


class Marked:
    """A detector that answers with what it was made with."""

    name = "marked"

    def __init__(self, *landmarks: Array) -> None:
        self._found = [Detection((0.0, 0.0, 9.0, 9.0), points, 1.0) for points in landmarks]

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        return self._found


# --- the user's own picture


def write(path: Path, bgr: NDArray[np.uint8]) -> Path:
    cv2.imwrite(str(path), bgr)
    return path


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_an_own_picture_is_the_face(tmp_path: Path, kind: str) -> None:
    """The face in the stream must be the one in the picture, with the muscles where its features are."""
    other = load_portrait()[:, ::-1]
    path = write(tmp_path / f"me.{kind}", other)
    landmarks = (np.array([511.0, 0.0]) - PORTRAIT_LANDMARKS * [1.0, -1.0])[[1, 0, 2, 4, 3]]
    portrait = read_portrait(path, detector=Marked(landmarks))
    own = MadeFace(size=(320, 240), looks=Looks(portrait=portrait))
    packaged = MadeFace(size=(320, 240))
    # The face stands at 160, between two pixels: mirrored it is one aside.
    drawn, mirrored = luma(own)[:, 1:], luma(packaged)[:, :0:-1]
    # But for the skin's texture, which is not mirrored, and the coding of the file.
    assert np.abs(drawn - mirrored).mean() < 4.0
    expected = (np.array([320.0, 0.0]) - packaged.landmarks * [1.0, -1.0])[[1, 0, 2, 4, 3]]
    assert np.abs(own.landmarks - expected).max() < 0.5


def test_the_cascade_finds_the_face(tmp_path: Path) -> None:
    """Without a network YuNet may be missing; the picture must do all the same."""
    path = write(tmp_path / "me.png", load_portrait())
    portrait = read_portrait(path, detector=HaarCascade())
    assert np.abs(portrait.landmarks - PORTRAIT_LANDMARKS).max() < 10.0


def test_yunet_finds_the_face(tmp_path: Path, yunet_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNIFYME_DETECTOR_MODEL", str(yunet_model))
    portrait = read_portrait(write(tmp_path / "me.png", load_portrait()))
    assert np.abs(portrait.landmarks - PORTRAIT_LANDMARKS).max() < 4.5


def test_a_large_picture_is_averaged_and_a_tight_one_mirrored(tmp_path: Path) -> None:
    """A photograph of twelve megapixels must not shimmer, nor a passport picture stretch over the frame."""
    soft = np.clip(load_portrait(), 70, 185)
    big = cv2.resize(soft, None, fx=6.0, fy=6.0, interpolation=cv2.INTER_LINEAR).astype(int)
    big[::2] += 60  # rows that only averaging takes away
    big[1::2] -= 60
    big = big.astype(np.uint8)
    portrait = Portrait(big, PORTRAIT_LANDMARKS * 6.0 + 2.5)
    drawn, plain = (
        luma(MadeFace(size=(320, 240), looks=Looks(portrait=p)))
        for p in (portrait, Portrait(soft, PORTRAIT_LANDMARKS))
    )
    # Rows that stayed would be 60 off; five at a time leave a fifth of that.
    assert np.abs(drawn - plain).mean() < 9.0

    left, top = 150, 50
    tight = Portrait(load_portrait()[top:200, left:300].copy(), PORTRAIT_LANDMARKS - [left, top])
    face = MadeFace(size=(640, 240), looks=Looks(portrait=tight))
    # Not blown up to fill the width, but mirrored.
    assert face.unit_px == pytest.approx(2.0 * 0.205 * 240, rel=0.01)
    row = luma(face)[100]
    assert np.ptp(row[:100]) > 20.0
    assert np.ptp(row[-100:]) > 20.0


def test_pictures_that_do_not_do_are_told_in_a_line(tmp_path: Path) -> None:
    text = tmp_path / "note.png"
    text.write_text("not a picture")
    blank = write(tmp_path / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    small = write(tmp_path / "small.png", load_portrait())
    cases: list[tuple[Path, object, type[Exception], str]] = [
        (tmp_path / "nowhere.png", Marked(), SourceNotFound, r"nowhere\.png: no such file"),
        (text, Marked(), NotAVideo, r"note\.png is not a picture"),
        (blank, HaarCascade(), SourceError, r"no face is found in .*wall\.png"),
        (small, Marked(PORTRAIT_LANDMARKS / 4.0), SourceError, r"eyes are 11 px apart, 20 are needed"),
    ]
    for path, detector, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            read_portrait(path, detector=detector)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("landmarks", "words"),
    [
        (PORTRAIT_LANDMARKS[:4], r"must be five points"),
        (PORTRAIT_LANDMARKS[[1, 0, 2, 4, 3]], "out of order"),
        (PORTRAIT_LANDMARKS[[3, 4, 2, 0, 1]], "out of order"),
        (PORTRAIT_LANDMARKS + 400.0, r"outside the picture of 512×512"),
    ],
)
def test_landmarks_that_are_none_are_refused(tmp_path: Path, landmarks: Array, words: str) -> None:
    """A mouth where the eyes are would move without a word."""
    path = write(tmp_path / "me.png", load_portrait())
    with pytest.raises(ValueError, match=words):
        read_portrait(path, landmarks=landmarks)


# --- skin and glasses


def test_the_cheeks_get_the_tone_asked_for() -> None:
    """Trackers are tested on dark and light skin: it must be so dark, and so light."""
    tones = []
    for skin in (0.0, 0.3, 0.6, 1.0):
        face = MadeFace(size=(320, 240), looks=Looks(skin=skin))
        cheeks = np.round((face.landmarks[:2] + face.landmarks[3:]) / 2.0).astype(int)
        picture = (luma(face) - 16.0) / 219.0
        tones.append(np.median([picture[y - 3 : y + 4, x - 3 : x + 4] for x, y in cheeks]))
    assert tones == pytest.approx([0.24, 0.41, 0.58, 0.80], abs=0.06)
    with pytest.raises(ValueError, match=r"skin is 1\.5; it must be 0 \(darkest\) to 1 \(lightest\)"):
        Looks(skin=1.5)


@pytest.fixture(scope="module")
def pair() -> tuple[MadeFace, MadeFace]:
    return MadeFace(size=(320, 240)), MadeFace(size=(320, 240), looks=Looks(glasses=True))


def rims(bare: Array, worn: Array) -> NDArray[np.bool_]:
    return bare - worn > 40.0


def test_glasses_stand_about_the_eyes(pair: tuple[MadeFace, MadeFace]) -> None:
    bare, worn = (luma(face) for face in pair)
    face = pair[0]
    y, x = np.nonzero(rims(bare, worn))
    assert len(x) > 200
    assert np.abs(y - face.landmarks[:2, 1].mean()).max() < 0.5 * face.unit_px
    assert x.min() < face.landmarks[0, 0] - 0.3 * face.unit_px
    assert x.max() > face.landmarks[1, 0] + 0.3 * face.unit_px
    for eye in face.landmarks[:2]:
        column, row = np.round(eye).astype(int)
        assert np.abs(worn - bare)[row - 2 : row + 3, column - 2 : column + 3].max() < 60.0
    gray = plane_view(pair[1].draw().planes[1]).astype(int)[y // 2, x // 2]
    assert np.median(np.abs(gray - 128)) <= 4


def test_glasses_follow_the_head_and_not_the_muscles(pair: tuple[MadeFace, MadeFace]) -> None:
    """Rims that went along with a brow would show a tracker a rigid frame that bends."""
    face = pair[0]
    bumps = np.array([[*face.landmarks[:2].mean(axis=0), 100.0, 60.0, 60.0, 0.0, 5.0]])
    still, blinking = (rims(luma(pair[0], bumps=b), luma(pair[1], bumps=b)) for b in (None, bumps))
    both = (still & blinking).sum() / (still | blinking).sum()
    assert both > 0.8
    move = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, 3.0]])
    moved = rims(luma(pair[0], pose=move), luma(pair[1], pose=move))
    assert (moved[3:, 5:] & still[:-3, :-5]).sum() / still.sum() > 0.9
    turn = np.array([[*face.landmarks[:2].mean(axis=0), 200.0, 200.0, 200.0, 6.0, 0.0]])
    turned = rims(luma(pair[0], bumps=turn, turn=turn), luma(pair[1], bumps=turn, turn=turn))
    x = [np.nonzero(mask)[1].mean() for mask in (still, turned)]
    assert 4.0 < x[1] - x[0] < 6.0


def test_noise_lies_on_glasses_as_on_skin(pair: tuple[MadeFace, MadeFace]) -> None:
    """A clean patch in a noisy picture would be a thing that no camera shows."""
    bare, worn = (luma(face) for face in pair)
    mask = bare - worn > 100.0
    stack = [luma(pair[1], noise=SensorNoise(3.0, (1, number))) - worn for number in range(20)]
    assert np.std(np.stack(stack)[:, mask]) == pytest.approx(3.0, rel=0.1)
