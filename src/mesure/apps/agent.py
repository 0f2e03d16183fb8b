"""`mesure agent`: sensors and an inference server read on the machine that has them, without a gateway or pages."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.forwarding import Forwarder
from mesure.apps.measured import Measuring
from mesure.errors import ConfigError
from mesure.ledger import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesure.config import Settings

__all__ = ["Agent"]


class Agent:
    """Reads from `start` to `stop`. Raises `ConfigError` where nothing is declared for it, or its key is not there.

    What it measures is in a spool first: that of the data folder, which a `mesure up` there commits, or an outbox of
    its own from which it is forwarded to another Mesure.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        declared = [name for name, one in settings.deployments.items() if one.sensor and one.requests == "server"]
        if not declared:
            raise ConfigError(
                "No deployment is declared for the agent",
                action="Give one a sensor, requests = server and metrics_url: see docs/sensors.md",
                code="nothing_to_measure",
            )
        remote, data = settings.agent.remote, Path(settings.server.data)
        folder = data / ("outbox" if remote else "spool")
        key = _key(settings, environ)
        self.spool = Spool(folder, segment_bytes=int(settings.ledger.segment_mb * 1e6))
        self.measuring = Measuring(settings, self.spool, "server")
        self.forwarder = Forwarder(folder, remote, key, ca_file=settings.agent.ca_file) if remote else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._forward, name="mesure-forward", daemon=True)
        self._began_s, self._cpu_s = time.monotonic(), time.process_time()

    def start(self) -> None:
        self.measuring.start()
        self._thread.start()

    def stop(self) -> None:
        """What is settled is recorded, and sent if the other side takes it now; else it waits for the next start."""
        self.measuring.stop()
        self.spool.close()
        self._stop.set()
        self._thread.join()
        if self.forwarder is not None:
            self.forwarder.close()

    def wait(self, every_s: float, tell: Callable[[dict[str, Any]], None], until: threading.Event) -> None:
        """Tell `status` now and then, until `until` is set."""
        while not until.wait(every_s):
            tell(self.status())

    def status(self) -> dict[str, Any]:
        """What there is to say of each sensor, of what waits, and of the processor time the agent itself takes."""
        elapsed = max(time.monotonic() - self._began_s, 1e-9)
        sent = self.forwarder.state._asdict() if self.forwarder else None
        return {
            "sensors": self.measuring.to_json(),
            "written": self.spool.written,
            "not_written": self.spool.failed,
            "forwarded": sent,
            "own_cpu_share": (time.process_time() - self._cpu_s) / elapsed,
        }

    def _forward(self) -> None:
        if self.forwarder is not None:
            self.forwarder.run(self._stop)


def _key(settings: Settings, environ: Mapping[str, str]) -> str:
    name = settings.agent.key_env
    if not name:
        return ""
    if not environ.get(name):
        raise ConfigError(
            "The environment variable of agent.key_env is not set",
            value=name,
            action="Set it to a virtual key of the other Mesure: mesure keys create makes one",
        )
    return environ[name]
