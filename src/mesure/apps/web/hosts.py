"""Who may read the pages: requests under a name of ours, and, until there are accounts, from this machine alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from mesure.apps.gateway.refusals import Refusal, bad_host, pages_stay_here
from mesure.apps.hosts import AllowedHosts, from_this_machine, host_header, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mesure.config import Settings

__all__ = ["HostCheck"]


class HostCheck:
    """A page of another site cannot make a browser read the meter through a name of its own.

    Where the server listens to a network, for calls that carry a key, nobody on it reads the pages.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = AllowedHosts(settings.server)
        self._on_network = not is_loopback(settings.server.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            answer = JSONResponse({"error": refusal.to_json()}, status_code=refusal.status)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        header = host_header(scope["headers"])
        if not self._hosts.takes_host(header):
            return bad_host(header.decode("latin-1"))
        return pages_stay_here(scope["path"]) if self._on_network and not from_this_machine(scope) else None
