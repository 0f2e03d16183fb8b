"""`mesure` itself: help, language, three-part errors, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mesure.apps.cli.group import COMMANDS
from mesure.apps.cli.voice import BUDGET_EXCEEDED, FAILED, USAGE, language_of
from mesure.version import __version__

Run = Callable[..., Any]


def test_help_lists_every_command(mesure: Run) -> None:
    ran = mesure("--help")
    assert ran.code == 0
    assert all(re.search(rf"^  {name} ", ran.out, re.MULTILINE) for name in COMMANDS)


def test_version(mesure: Run) -> None:
    assert __version__ in mesure("--version").out


@pytest.mark.parametrize("name", [*COMMANDS, ""])
@pytest.mark.parametrize(("language", "heading"), [("en", "Usage:"), ("fr", "Utilisation")])
def test_help_of_every_command_in_both_languages(mesure: Run, name: str, language: str, heading: str) -> None:
    ran = mesure(*filter(None, (name, "--lang", language, "--help")))
    assert ran.code == 0
    assert ran.out.startswith(heading)
    assert "--json" in ran.out
    assert "--lang" in ran.out


@pytest.mark.parametrize("name", [*COMMANDS])
def test_no_help_is_left_in_english(mesure: Run, name: str) -> None:
    english, french = (mesure(name, "--lang", language, "--help").out for language in ("en", "fr"))
    described = re.compile(r"^  -\S.*?  +(\S.*)$", re.MULTILINE)
    left = set(described.findall(english)) & set(described.findall(french))
    assert not left


def test_exit_codes_are_those_of_the_contract() -> None:
    assert (FAILED, USAGE, BUDGET_EXCEEDED) == (1, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("uup",), "no such command"),
        (("up", "--prot", "3"), "no such option"),
        (("up", "--port", "abc"), "cannot be used"),
        (("up", "--port", "70000"), "cannot be used"),
        (("estimate",), "missing"),
        (("estimate", "gpt-4o", "--input", "-1"), "cannot be used"),
        (("estimate", "gpt-4o", "--at", "yesterday"), "not a date"),
        (("import",), "missing"),
        (("import", "a.csv", "--map", "team"), "cannot be used"),
    ],
)
def test_usage_errors_have_three_parts_and_code_2(mesure: Run, arguments: tuple[str, ...], what: str) -> None:
    ran = mesure(*arguments)
    assert ran.code == USAGE
    assert ran.out == ""
    assert what in ran.err
    assert "What to do:" in ran.err
    as_json = mesure(*arguments, "--json")
    assert as_json.code == USAGE
    assert what in as_json.error["what"]
    assert as_json.error["action"]


@pytest.mark.parametrize("arguments", [(), ("--lang", "fr"), ("--lang", "en")])
def test_no_command_at_all_shows_the_help(mesure: Run, arguments: tuple[str, ...]) -> None:
    ran = mesure(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == mesure(*arguments, "--help").out
    assert "estimate" in ran.out


@pytest.mark.parametrize(
    ("arguments", "value", "action"),
    [
        (("--input", "1k"), "--input 1k", "nombre entier de 0"),
        (("--input", "-5"), "--input -5", "nombre entier de 0"),
        (("--n-gpus", "0"), "--n-gpus 0", "nombre entier à partir de 1"),
        (("--batch", "0"), "--batch 0", "nombre supérieur à 0"),
        (("--audio-seconds", "x"), "--audio-seconds x", "nombre de 0"),
    ],
)
def test_bad_values_are_told_in_french(mesure: Run, arguments: tuple[str, ...], value: str, action: str) -> None:
    ran = mesure("estimate", "gpt-4o", *arguments, "--lang", "fr")
    assert ran.code == USAGE
    assert value in ran.err
    assert action in ran.err
    assert " is not " not in ran.err


def test_choices_are_named(mesure: Run) -> None:
    assert mesure("import", "a.csv", "--dates", "us", "--json").error["action"].startswith("Use one of: iso, french")


def test_values_are_printable_and_cut(mesure: Run) -> None:
    ran = mesure("estimate", "gpt-4o", "--zone", "\x1b[31m" + "z" * 500)
    assert "\x1b" not in ran.err
    assert "\\x1b[31mzzz" in ran.err
    assert len(ran.err) < 500


def test_a_misspelt_command_or_option_gets_the_nearest(mesure: Run) -> None:
    assert "import" in mesure("imprt", "--json").error["nearest"]
    assert "--port" in mesure("up", "--prot", "1", "--json").error["nearest"]


def test_errors_of_lower_rooms_are_told_in_french(mesure: Run) -> None:
    ran = mesure("estimate", "gpt-4o", "--zone", "ZZZ", "--lang", "fr")
    assert ran.code == FAILED
    assert ran.err.startswith("Erreur")
    assert "Que faire" in ran.err
    assert "catalogue." in ran.err.splitlines()[0]
    assert "This" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        (["--lang", "en"], {"MESURE_LANG": "fr", "LANG": "fr_FR"}, "en"),
        (["estimate", "--lang=fr"], {"LANG": "en_GB"}, "fr"),
        ([], {"MESURE_LANG": "en", "LANG": "fr_FR.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "C.UTF-8"}, "fr"),
        ([], {}, "fr"),
        (["--lang", "de"], {"LANG": "en_US"}, "en"),
        (["--lang"], {"LANG": "en_US"}, "en"),
    ],
)
def test_language(
    arguments: list[str],
    environ: dict[str, str],
    language: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    assert language_of(arguments, environ) == language


def test_the_configured_language_is_the_default(mesure: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("MESURE_ORGANISATION_LANGUAGE", "en")
    assert mesure("--help").out.startswith("Usage:")
    monkeypatch.setenv("MESURE_ORGANISATION_LANGUAGE", "xx")
    assert mesure("--help").out.startswith("Utilisation")


def test_help_imports_no_command_and_no_server() -> None:
    program = (
        "import sys, json\nfrom mesure.apps.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    assert not loaded & {"duckdb", "deltalake", "numpy", "narwhals", "starlette", "uvicorn", "aiohttp", "orjson"}
    assert not {name for name in loaded if name.startswith(("mesure.ledger", "mesure.impact", "mesure.meter"))}


def test_a_package_that_is_not_installed_is_named(mesure: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [name for name in sys.modules if name.startswith("mesure.apps.server")]:
        monkeypatch.delitem(sys.modules, name)
    ran = mesure("up", "--json")
    assert ran.code == FAILED
    assert ran.error["value"] == "uvicorn"
    assert "pip install" in ran.error["action"]
