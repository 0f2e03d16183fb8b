"""The pages over a source that a test holds in its hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from mesure.apps.web import create_web
from mesure.config import OrganisationSettings, ProviderSettings, Settings
from mesure.ledger import Amounts, CallPage, Cut, Place, View
from mesure.ledger.view import Overview
from mesure.quantity import Quantity, Status
from mesure.record import UsageEvent


class HeldSource:
    """A view whose answers are set by the test; counts how often it was asked."""

    def __init__(self, overview: Overview | Exception) -> None:
        self.now: Overview | Exception = overview
        self.asked = 0
        self.events: dict[str, UsageEvent] = {}
        self.told: list[Callable[[], object]] = []
        self.view: View | None = None  # a real one, for what is asked of the whole ledger

    def overview(self, now: datetime) -> Overview:
        self.asked += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def event(self, event_id: str) -> UsageEvent | None:
        return self.events.get(event_id)

    def explore(self, cut: Cut, measure: str) -> Amounts:
        assert self.view is not None
        return self.view.explore(cut, measure)

    def calls(self, cut: Cut, after: Place | None = None, count: int = 20) -> CallPage:
        assert self.view is not None
        return self.view.calls(cut, after, count)

    def listen(self, callback: Callable[[], object]) -> Callable[[], None]:
        self.told.append(callback)
        return lambda: self.told.remove(callback)


class HeldMeter:
    def read(self) -> Any:
        return SimpleNamespace(power_w=Quantity(1.2, 2.1, 3.9, "W", Status.MODELLED))


def settings(**organisation: Any) -> Settings:
    return Settings(
        organisation=OrganisationSettings(**organisation),
        providers={
            "openai": ProviderSettings(base_url="https://api.openai.com/v1", default=True),
            "mistral": ProviderSettings(base_url="https://api.mistral.ai/v1", zone="SWE"),
        },
    )


def pages(
    source: HeldSource,
    *,
    ok: bool = True,
    notices: tuple[str, ...] = (),
    now: datetime | None = None,
    **organisation: Any,
) -> Starlette:
    return create_web(
        settings(**organisation),
        source,
        own=HeldMeter(),  # type: ignore[arg-type]
        gateway_metrics=lambda: "mesure_calls_total 3\n",
        health=lambda: {"ok": ok, "committer": {"lag_s": 0.2}},
        notices=notices,
        clock=lambda: now or datetime.now(UTC),
    )


def client_of(source: HeldSource, **options: Any) -> TestClient:
    """A browser on these pages; what fails inside is answered, as a server does."""
    return TestClient(pages(source, **options), base_url="http://127.0.0.1:8420", raise_server_exceptions=False)
