"""Arrays in, arrays out: motion magnification."""

from .batch import magnify_frames
from .batch_magnifier import BatchMagnifier
from .errors import MagnifyError
from .magnifier import Magnifier

__all__ = ["BatchMagnifier", "Magnifier", "MagnifyError", "magnify_frames"]
