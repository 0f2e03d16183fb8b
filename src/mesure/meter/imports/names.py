"""Names of columns as they are compared: letters and digits, without case, accents or marks."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["folded", "plain"]

_ACCENTS = str.maketrans("éèêëàâîïôùûç", "eeeeaaiiouuc")


def plain(name: str) -> str:
    return name.translate(_ACCENTS)


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """`Jetons d'entrée`, `jetons_dentree` -> jetonsdentree"""
    return "".join(letter for letter in plain(name.casefold()) if letter.isalnum())
