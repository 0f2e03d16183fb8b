"""From an event to the coefficients of what served it: the few facts they depend on, resolved once each."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from mesure.impact import Deployment, impacts_of, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.config import DeploymentSettings
    from mesure.impact import Coefficients, Impacts
    from mesure.record import UsageEvent

__all__ = ["KEY_COLUMNS", "Key", "Pricer", "key_of"]


class Key(NamedTuple):
    """What coefficients depend on; empty text where unknown. `day` is the UTC day, as factors are dated."""

    provider: str
    model_answered: str
    model_requested: str
    host_zone: str
    host_region: str
    deployment: str
    day: date


#: Columns of the table that make a key, beside the day.
KEY_COLUMNS = Key._fields[:-1]


def key_of(event: UsageEvent) -> Key:
    return Key(
        event.provider or "",
        event.model_answered or "",
        event.model_requested or "",
        event.host_zone or "",
        event.host_region or "",
        event.deployment or "",
        event.started_at.astimezone(UTC).date(),
    )


class Pricer:
    """Resolves each key once. An unknown model gets the flagged wide default: nothing is left without an estimate."""

    def __init__(self, deployments: Mapping[str, DeploymentSettings]) -> None:
        self._deployments = {name: _as_deployment(stated) for name, stated in deployments.items()}
        self._resolved: dict[Key, Coefficients] = {}

    def coefficients(self, key: Key) -> Coefficients:
        """The answered model where the catalogue knows it, else the requested one where it does, else the default."""
        found = self._resolved.get(key)
        if found is None:
            found = self._resolve(key, key.model_answered or key.model_requested)
            if not found.known and key.model_requested and key.model_answered:
                requested = self._resolve(key, key.model_requested)
                found = requested if requested.known else found
            self._resolved[key] = found
        return found

    def impacts(self, event: UsageEvent) -> Impacts:
        return impacts_of(event, self.coefficients(key_of(event)))

    def _resolve(self, key: Key, model: str) -> Coefficients:
        return resolve(
            model,
            provider=key.provider or None,
            zone=key.host_zone or None,
            at=datetime(key.day.year, key.day.month, key.day.day, tzinfo=UTC),
            deployment=self._deployments.get(key.deployment),
        )


def _as_deployment(stated: DeploymentSettings) -> Deployment:
    return Deployment(
        gpu=stated.gpu or None,
        n_gpus=stated.n_gpus or None,
        precision=stated.precision or None,
        batch=stated.batch or None,
        framework=stated.framework or None,
    )
