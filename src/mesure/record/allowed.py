"""What may be stored: every column, file and metric label, with its purpose, the kind of data it is, and what ends it.

A column without an entry here is refused by the tests, which read the real schemas.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

__all__ = ["ALLOWED", "FILES", "LINKED", "PURPOSES", "SCREENED", "Allowed", "Kind", "Purpose"]

#: `none`: says nothing of a person. `reference`: leads to a person only through another system (a provider, a tracing
#: tool) or a key. `pseudonym`: a keyed hash of one. `label`: a name that the organisation gives, personal if it puts a
#: person's there; screened at every intake. `content`: words of prompts and answers. `secret`: opens something, or the
#: hash of what does.
Kind = Literal["none", "reference", "pseudonym", "label", "content", "secret"]

Purpose = Literal[
    "identity",  # counting each call once
    "attribution",  # saying whose use it is, and for what
    "course",  # how the call went
    "amount",  # what impacts are computed from
    "place",  # where it ran
    "money",
    "energy",
    "repetition",  # seeing that the same is asked again
    "levers",
    "bookkeeping",
    "access",  # letting calls in
    "budgets",  # keeping to limits, and telling when one is near
    "content",  # what a named use case keeps on purpose
]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


class Allowed(NamedTuple):
    """One thing that may be stored."""

    name: str
    purpose: Purpose
    kind: Kind
    retention: str  # the setting that ends it; empty where nothing is kept beyond the process


def _rows(purpose: Purpose, kind: Kind, retention: str, names: str) -> list[Allowed]:
    return [Allowed(name, purpose, kind, retention) for name in names.split()]


_LEDGER_DAYS = "privacy.ledger_days"
_EVENT = (
    *_rows("bookkeeping", "none", _LEDGER_DAYS, "id started_at ended_at schema_version calls_count basis source"),
    *_rows("bookkeeping", "none", _LEDGER_DAYS, "ingested_at"),
    *_rows("identity", "reference", _LEDGER_DAYS, "response_id trace_id span_id origin"),
    *_rows("attribution", "pseudonym", "privacy.user_days", "user"),
    *_rows("attribution", "label", "privacy.contact_days", "contact_id conversation_id"),
    *_rows("attribution", "none", "privacy.contact_days", "turn"),
    *_rows("attribution", "label", _LEDGER_DAYS, "organisation end_client team application use_case task labels"),
    *_rows("attribution", "reference", _LEDGER_DAYS, "key_id"),
    *_rows("attribution", "none", _LEDGER_DAYS, "environment"),
    *_rows("amount", "none", _LEDGER_DAYS, "provider model_requested model_answered operation max_output_tokens"),
    *_rows("amount", "none", _LEDGER_DAYS, "reasoning_effort input_tokens cached_input_tokens cache_write_tokens"),
    *_rows("amount", "none", _LEDGER_DAYS, "output_tokens reasoning_tokens input_audio_tokens output_audio_tokens"),
    *_rows("amount", "none", _LEDGER_DAYS, "input_image_tokens output_image_tokens tokens_reported images_count"),
    *_rows("amount", "none", _LEDGER_DAYS, "image_width image_height image_steps video_frames audio_seconds"),
    *_rows("amount", "none", _LEDGER_DAYS, "characters input_items"),
    *_rows("place", "none", _LEDGER_DAYS, "deployment host_region host_zone"),
    *_rows("course", "none", _LEDGER_DAYS, "duration_ms first_output_ms stream status http_status error_type"),
    *_rows("course", "none", _LEDGER_DAYS, "finish_reason"),
    *_rows("levers", "none", _LEDGER_DAYS, "route baseline_model"),
    *_rows("money", "none", _LEDGER_DAYS, "cost cost_currency"),
    *_rows("energy", "none", _LEDGER_DAYS, "energy_j energy_low_j energy_high_j energy_sensor energy_status"),
    *_rows("energy", "none", _LEDGER_DAYS, "energy_scope"),
    *_rows("identity", "pseudonym", _LEDGER_DAYS, "sightings"),  # what each source told: its links go with the row's
    *_rows("repetition", "reference", _LEDGER_DAYS, "prompt_fingerprint prefix_fingerprint"),
)
_PINS = "budget period_ms method catalogue booked booked_calls booked_unknown booked_until_ms"
_LEASES = "holder budget period_ms machine granted spent expires_at_ms"
_ALERTS = "id dedup_key code severity opened_at_ms seen_at_ms resolved_at_ms snoozed_until_ms"
_OUTBOX = "id alert_id receiver kind created_at_ms next_at_ms attempts claimed_until_ms sent_at_ms dead_at_ms"


def _of(table: str, names: str) -> str:
    return " ".join(f"{table}.{name}" for name in names.split())


_STATE = (
    *_rows("budgets", "label", "state", "budget.name budget.definition alert.body outbox.body"),
    *_rows("budgets", "none", "state", "budget.created_at_ms outbox.last_error"),
    *_rows("budgets", "none", "state", _of("budget_pin", _PINS)),
    *_rows("budgets", "none", "state", _of("budget_spent", "budget period_ms machine carried ledger")),
    *_rows("budgets", "none", "state", _of("budget_lease", _LEASES)),
    *_rows("budgets", "none", "state", _of("alert", _ALERTS)),
    *_rows("budgets", "none", "state", _of("outbox", _OUTBOX)),
    *_rows("budgets", "none", "state", _of("outbox_attempt", "id message_id at_ms outcome")),
    *_rows("access", "secret", "state", "installation.value virtual_key.hash"),
    *_rows("access", "none", "state", "installation.name virtual_key.id virtual_key.created_at_ms"),
    *_rows("access", "none", "state", "virtual_key.expires_at_ms virtual_key.revoked_at_ms virtual_key.replaced_by"),
    *_rows("access", "label", "state", "virtual_key.label virtual_key.team virtual_key.use_case"),
    *_rows("access", "label", "state", "virtual_key.end_client"),
    *_rows("bookkeeping", "none", "state", "mesure_migration.number mesure_migration.name mesure_migration.checksum"),
    *_rows("bookkeeping", "none", "state", "mesure_migration.applied_at_ms mesure_migration.mesure_version"),
)
_CONTACTS = (
    *_rows("attribution", "label", "contacts.keep_days", "id end_client use_case"),
    *_rows("course", "none", "contacts.keep_days", "started_at channel duration_s transferred resolved recontact"),
    *_rows("bookkeeping", "reference", "contacts.keep_days", "origin"),
    *_rows("bookkeeping", "none", "contacts.keep_days", "schema_version ingested_at month"),
)
_CONTENT = (
    *_rows("content", "none", "content.<use case>.days", "id started_at_ms"),
    *_rows("content", "label", "content.<use case>.days", "use_case"),
    *_rows("content", "pseudonym", "content.<use case>.days", "user_hash contact_hash"),
    *_rows("content", "content", "content.<use case>.days", "sealed"),
)
_METRICS = (
    *_rows("amount", "none", "", "provider model status kind code"),
    *_rows("attribution", "label", "", "team"),
)

#: By store. Spool lines hold an event; the table adds what finds and sorts it.
ALLOWED: Final[dict[str, tuple[Allowed, ...]]] = {
    "spool": _EVENT,
    "ledger": (
        *_EVENT,
        *_rows("identity", "reference", _LEDGER_DAYS, "identity identities"),
        *_rows("bookkeeping", "none", _LEDGER_DAYS, "month"),
    ),
    "contacts": _CONTACTS,
    "state": _STATE,
    "content": _CONTENT,
    "metrics": _METRICS,
}

#: Texts that callers choose: screened for what names a person or opens a door.
SCREENED: Final = frozenset(entry.name for entry in _EVENT if entry.kind == "label")
#: What leads from a row to a person or to one contact: blanked when either is erased, or after its days.
LINKED: Final[dict[str, tuple[str, ...]]] = {
    setting: tuple(entry.name for entry in _EVENT if entry.retention == setting)
    for setting in ("privacy.user_days", "privacy.contact_days")
}

#: Files of the data folder (patterns of their path within it): purpose and kind.
FILES: Final[dict[str, tuple[Purpose, Kind]]] = {
    "spool/*.spool": ("bookkeeping", "pseudonym"),
    "spool/*.spool.damaged": ("bookkeeping", "pseudonym"),
    "spool/*.opening": ("bookkeeping", "none"),
    "spool/committer.lock": ("bookkeeping", "none"),
    "ledger/*": ("amount", "pseudonym"),
    "contacts/*": ("attribution", "label"),
    "state.sqlite*": ("access", "secret"),
    "keys.snapshot.json": ("access", "secret"),
    "pseudonym.key": ("attribution", "secret"),
    "content.sqlite*": ("content", "content"),
    "content.key": ("content", "secret"),
    "catalogue.toml": ("amount", "none"),
    "catalogue.csv": ("amount", "none"),
}
