"""mesure.toml, environment and flags -> `Settings`. One precedence: flag > environment > file > default."""

from __future__ import annotations

import math
import os
import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mesure.config.settings import CONFIG_VERSION, Settings
from mesure.errors import ConfigError, nearest_names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["load_settings"]

_PATH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

#: Tables whose keys are names chosen by the user.
_NAMED_TABLES = ("providers", "deployments", "sensors", "budgets", "receivers", "imports", "content", "profiles")


def load_settings(
    path: str | Path | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from a file (`mesure.toml` here if it exists), `MESURE_SECTION_NAME` variables and `section.name` flags.

    Flags that are `None` were not given. Raises `ConfigError` naming the key, its value and what it takes.
    """
    data = _read_file(path)
    for key, value in _from_environment(os.environ if environ is None else environ).items():
        _assign(data, key, value)
    for key, value in (flags or {}).items():
        if value is not None:
            _assign(data, key, value)
    settings: Settings = _build(Settings, data, "")
    _validate(settings)
    return settings


def _read_file(path: str | Path | None) -> dict[str, Any]:
    file = Path(path or "mesure.toml")
    if path is None and not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # some editors begin with a mark
    except FileNotFoundError:
        raise ConfigError(
            "The configuration file does not exist", value=str(file), action="Check the path given."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"The configuration file cannot be read: {error.strerror}",
            value=str(file),
            action="Check the path given and its permissions.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", action="Correct the file at that place.") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """MESURE_SERVER_PORT -> server.port. Variables of named tables are not read: their names cannot be told apart."""
    found = {}
    for section in fields(Settings):
        if section.name in _NAMED_TABLES or section.name == "version":
            continue
        for setting in fields(get_type_hints(Settings)[section.name]):
            if (name := f"MESURE_{section.name}_{setting.name}".upper()) in environ:
                found[f"{section.name}.{setting.name}"] = environ[name]
    return found


def _assign(data: dict[str, Any], dotted: str, value: Any) -> None:
    *tables, key = dotted.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ConfigError(f"[{table}] must be a table", action=f"Write its settings under [{table}].")
    data[key] = value


def _build(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"[{where}] must be a table", action=f"Write its settings under [{where}].")
    hints = get_type_hints(kind)
    if unknown := next((key for key in data if key not in hints), None):
        raise ConfigError(
            "This setting does not exist",
            value=f"{where}.{unknown}".lstrip("."),
            nearest=nearest_names(unknown, hints),
            action="Remove it, or see docs/configuration.md for the settings.",
        )
    by_name = {setting.name: setting for setting in fields(kind)}
    return kind(
        **{
            key: _convert(hints[key], value, f"{where}.{key}".lstrip("."), by_name[key].metadata)
            for key, value in data.items()
        }
    )


def _convert(hint: Any, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"[{where}] must be a table", action=f"Write [{where}.<name>].")
        return {name: _build(get_args(hint)[1], table, f"{where}.{name}") for name, table in value.items()}
    converted = _list(get_args(hint)[0], value) if get_origin(hint) is list else _scalar(hint, value)
    shown = "(hidden)" if metadata.get("secret") else value
    if converted is None:
        kind = _NAMES.get(hint, "a list of numbers" if hint == list[float] else "a list of texts")
        raise ConfigError(f"{where} must be {kind}", value=shown, action="Correct its value.")
    if metadata.get("choices") and converted not in metadata["choices"]:
        allowed = ", ".join(metadata["choices"])
        raise ConfigError(f"{where} must be one of: {allowed}", value=shown, action="Correct its value.")
    if isinstance(converted, int | float) and not metadata.get("least", 0.0) <= converted < math.inf:
        least = f"{metadata['least']:g}"
        raise ConfigError(
            f"{where} must be a finite number, at least {least}", value=shown, action="Correct its value."
        )
    return converted


def _list(hint: Any, value: Any) -> list[Any] | None:
    """A list of texts or of numbers; from the environment, between commas."""
    items = value.split(",") if isinstance(value, str) else value
    if hint is float:
        numbers = [_scalar(float, item) for item in items] if isinstance(items, list) else [None]
        return None if None in numbers else numbers
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return [item.strip() for item in items if item.strip()]
    return None


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _scalar(hint: Any, value: Any) -> Any:
    """The value as `hint`, or None. Text comes from the environment, and may then stand for any type."""
    if isinstance(value, str):
        if hint is bool:
            return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
        try:
            return hint(value)
        except ValueError:
            return None
    if isinstance(value, bool) or hint is bool:
        return value if hint is bool and isinstance(value, bool) else None
    if isinstance(value, int) and hint is float:
        return float(value) if abs(value) < 2**63 else None
    return value if isinstance(value, hint) else None


def _validate(settings: Settings) -> None:
    if settings.version != CONFIG_VERSION:
        raise ConfigError(
            f"This Mesure reads configuration version {CONFIG_VERSION}",
            value=settings.version,
            action="Upgrade Mesure, or rewrite the file for this version.",
        )
    try:
        ZoneInfo(settings.organisation.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            "organisation.timezone is not a time zone",
            value=settings.organisation.timezone,
            action="Use a name such as Europe/Paris.",
        ) from None
    for name, port in (("server.port", settings.server.port), ("otlp.grpc_port", settings.otlp.grpc_port)):
        if not 0 <= port <= 65535:
            raise ConfigError(f"{name} must lie between 0 and 65535", value=port, action="Choose a free port.")
    if settings.state.url and not settings.state.url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(
            "state.url must be the address of a PostgreSQL database",
            action="Write it as postgresql://user@host/database, or leave it empty for SQLite.",
        )
    _validate_providers(settings)
    _validate_sensors(settings)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _validate_providers(settings: Settings) -> None:
    for name, provider in settings.providers.items():
        if not _PATH_NAME.fullmatch(name):
            raise ConfigError(
                "A provider's name is part of its path /providers/<name>/",
                value=name,
                action="Use letters, digits, dot, dash and underscore only.",
            )
        if not _is_address(provider.base_url):
            raise ConfigError(
                f"providers.{name}.base_url must be an http or https address",
                value=provider.base_url,
                action="Give the provider's address, with /v1 if it has one.",
            )
        if provider.deployment and provider.deployment not in settings.deployments:
            raise ConfigError(
                f"providers.{name}.deployment names no [deployments] table",
                value=provider.deployment,
                nearest=nearest_names(provider.deployment, settings.deployments),
                action=f"Add [deployments.{provider.deployment}].",
            )
    defaults = [name for name, provider in settings.providers.items() if provider.default]
    if len(defaults) > 1:
        raise ConfigError(
            "Only one provider can serve the bare /v1/ paths",
            value=", ".join(defaults),
            action="Keep `default = true` on one of them.",
        )


def _validate_sensors(settings: Settings) -> None:
    for name, sensor in settings.sensors.items():
        if not sensor.kind:
            raise ConfigError(f"sensors.{name} has no kind", action="Say what it reads: see docs/sensors.md.")
        if sensor.kind in ("prometheus", "redfish") and not _is_address(sensor.url):
            raise ConfigError(
                f"sensors.{name}.url must be an http or https address",
                value=sensor.url,
                action="Give the address of what publishes the readings.",
            )
        if wrong := next((label for label in sensor.labels if not re.fullmatch(r"[A-Za-z_]\w*=.*", label)), None):
            raise ConfigError(f"sensors.{name}.labels holds no label", value=wrong, action="Write name=value.")
    for name, deployment in settings.deployments.items():
        if deployment.sensor and deployment.sensor not in settings.sensors:
            raise ConfigError(
                f"deployments.{name}.sensor names no [sensors] table",
                value=deployment.sensor,
                nearest=nearest_names(deployment.sensor, settings.sensors),
                action=f"Add [sensors.{deployment.sensor}].",
            )
        if deployment.sensor and deployment.requests == "gateway" and settings.server.workers > 1:
            raise ConfigError(
                f"deployments.{name} is measured, and its calls must then pass through one process",
                value=f"server.workers = {settings.server.workers}",
                action="Keep server.workers = 1, or say requests = server.",
            )
        if deployment.sensor and deployment.requests == "server" and not _is_address(deployment.metrics_url):
            raise ConfigError(
                f"deployments.{name}.metrics_url must be an http or https address",
                value=deployment.metrics_url,
                action="Give the address of the inference server's metrics, or say requests = gateway.",
            )
    if settings.agent.remote and not _is_address(settings.agent.remote):
        raise ConfigError(
            "agent.remote must be an http or https address",
            value=settings.agent.remote,
            action="Give the address of the other Mesure, or leave it out.",
        )
