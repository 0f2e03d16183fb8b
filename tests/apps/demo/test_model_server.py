"""The real local model in its own process: the server's own token counts, with and without streaming."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.demo import DemoError
from mesure.apps.demo.messages import labels, read_messages
from mesure.apps.demo.model_server import MODEL_NAME, ModelServer, default_threads
from mesure.apps.demo.prompts import Target, request_for
from mesure.meter.sensors import CallMeter, best_source
from mesure.meter.sensors.process import cpu_seconds

pytestmark = pytest.mark.local

_TARGET = Target(MODEL_NAME, MODEL_NAME)
_PROMPT = {"model": MODEL_NAME, "prompt": "un, deux, trois,", "max_tokens": 5, "temperature": 0}
_CHAT = {
    "model": MODEL_NAME,
    "messages": [{"role": "system", "content": "un, deux, trois,"}, {"role": "user", "content": "quatre, cinq,"}],
    "max_tokens": 4,
    "temperature": 0,
}


def _post(server: ModelServer, path: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(
        f"{server.address}/v1{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(answer.read().decode())


def _events(text: str) -> list[dict[str, Any]]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_completion_with_its_own_counts(local_model: ModelServer) -> None:
    answer = json.loads(_post(local_model, "/completions", _PROMPT))
    assert answer["model"] == MODEL_NAME
    assert answer["choices"][0]["text"].strip()
    usage = answer["usage"]
    assert usage["completion_tokens"] == 5
    assert usage["prompt_tokens"] > 5
    assert usage["total_tokens"] == usage["prompt_tokens"] + 5


def test_a_streamed_chat_with_usage_equals_the_whole_one(local_model: ModelServer) -> None:
    whole = json.loads(_post(local_model, "/chat/completions", _CHAT))
    events = _events(
        _post(local_model, "/chat/completions", _CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    )
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"] == 4
    assert events[-1]["usage"]["prompt_tokens"] == whole["usage"]["prompt_tokens"]


def test_chat_lays_texts_end_to_end(local_model: ModelServer) -> None:
    """A base model has no template of its own: markers would only be read as text."""
    chat = json.loads(_post(local_model, "/chat/completions", _CHAT))
    bare = json.loads(
        _post(local_model, "/completions", _PROMPT | {"prompt": "un, deux, trois,\nquatre, cinq,", "max_tokens": 4})
    )
    assert chat["usage"]["prompt_tokens"] == bare["usage"]["prompt_tokens"]
    assert chat["choices"][0]["message"]["content"].strip() == bare["choices"][0]["text"].strip()


def test_embeddings_are_served_and_counted(local_model: ModelServer) -> None:
    answer = json.loads(_post(local_model, "/embeddings", {"model": MODEL_NAME, "input": "Où est mon colis ?"}))
    assert len(answer["data"][0]["embedding"]) == 640
    assert answer["usage"]["prompt_tokens"] > 3


def test_it_lists_the_name_that_the_catalogue_knows(local_model: ModelServer) -> None:
    with urllib.request.urlopen(f"{local_model.address}/v1/models", timeout=30) as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == [MODEL_NAME]


def test_the_worked_examples_are_read_once(local_model: ModelServer) -> None:
    messages = [message for message in read_messages() if message.use_case == "intent" and message.language == "fr"]
    cached = []
    for message in messages[:3]:
        request = request_for(message, _TARGET)
        assert request is not None
        usage = json.loads(_post(local_model, request.path, request.body))["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])
    assert cached[-1] > 0.8


def test_classification_mostly_answers_a_valid_label(local_model: ModelServer) -> None:
    messages = [message for message in read_messages() if message.use_case == "intent"][::4]
    valid = right = 0
    for message in messages:
        request = request_for(message, _TARGET)
        assert request is not None
        label = json.loads(_post(local_model, request.path, request.body))["choices"][0]["text"].strip()
        valid += label in labels(message.language)
        right += label == message.intent
    assert valid / len(messages) >= 0.8
    assert right / len(messages) >= 0.5  # chance is 0.1


def test_a_call_is_metered_from_the_servers_process(local_model: ModelServer) -> None:
    meter = CallMeter(best_source(local_model.pid))
    meter.start("call")
    _post(local_model, "/completions", _PROMPT | {"max_tokens": 16})
    reading = meter.stop("call")
    assert reading is not None
    assert 0.0 < reading.low_j < reading.energy_j < reading.high_j
    assert reading.status in ("modelled", "measured")


def test_a_malformed_body_is_refused_not_fatal(local_model: ModelServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        _post(local_model, "/chat/completions", {"model": MODEL_NAME})
    caught.value.close()
    assert caught.value.code in (400, 500)
    assert local_model.running


def test_nothing_is_logged_about_what_was_asked(local_model: ModelServer) -> None:
    _post(local_model, "/completions", _PROMPT | {"prompt": "un secret bien gardé"})
    assert "secret" not in local_model._log.read_text(errors="replace")


def test_stopping_ends_the_process(local_model: ModelServer, tmp_path: Path) -> None:
    with ModelServer(tmp_path / "log") as server:
        pid = server.pid
        assert server.running
        assert server.ready_s > 0
    assert cpu_seconds(pid) is None
    server.stop()  # again: nothing to do


def test_a_file_that_is_no_model_is_said_with_the_log(local_model: ModelServer, tmp_path: Path) -> None:
    rubbish = tmp_path / "model.gguf"
    rubbish.write_bytes(b"not a model")
    began = time.monotonic()
    with pytest.raises(DemoError, match="did not start") as caught:
        ModelServer(tmp_path / "log", weights=rubbish)
    assert time.monotonic() - began < 60
    assert caught.value.code == "demo_model_server"
    assert str(tmp_path / "log") in str(caught.value.value)
    assert "no message" not in str(caught.value.value)


def test_half_the_processors_serve_the_model() -> None:
    assert 1 <= default_threads() <= 8
