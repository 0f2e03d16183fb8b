"""Plays the contact-centre day through the gateway, at a pace a person can watch.

Run as `python -m mesure.apps.demo.driver JSON` (a `Plan`): prints its `Summary` as one JSON line. It ends with the day,
or when its standard input ends, so that it cannot outlive the process that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from mesure.apps.demo.messages import Message, labels, read_messages
from mesure.apps.demo.prompts import Request, Target, request_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

__all__ = ["Plan", "Summary", "headers_for", "play"]

#: Agents of a team; calls of one contact come from one of them.
_TEAM_SIZES = {"accueil": 7, "facturation": 6, "livraison": 8, "technique": 6, "english-desk": 9, "voyages": 5}
_SMALL_TEAM = 3
#: A call waits for this long at most: a model on two busy cores may be slow, not dead.
_PATIENCE = aiohttp.ClientTimeout(total=180.0, sock_connect=10.0)
_FAILURES_IN_A_ROW = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play and where. `base_url` ends in /v1; `days` = 0 plays without end; `first` calls start at once."""

    base_url: str
    model: str
    embeddings_model: str | None = None
    completions: bool = True
    pace_s: float = 2.5
    days: int = 1
    first: int = 6
    at_once: int = 2

    @property
    def target(self) -> Target:
        return Target(self.model, self.embeddings_model, self.completions)


@dataclass(slots=True)
class Summary:
    """What was played. Token counts are those that answers carried: streams may carry none."""

    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    labelled: int = 0
    valid_labels: int = 0
    right_labels: int = 0
    last_failure: str = ""
    gave_up: bool = False
    _in_a_row: int = field(default=0, repr=False)

    def succeed(self, message: Message, text: str, usage: dict[str, Any] | None) -> None:
        self.calls += 1
        self._in_a_row = 0
        if usage:
            self.input_tokens += usage.get("prompt_tokens") or 0
            self.output_tokens += usage.get("completion_tokens") or 0
            self.cached_tokens += (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        if message.use_case == "intent":
            label = text.strip().casefold()
            self.labelled += 1
            self.valid_labels += label in labels(message.language)
            self.right_labels += label == message.intent

    def fail(self, reason: str) -> None:
        self.failed += 1
        self._in_a_row += 1
        self.last_failure = reason
        self.gave_up |= self._in_a_row >= _FAILURES_IN_A_ROW  # calls still in flight change nothing to it


def headers_for(message: Message) -> dict[str, str]:
    """Who calls and for what: the gateway books it and does not pass it on."""
    size = _TEAM_SIZES.get(message.team, _SMALL_TEAM)
    agent = int(message.contact[1:]) % size + 1
    return {
        "x-mesure-team": message.team,
        "x-mesure-use-case": quote(message.use_case_name),
        "x-mesure-user": f"{message.team}-{agent:02}",
        "x-mesure-contact": message.contact,
        "x-mesure-client": message.end_client,
        "x-mesure-labels": f"channel={message.channel},language={message.language}",
    }


async def play(plan: Plan, messages: Sequence[Message] | None = None) -> Summary:
    """Plays the day once, several times, or until cancelled. A failed call is counted, never raised."""
    day = read_messages() if messages is None else messages
    summary = Summary()
    began = time.monotonic()
    limit = asyncio.Semaphore(plan.at_once)
    async with aiohttp.ClientSession(timeout=_PATIENCE) as session, asyncio.TaskGroup() as calls:
        async for message in _paced(plan, day, summary):
            if (request := request_for(message, plan.target)) is not None:
                await limit.acquire()
                calls.create_task(_call(session, plan, message, request, summary)).add_done_callback(
                    lambda _: limit.release()
                )
    summary.seconds = time.monotonic() - began
    return summary


async def _paced(plan: Plan, day: Sequence[Message], summary: Summary) -> AsyncIterator[Message]:
    """Messages when their time comes. A late call delays the next ones: nothing piles up."""
    number = 0
    played = 0
    while plan.days == 0 or played < plan.days:
        for message in day:
            if summary.gave_up:
                return
            yield message
            number += 1
            await asyncio.sleep(plan.pace_s * _rhythm(number) if number >= plan.first else 0.0)
        played += 1


def _rhythm(number: int) -> float:
    """Customers do not write by the clock: between 0.5 and 1.5 times the pace, 1 on average, the same every day."""
    return 0.5 + (number * 0.618034) % 1.0


async def _call(
    session: aiohttp.ClientSession, plan: Plan, message: Message, request: Request, summary: Summary
) -> None:
    try:
        async with session.post(
            plan.base_url + request.path, json=request.body, headers=headers_for(message)
        ) as response:
            if response.status != 200:
                summary.fail(f"{response.status} {(await response.text())[:200]}")
            elif request.body.get("stream"):
                summary.succeed(message, *await _read_stream(response))
            else:
                summary.succeed(message, *_read_answer(await response.json()))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, IndexError) as error:
        summary.fail(f"{type(error).__name__}: {error}"[:200])


def _read_answer(answer: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    choices = answer.get("choices")
    if not choices:  # embeddings
        return "", answer.get("usage")
    text = choices[0].get("text") or (choices[0].get("message") or {}).get("content") or ""
    return str(text), answer.get("usage")


async def _read_stream(response: aiohttp.ClientResponse) -> tuple[str, dict[str, Any] | None]:
    """Text and usage of a stream of server-sent events; `ValueError` when it ends before its end mark."""
    text, usage = "", None
    async for line in response.content:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return text, usage
        chunk = json.loads(data)
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or ():
            text += (choice.get("delta") or {}).get("content") or ""
    raise ValueError("the stream ended before its end mark")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main(plan: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    summary = asdict(asyncio.run(play(Plan(**json.loads(plan)))))
    sys.stdout.write(json.dumps({key: value for key, value in summary.items() if not key.startswith("_")}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the watcher's thread still waits for its end of input


if __name__ == "__main__":
    main(sys.argv[1])
