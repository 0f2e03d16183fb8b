"""An application on the real LiteLLM, without a network: `python litellm_app.py DATA`. Its test gives it a venv."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic, sleep
from typing import Any

import litellm
from litellm.caching.caching import Cache

from mesure.apps.sdk.delivery import delivery_to
from mesure.apps.sdk.litellm_callback import MesureLogger

_ASKED: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "A secret question"}],
    "mock_response": "A secret answer",
    "api_key": "sk-no-key",
}
_WHO: dict[str, Any] = {
    "user": "someone@example.org",
    "metadata": {"team": "support", "use_case": "reply", "tags": ["environment:test", "chat"]},
}


async def awaited() -> None:
    await litellm.acompletion(**_ASKED, **_WHO)
    async for _ in await litellm.acompletion(**_ASKED, **_WHO, stream=True):
        pass
    await asyncio.sleep(1.0)  # its logging worker runs in this loop


def main(data: str) -> None:
    logger = MesureLogger(data)
    litellm.callbacks = [logger]
    litellm.completion(**_ASKED, **_WHO)
    for _ in litellm.completion(**_ASKED, **_WHO, stream=True):
        pass
    asyncio.run(awaited())
    try:
        litellm.completion(**_ASKED | {"mock_response": "litellm.RateLimitError"}, **_WHO, num_retries=0)
    except litellm.RateLimitError:
        print("refused")  # noqa: T201
    litellm.cache = Cache()
    for _ in range(2):
        litellm.completion(**_ASKED | {"messages": [{"role": "user", "content": "Twice"}]}, caching=True)
    deadline = monotonic() + 20
    while delivery_to(data).flow.taken < 7 and monotonic() < deadline:
        sleep(0.05)
    sleep(0.5)  # one too many would come now
    delivery_to(data).box.flush(20)
    print(litellm.__name__, logger.failed, delivery_to(data).flow.taken)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
