"""Pages for what is not there and what went wrong: what happened, with which value, what to do next."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from htpy import Fragment, a, fragment, h1, p
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from mesure.apps.sentences import told
from mesure.apps.web.layout import Page, render
from mesure.errors import MesureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from mesure.apps.web.reader import Reader

__all__ = ["handlers"]

log = logging.getLogger("mesure.web")


def handlers(reader_of: Callable[[Request], Reader]) -> dict[Any, Any]:
    """Exception handlers of the application, in the reader's language."""

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        t = reader_of(request).t
        if status == 404 and "/calls/" in request.url.path:
            text = t.t("This call is not in the ledger. Its address may be cut short, or the data folder another one.")
            return answer(request, status, text, t.t("Go back to Now"))
        if status == 404:
            return answer(request, status, t.t("There is no page at this address."), t.t("Go back to Now"))
        return answer(request, status, t.t("This request cannot be answered."), t.t("Go back to Now"), headers)

    async def broken(request: Request, error: Exception) -> Response:
        """Our own errors tell what to do; others are logged, and tell nothing of the machine."""
        t = reader_of(request).t
        if isinstance(error, MesureError):
            if request.url.path.startswith("/api/"):
                return JSONResponse({"error": error.to_json()}, 503)
            return answer(request, 503, told(error, t), t.t("Try again"))
        log.error("A page failed: %s", request.url.path, exc_info=error)
        text = t.t(
            "Something went wrong on this page. The calls themselves go on being recorded; see the server's log."
        )
        return answer(request, 500, text, t.t("Try again"))

    def answer(request: Request, status: int, text: str, action: str, headers: Any = None) -> Response:
        reader = reader_of(request)
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": {"what": text, "action": action}}, status, headers)
        page = Page(path=None, title=text, content=_content(text, action, reader))
        return HTMLResponse(render(page, reader), status, headers)

    return {HTTPException: refused, MesureError: broken, Exception: broken}


def _content(text: str, action: str, reader: Reader) -> Fragment:
    return fragment[h1[text], p[a(href=reader.path())[action]]]
