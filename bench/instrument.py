"""What `mesure.instrument()` adds to a call and to a stream of the `openai` client, in this process, without a network.

    python bench/instrument.py [--rounds 12] [--calls 150]

Three states are compared: the client alone, with its instrumentor, and with ours behind it (`mesure.instrument()`).
Figures are processor time of the caller's thread, the median of calls, so that other programs on the machine do not
count; the last two states alternate in rounds of one process. `ours_us_*` is the time spent in this project's code on
the caller's path, measured there; `difference_us_*` is what the alternation shows, to a precision of about a tenth of
the call. `instrumentor_us_*` is the price of the package of others. `background_cpu_us` is processor time that our
thread spends on one call, beside it: while calls wait for their provider it costs them nothing. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import openai
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import mesure
from mesure.apps.sdk import instrumenting

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENTS = 20
_MODEL = "gpt-4o-2024-11-20"
_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 40,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 32},
}
_MESSAGES: list[Any] = [{"role": "user", "content": "Where is my parcel? " * 20}]
GOAL_US = 50.0


def _answers() -> tuple[bytes, bytes]:
    common = {"id": "chatcmpl-0123456789abcdef0123456789ab", "created": 1, "model": _MODEL}
    message = {"role": "assistant", "content": "x" * 160}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole = json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    events = []
    for index in range(_EVENTS - 1):
        delta = {"index": 0, "finish_reason": None, "delta": {"content": f"word{index} "}}
        events.append({**common, "object": "chat.completion.chunk", "choices": [delta], "usage": None})
    events.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return whole, b"".join([*lines, b"data: [DONE]\n\n"])


def _client() -> openai.OpenAI:
    whole, streamed = _answers()

    def answer(request: httpx.Request) -> httpx.Response:
        if b'"stream":true' in request.content:
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=streamed)
        return httpx.Response(200, headers={"content-type": "application/json"}, content=whole)

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(api_key="key", base_url="http://bench/v1", max_retries=0, http_client=transport)


def _ways(client: openai.OpenAI) -> dict[str, Callable[[], None]]:
    completions = client.chat.completions

    def call() -> None:
        completions.create(model=_MODEL, messages=_MESSAGES)

    def stream() -> None:
        for _ in completions.create(
            model=_MODEL, messages=_MESSAGES, stream=True, stream_options={"include_usage": True}
        ):
            pass

    return {"call": call, "stream": stream}


def _median_us(way: Callable[[], None], calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.thread_time()
        way()
        took.append(time.thread_time() - began)
    return statistics.median(took) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--calls", type=int, default=150)
    options = parser.parse_args()
    ways = _ways(_client())
    bare = {name: _median_us(way, options.calls * 2) for name, way in ways.items()}
    with tempfile.TemporaryDirectory() as folder:
        provider = TracerProvider(shutdown_on_exit=False)
        done = mesure.instrument(to=folder, only=["openai"], tracer_provider=provider)
        if done.why:
            raise SystemExit(done.why)
        told = _alternating(provider, done, ways, bare, options.rounds, options.calls)
    for name, value in told.items():
        print(f"{name:28} {value}")
    print(json.dumps({"bench": "instrument", **told}))


class Timed(SpanProcessor):
    """Our span processor, and how long a span stayed in it."""

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner
        self.spent_us: list[float] = []

    def on_end(self, span: ReadableSpan) -> None:
        began = time.thread_time_ns()
        self._inner.on_end(span)
        self.spent_us.append((time.thread_time_ns() - began) / 1e3)


def _alternating(
    provider: Any,
    done: instrumenting.Instrumentation,
    ways: dict[str, Callable[[], None]],
    bare: dict[str, float],
    rounds: int,
    calls: int,
) -> dict[str, Any]:
    processors = provider._active_span_processor
    timed = Timed(processors._span_processors[0])
    ours = (timed,)
    told: dict[str, Any] = {"instrumentor": done.active["openai"], "rounds": rounds, "calls_a_round": calls}
    spent_behind: list[float] = []
    for name, way in ways.items():
        without, with_us = [], []
        timed.spent_us.clear()
        for _ in range(rounds):
            processors._span_processors = ()
            without.append(_median_us(way, calls))
            processors._span_processors = ours
            began, own = time.process_time(), time.thread_time()
            with_us.append(_median_us(way, calls))
            done.flush(60)
            spent_behind.append((time.process_time() - began - (time.thread_time() - own)) / calls)
        added = statistics.median(b - a for a, b in zip(without, with_us, strict=True))
        told |= {
            f"client_us_{name}": round(bare[name], 1),
            f"instrumentor_us_{name}": round(statistics.median(without) - bare[name], 1),
            f"difference_us_{name}": round(added, 1),
            f"ours_us_{name}": round(statistics.median(timed.spent_us), 2),
            f"ours_us_{name}_p99": round(statistics.quantiles(timed.spent_us, n=100)[98], 2),
        }
    told["background_cpu_us"] = round(statistics.median(spent_behind) * 1e6, 1)
    told["goal_us"] = GOAL_US
    told["reached"] = all(told[f"ours_us_{name}"] <= GOAL_US for name in ways)
    told |= {"taken": done.taken, "sent": done.sent, "lost": done.lost}
    return told


if __name__ == "__main__":
    main()
