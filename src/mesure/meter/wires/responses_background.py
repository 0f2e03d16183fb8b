"""Responses that OpenAI ran in the background: booked when their result is first collected.

Reference: platform.openai.com/docs/guides/background. A response that was answered at once is shown again by the same
path: it was booked then, and is not here.
"""

from __future__ import annotations

import re

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Facts, Known
from mesure.meter.wires.responses import PENDING, request_facts, response_facts, stream_reading, tail_facts

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_RESULT = re.compile(r"(?:^|/)responses/resp_[^/]+$")


def known(method: str, path: str) -> Known | None:
    """`GET responses/resp_...` may bring what ran in the background."""
    return Known("chat", "collected") if method == "GET" and _RESULT.search(path.strip("/")) else None


def answer_facts(body: bytes | None) -> Facts | None:
    """Facts of a response that has ended and ran in the background; None for any other."""
    answer = json_object(body)
    if answer is None or answer.get("background") is not True or answer.get("status") in PENDING:
        return None
    return response_facts(answer)
