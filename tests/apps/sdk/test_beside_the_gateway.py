"""An application that is instrumented and calls through the gateway: both see the call, and it counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provider_double import ProviderDouble
from test_instrumenting import run

from served_process import served
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

_APP = """
import sys
import openai, mesure
from provider_double import GOOD_KEY

done = mesure.instrument(to=sys.argv[1], only=["opentelemetry.instrumentation.openai"])
with openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=GOOD_KEY, max_retries=0) as client:
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Bonjour"}])
assert done.flush(60)
print(done.sent, done.lost)
"""


def test_it_counts_once(tmp_path: Path) -> None:
    with ProviderDouble() as provider, served(provider, tmp_path / "data") as server:
        assert run(_APP, server.url).splitlines()[0] == "1 0"

        def total(family: str) -> float:
            lines = [line for line in server.get("/metrics").splitlines() if line.startswith(family)]
            return sum(float(line.rpartition(" ")[2]) for line in lines)

        eventually(lambda: total("mesure_spool_written_total") == 2 and total("mesure_calls_total{") == 1)
        assert server.json("/api/overview")["today"]["calls"] == 1
        assert server.stop() == 0
