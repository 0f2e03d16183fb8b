"""Instrumentors of AI clients that are installed: found by their entry points, one for each client."""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.meter.otlp.conventions import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.trace import TracerProvider

__all__ = ["Found", "activate", "find"]

log = logging.getLogger("mesure.sdk")

_GROUP = "opentelemetry_instrumentor"
#: By who writes them. OpenInference's come first: they see the most ways of making a call, and say nothing in the log.
_MAKERS = ("openinference.instrumentation.", "opentelemetry.instrumentation.")
_CLIENTS = frozenset(
    {"alephalpha", "anthropic", "bedrock", "cohere", "google_genai", "google_generativeai", "groq", "huggingface"}
    | {"litellm", "mistralai", "ollama", "openai", "portkey", "replicate", "sagemaker", "together", "vertexai"}
    | {"voyageai", "watsonx", "writer"}
)
_SAME = {"openai_v2": "openai", "google_genai_sdk": "google_genai", "botocore": "bedrock", "llamaindex": "llama_index"}
_NO_TEXTS = {
    "TRACELOOP_TRACE_CONTENT": "false",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
}


class Found(NamedTuple):
    """An instrumentor: the client it is for, its module, and what makes it."""

    client: str
    module: str
    entry: Any


def find(only: Collection[str] | None = None) -> list[Found]:
    """One instrumentor a client, in the order of their names. `only`: names of clients or of modules."""
    best: dict[str, Found] = {}
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: _rank(entry.value)):
        module = entry.value.partition(":")[0]
        maker = next((maker for maker in _MAKERS if module.startswith(maker)), None)
        name = module.removeprefix(maker or "").partition(".")[0]
        client = _SAME.get(name, name)
        if maker is None or client not in _CLIENTS | FRAMEWORKS:
            continue
        if only is None or client in only or module in only:
            best.setdefault(client, Found(client, module, entry))
    found = sorted(best.values(), key=lambda one: one.client)
    clients = [one for one in found if one.client in _CLIENTS]
    return found if only is not None else clients or found


def _rank(value: str) -> tuple[int, str]:
    maker = next((rank for rank, maker in enumerate(_MAKERS) if value.startswith(maker)), len(_MAKERS))
    return (maker + 2 * ("_v2" in value), value)


def activate(found: Found, provider: TracerProvider | None, *, with_texts: bool) -> str | None:
    """Switch it on; None when done, else why not. One that is on already stays as it is: nothing is wrapped twice."""
    from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

    try:
        if not with_texts:
            for name, value in _NO_TEXTS.items():
                os.environ.setdefault(name, value)
        instrumentor = found.entry.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            return None
        if conflict := get_dependency_conflicts(instrumentor.instrumentation_dependencies()):
            return str(conflict)
        instrumentor.instrument(tracer_provider=provider)
    except Exception as error:  # noqa: BLE001  (a package of somebody else, that may lack another)
        return f"{type(error).__name__}: {error}"
    return None
