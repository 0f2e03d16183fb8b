"""The gateway: what answers `/v1/<rest>` and `/providers/<name>/<rest>`."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from mesure.apps.gateway import refusals
from mesure.apps.gateway.budgets import HardBudgets
from mesure.apps.gateway.headers import handshake_headers, read_request
from mesure.apps.gateway.keys import KeyCheck
from mesure.apps.gateway.metering import CallMetering, Metering
from mesure.apps.gateway.providers import Providers
from mesure.apps.gateway.realtime import Session, SessionMetering
from mesure.apps.gateway.relay import Relay
from mesure.apps.gateway.upstream import Upstreams
from mesure.apps.hosts import AllowedHosts
from mesure.meter.wires.realtime import is_realtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.apps.gateway.providers import Route
    from mesure.apps.http1.exchange import Exchange
    from mesure.config import Settings
    from mesure.content import Content
    from mesure.meter.sensors import CallMeter
    from mesure.meter.sensors.server_meter import ServerMeter
    from mesure.record import Sink
    from mesure.state import KeyRing

__all__ = ["PATHS", "Gateway"]

#: Targets that are the gateway's.
PATHS = (b"/v1/", b"/providers/")
_MOST_ROUTES = 512


class Gateway:
    """Answers with what the provider answers, and books the calls. Implements `http1.exchange.Service`.

    `sink` takes each event; `meters` are energy sensors by provider name, `servers` those that measure whole
    deployments; `keys` knows the virtual keys. Raises `ConfigError` when a provider cannot be used as configured.
    Counters: `in_flight`, `refused` (by code), `upstream_errors` (by provider and kind), `departures`,
    `metering_failures`, `not_acknowledged`.
    """

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        meters: Mapping[str, CallMeter] | None = None,
        keys: KeyRing | None = None,
        servers: Mapping[str, ServerMeter] | None = None,
        content: Content | None = None,
    ) -> None:
        self.providers = Providers(settings)
        self.hosts = AllowedHosts(settings.server)
        self.keys = KeyCheck(settings.gateway.keys, keys)
        self.metering = Metering(settings, sink, meters or {}, servers, content)
        self.budgets = HardBudgets(settings, self.metering.pricer, self.metering.failed)
        self.upstreams = Upstreams()
        self.in_flight = 0
        self.refused: Counter[str] = Counter()
        self.upstream_errors: Counter[tuple[str, str]] = Counter()
        self.departures = 0
        self._hold = int(settings.gateway.hold_json_mb * 1e6)
        self._routes: dict[tuple[str, str], Route] = {}

    @property
    def metering_failures(self) -> int:
        """Steps of metering that failed since start; the calls they belonged to did not."""
        return self.metering.failures.total()

    @property
    def not_acknowledged(self) -> int:
        """Events that the sink could not take since start."""
        return self.metering.not_acknowledged

    async def startup(self) -> None:
        await self.upstreams.startup(self.providers.by_name.values())
        await asyncio.to_thread(self.metering.warm)
        await asyncio.to_thread(self.budgets.start)
        self.metering.budgets = self.budgets if self.budgets.state is not None else None

    async def shutdown(self) -> None:
        await self.upstreams.shutdown()
        await asyncio.to_thread(self.budgets.stop)
        if self.metering.content is not None:
            await asyncio.to_thread(self.metering.content.close)

    def admit(self, exchange: Exchange) -> None:
        """Route a request by its head alone, and take its virtual key off it. Raises `Refusal`."""
        given = dict(exchange.headers)
        host = given.get(b"host", b"")
        if not self.hosts.takes_host(host):
            raise refusals.bad_host(host.decode("latin-1"))
        path, _, asked = exchange.target.decode("latin-1").partition("?")
        exchange.headers, query, key = self.keys.admit(exchange.headers, asked)
        route = self._route(exchange.method, path, query)
        origin = given.get(b"origin")
        guarded = exchange.websocket or route.provider.key  # browsers let any page read a WebSocket
        if origin is not None and guarded and not self.hosts.takes_origin(origin):
            raise refusals.foreign_origin(origin.decode("latin-1"))
        if exchange.websocket:
            exchange.switches = is_realtime(route.provider.settings.wire, route.path)
        exchange.admitted = route, key

    def abandoned(self, exchange: Exchange) -> None:  # noqa: ARG002
        """The client left before its request was complete."""
        self.departures += 1

    async def answer(self, exchange: Exchange) -> None:
        """Relay a complete request. Raises `Refusal` when there is no answer to pass on."""
        route: Route
        route, key = exchange.admitted
        request = read_request(exchange.headers, route.provider.key.encode(), route.provider.key_header)
        relay: Relay | Session
        if exchange.websocket:
            request = request._replace(sent=handshake_headers(request.sent, keyed=bool(route.provider.key)))
            relay = Session(SessionMetering(self.metering, route, request, key), route, exchange, self._hold)
        else:
            relay = Relay(CallMetering(self.metering, route, key), exchange, self._hold)
        self.in_flight += 1
        try:
            ending = await relay.run(self.upstreams, request)
        finally:
            self.in_flight -= 1
        if ending == "cancelled":
            self.departures += 1
        elif ending == "truncated":
            self.upstream_errors[route.provider.name, "truncated"] += 1
        elif relay.status >= 400:
            self.upstream_errors[route.provider.name, str(relay.status)] += 1

    def _route(self, method: str, path: str, query: str) -> Route:
        if query:
            return self.providers.route(method, path, query)
        known = self._routes.get((method, path))
        if known is None:
            known = self.providers.route(method, path, "")
            if len(self._routes) < _MOST_ROUTES:
                self._routes[method, path] = known
        return known
