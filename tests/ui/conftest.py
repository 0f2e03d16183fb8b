"""A real browser on real pages. Without a Chromium these tests do not run, and say so."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "apps" / "web"))

playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is absent: NO BROWSER TEST RAN.")

_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def _chromium(own: str) -> str | None:
    """MESURE_CHROMIUM, else one on the PATH, else Playwright's own."""
    named = os.environ.get("MESURE_CHROMIUM")
    found = named or next((path for name in _NAMES if (path := shutil.which(name))), None) or own
    return found if Path(found).exists() else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        path = _chromium(playwright.chromium.executable_path)
        if path is None:
            pytest.skip("NO BROWSER TEST RAN: no Chromium found. Install one, or set MESURE_CHROMIUM to its path.")
        launched = playwright.chromium.launch(executable_path=path, args=_ARGS)
        yield launched
        launched.close()


class Site:
    """The pages, served on a free port from a source that the test holds."""

    def __init__(self, source: Any, app: Any) -> None:
        self.source = source
        self.app = app
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def show(self, overview: Any) -> None:
        """What the ledger says from now on."""
        self.source.now = overview
        for told in self.source.told:
            told()

    def __enter__(self) -> Site:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.app.state.close()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()


@pytest.fixture
def site() -> Iterator[Site]:
    import held_pages
    import web_scenes

    source = held_pages.HeldSource(web_scenes.office())
    with Site(source, held_pages.pages(source, notices=("demo",))) as running:
        yield running


@pytest.fixture(scope="session")
def explored_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages over a real ledger, which nobody writes to."""
    import explored_ledger
    import held_pages

    made = explored_ledger.events()
    source = explored_ledger.source(explored_ledger.filled(tmp_path_factory.mktemp("explored"), made))
    source.events = {event.id: event for event in made}
    with Site(source, held_pages.pages(source, now=explored_ledger.NOW, headcount=250)) as running:
        yield running
