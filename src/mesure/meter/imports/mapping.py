"""Which column holds which field: names that exports are known to use, and what may be asked for."""

from __future__ import annotations

import re
from dataclasses import fields
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from mesure.errors import ImportRefused, nearest_names
from mesure.meter.imports.names import folded, plain
from mesure.record import CHOICES, KINDS, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AMOUNTS", "FIELDS", "joules_per", "known_field", "nearest_columns", "propose"]

#: Written by Mesure itself, never by a file.
_OURS = {"id", "schema_version", "source", "origin", "ingested_at", "sightings", "labels"}
#: Fields that a column, a constant or a cycle may fill; `labels.<name>` beside them.
FIELDS: tuple[str, ...] = tuple(f.name for f in fields(UsageEvent) if f.name not in _OURS)
#: One of these must be there: a file that says nothing about how much is no usage.
AMOUNTS = (
    "input_tokens",
    "output_tokens",
    "images_count",
    "video_frames",
    "audio_seconds",
    "characters",
    "input_items",
    "energy_j",
)
#: Never proposed: a person's name must not enter the ledger by default.
_ASKED_FOR_ONLY = {"user", "contact_id", "conversation_id"}

#: How a name of a column says a unit of energy other than the record's: joules in one.
_JOULES = {"kwh": 3.6e6, "wh": 3600.0, "kj": 1000.0}

_SHORT = {"model": "model_requested", "time": "started_at", "zone": "host_zone", "region": "host_region"}

#: Further names, letters and digits only, in the order of preference.
_KNOWN: dict[str, tuple[str, ...]] = {
    "started_at": (
        "timestamp",
        "starttimeiso",
        "starttime",
        "startedat",
        "requesttime",
        "createdat",
        "created",
        "datetime",
        "time",
        "date",
        "horodatage",
        "dateheure",
        "dateetheure",
        "datedelappel",
        "debut",
    ),
    "ended_at": ("endtimeiso", "endtime", "endedat", "completedat", "fin"),
    "calls_count": (
        "nummodelrequests",
        "requestcount",
        "requests",
        "nombreappels",
        "nombredappels",
        "nbappels",
        "appels",
    ),
    "response_id": ("responseid", "requestid", "generationid"),
    "trace_id": ("traceid",),
    "span_id": ("spanid",),
    "team": ("team", "equipe", "teamalias"),
    "application": ("app", "appli", "application", "service"),
    "use_case": ("usecase", "casusage", "casdusage", "motifappel", "motifdappel", "callreason", "motif"),
    "end_client": ("endclient", "clientfinal", "donneurdordre"),
    "provider": ("provider", "fournisseur", "customllmprovider"),
    "model_requested": ("model", "modele", "modelname", "modelid", "modelgroup"),
    "model_answered": ("responsemodel", "snapshotid"),
    "input_tokens": (
        "prompttokens",
        "contexttokens",
        "usageprompttokens",
        "usageinputtokens",
        "ncontexttokenstotal",
        "promptusage",
        "tokensentree",
        "tokensdentree",
        "tokensenentree",
        "jetonsentree",
        "jetonsdentree",
        "jetonsenentree",
        "jetonslus",
        "input",
        "entree",
    ),
    "output_tokens": (
        "completiontokens",
        "generatedtokens",
        "usagecompletiontokens",
        "usageoutputtokens",
        "ngeneratedtokenstotal",
        "completionusage",
        "tokenssortie",
        "tokensdesortie",
        "tokensensortie",
        "jetonssortie",
        "jetonsdesortie",
        "jetonsensortie",
        "jetonsecrits",
        "output",
        "sortie",
    ),
    "cached_input_tokens": (
        "cachedtokens",
        "inputcachedtokens",
        "cachedprompttokens",
        "usageprompttokensdetailscachedtokens",
        "usageinputtokensdetailscachedtokens",
    ),
    "reasoning_tokens": (
        "usagecompletiontokensdetailsreasoningtokens",
        "usageoutputtokensdetailsreasoningtokens",
    ),
    "energy_j": (
        *(f"{name}{unit}" for name in ("energy", "energie", "consommation") for unit in ("wh", "kwh", "j", "kj")),
    ),
    "images_count": ("images", "nimages", "nombreimages"),
    "audio_seconds": ("seconds", "dureeaudio"),
    "duration_ms": ("latencyms", "responsetimems"),
    "host_zone": ("zone", "gridzone"),
    "host_region": ("region", "cloudregion"),
    "cost_currency": ("currency", "devise"),
}


def _names(field_name: str) -> tuple[str, ...]:
    otel = next(f.metadata.get("otel", "") for f in fields(UsageEvent) if f.name == field_name)
    return tuple(filter(None, (folded(field_name), folded(otel), *_KNOWN.get(field_name, ()))))


def propose(columns: Iterable[str]) -> dict[str, str]:
    """field -> column, for columns whose name is known for certain. Nobody's name is ever proposed."""
    by_folded: dict[str, str] = {}
    for column in columns:
        by_folded.setdefault(folded(column), column)
    proposed = {}
    for name in FIELDS:
        if name not in _ASKED_FOR_ONLY and (
            found := next((by_folded[n] for n in _names(name) if n in by_folded), None)
        ):
            proposed[name] = found
    return proposed


def known_field(name: str) -> str:
    """The field that `name` stands for (`model` is model_requested). Raises `ImportRefused` with the nearest."""
    name = _SHORT.get(name, name)
    if name in FIELDS or (name.startswith("labels.") and len(name) > len("labels.")):
        return name
    raise ImportRefused(
        "A usage event has no such field",
        value=name,
        nearest=_nearest_fields(name),
        action=f"Its fields are: {', '.join((*_SHORT, *FIELDS))}, labels.<name>.",
    )


def _nearest_fields(name: str) -> tuple[str, ...]:
    """Whatever the order of the words: `tokens_in` is near input_tokens."""
    by_words = {_in_order(field_name): field_name for field_name in FIELDS}
    return tuple(by_words[found] for found in nearest_names(_in_order(name), by_words))


def _in_order(name: str) -> str:
    return " ".join(sorted(re.split(r"[^a-z0-9]+", plain(name.casefold()))))


def nearest_columns(names: Iterable[str], columns: Iterable[str]) -> tuple[str, ...]:
    """Columns whose name is near one that stands for one of these fields: to propose, never to use."""
    wanted = [spelling for name in names for spelling in _names(name)]
    scores = {
        column: max(SequenceMatcher(None, folded(column), spelling).ratio() for spelling in wanted)
        for column in columns
    }
    near = [column for column, score in scores.items() if score >= _NEAR]
    return tuple(sorted(near, key=lambda column: -scores[column])[:3])


_NEAR = 0.6


def joules_per(column: str) -> float:
    """Joules in the unit that a column of energy names: `Énergie (Wh)` is in 3 600, a bare `energy_j` in 1."""
    name = folded(column)
    return next((joules for unit, joules in _JOULES.items() if name.endswith(unit)), 1.0)


def checked_mapping(asked: Mapping[str, str], columns: Iterable[str]) -> dict[str, str]:
    """The mapping asked for, once each field and each column exists."""
    columns = tuple(columns)
    mapping = {known_field(name): column for name, column in asked.items()}
    if absent := next((column for column in mapping.values() if column not in columns), None):
        raise ImportRefused(
            "The file has no such column",
            value=absent,
            nearest=nearest_names(absent, columns),
            action=f"Its columns are: {', '.join(columns)}.",
        )
    return mapping


def kind_of(name: str) -> type | tuple[str | None, ...]:
    """The Python type of a field, or the words it takes."""
    return str if name.startswith("labels.") else CHOICES.get(name) or KINDS[name]
