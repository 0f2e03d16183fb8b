"""From an event and resolved coefficients to impacts: the one implementation, on every engine.

`event_columns` turns facts into numbers with known-flags; `coefficient_row` (in `coefficients`) gives the `k_*`
columns;
`impacts` is a multiply-add over both. Only + - x and `where`: no division by event data but the guarded one by the
number of calls, done once at intake.

Energy at the accelerators (Wh) is a polynomial in what one call carries. With I input, F fresh input, C cached input
and
O output tokens of one call, n calls, V the volume of one image or video (megapixels x latent frames), S its steps, M
images, A seconds of audio:

    n [fresh F + cached C + output O + fresh_input F I + input_output I O + output_output O^2 + request]
    + M [image + image_step S + image_volume V + step_volume S V + step_volume_volume S V^2] + audio_second A

Site energy = accelerator energy x stack (host share x idle reserve x PUE). Every other quantity is per Wh of site
energy. low / mid / high (5, 50, 95 %) follow the same formula with their own coefficients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.impact.engines import SCALAR, Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "COEFFICIENT_COLUMNS",
    "EVENT_COLUMNS",
    "FACTS",
    "OUTPUTS",
    "PARTS",
    "QUANTILES",
    "QUANTITIES",
    "TERMS",
    "accelerator_energy_wh",
    "at_quantile",
    "event_columns",
    "impacts",
    "output",
    "site_energy_wh",
    "tokens",
    "with_impacts",
]

QUANTILES = ("low", "mid", "high")
#: Impact quantities, each with its unit in its name.
QUANTITIES = ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")
#: The whole, the use phase, the manufacture of the hardware.
PARTS = ("", "usage_", "embodied_")

#: Terms of accelerator energy, in Wh per unit of their feature.
TERMS = (
    "fresh",
    "cached",
    "output",
    "fresh_input",
    "input_output",
    "output_output",
    "request",
    "image",
    "image_step",
    "image_volume",
    "step_volume",
    "step_volume_volume",
    "audio_second",
)
#: What stands for an unknown fact, by quantile.
ASSUMED = ("input_tokens", "output_tokens", "megapixels", "steps", "frames", "audio_seconds")
#: Where a measured energy was read; `modelled` when none was.
SCOPES = ("modelled", "accelerator", "processor", "server")

#: Fields of `UsageEvent` that impacts depend on.
FACTS = (
    "calls_count",
    "operation",
    "status",
    "http_status",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "images_count",
    "image_width",
    "image_height",
    "image_steps",
    "video_frames",
    "audio_seconds",
    "energy_j",
    "energy_low_j",
    "energy_high_j",
    "energy_scope",
)

EVENT_COLUMNS = (
    "e_calls",
    "e_per_call",
    "e_writes_text",
    "e_reads_text",
    "e_refused",
    "e_input_tokens",
    "e_input_known",
    "e_cached_tokens",
    "e_output_tokens",
    "e_output_known",
    "e_images",
    "e_images_known",
    "e_makes_images",
    "e_megapixels",
    "e_megapixels_known",
    "e_steps",
    "e_steps_known",
    "e_frames",
    "e_frames_known",
    "e_audio_seconds",
    "e_audio_known",
    "e_is_audio",
    "e_measured",
    "e_measured_server",
    "e_measured_processor",
    "e_measured_low_wh",
    "e_measured_mid_wh",
    "e_measured_high_wh",
)

COEFFICIENT_COLUMNS = (
    *(f"k_{term}_{q}" for term in TERMS for q in QUANTILES),
    *(f"k_assumed_{name}_{q}" for name in ASSUMED for q in QUANTILES),
    "k_latent_per_frame",
    *(f"k_stack_{scope}_{q}" for scope in SCOPES for q in QUANTILES),
    *(
        f"k_{part}{quantity}_{basis}_{q}"
        for part in ("usage_", "embodied_")
        for quantity in QUANTITIES[1:]
        for basis in ("modelled", "measured")
        for q in QUANTILES
    ),
    *(f"k_{part}{quantity}_known" for part in ("usage_", "embodied_") for quantity in QUANTITIES[1:]),
)

#: Columns `impacts` returns. Manufacture has no energy of its own here: it is counted as primary energy.
OUTPUTS = tuple(
    f"{part}{quantity}_{q}"
    for part in PARTS
    for quantity in QUANTITIES
    if (part, quantity) != ("embodied_", "energy_wh")
    for q in QUANTILES
)

_WRITES_TEXT = ("chat", "completion", "translation", "classification", "other")
_READS_TEXT = (*_WRITES_TEXT, "embeddings", "rerank")
_MAKES_IMAGES = ("image", "video")
_AUDIO = ("speech", "transcription")
_WH_PER_J = 1.0 / 3600.0


def event_columns(facts: Mapping[str, Any], engine: Engine = SCALAR) -> dict[str, Any]:
    """The numbers and known-flags formulas read, from the `FACTS` of an event (or columns of many).

    Unknown facts are None, NaN or NULL according to the engine. Raises nothing: domains were checked by the record.
    """
    where, known, number, among = engine.where, engine.known, engine.number, engine.among
    operation, scope = facts["operation"], facts["energy_scope"]
    http, energy = number(facts["http_status"]), facts["energy_j"]
    mid = number(energy)
    calls = number(facts["calls_count"])
    width, height = facts["image_width"], facts["image_height"]
    return {
        "e_calls": calls,
        "e_per_call": where(calls > 1.0, 1.0 / where(calls > 1.0, calls, 1.0), 1.0),
        "e_writes_text": among(operation, _WRITES_TEXT),
        "e_reads_text": among(operation, _READS_TEXT),
        # The provider said no before any work: tokens it did not count were not processed
        "e_refused": (http >= 400.0) & (http < 500.0),
        "e_input_tokens": number(facts["input_tokens"]),
        "e_input_known": known(facts["input_tokens"]),
        "e_cached_tokens": number(facts["cached_input_tokens"]),
        "e_output_tokens": number(facts["output_tokens"]),
        "e_output_known": known(facts["output_tokens"]),
        "e_images": number(facts["images_count"]),
        "e_images_known": known(facts["images_count"]),
        "e_makes_images": among(operation, _MAKES_IMAGES),
        "e_megapixels": number(width) * number(height) * 1e-6,
        "e_megapixels_known": known(width) & known(height),
        "e_steps": number(facts["image_steps"]),
        "e_steps_known": known(facts["image_steps"]),
        "e_frames": number(facts["video_frames"]),
        "e_frames_known": known(facts["video_frames"]),
        "e_audio_seconds": number(facts["audio_seconds"]),
        "e_audio_known": known(facts["audio_seconds"]),
        "e_is_audio": among(operation, _AUDIO),
        "e_measured": known(energy),
        "e_measured_server": among(scope, ("server",)),
        "e_measured_processor": among(scope, ("cpu", "process")),
        "e_measured_low_wh": where(known(facts["energy_low_j"]), number(facts["energy_low_j"]), mid) * _WH_PER_J,
        "e_measured_mid_wh": mid * _WH_PER_J,
        "e_measured_high_wh": where(known(facts["energy_high_j"]), number(facts["energy_high_j"]), mid) * _WH_PER_J,
    }


def at_quantile(k: Mapping[str, Any], q: str) -> dict[str, Any]:
    """The coefficients of one quantile under their bare names; those without quantile are the same in all three."""
    return {"quantile": q, **{bare: k[column] for bare, column in _VIEWS[q].items()}}


def tokens(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> tuple[Any, Any, Any, Any]:
    """Input, fresh input, cached input and output tokens: counted, or assumed where the count is unknown."""
    where, calls = engine.where, e["e_calls"]
    unread = where(e["e_reads_text"], c["assumed_input_tokens"] * calls, 0.0)
    unwritten = where(e["e_writes_text"], c["assumed_output_tokens"] * calls, 0.0)
    cached = e["e_cached_tokens"]
    assumed_input = where(e["e_refused"], 0.0, unread) + cached
    read = where(e["e_input_known"], e["e_input_tokens"], assumed_input)
    written = where(e["e_output_known"], e["e_output_tokens"], where(e["e_refused"], 0.0, unwritten))
    return read, read - cached, cached, written


def text_energy_wh(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> Any:
    """Wh at the accelerators for reading and writing tokens."""
    read, fresh, cached, written = tokens(e, c, engine)
    linear = fresh * c["fresh"] + cached * c["cached"] + written * c["output"]
    squares = (
        fresh * read * c["fresh_input"] + read * written * c["input_output"] + written * written * c["output_output"]
    )
    return linear + squares * e["e_per_call"] + e["e_calls"] * c["request"]


def image_energy_wh(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> Any:
    """Wh at the accelerators for making images or videos."""
    where = engine.where
    unstated = where(e["e_makes_images"], where(e["e_refused"], 0.0, e["e_calls"]), 0.0)
    count = where(e["e_images_known"], e["e_images"], unstated)
    steps = where(e["e_steps_known"], e["e_steps"], c["assumed_steps"])
    megapixels = where(e["e_megapixels_known"], e["e_megapixels"], c["assumed_megapixels"])
    frames = where(e["e_frames_known"], e["e_frames"], c["assumed_frames"])
    latent = where(frames > 1.0, 1.0 + (frames - 1.0) * c["latent_per_frame"], 1.0)
    volume = megapixels * latent
    once = c["image"] + volume * c["image_volume"]
    each_step = c["image_step"] + volume * (c["step_volume"] + volume * c["step_volume_volume"])
    return count * (once + steps * each_step)


def audio_energy_wh(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> Any:
    """Wh at the accelerators for transcribing or speaking."""
    where = engine.where
    unstated = where(e["e_is_audio"], c["assumed_audio_seconds"] * e["e_calls"], 0.0)
    seconds = where(e["e_audio_known"], e["e_audio_seconds"], where(e["e_refused"], 0.0, unstated))
    return seconds * c["audio_second"]


def accelerator_energy_wh(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> Any:
    """Modelled Wh at the accelerators, all modalities."""
    text = text_energy_wh(e, c, engine)
    if engine is SCALAR and not (e["e_makes_images"] or e["e_images"] or e["e_is_audio"] or e["e_audio_seconds"]):
        return text  # the rest would add 0.0
    return text + image_energy_wh(e, c, engine) + audio_energy_wh(e, c, engine)


def site_energy_wh(e: Mapping[str, Any], c: Mapping[str, Any], engine: Engine = SCALAR) -> Any:
    """Wh at the site's meter. A measured energy replaces the modelled one and goes up from where it was read."""
    where = engine.where
    measured = e[f"e_measured_{c['quantile']}_wh"] * where(
        e["e_measured_server"],
        c["stack_server"],
        where(e["e_measured_processor"], c["stack_processor"], c["stack_accelerator"]),
    )
    modelled = accelerator_energy_wh(e, c, engine) * c["stack_modelled"]
    return where(e["e_measured"], measured, modelled)


def _phase(site_wh: Any, e: Mapping[str, Any], c: Mapping[str, Any], name: str, engine: Engine) -> Any:
    return site_wh * engine.where(e["e_measured"], c[f"{name}_measured"], c[f"{name}_modelled"])


def output(
    part: str,
    quantity: str,
    site_wh: Any,
    e: Mapping[str, Any],
    c: Mapping[str, Any],
    engine: Engine = SCALAR,
) -> Any:
    """`part` of `quantity` from site energy, at the quantile of `c`; `engine.missing` without a sourced factor."""
    if quantity == "energy_wh":
        return site_wh
    if part:
        name = part + quantity
        return engine.where(c[f"{name}_known"] > 0.5, _phase(site_wh, e, c, name, engine), engine.missing)
    usage, embodied = f"usage_{quantity}", f"embodied_{quantity}"
    both = c[f"{usage}_known"] * c[f"{embodied}_known"]
    total = _phase(site_wh, e, c, usage, engine) + _phase(site_wh, e, c, embodied, engine)
    return engine.where(both > 0.5, total, engine.missing)


def impacts(
    e: Mapping[str, Any],
    k: Mapping[str, Any],
    engine: Engine = SCALAR,
    outputs: Iterable[str] = OUTPUTS,
) -> dict[str, Any]:
    """Every requested output, named as in `OUTPUTS`. `e`: `EVENT_COLUMNS`; `k`: `COEFFICIENT_COLUMNS`."""
    views = {q: at_quantile(k, q) for q in QUANTILES}
    sites = {q: site_energy_wh(e, view, engine) for q, view in views.items()}
    return {
        name: output(part, quantity, sites[q], e, views[q], engine)
        for name in outputs
        for part, quantity, q in (_SPLIT[name],)
    }


_SPLIT = {f"{part}{quantity}_{q}": (part, quantity, q) for part in PARTS for quantity in QUANTITIES for q in QUANTILES}
_VIEWS = {
    q: {
        column.removeprefix("k_").removesuffix(f"_{q}"): column
        for column in COEFFICIENT_COLUMNS
        if column.endswith(f"_{q}") or not column.endswith(QUANTILES)
    }
    for q in QUANTILES
}


def with_impacts(frame: Any, outputs: Iterable[str] = OUTPUTS) -> Any:
    """A Narwhals frame of events joined with their coefficients (`FACTS` and `COEFFICIENT_COLUMNS`), plus `outputs`.

    Rows in = rows out; a row whose coefficients are NULL (no match in the join) has NULL outputs.
    """
    import narwhals as nw

    from mesure.impact.engines import narwhals_engine

    engine = narwhals_engine()
    columns = event_columns({name: nw.col(name) for name in FACTS}, engine)
    staged = frame.with_columns(**columns)
    e = {name: nw.col(name) for name in EVENT_COLUMNS}
    k = {name: nw.col(name) for name in COEFFICIENT_COLUMNS}
    views = {q: at_quantile(k, q) for q in QUANTILES}
    sites = {q: site_energy_wh(e, view, engine) for q, view in views.items()}
    staged = staged.with_columns(**{f"e_site_{q}_wh": sites[q] for q in QUANTILES})
    wanted = {
        name: output(part, quantity, nw.col(f"e_site_{q}_wh"), e, views[q], engine)
        for name in outputs
        for part, quantity, q in (_SPLIT[name],)
    }
    return staged.with_columns(**wanted).drop(*EVENT_COLUMNS, *(f"e_site_{q}_wh" for q in QUANTILES))
