"""Identifiers that sort by time (UUID version 7, RFC 9562)."""

from __future__ import annotations

import os
import time

__all__ = ["new_id"]


def new_id(at_ms: int | None = None) -> str:
    """A UUIDv7 as text; `at_ms` is Unix time in milliseconds, now by default."""
    milliseconds = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    random = int.from_bytes(os.urandom(10))
    value = (
        (milliseconds & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | (random >> 68) << 64
        | 0b10 << 62
        | random & 0x3FFF_FFFF_FFFF_FFFF
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
