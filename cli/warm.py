"""Compile and load every kernel of the live path before the stream is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnifyme.models.face_detector import FaceDetector
    from magnifyme.stream.magnification import Magnification

# Enough for the tracker to find and follow, for the magnifier and the spotter to run, at 30 fps.
_FRAMES = 6


def warm_up(
    detector: FaceDetector, *, fps: float, shown: Magnification, learned: Magnification | None
) -> None:
    """Run the stages on a few made frames: a live stream would lose its first seconds to compilation.

    `fps`, `shown` and `learned` are the coming stream's, as in `FacePipeline`.
    """
    from magnifyme.stream.compose import place_back
    from magnifyme.stream.pipeline import FacePipeline
    from magnifyme.train.synthetic import SyntheticSource

    with SyntheticSource(seconds=_FRAMES / 30.0, fps=30.0, paced=False) as source:
        pipeline = FacePipeline(detector, fps=fps, shown=shown, learned=learned)
        for frame in source:
            for watched in pipeline.step(frame).faces:
                place_back(frame.luma, crop=watched.face, magnified=watched.magnified)
