"""What is not stated becomes a distribution; what is stated replaces it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.errors import InvalidValue, UnknownName
from mesure.impact.deployment import Deployment
from mesure.impact.geometry import TextGeometry
from mesure.impact.hardware import accelerator_id, machine_spread, machines
from mesure.impact.mixture import mixed, quantile
from mesure.impact.scenarios import Lengths, text_scenarios
from mesure.impact.software import engines, one_at_a_time, weight_bytes
from mesure.impact.subject import TextModel

DENSE = TextModel(8.0, 8.0, TextGeometry(32, 4096, 2048, 32, 0, 1, 1, 0), 16.0, False, 0.0)
LENGTHS = Lengths(200.0, 300.0)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("H100", "h100-sxm"), ("NVIDIA H100 80GB HBM3", "h100-sxm"), ("h100-sxm5", "h100-sxm"),
        ("H100 PCIe", "h100-pcie"), ("H100-NVL", "h100-nvl"), ("A100-40GB", "a100-sxm-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"), ("A100", "a100-sxm-80gb"),
        ("Tesla V100-SXM2-32GB", "v100-sxm2-32gb"),
        ("A40", "a40"), ("B200", "b200-sxm"), ("GeForce RTX 4090", "rtx-4090"), ("NVIDIA L4", "l4"), ("Tesla T4", "t4"),
        ("AMD Instinct MI300X", "mi300x"), ("TPU v5e", "tpu-v5e"), ("Apple M4 Max", "apple-m4-max"),
        ("cpu", "cpu-generic"),
    ],
)  # fmt: skip
def test_usual_spellings_of_an_accelerator(said: str, meant: str) -> None:
    assert accelerator_id(said) == meant


@pytest.mark.parametrize("said", ["H1000", "H10", "", "some gpu", "4"])
def test_what_is_only_like_an_accelerator_is_refused(said: str) -> None:
    with pytest.raises(UnknownName):
        accelerator_id(said)


def test_an_accelerator_without_figures_is_refused() -> None:
    with pytest.raises(InvalidValue, match="publishes no"):
        machines("maia-100")


def test_an_accelerator_the_fit_has_not_seen_is_less_certain() -> None:
    assert machine_spread("h100-sxm") == 0.0
    assert 0.0 < machine_spread("l40s") < machine_spread("mi300x")
    assert machine_spread("cpu-generic") > machine_spread("mi300x")


def test_weights_are_one_and_a_stated_value_replaces_its_distribution() -> None:
    free = text_scenarios([(1.0, DENSE)], Deployment(), None, LENGTHS, local=False)
    assert sum(scenario.weight for scenario in free) == pytest.approx(1.0)
    assert {scenario.machine.id for scenario in free} == {"h100-sxm", "b200-sxm"}
    earlier = text_scenarios([(1.0, DENSE)], Deployment(), 2024, LENGTHS, local=False)
    assert {scenario.machine.id for scenario in earlier} == {"a100-sxm-40gb", "h100-sxm"}
    stated = Deployment(gpu="H100", n_gpus=1, batch=7, framework="vLLM 0.11")
    [one] = text_scenarios([(1.0, DENSE)], stated, None, LENGTHS, local=False)
    assert (one.boards, one.batch, one.weight) == (1, 7.0, 1.0)


def test_what_does_not_fit_one_board_takes_more() -> None:
    large = TextModel(70.0, 70.0, TextGeometry(80, 8192, 2048, 80, 0, 1, 1, 0), 16.0, False, 0.0)
    boards = {s.boards for s in text_scenarios([(1.0, large)], Deployment(gpu="H100"), 2026, LENGTHS, local=False)}
    assert boards == {4, 8}


def test_long_contexts_leave_room_for_fewer_requests() -> None:
    def most(tokens: float) -> float:
        found = text_scenarios(
            [(1.0, DENSE)], Deployment(gpu="H100", n_gpus=1), 2026, Lengths(tokens, 100), local=False
        )
        return max(scenario.batch for scenario in found)

    assert most(100_000.0) < most(100.0)


def test_a_processor_is_a_range_of_machines() -> None:
    weighted, factors = machines("cpu")
    powers = [machine.power_w for _, machine in weighted]
    assert powers == sorted(powers)
    assert len(powers) == 3
    assert factors


@pytest.mark.parametrize(
    ("framework", "year", "old"),
    [
        ("vLLM 0.5.4", None, 1.0),
        ("vLLM 0.11", 2024, 0.0),
        ("vLLM", 2024, 1.0),
        ("vLLM", 2025, 0.0),
        ("vLLM", None, 0.25),
    ],
)
def test_the_year_of_the_software(framework: str, year: int | None, old: float) -> None:
    [(weight, eager, share, local)] = engines(framework, own=False, chip_year=2022, batch=64.0, year=year)
    assert (weight, eager, share, local) == (1.0, 0.0, old, 0.0)


def test_engines_by_their_names() -> None:
    assert engines("HF transformers/FastChat", own=False, chip_year=2022, batch=1.0, year=None)[0][1] == 1.0
    assert engines("llama.cpp", own=False, chip_year=2022, batch=1.0, year=None)[0][3] == 1.0
    assert engines(None, own=True, chip_year=2022, batch=1.0, year=None)[0][3] == 1.0
    assert sum(weight for weight, *_ in engines(None, own=False, chip_year=2022, batch=1.0, year=None)) == 1.0
    assert one_at_a_time("Ollama")
    assert not one_at_a_time("vLLM on transformers")


def test_formats_of_weights() -> None:
    assert weight_bytes(16.0, mixture=True) == (2.0, 2.0, 0.0)
    assert weight_bytes(8.0, mixture=False) == (1.0, 1.0, 0.0)
    assert weight_bytes(8.0, mixture=True)[2] == 1.0
    assert weight_bytes(4.25, mixture=True)[0] == 2.0


@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(0.01, 1.0)), min_size=1, max_size=30))
def test_quantiles_are_values_in_order(weighted: list[tuple[float, float]]) -> None:
    found = [quantile(weighted, share) for share in (0.05, 0.5, 0.95)]
    assert found == sorted(found)
    assert set(found) <= {value for value, _ in weighted}


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(1e-6, 1e6), st.floats(0.05, 1.0)), min_size=1, max_size=40))
def test_a_mixture_is_ordered_and_lies_where_its_points_do(points: list[tuple[float, float, float]]) -> None:
    found = mixed(points)
    assert 0.0 < found.low < found.mid < found.high
    values, widest = [value for _, value, _ in points], max(spread for _, _, spread in points)
    assert min(values) * math.exp(-2.2 * widest) <= found.mid <= max(values) * math.exp(2.2 * widest)


def test_one_point_keeps_its_own_error() -> None:
    low, mid, high = mixed([(1.0, 2.0, 0.2)])
    assert mid == pytest.approx(2.0)
    assert high / mid == pytest.approx(mid / low) == pytest.approx(math.exp(0.2 * 1.6448536))
