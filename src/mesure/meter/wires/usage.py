"""Usage objects of OpenAI's wire, in the spellings its many implementations give them, as `UsageEvent` fields.

Sub-counts come out as subsets: cached tokens are part of the input, reasoning tokens of the output. Providers that
report them apart are recognised by their own totals. A count that is absent stays absent: unknown is never zero.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["count", "reported", "seconds", "timings_facts", "usage_facts"]

Facts = dict[str, Any]

#: No call has so many. Beyond 2^53 an event could not be written at all, and sums of two counts stay below it.
_MOST = 1 << 50
#: Members of a usage object by the field they fill. Later spellings do not replace a count already known.
_TOP = {
    "prompt_tokens": "input_tokens",
    "input_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "prompt_cache_hit_tokens": "cached_input_tokens",  # DeepSeek
    "cache_read_input_tokens": "cached_input_tokens",  # LiteLLM
    "cached_tokens": "cached_input_tokens",  # Moonshot
    "num_cached_tokens": "cached_input_tokens",  # Mistral
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "total_tokens": "total_tokens",
}
_INPUT_DETAILS = {
    "cached_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "audio_tokens": "input_audio_tokens",
    "image_tokens": "input_image_tokens",
}
_OUTPUT_DETAILS = {
    "reasoning_tokens": "reasoning_tokens",
    "audio_tokens": "output_audio_tokens",
    "image_tokens": "output_image_tokens",
}
_DETAILS = {
    "prompt_tokens_details": _INPUT_DETAILS,
    "input_tokens_details": _INPUT_DETAILS,
    "input_token_details": _INPUT_DETAILS,
    "completion_tokens_details": _OUTPUT_DETAILS,
    "output_tokens_details": _OUTPUT_DETAILS,
    "output_token_details": _OUTPUT_DETAILS,
}


def count(value: object) -> int | None:
    """A whole number of things, zero or more; None for anything else. True is not a count, nor is 10^30."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return int(value) if value == int(value) else None


def usage_facts(usage: object) -> Facts:
    """Token fields of `UsageEvent` from a `usage` object; empty when it holds no count.

    Understands chat, completions, embeddings, responses and images of OpenAI and the dialects of vLLM, llama.cpp,
    Ollama, Mistral, DeepSeek, xAI, Moonshot, OpenRouter, LiteLLM and Gemini's compatible endpoint.
    """
    if not isinstance(usage, dict):
        return {}
    facts: Facts = {}
    for name, value in usage.items():
        if isinstance(value, dict) and (fields := _DETAILS.get(name)) is not None:
            _take(value, fields, facts)
    _take(usage, _TOP, facts)
    total = facts.pop("total_tokens", None)
    if seconds(usage.get("prompt_audio_seconds")):
        _include_heard(facts, total)
    else:
        _include_apart(facts, total)
    return reported(facts)


def timings_facts(timings: object) -> Facts:
    """llama.cpp's `timings`, sent without usage. Without `cache_n` the input is known only in part: left out."""
    if not isinstance(timings, dict):
        return {}
    fresh, cached, output = (count(timings.get(name)) for name in ("prompt_n", "cache_n", "predicted_n"))
    facts: Facts = {}
    if fresh is not None and cached is not None:
        facts = {"input_tokens": fresh + cached, "cached_input_tokens": cached}
    if output is not None:
        facts["output_tokens"] = output
    return reported(facts)


def reported(facts: Facts) -> Facts:
    """The same facts, said to be the provider's own counts when there are any."""
    if facts:
        facts["tokens_reported"] = True
    return facts


def seconds(value: object) -> float | None:
    """A duration in seconds, above zero and below a year; numbers written as text are taken too."""
    try:
        duration = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return duration if 0 < duration < 3.2e7 else None


def _include_heard(facts: Facts, total: int | None) -> None:
    """Mistral counts what it heard in the total alone."""
    given_in, given_out = facts.get("input_tokens"), facts.get("output_tokens")
    if given_in is not None and given_out is not None and total is not None and total > given_in + given_out:
        facts["input_audio_tokens"] = total - given_in - given_out
        facts["input_tokens"] = total - given_out


def _include_apart(facts: Facts, total: int | None) -> None:
    """Move counts reported beside input or output into them."""
    given_in, given_out = facts.get("input_tokens"), facts.get("output_tokens")
    if given_in is not None and given_out is not None and total is not None and total > given_in + given_out:
        hidden = total - given_in - given_out
        if facts.get("reasoning_tokens", hidden) == hidden:  # xAI reports it apart; Gemini only in the total
            facts["output_tokens"], facts["reasoning_tokens"] = given_out + hidden, hidden
    for part, whole in (("reasoning_tokens", "output_tokens"), ("cached_input_tokens", "input_tokens")):
        if facts.get(part, 0) > facts.get(whole, math.inf):
            facts[whole] += facts[part]
    for part in ("input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens"):
        if part in facts and facts[part] > facts.get(part.partition("_")[0] + "_tokens", math.inf):
            del facts[part]


def _take(holder: dict[str, Any], fields: dict[str, str], facts: Facts) -> None:
    for name, given in holder.items():
        field = fields.get(name)
        if field is not None and field not in facts and (value := count(given)) is not None:
            facts[field] = value
