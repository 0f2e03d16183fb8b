"""Readings asked over HTTP: one small client, TLS verified, bounded in time and size."""

from __future__ import annotations

import base64
import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

__all__ = ["HttpReader"]

_PATIENCE_S = 3.0
_MOST_BYTES = 16 << 20


class HttpReader:
    """Keeps one connection to one server. Failures of any kind are `OSError`; a refusal names its status.

    `user` and `password` are sent as basic authentication, `token` in the header that `token_header` names. `ca_file`:
    certificates to trust beside the system's. A certificate that does not verify is refused.
    """

    def __init__(
        self, url: str, *, user: str = "", password: str = "", ca_file: str = "", patience_s: float = _PATIENCE_S
    ) -> None:
        parts = urlsplit(url)
        self.path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
        self.headers: dict[str, str] = {}
        if user:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers["authorization"] = f"Basic {pair}"
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._patience_s = patience_s
        self._ca_file = ca_file
        self._connection: HTTPConnection | None = None

    def get(self, path: str) -> bytes:
        return self.request("GET", path)[1]

    def get_json(self, path: str) -> Any:
        """The answer as JSON. `ValueError` when it is not."""
        return json.loads(self.get(path))

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[dict[str, str], bytes]:
        """Headers (lower case) and body of a 2xx answer. A connection that the server had closed is opened anew."""
        fresh = self._connection is None
        try:
            return self._once(method, path, body)
        except (HTTPException, ConnectionError) as error:
            self.close()
            if fresh:
                raise OSError(str(error) or type(error).__name__) from None
        except OSError:
            self.close()
            raise
        try:
            return self._once(method, path, body)
        except HTTPException as error:
            self.close()
            raise OSError(str(error) or type(error).__name__) from None

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[dict[str, str], bytes]:
        if self._connection is None:
            self._connection = self._open()
        headers = self.headers | ({"content-type": "application/json"} if body else {})
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise OSError(f"more than {_MOST_BYTES >> 20} MB of answer")
        if not 200 <= answer.status < 300:
            raise (
                PermissionError(answer.status, "refused")
                if answer.status in (401, 403)
                else OSError(answer.status, "not an answer")
            )
        return {name.lower(): value for name, value in answer.getheaders()}, content

    def _open(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self._host, self._port, timeout=self._patience_s)
        context = ssl.create_default_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return HTTPSConnection(self._host, self._port, timeout=self._patience_s, context=context)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
