"""Fields of a form that carries files (RFC 7578): short texts are read, files are not."""

from __future__ import annotations

import re

__all__ = ["form_fields"]

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary="?([^";,\s]{1,70})', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"]{1,100})"')
_LONGEST = 4096
_MOST_PARTS = 100


def form_fields(body: bytes, content_type: str) -> dict[str, str] | None:
    """Text fields by name, None when this is no form. Files are passed over without being copied."""
    if "multipart" not in content_type.lower() or (found := _BOUNDARY.match(content_type.strip())) is None:
        return None
    delimiter = b"--" + found[1].encode("latin-1")
    fields: dict[str, str] = {}
    at = body.find(delimiter)
    for _ in range(_MOST_PARTS):
        start = at + len(delimiter)
        if at < 0 or (at := body.find(delimiter, start)) < 0:
            break
        head_end = body.find(b"\r\n\r\n", start, min(at, start + _LONGEST))
        if head_end < 0:
            continue
        head, value_end = body[start:head_end], at - 2  # the line end before a delimiter belongs to it
        name = _NAME.search(head)
        if name and b"filename" not in head and value_end - head_end - 4 <= _LONGEST:
            fields[name[1].decode("utf-8", "replace")] = body[head_end + 4 : value_end].decode("utf-8", "replace")
    return fields
