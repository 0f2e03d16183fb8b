"""The unmodified `openai` client gets through the gateway what it gets without it, and every call is booked."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from provider_double import GOOD_KEY, PROMPT_TOKENS, WORDS

from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provider_double import ProviderDouble
    from served_gateway import Running

_MESSAGES: list[Any] = [
    {"role": "system", "content": "Réponds brièvement."},
    {"role": "user", "content": "Où est mon colis ? 🙂"},
]
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "track",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string"}},
            "required": ["order"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def clients(gateway: Running, provider: ProviderDouble) -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    """(through the gateway, without it)."""
    with (
        openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY, max_retries=0) as through,
        openai.OpenAI(base_url=provider.url, api_key=GOOD_KEY, max_retries=0) as direct,
    ):
        yield through, direct


def _chunks(stream: Any) -> list[dict[str, Any]]:
    return [chunk.to_dict() for chunk in stream]


def _chat(model: str = "gpt-4o", **more: Any) -> Callable[[openai.OpenAI], Any]:
    return lambda client: client.chat.completions.create(model=model, messages=_MESSAGES, **more)


_SAME: dict[str, Callable[[openai.OpenAI], Any]] = {
    "chat": lambda c: _chat()(c).to_dict(),
    "chat with tools": lambda c: _chat(tools=[_TOOL])(c).to_dict(),
    "chat raw": lambda c: c.chat.completions.with_raw_response.create(model="m", messages=_MESSAGES).parse().to_dict(),
    "chat without usage": lambda c: _chat("no-usage")(c).to_dict(),
    "chat compressed": lambda c: _chat("gzipped")(c).to_dict(),
    "chat larger than is held": lambda c: _chat("large")(c).to_dict(),
    "stream": lambda c: _chunks(_chat(stream=True)(c)),
    "stream with usage": lambda c: _chunks(_chat(stream=True, stream_options={"include_usage": True})(c)),
    "stream with other options": lambda c: _chunks(_chat(stream=True, stream_options={"include_usage": False})(c)),
    "stream with tools": lambda c: _chunks(_chat(stream=True, tools=[_TOOL])(c)),
    "stream in single bytes": lambda c: _chunks(_chat("bytewise", stream=True)(c)),
    "stream with CRLF": lambda c: _chunks(_chat("crlf-stream", stream=True)(c)),
    "stream without usage": lambda c: _chunks(_chat("no-usage", stream=True)(c)),
    "stream of a huge line": lambda c: _chunks(_chat("huge-line", stream=True)(c)),
    "stream without end": lambda c: _chunks(_chat("stop-without-done", stream=True)(c)),
    "completion": lambda c: c.completions.create(model="m", prompt="Il était").to_dict(),
    "completion stream": lambda c: _chunks(c.completions.create(model="m", prompt="Il était", stream=True)),
    "embeddings": lambda c: c.embeddings.create(model="e", input=["un", "deux"]).to_dict(),
    "embeddings as numbers": lambda c: c.embeddings.create(model="e", input="un", encoding_format="float").to_dict(),
    "models": lambda c: c.models.list().to_dict(),
    "images": lambda c: c.images.generate(model="i", prompt="un colis").to_dict(),
}


@pytest.mark.parametrize("name", _SAME)
def test_same_result_with_and_without(clients: tuple[openai.OpenAI, openai.OpenAI], name: str) -> None:
    through, direct = clients
    result = _SAME[name](through)
    assert result
    assert result == _SAME[name](direct)


def test_stream_helper(clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    results = []
    for client in clients:
        with client.chat.completions.stream(model="gpt-4o", messages=_MESSAGES, tools=[_TOOL]) as stream:
            kinds = [event.type for event in stream]
            results.append((kinds, stream.get_final_completion().to_dict()))
    assert results[0] == results[1]
    assert "tool_calls.function.arguments.done" in results[0][0]


def test_streaming_response_helper(clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    results = []
    for client in clients:
        create = client.chat.completions.with_streaming_response.create
        with create(model="gpt-4o", messages=_MESSAGES, stream=True) as response:
            results.append(list(response.iter_lines()))
    assert results[0] == results[1]


def test_async_client(gateway: Running, provider: ProviderDouble) -> None:
    async def ask(url: str) -> list[Any]:
        async with openai.AsyncOpenAI(base_url=url, api_key=GOOD_KEY) as client:
            whole = await client.chat.completions.create(model="gpt-4o", messages=_MESSAGES)
            stream = await client.chat.completions.create(model="gpt-4o", messages=_MESSAGES, stream=True)
            chunks = [chunk.to_dict() async for chunk in stream]
            async with client.chat.completions.stream(model="gpt-4o", messages=_MESSAGES) as helper:
                final = await helper.get_final_completion()
            vectors = await client.embeddings.create(model="e", input=["a"])
            return [whole.to_dict(), chunks, final.to_dict(), vectors.to_dict()]

    assert asyncio.run(ask(gateway.url)) == asyncio.run(ask(provider.url))
    assert len(gateway.sink.wait(4)) == 4


def test_sixty_four_at_once(gateway: Running) -> None:
    async def ask() -> list[int]:
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key=GOOD_KEY, timeout=60) as client:

            async def one(index: int) -> int:
                messages: list[Any] = [{"role": "user", "content": f"question {index}"}]
                if index % 2:
                    answer = await client.chat.completions.create(model="gpt-4o", messages=messages)
                    return answer.usage.completion_tokens if answer.usage else -1
                stream = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
                return len([chunk async for chunk in stream])

            return await asyncio.gather(*(one(index) for index in range(256)))

    failures = gateway.gateway.metering_failures
    results = asyncio.run(ask())
    assert set(results[1::2]) == {len(WORDS)}
    assert set(results[::2]) == {len(WORDS) + 2}
    events = gateway.sink.wait(256)
    assert len({event.response_id for event in events}) == 256
    assert sum(event.input_tokens or 0 for event in events) == 256 * PROMPT_TOKENS
    assert sum(event.output_tokens or 0 for event in events) == 256 * len(WORDS)
    assert gateway.gateway.metering_failures == failures


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("fail-400", openai.BadRequestError),
        ("fail-403", openai.PermissionDeniedError),
        ("fail-404", openai.NotFoundError),
        ("fail-409", openai.ConflictError),
        ("fail-422", openai.UnprocessableEntityError),
        ("fail-429", openai.RateLimitError),
        ("fail-500", openai.InternalServerError),
        ("fail-503", openai.InternalServerError),
    ],
)
def test_the_provider_s_errors_pass_unchanged(
    gateway: Running, clients: tuple[openai.OpenAI, openai.OpenAI], model: str, expected: type[openai.APIStatusError]
) -> None:
    caught = []
    for client in clients:
        with pytest.raises(expected) as raised:
            _chat(model)(client)
        caught.append((raised.value.message, raised.value.body, raised.value.code, raised.value.request_id))
    assert caught[0] == caught[1]
    event = gateway.sink.take()
    assert event.status == "error"
    assert event.http_status is not None
    assert event.http_status == int(model.removeprefix("fail-"))
    assert event.error_type == f"code_{event.http_status}"
    # Nobody said how many tokens they were: unknown, and not zero.
    assert (event.input_tokens, event.output_tokens, event.tokens_reported) == (None, None, None)


def test_a_wrong_key_is_the_provider_s_to_refuse(gateway: Running) -> None:
    with (
        openai.OpenAI(base_url=gateway.url, api_key="sk-wrong") as client,
        pytest.raises(openai.AuthenticationError, match="Incorrect API key provided: sk-wrong"),
    ):
        _chat()(client)
    assert gateway.sink.take().error_type == "invalid_api_key"


def test_retries_are_the_client_s(gateway: Running, provider: ProviderDouble) -> None:
    before = len(provider.seen)
    transport_retries = openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY, max_retries=2)
    with transport_retries as client, pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=1).chat.completions.create(model="fail-429", messages=_MESSAGES)
    assert len(provider.seen) - before == 2
    assert [event.http_status for event in gateway.sink.wait(2)] == [429, 429]


def test_a_client_that_times_out_cancels_the_provider(gateway: Running, provider: ProviderDouble) -> None:
    cut = provider.cut
    with (
        openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY, max_retries=0, timeout=0.3) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        _chat("hang")(client)
    event = gateway.sink.take()
    assert event.status == "cancelled"
    assert event.model_requested == "hang"
    assert event.http_status is None
    eventually(lambda: provider.cut > cut)


def test_a_client_that_leaves_a_stream_cancels_the_provider(gateway: Running, provider: ProviderDouble) -> None:
    cut, departures = provider.cut, gateway.gateway.departures
    with openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY) as client:
        stream = _chat("slow-stream", stream=True)(client)
        assert next(iter(stream)).id
        stream.close()
    event = gateway.sink.take()
    assert event.status == "cancelled"
    assert event.http_status == 200
    assert event.model_answered == "slow-stream-2026-01-01"
    assert (event.input_tokens, event.tokens_reported) == (None, False)
    assert 1 <= event.output_tokens < len(WORDS)  # those that had come
    eventually(lambda: provider.cut > cut)
    assert gateway.gateway.departures == departures + 1


def test_a_stream_broken_off_is_broken_off_for_the_client(gateway: Running, provider: ProviderDouble) -> None:
    received = []
    for url in (gateway.url, provider.url):
        chunks = []
        with openai.OpenAI(base_url=url, api_key=GOOD_KEY, max_retries=0) as client:
            stream = _chat("truncate-stream", stream=True)(client)
            with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)) as raised:
                chunks += [chunk.to_dict() for chunk in stream]
        received.append((type(raised.value), chunks))
    assert received[0] == received[1]
    assert gateway.sink.take().status == "truncated"


def test_json_broken_off_is_broken_off_for_the_client(
    gateway: Running, clients: tuple[openai.OpenAI, openai.OpenAI]
) -> None:
    caught = []
    for client in clients:
        with pytest.raises(openai.APIConnectionError) as raised:
            _chat("truncate-json")(client)
        caught.append((type(raised.value), type(raised.value.__cause__)))
    assert caught[0] == caught[1]
    assert gateway.sink.take().status == "truncated"


def test_an_error_inside_a_stream(gateway: Running, clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    caught = []
    for client in clients:
        with pytest.raises(openai.APIError) as raised:
            _chunks(_chat("error-in-stream", stream=True)(client))
        caught.append((raised.value.message, raised.value.body))
    assert caught[0] == caught[1]
    event = gateway.sink.take()
    assert (event.status, event.error_type) == ("error", "overloaded")


def test_figures_are_in_the_headers_of_a_json_answer(clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    raw = clients[0].chat.completions.with_raw_response.create(model="gpt-4o", messages=_MESSAGES)
    given = raw.headers
    assert 0 < float(given["x-mesure-energy-wh-low"]) <= float(given["x-mesure-energy-wh"])
    assert float(given["x-mesure-energy-wh"]) <= float(given["x-mesure-energy-wh-high"])
    assert float(given["x-mesure-gco2eq"]) > 0
    assert given["x-mesure-status"] == "modelled"
    assert given["x-mesure-model-known"] == "true"
    assert given["x-mesure-method"]
    assert given["x-mesure-catalogue"]


def test_streams_carry_an_id_and_no_figure(gateway: Running, clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    create = clients[0].chat.completions.with_raw_response.create
    raw = create(model="gpt-4o", messages=_MESSAGES, stream=True)
    ours = {name: value for name, value in raw.headers.items() if name.startswith("x-mesure")}
    list(raw.parse())
    assert ours == {"x-mesure-event-id": gateway.sink.take().id}


def test_a_stream_is_booked_with_the_provider_s_own_counts(gateway: Running) -> None:
    with openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY) as client:
        chunks = _chunks(_chat(stream=True)(client))
    assert not any("usage" in chunk for chunk in chunks)
    event = gateway.sink.take()
    assert (event.input_tokens, event.output_tokens, event.reasoning_tokens) == (PROMPT_TOKENS, len(WORDS), 4)
    assert event.stream
    assert event.status == "ok"
    assert event.finish_reason == "stop"
    assert 0 < (event.first_output_ms or 0) <= (event.duration_ms or 0)


def test_a_compressed_request_is_passed_on_and_read(gateway: Running, provider: ProviderDouble) -> None:
    body = gzip.compress(json.dumps({"model": "gpt-4o", "messages": _MESSAGES, "stream": True}).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json", "authorization": f"Bearer {GOOD_KEY}"}
    answer = httpx2.post(gateway.url + "/chat/completions", content=body, headers=headers)
    assert answer.status_code == 200
    assert provider.seen[-1].body == body
    assert provider.seen[-1].headers["content-encoding"] == "gzip"
    event = gateway.sink.take()
    assert event.model_requested == "gpt-4o"
    assert event.input_tokens is None  # usage could not be asked for: unknown, not zero
