"""Which names this server answers under: one rule for calls and pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.hosts import AllowedHosts, host_header
from mesure.config import ServerSettings

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
