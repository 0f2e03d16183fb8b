"""`mesure` itself: help, language, three-part errors, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from mesure.apps.cli.group import COMMANDS, main
from mesure.apps.cli.voice import BUDGET_EXCEEDED, FAILED, USAGE, language_of
from mesure.i18n import catalog
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
        (("import",), "one of the two"),
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
    monkeypatch.setitem(sys.modules, "uvloop", None)
    for name in [name for name in sys.modules if name.startswith("mesure.apps.server")]:
        monkeypatch.delitem(sys.modules, name)
    ran = mesure("up", "--json")
    assert ran.code == FAILED
    assert ran.error["value"] == "uvloop"
    assert "pip install" in ran.error["action"]


# What an error says, to the letter


_MISSING, _UNREAD = "Something is missing on the command line", "The command line cannot be read"
_BAD, _HELP = "A value on the command line cannot be used", "See the command's --help."


@pytest.mark.parametrize(
    ("arguments", "what", "value", "action"),
    [
        (("uup",), "There is no such command", "uup", "See mesure --help."),
        (("catalogue", "chek"), "There is no such command", "chek", "See mesure --help."),
        (("up", "--prot", "3"), "There is no such option", "--prot", _HELP),
        (("estimate",), _MISSING, "MODEL", _HELP),
        (("contacts", "import"), _MISSING, "FILE...", _HELP),
        (("up", "--port"), _UNREAD, "Option '--port' requires an argument.", _HELP),
        (("doctor", "more"), _UNREAD, "Got unexpected extra argument (more)", _HELP),
        (("up", "--port", "x"), _BAD, "--port x", "Give a whole number from 0 to 65535."),
        (("demo", "--pace", "x"), _BAD, "--pace x", "Give a number from 0."),
        (("demo", "--lang", "de"), _BAD, "--lang de", "Use one of: fr, en."),
        (("estimate", "m", "--batch", "0"), _BAD, "--batch 0.0", "Give a number above 0."),
        (("import", "f", "--map", "x"), _BAD, "--map 'x'", _HELP),
        (("catalogue", "diff", "a", "b", "--limit", "x"), _BAD, "--limit x", _HELP),
    ],
)
def test_click_s_refusals_become_ours(
    mesure: Run, arguments: tuple[str, ...], what: str, value: str, action: str
) -> None:
    ran = mesure("--json", *arguments)
    assert ran.code == USAGE
    error = ran.error
    assert error["code"] == "usage"
    assert (error["what"], error["value"]) == (what, value)
    assert error["action"] == action


def test_a_package_that_is_missing_is_named_with_how_to_install_it(
    mesure: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    for name in [name for name in sys.modules if name.startswith("mesure.apps.server")]:
        monkeypatch.delitem(sys.modules, name)
    error = mesure("up", "--port", "0", "--json").error
    assert error["code"] == "not_installed"
    assert error["what"] == "This command needs a package that is not installed"
    assert error["action"] == "Install it with: pip install 'mesure[server,local]'"


@pytest.mark.parametrize("name", ["mesure.apps.nothing", "mesure", None])
def test_a_part_of_our_own_that_is_missing_is_a_fault_not_an_advice(
    mesure: Run, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("gone", name=name)

    monkeypatch.setattr("mesure.apps.cli.usage.estimated", broken)
    monkeypatch.setattr("mesure.apps.cli.estimate.estimated", broken)
    with pytest.raises(ModuleNotFoundError):
        mesure("estimate", "gpt-4o")


def test_an_interrupt_ends_with_a_word_and_code_1(mesure: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mesure.apps.cli.estimate.estimated", interrupted)
    for language, words in (("en", "Stopped."), ("fr", "Arrêté.")):
        ran = mesure("estimate", "gpt-4o", "--lang", language)
        assert (ran.code, ran.out, ran.err.strip()) == (FAILED, "", words)
    assert mesure("estimate", "gpt-4o", "--json").err.strip() == ""


def test_a_reader_that_closes_the_pipe_is_no_error_of_ours(process: Callable[..., Any]) -> None:
    """`mesure catalogue show ... | head -1`"""
    running = process("catalogue", "show", "gpt-4o")
    running.stdout.close()
    assert running.wait(60) in (FAILED, 0)
    assert running.stderr.read() == ""
    running.stderr.close()


def test_options_that_show_a_default_say_it_in_both_languages(mesure: Run) -> None:
    for language in ("fr", "en"):
        text = mesure("catalogue", "diff", "--lang", language, "--help").out
        assert "[40]" in text
        assert "[mesure]" in mesure("ledger", "recompute", "--lang", language, "--help").out
        assert "[None]" not in text


@pytest.mark.parametrize("group", ["catalogue", "ledger"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_group_lists_its_commands_with_what_they_do(mesure: Run, group: str, language: str) -> None:
    lines = mesure(group, "--lang", language, "--help").out.splitlines()
    command = main.get_command(click.Context(main), group)
    assert isinstance(command, click.Group)
    listed = lines[lines.index(catalog(language).t("Commands") + ":") + 1 :]
    shown = [line.split()[0] for line in listed if line[2] != " "]
    assert shown == list(command.commands)
    for name in shown:
        own = mesure(group, name, "--lang", language, "--help")
        assert own.code == 0
        assert f" {group} {name} " in own.out.splitlines()[0]
