"""CPU seconds of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mesure.meter.sensors import SensorUnavailable
from mesure.meter.sensors.process import ProcessTree, cpu_seconds, descendants

#: Burns CPU until it has spent that many seconds of it, says so, then waits to be ended.
_BURN = "import sys,time\nwhile time.process_time() < {seconds}: pass\nprint('done', flush=True)\nsys.stdin.read()"


@contextmanager
def _process(code: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_counts_what_a_process_spends_from_now_on() -> None:
    before = time.process_time()
    tree = ProcessTree(os.getpid(), children=False)
    while time.process_time() - before < 0.2:
        pass
    spent = tree.seconds()
    assert spent is not None
    assert 0.15 <= spent <= time.process_time() - before + 0.01


def test_what_a_process_spent_earlier_is_not_charged() -> None:
    with _process(_BURN.format(seconds=0.3)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tree = ProcessTree(process.pid)
        assert (cpu_seconds(process.pid) or 0.0) >= 0.3
        assert (tree.seconds() or 0.0) < 0.15


def test_children_are_part_of_the_tree() -> None:
    child = f"import subprocess,sys\nsubprocess.run([sys.executable,'-c',{_BURN.format(seconds=0.5)!r}])"
    with _process(child) as process:
        tree = ProcessTree(process.pid)
        alone = ProcessTree(process.pid, children=False)
        _until(lambda: (tree.seconds() or 0.0) >= 0.5)
        assert descendants(process.pid)
        assert (alone.seconds() or 0.0) < (tree.seconds() or 0.0)


def test_seconds_never_decrease_and_end_with_the_process() -> None:
    with _process(_BURN.format(seconds=0.1)) as process:
        tree = ProcessTree(process.pid)
        readings = [tree.seconds() for _ in range(50)]
        known = [reading for reading in readings if reading is not None]
        assert known == sorted(known)
        assert len(known) == 50
    _until(lambda: tree.seconds() is None)
    assert tree.seconds() is None


def test_a_reused_process_number_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with _process(_BURN.format(seconds=0.01)) as process:
        tree = ProcessTree(process.pid)
        monkeypatch.setattr("mesure.meter.sensors.process._start_ticks", lambda pid: 1)
        monkeypatch.setattr(tree, "_looked", -1e9)
        assert tree.seconds() is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_no_such_process_is_said(pid: int) -> None:
    with pytest.raises(SensorUnavailable, match="no such process") as caught:
        ProcessTree(pid)
    assert caught.value.value == pid
    assert caught.value.code == "sensor_unavailable"
