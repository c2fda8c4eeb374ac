"""A picture drawn for people, in a file of its own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import StoreError
from .whole import refuse_missing_folder, whole_file

_KINDS = (".png", ".jpg")


def check_sheet(path: Path) -> None:
    """Raise StoreError if `path` cannot be a drawn picture: told before any work."""
    if path.suffix.lower() not in _KINDS:
        raise StoreError(f"{path.name} is no name for a picture: let it end in {' or '.join(_KINDS)}")
    refuse_missing_folder(path)


def write_sheet(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a BGR picture [H, W, 3] as .png or .jpg, whole; raise StoreError where that cannot be."""
    check_sheet(path)
    done, data = cv2.imencode(path.suffix.lower(), picture)
    if not done:
        raise StoreError(f"{path.name} cannot be written as {path.suffix}")
    with whole_file(path.absolute()) as partial:
        data.tofile(partial)
