"""Declared profiles: what is said adds up over its months, whatever they are, and stays declared."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.config import ProfileSettings
from mesure.errors import InvalidValue
from mesure.impact import impacts_of_facts, resolve
from mesure.meter.imports import declared

PARIS = ZoneInfo("Europe/Paris")
SAID: dict[str, Any] = {
    "product": "microsoft-365-copilot",
    "seats": 40,
    "active_days": 45.0,
    "prompts_per_day": 6.5,
    "since": "2026-09-15",
    "until": "2026-11-30",
    "team": "Sales",
}


def test_a_profile_is_an_aggregate_per_month() -> None:
    found = declared("office", ProfileSettings(**SAID), PARIS)
    assert [f"{event.started_at:%Y-%m-%d %H:%M}" for event in found.events] == [
        "2026-09-14 22:00",
        "2026-09-30 22:00",
        "2026-10-31 23:00",
    ]
    assert found.prompts == 40 * 45 * 6.5
    for event in found.events:
        assert (event.basis, event.source, event.team, event.input_tokens) == ("declared", "profile", "Sales", None)
        assert event.model_requested == "microsoft-365-copilot"
        assert event.labels is not None
        assert event.labels["profile"] == "office"


@settings(max_examples=60, deadline=None)
@given(
    st.dates(date(2020, 1, 1), date(2027, 1, 1)),
    st.integers(1, 800),
    st.integers(1, 5000),
    st.floats(0.01, 200.0),
    st.sampled_from(["prompts_per_day", "minutes_per_day"]),
)
def test_its_months_add_up_to_what_was_said(first: date, days: int, seats: int, a_day: float, what: str) -> None:
    last = first + timedelta(days - 1)
    said = ProfileSettings(
        product="voicebot", seats=seats, active_days=days / 2.0, since=str(first), until=str(last), **{what: a_day}
    )
    found = declared("x", said, PARIS)
    whole = seats * days / 2.0 * a_day
    assert found.prompts == (round(whole) if what == "prompts_per_day" else 0)
    assert found.minutes == pytest.approx(whole if what == "minutes_per_day" else 0.0)
    for one, following in zip(found.events, found.events[1:], strict=False):
        assert one.ended_at == following.started_at
    assert len({event.id for event in found.events}) == len(found.events)


def test_the_same_said_again_is_the_same_and_otherwise_is_another_reading_of_it() -> None:
    one, two = (declared("x", ProfileSettings(**SAID | {"seats": seats}), PARIS) for seats in (40, 41))
    assert one == declared("x", ProfileSettings(**SAID), PARIS)
    assert (one.content, one.settings) != (two.content, two.settings)
    assert one.content == two.content != declared("y", ProfileSettings(**SAID), PARIS).content


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"since": "soon"}, "since is not a day"),
        ({"until": "2026-09-01"}, "lasts from its first day"),
        ({"product": "microsoft-365-copilt"}, "no length of a prompt"),
        ({"seats": 0}, "at least one seat"),
        ({"active_days": 500.0}, "at least one seat"),
        ({"prompts_per_day": 0.0}, "how many prompts"),
    ],
)
def test_what_is_missing_or_impossible_is_refused(said: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        declared("x", ProfileSettings(**SAID | said), PARIS)
    assert what in refused.value.what
    assert refused.value.action


def test_a_product_that_is_misspelt_gets_the_nearest() -> None:
    with pytest.raises(InvalidValue) as refused:
        declared("x", ProfileSettings(**SAID | {"product": "microsoft-365-copilt"}), PARIS)
    assert refused.value.nearest[0] == "microsoft-365-copilot"


# What a prompt and a minute take is a sourced distribution


def test_every_product_has_sourced_lengths_in_a_wide_interval() -> None:
    assert {"assistant", "chatgpt-enterprise", "microsoft-365-copilot", "voicebot"} <= set(current().products())
    for product in current().products():
        pair = current().prompt(product) or current().minute(product)
        assert pair is not None
        for factor in pair:
            assert factor.source
            assert factor.licence
            assert factor.year
            assert factor.high / factor.low >= 5.0
    assert current().prompt("nosuch") is None
    assert current().minute("assistant") is None


def test_prompts_of_a_product_take_its_own_lengths_and_say_so() -> None:
    def energy(model: str) -> Any:
        return impacts_of_facts(resolve(model, zone="FRA"), calls_count=100, operation="chat").energy_wh

    copilot, assistant, unknown = map(energy, ("microsoft-365-copilot", "assistant", "nosuchmodel"))
    assert copilot.mid > assistant.mid
    assert "stack.prompt-microsoft-365-copilot.input.2026" in copilot.sources
    assert not [source for source in unknown.sources if "prompt-" in source]
    assert copilot.high / copilot.low > 20.0  # neither the model nor the lengths are known


def test_minutes_of_a_voicebot_take_what_it_reads_and_writes_meanwhile() -> None:
    of = resolve("voicebot", zone="FRA")
    ten, twenty = (
        impacts_of_facts(of, calls_count=5, operation="transcription", audio_seconds=60.0 * n).energy_wh
        for n in (10, 20)
    )
    assert 0.0 < ten.mid < twenty.mid
    assert "stack.minute-voicebot.input.2026" in ten.sources
