"""Each exchange, through its provider's own client library, with and without the gateway: the same result, and exact
counts in the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic_exchanges
import azure_exchanges
import cohere_exchanges
import gemini_exchanges
import local_exchanges
import media_exchanges
import mistral_exchanges
import openai_exchanges
import pytest
import responses_exchanges
from clients import outcome

if TYPE_CHECKING:
    from replay import Exchange, Replay
    from served_gateway import Running

_MODULES = (
    openai_exchanges,
    responses_exchanges,
    media_exchanges,
    azure_exchanges,
    anthropic_exchanges,
    gemini_exchanges,
    mistral_exchanges,
    cohere_exchanges,
    local_exchanges,
)
EXCHANGES: list[Exchange] = [exchange for module in _MODULES for exchange in module.EXCHANGES]

#: Every count an event may hold. What an exchange does not name must be unknown.
_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "images_count",
    "audio_seconds",
)
#: Of one connection, and the random mark of a client.
_HOP = {"host", "connection", "accept-encoding", "content-length", "transfer-encoding", "x-amzn-trace-id"}


def _sent(request: Any) -> tuple[str, str, dict[str, str]]:
    """What a request said, but for the connection, times and retries."""
    kept = {key: value for key, value in request.headers.items() if key not in _HOP}
    boundary = kept.get("content-type", "").partition("boundary=")[2]
    return request.method, request.path, {k: v.replace(boundary, "") if boundary else v for k, v in kept.items()}


#: Streams also in single bytes; results that are collected only so, for they are booked once.
_PLAYED = [(one, cut) for one in EXCHANGES for cut in ((0, 1) if one.method == "POST" else (1,))[: 1 + one.streamed]]


@pytest.mark.parametrize(
    ("exchange", "cut"), _PLAYED, ids=[f"{one.wire}: {one.name}{', in single bytes' * cut}" for one, cut in _PLAYED]
)
def test_same_result_and_exact_counts(exchange: Exchange, cut: int, provider: Replay, gateway: Running) -> None:
    provider.play(exchange, cut)
    direct = outcome(exchange.call, provider.address(exchange.wire))
    requests = [_sent(request) for request in provider.seen]
    provider.play(exchange, cut)
    through = outcome(exchange.call, gateway.named(exchange.wire))
    assert through == direct
    assert [_sent(request) for request in provider.seen] == requests
    if exchange.status < 400 and not exchange.broken and exchange.booked and exchange.booked.get("status") != "error":
        assert direct[0] == "result", direct
    _check(exchange, gateway)


def _check(exchange: Exchange, gateway: Running) -> None:
    if exchange.booked is None:
        assert gateway.sink.events == []
        return
    event = gateway.sink.take()
    expected = {**dict.fromkeys(_COUNTS), "status": "ok", **exchange.booked}
    assert {name: getattr(event, name) for name in expected} == expected
    if event.stream and event.status == "ok":
        assert event.first_output_ms is not None
        assert event.duration_ms is not None
