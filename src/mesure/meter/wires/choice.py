"""Which reader a call has: by the wire its provider is configured with, its method and its path. Never by content."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from mesure.meter.wires.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesure.meter.wires.call import Facts, Reader

__all__ = ["WIRES", "Wire", "call_of"]


@dataclass(frozen=True, slots=True)
class Wire:
    """What a provider speaks: its readers, the first that knows a path reads it, and where it takes its key."""

    readers: tuple[Reader, ...]
    key_header: str = "authorization"  # there as "Bearer <key>"; alone in any other
    asks_usage: bool = False  # chat/completions take `stream_options.include_usage`
    comments: bool = False  # clients of OpenAI's and Anthropic's streams skip comments
    header_facts: Callable[[Iterable[tuple[bytes, bytes]]], Facts] | None = None


_OPENAI: tuple[Reader, ...] = (openai, responses, openai_media, openai_batches, responses_background)

#: By the `wire` of a provider in the configuration.
WIRES: dict[str, Wire] = {
    "openai": Wire(_OPENAI, asks_usage=True, comments=True),
    "azure": Wire(_OPENAI, "api-key", asks_usage=True, comments=True),
    "anthropic": Wire((anthropic, anthropic_batches), "x-api-key", comments=True),
    "gemini": Wire((gemini, *_OPENAI), "x-goog-api-key"),
    "mistral": Wire((mistral, *_OPENAI)),
    "cohere": Wire((cohere, *_OPENAI)),
    "huggingface": Wire((*_OPENAI, textgen), asks_usage=True, header_facts=textgen.header_facts),
    "tgi": Wire((*_OPENAI, textgen), asks_usage=True, header_facts=textgen.header_facts),
    "ollama": Wire((ollama, *_OPENAI, anthropic), asks_usage=True, comments=True),
    "llama.cpp": Wire((llamacpp, *_OPENAI, anthropic), asks_usage=True, comments=True),
    "vllm": Wire((*_OPENAI, anthropic), asks_usage=True, comments=True),
}

#: Segments of paths under which nothing is inferred: files, lists, settings, counts of tokens.
_MANAGEMENT = frozenset(
    {
        "assistants",
        "batch",
        "batches",
        "cachedContents",
        "computeTokens",
        "containers",
        "count_tokens",
        "countTokens",
        "datasets",
        "detokenize",
        "evals",
        "files",
        "fine_tuning",
        "health",
        "input_tokens",
        "jobs",
        "libraries",
        "metrics",
        "models",
        "operations",
        "organization",
        "organizations",
        "realtime",
        "skills",
        "slots",
        "threads",
        "tokenize",
        "tunedModels",
        "upload",
        "uploads",
        "vector_stores",
    }
)
_WORD = re.compile(r"[/:]")
#: The version of Azure's API from which streams may be asked for usage.
_AZURE_VERSION = re.compile(r"(?:^|&)api-version=(\d{4}-\d{2}-\d{2})")
_AZURE_SINCE = "2024-09-01"


@functools.lru_cache(maxsize=1024)
def call_of(wire: str, method: str, path: str, query: str = "") -> Call:
    """How a call is read and when it is booked. `path` is what follows the provider's base address.

    Remembered, and so shared: nobody changes its `facts`.
    """
    spoken = WIRES[wire]
    for reader in spoken.readers:
        if found := reader.known(method, path):
            asks = spoken.asks_usage and reader is openai and found.operation == "chat" and _takes_option(wire, query)
            comments = spoken.comments and reader in (openai, responses, anthropic)
            return Call(reader, found.operation, found.booking, found.facts or {}, asks, comments)
    managed = method != "POST" or not _MANAGEMENT.isdisjoint(_WORD.split(path))
    return Call(openai, "other", "never" if managed else "unknown", {}, asks_usage=False, comments=False)


def _takes_option(wire: str, query: str) -> bool:
    """Earlier versions of Azure's API refuse a request that asks for usage."""
    version = _AZURE_VERSION.search(query) if wire == "azure" else None
    return version is None or version[1] >= _AZURE_SINCE
