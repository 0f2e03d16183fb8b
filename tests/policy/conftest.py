"""A store of each kind, as in the tests of the state room."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from postgres_server import PostgresServer

from mesure.config import ServerSettings, Settings, StateSettings
from mesure.state import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesure.state import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if not PostgresServer.found():
        if os.environ.get("CI") == "true":
            pytest.fail("There is no PostgreSQL on this machine: install it (apt-get install postgresql).")
        pytest.skip("There is no PostgreSQL on this machine: this test did not run (apt-get install postgresql).")
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that lead to an empty store."""
    settings = Settings(server=ServerSettings(data=str(tmp_path / "data")))
    if request.param == "sqlite":
        return settings
    server: PostgresServer = request.getfixturevalue("postgres")
    return replace(settings, state=StateSettings(url=server.new_schema()))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.close()
