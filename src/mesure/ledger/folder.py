"""The spool folder belongs to one committer at a time."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from mesure.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["take_folder"]


def take_folder(folder: Path) -> int:
    """A descriptor that holds the folder until it is closed. Raises `LedgerError` when another committer has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "committer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(
            f"The spool folder cannot be used: {error.strerror}",
            value=str(folder),
            action="Make it writable for this user, or choose another data folder.",
            code="spool_unusable",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise LedgerError(
            "Another Mesure already commits this data folder",
            value=str(folder),
            action="Use the one that runs, stop it first, or give this one another data folder.",
            code="committer_running",
        ) from None
    return fd
