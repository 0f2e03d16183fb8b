"""Adversarial events: hypothesis makes the parts of an event, and each event is one crossing of parts, none alike."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mesure.record import CHOICES, UsageEvent

LARGEST = 2**63 - 1024  # what a 64-bit float holds below the record's bound
SMALLEST = 5e-324
LONGEST_CONTEXT = 10_000_000
#: Declared in the settings under which they are priced.
DEPLOYMENT = "hall"

MODELS = (
    "gpt-4o", "gpt-4o-2024-11-20", "GPT-4o-Mini", "claude-sonnet-4-5", "mistral-large-latest", "llama-3.1-8b",
    "qwen3-8b", "flux.1-dev", "cogvideox-2b", "whisper-large-v3", "text-embedding-3-small", "gemma-3-270m", "nobody-1",
    "",
)  # fmt: skip
PROVIDERS = ("openai", "anthropic", "mistral", "local", "own", "")
NO_FACTOR = "XXX"
ZONES = ("FRA", "USA", "SWE", "DEU", NO_FACTOR, "fra", "")

#: Few months, each of them a folder of the table; their first and last moments among them.
INSTANTS = (
    datetime(2019, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2030, 6, 15, 3, 4, 5, 6, tzinfo=UTC),
)

COUNTS = st.one_of(
    st.none(), st.just(0), st.integers(1, 5_000), st.just(LONGEST_CONTEXT), st.integers(0, LARGEST), st.just(LARGEST)
)
SIZES = st.one_of(st.none(), st.sampled_from((0, 1, 64, 512, 1024, 4096)), st.integers(0, 10_000))
AMOUNTS = st.one_of(
    st.sampled_from((0.0, SMALLEST, 2.2250738585072014e-308, 1.0, 3600.0, float(LARGEST))),
    st.floats(0.0, float(LARGEST)),
    st.floats(1e-3, 1e6),
)


def named(known: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(known), st.sampled_from(known), st.text(max_size=30))


@st.composite
def served(draw: st.DrawFn) -> dict[str, Any]:
    """Who served it, where and when: what coefficients depend on."""
    return {
        "provider": draw(named(PROVIDERS)),
        "model_answered": draw(named(MODELS)),
        "model_requested": draw(named(MODELS)),
        "host_zone": draw(named(ZONES)),
        "host_region": draw(named(("eu-west-3", "us-east-1"))),
        "deployment": draw(st.none() | st.sampled_from((DEPLOYMENT, "nowhere"))),
        "started_at": draw(st.sampled_from(INSTANTS)),
    }


#: By chance alone no draw may hold a model that runs on this machine.
_ON_THE_SPOT = {
    "provider": "local",
    "model_answered": "gemma-3-270m",
    "model_requested": None,
    "host_zone": "FRA",
    "host_region": None,
    "deployment": None,
    "started_at": INSTANTS[3],
}


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    """Tokens, with sub-counts that never exceed what they are part of; calls, and how they ended."""
    read, written = draw(st.tuples(COUNTS, COUNTS) | st.sampled_from(((None, None), (0, 0), (LONGEST_CONTEXT, 10))))
    return {
        "calls_count": draw(st.sampled_from((1, 1, 1, 0, 2, 12, 10**6, LARGEST)) | st.integers(1, 10**9)),
        "input_tokens": read,
        "cached_input_tokens": draw(st.none() | st.just(read) | st.integers(0, LARGEST if read is None else read)),
        "output_tokens": written,
        "reasoning_tokens": draw(
            st.none() | st.just(written) | st.integers(0, LARGEST if written is None else written)
        ),
        "http_status": draw(st.none() | st.sampled_from((200, 399, 400, 429, 499, 500, 503))),
        "status": draw(st.sampled_from(CHOICES["status"])),
        "basis": draw(st.sampled_from(CHOICES["basis"])),
        "tokens_reported": draw(st.none() | st.booleans()),
    }


@st.composite
def things(draw: st.DrawFn, operation: str) -> dict[str, Any]:
    """What is made beside text: any operation with any of the facts of another."""
    width, height = draw(st.tuples(SIZES, SIZES) | st.sampled_from(((512, 512), (1024, 768), (None, 640))))
    return {
        "operation": operation,
        "images_count": draw(COUNTS),
        "image_width": width,
        "image_height": height,
        "image_steps": draw(SIZES),
        "video_frames": draw(SIZES),
        "audio_seconds": draw(st.none() | AMOUNTS),
    }


@st.composite
def readings(draw: st.DrawFn) -> dict[str, Any]:
    """A measured energy, with both bounds, one or none; bounds of nothing too; most events have none at all."""
    if draw(st.integers(0, 2)):
        return {"team": draw(st.none() | st.text(max_size=5))}
    amounts = sorted((draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS)))
    low, mid, high = (draw(st.just(value) | st.none()) for value in amounts)
    return {
        "energy_low_j": low,
        "energy_j": mid,
        "energy_high_j": high,
        "energy_status": draw(st.sampled_from(CHOICES["energy_status"])),
        "energy_scope": draw(st.sampled_from(CHOICES["energy_scope"])),
    }


def drawn(parts: st.SearchStrategy[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """At most `count` parts, none alike."""
    found: dict[str, dict[str, Any]] = {}

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(parts)
    def collect(part: dict[str, Any]) -> None:
        found[repr(part)] = part

    collect()
    return list(found.values())


def crossed(count: int) -> list[UsageEvent]:
    """`count` events, each within the record's domains, each another crossing of parts; `turn` is their number."""
    made = [part for operation in CHOICES["operation"] for part in drawn(things(str(operation)), 60)]
    kinds = [[*drawn(served(), 200), _ON_THE_SPOT], drawn(texts(), 400), made, drawn(readings(), 300)]
    crossings = 1
    for parts in kinds:
        crossings *= len(parts)
    events = []
    for turn, crossing in enumerate(random.SystemRandom().sample(range(crossings), count)):
        fields: dict[str, Any] = {"id": str(UUID(int=turn)), "turn": turn}
        for parts in kinds:
            crossing, chosen = divmod(crossing, len(parts))
            fields |= parts[chosen]
        events.append(UsageEvent(**fields).checked())
    return events
