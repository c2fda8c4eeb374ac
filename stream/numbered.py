"""Folders of numbered pictures, as data sets of micro-expressions come."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from .errors import NotAVideo, SourceNotFound, SourceRefused

_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"])
# The last number of a name counts: `006_05562.jpg` is picture 5562 of subject 6.
_LAST_NUMBER = re.compile(r"(\d+)\D*$")


def picture_files(folder: Path) -> list[Path]:
    """List the pictures that lie in a folder, by their suffix; hidden files are passed over.

    Raises SourceNotFound, or SourceRefused where it must not be read.
    """
    try:
        return [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.name.startswith(".")
        ]
    except PermissionError:
        raise SourceRefused(f"{folder} must not be read by you: see its permissions") from None
    except OSError:
        raise SourceNotFound(f"{folder}: no such folder") from None


def numbered_pictures(folder: Path) -> tuple[list[tuple[int, Path]], list[str]]:
    """List the pictures of a folder with the last number in their names, in its order, and what is odd.

    Numbers may be padded with zeros or not; hidden files are passed over. Gaps in the numbering and pictures
    without a number are told in the second list, one line each. Raises SourceNotFound,
    SourceRefused, or NotAVideo where there are no numbered pictures or two with one number.
    """
    files = picture_files(folder)
    if not files:
        kinds = ", ".join(sorted(suffix[1:] for suffix in _SUFFIXES))
        raise NotAVideo(f"{folder} holds no pictures ({kinds}): give a folder that does, or a video")
    found = [(match, path) for path in files if (match := _LAST_NUMBER.search(path.stem))]
    if not found:
        raise NotAVideo(f"the pictures in {folder} have no numbers in their names: number them")
    pictures = sorted((int(match[1]), path) for match, path in found)
    for (number, path), (other, twin) in pairwise(pictures):
        if number == other:
            raise NotAVideo(
                f"{folder} holds two pictures with number {number}, {path.name} and {twin.name}: "
                "give each series a folder of its own"
            )
    odd = []
    if len(found) < len(files):
        odd.append(_count(len(files) - len(found), "picture") + " without a number left out")
    holes = [later - earlier - 1 for (earlier, _), (later, _) in pairwise(pictures) if later > earlier + 1]
    if holes:
        odd.append(f"{_count(len(holes), 'gap')} in the numbering: {_count(sum(holes), 'picture')} missing")
    return pictures, odd


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
