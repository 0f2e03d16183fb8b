"""A local server that answers in the public formats of the open services of hourly figures; badly, if told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["HourService", "grams"]


def grams(at: datetime) -> float:
    """What the services answer for a time: another figure at each half-hour."""
    return 20.0 + at.hour + (0.5 if at.minute >= 30 else 0.0)


def _times(start: datetime, end: datetime, minutes: int) -> list[datetime]:
    count = int((end - start) / timedelta(minutes=minutes))
    return [start + timedelta(minutes=minutes * i) for i in range(max(count, 0))]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every answer

    def handle_error(self, *_: object) -> None:
        """A client that no longer listens is what some tests are about."""


class HourService:
    """`unknown`: times without a value yet. `asked`: paths with their query, in order. `answer` replaces the answer:
    a function of the path that gives (status, body), or None for the usual one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.unknown: Callable[[datetime], bool] = lambda _: False
        self.answer: Callable[[str], tuple[int, bytes] | None] = lambda _: None
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> HourService:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append(self.path)
                status, body = service.answer(self.path) or (200, json.dumps(service._usual(self.path)).encode())
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _usual(self, path: str) -> Any:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "/datasets/eco2mix-" in parts.path:
            return self._rte(parts.path, query["where"])
        if parts.path.startswith("/intensity/"):
            return self._britain(*parts.path.split("/")[2:])
        return self._charts(query["start"], query["end"])

    def _rte(self, path: str, where: str) -> list[dict[str, Any]]:
        """Every 15 minutes, a rate at half-hours only; the consolidated set ends at `consolidated_until`."""
        start, end = (datetime.fromisoformat(text) for text in re.findall(r"'([^']+)'", where))
        if "cons-def" in path:
            end = min(end, self.consolidated_until)
        return [
            {
                "date_heure": at.isoformat(),
                "taux_co2": None if at.minute % 30 or self.unknown(at) else int(grams(at)),
            }
            for at in _times(start, end, 15)
        ]

    consolidated_until = datetime(2026, 2, 1, tzinfo=UTC)

    def _britain(self, start: str, end: str) -> dict[str, Any]:
        """As the service does, one half-hour more at the front; forecasts beside what was."""
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        data = [
            {
                "from": f"{at:%Y-%m-%dT%H:%MZ}",
                "to": f"{at + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}",
                "intensity": {
                    "forecast": 999,
                    "actual": None if self.unknown(at) else grams(at),
                    "index": "moderate",
                },
            }
            for at in _times(first - timedelta(minutes=30), last, 30)
        ]
        return {"data": data}

    def _charts(self, start: str, end: str) -> dict[str, Any]:
        times = _times(datetime.fromisoformat(start), datetime.fromisoformat(end), 15)
        return {
            "unix_seconds": [int(at.timestamp()) for at in times],
            "co2eq": [None if self.unknown(at) else grams(at) for at in times],
            "co2eq_forecast": [999.0 for _ in times],
            "substitute": False,
            "deprecated": False,
        }
