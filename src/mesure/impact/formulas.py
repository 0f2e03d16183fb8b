"""From an event and resolved coefficients to impacts: the one implementation, on every engine.

An event becomes `FEATURES` (numbers of the event alone) and a `basis`: which facts are unknown, or where its energy was
measured. A deployment gives, for each basis, one row of coefficients (`COEFFICIENT_COLUMNS`). Impacts are then

    (sum of feature x k_feature + measured Wh) x m_quantity

with one `m_` for each quantity, phase and quantile (5, 50, 95 %): only + - x. Each quantile of use takes that of the
measured energy; manufacture follows the hours of the machines, so that it takes the middle alone. What is linear adds
up: the sum of events of one deployment and basis is that of their features, so that totals need one pass and no join.

Energy at the accelerators of n calls with F fresh, C cached, I = F + C input and O output tokens, p megapixels, g
frames after the first, S steps, A seconds of audio:

    n request + F fresh + C cached + O output + O (I + O/2) context + F (F + 2 C) prefill
    + images [image + V image_volume + S (image_step + V step_volume + V^2 step_volume_volume)] + A audio_second

with V = p (1 + g / frames per latent frame).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mesure.impact.engines import SCALAR, Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "COEFFICIENT_COLUMNS",
    "FACTS",
    "FEATURES",
    "OUTPUTS",
    "PARTS",
    "QUANTILES",
    "QUANTITIES",
    "SUMMED",
    "SUMMED_TEXT",
    "accelerator_energy_wh",
    "basis_of",
    "event_columns",
    "impacts",
    "known",
    "multipliers",
    "phases",
    "with_event_columns",
    "with_impacts",
]

QUANTILES = ("low", "mid", "high")
#: Impact quantities, each with its unit in its name.
QUANTITIES = ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")
#: The whole, the use phase, the manufacture of the hardware.
PARTS = ("", "usage_", "embodied_")

#: Fields of `UsageEvent` that impacts depend on.
FACTS = (
    "calls_count", "operation", "http_status", "input_tokens", "cached_input_tokens", "output_tokens", "images_count",
    "image_width", "image_height", "image_steps", "video_frames", "audio_seconds", "energy_j", "energy_low_j",
    "energy_high_j", "energy_scope",
)  # fmt: skip

TEXT_FEATURES = ("calls", "fresh", "cached", "output", "context", "prefill")
MEDIA_FEATURES = (
    "images", "pixels", "pixels_frames", "steps", "steps_pixels", "steps_pixels_frames", "steps_pixels2",
    "steps_pixels2_frames", "steps_pixels2_frames2",
)  # fmt: skip
FEATURES = (*TEXT_FEATURES, *MEDIA_FEATURES, "audio_seconds")
_MEASURED = tuple(f"measured_{q}_wh" for q in QUANTILES)
EVENT_COLUMNS = (*(f"x_{name}" for name in (*FEATURES, *_MEASURED)), "basis")

#: Bits of a basis: what is unknown although the call had it, and where a measured energy was read.
INPUT, OUTPUT, STEPS, PIXELS, FRAMES, AUDIO = 1, 2, 4, 8, 16, 32
ACCELERATOR, PROCESSOR, SERVER = 64, 128, 192

#: Columns `impacts` returns. Manufacture has no energy of its own here: it is counted as primary energy.
OUTPUTS = tuple(
    f"{part}{quantity}_{q}"
    for part in PARTS
    for quantity in QUANTITIES
    if (part, quantity) != ("embodied_", "energy_wh")
    for q in QUANTILES
)
#: What a row of coefficients holds: Wh per feature, then what one Wh at the accelerators makes of each quantity (NaN,
#: or NULL, without a sourced factor).
MULTIPLIED = tuple(
    f"{part}{quantity}" for quantity in QUANTITIES for part in PARTS[1:] if (part + quantity) != "embodied_energy_wh"
)
COEFFICIENT_COLUMNS = (
    *(f"k_{feature}" for feature in FEATURES),
    *(f"m_{name}_{q}" for name in MULTIPLIED for q in QUANTILES),
)

_WRITES_TEXT = ("chat", "completion", "translation", "classification", "other")
_READS_TEXT = (*_WRITES_TEXT, "embeddings", "rerank")
_MAKES_IMAGES = ("image", "video")
_AUDIO = ("speech", "transcription")
#: Operations that make something else than text.
MEDIA_OPERATIONS = (*_MAKES_IMAGES, *_AUDIO)
TOKENS_UNKNOWN = INPUT | OUTPUT
_WH_PER_J = 1.0 / 3600.0


def event_columns(facts: Mapping[str, Any], engine: Engine = SCALAR, *, media: bool = True) -> dict[str, Any]:
    """`EVENT_COLUMNS` of an event (or of columns of many), from its `FACTS`. Features of unknown facts are what a
    coefficient multiplies: 0 for a count, 1 for a factor.

    Unknown facts are None, NaN or NULL according to the engine. `media` False where no event has images, videos or
    audio: their features, all 0, are left out. Raises nothing: domains were checked by the record.
    """
    where, number = engine.where, engine.number
    http, calls = number(facts["http_status"]), number(facts["calls_count"])
    # The provider said no before any work: tokens it did not count were not processed
    served = ~((http >= 400.0) & (http < 500.0)) if engine is not SCALAR else not 400.0 <= http < 500.0
    # Of an aggregate that does not say how many calls it is of, what grows with the length of each is left out
    per_call = where(calls > 1.0, 1.0 / where(calls > 1.0, calls, 1.0), where(calls > 0.0, 1.0, 0.0))
    basis, columns = _text(facts, engine, served, calls, per_call)
    if engine is SCALAR and _text_only(facts):
        columns |= _NO_MEDIA
    elif media:
        media_basis, of_media = _media(facts, engine, served, calls)
        basis, columns = basis + media_basis, columns | of_media
    measured_basis, measured = _measured(facts, engine)
    columns.update(measured)
    columns["basis"] = where(measured_basis > 0, measured_basis, basis)
    return columns


def _text_only(facts: Mapping[str, Any]) -> bool:
    return (
        facts["operation"] not in _MAKES_IMAGES
        and facts["operation"] not in _AUDIO
        and not facts["images_count"]
        and not facts["audio_seconds"]
    )


_NO_MEDIA = {f"x_{name}": 0.0 for name in (*MEDIA_FEATURES, "audio_seconds")}
_NOT_MEASURED = {f"x_{name}": 0.0 for name in _MEASURED}


def _text(
    facts: Mapping[str, Any], engine: Engine, served: Any, calls: Any, per_call: Any
) -> tuple[Any, dict[str, Any]]:
    where, known, number, among = engine.where, engine.known, engine.number, engine.among
    operation = facts["operation"]
    read, written = facts["input_tokens"], facts["output_tokens"]
    cached, output = number(facts["cached_input_tokens"]), number(written)
    fresh = where(known(read), number(read) - cached, 0.0)
    unread = where(known(read), 0, where(among(operation, _READS_TEXT), where(served, INPUT, 0), 0))
    unwritten = where(known(written), 0, where(among(operation, _WRITES_TEXT), where(served, OUTPUT, 0), 0))
    columns = {
        "x_calls": calls,
        "x_fresh": fresh,
        "x_cached": cached,
        "x_output": output,
        "x_context": output * (fresh + cached + 0.5 * output) * per_call,
        "x_prefill": fresh * (fresh + 2.0 * cached) * per_call,
    }
    return unread + unwritten, columns


def _media(facts: Mapping[str, Any], engine: Engine, served: Any, calls: Any) -> tuple[Any, dict[str, Any]]:
    where, known, number, among = engine.where, engine.known, engine.number, engine.among
    operation, width, height = facts["operation"], facts["image_width"], facts["image_height"]
    unstated = where(among(operation, _MAKES_IMAGES), where(served, calls, 0.0), 0.0)
    images = where(known(facts["images_count"]), number(facts["images_count"]), unstated)
    steps = where(known(facts["image_steps"]), number(facts["image_steps"]), 1.0)
    sized = where(known(width), where(known(height), 1, 0), 0)
    pixels = where(sized > 0, number(width) * number(height) * 1e-6, 1.0)
    frames = number(facts["video_frames"])
    further = where(frames > 1.0, frames - 1.0, 0.0)
    made = where(images > 0.0, 1, 0)
    heard = facts["audio_seconds"]
    unheard = where(known(heard), 0, where(among(operation, _AUDIO), where(served, 1, 0), 0))
    basis = (
        made * (STEPS * where(known(facts["image_steps"]), 0, 1) + PIXELS * (1 - sized))
        + made * FRAMES * where(known(facts["video_frames"]), 0, 1)
        + AUDIO * unheard
    )
    volume, each = images * pixels, images * steps
    columns = {
        "x_images": images,
        "x_pixels": volume,
        "x_pixels_frames": volume * further,
        "x_steps": each,
        "x_steps_pixels": each * pixels,
        "x_steps_pixels_frames": each * pixels * further,
        "x_steps_pixels2": each * pixels * pixels,
        "x_steps_pixels2_frames": each * pixels * pixels * further,
        "x_steps_pixels2_frames2": each * pixels * pixels * further * further,
        "x_audio_seconds": number(heard),
    }
    return basis, columns


def _measured(facts: Mapping[str, Any], engine: Engine) -> tuple[Any, dict[str, Any]]:
    """A measured energy replaces the modelled one: on its basis every feature counts for nothing."""
    where, known, number = engine.where, engine.known, engine.number
    energy, scope = facts["energy_j"], facts["energy_scope"]
    if engine is SCALAR and energy is None:
        return 0, _NOT_MEASURED
    mid = number(energy)
    at = where(
        engine.among(scope, ("server",)),
        SERVER,
        where(engine.among(scope, ("cpu", "process")), PROCESSOR, ACCELERATOR),
    )
    # Bounds of no reading are nothing to count
    bounds = {q: facts[f"energy_{q}_j"] for q in ("low", "high")}
    columns = {
        f"x_measured_{q}_wh": where(known(energy), where(known(b), number(b), mid), 0.0) * _WH_PER_J
        for q, b in bounds.items()
    }
    return where(known(energy), at, 0), columns | {"x_measured_mid_wh": mid * _WH_PER_J}


def basis_of(columns: Mapping[str, Any]) -> int:
    """The basis of one event, as the key of its row of coefficients."""
    return int(columns["basis"])


def accelerator_energy_wh(x: Mapping[str, Any], k: Mapping[str, Any], features: Sequence[str] = FEATURES) -> Any:
    """Modelled Wh at the accelerators: sum of features x coefficients."""
    energy: Any = 0.0
    for name in features:
        feature, coefficient = _COLUMNS_OF[name]
        energy = energy + x[feature] * k[coefficient]
    return energy


_COLUMNS_OF = {name: (f"x_{name}", f"k_{name}") for name in FEATURES}


def multipliers(part: str, quantity: str, q: str) -> tuple[tuple[str, str], ...]:
    """(quantile of the energy, column of a row) whose products add up to `part` of `quantity`."""
    if quantity == "energy_wh":
        return ((q, f"m_usage_energy_wh_{q}"),)
    found = phases(part, quantity)
    return tuple(("mid" if phase == "embodied_" else q, f"m_{phase}{quantity}_{q}") for phase in found)


def phases(part: str, quantity: str) -> tuple[str, ...]:
    """Phases that `part` of a quantity adds up. Nobody publishes the water of manufacture: the whole is that of use."""
    if part:
        return (part,)
    return PARTS[1:2] if quantity == "water_ml" else PARTS[1:]


def impacts(
    x: Mapping[str, Any],
    k: Mapping[str, Any],
    outputs: Iterable[str] = OUTPUTS,
    features: Sequence[str] = FEATURES,
) -> dict[str, Any]:
    """Every requested output, named as in `OUTPUTS`. `x`: `EVENT_COLUMNS`; `k`: `COEFFICIENT_COLUMNS` of its basis;
    `features`: those that may differ from zero.

    What has no sourced factor is NaN on floats and arrays, NULL in an engine.
    """
    energy = accelerator_energy_wh(x, k, features)
    base = {q: energy + x[f"x_measured_{q}_wh"] for q in QUANTILES}
    found = {}
    for name in outputs:
        (of, column), *others = multipliers(*_SPLIT[name])
        found[name] = base[of] * k[column]
        for of, column in others:
            found[name] = found[name] + base[of] * k[column]
    return found


_SPLIT = {f"{part}{quantity}_{q}": (part, quantity, q) for part in PARTS for quantity in QUANTITIES for q in QUANTILES}


def known(value: float) -> bool:
    """Whether an output has a sourced factor."""
    return not math.isnan(value)


def with_event_columns(frame: Any, *, media: bool = True) -> Any:
    """A Narwhals frame of events (`FACTS`), plus their `EVENT_COLUMNS` (those of text alone without `media`)."""
    import narwhals as nw

    from mesure.impact.engines import narwhals_engine

    facts = {name: nw.col(name) for name in FACTS}
    return frame.with_columns(**event_columns(facts, narwhals_engine(), media=media))


#: Columns a sum needs: `x_` of every feature, and what was measured.
SUMMED = tuple(f"x_{name}" for name in (*FEATURES, *_MEASURED))
SUMMED_TEXT = tuple(f"x_{name}" for name in (*TEXT_FEATURES, *_MEASURED))


def with_impacts(frame: Any, outputs: Iterable[str] = OUTPUTS, features: Sequence[str] = FEATURES) -> Any:
    """A frame with `EVENT_COLUMNS`, joined with `COEFFICIENT_COLUMNS` on deployment and basis, plus `outputs`.

    Rows in = rows out; a row whose coefficients are NULL (no match in the join) has NULL outputs.
    """
    import narwhals as nw

    x = {name: nw.col(name) for name in EVENT_COLUMNS}
    k = {name: nw.col(name) for name in COEFFICIENT_COLUMNS}
    return frame.with_columns(**impacts(x, k, outputs, features))
