"""Our own API under whatever a program may send it: the served process answers as it says, and never breaks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from provider_double import ProviderDouble
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from mesure.apps.web.openapi import openapi_document
from served_process import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis.schemas import BaseSchema

    from served_process import Server

_CASES = 40


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("own-api") / "data"
    with ProviderDouble() as provider, served(provider, data) as server:
        server.client().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Bonjour"}])
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.output


@pytest.fixture(scope="module")
def description(house: Server) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{house.url}/api/openapi.json")


#: A member of another kind than OTLP's is left aside, as its specification wants, and not refused; parameters that
#: contradict one another (a first day without a last) are refused with a sentence.
_OWN_RULES = [negative_data_rejection, positive_data_acceptance]
_OPERATIONS = [
    (path, method, mode)
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
    for mode in GenerationMode
    if mode.is_positive or "requestBody" in operation or "parameters" in operation
]


@pytest.mark.parametrize(("path", "method", "mode"), _OPERATIONS)
def test_every_answer_is_as_described(description: BaseSchema, path: str, method: str, mode: GenerationMode) -> None:
    operation = description[path][method.upper()]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=_CASES, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        asked.append(case)
        case.call_and_validate(excluded_checks=_OWN_RULES)

    asked: list[schemathesis.Case] = []
    ask()
    sys.stdout.write(f"- {len(asked)} passing, 0 failing: {method} {path}\n")  # for bench-fuzz, which counts


def test_the_house_stands_after_all_that(house: Server) -> None:
    assert house.json("/readyz")["ok"] is True
    assert house.json("/api/overview")["month"]["calls"] >= 1
