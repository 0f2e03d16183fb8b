"""The same traffic under several methods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mesure.errors import UnknownName
from mesure.impact.methods import compare_methods
from mesure.record import UsageEvent


def event(**fields: Any) -> UsageEvent:
    given: dict[str, Any] = {
        "id": "e",
        "started_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "provider": "openai",
        "model_requested": "gpt-4o",
        "input_tokens": 1000,
        "output_tokens": 400,
        "host_zone": "FRA",
    }
    return UsageEvent(**(given | fields))


def test_one_line_a_method_with_the_spread_and_the_reasons() -> None:
    found = compare_methods([event(), event(model_requested="llama-3.1-8b", provider="own")])
    rows = {row.method: row for row in found.rows}
    assert rows["mesure"].ratio == pytest.approx(1.0)
    ratios = [row.ratio for row in found.rows if row.ratio]
    assert found.spread == pytest.approx(max(ratios) / min(ratios))
    assert found.spread > 3.0
    assert "prompt_tokens_ignored" in rows["ecologits-0.11"].codes
    assert "length_ignored" in rows["constant-openai-2025"].codes
    assert "prompt_tokens_ignored" not in rows["mesure"].codes


def test_a_method_is_compared_over_the_calls_it_covers_only() -> None:
    events = [event(), event(operation="embeddings", output_tokens=None, model_requested="text-embedding-3-small")]
    rows = {row.method: row for row in compare_methods(events).rows}
    theirs, ours = rows["ecologits-0.11"], rows["mesure"]
    assert (theirs.covered_calls, ours.covered_calls) == (1, 2)
    assert "operation_not_covered" in theirs.codes
    assert theirs.energy_wh is not None
    alone = {row.method: row for row in compare_methods(events[:1]).rows}
    assert theirs.ratio == pytest.approx(alone["ecologits-0.11"].ratio or 0.0)


def test_no_traffic_gives_no_figure() -> None:
    found = compare_methods([])
    assert found.calls == 0
    assert found.spread is None
    assert all(row.energy_wh is None and row.ratio is None for row in found.rows)


def test_named_methods_only_and_an_unknown_one_is_refused() -> None:
    assert [row.method for row in compare_methods([event()], ["ecologits-0.11"]).rows] == ["ecologits-0.11"]
    with pytest.raises(UnknownName):
        compare_methods([event()], ["mesur"])


def test_places_are_independent_and_calls_of_one_are_not() -> None:
    def width(events: list[UsageEvent]) -> float:
        energy = compare_methods(events, ["mesure"]).rows[0].energy_wh
        assert energy is not None
        return (energy.high - energy.mid) / energy.mid

    assert width([event(), event()]) == pytest.approx(width([event()]))
    assert width([event(), event(host_zone="DEU")]) < width([event()])


def test_json_has_the_same_figures() -> None:
    found = compare_methods([event()])
    data = found.to_json()
    assert data["spread"] == found.spread
    assert [row["method"] for row in data["rows"]] == [row.method for row in found.rows]
    assert data["rows"][0]["energy_wh"]["unit"] == "Wh"
