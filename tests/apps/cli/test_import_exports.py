"""`mesure import` of known exports: told before anything is written, then each once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run
from .imports_shown import rows_of

USAGE = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1_793_923_200,
            "end_time": 1_794_009_600,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1000,
                    "output_tokens": 500,
                    "input_cached_tokens": 800,
                    "num_model_requests": 5,
                    "model": "gpt-4o",
                    "user_id": "jeanne",
                }
            ],
        }
    ],
}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "usage.json"
    path.write_text(json.dumps(USAGE))
    return path


@pytest.mark.parametrize(
    ("language", "title", "origin"),
    [
        ("en", "OpenAI, usage of the organisation", "(counted by the provider)"),
        ("fr", "OpenAI, usage de l’organisation", "(compté par le fournisseur)"),
    ],
)
def test_a_preview_says_whose_it_is(mesure: Run, export: Path, language: str, title: str, origin: str) -> None:
    ran = mesure("import", export, "--data", "d", "--dry-run", "--lang", language)
    assert ran.code == 0
    assert f"usage.json ({title})" in ran.out
    assert origin in ran.out
    assert "num_model_requests" in ran.out
    assert "jeanne" not in ran.out
    assert not Path("d").exists()


def test_it_enters_once_as_an_aggregate(mesure: Run, export: Path) -> None:
    ran = mesure("import", export, "--data", "d", "--json")
    assert (ran.data["files"][0]["export"], ran.data["files"][0]["added"]) == ("openai-usage", 1)
    assert mesure("import", export, "--data", "d", "--json").data["files"][0]["added"] == 0
    columns = "calls_count, input_tokens, cached_input_tokens, output_tokens, basis, provider"
    assert rows_of(Path("d"), columns) == [(5, 1000, 800, 500, "exported", "openai")]


def test_an_export_can_be_forced_or_refused(mesure: Run, export: Path) -> None:
    assert mesure("import", export, "--data", "d", "--as", "langfuze").code == 2
    ran = mesure("import", export, "--data", "d", "--as", "table", "--json")
    assert ran.code == 1  # nothing a table would call usage
    assert mesure("import", export, "--data", "d", "--as", "openai-usage", "--json").code == 0


def test_settings_are_those_of_the_export(mesure: Run, export: Path, tmp_path: Path) -> None:
    """A file read as another export is another reading of it, and must be said."""
    table = tmp_path / "lines.csv"
    table.write_text(
        "start_time,start_time_iso,model,num_model_requests,input_tokens,output_tokens\n"
        "1793923200,2026-11-06T00:00:00+00:00,gpt-4o,5,1000,500\n"
    )
    assert mesure("import", table, "--data", "d", "--as", "table").code == 0
    ran = mesure("import", table, "--data", "d")
    assert ran.code == 1
    assert "imported with other settings" in ran.err


def exported(tmp_path: Path, name: str, *counts: int) -> Path:
    """An export of some days, of which each has this many input tokens and a call per thousand."""
    document = json.loads(json.dumps(USAGE))
    (day,) = document["data"]
    document["data"] = []
    for index, tokens in enumerate(counts):
        bucket = json.loads(json.dumps(day))
        bucket["start_time"] += 86_400 * index
        bucket["end_time"] += 86_400 * index
        bucket["results"][0] |= {"input_tokens": tokens, "num_model_requests": tokens // 1000, "input_cached_tokens": 0}
        document["data"].append(bucket)
    path = tmp_path / name
    path.write_text(json.dumps(document))
    return path


def test_a_period_exported_again_counts_once_as_far_as_it_went(mesure: Run, tmp_path: Path) -> None:
    """On the second day the export was made before the day ended; the next one is longer, and says more of it."""
    for path in (exported(tmp_path, "monday.json", 5000, 2000), exported(tmp_path, "tuesday.json", 5000, 9000, 1000)):
        assert mesure("import", path, "--data", "d").code == 0
    assert sorted(rows_of(Path("d"), "input_tokens, calls_count")) == [(1000, 1), (5000, 5), (9000, 9)]
    assert mesure("import", tmp_path / "monday.json", "--data", "d").code == 0
    assert rows_of(Path("d"), "sum(input_tokens), count(*)") == [(15_000, 3)]
