"""The pages over a source that a test holds in its hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

# Scenes and held sources lie beside the tests, whichever way pytest imports them
sys.path.insert(0, str(Path(__file__).parent))

import web_scenes
from explored_ledger import filled
from held_pages import HeldSource, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.ledger import View


@pytest.fixture
def source() -> HeldSource:
    return HeldSource(web_scenes.office())


@pytest.fixture
def client(source: HeldSource) -> Iterator[TestClient]:
    with TestClient(pages(source), base_url="http://127.0.0.1:8420", follow_redirects=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def explored(tmp_path_factory: pytest.TempPathFactory) -> View:
    """A real ledger of an organisation's autumn, read only."""
    return filled(tmp_path_factory.mktemp("explored"))
