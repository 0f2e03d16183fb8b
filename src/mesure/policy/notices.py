"""What is sent, and what came of it. Words are made by the apps: this room knows neither French nor English."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Notice", "Undelivered"]


class Notice(NamedTuple):
    """One alert in words, for one receiver. `figures` are (what, how much); `link` leads to the page, or is empty."""

    title: str
    text: str
    figures: tuple[tuple[str, str], ...]
    action: str
    link: str
    link_text: str
    severity: str
    language: str

    def lines(self) -> list[str]:
        """Figures as lines, with the colon of the language."""
        colon = "\u00a0:" if self.language == "fr" else ":"
        return [f"{name}{colon} {value}" for name, value in self.figures]


class Undelivered(Exception):  # noqa: N818  (an outcome, told to the outbox; no part of it is secret)
    """A try that failed. `lasting`: another would fail too; `wait_s`: the other side asks to wait that long."""

    def __init__(self, reason: str, *, lasting: bool = False, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.wait_s = wait_s
