"""Usage objects of OpenAI's wire, in the spellings its many implementations give them, as `UsageEvent` fields.

Sub-counts come out as subsets: cached tokens are part of the input, reasoning tokens of the output. Providers that
report them apart are recognised by their own totals. A count that is absent stays absent: unknown is never zero.
"""

from __future__ import annotations

from typing import Any

__all__ = ["count", "ollama_facts", "timings_facts", "usage_facts"]

Facts = dict[str, Any]

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")  # DeepSeek; LiteLLM; Moonshot
_CACHE_WRITE = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")


def count(value: object) -> int | None:
    """A whole number of things, zero or more; None for anything else. True is not a count."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value >= 0 else None
    if isinstance(value, float) and value >= 0 and value.is_integer():
        return int(value)
    return None


def usage_facts(usage: object) -> Facts:
    """Token fields of `UsageEvent` from a `usage` object; empty when it holds no count.

    Understands chat, completions, embeddings, responses and images of OpenAI and the dialects of vLLM, llama.cpp,
    Ollama, Mistral, DeepSeek, xAI, Moonshot, OpenRouter, LiteLLM and Gemini's compatible endpoint.
    """
    if not isinstance(usage, dict):
        return {}
    inputs, outputs = _first_dict(usage, _INPUT_DETAILS), _first_dict(usage, _OUTPUT_DETAILS)
    facts: Facts = {
        "input_tokens": _first(usage, _INPUT),
        "output_tokens": _first(usage, _OUTPUT),
        "cached_input_tokens": _known(_first(inputs, ("cached_tokens",)), _first(usage, _CACHED)),
        "cache_write_tokens": _known(_first(inputs, _CACHE_WRITE), _first(usage, _CACHE_WRITE)),
        "reasoning_tokens": _known(_first(outputs, ("reasoning_tokens",)), _first(usage, ("reasoning_tokens",))),
        "input_audio_tokens": _first(inputs, ("audio_tokens",)),
        "output_audio_tokens": _first(outputs, ("audio_tokens",)),
        "input_image_tokens": _first(inputs, ("image_tokens",)),
        "output_image_tokens": _first(outputs, ("image_tokens",)),
    }
    _include_apart(facts, _first(usage, ("total_tokens",)))
    return _reported({name: value for name, value in facts.items() if value is not None})


def timings_facts(timings: object) -> Facts:
    """llama.cpp's `timings`, sent without usage. Without `cache_n` the input is known only in part: left out."""
    if not isinstance(timings, dict):
        return {}
    fresh, cached, output = (_first(timings, (name,)) for name in ("prompt_n", "cache_n", "predicted_n"))
    facts: Facts = {}
    if fresh is not None and cached is not None:
        facts = {"input_tokens": fresh + cached, "cached_input_tokens": cached}
    if output is not None:
        facts["output_tokens"] = output
    return _reported(facts)


def ollama_facts(answer: dict[str, Any]) -> Facts:
    """Counts of Ollama's own wire, which stand beside the answer."""
    facts = {"input_tokens": count(answer.get("prompt_eval_count")), "output_tokens": count(answer.get("eval_count"))}
    return _reported({name: value for name, value in facts.items() if value is not None})


def _include_apart(facts: Facts, total: int | None) -> None:
    """Move counts reported beside input or output into them."""
    given_in, given_out = facts["input_tokens"], facts["output_tokens"]
    reasoning, cached = facts["reasoning_tokens"], facts["cached_input_tokens"]
    if given_in is not None and given_out is not None and total is not None and total > given_in + given_out:
        hidden = total - given_in - given_out
        if reasoning is None or reasoning == hidden:  # xAI reports it apart; Gemini only in the total
            facts["output_tokens"], facts["reasoning_tokens"] = given_out + hidden, hidden
    if (output := facts["output_tokens"]) is not None and (reasoning or 0) > output:
        facts["output_tokens"] = output + reasoning
    if given_in is not None and (cached or 0) > given_in:
        facts["input_tokens"] = given_in + cached
    for part in ("audio", "image"):
        for side in ("input", "output"):
            whole = facts[f"{side}_tokens"]
            if whole is not None and (facts[f"{side}_{part}_tokens"] or 0) > whole:
                facts[f"{side}_{part}_tokens"] = None


def _reported(facts: Facts) -> Facts:
    if facts:
        facts["tokens_reported"] = True
    return facts


def _known(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _first(holder: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if (value := count(holder.get(name))) is not None:
            return value
    return None


def _first_dict(holder: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        if isinstance(value := holder.get(name), dict):
            return value
    return {}
