"""Compile and load every kernel of the live path before the stream is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnifyme.stream.monitor import Monitor

# Enough for the tracker to find and follow, for the magnifier and the spotter to run, at 30 fps.
_FRAMES = 6


def warm_up(monitor: Monitor) -> None:
    """Run a monitor's stages on a few made frames: a live stream's first seconds would go into compiling."""
    from magnifyme.stream.compose import place_back
    from magnifyme.stream.pipeline import FacePipeline
    from magnifyme.train.synthetic import SyntheticSource

    with SyntheticSource(seconds=_FRAMES / 30.0, fps=30.0, paced=False) as source:
        pipeline = FacePipeline(
            monitor.detector,
            fps=monitor.pipeline.fps,
            shown=monitor.magnification,
            learned=monitor.learned,
        )
        for frame in source:
            for watched in pipeline.step(frame).faces:
                place_back(frame.luma, crop=watched.face, magnified=watched.magnified)
