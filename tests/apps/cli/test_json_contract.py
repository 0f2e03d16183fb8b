"""What each command writes with `--json`, key by key: programs are built on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mesure as package
from mesure.apps.cli.group import COMMANDS
from mesure.apps.words import STATUSES
from shapes import FACTOR, QUANTITY, Maybe, Several, mismatches

Run = Callable[..., Any]

_FIVE = {name: Maybe(QUANTITY) for name in ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")}
_ERROR = {"error": {"code": str, "what": str, "value": Maybe(str), "action": str, "nearest": Several(str)}}
_FINDING = {"name": str, "level": {"ok", "warning", "problem"}, "what": str, "action": str}
_IMPORTED = {
    "file": str,
    "sha256": str,
    "rows": int,
    "refused": int,
    "added": int,
    "already": int,
    "removed": int,
    "mapping": dict,
    "assigned": Several(str),
    "unused_columns": Several(str),
    "totals": dict,
    "doubts": dict,
    "first": Maybe(str),
    "last": Maybe(str),
    "refused_rows": Several(dict),
    "preview": Several(dict),
    "export": Maybe(str),
}

_USES = [
    ("gpt-4o", "--input", 1000, "--output", 400, "--zone", "FRA"),
    ("gpt-4o", "--input", 1000, "--cached", 900, "--output", 400, "--reasoning", 300),
    ("gpt-4o",),
    ("nobody-knows-this", "--input", 10),
    ("llama-3.3-70b-instruct", "--gpu", "h100-sxm", "--n-gpus", 4, "--input", 10, "--output", 10),
    ("stable-diffusion-3.5-large", "--images", 2, "--width", 1024, "--height", 1024, "--steps", 28),
    ("gpt-4o", "--zone", "ZAF", "--at", "2026-01-31", "--input", 0, "--output", 0),
]


def _ordered(value: Any) -> None:
    """Every quantity, however deep: 0 <= low <= mid <= high, a unit, a status that has words."""
    if isinstance(value, dict):
        if value.keys() >= QUANTITY.keys():
            assert 0.0 <= value["low"] <= value["mid"] <= value["high"]
            assert value["unit"]
            assert value["status"] in {status.value for status in STATUSES}
        for item in value.values():
            _ordered(item)
    elif isinstance(value, list):
        for item in value:
            _ordered(item)


@pytest.mark.parametrize("use", _USES)
def test_estimate(mesure: Run, use: tuple[object, ...]) -> None:
    ran = mesure("estimate", *use, "--json")
    assert (ran.code, ran.err) == (0, "")
    shape = {
        **_FIVE,
        "energy_wh": QUANTITY,
        "usage": _FIVE,
        "embodied": _FIVE,
        "parts": dict,
        "model": Maybe(str),
        "known": bool,
        "nearest": Several(str),
        "warnings": Several(str),
        "status": {status.value for status in STATUSES},
        "method_version": str,
        "catalogue_version": str,
    }
    assert mismatches(ran.data, shape) == []
    assert all(mismatches(part, QUANTITY) == [] for part in ran.data["parts"].values())
    _ordered(ran.data)


@pytest.mark.parametrize("use", _USES[:5])
def test_estimate_writes_what_the_library_gives(mesure: Run, use: tuple[object, ...]) -> None:
    names = {"--input": "input_tokens", "--output": "output_tokens", "--cached": "cached_tokens", "--zone": "zone"}
    names["--reasoning"] = "reasoning_tokens"
    options = dict(zip(use[1::2], use[2::2], strict=True))
    if "--gpu" in options:
        deployment = package.Deployment(gpu="h100-sxm", n_gpus=4)
        options = {name: value for name, value in options.items() if name in names}
    else:
        deployment = None
    given = {names[str(name)]: value for name, value in options.items()}
    expected = package.estimate(str(use[0]), deployment=deployment, **given)  # type: ignore[arg-type]
    assert mesure("estimate", *use, "--json").data == json.loads(json.dumps(expected.to_json(), default=str))


@pytest.mark.parametrize("use", _USES)
def test_explain(mesure: Run, use: tuple[object, ...]) -> None:
    ran = mesure("explain", *use, "--json")
    assert (ran.code, ran.err) == (0, "")
    nodes = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "formula" in node:
                nodes.append(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(ran.data)
    assert len(nodes) > 5
    for node in nodes:
        assert node["name"]
        assert node["formula"]
        for factor in node.get("factors", ()):
            missing = mismatches({name: factor[name] for name in FACTOR}, FACTOR)
            assert missing == []
            assert factor["source"]
            assert factor["licence"]
            assert factor["year"] > 1990
    _ordered(ran.data)


def test_explain_and_estimate_agree(mesure: Run) -> None:
    estimated = mesure("estimate", *_USES[0], "--json").data
    roots = mesure("explain", *_USES[0], "--json").data
    found = json.dumps(roots)
    for name in ("energy_wh", "gwp_gco2eq"):
        assert f'"mid": {json.dumps(estimated[name]["mid"])}' in found


def test_doctor(mesure: Run, tmp_path: Path) -> None:
    ran = mesure("doctor", "--json", "--data", tmp_path / "d", "--port", 0)
    assert mismatches(ran.data, {"ok": bool, "findings": Several(_FINDING, least=9)}) == []
    problems = [finding for finding in ran.data["findings"] if finding["level"] == "problem"]
    assert ran.data["ok"] is not bool(problems)
    assert ran.code == (1 if problems else 0)
    names = [finding["name"] for finding in ran.data["findings"]]
    expected = ("language", "python", "packages", "data", "spool", "ledger", "port", "providers", "sensors", "clock")
    assert [name for name in dict.fromkeys(names) if name in expected] == list(expected)
    assert all(finding["action"] for finding in ran.data["findings"] if finding["level"] == "problem")


@pytest.fixture
def usage(tmp_path: Path) -> Path:
    file = tmp_path / "usage.csv"
    lines = [f"2026-11-0{day}T08:00:00Z,gpt-4o,{100 * day},{day},support" for day in range(1, 8)]
    file.write_text("\n".join(["time,model,prompt_tokens,completion_tokens,note", *lines]) + "\n")
    return file


def test_import(mesure: Run, usage: Path) -> None:
    shape = {"dry_run": bool, "files": Several(_IMPORTED, least=1)}
    preview = mesure("import", usage, "--data", "d", "--dry-run", "--json").data
    assert mismatches(preview, shape) == []
    (found,) = preview["files"]
    assert (preview["dry_run"], found["rows"], found["added"]) == (True, 7, 0)
    assert len(found["preview"]) == 3
    assert found["totals"] == {"input_tokens": 2800, "output_tokens": 28, "calls_count": 7}
    assert found["unused_columns"] == ["note"]
    assert "support" not in json.dumps(found)
    for added, already in ((7, 0), (0, 7)):
        ran = mesure("import", usage, "--data", "d", "--set", "team=x", "--json")
        assert mismatches(ran.data, shape) == []
        (found,) = ran.data["files"]
        assert (ran.code, found["added"], found["already"], found["assigned"]) == (0, added, already, ["team"])
        assert (found["first"], found["last"]) == ("2026-11-01T08:00:00+00:00", "2026-11-07T08:00:00+00:00")


def test_import_names_each_refused_row(mesure: Run, usage: Path) -> None:
    usage.write_text(usage.read_text() + "yesterday,gpt-4o,1,1,x\n2026-11-09T08:00:00Z,gpt-4o,one,1,x\n")
    ran = mesure("import", usage, "--data", "d", "--json")
    (found,) = ran.data["files"]
    assert (ran.code, found["refused"], found["added"]) == (1, 2, 0)
    row = {"line": int, "column": Maybe(str), **_ERROR["error"]}
    assert mismatches(found["refused_rows"], Several(row, least=2)) == []
    assert [(r["line"], r["column"]) for r in found["refused_rows"]] == [(9, "time"), (10, "prompt_tokens")]


@pytest.mark.parametrize(
    ("arguments", "code", "error_code"),
    [
        (("uup",), 2, "usage"),
        (("estimate",), 2, "usage"),
        (("estimate", "gpt-4o", "--input", "-1"), 2, "usage"),
        (("estimate", "gpt-4o", "--at", "yesterday"), 2, "usage"),
        (("estimate", "gpt-4o", "--zone", "ZZZ"), 1, "unknown_name"),
        (("estimate", "gpt-4o", "--gpu", "h9"), 1, "unknown_name"),
        (("estimate", "gpt-4o", "--input", "1", "--cached", "2"), 1, "invalid_value"),
        (("explain",), 2, "usage"),
        (("explain", "gpt-4o", "--event", "x"), 2, "usage"),
        (("explain", "--event", "no-uuid"), 1, "unknown_name"),
        (("import", "absent.csv"), 1, "import_refused"),
        (("import",), 2, "usage"),
        (("import", "x.csv", "--timezone", "Mars/Olympus"), 2, "usage"),
        (("import", "x.csv", "--map", "tokens=a"), 1, "import_refused"),
        (("import", "x.csv", "--set", "team"), 2, "usage"),
        (("doctor", "--config", "absent.toml"), 1, "config"),
        (("up", "--upstream", "ftp://x"), 1, "config"),
        (("up", "--host", "0.0.0.0"), 1, "bind_refused"),
        (("up", "--port", "-1"), 2, "usage"),
    ],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_errors_have_one_shape_and_their_code(
    mesure: Run, arguments: tuple[str, ...], code: int, error_code: str, language: str
) -> None:
    Path("x.csv").write_text("time,prompt_tokens\n2026-11-01T00:00:00Z,1\n")
    ran = mesure(*arguments, "--json", "--lang", language)
    assert ran.out == ""
    found = json.loads(ran.err)
    found["error"]["value"] = None if found["error"]["value"] is None else str(found["error"]["value"])
    assert mismatches(found, _ERROR) == []
    assert (ran.code, found["error"]["code"]) == (code, error_code)
    assert found["error"]["what"]
    assert found["error"]["action"]


@pytest.mark.parametrize("arguments", [("estimate", "gpt-4o", "--input", 10), ("explain", "gpt-4o")])
def test_json_is_the_same_in_both_languages(mesure: Run, arguments: tuple[object, ...]) -> None:
    french, english = (mesure(*arguments, "--json", "--lang", language).data for language in ("fr", "en"))
    assert french == english


def test_no_command_is_without_a_contract() -> None:
    """Some have theirs in test_up, the demo's own tests, test_catalogue_command, test_ledger, test_keys, test_state,
    test_sensors_command, test_agent, test_contacts, test_budgets_command, test_alerts_command,
    test_privacy."""
    assert set(COMMANDS) == {
        *(
            "up",
            "demo",
            "catalogue",
            "ledger",
            "keys",
            "state",
            "estimate",
            "explain",
            "import",
            "doctor",
            "sensors",
            "agent",
            "contacts",
            "budgets",
            "alerts",
            "privacy",
            "declare",
        ),
    }
