"""Our writing of EcoLogits' equations against the package itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from itertools import islice, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.impact.methods import Amounts, Call, method
from mesure.impact.methods.ecologits import Halls, Size, boards_for, request

# Of the test group: its absence is an error, not a skip that nobody sees
from ecologits.electricity_mix_repository import electricity_mixes  # isort: skip
from ecologits.impacts.llm import compute_llm_impacts
from ecologits.model_repository import models
from ecologits.tracers.utils import llm_impacts

OURS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "google_genai": "gemini",
    "mistralai": "mistral",
    "huggingface_hub": "huggingface",
}
ZONES = ("FRA", "USA", "SWE", "DEU", "POL", "CHN", "BRA", "JPN", "ZAF", "IND")
TOKENS = (1, 40, 500, 2_000, 30_000)


def cases() -> Iterator[tuple[str, str, int, str]]:
    """Every model of the package, each with a length and a zone in turn: more than 300."""
    for index, model in enumerate(models.list_models()):
        yield model.provider.value, model.name, TOKENS[index % len(TOKENS)], ZONES[index % len(ZONES)]


def bounds(value: Any) -> tuple[float, float]:
    return (value.min, value.max) if hasattr(value, "min") else (value, value)


def ours(provider: str, model: str, tokens: int, zone: str | None) -> Any:
    call = Call((model,), OURS[provider], zone, date(2026, 11, 1))
    return method("ecologits-0.11").estimate(call, Amounts(events=1, calls=1, output_tokens=tokens))


def test_over_every_model_of_the_package_energy_and_carbon_agree_within_one_percent() -> None:
    worst, seen = 0.0, 0
    for provider, model, tokens, zone in cases():
        theirs = llm_impacts(provider, model, tokens, math.inf, zone)
        found = ours(provider, model, tokens, zone)
        assert theirs.energy is not None
        assert theirs.gwp is not None
        for mine, value in ((found.energy_wh, theirs.energy.value), (found.gwp_gco2eq, theirs.gwp.value)):
            low, high = bounds(value)
            for got, expected in ((mine.low, low), (mine.high, high), (mine.mid, (low + high) / 2)):
                worst = max(worst, abs(got / (expected * 1e3) - 1.0))
        seen += 1
    assert seen >= 200
    assert worst < 0.01


def test_where_no_zone_is_said_theirs_and_ours_are_at_the_same_place() -> None:
    for provider, model in (
        ("openai", "gpt-4o"),
        ("mistralai", "mistral-large-latest"),
        ("anthropic", "claude-sonnet-4-5"),
    ):
        theirs = llm_impacts(provider, model, 400, math.inf)
        assert theirs.gwp is not None
        assert ours(provider, model, 400, None).gwp_gco2eq.mid == pytest.approx(
            sum(bounds(theirs.gwp.value)) / 2e-3, rel=0.01
        )


@given(
    active=st.floats(0.1, 500.0),
    sparsity=st.floats(1.0, 20.0),
    tokens=st.integers(1, 100_000),
    pue=st.floats(1.0, 2.0),
    grid=st.floats(0.0, 1.2),
    speed=st.one_of(st.none(), st.floats(1.0, 1000.0)),
)
def test_the_equations_agree_for_any_size_place_and_speed(
    active: float, sparsity: float, tokens: int, pue: float, grid: float, speed: float | None
) -> None:
    theirs = compute_llm_impacts(
        active, active * sparsity, tokens, 0.0, 0.0, grid, 0.0, pue, 0.0, tps=speed, ttft=0.4 if speed else None
    )
    size = Size(active, active * sparsity, speed, 0.4 if speed else 0.0)
    found = request(size, Halls(pue, grid * 1e3), tokens)
    assert found.energy_wh == pytest.approx(theirs.energy.value * 1e3, rel=1e-6)
    assert theirs.embodied.gwp.value * 1e3 == pytest.approx(found.embodied_gco2eq, rel=1e-6)
    assert theirs.usage.gwp.value * 1e3 == pytest.approx(found.usage_gco2eq, rel=1e-6, abs=1e-12)


def test_grids_of_the_catalogue_are_those_of_the_package() -> None:
    agree = 0
    for mix in electricity_mixes.list_electricity_mixes():
        grid = current().grid(mix.zone)
        agree += grid is not None and mix.gwp > 0.0 and abs(grid.value / (mix.gwp * 1e3) - 1.0) < 0.01
    assert agree >= 210


@pytest.mark.parametrize(("total", "boards"), [(1.0, 1.0), (33.0, 1.0), (34.0, 2.0), (70.0, 4.0), (440.0, 16.0)])
def test_boards_double_as_published(total: float, boards: float) -> None:
    assert boards_for(total) == boards


def estimate(call: Call, **amounts: Any) -> Any:
    return method("ecologits-0.11").estimate(
        call, Amounts(**({"events": 1, "calls": 1, "output_tokens": 100} | amounts))
    )


def test_what_it_cannot_tell_is_unknown_and_says_why() -> None:
    known = Call(("gpt-4o",), "openai", "FRA")
    assert estimate(known, operation="embeddings").codes == ("operation_not_covered",)
    assert estimate(known, basis=2).codes == ("output_tokens_unknown",)
    assert estimate(known._replace(models=("nobody-1",))).codes == ("model_not_listed",)
    for amounts in ({"operation": "embeddings"}, {"basis": 2}):
        found = estimate(known, **amounts)
        assert found.energy_wh is None
        assert found.gwp_gco2eq is None
    nowhere = estimate(known._replace(zone="XXX"))
    assert nowhere.energy_wh is not None
    assert nowhere.gwp_gco2eq is None
    assert "zone_no_factor" in nowhere.codes


def test_a_model_it_does_not_list_takes_the_published_size_of_the_catalogue() -> None:
    unlisted = next(
        name
        for name in current().models()
        if (facts := current().find_model(name))
        and facts.modality == "text"
        and (total := facts.one("total_params_b"))
        and total.status != "estimated"
        and "size_of_catalogue" in estimate(Call((name,), "own", "FRA")).codes
    )
    found = estimate(Call((unlisted,), "own", "FRA"))
    assert found.energy_wh is not None
    assert "provider_not_listed" in found.codes


def test_prompt_tokens_count_for_nothing_and_that_is_said_where_there_are_some() -> None:
    call = Call(("gpt-4o",), "openai", "FRA")
    without, with_prompt = estimate(call), estimate(call, input_tokens=100_000)
    assert without.energy_wh == with_prompt.energy_wh
    assert "prompt_tokens_ignored" in with_prompt.codes
    assert "prompt_tokens_ignored" not in without.codes


def test_two_calls_are_twice_one() -> None:
    for name, tokens in islice(product(("gpt-4o", "gpt-4.1"), (10, 100)), 4):
        call = Call((name,), "openai", "FRA")
        one, two = estimate(call, output_tokens=tokens), estimate(call, output_tokens=2 * tokens, calls=2, events=2)
        assert two.energy_wh[:3] == pytest.approx([2 * value for value in one.energy_wh[:3]], rel=1e-12)
