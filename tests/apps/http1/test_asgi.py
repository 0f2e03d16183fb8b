"""The pages' application behind our own connection: what it is told, and what its messages become."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route
from test_exchange import Parsed
from wire import Wire, statuses, talk, turns

from mesure.apps.http1.asgi import AsgiService
from mesure.apps.http1.connection import Connection
from mesure.apps.http1.serving import Serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

_GET = b"%b %b HTTP/1.1\r\nhost: here\r\nx-asked: yes\r\n\r\n"


async def _told(request: Request) -> Response:
    body = (await request.body()).decode()
    asked = {"path": request.url.path, "query": dict(request.query_params), "body": body, "method": request.method}
    return JSONResponse({**asked, "host": request.headers["host"], "client": request.client and request.client.host})


async def _stream(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one", b"two"):
            yield piece
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def _broken(_: Request) -> Response:
    raise RuntimeError("a defect")


async def _moved(_: Request) -> Response:
    return RedirectResponse("/told/é")


async def _long(_: Request) -> Response:
    return PlainTextResponse("long " * 1_000)


_APP = Starlette(
    routes=[
        Route("/told/{rest:path}", _told, methods=["GET", "POST"]),
        Route("/stream", _stream),
        Route("/broken", _broken),
        Route("/moved", _moved),
        Route("/long", _long),
    ],
    middleware=[Middleware(GZipMiddleware, minimum_size=100)],
)
_PAGES = AsgiService(_APP, ("127.0.0.1", 8420))


def test_what_the_application_is_told() -> None:
    request = b"POST /told/a%20b/caf%C3%A9?x=1&y=%20 HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nbody"
    parsed = Parsed(talk(_PAGES, request).written)
    assert parsed.status == 200
    for told in (b'"/told/a b/caf\xc3\xa9"', b'{"x":"1","y":" "}', b'"body"', b'"POST"', b'"here"', b'"127.0.0.1"'):
        assert told in parsed.body.replace(b'": "', b'":"') or told in parsed.body


def test_answers_of_the_application() -> None:
    assert Parsed(talk(_PAGES, _GET % (b"GET", b"/nowhere")).written).status == 404
    parsed = Parsed(talk(_PAGES, _GET % (b"GET", b"/moved")).written)
    assert (parsed.status, dict(parsed.headers)[b"location"]) == (307, b"/told/%C3%A9")
    parsed = Parsed(talk(_PAGES, _GET % (b"GET", b"/stream")).written)
    assert (parsed.body, parsed.complete) == (b"onetwo", True)
    compressed = b"GET /long HTTP/1.1\r\nhost: here\r\naccept-encoding: gzip\r\n\r\n"
    assert dict(Parsed(talk(_PAGES, compressed).written).headers)[b"content-encoding"] == b"gzip"


def test_head_has_the_length_and_no_body() -> None:
    written = talk(_PAGES, _GET % (b"HEAD", b"/long")).written
    assert written.endswith(b"\r\n\r\n")
    assert b"content-length: 5000\r\n" in written


def test_several_requests_on_one_connection() -> None:
    wire = talk(_PAGES, *[_GET % (b"GET", path) for path in (b"/told/1", b"/stream", b"/told/2")])
    assert wire.written.count(b"HTTP/1.1 200") == 3
    assert not wire.closed


def test_an_application_that_fails_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    wire = talk(_PAGES, _GET % (b"GET", b"/broken"))
    assert statuses(wire.written) == [500]
    assert "a defect" in caplog.text


def _sending(*messages: dict[str, Any]) -> AsgiService:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return AsgiService(app)


_START = {"type": "http.response.start", "status": 200}


def test_a_header_that_would_split_the_answer_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    for value in (b"a\r\nset-cookie: x", b"a\nb", b"a\x00"):
        headers = [(b"location", value)]
        service = _sending({**_START, "headers": headers}, {"type": "http.response.body", "body": b"x"})
        wire = talk(service, _GET % (b"GET", b"/"))
        assert statuses(wire.written) == [500]
        assert b"set-cookie" not in wire.written


def test_framing_is_ours() -> None:
    headers = [(b"Transfer-Encoding", b"chunked"), (b"Connection", b"upgrade"), (b"X-Kept", b"1")]
    service = _sending({**_START, "headers": headers}, {"type": "http.response.body", "body": b"x"})
    parsed = Parsed(talk(service, _GET % (b"GET", b"/")).written)
    assert parsed.headers == [(b"x-kept", b"1"), (b"content-length", b"1")]
    assert parsed.body == b"x"


def test_an_announced_length_that_is_wrong_cuts_the_answer() -> None:
    body = {"type": "http.response.body", "body": b"abc", "more_body": True}
    service = _sending({**_START, "headers": [(b"content-length", b"9")]}, body, {"type": "http.response.body"})
    wire = talk(service, _GET % (b"GET", b"/"))
    assert wire.closed
    assert wire.written.endswith(b"\r\n\r\nabc")


def test_an_application_that_sends_nothing() -> None:
    wire = talk(_sending(), _GET % (b"GET", b"/"))
    assert (wire.written, wire.closed) == (b"", True)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_push_ends_when_its_reader_leaves_or_the_server_stops(leaves: bool) -> None:
    ended: list[str] = []

    async def live(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"data: x\n\n"
                    await asyncio.sleep(0)
            finally:
                ended.append("ended")

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def scene() -> None:
        service = AsgiService(Starlette(routes=[Route("/live", live)]))
        serving = Serving(lambda _: service)
        wire = Wire(Connection(serving)).connect()
        wire.receive(_GET % (b"GET", b"/live"))
        await turns(20)
        assert wire.written.count(b"data: x") > 2
        if leaves:
            wire.break_off()
        else:
            serving.patient = False
        await serving.stop(5.0)
        assert ended == ["ended"]

    asyncio.run(scene())


def test_the_application_hears_that_its_reader_left() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        heard.append((await receive())["type"])
        with pytest.raises(OSError, match="left"):
            await send(_START)

    async def scene() -> None:
        wire = Wire(Connection(Serving(lambda _: AsgiService(app)))).connect()
        wire.receive(_GET % (b"GET", b"/"))
        await turns()
        wire.receive_end()
        await turns()

    asyncio.run(scene())
    assert heard == ["http.disconnect"]
