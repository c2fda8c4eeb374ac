"""Files and folders that appear whole or not at all, and never in place of what nobody gave up.

What is being written stands under a hidden neighbour's name and takes its own name at the end. An error,
Ctrl-C or a full disk therefore leaves no half file, and never costs the file that stood there before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import StoreError, reason


def same_file(one: str | Path, other: str | Path) -> bool:
    """Tell whether two names mean one file: by links, by other ways to it, and before it is there."""
    if os.path.exists(one) and os.path.exists(other):  # noqa: PTH110 - Path.exists raises for a long name
        return os.path.samefile(one, other)  # noqa: PTH121
    return os.path.realpath(one) == os.path.realpath(other)


def refuse_input(target: Path, *, source: str | Path) -> None:
    """Raise StoreError where a file to write is the one that is read."""
    if same_file(source, target):
        raise StoreError(f"{target} is the input itself: give the output another name")


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise StoreError where something stands under the name of a file to write, and is to stay."""
    if os.path.lexists(target) and not overwrite:
        raise StoreError(f"{target} exists: give another name, or --overwrite to replace it")


def refuse_missing_folder(target: Path) -> None:
    """Raise StoreError where the folder of a file to write is not there."""
    if not target.absolute().parent.is_dir():
        raise StoreError(f"{target} cannot be written: there is no folder {target.parent}; make it first")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a neighbouring name to write to; on leaving without an error it becomes `path`, on disk."""
    partial = _neighbour(path)
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        # Where nothing can be written nothing can be removed either: that would hide the first error.
        with suppress(OSError):
            partial.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a new neighbouring folder to fill; on leaving without an error its files are in `path`.

    A folder that stood there keeps its other files: only those of equal name are replaced.
    """
    partial = _neighbour(path)
    try:
        partial.mkdir()
        yield partial
        for file in partial.iterdir():
            _sync(file)
        if path.exists():
            for file in partial.iterdir():
                file.replace(path / file.name)
            _sync(path)
        else:
            partial.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _neighbour(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        # Windows cannot open a folder, and some network file systems cannot sync one.
        if not folder:
            raise
