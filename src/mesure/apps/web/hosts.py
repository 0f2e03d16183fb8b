"""Requests made under a name that is not ours are refused, by the rule of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from mesure.apps.gateway.refusals import bad_host
from mesure.apps.hosts import AllowedHosts, host_header

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mesure.config import Settings

__all__ = ["HostCheck"]


class HostCheck:
    """A page of another site cannot make a browser read the meter through a name of its own."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = AllowedHosts(settings.server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._hosts.takes_host(header := host_header(scope["headers"])):
            refusal = bad_host(header.decode("latin-1"))
            answer = JSONResponse({"error": refusal.to_json()}, status_code=refusal.status)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)
