"""The whole catalogue: how wide it is, what holds of every entry, what a look-up costs."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from mesure.catalogue import current
from mesure.catalogue.places import GRID_PARAMETERS
from mesure.errors import UnknownName


def test_four_hundred_models_of_every_kind() -> None:
    catalogue = current()
    found = [catalogue.find_model(name) for name in catalogue.models()]
    assert all(facts is not None for facts in found), "every listed model is found by its own name"
    kinds = {facts.modality for facts in found if facts}
    assert len(found) >= 1500
    assert kinds == {"text", "embedding", "image", "video", "speech to text", "text to speech"}


def test_a_mixture_has_its_active_size_and_no_larger_than_its_total() -> None:
    for name in current().models():
        facts = current().find_model(name)
        assert facts
        total, active = facts.one("total_params_b"), facts.one("active_params_b")
        if total and active and total.source == active.source:
            assert active.low <= total.high * 1.001, name
        if facts.one("experts") and total:
            assert active is not None, f"{name} is a mixture without active size"


def test_a_cache_of_latent_attention_is_small() -> None:
    for name in ("deepseek-v3", "deepseek-v3.1", "deepseek-v2.5", "deepseek-v3.1-nvfp4"):
        cache = current().model(name).one("kv_elements")
        assert cache is not None
        assert cache.value == 576


@pytest.mark.parametrize(
    ("name", "provider", "day", "expected"),
    [
        ("mistral-large-latest", "mistral", date(2025, 1, 15), "mistral-large-2411"),
        ("mistral-large-latest", "mistral", date(2026, 1, 15), "mistral-large-2512"),
        ("mistral-large-latest", "mistral", None, "mistral-large-2512"),
        ("mistral-large-latest", "mistral", date(2024, 3, 1), None),  # of unknown size then
        ("deepseek-chat", "deepseek", date(2025, 1, 5), "deepseek-v3"),
        ("deepseek-chat", "deepseek", date(2026, 6, 1), "deepseek-v4-flash"),
        ("deepseek-reasoner", "deepseek", date(2025, 3, 1), "deepseek-r1"),
        ("accounts/fireworks/models/llama-v3p3-70b-instruct", "fireworks-ai", None, "llama-3.3-70b"),
        ("meta.llama3-3-70b-instruct-v1:0", "amazon-bedrock", None, "llama-3.3-70b"),
        ("gpt-35-turbo", "azure", None, "gpt-3.5-turbo"),
    ],
)
def test_names_by_provider_and_day(name: str, provider: str, day: date | None, expected: str | None) -> None:
    found = current().find_model(name, provider, day)
    assert (found.id if found else None) == expected


def test_a_name_of_unknown_size_is_told_apart_and_never_known() -> None:
    name = "claude-3-opus-20240229"
    assert current().find_model(name, "anthropic") is None
    assert "anthropic" in current().unsized(name)
    assert current().unsized("no-such-thing") == ()
    with pytest.raises(UnknownName) as unknown:
        current().model(name)
    assert unknown.value.code == "size_unknown"
    assert unknown.value.nearest
    with pytest.raises(UnknownName) as plain:
        current().model("no-such-thing")
    assert plain.value.code == "unknown_name"


def test_every_zone_has_carbon_water_minerals_and_primary_energy() -> None:
    catalogue = current()
    for zone in catalogue.zones():
        grid = catalogue.zone(zone)
        assert grid
        assert grid.factors.keys() <= GRID_PARAMETERS.keys()
        assert {"water", "adpe", "pe"} <= grid.factors.keys(), zone
        assert grid.factors.keys() & {"intensity", "intensity_direct"}, zone
        assert grid.direct_only == ("intensity" not in grid.factors)
        for quantity in ("water", "adpe", "pe"):
            factor = grid.factors[quantity]
            assert 0.0 < factor.low < factor.value < factor.high, factor.id


def test_sub_national_zones_are_there() -> None:
    zones = set(current().zones())
    assert {"US-VA", "US-CA", "CA-QC", "CA-ON", "AU-NSW", "CN-BJ", "SE-SE3", "NO-NO1"} <= zones
    assert len([zone for zone in zones if zone.startswith("US-") and "EGRID" not in zone]) >= 51


def test_computed_water_stands_near_published_mixes() -> None:
    """Same order as a published library's national values (France 3.7, Sweden 6.0, Canada 8.2, Germany 1.9 L/kWh)."""
    for zone, seen in {
        "FRA": 3.67,
        "SWE": 6.03,
        "CAN": 8.17,
        "DEU": 1.95,
        "POL": 2.51,
        "CHN": 6.01,
        "USA": 3.13,
    }.items():
        factor = current().grid_factor(zone, "water")
        assert factor is not None
        assert factor.low <= seen <= factor.high
        assert 1 / 2 <= factor.value / seen <= 2


def test_shares_of_a_mix_sum_to_one() -> None:
    for zone in ("FRA", "USA", "WORLD", "CA-QC"):
        grid = current().zone(zone)
        assert grid
        assert sum(share.value for share in grid.mix) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize(
    ("provider", "region", "zone"),
    [
        ("aws", "us-east-1", "US-VA"),
        ("amazon-bedrock", "eu-north-1", "SE-SE3"),
        ("aws", "eu-west-3a", "FRA"),
        ("azure", "Sweden Central", "SE-SE3"),
        ("azure-openai", "francecentral", "FRA"),
        ("google", "europe-west9", "FRA"),
        ("vertex-ai", "europe-west9-a", "FRA"),
        ("ovhcloud", "GRA", "FRA"),
        ("scaleway", "fr-par", "FRA"),
        ("outscale", "eu-west-2", "FRA"),
        ("aws", "global", None),
        ("somebody", "fr-par", None),
    ],
)
def test_a_cloud_region_is_a_place(provider: str, region: str, zone: str | None) -> None:
    assert current().region_zone(provider, region) == zone


def test_every_collected_region_has_provenance() -> None:
    rows = current().rows("regions")
    assert len(rows) >= 290
    found = current().region("aws", "us-east-1")
    assert found
    assert found.source
    assert found.licence
    assert found.egrid_subregion == "US-EGRID-SRVC"


def test_halls_of_a_region_before_those_of_the_fleet() -> None:
    site = current().site
    fleet, own = site("aws", "pue"), site("aws", "pue", region="eu-north-1")
    assert fleet
    assert own
    assert own.id.startswith("sites.aws:eu-north-1.")
    assert site("aws", "pue", region="no-such-region") == fleet
    earlier = site("aws", "pue", date(2022, 6, 1), "us-east-1")
    assert earlier
    assert earlier.year == 2022


@pytest.mark.parametrize(
    ("day", "tier", "dollars"),
    [
        (date(2026, 1, 1), "standard", (2.5, 10.0, 1.25)),
        (date(2026, 1, 1), "batch", (1.25, 5.0, 0.625)),
        (date(2026, 1, 1), "fast", None),
        (date(2026, 11, 1), "fast", (4.25, 17.0, 2.125)),
        (date(2020, 1, 1), "standard", None),
    ],
)
def test_prices_on_a_day(day: date, tier: str, dollars: tuple[float, float, float] | None) -> None:
    price = current().price("openai", "gpt-4o", day, tier)
    seen = price and (price.input_usd_per_mtok, price.output_usd_per_mtok, price.cached_input_usd_per_mtok)
    assert seen == dollars
    if price:
        assert price.source_url.startswith("http")
        assert price.to_json()["licence"] == "MIT"


def test_a_price_follows_the_rules_of_names_and_stays_with_its_seller() -> None:
    assert current().price("openai", "openai/gpt-4o-2024-08-06") is not None
    assert current().price("nobody", "gpt-4o") is None
    assert current().price("openai", "gpt-4oo") is None


def test_processors_by_whole_name() -> None:
    cpu = current().cpu
    for name in ("AMD EPYC 7763", "AMD EPYC 7763 64-Core Processor", "amd epyc 7763"):
        found = cpu(name)
        assert found
        assert found.value == 280
    assert cpu("AMD EPYC 776") is None
    assert cpu("EPYC") is None


def test_manufacture_is_shown_side_by_side() -> None:
    kilograms = current().embodied()
    assert len(kilograms) >= 12
    assert {factor.unit.split("/")[0] for factor in kilograms} == {"kgCO2e"}
    assert len(current().embodied("kgSbeq")) == len(current().embodied("MJ")) == 2


def test_coal_and_hydro_differ() -> None:
    technologies = current().technologies()
    assert technologies["coal"]["gwp"].value > 20 * technologies["hydro"]["gwp"].value
    assert technologies["hydro"]["water"].value > technologies["coal"]["water"].value
    assert all({"water", "adpe", "pe", "gwp"} <= of.keys() for of in technologies.values())


def test_a_look_up_reads_its_own_table_only() -> None:
    """Prices and lists of names are not read for an estimate."""
    code = (
        "from mesure.catalogue import current\n"
        "c = current()\n"
        "c.find_model('gpt-4o', 'openai'); c.grid('FRA'); c.site('openai', 'pue'); c.host('openai')\n"
        "print(*sorted(c._tables.read), sep=',')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.strip().split(",")) == {
        "grids", "hosts", "model_aliases", "model_list", "model_names", "models", "models_mpl", "sites",
    }  # fmt: skip
