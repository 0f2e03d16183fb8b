"""`mesure explain` in words: the tree read back from the terminal is the tree of the method, its sources whole."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import pytest

import mesure as package
from mesure.apps.cli.tree import drawn, sources
from mesure.apps.cli.voice import Voice
from mesure.apps.words import STATUSES, STEPS
from mesure.catalogue import Factor, current
from mesure.i18n import catalog
from mesure.impact import explain, impacts_of
from mesure.impact.explain import Explanation, Node
from mesure.ledger import Pricer
from mesure.quantity import Quantity, Status
from mesure.record import UsageEvent, new_id

from .conftest import Run

_both = pytest.mark.parametrize("language", ["fr", "en"])
_AT = datetime(2026, 11, 22, tzinfo=UTC)
_EXPLAINED = {
    "text": explain(package.estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")),
    "unlisted": explain(package.estimate("my-own-model")),
    "image": explain(package.estimate("flux.1-dev", images=2, width=1024, height=1024)),
    "no factor": explain(
        Pricer({}).impacts(UsageEvent(id=new_id(), started_at=_AT, model_requested="m", host_zone="ATA"))
    ),
}


class _Read(NamedTuple):
    """A line of the tree, as a person reads it."""

    depth: int
    name: str
    value: str
    status: str
    formula: str = ""
    cited: tuple[int, ...] = ()


def _numbers(text: str) -> tuple[int, ...]:
    """1-3, 7 -> 1, 2, 3, 7"""
    runs = [tuple(map(int, run.split("-"))) for run in re.findall(r"\d+(?:-\d+)?", text)]
    return tuple(number for run in runs for number in range(run[0], run[-1] + 1))


def _read(lines: list[str], language: str) -> list[_Read]:
    cited = catalog(language).t("sources {numbers}", numbers="")
    found: list[_Read] = []
    for line in lines:
        bare = line.lstrip("│ ")
        if bare.startswith("= "):
            found[-1] = found[-1]._replace(formula=bare[2:])
        elif bare.startswith(cited) and not line.startswith(("├", "└")) and found[-1].formula:
            found[-1] = found[-1]._replace(cited=_numbers(bare.removeprefix(cited)))
        else:
            name, *rest = re.split(r" {2,}", re.sub(r"^[│ ]*(?:[├└]─ )?", "", line))
            depth = (len(line) - len(re.sub(r"^[│ ]*(?:[├└]─ )?", "", line))) // 3
            value, status = [*rest, "", ""][:2]
            found.append(_Read(depth, name, value, status))
    return found


def _expected(explanation: Explanation) -> list[tuple[int, Node, bool]]:
    """Depth first; what was shown once is not opened again."""
    seen: set[str] = set()
    found: list[tuple[int, Node, bool]] = []

    def visit(node: Node, depth: int) -> None:
        again = node.name in seen
        found.append((depth, node, again))
        seen.add(node.name)
        for child in () if again else node.children:
            visit(child, depth + 1)

    for root in explanation.roots:
        visit(root, 0)
    return found


@_both
@pytest.mark.parametrize("name", _EXPLAINED)
def test_the_tree_reads_back_as_the_method_has_it(name: str, language: str) -> None:
    explanation, t = _EXPLAINED[name], catalog(language).t
    numbers = {factor.id: number for number, factor in enumerate(explanation.factors(), 1)}
    lines = _read(list(drawn(Voice(language), explanation)), language)
    expected = _expected(explanation)
    assert len(lines) == len(expected)
    for line, (depth, node, again) in zip(lines, expected, strict=True):
        assert (line.depth, line.name) == (depth, t(STEPS.get(node.name, node.name)))
        if node.quantity is None:
            assert line.value == t("unknown")
        if again:
            assert (line.status, line.formula) == (t("(as above)"), "")
        else:
            assert line.status == (t(STATUSES[node.quantity.status]) if node.quantity else "")
            assert line.formula
            assert line.cited == tuple(sorted({numbers[factor.id] for factor in node.factors}))


@_both
def test_columns_stand_under_each_other_and_branches_join(language: str) -> None:
    lines = list(drawn(Voice(language), _EXPLAINED["text"]))
    heads = [line for line in lines if not line.lstrip("│ ").startswith(("=", "source"))]
    starts = {re.search(r"(?<=\S) {2,}(?=[\d?]|inconnu|unknown)", line).end() for line in heads}  # type: ignore[union-attr]
    assert len(starts) == 1
    for above, below in pairwise(lines):  # a line drawn down goes on until it ends on a branch
        assert all(below[column] in "│├└" for column, mark in enumerate(above) if mark in "│├")


def _tree(quantity: Quantity | None, formula: str = "counted", factors: tuple[Factor, ...] = ()) -> Explanation:
    return replace(_EXPLAINED["text"], roots=(Node("energy_wh", formula, quantity, factors),))


@pytest.mark.parametrize(
    ("quantity", "french", "english"),
    [
        (Quantity(2e-7, 3.4e-7, 5e-7, "Wh per unit", Status.MODELLED), "3,4e-07 Wh per unit [2e-07–5e-07]", None),
        (Quantity(1e-5, 9.9e-5, 2e-4, "ratio", Status.MODELLED), "9,9e-05 ratio [1e-05–0,0002]", None),
        (Quantity(1e-7, 2e-7, 3e-7, "Wh", Status.MODELLED), "0,20\u202fµWh [0,10–0,30]", None),
        (Quantity(0.18, 0.31, 0.52, "Wh", Status.MODELLED), "0,31\u202fWh [0,18–0,52]", None),
        (Quantity(0.0, 0.0, 0.0, "ratio", Status.MODELLED), "0\u202fratio", None),
        (None, "inconnu", "unknown"),
    ],
)
def test_very_small_coefficients_keep_their_powers_of_ten(
    quantity: Quantity | None, french: str, english: str | None
) -> None:
    for language, words in (("fr", french), ("en", english or french.replace(",", "."))):
        (line,) = _read(list(drawn(Voice(language), _tree(quantity))), language)
        assert line.value == words


@_both
def test_names_of_steps_in_a_formula_are_those_of_their_lines(language: str) -> None:
    t = catalog(language).t
    (line,) = _read(list(drawn(Voice(language), _tree(None, "server_energy_wh x pue x not_a_step"))), language)
    assert line.formula == f"{t(STEPS['server_energy_wh'])} x {t(STEPS['pue'])} x not_a_step"


def test_counts_a_person_stated_are_declared_and_others_stay_reported() -> None:
    stated = package.estimate("gpt-4o", input_tokens=9, output_tokens=9)
    reported = impacts_of(
        UsageEvent(id=new_id(), started_at=_AT, operation="chat", input_tokens=9, output_tokens=9), stated.coefficients
    )
    for impacts, status in ((stated, "declared"), (reported, "reported by the provider")):
        lines = _read(list(drawn(Voice("en"), explain(impacts))), "en")
        (written,) = (line for line in lines if line.name == "Tokens written")
        assert written.status == status
        assert written.formula == ("declared" if impacts is stated else "counted")


# Sources


def _factor(**changes: object) -> Factor:
    return replace(current().factor("grids.FRA.intensity.2025"), **changes)  # type: ignore[arg-type]


def test_a_source_is_whole_and_says_its_licence() -> None:
    one = _factor(source="Acme", year=2024, licence="CC BY", source_url="https://acme.example", low=30.0, high=50.0)
    assert list(sources(Voice("en"), [one])) == [
        "  1  grids.FRA.intensity.2025 = 41.44 [30–50] gCO2e/kWh",
        "     Acme, 2024. Licence: CC BY. https://acme.example",
    ]
    first, second = sources(Voice("fr"), [one])
    assert first == "  1  grids.FRA.intensity.2025 = 41,44 [30–50] gCO2e/kWh"
    assert second == "     Acme, 2024. Licence\u00a0: CC BY. https://acme.example"


def test_long_sources_fold_and_addresses_stay_whole() -> None:
    address = "https://acme.example/" + "a-b/" * 50
    one = _factor(source="word " * 60, source_url=address)
    lines = list(sources(Voice("en"), [one, _factor()]))
    assert address in [line.strip() for line in lines]
    assert all(len(line) <= 110 for line in lines if address not in line)
    assert all(line.startswith("     ") for line in lines if not re.match(r" +[12]  grids", line))
    assert [line[:5] for line in lines if "grids" in line] == ["  1  ", "  2  "]


@_both
@pytest.mark.parametrize("name", _EXPLAINED)
def test_every_number_cited_is_listed_below(mesure: Run, name: str, language: str) -> None:
    explanation = _EXPLAINED[name]
    listed = [int(line[:3]) for line in sources(Voice(language), explanation.factors()) if line[:3].strip()]
    assert listed == list(range(1, len(explanation.factors()) + 1))
    cited = {number for line in _read(list(drawn(Voice(language), explanation)), language) for number in line.cited}
    assert cited == set(listed)
