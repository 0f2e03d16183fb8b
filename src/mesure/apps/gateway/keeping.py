"""The content of calls whose use case asked for it, gathered as the bytes pass, and handed over at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.content import FILE, Call, Content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.config import Settings

__all__ = ["Keeping", "content_of", "keeping"]


def content_of(settings: Settings) -> Content | None:
    """The store of the use cases whose content is kept, None where there is none. Raises `ConfigError`."""
    folder = Path(settings.server.data)
    if not settings.content and not (folder / FILE).exists():
        return None
    return Content(folder, settings.content)


def keeping(content: Content | None, use_case: str | None, asked: dict[str, Any] | None) -> Keeping | None:
    """None where nothing of this call is kept: of every call, unless its use case is named in the configuration."""
    if content is None or asked is None or not (most := content.keeps(use_case)):
        return None
    return Keeping(content, asked, most)


class Keeping:
    """One call. What grows beyond the limit is let go at once."""

    __slots__ = ("_asked", "_content", "_most", "_pieces")

    def __init__(self, content: Content, asked: dict[str, Any], most: int) -> None:
        self._content = content
        self._asked = asked
        self._most = most * 4  # bytes of a wire's envelope around the words, which are what is counted in the end
        self._pieces: list[bytes] = []

    def passed(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._most -= len(piece)
            if self._most >= 0:
                self._pieces.append(piece)
            else:
                self._pieces.clear()

    def done(self, fields: dict[str, Any]) -> None:
        """The call ended well; its facts are known."""
        if self._pieces and self._most >= 0:
            self._content.keep(Call(dict(fields), self._asked, b"".join(self._pieces)))
