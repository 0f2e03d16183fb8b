"""An application, instrumented or not: `python instrumented_app.py DATA|- OUT`. It writes what its clients returned.

Exchanges of the conformance kit through the providers' libraries, then LangChain and the helpers that hooks are known
to break. Run by its test, twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic_exchanges
import azure_exchanges
import openai
import openai_exchanges
import pydantic
import responses_exchanges
from clients import outcome, plain
from langchain_openai import ChatOpenAI
from provider_double import GOOD_KEY, ProviderDouble
from replay import Replay

import mesure

_MESSAGES: list[Any] = [{"role": "user", "content": "Bonjour"}]


def replayed() -> dict[str, Any]:
    told = {}
    modules = (openai_exchanges, responses_exchanges, azure_exchanges, anthropic_exchanges)
    with Replay() as replay:
        for exchange in (exchange for module in modules for exchange in module.EXCHANGES):
            replay.play(exchange)
            told[f"{exchange.wire}: {exchange.name}"] = outcome(exchange.call, replay.address(exchange.wire))
    return told


def helped(url: str) -> dict[str, Any]:
    """Every way of the `openai` client to make one call."""
    client = openai.OpenAI(base_url=url, api_key=GOOD_KEY, max_retries=0)
    completions = client.chat.completions
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": _MESSAGES}

    def raw() -> Any:
        answer = completions.with_raw_response.create(**asked)
        return [answer.headers["content-type"], plain(answer.parse())]

    def streaming_response() -> Any:
        with completions.with_streaming_response.create(**asked) as answer:
            return json.loads(answer.read())

    def raw_stream() -> Any:
        return [plain(chunk) for chunk in completions.with_raw_response.create(**asked, stream=True).parse()]

    def helper() -> Any:
        with completions.stream(**asked) as stream:
            kinds = [event.type for event in stream]
            return [kinds, plain(stream.get_final_completion())]

    def left_early() -> Any:
        with completions.create(**asked, stream=True) as stream:
            return plain(next(iter(stream)))

    def refused() -> Any:
        return completions.create(model="fail-429", messages=_MESSAGES)

    ways: dict[str, Callable[[], Any]] = {
        "create": lambda: plain(completions.create(**asked)),
        "stream": lambda: [plain(chunk) for chunk in completions.create(**asked, stream=True)],
        "usage asked": lambda: [
            plain(chunk) for chunk in completions.create(**asked, stream=True, stream_options={"include_usage": True})
        ],
        "raw": raw,
        "raw stream": raw_stream,
        "streaming response": streaming_response,
        "stream helper": helper,
        "parse": lambda: plain(completions.parse(**asked, response_format=_Parcel)),
        "embeddings": lambda: plain(client.embeddings.create(model="e", input=["a", "b"])),
        "left early": left_early,
        "refused": refused,
    }
    return {f"openai {name}": outcome(lambda _, way=way: way(), "") for name, way in ways.items()}  # type: ignore[misc]


class _Parcel(pydantic.BaseModel):
    where: str


async def awaited(url: str) -> dict[str, Any]:
    client = openai.AsyncOpenAI(base_url=url, api_key=GOOD_KEY, max_retries=0)
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": _MESSAGES}
    chunks = [plain(chunk) async for chunk in await client.chat.completions.create(**asked, stream=True)]
    async with client.chat.completions.stream(**asked) as stream:
        kinds = [event.type async for event in stream]
    several = await asyncio.gather(*(client.chat.completions.create(**asked) for _ in range(3)))
    raw = await client.chat.completions.with_raw_response.create(**asked)
    return {
        "async stream": chunks,
        "async helper": kinds,
        "async at once": plain(several),
        "async raw": plain(raw.parse()),
    }


def chained(url: str) -> dict[str, Any]:
    """LangChain, which hooks of this kind have broken before."""
    chat = ChatOpenAI(model="gpt-4o", base_url=url, api_key=GOOD_KEY, max_retries=0)

    async def both() -> list[Any]:
        return [await chat.ainvoke("Bonjour"), [chunk async for chunk in chat.astream("Bonjour")]]

    ways: dict[str, Callable[[], Any]] = {
        "invoke": lambda: chat.invoke("Bonjour"),
        "stream": lambda: list(chat.stream("Bonjour")),
        "stream with usage": lambda: list(chat.stream("Bonjour", stream_usage=True)),
        "batch": lambda: chat.batch(["Bonjour", "Bonsoir"]),
        "async": lambda: asyncio.run(both()),
        "raw": lambda: chat.bind(logprobs=False).invoke("Bonjour"),
        "pipe": lambda: (chat | (lambda message: message.content)).invoke("Bonjour"),
        "structured": lambda: chat.with_structured_output(_Parcel, include_raw=True).invoke("Bonjour")["parsing_error"],
        "refused": lambda: ChatOpenAI(model="fail-429", base_url=url, api_key=GOOD_KEY, max_retries=0).invoke("x"),
    }
    return {f"langchain {name}": outcome(lambda _, way=way: _named(way()), "") for name, way in ways.items()}  # type: ignore[misc]


def _named(value: Any) -> Any:
    """Without the random ids of LangChain's own runs."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    found = value.model_dump() if hasattr(value, "model_dump") else value
    if isinstance(found, dict) and str(found.get("id", "")).startswith(("run-", "lc_run-")):
        del found["id"]
    return found if isinstance(found, dict | str) else str(found)


def main(data: str, out: str) -> None:
    done = mesure.instrument(to=data, team="tests") if data != "-" else None
    told = replayed()
    with ProviderDouble() as provider:
        told |= helped(provider.url) | asyncio.run(awaited(provider.url)) | chained(provider.url)
    if done is not None:
        assert done.flush(60), done
        assert done.why is None, done
        told["mesure"] = {"taken": done.taken, "sent": done.sent, "lost": done.lost, "active": done.active}
    Path(out).write_text(json.dumps(told, default=repr, sort_keys=True, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
