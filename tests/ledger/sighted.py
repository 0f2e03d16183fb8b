"""Calls as several sources see them: what is true of each, and what each source tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.ledger.engine import Engine, Slice
from mesure.ledger.pricing import Pricer
from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from mesure.ledger import Ledger

#: What a source tells beside who, when and how much; and the keys under which it names the call.
SOURCES: dict[str, dict[str, Any]] = {
    "gateway": {"source": "gateway", "route": "direct", "http_status": 200, "keys": "rt"},
    "hook": {"source": "hook", "use_case": "reply", "conversation_id": "c-1", "keys": "rt"},
    "otlp": {"source": "otlp", "application": "portal", "keys": "t"},
    "callback": {"source": "callback", "cost": 0.25, "cost_currency": "USD", "keys": "r"},
    "import": {"source": "import", "basis": "exported", "cost": 0.5, "cost_currency": "EUR", "keys": "r"},
    "sensor": {
        "source": "sensor",
        "energy_j": 90.0,
        "energy_status": "measured",
        "energy_scope": "server",
        "energy_sensor": "rapl",
        "keys": "rt",
    },
}


def sighting(number: int, source: str, **fields: Any) -> UsageEvent:
    """What `source` tells of call `number`."""
    given = {"at_s": float(number), "id": new_id()} | SOURCES[source] | fields
    keys = given.pop("keys")
    if "r" in keys:
        given["response_id"] = f"chatcmpl-{number:024d}"
    if "t" in keys:
        given |= {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
    if source == "import":
        given.setdefault("origin", f"digest:{number}")
    return make_event(number, **given)


#: Calls, each with the sources that saw it: at least one of them names it by every key, or there is but one.
_SEEN_BY = st.one_of(
    st.sampled_from(sorted(SOURCES)).map(lambda one: (one,)),
    st.tuples(st.sampled_from(["gateway", "hook", "sensor"]), st.sets(st.sampled_from(sorted(SOURCES)))).map(
        lambda pair: tuple(sorted({pair[0], *pair[1]}))
    ),
)
SEEN_CALLS = st.lists(_SEEN_BY, min_size=1, max_size=6)


def facts(event: UsageEvent) -> dict[str, Any]:
    """Everything but what depends on when it was booked, and under which id."""
    told = {k: v for k, v in event.to_json().items() if k not in ("id", "ingested_at", "sightings")}
    if event.sightings:
        members = [
            {k: v for k, v in one.items() if k not in ("id", "ingested_at")} for one in orjson.loads(event.sightings)
        ]
        told["sightings"] = members
    return told


def rows(ledger: Ledger) -> list[UsageEvent]:
    """Every row of the table, by call."""
    uris = tuple(ledger.files())
    found = Engine(Pricer({})).events(Slice(uris, 0)) if uris else []
    return sorted((event for _, event in found), key=lambda event: (event.turn or 0, event.started_at, event.id))
