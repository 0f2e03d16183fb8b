"""LiteLLM's callback: `litellm.callbacks = [mesure.apps.sdk.litellm_callback.handler]`, or the same name in its
configuration. In LiteLLM's process it hands events to the box; where they go is said by `MESURE_URL` or a data folder.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from mesure.apps.sdk.delivery import delivery_to
from mesure.meter.callbacks.litellm import call_fields
from mesure.record import UsageEvent, derived_id, identity_of, new_id

if TYPE_CHECKING:
    from mesure.apps.sdk.flow import Flow

__all__ = ["MesureLogger", "handler"]

log = logging.getLogger("mesure.sdk")

_PAYLOAD = "standard_logging_object"
_MOST_SEEN = 10_000


class MesureLogger(CustomLogger):  # type: ignore[misc]
    """Takes successes and failures, whole and streamed, awaited or not. Nothing of it raises into LiteLLM."""

    def __init__(self, to: str | None = None) -> None:
        super().__init__()
        self._to = to
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.failed = 0

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        self._take(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        self._take(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        self._take(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        self._take(kwargs)

    def _take(self, kwargs: Any) -> None:
        try:
            payload = kwargs.get(_PAYLOAD)
            if not isinstance(payload, dict) or not self._is_new(payload):
                return
            if (fields := call_fields(payload, _said(kwargs))) is not None:
                delivery_to(self._to).put(partial(_event, fields))
        except Exception as error:  # noqa: BLE001  (LiteLLM goes on)
            self.failed += 1
            if self.failed == 1:
                log.warning(
                    "A call of LiteLLM could not be metered: %s. Further ones are counted.", type(error).__name__
                )

    def _is_new(self, payload: dict[str, Any]) -> bool:
        """LiteLLM may tell one call to both kinds of methods, and an attempt that failed apart from the next."""
        call = f"{payload.get('litellm_call_id') or payload.get('id')}/{payload.get('status')}"
        with self._lock:
            if call in self._seen:
                return False
            self._seen[call] = None
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        return True


def _said(kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the request tells of itself: its metadata, and the user it names."""
    metadata = (kwargs.get("litellm_params") or {}).get("metadata")
    named = kwargs.get("user") or (kwargs.get("optional_params") or {}).get("user")
    return {"user": named, **(metadata if isinstance(metadata, dict) else {})}


def _event(fields: dict[str, Any], flow: Flow) -> UsageEvent:
    """In the box's thread: a person's pseudonym may need the key of a data folder."""
    if "user" in fields:
        fields["user"] = flow.destination.pseudonym(fields["user"])
    event = UsageEvent(id=new_id(), **fields)
    identity = identity_of(event)
    if not identity.startswith("i:"):
        fields["id"] = derived_id(int(event.started_at.timestamp() * 1000), identity)
    return UsageEvent(**{"id": event.id, **fields}).checked()


handler = MesureLogger()
