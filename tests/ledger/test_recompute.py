"""A change of history, signed and by cause."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.catalogue import Catalogue, current
from mesure.catalogue.store import packaged
from mesure.impact.methods import Traffic, method, methods, traffic_of
from mesure.ledger import Basis, Change, explained, recomputed
from mesure.ledger.recompute import CAUSES

ROW = """
[[factor]]
table = "{table}"
entity = "{entity}"
parameter = "{parameter}"
value = {value}
unit = "{unit}"
year = 2020
source = "Acme"
source_url = "internal"
licence = "internal"
status = "published"
"""
GRID = {"table": "grids", "entity": "FRA", "parameter": "intensity", "unit": "gCO2e/kWh"}
SIZE = {"table": "models", "entity": "llama-3.1-8b", "parameter": "total_params_b", "unit": "1e9 parameters"}
POWER = {"table": "accelerators", "entity": "h100-sxm", "parameter": "board_power_w", "unit": "W"}
PUE = {"table": "stack", "entity": "unknown", "parameter": "pue", "unit": "ratio"}


def own(tmp_path: Path, *rows: dict[str, Any]) -> Catalogue:
    path = tmp_path / f"own{len(list(tmp_path.iterdir()))}.toml"
    path.write_text("".join(ROW.format(**row) for row in rows), encoding="utf-8")
    return packaged().with_user_file(path)


@pytest.fixture
def traffic() -> Traffic:
    fields: dict[str, Any] = {"provider": "own", "model_requested": "llama-3.1-8b", "host_zone": "FRA"}
    return traffic_of([make_event(number, **fields) for number in range(20)] + [make_event(n) for n in range(20)])


def ours(catalogue: Catalogue | None = None) -> Basis:
    return Basis(method("mesure"), catalogue or current())


def caused(change: Change) -> dict[str, tuple[float, float]]:
    return {cause.code: (cause.energy_wh, cause.gwp_gco2eq) for cause in change.causes}


def assert_sums(change: Change) -> None:
    """Causes sum to what the two independent recomputations differ by."""
    assert [cause.code for cause in change.causes] == list(CAUSES)
    for name in ("energy_wh", "gwp_gco2eq"):
        before, after = getattr(change.before, name), getattr(change.after, name)
        total = math.fsum(getattr(cause, name) for cause in change.causes)
        assert total == getattr(change, name)
        assert total == pytest.approx(after.mid - before.mid, rel=1e-9, abs=1e-9 * before.mid)


def test_nothing_changes_from_a_basis_to_itself(traffic: Traffic) -> None:
    change = explained(traffic, ours(), ours())
    assert set(caused(change).values()) == {(0.0, 0.0)}
    assert change.before == change.after


def test_a_grid_moves_carbon_alone_and_by_its_own_cause(traffic: Traffic, tmp_path: Path) -> None:
    change = explained(traffic, ours(), ours(own(tmp_path, {**GRID, "value": 400})))
    found = caused(change)
    assert_sums(change)
    assert found["catalogue_grid"][0] == 0.0
    assert found["catalogue_grid"][1] > 0.0
    assert all(value == (0.0, 0.0) for code, value in found.items() if code != "catalogue_grid")
    back = explained(traffic, ours(own(tmp_path, {**GRID, "value": 400})), ours())
    assert caused(back)["catalogue_grid"][1] == pytest.approx(-found["catalogue_grid"][1])


def test_a_smaller_model_lowers_energy_by_its_own_cause(traffic: Traffic, tmp_path: Path) -> None:
    change = explained(traffic, ours(), ours(own(tmp_path, {**SIZE, "value": 2})))
    found = caused(change)
    assert_sums(change)
    assert found["catalogue_models"][0] < 0.0
    assert found["catalogue_models"][1] < 0.0
    assert all(value == (0.0, 0.0) for code, value in found.items() if code != "catalogue_models")


def test_several_causes_at_once_each_get_their_own(traffic: Traffic, tmp_path: Path) -> None:
    later = own(tmp_path, {**GRID, "value": 400}, {**SIZE, "value": 2}, {**POWER, "value": 900}, {**PUE, "value": 3})
    change = explained(traffic, ours(), Basis(method("ecologits-0.11"), later))
    found = caused(change)
    assert_sums(change)
    assert found["usage_facts"] == (0.0, 0.0)
    for code in ("catalogue_models", "catalogue_hardware", "catalogue_stack", "method_formulas", "method_coverage"):
        assert found[code][0] != 0.0, code
    assert found["catalogue_stack"][0] > 0.0


def test_what_a_method_does_not_cover_or_leaves_aside_is_a_cause_of_its_own() -> None:
    made = [
        make_event(0),
        make_event(0, operation="embeddings", output_tokens=None),
        make_event(0, energy_j=3600.0, energy_status="measured", energy_scope="server"),
    ]
    change = explained(traffic_of(made), ours(), Basis(method("ecologits-0.11"), current()))
    found = caused(change)
    [embedded] = traffic_of(made[1:2])
    uncovered = method("mesure").estimate(*embedded).energy_wh
    assert uncovered is not None
    assert found["method_coverage"][0] == pytest.approx(-uncovered.mid)
    assert found["method_measurement"][0] < 0.0
    assert found["method_formulas"][0] != 0.0
    assert (change.before.covered_calls, change.after.covered_calls) == (3, 2)
    assert_sums(change)


@settings(max_examples=15, deadline=None)
@given(
    names=st.tuples(*(st.sampled_from([one.name for one in methods()]),) * 2),
    grid=st.floats(1.0, 1000.0),
    size=st.floats(1.0, 50.0),
)
def test_causes_sum_to_the_change_whatever_changes(
    tmp_path_factory: pytest.TempPathFactory, names: tuple[str, str], grid: float, size: float
) -> None:
    made = [make_event(n, provider="own", model_requested="llama-3.1-8b", host_zone="FRA") for n in range(6)]
    later = own(tmp_path_factory.mktemp("own"), {**GRID, "value": grid}, {**SIZE, "value": size})
    change = explained(traffic_of(made), Basis(method(names[0]), current()), Basis(method(names[1]), later))
    assert_sums(change)


def test_recomputing_leaves_the_catalogue_in_use_alone(traffic: Traffic, tmp_path: Path) -> None:
    before = recomputed(traffic, ours())
    other = recomputed(traffic, ours(own(tmp_path, {**GRID, "value": 900})))
    assert current() is packaged()
    assert recomputed(traffic, ours()) == before
    assert other.catalogue_version != before.catalogue_version
    assert other.gwp_gco2eq != before.gwp_gco2eq


def test_json_has_causes_in_their_order(traffic: Traffic) -> None:
    data = explained(traffic, ours(), Basis(method("constant-epoch-2025"), current())).to_json()
    assert [cause["code"] for cause in data["causes"]] == data["order"] == list(CAUSES)
    assert data["after"]["method"] == "constant-epoch-2025"
    assert data["change"]["energy_wh"] == pytest.approx(
        data["after"]["energy_wh"]["mid"] - data["before"]["energy_wh"]["mid"]
    )
