"""The physics: what must hold whatever the constants."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.impact import physics
from mesure.impact.constants import constants
from mesure.impact.geometry import TextGeometry, generic_text
from mesure.impact.hardware import machines
from mesure.impact.physics import TEXT_TERMS, encoder_joules, feature_counts, text_joules, total
from mesure.impact.scenarios import text_setting
from mesure.impact.subject import TextModel

[(_, H100)], _ = machines("H100")
NEW = (1.0, 0.0, 0.0, 0.0)
OLD = (1.0, 0.0, 1.0, 0.0)
LOOP = (1.0, 1.0, 0.0, 0.0)
LOCAL = (1.0, 0.0, 0.0, 1.0)
DENSE = TextModel(8.0, 8.0, TextGeometry(32, 4096, 2048, 32, 0, 1, 1, 0), 16.0, False, 0.0)
MIXTURE = TextModel(3.0, 30.0, TextGeometry(48, 2048, 1024, 48, 0, 128, 8, 0), 16.0, True, 0.0)


def joules(model: TextModel, batch: float, boards: int = 1, engine: Any = NEW, read: float = 200, written: float = 300):
    setting = text_setting(model, H100, boards, batch, engine)
    form, _ = text_joules(setting, constants(), read + written / 2, read + 0.6 * written)
    return float(total(form, feature_counts(read, 0.0, written)))


def with_geometry(model: TextModel, **changed: float) -> TextModel:
    return replace(model, geometry=replace(model.geometry, **changed))


@settings(deadline=None)
@given(st.floats(0.1, 500), st.integers(0, 10), st.integers(0, 4), st.booleans())
def test_terms_are_finite_and_positive(size: float, octave: int, doubling: int, mixture: bool) -> None:
    model = TextModel(
        size,
        8 * size if mixture else size,
        generic_text(size, 8 * size, mixture=mixture, hybrid=False),
        16.0,
        mixture,
        0.0,
    )
    setting = text_setting(model, H100, 2**doubling, 2.0**octave, NEW)
    form, seconds = text_joules(setting, constants(), 1000.0, 2000.0)
    assert tuple(form) == TEXT_TERMS
    assert all(math.isfinite(value) and value >= 0.0 for value in (*form.values(), *seconds.values()))
    assert form["output"] > 0.0


def test_arrays_and_floats_agree() -> None:
    one = text_setting(DENSE, H100, 2, 64.0, NEW)
    contexts = np.array([10.0, 1e3, 1e6])
    many, _ = text_joules(one, constants(), contexts, contexts)
    for i, context in enumerate(contexts):
        alone, _ = text_joules(one, constants(), float(context), float(context))
        for term in TEXT_TERMS:
            assert np.broadcast_to(many[term], 3)[i] == pytest.approx(alone[term], rel=1e-12)


@settings(deadline=None)
@given(st.sampled_from([DENSE, MIXTURE]), st.integers(0, 9))
def test_more_requests_in_flight_share_the_weights(model: TextModel, octave: int) -> None:
    assert joules(model, 2.0 ** (octave + 1), 8) < joules(model, 2.0**octave, 8) * 1.001


def test_alone_a_request_pays_for_all_the_weights() -> None:
    """8e9 weights of 16 bits at 3.35 TB/s are 4.8 ms of a 700 W board at less than full power: 1 to 6 J a token."""
    assert 1.0 < joules(DENSE, 1.0, read=1, written=1) < 6.0


def test_a_mixture_reads_more_experts_as_the_batch_grows() -> None:
    gain = {model.mixture: joules(model, 1.0, 8) / joules(model, 64.0, 8) for model in (DENSE, MIXTURE)}
    assert gain[True] < gain[False]


def test_experts_touched_lie_between_those_of_one_token_and_all() -> None:
    setting = text_setting(MIXTURE, H100, 1, 1.0, NEW)
    shares = [physics._experts_touched(setting, constants(), batch) for batch in (0.01, 1.0, 8.0, 1e4)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(8 / 128)
    assert shares[-1] == pytest.approx(1.0)


@given(st.floats(0.5, 50), st.floats(1.1, 30), st.sampled_from([(8, 2), (128, 8), (16, 1)]))
def test_experts_and_common_weights_make_the_whole(active: float, ratio: float, experts: tuple[int, int]) -> None:
    common, one = physics.expert_split(active, active * ratio, *experts)
    assert common >= 0.1 * active * (1 - 1e-12)
    assert common + experts[0] * one == pytest.approx(active * ratio)


def test_fewer_bits_cost_less_where_weights_are_read() -> None:
    assert joules(replace(DENSE, bits=8.0), 1.0) < joules(DENSE, 1.0) < joules(replace(DENSE, bits=32.0), 1.0)


def test_windows_bound_what_context_costs() -> None:
    windowed = with_geometry(DENSE, full_layers=4.0, window_tokens=1024.0)
    full, bounded = (joules(model, 8.0, read=100_000, written=100) for model in (DENSE, windowed))
    assert bounded < full


def test_memory_bounds_the_batch_softly() -> None:
    setting = text_setting(DENSE, H100, 1, 512.0, NEW)
    held = [float(physics.held_batch(setting, tokens)) for tokens in (100.0, 10_000.0, 1e6)]
    assert held[0] == pytest.approx(512.0, rel=0.05)
    assert held[0] > held[1] > held[2] >= 0.9


def test_software_of_its_time() -> None:
    local, now, then, loop = (joules(DENSE, 1.0, engine=engine) for engine in (LOCAL, NEW, OLD, LOOP))
    assert local < now < then < loop


def test_an_image_read_costs_the_host_time() -> None:
    assert joules(replace(DENSE, images=1.0), 64.0) > joules(DENSE, 64.0)


def test_cached_input_costs_less_than_fresh() -> None:
    setting = text_setting(DENSE, H100, 1, 64.0, NEW)
    form, _ = text_joules(setting, constants(), 1000.0, 1000.0)
    fresh, cached = (total(form, feature_counts(*counts)) for counts in ((1000.0, 0.0, 0.0), (0.0, 1000.0, 0.0)))
    assert 0.0 < cached < 0.2 * fresh


def test_an_encoder_pays_once_for_the_weights_and_writes_nothing() -> None:
    form, seconds = encoder_joules(text_setting(DENSE, H100, 1, 8.0, NEW), constants())
    assert form["output"] == form["context"] == 0.0
    assert form["request"] > 0.0
    assert form["fresh"] > 0.0
    assert seconds["request"] > 0.0


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_soft_bounds(a: float, b: float) -> None:
    assert physics.lower(a, b) == pytest.approx(min(a, b), abs=1e-9 * max(a, b))
    assert physics.upper(a, b) == pytest.approx(max(a, b))
    assert physics.soft_lower(a, b, 8.0) <= min(a, b) * (1 + 1e-9) + 1e-12 * max(a, b)
    assert max(a, b) * (1 - 1e-9) <= physics.joined(a, b, 2.0) <= a + b + 1e-9


@pytest.mark.parametrize(("x", "up"), [(0.0, 0.0), (0.1, 1.0), (3.0, 3.0), (7.75, 8.0)])
def test_ceiling(x: float, up: float) -> None:
    assert physics.ceiling(x) == up
