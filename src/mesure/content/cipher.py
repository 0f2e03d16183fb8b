"""Encryption of one record at a time: ChaCha20-Poly1305 under the key of the data folder, or of the environment."""

from __future__ import annotations

import os
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING

from mesure.config.keyfile import KEY_BYTES, key_in
from mesure.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KEY_FILE", "KEY_VARIABLE", "Cipher"]

KEY_FILE = "content.key"
#: 64 hexadecimal digits; it goes before the file, which is then not made.
KEY_VARIABLE = "MESURE_CONTENT_KEY"
_NONCE = 12


class Cipher:
    """Destroy the key, and nothing that was sealed can be read again."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        """Raises `ConfigError` when the package that encrypts is not there, or the key cannot be used."""
        try:
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        except ModuleNotFoundError:
            raise ConfigError(
                "Content is kept encrypted, which needs a package that is not installed",
                value="cryptography",
                action="Install it with: pip install 'mesure[content]', or remove the [content] tables",
                code="not_installed",
            ) from None
        self._key = _key(folder, os.environ if environ is None else environ)
        self._sealer = ChaCha20Poly1305(self._key)

    def seal(self, data: bytes, name: str) -> bytes:
        """Compressed, then encrypted, and bound to a name: moved to another record it does not open."""
        nonce = os.urandom(_NONCE)
        return nonce + self._sealer.encrypt(nonce, zlib.compress(data), name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """Raises `ConfigError` when this key did not seal it under this name."""
        from cryptography.exceptions import InvalidTag

        try:
            return zlib.decompress(self._sealer.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()))
        except (InvalidTag, ValueError):
            raise ConfigError(
                "A record of the content store does not open with this key",
                value=name,
                action="Bring back the content.key or the MESURE_CONTENT_KEY that it was written with",
                code="content_sealed",
            ) from None

    def hashed(self, text: str) -> str:
        """What finds the records of a person or a contact, and tells nothing without the key."""
        return blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key, person=b"mesure-content"
        ).hexdigest()


def _key(folder: Path, environ: Mapping[str, str]) -> bytes:
    where = KEY_VARIABLE if KEY_VARIABLE in environ else str(folder / KEY_FILE)
    try:
        key = bytes.fromhex(environ[KEY_VARIABLE].strip()) if KEY_VARIABLE in environ else key_in(folder / KEY_FILE)
        if len(key) != KEY_BYTES:
            raise ValueError
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "64 hexadecimal digits were expected"
        raise ConfigError(
            f"The key of the content store cannot be used: {reason}",
            value=where,
            action="Check it, or bring it back from a copy: without it nothing that was kept can be read",
        ) from None
    return key
