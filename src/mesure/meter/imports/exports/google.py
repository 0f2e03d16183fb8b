"""Google Cloud: billing export (BigQuery, as JSON or CSV) of Vertex AI and of the Gemini interface.

Written after the reference of the detailed export, 2026. A SKU is tokens only when its own words say tokens and a
direction; the others (characters, hours, images, counts of an unnamed unit) are money alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id, one_kind, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BILLING"]

_SERVICES = re.compile(r"vertex ai|gemini|generative language", re.IGNORECASE)
_TOKENS = re.compile(r"\btokens?\b", re.IGNORECASE)
_INPUT = re.compile(r"\b(input|prompt)\b", re.IGNORECASE)
_OUTPUT = re.compile(r"\b(output|response)\b", re.IGNORECASE)
_CACHED = re.compile(r"\b(cached|caching)\b", re.IGNORECASE)
_MODEL = re.compile(r"\b(gemini|gemma|imagen|veo)\s+([\d.]+)?\s*(pro|flash|ultra|nano)?[ -]?(lite)?", re.IGNORECASE)
_COUNTS = ("count", "token", "tokens")


def _is_billing(record: Record) -> bool:
    return record.get("sku.description", "SKU description") is not None and (
        record.get("usage_start_time", "Usage start date") is not None
    )


def _billing(record: Record) -> Iterator[Facts]:
    service = record.text("service.description", "Service description") or ""
    sku = record.text("sku.description", "SKU description") or ""
    if not _SERVICES.search(f"{service} {sku}"):
        return  # another service of the account
    since = record.time("usage_start_time", "Usage start date")
    until = record.time("usage_end_time", "Usage end date")
    direction, tokens = _counted(record, sku)
    kept = [record.get(n) for n in ("project.id", "resource.global_name", "location.region", "invoice.month", "labels")]
    yield {
        "started_at": since,
        "ended_at": until if until is None or since is None or until >= since else None,
        "labels.aggregate": aggregate_id(
            "google", since, until, sku, record.get("usage.amount"), record.get("cost"), *kept
        ),
        "provider": "google",
        "model_requested": _model(sku),
        "calls_count": 0,
        "operation": "other" if tokens is None else "chat",
        "tokens_reported": tokens is not None,
        "host_region": record.text("location.region"),
        "cost": record.number("cost", "Cost"),
        "cost_currency": (record.text("currency", "Currency") or "").upper() or None,
        "labels.sku": sku,
        **one_kind(direction, tokens, cached=bool(_CACHED.search(sku))),
    }


def _counted(record: Record, sku: str) -> tuple[str | None, int | None]:
    unit = (record.text("usage.unit", "Usage unit") or "").casefold()
    if not _TOKENS.search(sku) or unit not in _COUNTS:
        return None, None
    direction = "output" if _OUTPUT.search(sku) else "input" if _INPUT.search(sku) or _CACHED.search(sku) else None
    amount = record.number("usage.amount", "Usage amount")
    return (None, None) if direction is None or amount is None else (direction, round(amount))


def _model(sku: str) -> str | None:
    """`... gemini 2.5 flash lite input ...` -> gemini-2.5-flash-lite"""
    found = _MODEL.search(sku)
    return "-".join(part.casefold() for part in found.groups() if part) if found else None


BILLING = Export(
    name="google-billing",
    title="Google Cloud, billing export (Vertex AI, Gemini)",
    written_after="Detailed billing export, 2026",
    marks=_is_billing,
    fields={
        "started_at": "usage_start_time",
        "ended_at": "usage_end_time",
        "labels.aggregate": "(period and groups)",
        "provider": "(Google)",
        "model_requested": "sku.description",
        "calls_count": "(not known)",
        "operation": "sku.description",
        "tokens_reported": "sku.description",
        "input_tokens": "usage.amount",
        "cached_input_tokens": "usage.amount",
        "output_tokens": "usage.amount",
        "host_region": "location.region",
        "cost": "cost",
        "cost_currency": "currency",
        "labels.sku": "sku.description",
    },
    start=stateless(_billing),
    columns=("service", "sku", "usage", "cost", "currency", "location"),
)
