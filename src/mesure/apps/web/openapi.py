"""The description of our own API (OpenAPI 3.1), served at `/api/openapi.json`; tests hold every answer against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.apps.web.explore.query import MEASURES, PERIODS, RANGES, SORTS, VIEWS
from mesure.ledger import DIMENSIONS
from mesure.quantity import Status
from mesure.record import CHOICES
from mesure.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["openapi_document"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def openapi_document() -> Schema:
    """The document as plain values. A path that takes parameters of a reader states each of them."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mesure",
            "version": __version__,
            "description": "What the pages show, for programs: values with interval, unit, status, sources, versions.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _PATHS,
        "components": {"schemas": _SCHEMAS},
    }


def _object(properties: dict[str, Schema], **more: Any) -> Schema:
    """An object that has each of these members, and no other."""
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False} | more


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_QUANTITY = _object(
    {
        "low": _NUMBER | {"description": "5th percentile"},
        "mid": _NUMBER | {"description": "50th percentile"},
        "high": _NUMBER | {"description": "95th percentile"},
        "unit": _TEXT,
        "status": {"enum": [status.value for status in Status]},
        "sources": _list(_TEXT) | {"description": "Ids of factors, each of them in `factors`, and names of sensors."},
    }
)
_FACTOR = _object(
    {
        "id": _TEXT,
        "value": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "unit": _TEXT,
        "source": _TEXT,
        "source_url": _TEXT,
        "year": {"type": "integer"},
        "licence": _TEXT,
        "status": {"enum": ["published", "estimated", "assumed"]},
        "note": _TEXT,
        "name": _TEXT | {"description": "Of a sensor's factor: the processor it is about."},
    }
)
_FACTOR["required"].remove("name")
_WINDOW = _object(
    {
        "since": _TIME,
        "until": _TIME,
        "calls": _COUNT,
        "events": _COUNT,
        "tokens": _COUNT,
        "coverage": _or_null(_NUMBER | {"description": "Share of tokens priced by a known model."}),
        "energy_wh": _or_null(_named("Quantity")),
        "gwp_gco2eq": _or_null(_named("Quantity")),
    }
)
_UNSEEN = _object(
    {
        "calls": _COUNT,
        "tokens": _COUNT,
        "energy_wh": _named("Quantity"),
        "gwp_gco2eq": _or_null(_named("Quantity")),
    }
)
_RECONCILED = _object(
    {
        "since": _TIME,
        "until": _TIME,
        "several": _COUNT | {"description": "Calls that several sources saw, each counted once."},
        "unseen": _or_null(_named("Unseen")),
        "declared": _or_null(_named("Unseen")),
        "beyond_calls": _COUNT | {"description": "Calls seen, and in no export: nothing is taken away for them."},
        "rows": _list(
            _object(
                {
                    "provider": _or_null(_TEXT),
                    "model": _or_null(_TEXT),
                    "declared": _FLAG,
                    "reported_calls": _COUNT,
                    "seen_calls": _COUNT,
                    "reported_tokens": _COUNT,
                    "seen_tokens": _COUNT,
                    "unseen": _or_null(_named("Unseen")),
                    "beyond_calls": _COUNT,
                }
            )
        ),
    }
)
_MODEL = _object(
    {
        "provider": _or_null(_TEXT),
        "model": _or_null(_TEXT),
        "known": _FLAG,
        "calls": _COUNT,
        "energy_wh": _named("Quantity"),
        "gwp_gco2eq": _or_null(_named("Quantity")),
    }
)
_CALL = _object(
    {
        "id": _TEXT,
        "started_at": _TIME,
        "team": _or_null(_TEXT),
        "use_case": _or_null(_TEXT),
        "provider": _or_null(_TEXT),
        "model": _or_null(_TEXT),
        "known": _FLAG,
        "route": _or_null(_TEXT),
        "input_tokens": _or_null(_COUNT),
        "cached_input_tokens": _or_null(_COUNT),
        "output_tokens": _or_null(_COUNT),
        "energy_wh": _named("Quantity"),
        "gwp_gco2eq": _or_null(_named("Quantity")),
        "status": {"enum": list(CHOICES["status"])},
        "environment": {"enum": list(CHOICES["environment"])},
    }
)
_OVERVIEW = _object(
    {
        "now": _TIME,
        "versions": _object({"method": _TEXT, "catalogue": _TEXT, "ledger": {"type": "integer"}}),
        "month": _named("Window"),
        "previous": _named("Window"),
        "today": _named("Window"),
        "power_w": _named("Quantity"),
        "calls_per_minute": _NUMBER,
        "power_series": _list(
            _object({"at": _TIME, "low": _NUMBER, "mid": _NUMBER, "high": _NUMBER, "unit": {"const": "W"}})
        ),
        "models": _list(_named("Model")),
        "last_calls": _list(_named("Call")),
        "statuses": {"type": "object", "additionalProperties": _COUNT},
        "reconciled": _or_null(_named("Reconciled")),
        "factors": _list(_named("Factor")),
        "factors_missing": _list(_TEXT),
    }
)
_TOTAL = {
    "calls": _COUNT,
    "counted_calls": _COUNT | {"description": "Those whose amount is known, and is in `amount`."},
    "events": _COUNT,
    "tokens": _COUNT,
    "coverage": _or_null(_NUMBER | {"description": "Share of tokens priced by a known model."}),
    "amount": _or_null(_named("Quantity")),
    "energy_wh": _or_null(_named("Quantity")),
}
_CHANGE = _or_null(_named("Quantity")) | {"description": "Over the period before, unit 1."}
_EXPLORED = _object(
    {
        "query": _object(
            {
                "range": {"enum": list(RANGES)},
                "measure": {"enum": list(MEASURES)},
                "by": _or_null({"enum": list(DIMENSIONS)}),
                "where": {"type": "object", "additionalProperties": _or_null(_TEXT)},
                "show": {"enum": list(VIEWS)},
                "sort": {"enum": list(SORTS)},
                "text": _TEXT | {"description": "The query, written in its canonical way."},
            }
        ),
        "since": _TIME,
        "until": _TIME,
        "per": {"enum": list(PERIODS)},
        "compared_with": _object({"since": _TIME, "until": _TIME}),
        "measure": _TEXT,
        "unit": _TEXT,
        "total": _named("Total"),
        "previous": _named("Total"),
        "change": _CHANGE,
        "groups": _list(_object({"name": _or_null(_TEXT), **_TOTAL, "share": _or_null(_NUMBER), "change": _CHANGE})),
        "periods": _list(
            _object(
                {
                    "since": _TIME,
                    "until": _TIME,
                    **_TOTAL,
                    "groups": _list(_object({"name": _or_null(_TEXT), **_TOTAL})),
                }
            )
        ),
        "calls": _list(_named("Call")),
        "after": _or_null(_TEXT | {"description": "The `after` that lists the calls before these; null at the end."}),
        "calls_by_currency": {"type": "object", "additionalProperties": _COUNT},
        "versions": _object({"method": _TEXT, "catalogue": _TEXT}),
        "factors": _list(_named("Factor")),
        "factors_missing": _list(_TEXT),
        "prices": _list({"type": "object"}),
    }
)
for _table in ("groups", "periods", "calls", "after"):  # those of the table in view
    _EXPLORED["required"].remove(_table)
_ERROR = _object(
    {
        "error": _object(
            {
                "code": _TEXT | {"description": "Stable: may be matched."},
                "what": _TEXT,
                "value": {"type": ["string", "number", "boolean", "null"]},
                "action": _TEXT,
                "nearest": _list(_TEXT),
            }
        )
    }
)
_SCHEMAS: dict[str, Schema] = {
    "Quantity": _QUANTITY,
    "Factor": _FACTOR,
    "Window": _WINDOW,
    "Unseen": _UNSEEN,
    "Reconciled": _RECONCILED,
    "Model": _MODEL,
    "Call": _CALL,
    "Overview": _OVERVIEW,
    "Total": _object(_TOTAL),
    "Explored": _EXPLORED,
    "Error": _ERROR,
    "Health": {"type": "object", "properties": {"ok": _FLAG}, "required": ["ok"]},
    "Rpc": _object({"code": {"type": "integer"}, "message": _TEXT}),
}


def _answer(what: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": what, "content": {media_type: {"schema": schema}}}


def _get(summary: str, answers: dict[str, Schema], parameters: Sequence[Schema] = ()) -> Schema:
    asked = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"summary": summary, **asked, "responses": answers}}


def _parameter(name: str, schema: Schema, what: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": what, "schema": schema}


_OF_EXPLORE = (
    _parameter("range", {"enum": list(RANGES[:-1])}, "The period; month when left out."),
    _parameter("from", {"type": "string", "format": "date"}, "First day of a period of one's own."),
    _parameter("to", {"type": "string", "format": "date"}, "Its last day."),
    _parameter("per", {"enum": list(PERIODS)}, "Parts of the period."),
    _parameter("measure", {"enum": list(MEASURES)}, "What is measured; energy when left out."),
    _parameter("by", {"enum": list(DIMENSIONS)}, "What calls are split by; the next level down when left out."),
    *(_parameter(name, _TEXT, "Only calls with this value; empty for those without one.") for name in DIMENSIONS),
    _parameter("show", {"enum": list(VIEWS)}, "The table wanted."),
    _parameter("sort", {"enum": list(SORTS)}, "Order of the groups."),
    _parameter("page", {"type": "integer", "minimum": 1}, "Of the page alone: programs get every row."),
    _parameter("after", _TEXT, "Where the list of calls goes on."),
)
_REFUSED = _answer("A parameter cannot be read: which, and what to write.", _named("Error"))


_UNREADABLE = _answer("The ledger cannot be read now: what happened, and what to do.", _named("Error"))


def _otlp(signal: str, member: str) -> Schema:
    """One signal of OTLP over HTTP, in JSON; protobuf is taken at the same address."""
    refused = {
        status: _answer(what, _named("Rpc"))
        for status, what in (
            ("400", "No OTLP message."),
            ("401", "A virtual key is required."),
            ("403", "Not under this name, or not from a page of another origin."),
            ("413", "Larger than otlp.max_body_mb."),
            ("415", "Another content type or encoding."),
            ("429", "Come back later."),
            ("503", "Nothing could be written: come back later."),
        )
    }
    done = _answer("Written. What could not be taken is counted in `partialSuccess`.", {"type": "object"})
    body = {"type": "object", "properties": {member: {"type": "array"}}}
    return {
        "post": {
            "summary": f"OpenTelemetry {signal}: calls of GenAI instrumentations",
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"200": done} | refused,
        }
    }


_SENSOR = _object(
    {
        "name": _TEXT | {"description": "As in mesure.toml."},
        "sensor": _or_null(_TEXT),
        "kind": {"enum": ["counter", "power", "model", None]},
        "scope": {"enum": [*CHOICES["energy_scope"]]},
        "status": {"enum": [*CHOICES["energy_status"]]},
        "deployments": _list(_TEXT),
        "watts": _or_null(_NUMBER | {"description": "Now."}),
        "idle_w": _or_null(_NUMBER | {"description": "While nothing is in flight, where known."}),
        "idle_share": _or_null(_NUMBER | {"description": "Of the joules settled since start, those no call explains."}),
        "energy_j": _or_null(_NUMBER | {"description": "Settled since start."}),
        "missing_s": _or_null(_NUMBER),
        "silent_devices": _or_null(_COUNT),
        "faults": _or_null({"type": "object", "additionalProperties": _COUNT}),
        "error_low": _or_null(_NUMBER | {"description": "True energy over the one read, at least."}),
        "error_high": _or_null(_NUMBER),
        "error_factor": _or_null(_TEXT),
        "why_absent": _or_null(_TEXT),
    }
)
_EVENTS: Schema = {
    "post": {
        "summary": "What an agent measured elsewhere: an event of JSON on each line",
        "requestBody": {"required": True, "content": {"text/plain": {"schema": _TEXT}}},
        "responses": {
            "200": _answer(
                "Written. Lines that are no event are counted.",
                _object({"booked": _COUNT, "rejected": _COUNT, "why": _TEXT}),
            )
        }
        | {
            status: _answer(what, {"type": "object"})
            for status, what in (
                ("401", "A virtual key is required."),
                ("403", "Not under this name, or not from a page of another origin."),
                ("413", "Larger than 8 MB."),
                ("429", "Come back later."),
                ("503", "Nothing could be written: come back later."),
            )
        },
    }
}

_PATHS: dict[str, Schema] = {
    "/api/overview": _get(
        "What `Now` shows", {"200": _answer("Figures of now.", _named("Overview")), "503": _UNREADABLE}
    ),
    "/api/explore": _get(
        "What `Explore` shows, every row of its table",
        {"200": _answer("A cut of the ledger.", _named("Explored")), "400": _REFUSED, "503": _UNREADABLE},
        _OF_EXPLORE,
    ),
    "/api/explore.csv": _get(
        "The same table as CSV",
        {"200": _answer("One row a line.", _TEXT, "text/csv"), "400": _REFUSED, "503": _UNREADABLE},
        _OF_EXPLORE,
    ),
    "/api/openapi.json": _get("This document", {"200": _answer("OpenAPI 3.1.", {"type": "object"})}),
    "/api/sensors": _get(
        "Sensors of measured deployments", {"200": _answer("Readings.", _object({"sensors": _list(_SENSOR)}))}
    ),
    "/healthz": _get("The process answers", {"200": _answer("It does.", _named("Health"))}),
    "/readyz": _get(
        "It can do its work",
        {"200": _answer("It can.", _named("Health")), "503": _answer("It cannot now.", _named("Health"))},
    ),
    "/metrics": _get("Counters, for Prometheus", {"200": _answer("Text format 0.0.4.", _TEXT, "text/plain")}),
    "/intake/events": _EVENTS,
    "/otlp/v1/traces": _otlp("traces", "resourceSpans"),
    "/otlp/v1/metrics": _otlp("metrics", "resourceMetrics"),
    "/otlp/v1/logs": _otlp("logs", "resourceLogs"),
}
