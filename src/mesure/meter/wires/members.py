"""Members of requests and answers, taken only when they are what they should be: no free text, no absurd counts."""

from __future__ import annotations

import re
from typing import Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.usage import count

__all__ = ["code", "error_facts", "error_of", "first_count", "how_many", "identifier", "last_segment", "member", "name"]

Facts = dict[str, Any]

#: Some servers number answers from a small range (`chatcmpl-417`): as an identity, those would merge different calls.
_IDENTIFYING = 20
_CODE = re.compile(r"[\w.\-]{1,64}", re.ASCII)


def name(value: object) -> str | None:
    """A name, as of a model."""
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def code(value: object) -> str | None:
    """A short machine word: never free text, which could carry content."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _CODE.fullmatch(text) else None


def identifier(value: object) -> str | None:
    """An answer's id, when it is long enough to be one of its own."""
    return value if isinstance(value, str) and _IDENTIFYING <= len(value) <= 200 else None


def member(holder: object, *path: str) -> Any:
    """The value at `path` in nested objects; None where it leads nowhere."""
    for step in path:
        if not isinstance(holder, dict):
            return None
        holder = holder.get(step)
    return holder


def first_count(holder: Facts, *names: str) -> int | None:
    """The first of these members that is a count."""
    return next((value for name in names if (value := count(holder.get(name))) is not None), None)


def how_many(value: object) -> int | None:
    """How many texts are given: a list of texts or of token lists; one text or token list is one."""
    if isinstance(value, str):
        return 1
    if isinstance(value, list) and value:
        return 1 if isinstance(value[0], int) else len(value)
    return None


def last_segment(path: str) -> str:
    return path.strip("/").rpartition("/")[2]


def error_facts(body: bytes | None) -> Facts:
    """The code of a provider's error, never its message: a message may quote the request."""
    answer = json_object(body) or {}
    error = answer.get("error")
    if isinstance(error, dict):
        return error_of(error)
    return {"error_type": _first_code(answer, "error_type", "code", "type") or "unknown"}


def error_of(error: object) -> Facts:
    """The same from an error's object: its status word (Google), else its code, else its type."""
    if not isinstance(error, dict):
        return {"error_type": "unknown"}
    status = error.get("status")
    found = code(status) if isinstance(status, str) else None
    return {"error_type": found or _first_code(error, "code", "type") or "unknown"}


def _first_code(holder: Facts, *names: str) -> str | None:
    return next((found for name in names if (found := code(holder.get(name)))), None)
