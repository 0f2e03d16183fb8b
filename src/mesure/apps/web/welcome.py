"""`Now` before the first call: how to point an application here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Fragment, fragment, h1, h2, p

from mesure.apps.web.layout import code_block

if TYPE_CHECKING:
    from mesure.apps.web.reader import Reader

__all__ = ["welcome"]


def welcome(address: str, reader: Reader) -> Fragment:
    """`address` is the one this page was reached at, as in `http://127.0.0.1:8420`."""
    t = reader.t
    base_url = f"{address}/v1"
    default = next((name for name, provider in reader.settings.providers.items() if provider.default), None)
    return fragment[
        h1[t.t("No AI call has come through yet.")],
        None if default else [p[_where(default, reader)], code_block("mesure up --upstream https://api.openai.com/v1")],
        p(".next")[t.t("One line to change in your application, and this page comes alive by itself.")],
        h2[t.t("In Python, with the openai client")],
        code_block(f'client = OpenAI(base_url="{base_url}")'),
        h2[t.t("Without touching the code")],
        code_block(f"export OPENAI_BASE_URL={base_url}"),
        [
            [h2[t.t("Towards {provider}", provider=name)], code_block(f'base_url="{address}/providers/{name}"')]
            for name, provider in reader.settings.providers.items()
            if not provider.default
        ],
        h2[t.t("To see who uses what for what")],
        code_block("x-mesure-team: support\nx-mesure-use-case: call-reason"),
        p[_where(default, reader)] if default else None,
    ]


def _where(default: str | None, reader: Reader) -> str:
    t = reader.t
    if default:
        return t.t(
            "Calls go on to {provider}, unchanged. Their energy and CO₂e are estimated; their text is not kept.",
            provider=reader.settings.providers[default].base_url,
        )
    return t.t("No provider answers here yet, so calls would be refused. First name one in mesure.toml, or start with:")
