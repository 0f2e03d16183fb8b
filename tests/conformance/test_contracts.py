"""What holds for every wire: keys, our own refusals, figures, comments, and the ledger's sums."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest
from anthropic_exchanges import EXCHANGES as ANTHROPIC
from clients import openai_client, outcome, plain
from openai_exchanges import EXCHANGES as OPENAI
from replay import KEY, PREFIXES
from responses_exchanges import EXCHANGES as RESPONSES
from test_conformance import EXCHANGES

from mesure.config import LedgerSettings
from mesure.ledger import Committer, Ledger
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from replay import Exchange, Replay
    from served_gateway import Running

    from conftest import SpoolSink


def _named(name: str, exchanges: list[Exchange] = EXCHANGES) -> Exchange:
    [found] = [exchange for exchange in exchanges if exchange.name == name]
    return found


def _one_each() -> list[Exchange]:
    """The first exchange of each wire that is a plain success through a client library."""
    found: dict[str, Exchange] = {}
    for exchange in EXCHANGES:
        if exchange.booked and exchange.status == 200 and not exchange.streamed:
            found.setdefault(exchange.wire, exchange)
    return list(found.values())


_ONE_EACH = _one_each()
_WIRES = [exchange.wire for exchange in _ONE_EACH]


def test_every_wire_of_the_configuration_is_played() -> None:
    assert set(_WIRES) == set(PREFIXES)


@pytest.mark.parametrize("kind", ["whole", "streamed", "truncated", "refused or failed"])
@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini", "mistral", "cohere", "ollama", "tgi"])
def test_every_wire_is_played_in_every_kind(wire: str, kind: str) -> None:
    holds = {
        "whole": lambda one: not one.streamed and one.status == 200 and not one.broken,
        "streamed": lambda one: one.streamed and not one.broken,
        "truncated": lambda one: one.broken,
        "refused or failed": lambda one: one.status >= 400,
    }
    assert any(one.wire == wire and holds[kind](one) for one in EXCHANGES)


def test_every_exchange_says_what_it_was_written_after() -> None:
    for exchange in EXCHANGES:
        address, day = exchange.source
        assert urlsplit(address).scheme == "https", exchange.name
        assert date(2026, 1, 1) <= date.fromisoformat(day) <= date(2030, 1, 1)
    names = Counter((exchange.wire, exchange.name) for exchange in EXCHANGES)
    assert max(names.values()) == 1


@pytest.mark.parametrize("exchange", _ONE_EACH, ids=_WIRES)
def test_the_configured_key_goes_where_the_provider_looks(
    exchange: Exchange, provider: Replay, gateway: Running
) -> None:
    """And the client's own goes nowhere, wherever its library puts it."""
    provider.play(exchange)
    kind, _ = outcome(exchange.call, gateway.named(f"keyed-{exchange.wire}"))
    assert kind == "result"
    [sent] = provider.seen
    header = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key"}.get(exchange.wire)
    expected = "configured-key-42" if header else "Bearer configured-key-42"
    assert sent.headers[header or "authorization"] == expected
    assert KEY not in str(sent.headers) + sent.path


def test_a_key_in_the_query_gives_way_to_the_configured_one(provider: Replay, gateway: Running) -> None:
    exchange = _named("one embedding, without a client of its own")
    provider.play(exchange)
    path = exchange.path.removeprefix(PREFIXES["gemini"])
    for query, sent in (("?key=mine", ""), ("?key=mine&alt=json", "?alt=json"), ("?alt=json&key=mine", "?alt=json")):
        httpx2.post(f"{gateway.named('keyed-gemini')}{path}{query}", json={"content": {"parts": []}})
        assert provider.seen[-1].path == f"{path}{sent}"
    httpx2.post(f"{gateway.named('gemini')}{path}?key=mine", json={"content": {"parts": []}})
    assert provider.seen[-1].path == f"{path}?key=mine"


@pytest.mark.parametrize("exchange", _ONE_EACH, ids=_WIRES)
def test_a_provider_that_is_down_is_told_in_the_client_s_own_error(exchange: Exchange, gateway: Running) -> None:
    kind, told = outcome(exchange.call, gateway.named(f"down-{exchange.wire}"))
    if exchange.wire == "llama.cpp":  # no client library: the answer as it came
        assert told[0] == 502
        told = told[2].decode()
    else:
        assert kind != "result"
    assert re.search(r"502|could not be reached|Bad Gateway", told), (kind, told)
    for event in gateway.sink.wait():  # some clients try again
        assert (event.status, event.error_type, event.input_tokens) == ("error", "provider_unreachable", 0)


@pytest.mark.parametrize("exchange", _ONE_EACH, ids=_WIRES)
def test_whole_answers_carry_the_figure(exchange: Exchange, provider: Replay, gateway: Running) -> None:
    provider.play(exchange)
    outcome(exchange.call, provider.address(exchange.wire))
    [sent] = provider.seen
    provider.play(exchange)
    path = exchange.path.removeprefix(PREFIXES[exchange.wire])
    content_type = {"content-type": sent.headers.get("content-type", "application/json")}
    answer = httpx2.post(gateway.named(exchange.wire) + path, content=sent.body, headers=content_type)
    event = gateway.sink.take()
    assert answer.content == exchange.pieces(sent)[0]
    assert answer.headers["x-mesure-event-id"] == event.id
    assert float(answer.headers["x-mesure-energy-wh"]) > 0
    assert answer.headers["x-mesure-model-known"] in ("true", "false")


_STREAMS = [one for one in EXCHANGES if one.streamed and not one.broken and one.booked]


@pytest.mark.parametrize("exchange", _STREAMS, ids=[f"{one.wire}: {one.name}" for one in _STREAMS])
def test_the_first_piece_of_a_stream_does_not_wait_for_the_rest(
    exchange: Exchange, provider: Replay, gateway: Running
) -> None:
    """Also where a stream is called JSON: lines of it, or one array."""
    provider.play(exchange)
    outcome(exchange.call, provider.address(exchange.wire))
    sent = provider.seen[-1]
    path = exchange.path.removeprefix(PREFIXES[exchange.wire])
    content_type = {"content-type": sent.headers.get("content-type", "application/json")}
    provider.goes_on.clear()
    try:
        with httpx2.stream(
            exchange.method, gateway.named(exchange.wire) + path, content=sent.body, headers=content_type
        ) as answer:
            pieces = answer.iter_raw()
            first = next(pieces)
            assert exchange.pieces(sent)[0].startswith(first)
            provider.goes_on.set()
            assert first + b"".join(pieces) == b"".join(exchange.pieces(sent))
    finally:
        provider.goes_on.set()


@pytest.mark.parametrize("exchange", _STREAMS, ids=[f"{one.wire}: {one.name}" for one in _STREAMS])
def test_comments_are_sent_on_request_where_readers_skip_them(
    exchange: Exchange, provider: Replay, gateway: Running
) -> None:
    """Raw: the same bytes but for the comments, which only OpenAI's and Anthropic's streams may hold."""
    provider.play(exchange)
    outcome(exchange.call, provider.address(exchange.wire))
    sent = provider.seen[-1]
    path = exchange.path.removeprefix(PREFIXES[exchange.wire])
    headers = {"x-mesure-live": "1", "content-type": sent.headers.get("content-type", "application/json")}
    answer = httpx2.request(
        exchange.method, gateway.named(exchange.wire) + path, content=sent.body, headers=headers
    ).content
    comments = re.findall(rb"^: energy .*\n", answer, re.MULTILINE)
    assert re.sub(rb"(?m)^: energy .*\n", b"", answer) == b"".join(exchange.pieces(sent))
    may = exchange.wire in ("openai", "azure", "anthropic") and exchange.booked["operation"] == "chat"
    if not may or exchange.method == "GET":
        assert comments == []
    else:
        assert len(comments) == 1
        assert b'"final":true' in comments[0]


@pytest.mark.parametrize(
    "exchange",
    [one for one in (*OPENAI, *ANTHROPIC, *RESPONSES) if one.streamed],
    ids=lambda one: f"{one.wire}: {one.name}",
)
def test_clients_parse_the_same_beside_comments(exchange: Exchange, provider: Replay, gateway: Running) -> None:
    provider.play(exchange)
    direct = outcome(exchange.call, provider.address(exchange.wire))
    assert outcome(exchange.call, gateway.named(f"live-{exchange.wire}")) == direct


def test_langchain_reads_responses_through_the_gateway(provider: Replay, gateway: Running) -> None:
    from langchain_openai import ChatOpenAI

    exchange = _named("response stream", RESPONSES)
    results = []
    for address in (provider.address("openai"), gateway.named("openai")):
        provider.play(exchange)
        with httpx2.Client() as own, httpx2.Client() as _:
            chat = ChatOpenAI(
                model="gpt-5", base_url=address, api_key=KEY, use_responses_api=True, max_retries=0, http_client=own
            )
            results.append([(piece.content, piece.usage_metadata) for piece in chat.stream("Où est mon colis ?")])
    assert results[0] == results[1]
    assert results[0][-1]
    assert gateway.sink.take().reasoning_tokens == 110


def test_a_stream_without_its_end_is_not_taken_for_a_complete_one(provider: Replay, gateway: Running) -> None:
    """The connection ends well, the protocol does not: each wire knows its own end."""
    for exchange in EXCHANGES:
        if not exchange.broken or not exchange.streamed:
            continue
        gateway.sink.events.clear()
        whole = type(exchange)(**{**vars(exchange), "broken": False})
        provider.play(whole)
        outcome(whole.call, gateway.named(exchange.wire))
        assert gateway.sink.take().status == "truncated", exchange.name


def test_every_count_is_in_the_ledger(
    provider: Replay, gateway: Running, sink: SpoolSink, folder: Path, tmp_path: Path
) -> None:
    """What was booked so far, committed from the spool, and summed in the table."""
    exchange = _named("chat", OPENAI)
    provider.play(exchange)
    openai_client(lambda client: plain(client.chat.completions.create(model="m", messages=[])))(gateway.named("openai"))
    gateway.sink.take()
    quick = LedgerSettings(commit_seconds=0.05, commit_events=1000)
    ledger = Ledger(tmp_path, quick)
    committer = Committer(ledger, folder / "spool", quick)
    committer.start()
    eventually(lambda: ledger.count() == len(sink.written))
    committer.stop()
    sums = _sums(ledger)
    assert sums["calls"] == len(sink.written)
    for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
        assert sums[name] == sum(getattr(event, name) or 0 for event in sink.written), name


def _sums(ledger: Ledger) -> dict[str, Any]:
    import duckdb

    names = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
    columns = ", ".join(f"coalesce(sum({name}), 0)::BIGINT AS {name}" for name in names)
    with duckdb.connect() as engine:
        table = "read_parquet(?, union_by_name=true)"
        row = engine.execute(f"SELECT count(*), {columns} FROM {table}", [ledger.files()]).fetchone()
    assert row is not None
    return dict(zip(("calls", *names), row, strict=True))
