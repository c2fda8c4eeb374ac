"""An RTSP camera as a source."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Literal

import av

from .address import encoded, host_and_port, redacted
from .container import open_container
from .demuxer import Demuxer
from .errors import NotAVideo, SourceError, SourceNotFound, SourceRefused, SourceTimeout
from .live_source import LiveSource

# How long one read may take. Shorter ones would let `close` return sooner, but a read that is broken off
# in the middle of a packet, as a short silence of the network is enough for, ends the connection.
_READ_S = 1.0
_OPTIONS = {
    "probesize": "32",  # with the next: the first picture after 0.05 s instead of 1 s
    "analyzeduration": "0",
    "max_delay": "200000",  # µs that UDP packets may come late
    "allowed_media_types": "video",  # sound would cost bandwidth, and shift the timestamps when it starts
}
# FFmpeg accepts unknown options in silence, and misspelt ones too.
_KNOWN_OPTIONS = {
    *_OPTIONS,
    "reorder_queue_size",
    "buffer_size",
    "pkt_size",
    "user_agent",
    "tls_verify",
    "ca_file",
}


class RtspStream(LiveSource):
    """Watch `rtsp://user:password@host:port/path`; see LiveSource for stalls, reconnecting and stopping.

    `timeout_s` limits each connection attempt. `options` are FFmpeg's, of a short list, for cameras that
    need them. The password is in no attribute that is shown, no message and no thread name. Raises
    SourceRefused (wrong password, or the server says no), SourceNotFound (host, port or path),
    SourceTimeout, or NotAVideo (something else than RTSP answers, or there is only sound).
    """

    def __init__(
        self,
        url: str,
        *,
        transport: Literal["tcp", "udp"] = "tcp",
        timeout_s: float = 5.0,
        options: Mapping[str, str] | None = None,
    ) -> None:
        unknown = sorted(set(options or {}) - _KNOWN_OPTIONS)
        if unknown:
            raise SourceError(
                f"unknown RTSP option {unknown[0]!r}: known are {', '.join(sorted(_KNOWN_OPTIONS))}"
            )
        chosen = {"rtsp_transport": transport, **_OPTIONS, **(options or {})}
        super().__init__(redacted(url), connect=lambda: _connect(url, chosen, timeout_s), timeout_s=timeout_s)


def _connect(url: str, options: dict[str, str], timeout_s: float) -> Demuxer:
    start = time.monotonic()
    try:
        container = open_container(encoded(url), options=options, timeout_s=(timeout_s, _READ_S))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        waited = time.monotonic() - start
        failure = _explain(error, url=url, timed_out=waited > 0.9 * timeout_s, timeout_s=timeout_s)
    else:
        return Demuxer(container, name=redacted(url))
    # Raised out here, the new error does not carry FFmpeg's, whose text holds the password.
    raise failure


def _explain(error: Exception, *, url: str, timed_out: bool, timeout_s: float) -> SourceError:
    name, host = redacted(url), host_and_port(url)
    kind = av.error
    match error:
        case kind.HTTPUnauthorizedError():
            if "@" not in url:
                return SourceRefused(f"{name} wants a login (401): give rtsp://USER:PASSWORD@{host}/...")
            return SourceRefused(f"{name} refuses the user or the password (401): correct them. {_HINT}")
        case kind.HTTPNotFoundError():
            return SourceNotFound(f"{name}: the server has no such stream (404): correct the path")
        case kind.HTTPServerError():
            return SourceError(f"{name}: the server is in trouble ({_status(error)}): try again later")
        case kind.HTTPClientError():
            return SourceRefused(f"{name}: the server says no ({_status(error)}): ask who runs it")
        case kind.ConnectionRefusedError():
            return SourceNotFound(f"{name}: nothing listens at {host}: is the camera on, the port right?")
        case kind.ProtocolNotFoundError():
            return SourceError(f"{name}: this FFmpeg does not speak {url.partition(':')[0]}")
        case _ if timed_out or isinstance(error, kind.ExitError | TimeoutError):
            return SourceTimeout(
                f"{name} did not answer within {timeout_s:g} s: is it an RTSP camera, and on?"
            )
        case kind.InvalidDataError() | EOFError() | ConnectionError():
            return NotAVideo(f"{name}: what answers at {host} does not speak RTSP: correct host and port")
        case kind.ArgumentError():
            return SourceNotFound(f"{name} is not an address that can be read: correct it. {_HINT}")
        case _:
            return SourceNotFound(f"{name}: the host {host} cannot be found or reached: correct the address")


_HINT = "In a password, write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25"


def _status(error: Exception) -> str:
    """Find the status in FFmpeg's words, and nothing else of them."""
    found = re.match(r"\[[^]]*\] Server returned (\d\w\w [A-Z][A-Za-z ]*)", str(error))
    return found[1].strip() if found else type(error).__name__
