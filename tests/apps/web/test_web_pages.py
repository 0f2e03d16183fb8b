"""What each address answers, with the real catalogue and methods behind it."""

from __future__ import annotations

import re

import pytest
import web_scenes
from held_pages import HeldSource, client_of
from page_reader import read
from starlette.testclient import TestClient
from usage_events import called

from mesure.apps.web.assets import SCRIPT
from mesure.apps.web.reader import Reader
from mesure.apps.web.welcome import welcome
from mesure.config import Settings
from mesure.quantity import Status
from mesure.version import METHOD_VERSION


@pytest.mark.parametrize(("accept", "where"), [("en-GB", "/en/"), ("fr", "/fr/"), ("de", "/fr/"), (None, "/fr/")])
def test_root_leads_to_the_reader_s_language(client: TestClient, accept: str | None, where: str) -> None:
    answer = client.get("/", headers={"accept-language": accept} if accept else {"accept-language": ""})
    assert (answer.status_code, answer.headers["location"]) == (302, where)
    assert answer.headers["vary"] == "accept-language"


def test_root_follows_the_configured_language() -> None:
    client = client_of(HeldSource(web_scenes.office()), language="en")
    assert client.get("/", headers={"accept-language": ""}, follow_redirects=False).headers["location"] == "/en/"


@pytest.mark.parametrize("scene", list(web_scenes.SCENES))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_pages_keep_their_budget(scene: str, language: str) -> None:
    client = client_of(HeldSource(web_scenes.SCENES[scene]()))
    for path in (f"/{language}/", f"/{language}/why"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert len(answer.content) <= 50_000
        assert len(read(answer.text).all()) <= 350
        assert f'<html lang="{language}">' in answer.text


def test_the_page_says_its_weight(client: TestClient) -> None:
    answer = client.get("/fr/")
    stated = re.search(r"Cette page : (\d+) ko, 2 requêtes", read(answer.text).text)
    assert stated
    assert abs(int(stated[1]) * 1000 - len(answer.content)) <= 600


def test_now_says_it_all(client: TestClient) -> None:
    text = read(client.get("/fr/").text).text
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
    client = client_of(HeldSource(web_scenes.SCENES[scene]()))
    for path in ("", "why"):
        text = read(client.get(f"/{language}/{path}").text).text.lower()
        assert not re.search(r"\b(neutral|zero|net|green|eco-friendly|neutre|zéro)\b", text)


def test_the_empty_page_tells_how_to_begin(source: HeldSource) -> None:
    source.now = web_scenes.empty()
    answer = client_of(source).get("/fr/", headers={"host": "localhost:9000"})
    text = read(answer.text).text
    assert "Aucun appel d’IA n’est encore passé par ici." in text
    assert 'OpenAI(base_url="http://localhost:9000/v1")' in text
    assert 'base_url="http://localhost:9000/providers/mistral"' in text
    assert "Les appels continuent vers https://api.openai.com/v1" in text


def test_notices_stand_on_every_page() -> None:
    client = client_of(HeldSource(web_scenes.small()), notices=("demo",))
    assert "small base model" in read(client.get("/en/").text).text


def test_pages_refresh_without_scripts_until_told_not_to(client: TestClient) -> None:
    assert '<noscript><meta http-equiv="refresh"' in client.get("/fr/").text
    stopped = client.get("/fr/?refresh=0").text
    assert 'http-equiv="refresh"' not in stopped
    assert "Recharger cette page automatiquement" in stopped


def test_the_script_is_small() -> None:
    assert len(SCRIPT) <= 1_400


def test_the_api_gives_what_the_page_shows(client: TestClient) -> None:
    data = client.get("/api/overview").json()
    energy = data["month"]["energy_wh"]
    assert (energy["unit"], energy["status"]) == ("Wh", "modelled")
    assert energy["low"] < energy["mid"] < energy["high"]
    assert data["versions"] == {"method": METHOD_VERSION, "catalogue": "2026-11-22", "ledger": 4123}
    assert len(data["power_series"]) == 60
    assert len(data["last_calls"]) == 20
    assert data["statuses"] == {"measured": 114000, "modelled": 158830, "default": 1204}


def test_why_lists_models_badges_and_factors(client: TestClient) -> None:
    text = read(client.get("/fr/why").text).text
    for words in ("gpt-4o 61 300 24 kWh [11–53]", "déclaré par le fournisseur", "à 90 %", "8 Wh par heure"):
        assert words in text


def test_a_row_s_badge_holds_for_both_of_its_figures(source: HeldSource) -> None:
    energy = web_scenes.q(1e-4, 2e-4, 3e-4)
    wide = web_scenes.g(energy)._replace(status=Status.DEFAULT)
    source.now = web_scenes.small(last_calls=(web_scenes.call(1, "m", energy, gwp_gco2eq=wide),))
    rows = read(client_of(source).get("/en/").text).text.split("Last calls")[1]
    assert "modelled CO₂e: by default" in rows


def test_what_an_interval_covers_is_said(client: TestClient) -> None:
    for path in ("/en/", "/en/why"):
        text = read(client.get(path).text).text.lower()
        assert "nine times" not in text
        assert "open-weight models only" in text
    assert "How sure is it?" not in client.get("/en/").text


def test_a_month_of_failures_says_so(source: HeldSource) -> None:
    source.now = web_scenes.failing()
    text = read(client_of(source).get("/fr/").text).text
    assert "Aucun appel d’IA n’a abouti" in text
    assert "gCO2eq" not in text
    assert "c’est peu" not in text
    event = called(status="error", error_type="upstream_unreachable", http_status=502, input_tokens=0, output_tokens=0)
    source.events[event.id] = event
    page = read(client_of(source).get(f"/fr/calls/{event.id}").text).text
    assert "Cet appel a échoué" in page
    assert "échec (upstream_unreachable, HTTP 502)" in page


def test_one_document_type(client: TestClient) -> None:
    assert client.get("/fr/").text.lower().count("<!doctype") == 1


def test_nothing_to_explain_leads_to_what_to_do(source: HeldSource) -> None:
    source.now = web_scenes.empty()
    answer = client_of(source).get("/en/why").text
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
    text = read(client_of(source).get("/en/").text).text.split("Last calls")[1]
    assert "0.60 mWh" in text
    assert "1.1 mWh" in text
