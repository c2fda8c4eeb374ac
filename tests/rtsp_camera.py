"""An RTSP camera in pure Python, with the faults that real ones have.

It speaks what a client needs of RFC 2326 (OPTIONS, DESCRIBE, SETUP, PLAY, keep-alives, TEARDOWN), sends
H.264 by RFC 6184 (single packets and FU-A) interleaved in the TCP connection, and paces it by the clock:

    with RtspCamera(fps=30) as camera:
        frames = open_source(camera.url)
        camera.kill()

Frame n is flat gray of level `gray_of(n)` above, so that a test knows which one it got, and noise below,
so that it takes several packets.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from types import TracebackType

import av
import numpy as np

_CLOCK_HZ = 90_000


def gray_of(number: int) -> int:
    """Say which gray level fills frame `number`: 20 steps of 8."""
    return 40 + 8 * (number % 20)


@cache
def encode(*, size: tuple[int, int], fps: int, frames: int, key_every: int) -> list[list[bytes]]:
    """Encode a clip; give each frame's NAL units, with SPS and PPS before each key frame."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, fps)
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"keyint={key_every}:min-keyint={key_every}:scenecut=0:threads=1:slices=1",
    }
    units, noise = [], np.random.default_rng(1)
    for number in range(frames):
        planes = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
        planes[: size[1]] = gray_of(number)
        planes[size[1] // 2 : size[1]] = noise.integers(0, 256, (size[1] // 2, size[0]))
        picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
        picture.pts = number
        data = b"".join(bytes(packet) for packet in encoder.encode(picture))
        units.append([unit for unit in re.split(rb"\x00*\x00\x00\x01", data) if unit])
    return units


def packetise(units: list[bytes], *, payload: int) -> Iterator[tuple[bytes, bool]]:
    """Cut a frame's NAL units into RTP payloads (RFC 6184); the flag marks the frame's last one."""
    for number, unit in enumerate(units):
        last_unit = number == len(units) - 1
        if len(unit) <= payload:
            yield unit, last_unit
            continue
        indicator, header = unit[0] & 0xE0 | 28, unit[0] & 0x1F
        pieces = [unit[at : at + payload] for at in range(1, len(unit), payload)]
        for index, piece in enumerate(pieces):
            first, last = index == 0, index == len(pieces) - 1
            yield bytes([indicator, header | first << 7 | last << 6]) + piece, last_unit and last


class RtspCamera:
    """Serve a looping clip on 127.0.0.1; attributes and methods are its faults."""

    def __init__(
        self,
        *,
        size: tuple[int, int] = (160, 120),
        fps: int = 30,
        key_every: int = 10,
        login: tuple[str, str] | None = None,
        digest: bool = False,
        payload: int = 1400,
    ) -> None:
        self.fps, self.login, self.digest, self.payload = fps, login, digest, payload
        self._key_every = key_every
        self.clip = encode(size=size, fps=fps, frames=40, key_every=key_every)
        self.answer: bytes | None = None  # given to every request instead of RTSP's, if set
        self.silent = False  # requests are read and never answered
        self.requests: list[str] = []
        self.jump_seconds = 0.0  # added to the timestamps from now on
        self.lose = 0  # so many fragments, neither first nor last of their picture, are dropped next
        self.split_pause = 0.0  # seconds of silence in the middle of the next RTP packet
        self._running = threading.Event()
        self._running.set()
        self._port = 0
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> RtspCamera:
        self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.set()
        self.kill()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"rtsp://{self.host}/cam"

    def kill(self) -> None:
        """Close the port and all connections, as a camera that loses its power."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            self._hang_up(connection)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def restart(self) -> None:
        """Listen (again) on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def freeze(self) -> None:
        """Send nothing more, and keep the connection; the camera's clock runs on."""
        self._running.clear()

    def thaw(self) -> None:
        """Send again, from the picture that is due now."""
        self._running.set()

    def resize(self, size: tuple[int, int]) -> None:
        """Go on in another size, from the next key frame."""
        self.clip = encode(size=size, fps=self.fps, frames=40, key_every=self._key_every)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="rtsp camera")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _hang_up(self, connection: socket.socket) -> None:
        self._connections.discard(connection)
        with contextlib.suppress(OSError):  # the other side was first
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        try:
            while head := stream.read(1):
                if head == b"$":  # RTCP from the client
                    stream.read(int.from_bytes(stream.read(3)[1:]))
                    continue
                request = head.decode()
                while not request.endswith("\r\n\r\n"):
                    line = stream.readline()
                    if not line:
                        return
                    request += line.decode()
                self.requests.append(request)
                if not self.silent:
                    connection.sendall(self.answer or self._answer(request))
                    if request.startswith("PLAY"):
                        self._start(self._send, connection)
        except OSError:
            pass  # the client or `kill` closed the connection
        finally:
            self._hang_up(connection)

    def _answer(self, request: str) -> bytes:
        method, url, _ = request.split("\r\n")[0].split(" ")
        lines, body = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"], ""
        status = "200 OK"
        if method != "OPTIONS" and not self._admits(request, method=method, url=url):
            status = "401 Unauthorized"
            scheme = 'Digest realm="cam", nonce="n0nce"' if self.digest else 'Basic realm="cam"'
            lines = [f"WWW-Authenticate: {scheme}"]
        elif not url.partition("://")[2].partition("/")[2].startswith("cam"):
            status = "404 Not Found"
        elif method == "DESCRIBE":
            body = self._description()
            lines = [f"Content-Base: {url}/", "Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            lines = ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=60"]
        cseq = re.search(r"CSeq: *(\d+)", request)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {cseq[1] if cseq else 0}", *lines]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _admits(self, request: str, *, method: str, url: str) -> bool:
        if self.login is None:
            return True
        user, password = self.login
        if not self.digest:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            return f"Authorization: Basic {token}" in request
        given = re.search(r'response="([0-9a-f]+)"', request)
        first, second = (_md5(text) for text in (f"{user}:cam:{password}", f"{method}:{url}"))
        return given is not None and given[1] == _md5(f"{first}:n0nce:{second}")

    def _description(self) -> str:
        sps, pps = (next(u for u in self.clip[0] if u[0] & 31 == kind) for kind in (7, 8))
        sets = ",".join(base64.b64encode(unit).decode() for unit in (sps, pps))
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{_CLOCK_HZ}\r\na=control:video\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=framerate:{self.fps}\r\n"
        )

    def _send(self, connection: socket.socket) -> None:
        packet_number, first_stamp = random.randrange(1, 1 << 15), random.randrange(1, 1 << 31)
        start = time.monotonic()
        number, clip = 0, self.clip
        while connection in self._connections:
            if not self._running.is_set():
                self._running.wait()
                number = max(number, int((time.monotonic() - start) * self.fps))
                number += -number % self._key_every
            if number % self._key_every == 0:
                clip = self.clip
            stamp = (first_stamp + int((number / self.fps + self.jump_seconds) * _CLOCK_HZ)) & 0xFFFFFFFF
            time.sleep(max(0.0, start + number / self.fps - time.monotonic()))
            for payload, last in packetise(clip[number % len(clip)], payload=self.payload):
                packet_number = (packet_number + 1) & 0xFFFF
                if self.lose > 0 and payload[0] & 31 == 28 and not payload[1] & 0xC0:
                    self.lose -= 1
                    continue
                data = struct.pack(">BBHII", 0x80, 96 | last << 7, packet_number, stamp, 0xCAFE) + payload
                data = b"$\x00" + len(data).to_bytes(2) + data
                try:
                    if self.split_pause:
                        connection.sendall(data[: len(data) // 2])
                        pause, self.split_pause = self.split_pause, 0.0
                        time.sleep(pause)
                        data = data[len(data) // 2 :]
                    connection.sendall(data)
                except OSError:
                    return
            number += 1


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
