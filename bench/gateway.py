"""Relative speed of the gateway: the same calls straight to a fast provider on loopback, and through the gateway.

    python bench/gateway.py [--calls 3000] [--concurrency 16] [--json]

Three processes: a provider that answers from memory, the gateway under uvicorn (uvloop, httptools) with its full
metering and a real spool, and this one, which drives. The last line is one JSON object. On shared cores read the
ratios, and `gateway_cpu_ms_per_call`, which is the gateway's own processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httptools
import psutil
import uvicorn
import uvloop

from mesure.apps.gateway import Gateway
from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.ledger import Spool

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_EVENTS = 20
_MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel? " * 20}]
_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 40,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def _answers() -> tuple[bytes, bytes]:
    """(JSON answer, stream) as the bytes of whole HTTP answers."""
    common = {"id": "chatcmpl-0123456789abcdef0123456789ab", "created": 1, "model": "gpt-4o-2024-11-20"}
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "x" * 160},
    }
    body = json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    events = []
    for index in range(_EVENTS - 2):
        delta = {"index": 0, "finish_reason": None, "delta": {"content": f"word{index} "}}
        events.append({**common, "object": "chat.completion.chunk", "choices": [delta], "usage": None})
    events.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    lines = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    lines.append(b"data: [DONE]\n\n")
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: "
    whole = head + b"application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    return whole, head + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + chunked


class _Provider(asyncio.Protocol):
    """Answers every request from memory; `"stream":true` chooses the stream."""

    whole, streamed = _answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._transport.write(self.streamed if b'"stream":true' in self._body else self.whole)
        self._body = b""


def _provide(pipe: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Provider, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


def _relay(pipe: Connection, provider_port: int, folder: str) -> None:
    provider = ProviderSettings(
        base_url=f"http://127.0.0.1:{provider_port}/v1", default=True, provider="openai", zone="FRA"
    )
    settings = Settings(server=ServerSettings(data=folder), providers={"mock": provider})
    gateway = Gateway(settings, Spool(Path(folder) / "spool"))
    config = uvicorn.Config(
        gateway,
        port=0,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        task = asyncio.ensure_future(server.serve())
        while not server.started:  # noqa: ASYNC110  (uvicorn offers no event)
            await asyncio.sleep(0.01)
        pipe.send(server.servers[0].sockets[0].getsockname()[1])
        await task

    uvloop.run(serve())


class _Client(asyncio.Protocol):
    """One connection that sends a request and waits for its whole answer."""

    def __init__(self) -> None:
        self.first: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        if self.first is None:
            self.first = time.perf_counter()
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("closed"))

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self._done.set_exception(RuntimeError(f"status {self._parser.get_status_code()}"))
        else:
            self._done.set_result(None)

    async def call(self, request: bytes) -> tuple[float, float]:
        """(seconds to the first byte, to the last)."""
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first = None
        began = time.perf_counter()
        self._transport.write(request)
        await self._done
        return (self.first or began) - began, time.perf_counter() - began


async def _drive(port: int, stream: bool, calls: int, concurrency: int) -> dict[str, float]:
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": _MESSAGES}
    body = json.dumps({**asked, "stream": True} if stream else asked, separators=(",", ":")).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += "authorization: Bearer sk-x\r\nuser-agent: bench\r\nx-mesure-team: care\r\nx-mesure-use-case: summary\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    loop = asyncio.get_running_loop()
    times: list[tuple[float, float]] = []

    async def one(count: int) -> None:
        _, client = await loop.create_connection(_Client, "127.0.0.1", port)
        for _ in range(count):
            times.append(await client.call(request))  # noqa: PERF401

    began = time.perf_counter()
    await asyncio.gather(*(one(calls // concurrency) for _ in range(concurrency)))
    seconds = time.perf_counter() - began
    last = sorted(end for _, end in times)
    return {
        "calls_per_s": len(times) / seconds,
        "p50_ms": statistics.median(last) * 1e3,
        "p99_ms": last[int(len(last) * 0.99)] * 1e3,
        "first_p50_ms": statistics.median(first for first, _ in times) * 1e3,
    }


def _measure(process: psutil.Process, port: int, stream: bool, calls: int, concurrency: int) -> dict[str, float]:
    calls = max(calls // concurrency, 1) * concurrency
    uvloop.run(_drive(port, stream, max(calls // 10, concurrency), concurrency))  # connections, caches
    before = process.cpu_times()
    figures = uvloop.run(_drive(port, stream, calls, concurrency))
    after = process.cpu_times()
    figures["cpu_ms_per_call"] = (after.user + after.system - before.user - before.system) / calls * 1e3
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000, help="calls of each measurement")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        near, far = context.Pipe()
        provider = context.Process(target=_provide, args=(far,), daemon=True)
        provider.start()
        provider_port = near.recv()
        relay = context.Process(target=_relay, args=(far, provider_port, folder), daemon=True)
        relay.start()
        ports = {"direct": (provider, provider_port), "gateway": (relay, near.recv())}
        results: dict[str, Any] = {}
        for concurrency in given.concurrency:
            for stream in (False, True):
                for name, (process, port) in ports.items():
                    figures = _measure(psutil.Process(process.pid), port, stream, given.calls, concurrency)
                    key = f"{'stream' if stream else 'json'}_{concurrency}"
                    results.setdefault(key, {})[name] = figures
                    if not given.json:
                        print(f"{key:12} {name:8}", "  ".join(f"{k} {v:9.3f}" for k, v in figures.items()), flush=True)
        rss = psutil.Process(relay.pid).memory_info().rss / 1e6
        relay.terminate()
        provider.terminate()
        relay.join()
    print(json.dumps({"bench": "gateway", "events_per_stream": _EVENTS, "gateway_rss_mb": round(rss, 1), **results}))


if __name__ == "__main__":
    main()
