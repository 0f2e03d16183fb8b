"""E-mail through one SMTP server, with STARTTLS, TLS from the start, or neither. The standard library does it all."""

from __future__ import annotations

import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING

from mesure.errors import ConfigError
from mesure.policy.notices import Undelivered

if TYPE_CHECKING:
    from datetime import datetime

    from mesure.config import MailSettings
    from mesure.policy.notices import Notice

__all__ = ["Mail", "composed"]

_TIMEOUT_S = 20.0
_LONGEST_SUBJECT = 150


class Mail:
    """One configured server. Raises `ConfigError` where the settings contradict one another."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        password = settings.password or os.environ.get(settings.password_env, "")
        self._password = password
        if parseaddr(settings.sender)[1].count("@") != 1:
            raise ConfigError(
                "mail.sender must be an e-mail address", value=settings.sender, action="Write it as mesure@example.org"
            )
        if settings.security == "none" and password:
            raise ConfigError(
                "A password is never sent without encryption",
                value="mail.security",
                action="Use starttls or tls, or leave the password out",
            )
        if settings.user and not password:
            raise ConfigError(
                "The mail server's user has no password",
                value=settings.user,
                action="Set mail.password_env to the variable that holds it",
            )

    def send(self, to: list[str], notice: Notice, identity: str, at: datetime) -> None:
        """Hand the message to the server. Raises `Undelivered`."""
        message = composed(self._settings.sender, to, notice, identity, at)
        try:
            with self._connected() as server:
                server.send_message(message, self._settings.sender, to)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise Undelivered(f"recipients refused ({codes[0]})", lasting=min(codes) >= 500) from None
        except smtplib.SMTPResponseException as error:
            reason = f"the mail server answered {error.smtp_code}"
            lasting = error.smtp_code >= 500 and isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
            raise Undelivered(reason, lasting=lasting) from None
        except smtplib.SMTPException as error:
            raise Undelivered(f"the mail server does not take it ({type(error).__name__})") from None
        except ssl.SSLError as error:
            raise Undelivered(f"the mail server's certificate or encryption is refused ({error.reason})") from None
        except OSError as error:
            raise Undelivered(f"the mail server cannot be reached ({error.strerror or type(error).__name__})") from None

    def _connected(self) -> smtplib.SMTP:
        given = self._settings
        if given.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                given.host, given.port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(given.host, given.port, timeout=_TIMEOUT_S)
        try:
            if given.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if given.user:
                self._log_in(server)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        try:
            server.login(self._settings.user, self._password)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected):  # some hang up on a wrong password
            raise Undelivered("the mail server refuses the login") from None


def composed(sender: str, to: list[str], notice: Notice, identity: str, at: datetime) -> EmailMessage:
    """As plain text: it reads everywhere and weighs little. The identity is that of every try."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = " ".join(f"[Mesure] {notice.title}".split())[:_LONGEST_SUBJECT]
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{identity}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [notice.text, ""]
    lines += [f"- {line}" for line in notice.lines()]
    lines += ["", notice.action]
    if notice.link:
        lines += ["", notice.link_text, notice.link]
    message.set_content("\n".join(lines) + "\n")
    message["Content-Language"] = notice.language  # after the content, which takes such headers away
    return message
