"""Who answers the demonstration's calls: the local model, an address that was given, or a provider with a key."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.demo.model_server import MODEL_NAME, ModelServer
from mesure.apps.demo.prompts import Target
from mesure.apps.demo.weights import DemoError, why_no_local_model
from mesure.config import ProviderSettings
from mesure.i18n import mark
from mesure.meter.sensors import CallMeter, best_source, why_no_rapl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mesure.apps.demo.options import DemoOptions

__all__ = ["Backend", "open_backend"]

#: variable -> (provider, base address, chat model, embeddings model)
_KEYS = {
    "MISTRAL_API_KEY": ("mistral", "https://api.mistral.ai/v1", "mistral-small-latest", "mistral-embed"),
    "OPENAI_API_KEY": ("openai", "https://api.openai.com/v1", "gpt-4.1-mini", "text-embedding-3-small"),
}


class Backend(NamedTuple):
    """A provider ready to be called: its settings, its models, and its energy meter when it runs on this machine."""

    name: str
    provider: ProviderSettings
    target: Target
    meter: CallMeter | None = None
    ready_s: float | None = None
    why_not_measured: str | None = None

    @property
    def local(self) -> bool:
        return self.meter is not None


@contextmanager
def open_backend(options: DemoOptions, environ: Mapping[str, str], log: Path) -> Iterator[Backend]:
    """The upstream that was given, else the local model, else a provider whose key is in the environment.

    Raises `DemoError` when there is none of them; the local model's process ends with the block.
    """
    missing = why_no_local_model()
    if options.upstream:
        yield _given(options)
    elif missing is None:
        with ModelServer(log) as server:
            yield _local(server)
    else:
        variable = next((name for name in _KEYS if environ.get(name)), None)
        if variable is None:
            raise missing
        yield _keyed(variable, options.model)


def _local(server: ModelServer) -> Backend:
    reason = why_no_rapl()
    return Backend(
        "local",
        ProviderSettings(
            base_url=f"{server.address}/v1", default=True, provider="local", meter_cpu_pid=server.pid, timeout_s=180.0
        ),
        Target(MODEL_NAME, MODEL_NAME),
        CallMeter(best_source(server.pid)),
        server.ready_s,
        reason.what if reason else None,
    )


def _keyed(variable: str, model: str) -> Backend:
    name, address, chat, embeddings = _KEYS[variable]
    return Backend(
        name,
        ProviderSettings(base_url=address, default=True, provider=name, api_key_env=variable),
        Target(model or chat, embeddings, completions=False),
    )


def _given(options: DemoOptions) -> Backend:
    address = options.upstream.rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise DemoError(
            mark("The upstream must be an http or https address"),
            value=options.upstream,
            action=mark("Give the provider's address, with /v1 if it has one"),
            code="demo_upstream",
        )
    model = options.model or _first_model(address)
    return Backend("upstream", ProviderSettings(base_url=address, default=True), Target(model, completions=False))


def _first_model(address: str) -> str:
    """The first model that the upstream lists. `DemoError` when it lists none."""
    try:
        with urllib.request.urlopen(f"{address}/models", timeout=10) as answer:  # noqa: S310  (http(s) checked)
            return str(json.load(answer)["data"][0]["id"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DemoError(
            mark("The upstream does not list its models"),
            value=f"{address}/models: {reason}",
            action=mark("Check the address, or name a model with --model"),
            code="demo_upstream",
        ) from None
