"""Counters of vLLM, SGLang, TGI and llama.cpp, scrape after scrape or as Prometheus answers a range query.

Written after the metrics of vLLM 0.9 to 0.16, SGLang 0.5, TGI 3 and llama.cpp's server, 2026. Between two scrapes, what
a counter grew by is an aggregate; a counter that fell began again from 0 with its server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.errors import InvalidValue
from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["METRICS"]

_LAST_SECOND = 253_402_300_799  # of the year 9999

#: Counter, marks left aside -> (server, what it counts). Older and newer names of one count are never added.
_COUNTERS = {
    "vllm_prompt_tokens_total": ("vllm", "input"),
    "vllm_generation_tokens_total": ("vllm", "output"),
    "vllm_request_success_total": ("vllm", "calls"),
    "vllm_prefix_cache_hits_total": ("vllm", "cached"),
    "sglang_prompt_tokens_total": ("sglang", "input"),
    "sglang_generation_tokens_total": ("sglang", "output"),
    "sglang_num_requests_total": ("sglang", "calls"),
    "sglang_cached_tokens_total": ("sglang", "cached"),
    "tgi_request_input_length_sum": ("tgi", "input"),
    "tgi_request_generated_tokens_sum": ("tgi", "output"),
    "tgi_request_success": ("tgi", "calls"),
    "tgi_request_success_total": ("tgi", "calls"),
    "llamacpp_prompt_tokens_total": ("llama.cpp", "input"),
    "llamacpp_tokens_predicted_total": ("llama.cpp", "output"),
}
_FIELDS = {"input": "input_tokens", "output": "output_tokens", "cached": "cached_input_tokens", "calls": "calls_count"}

Series = tuple[str, tuple[tuple[str, str], ...]]
#: One server and model: what its counters add up to.
Served = tuple[str, str, str]


class _Counters:
    """What each series showed last, and when."""

    def __init__(self) -> None:
        self._last: dict[Series, tuple[float, float]] = {}

    def read(self, raw: Mapping[str, Any]) -> Iterator[Facts]:
        samples = _samples(raw)
        grown: dict[tuple[Served, float, float], dict[str, float]] = {}
        for at, name, labels, value in samples:
            found = _COUNTERS.get(name.replace(":", "_"))
            if found is None:
                continue
            server, kind = found
            series = name, tuple(sorted(labels.items()))
            before = self._last.get(series)
            self._last[series] = at, value
            if before is None or at <= before[0]:
                continue
            growth = value - before[1] if value >= before[1] else value
            served = server, labels.get("model_name") or labels.get("model") or "", _instance(labels)
            counts = grown.setdefault((served, before[0], at), {})
            counts[kind] = counts.get(kind, 0.0) + growth
        for (served, since, until), counts in grown.items():
            if any(counts.values()):
                yield _facts(served, since, until, counts)

    def end(self) -> Iterator[Facts]:
        return iter(())


def _instance(labels: Mapping[str, str]) -> str:
    return labels.get("instance") or labels.get("pod") or ""


def _facts(served: Served, since: float, until: float, counts: Mapping[str, float]) -> Facts:
    server, model, instance = served
    begun, ended = _time(since), _time(until)
    amounts: Facts = {"calls_count": 0, "input_tokens": 0, "output_tokens": 0}
    amounts |= {_FIELDS[kind]: round(count) for kind, count in counts.items()}
    cached = amounts.get("cached_input_tokens", 0)
    if cached > amounts["input_tokens"]:  # a hit that was counted before its request ended
        amounts["cached_input_tokens"] = amounts["input_tokens"]
    return {
        "started_at": begun,
        "ended_at": ended,
        "labels.aggregate": aggregate_id(server, model, instance, begun, ended, *sorted(counts)),
        "provider": server,
        "tokens_reported": True,
        "labels.server": server,
        **({"model_requested": model} if model else {}),
        **({"labels.instance": instance} if instance else {}),
        **amounts,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _samples(raw: Mapping[str, Any]) -> list[tuple[float, str, dict[str, str], float]]:
    """(when, counter, labels, value) in the order of time."""
    if "samples" in raw:
        at = raw.get("at")
        if raw["samples"] and at is None:
            raise InvalidValue(
                "These metrics do not say when they were read",
                action="Write a line `# scraped 2026-11-22T08:00:00Z` before each scrape, or keep timestamps.",
            )
        found = [(at, name, labels, value) for name, labels, value in _triples(raw["samples"])]
    else:
        found = list(_ranged(Record(raw)))
    return sorted(((_second(at), name, labels, value) for at, name, labels, value in found), key=lambda one: one[0])


def _second(at: Any) -> float:
    if not isinstance(at, int | float) or not 0 <= at <= _LAST_SECOND:
        raise InvalidValue("The time of a scrape cannot be read", value=at, action="Correct it.")
    return float(at)


def _triples(samples: Any) -> Iterator[tuple[str, dict[str, str], float]]:
    for sample in samples if isinstance(samples, list) else ():
        match sample:
            case [str() as name, dict() as labels, int() | float() as value]:
                yield name, {str(k): str(v) for k, v in labels.items()}, float(value)


def _ranged(record: Record) -> Iterator[tuple[Any, str, dict[str, str], float]]:
    """Of the answer to a query over a range: `data.result`, each series with its values."""
    data = record.get("data")
    for series in Record(data).records("result") if isinstance(data, dict) else ():
        labels = series.get("metric")
        if not isinstance(labels, dict):
            continue
        name, others = str(labels.get("__name__", "")), {k: str(v) for k, v in labels.items() if k != "__name__"}
        for pair in series.get("values") or ():
            match pair:
                case [int() | float() as at, str() as value] if value.replace(".", "", 1).isdecimal():
                    yield at, name, others, float(value)


def _is_metrics(record: Record) -> bool:
    if isinstance(record.raw.get("samples"), list):
        return True
    data = record.get("data")
    if not isinstance(data, dict) or Record(data).get("resultType") != "matrix":
        return False
    return any(
        str((series.get("metric") or {}).get("__name__", "")).replace(":", "_") in _COUNTERS
        for series in Record(data).records("result")
        if isinstance(series.get("metric"), dict)
    )


METRICS = Export(
    name="server-metrics",
    title="vLLM, SGLang, TGI or llama.cpp, counters",
    written_after="Metrics of vLLM 0.9 to 0.16, SGLang 0.5, TGI 3, llama.cpp, 2026",
    marks=_is_metrics,
    fields={
        "started_at": "(the scrape before)",
        "ended_at": "(the scrape)",
        "labels.aggregate": "(period and groups)",
        "provider": "(the server)",
        "model_requested": "model_name",
        "calls_count": "vllm:request_success_total, tgi_request_success",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "vllm:prompt_tokens_total, tgi_request_input_length_sum",
        "cached_input_tokens": "vllm:prefix_cache_hits_total, sglang:cached_tokens_total",
        "output_tokens": "vllm:generation_tokens_total, tgi_request_generated_tokens_sum",
        "labels.server": "(the server)",
        "labels.instance": "instance",
    },
    start=_Counters,
    columns=("at", "samples", "status", "data"),
)
