"""`Contact`: one exchange of a contact centre with somebody, as its own system tells of it. No text, nobody's name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from mesure.errors import InvalidValue

__all__ = ["CONTACT_SCHEMA_VERSION", "Contact"]

#: Additive evolution only, as for events.
CONTACT_SCHEMA_VERSION = 1
_LONGEST_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """`id` is what calls carry as `contact_id`. `None` is unknown, which is neither yes nor no."""

    id: str
    started_at: datetime
    channel: str | None = None  # voice, chat, email, sms, social, or the system's own word
    end_client: str | None = None
    use_case: str | None = None
    duration_s: float | None = None
    transferred: bool | None = None
    resolved: bool | None = None
    recontact: bool | None = None  # the same person came back for the same reason
    origin: str | None = None  # "sha256:line" of an imported row
    schema_version: int = CONTACT_SCHEMA_VERSION

    def checked(self) -> Contact:
        """Itself, once every field lies in its domain; raises `InvalidValue` naming the field otherwise."""
        if not self.id.strip():
            raise InvalidValue("A contact needs an id", action="Fill it in, or leave the row out.")
        if self.started_at.tzinfo is None:
            raise InvalidValue(
                "started_at has no time zone", value=self.started_at, action="Give a UTC offset, as in +00:00."
            )
        if self.duration_s is not None and not 0.0 <= self.duration_s <= _LONGEST_S:
            raise InvalidValue(
                "The duration of a contact lies between 0 and 30 days",
                value=self.duration_s,
                action="Correct it, or name its unit in the column: duration_s, durée (min).",
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """Known fields only."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
