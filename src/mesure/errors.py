"""Every error Mesure raises on purpose.

MesureError
├── CatalogueError          a table of facts is refused (missing source, unit, year or licence)
├── UnknownName             a model, zone, accelerator or provider that is not listed; carries nearest names
├── InvalidValue            an argument or a record field outside its domain
├── ConfigError             mesure.toml, an environment variable or a flag cannot be used
├── ImportRefused           rows of a file that cannot be taken as they are
├── LedgerError             the spool or the table cannot be read or written
├── StateError              the store of keys cannot be reached, read or written
└── GatewayError            a call that never reached its provider
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class MesureError(Exception):
    """What happened, with which value, what to do next. `code` is stable and may be matched by programs."""

    default_code = "error"

    def __init__(
        self,
        what: str,
        *,
        action: str,
        value: object = None,
        code: str | None = None,
        nearest: tuple[str, ...] = (),
    ) -> None:
        self.what = what
        self.value = value
        self.action = action
        self.code = code or self.default_code
        self.nearest = nearest
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.what.rstrip(".") + "."]
        if self.value is not None:
            parts.append(f"Value: {self.value!r}.")
        if self.nearest:
            parts.append(f"Nearest: {', '.join(self.nearest)}.")
        parts.append(self.action.rstrip(".") + ".")
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The same three parts for a program: code, what, value, action, nearest."""
        value = self.value if isinstance(self.value, str | int | float | bool | None) else repr(self.value)
        return {
            "code": self.code,
            "what": self.what,
            "value": value,
            "action": self.action,
            "nearest": list(self.nearest),
        }


class CatalogueError(MesureError):
    default_code = "catalogue"


class UnknownName(MesureError):  # noqa: N818  (reads as the sentence it raises)
    default_code = "unknown_name"


class InvalidValue(MesureError):  # noqa: N818
    default_code = "invalid_value"


class ConfigError(MesureError):
    default_code = "config"


class ImportRefused(MesureError):  # noqa: N818
    default_code = "import_refused"


class LedgerError(MesureError):
    default_code = "ledger"


class StateError(MesureError):
    default_code = "state"


class GatewayError(MesureError):
    default_code = "gateway"


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Names to propose in an error. A proposal only: no look-up ever uses a near match."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = get_close_matches(name.casefold(), by_folded, n=count, cutoff=0.5)
    return tuple(by_folded[match] for match in matches)
