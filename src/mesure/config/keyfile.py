"""Secret keys as files: made on first use, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEY_BYTES", "key_in"]

KEY_BYTES = 32


def key_in(file: Path) -> bytes:
    """The key that a file holds, made if there is none (mode 0600). Safe when several processes start at once.

    Raises `OSError` when the file cannot be used, `ValueError` when it holds no key.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _create(file)
    key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    if len(key) < KEY_BYTES:
        raise ValueError(f"{file} holds no key")
    return key


def _create(file: Path) -> None:
    """Written aside, then linked: nobody ever reads half a key, and the first process wins."""
    aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(aside, file)
        except FileExistsError:
            return
    finally:
        aside.unlink()
