"""The words of a call, whatever wire it was made on: the messages asked, and the text answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["answer_text", "prompt_messages"]

_SYSTEM = ("system", "systemInstruction", "system_instruction", "instructions")
_TURNS = ("messages", "contents", "input")
_TEXTS = ("prompt", "inputs", "message", "input")
_ROLES = {"model": "assistant", "developer": "system", None: "user"}


def prompt_messages(request: dict[str, Any]) -> list[dict[str, str]]:
    """`{role, content}` of each message, in order; what is no text (images, sound, tools) is left out."""
    found: list[tuple[Any, str]] = [("system", _text(request[name])) for name in _SYSTEM if request.get(name)]
    turns = next((given for name in _TURNS if isinstance(given := request.get(name), list) and given), None)
    if turns is not None and isinstance(turns[0], dict):
        found += [
            (_ROLES.get(turn.get("role"), turn.get("role")), _text(turn)) for turn in turns if isinstance(turn, dict)
        ]
    else:
        found += [("user", _text(request[name])) for name in _TEXTS if request.get(name)][:1]
    return [{"role": str(role), "content": text} for role, text in found if text]


def answer_text(body: bytes) -> str:
    """The text of an answer: one JSON object, an array or lines of them, or server-sent events. Empty where none is."""
    return "".join(piece for each in _objects(body) for piece in _pieces(each))


def _objects(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        for line in body.splitlines():
            try:
                given = orjson.loads(line.removeprefix(b"data:").strip())
            except orjson.JSONDecodeError:
                continue
            if isinstance(given, dict):
                yield given
        return
    yield from (each for each in (whole if isinstance(whole, list) else [whole]) if isinstance(each, dict))


def _pieces(answer: dict[str, Any]) -> Iterator[str]:
    kind = answer.get("type")
    if isinstance(kind, str) and kind.startswith("response."):  # OpenAI's events, the last of which repeat the whole
        yield from [str(answer.get("delta", ""))] if kind == "response.output_text.delta" else []
    elif choices := _list(answer, "choices"):
        choice = choices[0]
        yield _text(choice.get("message") or choice.get("delta") or {}) or _text(choice.get("text"))
    elif candidates := _list(answer, "candidates"):
        yield _text(candidates[0].get("content"))
    elif output := _list(answer, "output"):
        yield from (_text(item) for item in output if item.get("type") in (None, "message"))
    elif isinstance(answer.get("delta"), dict):  # Anthropic, Cohere
        delta = answer["delta"]
        yield _text(delta.get("text")) or _text(delta.get("message"))
    elif isinstance(answer.get("token"), dict):  # TGI's events, the last of which repeats the whole
        yield "" if answer["token"].get("special") else _text(answer["token"].get("text"))
    else:
        names = ("message", "content", "response", "generated_text", "text")
        yield next((text for name in names if (text := _text(answer.get(name)))), "")


def _list(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    given = holder.get(name)
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _text(value: object) -> str:
    """The text that a value holds: itself, that of its parts, or of its member that holds one."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text, value))
    if isinstance(value, dict) and not value.get("thought") and value.get("type") not in ("thinking", "reasoning"):
        return next((text for name in ("content", "text", "parts") if (text := _text(value.get(name)))), "")
    return ""
