"""Keyed hashes of prompts: one can be recognised, and not read. Under the key of pseudonyms, for another purpose."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from mesure.meter.pseudonyms import pseudonym

__all__ = ["Fingerprints"]

#: Where the wires put a conversation, instructions that stand apart from it, and a text alone.
_TURNS = ("messages", "contents")
_SYSTEM = ("system", "systemInstruction", "system_instruction")
_TEXTS = ("input", "prompt", "inputs", "message", "texts", "content", "requests")
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


class Fingerprints:
    """Hashes under one key. Different purposes never give the same hash for the same text."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def pseudonym(self, user: str) -> str:
        """A person's identifier as a pseudonym: the same for the same text, 96 bits."""
        return pseudonym(self._key, user)

    def prompt(self, request: dict[str, Any]) -> tuple[str | None, str | None]:
        """(whole prompt, its prefix) of a request: messages, prompt or input; None where it has none.

        Normalised: a text given as a single part equals the text, and spaces around it do not count. The prefix is
        the system instruction where it stands apart, the system (or developer) message, or else the first message.
        """
        for name in _TURNS:
            turns = request.get(name)
            if isinstance(turns, list) and turns:
                system = next((_normal(given) for key in _SYSTEM if (given := request.get(key))), None)
                parts = [_normal(turn) for turn in turns]
                if system is not None:
                    return self._of([system, *parts]), self._of(system)
                return self._of(parts), self._of(parts[_prefix_index(turns)])
        for name in _TEXTS:
            if text := request.get(name):
                prefix = request.get("instructions")
                return self._of(_normal(text)), self._of(_normal(prefix)) if prefix else None
        return None, None

    def _of(self, value: Any) -> str:
        return blake2b(
            orjson.dumps(value, option=_CANONICAL), digest_size=12, key=self._key, person=b"mesure-prompt"
        ).hexdigest()


def _prefix_index(messages: list[Any]) -> int:
    for index, message in enumerate(messages):
        if isinstance(message, dict) and message.get("role") in ("system", "developer"):
            return index
    return 0


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict) and value[0].get("type") == "text":
            return _normal(value[0].get("text"))
        if value and isinstance(value[0], int):
            return value  # token ids, by the thousand
        return [_normal(item) for item in value]
    return value
