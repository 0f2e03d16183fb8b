"""The one style sheet and the one script, small enough to travel inside the page, and what allows only them to run."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from markupsafe import Markup

__all__ = ["CONTENT_SECURITY_POLICY", "ICON", "SCRIPT", "STYLE"]

_FOLDER = Path(__file__).parent


def _packed(name: str) -> str:
    """The file without indentation, line ends and comments. Neither file holds text where spaces count."""
    text = re.sub(r"/\*.*?\*/", "", (_FOLDER / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", "" if name.endswith(".css") else "\n", text)
    if name.endswith(".css"):
        text = re.sub(r"\s*([{};,])\s*", r"\1", text)
        return re.sub(r":\s+", ":", text).strip()
    return text.strip()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


STYLE = Markup(_packed("style.css"))  # noqa: S704  (our own file)
SCRIPT = Markup(_packed("live.js"))  # noqa: S704

#: A needle on its half dial: saves the request a browser makes for /favicon.ico.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M2 12a6 6 0 0 1 12 0M8 12l3-5' fill='none' stroke='%232b4acb' stroke-width='2' "
    "stroke-linecap='round'/%3E%3C/svg%3E"
)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(STYLE)}",
        f"script-src {_hash(SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
