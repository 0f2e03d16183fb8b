"""llama.cpp itself, serving the local model: its own counts, native and as Anthropic's and OpenAI's wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest
from served_gateway import ListSink, Running, serving

from mesure.apps.demo.model_server import ModelServer
from mesure.apps.demo.weights import why_no_local_model
from mesure.config import ProviderSettings, ServerSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.local

_PROMPT = "Le colis est en retard car la neige bloque la route. " * 4


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if reason := why_no_local_model():
        pytest.skip(f"no local model: {reason}")
    folder = tmp_path_factory.mktemp("llama")
    with ModelServer(folder / "server.log") as server:
        local = ProviderSettings(base_url=server.address, wire="llama.cpp", default=True)
        settings = Settings(server=ServerSettings(data=str(folder)), providers={"local": local})
        with serving(settings, ListSink()) as gateway:
            yield gateway


@pytest.fixture
def gateway(running: Running) -> Running:
    running.sink.events.clear()
    return running


def _complete(gateway: Running, **more: Any) -> httpx2.Response:
    asked = {"prompt": _PROMPT, "n_predict": 6, "temperature": 0, **more}
    return httpx2.post(gateway.named("local") + "/completion", json=asked, timeout=60)


def test_a_completion_is_read_once_and_then_cached(gateway: Running) -> None:
    for _ in range(2):
        told = _complete(gateway).json()
        event = gateway.sink.take()
        gateway.sink.events.clear()
        timings = told["timings"]
        assert event.input_tokens == told["tokens_evaluated"] == timings["prompt_n"] + timings["cache_n"]
        assert (event.cached_input_tokens, event.output_tokens) == (timings["cache_n"], told["tokens_predicted"])
        assert (event.model_answered, event.finish_reason) == (told["model"], told["stop_type"])
    assert event.cached_input_tokens


def test_a_stream_tells_the_same_counts(gateway: Running) -> None:
    whole = _complete(gateway).json()
    gateway.sink.events.clear()
    _complete(gateway, stream=True)
    event = gateway.sink.take()
    assert (event.input_tokens, event.output_tokens) == (whole["tokens_evaluated"], whole["tokens_predicted"])
    assert event.stream
    assert event.status == "ok"
    assert 0 < (event.first_output_ms or 0) <= (event.duration_ms or 0)


def test_messages_and_responses_of_the_same_server(gateway: Running) -> None:
    address = gateway.named("local")
    with anthropic.Anthropic(base_url=address, api_key="none") as client:
        message = client.messages.create(
            model="local", max_tokens=5, messages=[{"role": "user", "content": _PROMPT}], timeout=60
        )
    event = gateway.sink.take()
    read = message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)
    assert (event.input_tokens, event.output_tokens) == (read, message.usage.output_tokens)
    gateway.sink.events.clear()
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", timeout=60) as other:
        response = other.responses.create(model="local", input=_PROMPT, max_output_tokens=5)
    event = gateway.sink.take()
    assert response.usage is not None
    assert (event.input_tokens, event.output_tokens) == (response.usage.input_tokens, response.usage.output_tokens)
