"""Providers as configured, and which of them a path leads to. Addresses come from nowhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from mesure.apps.gateway import refusals
from mesure.apps.http1.dialing import Origin
from mesure.apps.http1.outgoing import Waits
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
#: Google takes a key there too, and Azure a browser's: the client's gives way to the configured one.
_KEY_IN_QUERY = re.compile(r"(?:^|&)(?:api-)?key=[^&]*")


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured provider, ready to be called."""

    name: str  # as in /providers/<name>/
    catalogue_name: str  # as the catalogue names it
    base_url: str  # without a slash at its end
    key: str
    key_header: bytes  # where its key goes
    settings: ProviderSettings
    origin: Origin
    authority: bytes  # for the Host header
    base_path: str  # of `base_url`
    waits: Waits


class Route(NamedTuple):
    """Where one call goes: the provider's base address, the rest of the path and the query, unchanged."""

    provider: Provider
    rest: str  # after the base address, with the query
    path: str  # the same without query, and without a slash at either end
    call: Call

    @property
    def operation(self) -> Operation:
        return self.call.operation

    @property
    def ai_call(self) -> bool:
        """Whether a model runs for it, whatever is answered."""
        return self.call.booking == "always"

    @property
    def url(self) -> str:
        return self.provider.base_url + self.rest

    @property
    def target(self) -> bytes:
        """What a request for it names."""
        return (self.provider.base_path + self.rest).encode("ascii")


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
        asked = f"/{rest}?{query}" if query else f"/{rest}"
        return Route(provider, asked, rest.strip("/"), call_of(provider.settings.wire, method, rest, query))


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
    base_url = given.base_url.rstrip("/")
    origin, base_path = _origin_of(name, base_url)
    authority = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != (443 if origin.tls else 80):
        authority += f":{origin.port}"
    key_header = WIRES[given.wire].key_header.encode("ascii")
    return Provider(
        name,
        given.provider or name,
        base_url,
        key,
        key_header,
        given,
        origin,
        authority.encode("ascii"),
        base_path,
        Waits(given.connect_timeout_s, given.first_byte_timeout_s, given.timeout_s),
    )


def _origin_of(name: str, base_url: str) -> tuple[Origin, str]:
    """Where the address leads, and its path."""
    try:
        parts = urlsplit(base_url)
        host = (
            (parts.hostname or "").encode("idna").decode("ascii")
            if ":" not in (parts.hostname or "")
            else parts.hostname
        )
        port = parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(
            f"The base_url of providers.{name} cannot be called",
            value=base_url.partition("?")[0].rpartition("@")[2],
            action="Give it as http://host/path or https://host/path; a key belongs to api_key_env.",
        )
    tls = parts.scheme == "https"
    return Origin(host, port or (443 if tls else 80), tls), quote(parts.path, safe="/%!$&'()*+,;=:@~-._")
