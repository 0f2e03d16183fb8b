"""The pages over a source that a test holds in its hand."""

from __future__ import annotations

import pytest
import web_scenes
from held_pages import HeldSource, pages
from starlette.testclient import TestClient


@pytest.fixture
def source() -> HeldSource:
    return HeldSource(web_scenes.office())


@pytest.fixture
def client(source: HeldSource) -> TestClient:
    return TestClient(pages(source), base_url="http://127.0.0.1:8420", follow_redirects=False)
