"""Prometheus text: one family counts calls, and totals are counters, never gauges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mesure.apps.totals import GatewayTotals
    from mesure.ledger import Counters

__all__ = ["CONTENT_TYPE", "Sample", "family", "render_metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ROWS = (
    ("mesure_calls_total", "AI calls acknowledged since start.", "calls"),
    ("mesure_input_tokens_total", "Input tokens of calls that reported them, cached ones included.", "input_tokens"),
    ("mesure_output_tokens_total", "Output tokens of calls that reported them, reasoning included.", "output_tokens"),
    ("mesure_energy_wh_total", "Energy in watt-hours, middle of its interval.", "energy_wh"),
    ("mesure_gwp_gco2eq_total", "Greenhouse gases in grams CO2e, middle of their interval.", "gwp_gco2eq"),
    ("mesure_water_ml_total", "Water consumed in millilitres, where a sourced factor exists.", "water_ml"),
)


class Sample(NamedTuple):
    labels: tuple[tuple[str, str], ...]
    value: float


def render_metrics(counters: Counters, totals: GatewayTotals, merged: int) -> str:
    """The metrics page, in Prometheus' text format 0.0.4. `merged`: sightings of calls that were counted already."""
    lines: list[str] = []
    rows = counters.rows()
    for name, meaning, attribute in _ROWS:
        values = ((row.labels._asdict(), getattr(row, attribute)) for row in rows)
        samples = [Sample(tuple(labels.items()), value) for labels, value in values if value is not None]
        lines += family(name, "counter", meaning, samples)
    for name, meaning, samples in _gateway_families(totals):
        lines += family(name, "counter", meaning, samples)
    of_known = "Sightings of calls that another source had brought: acknowledged, and not counted again."
    lines += family("mesure_sightings_merged_total", "counter", of_known, [Sample((), merged)])
    in_flight = [Sample((), totals.in_flight)]
    lines += family("mesure_gateway_in_flight", "gauge", "Calls being relayed now.", in_flight)
    return "\n".join(lines) + "\n"


def _gateway_families(totals: GatewayTotals) -> Iterator[tuple[str, str, list[Sample]]]:
    yield (
        "mesure_gateway_refused_total",
        "Calls the gateway answered itself, by error code.",
        [Sample((("code", code),), count) for code, count in sorted(totals.refused.items())],
    )
    errors = [(*name.partition(" "), count) for name, count in totals.upstream_errors.items()]
    yield (
        "mesure_gateway_upstream_errors_total",
        "Errors that providers answered, by HTTP status, and answers they broke off.",
        [Sample((("provider", provider), ("kind", kind)), count) for kind, _, provider, count in sorted(errors)],
    )
    yield (
        "mesure_gateway_unmetered_total",
        "Calls of paths that are not known, which told neither a model nor tokens, by provider.",
        [Sample((("provider", provider),), count) for provider, count in sorted(totals.unmetered.items())],
    )
    plain = (
        ("mesure_gateway_departures", "Clients that left before the end.", totals.departures),
        ("mesure_gateway_metering_failures", "Metering steps that failed, calls unharmed.", totals.metering_failures),
        ("mesure_gateway_not_acknowledged", "Events the spool could not take.", totals.not_acknowledged),
        ("mesure_gateway_repeated", "Requests repeated: an idle connection had been closed.", totals.repeated),
        ("mesure_spool_written", "Events acknowledged.", totals.spool_written),
        ("mesure_spool_failed", "Events that could not be written.", totals.spool_failed),
    )
    for name, meaning, value in plain:
        yield f"{name}_total", meaning, [Sample((), value)]


def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> list[str]:
    """The lines of one family."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{inside}}} {value:.17g}" if inside else f"{name} {value:.17g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
