"""Headers of every answer: only our own style and script may run, nothing is kept, nobody may frame it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.apps.web.assets import CONTENT_SECURITY_POLICY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SAFE", "SafeHeaders"]

#: The failure of a page is answered outside every middleware, and takes them from here.
SAFE = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
_RAW = [(name.encode(), value.encode()) for name, value in SAFE.items()]


class SafeHeaders:
    """Adds them to whatever the pages answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_RAW]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
