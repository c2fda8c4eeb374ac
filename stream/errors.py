"""What can go wrong with a stream, as one tree.

StreamError                 anything below; its text is one line: what is wrong and what to do
├── SourceError             the source cannot be opened or read
│   ├── SourceNotFound      no such file, folder, camera, host or path
│   ├── SourceRefused       wrong or missing password, or the server said no
│   ├── SourceTimeout       nothing came in time
│   └── NotAVideo           it is there, but holds no pictures that can be decoded
└── StoreError              the event file or the video file cannot be written

No message ever holds a password: sources are named by `redacted()` addresses only.
"""


class StreamError(Exception):
    """Anything that a stream's user can mend; the text is one line."""


class SourceError(StreamError):
    """The source cannot be opened or read."""


class SourceNotFound(SourceError):
    """There is no such file, folder, camera, host or path."""


class SourceRefused(SourceError):
    """The password is wrong or missing, or the server said no."""


class SourceTimeout(SourceError):
    """Nothing came in time."""


class NotAVideo(SourceError):
    """The source is there but holds no pictures that can be decoded."""


class StoreError(StreamError):
    """The event file or the video file cannot be written."""


def reason(error: Exception) -> str:
    """Say in a few words why the system or FFmpeg failed."""
    return str(getattr(error, "strerror", None) or error).lower() or type(error).__name__
