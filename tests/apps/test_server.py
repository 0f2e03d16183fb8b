"""The assembled server, as a process of its own: what a first user starts, calls, looks at and stops."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from provider_double import GOOD_KEY, ProviderDouble
from starlette.testclient import TestClient
from wire import Wire, until

from mesure.apps.gateway import Gateway
from mesure.apps.hosts import is_loopback
from mesure.apps.house import House
from mesure.apps.http1.asgi import AsgiService
from mesure.apps.http1.connection import Connection
from mesure.apps.http1.serving import Serving
from mesure.apps.listening import address_of, bind
from mesure.apps.server import _stop_on_signals, serve, serving_of
from mesure.apps.totals import GatewayTotals
from mesure.catalogue import current
from mesure.config import ServerSettings, Settings
from mesure.errors import ConfigError, LedgerError
from mesure.ledger import Committer, Ledger, Spool
from mesure.record import UsageEvent, new_id
from served_process import ask, counted, free_port, served
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def test_a_call_is_booked_shown_explained_and_kept(provider: ProviderDouble, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(provider, data) as server:
        ask(server, **{"x-mesure-team": "livraison", "x-mesure-use-case": "suivi"})
        eventually(lambda: server.json("/api/overview")["month"]["calls"] == 1)
        eventually(lambda: counted(server) == 1)  # counted once it is priced, a moment after it shows
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
    for secret in (GOOD_KEY, "colis", "Camille", "Dupont"):
        assert secret.encode() not in spooled + stored
        assert secret not in server.output


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


def test_an_address_open_to_others_is_taken_where_calls_need_a_key() -> None:
    bind("0.0.0.0", 0, keys_required=True).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert is_loopback(host)


def test_a_second_server_on_the_same_folder_is_refused(provider: ProviderDouble, tmp_path: Path) -> None:
    with served(provider, tmp_path / "data") as server:
        second = subprocess.run(
            [sys.executable, "-m", "mesure", "up", "--upstream", provider.url, "--port", "0", "--data",
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


# The same server in this process: how it opens, fails and stops


def chosen(folder: Path, **server: Any) -> Settings:
    return Settings(server=ServerSettings(data=str(folder), **{"port": 0} | server))


def stop_when_ready(seen: list[str], *signals: signal.Signals) -> Any:
    """Note the address, look at it from a thread, then tell this process to stop."""

    def ready(url: str) -> None:
        seen.append(url)

        def act() -> None:
            with urllib.request.urlopen(url + "healthz", timeout=20) as answer:
                seen.append(str(answer.status))
            for number in signals:
                os.kill(os.getpid(), number)

        threading.Thread(target=act).start()

    return ready


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1")])
def test_it_says_where_it_is_and_stops_when_told(tmp_path: Path, host: str, shown: str, number: signal.Signals) -> None:
    seen: list[str] = []
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    serve(chosen(tmp_path / "d", host=host), on_ready=stop_when_ready(seen, number))
    address, status = seen
    assert address.startswith(f"http://{shown}:")
    assert address.endswith("/")
    assert status == "200"
    assert {one: signal.getsignal(one) for one in before} == before
    port = int(address.rsplit(":", 1)[1].rstrip("/"))
    bind("127.0.0.1", port).close()  # the address is free again


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_as_a_browser_takes_it(tmp_path: Path) -> None:
    seen: list[str] = []
    serve(chosen(tmp_path / "d", host="::1"), on_ready=stop_when_ready(seen, signal.SIGTERM))
    assert seen[0].startswith("http://[::1]:")


def test_where_every_address_is_listened_on_a_place_to_look_at_is_said() -> None:
    with bind("0.0.0.0", 0, keys_required=True) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_folder_that_another_holds_frees_the_address(tmp_path: Path) -> None:
    port = free_port()
    committer = Committer(Ledger(tmp_path / "d"), tmp_path / "d" / "spool")
    committer.start()
    try:
        with pytest.raises(LedgerError) as refused:
            serve(chosen(tmp_path / "d", port=port))
        assert refused.value.code == "committer_running"
        bind("127.0.0.1", port).close()
    finally:
        committer.stop()


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("a file in its place")
    with pytest.raises(LedgerError) as refused:
        serve(chosen(tmp_path / "d"))
    assert refused.value.action
    assert str(tmp_path / "d") in str(refused.value.value)


@pytest.fixture
def totals() -> GatewayTotals:
    return GatewayTotals()


@pytest.fixture
def house(tmp_path: Path, totals: GatewayTotals) -> Iterator[House]:
    built = House(chosen(tmp_path / "d"), Spool(tmp_path / "d" / "spool"), lambda: totals)
    built.open()
    yield built
    built.close()


def test_it_is_ready_while_everything_is_written(house: House) -> None:
    eventually(lambda: house.committer.state.running)
    assert house.health()["ok"]
    assert json.loads(json.dumps(house.health())) == house.health()
    client = TestClient(house.web, base_url="http://127.0.0.1")
    assert (client.get("/readyz").status_code, client.get("/healthz").json()["spool_failed"]) == (200, 0)


@pytest.mark.parametrize("what", ["spool", "committer"])
def test_what_cannot_be_written_makes_it_not_ready_but_alive(house: House, totals: GatewayTotals, what: str) -> None:
    if what == "spool":
        totals.spool_failed = 1
    else:
        house.committer._errors["ledger"] = "The disk is full"
    client = TestClient(house.web, base_url="http://127.0.0.1")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert client.get("/healthz").status_code == 200
    totals.spool_failed = 0
    house.committer._errors.clear()
    assert client.get("/readyz").status_code == 200


def test_closing_brings_the_spool_to_the_table(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "d" / "spool")
    house = House(chosen(tmp_path / "d"), spool, GatewayTotals)
    house.open()
    for number in range(7):
        spool.record(UsageEvent(id=new_id(), started_at=datetime.now(UTC), input_tokens=number))
    house.close()
    assert Ledger(tmp_path / "d").count() == 7


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/models", "no_provider"),
        ("/providers/none/models", "unknown_provider"),
        ("/v1", None),
        ("/v2/models", None),
    ],
)
def test_paths_of_calls_go_to_the_gateway_and_others_to_the_pages(
    tmp_path: Path, house: House, path: str, code: str | None
) -> None:
    settings = chosen(tmp_path / "d")
    gateway = Gateway(settings, Spool(tmp_path / "d" / "spool"))
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()

    async def run() -> bytes:
        serving = serving_of(settings, gateway, AsgiService(house.web))
        wire = Wire(Connection(serving)).connect()
        wire.receive(request)
        await until(lambda: bool(wire.written))
        return wire.written

    head, _, body = asyncio.run(run()).partition(b"\r\n\r\n")
    told = json.loads(body).get("error", {}).get("code") if b"application/json" in head else None
    assert (told is None) is (code is None)
    if code is None:
        assert head.startswith(b"HTTP/1.1 404")
        assert b"content-security-policy" in head


def test_a_second_interrupt_does_not_wait_for_calls_in_flight() -> None:
    async def run() -> None:
        closed: list[bool] = []
        serving = Serving(lambda _: AsgiService(None))  # type: ignore[arg-type]
        with _stop_on_signals(serving, lambda: closed.append(True)) as stop:
            for number, patient in ((signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGINT, False)):
                before = len(closed)
                os.kill(os.getpid(), number)
                await until(lambda before=before: len(closed) > before)  # type: ignore[misc]
                assert stop.is_set()
                assert serving.patient is patient

    asyncio.run(run())


@pytest.mark.parametrize("error", [errno.EACCES, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_an_address_that_cannot_be_listened_on_says_why(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """A port below 1024, a machine without IPv6: never a trace of our own lines."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(ConfigError) as said:
        bind("::1", 80)
    assert said.value.code == "bind_failed"
    assert os.strerror(error) in said.value.what
    assert said.value.value == "::1:80"
    assert "host" in said.value.action
