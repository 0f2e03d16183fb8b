"""`mesure keys`: virtual keys, made, listed, rotated and revoked."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.stored import opened_store, settings_given, state_options
from mesure.apps.cli.voice import printable
from mesure.errors import InvalidValue
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.state import Keys, NewKey, VirtualKey

__all__ = ["command"]

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
#: Longer names are cut in the list.
_WIDEST = 40
_DURATION = re.compile(r"(\d{1,5})([hdw])")
_STATES = {
    "active": mark("active"),
    "replaced": mark("replaced"),
    "expired": mark("expired"),
    "revoked": mark("revoked"),
}


@click.group(cls=CommandGroup, name="keys", help=mark("Make, rotate and revoke the virtual keys of the gateway."))
@spoken_options
def command() -> None:
    pass


_EXPIRES = click.option(
    "--expires",
    default="90d",
    show_default=True,
    metavar="WHEN",
    help=mark("How long it is valid: 12h, 90d, 8w, a last day as 2027-01-31, or never."),
)


@command.command(
    "create",
    cls=Command,
    help=mark("Make a key and show it, once. What it is scoped to is written on each call made with it."),
)
@click.option("--team", metavar="NAME", help=mark("Team written on the calls."))
@click.option("--use-case", metavar="NAME", help=mark("Use case written on the calls."))
@click.option("--client", metavar="NAME", help=mark("End client written on the calls."))
@click.option("--label", metavar="TEXT", help=mark("What the key is for, to tell it from others in the list."))
@_EXPIRES
@state_options
@click.pass_obj
def create(voice: Voice, /, team: str | None, use_case: str | None, client: str | None, **options: Any) -> None:
    from mesure.state import Scope

    label = options["label"]
    with _keys(options, make=True) as (keys, settings):
        expires_at = _end(options["expires"], keys.now(), settings)
        made = keys.create(Scope(team=team, use_case=use_case, end_client=client), label=label, expires_at=expires_at)
    _show_new(voice, made, settings)


@command.command("list", cls=Command, help=mark("Show the keys, without what is secret in them."))
@state_options
@click.pass_obj
def list_keys(voice: Voice, /, **options: Any) -> None:
    with _keys(options) as (keys, settings):
        found, now = keys.all(), keys.now()
    voice.emit({"keys": [_json(key, now) for key in found]})
    if not found:
        voice.say(voice.t("There is no virtual key yet: mesure keys create makes one."))
        return
    titles = (mark("Key"), mark("State"), mark("Team"), mark("Use case"), mark("Client"), mark("Label"), mark("Until"))
    rows = [tuple(voice.t(title) for title in titles), *(_row(voice, key, now, settings) for key in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        voice.say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@command.command(
    "rotate",
    cls=Command,
    help=mark("Make a key in the place of another, which stays valid for a while. It is shown once."),
)
@click.argument("key")
@click.option(
    "--grace",
    default="7d",
    show_default=True,
    metavar="TIME",
    help=mark("How long the old key stays valid: 12h, 7d, 2w; 0d ends it now."),
)
@_EXPIRES
@state_options
@click.pass_obj
def rotate(voice: Voice, /, key: str, **options: Any) -> None:
    grace = _duration(options["grace"])
    if grace is None:
        raise InvalidValue(
            "This is not a length of time", value=options["grace"], action="Write it as 12h, 7d or 2w.", code="usage"
        )
    with _keys(options) as (keys, settings):
        expires_at = _end(options["expires"], keys.now(), settings)
        made = keys.rotate(key, grace=grace, expires_at=expires_at)
        old = next(found for found in keys.all() if found.replaced_by == made.key.id)
    _show_new(voice, made, settings, old)


@command.command("revoke", cls=Command, help=mark("End a key now, for good."))
@click.argument("key")
@state_options
@click.pass_obj
def revoke(voice: Voice, /, key: str, **options: Any) -> None:
    with _keys(options) as (keys, _):
        ended = keys.revoke(key)
        now = keys.now()
    voice.emit(_json(ended, now))
    voice.say(voice.t("{key} is revoked: gateways refuse it within seconds.", key=ended.prefix))


@contextmanager
def _keys(options: dict[str, Any], *, make: bool = False) -> Iterator[tuple[Keys, Settings]]:
    from mesure.state import Keys

    settings = settings_given(options)
    with opened_store(settings, make=make) as store:
        yield Keys(store), settings


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text.strip())
    return int(found[1]) * _UNITS[found[2]] if found else None


def _end(text: str, now: datetime, settings: Settings) -> datetime | None:
    """The instant from which a key is no longer valid: of a last day, the midnight that ends it."""
    if text.strip() == "never":
        return None
    if (duration := _duration(text)) is not None:
        return now + duration
    try:
        day = date.fromisoformat(text.strip()) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidValue(
            "This is neither a length of time nor a day",
            value=text,
            action="Write it as 12h, 90d, 8w, 2027-01-31 or never.",
            code="usage",
        ) from None
    return datetime.combine(day, time(), ZoneInfo(settings.organisation.timezone)).astimezone(UTC)


def _show_new(voice: Voice, made: NewKey, settings: Settings, old: VirtualKey | None = None) -> None:
    data = _json(made.key, made.key.created_at) | {"token": made.token}
    voice.emit(data | ({"replaces": old.id, "old_expires_at": _iso(old.expires_at)} if old else {}))
    voice.say(made.token)
    voice.note(voice.t("Keep it now: it is not shown again, and nobody can find it from what is stored."))
    voice.note(voice.t("Valid until: {when}", when=_when(voice, made.key.expires_at, settings)))
    if old:
        when = _when(voice, old.expires_at, settings)
        voice.note(voice.t("The old key, {key}, is valid until: {when}", key=old.prefix, when=when))
    if settings.gateway.keys == "off":
        voice.note(voice.t('The gateway does not look at keys: set keys = "optional" or "required" under [gateway].'))


def _row(voice: Voice, key: VirtualKey, now: datetime, settings: Settings) -> tuple[str, ...]:
    scope = (key.scope.team, key.scope.use_case, key.scope.end_client, key.label)
    state = voice.t(_STATES[key.state(now)])
    return (
        key.prefix,
        state,
        *(printable(text, _WIDEST) if text else "-" for text in scope),
        _when(voice, key.expires_at, settings),
    )


def _when(voice: Voice, at: datetime | None, settings: Settings) -> str:
    if at is None:
        return voice.t("no end")
    local = at.astimezone(ZoneInfo(settings.organisation.timezone))
    return f"{voice.translator.date(local)} {local:%H:%M}"


def _json(key: VirtualKey, now: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "state": key.state(now),
        "team": key.scope.team,
        "use_case": key.scope.use_case,
        "end_client": key.scope.end_client,
        "label": key.label,
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "revoked_at": _iso(key.revoked_at),
        "replaced_by": key.replaced_by,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
