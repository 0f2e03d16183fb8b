"""From the outbox to receivers: one message at a time, each try noted."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from mesure.errors import ConfigError
from mesure.policy.mail import Mail
from mesure.policy.notices import Undelivered
from mesure.policy.webhooks import Webhook

if TYPE_CHECKING:
    from mesure.config import ReceiverSettings, Settings
    from mesure.policy.notices import Notice
    from mesure.policy.outbox import Message, Outbox

__all__ = ["Delivery", "Renderer"]

log = logging.getLogger("mesure.policy")


class Renderer(Protocol):
    def __call__(self, message: Message, language: str) -> Notice:
        """The words of a message."""


class Delivery:
    """Receivers as configured. Raises `ConfigError` where one cannot be reached as it stands."""

    def __init__(self, settings: Settings, render: Renderer) -> None:
        self._receivers = settings.receivers
        self._language = settings.organisation.language
        self._render = render
        kinds = {receiver.kind for receiver in settings.receivers.values()}
        self._mail = Mail(settings.mail) if "email" in kinds and settings.mail.host else None
        self._webhooks = {
            name: Webhook(name, receiver) for name, receiver in settings.receivers.items() if receiver.kind != "email"
        }
        for name, receiver in settings.receivers.items():
            if receiver.kind == "email" and (self._mail is None or not receiver.to):
                raise ConfigError(
                    "A receiver of e-mail needs addresses, and a mail server",
                    value=f"receivers.{name}",
                    action="Give its `to`, and `host` under [mail]",
                )

    def run(self, outbox: Outbox, most: int = 100) -> int:
        """Send what is due; returns how many messages were tried. Raises `StateError`."""
        for tried in range(most):
            message = outbox.claim()
            if message is None:
                return tried
            self._deliver(outbox, message)
        return most

    def _deliver(self, outbox: Outbox, message: Message) -> None:
        receiver = self._receivers.get(message.receiver)
        if receiver is None:
            outbox.failed(message, "no such receiver is configured any more", lasting=True)
            return
        try:
            self._send(message, receiver)
        except Undelivered as error:
            log.warning("An alert could not be sent to %s: %s", message.receiver, error.reason)
            outbox.failed(message, error.reason, lasting=error.lasting, wait_s=error.wait_s)
        except Exception as error:
            log.exception("An alert could not be sent to %s", message.receiver)
            outbox.failed(message, f"a defect of Mesure: {type(error).__name__}")
        else:
            outbox.sent(message)

    def _send(self, message: Message, receiver: ReceiverSettings) -> None:
        notice = self._render(message, receiver.language or self._language)
        now = datetime.now(UTC)
        if receiver.kind == "email" and self._mail is not None:
            self._mail.send(receiver.to, notice, message.identity, now)
        else:
            self._webhooks[message.receiver].send(notice, message, now)
