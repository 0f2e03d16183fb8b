"""A server of several processes: one ledger, one count, and no call lost with the process that did not carry it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import openai
import psutil
import pytest
from provider_double import GOOD_KEY, WORDS, ProviderDouble
from realtime_double import RealtimeDouble
from test_relay import Got, call

from mesure.apps.workers import _bind_all
from mesure.config import ServerSettings, Settings
from mesure.errors import ConfigError
from mesure.ledger import Ledger
from served_process import Server, ask, free_port, served
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHAT = "/v1/chat/completions"
_SPELL = 30.0  # for a process to be started again on a busy machine


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def _body(model: str = "gpt-4o", content: str = "Bonjour", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


def _processes(server: Server) -> dict[str, list[psutil.Process]]:
    """The children of a server: `workers`, and the `house`."""
    found: dict[str, list[psutil.Process]] = {"workers": [], "house": []}
    for child in psutil.Process(server.process.pid).children():
        with_pages = any(name.endswith("/committer.lock") for name in (file.path for file in _files(child)))
        found["house" if with_pages else "workers"].append(child)
    return found


def _files(process: psutil.Process) -> list[Any]:
    try:
        return list(process.open_files())
    except psutil.Error:
        return []


def _metric(server: Server, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in server.get("/metrics").splitlines() if line.startswith(name))


def _spread(server: Server, count: int, *bodies: bytes) -> list[Got]:
    """Calls on as many connections: the system spreads them over the workers."""
    return [call(server.port, _CHAT, bodies[index % len(bodies)] if bodies else _body()) for index in range(count)]


def test_calls_of_all_workers_are_one_ledger_and_one_count(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data, "--workers", "3") as server:
        processes = _processes(server)
        assert (len(processes["workers"]), len(processes["house"])) == (3, 1)
        got = _spread(server, 30, _body(), _body(stream=True), _body("fail-429"))
        assert [answer.status for answer in got] == [200, 200, 429] * 10
        call(server.port, "/providers/nobody/x", b"{}")
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 30)
        assert _metric(server, "mesure_calls_total") == 30
        eventually(lambda: _metric(server, "mesure_spool_written_total") == 30)
        assert _metric(server, "mesure_gateway_refused_total") == 1
        assert len(list((data / "spool").glob("*.spool"))) == 4  # of the workers, and of the intake of telemetry
        assert "gpt-4o" in server.get("/en/")
        assert server.json("/healthz")["spool_written"] == 30
        assert server.stop() == 0
    assert Ledger(data).count() == 30
    assert not list((data / "spool").glob("*.spool"))


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_realtime_sessions_of_all_workers_are_one_ledger(tmp_path: Path) -> None:
    with RealtimeDouble() as double, served(double, tmp_path / "data", "--workers", "2") as server:
        for _ in range(6):
            with (
                openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=GOOD_KEY) as client,
                client.realtime.connect(model="gpt-realtime") as connection,
            ):
                connection.response.create(response={"instructions": "speak"})
                assert next(event for event in connection if event.type == "response.done")
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 6)
        assert server.stop() == 0
    assert Ledger(tmp_path / "data").count() == 6


def test_a_killed_worker_is_started_again_and_its_count_kept(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        _spread(server, 8)
        call(server.port, "/providers/nobody/x", b"{}")
        eventually(lambda: _metric(server, "mesure_gateway_refused_total") == 1)
        eventually(lambda: _metric(server, "mesure_spool_written_total") == 8)
        workers = _processes(server)["workers"]
        for worker in workers:
            worker.kill()
        # What connects meanwhile waits for the next one instead of being refused
        assert [answer.status for answer in _spread(server, 8)] == [200] * 8
        eventually(lambda: len(_processes(server)["workers"]) == 2, _SPELL)
        assert not {worker.pid for worker in workers} & {worker.pid for worker in _processes(server)["workers"]}
        eventually(lambda: _metric(server, "mesure_spool_written_total") == 16)
        assert _metric(server, "mesure_gateway_refused_total") == 1
        assert _metric(server, "mesure_calls_total") == 16
        assert server.stop() == 0
    assert Ledger(tmp_path / "data").count() == 16


def test_calls_do_not_need_the_process_with_the_ledger(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        _spread(server, 4)
        eventually(lambda: _metric(server, "mesure_spool_written_total") == 4)
        [house] = _processes(server)["house"]
        house.kill()
        assert [answer.status for answer in _spread(server, 12)] == [200] * 12
        eventually(lambda: _overview_calls(server) == 16, _SPELL)
        eventually(lambda: _metric(server, "mesure_spool_written_total") == 16)  # told again to the new one
        assert server.stop() == 0
    assert Ledger(tmp_path / "data").count() == 16


def _overview_calls(server: Server) -> int | None:
    try:
        return int(server.json("/api/overview")["month"]["calls"])
    except OSError:
        return None


def test_a_killed_worker_costs_the_calls_it_carried_and_no_others(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        carried: dict[int, Got] = {}
        seen = len(provider.seen)

        def stream(number: int) -> None:
            carried[number] = call(server.port, _CHAT, _body("paced-stream", str(number), stream=True))

        threads = [threading.Thread(target=stream, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        victim = _processes(server)["workers"][0]
        eventually(lambda: len(provider.seen) >= seen + 8)  # all are accepted by somebody: none joins the victim now
        lost = len(_connections(victim, server.port))
        victim.kill()
        for thread in threads:
            thread.join()
        whole = [got for got in carried.values() if not got.broken]
        assert len(whole) >= 8 - lost
        assert all(got.body.endswith(b"data: [DONE]\n\n") for got in whole)
        assert server.stop() == 0
    assert Ledger(tmp_path / "data").count() == len(whole)


def _connections(process: psutil.Process, port: int) -> list[Any]:
    return [one for one in process.net_connections("tcp") if one.status == "ESTABLISHED" and one.laddr.port == port]


def test_a_stop_lets_calls_in_flight_end(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        got: list[Got] = []
        thread = threading.Thread(
            target=lambda: got.append(call(server.port, _CHAT, _body("paced-stream", stream=True)))
        )
        seen = len(provider.seen)
        thread.start()
        eventually(lambda: len(provider.seen) > seen)
        assert server.stop() == 0
        thread.join()
    assert not got[0].broken
    assert got[0].body.endswith(b"data: [DONE]\n\n")
    assert Ledger(tmp_path / "data").count() == 1


def test_open_pages_do_not_hold_back_a_stop(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as page:
            page.sendall(b"GET /live?lang=en HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert page.recv(1000).startswith(b"HTTP/1.1 200")
            began = time.monotonic()
            assert server.stop() == 0
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_stop_everything(provider: ProviderDouble, tmp_path: Path, number: signal.Signals) -> None:
    with served(provider, tmp_path / "data", "--workers", "2") as server:
        children = psutil.Process(server.process.pid).children(recursive=True)
        ask(server)
        server.process.send_signal(number)
        assert server.process.wait(60) == 0
        assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    assert Ledger(tmp_path / "data").count() == 1


def test_nothing_outlives_a_killed_supervisor_and_nothing_is_lost(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data, "--workers", "2") as server:
        _spread(server, 6)
        children = psutil.Process(server.process.pid).children(recursive=True)
        server.process.kill()
        server.process.wait(20)
        gone, alive = psutil.wait_procs(children, timeout=40)
        assert not alive
        assert len(gone) == 3
    assert Ledger(data).count() == 6
    with served(provider, data, "--workers", "2") as server:
        ask(server)
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 7)


def _refused(tmp_path: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """How a start failed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MESURE_")} | environ
    command = [sys.executable, "-m", "mesure", "up", "--workers", "2", "--json", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return dict(json.loads(done.stderr)["error"])


def test_a_second_server_is_refused(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data, "--workers", "2") as server:
        other = str(free_port())
        assert _refused(tmp_path, "--port", other, "--data", str(data))["code"] == "committer_running"
        elsewhere = str(tmp_path / "elsewhere")
        assert _refused(tmp_path, "--port", str(server.port), "--data", elsewhere)["code"] == "port_taken"
        ask(server)


def test_a_provider_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "mesure.toml").write_text(
        '[providers.p]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "KEY_THAT_IS_NOT_SET"\n'
    )
    error = _refused(tmp_path, "--port", str(free_port()), "--data", str(tmp_path / "d"))
    assert error["value"] == "KEY_THAT_IS_NOT_SET"
    assert error["action"]


def test_keys_and_own_factors_reach_every_worker(provider: ProviderDouble, tmp_path: Path) -> None:
    config = tmp_path / "mesure.toml"
    config.write_text(f'[providers.p]\nbase_url = "{provider.url}"\ndefault = true\napi_key = "{GOOD_KEY}"\n')
    with served(None, tmp_path / "data", "--workers", "2", "--config", str(config)) as server:
        for _ in range(6):
            got = call(server.port, _CHAT, _body(), authorization="Bearer of-the-client")
            assert got.status == 200
            assert got.json["usage"]["completion_tokens"] == len(WORDS)
        arguments = " ".join(psutil.Process(server.process.pid).children()[0].cmdline())
        assert GOOD_KEY not in arguments


def test_one_address_many_sockets() -> None:
    settings = Settings(server=ServerSettings(port=0))
    listeners = _bind_all(settings, 4)
    try:
        assert len({listener.getsockname() for listener in listeners}) == 1
        again = Settings(server=ServerSettings(port=listeners[0].getsockname()[1]))
        with pytest.raises(ConfigError) as refused:
            _bind_all(again, 2)
        assert refused.value.code == "port_taken"
    finally:
        for listener in listeners:
            listener.close()
