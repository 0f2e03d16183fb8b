"""OpenAI's batches: one event for all their calls, when their result is first asked for.

Reference: platform.openai.com/docs/api-reference/batch (a batch tells its usage when it has ended).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import identifier, member, name
from mesure.meter.wires.openai import known as text_known
from mesure.meter.wires.responses import known as response_known
from mesure.meter.wires.usage import count, usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "operation_of", "request_facts", "stream_reading", "tail_facts", "utc_time"]

_BATCH = re.compile(r"(?:^|/)batches/[^/]+$")
_ENDED = ("completed", "expired", "cancelled")


def known(method: str, path: str) -> Known | None:
    """`GET batches/batch_...` brings the result. Creating or listing batches runs nothing."""
    return Known("other", "collected") if method == "GET" and _BATCH.search(path.strip("/")) else None


def request_facts(_request: Facts) -> Facts:
    return {}


def answer_facts(body: bytes | None) -> Facts | None:
    """Facts of a batch that has ended with calls done; None before. Its time is when it ran, not when it is asked."""
    batch = json_object(body)
    if batch is None or batch.get("object") != "batch" or batch.get("status") not in _ENDED:
        return None
    done = count(member(batch, "request_counts", "completed"))
    if not done:
        return None
    facts: Facts = {
        "calls_count": done,
        "operation": operation_of(batch.get("endpoint")),
        "model_requested": name(batch.get("model")),
        "model_answered": name(batch.get("model")),
        "response_id": identifier(batch.get("id")),
        "started_at": utc_time(batch.get("in_progress_at")) or utc_time(batch.get("created_at")),
        "ended_at": _ended_at(batch),
    }
    return {**{field: value for field, value in facts.items() if value is not None}, **usage_facts(batch.get("usage"))}


def tail_facts(_head: bytes, _tail: bytes) -> Facts:
    return {}


def stream_reading(_media_type: str) -> Reading | None:
    return None


def utc_time(value: object) -> datetime | None:
    """A Unix time in seconds as a time of this century."""
    whole = count(value)
    return datetime.fromtimestamp(whole, UTC) if whole is not None and 946_684_800 <= whole < 4_102_444_800 else None


def _ended_at(batch: dict[str, Any]) -> datetime | None:
    return next((time for state in _ENDED if (time := utc_time(batch.get(f"{state}_at")))), None)


def operation_of(endpoint: object) -> Operation:
    """What the calls of a batch do, by the path it is for."""
    path = endpoint if isinstance(endpoint, str) else ""
    found = text_known("POST", path) or response_known("POST", path)
    return found.operation if found else "other"
