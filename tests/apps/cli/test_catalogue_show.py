"""`mesure catalogue show` and `diff` in words: what JSON holds, in the reader's language, with where it comes from."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mesure.apps.cli.catalogue_diff import Differences, compared, show_differences
from mesure.apps.cli.catalogue_entry import FACTS, KINDS, STATUSES, Entry, entry_of, show_entry
from mesure.apps.cli.tree import bounded
from mesure.apps.cli.voice import Voice
from mesure.catalogue import Factor, Price, current
from mesure.i18n import catalog

from .conftest import Run

_NAMES = {
    "gpt-4o": "model",
    "Qwen/Qwen3-8B": "model",
    "FRA": "zone",
    "aws:us-east-1": "region",
    "H100": "accelerator",
    "AMD EPYC 7763": "processor",
    "openai": "provider",
    "grids.FRA.intensity.2025": "factor",
}
_both = pytest.mark.parametrize("language", ["fr", "en"])


def _shown(capsys: pytest.CaptureFixture[str], language: str, entry: Entry) -> list[str]:
    show_entry(Voice(language), entry)
    return capsys.readouterr().out.splitlines()


@_both
@pytest.mark.parametrize(("name", "kind"), _NAMES.items())
def test_text_holds_all_that_json_holds(mesure: Run, name: str, kind: str, language: str) -> None:
    data = mesure("catalogue", "show", name, "--json").data
    t = catalog(language)
    lines = mesure("catalogue", "show", name, "--lang", language).out.splitlines()
    assert lines[0] == f"{data['name']} ({t.t(KINDS[kind])})"
    facts = {key: value for key, value in data.items() if key in FACTS and isinstance(value, str)}
    for key, value in facts.items():
        (line,) = (line for line in lines if line.startswith(f"  {t.t(FACTS[key])} "))
        assert line.split(maxsplit=len(t.t(FACTS[key]).split()))[-1] in (value, t.t(value))
    blocks = "\n".join(lines).split("\n\n")[1:]
    assert len(blocks) == len(data["factors"]) + len(data["prices"])
    for block, factor in zip(blocks, data["factors"], strict=False):
        for part in (factor["parameter"], f"{factor['unit']}, {factor['year']}", t.t(STATUSES[factor["status"]])):
            assert part in block
        for part in (factor["source"], factor["licence"], factor["source_url"], factor["id"], factor["note"]):
            assert part in block
        assert t.plain(factor["value"], 6) in block


def test_no_label_is_left_in_english(mesure: Run) -> None:
    labels = re.compile(r"^  (\S.*?)  ", re.MULTILINE)
    for name, kind in _NAMES.items():
        if kind in ("factor", "accelerator", "processor"):
            continue
        english, french = (
            set(labels.findall(mesure("catalogue", "show", name, "--lang", language).out.split("\n\n")[0]))
            for language in ("en", "fr")
        )
        assert len(english) == len(french) > 0
        assert english & french <= {"type", "source", "licence"}  # the same word in both


@_both
def test_every_fact_that_an_entry_can_hold_has_words(language: str) -> None:
    t = catalog(language).t
    assert all(t(words) for words in FACTS.values())
    for name in _NAMES:
        facts = entry_of(name, None, None).facts
        assert set(facts) <= set(FACTS), name


def test_a_share_that_is_small_is_not_shown_as_none(mesure: Run) -> None:
    places = mesure("catalogue", "show", "openai", "--json").data["places"]
    assert sum(places.values()) == pytest.approx(1.0)
    assert all(share > 0.0 for share in places.values())
    shown = mesure("catalogue", "show", "openai").out
    assert "FRA 0.25%" in shown
    assert "FRA 0,25" in mesure("catalogue", "show", "openai", "--lang", "fr").out
    assert not re.search(r"\b0(\.0+)?%", shown)


def test_a_provider_known_by_its_halls_alone(mesure: Run) -> None:
    """Nobody says where it runs: no places are made up."""
    halls = {factor.id.split(".")[1] for factor in current().factors() if factor.id.startswith("sites.")}
    name = next(name for name in sorted(halls) if current().host(name) is None and current().site(name, "pue"))
    data = mesure("catalogue", "show", name, "--json").data
    assert data["kind"] == "provider"
    assert "places" not in data
    assert next(factor["parameter"] for factor in data["factors"]) == "pue"


def _price(**changes: Any) -> Price:
    found = current().price("openai", "gpt-4o")
    assert found is not None
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "2.5 in, 10 out, unknown cached"),
        ("fr", "2,5 en entrée, 10 en sortie, inconnu"),
    ],
)
def test_a_price_nobody_published_is_unknown_not_nothing(
    capsys: pytest.CaptureFixture[str], language: str, text: str
) -> None:
    price = _price(input_usd_per_mtok=2.5, output_usd_per_mtok=10.0, cached_input_usd_per_mtok=None)
    lines = _shown(capsys, language, Entry("model", "m", prices=[price]))
    (line,) = (line for line in lines if "USD" in line)
    assert text in line.replace("\u00a0", " ")
    assert any(price.source in line and price.licence in line for line in lines)
    assert any(price.source_url in line for line in lines)


def _factor(**changes: Any) -> Factor:
    return replace(current().factor("grids.FRA.intensity.2025"), **changes)


@pytest.mark.parametrize(
    ("factor", "french", "english"),
    [
        (_factor(value=41.44, low=41.44, high=41.44), "41,44", "41.44"),
        (_factor(value=3.0, low=0.5, high=16_384.0), "3 [0,5–16\u202f384]", "3 [0.5–16,384]"),
        (_factor(value=5e-6, low=5e-6, high=6e-6), "0,000005 [0,000005–0,000006]", "0.000005 [0.000005–0.000006]"),
        (_factor(value=0.0, low=0.0, high=0.0), "0", "0"),
    ],
)
def test_a_factor_is_written_as_its_source_gave_it(factor: Factor, french: str, english: str) -> None:
    assert (bounded(Voice("fr"), factor), bounded(Voice("en"), factor)) == (french, english)


# Editions side by side


def _edition(*factors: Factor, models: tuple[str, ...] = ()) -> Any:
    def row(factor: Factor) -> dict[str, str]:
        _, entity, parameter, *_ = factor.id.removeprefix("user.").split(".")
        return {name: str(value) for name, value in factor.to_json().items()} | {
            "entity": entity,
            "parameter": parameter,
        }

    by_table: dict[str, list[dict[str, str]]] = {}
    for factor in factors:
        by_table.setdefault(factor.id.removeprefix("user.").partition(".")[0], []).append(row(factor))
    return SimpleNamespace(models=lambda: models, holds=by_table.__contains__, rows=by_table.__getitem__)


def _told(capsys: pytest.CaptureFixture[str], found: Differences, language: str = "en", limit: int = 40) -> list[str]:
    show_differences(Voice(language), "2026-01-01", "2027-01-01", found, limit)
    return capsys.readouterr().out.splitlines()


def test_what_came_went_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    kept, moved, gone = _factor(), _factor(id="sites.a.pue.2025"), _factor(id="sites.b.pue.2025")
    came, changed = _factor(id="sites.c.pue.2025"), replace(moved, value=82.88, low=82.88, high=82.88, source="Other")
    found = compared(
        _edition(kept, moved, gone, models=("m", "old")), _edition(kept, changed, came, models=("new", "m"))
    )
    assert (found.added, found.removed, found.changed) == ((came,), (gone,), ((moved, changed),))
    assert (found.models_added, found.models_removed) == (("new",), ("old",))
    lines = _told(capsys, found)
    assert lines[0] == "2026-01-01 → 2027-01-01"
    assert "Changed: 1" in lines
    unit = kept.unit
    assert f"  sites.a.pue.2025: 41.44 → 82.88 {unit} (x 2) ({moved.source} → Other)" in lines
    assert f"  sites.c.pue.2025 = 41.44 {unit} ({came.source}, {came.year})" in lines
    assert lines[lines.index("Models removed: 1") + 1] == "  old"
    french = _told(capsys, found, "fr")
    assert any("41,44 → 82,88" in line for line in french)
    assert not set(lines[1:]) & set(french[1:]) - {"  new", "  old"}  # every heading is French
    assert "Modifiés\u00a0: 1" in french


@pytest.mark.parametrize("column", ["value", "low", "high", "unit"])
def test_a_change_of_any_part_of_the_figure_counts(column: str) -> None:
    old = _factor(value=10.0, low=5.0, high=20.0)
    new = replace(old, **{column: "kgCO2e/MWh" if column == "unit" else getattr(old, column) * 1.5})
    assert compared(_edition(old), _edition(new)).changed == ((old, new),)
    told_apart = replace(old, source="Other", year=2020, licence="x", note="y")
    assert compared(_edition(old), _edition(told_apart)).changed == ()


def test_figures_of_two_units_have_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = _factor(), _factor(value=0.04144, low=0.04144, high=0.04144, unit="kgCO2e/kWh")
    (line,) = (line for line in _told(capsys, compared(_edition(old), _edition(new))) if "→ 0.04" in line)
    assert f"41.44 {old.unit} → 0.04144 kgCO2e/kWh" in line
    assert "(x " not in line


def test_from_nothing_there_is_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    old = _factor(value=0.0, low=0.0, high=0.0)
    (line,) = (line for line in _told(capsys, compared(_edition(old), _edition(_factor()))) if ": 0 →" in line)
    assert "(x " not in line


@pytest.mark.parametrize(("count", "limit", "rest"), [(5, 5, None), (6, 5, 1), (50, 5, 45), (3, 0, 3)])
def test_the_rest_is_counted(capsys: pytest.CaptureFixture[str], count: int, limit: int, rest: int | None) -> None:
    found = compared(_edition(), _edition(*(_factor(id=f"sites.s{i:02}.pue.2025") for i in range(count))))
    lines = _told(capsys, found, limit=limit)
    assert f"Added: {count}" in lines
    assert sum(line.startswith("  sites.") for line in lines) == min(count, limit)
    assert [line for line in lines if line.startswith("  and ")] == ([f"  and {rest} more"] if rest else [])


def test_a_factor_of_ones_own_is_the_figure_it_replaces() -> None:
    old = _factor()
    mine = replace(old, id=f"user.{old.id}", value=30.0, low=30.0, high=30.0)
    assert compared(_edition(old), _edition(mine)).changed == ((old, mine),)
    assert compared(_edition(old), _edition(replace(old, id=f"user.{old.id}"))).changed == ()
