"""Failed calls in the log: one line a minute for each provider at most, with the reason's code and no content."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FailureLog"]

log = logging.getLogger("mesure.gateway")

_EVERY_S = 60.0


class FailureLog:
    """Counts what it does not tell, and tells the count with the next line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def failed(self, provider: str, error_type: str | None, http_status: int | None) -> None:
        """A call of a provider failed: `error_type` is a code of ours or of the provider, never a message."""
        now = self._clock()
        if now - self._told.get(provider, -_EVERY_S) < _EVERY_S:
            self._untold[provider] = self._untold.get(provider, 0) + 1
            return
        self._told[provider] = now
        reason = ", ".join(filter(None, (error_type, f"HTTP {http_status}" if http_status else "")))
        more = self._untold.pop(provider, 0)
        log.warning(
            "A call to provider %s failed: %s%s", provider, reason or "unknown", f" ({more} more since)" if more else ""
        )
