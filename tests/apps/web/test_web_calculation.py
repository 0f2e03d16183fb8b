"""A call's calculation, from the facts of the event to the lines of the page: nothing lost, nothing added."""

from __future__ import annotations

from typing import Any

import pytest
from held_pages import HeldSource, client_of, settings
from page_reader import Node, plain, read
from usage_events import called, sensed

from mesure.apps.web.factors import tidy
from mesure.apps.web.reader import Reader
from mesure.apps.web.sensed import sensed as energy_of
from mesure.apps.words import FORMULAS, MEANINGS, OUTCOMES, SENSED, SENSORS, STEPS, WARNINGS
from mesure.catalogue import current
from mesure.i18n import catalog
from mesure.impact.explain import Node as Step
from mesure.impact.explain import explain
from mesure.impact.provenance import factor_named
from mesure.ledger import Pricer
from mesure.quantity import Quantity, Status
from mesure.record import UsageEvent

_CALLS: dict[str, UsageEvent] = {
    "usual": called(host_zone="FRA"),
    "reasoning": called(input_tokens=5000, cached_input_tokens=4000, output_tokens=900, reasoning_tokens=700),
    "unknown model": called(model_requested="my-own-model", model_answered=None),
    "unknown tokens": called(input_tokens=None, output_tokens=None),
    "own machine": called(provider=None, model_answered="llama-3.1-8b", host_zone="SWE"),
    "image": called(operation="image", images_count=2, model_answered="flux.1-dev", provider=None),
    "sensed": sensed(),
    "counter": sensed(energy_sensor="rapl", energy_status="measured", energy_scope="cpu"),
}
_both = pytest.mark.parametrize("language", ["fr", "en"])
_every_call = pytest.mark.parametrize("name", _CALLS)


_drawn: dict[tuple[str, str], Node] = {}


def _page(event: UsageEvent, language: str) -> Node:
    if (event.id, language) not in _drawn:
        _drawn[event.id, language] = _asked_for(event, language)
    return _drawn[event.id, language]


def _asked_for(event: UsageEvent, language: str) -> Node:
    source = HeldSource(RuntimeError("no overview is needed for a call"))
    source.events[event.id] = event
    answer = client_of(source).get(f"/{language}/calls/{event.id}")
    assert answer.status_code == 200
    return read(answer.text).one("main")


def _children(node: Node, tag: str) -> list[Node]:
    return [child for child in node.children if isinstance(child, Node) and child.tag == tag]


def _steps(line: Node) -> list[Node]:
    return [child for tree in _children(line, "ul") for child in _children(tree, "li")]


def _shown(quantity: Quantity | None, language: str) -> str:
    """The value as a page prints it, without its unit's words."""
    if quantity is None:
        return "—"
    if quantity.unit == "Wh per unit":
        quantity = quantity.scaled(1e6)
    unit = "1" if quantity.unit == "ratio" else quantity.unit
    return plain(catalog(language).quantity(quantity._replace(unit=unit)).value)


def _ids(code: Node) -> list[str]:
    """Of one factor, or of several of one source, each with its value."""
    return [part.partition(" = ")[0] for part in code.text.split(" · ")]


def _is_known(root: Step) -> bool:
    return any(node.quantity for node in (root, *root.children))


def _compare(line: Node, step: Step, language: str, told: set[str]) -> None:
    """`told`: steps and factors that a line above holds, and a sensor's own."""
    told.add(step.name)
    children = [child for child in step.children if child.children or child.factors or child.name not in told]
    name = catalog(language).t(STEPS[step.name])
    assert plain(str(line.children[0])) == plain(name)
    (value,) = _children(line, "strong")
    assert value.text.split(" [")[0].startswith(_shown(step.quantity, language))
    listed = [one for box in _children(line, "details") for code in box.all("code") for one in _ids(code)]
    new = {factor.id for factor in step.factors} - told
    assert len(listed) == len(set(listed))
    assert set(listed) - told == new
    told |= new
    below = _steps(line)
    assert len(below) == len(children)
    for inner, child in zip(below, children, strict=True):
        _compare(inner, child, language, told)


@_both
@_every_call
def test_the_page_draws_the_tree_of_the_method(name: str, language: str) -> None:
    """Names, values, factors and what rests on what: those of `explain`, node by node."""
    event = _CALLS[name]
    used = energy_of(event)
    explanation = explain(Pricer({}).impacts(event))
    (tree,) = (found for found in _page(event, language).all("ul") if found.classes == ["tree"] and _is_top(found))
    roots = [root for root in explanation.roots if _is_known(root)]
    lines = _children(tree, "li")
    assert len(lines) == len(roots) == 5
    told = {used.factor.id} if used and used.factor else set()
    for line, root in zip(lines, roots, strict=True):
        _compare(line, root, language, told)
    assert {factor.id for factor in explanation.factors()} <= told


def _is_top(tree: Node) -> bool:
    return tree.parent is not None and tree.parent.tag != "li"


@_both
@_every_call
def test_every_factor_stands_with_its_source_year_and_licence(name: str, language: str) -> None:
    explanation = explain(Pricer({}).impacts(_CALLS[name]))
    facts = [node for node in _page(_CALLS[name], language).all("ul") if node.classes == ["facts"]]
    lines = {
        one: node.text for box in facts for node in box.all("li") if node.all("code") for one in _ids(node.one("code"))
    }
    for factor in explanation.factors():
        assert factor == factor_named(factor.id, current())
        line = lines[factor.id]
        assert f" · {factor.year} · " in line
        assert plain(tidy(factor.licence)[0]) in line
        assert "Mesure" in line or plain(tidy(factor.source)[0]) in line
        assert plain(catalog(language).plain(factor.value)) in line


@_both
@_every_call
def test_what_is_assumed_is_said_in_full_and_in_order(name: str, language: str) -> None:
    explanation = explain(Pricer({}).impacts(_CALLS[name]))
    t = catalog(language).t
    page = _page(_CALLS[name], language)
    titles = [node.text for node in page.all("h2")]
    assert (plain(t("What this assumes")) in titles) is bool(explanation.warnings)
    if explanation.warnings:
        listed = [node.text for node in [found for found in page.all("ul") if found.classes == ["facts"]][-1].all("li")]
        assert listed == [plain(t(WARNINGS[code])) for code in explanation.warnings]


@_both
def test_the_facts_are_those_of_the_event(language: str) -> None:
    event = called(
        team="Livraison",
        use_case="Suivi",
        host_zone="FRA",
        model_requested="gpt-4o-alias",
        cached_input_tokens=1000,
        reasoning_tokens=100,
        status="truncated",
        error_type="length",
        http_status=200,
    )
    t = catalog(language)
    facts = next(found for found in _page(event, language).all("dl"))
    shown = {name.text: value.text for name, value in zip(facts.all("dt"), facts.all("dd"), strict=True)}
    day = "22 novembre 2026" if language == "fr" else "22 November 2026"
    expected = {
        "When": f"{day}, 14:02:00",
        "Team": "Livraison",
        "Use case": "Suivi",
        "Provider": "openai",
        "Model asked for": "gpt-4o-alias",
        "Model that answered": "gpt-4o",
        "Place": "FRA",
        "Tokens read": t.number(1204),
        "of which already in cache": t.number(1000),
        "Tokens written": "186",
        "of which reasoning": "100",
        "Outcome": f"{t.t(OUTCOMES['truncated'])} (length, HTTP 200)",
    }
    assert shown == {plain(t.t(name)): plain(value) for name, value in expected.items()}


@_both
def test_what_nobody_counted_is_left_out_and_what_is_none_is_not(language: str) -> None:
    t = catalog(language).t
    page = _page(called(input_tokens=None, output_tokens=0, cached_input_tokens=None), language)
    names = {node.text: node for node in page.all("dt")}
    assert plain(t("Tokens read")) not in names
    written = page.all("dd")[list(names).index(plain(t("Tokens written")))]
    assert written.text == "0"


@_both
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "error", "error_type": None, "http_status": None}, ""),
        ({"status": "error", "error_type": None, "http_status": 503}, " (HTTP 503)"),
        ({"status": "cancelled", "error_type": "client_left", "http_status": None}, " (client_left)"),
    ],
)
def test_an_outcome_is_told_with_what_is_known_of_it(language: str, changes: dict[str, Any], told: str) -> None:
    page = _page(called(**changes), language)
    outcome = plain(catalog(language).t(OUTCOMES[changes["status"]]))
    assert [node.text for node in page.all("dd")][-1] == outcome + told


def _origins(event: UsageEvent, language: str) -> list[str]:
    (found,) = (node for node in _page(event, language).all("ul") if node.classes == ["from"])
    return [line.text for line in found.all("li")]


@_both
@pytest.mark.parametrize(
    ("name", "energy", "carbon"),
    [
        (
            "usual",
            "calculated from the tokens of this call and from its model, with sourced factors",
            "place stated (FRA)",
        ),
        ("unknown model", "calculated with a wide default, because the model is unknown", "usual places"),
        ("unknown tokens", "calculated with usual values, because part of what it rests on is unknown", "usual places"),
        ("sensed", "calculated from the processor time of this call", "world's average"),
        ("counter", MEANINGS[Status.MEASURED], "world's average"),
    ],
)
def test_how_both_figures_were_obtained_is_said(name: str, energy: str, carbon: str, language: str) -> None:
    event = _CALLS[name]
    impacts = Pricer({}).impacts(event)
    first, second = _origins(event, language)
    t = catalog(language).t
    assert impacts.gwp_gco2eq is not None
    assert first.startswith(plain(t("{figure}: {status}", figure=t("Energy"), status="")).strip())
    assert second.startswith("CO₂e")
    assert first.endswith(".")
    assert second.endswith(".")
    if language == "en":
        assert plain(t(energy)) in first
        assert plain(t(carbon)) in second
    else:
        english = _origins(event, "en")
        assert not {first, second} & set(english)
        assert ("FRA" in second) is ("FRA" in english[1])


@_both
def test_a_place_without_factor_has_no_carbon_and_says_so(language: str) -> None:
    event = called(host_zone="ATA")
    assert Pricer({}).impacts(event).gwp_gco2eq is None
    assert len(_origins(event, language)) == 1
    title = _page(event, language).one("h1").text
    assert plain({"fr": "son CO₂e est inconnu", "en": "its CO₂e is unknown"}[language]) in title
    assert plain(catalog(language).t(WARNINGS["zone_no_factor"])) in _page(event, language).text


@_both
def test_only_what_was_read_is_said_to_be_used(language: str) -> None:
    titles = {name: _page(_CALLS[name], language).one("h1").text for name in ("usual", "counter", "sensed")}
    used = {"fr": "a consommé", "en": "This call used"}[language]
    assert [name for name, title in titles.items() if used in title] == ["counter"]


@_both
@pytest.mark.parametrize(("name", "known"), [("cpu-time", True), ("rapl", True), ("a-plug-of-ours", False)])
def test_a_sensor_has_its_words_or_its_own_name(name: str, known: bool, language: str) -> None:
    event = sensed(energy_sensor=name, energy_status="measured")
    page = _page(event, language)
    words = plain(catalog(language).t(SENSORS[name])) if known else name
    assert words in [node.text for node in page.all("dd")]


def test_processor_time_has_two_digits() -> None:
    for seconds, text in ((0.5, "0.5 s"), (0.123456, "0.12 s"), (12.34, "12 s"), (0.0042, "0.0042 s")):
        event = sensed()
        scale = seconds / 0.5
        scaled = sensed(
            **{name: getattr(event, name) * scale for name in ("energy_j", "energy_low_j", "energy_high_j")}
        )
        assert [node.text for node in _page(scaled, "en").all("dd")][-1] == text


@_both
def test_formulas_are_in_words(language: str) -> None:
    """A product of steps is written with their names; one of the method's sentences with its own."""
    t = catalog(language).t
    whole = {plain(t(words)) for words in (*FORMULAS, *SENSED.values())}
    names = {plain(t(words)) for words in STEPS.values()}
    for event in _CALLS.values():
        told = [node.text for node in _page(event, language).all("span") if node.classes == ["formula"]]
        assert told
        assert all(text in whole or set(text.split(" × ")) <= names for text in told), told


def test_times_are_the_organisation_s() -> None:
    event = called()
    for zone, shown in (
        ("Pacific/Auckland", "23 November 2026, 02:02:00"),
        ("America/Los_Angeles", "22 November 2026, 05:02:00"),
    ):
        source = HeldSource(RuntimeError())
        source.events[event.id] = event
        text = read(client_of(source, timezone=zone).get(f"/en/calls/{event.id}").text).text
        assert shown in text
    assert Reader.of("en", settings(timezone="UTC")).local(event.started_at).hour == 13


@_both
@_every_call
def test_every_factor_is_on_the_page_once(name: str, language: str) -> None:
    page = _page(_CALLS[name], language)
    listed = [one for box in page.all("details") for code in box.all("code") for one in _ids(code)]
    assert len(listed) == len(set(listed))
    wanted = {factor.id for factor in explain(Pricer({}).impacts(_CALLS[name])).factors()}
    assert wanted <= set(listed)
    assert any(one.startswith("grid_impacts.") for one in listed)


@_both
@_every_call
def test_water_minerals_and_primary_energy_have_their_trees(name: str, language: str) -> None:
    t, impacts = catalog(language), Pricer({}).impacts(_CALLS[name])
    text = _page(_CALLS[name], language).text
    for quantity in ("water_ml", "adpe_gsbeq", "pe_mj"):
        used = getattr(impacts.usage, quantity)
        assert used is not None
        for step, shown in ((quantity, getattr(impacts, quantity)), (f"usage_{quantity}", used)):
            assert plain(f"{t.t(STEPS[step])} {_shown(shown, language)}") in text
    assert plain(t.t(WARNINGS["embodied_water_no_factor"])) in text


@_both
def test_what_is_known_of_use_shows_where_the_whole_is_not(language: str) -> None:
    t, text = catalog(language), _page(_CALLS["sensed"], language).text
    assert f"{t.t(STEPS['adpe_gsbeq'])} —" in text
    assert plain(t.t(WARNINGS["embodied_adpe_no_factor"])) in text
    assert plain(t.t("no sourced factor for these machines")) in text
