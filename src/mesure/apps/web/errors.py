"""Pages for what is not there and what went wrong: what happened, with which value, what to do next."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from htpy import a, fragment, h1, p
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from mesure.apps.sentences import told
from mesure.apps.web.headers import SAFE
from mesure.apps.web.layout import Page, render
from mesure.errors import InvalidValue, MesureError
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from mesure.apps.web.reader import Reader

__all__ = ["handlers"]

log = logging.getLogger("mesure.web")

NO_CALL = mark("This call is not in the ledger. Its address may be cut short, or the data folder another one.")
NO_PAGE = mark("There is no page at this address.")
REFUSED = mark("This request cannot be answered.")
FAILED = mark("Something went wrong on this page. The calls themselves go on being recorded; see the server's log.")
GO_BACK, TRY_AGAIN = mark("Go back to Now"), mark("Try again")
START_AGAIN = mark("Start again without these choices")
_CODES = {404: "not_found", 405: "method_not_allowed", 500: "internal"}


def handlers(reader_of: Callable[[Request], Reader]) -> dict[Any, Any]:
    """Exception handlers of the application, in the reader's language."""

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        return answer(request, status, _refusal(request, status), GO_BACK, headers)

    async def unreadable(request: Request, error: Exception) -> Response:
        """What somebody wrote in an address."""
        assert isinstance(error, InvalidValue)
        if _for_programs(request):
            return JSONResponse({"error": error.to_json()}, 400)
        text = told(error, reader_of(request).t)
        return page(request, 400, text, START_AGAIN, href=request.url.path)

    async def broken(request: Request, error: Exception) -> Response:
        """Our own errors tell what to do."""
        assert isinstance(error, MesureError)
        if _for_programs(request):
            return JSONResponse({"error": error.to_json()}, 503)
        return page(request, 503, told(error, reader_of(request).t), TRY_AGAIN)

    async def failed(request: Request, error: Exception) -> Response:
        """Others are logged, and tell nothing of the machine."""
        log.error("A page failed: %s", request.url.path, exc_info=error)
        return answer(request, 500, FAILED, TRY_AGAIN, SAFE)

    def answer(request: Request, status: int, what: str, action: str, headers: Mapping[str, str] | None) -> Response:
        if _for_programs(request):
            code = _CODES.get(status, f"http_{status}")
            refusal = MesureError(what, value=request.url.path, action=action, code=code)
            return JSONResponse({"error": refusal.to_json()}, status, headers)
        return page(request, status, reader_of(request).t.t(what), action, headers)

    def page(
        request: Request,
        status: int,
        text: str,
        action: str,
        headers: Mapping[str, str] | None = None,
        href: str | None = None,
    ) -> Response:
        reader = reader_of(request)
        content = fragment[h1[text], p[a(href=href or reader.path())[reader.t.t(action)]]]
        return HTMLResponse(render(Page(path=None, title=text, content=content), reader), status, headers)

    return {HTTPException: refused, InvalidValue: unreadable, MesureError: broken, Exception: failed}


def _for_programs(request: Request) -> bool:
    """They match codes, and read English whatever the language."""
    return request.url.path.startswith("/api/")


def _refusal(request: Request, status: int) -> str:
    if status != 404:
        return REFUSED
    return NO_CALL if "/calls/" in request.url.path else NO_PAGE
