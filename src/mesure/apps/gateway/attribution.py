"""`x-mesure-*` request headers: who uses the AI, and for what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import unquote_to_bytes

import orjson

from mesure.meter.screening import LONGEST, allowed_labels, screened
from mesure.record import Environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mesure.meter.wires.fingerprint import Fingerprints

__all__ = ["attribution", "trace_ids"]

_MOST_LABELS = 20
_ENVIRONMENTS = get_args(Environment)
_TEXTS = {
    b"team": "team",
    b"use-case": "use_case",
    b"contact": "contact_id",
    b"conversation": "conversation_id",
    b"client": "end_client",
    b"application": "application",
    b"task": "task",
}
#: Version 00 of W3C trace context; all-zero ids are invalid.
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


def attribution(
    ours: Mapping[bytes, bytes], fingerprints: Fingerprints, label_keys: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Fields of `UsageEvent`, and the names of headers whose value could not be used, all of it.

    A user leaves as a pseudonym, as does what names a person elsewhere; labels keep the keys that are allowed.
    """
    fields: dict[str, Any] = {}
    ignored: list[str] = []
    for name, raw in ours.items():
        text = _decoded(raw)
        if not text:
            continue
        value = _value(name, text, fingerprints)
        if name == b"labels" and value is not None:
            value, left_out = _kept(value, fingerprints, label_keys)
            if left_out:
                ignored.append("labels")
            if not value:
                continue
        if value is None:
            ignored.append(name.decode("latin-1"))
        elif value != "":
            fields[_field(name)] = value
    return fields, ignored


def trace_ids(traceparent: bytes | None) -> tuple[str, str] | None:
    """(trace id, span id) of a W3C traceparent header."""
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    return (match[1].decode(), match[2].decode()) if match else None


def _field(name: bytes) -> str:
    return _TEXTS.get(name) or name.decode("ascii")


def _value(name: bytes, text: str, fingerprints: Fingerprints) -> Any:
    """The header's value as its field holds it; None when it cannot be used, "" when the header asks for no field."""
    if name in _TEXTS:
        return screened(text, fingerprints.pseudonym)
    if name == b"user":
        return fingerprints.pseudonym(text)
    if name == b"environment":
        return text if text in _ENVIRONMENTS else None
    if name == b"turn":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if name == b"labels":
        return _labels(text)
    return "" if name == b"live" else None


def _labels(text: str) -> dict[str, str] | None:
    """`k=v,k=v`, or a JSON object of texts and numbers."""
    if text.startswith("{"):
        try:
            given = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        pairs = [(key, str(value)) for key, value in given.items() if isinstance(value, str | int | float)]
        complete = len(pairs) == len(given)
    else:
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        pairs = [(key.strip(), value.strip()) for key, _, value in parts]
        complete = all(equals and key.strip() for key, equals, _ in parts)
    fits = len(pairs) <= _MOST_LABELS and all(0 < len(key) <= 64 and len(value) <= LONGEST for key, value in pairs)
    return dict(pairs) if pairs and complete and fits else None


def _kept(
    labels: dict[str, str], fingerprints: Fingerprints, keys: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """Labels that may be stored, as they may be, and the keys of the others."""
    allowed, left_out = allowed_labels(labels, keys)
    found = {key: screened(text, fingerprints.pseudonym) for key, text in allowed.items()}
    kept = {key: value for key, value in found.items() if value is not None}
    return kept, left_out + [key for key in allowed if key not in kept]


def _decoded(raw: bytes) -> str:
    """Text of a header: UTF-8, or percent-encoded (`r%C3%A9ponse`) by clients that send ASCII only."""
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()
