"""docs/method.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mesure import METHOD_VERSION
from mesure.impact import constants as fit
from mesure.impact import estimate, resolve

METHOD = Path(__file__).resolve().parents[2] / "docs" / "method.md"

pytestmark = pytest.mark.skipif(not METHOD.is_file(), reason="the documents are not in this checkout")


def test_it_names_the_current_method() -> None:
    assert f"`{METHOD_VERSION}`" in METHOD.read_text(encoding="utf-8")


def test_every_warning_is_explained() -> None:
    text = METHOD.read_text(encoding="utf-8")
    seen = [estimate(name) for name in ("gpt-4o", "unheard-of", "flux.1-dev", "whisper-large-v3", "llama-3.1-8b")]
    seen += [resolve("gpt-4o", zone=zone).impacts() for zone in ("XXX", "CA-ON", "US-VA", "NO1")]
    for code in {code for one in seen for code in one.warnings}:
        assert f"`{code}`" in text, f"docs/method.md does not explain {code}"


@pytest.mark.parametrize(
    "constant",
    [fit.WEIGHT_READ, fit.EXPERT_READ, fit.CACHE_READ, fit.COMPUTE, fit.POWER_MEMORY, fit.POWER_COMPUTE, fit.POWER_CAP],
)
def test_the_constants_it_prints_are_those_used(constant: object) -> None:
    value = f"{getattr(constant, 'value', None):.3f}"
    assert re.search(rf"\b{re.escape(value)}\b", METHOD.read_text(encoding="utf-8"))
