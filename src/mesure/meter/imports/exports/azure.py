"""Azure OpenAI: metrics of Azure Monitor by deployment, and lines of Cost Management by meter.

Written after the references of Azure Monitor (`Microsoft.CognitiveServices/accounts`) and of the cost and usage details
file, 2026. A line counts one kind of token. A meter is tokens only when its name says so, in which direction, and its
unit says how many: hours of provisioned throughput, images and training stay money.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesure.errors import InvalidValue
from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id, day_after, one_kind, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COSTS", "METRICS"]

#: Metric (folded name) -> what it counts.
_METRICS = {
    "ProcessedPromptTokens": "input",
    "InputTokens": "input",
    "GeneratedTokens": "output",
    "OutputTokens": "output",
    "AzureOpenAIRequests": "calls",
    "ModelRequests": "calls",
}
_SPAN = re.compile(r"PT?(\d{1,4})([MHD])")
_MINUTES = {"M": 1, "H": 60, "D": 1440}


def _is_metrics(record: Record) -> bool:
    if record.has("value", "timespan"):
        return any(_metric(metric) for metric in record.records("value"))
    return record.has("MetricName", "Total") and record.get("MetricName") in _METRICS


def _metric(metric: Record) -> str | None:
    found = metric.text("name.value")
    return found if found in _METRICS else None


def _metrics(record: Record) -> Iterator[Facts]:
    if record.has("MetricName", "Total"):
        yield from _metric_line(record)
        return
    interval = record.text("interval") or "PT1M"
    resource = record.text("resourceregion")
    for metric in record.records("value"):
        if (name := _metric(metric)) is None:
            continue
        for series in metric.records("timeseries"):
            said = {
                (one.text("name.value") or "").casefold(): one.text("value") for one in series.records("metadatavalues")
            }
            for point in series.records("data"):
                if total := point.number("total"):
                    yield _point(name, point.time("timeStamp"), interval, total, said) | {"host_region": resource}


def _metric_line(line: Record) -> Iterator[Facts]:
    """A line of the AzureMetrics table, as a workspace of Log Analytics exports it."""
    name = line.text("MetricName")
    if name in _METRICS and (total := line.number("Total")):
        said = {"modeldeploymentname": line.text("ModelDeploymentName"), "modelname": line.text("ModelName")}
        said["resource"] = line.text("ResourceId", "Resource")
        yield _point(name, line.time("TimeGenerated"), line.text("TimeGrain") or "PT1M", total, said)


def _point(name: str, at: str | None, interval: str, total: float, said: dict[str, str | None]) -> Facts:
    kind, count = _METRICS[name], round(total)
    deployed = said.get("modeldeploymentname")
    return {
        "started_at": at,
        "ended_at": _end(at, interval),
        "labels.aggregate": aggregate_id("azure", name, at, interval, *(value for _, value in sorted(said.items()))),
        "provider": "azure",
        "model_requested": said.get("modelname") or deployed,
        "model_answered": said.get("modelname"),
        "calls_count": count if kind == "calls" else 0,
        "tokens_reported": True,
        "labels.deployment": deployed,
        **one_kind(None if kind == "calls" else kind, count),
    }


def _end(at: str | None, interval: str) -> str | None:
    from datetime import datetime, timedelta

    found = _SPAN.fullmatch(interval)
    if at is None or found is None:
        return None
    return (datetime.fromisoformat(at) + timedelta(minutes=int(found[1]) * _MINUTES[found[2]])).isoformat()


# Cost Management

_SERVICES = re.compile(r"openai|foundry|cognitive|azure ai", re.IGNORECASE)
_INPUT = re.compile(r"(?<![a-z])(inp|inpt|input|prompt|in)(?![a-z])", re.IGNORECASE)
_OUTPUT = re.compile(r"(?<![a-z])(outp|outpt|output|opt|out|completion|cmpl|generated)(?![a-z])", re.IGNORECASE)
_CACHED = re.compile(r"(?<![a-z])(cached|cchd|cache)(?![a-z])", re.IGNORECASE)
_EMBEDDING = re.compile(r"embedding", re.IGNORECASE)
_ANYWHERE = re.compile(r"(?<![a-z])(glbl|gl|global|dz|dzone|data zone|data zn)(?![a-z])", re.IGNORECASE)
_PER = re.compile(r"(\d+(?:\.\d+)?)\s*([KM]?)(?:\s*tokens?)?", re.IGNORECASE)
_TIMES = {"": 1.0, "K": 1e3, "M": 1e6}
_REST = re.compile(r"\s*\b(1M|1K)?\s*tokens?\b.*$", re.IGNORECASE)


def _is_costs(record: Record) -> bool:
    return record.has("MeterName", "Quantity", "UnitOfMeasure") and record.has("MeterCategory")


def _costs(record: Record) -> Iterator[Facts]:
    service = f"{record.text('MeterCategory')} {record.text('MeterSubCategory')} {record.text('ServiceFamily')}"
    meter = record.text("MeterName") or ""
    if not _SERVICES.search(service):
        return  # another service of the subscription
    day = _day(record)
    direction = _direction(meter)
    tokens = None if direction is None else _tokens(record, meter)
    kept = [record.get(n) for n in ("ResourceId", "SubscriptionId", "ResourceGroup", "MeterId", "InvoiceId", "Tags")]
    yield {
        "started_at": day,
        "ended_at": day_after(day),
        "labels.aggregate": aggregate_id(
            "azure", "cost", day, meter, record.get("Quantity"), record.get("ResourceLocation"), *kept
        ),
        "provider": "azure",
        "model_requested": _model(meter) if tokens is not None else None,
        "operation": "embeddings" if _EMBEDDING.search(meter) else "chat" if tokens is not None else "other",
        "calls_count": 0,
        "tokens_reported": tokens is not None,
        "host_region": None if _ANYWHERE.search(meter) else _region(record.text("ResourceLocation")),
        "cost": record.number("CostInBillingCurrency", "Cost", "PreTaxCost"),
        "cost_currency": (record.text("BillingCurrency", "BillingCurrencyCode", "Currency") or "").upper() or None,
        "labels.meter": meter,
        **one_kind(direction if tokens is not None else None, tokens, cached=bool(_CACHED.search(meter))),
    }


def _day(record: Record) -> str | None:
    """Of the line. The file writes month first: 11/22/2026."""
    said = record.text("Date", "UsageDate", "UsageDateTime")
    if said is not None and (found := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", said)):
        return Record({"day": f"{found[3]}-{found[1]:0>2}-{found[2]:0>2}"}).time("day")
    return record.time("Date", "UsageDate", "UsageDateTime")


def _direction(meter: str) -> str | None:
    if "token" not in meter.casefold():
        return None
    if _OUTPUT.search(meter):
        return "output"
    return "input" if _INPUT.search(meter) or _EMBEDDING.search(meter) else None


def _tokens(record: Record, meter: str) -> int:
    unit = record.text("UnitOfMeasure") or ""
    found = _PER.fullmatch(unit)
    if found is None:
        raise InvalidValue(
            f"The meter {meter} counts tokens in a unit that is not known",
            value=unit,
            action="Leave the line out with --skip-bad.",
        )
    return round((record.number("Quantity") or 0.0) * float(found[1]) * _TIMES[found[2].upper()])


def _model(meter: str) -> str | None:
    """What the meter's name begins with: `gpt-4o-0806-Inp-glbl Tokens` -> gpt-4o-0806."""
    name = _REST.sub("", meter)
    starts = [found.start() for mark in (_INPUT, _OUTPUT, _CACHED, _ANYWHERE) if (found := mark.search(name))]
    return name[: min(starts, default=len(name))].strip(" -_").replace(" ", "-").casefold() or None


def _region(location: str | None) -> str | None:
    return None if location is None else location.replace(" ", "").casefold()


METRICS = Export(
    name="azure-metrics",
    title="Azure OpenAI, metrics of Azure Monitor",
    written_after="Azure Monitor metrics of Microsoft.CognitiveServices/accounts, 2026",
    marks=_is_metrics,
    fields={
        "started_at": "timeStamp",
        "ended_at": "timeStamp + interval",
        "labels.aggregate": "(period and groups)",
        "provider": "(Azure)",
        "model_requested": "ModelName / ModelDeploymentName",
        "model_answered": "ModelName",
        "calls_count": "AzureOpenAIRequests, ModelRequests",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "ProcessedPromptTokens, InputTokens",
        "output_tokens": "GeneratedTokens, OutputTokens",
        "host_region": "resourceregion",
        "labels.deployment": "ModelDeploymentName",
    },
    start=stateless(_metrics),
    columns=("value", "timespan", "interval", "resourceregion", "MetricName", "Total", "TimeGenerated", "TimeGrain"),
)

COSTS = Export(
    name="azure-costs",
    title="Azure, cost and usage details (AI services)",
    written_after="Cost Management, cost and usage details file, 2026",
    marks=_is_costs,
    fields={
        "started_at": "Date",
        "ended_at": "(a day of UTC)",
        "labels.aggregate": "(period and groups)",
        "provider": "(Azure)",
        "model_requested": "MeterName",
        "operation": "MeterName",
        "calls_count": "(not known)",
        "tokens_reported": "MeterName",
        "input_tokens": "Quantity x UnitOfMeasure",
        "cached_input_tokens": "Quantity x UnitOfMeasure",
        "output_tokens": "Quantity x UnitOfMeasure",
        "host_region": "ResourceLocation",
        "cost": "CostInBillingCurrency",
        "cost_currency": "BillingCurrency",
        "labels.meter": "MeterName",
    },
    start=stateless(_costs),
    columns=("Date", "Meter", "Quantity", "UnitOfMeasure", "ResourceLocation", "CostInBilling", "BillingCurrency"),
)
