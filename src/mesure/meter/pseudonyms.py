"""People, before anything is stored: a keyed hash in the place of whatever names them. Every intake uses this one.

The key is a file of the data folder, readable by its owner alone. Without it nobody can test a guess; delete it and
no pseudonym can ever be linked to a person again.
"""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from mesure.config.keyfile import key_in
from mesure.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEY_FILE", "Pseudonyms", "load_key", "pseudonym"]

KEY_FILE = "pseudonym.key"
_OURS = re.compile(r"u-[0-9a-f]{24}")


def pseudonym(key: bytes, user: str) -> str:
    """`u-` and 96 bits: the same for the same text under the same key. A pseudonym stays as it is."""
    user = user.strip()
    if _OURS.fullmatch(user):
        return user
    return (
        "u-"
        + blake2b(user.encode("utf-8", "surrogatepass"), digest_size=12, key=key, person=b"mesure-user").hexdigest()
    )


class Pseudonyms:
    """The pseudonyms of one data folder. Its key is read, or made, when the first person is named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, user: str) -> str:
        """Raises `ConfigError` when the key cannot be used: a person is never stored under another one."""
        return pseudonym(self._key, user)

    @cached_property
    def _key(self) -> bytes:
        try:
            return load_key(self._folder)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds no key"
            raise ConfigError(
                f"The key of pseudonyms cannot be used: {reason}",
                value=str(self._folder / KEY_FILE),
                action="Check the file and its rights, or bring it back from a copy; a new key cuts every earlier link",
            ) from None


def load_key(folder: Path) -> bytes:
    """The key of this data folder, made on first use (mode 0600). Safe when several processes start at once.

    Raises `OSError` when the folder cannot be used, `ValueError` when the file holds no key.
    """
    return key_in(folder / KEY_FILE)
