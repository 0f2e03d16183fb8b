"""Answers of the gateway itself: what it refuses, and how its providers failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.apps.http1.refusal import Refusal, body_too_large, unexpected
from mesure.errors import nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mesure.policy.gate import Refused

__all__ = [
    "Refusal",
    "bad_host",
    "bad_path",
    "body_too_large",
    "budget_refused",
    "foreign_origin",
    "key_expired",
    "key_required",
    "key_revoked",
    "key_unknown",
    "keys_unavailable",
    "no_default_provider",
    "pages_stay_here",
    "provider_bad_answer",
    "provider_disconnected",
    "provider_timeout",
    "provider_unreachable",
    "unexpected",
    "unknown_provider",
]


def unknown_provider(name: str, known: Iterable[str]) -> Refusal:
    known = list(known)
    return Refusal(
        404,
        "unknown_provider",
        "No provider of this name is configured",
        value=name[:100],
        nearest=nearest_names(name[:100], known) or tuple(known[:5]),
        action="Correct the name in the path, or add a [providers.<name>] table to mesure.toml",
    )


def no_default_provider(known: Iterable[str]) -> Refusal:
    names = ", ".join(f"/providers/{name}/" for name in known)
    return Refusal(
        404,
        "no_default_provider",
        "No provider serves the bare /v1/ paths",
        action=f"Set `default = true` on one provider{f', or call {names}' if names else ''}",
    )


def bad_path(path: str) -> Refusal:
    return Refusal(
        400,
        "bad_path",
        "The path could lead out of the provider's address",
        value=path[:100],
        action="Call it without . or .. segments, backslashes and control characters",
    )


def bad_host(host: str) -> Refusal:
    return Refusal(
        403,
        "bad_host",
        "This server does not answer under that name",
        value=host[:100],
        action="Call it as localhost, or add the name to server.allowed_hosts",
    )


def foreign_origin(origin: str) -> Refusal:
    return Refusal(
        403,
        "foreign_origin",
        "A web page of another origin may not use the provider keys kept here",
        value=origin[:100],
        action="Add the page's host to server.allowed_hosts if you trust it",
    )


def key_required() -> Refusal:
    return Refusal(
        401,
        "key_required",
        "This gateway takes calls with a virtual key only",
        action="Send one as `Authorization: Bearer mesure-...` or in x-mesure-key; your administrator makes them",
    )


def key_unknown(shown: str | None) -> Refusal:
    return Refusal(
        401,
        "key_unknown",
        "This virtual key is not known here",
        value=shown,
        action="Check that it was copied whole, or ask your administrator for another",
    )


def key_expired(shown: str, ended: datetime) -> Refusal:
    return Refusal(
        401,
        "key_expired",
        "This virtual key has expired",
        value=f"{shown}, {ended:%Y-%m-%d %H:%M} UTC",
        action="Ask your administrator for another",
    )


def key_revoked(shown: str) -> Refusal:
    return Refusal(
        401,
        "key_revoked",
        "This virtual key was revoked",
        value=shown,
        action="Ask your administrator for another",
    )


def keys_unavailable() -> Refusal:
    return Refusal(
        503,
        "keys_unavailable",
        "The gateway could not read the virtual keys since it started",
        action="Try again; your administrator finds the reason in the gateway's log and at /healthz",
    )


def pages_stay_here(path: str) -> Refusal:
    return Refusal(
        403,
        "pages_stay_here",
        "Pages, metrics and figures are shown on this machine only",
        value=path[:100],
        action="Open them on the machine itself, or put your own authenticating proxy in front",
    )


def budget_refused(refused: Refused) -> Refusal:
    budget = refused.budget
    if refused.reason == "unreachable":
        return Refusal(
            503,
            "budget_unreachable",
            "This hard budget cannot be looked up, and is set to refuse meanwhile",
            value=budget.name,
            action="Try again; your administrator finds the reason in the gateway's log",
        )
    return Refusal(
        429,
        "budget_exceeded",
        "A hard budget has no room left for this call",
        value=f"{budget.name}: {refused.asked:.3g} {budget.unit} asked at most, {refused.left:.3g} left",
        action=f"Wait until {refused.again_at:%Y-%m-%d %H:%M} UTC, ask for a shorter answer, or use a local model",
    )


def provider_unreachable(provider: str, reason: str) -> Refusal:
    return Refusal(
        502,
        "provider_unreachable",
        f"The provider could not be reached ({reason})",
        value=provider,
        action=f"Check that it runs, providers.{provider}.base_url, and connect_timeout_s there",
    )


def provider_disconnected(provider: str) -> Refusal:
    return Refusal(
        502,
        "provider_disconnected",
        "The provider closed the connection before it answered",
        value=provider,
        action="Try again; if it lasts, look at the provider's own log",
    )


def provider_timeout(provider: str, seconds: float) -> Refusal:
    return Refusal(
        504,
        "provider_timeout",
        "The provider did not begin to answer in time",
        value=f"{provider}, {seconds:g} s",
        action=f"Try again, or raise providers.{provider}.first_byte_timeout_s",
    )


def provider_bad_answer(provider: str) -> Refusal:
    return Refusal(
        502,
        "provider_bad_answer",
        "The provider's answer is not HTTP/1.1 that can be passed on safely",
        value=provider,
        action=f"Check that providers.{provider}.base_url is the address of its API, and that it speaks HTTP/1.1",
    )
