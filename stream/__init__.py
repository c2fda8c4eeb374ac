"""Frames in, events out: sources, face tracking, rolling clip, spotting, monitor, event store, recorder."""

from .errors import (
    NotAVideo,
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    StoreError,
    StreamError,
)
from .events import Event, EventStore, open_store, read_events
from .face import FaceCrop
from .face_tracker import FaceTracker
from .frame import Frame
from .magnification import Magnification
from .monitor import Monitor, Observation
from .pipeline import FacePipeline
from .recorder import Recorder
from .source import Source, open_source
from .spotter import Interval, Spotter

__all__ = [
    "Event",
    "EventStore",
    "FaceCrop",
    "FacePipeline",
    "FaceTracker",
    "Frame",
    "Interval",
    "Magnification",
    "Monitor",
    "NotAVideo",
    "Observation",
    "Recorder",
    "Source",
    "SourceError",
    "SourceNotFound",
    "SourceRefused",
    "SourceTimeout",
    "Spotter",
    "StoreError",
    "StreamError",
    "open_source",
    "open_store",
    "read_events",
]
