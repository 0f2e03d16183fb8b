"""Asks an open service for hourly figures, a window at a time, and keeps them in the data folder."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mesure.errors import CatalogueError
from mesure.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesure.catalogue.hour_services import Point, Service
    from mesure.catalogue.hours import Written

__all__ = ["fetch_hours"]

_LONGEST_ANSWER = 32 * 1024 * 1024
_ATTEMPTS = 2
_PAUSE_S = 0.2


def fetch_hours(
    service: Service,
    zone: str,
    start: datetime,
    end: datetime,
    folder: Path,
    *,
    day: str,
    base: str | None = None,
    timeout_s: float = 30.0,
) -> Iterator[tuple[datetime, Written]]:
    """(end of the window, what it gave), window by window: what came before an error is kept."""
    from mesure.catalogue.hours import keep_hours

    origin = service.origin(zone, day)
    while start < end:
        until = min(start + timedelta(days=service.window_days), end)
        points = _points(service, service.addresses(zone, start, until, base), timeout_s)
        yield until, keep_hours(folder, origin, points, start, until)
        start = until


def _points(service: Service, addresses: tuple[str, ...], timeout_s: float) -> list[Point]:
    """Of all addresses; a time that several give is that of the first."""
    found: dict[datetime, float] = {}
    for address in addresses:
        for at, value in service.read(_body(service, address, timeout_s)):
            found.setdefault(at, value)
    return list(found.items())


def _body(service: Service, address: str, timeout_s: float) -> bytes:
    request = urllib.request.Request(  # noqa: S310  (the addresses of services and --base begin with http)
        address, headers={"Accept": "application/json", "User-Agent": f"mesure/{__version__}"}
    )
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
                body: bytes = answer.read(_LONGEST_ANSWER + 1)
        except OSError as error:  # a URLError is one
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            if attempt == _ATTEMPTS or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise _unreachable(service, address, error) from error
            time.sleep(_PAUSE_S)
            continue
        if len(body) > _LONGEST_ANSWER:
            raise _unreachable(service, address, OSError("the answer is longer than 32 MB"))
        return body
    raise AssertionError("an attempt neither answered nor failed")


def _unreachable(service: Service, address: str, error: Exception) -> CatalogueError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        reason = f"HTTP {error.code}"
    return CatalogueError(
        f"{service.name} does not answer: {reason}",
        value=address,
        action="Hours fetched before are kept. Try again later, or import a CSV file of hours.",
        code="service_unreachable",
    )
