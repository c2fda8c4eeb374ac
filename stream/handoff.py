"""The bounded queue between two threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """Hand items (never None) from one thread to another, in order, never more than `capacity` waiting.

    What happens when it is full is the caller's policy: `put` waits (a file loses nothing), `put_newest`
    makes room by giving back the oldest (a live stream cannot wait). After `close` the reader still gets
    what waits, then the iteration ends. After `abandon` the writer never waits again and what it puts is
    thrown away: the reader is gone.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._abandoned = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append an item, waiting while the queue is full."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._abandoned:
                self._changed.wait()
            self._append(item)

    def put_newest(self, item: T) -> T | None:
        """Append an item without waiting; give back the oldest one if it had to make room."""
        with self._changed:
            dropped = self._items.popleft() if len(self._items) >= self._capacity else None
            self._append(item)
            return dropped

    def close(self) -> None:
        """End the reader's iteration once it has read what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Throw away what waits and whatever comes."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        return (item for item in self.ticking(every_s=None) if item is not None)

    def ticking(self, *, every_s: float | None) -> Iterator[T | None]:
        """Iterate, and give None whenever nothing has come for `every_s` seconds (None: never)."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closed or self._abandoned, every_s)
                if not self._items and (self._closed or self._abandoned):
                    return
                item = self._items.popleft() if self._items else None
                self._changed.notify_all()
            yield item

    def _append(self, item: T) -> None:
        if not self._abandoned:
            self._items.append(item)
            self._changed.notify_all()
