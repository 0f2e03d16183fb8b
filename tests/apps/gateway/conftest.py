"""A gateway in a thread, in front of a provider double; everything on loopback."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from provider_double import GOOD_KEY, ProviderDouble
from served_gateway import Running, serving

from mesure.config import (
    GatewaySettings,
    OrganisationSettings,
    PrivacySettings,
    ProviderSettings,
    ServerSettings,
    Settings,
)
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def settings_for(provider: ProviderDouble, folder: Path) -> Settings:
    there = ProviderSettings(base_url=provider.url, default=True, provider="openai", zone="FRA", timeout_s=20.0)
    return Settings(
        server=ServerSettings(data=str(folder)),
        organisation=OrganisationSettings(name="Relais"),
        gateway=GatewaySettings(max_body_mb=2.0, hold_json_mb=0.2),
        privacy=PrivacySettings(label_keys=["channel", "site"]),
        providers={
            "double": there,
            "keyed": replace(there, default=False, api_key=GOOD_KEY),
            "plain": replace(there, default=False, include_usage=False),
            "live": replace(there, default=False, live=True),
            "impatient": replace(there, default=False, first_byte_timeout_s=0.4, timeout_s=0.3),
            "down": ProviderSettings(base_url="http://127.0.0.1:9/v1"),
        },
    )


@pytest.fixture
def settings(provider: ProviderDouble, tmp_path: Path) -> Settings:
    return settings_for(provider, tmp_path)


@pytest.fixture(scope="session")
def _served(provider: ProviderDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(settings_for(provider, tmp_path_factory.mktemp("gateway"))) as running:
        yield running


@pytest.fixture
def gateway(_served: Running) -> Iterator[Running]:
    """The one gateway that most tests share, with no call in flight and nothing booked yet."""
    _served.sink.events.clear()
    yield _served
    eventually(lambda: _served.gateway.in_flight == 0)
