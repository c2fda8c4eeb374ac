"""How work that takes long tells its caller of itself."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Is told how many frames are done, and of how many (None: not known)."""

Notice = Callable[[str], None]
"""Is told one line that a user should read."""
