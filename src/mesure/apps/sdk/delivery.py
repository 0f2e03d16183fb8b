"""One box for each place that events go to, shared by everything in the process that sends there."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from mesure.apps.sdk.destinations import Remote, destination_of
from mesure.apps.sdk.flow import Flow
from mesure.apps.sdk.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from mesure.apps.sdk.destinations import Destination

__all__ = ["Delivery", "delivery_to", "place_of"]


class Delivery:
    """The box and what works it off. `put` takes events and ended spans, and never blocks."""

    def __init__(self, place: str, key: str | None, resource: Mapping[str, Any], most: int) -> None:
        self.place = place
        self.flow = Flow(lambda: _open(place, key), resource)
        self.box = Outbox(self.flow.work, most=most, after_fork=self.flow.after_fork)
        self.put = self.box.put

    @property
    def lost(self) -> int:
        """Dropped from a full box, or not acknowledged in the end."""
        return self.box.dropped + self.box.failed + self.flow.refused

    def close(self) -> None:
        self.box.close()
        self.flow.close()


def place_of(to: str | Path | None) -> str:
    return str(to or os.environ.get("MESURE_URL") or os.environ.get("MESURE_SERVER_DATA") or "mesure-data")


_deliveries: dict[str, Delivery] = {}
_making = threading.Lock()


def delivery_to(
    to: str | Path | None,
    *,
    key: str | None = None,
    resource: Mapping[str, Any] | None = None,
    most: int = 10_000,
) -> Delivery:
    """The delivery to a place, made when it is first asked for."""
    place = place_of(to)
    found = _deliveries.get(place)
    if found is None:
        with _making:
            found = _deliveries.setdefault(place, Delivery(place, key, resource or {}, most))
    return found


def _open(place: str, key: str | None) -> Destination:
    if place.startswith(("http://", "https://")):
        return Remote(place, key or os.environ.get("MESURE_KEY"))
    return destination_of(place)
