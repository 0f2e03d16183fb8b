"""A model on what is known of its machines, as a linear form with its errors: no place in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact import physics
from mesure.impact.constants import belief, constant_factors, residual
from mesure.impact.diffusion import TERMS as MEDIA_TERMS
from mesure.impact.mixture import NODES, Z90, Spread, mixed, quantile
from mesure.impact.rows import Assumed, Form
from mesure.impact.scenarios import Lengths, Scenario, media_scenarios, text_scenarios, used_factors
from mesure.impact.subject import Subject, subject_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mesure.catalogue import Factor
    from mesure.impact.deployment import Deployment, ModelCard

__all__ = ["Modelled", "Reference", "assumed_input", "modelled"]

#: Tokens: an answer this short follows a prompt longer than usual.
_SHORT_ANSWER = 100.0
#: A denoiser of unknown size may take six times less or more.
_UNKNOWN_DENOISER = Spread(1.0 / 6.0, 1.0, 6.0)


@dataclass(frozen=True, slots=True)
class Reference:
    """The request at which what is not linear is evaluated; None where it is not known."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    width: float | None = None
    height: float | None = None
    frames: float | None = None
    steps: float | None = None


@dataclass(frozen=True, slots=True)
class Modelled:
    """`power_w`: what one board draws on average while a request runs, over the scenarios; `factors`: every figure this
    rests on."""

    subject: Subject
    form: Form
    power_w: Spread
    factors: tuple[Factor, ...]
    scenarios: tuple[Scenario, ...]


def assumed_input(kind: str, written: float) -> float:
    """Tokens read that stand for an unknown count: short answers follow longer prompts."""
    typical = belief(f"input_{kind}").value
    if kind != "text":
        return typical
    return float(typical * (1.0 + _SHORT_ANSWER / max(written, 10.0)) ** belief("input_short").value)


def _log_spread(factor: Factor) -> float:
    return math.log(factor.high / factor.low) / (2.0 * Z90)


@lru_cache(maxsize=2048)
def modelled(
    model: str,
    provider: str | None,
    year: int | None,
    deployment: Deployment,
    card: ModelCard | None,
    reference: Reference,
    *,
    local: bool,
    at: date | None = None,
) -> Modelled:
    """`year`: of the software, None where unknown; `at`: the day whose designation of the name counts, None today's.
    Raises `UnknownName`, `InvalidValue` for an accelerator."""
    subject = subject_of(model, provider, card, deployment, at)
    hardware = used_factors(deployment, year, local=local)
    if subject.media:
        return _of_media(subject, deployment, year, reference, hardware)
    return _of_text(model, subject, deployment, year, reference, hardware, local=local)


# Text


def _of_text(
    name: str,
    subject: Subject,
    deployment: Deployment,
    year: int | None,
    reference: Reference,
    hardware: tuple[Factor, ...],
    *,
    local: bool,
) -> Modelled:
    encoder = subject.modality == "embedding"
    images = max(text.images for _, text in subject.texts)
    kind = "video" if images > 1.0 else "image" if images else "text"
    usually = _Usual.of(name, kind)
    usual = 0.0 if encoder else usually.output.value
    written = usual if reference.output_tokens is None else reference.output_tokens
    read = usually.read(written) if reference.input_tokens is None else reference.input_tokens
    if not read + written:
        read, written = usually.read(usually.output.value), usual
    lengths = Lengths(read, written)
    scenarios = text_scenarios(subject.texts, deployment, year, lengths, local=local, encoder=encoder)
    counts = physics.feature_counts(read, 0.0, written)
    values = [physics.total(scenario.energy_wh, counts) for scenario in scenarios]
    terms, counted = _text_form(scenarios, values)
    reads = _nodes(usually.read(written), _log_spread(usually.input))
    writes = [(0.0, 1.0)] if encoder else _nodes(usual, _log_spread(usually.output))
    assumed = usually.read(written)
    errors = {
        "counted": _relative(counted, counted.mid),
        "input": _relative(_unknown(scenarios, reads, [(written, 1.0)]), _at(terms, assumed, written)),
        "assumed": _relative(_unknown(scenarios, reads, writes), _at(terms, assumed, usual)),
    }
    audio, audio_factors = _audio(terms, subject.modality, name)
    all_terms = dict.fromkeys(MEDIA_TERMS, 0.0) | terms | {"audio_second": audio.mid}
    if audio.mid:
        errors = {name: _widened(spread, audio) for name, spread in errors.items()}
    seconds = current().constant("unknown-audio", "seconds")
    form = Form(all_terms, errors, _assumed(subject, assumed, usual, None), 0.0)
    power = _over(
        [
            (value * 3600.0 / max(physics.total(s.seconds, counts) * s.boards, 1e-12), s.weight)
            for s, value in zip(scenarios, values, strict=True)
        ]
    )
    own = (residual("encoder"),) if encoder else ()
    factors = (*subject.factors, *hardware, *constant_factors("text"), *own, *usually.factors, *audio_factors)
    used = (*factors, seconds) if audio.mid else factors
    return Modelled(subject, form, power, tuple(dict.fromkeys(used)), tuple(scenarios))


@dataclass(frozen=True, slots=True)
class _Usual:
    """Lengths that stand for unknown ones: those of a product that people use from a seat, else of any call."""

    kind: str
    input: Factor
    output: Factor
    factors: tuple[Factor, ...] = ()

    @classmethod
    def of(cls, name: str, kind: str) -> _Usual:
        if (product := current().prompt(name)) is not None:
            return cls(kind, *product, product)
        return cls(kind, belief(f"input_{kind}"), belief("output"))

    def read(self, written: float) -> float:
        return self.input.value if self.factors else assumed_input(self.kind, written)


def _text_form(scenarios: Sequence[Scenario], values: Sequence[float]) -> tuple[dict[str, float], Spread]:
    """(Wh per unit of each term, spread of the reference request): the mean shape of the scenarios, at their centre."""
    spread = mixed([(s.weight, value, s.spread) for s, value in zip(scenarios, values, strict=True)])
    whole = sum(s.weight for s in scenarios)
    shape = {
        term: sum(s.weight * s.energy_wh[term] / value for s, value in zip(scenarios, values, strict=True)) / whole
        for term in physics.TEXT_TERMS
    }
    return {term: spread.mid * share for term, share in shape.items()}, spread


def _at(terms: dict[str, float], read: float, written: float) -> float:
    return float(physics.total(terms, physics.feature_counts(read, 0.0, written)))


def _nodes(centre: float, spread: float) -> list[tuple[float, float]]:
    return [(centre * math.exp(z * spread), weight) for z, weight in NODES]


def _unknown(
    scenarios: Sequence[Scenario], reads: Sequence[tuple[float, float]], writes: Sequence[tuple[float, float]]
) -> Spread:
    """Of a request whose lengths are distributions, each scenario kept linear."""
    counts = [
        (physics.feature_counts(read, 0.0, written), of_read * of_written)
        for read, of_read in reads
        for written, of_written in writes
    ]
    return mixed(
        [(s.weight * share, physics.total(s.energy_wh, count), s.spread) for s in scenarios for count, share in counts]
    )


def _over(weighted: Sequence[tuple[float, float]]) -> Spread:
    """Of (value, weight)."""
    return Spread(*(quantile(weighted, share) for share in (0.05, 0.5, 0.95)))


def _relative(spread: Spread, to: float) -> Spread:
    return Spread(*(value / to for value in spread))


def _widened(spread: Spread, by: Spread) -> Spread:
    """An error widened by an independent one."""
    below = math.hypot(math.log(spread.mid / spread.low), math.log(by.mid / by.low))
    above = math.hypot(math.log(spread.high / spread.mid), math.log(by.high / by.mid))
    return Spread(spread.mid * math.exp(-below), spread.mid, spread.mid * math.exp(above))


def _assumed(subject: Subject, read: float, written: float, steps: float | None) -> Assumed:
    constant = current().constant
    image = {name: constant("unknown-image", name).value for name in ("megapixels", "steps", "frames")}
    video = subject.modality == "video"
    return Assumed(
        0.0 if subject.media else read,
        0.0 if subject.media else written,
        0.4 if video else image["megapixels"],
        steps or image["steps"],
        image["frames"] if video else 1.0,
        constant("unknown-audio", "seconds").value,
    )


def _audio(terms: dict[str, float], modality: str, name: str) -> tuple[Spread, tuple[Factor, ...]]:
    """A second of speech as tokens: frames encoded and text written, or audio tokens made; of a product that people
    talk with, what it reads and writes meanwhile."""
    if (minute := current().minute(name)) is not None:
        read, made = minute
        ends = ((read.low, made.low), (read.value, made.value), (read.high, made.high))
        return Spread(*((i * terms["fresh"] + o * terms["output"]) / 60.0 for i, o in ends)), minute
    if modality not in ("speech to text", "text to speech"):
        return Spread(0.0, 0.0, 0.0), ()
    constant = current().constant
    made = constant("speech", "audio_tokens" if modality == "text to speech" else "text_tokens")
    frames = constant("speech", "encoder_tokens")
    heard = frames.value if modality == "speech to text" else 0.0
    low, mid, high = (heard * terms["fresh"] + tokens * terms["output"] for tokens in (made.low, made.value, made.high))
    return Spread(low, mid, high), (made, frames) if heard else (made,)


# Images and videos


def _of_media(
    subject: Subject, deployment: Deployment, year: int | None, reference: Reference, hardware: tuple[Factor, ...]
) -> Modelled:
    media = subject.media[0][1]
    assumed = _assumed(subject, 0.0, 0.0, media.default_steps)
    side = math.sqrt(assumed.megapixels * 1e6)
    settings = (
        reference.width or side,
        reference.height or side,
        reference.frames or assumed.frames,
        reference.steps or assumed.steps,
    )
    latent = 1.0 / media.temporal_factor
    volume = max(settings[0] * settings[1] * 1e-6 * (1.0 + (settings[2] - 1.0) * latent), 1e-9)
    scenarios = media_scenarios(subject.media, deployment, year, settings, volume)
    counts = dict(
        zip(MEDIA_TERMS, (1.0, volume, settings[3], settings[3] * volume, settings[3] * volume**2), strict=True)
    )
    values = [sum(s.energy_wh[term] * count for term, count in counts.items()) for s in scenarios]
    counted = mixed([(s.weight, value, s.spread) for s, value in zip(scenarios, values, strict=True)])
    whole = sum(s.weight for s in scenarios)
    terms = {
        term: counted.mid
        * sum(s.weight * s.energy_wh[term] / v for s, v in zip(scenarios, values, strict=True))
        / whole
        for term in MEDIA_TERMS
    }
    spread = _relative(counted, counted.mid)
    if not subject.known:
        spread = _widened(spread, _UNKNOWN_DENOISER)
    wider = spread
    for name in ("megapixels", "steps"):
        factor = current().constant("unknown-image", name)
        wider = _widened(wider, Spread(factor.low, factor.value, factor.high))
    form = Form(
        dict.fromkeys((*physics.TEXT_TERMS, "audio_second"), 0.0) | terms,
        {"counted": spread, "input": spread, "assumed": wider},
        assumed,
        latent,
    )
    power = _over([(s.machine.power_w, s.weight) for s in scenarios])
    factors = (*subject.factors, *hardware, *constant_factors("diffusion"))
    return Modelled(subject, form, power, tuple(dict.fromkeys(factors)), tuple(scenarios))
