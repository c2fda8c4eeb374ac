"""`magnifyme spot`: the table, the files and the picture say what the film holds, and nothing is lost."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.models.classifier import demo_model_path
from magnifyme.stream.motion import REGIONS
from magnifyme.stream.spot_plot import draw_spotted
from magnifyme.stream.spotter import Interval
from magnifyme.stream.spotting import Found, Spotted
from magnifyme.train.synthetic import SyntheticSource, TrueEvent
from program import Here

FPS = 30.0
JAW = TrueEvent(2.0, 2.2, 2.4, "jaw drop", amplitude_px=1.5, action_units={26: 1.0})
RED, GREEN = (48, 48, 214), (120, 150, 120)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one face that drops its jaw, as a film, and as a folder of pictures numbered from 5562 on."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "clip").mkdir()
    with (
        SyntheticSource(seconds=3.0, fps=FPS, seed=3, paced=False, events=[JAW], blinks=False) as source,
        av.open(str(folder / "film.mp4"), "w") as output,
    ):
        stream = output.add_stream("libx264", rate=30, options={"crf": "10", "preset": "veryfast"})
        stream.width, stream.height = 640, 480
        for frame in source:
            output.mux(stream.encode(frame.video_frame()))
            cv2.imwrite(str(folder / "clip" / f"006_{5562 + frame.sequence:05d}.png"), frame.luma)
        output.mux(stream.encode(None))
    return folder


def test_table_json_and_picture_tell_the_same(films: Path, here: Here, tmp_path: Path) -> None:
    """Who reads the table with a program must find what is printed, where it is in the film."""
    table, picture = tmp_path / "out.csv", tmp_path / "out.png"
    done = here("spot", "film.mp4", "--csv", str(table), "--plot", str(picture), "--json", cwd=films)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["source"], record["frames"], record["seconds"]) == ("film.mp4", 90, 3.0)
    assert record["model"] is None
    (interval,) = record["intervals"]
    assert interval["kind"] == "micro"
    assert interval["label"] is None
    for name in ("onset", "apex", "offset"):
        true = getattr(JAW, name)
        assert interval[name] == pytest.approx(true, abs=0.05)
        assert interval[f"{name}_frame"] == pytest.approx(true * FPS, abs=2)
    x, y = interval["motion"]["chin"]
    assert y > 0.3 > 3 * abs(x), "a jaw goes down"
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert [float(row[name]) for name in ("onset", "apex", "offset", "intensity_px")] == [
        interval[name] for name in ("onset", "apex", "offset", "intensity_px")
    ]
    assert (row["kind"], row["label"], row["track"]) == ("micro", "", "1")
    motion = zip(row["dx_px"].split(";"), row["dy_px"].split(";"), strict=True)
    assert (
        dict(zip(row["regions"].split(";"), [[float(x), float(y)] for x, y in motion], strict=True))
        == (interval["motion"])
    )
    assert cv2.imread(str(picture)) is not None


def test_people_get_a_table_and_pictures_keep_their_numbers(films: Path, here: Here) -> None:
    """Annotations of data sets count in the numbers of the pictures' names."""
    done = here("spot", "clip", "--fps", "30", "--model", str(demo_model_path()), cwd=films)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if " micro " in line)
    assert "chin ↓" in line
    numbers = [int(word) for word in line.split()[3:6]]
    assert numbers == pytest.approx([5562 + FPS * moment for moment in (2.0, 2.2, 2.4)], abs=2)
    assert "1 micro in 3.0 s, 90 frames, a face in 100% of them" in done.stdout
    assert "demo model, trained on made faces" in done.stdout
    silent = here("spot", "clip", "--fps", "30", "--quiet", cwd=films)
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")


def test_what_cannot_be_is_told_in_a_line_and_costs_nothing(films: Path, here: Here) -> None:
    """A mistyped name must not cost the film, an earlier table, or an hour of watching."""
    (films / "there.csv").write_text("mine")
    for arguments, words in (
        (("nowhere.mp4",), "nowhere.mp4"),
        (("0",), "magnifyme watch"),
        (("rtsp://joe:secret@camera/x",), "magnifyme watch"),
        (("clip",), "--fps"),
        (("film.mp4", "--fps", "30"), "--fps"),
        (("film.mp4", "--csv", "film.mp4"), "input itself"),
        (("film.mp4", "--csv", "there.csv"), "--overwrite"),
        (("film.mp4", "--csv", "no/such.csv"), "no folder"),
        (("film.mp4", "--csv", "clip", "--overwrite"), "folder"),
        (("film.mp4", "--plot", "out.gif"), ".png"),
        (("film.mp4", "--plot", "out.png", "--csv", "out.png"), "name of its own"),
        (("film.mp4", "--model", "there.csv"), "there.csv"),
    ):
        before = sorted(path.name for path in films.iterdir())
        done = here("spot", *arguments, cwd=films)
        assert done.returncode == 2, arguments
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert "secret" not in done.stderr
        assert sorted(path.name for path in films.iterdir()) == before
    assert (films / "there.csv").read_text() == "mine"


def test_a_film_without_a_face_says_so(here: Here, tmp_path: Path) -> None:
    """An empty table alone would look like a still face."""
    (tmp_path / "dark").mkdir()
    for number in range(12):
        cv2.imwrite(str(tmp_path / "dark" / f"{number}.png"), np.full((240, 320), 40, np.uint8))
    done = here("spot", "dark", "--fps", "30", "--csv", "a.csv", "--plot", "a.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no face was found" in done.stderr
    assert "nothing found in 0.4 s, 12 frames, a face in 0% of them" in done.stdout
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1


def test_a_face_too_small_is_told_and_not_guessed_at(here: Here, tmp_path: Path) -> None:
    """Missed otherwise: an empty table of a film in which everybody sees a face."""
    (tmp_path / "small").mkdir()
    with SyntheticSource(
        seconds=0.7, fps=FPS, size=(176, 132), paced=False, events=(), blinks=False
    ) as source:
        for frame in source:
            cv2.imwrite(str(tmp_path / "small" / f"{frame.sequence}.png"), frame.luma)
    done = here("spot", "small", "--fps", "30", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "face too small" in done.stderr
    assert "come nearer" in done.stderr


def make_spotted(seconds: float, *, fps: float = 20.0) -> Spotted:
    """Make a film whose chin went down at 5 s, whose lids shut at 8 s, and which had no face until 1 s."""
    times = np.arange(round(seconds * fps)) / fps
    displacement = np.zeros((len(times), len(REGIONS), 2), np.float32)
    displacement[times < 1.0] = np.nan
    found = []
    for onset, kind, region, px in ((5.0, "micro", "chin", 0.8), (8.0, "blink", "eye_left", 9.0)):
        inside = (times >= onset) & (times <= onset + 0.4)
        displacement[inside, REGIONS.index(region), 1] = px
        interval = Interval(onset, onset + 0.2, onset + 0.4, px, kind, (region,), ((0.0, px),))  # type: ignore[arg-type]
        found.append(Found(interval, 1, (0, 0, 0)))
    return Spotted("film.mp4", tuple(found), times, displacement, with_face=len(times))


def seen(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.int64]:
    """Give where (row, column) a picture has a colour, below its title."""
    hit = np.abs(picture.astype(int) - colour).max(axis=2) <= 2
    hit[:80] = False
    return np.argwhere(hit)


def test_the_picture_shows_where_and_when() -> None:
    """A mark in the wrong place is believed: the chin's row is the lowest, the lids' the second."""
    picture = draw_spotted(make_spotted(10.0))
    left, width = 118, 1400 - 118 - 30
    for colour, onset, row in ((RED, 5.0, 5), (GREEN, 8.0, 1)):
        top = 64 + 30 + row * 46
        places = seen(picture, colour)
        places = places[(places[:, 0] >= top) & (places[:, 0] < top + 40)]
        assert len(places) > 200
        columns = places[:, 1]
        assert (columns.min(), columns.max()) == pytest.approx(
            [left + width * (onset + shift) / 10.0 for shift in (0.0, 0.4)], abs=4
        )
    chin = seen(picture, RED)
    assert chin[:, 0].max() - np.percentile(chin[:, 0], 5) == pytest.approx(40 / 1.15, abs=3)
    brows = picture[110]
    unknown = np.flatnonzero((brows[: left + width // 4] == 244).all(axis=1))
    assert (unknown.min(), unknown.max()) == pytest.approx((left, left + 0.1 * width), abs=3)


@pytest.mark.parametrize(("seconds", "strips"), [(0.05, 1), (20.0, 1), (21.0, 2), (7200.0, 8)])
def test_films_of_any_length_fit(seconds: float, strips: int) -> None:
    """Two hours in one line would be a smear, in lines of 20 s a wallpaper."""
    picture = draw_spotted(make_spotted(seconds, fps=20.0))
    assert picture.shape == (64 + strips * (30 + 6 * 46 + 34), 1400, 3)
