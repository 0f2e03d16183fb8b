"""`/api/overview`, key by key, and that it says what the overview and the page say."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, pages
from starlette.testclient import TestClient

from mesure.apps.web.api import factors_json, overview_json
from mesure.catalogue import current
from mesure.errors import LedgerError
from mesure.quantity import Quantity, Status
from shapes import FACTOR, QUANTITY, Maybe, Several, mismatches

_STATUSES = {status.value for status in Status}
_QUANTITY = QUANTITY | {"status": _STATUSES}
_WINDOW = {
    "since": str,
    "until": str,
    "calls": int,
    "events": int,
    "tokens": int,
    "coverage": Maybe(float),
    "energy_wh": Maybe(_QUANTITY),
    "gwp_gco2eq": Maybe(_QUANTITY),
}
_MODEL = {
    "provider": Maybe(str),
    "model": Maybe(str),
    "known": bool,
    "calls": int,
    "energy_wh": _QUANTITY,
    "gwp_gco2eq": Maybe(_QUANTITY),
}
_CALL = {
    "id": str,
    "started_at": str,
    "team": Maybe(str),
    "use_case": Maybe(str),
    "provider": Maybe(str),
    "model": Maybe(str),
    "known": bool,
    "route": Maybe(str),
    "input_tokens": Maybe(int),
    "cached_input_tokens": Maybe(int),
    "output_tokens": Maybe(int),
    "energy_wh": _QUANTITY,
    "gwp_gco2eq": Maybe(_QUANTITY),
    "status": {"ok", "error", "cancelled", "truncated"},
    "environment": {"production", "test", "experiment"},
}
_OVERVIEW = {
    "now": str,
    "versions": {"method": str, "catalogue": str, "ledger": int},
    "month": _WINDOW,
    "previous": _WINDOW,
    "today": _WINDOW,
    "power_w": _QUANTITY,
    "calls_per_minute": float,
    "power_series": Several({"at": str, "low": float, "mid": float, "high": float, "unit": {"W"}}, least=60),
    "models": Several(_MODEL),
    "last_calls": Several(_CALL),
    "statuses": dict,
    "reconciled": Maybe(dict),
    "factors": Several(dict),
    "factors_missing": Several(str),
}


def _json(scene: str) -> dict[str, Any]:
    with TestClient(pages(HeldSource(web_scenes.SCENES[scene]())), base_url="http://127.0.0.1:8420") as client:
        answer = client.get("/api/overview")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("scene", web_scenes.SCENES)
def test_the_contract_holds_in_every_scene(scene: str) -> None:
    found = _json(scene)
    assert mismatches(found, _OVERVIEW) == []
    assert set(found["statuses"]) <= _STATUSES
    for factor in found["factors"]:
        assert mismatches({name: factor[name] for name in FACTOR}, FACTOR) == []


@pytest.mark.parametrize("scene", web_scenes.SCENES)
def test_every_source_named_has_its_factor(scene: str) -> None:
    found = _json(scene)
    known = {factor["id"] for factor in found["factors"]}
    named: set[str] = set()
    for holder in (found["month"], found["previous"], found["today"], *found["models"]):
        for quantity in (holder["energy_wh"], holder["gwp_gco2eq"]):
            named |= set(quantity["sources"]) if quantity else set()
    assert known == named
    assert found["factors_missing"] == []
    assert bool(known) is (scene != "empty")


def test_values_are_those_of_the_overview() -> None:
    overview = web_scenes.office()
    found = overview_json(overview, current())
    assert found["month"]["energy_wh"] == json.loads(json.dumps(overview.month.energy_wh.to_json()))  # type: ignore[union-attr]
    assert [row["model"] for row in found["models"]] == [row.model for row in overview.models]
    assert [call["id"] for call in found["last_calls"]] == [call.id for call in overview.last_calls]
    assert found["statuses"] == {"measured": 114_000, "modelled": 158_830, "default": 1_204}
    assert found["power_w"]["mid"] == overview.power_w.mid
    assert len(found["power_series"]) == len(overview.power_series)


def test_unknown_is_null_never_zero() -> None:
    found = _json("empty")
    assert (found["month"]["energy_wh"], found["month"]["gwp_gco2eq"], found["month"]["coverage"]) == (None,) * 3
    assert (found["models"], found["last_calls"], found["factors"]) == ([], [], [])


def test_a_sensor_is_no_factor_and_factors_come_once() -> None:
    one = Quantity(1, 2, 3, "Wh", Status.MEASURED, ("rapl", *web_scenes.ENERGY))
    found, missing = factors_json([one, None, one], current())
    assert [factor["id"] for factor in found] == list(web_scenes.ENERGY)
    assert missing == []


@pytest.mark.parametrize("lost", ["grids.FRA.intensity.1999", "fit.text.none", "nowhere", "user.sites.a.pue.2025"])
def test_a_source_that_is_lost_is_shown_never_dropped(lost: str) -> None:
    one = Quantity(1, 2, 3, "Wh", Status.MODELLED, (*web_scenes.ENERGY, lost))
    found, missing = factors_json([one], current())
    assert [factor["id"] for factor in found] == list(web_scenes.ENERGY)
    assert missing == [lost]


def test_a_lost_source_is_on_the_page_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = web_scenes.office()
    energy = scene.month.energy_wh
    assert energy
    lost = energy._replace(sources=("grids.FRA.intensity.1999", *energy.sources))
    shown = dataclasses.replace(scene, month=dataclasses.replace(scene.month, energy_wh=lost))
    with TestClient(pages(HeldSource(shown)), base_url="http://127.0.0.1:8420") as client:
        overview = client.get("/api/overview").json()
        english, french = (client.get(f"/{language}/why").text for language in ("en", "fr"))
    assert overview["factors_missing"] == ["grids.FRA.intensity.1999"]
    assert "grids.FRA.intensity.1999</code> · no table holds this factor" in english
    assert "grids.FRA.intensity.1999</code> · aucune table n’a ce facteur" in french


def test_an_unreadable_ledger_is_an_error_in_json() -> None:
    broken = LedgerError("The ledger could not be read: gone", value="/x", action="Check it", code="ledger_unavailable")
    with TestClient(pages(HeldSource(broken)), base_url="http://127.0.0.1:8420") as client:
        answer = client.get("/api/overview")
    assert answer.status_code == 503
    assert answer.json()["error"] == {
        "code": "ledger_unavailable",
        "what": "The ledger could not be read: gone",
        "value": "/x",
        "action": "Check it",
        "nearest": [],
    }


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", ("Le registre n’a pu être", "Vérifiez que ses fichiers")),
        ("en", ("The ledger could not be read: gone.", "Check that its files are there")),
    ],
)
def test_an_unreadable_ledger_is_told_in_the_reader_s_language(language: str, said: tuple[str, str]) -> None:
    action = "Check that its files are there and readable, and that the disk has room."
    broken = LedgerError("The ledger could not be read: gone", action=action, code="ledger_unavailable")
    with TestClient(pages(HeldSource(broken)), base_url="http://127.0.0.1:8420") as client:
        answer = client.get(f"/{language}/")
    assert answer.status_code == 503
    other = "Vérifiez" if language == "en" else "Check that"
    assert all(text in answer.text for text in said)
    assert other not in answer.text


@pytest.mark.parametrize("path", ["/api/overview", "/fr/", "/en/why", "/healthz", "/readyz", "/metrics", "/nowhere"])
def test_every_answer_carries_the_headers_that_protect(path: str) -> None:
    with TestClient(pages(HeldSource(web_scenes.office())), base_url="http://127.0.0.1:8420") as client:
        headers = client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/api/overview", "/fr/", "/healthz", "/metrics", "/live"])
def test_nothing_can_be_written_through_the_pages(method: str, path: str) -> None:
    with TestClient(pages(HeldSource(web_scenes.office())), base_url="http://127.0.0.1:8420") as client:
        assert client.request(method, path).status_code == 405
