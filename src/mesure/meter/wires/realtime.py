"""OpenAI's Realtime API over WebSocket, also as Azure serves it: one session, many responses.

References: platform.openai.com/docs/api-reference/realtime-server-events; learn.microsoft.com, Azure OpenAI realtime.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from mesure.meter.wires.members import code, error_of, identifier, member, name
from mesure.meter.wires.usage import seconds, usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts
    from mesure.record import Outcome

__all__ = ["Finished", "RealtimeReading", "is_realtime", "query_facts"]

_PATH = re.compile(r"(?:^|/)realtime$")
_WIRES = frozenset({"openai", "azure"})
#: Members that servers write first: most events need not be read further.
_TYPE = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]{0,200}"\s*,\s*)?"type"\s*:\s*"([a-z._]{1,100})"')
_SESSION = frozenset(
    {"session.created", "session.updated", "transcription_session.created", "transcription_session.updated"}
)
#: A piece of text each, a token at least.
_TEXT = frozenset(
    {
        "response.text.delta",
        "response.output_text.delta",
        "response.audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
    }
)
_SPOKEN = frozenset({"response.audio.delta", "response.output_audio.delta"})
_HEARD = "conversation.item.input_audio_transcription.completed"
_READ = _SESSION | _TEXT | {"response.created", "response.done", _HEARD}
#: By the status of a response; an incomplete one has its reason.
_OUTCOMES: dict[object, Outcome] = {
    "completed": "ok",
    "incomplete": "ok",
    "cancelled": "cancelled",
    "failed": "error",
}
_MOST_OPEN = 64


def is_realtime(wire: str, path: str) -> bool:
    """Whether a WebSocket on this path of a provider is a session of this API."""
    return wire in _WIRES and _PATH.search(path.strip("/")) is not None


def query_facts(query: str) -> Facts:
    """The model that the address asks for: OpenAI's `model`, Azure's `deployment`."""
    asked = parse_qs(query)
    model = next((given[0] for key in ("model", "deployment") if (given := asked.get(key))), None)
    return {"model_requested": name(model)} if name(model) else {}


class Finished(NamedTuple):
    """A response, or a transcription: `began` is the clock's when it was announced, None where it was not."""

    facts: Facts
    outcome: Outcome
    began: float | None
    first_output: float | None = None


class _Open:
    """A response on its way."""

    __slots__ = ("began", "deltas", "first_output")

    def __init__(self, began: float) -> None:
        self.began = began
        self.first_output: float | None = None
        self.deltas = 0


class RealtimeReading:
    """Reads a server's events. Tolerant: what cannot be read gives fewer facts, no error."""

    __slots__ = ("_model", "_open", "_transcriber")

    def __init__(self) -> None:
        self._model: str | None = None
        self._transcriber: str | None = None
        self._open: dict[str, _Open] = {}

    def read(self, text: bytes, now: float) -> Finished | None:
        """Take one event that came at `now` (seconds of any clock); what it finishes."""
        kind = told[1].decode() if (told := _TYPE.match(text)) else None
        if kind in _SPOKEN:
            self._note_output(_spoken_for(text), now, pieces=0)
            return None
        if kind is not None and kind not in _READ:
            return None
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return self._take(event, now) if isinstance(event, dict) else None

    def broken_off(self, outcome: Outcome) -> list[Finished]:
        """Responses that had begun when the session ended: the pieces that came, as a lower bound of their tokens."""
        left = [self._cut(own_id, known, outcome) for own_id, known in self._open.items()]
        self._open.clear()
        return left

    def _take(self, event: dict[str, Any], now: float) -> Finished | None:
        kind = event.get("type")
        if not isinstance(kind, str):
            return None
        if kind in _SESSION:
            self._set(event.get("session"))
        elif kind == "response.created":
            own_id = name(member(event, "response", "id"))
            if own_id is not None and len(self._open) < _MOST_OPEN:
                self._open[own_id] = _Open(now)
        elif kind == "response.done":
            return self._done(event.get("response"))
        elif kind == _HEARD:
            return self._heard(event.get("usage"))
        elif kind in _TEXT:
            self._note_output(event.get("response_id"), now, pieces=1)
        return None

    def _set(self, session: object) -> None:
        self._model = name(member(session, "model")) or self._model
        transcription = member(session, "audio", "input", "transcription") or member(
            session, "input_audio_transcription"
        )
        self._transcriber = name(member(transcription, "model")) or self._transcriber

    def _note_output(self, own_id: object, now: float, *, pieces: int) -> None:
        known = self._open.get(own_id) if isinstance(own_id, str) else None
        if known is not None:
            known.deltas += pieces
            known.first_output = known.first_output or now

    def _done(self, response: object) -> Finished:
        own_id, status = member(response, "id"), member(response, "status")
        known = self._open.pop(own_id, None) if isinstance(own_id, str) else None
        facts = self._facts(own_id)
        facts.update(usage_facts(member(response, "usage")))
        outcome: Outcome = _OUTCOMES.get(status, "ok") if isinstance(status, str) else "ok"
        facts["finish_reason"] = code(member(response, "status_details", "reason")) or code(status)
        if outcome == "error":
            facts.update(error_of(member(response, "status_details", "error")))
        facts = {field: value for field, value in facts.items() if value is not None}
        return Finished(facts, outcome, known.began if known else None, known.first_output if known else None)

    def _heard(self, usage: object) -> Finished:
        facts: Facts = {"operation": "transcription", **usage_facts(usage)}
        if (length := seconds(member(usage, "seconds"))) is not None:
            facts["audio_seconds"] = length
        if self._transcriber is not None:
            facts["model_requested"] = facts["model_answered"] = self._transcriber
        else:
            facts["model_requested"] = None
        return Finished(facts, "ok", None)

    def _cut(self, own_id: str, known: _Open, outcome: Outcome) -> Finished:
        facts = self._facts(own_id)
        if known.deltas:
            facts.update(output_tokens=known.deltas, tokens_reported=False)
        return Finished(facts, outcome, known.began, known.first_output)

    def _facts(self, own_id: object) -> Facts:
        facts = {"operation": "chat", "model_answered": self._model, "response_id": identifier(own_id)}
        return {field: value for field, value in facts.items() if value is not None}


_RESPONSE = re.compile(rb'"response_id"\s*:\s*"([^"\\]{1,200})"')


def _spoken_for(text: bytes) -> str | None:
    """The response that a piece of speech belongs to; its sound is not read."""
    found = _RESPONSE.search(text[:1000])
    return found[1].decode("utf-8", "replace") if found else None
