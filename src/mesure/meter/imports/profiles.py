"""A declared profile: seats x active days x prompts (or minutes) a day, as one aggregate per calendar month.

Nothing counted these: what is said stays declared, and what a prompt or a minute takes is an estimate of the catalogue.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.errors import InvalidValue, nearest_names
from mesure.record import UsageEvent, derived_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from mesure.config import ProfileSettings

__all__ = ["Declared", "declared"]

_MOST_DAYS = 3_660
_MOST = 10.0**12


@dataclass(frozen=True, slots=True)
class Declared:
    """`content`: what the profile is, by its name; `settings`: what it says now. Both digests."""

    content: str
    settings: str
    events: tuple[UsageEvent, ...]

    @property
    def import_id(self) -> str:
        return f"{self.content}:{self.settings}"

    @property
    def prompts(self) -> int:
        return sum(event.calls_count for event in self.events)

    @property
    def minutes(self) -> float:
        return sum(event.audio_seconds or 0.0 for event in self.events) / 60.0


def declared(name: str, said: ProfileSettings, zone: tzinfo) -> Declared:
    """The events of a profile. Raises `InvalidValue` for what it does not say, or says badly."""
    first, last = _day(said.since, "since"), _day(said.until, "until")
    days = (last - first).days + 1
    if not 0 < days <= _MOST_DAYS:
        raise InvalidValue(
            "A profile lasts from its first day to a later one, ten years at most",
            value=f"{said.since} .. {said.until}",
            action="Correct since or until.",
        )
    _check(said, days)
    content = sha256(f"profile:{name}".encode()).hexdigest()
    settings = sha256(json.dumps(asdict(said), sort_keys=True).encode()).hexdigest()[:16]
    events = tuple(_events(name, said, content, first, days, zone))
    return Declared(content, settings, events)


def _check(said: ProfileSettings, days: int) -> None:
    listed = current().products()
    if not said.model and said.product not in listed:
        raise InvalidValue(
            "The catalogue lists no length of a prompt to this product",
            value=said.product,
            nearest=nearest_names(said.product, listed),
            action=f"Use one of: {', '.join(listed)}; or name its model.",
        )
    if said.seats < 1 or not 0.0 < said.active_days <= days:
        raise InvalidValue(
            "A profile has at least one seat, active on some of its days",
            value=f"seats {said.seats}, active_days {said.active_days:g}, days {days}",
            action="Correct seats or active_days.",
        )
    a_day = said.seats * said.active_days
    if not 0.0 < a_day * (said.prompts_per_day + said.minutes_per_day) < _MOST:
        raise InvalidValue(
            "A profile says how many prompts, or how many minutes, an active seat makes a day",
            value=f"prompts_per_day {said.prompts_per_day:g}, minutes_per_day {said.minutes_per_day:g}",
            action="Give prompts_per_day or minutes_per_day.",
        )


def _events(
    name: str, said: ProfileSettings, content: str, first: date, days: int, zone: tzinfo
) -> Iterator[UsageEvent]:
    prompts = said.seats * said.active_days * said.prompts_per_day
    seconds = said.seats * said.active_days * said.minutes_per_day * 60.0
    begun = 0
    for number, (since, count) in enumerate(_months(first, days), 1):
        ended = begun + count
        # Shares of the whole, rounded so that they add up to it
        calls = round(prompts * ended / days) - round(prompts * begun / days)
        start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (since, since + timedelta(count)))
        origin = f"{content}:{number}"
        yield UsageEvent(
            id=derived_id(int(start.timestamp() * 1000), origin),
            started_at=start,
            ended_at=end,
            calls_count=calls,
            basis="declared",
            source="profile",
            origin=origin,
            team=said.team or None,
            end_client=said.end_client or None,
            use_case=said.use_case or None,
            application=said.application or said.product or None,
            provider=said.provider or None,
            model_requested=said.model or said.product,
            operation="transcription" if seconds else "chat",
            audio_seconds=seconds * count / days if seconds else None,
            labels={
                "profile": name,
                "product": said.product or said.model,
                "aggregate": f"profile:{name}:{start:%Y-%m-%d}",
            },
        ).checked()
        begun = ended


def _months(first: date, days: int) -> Iterator[tuple[date, int]]:
    """(first day, how many days) in each calendar month."""
    left = days
    while left:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        count = min(left, (following - first).days)
        yield first, count
        first, left = following, left - count


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{name} is not a day", value=text, action="Write it as 2026-11-22.") from None
