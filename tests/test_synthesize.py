"""`magnifyme synthesize`: made faces on the disk. Are they whole, true, and can they be read?"""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from magnifyme.stream.errors import StoreError
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.picture_tree import magnify_tree
from magnifyme.stream.video_file import VideoFile
from magnifyme.train.acting import Script
from magnifyme.train.made_samm import FPS, coded, write_made_samm
from magnifyme.train.made_video import write_made_video
from magnifyme.train.portrait import load_portrait
from magnifyme.train.synthetic import Shortcomings, SyntheticSource, TrueEvent
from program import ENVIRONMENT, PROGRAM, Here

SIZE = (160, 120)
SMALL = ("--size", "160", "120", "--amplitude", "0.2", "0.8")


def source(*, seconds: float = 12.0, shortcomings: Shortcomings | None = None) -> SyntheticSource:
    script = Script(micro_px=(0.3, 1.0), gap_s=1.0, speech=0.3, macro=0.2)
    return SyntheticSource(
        seconds=seconds, size=SIZE, seed=3, paced=False, events=script, shortcomings=shortcomings
    )


# --- a video and its truth


def test_the_video_is_the_stream_and_the_truth_is_its_events(tmp_path: Path) -> None:
    """A benchmark reads these files: pictures, times and events must be those that were made."""
    target = tmp_path / "made.mp4"
    made = source()
    written = write_made_video(made, target, crf=0, made_of={"seed": 3})
    assert [path.name for path in written] == ["made.mp4", "made.csv", "made.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.csv", "made.json", "made.mp4"]
    with VideoFile(target) as film:
        frames = list(film)
    twin = source()
    assert len(frames) == made.frames == 360
    for number in (0, 100, 359):
        assert np.array_equal(frames[number].luma, twin.frame(number).luma)
        assert frames[number].time == pytest.approx(twin.time_of(number), abs=1e-4)
    facts = json.loads((tmp_path / "made.json").read_text())
    with (tmp_path / "made.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert facts["made_of"] == {"seed": 3}
    assert facts["frames"] == 360
    assert len(rows) == len(facts["intervals"]) == len(made.truth) > 4
    for row, record, event in zip(rows, facts["intervals"], made.truth, strict=True):
        for name in ("onset", "apex", "offset"):
            at = getattr(event, name)
            assert float(row[name]) == record[name] == pytest.approx(at, abs=1e-4)
            assert int(row[f"{name}_frame"]) == record[f"{name}_frame"]
            assert abs(frames[record[f"{name}_frame"]].time - at) <= 0.5 / 30.0 + 1e-4
        assert (row["kind"], row["label"]) == (record["kind"], record["label"]) == (event.kind, event.label)
        assert [int(number) for number in row["action_units"].split(";")] == sorted(event.action_units)
        assert float(row["amplitude_px"]) == pytest.approx(event.amplitude_px, abs=1e-4)
        assert len(record["syllables"]) == len(event.parts)
    assert {row["kind"] for row in rows} == {"micro", "macro", "blink", "speech"}


def test_late_and_lost_frames_keep_their_truth(tmp_path: Path) -> None:
    """The frame that a row names must be the one in the file, however many before it were lost."""
    made = source(shortcomings=Shortcomings(late=0.3, dropped=0.2))
    write_made_video(made, tmp_path / "made.mkv", made_of={})
    with VideoFile(tmp_path / "made.mkv") as film:
        times = np.array([frame.time for frame in film])
    facts = json.loads((tmp_path / "made.json").read_text())
    assert facts["lost_frames"] == made.dropped == 360 - len(times) > 30
    for record in facts["intervals"]:
        nearest = np.abs(times - record["apex"]).argmin()
        assert record["apex_frame"] == nearest


def test_what_stands_there_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "made.mp4"
    for name in ("made.mp4", "made.csv", "made.json"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(StoreError, match=f"{name} exists: give another name, or --overwrite"):
            write_made_video(source(seconds=1.0), target, made_of={})
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    for name in ("made.mp4", "made.csv", "made.json"):
        (tmp_path / name).write_text("mine")
    write_made_video(source(seconds=1.0), target, made_of={}, overwrite=True)
    assert "mine" not in (tmp_path / "made.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("out.avi",), "made videos end in one of .mp4, .mov, .mkv"),
        (("out.xyz",), "out.xyz is no video (.mp4 .mov .mkv), nor a folder"),
        (("gone/out.mp4",), "there is no folder gone; make it first"),
        (("gone/out",), "there is no folder gone; make it first"),
        (("out.mp4", "--size", "161", "121", "--amplitude", "0.2", "0.5"), "width and height must be even"),
        (("out.mp4", "--size", "10", "10"), "10 10: each must be 64 to 4096"),
        (("out.mp4", "--amplitude", "1", "0.5"), "the lowest and the highest"),
        (("out.mp4", "--amplitude", "0.5", "20"), "at this size, at most 4.7, or the skin folds"),
        (("out.mp4", "--fps", "0"), "a rate of 0 frames a second is not possible"),
        (("out.mp4", "--seconds", "nan"), "'--seconds': it must be 36000 or less"),
        (("out.mp4", "--turn", "30"), "'--turn': it must be 10 or less"),
        (("out", "--pictures", "gif"), "gif: must be jpg or png"),
        (("out.mp4", "--portrait", "nobody.png"), "nobody.png: no such file; give a picture of a face"),
        (("out.mp4", "--portrait", "note.png"), "note.png is not a picture"),
        (("file",), "file is a file, but a data set is a folder"),
        (("folder",), "folder holds files that this program did not make"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    here: Here, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Whoever mistypes learns it at once, and loses nothing."""
    (tmp_path / "note.png").write_text("not a picture")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    done = here("synthesize", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") <= 1 + done.stderr.count("note: ")
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_the_program_makes_a_film_of_an_own_portrait(here: Here, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "me.png"), load_portrait()[:, ::-1])
    done = here(
        "synthesize", "film.mp4", "--seconds", "8", *SMALL, "--portrait", "me.png", "--glasses", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("240 frames, ")
    assert "written to film.mp4, film.csv, film.json" in done.stdout
    facts = json.loads((tmp_path / "film.json").read_text())
    assert facts["made_of"]["portrait"] == "me.png"
    assert facts["made_of"]["glasses"] is True
    again = here("synthesize", "film.mp4", "--seconds", "8", *SMALL, cwd=tmp_path)
    assert again.returncode == 2
    assert "film.mp4 exists: give another name, or --overwrite to replace it" in again.stderr


# --- a tree in SAMM's layout


def samm(folder: Path, **options: object) -> Path:
    script = Script(micro_px=(0.3, 1.0), one_sided=1.0)
    target = folder / "SAMM"
    how = {"subjects": 1, "clips": 1, "seed": 5, "size": SIZE, "script": script, **options}
    write_made_samm(target, **how)  # type: ignore[arg-type]
    return target


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree that several tests read: one person, each label once."""
    return samm(tmp_path_factory.mktemp("samm"), clips=7)


def sheet(tree: Path) -> list[dict[str, object]]:
    book = openpyxl.load_workbook(tree / "SAMM_Micro_FACS_Codes_v2.xlsx")
    rows = list(book["MICRO_ONLY"].iter_rows(values_only=True))
    # Readers look for the row whose first cell says so: it is the 14th in the copy that most have.
    head = next(number for number, row in enumerate(rows) if row[0] == "Subject")
    assert head == 13
    return [dict(zip(map(str, rows[head]), row, strict=True)) for row in rows[head + 1 :]]


def test_the_tree_is_laid_out_as_samm_is(tree: Path) -> None:
    """What reads SAMM must read this: `prepare`, and programs of others."""
    rows = sheet(tree)
    assert [*rows[0]] == [
        *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame"),
        *("Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
    ]
    assert [row["Subject"] for row in rows] == ["006"] * 7
    for row in rows:
        subject, name = str(row["Subject"]), str(row["Filename"])
        assert name.startswith(f"{subject}_{row['Inducement Code']}_")
        pictures = sorted((tree / subject / name).iterdir())
        numbers = [int(path.stem.split("_")[1]) for path in pictures]
        assert [path.name for path in pictures] == [f"{subject}_{number:05d}.jpg" for number in numbers]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        onset, apex, offset = (int(str(row[f"{name} Frame"])) for name in ("Onset", "Apex", "Offset"))
        assert numbers[0] + 50 <= onset < apex < offset <= numbers[-1] - 50
        assert 0.16 <= (offset - onset) / FPS <= 0.5
        picture = cv2.imread(str(pictures[0]), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (120, 160)
        assert str(row["Notes"]).startswith("made")


def test_the_pictures_move_when_the_sheet_says(tmp_path: Path) -> None:
    """A wrong row number would teach a network on faces at rest."""
    script = Script(micro_px=(1.2, 1.2), one_sided=0.0)
    tree = samm(tmp_path, noise=0.0, pictures="png", clips=2, script=script)
    for row in sheet(tree):
        folder = tree / str(row["Subject"]) / str(row["Filename"])
        pictures = [np.array(cv2.imread(str(path), 0), float) for path in sorted(folder.iterdir())]
        first = int(sorted(folder.iterdir())[0].stem.split("_")[1])
        onset, apex, offset = (int(str(row[f"{name} Frame"])) - first for name in ("Onset", "Apex", "Offset"))
        # The head sways slowly: what changes its pace within 60 ms is the expression.
        jolts = np.array(
            [
                np.abs(cv2.GaussianBlur(c - 2.0 * b + a, (0, 0), 1.5)[20:]).max()
                for a, b, c in zip(pictures, pictures[6:], pictures[12:], strict=False)
            ]
        )
        middle = np.arange(len(jolts)) + 6
        moving = (middle > onset - 6) & (middle < offset + 6)
        assert jolts[moving].max() > 1.3 * jolts[~moving].max()
        assert onset - 6 < middle[jolts > 1.3 * jolts[~moving].max()].min() <= apex + 6


@pytest.mark.parametrize(("asymmetry", "code"), [(1.0, "R12"), (-1.0, "L12"), (0.1, "12")])
def test_coders_letters_are_the_persons_own_sides(asymmetry: float, code: str) -> None:
    """R is what moves on the left of the picture: whoever flips pictures flips the letters with them."""
    event = TrueEvent(0.1, 0.3, 0.5, "contempt", action_units={12: 1.0}, asymmetry=asymmetry)
    assert coded(event) == code
    made = SyntheticSource(events=[event], sway=0.0, blinks=False, size=SIZE, paced=False)
    left, right = np.hypot(*(made.locate(made.face.landmarks[3:], at=0.3) - made.face.landmarks[3:]).T)
    assert (left > 10.0 * right, right > 10.0 * left) == (code[0] == "R", code[0] == "L")
    both = {12: 1.0, 17: 0.5}
    assert coded(replace(event, action_units=both)) == f"{code}+17"


def test_the_sheet_names_muscles_and_feelings(tree: Path) -> None:
    rows = sheet(tree)
    codes = "+".join(str(row["Action Units"]) for row in rows)
    assert {"L", "R"} <= set(codes) <= set("LR+0123456789")
    for row in rows:
        if row["Estimated Emotion"] == "Contempt":
            assert row["Objective Classes"] == 7
    labels = [row["Estimated Emotion"] for row in rows][:7]
    assert sorted(map(str, labels)) == [
        *("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
    ]


def test_stopped_work_goes_on_and_more_can_be_asked_for(tmp_path: Path) -> None:
    tree = samm(tmp_path, clips=2)
    before = {path: path.read_bytes() for path in tree.rglob("*.jpg")}
    lost = sorted(tree.glob("006/*"))[0]
    for path in lost.iterdir():
        path.unlink()
    lost.rmdir()
    samm(tmp_path, subjects=2, clips=3)
    assert len(sheet(tree)) == 6
    after = {path: path.read_bytes() for path in tree.rglob("*.jpg")}
    assert before.items() <= after.items()
    assert len(list(tree.glob("*/*"))) == 6


def test_a_tree_made_otherwise_is_told_and_overwritten_only_on_request(tmp_path: Path) -> None:
    """Clips of two recipes in one tree would be taken for one data set."""
    tree = samm(tmp_path)
    (tree / "006" / "notes.txt").write_text("mine")
    before = sorted(path.name for path in tree.rglob("*.jpg"))
    with pytest.raises(StoreError, match=r"was made otherwise \(seed 5\): give another folder"):
        samm(tmp_path, seed=6)
    assert sorted(path.name for path in tree.rglob("*.jpg")) == before
    samm(tmp_path, seed=6, overwrite=True)
    assert sorted(path.name for path in tree.rglob("*.jpg")) != before
    assert len([path for path in tree.glob("*/*") if path.is_dir()]) == 1
    assert (tree / "006" / "notes.txt").read_text() == "mine"


def test_the_tree_can_be_magnified(tmp_path: Path) -> None:
    tree = samm(tmp_path)
    done = magnify_tree(
        tree,
        target=tmp_path / "out",
        magnifications=[Magnification(factor=5.0)],
        fps=FPS,
        progress=lambda done, total: None,
        notice=lambda line: pytest.fail(line),
    )
    assert (done.clips, done.failed) == (1, [])
    assert (tmp_path / "out" / "x5" / "SAMM_Micro_FACS_Codes_v2.xlsx").is_file()


def test_ctrl_c_leaves_whole_clips(tmp_path: Path) -> None:
    """Half a clip with a row in the sheet would be read as a shorter expression."""
    command = [*PROGRAM, "synthesize", "SAMM", "--subjects", "40", "--clips", "20", *SMALL]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    started = time.monotonic()
    while len(list(tmp_path.glob("SAMM/*/*"))) < 2 and time.monotonic() - started < 90.0:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "magnifyme: stopped; the same command without --overwrite goes on" in told
    folders = list(tmp_path.glob("SAMM/*/*"))
    assert folders
    for folder in folders:
        assert not folder.name.startswith(".")
        assert len(list(folder.iterdir())) > 130
