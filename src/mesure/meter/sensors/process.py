"""CPU seconds of a process and of everything it started, from the kernel's own clocks (nanosecond steps)."""

from __future__ import annotations

import time
from pathlib import Path

from mesure.meter.sensors.source import SensorUnavailable

__all__ = ["ProcessTree"]

_PROC = Path("/proc")
#: Children are looked for at most this often: a walk of /proc costs more than a reading.
_LOOK_EVERY_S = 1.0


class ProcessTree:
    """Cumulative CPU seconds of process `pid`, its threads and (with `children`) its descendants.

    A descendant that starts and ends between two looks (1 s) is not seen. Raises `SensorUnavailable` when there is no
    such process. `seconds()` is `None` once it has ended.
    """

    def __init__(self, pid: int, *, children: bool = True) -> None:
        self.pid = pid
        self._children = children
        self._started = _start_ticks(pid)
        now = cpu_seconds(pid)
        if now is None or self._started is None:
            raise SensorUnavailable(
                "There is no such process, or its CPU time cannot be read",
                value=pid,
                action="Give the process id of the model server while it runs.",
            )
        self._last = {pid: now}
        self._total = 0.0
        self._gone = False
        if children:
            # What they spent before now is not ours; a child born later is counted from its birth.
            self._last |= {child: cpu_seconds(child) or 0.0 for child in descendants(pid)}
        self._looked = time.monotonic()

    def seconds(self) -> float | None:
        """CPU seconds spent since this object was made."""
        self._look()
        if self._gone:
            return None
        for pid, before in tuple(self._last.items()):
            now = cpu_seconds(pid)
            if now is None:
                if pid == self.pid:
                    self._gone = True
                    return None
                del self._last[pid]
            elif now > before:
                self._total += now - before
                self._last[pid] = now
        return self._total

    def _look(self) -> None:
        at = time.monotonic()
        if at - self._looked < _LOOK_EVERY_S:
            return
        self._looked = at
        if _start_ticks(self.pid) != self._started:  # ended, and its number may belong to another process now
            self._gone = True
        elif self._children:
            for child in descendants(self.pid):
                self._last.setdefault(child, 0.0)


def cpu_seconds(pid: int) -> float | None:
    """CPU seconds of all threads of a process since it started; `None` when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
    except OSError:
        return None


def descendants(pid: int) -> list[int]:
    """Processes started by `pid`, directly or not."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = _children_of(waiting.pop())
        found += children
        waiting += children
    return found


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            children += (int(child) for child in (task / "children").read_text().split())
    except OSError:  # ended meanwhile, or a kernel without this list
        pass
    return children


def _start_ticks(pid: int) -> int | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
