"""`run_demo` as a process: what it tells, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mesure.apps.demo import DemoError, DemoOptions, Step, run_demo
from mesure.apps.demo.messages import read_messages
from mesure.apps.demo.model_server import ModelServer
from mesure.errors import ConfigError
from mesure.meter.sensors.process import cpu_seconds, descendants

if TYPE_CHECKING:
    from conftest import Upstream

#: The demonstration with a server that only waits for a signal: gateway and pages have tests of their own.
_SCRIPT = """
import json, signal, sys
from pathlib import Path
from mesure.apps.demo import DemoOptions, run_demo

def serve(settings, *, meters, notices, on_ready):
    given = json.loads(sys.argv[2])
    on_ready(given["gateway"])
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
options = json.loads(sys.argv[1])
run_demo(
    DemoOptions(data=Path(options.pop("data")), **options),
    say=lambda step: print(json.dumps([step.code, step.values]), flush=True),
    serve=serve,
)
"""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _demo(gateway: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _SCRIPT,
            json.dumps({"port": _free_port(), **options}),
            json.dumps({"gateway": gateway}),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _steps_until(process: subprocess.Popen[str], code: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    assert process.stdout is not None
    for line in process.stdout:
        step, values = json.loads(line)
        found[step] = values
        if step == code:
            return found
    raise AssertionError(f"{code} was never told: {found}")


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def _gone(pids: list[int]) -> bool:
    return all(cpu_seconds(pid) is None or _zombie(pid) for pid in pids)


def _zombie(pid: int) -> bool:
    """Ended, and waiting for whoever adopted it to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _root(upstream: Upstream) -> str:
    return upstream.base_url.removesuffix("v1")


def test_a_day_is_played_and_the_end_is_told(upstream: Upstream, tmp_path: Path) -> None:
    options = {"data": str(tmp_path / "data"), "pace_s": 0.0, "stop_after": True, "upstream": upstream.base_url}
    with _demo(_root(upstream), **options) as process:
        steps = _steps_until(process, "stopped")
        assert process.wait(30) == 0
    assert list(steps) == ["opening", "answering", "ready", "playing", "done", "stopped"]
    assert steps["ready"]["url"] == _root(upstream)
    assert steps["ready"]["seconds"] >= 0
    asked = sum(message.use_case != "faq-search" for message in read_messages())
    assert steps["done"]["calls"] == len(upstream.requests) == asked
    assert steps["stopped"]["folder"] == str(tmp_path / "data")


def test_a_second_start_keeps_the_ledger(upstream: Upstream, tmp_path: Path) -> None:
    kept = tmp_path / "data" / "ledger" / "part"
    kept.parent.mkdir(parents=True)
    kept.write_text("facts")
    options = {"data": str(tmp_path / "data"), "pace_s": 0.0, "stop_after": True, "upstream": upstream.base_url}
    with _demo(_root(upstream), **options) as process:
        steps = _steps_until(process, "stopped")
    assert steps["opening"]["again"] is True
    assert kept.read_text() == "facts"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_it(upstream: Upstream, tmp_path: Path, how: signal.Signals) -> None:
    options = {"data": str(tmp_path / "data"), "pace_s": 3600.0, "upstream": upstream.base_url}
    with _demo(_root(upstream), **options) as process:
        _steps_until(process, "playing")
        children = descendants(process.pid)
        assert len(children) == 1
        os.killpg(process.pid, how)  # as a terminal does: to the whole group
        if how is signal.SIGINT:
            _steps_until(process, "stopped")
        process.wait(30)
        assert process.returncode == (0 if how is signal.SIGINT else -how)
        _until(lambda: _gone(children))


@pytest.mark.local
@pytest.mark.usefixtures("local_model")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_neither_the_model_nor_the_driver_outlive_it(upstream: Upstream, tmp_path: Path, how: signal.Signals) -> None:
    with _demo(_root(upstream), data=str(tmp_path / "data"), pace_s=3600.0) as process:
        steps = _steps_until(process, "playing")
        assert steps["answering"]["model"] == "gemma-3-270m"
        assert steps["answering"]["status"] in ("modelled", "measured")
        children = descendants(process.pid)
        assert len(children) == 2
        os.kill(process.pid, how)  # to it alone: the others learn of it by themselves
        process.wait(30)
        _until(lambda: _gone(children))


@pytest.mark.local
@pytest.mark.usefixtures("local_model")
def test_interrupted_while_the_model_loads(upstream: Upstream, tmp_path: Path) -> None:
    with _demo(_root(upstream), data=str(tmp_path / "data")) as process:
        _steps_until(process, "opening")
        _until(lambda: len(descendants(process.pid)) == 1)
        children = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        _steps_until(process, "stopped")
        assert process.wait(30) == 0
        _until(lambda: _gone(children))


def test_a_port_taken_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("the model was started")

    monkeypatch.setattr(ModelServer, "__init__", never)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        told: list[Step] = []
        with pytest.raises(ConfigError) as caught:
            run_demo(DemoOptions(port=port, data=tmp_path / "data"), say=told.append)
    assert caught.value.code == "port_taken"
    assert str(port) in str(caught.value.value)
    assert told == []


def test_an_upstream_that_does_not_answer_is_said(tmp_path: Path) -> None:
    options = DemoOptions(port=_free_port(), data=tmp_path / "data", upstream="http://127.0.0.1:9/v1")
    with pytest.raises(DemoError, match="does not list its models"):
        run_demo(options, say=lambda step: None)


def test_a_gateway_that_refuses_everything_ends_the_day(tmp_path: Path) -> None:
    options = {"data": str(tmp_path / "data"), "pace_s": 0.0, "upstream": "http://127.0.0.1:9/v1", "model": "m"}
    with _demo("http://127.0.0.1:9/", stop_after=True, **options) as process:
        steps = _steps_until(process, "stopped")
    assert steps["gave_up"]["failed"] >= 8
    assert steps["gave_up"]["reason"]


@pytest.mark.parametrize(("language", "words"), [("fr", "Ouvrez"), ("en", "Open")])
def test_it_speaks_both_languages(
    language: str, words: str, tmp_path: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    options = DemoOptions(
        port=_free_port(), data=tmp_path, upstream=upstream.base_url, language=language, pace_s=3600.0
    )
    run_demo(options, serve=lambda settings, meters, notices, on_ready: on_ready(_root(upstream)))
    told = capsys.readouterr().out
    assert words in told
    assert _root(upstream) in told
    assert "{" not in told
