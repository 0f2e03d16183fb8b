"""Providers as configured, and which of them a path leads to. Addresses come from nowhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.gateway import refusals
from mesure.errors import ConfigError
from mesure.meter.wires.choice import WIRES, call_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.config import ProviderSettings, Settings
    from mesure.meter.wires.call import Call
    from mesure.record import Operation

__all__ = ["Provider", "Providers", "Route"]

#: Segments that climb, also percent-encoded, backslashes, and anything that is not visible ASCII.
_ESCAPING = re.compile(r"(?:^|/|%2f)(?:\.|%2e){1,2}(?:/|$|%2f)|\\|%5c|[^\x21-\x7e]", re.IGNORECASE)
#: Google takes a key there too: the client's gives way to the configured one.
_KEY_IN_QUERY = re.compile(r"(?:^|&)key=[^&]*")


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured provider, ready to be called."""

    name: str  # as in /providers/<name>/
    catalogue_name: str  # as the catalogue names it
    base_url: str  # without a slash at its end
    key: str
    settings: ProviderSettings

    @property
    def key_header(self) -> str:
        """Where its key goes."""
        return WIRES[self.settings.wire].key_header


class Route(NamedTuple):
    """Where one call goes: `url` is the provider's base address, the rest of the path and the query, unchanged."""

    provider: Provider
    url: str
    path: str  # the rest, without a slash at either end
    call: Call

    @property
    def operation(self) -> Operation:
        return self.call.operation

    @property
    def ai_call(self) -> bool:
        """Whether a model runs for it, whatever is answered."""
        return self.call.booking == "always"


class Providers:
    """All of them by name. Raises `ConfigError` when one has no address or its key is not where it should be."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self.by_name = {name: _provider(name, given, environ) for name, given in settings.providers.items()}
        self.default = next((self.by_name[name] for name, given in settings.providers.items() if given.default), None)

    def route(self, method: str, raw_path: str, query: str) -> Route:
        """The route of a path under /v1/ or /providers/<name>/. Raises `Refusal`."""
        kind, _, rest = raw_path.lstrip("/").partition("/")
        if kind == "v1":
            provider = self.default
            if provider is None:
                raise refusals.no_default_provider(self.by_name)
        else:
            name, _, rest = rest.partition("/")
            provider = self.by_name.get(name)
            if provider is None:
                raise refusals.unknown_provider(name, self.by_name)
        if _ESCAPING.search(rest):
            raise refusals.bad_path(rest)
        if provider.key:
            query = _KEY_IN_QUERY.sub("", query).removeprefix("&")
        url = f"{provider.base_url}/{rest}?{query}" if query else f"{provider.base_url}/{rest}"
        return Route(provider, url, rest.strip("/"), call_of(provider.settings.wire, method, rest, query))


def _provider(name: str, given: ProviderSettings, environ: Mapping[str, str]) -> Provider:
    if not given.base_url:
        raise ConfigError(
            f"providers.{name} has no base_url", action="Give the provider's address, with /v1 if it has one."
        )
    key = given.api_key
    if given.api_key_env:
        key = environ.get(given.api_key_env, "")
        if not key:
            raise ConfigError(
                f"The environment variable of providers.{name}.api_key_env is not set",
                value=given.api_key_env,
                action="Set it to the provider's key, or remove api_key_env to pass the clients' own keys on.",
            )
    if not key.isprintable() or not key.isascii() or key != key.strip():
        raise ConfigError(
            f"The key of providers.{name} holds characters that no header can carry",
            action="Check for a line break or a space around it.",
        )
    return Provider(name, given.provider or name, given.base_url.rstrip("/"), key, given)
