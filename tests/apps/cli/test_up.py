"""`mesure up`: settings, refusals, and what an app is told to set."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.cli.up import announce, settings_of
from mesure.apps.cli.voice import Voice
from mesure.config import Settings
from mesure.errors import ConfigError

Run = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_upstream_makes_one_default_provider() -> None:
    settings = settings_of(None, "http://127.0.0.1:9/v1", {"server.port": 1})
    assert settings.providers["upstream"].base_url == "http://127.0.0.1:9/v1"
    assert settings.providers["upstream"].default
    assert settings.server.port == 1


def test_upstream_takes_the_bare_paths_from_the_configured_default() -> None:
    Path("mesure.toml").write_text('[providers.a]\nbase_url = "http://a/v1"\ndefault = true\n')
    assert settings_of(None, None, {}).providers["a"].default
    settings = settings_of(None, "http://b/v1", {})
    assert [name for name, provider in settings.providers.items() if provider.default] == ["upstream"]
    assert set(settings.providers) == {"a", "upstream"}


def test_an_upstream_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="http or https"):
        settings_of(None, "localhost:9", {})


def test_a_taken_port_has_three_parts(mesure: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = mesure("up", "--port", taken.getsockname()[1], "--data", "d", "--json")
    assert ran.code == 1
    assert ran.error["code"] == "port_taken"
    assert "--port" in ran.error["action"]
    assert not Path("d").exists()


def test_an_open_bind_without_accounts_is_refused(mesure: Run) -> None:
    ran = mesure("up", "--host", "0.0.0.0", "--port", "0", "--lang", "fr")
    assert ran.code == 1
    assert "Erreur" in ran.err
    assert "0.0.0.0" in ran.err


@pytest.mark.parametrize("upstream", ["http://127.0.0.1:9/v1", None])
def test_what_an_app_must_set(capsys: pytest.CaptureFixture[str], upstream: str | None) -> None:
    announce(Voice("en"), settings_of(None, upstream, {}), "http://127.0.0.1:8420/")
    out = capsys.readouterr().out
    assert "http://127.0.0.1:8420/" in out
    assert ("OPENAI_BASE_URL=http://127.0.0.1:8420/v1" in out) == bool(upstream)
    assert ("--upstream URL" in out) == (upstream is None)


def test_announced_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    announce(Voice("en", json=True), Settings(), "http://127.0.0.1:8420/")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "url": "http://127.0.0.1:8420/",
        "base_url": "http://127.0.0.1:8420/v1",
        "default_provider": None,
        "providers": {},
    }


def test_it_serves_until_told_to_stop(process: Start, tmp_path: Path) -> None:
    running = process("up", "--port", "0", "--data", tmp_path / "d", "--upstream", "http://127.0.0.1:9/v1", "--json")
    assert running.stdout is not None
    guard = threading.Timer(60, running.kill)
    guard.start()
    try:
        url = json.loads(running.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}healthz", timeout=30) as answer:
            assert answer.status == 200
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)
    finally:
        guard.cancel()
        running.kill()
    assert running.returncode == 0, err
    assert out == ""
