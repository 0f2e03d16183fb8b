"""Names that telemetry and gateways give to providers -> the catalogue's, so that one call has one identity."""

from __future__ import annotations

__all__ = ["catalogue_provider", "region_in_address"]

import re

#: Spoken in OpenTelemetry's conventions old and new, OpenInference, OpenLLMetry, LiteLLM, LangChain, the AI SDK.
_SPOKEN = {
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "aws": "amazon-bedrock",
    "aws.bedrock": "amazon-bedrock",
    "aws_bedrock": "amazon-bedrock",
    "bedrock": "amazon-bedrock",
    "bedrock_converse": "amazon-bedrock",
    "amazon_bedrock": "amazon-bedrock",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "google_genai": "google",
    "google.generative-ai": "google",
    "gcp.vertex_ai": "vertex-ai",
    "google_vertexai": "vertex-ai",
    "google-vertex": "vertex-ai",
    "google.vertex": "vertex-ai",
    "vertex_ai": "vertex-ai",
    "vertexai": "vertex-ai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "xai",
    "x-ai": "xai",
    "together": "togetherai",
    "together_ai": "togetherai",
    "fireworks": "fireworks-ai",
    "fireworks_ai": "fireworks-ai",
    "hugging_face": "huggingface",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "hosted_vllm": "vllm",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
    "cohere_chat": "cohere",
}
#: Frameworks stand between an app and its provider: their name says nothing of who answers.
_FRAMEWORKS = frozenset({"langchain", "llama_index", "llamaindex", "crewai", "haystack", "litellm", "dspy", "_other"})
#: Addresses that name the cloud region that answers.
_ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        r"bedrock[a-z-]*\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?",
        r"([a-z]+-[a-z]+\d+)-aiplatform\.googleapis\.com",
        r"([a-z]+)\.api\.cognitive\.microsoft\.com",
        r"[a-z0-9-]+\.([a-z0-9]+)\.models\.ai\.azure\.com",
    )
)


def catalogue_provider(spoken: str | None) -> str | None:
    """The catalogue's name; an unknown one as it is, in small letters. The AI SDK's `openai.chat` is openai."""
    name = (spoken or "").strip().casefold()
    if not name or name in _FRAMEWORKS:
        return None
    if name in _SPOKEN:
        return _SPOKEN[name]
    maker, _, _api = name.rpartition(".")
    return _SPOKEN.get(maker, maker) if maker and maker != "ibm" else name


def region_in_address(address: str | None) -> str | None:
    """The cloud region that a server's address states, None where it states none."""
    if not address:
        return None
    host = address.casefold().partition("//")[2].partition("/")[0] or address.casefold()
    return next((found[1] for pattern in _ADDRESSES if (found := pattern.fullmatch(host.partition(":")[0]))), None)
