"""The local model in a process of its own, speaking the OpenAI wire on loopback.

Run as `python -m mesure.apps.demo.model_server FILE THREADS`: prints its address as one JSON line, then serves until
its standard input ends. The parent holds the other end of that pipe, so the process cannot outlive it, however it dies.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.demo.weights import DemoError, model_file
from mesure.i18n import mark

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["MODEL_NAME", "ModelServer", "default_threads"]

MODEL_NAME = "gemma-3-270m"

_CONTEXT_TOKENS = 8192
_SLOTS = 2
_READY_S = 120.0
_STOP_S = 5.0
#: A base model has no chat template: the messages' texts are laid end to end.
_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
)


def default_threads() -> int:
    """Half the processors: two threads waiting for each other on two busy cores were slower than one."""
    return max(1, min(8, len(os.sched_getaffinity(0)) // 2))


class ModelServer:
    """Starts the process, waits until it answers, and ends it. A context manager.

    `address` is its base address (add /v1), `pid` its process, `ready_s` how long it took.
    """

    def __init__(self, log: Path, *, weights: Path | None = None, threads: int | None = None) -> None:
        began = time.monotonic()
        weights = weights or model_file()
        command = [sys.executable, "-m", __name__, str(weights), str(threads or default_threads())]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603  (our own module)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self.pid = self._process.pid
        self._log = log
        try:
            self.address = self._wait()
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.monotonic() - began

    def _wait(self) -> str:
        answer = self._process.stdout
        watchdog = threading.Timer(_READY_S, self._process.kill)
        watchdog.start()
        try:
            line = answer.readline() if answer is not None else b""
        finally:
            watchdog.cancel()
        try:
            return str(json.loads(line)["address"])
        except (ValueError, KeyError):
            raise DemoError(
                mark("The local model's server did not start"),
                value=f"{self._log}: {_last_line(self._log)}",
                action=mark("See that log, or use another model with --upstream URL"),
                code="demo_model_server",
            ) from None

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the process: asked first, killed if it does not listen."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][-300:] if lines else "no message"


def parameters(weights: str, threads: int) -> Any:
    """llama.cpp's settings: chat, completions and embeddings, prefixes kept from call to call, no page, no log."""
    xllamacpp: Any = import_module("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path = weights
    settings.model_alias = {MODEL_NAME}
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_ctx = _CONTEXT_TOKENS
    settings.n_parallel = _SLOTS
    settings.swa_full = True  # else a sliding window forgets the worked examples, and each call reads them again
    settings.embedding = True
    settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    settings.chat_template = _TEMPLATE
    settings.ui = False
    settings.endpoint_slots = False
    settings.verbosity = 1  # errors only: no request is logged
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    return settings


def main(weights: str, threads: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides the order
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints goes to the log
    engine: Any = import_module("xllamacpp")
    server = engine.Server(parameters(weights, int(threads)))
    answer.write(json.dumps({"address": server.listening_address}) + "\n")
    answer.close()
    sys.stdin.buffer.read()
    os._exit(0)  # nothing to save; the library's own shutdown can wait for a call in progress


if __name__ == "__main__":
    main(*sys.argv[1:])
