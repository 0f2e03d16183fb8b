"""`mesure up` as a process of its own, and what a client does with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openai import OpenAI
from provider_double import GOOD_KEY, ProviderDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Server:
    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.port = int(url.rpartition(":")[2])
        self.output = ""

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return str(answer.read().decode())

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=GOOD_KEY, max_retries=0)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def served(provider: ProviderDouble | None, data: Path, *arguments: str) -> Iterator[Server]:
    """`mesure up`; without a provider, `arguments` are to name one."""
    # A port chosen here could be taken by another process before the server has it: it chooses, and says
    command = [sys.executable, "-m", "mesure", "up", "--json", "--port", "0", "--data", data, *arguments]
    if provider is not None:
        command += ["--upstream", provider.url]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MESURE_")} | {"MESURE_LANG": "en"}
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=data.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    server = None
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("{"):
                server = Server(process, json.loads(line)["url"].rstrip("/"))
                break
        assert server is not None, "".join(said)
        assert server.get("/healthz")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        rest, _ = process.communicate()
        if server is not None:
            server.output = "".join(said) + rest


def ask(server: Server, **headers: str) -> str:
    with server.client() as client:
        answer = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Où est mon colis ?"}], extra_headers=headers
        )
    return answer.id


def counted(server: Server) -> float:
    lines = server.get("/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("mesure_calls_"))
