"""A deterministic provider on a real socket: what it answers depends on the request alone.

The model's name chooses the scene (`fail-429`, `truncate-stream`, `slow-stream`...); any other name answers normally.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

GOOD_KEY = "sk-test-0123456789abcdef"
WORDS = ["Bon", "jour", ", votre", " colis", " arrive", " demain", " à", " 9 h", " 🙂", "."]
FLOOD = 96 << 20
PROMPT_TOKENS, CACHED, REASONING = 120, 32, 4


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ProviderDouble:
    """Runs in a thread of its own; `seen` are the requests received, `cut` how many connections clients cut."""

    seen: list[Seen] = field(default_factory=list)
    cut: int = 0
    port: int = 0
    flooded: int = 0

    def __enter__(self) -> ProviderDouble:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def last(self, path: str) -> Seen:
        return next(seen for seen in reversed(self.seen) if seen.path == path)

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 24)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await read_http(reader):
                self.seen.append(request)
                await self._answer(request, Writer(writer, reader, request.method))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cut += 1
        except Close:
            pass
        finally:
            writer.close()

    async def _answer(self, request: Seen, out: Writer) -> None:
        path = request.path.partition("?")[0]
        if path == "/v1/models":
            listed = [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "them"}]
            await out.json(200, {"object": "list", "data": listed})
        elif path == "/v1/moved":
            await out.raw(302, b"", {"location": "http://169.254.169.254/latest"})
        elif path == "/v1/mirror":
            await out.json(200, {"headers": request.headers, "path": request.path}, {"x-seen": str(request.headers)})
        elif path == "/v1/none":
            await out.head(204, {})
        elif path == "/v1/bytes":
            await out.raw(200, bytes(range(256)) * 64, {"content-type": "application/octet-stream"})
        elif path == "/v1/flood":
            await self._flood(out)
        elif path == "/v1/images/generations":
            usage = {"input_tokens": 12, "output_tokens": 4160, "total_tokens": 4172}
            await out.json(200, {"created": 1, "data": [{"b64_json": "aGk="}, {"b64_json": "aGk="}], "usage": usage})
        else:
            await self._model_call(path, request, out)

    async def _flood(self, out: Writer) -> None:
        """More than all socket buffers together hold; `flooded` tells how much of it was taken."""
        await out.head(200, {"content-length": str(FLOOD), "content-type": "application/octet-stream"})
        self.flooded = 0
        while self.flooded < FLOOD:
            out.writer.write(b"f" * 65_536)
            await out.writer.drain()
            self.flooded += 65_536

    async def _model_call(self, path: str, request: Seen, out: Writer) -> None:
        if request.headers.get("authorization") != f"Bearer {GOOD_KEY}":
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            await out.error(401, f"Incorrect API key provided: {given}.", "invalid_api_key")
            return
        raw = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        try:
            body = json.loads(raw)
            model = body["model"]
        except (ValueError, KeyError, TypeError):
            await out.error(400, "We could not parse the JSON body of your request.", "invalid_json")
            return
        if model.startswith("fail-"):
            status = int(model.removeprefix("fail-"))
            await out.error(status, f"Refused with {status}: {body.get('messages')}", f"code_{status}")
        elif path == "/v1/embeddings":
            await out.json(200, embeddings(body))
        elif path in ("/v1/chat/completions", "/v1/completions"):
            await SCENES.get(model, normal)(out, body, path.endswith("chat/completions"))
        else:
            await out.error(404, f"Unknown path {path}", "unknown_url")


class Close(Exception):  # noqa: N818
    """The scene closes the connection."""


async def read_http(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, body)


class Writer:
    def __init__(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader, method: str) -> None:
        self.writer, self.reader, self.method = writer, reader, method

    async def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", "x-request-id: req-1", *(f"{k}: {v}" for k, v in headers.items())]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def raw(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        await self.head(status, {"content-length": str(len(body)), **headers})
        if self.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()

    async def json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        await self.raw(status, body, {"content-type": "application/json", **(headers or {})})

    async def error(self, status: int, message: str, code: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        await self.json(status, {"error": error})

    async def chunk(self, data: bytes) -> None:
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def start_stream(self, headers: dict[str, str] | None = None) -> None:
        given = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        await self.head(200, {**given, **(headers or {})})

    async def end_stream(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def until_cut(self) -> None:
        """Wait for the client to hang up."""
        await self.reader.read(1)
        raise ConnectionResetError


def identifier(body: dict[str, Any]) -> str:
    return (
        "chatcmpl-" + hashlib.sha256(json.dumps(body.get("messages") or body.get("prompt")).encode()).hexdigest()[:29]
    )


def usage(output: int) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": output,
        "total_tokens": PROMPT_TOKENS + output,
        "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": REASONING, "audio_tokens": 0},
    }


def whole(body: dict[str, Any], chat: bool, words: list[str] = WORDS) -> dict[str, Any]:
    text = "".join(words)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
    if not chat:
        choice["text"] = text
    elif body.get("tools"):
        name = body["tools"][0]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"order": "A-17"}'}}
        choice |= {
            "message": {"role": "assistant", "content": None, "tool_calls": [call]},
            "finish_reason": "tool_calls",
        }
    else:
        choice["message"] = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": identifier(body),
        "object": "chat.completion" if chat else "text_completion",
        "created": 1_780_000_000,
        "model": body["model"] + "-2026-01-01",
        "choices": [choice],
        "usage": usage(len(words)),
        "system_fingerprint": "fp_1",
    }


def events(body: dict[str, Any], chat: bool, words: list[str] = WORDS) -> list[bytes]:
    wants = (body.get("stream_options") or {}).get("include_usage") is True
    common = {
        "id": identifier(body),
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"] + "-2026-01-01",
    }
    deltas: list[tuple[Any, str | None]]
    if body.get("tools") and chat:
        name = body["tools"][0]["function"]["name"]
        head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        more = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"ord', 'er": "A', '-17"}')]
        deltas = [({"role": "assistant", "tool_calls": [head]}, None)]
        deltas += [({"tool_calls": [piece]}, None) for piece in more] + [({}, "tool_calls")]
    else:
        deltas = [({"role": "assistant", "content": ""}, None), *(({"content": w}, None) for w in words), ({}, "stop")]
    found = []
    for delta, reason in deltas:
        choice = {"index": 0, "finish_reason": reason, "logprobs": None}
        choice |= {"delta": delta} if chat else {"text": delta.get("content", "")}
        found.append({**common, "choices": [choice], **({"usage": None} if wants else {}), "obfuscation": "ab"})
    if wants:
        found.append({**common, "choices": [], "usage": usage(len(words))})
    compact = [json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() for event in found]
    return [b"data: " + event + b"\n\n" for event in compact] + [b"data: [DONE]\n\n"]


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    given = body["input"]
    texts = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    rows = []
    for index, text in enumerate(texts):
        digest = hashlib.sha256(json.dumps(text).encode()).digest()[:8]
        vector = [byte / 255 for byte in digest]
        packed = base64.b64encode(struct.pack("<8f", *vector)).decode()
        rows.append(
            {
                "object": "embedding",
                "index": index,
                "embedding": packed if body.get("encoding_format") == "base64" else vector,
            }
        )
    used = {"prompt_tokens": 7 * len(texts), "total_tokens": 7 * len(texts)}
    return {"object": "list", "data": rows, "model": body["model"], "usage": used}


async def normal(out: Writer, body: dict[str, Any], chat: bool) -> None:
    if not body.get("stream"):
        await out.json(200, whole(body, chat))
        return
    await out.start_stream()
    for event in events(body, chat):
        await out.chunk(event)
    await out.end_stream()


async def bytewise(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    for byte in b"".join(events(body, chat)):
        await out.chunk(bytes([byte]))
    await out.end_stream()


async def crlf_stream(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    data = b": hello\n\n" + b"".join(events(body, chat))
    await out.chunk(data.replace(b"\n", b"\r\n"))
    await out.end_stream()


async def truncate_stream(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    for event in events(body, chat)[:5]:
        await out.chunk(event)
    raise Close


async def stop_without_done(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    for event in events(body, chat)[:5]:
        await out.chunk(event)
    await out.end_stream()


async def error_in_stream(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    for event in events(body, chat)[:3]:
        await out.chunk(event)
    await out.chunk(
        b'data: {"error":{"message":"overloaded, you said hello","type":"server_error","code":"overloaded"}}\n\n'
    )
    await out.end_stream()


async def truncate_json(out: Writer, body: dict[str, Any], chat: bool) -> None:
    data = json.dumps(whole(body, chat)).encode()
    await out.head(200, {"content-type": "application/json", "content-length": str(len(data))})
    out.writer.write(data[: len(data) // 2])
    await out.writer.drain()
    raise Close


async def drop(out: Writer, body: dict[str, Any], chat: bool) -> None:
    raise Close


async def slow_stream(out: Writer, body: dict[str, Any], chat: bool) -> None:
    """Three events, then nothing until the client leaves."""
    await out.start_stream()
    for event in events(body, chat)[:3]:
        await out.chunk(event)
    await out.until_cut()


async def paced_stream(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    for event in events(body, chat):
        await out.chunk(event)
        await asyncio.sleep(0.12)
    await out.end_stream()


async def hang(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.until_cut()


async def gzipped(out: Writer, body: dict[str, Any], chat: bool) -> None:
    if not body.get("stream"):
        data = gzip.compress(json.dumps(whole(body, chat)).encode(), mtime=0)
        await out.raw(200, data, {"content-type": "application/json", "content-encoding": "gzip"})
        return
    await out.start_stream({"content-encoding": "gzip"})
    data = gzip.compress(b"".join(events(body, chat)), mtime=0)
    for at in range(0, len(data), 50):
        await out.chunk(data[at : at + 50])
    await out.end_stream()


async def large(out: Writer, body: dict[str, Any], chat: bool) -> None:
    answer = whole(body, chat, ["x" * 300_000])
    answer["usage"]["completion_tokens"] = 77
    await out.json(200, answer)


async def no_usage(out: Writer, body: dict[str, Any], chat: bool) -> None:
    if body.get("stream"):
        await out.start_stream()
        for event in events({**body, "stream_options": None}, chat):
            await out.chunk(event)
        await out.end_stream()
        return
    answer = whole(body, chat)
    del answer["usage"]
    await out.json(200, answer)


async def huge_line(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    data = b"".join(events(body, chat, ["y" * 3_000_000, "end"]))
    for at in range(0, len(data), 65_536):
        await out.chunk(data[at : at + 65_536])
    await out.end_stream()


async def not_text(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.start_stream()
    await out.chunk(b"data: \xff\xfe\xc3(\n\n\x00\x01data\n\ndata: {bad json\n\n")
    for event in events(body, chat):
        await out.chunk(event)
    await out.end_stream()


async def bad_json(out: Writer, body: dict[str, Any], chat: bool) -> None:
    await out.raw(200, b'{"choices": [\xff', {"content-type": "application/json"})


async def bad_answer(out: Writer, body: dict[str, Any], chat: bool) -> None:
    """Two lengths: which of them holds, no two readers agree."""
    out.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    await out.until_cut()


async def until_closed(out: Writer, body: dict[str, Any], chat: bool) -> None:
    """An answer without a length: it ends with its connection."""
    if body.get("stream"):
        await out.head(200, {"content-type": "text/event-stream"})
        out.writer.write(b"".join(events(body, chat)))
    else:
        await out.head(200, {"content-type": "application/json"})
        out.writer.write(json.dumps(whole(body, chat)).encode())
    await out.writer.drain()
    raise Close


async def interim(out: Writer, body: dict[str, Any], chat: bool) -> None:
    """Interim answers first, and a trailer after."""
    out.writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n")
    await out.start_stream()
    for event in events(body, chat):
        await out.chunk(event)
    out.writer.write(b"0\r\nx-trailer: 1\r\n\r\n")
    await out.writer.drain()


async def pushed(out: Writer, body: dict[str, Any], chat: bool) -> None:
    """A second answer that nobody asked for, in the hands of the system before the first can be read."""
    asked = json.dumps(whole(body, chat)).encode()
    first = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(asked), asked)
    out.writer.write(first + b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n[666666]")


SCENES = {
    "bytewise": bytewise,
    "crlf-stream": crlf_stream,
    "truncate-stream": truncate_stream,
    "stop-without-done": stop_without_done,
    "error-in-stream": error_in_stream,
    "truncate-json": truncate_json,
    "drop": drop,
    "slow-stream": slow_stream,
    "paced-stream": paced_stream,
    "hang": hang,
    "gzipped": gzipped,
    "large": large,
    "no-usage": no_usage,
    "huge-line": huge_line,
    "not-text": not_text,
    "bad-json": bad_json,
    "bad-answer": bad_answer,
    "until-closed": until_closed,
    "interim": interim,
    "pushed": pushed,
}
