"""A file of one's own: a private fine-tune, a contract, a host, a machine; added, used, shown, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mesure.catalogue import current, use
from mesure.impact import explain, impacts_of_facts, resolve

from .conftest import Run

_SOURCED = """
year = 2026
source = "Acme, register 12"
source_url = "internal: 12"
licence = "internal"
status = "published"
"""


def factor(table: str, entity: str, parameter: str, value: float, unit: str) -> str:
    return (
        f'[[factor]]\ntable = "{table}"\nentity = "{entity}"\nparameter = "{parameter}"\n'
        f'value = {value}\nunit = "{unit}"{_SOURCED}'
    )


OWN = "".join(
    (
        factor("models", "acme-support-7b", "total_params_b", 7.6, "1e9 parameters"),
        '[[model]]\nmodel = "acme-support-7b"\nmaker = "acme"\nmodality = "text"\nopen = "no"\nsource = "Acme"\n',
        'licence = "internal"\n[[name]]\nname = "ft:acme-support"\nmodel = "llama-3.1-8b"\nsource = "Acme"\n',
        'licence = "internal"\n',
        factor("grids", "FRA", "intensity_market", 0, "gCO2e/kWh"),
        factor("grids", "FRA", "intensity_residual", 70, "gCO2e/kWh"),
        factor("grids", "FRA", "intensity_marginal", 450, "gCO2e/kWh"),
        factor("grids", "ACME-SOLAR", "intensity", 40, "gCO2e/kWh"),
        factor("sites", "acme-hosting", "pue", 1.9, "ratio"),
        factor("hosts", "acme-hosting", "ACME-SOLAR", 1, "share (stated)"),
        factor("accelerators", "acme-npu", "board_power_w", 90, "W"),
        factor("accelerators", "acme-npu", "memory_gb", 48, "GB"),
        factor("accelerators", "acme-npu", "memory_bandwidth_gb_s", 800, "GB/s"),
        factor("accelerators", "acme-npu", "dense_bf16_tflops", 120, "TFLOP/s"),
    )
)
USE = ("--input", 500, "--output", 200, "--json")


@pytest.fixture
def added(mesure: Run) -> Run:
    """`mesure` in a folder whose configuration has the file in its data."""
    Path("mine.toml").write_text(OWN, encoding="utf-8")
    Path("mesure.toml").write_text('[server]\ndata = "facts"\n', encoding="utf-8")
    ran = mesure("catalogue", "add", "mine.toml")
    assert ran.code == 0, ran.err
    return mesure


def estimated(mesure: Run, *arguments: object) -> dict[str, Any]:
    ran = mesure("estimate", *arguments, *USE)
    assert ran.code == 0, ran.err
    data: dict[str, Any] = ran.data
    return data


def middle(estimate: dict[str, Any], name: str = "energy_wh") -> float:
    return float(estimate[name]["mid"])


def ids(mesure: Run, *arguments: object) -> set[str]:
    return {factor["id"] for factor in mesure("explain", *arguments, *USE).data["factors"]}


def test_a_private_model_is_known_by_its_own_size(added: Run) -> None:
    own = estimated(added, "acme-support-7b", "--zone", "FRA")
    assert own["known"] is True
    assert own["model"] == "acme-support-7b"
    listed = estimated(added, "llama-3.1-8b", "--zone", "FRA")
    assert 0.5 * middle(listed) < middle(own) < 1.5 * middle(listed)
    assert "user.models.acme-support-7b.total_params_b.2026" in ids(added, "acme-support-7b", "--zone", "FRA")


def test_a_fine_tune_takes_after_the_model_it_names(added: Run) -> None:
    tuned = estimated(added, "ft:acme-support", "--zone", "FRA")
    assert tuned["known"] is True
    assert tuned["model"] == "llama-3.1-8b"
    assert tuned["energy_wh"] == estimated(added, "llama-3.1-8b", "--zone", "FRA")["energy_wh"]


def test_a_host_of_ones_own_has_its_hall_and_its_place(added: Run) -> None:
    """As the gateway resolves a provider of that name."""
    usual = impacts_of_facts(resolve("llama-3.1-8b"), input_tokens=500, output_tokens=200)
    use(current().with_user_file(Path("facts/catalogue.toml")))
    hosted = impacts_of_facts(resolve("llama-3.1-8b", provider="acme-hosting"), input_tokens=500, output_tokens=200)
    assert hosted.energy_wh.mid > 1.2 * usual.energy_wh.mid
    assert hosted.gwp_gco2eq
    assert usual.gwp_gco2eq
    assert hosted.gwp_gco2eq.mid < 0.5 * usual.gwp_gco2eq.mid
    assert {factor.id for factor in explain(hosted).factors()} >= {
        "user.sites.acme-hosting.pue.2026", "user.hosts.acme-hosting.ACME-SOLAR.2026",
        "user.grids.ACME-SOLAR.intensity.2026",
    }  # fmt: skip


def test_a_contract_is_shown_beside_the_place_and_never_instead(added: Run) -> None:
    shown = {factor["parameter"]: factor for factor in added("catalogue", "show", "FRA", "--json").data["factors"]}
    assert {name: shown[name]["value"] for name in shown if name.startswith("intensity")} == {
        "intensity": 41.44, "intensity_direct": shown["intensity_direct"]["value"],
        "intensity_market": 0, "intensity_residual": 70, "intensity_marginal": 450,
    }  # fmt: skip
    assert not {used for used in ids(added, "llama-3.1-8b", "--zone", "FRA") if "intensity_m" in used}
    text = added("catalogue", "show", "FRA").out
    assert "Acme, register 12" in text
    assert "internal: 12" in text


def test_a_machine_of_ones_own_computes(added: Run) -> None:
    own = estimated(added, "llama-3.1-8b", "--gpu", "acme-npu", "--batch", 1)
    faster = estimated(added, "llama-3.1-8b", "--gpu", "H100", "--batch", 1)
    assert middle(own) != middle(faster)
    assert "user.accelerators.acme-npu.board_power_w.2026" in ids(added, "llama-3.1-8b", "--gpu", "acme-npu")
    assert added("catalogue", "show", "acme-npu", "--json").data["kind"] == "accelerator"


def test_the_version_tells_it_and_diff_lists_it(added: Run) -> None:
    version = added("catalogue", "check", "--json").data["version"]
    assert "+user." in version
    assert estimated(added, "llama-3.1-8b")["catalogue_version"] == version
    listed = added("catalogue", "diff", "packaged", "current", "--json").data
    assert listed["new"] == version
    assert {factor["id"] for factor in listed["added"]} >= {
        "user.grids.FRA.intensity_market.2026", "user.sites.acme-hosting.pue.2026",
    }  # fmt: skip
    assert listed["removed"] == []


def test_without_the_file_nothing_of_it_stays(mesure: Run, added: Run) -> None:
    own = estimated(added, "acme-support-7b")
    Path("facts/catalogue.toml").unlink()
    gone = estimated(mesure, "acme-support-7b")
    assert gone["known"] is False
    assert gone["catalogue_version"] != own["catalogue_version"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (factor("grids", "FRA", "intensity", 0, "gCO2e/kWh"), "stands for unknown"),
        (factor("grids", "FRA", "intensity", 0.04, "kgCO2e/kWh"), "column unit"),
        (factor("grids", "FRA", "intensity_contract", 4, "gCO2e/kWh"), "column parameter"),
        (factor("sites", "acme", "pue", 0.9, "ratio"), "the least it can be"),
        (factor("hosts", "acme", "FRA", 60, "share (stated)"), "the most a share can be"),
        (factor("accelerators", "acme-npu", "memory_gb", 48000, "MB"), "column unit"),
    ],
)
def test_a_figure_that_cannot_be_one_is_refused_in_both_languages(mesure: Run, row: str, why: str) -> None:
    Path("mine.toml").write_text(row, encoding="utf-8")
    refused = mesure("catalogue", "add", "mine.toml", "--data", "facts", "--json")
    assert refused.code == 1
    assert why in refused.error["what"]
    assert not Path("facts").exists()
    french = mesure("catalogue", "check", "mine.toml", "--lang", "fr").err
    assert "colonne" in french
    assert why not in french or why.startswith("column")
