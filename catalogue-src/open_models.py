"""Open-weight models of the first version: which published configuration gives their facts, and the names APIs use.

`year` is that of the release. `corrected` replaces a figure of the registry that is rounded, missing or means
something else (a total that is really the active size), with its own source.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_B = "1e9 parameters"


@dataclass(frozen=True)
class OpenModel:
    id: str
    config: str
    year: int
    names: tuple[str, ...] = ()
    head_dim: int = 128
    corrected: dict[str, tuple[float, str]] = field(default_factory=dict)
    correction_source: str = "maker's model card, from general knowledge: to verify"


def _model(id: str, config: str, year: int, *names: str, head_dim: int = 128, **corrected: float) -> OpenModel:  # noqa: A002
    units = {"total_params_b": _B, "active_params_b": _B, "experts": "experts", "experts_per_token": "experts"}
    return OpenModel(id, config, year, names, head_dim, {n: (v, units[n]) for n, v in corrected.items()})


OPEN_MODELS = (
    # Meta
    _model(
        "llama-3.1-8b",
        "meta-llama/Meta-Llama-3.1-8B-Instruct",
        2024,
        "meta-llama/Llama-3.1-8B-Instruct",
        "meta-llama/Llama-3.1-8B",
        "llama-3.1-8b-instruct",
        "llama-3.1-8b-instant",
        "llama3.1:8b",
        "llama3.1",
    ),
    _model(
        "llama-3.1-70b",
        "meta-llama/Meta-Llama-3.1-70B-Instruct",
        2024,
        "meta-llama/Llama-3.1-70B-Instruct",
        "meta-llama/Llama-3.1-70B",
        "llama-3.1-70b-instruct",
        "llama3.1:70b",
    ),
    _model(
        "llama-3.1-405b",
        "meta-llama/Meta-Llama-3.1-405B-Instruct",
        2024,
        "meta-llama/Llama-3.1-405B-Instruct",
        "llama-3.1-405b-instruct",
        "llama3.1:405b",
    ),
    _model(
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B-Instruct",
        2024,
        "meta-llama/Llama-3.2-1B",
        "llama-3.2-1b-instruct",
        "llama3.2:1b",
    ),
    _model(
        "llama-3.2-3b",
        "meta-llama/Llama-3.2-3B-Instruct",
        2024,
        "meta-llama/Llama-3.2-3B",
        "llama-3.2-3b-instruct",
        "llama3.2",
        "llama3.2:3b",
    ),
    _model(
        "llama-3.3-70b",
        "meta-llama/Llama-3.3-70B-Instruct",
        2024,
        "llama-3.3-70b-instruct",
        "llama-3.3-70b-versatile",
        "llama3.3",
        "llama3.3:70b",
    ),
    _model(
        "llama-4-scout",
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        2025,
        "llama-4-scout-17b-16e-instruct",
        total_params_b=109,
        active_params_b=17,
    ),
    _model(
        "llama-4-maverick",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
        2025,
        "llama-4-maverick-17b-128e-instruct",
        total_params_b=400,
        active_params_b=17,
    ),
    # Qwen
    _model("qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", 2024, "qwen2.5-7b-instruct", "qwen2.5:7b"),
    _model("qwen2.5-32b", "Qwen/Qwen2.5-32B-Instruct", 2024, "qwen2.5-32b-instruct", "qwen2.5:32b"),
    _model("qwen2.5-72b", "Qwen/Qwen2.5-72B-Instruct", 2024, "qwen2.5-72b-instruct", "qwen2.5:72b"),
    _model("qwen3-0.6b", "Qwen/Qwen3-0.6B", 2025, "qwen3:0.6b"),
    _model("qwen3-1.7b", "Qwen/Qwen3-1.7B", 2025, "qwen3:1.7b"),
    _model("qwen3-4b", "Qwen/Qwen3-4B", 2025, "qwen3:4b"),
    _model("qwen3-8b", "Qwen/Qwen3-8B", 2025, "qwen3:8b"),
    _model("qwen3-14b", "Qwen/Qwen3-14B", 2025, "qwen3:14b"),
    _model("qwen3-32b", "Qwen/Qwen3-32B", 2025, "qwen3:32b"),
    _model(
        "qwen3-30b-a3b",
        "Qwen/Qwen3-30B-A3B",
        2025,
        "Qwen/Qwen3-30B-A3B-Instruct-2507",
        "Qwen/Qwen3-30B-A3B-Thinking-2507",
        "qwen3-30b-a3b-instruct-2507",
        "qwen3-30b-a3b-thinking-2507",
        "qwen3:30b",
    ),
    _model(
        "qwen3-235b-a22b",
        "Qwen/Qwen3-235B-A22B",
        2025,
        "Qwen/Qwen3-235B-A22B-Instruct-2507",
        "Qwen/Qwen3-235B-A22B-Thinking-2507",
        "qwen3-235b-a22b-instruct-2507",
        "qwen3-235b-a22b-thinking-2507",
    ),
    _model("qwen3-coder-480b-a35b", "Qwen/Qwen3-Coder-480B-A35B-Instruct", 2025, "qwen3-coder-480b-a35b-instruct"),
    _model("qwen3.5-9b", "Qwen/Qwen3.5-9B", 2026),
    _model("qwen3.5-27b", "Qwen/Qwen3.5-27B", 2026),
    _model("qwen3.5-35b-a3b", "Qwen/Qwen3.5-35B-A3B", 2026),
    _model("qwen3.5-122b-a10b", "Qwen/Qwen3.5-122B-A10B", 2026),
    _model("qwen3.5-397b-a17b", "Qwen/Qwen3.5-397B-A17B", 2026),
    # DeepSeek (deepseek-chat and deepseek-reasoner moved from model to model: only dated names are listed)
    _model("deepseek-v3", "deepseek-ai/DeepSeek-V3", 2024, "deepseek-ai/DeepSeek-V3-0324", "deepseek-v3-0324"),
    _model("deepseek-r1", "deepseek-ai/DeepSeek-R1", 2025, "deepseek-ai/DeepSeek-R1-0528", "deepseek-r1-0528"),
    _model("deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2", 2025, "deepseek-v3.2-exp", "deepseek-ai/DeepSeek-V3.2-Exp"),
    _model("deepseek-v4-flash", "deepseek-ai/DeepSeek-V4-Flash", 2026),
    _model("deepseek-v4-pro", "deepseek-ai/DeepSeek-V4-Pro", 2026),
    # Mistral
    _model(
        "mistral-7b", "mistralai/Mistral-7B-Instruct-v0.3", 2024, "open-mistral-7b", "mistral-7b-instruct", "mistral:7b"
    ),
    _model(
        "mistral-nemo",
        "mistralai/Mistral-Nemo-Instruct-2407",
        2024,
        "open-mistral-nemo",
        "open-mistral-nemo-2407",
        "mistral-nemo:12b",
    ),
    _model(
        "mistral-large-2411",
        "mistralai/Mistral-Large-Instruct-2411",
        2024,
        "mistral-large-2407",
        "mistralai/Mistral-Large-Instruct-2407",
    ),
    _model(
        "mixtral-8x7b",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        2023,
        "open-mixtral-8x7b",
        "mixtral:8x7b",
        "mixtral-8x7b-32768",
    ),
    _model("mixtral-8x22b", "mistralai/Mixtral-8x22B-Instruct-v0.1", 2024, "open-mixtral-8x22b", "mixtral:8x22b"),
    # Google
    _model("gemma-2-9b", "google/gemma-2-9b-it", 2024, "gemma-2-9b-it", "gemma2:9b", "gemma2-9b-it"),
    _model("gemma-2-27b", "google/gemma-2-27b-it", 2024, "gemma-2-27b-it", "gemma2:27b"),
    _model("gemma-3-1b", "google/gemma-3-1b-it", 2025, "gemma-3-1b-it", "gemma3:1b"),
    _model("gemma-3-4b", "google/gemma-3-4b-it", 2025, "gemma-3-4b-it", "gemma3:4b"),
    _model("gemma-3-12b", "google/gemma-3-12b-it", 2025, "gemma-3-12b-it", "gemma3:12b"),
    _model("gemma-3-27b", "google/gemma-3-27b-it", 2025, "gemma-3-27b-it", "gemma3:27b"),
    # OpenAI (open weights), Microsoft, Z.ai, Moonshot
    _model("gpt-oss-20b", "openai/gpt-oss-20b", 2025, "gpt-oss:20b"),
    _model("gpt-oss-120b", "openai/gpt-oss-120b", 2025, "gpt-oss:120b"),
    _model("phi-4", "microsoft/phi-4", 2024, "phi4"),
    _model("glm-4.5-air", "zai-org/GLM-4.5-Air", 2025),
    _model("glm-4.6", "zai-org/GLM-4.6", 2025),
    _model("kimi-k3", "moonshotai/Kimi-K3", 2026),
)
