"""Readable copies of bodies."""

from __future__ import annotations

import gzip
import zlib

import pytest

from mesure.meter.wires.bodies import BodyDecoder, json_object, object_in_tail, readable

_TEXT = b'{"model":"m"}' * 100


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", _TEXT),
        (b"identity", _TEXT),
        ("gzip", gzip.compress(_TEXT)),
        (b" GZIP ", gzip.compress(_TEXT)),
        ("deflate", zlib.compress(_TEXT)),
    ],
)
def test_readable(coding: str | bytes, body: bytes) -> None:
    assert readable(body, coding) == _TEXT


@pytest.mark.parametrize(("coding", "body"), [("br", b"x"), ("zstd", b"x"), ("gzip", b"not gzip"), ("gzip, br", b"")])
def test_unreadable(coding: str, body: bytes) -> None:
    assert readable(body, coding) is None


def test_a_bomb_is_not_expanded() -> None:
    assert readable(gzip.compress(b"\0" * 10_000_000), "gzip", limit=1_000_000) is None


def test_piece_by_piece() -> None:
    packed = gzip.compress(_TEXT)
    decoder = BodyDecoder("gzip")
    assert b"".join(decoder.decode(packed[at : at + 7]) or b"" for at in range(0, len(packed), 7)) == _TEXT


def test_json_object() -> None:
    assert json_object(b'{"a":1}') == {"a": 1}
    for other in (None, b"", b"[1]", b"{", b'{"a":NaN}', b"\xff"):
        assert json_object(other) is None


def test_object_in_tail_takes_the_last_that_is_an_object() -> None:
    tail = b'"usage":{"a":1},"usage":"none","x":"\\"usage\\""'
    assert object_in_tail(tail, b"usage") == {"a": 1}
    assert object_in_tail(b"", b"usage") is None
