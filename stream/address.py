"""Network addresses with passwords: made harmless for people's eyes, made readable for FFmpeg."""

from __future__ import annotations

import re
from urllib.parse import quote

# Cameras also take passwords as fields of the path or the query; in the query, / and ? do not end them.
_SECRET_NAME = r"(?i)((?:pass(?:word|wd|phrase)?|pwd|psw|token|secret|auth|(?:api_?)?key|sig(?:nature)?)=)"
_SECRET_IN_PATH = re.compile(_SECRET_NAME + r"[^&;/?#]+")
_SECRET_IN_QUERY = re.compile(_SECRET_NAME + r"[^&;#]+")
# `rtsp://…`, and `rtsp:/…`, which is what a path makes of it; one letter alone is a drive of Windows.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}")
# An address in a sentence, or what looks like one whose scheme was forgotten; but not our own advice.
_IN_TEXT = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}(?!/?USER:PASSWORD@)\S+|[^\s:/'\"]+:(?![\s/]|PASSWORD@)\S*@\S*"
)
# What stands before a path can only be a host, not the beginning of a user and a password.
_ONLY_A_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|\d+(?:\.\d+){3}|localhost)(?::\d*)?|[^:]*")


def is_address(text: str) -> bool:
    """Tell whether a text begins as an address does, with a scheme and one slash or two."""
    return _SCHEME.match(text) is not None


def redacted(url: str) -> str:
    """Show an address without its secrets: `rtsp://joe:***@host/path?token=***`.

    What could be a part of a password is hidden: all that stands before the last @, but for the user.
    """
    found = _SCHEME.match(url)
    scheme, body = (found[0], url[found.end() :]) if found else ("", url)
    login, rest = _split(body)
    if login is not None and (scheme or ":" in login):
        user, colon, _ = login.partition(":")
        rest = f"{user if colon else ''}{colon}***@{body.rpartition('@')[2]}"
    elif not scheme:
        return url
    path, mark, query = rest.partition("?")
    return scheme + _SECRET_IN_PATH.sub(r"\1***", path) + mark + _SECRET_IN_QUERY.sub(r"\1***", query)


def scrubbed(text: str) -> str:
    """Hide the secrets of every address in a text, whoever wrote it."""
    return _IN_TEXT.sub(lambda found: redacted(found[0]), text)


def encoded(url: str) -> str:
    """Percent-encode the user and the password of an address, as FFmpeg wants them.

    What is encoded already (% and two hexadecimal digits) stays as it is. A password may hold @, and also
    /, ? and # as long as no other @ stands before them: otherwise its end cannot be told.
    """
    scheme, _, body = url.partition("://")
    login, rest = _split(body)
    if login is None:
        return url
    user, colon, password = login.partition(":")
    return f"{scheme}://{_encode(user)}{colon}{_encode(password)}@{rest}"


def host_and_port(url: str) -> str:
    """Give the host of an address, with the port if it has one; never a piece of a password."""
    shown = _SCHEME.sub("", redacted(url), count=1)
    return re.split(r"[/?#]", shown.rpartition("***@")[2], maxsplit=1)[0]


def _split(body: str) -> tuple[str | None, str]:
    """Part `user:password` from what follows it; None if there is no login."""
    authority = re.split(r"[/?#]", body, maxsplit=1)[0]
    if "@" in authority:
        login = authority.rpartition("@")[0]
    elif "@" in body and not _ONLY_A_HOST.fullmatch(authority):
        login = body.rpartition("@")[0]
    else:
        return None, body
    return login, body[len(login) + 1 :]


def _encode(text: str) -> str:
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", text)
    return "".join(piece if index % 2 else quote(piece, safe="") for index, piece in enumerate(pieces))
