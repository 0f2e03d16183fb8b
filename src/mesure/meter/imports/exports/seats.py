"""Seats: people who use a product with AI in it, as its reports count their prompts. Nobody is read, only groups.

Written after the Microsoft 365 Copilot usage report (version 2, which counts prompts), the audit records of Copilot
interactions (Microsoft Purview), and the user export of ChatGPT Enterprise and Edu, 2026. What a prompt takes is an
estimate of the catalogue, so that these are declared, on a line of their own. Groups of fewer than five people are
merged into "others".
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mesure.errors import InvalidValue
from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["CHATGPT", "COPILOT", "COPILOT_INTERACTIONS", "SMALLEST_GROUP"]

#: Groups with fewer people are merged: what one person does cannot be read from a total.
SMALLEST_GROUP = 5
OTHERS = "others"
_GROUPS = ("team", "department", "département", "équipe", "service", "groups", "company", "entité")
_COPILOT, _CHATGPT = "microsoft-365-copilot", "chatgpt-enterprise"

#: Period, product or model, group.
_Key = tuple[str, str, str, str | None]


@dataclass(slots=True)
class _Seats:
    people: int = 0
    prompts: int = 0


@dataclass(slots=True)
class _Groups:
    """Prompts by period, model and group of people; told at the end, small groups together."""

    provider: str
    product: str
    prompts_of: Callable[[Record], Iterator[tuple[_Key, int]]]
    seats: dict[_Key, _Seats] = field(default_factory=dict)
    people: dict[tuple[str, str, str | None], int] = field(default_factory=dict)

    def read(self, raw: Mapping[str, Any], /) -> Iterator[Facts]:
        counted = {}
        for key, prompts in self.prompts_of(Record(raw)):
            held = self.seats.setdefault(key, _Seats())
            held.prompts += prompts
            held.people += 1
            counted[key[0], key[1], key[3]] = True
        for period in counted:
            self.people[period] = self.people.get(period, 0) + 1
        return iter(())

    def end(self) -> Iterator[Facts]:
        told: dict[_Key, _Seats] = {}
        for (since, until, model, group), seats in self.seats.items():
            small = group is not None and self.people[since, until, group] < SMALLEST_GROUP
            held = told.setdefault((since, until, model, OTHERS if small else group), _Seats())
            held.prompts += seats.prompts
            held.people += seats.people
        for (since, until, model, group), seats in told.items():
            if seats.prompts:
                yield self._facts(since, until, model, group, seats)

    def _facts(self, since: str, until: str, model: str, group: str | None, seats: _Seats) -> Facts:
        said = {"team": group} if group else {}
        return {
            "started_at": since,
            "ended_at": until,
            "labels.aggregate": aggregate_id(self.product, since, until, model, group),
            "labels.product": self.product,
            "labels.people": str(seats.people) if seats.people >= SMALLEST_GROUP else f"under {SMALLEST_GROUP}",
            "provider": self.provider,
            "model_requested": model,
            "application": self.product,
            "calls_count": seats.prompts,
            "basis": "declared",
            "operation": "chat",
        } | said


# Microsoft 365 Copilot

_PROMPTS = "Prompts submitted for all apps"


def _is_copilot(record: Record) -> bool:
    return record.has("Report Refresh Date", "Last Activity Date") and (
        record.has("Microsoft Teams Copilot Last Activity Date") or record.has(_PROMPTS)
    )


def _copilot(record: Record) -> Iterator[tuple[_Key, int]]:
    if not record.has(_PROMPTS):
        raise InvalidValue(
            "This report says when people were last active, and not how many prompts they submitted",
            action="Export version 2 of the report, or declare a profile with mesure declare.",
        )
    prompts = record.whole(_PROMPTS)
    refreshed, days = record.time("Report Refresh Date"), record.whole("Report Period")
    if not prompts or refreshed is None:
        return
    if days is None or not 0 < days <= 366:
        raise InvalidValue(
            "The report does not say over how many days it counts", value=days, action="Export it for 7 to 180 days."
        )
    end = datetime.fromisoformat(refreshed) + timedelta(days=1)
    yield ((end - timedelta(days=days)).isoformat(), end.isoformat(), _COPILOT, record.text(*_GROUPS)), prompts


# ChatGPT Enterprise and Edu


def _is_chatgpt(record: Record) -> bool:
    return record.has("period_start", "period_end", "messages") and (
        record.has("model_to_messages") or record.has("gpt_messages")
    )


def _chatgpt(record: Record) -> Iterator[tuple[_Key, int]]:
    messages, since, last = record.whole("messages"), record.time("period_start"), record.time("period_end")
    if not messages or since is None or last is None:
        return
    until = (datetime.fromisoformat(last) + timedelta(days=1)).isoformat()
    group = record.text(*_GROUPS)
    left = messages
    for model, count in _by_model(record.get("model_to_messages")).items():
        taken = min(count, left)
        left -= taken
        yield (since, until, model, group), taken
    if left:
        yield (since, until, _CHATGPT, group), left


def _by_model(said: Any) -> dict[str, int]:
    """`{"gpt-4o": 25}`, which older exports write as Python does."""
    if isinstance(said, str):
        try:
            said = json.loads(said) if '"' in said else ast.literal_eval(said)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise InvalidValue("model_to_messages cannot be read", action="Export the report again.") from None
    if not isinstance(said, dict):
        return {}
    counts = {str(model): Record({"n": count}).whole("n") or 0 for model, count in said.items()}
    if any(count < 0 for count in counts.values()):
        raise InvalidValue("model_to_messages cannot be read", action="Export the report again.")
    return counts


# Interactions with Copilot, from the audit log


def _is_interactions(record: Record) -> bool:
    return record.has("CreationDate", "AuditData") and (
        record.get("Operation", "Operations") == "CopilotInteraction"
        or record.get("RecordType") == "CopilotInteraction"
    )


def _interaction(record: Record) -> Iterator[tuple[_Key, int]]:
    at = record.time("CreationDate")
    if at is None or not _is_interactions(record):
        return
    day = datetime.fromisoformat(at).replace(hour=0, minute=0, second=0, microsecond=0)
    yield (day.isoformat(), (day + timedelta(days=1)).isoformat(), _COPILOT, None), 1


_FIELDS = {
    "started_at": "(the period)",
    "ended_at": "(the period)",
    "labels.aggregate": "(period and groups)",
    "labels.product": "(the product)",
    "labels.people": "(people of the group)",
    "provider": "(the product)",
    "application": "(the product)",
    "team": "team / department / groups",
    "basis": "(declared)",
    "operation": "(the product)",
}

COPILOT = Export(
    name="m365-copilot",
    title="Microsoft 365 Copilot, usage by group",
    written_after="Copilot usage user detail, version 2, 2026",
    marks=_is_copilot,
    fields=_FIELDS | {"model_requested": "(the product)", "calls_count": _PROMPTS},
    start=lambda: _Groups("microsoft", _COPILOT, _copilot),
    columns=("Report Refresh Date", "Report Period", _PROMPTS, *_GROUPS),
)

COPILOT_INTERACTIONS = Export(
    name="copilot-interactions",
    title="Microsoft Copilot, interactions of the audit log",
    written_after="Microsoft Purview audit records, CopilotInteraction, 2026",
    marks=_is_interactions,
    fields=_FIELDS | {"model_requested": "(the product)", "calls_count": "CopilotInteraction"},
    start=lambda: _Groups("microsoft", _COPILOT, _interaction),
    columns=("CreationDate", "Operation", "RecordType"),
)

CHATGPT = Export(
    name="chatgpt-enterprise",
    title="ChatGPT Enterprise and Edu, messages by group and model",
    written_after="User export of workspace analytics, 2026",
    marks=_is_chatgpt,
    fields=_FIELDS | {"model_requested": "model_to_messages", "calls_count": "messages"},
    start=lambda: _Groups("openai", _CHATGPT, _chatgpt),
    columns=("period_start", "period_end", "messages", "model_to_messages", *_GROUPS),
)
