"""Folders of numbered pictures, as data sets of micro-expressions come: read in order, written beside."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from .callbacks import Notice, Progress
from .errors import SourceError, StoreError
from .frame import eight_bit, plane_view
from .magnification import Magnification
from .numbered import numbered_pictures
from .picture_file import exchange_luma, read_picture
from .whole import whole_folder

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
    progress: Progress,
    notice: Notice,
) -> int:
    """Magnify the numbered pictures of a folder into one or more folders; gives the count of those read.

    They are read once, whatever the number of `outputs`, each a folder and what is done to it. Names and
    kind stay (without loss, but jpg at quality 95); gray stays gray, transparency is kept where
    the kind has it. Pictures of more than 8 bits become 8. A picture's time is its number over the rate.
    """
    numbered, odd = numbered_pictures(source)
    if fps is None:
        raise SourceError(f"{source} is a folder of pictures, which have no rate: say it, as in --fps 200")
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
        for done, (stored, planar) in enumerate(_ahead(pool, paths), start=1):
            deep += stored.format.components[0].bits > 8
            for folder, magnifier in zip(folders, magnifiers, strict=True):
                luma = magnifier(plane_view(planar.planes[0]), time=times[done - 1])
                path = folder / paths[done - 1].name
                written.append(pool.submit(_finish, stored, planar=planar, luma=luma, path=path))
            while len(written) > _AHEAD:
                written.popleft().result()
            progress(done, len(paths))
        for future in written:
            future.result()
    if deep:
        notice(f"pictures with 16 bits a sample: {deep}; this version magnifies and writes 8")
    return len(paths)


def write_picture(picture: NDArray[np.uint8], *, path: Path) -> None:
    """Write a picture in the kind that its name says."""
    done, data = cv2.imencode(path.suffix.lower(), picture, _QUALITY.get(path.suffix.lower(), []))
    if not done:
        raise StoreError(f"{path.name} cannot be written as {path.suffix}")
    data.tofile(path)


def _finish(stored: av.VideoFrame, *, planar: av.VideoFrame, luma: NDArray[np.uint8], path: Path) -> None:
    write_picture(exchange_luma(stored, planar=planar, luma=luma), path=path)


def _read(path: Path) -> tuple[av.VideoFrame, av.VideoFrame]:
    stored = read_picture(path)
    return stored, eight_bit(stored)


def _ahead(pool: ThreadPoolExecutor, paths: list[Path]) -> Iterator[tuple[av.VideoFrame, av.VideoFrame]]:
    """Yield the pictures in order, as stored and in planes, while the next ones are being read."""
    reading: deque[Future[tuple[av.VideoFrame, av.VideoFrame]]] = deque()
    for path in paths:
        reading.append(pool.submit(_read, path))
        if len(reading) > _AHEAD:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()
