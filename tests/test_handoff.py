"""The queue between threads keeps its promises: order, bound, policy, end."""

from __future__ import annotations

import threading
import time

from magnifyme.stream.handoff import Handoff


def test_put_waits_and_loses_nothing() -> None:
    """A file's frames all arrive, in order, however slow the reader is."""
    handoff: Handoff[int] = Handoff(2)
    longest = 0

    def write() -> None:
        for item in range(50):
            handoff.put(item)
        handoff.close()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    for item in handoff:
        longest = max(longest, len(handoff))
        seen.append(item)
        if item % 10 == 0:
            time.sleep(0.002)
    writer.join()
    assert seen == list(range(50))
    assert longest <= 2


def test_put_newest_never_waits_and_tells_what_it_dropped() -> None:
    """A live stream's newest frame wins, and every dropped one can be counted."""
    handoff: Handoff[int] = Handoff(3)
    dropped = [handoff.put_newest(item) for item in range(10)]
    handoff.close()
    assert list(handoff) == [7, 8, 9]
    assert dropped == [None, None, None, 0, 1, 2, 3, 4, 5, 6]


def test_abandon_frees_a_waiting_writer() -> None:
    """When the reader is gone the writer's thread must not hang for ever."""
    handoff: Handoff[int] = Handoff(1)
    handoff.put(0)
    writer = threading.Thread(target=handoff.put, args=(1,))
    writer.start()
    handoff.abandon()
    writer.join(timeout=2)
    assert not writer.is_alive()
    assert list(handoff) == []


def test_close_frees_a_waiting_reader() -> None:
    """At the end of the stream the consumer's loop ends."""
    handoff: Handoff[int] = Handoff(1)
    seen: list[int] = []
    reader = threading.Thread(target=lambda: seen.extend(handoff))
    reader.start()
    handoff.put(5)
    handoff.close()
    reader.join(timeout=2)
    assert not reader.is_alive()
    assert seen == [5]
