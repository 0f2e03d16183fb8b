"""What a person reads in a terminal, in both languages: whole, aligned, and the same figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.cli.voice import Voice, language_of
from mesure.apps.cli.words import NAMES, warning
from mesure.apps.sentences import told
from mesure.apps.words import STATUSES, STEPS, WARNINGS
from mesure.errors import ConfigError, InvalidValue, UnknownName
from mesure.i18n import catalog

Run = Callable[..., Any]

_USE = ("gpt-4o", "--input", 1000, "--output", 400, "--zone", "FRA")


def _digits(text: str, language: str) -> list[str]:
    """Numbers, whatever marks their decimals and thousands."""
    thousands, decimals = ("[\u202f\u00a0]", ",") if language == "fr" else (",", ".")
    plain = re.sub(rf"(?<=\d){thousands}(?=\d{{3}}\b)", "", text)
    return re.findall(r"\d+(?:[.,]\d+)?", plain.replace(decimals, "."))


@pytest.mark.parametrize("command", ["estimate", "explain"])
def test_both_languages_give_the_same_figures(mesure: Run, command: str) -> None:
    french, english = (mesure(command, *_USE, "--lang", language).out for language in ("fr", "en"))
    figures = [[line for line in text.splitlines() if "Wh" in line and "[" in line] for text in (french, english)]
    assert len(figures[0]) == len(figures[1]) >= 1
    for ours, theirs in zip(*figures, strict=True):
        assert _digits(ours, "fr") == _digits(theirs, "en")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_estimate_names_every_quantity_and_its_origin(mesure: Run, language: str) -> None:
    text = mesure("estimate", *_USE, "--lang", language).out
    t = catalog(language).t
    for name in NAMES.values():
        assert re.search(rf"^  {re.escape(t(name))} ", text, re.MULTILINE)
    assert any(t(words) in text for words in STATUSES.values())
    assert "{" not in text
    columns = [line.rindex("[") for line in text.splitlines() if line.startswith("  ") and "[" in line]
    assert columns


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("command", ["estimate", "explain"])
def test_an_unlisted_model_is_said_before_its_figures(mesure: Run, language: str, command: str) -> None:
    lines = mesure(command, "gpt-4-oo", "--input", 5, "--lang", language).out.splitlines()
    assert lines[0] == f"gpt-4-oo ({catalog(language).t('not listed')})"
    nearest = next(line for line in lines if catalog(language).t("Nearest:") in line)
    assert "gpt-4o" in nearest


@pytest.mark.parametrize("code", WARNINGS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_warning_is_a_sentence_and_names_options_that_exist(mesure: Run, code: str, language: str) -> None:
    text = warning(Voice(language), code)
    assert text.endswith(".")
    assert text.count("(") == text.count(")") <= 1
    shown = mesure("estimate", "--help").out
    for option in re.findall(r"--[a-z-]+", text):
        assert f"{option} " in shown


def test_a_warning_nobody_named_shows_its_code() -> None:
    assert warning(Voice("fr"), "not_yet_known") == "not_yet_known"


def test_names_are_those_of_the_pages() -> None:
    assert list(NAMES) == ["energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj"]
    assert all(STEPS[name] == words for name, words in NAMES.items())


def test_stating_what_was_assumed_takes_the_warning_away(mesure: Run) -> None:
    """Each option that a warning names does settle it."""
    stated = {"--zone": "FRA", "--input": 10, "--output": 10, "--gpu": "h100-sxm", "--batch": 8}
    model = "llama-3.3-70b-instruct"
    before = mesure("estimate", model, "--json").data["warnings"]
    given = [part for pair in stated.items() for part in pair]
    after = mesure("estimate", model, *given, "--n-gpus", 4, "--json").data["warnings"]
    for code in before:
        if any(option in warning(Voice("en"), code) for option in stated):
            assert code not in after
    assert set(after) < set(before)


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        (("--lang", "en"), {"LANG": "fr_FR"}, "en"),
        (("--lang=fr",), {"LANG": "en_GB"}, "fr"),
        (("--lang", "de"), {"LANG": "en_GB"}, "en"),
        (("--lang",), {"LANG": "en_GB"}, "en"),
        ((), {"MESURE_LANG": "fr", "LANG": "en_GB"}, "fr"),
        ((), {"LC_ALL": "en_US.UTF-8", "LANG": "fr_FR"}, "en"),
        ((), {"LC_MESSAGES": "fr_CA", "LANG": "en_GB"}, "fr"),
        ((), {"LANG": "FR_fr"}, "fr"),
        ((), {"LANG": "C.UTF-8", "MESURE_LANG": "en"}, "en"),
    ],
)
def test_which_language_is_spoken(arguments: tuple[str, ...], environ: dict[str, str], language: str) -> None:
    assert language_of(arguments, environ) == language


_ERRORS = [
    ConfigError("The port is already in use", value="127.0.0.1:8420", action="Choose a free port"),
    UnknownName("There is no such command", value="uup", nearest=("up",), action="See mesure --help."),
    InvalidValue("server.port must be a whole number", action="Correct its value."),
]


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_error_is_told_in_three_parts(error: Any, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    t = catalog(language).t
    Voice(language).error(error)
    lines = capsys.readouterr().err.splitlines()
    expected = [t("Error:"), *([t("Value:")] if error.value else []), *([t("Nearest:")] if error.nearest else [])]
    assert [line.strip().split(":")[0].strip() for line in lines] == [
        label.rstrip(":").strip() for label in (*expected, t("What to do:"))
    ]
    text = told(error, catalog(language))
    assert text.endswith(".")
    assert (error.what.rstrip(".") in text) is (language == "en")
    assert str(error.value) in text or error.value is None
    assert all(name in text for name in error.nearest)
    assert ".." not in text


@pytest.mark.parametrize("language", ["fr", "en"])
def test_json_keeps_standard_output_for_the_result(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice(language, json=True)
    voice.say("for a person")
    voice.note("beside")
    voice.emit({"a": "é"})
    ran = capsys.readouterr()
    assert ran.out == '{\n  "a": "é"\n}\n'
    assert ran.err == ""


def test_text_writes_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice("en")
    voice.emit({"a": 1})
    voice.say("result")
    voice.note("beside")
    ran = capsys.readouterr()
    assert (ran.out, ran.err) == ("result\n", "beside\n")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_preview_and_an_import_are_told(mesure: Run, tmp_path: Path, language: str) -> None:
    file = tmp_path / "u.csv"
    rows = "\n".join(f"2026-11-{day:02}T08:00:00Z,gpt-4o,1500,{day}" for day in range(1, 21))
    file.write_text(f"time,model,prompt_tokens,completion_tokens\n{rows}\nnever,gpt-4o,1,1\n")
    common = (file, "--data", tmp_path / f"d-{language}", "--lang", language)
    preview = mesure("import", *common, "--dry-run", "--set", "team=x")
    t = catalog(language)
    assert f"({t.t('assigned')})" in preview.out
    assert f"{t.number(30_000)}" in preview.out  # the sum of input tokens, grouped as the language does
    assert "u.csv:22 [time]" in preview.err
    refused = mesure("import", *common)
    assert refused.code == 1
    assert t.t("Nothing was imported. Correct these rows, or import the others with --skip-bad.") in refused.err
    done = mesure("import", *common, "--skip-bad")
    assert done.code == 0
    assert ("20 lignes" if language == "fr" else "20 rows") in done.out.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_doctor_has_one_line_a_finding_and_an_arrow_where_to_act(mesure: Run, tmp_path: Path, language: str) -> None:
    arguments = ("doctor", "--data", tmp_path / "d", "--port", 0)
    found = mesure(*arguments, "--lang", language, "--json").data["findings"]
    lines = mesure(*arguments, "--lang", language).out.splitlines()
    told_of = [line for line in lines if not line.lstrip().startswith("->")][: len(found)]
    assert [line.split()[1] if line else "" for line in told_of] == [finding["name"] for finding in found]
    assert sum(line.lstrip().startswith("->") for line in lines) == sum(bool(finding["action"]) for finding in found)
    assert all("{" not in line for line in lines)
