"""Which column holds which field: proposals only for names known for certain, refusals with the nearest."""

from __future__ import annotations

import pytest

from mesure.errors import ImportRefused
from mesure.meter.imports import FIELDS, known_field, propose
from mesure.meter.imports.mapping import AMOUNTS, _names, checked_mapping, kind_of
from mesure.meter.imports.names import folded
from mesure.record import CHOICES, KINDS


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
            {"started_at": "TIMESTAMP", "input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"},
        ),
        (
            ("start_time", "num_model_requests", "input_tokens", "output_tokens", "input_cached_tokens", "model"),
            {
                "started_at": "start_time",
                "calls_count": "num_model_requests",
                "input_tokens": "input_tokens",
                "output_tokens": "output_tokens",
                "cached_input_tokens": "input_cached_tokens",
                "model_requested": "model",
            },
        ),
        (
            ("created", "usage.prompt_tokens", "usage.completion_tokens", "usage.prompt_tokens_details.cached_tokens"),
            {
                "started_at": "created",
                "input_tokens": "usage.prompt_tokens",
                "output_tokens": "usage.completion_tokens",
                "cached_input_tokens": "usage.prompt_tokens_details.cached_tokens",
            },
        ),
        (
            ("Horodatage", "Équipe", "Modèle", "Jetons entrée", "Jetons sortie", "Cas d'usage", "Donneur d’ordre"),
            {
                "started_at": "Horodatage",
                "team": "Équipe",
                "model_requested": "Modèle",
                "input_tokens": "Jetons entrée",
                "output_tokens": "Jetons sortie",
                "use_case": "Cas d'usage",
                "end_client": "Donneur d’ordre",
            },
        ),
        (
            ("gen_ai.usage.input_tokens", "gen_ai.response.model", "gen_ai.provider.name"),
            {
                "input_tokens": "gen_ai.usage.input_tokens",
                "model_answered": "gen_ai.response.model",
                "provider": "gen_ai.provider.name",
            },
        ),
        (
            ("Date", "Motif d’appel", "Modèle", "Jetons en entrée", "jetons en sortie", "Énergie (kWh)"),
            {
                "started_at": "Date",
                "use_case": "Motif d’appel",
                "model_requested": "Modèle",
                "input_tokens": "Jetons en entrée",
                "output_tokens": "jetons en sortie",
                "energy_j": "Énergie (kWh)",
            },
        ),
        (("Date", "Entrée", "Sortie"), {"started_at": "Date", "input_tokens": "Entrée", "output_tokens": "Sortie"}),
        (("start_time", "start_time_iso", "end_time"), {"started_at": "start_time_iso", "ended_at": "end_time"}),
        (("prompt", "answer", "colour"), {}),
    ],
)
def test_known_names_are_proposed(columns: tuple[str, ...], expected: dict[str, str]) -> None:
    assert propose(columns) == expected


def test_the_field_s_own_name_comes_first() -> None:
    assert propose(["timestamp", "started_at"])["started_at"] == "started_at"


@pytest.mark.parametrize("column", ["user", "contact_id", "conversation_id", "User", "gen_ai.conversation.id"])
def test_people_are_never_proposed(column: str) -> None:
    assert propose([column]) == {}


def test_no_known_name_stands_for_two_fields() -> None:
    names = [(name, field) for field in FIELDS for name in set(_names(field))]
    assert len({name for name, _ in names}) == len(names)


def test_known_names_are_written_folded() -> None:
    for field in FIELDS:
        assert all(name == folded(name) for name in _names(field))


def test_every_field_has_a_kind_and_none_is_ours() -> None:
    assert all(kind_of(name) == (CHOICES.get(name) or KINDS[name]) for name in FIELDS)
    assert not {"id", "origin", "source", "schema_version", "ingested_at"} & set(FIELDS)
    assert set(AMOUNTS) <= set(FIELDS)


@pytest.mark.parametrize(
    ("short", "field"),
    [("model", "model_requested"), ("time", "started_at"), ("zone", "host_zone"), ("team", "team")],
)
def test_short_names(short: str, field: str) -> None:
    assert known_field(short) == field


def test_labels_are_free() -> None:
    assert known_field("labels.site") == "labels.site"
    assert kind_of("labels.site") is str


@pytest.mark.parametrize(("name", "nearest"), [("imput_tokens", "input_tokens"), ("labels", None), ("labels.", None)])
def test_an_unknown_field_is_refused_with_the_nearest(name: str, nearest: str | None) -> None:
    with pytest.raises(ImportRefused) as refused:
        known_field(name)
    assert nearest is None or nearest in refused.value.nearest


@pytest.mark.parametrize("name", ["id", "origin", "source", "ingested_at"])
def test_what_mesure_writes_cannot_be_mapped(name: str) -> None:
    with pytest.raises(ImportRefused):
        known_field(name)


def test_an_absent_column_is_refused_with_those_there_are() -> None:
    with pytest.raises(ImportRefused) as refused:
        checked_mapping({"team": "equipes"}, ["equipe", "n"])
    assert refused.value.nearest == ("equipe",)
    assert "equipe, n" in refused.value.action


def test_a_field_that_does_not_exist_gets_the_list_and_the_nearest_whatever_its_order() -> None:
    with pytest.raises(ImportRefused) as refused:
        known_field("tokens_in")
    assert refused.value.nearest[0] == "input_tokens"
    assert "use_case" in refused.value.action
