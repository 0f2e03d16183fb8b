"""What `mesure demo` can be told, and the steps it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mesure.i18n import Translator

__all__ = ["DemoOptions", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """`pace_s`: seconds from one call to the next; `days`: how often the day is played, 0 without end."""

    host: str = "127.0.0.1"
    port: int = 8420
    data: Path = Path("demo-data")
    pace_s: float = 2.5
    days: int = 1
    upstream: str = ""
    model: str = ""
    language: str = "fr"
    zone: str = ""  # grid zone of this machine, if known
    stop_after: bool = False  # stop the server too when the last day has been played


class Step(NamedTuple):
    """Something to tell: a stable `code`, the `text` to translate, and its `{values}`."""

    code: str
    text: str
    values: dict[str, Any]

    def told(self, t: Translator) -> str:
        """In words, its seconds to a tenth."""
        values = {name: t.number(v, 1) if isinstance(v, float) else v for name, v in self.values.items()}
        return t.t(self.text, **values)
