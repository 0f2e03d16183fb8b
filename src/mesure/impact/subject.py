"""The model a call used, as the physics needs it: one set of facts, or weighted ones where only estimates exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.catalogue import Factor, current
from mesure.impact.deployment import BITS, Deployment, ModelCard
from mesure.impact.diffusion import DiffusionModel
from mesure.impact.roofline import TextModel, generic_geometry

if TYPE_CHECKING:
    from mesure.catalogue import ModelFacts

__all__ = ["Subject", "subject_of"]

#: Points of a log-uniform interval that stand for it, at equal weight.
_POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Above this size (1e9 parameters) a total without an active size is taken as that of a mixture.
_DENSE_UP_TO = 60.0
_GENERIC_EXPERTS = (64.0, 6.0)
_GENERIC_CACHE = 2048.0


@dataclass(frozen=True, slots=True)
class Subject:
    """`texts`: weighted text models (empty for diffusion). `estimated`: the size rests on estimates, not on a
    publication."""

    name: str | None
    known: bool
    modality: str
    texts: tuple[tuple[float, TextModel], ...]
    diffusion: DiffusionModel | None
    factors: tuple[Factor, ...]
    estimated: bool


class _Reader:
    """Parameters from the card first, then the catalogue; remembers which factors were read."""

    def __init__(self, card: ModelCard | None, facts: ModelFacts | None) -> None:
        self.card, self.facts = card, facts
        self.used: list[Factor] = []

    def get(self, parameter: str) -> float | None:
        stated = getattr(self.card, parameter, None) if self.card else None
        if stated is not None:
            return float(stated)
        factor = self.facts.one(parameter) if self.facts else None
        if factor is None:
            return None
        self.used.append(factor)
        return factor.value


def subject_of(model: str, provider: str | None, card: ModelCard | None, deployment: Deployment) -> Subject:
    """What is known of `model`; the flagged wide default when neither the catalogue nor a card knows its size."""
    facts: ModelFacts | None = current().find_model(model, provider)
    modality = (card and card.modality) or (facts.modality if facts else None) or "text"
    if card and card.architecture == "diffusion" and modality == "text":
        modality = "image"
    modality = {"image-gen": "image", "video-gen": "video", "image+text": "text"}.get(modality, modality)
    read = _Reader(card, facts)
    name = facts.id if facts else (model if card else None)
    stated = card is not None and (card.active_params_b or card.total_params_b) is not None
    if modality in ("image", "video"):
        diffusion, known = _diffusion(read, modality)
        return Subject(name, known, modality, (), diffusion, tuple(read.used), False)
    sizes, estimated = _sizes(read, facts, stated=stated)
    texts = tuple((weight, _text_model(active, total, read, deployment)) for weight, active, total in sizes)
    known = stated or bool(facts and (facts.all("total_params_b") or facts.all("active_params_b")))
    return Subject(name if known else None, known, modality, texts, None, tuple(dict.fromkeys(read.used)), estimated)


def _sizes(read: _Reader, facts: ModelFacts | None, *, stated: bool) -> tuple[list[tuple[float, float, float]], bool]:
    """(weight, active, total) in 1e9 parameters; several when only estimates exist."""
    published = facts is not None and any(
        factor.status != "estimated" for p in ("total_params_b", "active_params_b") for factor in facts.all(p)
    )
    if stated or published:
        total, active = read.get("total_params_b"), read.get("active_params_b")
        active = active or total or 1.0
        total = max(total or active, active)
        return [(1.0, active, total)], False
    if facts is None:
        unknown = current().constant("unknown-model", "active_params_b")
        read.used.append(unknown)
        ranges: list[tuple[float, float, float | None]] = [(unknown.low, unknown.high, None)]
    else:
        ranges = _opinions(read, facts)
    points = [(low * (high / low) ** share, total) for low, high, total in ranges for share in _POINTS]
    typical = current().constant("moe", "active_share").value
    return [
        (1.0 / len(points), active, max(total or (active if active < _DENSE_UP_TO else active / typical), active))
        for active, total in points
    ], True


def _opinions(read: _Reader, facts: ModelFacts) -> list[tuple[float, float, float | None]]:
    """Each estimator's range of active size, with its total when it gives one."""
    error, share = current().constant("estimate", "error"), current().constant("moe", "active_share")
    active = {factor.source: factor for factor in facts.all("active_params_b")}
    total = {factor.source: factor for factor in facts.all("total_params_b")}
    read.used += [*active.values(), *total.values()]
    out: list[tuple[float, float, float | None]] = []
    for source in dict.fromkeys((*active, *total)):
        stated = active.get(source)
        whole = total.get(source)
        if stated is not None:
            low, high = stated.low, stated.high
        else:
            assert whole is not None
            mixture = whole.value > _DENSE_UP_TO
            low, high = (whole.low * share.low, whole.high * share.high) if mixture else (whole.low, whole.high)
            read.used += [share] if mixture else []
        if high / low < error.high:
            low, high = (low * high) ** 0.5 * error.low, (low * high) ** 0.5 * error.high
            read.used.append(error)
        out.append((low, high, whole.value if whole else None))
    return out


def _text_model(active: float, total: float, read: _Reader, deployment: Deployment) -> TextModel:
    mixture = total > 1.05 * active
    layers, hidden = generic_geometry(active, total, mixture)
    layers, hidden = read.get("layers") or layers, read.get("hidden") or hidden
    experts, chosen = read.get("experts"), read.get("experts_per_token")
    if mixture and not (experts and chosen):
        experts, chosen = _GENERIC_EXPERTS
    if deployment.precision and deployment.precision != "default":
        bits = BITS[deployment.precision.casefold()]
    else:
        bits = read.get("weight_bits") or 16.0
    return TextModel(
        active,
        total,
        layers,
        hidden,
        read.get("kv_elements") or _GENERIC_CACHE,
        min(read.get("full_layers") or layers, layers),
        read.get("window_tokens") or 0.0,
        (experts or 0.0) if mixture else 0.0,
        (chosen or 0.0) if mixture else 0.0,
        read.get("state_gb") or 0.0,
        bits,
    )


def _diffusion(read: _Reader, modality: str) -> tuple[DiffusionModel, bool]:
    constant = current().constant
    card = read.card
    denoiser = (
        (card and (card.active_params_b or card.total_params_b))
        or read.get("denoiser_params_b")
        or read.get("total_params_b")
    )
    pass_tflop = read.get("pass_tflop")
    known = denoiser is not None or pass_tflop is not None
    size = denoiser or 8.0
    layers, hidden = generic_geometry(size, size, mixture=False)
    temporal = read.get("temporal_factor") or (4.0 if modality == "video" else 1.0)
    megapixels = constant("unknown-image", "megapixels")
    frames = constant("unknown-image", "frames").value if modality == "video" else 1.0
    layers, hidden = read.get("layers") or layers, read.get("hidden") or hidden
    factor = read.get("layer_factor")
    return (
        DiffusionModel(
            factor * layers * hidden**2 * 1e-9 if factor else size,
            read.get("text_encoder_params_b") or 0.0,
            layers,
            hidden,
            read.get("passes") or 2.0,
            read.get("patch_px") or 16.0,
            temporal,
            pass_tflop,
            read.get("attention_factor") or 1.0,
            read.get("default_steps"),
            (0.4 if modality == "video" else megapixels.value) * (1.0 + (frames - 1.0) / temporal),
        ),
        known,
    )
