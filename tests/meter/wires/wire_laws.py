"""What every reader keeps to, whatever it is given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reader, Reading

#: Members that readers look at, so that random objects reach their code.
# fmt: off
_NAMES = [
    "id", "model", "modelVersion", "responseId", "usage", "usageMetadata", "choices", "candidates", "finishReason",
    "finish_reason", "stop_reason", "type", "event", "event_type", "message", "delta", "error", "code", "status",
    "response", "incomplete_details", "reason", "output", "results", "details", "token", "tokens", "generated_text",
    "prefill", "input_length", "generated_tokens", "done", "done_reason", "prompt_eval_count", "eval_count", "stop",
    "stop_type", "tokens_evaluated", "tokens_predicted", "timings", "prompt_n", "cache_n", "predicted_n",
    "billed_units", "cached_tokens", "meta", "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens",
    "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "iterations", "promptTokenCount",
    "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "cachedContentTokenCount",
    "toolUsePromptTokenCount", "promptTokensDetails", "candidatesTokensDetails", "modality", "tokenCount",
    "prompt_tokens_details", "input_tokens_details", "audio_tokens", "image_tokens", "reasoning_tokens",
    "thinking_tokens", "output_tokens_details", "data", "size", "seconds", "duration", "n", "input", "documents",
    "query", "object", "batch", "request_counts", "completed", "endpoint", "created_at", "in_progress_at",
    "completed_at", "background", "predictions", "embeddings", "content", "parts", "inlineData", "mimeType",
    "bytesBase64Encoded", "interaction", "outputs", "usage_info", "pages_processed", "connector_tokens",
    "prompt_audio_seconds", "custom_id", "result", "options", "num_predict", "stream", "system", "messages",
    "contents", "generationConfig", "requests", "succeeded_requests", "search_units", "texts", "images", "inputs",
    "parameters", "max_new_tokens", "thinking", "output_config", "reasoning", "effort"
]
# fmt: on
_WORDS = ["succeeded", "completed", "batch", "message_start", "message_delta", "compaction", "AUDIO", "IMAGE", "STOP"]
_WORDS += ["message-end", "stream-end", "conversation.response.done", "response.completed", "interaction.completed"]
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5000)
    | st.integers(2**50, 2**70)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(_WORDS)
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=25,
)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(st.sampled_from(_NAMES), ANYTHING, max_size=6)


def event_of(facts: Facts | None) -> UsageEvent:
    """The event that these facts make, which must be one that can be recorded."""
    given = {"id": new_id(), "started_at": datetime.now(UTC), **(facts or {})}
    return UsageEvent(**given).checked()


def read_in_pieces(reading: Reading, pieces: list[bytes]) -> bytes:
    """Feed a reading as the gateway does; returns what the client would get."""
    out = b"".join(reading.read(event) for piece in pieces for event in reading.split(piece))
    rest = reading.rest()
    return out + (reading.read(rest) if rest else b"")


def state_of(reading: Reading) -> tuple[Any, ...]:
    return (reading.facts, reading.deltas, reading.done, reading.finished, reading.usage, reading.error)


def begun(reader: Reader, media_type: str) -> Reading:
    reading = reader.stream_reading(media_type)
    assert reading is not None
    return reading
