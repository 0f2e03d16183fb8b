"""Which instrumentors are taken: one a client, those of clients before those of frameworks."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from mesure.apps.sdk import instrumentors
from mesure.apps.sdk.instrumentors import Found, activate, find


class Entry(NamedTuple):
    value: str
    made: Any = None

    def load(self) -> Any:
        return self.made


_OI, _OT = "openinference.instrumentation", "opentelemetry.instrumentation"


def listed(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    entries = [Entry(f"{module}:Instrumentor") for module in modules]
    monkeypatch.setattr(instrumentors, "entry_points", lambda group: entries)


@pytest.mark.parametrize(
    ("installed", "taken"),
    [
        ([f"{_OT}.openai", f"{_OI}.openai", f"{_OT}.openai_v2"], [f"{_OI}.openai"]),
        ([f"{_OT}.openai_v2", f"{_OT}.openai"], [f"{_OT}.openai"]),
        ([f"{_OT}.openai_v2"], [f"{_OT}.openai_v2"]),
        ([f"{_OT}.requests", f"{_OT}.flask", "somebody.else"], []),
        ([f"{_OI}.langchain", f"{_OI}.openai"], [f"{_OI}.openai"]),
        ([f"{_OI}.langchain"], [f"{_OI}.langchain"]),
        ([f"{_OI}.openai", f"{_OT}.anthropic"], [f"{_OT}.anthropic", f"{_OI}.openai"]),
        ([], []),
    ],
)
def test_one_a_client(monkeypatch: pytest.MonkeyPatch, installed: list[str], taken: list[str]) -> None:
    for order in (installed, installed[::-1]):
        listed(monkeypatch, *order)
        assert [found.module for found in find()] == taken


def test_a_choice_goes_before_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, f"{_OT}.openai", f"{_OI}.openai", f"{_OI}.langchain")
    assert [found.module for found in find([f"{_OT}.openai"])] == [f"{_OT}.openai"]
    assert [found.client for found in find(["langchain", "openai"])] == ["langchain", "openai"]
    assert find(["mistralai"]) == []


class Instrumentor:
    def __init__(self, on: bool = False, fails: bool = False, needs: tuple[str, ...] = ()) -> None:
        self.is_instrumented_by_opentelemetry = on
        self.fails, self.needs = fails, needs
        self.given: list[Any] = []

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        return self.needs

    def instrument(self, **given: Any) -> None:
        if self.fails:
            raise ImportError("a part of it is missing")
        self.given.append(given)


def _activated(instrumentor: Instrumentor) -> str | None:
    return activate(Found("x", "m", Entry("m:I", lambda: instrumentor)), None, with_texts=True)


def test_one_that_is_on_stays_as_it_is() -> None:
    instrumentor = Instrumentor(on=True)
    assert _activated(instrumentor) is None
    assert instrumentor.given == []


def test_one_whose_client_is_absent_or_that_fails_is_skipped_with_the_reason() -> None:
    assert "no-such-client" in (_activated(Instrumentor(needs=("no-such-client >= 1",))) or "")
    assert _activated(Instrumentor(fails=True)) == "ImportError: a part of it is missing"
    assert _activated(good := Instrumentor(needs=("pytest >= 1",))) is None
    assert good.given == [{"tracer_provider": None}]


def test_texts_are_hidden_where_only_we_look_and_a_choice_of_the_user_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in instrumentors._NO_TEXTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENINFERENCE_HIDE_INPUTS", "false")
    activate(Found("x", "m", Entry("m:I", Instrumentor)), None, with_texts=False)
    import os

    assert os.environ["OPENINFERENCE_HIDE_INPUTS"] == "false"
    assert os.environ["OPENINFERENCE_HIDE_OUTPUTS"] == "true"
    for name in instrumentors._NO_TEXTS:
        monkeypatch.delenv(name, raising=False)
