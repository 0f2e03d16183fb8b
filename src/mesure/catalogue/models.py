"""What is known of a model, and the exact rules by which a name designates it. No rule ever guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mesure.catalogue.table import Factor

__all__ = ["ModelFacts", "spellings"]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model. Several factors for one parameter are several sources: opinions that are never averaged here."""

    id: str
    maker: str
    modality: str  # text, embedding, image, video, speech to text, text to speech
    open_weights: bool
    factors: Mapping[str, tuple[Factor, ...]]

    def all(self, parameter: str) -> tuple[Factor, ...]:
        """Every source's figure for `parameter`, oldest first; empty when there is none."""
        return self.factors.get(parameter, ())

    def one(self, parameter: str) -> Factor | None:
        """The most recent figure, one published by the maker before any estimate."""
        found = self.all(parameter)
        published = [factor for factor in found if factor.status != "estimated"]
        return published[-1] if published else found[-1] if found else None


_PREFIXES = re.compile(
    r"(?:models/|(?:us|eu|apac|jp|au|global)\.|(?:openai|anthropic|google|mistral|meta|deepseek|qwen|alibaba|azure|groq|together_ai|"
    r"fireworks_ai|openrouter|bedrock|vertex_ai|gemini|cohere|ollama|huggingface|hosted_vllm)[/.])"
)
_SUFFIXES = re.compile(r"(?:-v\d+:\d+|:free|:latest|-maas)$")
_SNAPSHOT = re.compile(r"(.+?)[-@](?:20\d\d-\d\d-\d\d|20\d{6})")


def spellings(name: str) -> Iterator[str]:
    """The name itself, then what remains without a router's prefix, a platform's suffix, a snapshot date: exact rules
    only."""
    bare = name.strip().casefold()
    yield bare
    while (found := _PREFIXES.match(bare)) and found.end() < len(bare):
        bare = bare[found.end() :]
        yield bare
    trimmed = _SUFFIXES.sub("", bare)
    if trimmed != bare:
        yield trimmed
    if found := _SNAPSHOT.fullmatch(trimmed):
        yield found[1]
