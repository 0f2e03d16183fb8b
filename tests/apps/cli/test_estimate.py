"""`mesure estimate` and `mesure explain`: the figures of the API, with intervals, statuses, versions and sources."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mesure as package
from mesure.apps.cli.tree import _formula, _ranges
from mesure.apps.cli.voice import Voice
from mesure.apps.cli.words import NAMES
from mesure.apps.words import STATUSES, WARNINGS
from mesure.quantity import Status

Run = Callable[..., Any]
GPT = ("gpt-4o", "--input", 1000, "--output", 400, "--zone", "FRA")


def test_json_is_what_the_api_gives(mesure: Run) -> None:
    data = mesure("estimate", *GPT, "--at", "2026-11-22", "--json").data
    from datetime import date

    impacts = package.estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA", at=date(2026, 11, 22))
    assert data == json.loads(json.dumps(impacts.to_json()))


def test_text_shows_intervals_statuses_and_versions(mesure: Run) -> None:
    out = mesure("estimate", *GPT).out
    assert "Wh [" in out
    assert "CO₂e" in out
    assert "modelled" in out
    assert f"Method {package.METHOD_VERSION}" in out
    own = mesure("estimate", *GPT, "--gpu", "cpu").out
    assert re.search(r"Minerals +unknown", own)  # nobody publishes those of a machine of one's own; never 0
    assert re.search(r"use +[\d.]+.[nµ]g Sb eq", own)


def test_french_digits_and_words(mesure: Run) -> None:
    out = mesure("estimate", *GPT, "--lang", "fr").out
    assert "Énergie" in out
    assert "modélisé" in out
    assert re.search(r"Minéraux +inconnu", mesure("estimate", *GPT, "--gpu", "cpu", "--lang", "fr").out)
    assert "," in out.splitlines()[2]


def test_an_unknown_model_is_flagged_with_the_nearest(mesure: Run) -> None:
    ran = mesure("estimate", "gpt-4oo", "--input", 10, "--output", 10)
    assert ran.code == 0
    assert "gpt-4oo (not listed)" in ran.out
    assert "Nearest: gpt-4o" in ran.out
    assert "by default" in ran.out
    data = mesure("estimate", "gpt-4oo", "--input", 10, "--output", 10, "--json").data
    assert data["known"] is False
    assert data["model"] is None


def test_what_is_stated_narrows(mesure: Run) -> None:
    def width(*options: object) -> float:
        energy = mesure("estimate", "llama-3.3-70b-instruct", "--input", 500, "--output", 500, "--json", *options).data[
            "energy_wh"
        ]
        return float(energy["high"] / energy["low"])

    stated = ("--gpu", "h100-sxm", "--n-gpus", 4, "--precision", "fp8", "--batch", 32, "--framework", "vllm")
    assert width(*stated) < width() / 1.5


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("gpt-4o", "--zone", "ZZZ"), "grid zone"),
        (("gpt-4o", "--gpu", "h1000"), "accelerator"),
        (("gpt-4o", "--input", 5, "--cached", 6), "cached"),
    ],
)
def test_refusals(mesure: Run, arguments: tuple[object, ...], what: str) -> None:
    ran = mesure("estimate", *arguments, "--json")
    assert ran.code == 1
    assert what in ran.error["what"]
    assert ran.error["action"]


def test_every_code_has_words() -> None:
    assert set(STATUSES) == set(Status)
    source = Path(package.__file__).parent / "impact"
    text = "".join(file.read_text() for file in source.glob("*.py"))
    shown = {code for code in WARNINGS if f'"{code}"' in text or code.startswith("image_")}
    assert shown == set(WARNINGS)
    seen: set[str] = set()
    for model in ("gpt-4o", "nobody-knows", "stable-diffusion-3.5-large", "whisper-large-v3", "llama-3.3-70b-instruct"):
        for zone in ("FRA", None):
            seen |= set(package.estimate(model, zone=zone, images=1).warnings)
            seen |= set(package.estimate(model, zone=zone, input_tokens=5, output_tokens=5).warnings)
    assert seen <= set(WARNINGS)


# explain


def test_explain_shows_every_factor_with_source_year_and_licence(mesure: Run) -> None:
    data = mesure("explain", *GPT, "--json").data
    text = mesure("explain", *GPT).out
    assert len(data["factors"]) > 20
    compact = "".join(text.split())
    for factor in data["factors"]:
        assert factor["source"]
        assert factor["year"]
        assert factor["licence"]
        assert factor["id"] in text
        for part in (factor["source"], f"{factor['year']}.", factor["licence"]):
            assert "".join(str(part).split()) in compact


def test_explain_draws_an_aligned_tree(mesure: Run) -> None:
    lines = mesure("explain", *GPT).out.splitlines()
    tree = lines[2 : lines.index("Sources") - 1]
    assert all(NAMES[name] in {line.split("  ")[0] for line in tree} for name in NAMES)
    assert any(line.startswith("├─ ") for line in tree)
    assert any(line.startswith("└─ ") for line in tree)
    starts = {line.index("modelled") for line in tree if "  modelled" in line}
    assert len(starts) == 1
    formulas = [_formula(Voice("en"), root["formula"]) for root in mesure("explain", *GPT, "--json").data["roots"]]
    assert all(any(f"= {formula}" in line for line in tree) for formula in formulas)


def test_explain_repeats_nothing(mesure: Run) -> None:
    out = mesure("explain", *GPT).out
    energy = mesure("explain", *GPT, "--json").data["roots"][0]
    assert out.count(f"= {_formula(Voice('en'), energy['formula'])}\n") == 1
    assert "(as above)" in out


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([1, 2, 3, 7], "1-3, 7"), ([4], "4"), ([], ""), ([1, 3, 5, 6], "1, 3, 5-6")],
)
def test_runs_of_numbers(numbers: list[int], text: str) -> None:
    assert _ranges(numbers) == text


def test_explain_wants_a_model_or_an_event(mesure: Run) -> None:
    assert mesure("explain").code == 2
    assert mesure("explain", "gpt-4o", "--event", "x").code == 2


def test_explain_an_event_of_the_ledger(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,model,provider,zone,input_tokens,output_tokens\n2026-11-02,gpt-4o,openai,FRA,1000,400\n")
    event = mesure("import", path, "--data", "d", "--dry-run", "--json").data["files"][0]["preview"][0]
    mesure("import", path, "--data", "d")
    data = mesure("explain", "--event", event["id"], "--data", "d", "--json").data
    assert data["model"] == "gpt-4o"
    asked = mesure("explain", *GPT, "--at", "2026-11-02", "--json").data
    # The ledger prices at a typical request, an estimate at the request itself
    assert data["roots"][0]["value"]["mid"] == pytest.approx(asked["roots"][0]["value"]["mid"], rel=0.1)


@pytest.mark.parametrize("data", ["absent", "d"])
def test_an_event_that_is_not_there(mesure: Run, tmp_path: Path, data: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,input_tokens\n2026-11-02,1\n")
    mesure("import", path, "--data", "d")
    ran = mesure("explain", "--event", "nobody", "--data", data, "--json")
    assert ran.code == 1
    assert ran.error["value"] == "nobody"
    assert not Path("absent").exists()


# What cannot be meant


@pytest.mark.parametrize("name", ["", "  "])
def test_a_model_without_a_name_is_refused(mesure: Run, name: str) -> None:
    ran = mesure("estimate", name, "--input", 10)
    assert ran.code == 2
    assert "no name" in ran.err


@pytest.mark.parametrize("option", ["--input", "--output", "--cached", "--images"])
def test_absurd_counts_are_refused(mesure: Run, option: str) -> None:
    assert mesure("estimate", "gpt-4o", option, 10**12).code == 2
    ran = mesure("estimate", "gpt-4o", option, 10**12, "--lang", "fr")
    assert f"{option} {10**12}" in ran.err
    assert "Donnez un nombre entier de 0 à 1000000000." in ran.err


def test_an_unlisted_model_that_makes_images_is_not_priced_as_text(mesure: Run) -> None:
    one, ten = (mesure("estimate", "atelier-7", "--images", n, "--json").data for n in (1, 10))
    text = mesure("estimate", "atelier-7", "--json").data
    assert one["known"] is False
    assert one["energy_wh"]["mid"] != text["energy_wh"]["mid"]
    assert ten["energy_wh"]["mid"] > 5 * one["energy_wh"]["mid"]
    assert "input_tokens_assumed" not in one["warnings"]


def test_an_unlisted_model_that_makes_frames_is_a_video_model(mesure: Run) -> None:
    few, many = (mesure("estimate", "atelier-8", "--frames", n, "--json").data for n in (16, 160))
    assert many["energy_wh"]["mid"] > 2 * few["energy_wh"]["mid"]


@pytest.mark.parametrize("zone", ["France", "fr", "FRA", "fra"])
def test_a_zone_by_its_usual_names(mesure: Run, zone: str) -> None:
    expected = mesure("estimate", *GPT, "--json").data["gwp_gco2eq"]
    assert mesure("estimate", *GPT[:-1], zone, "--json").data["gwp_gco2eq"] == expected


def test_an_accelerator_that_is_not_listed_gets_the_list(mesure: Run) -> None:
    error = mesure("estimate", "gpt-4o", "--gpu", "zzz", "--json").error
    assert "h100" in error["action"]


def test_counts_of_an_estimate_are_declared(mesure: Run) -> None:
    out = mesure("explain", *GPT).out
    assert "reported by the provider" not in out
    assert "= declared" in out


def test_the_formula_tree_is_french_in_french(mesure: Run) -> None:
    out = mesure("explain", *GPT, "--lang", "fr").out.partition("Sources")[0]
    for english in ("host_share", "idle_reserve", "fresh_wh", "grid_intensity", "accelerator_energy", "counted"):
        assert english not in out
    assert "Énergie des accélérateurs x Reste du serveur" in out
