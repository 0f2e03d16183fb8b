"""docs/method.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mesure import METHOD_VERSION
from mesure.catalogue import Factor
from mesure.impact import estimate, impacts_of_facts, resolve
from mesure.impact.constants import constant_factors, residual

METHOD = Path(__file__).resolve().parents[2] / "docs" / "method.md"

pytestmark = pytest.mark.skipif(not METHOD.is_file(), reason="the documents are not in this checkout")


def test_it_names_the_current_method() -> None:
    assert f"`{METHOD_VERSION}`" in METHOD.read_text(encoding="utf-8")


def test_every_warning_is_explained() -> None:
    text = METHOD.read_text(encoding="utf-8")
    seen = [estimate(name) for name in ("gpt-4o", "unheard-of", "flux.1-dev", "whisper-large-v3", "llama-3.1-8b")]
    seen += [impacts_of_facts(resolve("gpt-4o", zone=zone)) for zone in ("XXX", "CA-ON", "US-VA", "NO1")]
    for code in {code for one in seen for code in one.warnings}:
        assert f"`{code}`" in text, f"docs/method.md does not explain {code}"


@pytest.mark.parametrize("factor", [*constant_factors("text"), *constant_factors("diffusion"), residual("dense-33")])
def test_the_constants_it_prints_are_those_used(factor: Factor) -> None:
    name = factor.id.rsplit(".", 1)[-1]
    assert re.search(rf"`{name}` \| {re.escape(f'{factor.value:.4g}')} ", METHOD.read_text(encoding="utf-8")), name
