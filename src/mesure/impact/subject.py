"""The model a call used, as the physics needs it: one set of facts, or weighted ones where only estimates exist."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mesure.catalogue import Factor, current
from mesure.impact.constants import belief
from mesure.impact.deployment import BITS, Deployment, ModelCard
from mesure.impact.geometry import TextGeometry, generic_media, generic_text

if TYPE_CHECKING:
    from datetime import date

    from mesure.catalogue import ModelFacts

__all__ = ["MediaModel", "Subject", "TextModel", "modality_of", "subject_of"]

#: Points of a log-uniform interval that stand for it, at equal weight.
_POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Above this size (1e9 parameters) a total without an active size is taken as that of a mixture.
_DENSE_UP_TO = 60.0
_UNKNOWN_DENOISER_B = 4.0
_NATIVE_8 = re.compile(r"[-_.]fp8\b|[-_.]fp8$|w8a8")
_NATIVE_4 = re.compile(r"[-_.](awq|gptq|int4|q4|4bit|nvfp4)")
_UNET = re.compile(r"u-?net|convolution")
_TWO_STREAMS = re.compile(r"mm-?dit|dual|double.?stream")


@dataclass(frozen=True, slots=True)
class TextModel:
    """Sizes in 1e9 parameters; `images` prepared by the host per request."""

    active_b: float
    total_b: float
    geometry: TextGeometry
    bits: float
    mixture: bool
    images: float


@dataclass(frozen=True, slots=True)
class MediaModel:
    """A denoiser, in the parameters of `ModelCard`; `sized_only`: its geometry follows from its size."""

    layers: float
    hidden: float
    layer_factor: float
    patch_px: float
    temporal_factor: float
    passes: float
    attention_factor: float
    pass_tflop: float
    text_encoder_params_b: float
    two_streams: float
    default_steps: float | None
    sized_only: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """`texts`: weighted text models, or `media`: weighted denoisers. `estimated`: the size rests on estimates."""

    name: str | None
    known: bool
    modality: str
    texts: tuple[tuple[float, TextModel], ...]
    media: tuple[tuple[float, MediaModel], ...]
    factors: tuple[Factor, ...]
    estimated: bool

    @property
    def active_estimated(self) -> bool:
        """How large it is is known, and not how much of it a token meets."""
        return len(self.texts) > 1 and not self.estimated


class _Reader:
    """Parameters from the card first, then the tables; remembers which factors were read."""

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


def modality_of(card: ModelCard | None, facts: ModelFacts | None) -> str:
    """text, embedding, image, video, speech to text or text to speech."""
    said = ((card and card.modality) or (facts.modality if facts else None) or "text").casefold()
    architecture = ((card and card.architecture) or "").casefold()
    diffusion = re.search(r"diffus|u-?net|\bdit\b|mm-?dit|flow.?match", architecture) is not None
    if "+" not in said and ("gen" in said or said.startswith("text-to-") or diffusion or said in ("image", "video")):
        return "video" if "vid" in said or "t2v" in said else "image"
    if re.search(r"embed|rerank|classif|understanding", said) or re.search(
        r"embed|encoder(?!.?decoder)|rerank", architecture
    ):
        return "embedding"
    if re.search(r"speech to text|transcri|asr", said):
        return "speech to text"
    return "text to speech" if re.search(r"text to speech|tts|synthesis", said) else "text"


def subject_of(
    model: str, provider: str | None, card: ModelCard | None, deployment: Deployment, at: date | None = None
) -> Subject:
    """What is known of what `model` designated on a day (None: today); the flagged wide default when neither a table
    nor a card knows its size."""
    facts: ModelFacts | None = current().find_model(model, provider, at)
    modality = modality_of(card, facts)
    stated = card is not None and (card.active_params_b or card.total_params_b) is not None
    if modality in ("image", "video"):
        return _denoiser(model, card, facts, modality)
    read = _Reader(card, facts)
    sizes, estimated = _sizes(read, facts, stated=stated)
    texts = tuple(
        (weight, _text_model(model, active, total, read, deployment, modality)) for weight, active, total in sizes
    )
    known = stated or bool(facts and (facts.all("total_params_b") or facts.all("active_params_b")))
    name = facts.id if facts else (model if card else None)
    return Subject(name if known else None, known, modality, texts, (), tuple(dict.fromkeys(read.used)), estimated)


def _sizes(read: _Reader, facts: ModelFacts | None, *, stated: bool) -> tuple[list[tuple[float, float, float]], bool]:
    """(weight, active, total) in 1e9 parameters; several when only estimates exist."""
    published = facts is not None and any(
        factor.status != "estimated" for p in ("total_params_b", "active_params_b") for factor in facts.all(p)
    )
    if stated or published:
        return _published(read, facts), False
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


def _published(read: _Reader, facts: ModelFacts | None) -> list[tuple[float, float, float]]:
    """One size; several active ones where a mixture's is only known within a range: its maker says how large it is, and
    not how much of it a token meets."""
    total, active = read.get("total_params_b"), read.get("active_params_b")
    size = active or total or 1.0
    whole = max(total or size, size)
    stated = read.card is not None and (read.card.active_params_b or read.card.total_params_b)
    known = facts.one("active_params_b") if facts and not stated else None
    if known is None or known.status != "estimated" or known.high <= known.low:
        return [(1.0, size, whole)]
    points = [min(known.low * (known.high / known.low) ** share, whole) for share in _POINTS]
    return [(1.0 / len(points), point, whole) for point in points]


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


def _text_model(
    model: str, active: float, total: float, read: _Reader, deployment: Deployment, modality: str
) -> TextModel:
    card = read.card
    architecture = ((card and card.architecture) or "").casefold()
    experts = read.get("experts")
    named = re.search(r"moe|mixture|sparse", architecture) is not None
    mixture = named or (experts or 0.0) > 1.0 or total > 1.3 * active
    hybrid = re.search(r"hybrid|ssm|mamba|recurrent|rwkv", architecture) is not None
    plain = generic_text(active, total, mixture=mixture, hybrid=hybrid)
    layers = read.get("layers") or plain.layers
    full = read.get("full_layers") or (layers if not hybrid else plain.full_layers)
    chosen = read.get("experts_per_token")
    if mixture and not (experts and chosen):
        experts, chosen = plain.experts, plain.experts_per_token
    geometry = TextGeometry(
        layers,
        read.get("hidden") or plain.hidden,
        read.get("kv_elements") or plain.kv_elements,
        min(full, layers),
        read.get("window_tokens") or 0.0,
        (experts or 1.0) if mixture else 1.0,
        (chosen or 1.0) if mixture else 1.0,
        read.get("state_gb") or plain.state_gb,
    )
    said = ((card and card.modality) or "").casefold()
    images = 1.0 if modality == "text" and "image" in said else 8.0 if modality == "text" and "video" in said else 0.0
    return TextModel(active, total if mixture else active, geometry, _bits(model, read, deployment), mixture, images)


def _bits(model: str, read: _Reader, deployment: Deployment) -> float:
    """Bits per weight: stated, else as published, else what the name of the weights ends on, else 16."""
    if deployment.precision and deployment.precision != "default":
        return BITS[deployment.precision.casefold()]
    folded = model.casefold()
    named = 8.0 if _NATIVE_8.search(folded) else 4.5 if _NATIVE_4.search(folded) else None
    return named or read.get("weight_bits") or 16.0


def _denoiser(model: str, card: ModelCard | None, facts: ModelFacts | None, modality: str) -> Subject:
    read = _Reader(card, facts)
    size = (
        (card and (card.active_params_b or card.total_params_b))
        or read.get("denoiser_params_b")
        or read.get("total_params_b")
    )
    known = size is not None or read.get("pass_tflop") is not None
    name = facts.id if facts else (model if card else None)
    described = f"{(card and card.architecture) or ''} {model}".casefold()
    unet, two = bool(_UNET.search(described)), bool(_TWO_STREAMS.search(described))
    plain = generic_media(size or _UNKNOWN_DENOISER_B, unet=unet, video=modality == "video", two_streams=two)
    found = {parameter: read.get(parameter) for parameter in plain}
    if found["pass_tflop"]:  # a convolutional denoiser: its count replaces layers and widths it does not have
        plain |= {"layer_factor": 0.0, "layers": 25.0, "hidden": 1024.0, "temporal_factor": 1.0}
        found |= {"layer_factor": 0.0}
    sized_only = not (found["layers"] or found["pass_tflop"])
    merged = {p: plain[p] if value is None else value for p, value in found.items()}
    media = MediaModel(**merged, default_steps=read.get("default_steps"), sized_only=sized_only)
    weighted: tuple[tuple[float, MediaModel], ...] = ((1.0, media),)
    if modality == "video" and sized_only and not found["temporal_factor"]:
        packed = belief("video_frames_8")
        weighted = ((1.0 - packed.value, media), (packed.value, replace(media, temporal_factor=8.0)))
        read.used.append(packed)
    return Subject(name if known else None, known, modality, (), weighted, tuple(dict.fromkeys(read.used)), False)
