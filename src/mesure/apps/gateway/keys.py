"""Virtual keys at the door: looked up in memory, taken off the request, and their scope written on the call."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import INSECURE_KEY, PROTOCOLS, offered
from mesure.state import TOKEN, KeyRing, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.config import Settings
    from mesure.state import HeldKey

__all__ = ["Admitted", "KeyCheck", "overruled", "ring_of", "scope_of"]

_OWN = b"x-mesure-key"
#: Where clients put the key they are given: ours, and those of the providers' own libraries.
_CARRIERS = frozenset({b"authorization", _OWN, b"x-api-key", b"api-key", b"x-goog-api-key"})
_PREFIX = b"mesure-"
_INSECURE = INSECURE_KEY + _PREFIX
_SCOPE = ("team", "use_case", "end_client")
_HEADERS = {"team": "team", "use_case": "use-case", "end_client": "client"}

Headers = list[tuple[bytes, bytes]]


class Admitted(NamedTuple):
    """A call let in: what goes on of it, without any virtual key, which no provider ever gets; and the key."""

    headers: Headers
    query: str
    key: HeldKey | None


class KeyCheck:
    """Asked once a call, before anything else is read. `mode` is `gateway.keys`."""

    __slots__ = ("_clock", "_mode", "_ring")

    def __init__(self, mode: str, ring: KeyRing | None, clock: Callable[[], float] = time.time) -> None:
        self._mode = mode
        self._ring = ring
        self._clock = clock

    def admit(self, headers: Headers, query: str = "") -> Admitted:
        """Looks for a key in both. Raises `Refusal`."""
        token = None
        for name, value in headers:
            if name in _CARRIERS and (found := _token(name, value)) and (token is None or name == _OWN):
                token = found
            elif name == PROTOCOLS:
                token = token or _offered_token(value)
        if query and (there := [part for part in query.split("&") if _query_token(part)]):
            query = "&".join(part for part in query.split("&") if part not in there)
            token = token or _query_token(there[0])
        if token is None:
            if self._mode == "required":
                raise refusals.key_required()
            return Admitted(headers, query, None)
        kept = [_without_token(*pair) for pair in headers if not (pair[0] in _CARRIERS and _token(*pair))]
        return Admitted(kept, query, self._found(token))

    def _found(self, token: bytes) -> HeldKey | None:
        ring = self._ring
        if self._mode == "off":
            return None
        if ring is None or not ring.known:
            if self._mode == "required":
                raise refusals.keys_unavailable()
            return None  # nobody needs a key here: the call goes on, nobody's
        key = ring.find(token)
        if key is None:
            raise refusals.key_unknown(_shown(token))
        if key.revoked:
            raise refusals.key_revoked(_PREFIX.decode() + key.id)
        if key.expires_at_ms is not None and key.expires_at_ms <= self._clock() * 1000:
            ended = datetime.fromtimestamp(key.expires_at_ms / 1000, UTC)
            raise refusals.key_expired(_PREFIX.decode() + key.id, ended)
        return key


def ring_of(settings: Settings) -> KeyRing | None:
    """The keys of a process, not started; None where nobody looks at them."""
    if settings.gateway.keys == "off":
        return None
    return KeyRing(Path(settings.server.data), partial(open_store, settings))


def scope_of(key: HeldKey | None) -> dict[str, Any]:
    """Fields of `UsageEvent` that a key settles."""
    if key is None:
        return {}
    scope = {name: value for name in _SCOPE if (value := getattr(key, name)) is not None}
    return {**scope, "key_id": key.id}


def overruled(who: dict[str, Any], key: HeldKey | None) -> list[str]:
    """Take out of `who` what the key settles; returns the headers that said otherwise."""
    if key is None:
        return []
    settled = [name for name in _SCOPE if getattr(key, name) is not None]
    return [_HEADERS[name] for name in settled if who.pop(name, value := getattr(key, name)) != value]


def _token(name: bytes, value: bytes) -> bytes | None:
    """The virtual key that a header carries, if it carries one: as it is, or behind the name of a scheme."""
    if name == _OWN:
        return value.strip() or None
    word = value.strip().rpartition(b" ")[2]
    return word if word.startswith(_PREFIX) else None


def _offered_token(protocols: bytes) -> bytes | None:
    """The virtual key that a browser put among the protocols of a WebSocket."""
    keys = [word.removeprefix(INSECURE_KEY) for word in offered(protocols) if word.startswith(_INSECURE)]
    return keys[0] if keys else None


def _without_token(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name == PROTOCOLS and _INSECURE in value:
        value = b", ".join(word for word in offered(value) if not word.startswith(_INSECURE))
    return name, value


def _query_token(part: str) -> bytes | None:
    """The virtual key in one part of a query: Google's clients put theirs in `key`, browsers Azure's in `api-key`."""
    name, _, value = part.partition("=")
    token = unquote(value).strip().encode()
    return token if unquote(name) in ("key", "api-key") and token.startswith(_PREFIX) else None


def _shown(token: bytes) -> str | None:
    """The visible part of what looks like a virtual key; nothing of anything else."""
    found = TOKEN.fullmatch(token.decode("latin-1"))
    return _PREFIX.decode() + found[1] if found else None
