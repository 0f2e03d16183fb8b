"""What an inference server has done, from the metrics it publishes: tokens in and out, requests, how many run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mesure.meter.sensors.exposition import parse_text

if TYPE_CHECKING:
    from mesure.meter.sensors.exposition import Series
    from mesure.meter.sensors.http import HttpReader

__all__ = ["SERVERS", "Counts", "Serving", "between", "counts_of", "read_counts"]


class _Names(NamedTuple):
    """Series of one kind of server; several are added up, an empty one is not published."""

    server: str
    prompt: str
    answer: str
    calls: str = ""
    running: str = ""
    cached: str = ""


SERVERS = (
    _Names(
        "vllm",
        "vllm:prompt_tokens_total",
        "vllm:generation_tokens_total",
        "vllm:request_success_total",
        "vllm:num_requests_running",
        "vllm:prefix_cache_hits_total",
    ),
    _Names(
        "sglang",
        "sglang:prompt_tokens_total",
        "sglang:generation_tokens_total",
        "sglang:num_requests_total",
        "sglang:num_running_reqs",
    ),
    _Names(
        "tgi",
        "tgi_request_input_length_sum",
        "tgi_request_generated_tokens_sum",
        "tgi_request_count",
        "tgi_batch_current_size",
    ),
    _Names(
        "llama.cpp",
        "llamacpp:prompt_tokens_total",
        "llamacpp:tokens_predicted_total",
        "",
        "llamacpp:requests_processing",
    ),
)
_WANTED = frozenset(name for server in SERVERS for name in server[1:] if name)


class Counts(NamedTuple):
    """Since the server started; None where it does not tell. `model`: as its labels name it, if they name one."""

    server: str
    prompt: float
    answer: float
    calls: float | None
    running: float | None
    cached: float
    model: str | None


class Serving(NamedTuple):
    """Between two looks: tokens processed, requests ended (None: not told), and whether any was running."""

    prompt: float
    cached: float
    answer: float
    calls: float | None
    busy: bool


def read_counts(reader: HttpReader) -> Counts:
    """What the server at this address tells now. Raises `OSError`, and `ValueError` when it tells no tokens."""
    text = reader.get(reader.path or "/metrics").decode("utf-8", "replace")
    return counts_of(list(parse_text(text, _WANTED)))


def counts_of(series: list[Series]) -> Counts:
    sums: dict[str, float] = {}
    for one in series:
        sums[one.name] = sums.get(one.name, 0.0) + one.value
    for names in SERVERS:
        if names.prompt in sums and names.answer in sums:
            models = {one.labels["model_name"] for one in series if one.labels.get("model_name")}
            return Counts(
                names.server,
                sums[names.prompt],
                sums[names.answer],
                sums.get(names.calls),
                sums.get(names.running),
                sums.get(names.cached, 0.0),
                models.pop() if len(models) == 1 else None,
            )
    raise ValueError("no counts of tokens of vLLM, SGLang, TGI or llama.cpp")


def between(before: Counts, after: Counts) -> Serving | None:
    """What was done from one look to the next; None when the server started again meanwhile."""
    prompt, answer = after.prompt - before.prompt, after.answer - before.answer
    calls = None if after.calls is None or before.calls is None else after.calls - before.calls
    if min(prompt, answer, calls or 0.0) < 0.0:
        return None
    cached = min(max(after.cached - before.cached, 0.0), prompt)
    running = bool(after.running or before.running)
    return Serving(prompt, cached, answer, calls, running or prompt + answer > 0.0)
