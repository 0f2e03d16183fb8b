"""The assembled server, as a process of its own: what a first user starts, calls, looks at and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from openai import OpenAI
from provider_double import GOOD_KEY, ProviderDouble

from mesure.apps.server import bind, is_loopback
from mesure.catalogue import current
from mesure.errors import ConfigError
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Server:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

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
def served(provider: ProviderDouble, data: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "mesure", "up", "--upstream", provider.url, "--port", str(port), "--data", data]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MESURE_")} | {"MESURE_LANG": "en"}
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=data.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process, port)

    def answers() -> bool:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        try:
            return bool(server.get("/healthz"))
        except OSError:
            return False

    try:
        eventually(answers)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ask(server: Server, **headers: str) -> str:
    with server.client() as client:
        answer = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Où est mon colis ?"}], extra_headers=headers
        )
    return answer.id


def test_a_call_is_booked_shown_explained_and_kept(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data) as server:
        ask(server, **{"x-mesure-team": "livraison", "x-mesure-use-case": "suivi"})
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 1)
        metrics = server.get("/metrics")
        assert sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("mesure_calls_")) == 1
        page = server.get("/en/")
        assert "livraison" in page
        assert "suivi" in page
        assert server.json("/healthz")["spool_failed"] == 0
        assert server.stop() == 0
    with served(provider, data) as server:
        assert server.json("/api/overview")["month"]["calls"] == 1
        ask(server)
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 2)


def test_killed_at_once_after_the_answer_nothing_is_lost(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        for _ in range(5):
            ask(server)
        server.process.kill()
        server.process.wait(20)
    with served(provider, tmp_path / "data") as server:
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 5)


def test_no_text_and_no_key_is_kept(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data) as server:
        ask(server, **{"x-mesure-user": "Camille Dupont"})
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 1)
        spooled = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
        assert server.stop() == 0
    stored = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    output = server.process.stdout.read() if server.process.stdout and not server.process.stdout.closed else ""
    for secret in (GOOD_KEY, "colis", "Camille", "Dupont"):
        assert secret.encode() not in spooled + stored
        assert secret not in output


def test_open_pages_do_not_hold_back_a_stop(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        live = urllib.request.urlopen(server.url + "/live?lang=en", timeout=20)
        assert live.status == 200
        assert server.stop() == 0
        live.close()


def test_provenance_from_the_file_to_the_json_and_the_page(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        ask(server)
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 1)
        sources = server.json("/api/overview")["month"]["gwp_gco2eq"]["sources"]
        page = server.get("/en/why")
    catalogue = current()
    grid = catalogue.factor(next(source for source in sources if source.startswith("grids.")))
    assert grid.source
    assert grid.licence
    assert str(grid.year) in page
    assert grid.licence in page
    for source in sources:
        factor = None if source.startswith("fit.") else catalogue.factor(source)
        assert factor is None or (factor.source and factor.year and factor.licence and factor.unit)


def test_the_port_is_taken(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(ConfigError, match="already in use") as refused,
    ):
        bind("127.0.0.1", other.getsockname()[1])
    assert refused.value.code == "port_taken"
    assert "--port" in refused.value.action


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])
def test_an_address_open_to_others_is_refused(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="loopback") as refused:
        bind(host, 0)
    assert refused.value.code == "bind_refused"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "::1"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert is_loopback(host)


def test_a_second_server_on_the_same_folder_is_refused(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        second = subprocess.run(
            [sys.executable, "-m", "mesure", "up", "--upstream", provider.url, "--port", str(free_port()), "--data",
             str(tmp_path / "data"), "--lang", "en"],
            capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert second.returncode == 1
        assert "Traceback" not in second.stderr + second.stdout
        ask(server)


def test_a_foreign_host_name_is_refused(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        request = urllib.request.Request(server.url + "/api/overview", headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        assert refused.value.code == 403
        refused.value.close()
