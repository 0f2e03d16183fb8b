"""Exports hold what is seen: the same cut, the same figures, with intervals, units, statuses, versions and factors."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from explored_ledger import NOW, client, events, filled, page
from starlette.testclient import TestClient

from mesure.apps.web.explore.query import MEASURES
from mesure.catalogue import current
from mesure.impact.provenance import factor_named
from mesure.ledger import Cut, View
from mesure.quantity import Quantity
from mesure.version import METHOD_VERSION


@pytest.fixture
def opened(explored: View) -> TestClient:
    return client(explored)


def _json(opened: TestClient, query: str = "") -> dict[str, Any]:
    answer = opened.get(f"/api/explore{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def _csv(opened: TestClient, query: str = "") -> list[dict[str, str]]:
    answer = opened.get(f"/api/explore.csv{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert "mesure-explore.csv" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_json_says_what_was_asked_and_with_what_it_was_computed(opened: TestClient) -> None:
    found = _json(opened, "?range=last-month&measure=co2e&by=model")
    assert found["query"] == {
        "range": "last-month",
        "measure": "co2e",
        "by": "model",
        "where": {},
        "show": "groups",
        "sort": "amount",
        "text": "range=last-month&measure=co2e&by=model",
    }
    assert (found["since"], found["until"]) == ("2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00")
    assert found["compared_with"] == {"since": "2026-08-31T22:00:00+00:00", "until": "2026-09-30T22:00:00+00:00"}
    assert (found["measure"], found["unit"], found["per"]) == ("gwp_gco2eq", "gCO2eq", "day")
    assert found["versions"] == {"method": METHOD_VERSION, "catalogue": current().version}


@pytest.mark.parametrize("measure", list(MEASURES))
def test_json_figures_are_those_of_the_ledger(opened: TestClient, explored: View, measure: str) -> None:
    found = _json(opened, f"?range=last-month&measure={measure}")
    cut = Cut(since=datetime.fromisoformat(found["since"]), until=datetime.fromisoformat(found["until"]), by="team")
    amounts = explored.explore(cut, MEASURES[measure])
    total = amounts.total()
    assert found["total"]["calls"] == total.calls
    assert found["total"]["counted_calls"] == total.counted
    assert total.amount is not None
    _alike(found["total"]["amount"], total.amount)
    assert [row["name"] for row in found["groups"]] == [name for name, _ in amounts.groups()]
    for row, (_, part) in zip(found["groups"], amounts.groups(), strict=True):
        _alike(row["amount"], part.amount)
        assert row["share"] == (pytest.approx(part.amount.mid / total.amount.mid) if part.amount else None)


def _alike(given: dict[str, Any] | None, quantity: Quantity | None) -> None:
    """But for the last digit of a sum, which depends on its order."""
    assert (given is None) == (quantity is None)
    if given is not None and quantity is not None:
        assert [given[end] for end in ("low", "mid", "high")] == pytest.approx(quantity[:3])
        assert (given["unit"], given["status"]) == (quantity.unit, quantity.status)
        assert given["sources"] == list(quantity.sources)


@pytest.mark.parametrize("measure", ["energy", "co2e", "water", "primary-energy", "minerals"])
def test_every_factor_that_a_figure_names_is_given_with_its_source(opened: TestClient, measure: str) -> None:
    found = _json(opened, f"?measure={measure}")
    given = {factor["id"]: factor for factor in found["factors"]}
    named = {source for total in ("total", "previous") for source in found[total]["amount"]["sources"]}
    assert named
    for name in named:
        factor = given[name]
        assert factor["source"]
        assert factor["licence"]
        assert factor["unit"]
        assert factor["year"]
        known = factor_named(name)
        assert known is not None
        assert factor["value"] == known.value
    assert found["factors_missing"] == []


def test_prices_have_their_own_list(opened: TestClient) -> None:
    found = _json(opened, "?measure=money")
    named = set(found["total"]["amount"]["sources"])
    assert named == {price["id"] for price in found["prices"]}
    assert all(price["source"] and price["licence"] for price in found["prices"])
    assert found["factors_missing"] == []
    assert found["calls_by_currency"]["USD"] == found["total"]["counted_calls"]
    assert found["unit"] == "USD"


def test_the_change_is_that_of_the_same_mix(opened: TestClient) -> None:
    found = _json(opened)
    change = found["change"]
    assert change["unit"] == "1"
    assert change["low"] <= change["mid"] <= change["high"]
    assert change["mid"] == pytest.approx(found["total"]["amount"]["mid"] / found["previous"]["amount"]["mid"])


def test_periods_add_up_to_the_total(opened: TestClient) -> None:
    found = _json(opened, "?range=last-month&show=time")
    assert len(found["periods"]) == 31
    assert sum(part["calls"] for part in found["periods"]) == found["total"]["calls"]
    assert found["periods"][0]["since"] == found["since"]
    assert found["periods"][-1]["until"] == found["until"]
    for part, following in zip(found["periods"], found["periods"][1:], strict=False):
        assert part["until"] == following["since"]
        assert sum(group["calls"] for group in part["groups"]) == part["calls"]
        if not part["calls"]:
            assert part["amount"] is None


def test_calls_go_on_from_a_place(opened: TestClient, explored: View) -> None:
    found = _json(opened, "?range=12m&show=calls")
    assert found["total"]["calls"] == len(found["calls"]) == len(events())
    assert found["after"] is None
    whole = [call["id"] for call in found["calls"]]
    page_of = explored.calls(Cut(since=datetime(2026, 1, 1, tzinfo=UTC), until=NOW), None, 100)
    assert page_of.after is not None
    onward = _json(opened, f"?range=12m&show=calls&after={page_of.after.started_us}-{page_of.after.id}")
    assert [call["id"] for call in onward["calls"]] == whole[100:]
    for call in found["calls"][:5]:
        assert call["energy_wh"]["unit"] == "Wh"
        assert call["energy_wh"]["sources"] or call["energy_wh"]["status"] == "measured"


# CSV


def test_csv_rows_are_those_of_the_page(opened: TestClient) -> None:
    rows = _csv(opened, "?sort=name")
    shown = [row.all("a")[0].text for row in page(opened, "?sort=name", "en").one("tbody").all("tr")]
    assert [row["team"] or "team not stated" for row in rows] == shown
    found = _json(opened, "?sort=name")["groups"]
    for row, group in zip(rows, found, strict=True):
        assert row["measure"] == "energy_wh"
        assert [float(row[end]) for end in ("low", "mid", "high")] == [
            group["amount"][e] for e in ("low", "mid", "high")
        ]
        assert (row["unit"], row["status"]) == ("Wh", group["amount"]["status"])
        assert row["factors"].split(";") == group["amount"]["sources"]
        assert int(row["calls"]) == group["calls"]
        assert float(row["share"]) == group["share"]
        assert (row["method"], row["catalogue"]) == (METHOD_VERSION, current().version)
        if group["change"]:
            assert float(row["change_mid"]) == group["change"]["mid"]


def test_csv_over_time_has_totals_and_groups(opened: TestClient) -> None:
    rows = _csv(opened, "?range=7d&measure=calls&show=time")
    totals = [row for row in rows if row["of"] == "total"]
    groups = [row for row in rows if row["of"] == "group"]
    assert len(totals) == 7
    for total in totals:
        inside = [row for row in groups if row["since"] == total["since"]]
        assert sum(int(row["calls"]) for row in inside) == int(total["calls"])
        assert all(row["until"] == total["until"] for row in inside)


def test_csv_of_calls_lays_figures_flat(opened: TestClient) -> None:
    rows = _csv(opened, "?range=7d&show=calls")
    found = _json(opened, "?range=7d&show=calls")["calls"]
    assert [row["id"] for row in rows] == [call["id"] for call in found]
    for row, call in zip(rows, found, strict=True):
        assert float(row["energy_wh_mid"]) == call["energy_wh"]["mid"]
        assert row["energy_wh_status"] == call["energy_wh"]["status"]
        assert row["team"] == (call["team"] or "")


def test_unknown_is_an_empty_cell(opened: TestClient) -> None:
    rows = {row["provider"]: row for row in _csv(opened, "?measure=money&by=provider")}
    assert [rows["interne"][name] for name in ("low", "mid", "high", "status", "share")] == [""] * 5
    assert int(rows["interne"]["counted_calls"]) == 0
    assert int(rows["interne"]["calls"]) > 0


@pytest.mark.parametrize("name", ["=1+1", "+33", "-2", "@cmd", 'a,b"c\nd'.replace("\n", " "), "é;ü"])
def test_a_name_is_no_formula_for_a_spreadsheet(tmp_path: Path, name: str) -> None:
    from dataclasses import replace

    opened = client(filled(tmp_path, [replace(event, team=name) for event in events(5)]))
    (row,) = _csv(opened, "?range=12m")
    assert row["team"] == (f"'{name}" if name[0] in "=+-@" else name)


def test_an_empty_period_exports_its_head(opened: TestClient) -> None:
    assert _csv(opened, "?from=2020-01-01&to=2020-01-31") == []
    text = opened.get("/api/explore.csv?from=2020-01-01&to=2020-01-31").text
    assert text.startswith("since,until,team")
    found = _json(opened, "?from=2020-01-01&to=2020-01-31")
    assert found["groups"] == []
    assert found["total"]["amount"] is None
    assert found["change"] is None


# Refusals


@pytest.mark.parametrize("address", ["/api/explore", "/api/explore.csv"])
def test_programs_are_refused_in_three_parts(opened: TestClient, address: str) -> None:
    answer = opened.get(f"{address}?measure=wate")
    assert answer.status_code == 400
    error = json.loads(answer.text)["error"]
    assert error["code"] == "invalid_value"
    assert error["value"] == "measure=wate"
    assert "water" in error["nearest"]
    assert error["what"]
    assert error["action"]


def test_programs_need_no_canonical_address(opened: TestClient) -> None:
    assert _json(opened, "?by=team&range=month") == _json(opened)
