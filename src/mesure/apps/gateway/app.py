"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import read_request
from mesure.apps.gateway.keys import KeyCheck
from mesure.apps.gateway.metering import CallMetering, Metering
from mesure.apps.gateway.providers import Providers
from mesure.apps.gateway.relay import ClientLeft, Relay, whole_body
from mesure.apps.gateway.upstream import Upstreams
from mesure.apps.hosts import AllowedHosts, host_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from mesure.config import Settings
    from mesure.meter.sensors import CallMeter
    from mesure.record import Sink
    from mesure.state import KeyRing

__all__ = ["Gateway"]


class Gateway:
    """Answers `/v1/<rest>` and `/providers/<name>/<rest>` with what the provider answers, and books the calls.

    `sink` takes each event; `meters` are energy sensors by provider name; `keys` knows the virtual keys. Raises
    `ConfigError` when a provider cannot be used as configured. Counters: `in_flight`, `refused` (by code),
    `upstream_errors` (by provider and kind), `departures`, `metering_failures`, `not_acknowledged`.
    """

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        meters: Mapping[str, CallMeter] | None = None,
        keys: KeyRing | None = None,
    ) -> None:
        self.providers = Providers(settings)
        self.hosts = AllowedHosts(settings.server)
        self.keys = KeyCheck(settings.gateway.keys, keys)
        self.metering = Metering(settings, sink, meters or {})
        self.upstreams = Upstreams()
        self.in_flight = 0
        self.refused: Counter[str] = Counter()
        self.upstream_errors: Counter[tuple[str, str]] = Counter()
        self.departures = 0
        self._body_limit = int(settings.gateway.max_body_mb * 1e6)
        self._hold = int(settings.gateway.hold_json_mb * 1e6)

    @property
    def metering_failures(self) -> int:
        """Steps of metering that failed since start; the calls they belonged to did not."""
        return self.metering.failures.total()

    @property
    def not_acknowledged(self) -> int:
        """Events that the sink could not take since start."""
        return self.metering.not_acknowledged

    async def startup(self) -> None:
        await self.upstreams.startup()
        await asyncio.to_thread(self.metering.warm)

    async def shutdown(self) -> None:
        await self.upstreams.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.in_flight += 1
            try:
                await self._http(scope, receive, send)
            finally:
                self.in_flight -= 1
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._relay(scope, receive, send)
        except refusals.Refusal as refusal:
            self.refused[refusal.code] += 1
            await refusals.send_refusal(send, refusal)
        except ClientLeft:
            self.departures += 1

    async def _relay(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, method = scope["headers"], scope["method"]
        if not self.hosts.takes_host(host := host_header(headers)):
            raise refusals.bad_host(host.decode("latin-1"))
        headers, query, key = self.keys.admit(headers, scope["query_string"].decode("latin-1"))
        raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        route = self.providers.route(method, raw_path, query)
        request = read_request(headers, route.provider.key, route.provider.key_header)
        if request.origin is not None and route.provider.key and not self.hosts.takes_origin(request.origin):
            raise refusals.foreign_origin(request.origin.decode("latin-1"))
        body = await whole_body(receive, request.length, self._body_limit)
        relay = Relay(CallMetering(self.metering, route, key), method, send, self._hold)
        ending = await relay.run(self.upstreams, request, body, receive)
        if ending == "cancelled":
            self.departures += 1
        elif ending == "truncated":
            self.upstream_errors[route.provider.name, "truncated"] += 1
        elif relay.status >= 400:
            self.upstream_errors[route.provider.name, str(relay.status)] += 1

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})
