"""`mesure alerts`: what deserves attention, who was told, and whether messages arrive."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.stored import opened_store, settings_given, state_options
from mesure.apps.cli.voice import FAILED, printable
from mesure.errors import ConfigError, InvalidValue, UnknownName, nearest_names
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.policy.alerts import KeptAlert
    from mesure.policy.outbox import Message

__all__ = ["command"]

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION = re.compile(r"(\d{1,4})([hdw])")
_SHOWN = 8
_WIDEST = 100
_SENT_STATES = {"sent": mark("sent"), "waiting": mark("waiting"), "dead": mark("given up")}


@click.group(cls=CommandGroup, name="alerts", help=mark("See and snooze alerts, and test who is told."))
@spoken_options
def command() -> None:
    pass


@command.command("list", cls=Command, help=mark("Show the open alerts, with what to do."))
@click.option("--all", "resolved", is_flag=True, help=mark("Show those that are over, too."))
@state_options
@click.pass_obj
def list_alerts(voice: Voice, /, *, resolved: bool, **options: Any) -> None:
    from mesure.policy.alerts import AlertBook

    settings = settings_given(options)
    with opened_store(settings, make=True) as store:
        found = AlertBook(store).all(resolved=resolved)
    now = datetime.now(UTC)
    voice.emit({"alerts": [_json(kept, now) for kept in found]})
    if not found:
        voice.say(voice.t("There is no alert."))
    for kept in found:
        _say(voice, kept, settings, now)


@command.command("snooze", cls=Command, help=mark("Tell nobody of an alert for a while."))
@click.argument("alert")
@click.option("--for", "duration", default="7d", show_default=True, metavar="TIME", help=mark("As 12h, 7d or 2w."))
@state_options
@click.pass_obj
def snooze(voice: Voice, /, alert: str, duration: str, **options: Any) -> None:
    from mesure.policy.alerts import AlertBook

    settings = settings_given(options)
    until = datetime.now(UTC) + _length(duration)
    with opened_store(settings) as store:
        kept = AlertBook(store).snooze(alert, until)
    voice.emit(_json(kept, datetime.now(UTC)))
    voice.say(voice.t("Snoozed until {when}.", when=_when(voice, until, settings)))


@command.command(
    "test",
    cls=Command,
    help=mark("Send a test message to the receivers, or to one of them, and say whether it was taken."),
)
@click.argument("receiver", required=False)
@state_options
@click.pass_obj
def test(voice: Voice, /, receiver: str | None, **options: Any) -> int | None:
    from mesure.apps.notices import Words
    from mesure.policy.delivery import Delivery
    from mesure.policy.outbox import Outbox

    settings = settings_given(options)
    names = _receivers(settings, receiver)
    with opened_store(settings, make=True) as store:
        outbox = Outbox(store)
        made = set(outbox.test(names, {}))
        Delivery(settings, Words(settings)).run(outbox)
        found = [message for message in outbox.all() if message.id in made]
    voice.emit({"messages": [_message_json(message) for message in found]})
    for message in sorted(found, key=lambda message: message.receiver):
        _say_message(voice, message)
    return None if all(message.state == "sent" for message in found) else FAILED


@command.command("sent", cls=Command, help=mark("Show the messages: sent, waiting, and given up."))
@click.option("--retry", is_flag=True, help=mark("Put those that were given up back among those that wait."))
@state_options
@click.pass_obj
def sent(voice: Voice, /, *, retry: bool, **options: Any) -> None:
    from mesure.policy.outbox import Outbox

    with opened_store(settings_given(options)) as store:
        outbox = Outbox(store)
        again = outbox.retry() if retry else 0
        found = outbox.all(50)
        tries = {message.id: outbox.attempts(message) for message in found}
    data = [
        _message_json(message)
        | {"tries": [{"at": at.isoformat(), "outcome": outcome} for at, outcome in tries[message.id]]}
        for message in found
    ]
    voice.emit({"retried": again, "messages": data})
    if not found:
        voice.say(voice.t("No message was written yet."))
    for message in found:
        _say_message(voice, message)


def _receivers(settings: Settings, receiver: str | None) -> list[str]:
    if receiver is None:
        if not settings.receivers:
            raise ConfigError(
                "No receiver of alerts is configured",
                action="Write [receivers.<name>] in mesure.toml; see docs/alerts.md",
            )
        return list(settings.receivers)
    if receiver not in settings.receivers:
        raise UnknownName(
            "No receiver has this name",
            value=receiver,
            nearest=nearest_names(receiver, settings.receivers),
            action="Use a name of a [receivers.<name>] table",
        )
    return [receiver]


def _length(text: str) -> timedelta:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise InvalidValue(
            "This is not a length of time", value=text, action="Write it as 12h, 7d or 2w.", code="usage"
        )
    return int(found[1]) * _UNITS[found[2]]


def _say(voice: Voice, kept: KeptAlert, settings: Settings, now: datetime) -> None:
    from mesure.apps.notices import SEVERITY_WORDS, STATE_WORDS, Words

    notice = Words(settings).notice(kept.alert, voice.language)
    state = "" if kept.state(now) == "open" else f" ({voice.t(STATE_WORDS[kept.state(now)])})"
    severity = voice.t(SEVERITY_WORDS[kept.alert.severity])
    voice.say(f"{kept.id[-_SHOWN:]}  {severity}{state}  {printable(notice.title, _WIDEST)}")
    voice.say(f"  {_when(voice, kept.opened_at, settings)} · {notice.text}")
    for line in notice.lines():
        voice.say(f"  - {line}")
    voice.say(f"  {notice.action}")
    voice.say()


def _say_message(voice: Voice, message: Message) -> None:
    state = voice.t(_SENT_STATES[message.state])
    reason = f": {message.last_error}" if message.last_error else ""
    voice.say(f"{printable(message.receiver, 40)}  {state}{reason}")


def _when(voice: Voice, at: datetime, settings: Settings) -> str:
    local = at.astimezone(ZoneInfo(settings.organisation.timezone))
    return f"{voice.translator.date(local)} {local:%H:%M}"


def _json(kept: KeptAlert, now: datetime) -> dict[str, Any]:
    return kept.alert.to_json() | {
        "id": kept.id,
        "state": kept.state(now),
        "opened_at": kept.opened_at.isoformat(),
        "seen_at": kept.seen_at.isoformat(),
        "resolved_at": kept.resolved_at.isoformat() if kept.resolved_at else None,
        "snoozed_until": kept.snoozed_until.isoformat() if kept.snoozed_until else None,
    }


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "receiver": message.receiver,
        "kind": message.kind,
        "state": message.state,
        "attempts": message.attempts,
        "created_at": message.created_at.isoformat(),
        "sent_at": message.sent_at.isoformat() if message.sent_at else None,
        "last_error": message.last_error,
    }
