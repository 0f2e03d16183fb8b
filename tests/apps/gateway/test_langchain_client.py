"""`langchain-openai`, unmodified, gets through the gateway what it gets without it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from provider_double import GOOD_KEY, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openai import ChatOpenAI
    from provider_double import ProviderDouble
    from served_gateway import Running


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")


def _chat(url: str, **more: Any) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    # Its default asynchronous client is shared by all loops of a process; each of these tests has its own.
    own = httpx2.AsyncClient()
    return ChatOpenAI(model="gpt-4o", base_url=url, api_key=GOOD_KEY, max_retries=0, http_async_client=own, **more)


def _plain(message: Any) -> dict[str, Any]:
    """A message without the run's random id, kept when it is the provider's."""
    kept = message.model_dump()
    if str(kept.get("id", "")).startswith(("run-", "lc_run-")):
        del kept["id"]
    return kept


async def _astream(chat: ChatOpenAI) -> list[dict[str, Any]]:
    try:
        return [_plain(chunk) async for chunk in chat.astream("Bonjour")]
    finally:
        await chat.http_async_client.aclose()


async def _ainvoke(chat: ChatOpenAI) -> dict[str, Any]:
    try:
        return _plain(await chat.ainvoke("Bonjour"))
    finally:
        await chat.http_async_client.aclose()


def _track(order: str) -> str:
    """Where an order is."""
    return order


_SAME: dict[str, Callable[[ChatOpenAI], Any]] = {
    "invoke": lambda chat: _plain(chat.invoke("Bonjour")),
    "ainvoke": lambda chat: asyncio.run(_ainvoke(chat)),
    "stream": lambda chat: [_plain(chunk) for chunk in chat.stream("Bonjour")],
    "astream": lambda chat: asyncio.run(_astream(chat)),
    "batch": lambda chat: [_plain(message) for message in chat.batch(["un", "deux", "trois"])],
    "tools": lambda chat: _plain(chat.bind_tools([_track]).invoke("Où est A-17 ?")),
    "stream with tools": lambda chat: [_plain(chunk) for chunk in chat.bind_tools([_track]).stream("Où est A-17 ?")],
}


@pytest.mark.parametrize("name", _SAME)
@pytest.mark.parametrize("stream_usage", [True, False])
def test_same_result_with_and_without(
    gateway: Running, provider: ProviderDouble, name: str, stream_usage: bool
) -> None:
    through = _SAME[name](_chat(gateway.url, stream_usage=stream_usage))
    direct = _SAME[name](_chat(provider.url, stream_usage=stream_usage))
    assert through
    assert through == direct
    events = gateway.sink.wait(3 if name == "batch" else 1)
    assert {event.output_tokens for event in events} == {len(WORDS)}
    assert {event.status for event in events} == {"ok"}


def test_embeddings(gateway: Running, provider: ProviderDouble) -> None:
    from langchain_openai import OpenAIEmbeddings

    results = [
        OpenAIEmbeddings(model="e", base_url=url, api_key=GOOD_KEY, check_embedding_ctx_length=False).embed_documents(
            ["un", "deux"]
        )
        for url in (gateway.url, provider.url)
    ]
    assert results[0] == results[1]
    event = gateway.sink.take()
    assert event.operation == "embeddings"
    assert event.input_items == 2
    assert event.input_tokens == 14
