"""Answers of this server itself, in the shape that OpenAI's clients turn into their own exceptions."""

from __future__ import annotations

import traceback

import orjson

from mesure.errors import GatewayError

__all__ = [
    "Refusal",
    "bad_request",
    "body_too_large",
    "head_too_large",
    "place_of",
    "refusal_answer",
    "too_slow",
    "unexpected",
    "unsupported_version",
    "websocket_unsupported",
]

Pairs = list[tuple[bytes, bytes]]


class Refusal(GatewayError):  # noqa: N818
    """A call that got no answer from its provider, with the HTTP status that tells the client so."""

    def __init__(
        self, status: int, code: str, what: str, *, action: str, value: object = None, nearest: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, action=action, value=value, code=code, nearest=nearest)
        self.status = status


def refusal_answer(refusal: Refusal) -> tuple[Pairs, bytes]:
    """Headers, and `{"error": {message, type, param, code, mesure: {code, what, value, action, nearest}}}`."""
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    error = {
        "message": str(refusal),
        "type": kind,
        "param": None,
        "code": refusal.code,
        "mesure": refusal.to_json(),
    }
    headers = [(b"content-type", b"application/json"), (b"x-mesure-error", refusal.code.encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers, orjson.dumps({"error": error})


def place_of(error: BaseException) -> str:
    """File and line where it was raised: what may be logged of an error whose message may hold content."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{place.filename}:{place.lineno}"


def bad_request(reason: str) -> Refusal:
    return Refusal(
        400,
        "bad_request",
        "This is not a request of HTTP/1.1 that can be answered safely",
        value=reason,
        action="Correct the client, or the proxy in front of this server",
    )


def unsupported_version(version: str) -> Refusal:
    return Refusal(
        505,
        "unsupported_version",
        "This server speaks HTTP/1.1 and HTTP/1.0",
        value=version,
        action="Send the request as HTTP/1.1",
    )


def head_too_large(limit: int) -> Refusal:
    return Refusal(
        431,
        "head_too_large",
        "The headers of the request are larger than this server takes",
        value=f"limit {limit} bytes",
        action="Send fewer or shorter headers",
    )


def body_too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        "body_too_large",
        "The request is larger than this gateway takes",
        value=f"limit {limit / 1e6:g} MB",
        action="Send less at once, or raise gateway.max_body_mb",
    )


def too_slow() -> Refusal:
    return Refusal(
        408,
        "request_timeout",
        "The rest of the request did not come in time",
        action="Send it again, and without pauses",
    )


def websocket_unsupported() -> Refusal:
    return Refusal(
        501,
        "websocket_unsupported",
        "WebSocket is relayed on the realtime paths of OpenAI's wire only",
        action="Correct the path, use HTTP here, or call the provider's WebSocket directly",
    )


def unexpected() -> Refusal:
    return Refusal(
        500,
        "gateway_failure",
        "The gateway failed on this call",
        action="Call the provider directly meanwhile, and report the line in the gateway's log",
    )
