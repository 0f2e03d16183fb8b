"""The driver, against a tiny upstream."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from aiohttp import web

from mesure.apps.demo.driver import Plan, play
from mesure.apps.demo.messages import read_messages

if TYPE_CHECKING:
    from conftest import Upstream


def _plan(upstream: Upstream, **given: Any) -> Plan:
    return Plan(**{"base_url": upstream.base_url, "model": "m", "embeddings_model": "e", "pace_s": 0.0} | given)


def test_the_whole_day_is_played_in_order_with_its_attribution(upstream: Upstream) -> None:
    summary = asyncio.run(play(_plan(upstream, at_once=1)))
    messages = read_messages()
    assert (summary.calls, summary.failed) == (len(messages), 0)
    assert len(upstream.requests) == len(messages)
    for message, (path, body, headers) in zip(messages, upstream.requests, strict=True):
        assert path.startswith("/v1/")
        assert message.text in json.dumps(body, ensure_ascii=False)
        assert headers["x-mesure-team"] == message.team
        assert unquote(headers["x-mesure-use-case"]) == message.use_case_name
        assert headers["x-mesure-client"] == message.end_client
        assert headers["x-mesure-contact"] == message.contact
        assert headers["x-mesure-labels"] == f"channel={message.channel},language={message.language}"
        assert headers["x-mesure-user"].startswith(message.team)


def test_tokens_are_those_that_answers_carried(upstream: Upstream) -> None:
    messages = read_messages()[:20]
    summary = asyncio.run(play(_plan(upstream), messages))
    embedded = sum(message.use_case == "faq-search" for message in messages)
    assert summary.calls == 20
    assert summary.input_tokens == 10 * (20 - embedded) + 5 * embedded
    assert summary.output_tokens == 2 * (20 - embedded)
    assert summary.cached_tokens == 4 * (20 - embedded)


def test_labels_are_checked_against_the_right_ones(upstream: Upstream) -> None:
    messages = [message for message in read_messages() if message.use_case == "intent"]
    summary = asyncio.run(play(_plan(upstream), messages))
    assert summary.labelled == len(messages)
    assert summary.valid_labels == sum(message.language == "fr" for message in messages)
    assert summary.right_labels == sum(message.intent == "livraison" for message in messages)


def test_a_failed_call_is_counted_and_the_day_goes_on(upstream: Upstream) -> None:
    upstream.answer = lambda number, path, body: web.Response(status=503, text="busy") if number % 3 == 0 else None
    messages = read_messages()[:30]
    summary = asyncio.run(play(_plan(upstream, at_once=1), messages))
    assert (summary.calls, summary.failed) == (20, 10)
    assert summary.last_failure == "503 busy"
    assert not summary.gave_up


def test_a_truncated_stream_and_a_broken_answer_are_failures(upstream: Upstream) -> None:
    def answer(number: int, path: str, body: dict[str, Any]) -> web.Response:
        if body.get("stream"):
            return web.Response(text='data: {"choices":[{"delta":{"content":"Bon"}}]}\n\n')
        return web.Response(text="{", content_type="application/json")

    upstream.answer = answer
    summary = asyncio.run(play(_plan(upstream, at_once=1), read_messages()[:4]))
    assert (summary.calls, summary.failed) == (0, 4)
    assert "end mark" in summary.last_failure


def test_it_gives_up_when_nobody_answers(upstream: Upstream) -> None:
    upstream.answer = lambda number, path, body: web.Response(status=502)
    summary = asyncio.run(play(_plan(upstream)))
    assert summary.gave_up
    assert summary.calls == 0
    assert 8 <= summary.failed < 15
    closed = Plan(base_url="http://127.0.0.1:9/v1", model="m", pace_s=0.0)
    assert asyncio.run(play(closed)).gave_up


def test_several_days_and_days_without_end(upstream: Upstream) -> None:
    messages = read_messages()[:5]
    assert asyncio.run(play(_plan(upstream, days=3), messages)).calls == 15

    async def until_enough() -> None:
        endless = asyncio.create_task(play(_plan(upstream, days=0), messages))
        async with asyncio.timeout(60):
            while len(upstream.requests) < 60:  # noqa: ASYNC110  (another thread's list)
                await asyncio.sleep(0.01)
        assert not endless.done()
        endless.cancel()
        await asyncio.gather(endless, return_exceptions=True)

    asyncio.run(until_enough())


def test_no_more_calls_at_once_than_told(upstream: Upstream) -> None:
    running = most = 0
    usual = upstream.handle

    async def slow(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return await usual(request)

    upstream.handle = slow  # type: ignore[method-assign]
    asyncio.run(play(_plan(upstream, at_once=2), read_messages()[:20]))
    assert most == 2
    assert len(upstream.requests) == 20


def _start(plan: Plan) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mesure.apps.demo.driver", json.dumps(asdict(plan))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_process_prints_its_summary_and_ends(upstream: Upstream) -> None:
    with _start(_plan(upstream)) as process:
        assert process.stdout is not None
        summary = json.loads(process.stdout.readline())
        assert process.wait(30) == 0
    assert summary["calls"] == len(read_messages())
    assert summary["seconds"] > 0
    assert not any(key.startswith("_") for key in summary)


def test_the_process_ends_with_its_input(upstream: Upstream) -> None:
    with _start(_plan(upstream, pace_s=3600.0)) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


@pytest.mark.parametrize("days", [1, 2])
def test_the_rhythm_keeps_the_pace_on_average(days: int) -> None:
    from mesure.apps.demo.driver import _rhythm

    waits = [_rhythm(number) for number in range(1, 150 * days)]
    assert min(waits) >= 0.5
    assert max(waits) <= 1.5
    assert sum(waits) / len(waits) == pytest.approx(1.0, abs=0.02)
