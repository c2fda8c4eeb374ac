"""Spotting scored as MEGC does: the counts, and the sets' layouts with their quirks, on made trees."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from magnifyme.models.classifier import Prediction
from magnifyme.stream.errors import NotAVideo, SourceNotFound
from magnifyme.stream.spotter import Interval, Kind
from magnifyme.stream.spotting import Found
from magnifyme.train.annotated_videos import TrueInterval, load_long_videos
from magnifyme.train.long_score import Count, LongScore, three_classes
from magnifyme.train.synthetic import SyntheticSource, TrueEvent
from program import Here

SAMM_SHEET = "SAMM_LongVideos_V2_Release.xlsx"
CASME_SHEET = "CAS(ME)^2code_final.xlsx"
Rows = list[list[object]]


def write_book(path: Path, *sheets: Rows) -> None:
    """Write a workbook, a sheet after the other."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for rows in sheets:
        page = book.create_sheet()
        for row in rows:
            page.append(row)
    book.save(path)


def write_pictures(folder: Path, names: list[str]) -> None:
    """Write small gray pictures."""
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((24, 32), 90, np.uint8))


def write_samm(root: Path, rows: Rows, *, text_rows: int = 9) -> None:
    """Write SAMM Long's sheet: text above the header, how much of it varies between releases."""
    names = ("Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type")
    text: Rows = [["SAMM Long Videos"]] * text_rows
    root.mkdir(parents=True, exist_ok=True)
    write_book(root / SAMM_SHEET, [*text, [*names], *rows])


@pytest.mark.parametrize("text_rows", [0, 9, 13])
def test_samm_long_videos(tmp_path: Path, text_rows: int) -> None:
    """Times count from the first picture there is; an offset of 0 means the apex; nothing vanishes."""
    write_pictures(tmp_path / "SAMM_longvideos/006_1", [f"006_1_{n:04d}.jpg" for n in range(1, 302)])
    write_pictures(tmp_path / "SAMM_longvideos/007_3", [f"007_3_{n}.jpg" for n in range(101, 402)])
    write_samm(
        tmp_path,
        [
            [6, "006_1_2", 1, 201, 220, 281, 81, "Micro - 1/2", "AU4", None],
            ["006", "006_1_1", 1, 21, 60, 0, 40, "Macro", "AU12", None],
            [None, None],
            [6, "006_1_3", 1, 200, 210, 900, 701, "Macro", "AU12", None],
            [6, "006_1_4", 1, -1, 210, 220, 0, "Macro", "AU12", None],
            [8, "008_1_1", 1, 1, 2, 3, 3, "Macro", "AU12", None],
            [6, "006_1_5", 1, 1, 2, 3, 3, "Meso", "AU12", None],
        ],
        text_rows=text_rows,
    )
    videos, problems = load_long_videos(tmp_path, dataset="sammlv")
    assert [(video.name, video.subject, video.fps) for video in videos] == [
        ("006_1", "006", 200.0),
        ("007_3", "007", 200.0),
    ]
    assert videos[0].true == [TrueInterval(0.1, 0.295, "macro"), TrueInterval(1.0, 1.4, "micro")]
    assert videos[1].true == [], "a video without events counts too"
    first = text_rows + 2
    assert [problem.split(":")[0] for problem in problems] == [
        f"{SAMM_SHEET}, row {first + k}" for k in (3, 4, 5, 6)
    ]
    for problem, word in zip(problems, ("900", "-1", "008_1", "Meso"), strict=True):
        assert word in problem


def test_emotions_come_from_samms_own_sheet(tmp_path: Path) -> None:
    """Long videos have none; without them there is no STRS."""
    write_pictures(tmp_path / "SAMM_longvideos/006_1", [f"{n}.jpg" for n in range(1, 50)])
    write_samm(tmp_path, [[6, "006_1_2", 1, 2, 20, 40, 39, "Micro - 1/2", "AU4", None]])
    header: list[object] = ["Subject", "Filename", "Code", "On", "Apex", "Off", "D", "Micro", "AU", "Emotion"]
    row: list[object] = ["006", "006_1_2", 1, 2, 3, 4, 3, "Micro - 1/2", "AU4", "Anger"]
    write_book(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", [header, row])
    ((video,), problems) = load_long_videos(tmp_path, dataset="sammlv")
    assert problems == []
    assert [event.emotion for event in video.true] == ["anger"]


def test_cas_me_squared(tmp_path: Path) -> None:
    """The sheet has no header; codes of subjects and videos are told on two more sheets."""
    names = [f"img{n}.jpg" for n in range(1, 92)]
    write_pictures(tmp_path / "rawpic/s15/15_0101disgustingteeth", names)
    write_pictures(tmp_path / "rawpic/s16/16_0102eatingworms", names)
    write_book(
        tmp_path / CASME_SHEET,
        [
            [1, "disgust1_1", 31, 40, 46, "4+7", "disgust", "micro-expression", "disgust"],
            [1, "disgust1_2", 61, 76, 0, "12", "happiness", "macro-expression", "happiness"],
            [9, "disgust1_1", 1, 2, 3, "12", "happiness", "macro-expression", "happiness"],
            [2, "anger7_1", 1, 2, 3, "12", "happiness", "macro-expression", "happiness"],
            [2, "disgust2_1", 50, 45, 40, "12", "happiness", "macro-expression", "happiness"],
        ],
        [["a", "s15", 1], ["b", "s16", 2]],
        [["0101", "disgust1"], [102, "disgust2"]],
    )
    videos, problems = load_long_videos(tmp_path, dataset="casme-sq")
    assert [(video.name, video.subject) for video in videos] == [("s15/0101", "s15"), ("s16/0102", "s16")]
    assert videos[0].true == [
        TrueInterval(1.0, 1.5, "micro", "disgust"),
        TrueInterval(2.0, 2.5, "macro", "happiness"),
    ]
    assert videos[1].true == []
    assert [problem.split(":")[0][-5:] for problem in problems] == ["row 3", "row 4", "row 5"]


def test_folders_that_are_no_data_set_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="SAMM_LongVideos"):
        load_long_videos(tmp_path, dataset="sammlv")
    write_samm(tmp_path, [])
    with pytest.raises(NotAVideo, match="SAMM_longvideos/006_1"):
        load_long_videos(tmp_path, dataset="sammlv")
    write_pictures(tmp_path / "SAMM_longvideos/006_1", ["1.jpg"])
    write_book(tmp_path / SAMM_SHEET, [["nothing"]])
    with pytest.raises(NotAVideo, match="Subject"):
        load_long_videos(tmp_path, dataset="sammlv")
    (tmp_path / SAMM_SHEET).write_text("no sheet")
    with pytest.raises(NotAVideo, match="cannot be read"):
        load_long_videos(tmp_path, dataset="sammlv")


def found(onset: float, offset: float, *, kind: Kind = "micro", label: str | None = None) -> Found:
    """Make what a spotter found."""
    prediction = Prediction(label, {label: 1.0}, "m") if label else None
    return Found(Interval(onset, onset, offset, 0.5, kind, ()), 1, (0, 0, 0), prediction)


def test_the_set_is_one_long_video() -> None:
    """The mean of the videos' F1, or leaving out those without events, flatters: MEGC does neither."""
    score = LongScore()
    score.add(
        [found(1.0, 1.4), found(5.0, 5.3), found(8.0, 9.0, kind="macro"), found(9.5, 9.9, kind="blink")],
        true=[TrueInterval(1.0, 1.5, "micro"), TrueInterval(5.0, 6.0, "macro")],
        seconds=20.0,
    )
    score.add([found(3.0, 3.4)], true=[], seconds=10.0)
    # One half of the union counts, a little less does not.
    score.add([found(2.0, 2.4)], true=[TrueInterval(2.0, 2.2, "micro")], seconds=15.0)
    score.add([found(2.0, 2.41)], true=[TrueInterval(2.0, 2.2, "micro")], seconds=15.0)
    assert (score.micro, score.macro) == (Count(3, 5, 2), Count(1, 1, 0))
    assert score.micro.f1 == pytest.approx(2 * 2 / (2 * 2 + 3 + 1))
    assert score.micro.precision == 0.4
    assert score.micro.recall == pytest.approx(2 / 3)
    assert score.both == Count(4, 6, 2)
    assert score.false_micro_per_minute == 3.0
    assert score.strs is None
    assert (score.videos, score.seconds) == (4, 60.0)


def test_strs_is_spotting_times_recognition() -> None:
    """Naming counts on the hits alone, by class; what has no class of MEGC's is left out of it."""
    score = LongScore()
    cases = (("anger", "sadness"), ("disgust", "happiness"), ("happiness", "happiness"), ("others", "anger"))
    for true, label in (*cases, ("surprise", "shame")):
        score.add([found(1.0, 1.4, label=label)], true=[TrueInterval(1.0, 1.4, "micro", true)], seconds=9.0)
    score.add([found(1.0, 1.4, label="anger")], true=[], seconds=9.0)
    # negative: 1 of 2 true, 1 named; positive: 1 of 1 true, 2 named; surprise: 0 of 1.
    assert score.recognition_f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert score.strs == pytest.approx(2 * 5 / (5 + 6) * 4 / 9)
    assert [three_classes(name) for name in ("Contempt", None, "pain")] == ["negative", None, None]


def test_nothing_is_no_division_by_zero() -> None:
    score = LongScore()
    assert (score.both.f1, score.both.precision, score.both.recall) == (0.0, 0.0, 0.0)
    assert (score.false_micro_per_minute, score.strs) == (0.0, None)


def test_the_command_scores_a_made_set(here: Here, tmp_path: Path) -> None:
    """The whole way: a folder as the set is delivered in, to TP, FP and FN."""
    jaw = TrueEvent(1.5, 1.65, 1.9, "jaw", amplitude_px=1.2, action_units={26: 1.0})
    for name, events in (("006_1", [jaw]), ("007_1", [])):
        folder = tmp_path / "SAMM_longvideos" / name
        folder.mkdir(parents=True)
        # Every fourth picture of 200 a second shows it too, and is drawn in a quarter of the time.
        with SyntheticSource(
            seconds=2.5, fps=200.0, size=(480, 360), paced=False, events=events, blinks=False
        ) as source:
            for number in range(0, 500, 4):
                cv2.imwrite(str(folder / f"{name}_{number + 1:04d}.png"), source.frame(number).luma)
    write_samm(
        tmp_path,
        [
            [6, "006_1_1", 1, 301, 331, 381, 81, "Micro - 1/2", "AU26", None],
            [6, "006_1_2", 1, 30, 20, 10, 1, "Macro", "AU26", None],
        ],
    )
    done = here("evaluate-spotting", ".", "--dataset", "sammlv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["micro"] == {
        "true": 1, "tp": 1, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0
    }  # fmt: skip
    assert (record["videos"], record["rows_left_out"], record["videos_left_out"]) == (2, 1, [])
    assert record["strs"] is None
    assert "row 12: onset 30 and offset 10" in done.stderr


def test_a_picture_that_is_none_costs_its_video_only(here: Here, tmp_path: Path) -> None:
    write_pictures(tmp_path / "SAMM_longvideos/006_1", ["1.jpg", "2.jpg"])
    write_pictures(tmp_path / "SAMM_longvideos/006_2", ["1.jpg", "2.jpg"])
    (tmp_path / "SAMM_longvideos/006_1/2.jpg").write_bytes(b"torn")
    write_samm(tmp_path, [])
    done = here("evaluate-spotting", ".", "--dataset", "sammlv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "006_1 is left out" in done.stderr
    assert "1 videos" in done.stdout
    assert "left out: 0 rows of the sheet, 1 videos" in done.stdout
    for arguments, words in ((("no",), "no"), ((".", "--dataset", "other"), "sammlv")):
        done = here("evaluate-spotting", *arguments, *(("--dataset", "sammlv") if len(arguments) < 2 else ()),
                    cwd=tmp_path)  # fmt: skip
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
