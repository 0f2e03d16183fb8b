"""What each address answers, with the real catalogue and methods behind it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, pages, settings
from starlette.testclient import TestClient

from mesure.apps.web.assets import CONTENT_SECURITY_POLICY, SCRIPT, STYLE
from mesure.apps.web.factors import factor_line, tidy
from mesure.apps.web.reader import Reader
from mesure.apps.web.welcome import welcome
from mesure.apps.words import FORMULAS, STEPS, WARNINGS
from mesure.catalogue import current
from mesure.config import Settings
from mesure.errors import LedgerError
from mesure.i18n import catalog
from mesure.impact.explain import explain
from mesure.ledger import Pricer
from mesure.meter.sensors import factor
from mesure.meter.sensors.factors import ANY_CPU
from mesure.quantity import Status
from mesure.record import UsageEvent, new_id
from mesure.version import METHOD_VERSION


class _Outline(HTMLParser):
    """Elements counted, and the text that people see."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements += 1
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _outline(html: str) -> tuple[int, str]:
    parser = _Outline()
    parser.feed(html)
    text = " ".join(" ".join(parser.words).split())
    return parser.elements, text.replace("\u202f", " ").replace("\u00a0", " ")


def _client(source: HeldSource, **options: object) -> TestClient:
    return TestClient(pages(source, **options), base_url="http://127.0.0.1:8420", raise_server_exceptions=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(("accept", "where"), [("en-GB", "/en/"), ("fr", "/fr/"), ("de", "/fr/"), (None, "/fr/")])
def test_root_leads_to_the_reader_s_language(client: TestClient, accept: str | None, where: str) -> None:
    answer = client.get("/", headers={"accept-language": accept} if accept else {"accept-language": ""})
    assert (answer.status_code, answer.headers["location"]) == (302, where)
    assert answer.headers["vary"] == "accept-language"


def test_root_follows_the_configured_language() -> None:
    client = _client(HeldSource(web_scenes.office()), language="en")
    assert client.get("/", headers={"accept-language": ""}, follow_redirects=False).headers["location"] == "/en/"


@pytest.mark.parametrize("scene", list(web_scenes.SCENES))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_pages_keep_their_budget(scene: str, language: str) -> None:
    client = _client(HeldSource(web_scenes.SCENES[scene]()))
    for path in (f"/{language}/", f"/{language}/why"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert len(answer.content) <= 50_000
        assert _outline(answer.text)[0] <= 350
        assert f'<html lang="{language}">' in answer.text


def test_the_page_says_its_weight(client: TestClient) -> None:
    answer = client.get("/fr/")
    stated = re.search(r"Cette page : (\d+) ko, 2 requêtes", _outline(answer.text)[1])
    assert stated
    assert abs(int(stated[1]) * 1000 - len(answer.content)) <= 600


def test_now_says_it_all(client: TestClient) -> None:
    text = _outline(client.get("/fr/").text)[1]
    for words in (
        "la consommation de votre IA est estimée à 41 kWh [27–73] et 11 kg CO₂e [4–28]",
        "Puissance moyenne",
        "180 W [100–320]",
        "Depuis minuit 1,9 kWh [1,1–3,3]",
        "Appels par minute 212",
        "98 % des jetons rattachés à un modèle connu",
        "Énergie : modélisé 158 830 appels",
        "Motif d’appel",
        "1 204 → 186",
        "0,31 Wh [0,13–0,75]",
        "modèle inconnu",
        "tronqué",
        f"Méthode {METHOD_VERSION}",
        "Consommation propre de Mesure : 2,1 W [1,2–3,9], modélisé",
    ):
        assert words in text


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("scene", list(web_scenes.SCENES))
def test_no_result_is_called_what_it_is_not(scene: str, language: str) -> None:
    client = _client(HeldSource(web_scenes.SCENES[scene]()))
    for path in ("", "why"):
        text = _outline(client.get(f"/{language}/{path}").text)[1].lower()
        assert not re.search(r"\b(neutral|zero|net|green|eco-friendly|neutre|zéro)\b", text)


def test_the_empty_page_tells_how_to_begin(source: HeldSource) -> None:
    source.now = web_scenes.empty()
    answer = _client(source).get("/fr/", headers={"host": "localhost:9000"})
    text = _outline(answer.text)[1]
    assert "Aucun appel d’IA n’est encore passé par ici." in text
    assert 'OpenAI(base_url="http://localhost:9000/v1")' in text
    assert 'base_url="http://localhost:9000/providers/mistral"' in text
    assert "Les appels continuent vers https://api.openai.com/v1" in text


def test_notices_stand_on_every_page() -> None:
    client = _client(HeldSource(web_scenes.small()), notices=("demo",))
    assert "small base model" in _outline(client.get("/en/").text)[1]


def test_pages_refresh_without_scripts_until_told_not_to(client: TestClient) -> None:
    assert '<noscript><meta http-equiv="refresh"' in client.get("/fr/").text
    stopped = client.get("/fr/?refresh=0").text
    assert 'http-equiv="refresh"' not in stopped
    assert "Recharger cette page automatiquement" in stopped


def test_only_our_own_style_and_script_run(client: TestClient) -> None:
    answer = client.get("/fr/")
    policy = answer.headers["content-security-policy"]
    assert policy == CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert not re.search(r" on\w+=", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert f"<style>{STYLE}</style>" in answer.text
    assert f"<script>{SCRIPT}</script>" in answer.text


def test_names_from_calls_are_text_never_markup(source: HeldSource) -> None:
    evil = '<img src=x onerror="alert(1)">'
    rows = (web_scenes.call(1, evil, web_scenes.q(1, 2, 3), use_case=evil, team=evil),)
    source.now = web_scenes.office(last_calls=rows, models=(web_scenes.model(evil, web_scenes.q(1, 2, 3), 1),))
    assert "<img" not in _client(source).get("/fr/").text


def test_the_script_is_small() -> None:
    assert len(SCRIPT) <= 1_400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8420", "10.0.0.3"])
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/fr/", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "bad_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8420", "[::1]:8420"])
def test_loopback_names_are_ours(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_health_readiness_and_metrics() -> None:
    fine, ill = _client(HeldSource(web_scenes.office())), _client(HeldSource(web_scenes.office()), ok=False)
    assert fine.get("/readyz").status_code == 200
    assert ill.get("/readyz").status_code == 503
    assert ill.get("/healthz").status_code == 200
    assert ill.get("/healthz").json()["committer"] == {"lag_s": 0.2}
    answer = fine.get("/metrics")
    assert answer.text == "mesure_calls_total 3\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_the_api_gives_what_the_page_shows(client: TestClient) -> None:
    data = client.get("/api/overview").json()
    energy = data["month"]["energy_wh"]
    assert (energy["unit"], energy["status"]) == ("Wh", "modelled")
    assert energy["low"] < energy["mid"] < energy["high"]
    assert data["versions"] == {"method": METHOD_VERSION, "catalogue": "2026-11-22", "ledger": 4123}
    assert len(data["power_series"]) == 60
    assert len(data["last_calls"]) == 20
    assert data["statuses"] == {"measured": 114000, "modelled": 158830, "default": 1204}


def test_factors_of_the_api_carry_their_provenance(source: HeldSource) -> None:
    known = current().factors()[0]
    month = web_scenes.window(
        web_scenes.MONTH, web_scenes.q(1, 2, 3)._replace(sources=(known.id, "a-sensor")), 3, gwp_gco2eq=None
    )
    source.now = web_scenes.office(month=month, models=())
    (found,) = (f for f in _client(source).get("/api/overview").json()["factors"] if f["id"] == known.id)
    assert all(found[name] for name in ("source", "source_url", "year", "licence", "unit"))


def test_live_speaks_two_languages_only(client: TestClient) -> None:
    assert client.get("/live?lang=de").status_code == 400


def test_missing_pages_say_so_in_the_language(client: TestClient) -> None:
    french, english = client.get("/fr/nowhere"), client.get("/en/nowhere")
    assert (french.status_code, english.status_code) == (404, 404)
    assert "Il n’y a pas de page à cette adresse." in _outline(french.text)[1]
    assert "There is no page at this address." in _outline(english.text)[1]


def test_an_unreadable_ledger_tells_what_to_do(source: HeldSource) -> None:
    source.now = LedgerError("The table cannot be read", value="/data", action="Run mesure doctor")
    client = _client(source)
    page, api = client.get("/en/"), client.get("/api/overview")
    assert (page.status_code, api.status_code) == (503, 503)
    assert "Run mesure doctor" in _outline(page.text)[1]
    assert api.json()["error"]["action"] == "Run mesure doctor"


def test_an_unexpected_failure_tells_nothing_of_the_machine(source: HeldSource) -> None:
    source.now = RuntimeError("secret path /root/x")
    answer = _client(source).get("/en/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "go on being recorded" in _outline(answer.text)[1]


def _event(**changes: object) -> UsageEvent:
    facts = {
        "id": new_id(),
        "started_at": datetime(2026, 11, 22, 13, 2, tzinfo=UTC),
        "provider": "openai",
        "model_requested": "gpt-4o",
        "model_answered": "gpt-4o",
        "input_tokens": 1204,
        "output_tokens": 186,
        "use_case": "Réponse client",
    }
    return UsageEvent(**facts | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_call_opens_on_its_calculation(source: HeldSource, language: str) -> None:
    event = _event()
    source.events[event.id] = event
    answer = _client(source).get(f"/{language}/calls/{event.id}")
    elements, text = _outline(answer.text)
    assert answer.status_code == 200
    assert elements <= 350
    assert len(answer.content) <= 50_000
    energy = Pricer({}).impacts(event).energy_wh
    assert energy is not None
    assert str(catalog(language).quantity(energy)).replace("\u202f", " ") in text
    assert ("Le calcul" if language == "fr" else "The calculation") in text
    assert re.search(r"20\d\d · licence ?:", text)
    assert "PUE" in text


def test_an_unknown_model_says_that_its_figure_is_a_default(source: HeldSource) -> None:
    event = _event(model_requested="my-own-model", model_answered=None)
    source.events[event.id] = event
    text = _outline(_client(source).get(f"/fr/calls/{event.id}").text)[1]
    assert "par défaut" in text
    assert "Le modèle est absent du catalogue : une valeur par défaut, à fourchette large, le remplace." in text


def test_a_call_that_does_not_exist_is_a_missing_page(client: TestClient) -> None:
    assert client.get("/fr/calls/nope").status_code == 404


def test_the_method_s_words_are_those_of_the_method() -> None:
    """A step, formula or warning renamed in `impact` must be renamed here."""
    read: dict[str, Any] = {"energy_j": 30.0, "energy_status": "measured"}
    events = [
        _event(),
        _event(model_answered="my-own-model", input_tokens=None, output_tokens=None),
        *(_event(**read, energy_scope=scope) for scope in ("process", "cpu", "accelerator", "server")),
        _event(operation="image", images_count=2, model_answered="flux.1-dev", provider=None),
    ]
    for explanation in (explain(Pricer({}).impacts(event)) for event in events):
        nodes = [node for root in explanation.roots if root.quantity for node in root.walk()]
        assert {node.name for node in nodes} <= set(STEPS)
        assert set(explanation.warnings) <= set(WARNINGS)
        for formula in {node.formula for node in nodes} - FORMULAS:
            assert set(formula.split(" x ")) <= set(STEPS), formula


def test_why_lists_models_badges_and_factors(client: TestClient) -> None:
    text = _outline(client.get("/fr/why").text)[1]
    for words in ("gpt-4o 61 300 24 kWh [11–53]", "déclaré par le fournisseur", "à 90 %", "8 Wh par heure"):
        assert words in text


def _sensed(**changes: object) -> UsageEvent:
    """A call metered from processor time, as the local demonstration's: half a second of a busy thread."""
    power = factor(ANY_CPU)
    facts = {
        "energy_j": power.value / 2,
        "energy_low_j": power.low / 2,
        "energy_high_j": power.high / 2,
        "energy_sensor": "cpu-time",
        "energy_status": "modelled",
        "energy_scope": "server",
        "provider": "local",
        "model_requested": "gemma-3-270m",
        "model_answered": "gemma-3-270m",
    }
    return _event(**facts | changes)


def test_a_modelled_sensor_is_never_said_to_be_read(source: HeldSource) -> None:
    event = _sensed()
    source.events[event.id] = event
    client = _client(source)
    text = _outline(client.get(f"/en/calls/{event.id}").text)[1]
    assert "read where the call ran" not in text
    assert "processor time x power of a busy thread" in text
    assert "calculated from the processor time of this call" in text
    assert "from this energy and the world’s average electricity" in text
    assert "Energy: modelled" in text
    assert "CO₂e: by default" in text
    assert "Processor time 0.5 s" in text
    assert "4.8 W [1.2–10.9] · SPECpower_ssj2008" in text
    french = _outline(client.get(f"/fr/calls/{event.id}").text)[1]
    assert "temps de processeur × puissance d’un fil d’exécution occupé" in french


def test_a_counter_of_the_processor_is_read_and_names_its_factor(source: HeldSource) -> None:
    event = _sensed(energy_sensor="rapl", energy_status="measured", energy_scope="cpu")
    source.events[event.id] = event
    text = _outline(_client(source).get(f"/en/calls/{event.id}").text)[1]
    assert "read where the call ran" in text
    assert "cpu.rapl_neighbour_ratio" in text
    assert "Processor time" not in text


def test_a_power_that_no_factor_of_ours_gives_is_not_named(source: HeldSource) -> None:
    event = _sensed(energy_low_j=0.1)
    source.events[event.id] = event
    assert "SPECpower" not in _client(source).get(f"/en/calls/{event.id}").text


def test_the_month_and_the_api_name_the_sensor_s_factor(source: HeldSource) -> None:
    event = _sensed()
    source.events[event.id] = event
    source.now = web_scenes.small(last_calls=(web_scenes.call(1, "gemma-3-270m", web_scenes.q(1, 2, 3), id=event.id),))
    client = _client(source)
    text = _outline(client.get("/en/why").text)[1]
    assert "4.8 W [1.2–10.9] · SPECpower_ssj2008" in text
    assert "default value" in text
    (found,) = (f for f in client.get("/api/overview").json()["factors"] if f["id"] == ANY_CPU)
    assert found["source"].startswith("SPECpower")


def test_a_row_s_badge_holds_for_both_of_its_figures(source: HeldSource) -> None:
    energy = web_scenes.q(1e-4, 2e-4, 3e-4)
    wide = web_scenes.g(energy)._replace(status=Status.DEFAULT)
    source.now = web_scenes.small(last_calls=(web_scenes.call(1, "m", energy, gwp_gco2eq=wide),))
    rows = _outline(_client(source).get("/en/").text)[1].split("Last calls")[1]
    assert "modelled CO₂e: by default" in rows


def test_what_an_interval_covers_is_said(client: TestClient) -> None:
    for path in ("/en/", "/en/why"):
        text = _outline(client.get(path).text)[1].lower()
        assert "nine times" not in text
        assert "open-weight models only" in text
    assert "How sure is it?" not in client.get("/en/").text


def test_a_month_of_failures_says_so(source: HeldSource) -> None:
    source.now = web_scenes.failing()
    text = _outline(_client(source).get("/fr/").text)[1]
    assert "Aucun appel d’IA n’a abouti" in text
    assert "gCO2eq" not in text
    assert "c’est peu" not in text
    event = _event(status="error", error_type="upstream_unreachable", http_status=502, input_tokens=0, output_tokens=0)
    source.events[event.id] = event
    page = _outline(_client(source).get(f"/fr/calls/{event.id}").text)[1]
    assert "Cet appel a échoué" in page
    assert "échec (upstream_unreachable, HTTP 502)" in page


def test_one_document_type(client: TestClient) -> None:
    assert client.get("/fr/").text.lower().count("<!doctype") == 1


def test_a_missing_page_is_no_page_of_the_menu(client: TestClient) -> None:
    assert 'aria-current="page"' not in client.get("/fr/nowhere").text
    assert "Cet appel n’est pas dans le registre." in _outline(client.get("/fr/calls/nope").text)[1]


def test_nothing_to_explain_leads_to_what_to_do(source: HeldSource) -> None:
    source.now = web_scenes.empty()
    answer = _client(source).get("/en/why").text
    assert "nothing to explain yet" in answer
    assert '<a href="/en/">How to begin</a>' in answer


def test_without_a_provider_that_comes_first() -> None:
    text = str(welcome("http://127.0.0.1:8420", Reader.of("en", Settings())))
    assert text.index("No provider answers here yet") < text.index("OpenAI(base_url")


def test_columns_keep_one_unit(source: HeldSource) -> None:
    rows = tuple(
        web_scenes.call(i, "m", web_scenes.q(wh / 2, wh, wh * 2), gwp_gco2eq=None)
        for i, wh in enumerate((6e-4, 1.1e-3))
    )
    source.now = web_scenes.small(last_calls=rows)
    text = _outline(_client(source).get("/en/").text)[1].split("Last calls")[1]
    assert "0.60 mWh" in text
    assert "1.1 mWh" in text


@pytest.mark.parametrize(
    ("given", "text", "unchecked"),
    [
        ("NVIDIA, A10: seller figure, page not opened: verify", "NVIDIA, A10: seller figure", True),
        ("MPL-2.0 (keep this file apart)", "MPL-2.0", False),
        ("CC BY 4.0 (site), confirm", "CC BY 4.0 (site)", True),
        ("Open Government Licence - Canada to confirm for this page", "Open Government Licence - Canada", True),
        ("CC BY 4.0", "CC BY 4.0", False),
    ],
)
def test_working_notes_become_a_status(given: str, text: str, unchecked: bool) -> None:
    assert tidy(given) == (text, unchecked)


def test_no_factor_shows_a_working_note() -> None:
    readers = [Reader.of(language, settings()) for language in ("fr", "en")]
    for found in current().factors():
        assert not re.search(
            r"\b(verify|confirm|not opened|keep this)\b", tidy(found.source)[0] + tidy(found.licence)[0]
        )
        assert tidy(found.licence)[0]
    guess = next(found for found in current().factors() if found.source.startswith("Mesure authors, guess"))
    for reader in readers:
        assert "<a" not in str(factor_line(guess, reader))
