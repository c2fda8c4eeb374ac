"""One picture that shows what magnification did: original, magnified, and a time slice of each.

A time slice is one line of pixels over time: what stands still draws straight lines, what moves along the
line draws waves. Motion up and down is shown by a column, time going to the right; motion to the sides by a
row, time going down. The line is the one where most was changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import NotAVideo
from .frame import Frame
from .sheet import check_sheet, write_sheet
from .source import open_source

Picture = NDArray[np.uint8]

_LONGEST_PX, _SHORTEST_PX = 720, 320  # The longer side of a panel: larger pictures shrink, smaller grow.
_SLICE_FRAMES = 600
_GAP_PX = 10
_FONT, _INK, _PAPER, _MARK = cv2.FONT_HERSHEY_SIMPLEX, (40, 40, 40), 255, (60, 60, 230)


@dataclass(frozen=True, slots=True)
class _Place:
    """The line where most was changed, a column or a row, the frame where it peaks, the slice's frames."""

    kind: Literal["column", "row"]
    line: int
    frame: int
    frames: range


def write_preview(path: Path, *, original: Path, magnified: Path, fps: float | None = None) -> None:
    """Draw into `path` (.png or .jpg) two films, or folders of pictures, of the same frames.

    `fps` is the rate of folders of pictures. The slice covers 600 frames at most, around the frame where most
    was changed. Raises SourceError where they cannot be read, StoreError where `path` cannot be written.
    """
    check_sheet(path)
    place = _find(original, magnified=magnified, fps=fps)
    sheet = np.hstack(
        [
            _half(source, place=place, fps=fps, name=name)
            for source, name in ((original, "original"), (magnified, "magnified"))
        ]
    )
    write_sheet(path, sheet)


def _find(original: Path, *, magnified: Path, fps: float | None) -> _Place:
    """Look where, when and in which direction the two differ most."""
    total: NDArray[np.float64] | None = None
    along = np.zeros(2)
    strongest, peak, count = -1.0, 0, 0
    for before, after in zip(_frames(original, fps), _frames(magnified, fps), strict=False):
        change = cv2.subtract(after.luma, before.luma, dtype=cv2.CV_32F)
        amount = np.abs(change)
        total = amount.astype(np.float64) if total is None else total + amount
        # Motion by d changes a picture by -d times its slope: the slope that fits tells the direction.
        for axis, order in enumerate(((1, 0), (0, 1))):
            slope = cv2.Sobel(before.luma, cv2.CV_32F, *order)
            along[axis] += float(np.vdot(change, slope)) ** 2 / max(float(np.vdot(slope, slope)), 1.0)
        if (mean := float(amount.mean())) > strongest:
            strongest, peak = mean, count
        count += 1
    if total is None:
        raise NotAVideo(f"{original.name} and {magnified.name} have no frames in common")
    kind: Literal["row", "column"] = "row" if along[0] > along[1] else "column"
    amounts = total.mean(axis=1 if kind == "row" else 0)
    # Neighbours vote too: a single line may be a flaw of the sensor's.
    line = int(cv2.blur(amounts.reshape(1, -1), (5, 1)).argmax())
    first = max(0, min(peak - _SLICE_FRAMES // 2, count - _SLICE_FRAMES))
    return _Place(kind, line, peak, range(first, min(first + _SLICE_FRAMES, count)))


def _half(source: Path, *, place: _Place, fps: float | None, name: str) -> Picture:
    """Draw a film's frame with the line marked, and below it the line over time."""
    lines: list[Picture] = []
    times: list[float] = []
    shown: Picture | None = None
    for index, frame in enumerate(islice(_frames(source, fps), place.frames.stop)):
        if index not in place.frames:
            continue
        picture = frame.bgr()
        if index == place.frame:
            shown = picture
        lines.append(picture[place.line] if place.kind == "row" else picture[:, place.line])
        times.append(frame.time)
    if shown is None:
        raise NotAVideo(f"{source.name} ended before frame {place.frame}: it was changed meanwhile")
    scale = _scale(shown)
    height, width = (max(1, round(length * scale)) for length in shown.shape[:2])
    panel = _fit(shown, width=width, height=height)
    at = round((place.line + 0.5) * scale)
    start, end = ((0, at), (width, at)) if place.kind == "row" else ((at, 0), (at, height))
    cv2.line(panel, start, end, _MARK, 1)
    trace = _fit(np.stack(lines, axis=0 if place.kind == "row" else 1), width=width, height=height)
    way = "down" if place.kind == "row" else "to the right"
    title = f"the marked {place.kind} over {times[-1] - times[0]:.2g} s (time goes {way})"
    return np.vstack([_titled(panel, name), _titled(trace, title)])


def _frames(source: Path, fps: float | None) -> Iterator[Frame]:
    """Yield the frames of a film or folder, up to the first of another size."""
    # By its whole name: "7" would be a camera.
    with open_source(source.absolute(), fps=fps if source.is_dir() else None) as opened:
        size: tuple[int, int] | None = None
        for frame in opened:
            size = size or frame.size
            if frame.size != size:
                return
            yield frame


def _scale(picture: Picture) -> float:
    longer = int(max(picture.shape[:2]))
    if longer > _LONGEST_PX:
        return _LONGEST_PX / longer
    return float(max(1, -(-_SHORTEST_PX // longer)))


def _fit(picture: Picture, *, width: int, height: int) -> Picture:
    shrinks = width < picture.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.ascontiguousarray(cv2.resize(picture, (width, height), interpolation=kind), np.uint8)


def _titled(panel: Picture, title: str) -> Picture:
    """Put a panel on paper, with its title above."""
    size = 0.45
    head = 26
    sheet = np.full((panel.shape[0] + head + _GAP_PX, panel.shape[1] + 2 * _GAP_PX, 3), _PAPER, np.uint8)
    sheet[head:-_GAP_PX, _GAP_PX:-_GAP_PX] = panel
    cv2.putText(sheet, title, (_GAP_PX, head - 8), _FONT, size, _INK, 1, cv2.LINE_AA)
    return sheet
