"""Folders of numbered pictures, as data sets of micro-expressions come: read in order, written beside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import NotAVideo, SourceError, StoreError
from .magnification import Magnification
from .numbered import numbered_pictures
from .whole import whole_folder

Picture = NDArray[np.uint8] | NDArray[np.uint16]

# 95 keeps what is magnified; full chroma resolution, so that colour is not averaged again.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# Above 100, WebP is lossless.
_QUALITY = {".jpg": _JPEG, ".jpeg": _JPEG, ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101]}
# Pictures read before they are needed, and written while others are magnified: hides the disk's waits.
_AHEAD = 8


def magnify_folder(
    source: Path,
    *,
    outputs: Sequence[tuple[Path, Magnification]],
    fps: float | None,
    progress: Callable[[int, int | None], None],
    notice: Callable[[str], None],
) -> int:
    """Magnify the numbered pictures of a folder into one or more folders; gives the count of those read.

    They are read once, whatever the number of `outputs`, each a folder and what is done to it. Names and
    kind stay (without loss, but jpg at quality 95); gray stays gray, transparency is kept where
    the kind has it. Pictures of more than 8 bits become 8. A picture's time is its number over the rate.
    """
    if fps is None:
        raise SourceError(f"{source.name} is a folder of pictures, which tell no rate: give --fps")
    numbered, odd = numbered_pictures(source)
    for line in odd:
        notice(line)
    magnifiers = [magnification.magnifier(fps) for _, magnification in outputs]
    paths = [path for _, path in numbered]
    times = [(number - numbered[0][0]) / fps for number, _ in numbered]
    deep = 0
    with ExitStack() as stack:
        folders = [stack.enter_context(whole_folder(target)) for target, _ in outputs]
        pool = stack.enter_context(ThreadPoolExecutor(thread_name_prefix="pictures"))
        written: deque[Future[None]] = deque()
        for done, picture in enumerate(_ahead(pool, paths), start=1):
            path = paths[done - 1]
            deep += picture.dtype != np.uint8
            shallow = to_8_bits(picture)
            luma = luma_of(shallow)
            for folder, magnifier in zip(folders, magnifiers, strict=True):
                magnified = magnifier(luma, time=times[done - 1])
                result = exchange_luma(shallow, before=luma, after=magnified)
                written.append(pool.submit(write_picture, result, path=folder / path.name))
            while len(written) > _AHEAD:
                written.popleft().result()
            progress(done, len(paths))
        for future in written:
            future.result()
    if deep:
        notice(f"pictures with 16 bits a sample: {deep}; this version magnifies and writes 8")
    return len(paths)


def read_picture(path: Path) -> Picture:
    """Read a picture: gray [H, W], BGR [H, W, 3] or BGRA [H, W, 4], uint8 or uint16."""
    # JPEG says by a tag which way is up and its writer writes none: its pixels are turned upright here.
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if jpeg else cv2.IMREAD_UNCHANGED
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise NotAVideo(f"{path.name} cannot be read: {error}") from error
    if picture is None:
        raise NotAVideo(f"{path.name} is not a picture that can be read")
    if picture.dtype not in (np.uint8, np.uint16):
        raise NotAVideo(f"{path.name} has {picture.dtype} samples: 8 or 16 bits can be read")
    return cast("Picture", picture)


def write_picture(picture: NDArray[np.uint8], *, path: Path) -> None:
    """Write a picture in the kind that its name says."""
    done, data = cv2.imencode(path.suffix.lower(), picture, _QUALITY.get(path.suffix.lower(), []))
    if not done:
        raise StoreError(f"{path.name} cannot be written as {path.suffix}")
    data.tofile(path)


def to_8_bits(picture: Picture) -> NDArray[np.uint8]:
    """Scale 16 bits a sample to 8; 8 stay as they are."""
    if picture.dtype == np.uint8:
        return cast("NDArray[np.uint8]", picture)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1 / 257), np.uint8)


def luma_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compute the luma [H, W] of a picture (ITU-R BT.601); a gray picture is its own."""
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2GRAY), np.uint8)


def exchange_luma(
    picture: NDArray[np.uint8], *, before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Give the picture its magnified luma, chroma and transparency untouched.

    The colour differences R - Y and B - Y are the chroma, so adding the change of Y to R, G and B keeps it,
    without the rounding of a way through another colour space.
    """
    if picture.ndim == 2:
        return after
    change = cv2.subtract(after, before, dtype=cv2.CV_16S)
    colour = cv2.add(picture[:, :, :3], cv2.merge([change, change, change]), dtype=cv2.CV_8U)
    if picture.shape[2] == 4:
        colour = np.dstack([colour, picture[:, :, 3]])
    return np.asarray(colour, np.uint8)


def _ahead(pool: ThreadPoolExecutor, paths: list[Path]) -> Iterator[Picture]:
    """Yield the pictures in order while the next ones are being read."""
    reading: deque[Future[Picture]] = deque()
    for path in paths:
        reading.append(pool.submit(read_picture, path))
        if len(reading) > _AHEAD:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()
