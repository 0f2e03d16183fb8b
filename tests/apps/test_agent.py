"""The agent as a process: from an exporter and an inference server to the ledger of another Mesure, which was away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sensor_doubles import Place
from sensor_doubles import serving as exporting

from mesure.apps.agent import Agent
from mesure.config import AgentSettings, DeploymentSettings, SensorSettings, ServerSettings, Settings
from mesure.errors import ConfigError
from served_process import free_port, served
from waiting import eventually


def machine() -> Place:
    """A board of 300 W, and a vLLM that answers two calls a second."""
    place, began = Place(), time.monotonic()

    def board() -> bytes:
        return b'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-a"} %d\n' % (3e5 * time.monotonic())

    def server() -> bytes:
        calls = int(2 * (time.monotonic() - began))
        return (
            f'vllm:prompt_tokens_total{{model_name="llama-3.1-8b-instruct"}} {500.0 * calls}\n'
            f'vllm:generation_tokens_total{{model_name="llama-3.1-8b-instruct"}} {100.0 * calls}\n'
            f'vllm:request_success_total{{model_name="llama-3.1-8b-instruct"}} {calls}\n'
            'vllm:num_requests_running{model_name="llama-3.1-8b-instruct"} 1\n'
        ).encode()

    place.answers.update({"/metrics": board, "/server": server})
    return place


@pytest.fixture
def place() -> Iterator[Place]:
    with exporting(machine()) as place:
        yield place


def configuration(place: Place, **agent: str) -> str:
    lines = [f'{name} = "{value}"' for name, value in agent.items()]
    return "\n".join(
        [
            "[sensors.board]",
            'kind = "prometheus"',
            f'url = "{place.url}"',
            "idle_w = 100.0",
            "sample_s = 0.2",
            "[deployments.chat]",
            'gpu = "h200"',
            'sensor = "board"',
            'requests = "server"',
            'provider = "vllm"',
            'zone = "FRA"',
            f'metrics_url = "{place.url}/server"',
            "[agent]",
            "window_s = 1.0",
            *lines,
        ]
    )


@contextmanager
def agent(folder: Path, config: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "agent.toml").write_text(config)
    command = [sys.executable, "-m", "mesure", "agent", "--json", "--config", "agent.toml", "--data", "measured"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MESURE_")}
    process = subprocess.Popen(
        command, cwd=folder, env=kept | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str]) -> list[Any]:
    """What it said from start to end, once told to stop."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return [json.loads(line) for line in out.splitlines()]


def test_what_is_measured_reaches_a_mesure_that_was_away(place: Place, tmp_path: Path) -> None:
    """Both ask for a virtual key. Nothing is lost while the remote is not there, and nothing counts twice."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "mesure.toml").write_text('[gateway]\nkeys = "required"\n[deployments.chat]\ngpu = "h200"\n')
    made = subprocess.run(
        [sys.executable, "-m", "mesure", "keys", "create", "--json", "--data", "data", "--team", "plateau"],
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
    )
    key = json.loads(made.stdout)["token"]
    port = free_port()
    config = configuration(place, remote=f"http://127.0.0.1:{port}", key_env="AGENT_KEY")
    with agent(tmp_path, config, AGENT_KEY=key) as process:
        outbox = tmp_path / "measured" / "outbox"
        eventually(lambda: sum(file.stat().st_size for file in outbox.glob("*.spool")) > 1_500, 30.0)
        with served(None, home / "data", "--config", "mesure.toml", "--port", str(port)) as server:
            eventually(lambda: server.json("/api/overview")["month"]["calls"] > 0, 60.0)
            first, *_, last = stopped(process)
            assert last["forwarded"]["last_error"] is None
            assert last["forwarded"]["sent"] == last["written"]
            assert last["not_written"] == 0
            eventually(lambda: server.json("/api/overview")["month"]["calls"] > 0)
            overview = server.json("/api/overview")
    assert list(outbox.glob("*.spool")) == []
    (sensor,) = first["sensors"]
    assert (sensor["name"], sensor["present"], sensor["sensor"]) == ("board", True, "nvml:prometheus")
    assert first["remote"] == f"http://127.0.0.1:{port}"
    rows = {(row["model"], row["known"]) for row in overview["models"]}
    assert ("llama-3.1-8b", True) in rows
    assert overview["month"]["energy_wh"]["mid"] > 0.0
    assert 0.0 < last["own_cpu_share"] < 1.0


def settings(place: Place, folder: Path, **given: Any) -> Settings:
    deployment = {"sensor": "board", "requests": "server", "metrics_url": place.url + "/server", **given}
    return Settings(
        server=ServerSettings(data=str(folder)),
        sensors={"board": SensorSettings(kind="prometheus", url=place.url, sample_s=0.05, idle_w=100.0)},
        deployments={"chat": DeploymentSettings(**deployment)},
        agent=AgentSettings(window_s=1.0),
    )


def test_without_a_remote_it_writes_to_the_spool_of_the_folder(place: Place, tmp_path: Path) -> None:
    one = Agent(settings(place, tmp_path), {})
    one.start()
    told: list[dict[str, Any]] = []
    until = threading.Event()
    try:
        eventually(lambda: one.status()["written"] > 1)
        watching = threading.Thread(target=one.wait, args=(0.01, told.append, until))
        watching.start()
        eventually(lambda: told != [])
    finally:
        until.set()
        watching.join()
        one.stop()
    assert list((tmp_path / "spool").glob("*.spool"))
    status = told[-1]
    assert status["forwarded"] is None
    (board,) = status["sensors"]
    assert (board["sensor"], board["deployments"], board["idle_w"]) == ("nvml:prometheus", ["chat"], 100.0)
    assert 0.0 < board["idle_share"] <= 1.0


def test_a_sensor_that_is_late_is_taken_up(place: Place, tmp_path: Path) -> None:
    answer = place.answers["/metrics"]
    place.answers["/metrics"] = 503
    one = Agent(settings(place, tmp_path), {})
    (absent,) = one.status()["sensors"]
    assert (absent["name"], absent["watts"]) == ("board", None)
    assert "cannot be read" in absent["why_absent"]
    one.start()
    place.answers["/metrics"] = answer
    one.measuring.reopen()
    eventually(lambda: one.status()["written"] > 0)
    assert [told["why_absent"] for told in one.status()["sensors"]] == [None]
    one.stop()


def test_it_refuses_to_run_for_nothing(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No deployment is declared"):
        Agent(settings(place, tmp_path, requests="gateway"), {})
    remote = replace(settings(place, tmp_path), agent=AgentSettings(remote="http://127.0.0.1:9", key_env="AGENT_KEY"))
    with pytest.raises(ConfigError, match="key_env is not set"):
        Agent(remote, {})
