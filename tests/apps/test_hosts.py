"""Which names this server answers under: one rule for calls and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from mesure.apps.hosts import AllowedHosts, from_this_machine, host_header, is_loopback
from mesure.apps.web.hosts import HostCheck
from mesure.config import ServerSettings, Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_PLAIN = AllowedHosts(ServerSettings())
_NAMED = AllowedHosts(ServerSettings(allowed_hosts=["Meter.example", " spaced.example ", "[fd00::1]", ""]))


@pytest.mark.parametrize(
    ("header", "plain", "named"),
    [
        (b"localhost", True, True),
        (b"LocalHost:8420", True, True),
        (b"localhost.", True, True),
        (b"app.localhost:3000", True, True),
        (b"127.0.0.1:8420", True, True),
        (b"127.9.9.9", True, True),
        (b"[::1]:8420", True, True),
        (b"[::1]", True, True),
        (b"meter.example:8420", False, True),
        (b"METER.EXAMPLE", False, True),
        (b"spaced.example", False, True),
        (b"[fd00::1]:8420", False, True),
        (b"", False, False),
        (b":8420", False, False),
        (b"evil.example", False, False),
        (b"localhost.evil.example", False, False),
        (b"evil-localhost", False, False),
        (b"127.0.0.1.evil.example", False, False),
        (b"meter.example.evil.example", False, False),
        (b"sub.meter.example", False, False),
        (b"10.0.0.1", False, False),
        (b"0.0.0.0", False, False),
        (b"[::]", False, False),
        (b"2130706433", False, False),
        (b"127.1", False, False),
        (b"[::ffff:10.0.0.1]", False, False),
        ("münchen.example".encode("latin-1"), False, False),
    ],
)
def test_names(header: bytes, plain: bool, named: bool) -> None:
    for _ in range(2):  # also once it is remembered
        assert _PLAIN.takes_host(header) is plain
        assert _NAMED.takes_host(header) is named


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        (b"http://localhost:8420", True),
        (b"https://127.0.0.1", True),
        (b"http://[::1]:3000", True),
        (b"https://meter.example", True),
        (b"null", False),
        (b"", False),
        (b"https://evil.example", False),
        (b"https://localhost@evil.example", False),
        (b"https://evil.example#localhost", False),
        (b"http://[bad", False),
        (b"file://", False),
        (b"localhost", False),
    ],
)
def test_origins(origin: bytes, taken: bool) -> None:
    assert _NAMED.takes_origin(origin) is taken


@given(st.binary(max_size=60))
def test_no_header_raises_and_only_our_names_pass(header: bytes) -> None:
    if _PLAIN.takes_host(header):
        text = header.decode("latin-1").lower()
        assert "localhost" in text or "127." in text or "::1" in text or "0:1" in text
    assert _PLAIN.takes_origin(header) in (True, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_that_means_any_is_no_name(host: str) -> None:
    assert not AllowedHosts(ServerSettings(host=host)).takes_host(host.encode())


def test_the_configured_address_is_a_name() -> None:
    assert AllowedHosts(ServerSettings(host="192.168.7.7")).takes_host(b"192.168.7.7:8420")
    assert not AllowedHosts(ServerSettings(host="192.168.7.7")).takes_host(b"192.168.7.8")


def test_what_is_remembered_is_bounded() -> None:
    hosts = AllowedHosts(ServerSettings())
    for port in range(2_000):
        assert hosts.takes_host(b"localhost:%d" % port)
        assert not hosts.takes_host(b"evil.example:%d" % port)
    assert len(hosts._seen) <= 256


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ([], b""),
        ([(b"accept", b"*/*")], b""),
        ([(b"host", b"a"), (b"host", b"b")], b"a"),
        ([(b"x-host", b"a"), (b"host", b"b:1")], b"b:1"),
    ],
)
def test_host_header(headers: list[tuple[bytes, bytes]], host: bytes) -> None:
    assert host_header(headers) == host


@pytest.mark.parametrize(
    ("client", "here"),
    [
        (("127.0.0.1", 40000), True),
        (("127.9.9.9", 1), True),
        (("::1", 1), True),
        (("::ffff:127.0.0.1", 1), True),
        (("::ffff:10.0.0.1", 1), False),
        (("10.0.0.1", 1), False),
        (("0.0.0.0", 1), False),
        (("fe80::1%eth0", 1), False),
        (("testclient", 1), False),
        (("", 0), False),
        (None, False),
    ],
)
def test_who_is_on_this_machine(client: tuple[str, int] | None, here: bool) -> None:
    assert from_this_machine({"type": "http", "client": client}) is here
    assert from_this_machine({"type": "http"}) is False


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "127.0.0.1.evil.example", "2130706433", "0x7f000001"])
def test_what_only_looks_like_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "client", "status"),
    [
        ("127.0.0.1", "10.0.0.1", 200),  # cannot be: nothing comes from elsewhere to a loopback address
        ("0.0.0.0", "127.0.0.1", 200),
        ("0.0.0.0", "10.0.0.1", 403),
        ("10.0.0.7", "10.0.0.7", 403),
    ],
)
def test_pages_stay_on_this_machine(host: str, client: str, status: int) -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("a page")(scope, receive, send)

    checked = HostCheck(page, Settings(server=ServerSettings(host=host)))
    answer = TestClient(checked, base_url="http://localhost", client=(client, 1)).get("/en/")
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "pages_stay_here"
        assert answer.json()["error"]["value"] == "/en/"
