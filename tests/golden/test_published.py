"""Published figures of production, with their scopes: where our interval stands. A sanity check, not a target."""

from __future__ import annotations

from datetime import date

import pytest

from mesure.impact import estimate


@pytest.mark.parametrize(
    ("model", "facts", "published_wh"),
    [
        # OpenAI, 2025: average ChatGPT query 0.34 Wh, scope and length not stated; Epoch AI: 500 written, 0.30
        ("gpt-4o", {"input_tokens": 100, "output_tokens": 500}, 0.34),
        # Google, 2025: median Gemini Apps text prompt 0.24 Wh, whole stack, length not stated
        ("gemini-2.5-flash", {}, 0.24),
        # Epoch AI, 2025: 10 000 tokens read by GPT-4o, 500 written, 2.5 Wh, modelled
        ("gpt-4o", {"input_tokens": 10_000, "output_tokens": 500}, 2.5),
    ],
)
def test_a_published_figure_lies_in_our_interval(model: str, facts: dict[str, int], published_wh: float) -> None:
    found = estimate(
        model, at=date(2025, 6, 1), input_tokens=facts.get("input_tokens"), output_tokens=facts.get("output_tokens")
    )
    assert found.energy_wh.low < published_wh < found.energy_wh.high


def test_a_smaller_model_of_a_family_shows_as_smaller() -> None:
    """Peers put one floor under every token: 0.5 B and 8 B come out 11 % apart. Here size shows."""

    def energy(model: str) -> float:
        return estimate(model, input_tokens=200, output_tokens=200).energy_wh.mid

    small, middle, large = (energy(model) for model in ("qwen3-0.6b", "qwen3-8b", "qwen3-32b"))
    assert large > 2 * middle > 3 * small
