"""What the gateway's bench compares: ours, and others that install, each as a process with a port."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import uvloop

from gateway_wire import provide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = [
    "CACHE",
    "LITELLM",
    "PORTKEY",
    "Contender",
    "NotInstalled",
    "litellm",
    "mesure_up",
    "portkey",
    "provider",
    "worker",
]

#: Others are installed here, in environments of their own, pinned; never in ours.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mesure-bench"
LITELLM = "1.106.2"
PORTKEY = "1.15.2"
_PATIENCE_S = 120.0


class NotInstalled(Exception):  # noqa: N818
    """Why a gateway is not compared with."""


@dataclass(slots=True)
class Contender:
    name: str
    port: int
    process: psutil.Process
    headers: tuple[str, ...] = ()
    fast: bool = True  # takes the full number of calls
    streams: bool = True  # event streams pass

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time of the process and of those it started."""
        return sum(times.user + times.system for times in (one.cpu_times() for one in self._tree()))

    def rss_mb(self) -> float:
        return sum(one.memory_info().rss for one in self._tree()) / 1e6


@contextmanager
def provider() -> Iterator[Contender]:
    with _spawned(provide) as (process, port):
        yield Contender("direct", port, process)


@contextmanager
def worker(provider_port: int) -> Iterator[Contender]:
    """A process as `mesure up --workers N` has N of: full metering, a spool of its own."""
    with tempfile.TemporaryDirectory() as folder, _spawned(_relay, provider_port, folder) as (process, port):
        yield Contender("mesure", port, process)


def _relay(pipe: Connection, provider_port: int, folder: str) -> None:
    from mesure.apps.gateway import Gateway
    from mesure.apps.http1.asgi import AsgiService
    from mesure.apps.server import open_spool, serving_of
    from mesure.config import ProviderSettings, ServerSettings, Settings

    there = ProviderSettings(
        base_url=f"http://127.0.0.1:{provider_port}/v1", default=True, provider="openai", zone="FRA"
    )
    settings = Settings(server=ServerSettings(data=folder), providers={"mock": there})
    gateway = Gateway(settings, open_spool(settings))
    serving = serving_of(settings, gateway, AsgiService(None))  # type: ignore[arg-type]  (no pages are asked for)

    async def serve() -> None:
        await gateway.startup()
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            pipe.send(listener.getsockname()[1])
            await serving.run(listener, asyncio.Event(), 1.0)

    uvloop.run(serve())


@contextmanager
def mesure_up(provider_port: int) -> Iterator[Contender]:
    """`mesure up` as it comes: relaying, committing and pages in one process."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mesure.toml"
        config.write_text(
            f'[server]\ndata = "{folder}/data"\n[providers.mock]\ndefault = true\nprovider = "openai"\nzone = "FRA"\n'
            f'base_url = "http://127.0.0.1:{provider_port}/v1"\n'
        )
        port = _free_port()
        command = [sys.executable, "-m", "mesure", "up", "--config", str(config), "--port", str(port)]
        with _started(command, f"http://127.0.0.1:{port}/healthz") as process:
            yield Contender("mesure, with ledger and pages", port, process)


@contextmanager
def litellm(provider_port: int) -> Iterator[Contender]:
    """LiteLLM's proxy with one worker, as its quick start configures it. Raises `NotInstalled`."""
    folder = CACHE / f"litellm-{LITELLM}"
    program = folder / "bin" / "litellm"
    if not program.exists():
        _install(
            [sys.executable, "-m", "venv", str(folder)],
            [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", f"litellm[proxy]=={LITELLM}"],
        )
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "config.yaml"
        parameters = {"model": "openai/gpt-4o", "api_base": f"http://127.0.0.1:{provider_port}/v1", "api_key": "sk-x"}
        config.write_text(json.dumps({"model_list": [{"model_name": "gpt-4o", "litellm_params": parameters}]}))
        port = _free_port()
        command = [str(program), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
        quiet = {
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
        }
        with _started(command, f"http://127.0.0.1:{port}/health/liveliness", **quiet) as process:
            yield Contender(f"litellm {LITELLM}", port, process, fast=False)


@contextmanager
def portkey(provider_port: int) -> Iterator[Contender]:
    """Portkey's gateway on Node.js, which counts and stores nothing. Raises `NotInstalled`."""
    folder = CACHE / f"portkey-{PORTKEY}"
    script = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    if not script.exists():
        if shutil.which("npm") is None:
            raise NotInstalled("it runs on Node.js, and there is no npm here")
        _install([*install, f"@portkey-ai/gateway@{PORTKEY}"])
    port = _free_port()
    command = ["node", str(script), f"--port={port}", "--headless"]
    with _started(command, f"http://127.0.0.1:{port}/") as process:
        there = f"x-portkey-custom-host: http://127.0.0.1:{provider_port}/v1"
        headers = ("authorization: Bearer sk-x", "x-portkey-provider: openai", there)
        yield Contender(f"portkey {PORTKEY}", port, process, headers, fast=False)


def _install(*commands: list[str]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"`{Path(command[0]).name} {' '.join(command[1:])}` failed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:200]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _spawned(target: object, *arguments: object) -> Iterator[tuple[psutil.Process, int]]:
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=target, args=(far, *arguments), daemon=True)  # type: ignore[arg-type]
    process.start()
    try:
        yield psutil.Process(process.pid), near.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def _started(command: list[str], url: str, **environ: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotInstalled(f"{Path(command[0]).name} does not answer")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for left in (process, *children):
            with suppress(psutil.Error, OSError):
                left.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
