"""Headers sorted, attribution read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.gateway.attribution import attribution, trace_ids
from mesure.apps.gateway.headers import answer_headers, handshake_headers, read_request
from mesure.meter.wires.fingerprint import Fingerprints
from mesure.record import UsageEvent, new_id

_FINGERPRINTS = Fingerprints(b"k" * 32)


def test_headers_of_one_connection_do_not_travel() -> None:
    pairs = [
        (b"host", b"h"),
        (b"connection", b"keep-alive, X-Hop"),
        (b"x-hop", b"1"),
        (b"proxy-authorization", b"Basic eA=="),
        (b"accept-encoding", b"br"),
        (b"content-length", b"12"),
        (b"x-kept", b"caf\xe9"),
        (b"x-mesure-team", b"t"),
        (b"authorization", b"Bearer client"),
    ]
    request = read_request(pairs, b"")
    assert request.sent == [
        (b"x-kept", b"caf\xe9"),
        (b"authorization", b"Bearer client"),
        (b"accept-encoding", b"identity"),
    ]
    assert request.ours == {b"team": b"t"}
    assert (request.host, request.length) == (b"h", 12)


def test_a_configured_key_takes_the_place_of_every_authorization() -> None:
    request = read_request([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], b"k")
    assert [value for name, value in request.sent if name == b"authorization"] == [b"Bearer k"]


@pytest.mark.parametrize("length", [b"", b"-1", b"x", b"1.5"])
def test_an_odd_length_is_unknown(length: bytes) -> None:
    assert read_request([(b"content-length", length)], b"").length is None


def test_answer_headers() -> None:
    raw = [
        (b"content-type", b"text/plain"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"X-Hop"),
        (b"connection", b"close"),
        (b"x-hop", b"1"),
        (b"set-cookie", b"a=b"),
        (b"x-mesure-energy-wh", b"0"),
        (b"x-echo", b"Bearer sk-1"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]
    expected = [
        (b"content-type", b"text/plain"),
        (b"x-echo", b"Bearer [key withheld]"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]
    assert answer_headers(raw, b"sk-1") == expected
    assert (b"x-echo", b"Bearer sk-1") in answer_headers(raw, b"")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (b"a=1", {"a": "1"}),
        (b" a = 1 , b=x=y ,", {"a": "1", "b": "x=y"}),
        (b'{"a": "1", "b": 2, "c": 0.5}', {"a": "1", "b": "2", "c": "0.5"}),
        (b"a", None),
        (b"=1", None),
        (b"{", None),
        (b"[1]", None),
        (b'{"a": {"b": 1}}', None),
        (b'{"": "x"}', None),
        (",".join(f"k{index}=v" for index in range(21)).encode(), None),
        (b"k" * 65 + b"=v", None),
    ],
)
def test_labels(text: bytes, labels: dict[str, str] | None) -> None:
    fields, ignored = attribution({b"labels": text}, _FINGERPRINTS, labels or ())
    assert fields == ({"labels": labels} if labels else {})
    assert ignored == ([] if labels else ["labels"])


def test_labels_keep_the_keys_that_are_allowed_and_the_others_are_said() -> None:
    given = {b"labels": b"channel=voice,mood=sad"}
    assert attribution(given, _FINGERPRINTS, {"channel"}) == ({"labels": {"channel": "voice"}}, ["labels"])
    assert attribution(given, _FINGERPRINTS) == ({}, ["labels"])
    assert attribution(given, _FINGERPRINTS, {"channel", "mood"}) == (
        {"labels": {"channel": "voice", "mood": "sad"}},
        [],
    )


def test_labels_are_screened_as_names_are() -> None:
    given = {b"labels": b"agent=jean.petit@exemple.fr,key=sk-proj-abcdefghijklmnop1234,site=Lyon"}
    fields, ignored = attribution(given, _FINGERPRINTS, {"agent", "key", "site"})
    assert fields == {"labels": {"agent": _FINGERPRINTS.pseudonym("jean.petit@exemple.fr"), "site": "Lyon"}}
    assert ignored == ["labels"]


@pytest.mark.parametrize(
    "name", [b"team", b"use-case", b"contact", b"conversation", b"client", b"application", b"task"]
)
def test_a_person_in_any_name_becomes_a_pseudonym_and_a_key_is_not_taken(name: bytes) -> None:
    fields, ignored = attribution({name: b"Jean <jean.petit@exemple.fr>"}, _FINGERPRINTS)
    assert list(fields.values()) == [_FINGERPRINTS.pseudonym("Jean <jean.petit@exemple.fr>")]
    assert not ignored
    assert attribution({name: b"sk-ant-api03-0123456789abcdef"}, _FINGERPRINTS) == ({}, [name.decode()])


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        (b"team", b" care ", "team", "care"),
        (b"team", b"x" * 201, "team", None),
        (b"team", b"  ", "team", None),
        (b"team", "équipe".encode(), "team", "équipe"),
        (b"team", "équipe".encode("latin-1"), "team", "équipe"),
        (b"team", b"%C3%A9quipe%20d%E2%80%99accueil", "team", "équipe d’accueil"),
        (b"use-case", b"remise de 5 % en mai", "use_case", "remise de 5 % en mai"),
        (b"client", b"Lac", "end_client", "Lac"),
        (b"turn", b"3", "turn", 3),
        (b"turn", b"-3", "turn", None),
        (b"turn", "³".encode(), "turn", None),
        (b"environment", b"experiment", "environment", "experiment"),
        (b"environment", b"Production", "environment", None),
    ],
)
def test_attribution_values(name: bytes, value: bytes, field: str, expected: object) -> None:
    assert attribution({name: value}, _FINGERPRINTS)[0].get(field) == expected


_NAMES = [b"team", b"use-case", b"user", b"turn", b"labels", b"environment", b"live", b"contact", b"other"]


@given(st.dictionaries(st.sampled_from(_NAMES), st.binary(max_size=60)))
def test_any_header_makes_a_valid_event(ours: dict[bytes, bytes]) -> None:
    from datetime import UTC, datetime

    fields, ignored = attribution(ours, _FINGERPRINTS)
    UsageEvent(id=new_id(), started_at=datetime.now(UTC), **fields).checked()
    assert {name.encode() for name in ignored} <= set(ours)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    ],
)
def test_trace_context_that_is_none(value: bytes | None) -> None:
    assert trace_ids(value) is None


def test_trace_context() -> None:
    ids = trace_ids(b" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
    assert ids == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


_PROTOCOL = b"sec-websocket-protocol"


@pytest.mark.parametrize(
    ("keyed", "given", "sent"),
    [
        (True, b"realtime, openai-insecure-api-key.sk-a", b"realtime"),
        (
            True,
            b"openai-insecure-api-key.sk-a,realtime,  openai-beta.realtime-v1",
            b"realtime, openai-beta.realtime-v1",
        ),
        (True, b"openai-insecure-api-key.sk-a", None),
        (False, b"realtime,openai-insecure-api-key.sk-a", b"realtime,openai-insecure-api-key.sk-a"),
        (False, b"", None),
    ],
)
def test_a_handshake_carries_one_key(keyed: bool, given: bytes, sent: bytes | None) -> None:
    assert dict(handshake_headers([(_PROTOCOL, given)], keyed=keyed)).get(_PROTOCOL) == sent


def test_a_handshake_asks_for_websocket_and_for_no_compression() -> None:
    client = [
        (b"host", b"gateway"),
        (b"connection", b"keep-alive, Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
        (b"origin", b"http://localhost"),
        (b"cookie", b"a=b"),
    ]
    sent = handshake_headers(read_request(client, b"sk-ours").sent, keyed=True)
    assert sorted(sent) == [
        (b"accept-encoding", b"identity"),
        (b"authorization", b"Bearer sk-ours"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"sec-websocket-version", b"13"),
        (b"upgrade", b"websocket"),
    ]
