"""Serving software and number formats, from how people name them."""

from __future__ import annotations

import re

__all__ = ["Engine", "engines", "one_at_a_time", "weight_bytes"]

_LOCAL = re.compile(r"llama\.?cpp|ollama|mlx|gguf|lm.?studio|llamafile")
_EAGER = re.compile(r"transformers|fastchat|hugging|\bhf\b|pytorch|deepspeed|accelerate")
_SERVING = re.compile(r"vllm|tgi|text-generation-inference|sglang|tensorrt|trt|lmdeploy")
_VLLM = re.compile(r"vllm[^0-9]*0\.(\d+)")
#: vLLM 0.6 was the last to run its scheduler and its model in one loop.
_LAST_OLD_VLLM = 6

#: (weight, plain PyTorch loop 0/1, share of a 2024 engine's overhead, local engine 0/1).
Engine = tuple[float, float, float, float]


def one_at_a_time(framework: str | None) -> bool:
    """Engines that usually serve one request at a time."""
    text = (framework or "").casefold()
    return bool(_LOCAL.search(text) or (_EAGER.search(text) and not _SERVING.search(text)))


def _overhead(text: str, chip_year: int, year: int | None) -> float:
    """Share of a 2024 engine's overhead: by version, by year, else by the age of the chip."""
    if version := _VLLM.search(text):
        return 1.0 if int(version[1]) <= _LAST_OLD_VLLM else 0.0
    if year:
        return 1.0 if year <= 2024 else 0.0
    return 0.6 if chip_year <= 2021 else 0.25 if chip_year <= 2023 else 0.0


def engines(framework: str | None, *, own: bool, chip_year: int, batch: float, year: int | None) -> tuple[Engine, ...]:
    """What the software is, or may be. `year`: of the software, None where unknown."""
    text = (framework or "").casefold()
    old = _overhead(text, chip_year, year)
    if _LOCAL.search(text) or (not text and own):
        return ((1.0, 0.0, 0.0, 1.0),)
    if _EAGER.search(text) and not _SERVING.search(text):
        return ((1.0, 1.0, 0.0, 0.0),)
    if not text and batch <= 1.0:
        return ((0.5, 1.0, 0.0, 0.0), (0.5, 0.0, old, 0.0))
    return ((1.0, 0.0, old, 0.0),)


def weight_bytes(bits: float, *, mixture: bool) -> tuple[float, float, float]:
    """(bytes of a weight every token meets, bytes of an expert's weight, block-quantised expert kernels 0 to 1).

    4-bit mixtures keep their shared weights in 16 bits; their kernels take half of what 8-bit ones of 2025 lose
    (assumption, no row).
    """
    size = bits / 8.0
    if not mixture or bits > 10.0:
        return size, size, 0.0
    if bits >= 7.0:
        return size, size, 1.0
    return (2.0 if bits <= 4.25 else size), size, 0.5
