"""`create_web`: the routes, and what stands before them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
from htpy import fragment
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mesure.apps.web import errors, now, why
from mesure.apps.web.api import overview_json
from mesure.apps.web.explore import Explore
from mesure.apps.web.feed import Feed
from mesure.apps.web.headers import SafeHeaders
from mesure.apps.web.hosts import HostCheck
from mesure.apps.web.layout import Page, render
from mesure.apps.web.live import Live
from mesure.apps.web.machines import machines
from mesure.apps.web.openapi import openapi_document
from mesure.apps.web.reader import Reader
from mesure.apps.web.sensed import sensor_factors
from mesure.apps.web.welcome import welcome
from mesure.apps.words import STATUSES
from mesure.catalogue import current
from mesure.i18n import LANGUAGES, Language, preferred
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from htpy import Node
    from starlette.requests import Request

    from mesure.apps.web.feed import Source
    from mesure.config import Settings
    from mesure.meter.sensors import OwnMeter

__all__ = ["create_web"]

log = logging.getLogger("mesure.web")


def _now() -> datetime:
    return datetime.now(UTC)


def create_web(
    settings: Settings,
    view: Source,
    *,
    own: OwnMeter,
    gateway_metrics: Callable[[], str],
    health: Callable[[], dict[str, Any]],
    sensors: Callable[[], list[dict[str, Any]]] = list,
    notices: Sequence[str] = (),
    clock: Callable[[], datetime] = _now,
) -> Starlette:
    """The pages over `view` (`mesure.ledger.View`), as an ASGI application.

    `own` meters this process for the footer; `gateway_metrics` gives the text of /metrics; `health` a dict whose `ok`
    decides /readyz; `notices` are codes of `words.NOTICES`; `clock` says up to when running periods are looked at.
    Call `.state.close()` before stopping the server: it ends the live streams.
    `sensors` tells of those of measured deployments.
    """
    pages = _Pages(settings, view, own, gateway_metrics, health, sensors, notices, clock)
    routes = [Route("/", pages.root)]
    for language in LANGUAGES:
        routes += [
            Route(f"/{language}/", pages.now),
            Route(f"/{language}/explore", pages.explore),
            Route(f"/{language}/why", pages.why),
            Route(f"/{language}/calls/{{event_id}}", pages.call),
        ]
    routes += [
        Route("/live", pages.live),
        Route("/api/overview", pages.api_overview),
        Route("/api/openapi.json", pages.api_description),
        Route("/api/explore", pages.api_explore),
        Route("/api/explore.csv", pages.csv_explore),
        Route("/api/sensors", pages.api_sensors),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.metrics),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SafeHeaders),
            Middleware(HostCheck, settings=settings),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
        ],
        exception_handlers=errors.handlers(pages.reader_of),
    )
    app.state.close = pages.pushes.close
    return app


class _Pages:
    """Handlers of the routes, and what they share."""

    def __init__(
        self,
        settings: Settings,
        view: Source,
        own: OwnMeter,
        gateway_metrics: Callable[[], str],
        health: Callable[[], dict[str, Any]],
        sensors: Callable[[], list[dict[str, Any]]],
        notices: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._view = view
        self._own = own
        self._metrics = gateway_metrics
        self._health = health
        self._sensors = sensors
        self._notices = notices
        self._settings = settings
        self._catalogue = current()
        self._readers = {language: Reader.of(language, settings, notices) for language in LANGUAGES}
        self._feed = Feed(view, settings.organisation.timezone)
        self._description = orjson.dumps(openapi_document())
        self._explore = Explore(view, self._catalogue, ZoneInfo(settings.organisation.timezone), clock)
        self._why = why.Why(settings, view, self._catalogue)
        self.pushes = Live(self._feed, self._readers, self._catalogue)

    def reader_of(self, request: Request) -> Reader:
        """By the address; elsewhere by what the browser asks for."""
        first = request.url.path.split("/")[1]
        return self._readers[next((known for known in LANGUAGES if known == first), self._asked(request))]

    def _asked(self, request: Request) -> Language:
        default: Language = "en" if self._settings.organisation.language == "en" else "fr"
        return preferred(request.headers.get("accept-language"), default)

    async def root(self, request: Request) -> Response:
        return RedirectResponse(f"/{self._asked(request)}/", 302, {"vary": "accept-language"})

    async def now(self, request: Request) -> Response:
        reader = self.reader_of(request)
        overview = await self._feed.latest()
        channel = self.pushes.channels[reader.language]
        parts = channel.update(overview)
        content: Node = now.content(parts, overview, reader)
        if not overview.last_calls:
            content = welcome(f"{request.url.scheme}://{request.headers['host']}", reader)
        content = fragment[content, machines(self._sensors(), reader)]
        page = Page(
            path="",
            title=reader.t.t("Now"),
            content=content,
            footer=self._footer(reader),
            notices=self._notices,
            live=f"/live?lang={reader.language}",
            seen=channel.seen,
            refresh=request.query_params.get("refresh") != "0",
        )
        return HTMLResponse(render(page, reader))

    async def explore(self, request: Request) -> Response:
        """In one canonical address: another way to say the same leads there."""
        reader = self.reader_of(request)
        query = self._explore.query(request.query_params.multi_items())
        if request.url.query != query.text():
            return RedirectResponse(f"{request.url.path}?{query.text()}".rstrip("?"), 302)
        return HTMLResponse(render(await self._explore.page(query, reader, self._footer(reader)), reader))

    async def api_explore(self, request: Request) -> Response:
        query = self._explore.query(request.query_params.multi_items())
        return Response(orjson.dumps(await self._explore.json(query)), media_type="application/json")

    async def csv_explore(self, request: Request) -> Response:
        query = self._explore.query(request.query_params.multi_items())
        headers = {"content-disposition": 'attachment; filename="mesure-explore.csv"'}
        return Response(await self._explore.csv(query), headers=headers, media_type="text/csv")

    async def why(self, request: Request) -> Response:
        reader = self.reader_of(request)
        content = await self._why.total(await self._feed.latest(), reader)
        page = Page(path="why", title=reader.t.t("Why these figures?"), content=content, footer=self._footer(reader))
        return HTMLResponse(render(page, reader))

    async def call(self, request: Request) -> Response:
        reader = self.reader_of(request)
        event_id = request.path_params["event_id"]
        content = await self._why.call(event_id, reader)
        page = Page(
            path=f"calls/{event_id}", title=reader.t.t("Why this figure?"), content=content, footer=self._footer(reader)
        )
        return HTMLResponse(render(page, reader))

    async def live(self, request: Request) -> Response:
        language = request.query_params.get("lang", "")
        if language not in self._readers:
            return PlainTextResponse("lang must be fr or en", 400)
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        return StreamingResponse(self.pushes.stream(language, seen), media_type="text/event-stream")

    async def api_overview(self, _: Request) -> Response:
        body = orjson.dumps(await self._overview_json())
        return Response(body, media_type="application/json")

    async def api_description(self, _: Request) -> Response:
        return Response(self._description, media_type="application/json")

    async def api_sensors(self, _: Request) -> Response:
        """What sensors of measured deployments read now; empty where none is declared for this process."""
        return Response(orjson.dumps({"sensors": self._sensors()}), media_type="application/json")

    async def _overview_json(self) -> dict[str, Any]:
        overview = await self._feed.latest()
        return overview_json(overview, self._catalogue, await sensor_factors(self._view, overview))

    async def healthz(self, _: Request) -> Response:
        """This process answers; what it has to say about itself comes along."""
        return Response(orjson.dumps(self._health(), default=str), media_type="application/json")

    async def readyz(self, _: Request) -> Response:
        state = self._health()
        body = orjson.dumps(state, default=str)
        return Response(body, 200 if state.get("ok") else 503, media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(self._metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _footer(self, reader: Reader) -> list[str]:
        t, own = reader.t, self._own.read()
        return [
            t.t("Method {method} · factors {catalogue}", method=METHOD_VERSION, catalogue=self._catalogue.version),
            t.t(
                "Mesure's own use: {power}, {status}",
                power=t.quantity(own.power_w),
                status=t.t(STATUSES[own.power_w.status]),
            ),
        ]
