"""The description of our own API names every address a program may use, and the pages' own JSON agrees with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import web_scenes
from explored_ledger import client as explored_client
from held_pages import HeldSource, pages
from starlette.testclient import TestClient

from mesure.apps.web.openapi import openapi_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesure.ledger import View
    from mesure.ledger.view import Overview

_DOCUMENT = openapi_document()


def _validator(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": _DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def test_it_is_served_as_it_is(client: TestClient) -> None:
    assert client.get("/api/openapi.json").json() == _DOCUMENT


def test_every_address_of_the_api_is_described() -> None:
    served = {route.path for route in pages(HeldSource(web_scenes.office())).routes}  # type: ignore[attr-defined]
    ours = {path for path in served if path.startswith("/api/")} | {"/healthz", "/readyz", "/metrics"}
    described = {path for path in _DOCUMENT["paths"] if not path.startswith(("/otlp/", "/intake/"))}
    assert ours == described


def test_every_schema_is_referred_to_and_every_reference_holds() -> None:
    named = {reference.rpartition("/")[2] for reference in _references(_DOCUMENT)}
    assert named == set(_DOCUMENT["components"]["schemas"])


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


@pytest.mark.parametrize("make", web_scenes.SCENES.values(), ids=web_scenes.SCENES)
def test_answers_are_as_described(make: Callable[[], Overview]) -> None:
    with TestClient(pages(HeldSource(make())), base_url="http://127.0.0.1:8420") as opened:
        _validator("Overview").validate(opened.get("/api/overview").json())


def test_a_refusal_is_as_described(client: TestClient) -> None:
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    _validator("Error").validate(answer.json())


@pytest.mark.parametrize(
    "query", ["", "?show=time", "?show=calls", "?measure=money&by=provider", "?team=", "?from=2020-01-01&to=2020-01-02"]
)
def test_cuts_are_as_described(explored: View, query: str) -> None:
    _validator("Explored").validate(explored_client(explored).get(f"/api/explore{query}").json())


def test_parameters_of_explore_are_those_it_reads(explored: View) -> None:
    """Each of them alone is taken, and another is not."""
    opened = explored_client(explored)
    given = {"from": "2026-11-01", "to": "2026-11-02", "page": "1", "after": "5-a"}
    for parameter in _DOCUMENT["paths"]["/api/explore"]["get"]["parameters"]:
        name, schema = parameter["name"], parameter["schema"]
        value = given.get(name) or schema.get("enum", ["x"])[0]
        dates = {"from": "2026-11-01", "to": "2026-11-02"} if name in ("from", "to") else {name: value}
        answer = opened.get("/api/explore", params=dates)
        assert answer.status_code == 200 or "too many parts" in answer.text, (name, answer.text)
    answer = opened.get("/api/explore?more=1")
    assert answer.status_code == 400
    _validator("Error").validate(answer.json())


def test_an_unknown_member_would_be_seen(client: TestClient) -> None:
    told = client.get("/api/overview").json()
    with pytest.raises(jsonschema_rs.ValidationError):
        _validator("Overview").validate(told | {"more": 1})
    with pytest.raises(jsonschema_rs.ValidationError):
        _validator("Overview").validate(told | {"now": "yesterday"})
