"""Virtual keys with the assembled server and the commands beside it: made, used, revoked, and with the state lost."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from itertools import chain
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from provider_double import GOOD_KEY, ProviderDouble

from mesure.apps.hosts import is_loopback
from served_process import Server, free_port, served
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def mesure(folder: Path, *arguments: str) -> Any:
    """A command beside the running server, in the same folder."""
    done = subprocess.run(
        [sys.executable, "-m", "mesure", *arguments, "--json"],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    return json.loads(done.stdout)


def status_of(server: Server, key: str, host: str = "127.0.0.1") -> int:
    """What a call with this key is answered."""
    address = server.url.replace("127.0.0.1", host)
    body = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "Bonjour"}]}'
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def with_keys(folder: Path, mode: str, provider: ProviderDouble, more: str = "") -> Path:
    """A configuration whose provider has a key of its own."""
    (folder / "mesure.toml").write_text(
        f'[gateway]\nkeys = "{mode}"\n[providers.upstream]\nbase_url = "{provider.url}"\napi_key = "{GOOD_KEY}"\n{more}'
    )
    return folder / "data"


def test_a_key_made_and_revoked_beside_the_running_server(provider: ProviderDouble, tmp_path: Path) -> None:
    data = with_keys(tmp_path, "required", provider)
    with served(provider, data) as server:
        assert status_of(server, GOOD_KEY) == 401
        made = mesure(tmp_path, "keys", "create", "--team", "livraison", "--data", str(data))
        eventually(lambda: status_of(server, made["token"]) == 200)
        eventually(lambda: "livraison" in server.get("/en/"))
        health = server.json("/healthz")["keys"]
        assert (health["keys"], health["known"], health["error"]) == (1, True, None)
        mesure(tmp_path, "keys", "revoke", made["id"], "--data", str(data))
        eventually(lambda: status_of(server, made["token"]) == 401)
        assert 'mesure_gateway_refused_total{code="key_revoked"}' in server.get("/metrics")
        assert server.stop() == 0
        assert server.process.stdout is not None
        assert made["token"] not in server.process.stdout.read()


def test_calls_go_on_while_the_state_is_lost_also_after_a_restart(provider: ProviderDouble, tmp_path: Path) -> None:
    data = with_keys(tmp_path, "required", provider)
    with served(provider, data) as server:
        token = mesure(tmp_path, "keys", "create", "--data", str(data))["token"]
        eventually(lambda: status_of(server, token) == 200)
        for part in data.glob("state.sqlite*"):
            part.unlink()
        eventually(lambda: (server.json("/healthz")["keys"]["error"] or {}).get("code") == "state_other")
        assert status_of(server, token) == 200
        server.process.kill()
        server.process.wait(30)
    for part in data.glob("state.sqlite*"):
        part.unlink()
    (data / "state.sqlite").write_bytes(b"nonsense" * 1000)
    with served(provider, data) as server:
        assert server.json("/healthz")["keys"]["error"]["code"] == "state_damaged"
        assert status_of(server, token) == 200
        assert status_of(server, "mesure-AAAAAAAA-" + "b" * 32) == 401
        assert server.json("/readyz")


def test_a_state_of_a_later_version_stops_the_start(provider: ProviderDouble, tmp_path: Path) -> None:
    data = with_keys(tmp_path, "optional", provider)
    mesure(tmp_path, "keys", "create", "--data", str(data))
    with sqlite3.connect(data / "state.sqlite") as connection:
        connection.execute("INSERT INTO mesure_migration VALUES (99, 'later', 'x', 0, '9.9')")
    connection.close()
    command = [sys.executable, "-m", "mesure", "up", "--port", str(free_port()), "--data", str(data), "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "newer Mesure" in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "mesure.toml").write_text('[gateway]\nkeys = "off"\n')
    with served(provider, data) as server:  # where nobody asks for keys, nothing depends on them
        assert server.json("/healthz")["keys"] is None


def other_address() -> str | None:
    """An address of this machine that is not loopback."""
    found = [each.address for each in chain(*psutil.net_if_addrs().values()) if each.family == socket.AF_INET]
    return next((address for address in found if not is_loopback(address)), None)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_on_a_network_calls_need_a_key_and_nobody_reads_the_pages(
    provider: ProviderDouble, tmp_path: Path, workers: str
) -> None:
    address = other_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    data = with_keys(tmp_path, "required", provider, f'[server]\nallowed_hosts = ["{address}"]\n')
    with served(provider, data, "--host", "0.0.0.0", "--workers", workers) as server:
        token = mesure(tmp_path, "keys", "create", "--data", str(data))["token"]
        eventually(lambda: status_of(server, token, address) == 200)
        assert status_of(server, GOOD_KEY, address) == 401
        for path in ("/", "/en/", "/api/overview", "/metrics", "/healthz", "/live", "/static/style.css", "/nothing"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(server.url.replace("127.0.0.1", address) + path, timeout=20)
            assert refused.value.code == 403, path
            assert json.loads(refused.value.read())["error"]["code"] == "pages_stay_here"
        assert server.json("/healthz")["ok"]
        assert server.get("/en/")
