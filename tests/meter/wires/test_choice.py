"""The reader of a call: by its provider's wire, its method and its path, and never by content."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mesure.config import ProviderSettings
from mesure.meter.wires import (
    anthropic,
    anthropic_batches,
    cohere,
    gemini,
    llamacpp,
    mistral,
    ollama,
    openai,
    openai_batches,
    openai_media,
    responses,
    responses_background,
    textgen,
)
from mesure.meter.wires.choice import WIRES, call_of


def test_the_configuration_offers_the_wires_there_are() -> None:
    [setting] = [field for field in fields(ProviderSettings) if field.name == "wire"]
    assert list(setting.metadata["choices"]) == list(WIRES)


@pytest.mark.parametrize(
    ("wire", "method", "path", "reader", "operation", "booking"),
    [
        ("openai", "POST", "chat/completions", openai, "chat", "always"),
        ("openai", "POST", "v1/responses", responses, "chat", "always"),
        ("openai", "POST", "responses/compact", responses, "chat", "always"),
        ("openai", "GET", "responses/resp_1", responses_background, "chat", "collected"),
        ("openai", "GET", "responses", openai, "other", "never"),
        ("openai", "POST", "responses/input_tokens", openai, "other", "never"),
        ("openai", "POST", "responses/resp_1/cancel", openai, "other", "unknown"),
        ("openai", "POST", "images/generations", openai_media, "image", "always"),
        ("openai", "POST", "audio/translations", openai_media, "transcription", "always"),
        ("openai", "POST", "moderations", openai, "classification", "always"),
        ("openai", "GET", "batches/batch_1", openai_batches, "other", "collected"),
        ("openai", "POST", "batches", openai, "other", "never"),
        ("openai", "GET", "batches", openai, "other", "never"),
        ("openai", "GET", "chat/completions", openai, "other", "never"),
        ("openai", "POST", "files", openai, "other", "never"),
        ("openai", "POST", "fine_tuning/jobs", openai, "other", "never"),
        ("openai", "POST", "threads/t_1/messages", openai, "other", "never"),
        ("openai", "POST", "messages", openai, "other", "unknown"),
        ("openai", "POST", "api/chat", openai, "other", "unknown"),
        ("openai", "POST", "", openai, "other", "unknown"),
        ("azure", "POST", "openai/deployments/d/chat/completions", openai, "chat", "always"),
        ("azure", "POST", "openai/v1/responses", responses, "chat", "always"),
        ("anthropic", "POST", "v1/messages", anthropic, "chat", "always"),
        ("anthropic", "POST", "v1/messages/count_tokens", openai, "other", "never"),
        ("anthropic", "POST", "v1/messages/batches", openai, "other", "never"),
        ("anthropic", "GET", "v1/messages/batches/b/results", anthropic_batches, "chat", "collected"),
        ("anthropic", "POST", "chat/completions", openai, "other", "unknown"),
        ("gemini", "POST", "v1beta/models/gemini-2.5-pro:generateContent", gemini, "chat", "always"),
        ("gemini", "POST", "v1beta/tunedModels/mine:generateContent", gemini, "chat", "always"),
        ("gemini", "POST", "v1/projects/p/locations/l/publishers/google/models/m:predict", gemini, "other", "always"),
        ("gemini", "POST", "v1beta/models/m:countTokens", openai, "other", "never"),
        ("gemini", "POST", "v1beta/models/m:dance", openai, "other", "never"),
        ("gemini", "POST", "v1beta/openai/chat/completions", openai, "chat", "always"),
        ("gemini", "POST", "v1beta/interactions", gemini, "chat", "always"),
        ("mistral", "POST", "v1/ocr", mistral, "other", "always"),
        ("mistral", "POST", "v1/fim/completions", openai, "completion", "always"),
        ("mistral", "POST", "v1/conversations/c_1/restart", mistral, "chat", "always"),
        ("mistral", "GET", "v1/conversations/c_1", openai, "other", "never"),
        ("mistral", "GET", "v1/batch/jobs/j", mistral, "other", "collected"),
        ("cohere", "POST", "v2/chat", cohere, "chat", "always"),
        ("cohere", "POST", "v2/embed", cohere, "embeddings", "always"),
        ("cohere", "POST", "v1/classify", cohere, "classification", "always"),
        ("cohere", "POST", "compatibility/v1/chat/completions", openai, "chat", "always"),
        ("huggingface", "POST", "v1/chat/completions", openai, "chat", "always"),
        ("huggingface", "POST", "hf-inference/models/org/name", textgen, "other", "always"),
        ("tgi", "POST", "", textgen, "completion", "always"),
        ("tgi", "POST", "generate_stream", textgen, "completion", "always"),
        ("tgi", "POST", "embed", textgen, "embeddings", "always"),
        ("ollama", "POST", "api/chat", ollama, "chat", "always"),
        ("ollama", "POST", "api/pull", ollama, "other", "never"),
        ("ollama", "POST", "v1/chat/completions", openai, "chat", "always"),
        ("ollama", "POST", "v1/messages", anthropic, "chat", "always"),
        ("llama.cpp", "POST", "completion", llamacpp, "completion", "always"),
        ("llama.cpp", "POST", "infill", llamacpp, "completion", "always"),
        ("llama.cpp", "POST", "v1/completions", openai, "completion", "always"),
        ("llama.cpp", "POST", "slots/0", openai, "other", "never"),
        ("vllm", "POST", "v1/messages", anthropic, "chat", "always"),
        ("vllm", "POST", "score", openai, "rerank", "always"),
    ],
)
def test_who_reads_what(wire: str, method: str, path: str, reader: object, operation: str, booking: str) -> None:
    for written in (path, f"/{path}/"):
        call = call_of(wire, method, written)
        assert (call.reader, call.operation, call.booking) == (reader, operation, booking)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH", "PUT"])
@pytest.mark.parametrize(
    "path", ["chat/completions", "v1/messages", "api/chat", "models/m:generateContent", "batches/b"]
)
def test_other_methods_run_nothing(wire: str, method: str, path: str) -> None:
    assert call_of(wire, method, path).booking == "never"


@pytest.mark.parametrize(
    ("wire", "path", "query", "asks"),
    [
        ("openai", "chat/completions", "", True),
        ("openai", "completions", "", False),
        ("openai", "responses", "", False),
        ("openai", "embeddings", "", False),
        ("azure", "openai/deployments/d/chat/completions", "api-version=2024-06-01", False),
        ("azure", "openai/deployments/d/chat/completions", "api-version=2024-09-01-preview", True),
        ("azure", "openai/deployments/d/chat/completions", "x=1&api-version=2025-01-01", True),
        ("azure", "openai/v1/chat/completions", "", True),
        ("vllm", "chat/completions", "", True),
        ("tgi", "v1/chat/completions", "", True),
        ("mistral", "v1/chat/completions", "", False),  # it tells usage unasked, and refuses what it does not know
        ("cohere", "compatibility/v1/chat/completions", "", False),
        ("gemini", "v1beta/openai/chat/completions", "", False),
        ("anthropic", "v1/messages", "", False),
    ],
)
def test_where_usage_may_be_asked_for(wire: str, path: str, query: str, asks: bool) -> None:
    assert call_of(wire, "POST", path, query).asks_usage is asks


@pytest.mark.parametrize(
    ("wire", "path", "comments"),
    [
        ("openai", "chat/completions", True),
        ("openai", "responses", True),
        ("openai", "images/generations", False),
        ("anthropic", "v1/messages", True),
        ("vllm", "v1/messages", True),
        ("mistral", "v1/chat/completions", False),
        ("gemini", "v1beta/models/m:streamGenerateContent", False),
        ("cohere", "v2/chat", False),
        ("ollama", "api/chat", False),
        ("ollama", "v1/chat/completions", True),
        ("tgi", "generate_stream", False),
        ("openai", "oracles", False),
    ],
)
def test_where_streams_may_hold_comments(wire: str, path: str, comments: bool) -> None:
    assert call_of(wire, "POST", path).comments is comments


def test_facts_of_a_path() -> None:
    streamed = call_of("gemini", "POST", "v1beta/models/gemini-2.5-flash:streamGenerateContent")
    assert streamed.facts == {"model_requested": "gemini-2.5-flash", "stream": True}
    assert call_of("huggingface", "POST", "models/org/name").facts == {"model_requested": "org/name"}
    assert call_of("ollama", "POST", "api/chat").facts == {"stream": True}
    assert call_of("openai", "POST", "images/edits").facts == {"images_count": 1}
    assert call_of("azure", "POST", "openai/deployments/d/images/generations").facts["model_requested"] == "d"
    assert call_of("openai", "POST", "chat/completions").facts == {}
