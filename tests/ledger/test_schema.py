"""Columns are those of the record, and any event comes back from them as it was."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from arro3.core import DataType
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import NOON, make_event

from mesure.ledger.lines import decode, encode
from mesure.ledger.schema import (
    COLUMNS,
    empty_table,
    epoch_us,
    event_of,
    month_of,
    month_start_utc,
    second_of,
    time_of,
    to_table,
)
from mesure.record import CHOICES, UsageEvent, identity_of, new_id

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_WHOLE = st.integers(0, 2**50)
_REAL = st.floats(0, 1e15)
_TIME = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (made so by `timezones`)
_BY_KIND = {
    "str": _TEXT,
    "int": _WHOLE,
    "float": _REAL,
    "bool": st.booleans(),
    "datetime": _TIME,
    "labels": st.dictionaries(_TEXT, _TEXT, max_size=3),
}
_REQUIRED = {"id": st.builds(new_id), "started_at": _TIME, "schema_version": st.just(1), "calls_count": _WHOLE}
_OF_RECORD = {
    name: st.sampled_from([c for c in CHOICES[name] if c]) if name in CHOICES else _BY_KIND[kind]
    for name, kind in COLUMNS.items()
    if name not in ("identity", "identities", "month", "ingested_at", "sightings") and name not in _REQUIRED
}
_EVENTS = st.fixed_dictionaries(_REQUIRED, optional=_OF_RECORD).map(lambda given: UsageEvent(**given))


def _back(event):
    (row,) = (
        {name: column[0] for name, column in columns.items()}
        for columns in [{name: to_table([event], NOON).column(name).to_pylist() for name in COLUMNS}]
    )
    for name, kind in COLUMNS.items():
        if kind == "datetime" and row[name] is not None:
            row[name] = epoch_us(row[name])
    return row


@settings(max_examples=60, deadline=None)
@given(_EVENTS)
def test_any_event_comes_back_from_the_table(event):
    row = _back(event)
    found = event_of(row)
    kept = event.to_json() | {"ingested_at": NOON}
    assert found.to_json() == kept
    assert row["identity"] == identity_of(event)
    assert row["month"] == month_of(event.started_at)


@settings(max_examples=60, deadline=None)
@given(_EVENTS)
def test_any_event_comes_back_from_the_spool(event):
    assert decode(encode(event)).to_json() == event.to_json()


def test_every_field_of_the_record_has_a_column_of_its_type():
    assert list(COLUMNS) == [*(f.name for f in fields(UsageEvent)), "identity", "identities", "month"]
    table = empty_table()
    assert table.num_rows == 0
    arrow = {
        "str": DataType.utf8(),
        "labels": DataType.utf8(),
        "int": DataType.int64(),
        "float": DataType.float64(),
        "bool": DataType.bool(),
        "datetime": DataType.timestamp("us", tz="UTC"),
    }
    for name, kind in COLUMNS.items():
        assert table.schema.field(name).type == arrow[kind]


@pytest.mark.parametrize("name", [name for name, kind in COLUMNS.items() if kind in ("int", "float", "bool")])
@pytest.mark.parametrize("value", ["12", b"x", [1], {"a": 1}, object()])
def test_a_value_of_another_type_is_null(name, value):
    assert _back(make_event(0, **{name: value}))[name] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("input_tokens", 2**63), ("input_tokens", -(2**63) - 1), ("cost", float("nan")), ("labels", ["a"]), ("team", 3)],
)
def test_a_value_no_column_can_hold_is_null(name, value):
    assert _back(make_event(0, **{name: value}))[name] is None


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**9), 4 * 10**9), st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60))
def test_times_are_exact_whatever_their_offset(second, micro, minutes):
    at = time_of(second) + timedelta(microseconds=micro)
    shifted = at.astimezone(timezone(timedelta(minutes=minutes)))
    assert epoch_us(shifted) == second * 1_000_000 + micro
    assert second_of(shifted) == second
    assert month_of(shifted) == f"{at.year:04d}-{at.month:02d}"
    assert month_start_utc(month_of(at)) <= at


def test_labels_are_json_that_engines_read():
    text = _back(make_event(0, labels={"b": "2", "a": "é"}))["labels"]
    assert orjson.loads(text) == {"a": "é", "b": "2"}
    assert text.index('"a"') < text.index('"b"')


def test_choices_are_texts_in_the_table():
    assert {COLUMNS[name] for name in CHOICES} == {"str"}
    assert all(isinstance(word, str) for words in CHOICES.values() for word in words if word is not None)
