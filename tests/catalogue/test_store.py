"""Look-ups: exact names, dates, zones, hardware."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from mesure.catalogue import current
from mesure.errors import UnknownName

SNAPSHOT = Path(__file__).with_name("factors.snapshot")


def test_every_factor_is_as_reviewed() -> None:
    """A change of data shows in review: `python tests/catalogue/snapshot.py` rewrites the file."""
    lines = [f"{f.id} = {f.value:g} [{f.low:g}, {f.high:g}] {f.unit}" for f in current().factors()]
    assert SNAPSHOT.read_text(encoding="utf-8").splitlines() == lines


def test_ids_are_unique_and_lead_back_to_the_factor() -> None:
    factors = current().factors()
    assert len({factor.id for factor in factors}) == len(factors)
    assert current().factor(factors[7].id) == factors[7]
    with pytest.raises(UnknownName) as unknown:
        current().factor("grids.FRA.intensity.1066")
    assert unknown.value.nearest


def test_every_factor_says_where_it_comes_from() -> None:
    for factor in current().factors():
        assert factor.source.strip()
        assert factor.source_url.strip()
        assert factor.licence.strip()
        assert factor.unit.strip()
        assert 1990 <= factor.year <= 2027
        assert 0.0 <= factor.low <= factor.value <= factor.high < math.inf


def test_the_first_edition_is_wide_enough() -> None:
    catalogue = current()
    makers = {facts.maker for name in catalogue.models() if (facts := catalogue.find_model(name))}
    assert len(catalogue.models()) >= 25
    assert {"openai", "anthropic", "google", "mistral", "meta-llama", "qwen", "deepseek-ai"} <= makers
    life_cycle = [f for f in catalogue.factors() if f.id.startswith("grids.") and ".intensity." in f.id]
    assert len({f.id.split(".")[1] for f in life_cycle}) >= 200
    wanted = ["FRA", "USA", "SWE", "DEU", "GBR", "IRL", "NLD", "ESP", "BEL", "CHE", "CAN", "JPN", "MAR", "TUN", "WORLD"]
    assert all(catalogue.grid(zone) is not None for zone in wanted)
    assert len(catalogue.accelerators()) >= 6


@pytest.mark.parametrize(
    ("name", "provider", "expected"),
    [
        ("gpt-4o", "openai", "gpt-4o"),
        ("GPT-4o", None, "gpt-4o"),
        ("gpt-4o-2024-08-06", "openai", "gpt-4o"),
        ("openai/gpt-4o", None, "gpt-4o"),
        ("claude-haiku-4-5-20251001", "anthropic", "claude-haiku-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "claude-sonnet-4-5"),
        ("models/gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("meta-llama/Llama-3.3-70B-Instruct", None, "llama-3.3-70b"),
        ("Qwen/Qwen3-8B", None, "qwen3-8b"),
        ("deepseek-ai/DeepSeek-R1", None, "deepseek-r1"),
        ("gemma-3-270m-q4_k_m.gguf", "local", "gemma-3-270m"),
        ("qwen3:8b", "ollama", "qwen3-8b"),
    ],
)
def test_names_providers_use_lead_to_the_model(name: str, provider: str | None, expected: str) -> None:
    found = current().find_model(name, provider)
    assert found is not None
    assert found.id == expected


@pytest.mark.parametrize(
    "name", ["gpt-4", "gpt-4o", "grok-4", "gpt-4oo", "gpt-4o-mini-2", "claude", "gemma-3-270", "qwen3-8", "", "openai/"]
)
def test_a_name_is_never_matched_by_likeness(name: str) -> None:
    found = current().find_model(name)
    assert found is None or found.id == name


def test_an_unknown_model_raises_with_names_to_propose() -> None:
    with pytest.raises(UnknownName) as unknown:
        current().model("gpt-4oo")
    assert "gpt-4o" in unknown.value.nearest
    assert unknown.value.action


def test_estimators_of_a_closed_model_stand_side_by_side() -> None:
    found = current().model("gpt-4o")
    assert not found.open_weights
    assert len(found.all("total_params_b")) >= 3
    assert len({factor.source for factor in found.all("total_params_b")}) >= 3


def test_the_model_of_the_demonstration_has_its_architecture() -> None:
    found = current().model("gemma-3-270m")
    values = {name: found.one(name) for name in ("layers", "hidden", "kv_elements", "full_layers", "window_tokens")}
    assert {name: factor.value for name, factor in values.items() if factor} == {
        "layers": 18,
        "hidden": 640,
        "kv_elements": 512,
        "full_layers": 3,
        "window_tokens": 512,
    }


def test_a_grid_is_read_at_a_date() -> None:
    grid = current().grid
    newest = grid("FRA")
    assert newest is not None
    at = {year: grid("FRA", date(year, 7, 1)) for year in (2023, 2024, 2025, 2030)}
    assert [factor.year for factor in at.values() if factor] == [2023, 2024, 2025, newest.year]
    oldest = grid("FRA", date(1999, 1, 1))
    assert oldest is not None
    assert oldest.year <= 2023
    assert grid("fra") == newest
    assert grid("XXX") is None


def test_a_zone_with_direct_factors_only_says_so() -> None:
    direct = [zone for zone in current().zones() if (f := current().grid(zone)) and "intensity_direct" in f.id]
    assert direct
    assert all("direct" in (current().grid(zone) or current().factors()[0]).note for zone in direct[:20])


def test_default_places_of_an_api_are_shares() -> None:
    for provider in ("openai", "anthropic", "google", "mistral", "deepseek", "xai", "groq", "nebius", "gemini"):
        host = current().host(provider)
        assert host is not None
        assert math.isclose(sum(share for _, share in host.places), 1.0)
        assert all(factor.status for factor in host.factors)
    assert current().host("somebody") is None


@pytest.mark.parametrize(
    ("name", "watts", "gb_s"),
    [
        ("V100", 300, 900),
        ("A100-80GB", 400, 2039),
        ("H100", 700, 3350),
        ("H200", 700, 4800),
        ("B200", 1000, 7700),
        ("l4", 72, 300),
    ],
)
def test_accelerators_by_common_name(name: str, watts: float, gb_s: float) -> None:
    found = current().accelerator(name)
    assert found.board_power_w is not None
    assert found.memory_bandwidth_gb_s is not None
    assert (found.board_power_w.value, found.memory_bandwidth_gb_s.value) == (watts, gb_s)


def test_an_unknown_accelerator_raises() -> None:
    with pytest.raises(UnknownName) as unknown:
        current().accelerator("H1000")
    assert unknown.value.nearest
    with pytest.raises(UnknownName):
        current().accelerator("any")


def test_where_a_seller_publishes_nothing_an_estimate_says_so_or_it_is_unknown() -> None:
    power = current().accelerator("tpu-v5e").board_power_w
    assert power
    assert power.source.startswith("Mesure authors, expert estimate")
    assert power.status == "assumed"
    assert power.low < power.value < power.high
    assert current().accelerator("maia-100").dense_bf16_tflops is None


def test_pue_of_a_provider_and_of_its_operator() -> None:
    site = current().site
    google, azure = site("google", "pue"), site("azure", "pue")
    assert google is not None
    assert azure is not None
    assert 1.0 <= google.value <= azure.value <= 2.0
    assert site("somebody", "pue") is None


def test_equivalences_start_from_physics() -> None:
    units = {factor.id.split(".")[1]: factor for factor in current().equivalences()}
    assert units["kettle-litre"].value == pytest.approx(4.186 * 80 / 3.6 / 0.85, rel=1e-3)
    assert units["led-hour"].unit == "Wh/hour"
