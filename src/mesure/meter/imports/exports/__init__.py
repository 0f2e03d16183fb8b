"""Known exports: providers, tools and servers. A file is recognised by its columns or its shape, before it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.errors import ImportRefused, MesureError, nearest_names
from mesure.meter.imports.exports import (
    anthropic,
    azure,
    deepseek,
    google,
    helicone,
    langfuse,
    litellm,
    openai,
    openrouter,
    seats,
    servers,
    voicebots,
)
from mesure.meter.imports.exports.export import Export, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AS_TABLE", "EXPORTS", "Export", "named_export", "recognised"]

EXPORTS: tuple[Export, ...] = (
    openai.USAGE,
    openai.COSTS,
    anthropic.USAGE,
    anthropic.COST,
    azure.METRICS,
    azure.COSTS,
    google.BILLING,
    deepseek.AMOUNTS,
    langfuse.OBSERVATIONS,
    helicone.REQUESTS,
    litellm.SPEND_LOGS,
    openrouter.ACTIVITY,
    openrouter.GENERATIONS,
    servers.METRICS,
    seats.COPILOT,
    seats.COPILOT_INTERACTIONS,
    seats.CHATGPT,
    voicebots.VOICEBOT,
)
#: What is said for a file that is to be read by its columns, whatever it looks like.
AS_TABLE = "table"
_BY_NAME = {export.name: export for export in EXPORTS}


def named_export(name: str) -> Export:
    """Raises `ImportRefused` with the nearest names."""
    if (found := _BY_NAME.get(name)) is not None:
        return found
    raise ImportRefused(
        "No export of this name is known",
        value=name,
        nearest=nearest_names(name, _BY_NAME),
        action=f"Use one of: {', '.join((*_BY_NAME, AS_TABLE))}.",
        code="usage",
    )


def recognised(records: Iterable[Mapping[str, Any]], path: str) -> Export | None:
    """Whose export these records are; None when they are a plain table. Raises `ImportRefused` when two would fit."""
    found = {export.name: export for record in map(Record, records) for export in EXPORTS if _is_marked(export, record)}
    if len(found) > 1:
        raise ImportRefused(
            f"This file looks like several exports: {', '.join(found)}",
            value=path,
            action="Say which one with --as NAME.",
        )
    return next(iter(found.values()), None)


def _is_marked(export: Export, record: Record) -> bool:
    try:
        return export.marks(record)
    except MesureError:
        return False
