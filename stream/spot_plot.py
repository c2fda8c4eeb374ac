"""What was found in a film as one picture: the motion of the face's parts over time, the intervals marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import REGIONS
from .spotter import Kind
from .spotting import Found, Spotted

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Parts that are drawn in one row, from the forehead down: what the name of their regions begins with.
_ROWS = (
    ("brows", ("brow",)),
    ("lids", ("eye",)),
    ("nose, cheeks", ("nose", "cheek")),
    ("mouth corners", ("mouth",)),
    ("lips", ("upper_lip", "lower_lip")),
    ("chin", ("chin",)),
)
_MEMBERS = [np.array([k for k, name in enumerate(REGIONS) if name.startswith(starts)]) for _, starts in _ROWS]

# Everything is drawn twice as large and then halved: OpenCV's own smoothing knows no areas.
_FINE = 2
_WIDTH, _LEFT, _RIGHT, _EDGE = 1400, 118, 30, 16
_TITLE, _LANE, _ROW, _GAP, _AXIS = 64, 30, 40, 6, 34
# A strip of 20 s shows a micro-expression a finger wide; a longer film has several, up to so many.
_STRIP_S, _STRIPS = 20.0, 8
_LEAST_SCALE_PX = 0.5  # A row is as high as this or more: noise must look small.
_TICKS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_TICK_APART = 70  # px, so that the labels have room

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _INK, _FAINT, _REST, _NONE = (255, 255, 255), (50, 50, 50), (130, 130, 130), (196, 196, 196), 244
_COLOURS: dict[Kind, Colour] = {"micro": (48, 48, 214), "macro": (176, 110, 30), "blink": (120, 150, 120)}


def draw_spotted(spotted: Spotted) -> Picture:
    """Draw in BGR [H, W, 3], whatever the film's length: up to eight strips, one below the other.

    A row's height is the same number of pixels of the crop in all rows; what goes further (lids do) is cut.
    Coloured is what the interval consists of: its regions, from onset to offset.
    """
    start = float(spotted.times[0])
    strips = min(max(math.ceil(spotted.seconds / _STRIP_S - 1e-6), 1), _STRIPS)
    strip_s = max(spotted.seconds / strips, 1.0)
    scale_px = _scale(spotted)
    sheet = _Sheet(_WIDTH, _TITLE + strips * _strip_height())
    _draw_title(sheet, spotted, scale_px=scale_px)
    for k in range(strips):
        strip = _Strip(sheet, top=_TITLE + k * _strip_height(), start=start + k * strip_s, seconds=strip_s)
        strip.draw(spotted, scale_px=scale_px)
    return sheet.finish()


def _strip_height() -> int:
    return _LANE + len(_ROWS) * (_ROW + _GAP) + _AXIS


def _scale(spotted: Spotted) -> float:
    """Choose the height of a row in pixels of the crop: the strongest expression fills one."""
    lengths = [
        math.hypot(*motion)
        for found in spotted.found
        if found.interval.kind != "blink"
        for motion in found.interval.motion
    ]
    return max([_LEAST_SCALE_PX, *(1.15 * length for length in lengths)])


def _draw_title(sheet: _Sheet, spotted: Spotted, *, scale_px: float) -> None:
    kinds = [found.interval.kind for found in spotted.found]
    name = Path(spotted.name).name
    sheet.text(f"{name}: {spotted.seconds:.1f} s", (_EDGE, 26), size=0.6)
    x = float(_EDGE)
    for kind, colour in _COLOURS.items():
        sheet.box((x, 40), (x + 12, 52), colour)
        label = f"{kinds.count(kind)} {kind}"
        sheet.text(label, (x + 18, 51))
        x += 18 + sheet.width_of(label) + 26
    sheet.text(
        f"how far each part of the face is from rest; rows are {scale_px:.2g} px of the crop high; "
        "gray: not known",
        (x, 51),
        _FAINT,
    )


class _Strip:
    """One piece of the time, drawn over the whole width."""

    def __init__(self, sheet: _Sheet, *, top: int, start: float, seconds: float) -> None:
        self._sheet, self._top, self._start, self._seconds = sheet, top, start, seconds
        self._width = _WIDTH - _LEFT - _RIGHT

    def draw(self, spotted: Spotted, *, scale_px: float) -> None:
        """Draw the rows, the intervals over them, and the time below."""
        end = self._start + self._seconds
        found = [
            one for one in spotted.found if one.interval.offset >= self._start and one.interval.onset <= end
        ]
        self._draw_bands(found)
        lengths = self._columns(spotted)
        for row, ((name, _), members) in enumerate(zip(_ROWS, _MEMBERS, strict=True)):
            self._draw_row(row, name, lengths[:, members].max(axis=1), found=found, scale_px=scale_px)
        self._draw_labels(found)
        self._draw_axis()

    def _columns(self, spotted: Spotted) -> NDArray[np.float64]:
        """Give the largest distance from rest in each column of fine pixels, [columns, R]; NaN for none."""
        columns = self._width * _FINE
        edges = self._start + self._seconds * np.arange(columns + 1) / columns
        first = np.searchsorted(spotted.times, edges[:-1])
        last = np.searchsorted(spotted.times, edges[1:])
        distances = np.hypot(spotted.displacement[..., 0], spotted.displacement[..., 1]).astype(np.float64)
        columns_px = np.full((columns, len(REGIONS)), np.nan)
        # Between two frames a straight line; many frames in a column, the largest.
        middle = (edges[:-1] + edges[1:]) / 2.0
        inside = (middle >= spotted.times[0]) & (middle <= spotted.times[-1])
        for k in range(len(REGIONS)):
            columns_px[inside, k] = np.interp(middle[inside], spotted.times, distances[:, k])
        for column in np.flatnonzero(last - first > 1):
            columns_px[column] = distances[first[column] : last[column]].max(axis=0)
        return columns_px

    def _draw_bands(self, found: Sequence[Found]) -> None:
        top, bottom = self._top + _LANE - 4, self._top + _LANE + len(_ROWS) * (_ROW + _GAP)
        for one in found:
            left, right = self._x(one.interval.onset), self._x(one.interval.offset)
            self._sheet.box((left, top), (right, bottom), _mixed(_COLOURS[one.interval.kind], 0.10))

    def _draw_row(
        self, row: int, name: str, lengths: NDArray[np.float64], *, found: Sequence[Found], scale_px: float
    ) -> None:
        base = self._top + _LANE + row * (_ROW + _GAP) + _ROW
        self._sheet.text(name, (_LEFT - 10 - self._sheet.width_of(name), base - 4))
        known = np.isfinite(lengths)
        heights = np.where(known, np.minimum(lengths / scale_px, 1.0), 0.0) * _ROW
        self._sheet.area(_LEFT, base, heights, _REST)
        for one in found:
            if set(one.interval.regions) & {REGIONS[k] for k in _MEMBERS[row]}:
                left, right = (
                    round((self._x(moment) - _LEFT) * _FINE)
                    for moment in (one.interval.onset, one.interval.offset)
                )
                self._sheet.area(_LEFT + left / _FINE, base, heights[left:right], _COLOURS[one.interval.kind])
        self._sheet.blank(_LEFT, base - _ROW, base, ~known)
        self._sheet.line((_LEFT, base), (_LEFT + self._width, base), (225, 225, 225))

    def _draw_labels(self, found: Sequence[Found]) -> None:
        """Write over the intervals what they are, as far as there is room."""
        free, bottom = float(_LEFT), self._top + _LANE + len(_ROWS) * (_ROW + _GAP)
        for one in found:
            interval, colour = one.interval, _COLOURS[one.interval.kind]
            apex = self._x(interval.apex)
            if interval.kind != "blink":
                self._sheet.line((apex, self._top + _LANE - 4), (apex, bottom), _mixed(colour, 0.55))
            label = "blink" if interval.kind == "blink" else f"{interval.kind} {interval.intensity_px:.1f} px"
            width = self._sheet.width_of(label)
            left = min(max(apex - width / 2, _LEFT), _WIDTH - _EDGE - width)
            if left >= free:
                self._sheet.text(label, (left, self._top + _LANE - 10), colour)
                free = left + width + 8

    def _draw_axis(self) -> None:
        y = self._top + _LANE + len(_ROWS) * (_ROW + _GAP)
        room = self._width / self._seconds
        step = next((tick for tick in _TICKS_S if tick * room >= _TICK_APART), 1800.0)
        tick = math.ceil(self._start / step - 1e-6) * step
        while tick <= self._start + self._seconds + 1e-6:
            x = self._x(tick)
            self._sheet.line((x, y), (x, y + 5), _FAINT)
            label = _clock(tick)
            self._sheet.text(label, (x - self._sheet.width_of(label) / 2, y + 19), _FAINT)
            tick += step

    def _x(self, moment: float) -> float:
        share = min(max((moment - self._start) / self._seconds, 0.0), 1.0)
        return _LEFT + share * self._width


class _Sheet:
    """Paper that is drawn on in pixels of the finished picture, and finer than these."""

    def __init__(self, width: int, height: int) -> None:
        self._picture: Picture = np.full((height * _FINE, width * _FINE, 3), 255, np.uint8)

    def box(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """Fill a rectangle."""
        (left, top), (right, bottom) = _fine(start), _fine(end)
        self._picture[top:bottom, left : max(right, left + 1)] = colour

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """Draw a line one pixel wide."""
        cv2.line(self._picture, _fine(start), _fine(end), colour, _FINE)

    def area(self, left: float, base: float, heights: NDArray[np.float64], colour: Colour) -> None:
        """Fill from `base` up to the height of each fine column."""
        (x, bottom), rows = _fine((left, base)), math.ceil(_ROW * _FINE)
        part = self._picture[bottom - rows : bottom, x : x + len(heights)]
        filled = np.arange(rows, 0, -1)[:, None] <= np.rint(heights * _FINE)
        part[filled] = colour

    def blank(self, left: float, top: float, bottom: float, columns: NDArray[np.bool_]) -> None:
        """Gray out the fine columns of which nothing is known."""
        (x, first), (_, last) = _fine((left, top)), _fine((left, bottom))
        self._picture[first:last, x : x + len(columns)][:, columns] = _NONE

    def text(
        self, text: str, place: tuple[float, float], colour: Colour = _INK, *, size: float = 0.42
    ) -> None:
        """Write from `place`, the left end of the base line."""
        cv2.putText(self._picture, text, _fine(place), _FONT, size * _FINE, colour, _FINE, cv2.LINE_AA)

    @staticmethod
    def width_of(text: str, *, size: float = 0.42) -> float:
        """Measure a text in pixels."""
        return float(cv2.getTextSize(text, _FONT, size * _FINE, _FINE)[0][0]) / _FINE

    def finish(self) -> Picture:
        """Give the picture."""
        height, width = (length // _FINE for length in self._picture.shape[:2])
        return np.asarray(cv2.resize(self._picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _fine(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[0] * _FINE), round(place[1] * _FINE)


def _mixed(colour: Colour, share: float) -> Colour:
    blue, green, red = (round(255 + share * (value - 255)) for value in colour)
    return blue, green, red


def _clock(seconds: float) -> str:
    if seconds < 60.0:
        return f"{seconds:g} s"
    return f"{int(seconds) // 60}:{seconds % 60:02.0f}"
