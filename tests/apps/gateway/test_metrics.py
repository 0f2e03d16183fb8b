"""Prometheus text: counters that add up."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from served_gateway import serving
from test_relay import call

from mesure.apps.gateway.metrics import render_metrics
from mesure.apps.totals import GatewayTotals
from mesure.ledger import Counters, Spool
from mesure.record import UsageEvent

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.config import Settings

_LINE = re.compile(r'[a-z_0-9]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+')


def _value(page: str, start: str) -> float:
    found = [float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(start)]
    assert found, start
    return sum(found)


class _Counting:
    """The spool, and the counters that a committer would feed from it."""

    def __init__(self, spool: Spool, counters: Counters) -> None:
        self.spool, self.counters = spool, counters

    def record(self, event: UsageEvent) -> bool:
        self.counters.add([event])
        return self.spool.record(event)


def test_the_page(settings: Settings, tmp_path: Path) -> None:
    spool, counters = Spool(tmp_path / "spool"), Counters({})
    chat = "/v1/chat/completions"
    with serving(settings, _Counting(spool, counters)) as running:  # type: ignore[arg-type]
        for model in ("gpt-4o", "gpt-4o", "fail-429", "truncate-stream", 'odd "name"\\\n'):
            body = {"model": model, "messages": [], "stream": model == "truncate-stream"}
            call(running.port, chat, json.dumps(body).encode(), x_mesure_team="care")
        call(running.port, "/v1/mirror", b"{}")
        call(running.port, "/providers/nobody/x", b"{}")
        call(running.port, "/providers/down/embeddings", b"{}")
        call(running.port, "/v1/models", method="GET", host="evil.example")
        page = render_metrics(counters, GatewayTotals.of(running.gateway, spool), 3)
    spool.close()
    for line in page.splitlines():
        assert line.startswith("# ") or _LINE.fullmatch(line), line
    assert _value(page, "mesure_calls_total") == 6 == spool.written == _value(page, "mesure_spool_written_total")
    assert _value(page, "mesure_input_tokens_total") == 3 * 120
    assert _value(page, "mesure_energy_wh_total") > 0
    assert _value(page, 'mesure_gateway_refused_total{code="unknown_provider"}') == 1
    assert _value(page, 'mesure_gateway_refused_total{code="provider_unreachable"}') == 1
    assert _value(page, 'mesure_gateway_refused_total{code="bad_host"}') == 1
    assert _value(page, 'mesure_gateway_upstream_errors_total{provider="double",kind="429"}') == 1
    assert _value(page, 'mesure_gateway_upstream_errors_total{provider="double",kind="truncated"}') == 1
    assert _value(page, 'mesure_gateway_unmetered_total{provider="double"}') == 1
    assert _value(page, "mesure_gateway_metering_failures_total") == 0
    assert _value(page, "mesure_gateway_in_flight") == 0
    assert _value(page, "mesure_sightings_merged_total") == 3
    assert 'team="care"' in page
    assert r"odd \"name\"\\" in page


def test_every_family_is_described_once_and_totals_are_counters(settings: Settings, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with serving(settings) as running:
        page = render_metrics(Counters({}), GatewayTotals.of(running.gateway, spool), 3)
    spool.close()
    types = re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE)
    names = [name for name, _ in types]
    assert len(names) == len(set(names)) == len(re.findall(r"^# HELP ", page, re.MULTILINE))
    assert {kind for name, kind in types if name.endswith("_total")} == {"counter"}
    assert [name for name in names if "calls" in name] == ["mesure_calls_total"]
