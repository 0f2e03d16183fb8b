"""Who a call was made for, from names of attributes that an organisation chooses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mesure.errors import ConfigError
from mesure.meter.otlp.conventions import ENVIRONMENT, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mesure.meter.otlp.records import Attributes

__all__ = ["Attribution", "environment_named"]

log = logging.getLogger("mesure.otlp")

_WORDS = {
    "production": ("prod", "production", "prd", "live"),
    "test": ("test", "testing", "staging", "stage", "qa", "ci", "preprod", "pre-production", "integration", "uat"),
    "experiment": ("dev", "development", "experiment", "sandbox", "local", "demo"),
}
_ENVIRONMENTS = {word: name for name, words in _WORDS.items() for word in words}
_UNNAMED = "unknown_service"


def environment_named(word: str | None) -> str | None:
    """The environment that a usual word for one stands for, None for any other word."""
    return _ENVIRONMENTS.get(word.strip().casefold()) if word else None


class Attribution:
    """`names`: attributes by the field they fill, asked of the span first, then of its resource. A user leaves as a
    pseudonym. `fixed`: fields of every call that nothing else says."""

    __slots__ = ("_fixed", "_names", "_pseudonym", "_told")

    def __init__(
        self, names: Mapping[str, Sequence[str]], pseudonym: Callable[[str], str], fixed: Mapping[str, Any]
    ) -> None:
        self._names = {field: tuple(given) for field, given in names.items()}
        self._pseudonym = pseudonym
        self._fixed = dict(fixed)
        self._told = False

    @property
    def attributes(self) -> set[str]:
        """Every name that is asked for."""
        return {name for names in self._names.values() for name in names} | {"service.name", *ENVIRONMENT}

    def fields(self, attributes: Attributes, resource: Attributes) -> dict[str, Any]:
        found = dict(self._fixed)
        for field, names in self._names.items():
            if (value := text(attributes, names) or text(resource, names)) is not None:
                found[field] = value if field != "user" else self.named(value)
        service = text(resource, ("service.name",))
        if service and not service.startswith(_UNNAMED):
            found["application"] = service
        if environment := environment_named(text(attributes, ENVIRONMENT) or text(resource, ENVIRONMENT)):
            found["environment"] = environment
        return found

    def named(self, person: str) -> str | None:
        """Nobody, where the key of pseudonyms cannot be used: a call is taken all the same."""
        try:
            return self._pseudonym(person)
        except ConfigError as error:
            if not self._told:
                log.warning("Calls of telemetry are kept without their user. %s", error)
            self._told = True
            return None
