"""Face detectors: a face not found, or landmarks out of order, leave the user without a crop."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.models import download, face_detector
from magnifyme.models.errors import ModelError
from magnifyme.models.face_detector import Detection, FaceDetector, HaarCascade, YuNet, open_detector

# Pupils, nose tip and mouth corners of the portrait, read off the picture by eye, in its pixels.
PORTRAIT = np.array([[202.0, 101.0], [246.2, 102.6], [222.0, 127.0], [202.5, 140.5], [245.5, 140.2]])
EYES_APART = 44.0

ODD_SIZES = [(1, 1), (1, 50), (2, 3), (17, 33), (7, 300), (101, 53), (21, 1000), (30, 3000), (97, 1021)]


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    data = np.frombuffer(files("magnifyme.train").joinpath("portrait.png").read_bytes(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.fixture(params=["haar", "yunet"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    if request.param == "haar":
        return HaarCascade()
    return YuNet(request.getfixturevalue("yunet_model"))


def scaled(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)


def distance(found: Detection, expected: NDArray[np.float64]) -> float:
    """Give the largest distance of a landmark, in eye distances of the portrait."""
    return float(np.linalg.norm(found.landmarks - expected, axis=1).max() / EYES_APART)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.7, 2.5, 4.0])
def test_the_portrait_is_found_at_every_size(
    detector: FaceDetector, portrait: NDArray[np.uint8], factor: float
) -> None:
    (face,) = detector.detect(scaled(portrait, factor))
    assert 0.5 < face.score <= 1.0
    # The smile's corners are where the cascades can only guess them.
    assert distance(face, PORTRAIT * factor) / factor < 0.25
    x, y, width, height = face.box
    inside = (face.landmarks > [x, y]) & (face.landmarks < [x + width, y + height])
    assert inside.all()


@pytest.mark.parametrize(("left", "top", "side"), [(100, 0, 260), (120, 10, 200)])
def test_a_face_that_fills_the_picture_is_found(
    detector: FaceDetector, portrait: NDArray[np.uint8], left: int, top: int, side: int
) -> None:
    view = portrait[top : top + side, left : left + side]
    factor = 480 / side
    (face,) = detector.detect(scaled(view, factor))
    assert distance(face, (PORTRAIT - [left, top]) * factor) / factor < 0.3


def test_the_eye_on_the_left_of_the_picture_comes_first_in_a_mirrored_face_too(
    detector: FaceDetector, portrait: NDArray[np.uint8]
) -> None:
    for picture in (portrait, np.ascontiguousarray(portrait[:, ::-1])):
        left_eye, right_eye, nose, left_corner, right_corner = detector.detect(picture)[0].landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_corner[0] < nose[0] < right_corner[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])


def test_both_detectors_place_a_face_alike(portrait: NDArray[np.uint8], yunet_model: Path) -> None:
    """A user who goes offline must not get another crop than the one that the model was trained on."""
    (cascade,), (network,) = HaarCascade().detect(portrait), YuNet(yunet_model).detect(portrait)
    assert distance(cascade, network.landmarks) < 0.2
    assert abs(np.mean(cascade.landmarks - network.landmarks, axis=0)).max() / EYES_APART < 0.1


def test_the_largest_face_comes_first(detector: FaceDetector, portrait: NDArray[np.uint8]) -> None:
    head = portrait[0:260, 90:350]
    small, large = scaled(head, 0.6), scaled(head, 1.2)
    picture = np.full((320, 560, 3), 128, np.uint8)
    picture[80 : 80 + small.shape[0], 30 : 30 + small.shape[1]] = small
    picture[4 : 4 + large.shape[0], 230 : 230 + large.shape[1]] = large
    # A cascade may see a third face in a collar: it must not come before the two.
    first, second = detector.detect(picture)[:2]
    assert first.box[2] > second.box[2]
    assert first.box[0] > second.box[0]


@pytest.mark.parametrize(("height", "width"), ODD_SIZES)
def test_odd_pictures_hold_no_face_and_break_nothing(
    detector: FaceDetector, rng: np.random.Generator, height: int, width: int
) -> None:
    for picture in (
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        np.zeros((height, width, 3), np.uint8),
    ):
        assert detector.detect(picture) == []


def test_the_variable_names_a_model_in_python_too(yunet_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`for observation in Monitor(...)` does what `watch` does, with the same detector."""
    monkeypatch.setenv("MAGNIFYME_DETECTOR_MODEL", str(yunet_model))
    monkeypatch.setenv("MAGNIFYME_OFFLINE", "1")
    assert open_detector(notice=pytest.fail).name == "YuNet"
    monkeypatch.setenv("MAGNIFYME_DETECTOR_MODEL", "none.onnx")
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        open_detector(notice=pytest.fail)


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x08\x07\x12\x07pytorch" * 99])
def test_a_detector_model_that_is_not_one_is_refused(
    tmp_path: Path, content: bytes | None, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "detector.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"detector\.onnx: (no such file|not YuNet)") as error:
        open_detector(path, notice=pytest.fail)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_model_that_is_named_is_used(yunet_model: Path) -> None:
    assert open_detector(yunet_model, notice=pytest.fail).name == "YuNet"


def test_a_model_in_the_cache_is_used_offline(
    yunet_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGNIFYME_DETECTOR_MODEL", raising=False)
    monkeypatch.setenv("MAGNIFYME_CACHE", str(tmp_path))
    monkeypatch.setenv("MAGNIFYME_OFFLINE", "1")
    (tmp_path / face_detector.YUNET_NAME).write_bytes(yunet_model.read_bytes())
    assert open_detector(notice=pytest.fail).name == "YuNet"


@pytest.mark.parametrize("cached", [None, b"spoilt"])
def test_without_the_model_the_cascades_find_faces_and_the_user_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bytes | None
) -> None:
    monkeypatch.delenv("MAGNIFYME_DETECTOR_MODEL", raising=False)
    monkeypatch.setenv("MAGNIFYME_CACHE", str(tmp_path))
    monkeypatch.setenv("MAGNIFYME_OFFLINE", "1")
    if cached is not None:
        (tmp_path / face_detector.YUNET_NAME).write_bytes(cached)
    notices: list[str] = []
    assert open_detector(notice=notices.append).name == "Haar cascade"
    (notice,) = notices
    assert "\n" not in notice
    assert "magnifyme doctor" in notice
    assert len(notice) < 80


def test_the_model_is_asked_for_once_at_the_official_place_with_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def no_network(url: str, **options: object) -> Path:
        asked.append((url, options))
        raise ModelError("no network here")

    monkeypatch.delenv("MAGNIFYME_DETECTOR_MODEL", raising=False)
    monkeypatch.setenv("MAGNIFYME_CACHE", str(tmp_path))
    monkeypatch.setattr(face_detector, "fetch", no_network)
    open_detector(notice=lambda text: None)
    ((url, options),) = asked
    assert url.startswith("https://media.githubusercontent.com/media/opencv/opencv_zoo/82b38c8f98e7b52aa")
    assert options["sha256"] == face_detector.YUNET_SHA256
    assert options["path"] == download.cache_dir() / face_detector.YUNET_NAME
    assert float(str(options["limit_s"])) <= 5.0
