"""What methods read of traffic: who served calls and where, and amounts that add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mesure.impact import formulas
from mesure.impact.deployment import Deployment
from mesure.impact.place import stated_zone
from mesure.quantity import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from mesure.record import UsageEvent

__all__ = ["TEXT", "Amounts", "Call", "Traffic", "amounts_of", "call_of", "traffic_of"]

#: Operations that answer in text: the queries that published figures speak of.
TEXT = ("chat", "completion", "translation", "classification", "other")


class Call(NamedTuple):
    """Who served calls, where and when. `models`: names in the order to try; None is unknown."""

    models: tuple[str, ...]
    provider: str | None = None
    zone: str | None = None
    at: date | None = None
    deployment: Deployment = Deployment()
    region: str | None = None

    @property
    def stated_zone(self) -> str | None:
        """The zone stated, else that of the cloud region stated."""
        return stated_zone(self.provider, self.zone, self.region)


@dataclass(slots=True)
class Amounts:
    """Sums over calls alike: same `basis`, operation and origin of energy. Tokens nobody counted are not in the sums:
    `basis` says that they are missing."""

    basis: int = 0
    operation: str = "chat"
    measured: Status | None = None
    events: int = 0
    calls: int = 0
    input_tokens: float = 0.0
    cached_tokens: float = 0.0
    output_tokens: float = 0.0
    features: dict[str, float] = field(default_factory=dict)

    @property
    def output_known(self) -> bool:
        """Where the energy was measured, what is unknown is not kept: an output of 0 counts as unknown there."""
        if self.basis >= formulas.ACCELERATOR:
            return self.output_tokens > 0.0
        return not self.basis & formulas.OUTPUT

    def add(self, other: Amounts) -> None:
        """Raises nothing: whoever calls adds amounts of the same kind."""
        self.events += other.events
        self.calls += other.calls
        self.input_tokens += other.input_tokens
        self.cached_tokens += other.cached_tokens
        self.output_tokens += other.output_tokens
        for name, value in other.features.items():
            self.features[name] = self.features.get(name, 0.0) + value


class Kind(NamedTuple):
    """What amounts that add up have in common."""

    call: Call
    basis: int
    operation: str
    measured: Status | None


class Traffic:
    """Sums of calls by who served them. As large as there are kinds of calls, however many calls."""

    def __init__(self) -> None:
        self._sums: dict[Kind, Amounts] = {}

    def add(self, call: Call, amounts: Amounts) -> None:
        kind = Kind(call, amounts.basis, amounts.operation, amounts.measured)
        held = self._sums.get(kind)
        if held is None:
            held = self._sums[kind] = Amounts(*kind[1:])
        held.add(amounts)

    def __iter__(self) -> Iterator[tuple[Call, Amounts]]:
        return ((kind.call, amounts) for kind, amounts in self._sums.items())

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def events(self) -> int:
        return sum(amounts.events for amounts in self._sums.values())

    @property
    def calls(self) -> int:
        return sum(amounts.calls for amounts in self._sums.values())


def call_of(event: UsageEvent, deployment: Deployment | None = None) -> Call:
    """Who served an event; the day is that of its month, as in the ledger."""
    models = tuple(dict.fromkeys(name for name in (event.model_answered, event.model_requested) if name))
    month = event.started_at.date().replace(day=1)
    return Call(models, event.provider, event.host_zone, month, deployment or Deployment(), event.host_region)


def amounts_of(event: UsageEvent) -> Amounts:
    """The amounts of one event, or aggregate."""
    columns = formulas.event_columns({name: getattr(event, name) for name in formulas.FACTS})
    measured = None
    if event.energy_j is not None:
        measured = Status.MEASURED if event.energy_status == "measured" else Status.MODELLED
    return Amounts(
        basis=formulas.basis_of(columns),
        operation=event.operation,
        measured=measured,
        events=1,
        calls=event.calls_count,
        input_tokens=event.input_tokens or 0.0,
        cached_tokens=event.cached_input_tokens or 0.0,
        output_tokens=event.output_tokens or 0.0,
        features={name: value for name, value in columns.items() if name != "basis"},
    )


def traffic_of(events: Iterable[UsageEvent]) -> Traffic:
    """Events summed as they come; none is kept."""
    traffic = Traffic()
    for event in events:
        traffic.add(call_of(event), amounts_of(event))
    return traffic
