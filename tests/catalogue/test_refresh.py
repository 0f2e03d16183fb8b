"""The source tables: made again from the collected facts they are the same, and what makes them keeps its rules."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "catalogue-src"

pytestmark = pytest.mark.skipif(not SOURCES.is_dir(), reason="the source tables are not in this checkout")
_MODULES = (
    "refresh", "tables", "carry_over", "carry_models", "carry_places", "carry_prices", "named_sizes", "open_models",
)  # fmt: skip


@pytest.fixture
def refresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SOURCES))
    yield importlib.import_module("refresh")
    for name in _MODULES:
        sys.modules.pop(name, None)


def test_made_again_the_tables_are_the_same(
    refresh: ModuleType, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "tables"
    shutil.copytree(SOURCES / "tables", made)
    monkeypatch.setattr(sys.modules["tables"], "TABLES", made)
    monkeypatch.setattr(refresh, "TABLES", made)
    for part in refresh.PARTS.values():
        part(shared_data / "catalogue")
    for path in sorted(made.glob("*.csv")):
        assert path.read_text("utf-8") == (SOURCES / "tables" / path.name).read_text("utf-8"), path.name


def test_a_missing_package_is_said(refresh: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    refresh.PINNED["surely-not-there"] = "1.0"
    assert refresh.package("surely-not-there") is None
    assert "Install surely-not-there==1.0" in capsys.readouterr().out


def test_another_version_of_a_package_is_not_read(refresh: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    refresh.PINNED["pytest"] = "0.1"
    assert refresh.package("pytest") is None
    assert "not 0.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("nvidia/nemotron-3-ultra-550b-a55b", (550.0, 55.0)),
        ("devstral-2-123b-instruct-2512", (123.0, None)),
        ("ling-1t", (1000.0, None)),
        ("qwen3-0.6b", (0.6, None)),
        ("together-ai-up-to-4b", None),
        ("fireworks-ai-56b-to-176b", None),
        ("mixtral-8x7b", None),
        ("llama-4-scout-17b-16e-instruct", None),
        ("deepseek-r1-distill-qwen-1-5b", None),
        ("solar-10_7b-instruct", None),
        ("gpt-4o", None),
    ],
)
def test_a_size_is_read_in_a_name_only_where_it_is_one(
    refresh: ModuleType, name: str, size: tuple[float, float | None] | None
) -> None:
    assert sys.modules["named_sizes"].named_size(name) == size


def test_a_large_model_that_may_be_a_mixture_has_a_wide_active_size(refresh: ModuleType) -> None:
    row = dict.fromkeys(("output_modalities", "input_modalities", "release_date", "weights_url", "open_weights"), "")
    row |= {"provider": "x", "source": "a list", "source_date": "2026-07-02", "licence": "MIT"}
    facts = sys.modules["named_sizes"].facts([row | {"model_id": "big-675b"}, row | {"model_id": "llama-3-70b"}])
    found = {(fact["entity"], fact["parameter"]): fact for fact in facts}
    active = found["big-675b", "active_params_b"]
    assert (active["low"], active["high"], active["status"]) == ("33.75", "675", "estimated")
    assert ("llama-3-70b", "active_params_b") not in found
