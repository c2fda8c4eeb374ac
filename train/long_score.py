"""Spotting in long videos as MEGC scores it: counts over the whole set, as if it were one long video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from magnifyme.models.classifier import Classifier
from magnifyme.models.face_detector import FaceDetector
from magnifyme.stream.errors import SourceError
from magnifyme.stream.image_folder import ImageFolder
from magnifyme.stream.spotting import Found, spot_source

from .annotated_videos import LongVideo, TrueInterval
from .score import match

NEGATIVE = frozenset(["anger", "contempt", "disgust", "fear", "sadness", "sad", "repression", "negative"])
"""Emotions that MEGC's three classes call negative."""
POSITIVE = frozenset(["happiness", "happy", "positive"])
"""And those that they call positive; surprise is the third class."""


@dataclass(frozen=True, slots=True)
class Count:
    """True intervals, found ones, and hits: pairs whose intersection over union is half or more."""

    true: int = 0
    found: int = 0
    hits: int = 0

    def __add__(self, other: Count) -> Count:
        """Count both as one."""
        return Count(self.true + other.true, self.found + other.found, self.hits + other.hits)

    @property
    def recall(self) -> float:
        """Share of the true ones that were found; 0 if there are none."""
        return self.hits / self.true if self.true else 0.0

    @property
    def precision(self) -> float:
        """Share of the found ones that are true; 0 if there are none."""
        return self.hits / self.found if self.found else 0.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); 0 if nothing is there and nothing was found."""
        return 2.0 * self.hits / (self.true + self.found) if self.true + self.found else 0.0


@dataclass(slots=True)
class LongScore:
    """The counts of micro- and macro-expressions over `videos` videos of `seconds` in all.

    A found interval counts for its own kind only. `named` holds, of each micro hit whose class is known, the
    true class and the named one. `unread` names the videos that could not be read, which are in no count.
    """

    micro: Count = Count()
    macro: Count = Count()
    videos: int = 0
    seconds: float = 0.0
    named: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def both(self) -> Count:
        """Micro and macro together."""
        return self.micro + self.macro

    @property
    def false_micro_per_minute(self) -> float:
        """False micro-expressions in a minute of video."""
        return 60.0 * (self.micro.found - self.micro.hits) / self.seconds if self.seconds else 0.0

    @property
    def recognition_f1(self) -> float | None:
        """The mean over the true classes of their F1 on the micro hits; None if none was named."""
        classes = sorted({true for true, _ in self.named})
        f1 = [
            Count(
                true=sum(true == name for true, _ in self.named),
                found=sum(guess == name for _, guess in self.named),
                hits=sum(true == guess == name for true, guess in self.named),
            ).f1
            for name in classes
        ]
        return sum(f1) / len(f1) if f1 else None

    @property
    def strs(self) -> float | None:
        """Spot-then-recognise score: F1 of spotting micro-expressions times F1 of naming the hits."""
        f1 = self.recognition_f1
        return None if f1 is None else self.micro.f1 * f1

    def add(self, found: Sequence[Found], *, true: Sequence[TrueInterval], seconds: float) -> None:
        """Count one more video."""
        counts = {}
        for kind in ("micro", "macro"):
            ours = [one for one in found if one.interval.kind == kind]
            theirs = [event for event in true if event.kind == kind]
            pairs = match([one.interval for one in ours], true=theirs)
            counts[kind] = Count(len(theirs), len(ours), len(pairs))
            if kind == "micro":
                self.named += [
                    (wanted, guess)
                    for i, k in pairs
                    if (wanted := three_classes(theirs[k].emotion)) is not None
                    and (guess := _guess(ours[i])) is not None
                ]
        self.micro += counts["micro"]
        self.macro += counts["macro"]
        self.videos += 1
        self.seconds += seconds


def three_classes(emotion: str | None) -> str | None:
    """Give MEGC's class of an emotion: negative, positive or surprise; None for what is in none of them."""
    name = (emotion or "").strip().lower()
    if name in NEGATIVE:
        return "negative"
    if name in POSITIVE:
        return "positive"
    return "surprise" if name == "surprise" else None


def evaluate_spotting(
    videos: Sequence[LongVideo],
    *,
    detector: FaceDetector,
    classifier: Classifier | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    notice: Callable[[str], None] = lambda line: None,
) -> LongScore:
    """Watch every video, as a live stream is watched, and score what was found in all of them.

    `classifier` names the hits, for the score of spotting and recognition together. A video that cannot be
    read is told to `notice`, named in `unread`, and costs no other.
    """
    score = LongScore()
    for done, video in enumerate(videos):
        progress(done, len(videos))
        try:
            with ImageFolder(video.folder, fps=video.fps) as source:
                spotted = spot_source(source, detector=detector, classifier=classifier)
        except SourceError as error:
            score.unread.append(video.name)
            notice(f"{video.name} is left out: {error}")
            continue
        score.add(spotted.found, true=video.true, seconds=spotted.seconds)
    progress(len(videos), len(videos))
    return score


def _guess(found: Found) -> str | None:
    """Give the class that was named; a name outside of the classes is wrong, but one."""
    if found.prediction is None:
        return None
    return three_classes(found.prediction.label) or "other"
