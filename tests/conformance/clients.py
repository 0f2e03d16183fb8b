"""Calls through the providers' own client libraries, each at an address, and what they parsed as plain values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from replay import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Call = Callable[[str], Any] if TYPE_CHECKING else object
_HEADERS = re.compile(r"headers: \{.*?\}, ")
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+(/providers/[\w.\-]+)?(/v1)?")


def plain(value: Any) -> Any:
    """What a client parsed, as values that compare."""
    if value is None or isinstance(value, str | int | float | bool | bytes):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "sdk_http_response"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(exclude={"sdk_http_response"}))
    return plain(vars(value))


def listed(stream: Iterable[Any]) -> list[Any]:
    return [plain(piece) for piece in stream]


def outcome(call: Callable[[str], Any], address: str) -> tuple[str, Any]:
    """(kind of result, result) of a call: an exception is its type and its text, addresses aside."""
    try:
        return "result", call(address)
    except Exception as error:  # noqa: BLE001  (clients raise errors of their own)
        return type(error).__name__, _HEADERS.sub("", _ADDRESS.sub("ADDRESS", str(error)))


def openai_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        import openai

        with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0) as client:
            return make(client)

    return call


def azure_client(make: Callable[[Any], Any], version: str = "2024-10-21") -> Callable[[str], Any]:
    def call(address: str) -> Any:
        import openai

        with openai.AzureOpenAI(azure_endpoint=address, api_key=KEY, api_version=version, max_retries=0) as client:
            return make(client)

    return call


def anthropic_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        import anthropic

        with anthropic.Anthropic(base_url=address, api_key=KEY, max_retries=0) as client:
            return make(client)

    return call


def gemini_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        from google import genai

        with genai.Client(api_key=KEY, http_options={"base_url": address}) as client:
            return make(client)

    return call


def mistral_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        from mistralai.client import Mistral

        with Mistral(api_key=KEY, server_url=address) as client:
            return make(client)

    return call


def cohere_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        import cohere

        with cohere.ClientV2(api_key=KEY, base_url=address) as client:
            return make(client)

    return call


def ollama_client(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(address: str) -> Any:
        import ollama

        with ollama.Client(host=address) as client:
            return make(client)

    return call


def huggingface_client(make: Callable[[Any], Any], path: str = "") -> Callable[[str], Any]:
    def call(address: str) -> Any:
        from huggingface_hub import InferenceClient

        with InferenceClient(model=address + path, token=KEY) as client:
            return make(client)

    return call


def http(method: str, path: str, body: Any = None) -> Callable[[str], Any]:
    """Servers without a client library of their own: the answer as it came."""

    def call(address: str) -> Any:
        import httpx2

        answer = httpx2.request(method, address + path, json=body, headers={"authorization": f"Bearer {KEY}"})
        return answer.status_code, answer.headers["content-type"], answer.content

    return call
