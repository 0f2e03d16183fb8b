"""`UsageEvent`: round trip through JSON, additive schema, refusals by field, identity."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.errors import InvalidValue
from mesure.record import SCHEMA_VERSION, UsageEvent, identity_of, new_id
from mesure.record.event import _AMOUNTS, _SUBSETS, CHOICES, KINDS

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def event(**changes: Any) -> UsageEvent:
    return replace(UsageEvent(id=new_id(), started_at=AT), **changes)


def through_json(one: UsageEvent) -> UsageEvent:
    return UsageEvent.from_json(json.loads(json.dumps(one.to_json(), default=datetime.isoformat)))


_VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**40),
    float: st.floats(0, 1e12),
    bool: st.booleans(),
    str: st.text(min_size=1, max_size=12),
    dict: st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), min_size=1, max_size=3),
    datetime: st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    values: dict[str, Any] = {name: draw(st.sampled_from(choices)) for name, choices in CHOICES.items()}
    for name, kind in KINDS.items():
        values[name] = draw(_VALUES[kind] if name in ("id", "started_at") else st.none() | _VALUES[kind])
    values["schema_version"], values["calls_count"] = SCHEMA_VERSION, draw(st.integers(0, 1000))
    for part, whole in _SUBSETS:
        if values[part] is not None and values[whole] is not None:
            values[part] = min(values[part], values[whole])
    return UsageEvent(**values)


@given(events())
def test_round_trip_through_json(one: UsageEvent) -> None:
    assert through_json(one) == one
    assert one.checked() is one


def test_unknown_fields_are_absent_from_json_and_never_zero() -> None:
    data = event(input_tokens=0).to_json()
    assert data["input_tokens"] == 0
    assert "output_tokens" not in data
    assert event().input_tokens is None


def test_columns_of_a_later_schema_are_left_aside() -> None:
    assert UsageEvent.from_json({"id": "x", "started_at": AT, "invented_in_version_2": 1}).id == "x"


def test_times_are_turned_to_utc() -> None:
    one = UsageEvent.from_json({"id": "x", "started_at": "2026-11-22T09:30:00+01:00"})
    assert one.started_at == AT
    assert one.started_at.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-11-22T09:30:00", "yesterday", "", "22/11/2026"])
def test_a_time_without_offset_or_meaning_is_refused_never_guessed(text: str) -> None:
    with pytest.raises(InvalidValue, match="started_at"):
        UsageEvent.from_json({"id": "x", "started_at": text})


@pytest.mark.parametrize("data", [{}, {"id": "x"}, {"started_at": AT}])
def test_an_event_without_id_or_time_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="needs an id"):
        UsageEvent.from_json(data)


def test_events_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        event().team = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", list(CHOICES))
def test_a_word_outside_its_list_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        event(**{name: "neither"}).checked()
    assert refused.value.what.startswith(name)
    assert all(choice in refused.value.action for choice in CHOICES[name] if choice)


@pytest.mark.parametrize("name", _AMOUNTS)
@pytest.mark.parametrize("value", [-1, 2**63])
def test_an_amount_below_zero_or_beyond_the_table_is_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidValue, match=name):
        event(**{name: value}).checked()


@pytest.mark.parametrize("name", [name for name in _AMOUNTS if KINDS[name] is float])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_not_a_number_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidValue, match=name):
        event(**{name: value}).checked()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_tokens", "12"),
        ("input_tokens", 12.5),
        ("input_tokens", True),
        ("audio_seconds", "3"),
        ("team", 12),
        ("stream", 1),
        ("labels", ["a"]),
        ("labels", {"a": 1}),
        ("started_at", "2026-11-22"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=name):
        event(**{name: value}).checked()


def test_a_whole_number_may_stand_for_a_measure() -> None:
    assert event(audio_seconds=3, duration_ms=12).checked().audio_seconds == 3


@pytest.mark.parametrize(("part", "whole"), _SUBSETS)
def test_sub_counts_are_subsets(part: str, whole: str) -> None:
    assert event(**{part: 5, whole: 5}).checked()
    assert event(**{part: 5}).checked()
    with pytest.raises(InvalidValue, match=f"{part} is part of {whole}"):
        event(**{part: 6, whole: 5}).checked()


@pytest.mark.parametrize("name", ["started_at", "ended_at", "ingested_at"])
def test_a_naive_time_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="time zone"):
        event(**{name: AT.replace(tzinfo=None)}).checked()
    assert event(**{name: AT.astimezone(timezone(timedelta(hours=2)))}).checked()


def test_identity_prefers_response_then_span_then_origin_then_id() -> None:
    one = event(id="i1", origin="sha:4", trace_id="t", span_id="s", response_id="r1", provider="openai")
    assert identity_of(one) == "r:openai:r1"
    assert identity_of(replace(one, response_id=None)) == "t:t:s"
    assert identity_of(replace(one, response_id=None, span_id=None)) == "o:sha:4"
    assert identity_of(replace(one, response_id=None, span_id=None, origin=None)) == "i:i1"


def test_two_providers_may_use_the_same_response_id() -> None:
    assert identity_of(event(response_id="1", provider="a")) != identity_of(event(response_id="1", provider="b"))


def test_no_field_could_hold_a_prompt_or_an_answer() -> None:
    names = {f.name for f in fields(UsageEvent)}
    assert not names & {"prompt", "messages", "content", "completion", "answer", "text", "input", "output"}
    assert {name for name in names if "prompt" in name} == {"prompt_fingerprint"}


def test_columns_of_version_1_are_neither_renamed_nor_retyped() -> None:
    lines = (Path(__file__).parent / "schema_1.snapshot").read_text().splitlines()
    now = {f.name: f.type for f in fields(UsageEvent)}
    assert {name: now.get(name) for name, _ in (line.split(": ") for line in lines)} == dict(
        line.split(": ") for line in lines
    )


def test_every_field_has_a_checked_kind() -> None:
    assert set(KINDS) | set(CHOICES) == {f.name for f in fields(UsageEvent)}
    assert SCHEMA_VERSION == 1
