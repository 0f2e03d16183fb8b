"""The physics: what must hold whatever the constants."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.impact import constants as fit
from mesure.impact.deployment import Deployment
from mesure.impact.diffusion import DiffusionModel, diffusion_terms
from mesure.impact.roofline import Load, Machine, TextModel, fits_batch, generic_geometry, text_terms
from mesure.impact.scenarios import machines, quantile, spread_of, text_scenarios

H100 = Machine("h100-sxm", 700.0, 80.0, 3350.0, 989e3, 1979e3, 450.0, fit.POWER_IDLE["h100-sxm"].value)
DENSE = TextModel(8.0, 8.0, 32.0, 4096.0, 2048.0, 32.0, 0.0, 0.0, 0.0, 0.0, 16.0)
MIXTURE = TextModel(3.0, 30.0, 48.0, 2048.0, 1024.0, 48.0, 0.0, 128.0, 8.0, 0.0, 16.0)


def output_wh(model: TextModel, load: Load, machine: Machine = H100) -> float:
    return text_terms(model, machine, load)["output"]


@settings(deadline=None)
@given(st.floats(0.1, 500), st.integers(0, 10), st.integers(0, 4))
def test_terms_are_finite_and_positive(size: float, octave: int, doubling: int) -> None:
    layers, hidden = generic_geometry(size, size, mixture=False)
    model = TextModel(size, size, layers, hidden, 2048.0, layers, 0.0, 0.0, 0.0, 0.0, 16.0)
    terms = text_terms(model, H100, Load(2**doubling, 2.0**octave))
    assert all(math.isfinite(value) and value > 0.0 for value in terms.values())
    assert terms["power_share"] <= fit.POWER_CAP.value


@settings(deadline=None)
@given(st.sampled_from([DENSE, MIXTURE]), st.integers(0, 9))
def test_more_requests_in_flight_share_the_weights(model: TextModel, octave: int) -> None:
    assert output_wh(model, Load(1, 2.0 ** (octave + 1))) < output_wh(model, Load(1, 2.0**octave))


def test_alone_a_request_pays_for_all_the_weights() -> None:
    """8e9 weights of 16 bits at 3.35 TB/s are 4.9 ms of a 700 W board at half power: about 0.6 mWh."""
    assert output_wh(DENSE, Load(1, 1.0)) == pytest.approx(700 * 0.6 * 0.0085 / 3600, rel=0.3)


def test_a_mixture_reads_more_experts_as_the_batch_grows() -> None:
    dense_gain = output_wh(DENSE, Load(1, 1.0)) / output_wh(DENSE, Load(1, 64.0))
    mixture_gain = output_wh(MIXTURE, Load(1, 1.0)) / output_wh(MIXTURE, Load(1, 64.0))
    assert mixture_gain < dense_gain
    assert output_wh(MIXTURE, Load(1, 1.0)) < output_wh(replace(DENSE, active_b=30.0, total_b=30.0), Load(1, 1.0))


def test_prefill_is_compute_bound_near_full_power() -> None:
    fresh = text_terms(DENSE, H100, Load(1, 64.0))["fresh"]
    ideal = 2 * 8.0 / (989e3 * fit.COMPUTE.value) * 700 / 3600
    assert 0.7 * ideal < fresh < ideal


def test_fewer_bits_cost_less_and_only_where_weights_are_read() -> None:
    eight, sixteen = (text_terms(replace(DENSE, bits=bits), H100, Load(1, 1.0)) for bits in (8.0, 16.0))
    assert eight["output"] < sixteen["output"]
    assert eight["input_output"] == pytest.approx(sixteen["input_output"], rel=0.2)


def test_windows_bound_what_context_costs() -> None:
    windowed = replace(DENSE, full_layers=4.0, window_tokens=1024.0)
    full, bounded = (text_terms(model, H100, Load(1, 64.0)) for model in (DENSE, windowed))
    assert bounded["input_output"] < 0.2 * full["input_output"]
    assert windowed.cache_gb(100_000) < 0.2 * DENSE.cache_gb(100_000)


def test_older_software_costs_more() -> None:
    now, then, loop = (output_wh(DENSE, Load(1, 16.0, engine)) for engine in ("server", "server-2024", "loop"))
    assert now < then < loop


def test_memory_bounds_the_batch() -> None:
    assert fits_batch(DENSE, H100, 1) > 8
    assert fits_batch(replace(DENSE, active_b=70.0, total_b=70.0), H100, 1) < 1
    assert fits_batch(DENSE, H100, 1, context=100_000) < fits_batch(DENSE, H100, 1)


def test_scenarios_weigh_one_and_a_stated_value_replaces_its_distribution() -> None:
    free = text_scenarios([(1.0, DENSE)], Deployment(), 2026, local=False)
    assert sum(scenario.weight for scenario in free) == pytest.approx(1.0)
    assert {scenario.machine.id for scenario in free} == {"h100-sxm", "b200-sxm"}
    earlier = text_scenarios([(1.0, DENSE)], Deployment(), 2024, local=False)
    assert {scenario.machine.id for scenario in earlier} == {"a100-sxm-40gb", "h100-sxm"}
    [stated] = text_scenarios([(1.0, DENSE)], Deployment(gpu="H100", n_gpus=1, batch=7), 2026, local=False)
    assert (stated.load.n, stated.load.batch) == (1, 7)


def test_a_processor_is_a_range_of_machines() -> None:
    powers = [machine.power_w for _, machine, _ in machines("cpu")]
    assert powers == sorted(powers)
    assert len(powers) == 3


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(0.01, 1.0)), min_size=1, max_size=30))
def test_quantiles_are_values_in_order(weighted: list[tuple[float, float]]) -> None:
    found = [quantile(weighted, share) for share in (0.05, 0.5, 0.95)]
    assert found == sorted(found)
    assert set(found) <= {value for value, _ in weighted}


def test_the_interval_of_a_term_holds_its_scenarios() -> None:
    scenarios = text_scenarios([(1.0, DENSE)], Deployment(gpu="H100"), 2026, local=False)
    bare, widened = (spread_of(scenarios, "output", own) for own in (0.0, 0.5))
    assert bare.mid == widened.mid
    assert widened.low < bare.low
    assert bare.high < widened.high


def test_one_number_carries_from_images_to_videos() -> None:
    image = DiffusionModel(4.76, 4.7, 42.0, 3072.0, 2.0, 16.0, 8.0, None, 1.0, None, 1.0)
    terms = diffusion_terms(image, H100, Load(1, 1.0))
    linear = 2 * 4.76e-3 * (1e6 / 256) * 2
    tflop_per_joule = linear / (terms["step_volume"] * 3600)
    assert 0.3 < tflop_per_joule < 0.6


def test_a_convolutional_denoiser_is_linear_in_pixels() -> None:
    unet = DiffusionModel(2.6, 0.8, 30.0, 1024.0, 2.0, 16.0, 1.0, 5.72, 1.0, None, 1.0)
    assert diffusion_terms(unet, H100, Load(1, 1.0))["step_volume_volume"] == 0.0


def test_every_constant_has_a_source_a_date_and_a_unit() -> None:
    for name, factor in vars(fit).items():
        if name.isupper() and hasattr(factor, "licence"):
            assert factor.id.startswith("fit.")
            assert factor.source
            assert factor.unit
            assert factor.year == 2026
