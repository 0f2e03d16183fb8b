"""`mesure.instrument()`: the instrumentors that are installed, and what becomes of the spans they end."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mesure.apps.sdk.delivery import delivery_to

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from mesure.apps.sdk.delivery import Delivery

__all__ = ["Instrumentation", "instrument"]

log = logging.getLogger("mesure.sdk")

_NEEDED = ("opentelemetry.sdk", "opentelemetry.instrumentation", "orjson")
_INSTALL = "pip install 'mesure[instrument]'"
_EXAMPLES = "opentelemetry-instrumentation-openai or openinference-instrumentation-openai"
_current: Instrumentation | None = None


class Instrumentation:
    """What `instrument()` did: `active` instrumentors by client, `skipped` ones with the reason, `exporters` that got
    impacts, `why` when nothing is metered. Counters: `taken` (calls), `sent` (acknowledged), `lost` (neither)."""

    def __init__(self) -> None:
        self.active: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.exporters = 0
        self.why: str | None = None
        self._delivery: Delivery | None = None

    def __repr__(self) -> str:
        if self.why:
            return f"<mesure: nothing is metered. {self.why}>"
        return f"<mesure: {', '.join(self.active)}; {self.taken} calls, {self.sent} acknowledged, {self.lost} lost>"

    @property
    def taken(self) -> int:
        return self._delivery.flow.taken if self._delivery else 0

    @property
    def sent(self) -> int:
        return self._delivery.flow.sent if self._delivery else 0

    @property
    def lost(self) -> int:
        return self._delivery.lost if self._delivery else 0

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what ended so far is sent; False when it was not in time."""
        return self._delivery is None or self._delivery.box.flush(seconds)


def instrument(
    *,
    to: str | Path | None = None,
    key: str | None = None,
    team: str | None = None,
    use_case: str | None = None,
    application: str | None = None,
    environment: str | None = None,
    only: Collection[str] | None = None,
    tracer_provider: Any = None,
    queue: int = 10_000,
) -> Instrumentation:
    """Meter the calls of this process' AI clients, through the OpenTelemetry or OpenInference instrumentors installed.

    `to`: address of a Mesure or a data folder (`MESURE_URL`, else `mesure-data`); `key`: a virtual key for the address
    (`MESURE_KEY`). `only`: names of clients or of instrumentors' modules. A call costs its instrumentor, and the moving
    of one span into a queue of `queue` places; figures are made by a thread. Spans of batch exporters that are set up
    already get the impacts as attributes; counters go to the global meter provider. Never raises: what is in the way
    is said in the log and in `why`. Called again, it returns what it did.
    """
    global _current
    if _current is not None and _current.why is None:
        return _current
    done = Instrumentation()
    about = {
        "mesure.team": team,
        "mesure.use_case": use_case,
        "service.name": application,
        "deployment.environment.name": environment,
    }
    try:
        if _ready(done, only):
            given = {name: value for name, value in about.items() if value}
            done._delivery = delivery_to(to, key=key, resource=given, most=queue)
            _switch_on(done, done._delivery, only, tracer_provider)
    except Exception as error:  # noqa: BLE001  (an application starts whatever its meter does)
        done.why = f"{type(error).__name__}: {error}"
    if done.why:
        log.warning("Nothing is metered. %s", done.why)
    _current = done
    return done


def _ready(done: Instrumentation, only: Collection[str] | None) -> bool:
    if missing := [name for name in _NEEDED if not _present(name)]:
        done.why = f"{', '.join(missing)} is not installed: {_INSTALL}"
        return False
    from mesure.apps.sdk.instrumentors import find

    if not find(only):
        done.why = f"No instrumentor of an AI client is installed: for instance {_EXAMPLES}"
    return done.why is None


def _switch_on(done: Instrumentation, delivery: Delivery, only: Collection[str] | None, tracer_provider: Any) -> None:
    from mesure.apps.sdk.impact_exporter import wrap_exporters
    from mesure.apps.sdk.instrumentors import activate, find
    from mesure.apps.sdk.spans import SpanTaker

    provider, own = _tracer_provider(tracer_provider)
    provider.add_span_processor(SpanTaker(delivery.box))
    done.exporters = wrap_exporters(provider, lambda: delivery.flow.pricing)
    for one in find(only):
        reason = activate(one, provider, with_texts=not own)
        (done.skipped if reason else done.active)[one.client] = reason or one.module
    if not done.active:
        done.why = "No instrumentor could be switched on: " + "; ".join(f"{n}: {r}" for n, r in done.skipped.items())


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _tracer_provider(given: Any) -> tuple[Any, bool]:
    """The application's provider; one of our own, which exports nothing, where it has none."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = given or trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        return provider, False
    return TracerProvider(shutdown_on_exit=False), True
