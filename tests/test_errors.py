"""The exception tree: three parts, stable codes, nearest names as a proposal only."""

from __future__ import annotations

import inspect
import json

import pytest

from mesure import errors
from mesure.errors import ConfigError, InvalidValue, MesureError, UnknownName, nearest_names

ALL_ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MesureError)]


def test_message_holds_the_three_parts_in_order() -> None:
    text = str(InvalidValue("The port is taken", value=8420, action="Choose another with --port"))
    assert text == "The port is taken. Value: 8420. Choose another with --port."


def test_full_stops_are_not_doubled() -> None:
    assert str(InvalidValue("Refused.", action="Correct it.")) == "Refused. Correct it."


def test_a_value_of_none_is_left_out_but_zero_and_empty_are_shown() -> None:
    assert "Value" not in str(InvalidValue("Refused", action="Do"))
    assert "Value: 0." in str(InvalidValue("Refused", value=0, action="Do"))
    assert "Value: ''." in str(InvalidValue("Refused", value="", action="Do"))


def test_nearest_names_are_printed() -> None:
    error = UnknownName("No such model", value="gpt-4p", nearest=("gpt-4o", "gpt-4"), action="Check the name")
    assert "Nearest: gpt-4o, gpt-4." in str(error)


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_json_carries_the_same_parts(kind: type[MesureError]) -> None:
    error = kind("What", value=("a", 1), action="Do", nearest=("x",))
    data = json.loads(json.dumps(error.to_json()))
    assert data == {"code": kind.default_code, "what": "What", "value": "('a', 1)", "action": "Do", "nearest": ["x"]}


def test_codes_are_distinct_and_stable() -> None:
    codes = {kind.__name__: kind.default_code for kind in ALL_ERRORS}
    assert len(set(codes.values())) == len(codes)
    assert codes == {
        "CatalogueError": "catalogue",
        "ConfigError": "config",
        "GatewayError": "gateway",
        "ImportRefused": "import_refused",
        "InvalidValue": "invalid_value",
        "LedgerError": "ledger",
        "StateError": "state",
        "MesureError": "error",
        "UnknownName": "unknown_name",
    }


def test_the_docstring_draws_the_whole_tree() -> None:
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in ALL_ERRORS if kind.__name__ not in drawn] == []


def test_a_code_of_its_own_replaces_the_default() -> None:
    assert ConfigError("x", action="y", code="port_taken").code == "port_taken"


@pytest.mark.parametrize("value", [1, 1.5, "text", True, None])
def test_plain_values_stay_as_they_are_in_json(value: object) -> None:
    kept = InvalidValue("x", value=value, action="y").to_json()["value"]
    assert kept == value
    assert type(kept) is type(value)


def test_nearest_names_fold_case_and_keep_the_listed_spelling() -> None:
    assert nearest_names("GPT-4O-MINI", ["gpt-4o-mini", "Mistral-Large"]) == ("gpt-4o-mini",)
    assert nearest_names("mistral large", ["gpt-4o-mini", "Mistral-Large"]) == ("Mistral-Large",)


def test_nearest_names_of_nothing_alike_is_empty() -> None:
    assert nearest_names("zzzz", ["gpt-4o", "claude"]) == ()
    assert nearest_names("gpt", []) == ()


def test_nearest_names_are_limited() -> None:
    assert len(nearest_names("model-1", [f"model-{n}" for n in range(20)], count=2)) == 2
