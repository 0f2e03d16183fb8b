"""The real model, the real gateway, the real ledger: each call is one row with the model server's own counts."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from mesure.apps.demo.driver import Plan, play
from mesure.apps.demo.messages import read_messages
from mesure.apps.demo.model_server import MODEL_NAME

if TYPE_CHECKING:
    from conftest import Upstream
    from mesure.apps.demo.model_server import ModelServer

pytestmark = pytest.mark.local

#: DuckDB needs a package more to hand these to Python.
_TIMES = "(started_at, ended_at, ingested_at)"

_SCRIPT = """
import sys
from mesure.apps.demo.backend import Backend
from mesure.apps.demo.options import DemoOptions
from mesure.apps.demo.prompts import Target
from mesure.apps.demo.run import demo_settings
from mesure.apps.server import serve
from mesure.config import ProviderSettings
from mesure.meter.sensors import CallMeter, best_source
from pathlib import Path

address, pid, data = sys.argv[1:]
provider = ProviderSettings(base_url=address, default=True, provider="local")
meter = CallMeter(best_source(int(pid)))
settings = demo_settings(
    DemoOptions(port=0, data=Path(data)), Backend("local", provider, Target("gemma-3-270m"), meter)
)
serve(settings, meters={"local": meter}, notices=("demo",), on_ready=lambda url: print(url, flush=True))
"""


class _Witness:
    """Stands between the gateway and the model, passes everything on, and notes the counts of each answer.

    Asking the model twice would not do: an answer can change by a word with what its prefix cache holds.
    """

    def __init__(self, server: ModelServer) -> None:
        self._address = server.address
        self.counts: list[tuple[int, int | None]] = []

    async def handle(self, request: web.Request) -> web.Response:
        call = urllib.request.Request(
            f"{self._address}{request.path}", await request.read(), {"content-type": "application/json"}
        )
        text, kind = await asyncio.to_thread(self._ask, call)
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")] or [
            json.loads(text)
        ]
        usage = next(event["usage"] for event in reversed(events) if event.get("usage"))
        self.counts.append((usage["prompt_tokens"], usage.get("completion_tokens")))
        return web.Response(text=text, content_type=kind)

    @staticmethod
    def _ask(call: urllib.request.Request) -> tuple[str, str]:
        with urllib.request.urlopen(call, timeout=120) as answer:
            return answer.read().decode(), answer.headers.get_content_type()


def _rows(data: Path) -> list[dict[str, Any]]:
    import duckdb
    from deltalake import DeltaTable

    files = DeltaTable(str(data / "ledger")).file_uris()
    with duckdb.connect() as engine:
        relation = engine.sql(f"select * exclude {_TIMES} from read_parquet({files!r}) order by started_at")
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_every_call_is_one_row_with_the_servers_own_counts(
    local_model: ModelServer, upstream: Upstream, tmp_path: Path
) -> None:
    messages = read_messages()[:20]
    assert {"intent", "reply", "summary", "translation", "faq-search"} == {message.use_case for message in messages}
    witness = _Witness(local_model)
    upstream.handle = witness.handle  # type: ignore[method-assign]
    command = [sys.executable, "-c", _SCRIPT, upstream.base_url, str(local_model.pid), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            plan = Plan(
                base_url=f"{url}v1", model=MODEL_NAME, embeddings_model=MODEL_NAME, pace_s=0.0, first=0, at_once=1
            )
            summary = asyncio.run(play(plan, messages))
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        finally:
            server.kill()
    assert (summary.calls, summary.failed) == (len(messages), 0), summary.last_failure
    rows = _rows(tmp_path / "data")
    assert len(rows) == len(messages)
    for message, counts, row in zip(messages, witness.counts, rows, strict=True):
        assert (row["input_tokens"], row["output_tokens"]) == counts, message.id
        assert row["tokens_reported"] is True
        assert (row["team"], row["use_case"], row["end_client"]) == (
            message.team,
            message.use_case_name,
            message.end_client,
        )
        assert row["contact_id"] == message.contact
        assert bool(row["stream"]) == message.stream
        assert row["model_answered"] == MODEL_NAME
        assert 0.0 < row["energy_low_j"] <= row["energy_j"] <= row["energy_high_j"]
        assert row["energy_status"] in ("modelled", "measured")
        assert message.team not in row["user"]  # a pseudonym
        assert message.text not in str(row)
