"""Made micro-expressions in a tree that is laid out as SAMM is, annotation sheet and all.

`006/006_1_1/006_05562.jpg` is picture 5562 of subject 006. The set itself is licensed and stays with those
who have it; this tree lets every step that reads it be tried without.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magnifyme.stream.errors import StoreError
from magnifyme.stream.picture_folder import write_picture
from magnifyme.stream.whole import whole_file, whole_folder

from .acting import MIXTURES, Script, check_reach, express
from .expressions import ACTION_UNITS
from .looks import Looks
from .synthetic import SyntheticSource
from .timeline import TrueEvent

FPS = 200.0
"""SAMM's rate."""

_SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
_RECIPE = "made.json"
_COLUMNS = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"),
    *("Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)
_HEADER_ROW = 14
# Objective classes I to VII (Davison et al. 2018); VII are the others.
_CLASSES = {"happiness": 1, "surprise": 2, "anger": 3, "disgust": 4, "sadness": 5, "fear": 6}
_OTHER_CLASS = 7
_FIRST_SUBJECT = 6
# So much of the face at rest stands before the onset and after the offset.
_LEAD_S = 0.3
_PICTURES = ("jpg", "png")
_CLIP = re.compile(r"(\d{3})_\d_\d+")


@dataclass(slots=True)
class Samm:
    """Say what was done: clips written, clips that were there already, and pictures written."""

    clips: int = 0
    skipped: int = 0
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class _Clip:
    """One clip to make: its subject, name and event, the number of its first picture, and how it is drawn."""

    subject: str
    name: str
    code: int
    event: TrueEvent
    first: int
    frames: int
    identity: int
    seed: int

    def number(self, at: float) -> int:
        return self.first + round(at * FPS)


def write_made_samm(
    target: Path,
    *,
    subjects: int = 5,
    clips: int = 4,
    seed: int = 0,
    size: tuple[int, int] = (640, 480),
    pictures: str = "jpg",
    noise: float = 1.0,
    script: Script | None = None,
    looks: Looks | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Samm:
    """Write `clips` clips of each of so many `subjects` into `target`, gray, 200 a second, and their sheet.

    Clips appear whole or not at all; those that are there already are passed over, so that work that was
    stopped goes on, and more subjects or clips can be asked for later. `overwrite` makes all anew. Raises
    StoreError where the tree cannot be written, was made otherwise or is not one of ours; ValueError for
    arguments that cannot be.
    """
    if not (1 <= subjects <= 900 and 1 <= clips <= 99):
        raise ValueError(f"{subjects} subjects of {clips} clips: must be 1 to 900, and 1 to 99")
    if pictures not in _PICTURES:
        raise ValueError(f"pictures are {pictures!r}; they must be one of {', '.join(_PICTURES)}")
    if importlib.util.find_spec("openpyxl") is None:
        raise StoreError("the annotation sheet needs openpyxl: pip install 'magnifyme[train]'")
    script, looks = script or Script(), looks or Looks()
    recipe = {
        "seed": seed,
        "size": list(size),
        "pictures": pictures,
        "noise": noise,
        "amplitude_px": list(script.micro_px),
        "durations": script.durations,
        "one_sided": script.one_sided,
        "portrait": looks.portrait and hashlib.sha256(looks.portrait.bgr.tobytes()).hexdigest()[:16],
        "skin": looks.skin,
        "glasses": looks.glasses,
    }
    _claim(target, recipe=recipe, overwrite=overwrite)
    plan = list(_plan(subjects, clips=clips, seed=seed, script=script))
    missing = [clip for clip in plan if not (target / clip.subject / clip.name).exists()]
    done = Samm(skipped=len(plan) - len(missing))
    total = sum(clip.frames for clip in missing)
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        for clip in missing:
            source = SyntheticSource(
                seconds=clip.frames / FPS,
                fps=FPS,
                size=size,
                seed=clip.seed,
                paced=False,
                events=[clip.event],
                blinks=False,
                identity=clip.identity,
                looks=looks,
                noise=noise,
            )
            check_reach(script, unit_px=source.face.unit_px)
            folder = target / clip.subject / clip.name
            try:
                folder.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise StoreError(f"{folder} cannot be made: {error.strerror}") from error
            with whole_folder(folder) as partial:
                written = []
                for frame in source:
                    path = partial / f"{clip.subject}_{clip.first + frame.sequence:05d}.{pictures}"
                    written.append(pool.submit(write_picture, frame.luma, path=path))
                    done.pictures += 1
                    progress(done.pictures, total)
                for future in written:
                    future.result()
            done.clips += 1
    _write_sheet(target / _SHEET, plan=plan, seed=seed)
    return done


def _plan(subjects: int, *, clips: int, seed: int, script: Script) -> Iterator[_Clip]:
    """Draw the clips; more subjects or clips leave those before them as they are."""
    for subject in range(_FIRST_SUBJECT, _FIRST_SUBJECT + subjects):
        rng = np.random.default_rng([seed, 21, subject])
        identity = int(rng.integers(1, 1_000_000))
        labels: list[str] = []
        first = int(rng.integers(1, 5000))
        for clip in range(clips):
            if not labels:
                labels = [str(label) for label in rng.permutation(list(MIXTURES))]
            code = int(rng.integers(1, 8))
            drawn = express(rng, onset=_LEAD_S, script=script, label=labels.pop())
            event = _on_frames(drawn)
            frames = round((event.offset + _LEAD_S) * FPS) + 1
            name = f"{subject:03d}_{code}_{clip + 1}"
            own_seed = int(rng.integers(1 << 31))
            yield _Clip(f"{subject:03d}", name, code, event, first, frames, identity, own_seed)
            first += frames + int(rng.integers(100, 2000))


def _on_frames(event: TrueEvent) -> TrueEvent:
    """Move an event's times to those of pictures: the sheet knows no others."""
    onset, apex, offset = (round(at * FPS) / FPS for at in (event.onset, event.apex, event.offset))
    return TrueEvent(
        onset,
        apex,
        offset,
        event.label,
        amplitude_px=event.amplitude_px,
        action_units=event.action_units,
        asymmetry=event.asymmetry,
        hold=event.hold,
    )


def coded(event: TrueEvent) -> str:
    """Write the action units as coders do: L and R are the person's, whose right is the picture's left."""
    side = {1.0: "R", -1.0: "L"}.get(event.asymmetry, "")
    return "+".join(
        f"{side if all(bump.paired for bump in ACTION_UNITS[number]) else ''}{number}"
        for number in sorted(event.action_units)
    )


def _write_sheet(path: Path, *, plan: list[_Clip], seed: int) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "MICRO_ONLY"
    sheet.append(["Made micro-expressions, laid out as SAMM's are. No person is shown."])
    sheet.append([f"Made by MagnifyMe, seed {seed}. {FPS:g} frames a second."])
    sheet.append(["L and R are the person's own left and right."])
    for column, name in enumerate(_COLUMNS, start=1):
        sheet.cell(_HEADER_ROW, column, name)
    for row, clip in enumerate(plan, start=_HEADER_ROW + 1):
        event = clip.event
        values = (
            clip.subject,
            clip.name,
            clip.code,
            *(clip.number(at) for at in (event.onset, event.apex, event.offset)),
            f"=F{row}-D{row}+1",
            "Micro - 1/2",
            coded(event),
            event.label.capitalize(),
            _CLASSES.get(event.label, _OTHER_CLASS),
            f"made: {event.amplitude_px:.2f} px",
        )
        for column, value in enumerate(values, start=1):
            sheet.cell(row, column, value)
    with whole_file(path) as partial:
        book.save(partial)


def _claim(target: Path, *, recipe: dict[str, object], overwrite: bool) -> None:
    """Write into the tree how it is made, or find that it was made just so."""
    path = target / _RECIPE
    if target.is_file():
        raise StoreError(f"{target} is a file, but a data set is a folder: name another")
    try:
        target.mkdir(exist_ok=True)
        there = any(target.iterdir())
    except FileNotFoundError:
        raise StoreError(
            f"{target} cannot be made: there is no folder {target.parent}; make it first"
        ) from None
    except OSError as error:
        raise StoreError(f"{target} cannot be made: {error.strerror}") from error
    if there:
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = None
        if not isinstance(before, dict):
            raise StoreError(f"{target} holds files that this program did not make: name another folder")
        if overwrite:
            _clear(target)
        elif before != recipe:
            was = ", ".join(f"{key} {before.get(key)}" for key in recipe if before.get(key) != recipe[key])
            raise StoreError(f"{target} was made otherwise ({was}): give another folder, or --overwrite")
    with whole_file(path) as partial:
        partial.write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")


def _clear(target: Path) -> None:
    """Take away the clips that were made, and nothing else that someone may have put there."""
    for folder in sorted(target.glob("*/*")):
        match = _CLIP.fullmatch(folder.name)
        if match is None or folder.parent.name != match[1]:
            continue
        for picture in folder.glob(f"{match[1]}_*"):
            if picture.suffix[1:] in _PICTURES:
                picture.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
