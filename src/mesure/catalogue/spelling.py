"""The exact rules by which a written name designates a listed one. No rule ever guesses.

A router's or maker's prefix, a platform's region or deployment path, a serving suffix and a snapshot date are taken
off; nothing else is, and never by likeness.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["date_suffix", "folded", "spellings"]

#: Google Cloud and Fireworks resource paths, Bedrock ARNs: the model is what follows.
_PATH = re.compile(r"(?:arn:.+[:/](?:inference-profile|foundation-model)/|.*/(?:models|routers)/|models/)")
#: Bedrock's geography, Azure's deployment kind (as LiteLLM writes it).
_REGION = (
    r"(?:us-gov|us|eu|apac|jp|au|ca|sa|in|global|regional)\.|"
    r"(?:(?:azure|azure_ai)/)?(?:eu|us|apac|global|global-standard|data-zone|standard|regional)/"
)
_PLATFORMS = (
    "openai", "anthropic", "google", "mistral", "mistralai", "meta", "deepseek", "qwen", "alibaba", "amazon", "nvidia",
    "moonshotai", "zai", "z-ai", "zhipuai", "xai", "x-ai", "minimax", "minimaxai", "cohere", "ai21", "azure",
    "azure_ai", "groq", "together_ai", "togetherai", "fireworks_ai", "fireworks", "openrouter", "bedrock",
    "bedrock_converse", "vertex_ai", "vertex", "gemini", "ollama", "ollama_chat", "huggingface", "hosted_vllm", "vllm",
    "deepinfra", "nebius", "scaleway", "ovhcloud", "perplexity", "databricks", "nvidia_nim", "cerebras", "sambanova",
    "replicate", "anyscale", "writer", "stability", "github", "novita", "cloudflare", "workers-ai", "litellm_proxy",
    "openai-compatible", "lm_studio", "llamafile", "baseten", "hyperbolic", "siliconflow",
)  # fmt: skip
_PREFIX = re.compile(rf"(?:{_REGION}|(?:{'|'.join(map(re.escape, _PLATFORMS))})[/.])")
#: Bedrock versions, Vertex managed models, OpenRouter variants that serve the same weights.
_SUFFIX = re.compile(
    r"(?:-v\d+:\d+(?::\d+k)?|-\d:0|-maas|@default|@latest|:(?:free|latest|nitro|floor|exacto|online))$"
)
_CLAUDE_VERSION = re.compile(r"(claude-.+)-v\d")
_LONG_DATE = re.compile(r"(.+?)[-@](20\d\d)-?([01]\d)-?([0-3]\d)")
_MONTH_YEAR = re.compile(r"(.+?)-([01]\d)-(20\d\d)")
_MONTH_DAY = re.compile(r"(.+?)-([01]\d)-([0-3]\d)")
_FOUR_DIGITS = re.compile(r"(.+?)-(\d\d)(\d\d)")
_NAMES_ITS_SIZE = re.compile(r"(?:^|[-_:x])\d+(?:\.\d+)?[bt](?:-|$)")


def folded(name: str) -> str:
    return name.strip().casefold()


def spellings(name: str) -> Iterator[str]:
    """The name itself, then what remains without path, prefixes, serving suffix and snapshot date."""
    bare = folded(name)
    yield bare
    if (found := _PATH.match(bare)) and found.end() < len(bare):
        bare = bare[found.end() :]
        yield bare
    while (found := _PREFIX.match(bare)) and found.end() < len(bare):
        bare = bare[found.end() :]
        yield bare
    trimmed = _SUFFIX.sub("", bare)
    if trimmed != bare:
        yield trimmed
    if found := _CLAUDE_VERSION.fullmatch(trimmed):
        trimmed = found[1]
        yield trimmed
    stem, _ = date_suffix(trimmed)
    if stem and (not _is_year_month(trimmed) or _NAMES_ITS_SIZE.search(stem)):
        yield stem


def _is_year_month(name: str) -> bool:
    """`-2512`: makers who write it often release another model under the same stem, so it is taken off only where the
    stem names its own size (`qwen3-30b-a3b-instruct-2507`)."""
    found = _FOUR_DIGITS.fullmatch(name)
    return bool(found and 23 <= int(found[2]) <= 40 and 1 <= int(found[3]) <= 12)


def date_suffix(name: str) -> tuple[str, date | None]:
    """The stem and the day of a dated name; ("", None) without date, (stem, None) where the year is not written.

    Five forms: `-20251001`, `-2024-05-13`, `-0125` (month and day), `-2512` (year and month), `-03-25`; and `-08-2024`.
    """
    if found := _LONG_DATE.fullmatch(name):
        return _day(found[1], int(found[2]), int(found[3]), int(found[4]))
    if found := _MONTH_YEAR.fullmatch(name):
        return _day(found[1], int(found[3]), int(found[2]), 1)
    if _is_year_month(name) and (found := _FOUR_DIGITS.fullmatch(name)):
        return _day(found[1], 2000 + int(found[2]), int(found[3]), 1)
    for form in (_MONTH_DAY, _FOUR_DIGITS):
        if (found := form.fullmatch(name)) and 1 <= int(found[2]) <= 12 and 1 <= int(found[3]) <= 31:
            return found[1], None
    return "", None


def _day(stem: str, year: int, month: int, day: int) -> tuple[str, date | None]:
    try:
        return stem, date(year, month, day)
    except ValueError:
        return "", None
