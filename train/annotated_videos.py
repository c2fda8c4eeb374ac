"""Long videos with their annotations, as MEGC spots in them: CAS(ME)² and SAMM Long Videos.

Copies of these sets differ. A row that cannot be used is told with sheet, row and reason, and left out; it
never vanishes. The layouts are those that the published baselines read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from magnifyme.stream.errors import NotAVideo, SourceNotFound
from magnifyme.stream.numbered import numbered_pictures, picture_files

Dataset = Literal["casme-sq", "sammlv"]
RATES: dict[Dataset, float] = {"casme-sq": 30.0, "sammlv": 200.0}
"""Frames a second of each data set."""

_SHEETS: dict[Dataset, tuple[str, ...]] = {
    "casme-sq": ("CAS(ME)^2code_final*.xlsx", "code_final*.xlsx"),
    "sammlv": ("SAMM_LongVideos_V*_Release.xlsx",),
}
_EMOTIONS_OF_SAMM = "SAMM*Micro_FACS_Codes_v2.xlsx"
_SAMM_HEADER = "Subject"
_FOUR_DIGITS = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class TrueInterval:
    """An annotated movement in seconds from the video's first picture; `emotion` None where none is given."""

    onset: float
    offset: float
    kind: Literal["micro", "macro"]
    emotion: str | None = None


@dataclass(slots=True)
class LongVideo:
    """A folder of numbered pictures at `fps`, whose face it is, and what was annotated in it, if anything."""

    name: str
    subject: str
    folder: Path
    fps: float
    true: list[TrueInterval] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    """What a sheet says, in numbers of pictures; `place` names the row for people."""

    place: str
    video: str
    onset: Any
    apex: Any
    offset: Any
    kind: str
    emotion: str | None


def load_long_videos(root: Path, *, dataset: Dataset) -> tuple[list[LongVideo], list[str]]:
    """Read a data set's videos, those without events too, and what of its sheet could not be used.

    Raises SourceNotFound where the sheet is missing, NotAVideo where there are no videos or it is no sheet.
    """
    found = [path for pattern in _SHEETS[dataset] for path in sorted(root.glob(pattern))]
    if not found:
        raise SourceNotFound(f"{root} holds no {_SHEETS[dataset][0]}: give the folder of the data set")
    videos = {video.name: video for video in _folders(root, dataset=dataset)}
    if not videos:
        where = "rawpic/s15/15_0101…" if dataset == "casme-sq" else "SAMM_longvideos/006_1"
        raise NotAVideo(f"{root} holds no videos: they are folders of pictures such as {where}")
    rows, problems = _casme_rows(found[-1]) if dataset == "casme-sq" else _samm_rows(found[-1])
    for row in rows:
        reason = _add(row, videos)
        if reason is not None:
            problems.append(f"{row.place}: {reason}")
    for video in videos.values():
        video.true.sort(key=lambda event: event.onset)
    return sorted(videos.values(), key=lambda video: video.name), problems


def _folders(root: Path, *, dataset: Dataset) -> Iterator[LongVideo]:
    """Yield the videos: named `s15/0101` in CAS(ME)², `006_1` in SAMM."""
    fps = RATES[dataset]
    if dataset == "sammlv":
        for folder in sorted(root.glob("SAMM_longvideos/*")):
            if folder.is_dir() and picture_files(folder):
                yield LongVideo(folder.name, folder.name.split("_")[0], folder, fps)
        return
    for folder in sorted(root.glob("rawpic/*/*")):
        code = _FOUR_DIGITS.search(folder.name.partition("_")[2])
        if folder.is_dir() and code and picture_files(folder):
            subject = folder.parent.name.lower()
            yield LongVideo(f"{subject}/{code[0]}", subject, folder, fps)


def _casme_rows(sheet: Path) -> tuple[list[_Row], list[str]]:
    """Read subject, video, onset, apex, offset, units, emotion, type; two more sheets say what codes mean."""
    sheets = _read(sheet)
    if len(sheets) < 3:
        raise NotAVideo(f"{sheet.name} has {len(sheets)} sheets instead of 3: it lacks the naming rules")
    subjects = {_text(row[2]): _text(row[1]).lower() for row in sheets[1] if len(row) > 2}
    codes = {_text(row[1]): _text(row[0]).zfill(4) for row in sheets[2] if len(row) > 1}
    rows, problems = [], []
    for number, row in enumerate(sheets[0], 1):
        place = f"{sheet.name}, row {number}"
        if not any(cell is not None for cell in row):
            continue
        if len(row) < 8:
            problems.append(f"{place}: it has {len(row)} cells instead of 8")
            continue
        subject, code = subjects.get(_text(row[0])), codes.get(_text(row[1]).split("_")[0])
        if subject is None or code is None:
            unknown = f"subject {row[0]!r}" if subject is None else f"video {row[1]!r}"
            problems.append(f"{place}: the naming rules do not know {unknown}")
            continue
        emotion = _text(row[6]).lower() or None
        rows.append(_Row(place, f"{subject}/{code}", row[2], row[3], row[4], _text(row[7]), emotion))
    return rows, problems


def _samm_rows(sheet: Path) -> tuple[list[_Row], list[str]]:
    """Read Subject, Filename, Inducement Code, Onset, Apex, Offset, Duration, Type below the header."""
    rows, problems = [], []
    emotions = _samm_emotions(sheet.parent)
    for number, row in _below_header(_read(sheet)[0], sheet=sheet):
        place = f"{sheet.name}, row {number}"
        if len(row) < 8 or row[1] is None:
            problems.append(f"{place}: it has no file name or no type")
            continue
        name = _text(row[1])
        video = "_".join(name.split("_")[:2])
        rows.append(_Row(place, video, row[3], row[4], row[5], _text(row[7]), emotions.get(name)))
    return rows, problems


def _samm_emotions(root: Path) -> dict[str, str]:
    """Read the emotions from SAMM's own sheet, if it lies beside: long videos have none."""
    emotions = {}
    for sheet in sorted(root.glob(_EMOTIONS_OF_SAMM)):
        for _, row in _below_header(_read(sheet)[0], sheet=sheet):
            if len(row) > 9 and row[1] is not None and row[9] is not None:
                emotions[_text(row[1])] = _text(row[9]).lower()
    return emotions


def _below_header(rows: Sequence[Sequence[Any]], *, sheet: Path) -> Iterable[tuple[int, Sequence[Any]]]:
    """Number the rows after the one that begins with "Subject": how much text stands before it varies."""
    header = next((k for k, row in enumerate(rows) if row and _text(row[0]) == _SAMM_HEADER), None)
    if header is None:
        raise NotAVideo(f"{sheet.name} has no row that begins with {_SAMM_HEADER}: is it the right sheet?")
    return [
        (number, row)
        for number, row in enumerate(rows[header + 1 :], header + 2)
        if any(cell is not None for cell in row)
    ]


def _add(row: _Row, videos: dict[str, LongVideo]) -> str | None:
    """Add a row to its video, or say why not."""
    video = videos.get(row.video)
    if video is None:
        return f"there are no pictures of {row.video}"
    kind: Literal["micro", "macro"]
    if row.kind.lower().startswith("micro"):
        kind = "micro"
    elif row.kind.lower().startswith("macro"):
        kind = "macro"
    else:
        return f"its type is {row.kind!r}, neither micro nor macro"
    # An offset of 0 means that the apex is the last that was annotated.
    onset, offset = _number(row.onset), _number(row.offset) or _number(row.apex)
    if onset is None or offset is None:
        return f"onset {row.onset!r} and offset {row.offset!r} are no numbers of pictures"
    numbers = [number for number, _ in numbered_pictures(video.folder)[0]]
    if not numbers[0] <= onset < offset <= numbers[-1]:
        return (
            f"onset {onset} and offset {offset} are out of order, or not among the pictures "
            f"{numbers[0]} to {numbers[-1]}"
        )
    first = numbers[0]
    video.true.append(
        TrueInterval((onset - first) / video.fps, (offset - first) / video.fps, kind, row.emotion)
    )
    return None


def _read(sheet: Path) -> list[list[tuple[Any, ...]]]:
    """Read all sheets of a workbook as rows of values."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(sheet, read_only=True, data_only=True)
    except Exception as error:
        raise NotAVideo(f"{sheet.name} cannot be read as an Excel sheet: {error}") from error
    try:
        return [list(page.iter_rows(values_only=True)) for page in book.worksheets]
    finally:
        book.close()


def _text(cell: Any) -> str:
    """Give a cell as text: 15, 15.0 and "15 " are the same."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _number(cell: Any) -> int | None:
    text = _text(cell)
    return int(text) if text.isdecimal() else None
