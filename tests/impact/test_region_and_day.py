"""Facts of an event beside its model's name: the cloud region, the day, and a size known within a range."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.impact import Deployment, ModelCard, estimate, explain, impacts_of_facts, resolve
from mesure.impact.methods import amounts_of, call_of, methods
from mesure.impact.place import place_of, stated_zone
from mesure.impact.site import of_region
from mesure.impact.subject import subject_of
from mesure.quantity import Status
from mesure.record import UsageEvent

REGIONS = sorted({(row["provider"], row["region"], row["zone"]) for row in current().rows("regions")})


def event(**facts: Any) -> UsageEvent:
    known = {"id": "01890000-0000-7000-8000-000000000000", "started_at": datetime(2026, 11, 1, tzinfo=UTC)}
    return UsageEvent(**(known | facts))


# Region


@given(st.sampled_from(REGIONS))
def test_a_region_stated_is_its_zone_stated(listed: tuple[str, str, str]) -> None:
    provider, region, zone = listed
    assert stated_zone(provider, None, region) == zone
    assert place_of(provider, None, region) == place_of(None, zone)
    by_region = resolve("qwen3-8b", provider=provider, region=region)
    assert by_region.zone == zone
    assert "zone_assumed" not in by_region.warnings
    assert "region_not_listed" not in by_region.warnings
    grid = by_region.parts.get("grid_intensity_gco2eq_per_kwh")
    expected = resolve("qwen3-8b", zone=zone).parts.get("grid_intensity_gco2eq_per_kwh")
    assert grid == expected
    assert grid is None or grid.status is Status.MODELLED


@pytest.mark.parametrize(
    ("provider", "region", "zone"),
    [
        ("azure-openai", "West Europe", "NLD"),  # as people write it, under the name of the API
        ("bedrock", "eu-west-1a", "IRL"),  # an availability zone
        ("vertex_ai", "europe-west9", "FRA"),
    ],
)
def test_a_region_is_found_under_the_names_of_the_api(provider: str, region: str, zone: str) -> None:
    assert stated_zone(provider, None, region) == zone


def test_a_zone_stated_wins_over_the_region_and_its_halls_stay() -> None:
    found = resolve("qwen3-8b", provider="aws", region="eu-west-1", zone="FRA")
    assert found.zone == "FRA"
    assert any(factor.id.startswith("grids.FRA.") for factor in found.factors)
    assert any(factor.id.startswith("sites.aws:eu-west-1.pue") for factor in found.factors)


@pytest.mark.parametrize(("provider", "assumed"), [("openai", "zone_assumed"), ("nobody", "zone_unknown")])
def test_a_region_that_is_not_listed_is_said_and_changes_nothing(provider: str, assumed: str) -> None:
    found, bare = (resolve("gpt-4o", provider=provider, region=region) for region in ("mars-north-1", None))
    assert found.zone is None
    assert {"region_not_listed", assumed} <= set(found.warnings)
    assert found.parts == bare.parts
    assert "region_not_listed" not in bare.warnings


def test_halls_of_a_region_are_its_own_and_closer_to_one_another() -> None:
    region, fleet = (resolve("qwen3-8b", provider="aws", region=name, zone="IRL") for name in ("eu-west-1", None))
    listed = current().site("aws", "pue", region="eu-west-1")
    assert listed is not None
    assert of_region(listed)
    assert region.parts["pue"].mid == listed.value != fleet.parts["pue"].mid
    widths = [found.parts["wue_l_per_kwh"] for found in (region, fleet)]
    assert widths[0].high / widths[0].low == pytest.approx(4.0)
    assert widths[1].high / widths[1].low == pytest.approx(80.0)
    used = impacts_of_facts(region, input_tokens=9, output_tokens=9)
    told = {factor.id for factor in explain(used).factors()}
    assert {source for source in region.parts["wue_l_per_kwh"].sources if source.startswith("sites.aws:")} <= told


def test_every_method_that_knows_places_takes_the_region() -> None:
    facts = {"provider": "azure", "model_requested": "gpt-4o", "input_tokens": 100, "output_tokens": 100}
    by_region, by_zone = event(**facts, host_region="northeurope"), event(**facts, host_zone="IRL")
    assert call_of(by_region).stated_zone == call_of(by_zone).stated_zone == "IRL"
    for method in methods():
        found, expected = (method.estimate(call_of(one), amounts_of(one)) for one in (by_region, by_zone))
        if method.name == "mesure":  # the halls of the region, beside its grid
            continue
        assert found == expected, method.name


# Day


@pytest.mark.parametrize(
    ("name", "provider", "day", "model"),
    [
        ("deepseek-chat", "deepseek", date(2025, 3, 1), "deepseek-v3"),
        ("deepseek-chat", "deepseek", date(2025, 12, 1), "deepseek-v3.2"),
        ("deepseek-chat", "deepseek", None, "deepseek-v4-flash"),
        ("mistral-large-latest", "mistral", date(2025, 3, 1), "mistral-large-2411"),
        ("mistral-large-latest", "mistral", date(2026, 3, 1), "mistral-large-2512"),
        ("mistral-medium-latest", "mistral", date(2025, 6, 1), None),  # of a size nobody publishes
        ("mistral-medium-latest", "mistral", date(2026, 6, 1), "mistral-medium-2604"),
    ],
)
def test_a_name_that_moves_is_what_it_designated_that_day(
    name: str, provider: str, day: date | None, model: str | None
) -> None:
    found = resolve(name, provider=provider, at=day)
    assert found.model == model
    assert found.known is (model is not None)
    if model and day:
        said = resolve(model, provider=provider, at=day)
        assert found.form.terms == said.form.terms
        assert estimate(model, output_tokens=9, at=day).model == model


def test_a_name_that_does_not_move_is_resolved_once_a_year() -> None:
    one, other = (resolve("gpt-4o", provider="openai", at=date(2026, month, 3)) for month in (2, 9))
    assert one is other
    moved = [resolve("deepseek-chat", provider="deepseek", at=date(2025, month, 3)) for month in (2, 3, 9)]
    assert moved[0].form == moved[1].form
    assert moved[0].model != moved[2].model


def test_an_estimate_takes_the_day_too() -> None:
    old, new = (estimate("deepseek-chat", output_tokens=100, at=day) for day in (date(2025, 3, 1), date(2026, 6, 1)))
    assert (old.model, new.model) == ("deepseek-v3", "deepseek-v4-flash")


# Active size within a range


ESTIMATED = sorted(
    row["entity"]
    for row in current().rows("models")
    if row["parameter"] == "active_params_b" and row["status"] == "estimated" and row["low"]
)


@given(st.sampled_from(ESTIMATED))
def test_a_mixture_known_within_a_range_is_drawn_over_it(name: str) -> None:
    facts = current().find_model(name)
    assert facts is not None
    subject = subject_of(name, None, None, Deployment())
    if subject.estimated:  # its total is an estimate as well: every estimator's range counts
        return
    listed = facts.one("active_params_b")
    assert listed is not None
    sizes = [text.active_b for _, text in subject.texts]
    assert subject.active_estimated
    assert sum(weight for weight, _ in subject.texts) == pytest.approx(1.0)
    assert listed.low < min(sizes) <= sorted(sizes)[2] <= max(sizes) < listed.high
    assert sorted(sizes)[2] == pytest.approx((listed.low * listed.high) ** 0.5)  # log-uniform: the middle is geometric
    assert len({text.total_b for _, text in subject.texts if text.mixture}) <= 1
    assert listed in subject.factors


def test_the_range_widens_the_interval_and_is_said_until_the_energy_is_measured() -> None:
    machines, card = Deployment(gpu="H100", n_gpus=1, batch=1), ModelCard(total_params_b=30, active_params_b=8.485)
    drawn, stated = (
        impacts_of_facts(
            resolve("sarvam-30b", zone="IND", deployment=machines, card=said), input_tokens=300, output_tokens=300
        )
        for said in (None, card)
    )
    assert "active_size_estimated" in drawn.warnings
    assert "active_size_estimated" not in stated.warnings
    assert drawn.energy_wh.high / drawn.energy_wh.low > 1.3 * stated.energy_wh.high / stated.energy_wh.low
    assert drawn.energy_wh.mid == pytest.approx(stated.energy_wh.mid, rel=0.5)
    read = impacts_of_facts(drawn.coefficients, energy_j=10.0, energy_status="measured")
    assert "active_size_estimated" not in read.warnings


@pytest.mark.parametrize("name", ["llama-3.1-8b", "qwen3-235b-a22b", "mixtral-8x7b", "deepseek-v3"])
def test_a_published_size_is_one_size(name: str) -> None:
    subject = subject_of(name, None, None, Deployment())
    assert len(subject.texts) == 1
    assert not subject.active_estimated
