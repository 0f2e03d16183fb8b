"""Figures inside streams: only when asked, only as comments that readers skip."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
from provider_double import GOOD_KEY, WORDS
from test_relay import call

if TYPE_CHECKING:
    from provider_double import ProviderDouble
    from served_gateway import Running


def _body(model: str, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}], "stream": True, **more}).encode()


def _comments(body: bytes) -> list[dict[str, Any]]:
    prefix = b": energy "
    return [json.loads(line.removeprefix(prefix)) for line in body.split(b"\n") if line.startswith(prefix)]


def _without_comments(body: bytes) -> bytes:
    return b"".join(line for line in body.splitlines(keepends=True) if not line.startswith(b": energy "))


def test_nothing_unless_asked(gateway: Running) -> None:
    assert b": energy" not in call(gateway.port, "/v1/chat/completions", _body("gpt-4o")).body


def test_a_final_figure_before_done(gateway: Running, provider: ProviderDouble) -> None:
    body = _body("gpt-4o")
    got = call(gateway.port, "/v1/chat/completions", body, x_mesure_live="1")
    direct = call(provider.port, "/v1/chat/completions", body)
    [final] = _comments(got.body)
    assert final["final"] is True
    assert final["output_tokens"] == len(WORDS)
    assert 0 < final["energy_wh"]["low"] <= final["energy_wh"]["mid"] <= final["energy_wh"]["high"]
    assert final["gwp_gco2eq"]["mid"] > 0
    assert got.body.rindex(b": energy") < got.body.index(b"data: [DONE]")
    assert _without_comments(got.body) == direct.body
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_at_most_one_a_second_while_it_runs(gateway: Running) -> None:
    got = call(gateway.port, "/v1/chat/completions", _body("paced-stream"), x_mesure_live="1")
    *running, final = _comments(got.body)
    seconds = (gateway.sink.take().duration_ms or 0) / 1e3
    assert 1 <= len(running) <= seconds
    counts = [figure["output_tokens"] for figure in running]
    assert counts == sorted(counts)
    assert not any(figure["final"] for figure in running)
    assert final["final"]


def test_asked_by_configuration(gateway: Running) -> None:
    got = call(gateway.port, "/providers/live/chat/completions", _body("gpt-4o"))
    assert len(_comments(got.body)) == 1


def test_a_stream_without_done_has_its_figure_at_its_end(gateway: Running) -> None:
    got = call(gateway.port, "/v1/chat/completions", _body("stop-without-done"), x_mesure_live="1")
    assert _comments(got.body)[-1]["final"] is True


def test_a_compressed_stream_is_left_alone(gateway: Running, provider: ProviderDouble) -> None:
    got = call(gateway.port, "/v1/chat/completions", _body("gzipped"), x_mesure_live="1")
    assert got.headers["content-encoding"] == "gzip"
    assert b": energy" not in got.body


def test_the_client_reads_the_same_with_comments(gateway: Running, provider: ProviderDouble) -> None:
    results = []
    for url, headers in ((gateway.url, {"x-mesure-live": "1"}), (provider.url, {})):
        with openai.OpenAI(base_url=url, api_key=GOOD_KEY, default_headers=headers) as client:
            stream = client.chat.completions.create(
                model="paced-stream", messages=[{"role": "user", "content": "x"}], stream=True
            )
            results.append([chunk.to_dict() for chunk in stream])
    assert results[0] == results[1]
