"""A realtime provider on a real socket, spoken by another WebSocket library: what a client asks for names the scene."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from provider_double import GOOD_KEY
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

__all__ = ["FLOOD", "MODEL", "USAGE", "RealtimeDouble"]

MODEL = "gpt-realtime-2025-08-28"
USAGE = {
    "total_tokens": 353,
    "input_tokens": 253,
    "output_tokens": 100,
    "input_token_details": {"text_tokens": 139, "audio_tokens": 114, "image_tokens": 0, "cached_tokens": 64},
    "output_token_details": {"text_tokens": 30, "audio_tokens": 70},
}
HEARD = {
    "type": "tokens",
    "total_tokens": 30,
    "input_tokens": 22,
    "output_tokens": 8,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 20},
}
FLOOD = 48
_KEY_WORD = f"openai-insecure-api-key.{GOOD_KEY}"


class RealtimeDouble:
    """Runs in threads of its own; `seen` are handshakes, `codes` how sessions ended, `flooded` megabytes sent."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.codes: list[int | None] = []
        self.flooded = 0
        self.heard_bytes = 0
        self.listening = threading.Event()
        self.listening.set()
        self._numbers = 0
        self._server: Server

    def __enter__(self) -> RealtimeDouble:
        self._server = serve(self._session, "127.0.0.1", 0, process_request=self._admit, max_size=None)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listening.set()
        self._server.shutdown()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}/v1"

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.seen.append(request)
        offered = ", ".join(request.headers.get_all("sec-websocket-protocol"))
        given = (request.headers.get("authorization"), request.headers.get("api-key"))
        keyed = given[0] == f"Bearer {GOOD_KEY}" or given[1] == GOOD_KEY or _KEY_WORD in offered
        if not keyed:
            error = {"code": "invalid_api_key", "message": str(given)}
            return connection.respond(401, json.dumps({"error": error}))
        if "model=echoes-key" in request.path:
            return connection.respond(429, f"no more for {GOOD_KEY}")
        if "realtime" in offered:
            connection.protocol.available_subprotocols = ["realtime"]
        return None

    def _session(self, connection: ServerConnection) -> None:
        try:
            self._tell(connection, "session.created", session={"type": "realtime", "model": MODEL})
            while True:
                self.listening.wait(20)
                self._answer(connection, json.loads(connection.recv()))
        except ConnectionClosed:
            self.codes.append(connection.close_code)

    def _tell(self, connection: ServerConnection, kind: str, **members: Any) -> None:
        connection.send(_event(kind, **members))

    def _answer(self, connection: ServerConnection, asked: dict[str, Any]) -> None:
        if asked["type"] == "input_audio_buffer.append":
            self.heard_bytes += len(asked["audio"])
        elif asked["type"] == "input_audio_buffer.commit":
            kind = "conversation.item.input_audio_transcription.completed"
            self._tell(connection, kind, item_id="item_1", content_index=0, transcript="Bonjour", usage=HEARD)
        elif asked["type"] == "session.update":
            heard = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
            self._tell(connection, "session.updated", session={"type": "realtime", "model": MODEL, **heard})
        elif asked["type"] == "response.create":
            self._respond(connection, asked["response"]["instructions"])

    def _respond(self, connection: ServerConnection, scene: str) -> None:
        self._numbers += 1
        own_id = f"resp_{self._numbers:024d}"
        self._tell(connection, "response.created", response={"id": own_id, "status": "in_progress"})
        for word in ("Bon", "jour", " !"):
            self._tell(connection, "response.output_audio_transcript.delta", response_id=own_id, delta=word)
        self._tell(connection, "response.output_audio.delta", response_id=own_id, delta="UklGRg==" * 500)
        done = _event("response.done", response=_response(own_id, scene))
        if self._breaks(connection, scene):
            return
        self._interject(connection, scene, own_id)
        if scene == "fragments":
            connection.send([done[at : at + 50] for at in range(0, len(done), 50)])
        else:
            connection.send(done)

    def _breaks(self, connection: ServerConnection, scene: str) -> bool:
        """Whether the scene leaves its response unfinished."""
        if scene == "vanish":
            connection.close_socket()
        elif scene == "close":
            connection.close(4321, "enough")
        elif scene == "garbage":
            connection.socket.sendall(b"\xff\x03abc")
        return scene in ("unfinished", "vanish", "close", "garbage")

    def _interject(self, connection: ServerConnection, scene: str, own_id: str) -> None:
        if scene == "flood":
            for _ in range(FLOOD):
                connection.send("x" * 1_000_000)
                self.flooded += 1
        elif scene == "binary":
            connection.send(b"\x00\xff" * 1000)
            connection.ping("are you there")
        elif scene == "large":
            self._tell(connection, "response.output_text.delta", response_id=own_id, delta="é" * 500_000)
        elif scene == "oversized":
            self._tell(connection, "conversation.item.retrieved", item={"audio": "A" * (5 << 20)})


def _event(kind: str, **members: Any) -> str:
    return json.dumps({"type": kind, "event_id": "event_0123456789", **members})


def _response(own_id: str, scene: str) -> dict[str, Any]:
    status, details = "completed", None
    if scene == "failed":
        status, details = "failed", {"type": "failed", "error": {"type": "server_error", "code": "overloaded"}}
    elif scene == "cancelled":
        status, details = "cancelled", {"type": "cancelled", "reason": "turn_detected"}
    return {
        "object": "realtime.response",
        "id": own_id,
        "status": status,
        "status_details": details,
        "output": [],
        "usage": USAGE,
    }
