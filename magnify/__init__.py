"""Arrays in, arrays out: motion magnification."""

from .batch import magnify_frames
from .errors import MagnifyError
from .magnifier import Magnifier

__all__ = ["Magnifier", "MagnifyError", "magnify_frames"]
