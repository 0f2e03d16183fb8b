"""What attributes mean: OpenTelemetry's GenAI conventions old and new, OpenInference, OpenLLMetry, LangSmith, AI SDK.

Each field has the names that fill it, in the order of preference. Nothing that holds content has a name here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.usage import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.meter.otlp.records import Attributes
    from mesure.record import Operation

__all__ = ["ENVIRONMENT", "FRAMEWORKS", "NAMES", "TOKEN_USAGE", "counted", "number", "operation_of", "text", "truth"]

#: Instrumentations of frameworks, by the last part of their scope: they stand around clients, and tell calls again.
FRAMEWORKS = frozenset(
    {"agno", "autogen", "beeai", "crewai", "dspy", "guardrails", "haystack", "langchain", "llama_index", "llamaindex"}
    | {"smolagents"}
)
#: The histogram of tokens that GenAI clients record.
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105  (of a model)

_TEXTS = {
    "response_id": ("gen_ai.response.id", "ai.response.id"),
    "model_requested": (
        "gen_ai.request.model",
        "llm.request.model_name",
        "llm.request.model",
        "ai.model.id",
        "langsmith.metadata.ls_model_name",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "model",
    ),
    "model_answered": ("gen_ai.response.model", "llm.response.model_name", "llm.response.model", "ai.response.model"),
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.vendor",
        "langsmith.metadata.ls_provider",
        "ai.model.provider",
        "llm.system",
    ),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "reasoning_effort": (
        "gen_ai.request.reasoning_effort",
        "gen_ai.response.reasoning_effort",
        "llm.request.reasoning_effort",
    ),
    "error_type": ("error.type",),
    "finish_reason": (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "gen_ai.response.stop_reason",
        "llm.response.finish_reason",
        "llm.finish_reason",
        "ai.response.finishReason",
    ),
    "address": ("server.address", "gen_ai.openai.api_base"),
    "region": ("cloud.region", "gen_ai.request.region"),
    "agent": ("gen_ai.agent.name", "agent.name"),
}
_COUNTS = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
    "cached_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "input_audio_tokens": ("llm.token_count.prompt_details.audio",),
    "output_audio_tokens": ("llm.token_count.completion_details.audio",),
    "max_output_tokens": (
        "gen_ai.request.max_tokens",
        "gen_ai.request.max_completion_tokens",
        "llm.request.max_tokens",
        "ai.settings.maxOutputTokens",
        "ai.settings.maxTokens",
    ),
    "http_status": ("http.response.status_code", "http.status_code"),
}
_NUMBERS = {
    "first_output_s": ("gen_ai.response.time_to_first_chunk", "gen_ai.latency.time_to_first_token"),
    "first_output_ms": ("ai.response.msToFirstChunk",),
    "cost": ("llm.cost.total", "gen_ai.usage.cost"),  # both are in US dollars
}
_TRUTHS = {"stream": ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")}
#: Where a resource says it runs: the last two are the present name and the one before it.
ENVIRONMENT = ("deployment.environment.name", "deployment.environment")

NAMES: dict[str, tuple[str, ...]] = {**_TEXTS, **_COUNTS, **_NUMBERS, **_TRUTHS}

_OPERATION, _KIND, _FLOW = "gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind"
_REQUEST, _SMITH = "llm.request.type", "langsmith.span.kind"
_SDK = ("ai.operationId", "operation.name")
#: Attributes that say what kind of work a span is, and one more that tells tokens in histograms.
KINDS = (_OPERATION, _KIND, _FLOW, _REQUEST, _SMITH, *_SDK, "gen_ai.tool.name", "gen_ai.token.type")

_CALLS: dict[str, dict[str, Operation]] = {
    _OPERATION: {
        "chat": "chat",
        "generate_content": "chat",
        "text_completion": "completion",
        "completion": "completion",
        "embeddings": "embeddings",
        "embedding": "embeddings",
        "image_generation": "image",
        "generate_image": "image",
        "transcription": "transcription",
        "speech": "speech",
        "rerank": "rerank",
        "responses": "chat",
        "llm_request": "chat",
    },
    _KIND: {"LLM": "chat", "EMBEDDING": "embeddings", "RERANKER": "rerank", "DECISION": "classification"},
    _REQUEST: {"chat": "chat", "completion": "completion", "embedding": "embeddings", "rerank": "rerank"},
    _SMITH: {"llm": "chat", "embedding": "embeddings"},
}
_SDK_CALLS: dict[str, Operation] = {
    ".doGenerate": "chat",
    ".doStream": "chat",
    ".doEmbed": "embeddings",
    ".doRerank": "rerank",
}


def operation_of(attributes: Attributes) -> Operation | None:
    """What was asked of a model; None for a span that is no call of one: an agent, a chain, a tool, a workflow.

    Such spans repeat the tokens of the calls inside them, and would count them twice.
    """
    for name in _SDK:
        if isinstance(said := attributes.get(name), str) and said.startswith("ai."):
            step = said.split(" ")[0]
            return next((operation for end, operation in _SDK_CALLS.items() if step.endswith(end)), None)
    if _FLOW in attributes:
        return None
    found: Operation | None = None
    for name, calls in _CALLS.items():
        if isinstance(said := attributes.get(name), str) and said:
            operation = calls.get(said) or calls.get(said.lower())
            if operation is None and not (name == _REQUEST or said.lower() == "unknown"):
                return None
            found = found or operation
    return found or ("chat" if _looks_like_a_call(attributes) else None)


def _looks_like_a_call(attributes: Attributes) -> bool:
    """Without a kind: tokens, and a model or a provider that counted them."""
    if "gen_ai.tool.name" in attributes or any(name in attributes for name in _TEXTS["agent"]):
        return False
    counted_here = any(name in attributes for field in ("input_tokens", "output_tokens") for name in _COUNTS[field])
    fields = ("model_requested", "model_answered", "provider")
    return counted_here and any(name in attributes for field in fields for name in _TEXTS[field] if "." in name)


def text(attributes: Attributes, names: Iterable[str]) -> str | None:
    """The first that is a text; of a list of texts, its first."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and (found := value.strip()):
            return found
    return None


def counted(attributes: Attributes, names: Iterable[str]) -> int | None:
    """The first that is a count: a whole number from zero on, as a number or as text."""
    for name in names:
        if (value := count(_numeric(attributes.get(name)))) is not None:
            return value
    return None


def number(attributes: Attributes, names: Iterable[str]) -> float | None:
    """The first that is a finite number, zero or more."""
    for name in names:
        value = _numeric(attributes.get(name))
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
            return float(value)
    return None


def truth(attributes: Attributes, names: Iterable[str]) -> bool | None:
    """The first that is true or false."""
    return next((value for name in names if isinstance(value := attributes.get(name), bool)), None)


def _numeric(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= 24:
        try:
            parsed = float(value)
        except ValueError:
            return None
        return parsed if math.isfinite(parsed) else None
    return value
