"""Webhooks: JSON of our own with a signature, and the shapes that Slack, Teams and Mattermost take.

Addresses come from the configuration alone, and redirections are not followed: nobody can make this server call where
nobody configured it to.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mesure.errors import ConfigError
from mesure.policy.notices import Undelivered
from mesure.version import __version__

if TYPE_CHECKING:
    from datetime import datetime

    from mesure.config import ReceiverSettings
    from mesure.policy.notices import Notice
    from mesure.policy.outbox import Message

__all__ = ["Webhook", "body_of", "signature"]

_TIMEOUT_S = 15.0
#: Answers that another try may change.
_PASSING = (408, 409, 425, 429)
_MARKS = {"info": "ℹ️", "warning": "⚠️", "serious": "🔴"}


class Webhook:
    """One receiver. Raises `ConfigError` where it has no address that can be called."""

    def __init__(self, name: str, settings: ReceiverSettings) -> None:
        self._kind = settings.kind
        self._url = settings.url or (os.environ.get(settings.url_env, "") if settings.url_env else "")
        secret = settings.secret or (os.environ.get(settings.secret_env, "") if settings.secret_env else "")
        self._secret = secret.encode()
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "A webhook needs an http or https address",
                value=f"receivers.{name}.url",
                action="Give its url, or url_env with the variable that holds it",
            )
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, notice: Notice, message: Message, at: datetime) -> None:
        """Post it. Raises `Undelivered`, which never tells the address: it may be a secret."""
        body = json.dumps(body_of(self._kind, notice, message), ensure_ascii=False).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": f"mesure/{__version__}",
            "idempotency-key": message.identity,
        }
        if self._kind == "generic" and self._secret:
            stamp = str(int(at.timestamp()))
            headers |= {"x-mesure-timestamp": stamp, "x-mesure-signature": signature(self._secret, stamp, body)}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            with error:
                lasting = 300 <= error.code < 500 and error.code not in _PASSING
                raise Undelivered(
                    f"the receiver answered {error.code}", lasting=lasting, wait_s=_retry_after(error)
                ) from None
        except urllib.error.URLError as error:
            raise Undelivered(f"the receiver cannot be reached ({_reason(error.reason)})") from None
        except (OSError, http.client.HTTPException) as error:
            raise Undelivered(f"the receiver cannot be reached ({_reason(error)})") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of "<timestamp>.<body>": who knows the key can tell ours, and an old one."""
    return "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def body_of(kind: str, notice: Notice, message: Message) -> dict[str, Any]:
    """What each side takes."""
    return {"generic": _generic, "slack": _slack, "teams": _teams, "mattermost": _mattermost}[kind](notice, message)


def _generic(notice: Notice, message: Message) -> dict[str, Any]:
    return {
        "id": message.identity,
        "kind": message.kind,
        "created_at": message.created_at.isoformat(),
        "language": notice.language,
        "title": notice.title,
        "text": notice.text,
        "figures": [{"name": name, "value": value} for name, value in notice.figures],
        "action": notice.action,
        "link": notice.link,
        "alert": message.body,
    }


def _slack(notice: Notice, message: Message) -> dict[str, Any]:  # noqa: ARG001
    figures = "".join(f"\n• {_slacked(line)}" for line in notice.lines())
    text = f"{_slacked(notice.text)}{figures}\n\n{_slacked(notice.action)}"
    if notice.link:
        text += f"\n<{notice.link}|{_slacked(notice.link_text)}>"
    title = f"{_MARKS[notice.severity]} {notice.title}"
    return {
        "text": _slacked(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}},
        ],
    }


def _slacked(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(notice: Notice, message: Message) -> dict[str, Any]:  # noqa: ARG001
    """A card, as the workflows of Teams take it."""
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": True, "text": notice.title},
        {"type": "TextBlock", "wrap": True, "text": notice.text},
        {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in notice.figures]},
        {"type": "TextBlock", "wrap": True, "text": notice.action},
    ]
    actions = [{"type": "Action.OpenUrl", "title": notice.link_text, "url": notice.link}] if notice.link else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _mattermost(notice: Notice, message: Message) -> dict[str, Any]:  # noqa: ARG001
    figures = "".join(f"\n| {_celled(name)} | {_celled(value)} |" for name, value in notice.figures)
    table = f"\n\n| | |\n|---|---|{figures}" if figures else ""
    link = f"\n\n[{notice.link_text}]({notice.link})" if notice.link else ""
    return {"text": f"#### {_MARKS[notice.severity]} {notice.title}\n{notice.text}{table}\n\n{notice.action}{link}"}


def _celled(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    given = error.headers.get("retry-after", "")
    return float(given) if given.isdigit() else None


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"its certificate or encryption is refused: {error.reason}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
