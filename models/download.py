"""Files from the network: fetched once, resumed where they broke off, checked, kept in the user's cache."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import platformdirs

from .errors import ModelError

Progress = Callable[[int, int | None], None]
"""Is told the bytes had so far, and of how many (None where the server does not say)."""

_CHUNK = 1 << 16
# A line that breaks off is taken up again this often, as long as each attempt brought something.
_ATTEMPTS = 8
# A part that nobody has written to for so long belongs to a process that died: it may be taken over.
_ORPHAN_AFTER_S = 60.0
_OFFLINE = "MAGNIFYME_OFFLINE"


def cache_dir() -> Path:
    """Give the folder of downloaded files: `$MAGNIFYME_CACHE`, else the user's cache folder."""
    named = os.environ.get("MAGNIFYME_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_path("magnifyme"))


def fetch(
    url: str,
    *,
    sha256: str,
    path: Path,
    progress: Progress | None = None,
    timeout_s: float = 30.0,
    limit_s: float | None = None,
) -> Path:
    """Bring a file to `path` and return it; what lies there already and is right is not fetched again.

    `sha256` is the file's digest in hexadecimal. `timeout_s` is the longest silence of the server,
    `limit_s` the longest the whole may take. What was had before a break stays beside `path` as
    `NAME.part`, and the next call goes on from there. Several processes may fetch the same file at once:
    each writes a part of its own, and the file appears whole or not at all. With `MAGNIFYME_OFFLINE=1`
    in the environment nothing is fetched.

    Raises ModelError, in one line, when there is no connection, the server refuses, the content is not
    what was promised, or the disk has no room.
    """
    if path.is_file() and _digest(path) == sha256:
        return path
    if os.environ.get(_OFFLINE, "0") not in ("", "0"):
        raise ModelError(f"{path} is not there, and {_OFFLINE} forbids fetching {url}")
    deadline = None if limit_s is None else time.monotonic() + limit_s
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _claim_part(path)
    except OSError as error:
        raise ModelError(f"cannot write to {path.parent}: {_reason(error)}; set MAGNIFYME_CACHE") from error
    try:
        resumed = part.stat().st_size > 0
        _fill(part, url=url, progress=progress, timeout_s=timeout_s, deadline=deadline)
        found = _digest(part)
        if found != sha256 and resumed:
            # The rest was put behind the beginning of another version: once more, from the start.
            part.write_bytes(b"")
            _fill(part, url=url, progress=progress, timeout_s=timeout_s, deadline=deadline)
            found = _digest(part)
        if found != sha256:
            part.write_bytes(b"")
            raise ModelError(f"{url} holds another file than expected: sha256 {found}, expected {sha256}")
        part.replace(path)
    except (OSError, http.client.HTTPException) as error:
        raise ModelError(_explain(error, url=url, path=path)) from error
    finally:
        _leave_part(part, path=path)
    return path


def _claim_part(path: Path) -> Path:
    """Give a part of our own, which begins with what a broken fetch left behind.

    A rename has one winner, so two processes never write to the same part.
    """
    own = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    left_behind = [path.with_name(f"{path.name}.part")]
    for orphan in path.parent.glob(f"{path.name}.*-*.part"):
        try:
            if time.time() - orphan.stat().st_mtime > _ORPHAN_AFTER_S:
                left_behind.append(orphan)
        except FileNotFoundError:
            continue
    for old in left_behind:
        try:
            old.rename(own)
        except OSError:
            continue
        os.utime(own)
        return own
    own.touch()
    return own


def _leave_part(part: Path, *, path: Path) -> None:
    """Keep what was had under the name that the next fetch looks for."""
    try:
        if part.stat().st_size > 0:
            part.replace(path.with_name(f"{path.name}.part"))
        else:
            part.unlink()
    except OSError:
        pass  # The file is in place, or the disk is gone: nothing is left to keep.


def _fill(
    part: Path, *, url: str, progress: Progress | None, timeout_s: float, deadline: float | None
) -> None:
    """Append what is missing to `part`, taking up again a line that breaks off."""
    for attempt in range(_ATTEMPTS):
        before = part.stat().st_size
        try:
            if _append(part, url=url, progress=progress, timeout_s=timeout_s, deadline=deadline):
                return
        except (http.client.HTTPException, ConnectionError, TimeoutError):
            if part.stat().st_size <= before or attempt == _ATTEMPTS - 1:
                raise
        if part.stat().st_size <= before:
            break
    raise ConnectionError(f"the connection broke off after {part.stat().st_size} bytes")


def _append(
    part: Path, *, url: str, progress: Progress | None, timeout_s: float, deadline: float | None
) -> bool:
    """Ask once for what is missing; say whether the file is whole now."""
    have = part.stat().st_size
    headers = {"User-Agent": "magnifyme", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_time_left(timeout_s, deadline))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return True  # Nothing is missing; the digest says whether it is right.
        raise
    with response, part.open("ab") as target:
        if have and response.status != http.HTTPStatus.PARTIAL_CONTENT:
            target.truncate(0)  # The server sends the whole file.
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdigit() else None
        _need_room(part, missing=0 if total is None else total - have)
        while chunk := _read(response, deadline=deadline):
            target.write(chunk)
            target.flush()
            have += len(chunk)
            if progress is not None:
                progress(have, total)
    return total is None or have >= total


def _read(response: BinaryIO, *, deadline: float | None) -> bytes:
    _time_left(1.0, deadline)
    return response.read1(_CHUNK) if isinstance(response, http.client.HTTPResponse) else response.read(_CHUNK)


def _time_left(timeout_s: float, deadline: float | None) -> float:
    if deadline is None:
        return timeout_s
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit is over")
    return min(timeout_s, left)


def _need_room(part: Path, *, missing: int) -> None:
    if shutil.disk_usage(part.parent).free < missing:
        raise OSError(errno.ENOSPC, f"{missing / 1e6:.1f} MB needed")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explain(error: OSError | http.client.HTTPException, *, url: str, path: Path) -> str:
    if not isinstance(error, OSError):
        return f"{url} does not answer as a web server does ({type(error).__name__})"
    if isinstance(error, urllib.error.HTTPError):
        return f"{url} answers {error.code} {error.reason}"
    if error.errno == errno.ENOSPC:
        return f"no room for {path}: free some, or set MAGNIFYME_CACHE to another folder"
    if isinstance(error, TimeoutError):
        return f"{url} does not answer in time: {_reason(error)}"
    return f"cannot fetch {url}: {_reason(error)}; is this machine offline?"


def _reason(error: BaseException) -> str:
    """Give the innermost reason in one line."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return " ".join(str(inner).split()) or type(inner).__name__
