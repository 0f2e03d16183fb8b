"""What is stated of machines and of a model: figures move as physics says, intervals narrow, nonsense is refused."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.errors import InvalidValue, UnknownName
from mesure.impact import Deployment, ModelCard, impacts_of_facts, resolve
from mesure.impact.deployment import BITS
from mesure.quantity import Quantity, Status

FACTS: dict[str, dict[str, Any]] = {
    "text": {"input_tokens": 500, "output_tokens": 200},
    "embedding": {"input_tokens": 500},
    "speech to text": {"audio_seconds": 60.0},
    "image": {"images_count": 1},
    "video": {"images_count": 1},
}
#: Dense and mixtures, small and large, of several makers: (name, boards of 80 GB that hold its weights).
OPEN = (
    ("qwen3-0.6b", 1), ("gemma-3-4b", 1), ("llama-3.1-8b", 1), ("phi-3-medium-128k-instruct", 1), ("gemma-3-27b", 2),
    ("llama-3.3-70b", 4), ("qwen3-30b-a3b", 1), ("mixtral-8x7b", 2), ("deepseek-v3", 32),
)  # fmt: skip
GPUS = ("h100-sxm", "a100-sxm-80gb", "b200-sxm", "l40s", "mi300x", "rtx-4090", "t4")


def energy(model: str, **stated: Any) -> Quantity:
    found = resolve(model, zone="FRA", deployment=Deployment(**stated))
    return impacts_of_facts(found, **FACTS[found.modality]).energy_wh


def width(quantity: Quantity) -> float:
    return quantity.high / quantity.low


# Load, format, size


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(("model", "boards"), OPEN)
def test_more_requests_in_flight_take_no_more_energy_each(model: str, boards: int, gpu: str) -> None:
    memory = current().accelerator(gpu).memory_gb
    assert memory is not None
    held = 2 * boards * math.ceil(80.0 / memory.value)
    found = [energy(model, gpu=gpu, n_gpus=held, batch=2.0**octave) for octave in range(11)]
    for fewer, more in pairwise(found):
        assert all(b <= a * (1.0 + 1e-9) for a, b in zip(fewer[:3], more[:3], strict=True))
    assert found[5].mid < 0.7 * found[0].mid


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", ["qwen3-0.6b", "qwen3-8b", "llama-3.3-70b"])
@pytest.mark.parametrize("batch", [1, 32, 512])
def test_fewer_bits_a_weight_take_no_more_energy(model: str, gpu: str, batch: int) -> None:
    found = {p: energy(model, gpu=gpu, n_gpus=8, batch=batch, precision=p).mid for p in BITS}
    assert found["fp32"] > found["bf16"] == found["fp16"] >= found["fp8"] == found["int8"]
    assert found["bf16"] >= found["q4_k_m"] >= found["int4"] == found["awq"] == found["gptq"] >= found["mxfp4"]
    assert found["fp32"] == found["float32 (default)"]


@pytest.mark.parametrize("model", ["deepseek-v3", "mixtral-8x7b", "qwen3-30b-a3b"])
def test_fewer_bits_pay_for_a_mixture_once_it_is_loaded(model: str) -> None:
    """Alone, a request on 8-bit experts may take more: their kernels read experts that nobody asked for."""
    for batch in (64, 256):
        whole = energy(model, gpu="H100", n_gpus=8, batch=batch, precision="bf16").mid
        assert energy(model, gpu="H100", n_gpus=8, batch=batch, precision="fp8").mid < whole
        assert energy(model, gpu="H100", n_gpus=8, batch=batch, precision="int4").mid < whole


@pytest.mark.parametrize(
    "family",
    [
        ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b"),
        ("llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"),
        ("gemma-3-270m", "gemma-3-1b", "gemma-3-4b", "gemma-3-12b", "gemma-3-27b"),
        ("qwen3-30b-a3b", "qwen3-235b-a22b"),
        ("mixtral-8x7b", "mixtral-8x22b"),
        ("ministral-3b", "ministral-8b", "mistral-small-latest", "mistral-large-latest"),
        ("gpt-4.1-nano", "gpt-4.1-mini", "gpt-4.1"),
        ("gpt-4o-mini", "gpt-4o"),
        ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5"),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro"),
        ("whisper-tiny", "whisper-base", "whisper-small", "whisper-medium", "whisper-large-v3"),
        ("wan2.1-1.3b", "wan2.1-14b"),
        ("stable-diffusion-xl-base-1.0", "flux.2-dev"),
    ],
)
def test_a_larger_model_of_a_family_takes_more(family: tuple[str, ...]) -> None:
    for stated in ({}, {"gpu": "H100", "n_gpus": 8, "batch": 32}):
        found = [energy(model, **stated).mid for model in family]
        assert found == sorted(found)
        assert found[-1] > 1.3 * found[0]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 500.0), st.floats(1.05, 4.0), st.floats(1.0, 20.0), st.sampled_from([1, 16, 256]))
def test_a_described_model_takes_more_the_larger_it_is(size: float, more: float, sparse: float, batch: int) -> None:
    def of(active: float, total: float) -> float:
        card = ModelCard(active_params_b=active, total_params_b=total, layers=40, hidden=4096, kv_elements=2048)
        stated = Deployment(gpu="H200", n_gpus=8, batch=batch)
        return impacts_of_facts(resolve("ours", card=card, deployment=stated), **FACTS["text"]).energy_wh.mid

    assert of(size * more, size * more) > of(size, size), "a dense model"
    if sparse > 1.4:
        assert of(size, size * sparse) < of(size * sparse, size * sparse), "a mixture against as many dense parameters"
        assert of(size, size * sparse) >= of(size, size) * 0.999, "its experts are read too"


# What is stated


@pytest.mark.parametrize(("model", "boards"), OPEN)
def test_each_statement_narrows_the_interval_or_leaves_it(model: str, boards: int) -> None:
    """In quantiles of few scenarios: within a tenth. The load is what counts most."""
    stated = {"gpu": "H100", "n_gpus": boards, "precision": "bf16", "batch": 32, "framework": "vLLM 0.11"}
    names = list(stated)
    widths = [width(energy(model, **{name: stated[name] for name in names[:count]})) for count in range(6)]
    assert all(after <= 1.12 * before for before, after in pairwise(widths))
    assert widths[-1] < 0.8 * widths[0]
    assert widths[4] < min(widths[:4])


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-large-latest"])
def test_a_closed_model_on_stated_machines_keeps_the_doubt_about_its_size(model: str) -> None:
    nothing, whole = energy(model), energy(model, gpu="H100", n_gpus=8, precision="fp8", batch=64)
    same = energy("llama-3.3-70b", gpu="H100", n_gpus=8, precision="fp8", batch=64)
    assert width(same) < width(whole) < width(nothing)


def test_statements_take_their_warnings_away() -> None:
    def codes(**stated: Any) -> set[str]:
        return set(resolve("qwen3-8b", zone="FRA", deployment=Deployment(**stated)).warnings)

    assert {"hardware_unknown", "load_unknown"} <= codes()
    assert codes() - codes(gpu="H100") == {"hardware_unknown"}
    assert codes() - codes(batch=8) == {"load_unknown"}
    assert codes() - codes(gpu="H100", batch=8) == {"hardware_unknown", "load_unknown"}
    assert codes(precision="fp8", n_gpus=2, framework="vLLM") == codes()
    local = resolve("qwen3-8b", provider="llama.cpp", zone="FRA")
    assert "hardware_unknown" not in local.warnings
    assert local.view == "local"
    assert resolve("qwen3-8b", deployment=Deployment(gpu="cpu-generic")).view == "local"
    assert resolve("qwen3-8b", deployment=Deployment(gpu="H100")).view == "self-host"
    assert resolve("qwen3-8b", deployment=Deployment(batch=8)).view == "api"


def test_a_provider_called_local_on_stated_machines_is_self_hosted() -> None:
    own = resolve("qwen3-8b", provider="local", deployment=Deployment(gpu="H100", batch=8))
    assert own.view == "self-host"
    assert own.parts["pue"].mid > 1.0
    assert resolve("qwen3-8b", provider="LOCAL").view == "local"


@pytest.mark.parametrize(
    ("model", "precision", "same_as"),
    [
        ("acme/thing-fp8", None, "fp8"),
        ("acme/thing-awq", None, "int4"),
        ("acme/thing.q4_k_m.gguf", None, "int4"),
        ("acme/thing-w8a8", None, "fp8"),
        ("acme/thing", None, "bf16"),
        ("acme/thing-fp8", "bf16", "bf16"),
        ("acme/thing-fp8", "default", "fp8"),
        ("acme/fp8thing", None, "bf16"),
    ],
)
def test_bits_are_stated_else_named_by_the_weights_else_sixteen(
    model: str, precision: str | None, same_as: str
) -> None:
    card = ModelCard(total_params_b=30.0)

    def of(name: str, bits: str | None) -> float:
        stated = Deployment(gpu="H100", n_gpus=2, batch=4, precision=bits)
        return impacts_of_facts(resolve(name, card=card, deployment=stated), **FACTS["text"]).energy_wh.mid

    assert of(model, precision) == of("plain", same_as)


# What may not be stated


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([field.name for field in dataclasses.fields(ModelCard) if "float" in str(field.type)]),
    st.sampled_from([0.0, -1.0, float("inf"), float("nan")]),
)
def test_a_card_holds_numbers_above_zero(name: str, value: float) -> None:
    with pytest.raises(InvalidValue, match=f"{name} must be a finite number above 0") as refused:
        ModelCard(**{name: value})  # type: ignore[arg-type]
    assert refused.value.action


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"n_gpus": -1}, "n_gpus"),
        ({"batch": -0.5}, "batch"),
        ({"batch": float("nan")}, "batch"),
        ({"n_gpus": float("inf")}, "n_gpus"),
        ({"precision": "fp7"}, "precision"),
        ({"precision": "bf16 "}, "precision"),
    ],
)
def test_a_deployment_outside_its_domain_is_refused(stated: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        Deployment(**stated)


def test_more_active_parameters_than_parameters_are_refused_but_for_a_denoiser() -> None:
    with pytest.raises(InvalidValue, match="more active"):
        ModelCard(active_params_b=2.0, total_params_b=1.0)
    assert ModelCard(active_params_b=1.0, total_params_b=1.0).active_params_b == 1.0
    assert ModelCard(active_params_b=12.0, total_params_b=4.0, architecture="diffusion").active_params_b == 12.0


@given(st.text(min_size=1, max_size=12))
def test_a_precision_is_one_of_the_list_in_any_case(text: str) -> None:
    assume(text.casefold() not in BITS and text != "default")
    with pytest.raises(InvalidValue):
        Deployment(precision=text)


@pytest.mark.parametrize("name", sorted(BITS))
def test_every_precision_is_read_in_capitals_too(name: str) -> None:
    assert energy("qwen3-8b", precision=name.upper()).mid == energy("qwen3-8b", precision=name).mid


# Every accelerator


#: Nobody gives a rate, a power or a memory of these.
_WITHOUT_FIGURES = ("maia-100",)


@pytest.mark.parametrize("gpu", current().accelerators())
def test_every_accelerator_serves_or_says_why_not(gpu: str) -> None:
    """Between a small board and a large machine, a request of a small model takes 1 mWh to 100 Wh."""
    if gpu in _WITHOUT_FIGURES:
        with pytest.raises(InvalidValue, match="publishes no") as refused:
            resolve("qwen3-8b", deployment=Deployment(gpu=gpu))
        assert refused.value.value == gpu
        return
    found = resolve("qwen3-8b", zone="FRA", deployment=Deployment(gpu=gpu))
    answer = impacts_of_facts(found, **FACTS["text"]).energy_wh
    assert 1e-3 < answer.low < answer.mid < answer.high < 100.0
    assert answer.status is Status.MODELLED
    assert any(source.startswith((f"accelerators.{gpu}.", f"hardware.{gpu}.")) for source in answer.sources)
    assert "hardware_unknown" not in found.warnings


@pytest.mark.parametrize("said", ["H1000", "h", "", "gpu", "nvidia", "4", "A", "sxm"])
def test_no_accelerator_is_found_by_likeness(said: str) -> None:
    if not said:
        assert Deployment(gpu=said).gpu is None
        return
    with pytest.raises(UnknownName):
        resolve("qwen3-8b", deployment=Deployment(gpu=said))
