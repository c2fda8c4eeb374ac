"""The preview: a picture that people judge the magnification by must show the right line of pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.stream.errors import NotAVideo, SourceNotFound, StoreError
from magnifyme.stream.preview import write_preview
from program import Here

HEAD, GAP = 26, 10  # of a panel, in pixels


def write_bars(folder: Path, *, gain: float, upright: bool, size: tuple[int, int]) -> Path:
    """Write 40 pictures of one edge, two thirds along a line, that sways by `gain` px; the rest is still."""
    folder.mkdir()
    width, height = size
    length = width if upright else height
    place = 2 * length // 3
    for index in range(40):
        edge = place + gain * np.sin(2 * np.pi * index / 20)
        line = np.clip(20.0 + 180.0 / (1.0 + np.exp(-(np.arange(length) - edge))), 0, 255)
        picture = np.full((height, width), 90.0)
        if upright:
            picture[height // 2 : height // 2 + 3] = line
        else:
            picture[:, width // 2 : width // 2 + 3] = line[:, None]
        cv2.imwrite(str(folder / f"{index}.png"), picture.astype(np.uint8))
    return folder


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("size", [(320, 330), (401, 323), (60, 47)])
def test_the_slice_shows_what_moved(upright: bool, size: tuple[int, int], tmp_path: Path) -> None:
    """The line goes through what moves, along its motion; the magnified slice waves, not the original's."""
    original = write_bars(tmp_path / "a", gain=0.0, upright=upright, size=size)
    magnified = write_bars(tmp_path / "b", gain=4.0, upright=upright, size=size)
    write_preview(tmp_path / "p.png", original=original, magnified=magnified, fps=20.0)
    sheet = cv2.imread(str(tmp_path / "p.png"))
    assert sheet is not None
    half = sheet.shape[1] // 2
    height = sheet.shape[0] // 2
    panels = [
        sheet[row * height + HEAD : (row + 1) * height - GAP, side * half + GAP : (side + 1) * half - GAP]
        for row in (0, 1)
        for side in (0, 1)
    ]
    scale = panels[0].shape[1] // size[0]
    assert panels[0].shape[:2] == (size[1] * scale, size[0] * scale)
    red = (panels[0].astype(int)[..., 2] - panels[0].astype(int)[..., 0]) > 100
    across = red.mean(axis=1 if upright else 0) > 0.9
    assert across.sum() == 1
    middle = (size[1] if upright else size[0]) // 2
    assert middle <= int(across.argmax()) / scale < middle + 3
    # Along time the original's slice stands still, the magnified one moves.
    time_axis = 0 if upright else 1
    still, moving = (np.ptp(panel[..., 0].astype(int), axis=time_axis).max() for panel in panels[2:])
    assert still == 0
    assert moving > 100


def test_previews_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A wrong name is told before the work, and never costs a file."""
    film = write_bars(tmp_path / "a", gain=0.0, upright=True, size=(32, 32))
    for name, words in (("p.gif", "png"), ("missing/p.png", "no folder")):
        with pytest.raises(StoreError, match=words):
            write_preview(tmp_path / name, original=film, magnified=film, fps=20.0)
    with pytest.raises(SourceNotFound):
        write_preview(tmp_path / "p.png", original=film, magnified=tmp_path / "none", fps=20.0)
    other = tmp_path / "empty"
    other.mkdir()
    with pytest.raises(NotAVideo):
        write_preview(tmp_path / "p.png", original=film, magnified=other, fps=20.0)
    assert not (tmp_path / "p.png").exists()


def test_the_command_draws_it(tmp_path: Path, here: Here) -> None:
    """`--preview` beside the output, of a single folder; of a whole data set it is refused."""
    write_bars(tmp_path / "in", gain=0.3, upright=True, size=(64, 48))

    done = here("magnify", "in", "out", "--fps", "100", "--preview", "p.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sheet: NDArray[np.uint8] | None = cv2.imread(str(tmp_path / "p.png"))  # type: ignore[assignment]
    assert sheet is not None
    assert min(sheet.shape[:2]) > 400
    for arguments in (("--preview", "p.gif"), ("--preview", "q.png", "--factor", "5", "--factor", "6")):
        done = here("magnify", "in", "out2", "--fps", "100", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "out2").exists()


def test_a_film_whose_name_is_a_number_is_no_camera(tmp_path: Path, here: Here) -> None:
    """`7` on the command line is a file here, as it is for the rest of `magnify`."""
    write_bars(tmp_path / "7", gain=0.3, upright=True, size=(64, 48))
    done = here("magnify", "7", "8", "--fps", "100", "--preview", "p.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.png").exists()
