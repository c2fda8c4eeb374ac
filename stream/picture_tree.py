"""A data set magnified as it lies: a tree of folders of numbered pictures, and beside it one tree a factor.

`OUT/x10/006/006_1_2/006_05562.jpg` is what `IN/006/006_1_2/006_05562.jpg` becomes at factor 10. A clip's
folder appears whole or not at all, so that work that was stopped goes on with the clips that are missing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .callbacks import Notice, Progress
from .errors import NotAVideo, SourceError, SourceNotFound, SourceRefused, StoreError, reason
from .magnification import Magnification
from .numbered import numbered_pictures, picture_files
from .picture_folder import magnify_folder
from .whole import whole_file

Output = tuple[Path, Magnification]

# What says how a tree was made: pictures of two recipes never mix.
_RECIPE = "magnification.json"
# Annotations go with their pictures, so that each tree is the data set in full.
_SHEETS = frozenset([".xlsx", ".xls", ".csv", ".txt"])


@dataclass(slots=True)
class TreeDone:
    """Say what was done: clips magnified, clips found done, pictures written, seconds, and what failed."""

    clips: int = 0
    skipped: int = 0
    pictures: int = 0
    seconds: float = 0.0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Clip:
    """A folder of so many pictures, its name below the root, and the outputs that lack it."""

    name: str
    folder: Path
    pictures: int
    missing: list[Output]


def holds_clips(source: Path) -> bool:
    """Tell whether a folder has folders below it that hold pictures."""
    return source.is_dir() and any(folder != source for folder in _folders(source))


def is_tree(source: Path) -> bool:
    """Tell whether a folder holds no pictures itself, but folders that do."""
    return holds_clips(source) and not picture_files(source)


def magnify_tree(
    source: Path,
    *,
    target: Path,
    magnifications: Sequence[Magnification],
    fps: float | None,
    overwrite: bool = False,
    progress: Progress,
    notice: Notice,
) -> TreeDone:
    """Magnify every folder of numbered pictures below `source` into `target`/x<factor>, names as they are.

    Pictures are read once for all `magnifications`, whose factors differ. `fps` is the camera's rate.
    Annotation sheets are copied. A clip that is there already with all its pictures is passed over;
    `overwrite` begins with empty trees. `progress` is told the pictures written and those to write. A clip
    that cannot be read is told to `notice`, named in `failed`, and costs no other.

    Raises SourceError where there is nothing to magnify, StoreError where the trees cannot be written or
    were magnified otherwise, MagnifyError for a factor, band, method or device that cannot be.
    """
    started = time.monotonic()
    source, target = source.absolute(), target.absolute()
    _check(source, target=target)
    if fps is None:
        raise SourceError(f"{source.name} holds folders of pictures, which tell no rate: give --fps")
    for magnification in magnifications:
        magnification.magnifier(fps)
    trees = [(target / f"x{magnification.factor:g}", magnification) for magnification in magnifications]
    if len({tree for tree, _ in trees}) < len(trees):
        raise StoreError("a factor is named twice: name each once")
    folders = list(_folders(source))
    if not folders:
        raise NotAVideo(f"{source} holds no pictures, nor do its folders: give a folder that does")
    for tree, magnification in trees:
        _claim(tree, magnification=magnification, fps=fps, overwrite=overwrite)
    clips = [_clip(folder, source=source, trees=trees) for folder in folders]

    done = TreeDone(skipped=sum(not clip.missing for clip in clips))
    total = sum(clip.pictures * len(clip.missing) for clip in clips)
    progress(0, total)
    for clip in clips:
        if not clip.missing:
            continue
        try:
            written = _magnify_clip(
                clip, fps=fps, progress=lambda count, _: progress(done.pictures + count, total), notice=notice
            )
        except SourceError as error:
            done.failed.append(clip.name)
            notice(f"{clip.name} is left out: {error}")
            continue
        done.clips += 1
        done.pictures += written
    for tree, _ in trees:
        _copy_sheets(source, tree=tree, overwrite=overwrite)
    done.seconds = time.monotonic() - started
    return done


def _magnify_clip(clip: _Clip, *, fps: float, progress: Progress, notice: Notice) -> int:
    """Write a clip's missing outputs; gives the number of pictures written."""
    outputs = len(clip.missing)
    for folder, _ in clip.missing:
        _make(folder.parent)
    return outputs * magnify_folder(
        clip.folder,
        outputs=clip.missing,
        fps=fps,
        progress=lambda done, total: progress(done * outputs, total),
        notice=lambda line: notice(f"{clip.name}: {line}"),
    )


def _check(source: Path, *, target: Path) -> None:
    if not source.is_dir():
        raise SourceNotFound(f"{source}: no such folder; several factors are for folders of pictures")
    if target.is_file():
        raise StoreError(f"{target} is a file, but folders of pictures give a folder: name another")
    inner, outer = target.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise StoreError(f"{target} and {source} lie in one another: give a folder of its own for the output")


def _folders(source: Path) -> Iterator[Path]:
    """Yield the folders that hold pictures, the root too, in order; links are followed, but never round."""
    seen: set[str] = set()
    for name, below, _ in os.walk(source, onerror=_refuse, followlinks=True):
        place = os.path.realpath(name)
        if place in seen:
            below.clear()
            continue
        seen.add(place)
        below[:] = sorted(folder for folder in below if not folder.startswith("."))
        if picture_files(Path(name)):
            yield Path(name)


def _refuse(error: OSError) -> None:
    raise SourceRefused(f"{error.filename} must not be read by you: see its permissions") from error


def _clip(folder: Path, *, source: Path, trees: Sequence[Output]) -> _Clip:
    place = folder.relative_to(source)
    try:
        names = {path.name for _, path in numbered_pictures(folder)[0]}
    except SourceError:
        names = {path.name for path in picture_files(folder)}  # told when it is its turn
    missing = [
        (tree / place, magnification)
        for tree, magnification in trees
        if not all((tree / place / name).exists() for name in names)
    ]
    return _Clip(str(place), folder, len(names), missing)


def _claim(tree: Path, *, magnification: Magnification, fps: float, overwrite: bool) -> None:
    """Write into a tree how it is made, or find that it was made just so.

    What was made otherwise goes first: work that is stopped in the middle must not leave two kinds mixed.
    """
    recipe = {**asdict(magnification), "band_hz": list(magnification.band_hz), "fps": fps}
    del recipe["device"]  # where it was computed changes nothing
    path = tree / _RECIPE
    _make(tree)
    pictures = [picture for folder in _folders(tree) for picture in picture_files(folder)]
    if pictures:
        before = _recipe_in(path)
        if overwrite:
            for picture in pictures:
                picture.unlink()
        elif before != recipe:
            was = ", ".join(f"{key} {before.get(key)}" for key in recipe if before.get(key) != recipe[key])
            raise StoreError(f"{tree} was magnified otherwise ({was}): give another folder, or --overwrite")
    with whole_file(path) as partial:
        partial.write_text(json.dumps(recipe, indent=2) + "\n")


def _recipe_in(path: Path) -> dict[str, object]:
    """Read how a tree was made; a folder of pictures that does not tell is somebody's own, and stays."""
    try:
        recipe = json.loads(path.read_text())
    except (OSError, ValueError):
        recipe = None
    if not isinstance(recipe, dict):
        raise StoreError(f"{path.parent} holds pictures that this program did not make: name another folder")
    return recipe


def _copy_sheets(source: Path, *, tree: Path, overwrite: bool) -> None:
    """Copy the annotations; last, since a clip's folder is to appear with its pictures."""
    for path in source.rglob("*"):
        copy = tree / path.relative_to(source)
        if path.suffix.lower() in _SHEETS and path.is_file() and (overwrite or not copy.exists()):
            _make(copy.parent)
            with whole_file(copy) as partial:
                shutil.copyfile(path, partial)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {reason(error)}") from error
