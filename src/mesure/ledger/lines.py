"""One event on one line of the spool: CRC-32 in eight hexadecimal digits, a space, JSON, a line feed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson

from mesure.errors import InvalidValue
from mesure.record import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_LINE_BYTES", "DamagedLine", "decode", "encode", "encode_fields"]

#: A longer line is refused when written, so that a reader can tell a long line from a lost line feed.
MAX_LINE_BYTES = 1 << 20

_PREFIX = 9
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_STRICT_INTEGER


class DamagedLine(ValueError):  # noqa: N818  (caught inside this room, where it is counted)
    """A line whose checksum, JSON or fields are not what `encode` wrote."""


def encode(event: UsageEvent) -> bytes:
    """The line of an event. Raises `ValueError` (of JSON, or of size) when the event cannot be written as one."""
    return encode_fields(event.to_json())


def encode_fields(fields: Mapping[str, Any]) -> bytes:
    """The line of an event given by its fields; those that are None may be among them."""
    payload = orjson.dumps(fields, option=_OPTIONS)
    if len(payload) > MAX_LINE_BYTES - _PREFIX - 1:
        raise ValueError("the event does not fit on one line")
    return b"%08x %s\n" % (crc32(payload), payload)


def decode(line: bytes) -> UsageEvent:
    """The event of a line, with or without its line feed; raises `DamagedLine`."""
    payload = line[_PREFIX:].rstrip(b"\n")
    try:
        if int(line[:8], 16) != crc32(payload) or line[8:_PREFIX] != b" ":
            raise DamagedLine("checksum")
        event = UsageEvent.from_json(orjson.loads(payload))
    except (InvalidValue, ValueError, TypeError, AttributeError) as error:
        raise DamagedLine(str(error)) from error
    if not isinstance(event.started_at, datetime):
        raise DamagedLine("started_at")
    return event
