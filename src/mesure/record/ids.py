"""Identifiers that sort by time (UUID version 7, RFC 9562)."""

from __future__ import annotations

import os
import random
import time
from hashlib import sha256

__all__ = ["derived_id", "new_id"]

_LARGEST_MS = 0xFFFF_FFFF_FFFF
#: Ids must differ, not be secret: a generator of our own, seeded by the system here and in every child, costs no call.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)


def new_id(at_ms: int | None = None) -> str:
    """A UUIDv7 as text; `at_ms` is Unix time in milliseconds, now by default."""
    return _uuid7(time.time_ns() // 1_000_000 if at_ms is None else at_ms, _random.getrandbits(80))


def derived_id(at_ms: int, origin: str) -> str:
    """The UUIDv7 of a fact read from elsewhere: the same time and origin always give the same id."""
    return _uuid7(at_ms, int.from_bytes(sha256(origin.encode()).digest()[:10]))


def _uuid7(at_ms: int, bits: int) -> str:
    """`bits`: 80 of them, of which 74 are kept."""
    # Before 1970 there is no such time: the earliest is kept, so that ids stay ordered.
    milliseconds = min(max(at_ms, 0), _LARGEST_MS)
    value = milliseconds << 80 | 0x7 << 76 | (bits >> 68) << 64 | 0b10 << 62 | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
