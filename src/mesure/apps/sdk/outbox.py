"""What callers hand over, worked off by one thread: a bounded queue that blocks nobody, and counts what it drops."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Outbox"]

log = logging.getLogger("mesure.sdk")

#: Items that came within this are worked off together.
_GATHER_S = 0.05
_AT_EXIT_S = 5.0


class Outbox:
    """`work` gets lists of items, in order, in a thread of its own; what it raises is counted in `failed`.

    A forked child begins with an empty box: what was in it is the parent's to send. At the end of the process what is
    left is worked off, for 5 seconds at most.
    """

    def __init__(
        self, work: Callable[[list[Any]], None], *, most: int = 10_000, after_fork: Callable[[], None] = lambda: None
    ) -> None:
        self._work = work
        self._most = most
        self.dropped = 0
        self.failed = 0
        self._closed = False
        self._begin()
        self._after_fork = after_fork
        forget = weakref.WeakMethod(self._in_child)
        os.register_at_fork(after_in_child=lambda: (again := forget()) and again())
        atexit.register(_close, weakref.ref(self))

    def _begin(self) -> None:
        """The state of one process: nothing waiting, no thread."""
        self._items: deque[Any] = deque()
        self._news = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def _in_child(self) -> None:
        self._begin()
        self.dropped = self.failed = 0
        self._after_fork()

    def put(self, item: Any) -> None:
        """On the caller's path: an item more, or one dropped."""
        if len(self._items) >= self._most or self._closed:
            self.dropped += 1
            return
        self._items.append(item)
        if not self._news.is_set():
            self._idle.clear()
            self._news.set()
            if self._thread is None:
                self._start()

    def flush(self, seconds: float = _AT_EXIT_S) -> bool:
        """Wait until everything is worked off; False when it was not in time."""
        deadline = time.monotonic() + seconds
        while self._items or not self._idle.is_set():
            if time.monotonic() >= deadline or self._thread is None:
                return False
            self._idle.wait(0.01)
            if self._idle.is_set() and self._items:
                time.sleep(0.001)
        return True

    def close(self, seconds: float = _AT_EXIT_S) -> None:
        """Work off what is there; what comes later is dropped, and counted."""
        self.flush(seconds)
        self._closed = True
        self._news.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mesure-sdk", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            self._news.wait()
            if not self._closed:
                time.sleep(_GATHER_S)
            self._news.clear()
            items = [self._items.popleft() for _ in range(len(self._items))]
            if items:
                self._idle.clear()
                self._worked(items)
            if not self._items:
                self._idle.set()

    def _worked(self, items: list[Any]) -> None:
        try:
            self._work(items)
        except Exception as error:  # noqa: BLE001  (an application outlives whatever its meter does)
            if not self.failed:
                log.warning("Calls could not be metered: %s. Further failures are counted.", type(error).__name__)
            self.failed += len(items)


def _close(box: weakref.ref[Outbox]) -> None:
    if (alive := box()) is not None:
        alive.close()
