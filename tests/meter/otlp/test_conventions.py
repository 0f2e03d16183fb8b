"""The vocabularies of telemetry, each as its own reference writes it, in both forms of the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from otlp_messages import NOW_NS, PARENT, SECOND, SPAN, TRACE, Shelf, event_of, new_intake, span, take, traces

_OPENAI = {"provider": "openai", "model_requested": "gpt-4o", "input_tokens": 120, "output_tokens": 40}

#: (what is sent, what is recorded) by vocabulary.
_SPANS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "OpenTelemetry, present": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-11-20",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.conversation.id": "conv_5",
            "gen_ai.request.max_tokens": 200,
            "gen_ai.request.stream": True,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.cache_creation.input_tokens": 8,
            "gen_ai.usage.output_tokens": 40,
            "gen_ai.usage.reasoning.output_tokens": 30,
        },
        {
            **_OPENAI,
            "operation": "chat",
            "model_answered": "gpt-4o-2024-11-20",
            "response_id": "chatcmpl-1",
            "conversation_id": "conv_5",
            "max_output_tokens": 200,
            "stream": True,
            "finish_reason": "stop",
            "first_output_ms": 250.0,
            "cached_input_tokens": 64,
            "cache_write_tokens": 8,
            "reasoning_tokens": 30,
            "tokens_reported": True,
        },
    ),
    "OpenTelemetry, before 2025": (
        {
            "gen_ai.operation.name": "text_completion",
            "gen_ai.system": "az.ai.openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 120,
            "gen_ai.usage.completion_tokens": 40,
        },
        {**_OPENAI, "provider": "azure", "operation": "completion"},
    ),
    "OpenInference, model": (
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "mistralai",
            "llm.system": "openai",
            "llm.model_name": "mistral-small-latest",
            "llm.token_count.prompt": 120,
            "llm.token_count.completion": 40,
            "llm.token_count.total": 160,
            "llm.token_count.prompt_details.cache_read": 20,
            "llm.token_count.completion_details.reasoning": 11,
            "llm.finish_reason": "stop",
            "llm.cost.total": 0.0005,
            "session.id": "s-1",
        },
        {
            "provider": "mistral",
            "model_requested": "mistral-small-latest",
            "input_tokens": 120,
            "output_tokens": 40,
            "cached_input_tokens": 20,
            "reasoning_tokens": 11,
            "cost": 0.0005,
            "cost_currency": "USD",
            "conversation_id": "s-1",
        },
    ),
    "OpenInference, embedding": (
        {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "bge-m3", "llm.token_count.prompt": 7},
        {"operation": "embeddings", "model_requested": "bge-m3", "input_tokens": 7, "output_tokens": None},
    ),
    "OpenLLMetry": (
        {
            "gen_ai.system": "anthropic",
            "llm.request.type": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.id": "msg_01",
            "gen_ai.usage.prompt_tokens": 120,
            "gen_ai.usage.completion_tokens": 40,
            "llm.usage.total_tokens": 160,
            "gen_ai.usage.cache_read_input_tokens": 100,
            "gen_ai.usage.cache_creation_input_tokens": 5,
            "llm.is_streaming": False,
        },
        {
            "provider": "anthropic",
            "operation": "chat",
            "response_id": "msg_01",
            "input_tokens": 120,
            "cached_input_tokens": 100,
            "cache_write_tokens": 5,
            "output_tokens": 40,
            "stream": False,
        },
    ),
    "AI SDK": (
        {
            "operation.name": "ai.streamText.doStream my-function",
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.provider": "openai.chat",
            "ai.model.id": "gpt-4o",
            "ai.response.id": "chatcmpl-9",
            "ai.response.model": "gpt-4o-2024-11-20",
            "ai.response.msToFirstChunk": 133.5,
            "ai.response.finishReason": "stop",
            "ai.usage.inputTokens": 120,
            "ai.usage.outputTokens": 40,
            "ai.usage.cachedInputTokens": 5,
            "ai.usage.reasoningTokens": 6,
        },
        {
            **_OPENAI,
            "response_id": "chatcmpl-9",
            "first_output_ms": 133.5,
            "finish_reason": "stop",
            "cached_input_tokens": 5,
            "reasoning_tokens": 6,
        },
    ),
    "LangSmith": (
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "google_genai",
            "langsmith.metadata.ls_model_name": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 40,
        },
        {"provider": "google", "model_requested": "gemini-2.5-flash", "input_tokens": 120, "output_tokens": 40},
    ),
    "vLLM's own server": (
        {
            "gen_ai.request.id": "chatcmpl-77",
            "gen_ai.response.model": "mistralai/Mistral-7B",
            "gen_ai.usage.prompt_tokens": 120,
            "gen_ai.usage.completion_tokens": 40,
            "gen_ai.latency.time_to_first_token": 0.03,
        },
        {"response_id": "chatcmpl-77", "model_answered": "mistralai/Mistral-7B", "first_output_ms": 30.0},
    ),
    "Mesure's own names": (
        {
            "mesure.operation": "classification",
            "mesure.task": "topic",
            "mesure.team": "support",
            "mesure.use_case": "triage",
            "mesure.user": "jeanne",
            "mesure.energy_j": 1.5,
            "mesure.energy_status": "measured",
            "mesure.input_items": 32,
            "mesure.labels.shop": "Lille",
            "mesure.source": "hook",
            "mesure.id": "not to be taken",
            "mesure.input_tokens": -3,
        },
        {
            "operation": "classification",
            "task": "topic",
            "team": "support",
            "use_case": "triage",
            "user": "u-6",
            "energy_j": 1.5,
            "energy_status": "measured",
            "input_items": 32,
            "labels": {"shop": "Lille"},
            "source": "hook",
            "input_tokens": None,
        },
    ),
}


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "binary"])
@pytest.mark.parametrize("vocabulary", _SPANS)
def test_each_vocabulary(vocabulary: str, as_json: bool) -> None:
    sent, recorded = _SPANS[vocabulary]
    event = event_of(sent, as_json=as_json)
    assert {name: getattr(event, name) for name in recorded} == recorded
    assert (event.trace_id, event.span_id, event.application) == (TRACE, SPAN, "assistant")
    assert event.duration_ms == 2000.0
    assert event.source == recorded.get("source", "otlp")


@pytest.mark.parametrize(
    "kind",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": "create_agent"},
        {"gen_ai.operation.name": "retrieval"},
        {"openinference.span.kind": "CHAIN"},
        {"openinference.span.kind": "AGENT"},
        {"openinference.span.kind": "TOOL"},
        {"traceloop.span.kind": "workflow"},
        {"traceloop.span.kind": "agent", "gen_ai.operation.name": "chat"},
        {"langsmith.span.kind": "chain"},
        {"ai.operationId": "ai.generateText", "langsmith.span.kind": "llm"},
        {"operation.name": "ai.toolCall"},
        {"gen_ai.agent.name": "planner"},
        {"gen_ai.tool.name": "search"},
        {"mesure.operation": "no such operation"},
    ],
    ids=str,
)
def test_what_repeats_the_tokens_of_calls_inside_is_none(kind: dict[str, Any]) -> None:
    shelf = Shelf()
    counts = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 9}
    taken = take(new_intake(shelf), "traces", traces(span({**counts, **kind})))
    assert (taken.booked, taken.ignored, taken.rejected, shelf.events) == (0, 1, 0, [])


def test_a_span_of_something_else_is_none() -> None:
    shelf = Shelf()
    taken = take(new_intake(shelf), "traces", traces(span({"http.request.method": "GET"}), span({})))
    assert (taken.booked, taken.ignored, shelf.events) == (0, 2, [])


@pytest.mark.parametrize(
    ("sent", "tokens"),
    [
        # Caches told beside the input, which only the total shows
        ({"input": 10, "output": 5, "total": 45, "cached": 30}, (40, 30, 5, None)),
        ({"input": 40, "output": 5, "total": 45, "cached": 30}, (40, 30, 5, None)),
        # Caches beside the input, larger than it
        ({"input": 10, "output": 5, "cached": 30}, (40, 30, 5, None)),
        # Reasoning beside the output
        ({"input": 10, "output": 5, "total": 27, "reasoning": 12}, (10, None, 17, 12)),
        ({"input": 10, "output": 5, "reasoning": 12}, (10, None, 17, 12)),
        ({"input": 10, "output": 17, "total": 27, "reasoning": 12}, (10, None, 17, 12)),
        # Nothing was told: an empty input is no count
        ({"input": 0, "output": 0}, (None, None, None, None)),
        ({"input": 0, "output": 5}, (None, None, 5, None)),
        ({"input": "12", "output": "5.0"}, (12, None, 5, None)),
        ({"input": -1, "output": 2.5}, (None, None, None, None)),
        ({"input": 1 << 62, "output": True}, (None, None, None, None)),
    ],
)
def test_sub_counts_are_subsets(sent: dict[str, Any], tokens: tuple[int | None, ...]) -> None:
    names = {
        "input": "gen_ai.usage.input_tokens",
        "output": "gen_ai.usage.output_tokens",
        "total": "gen_ai.usage.total_tokens",
        "cached": "gen_ai.usage.cache_read.input_tokens",
        "reasoning": "gen_ai.usage.reasoning.output_tokens",
    }
    told = {names[name]: value for name, value in sent.items()} | {"gen_ai.operation.name": "chat"}
    event = event_of(told)
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens, event.reasoning_tokens) == tokens
    assert event.tokens_reported is (True if any(tokens) else None)


@pytest.mark.parametrize(
    ("more", "attributes", "recorded"),
    [
        ({"status": {"code": 2}}, {"error.type": "RateLimitError"}, ("error", "RateLimitError", 0, None)),
        ({"status": {"code": 2}}, {"error.type": "openai.NotFoundError"}, ("error", "openai.NotFoundError", 0, None)),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, {"error.type": "Timeout"}, ("error", "Timeout", None, None)),
        ({}, {"http.response.status_code": 429}, ("error", None, 0, 429)),
        ({}, {"http.response.status_code": 408}, ("error", None, None, 408)),
        ({}, {"http.response.status_code": 503}, ("error", None, None, 503)),
        ({}, {"http.response.status_code": 200}, ("ok", None, None, 200)),
    ],
)  # fmt: skip
def test_a_refusal_is_a_known_zero_and_another_failure_unknown(
    more: dict[str, Any], attributes: dict[str, Any], recorded: tuple[Any, ...]
) -> None:
    event = event_of({"gen_ai.operation.name": "chat", **attributes}, **more)
    assert (event.status, event.error_type, event.input_tokens, event.http_status) == recorded


def test_who_it_was_for_comes_from_the_span_then_from_its_resource() -> None:
    shelf = Shelf()
    intake = new_intake(
        shelf, team_attributes=["org.unit"], user_attributes=["enduser.id"], contact_attributes=["crm.id"]
    )
    resource = {
        "service.name": "unknown_service:python",
        "org.unit": "north",
        "deployment.environment.name": "Staging",
        "cloud.region": "eu-west-3",
    }
    told = {"gen_ai.operation.name": "chat", "enduser.id": "someone", "crm.id": "C-9", "deployment.environment": "prod"}
    first, second = span(told), span(told | {"org.unit": "south"}, spanId=PARENT)
    take(intake, "traces", traces(first, second, resource=resource))
    assert [event.team for event in shelf.events] == ["north", "south"]
    event = shelf.events[0]
    assert (event.user, event.contact_id, event.environment) == ("u-7", "C-9", "production")
    assert event.application is None
    assert event.host_region is None, "the caller's region is not the model's"


@pytest.mark.parametrize(
    ("address", "kind", "region"),
    [
        ("bedrock-runtime.eu-west-3.amazonaws.com", 3, "eu-west-3"),
        ("europe-west9-aiplatform.googleapis.com", 3, "europe-west9"),
        ("api.openai.com", 3, None),
        ("evil.eu-west-3.amazonaws.com.example", 3, None),
        ("127.0.0.1", 2, "fr-par"),
    ],
)
def test_where_the_model_ran(address: str, kind: int, region: str | None) -> None:
    told = {"gen_ai.operation.name": "chat", "server.address": address}
    assert event_of(told, kind=kind, resource={"cloud.region": "fr-par"}).host_region == region


def test_no_text_of_a_prompt_or_an_answer_is_kept() -> None:
    secret = "the customer's secret"
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.input.messages": secret,
        "gen_ai.output.messages": secret,
        "gen_ai.system_instructions": secret,
        "gen_ai.prompt.0.content": secret,
        "gen_ai.completion.0.content": secret,
        "llm.input_messages.0.message.content": secret,
        "llm.prompts": secret,
        "input.value": secret,
        "output.value": secret,
        "ai.prompt": secret,
        "ai.response.text": secret,
        "traceloop.entity.input": secret,
        "exception.message": secret,
        "gen_ai.request.model": secret * 20,  # too long for a name
        "mesure.prompt": secret,
    }
    events = [{"name": "gen_ai.user.message", "timeUnixNano": "5", "attributes": []}]
    for as_json in (True, False):
        event = event_of(told, as_json=as_json, events=events)
        assert secret not in repr(event)
        assert event.model_requested is None


def test_a_stream_that_tells_its_first_token_as_an_event() -> None:
    first = {"name": "First Token Stream Event", "timeUnixNano": str(NOW_NS + SECOND // 2)}
    for as_json in (True, False):
        event = event_of({"openinference.span.kind": "LLM"}, as_json=as_json, events=[first])
        assert event.first_output_ms == 500.0
