"""Rows of one's own: where they enter, what they replace and leave, and which group of tables they change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mesure.catalogue import Catalogue
from mesure.catalogue.mixed import TABLE_GROUPS, differing_groups, mixed
from mesure.catalogue.store import packaged
from mesure.errors import CatalogueError

Own = Callable[..., Catalogue]
_SOURCED = {"year": 2026, "source": "Acme", "source_url": "internal", "licence": "internal", "status": "published"}
#: One figure for each group of tables, of something that is packaged.
_FIGURES: dict[str, dict[str, Any]] = {
    "models": {"table": "models", "entity": "qwen3-8b", "parameter": "total_params_b", "unit": "1e9 parameters"},
    "hardware": {"table": "accelerators", "entity": "h100-sxm", "parameter": "board_power_w", "unit": "W"},
    "stack": {"table": "sites", "entity": "openai", "parameter": "pue", "unit": "ratio"},
    "places": {"table": "hosts", "entity": "openai", "parameter": "FRA", "unit": "share (Acme)"},
    "grid": {"table": "grids", "entity": "FRA", "parameter": "intensity", "unit": "gCO2e/kWh"},
}


def entry(kind: str, row: dict[str, Any]) -> str:
    lines = (f"{name} = {value if isinstance(value, int | float) else repr(value)}" for name, value in row.items())
    return "\n".join([f"[[{kind}]]", *lines, ""])


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """own(("factor", {...}), ...): the packaged catalogue with these rows."""

    def _own(*rows: tuple[str, dict[str, Any]]) -> Catalogue:
        path = tmp_path / f"own{len(list(tmp_path.iterdir()))}.toml"
        path.write_text("\n".join(entry(kind, row) for kind, row in rows), encoding="utf-8")
        return packaged().with_user_file(path)

    return _own


def figure(group: str, value: float) -> tuple[str, dict[str, Any]]:
    return "factor", _FIGURES[group] | {"value": value} | _SOURCED


def values(catalogue: Catalogue) -> dict[str, float | None]:
    """What each group's figure is in a catalogue."""
    size, power = catalogue.model("qwen3-8b").one("total_params_b"), catalogue.accelerator("h100-sxm").board_power_w
    pue, host, grid = catalogue.site("openai", "pue"), catalogue.host("openai"), catalogue.grid("FRA")
    assert size is not None
    assert power is not None
    assert pue is not None
    assert host is not None
    assert grid is not None
    shares = {zone: factor for zone in dict(host.places) for factor in host.factors if f".{zone}." in factor.id}
    return {
        "models": size.value,
        "hardware": power.value,
        "stack": pue.value,
        "places": shares["FRA"].value,
        "grid": grid.value,
    }


@pytest.mark.parametrize("group", sorted(TABLE_GROUPS))
def test_a_row_changes_its_own_group_and_nothing_else(own: Own, group: str) -> None:
    before, later = packaged(), own(figure(group, 1.0))
    assert differing_groups(before, later) == differing_groups(later, before) == (group,)
    assert values(later) == values(before) | {group: 1.0}
    others = [name for name in TABLE_GROUPS if name != group]
    assert values(mixed(before, later, others)) == values(before)
    assert values(mixed(before, later, [group])) == values(later)
    assert values(mixed(later, before, [group])) == values(before)
    assert later.version.startswith(f"{before.edition}+user.")


def test_groups_are_taken_one_by_one_and_all_of_them_make_the_later_edition(own: Own) -> None:
    before, later = packaged(), own(*(figure(group, 1.0) for group in _FIGURES))
    assert set(differing_groups(before, later)) == set(TABLE_GROUPS)
    taken: list[str] = []
    for group in TABLE_GROUPS:
        taken.append(group)
        found = values(mixed(before, later, taken))
        assert {name for name, value in found.items() if value == 1.0} == set(taken)
    assert values(mixed(before, later, taken)) == values(later)


def test_a_file_s_rows_replace_all_packaged_ones_of_their_figure_and_no_other(own: Own) -> None:
    later = own(figure("grid", 77.0), ("factor", _FIGURES["grid"] | {"value": 88.0} | _SOURCED | {"year": 2020}))
    ids = [row["id"] for row in later.rows("grids") if (row["entity"], row["parameter"]) == ("FRA", "intensity")]
    assert ids == ["user.grids.FRA.intensity.2026", "user.grids.FRA.intensity.2020"]
    packaged_rows = [
        row for row in packaged().rows("grids") if (row["entity"], row["parameter"]) != ("FRA", "intensity")
    ]
    assert [row for row in later.rows("grids") if not row["id"].startswith("user.")] == packaged_rows
    assert [later.factor(factor_id).value for factor_id in ids] == [77.0, 88.0]
    assert later.factors()[-1] == packaged().factors()[-1]


def test_a_model_of_one_s_own_is_listed_once_whatever_the_number_of_its_figures(own: Own) -> None:
    size = {"table": "models", "entity": "acme-9b", "unit": "1e9 parameters"} | _SOURCED
    rows = [("factor", size | {"parameter": name, "value": 9.0}) for name in ("total_params_b", "active_params_b")]
    later = own(*rows)
    assert [name for name in later.models() if name == "acme-9b"] == ["acme-9b"]
    assert [row["maker"] for row in later.rows("model_list") if row["model"] == "acme-9b"] == ["yours"]
    found = later.model("ACME-9b")
    assert (found.modality, found.open_weights, set(found.factors)) == (
        "text",
        False,
        {"total_params_b", "active_params_b"},
    )
    assert packaged().find_model("acme-9b") is None


@pytest.mark.parametrize("name", ["qwen3-8b", "flux.1-dev", "whisper-tiny", "gpt-4o"])
def test_a_corrected_figure_leaves_a_packaged_model_what_it_is(own: Own, name: str) -> None:
    row = {"table": "models", "entity": name, "parameter": "default_steps", "value": 7.0, "unit": "steps"} | _SOURCED
    before, later = packaged().model(name), own(("factor", row)).model(name)
    assert (later.maker, later.modality, later.open_weights) == (before.maker, before.modality, before.open_weights)
    assert (later.inputs, later.outputs) == (before.inputs, before.outputs)
    assert later.one("default_steps") != before.one("default_steps")
    assert later.all("total_params_b") == before.all("total_params_b")
    assert own(("factor", row)).models() == packaged().models()


def test_a_model_that_is_said_replaces_a_packaged_one(own: Own) -> None:
    said = {"model": "qwen3-8b", "maker": "acme", "modality": "embedding", "open": "no", "source": "S", "licence": "L"}
    later = own(("model", said))
    found = later.model("qwen3-8b")
    assert (found.maker, found.modality, found.open_weights) == ("acme", "embedding", False)
    assert later.models() == packaged().models()
    assert later.models().count("qwen3-8b") == 1


def test_a_model_and_its_names_are_as_they_are_said(own: Own) -> None:
    size = {"table": "models", "entity": "acme-draw", "parameter": "denoiser_params_b", "unit": "1e9 parameters"}
    said = {"model": "acme-draw", "maker": "acme", "modality": "image", "open": "yes", "source": "S", "licence": "L"}
    name = {"name": "Draw", "model": "acme-draw", "provider": "acme", "source": "S", "licence": "L"}
    later = own(("factor", size | {"value": 2.0} | _SOURCED), ("model", said), ("name", name))
    found = later.find_model("draw", "acme")
    assert found is not None
    assert (found.id, found.maker, found.modality, found.open_weights) == ("acme-draw", "acme", "image", True)
    assert later.find_model("DRAW") == found, "the only meaning there is"
    assert later.find_model("draw", "openai") is None
    assert later.model_names("acme-draw") == (("acme", "draw"),)


def test_a_price_of_one_s_own_comes_before_the_listed_ones_of_its_tier(own: Own) -> None:
    price = {"provider": "openai", "model": "gpt-4o", "valid_from": "2026-02-01", "input": 1.0, "output": 2.0}
    price |= {"unit": "USD/Mtoken", "year": 2026, "source": "contract", "source_url": "internal", "licence": "internal"}
    later = own(("price", price))
    found = later.price("openai", "gpt-4o")
    assert found is not None
    assert (found.input_usd_per_mtok, found.output_usd_per_mtok, found.tier) == (1.0, 2.0, "standard")
    assert found.cached_input_usd_per_mtok is None, "a price that is not said is unknown"
    assert later.price("openai", "gpt-4o", tier="batch") == packaged().price("openai", "gpt-4o", tier="batch")
    assert later.price("openai", "gpt-4o", date(2026, 1, 31)) is None, "before the contract"


@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        ("factor", {"table": "gridz"}, "names no table"),
        ("factor", {"table": "models_mpl"}, "names no table"),
        ("factor", {"colour": "blue"}, "does not exist"),
        ("factor", {"year": 1066}, "not a year"),
        ("factor", {"status": "sure"}, "status"),
        ("factor", {"low": 200.0}, "interval"),
        ("factor", {"high": 1.0}, "interval"),
        ("factor", {"value": -3.0}, "finite number"),
        ("factor", {"value": "many"}, "not a number"),
        ("factor", {"value": "nan"}, "finite"),
        ("factor", {"source": ""}, "source"),
        ("factor", {"licence": "  "}, "licence"),
        ("factor", {"source_url": ""}, "source_url"),
        ("factor", {"unit": ""}, "unit"),
        ("factors", {}, "not a table"),
    ],
)
def test_a_row_that_may_not_enter_is_refused_by_its_place_and_reason(
    own: Own, kind: str, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(CatalogueError, match=says) as refused:
        own((kind, _FIGURES["grid"] | {"value": 100.0} | _SOURCED | wrong))
    assert refused.value.action
