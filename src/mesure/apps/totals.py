"""What the gateway counts beside calls: of one process, or of several together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesure.apps.gateway import Gateway
    from mesure.ledger import Spool

__all__ = ["GatewayTotals"]


@dataclass(slots=True)
class GatewayTotals:
    """What one process that relays calls counted since it started, or several: they add up."""

    in_flight: int = 0
    departures: int = 0
    metering_failures: int = 0
    not_acknowledged: int = 0
    repeated: int = 0
    spool_written: int = 0
    spool_failed: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by code
    upstream_errors: Counter[str] = field(default_factory=Counter)  # by "kind provider"
    unmetered: Counter[str] = field(default_factory=Counter)  # by provider

    @classmethod
    def of(cls, gateway: Gateway, spool: Spool) -> GatewayTotals:
        return cls(
            gateway.in_flight,
            gateway.departures,
            gateway.metering_failures,
            gateway.not_acknowledged,
            gateway.upstreams.repeated,
            spool.written,
            spool.failed,
            Counter(gateway.refused),
            Counter({f"{kind} {provider}": count for (provider, kind), count in gateway.upstream_errors.items()}),
            Counter(gateway.metering.unmetered),
        )

    def to_json(self) -> dict[str, Any]:
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in values}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GatewayTotals:
        values: dict[str, Any] = {}
        for name, value in data.items():
            values[name] = Counter(value) if isinstance(value, dict) else value
        return cls(**values)

    def __add__(self, other: GatewayTotals) -> GatewayTotals:
        return GatewayTotals(*[getattr(self, name) + getattr(other, name) for name in self.__slots__])

    def ended(self) -> GatewayTotals:
        """Of a process that is gone: what it counted stays, what it held does not."""
        return replace(self, in_flight=0)
