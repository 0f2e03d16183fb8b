"""`run_demo`: model server, gateway and pages, then the day. Everything it starts ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mesure.apps.demo.backend import open_backend
from mesure.apps.demo.driver import Plan
from mesure.apps.demo.messages import read_messages
from mesure.apps.demo.options import DemoOptions, Step
from mesure.config import GatewaySettings, OrganisationSettings, PrivacySettings, ServerSettings, Settings
from mesure.i18n import catalog, mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesure.apps.demo.backend import Backend

__all__ = ["demo_settings", "run_demo"]

_STOP_S = 3.0


def run_demo(
    options: DemoOptions | None = None,
    *,
    say: Callable[[Step], None] | None = None,
    serve: Callable[..., None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Play the contact-centre day live, until Ctrl-C (or its end, with `stop_after`). A second run keeps the ledger.

    `say` receives each step; by default they are printed in `options.language`. Raises `DemoError` when nothing can
    answer, `ConfigError` when the port is taken.
    """
    options = options or DemoOptions()
    told = say or _printer(options.language)
    began = time.monotonic()
    from mesure.apps import listening, server

    listening.bind(options.host, options.port).close()  # said at once, not after the model has loaded
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        told(_opening(options))
        backend = stack.enter_context(
            open_backend(options, os.environ if environ is None else environ, options.data / "model-server.log")
        )
        told(_answering(backend))
        day = stack.enter_context(closing(_Day(options, backend, told)))

        def ready(url: str) -> None:
            told(Step("ready", _READY, {"url": url, "seconds": _rounded(time.monotonic() - began)}))
            day.start(f"{url}v1")

        (serve or server.serve)(
            demo_settings(options, backend),
            meters={backend.name: backend.meter} if backend.meter else {},
            notices=("demo",) if backend.local else ("demo-upstream",),
            on_ready=ready,
        )
    told(Step("stopped", _STOPPED, {"folder": str(options.data)}))


def demo_settings(options: DemoOptions, backend: Backend) -> Settings:
    """The configuration that a user would write for this provider."""
    return Settings(
        server=ServerSettings(host=options.host, port=options.port, data=str(options.data)),
        organisation=OrganisationSettings(language=options.language),
        gateway=GatewaySettings(application="contact-centre-demo"),
        privacy=PrivacySettings(label_keys=["channel", "language"]),
        providers={backend.name: replace(backend.provider, zone=options.zone)},
    )


class _Day:
    """The driver's process: started once the gateway answers, read by a thread, ended by closing its input."""

    def __init__(self, options: DemoOptions, backend: Backend, say: Callable[[Step], None]) -> None:
        self._options = options
        self._backend = backend
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self, base_url: str) -> None:
        plan = Plan(
            base_url=base_url,
            model=self._backend.target.model,
            embeddings_model=self._backend.target.embeddings_model,
            completions=self._backend.target.completions,
            pace_s=self._options.pace_s,
            days=self._options.days,
        )
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            [sys.executable, "-m", "mesure.apps.demo.driver", json.dumps(asdict(plan))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )
        count = len(read_messages())
        pace = {"count": count, "pace": _rounded(self._options.pace_s)}
        self._say(Step("playing", _PLAYING, pace))
        self._reader = threading.Thread(target=self._follow, args=(self._process,), daemon=True)
        self._reader.start()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as answer:
            line = answer.readline()
        if not line:  # ended with us
            return
        self._say(_closing(json.loads(line)))
        if self._options.stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(_STOP_S)


def _printer(language: str) -> Callable[[Step], None]:
    translator = catalog(language)

    def say(step: Step) -> None:
        sys.stdout.write(step.told(translator) + "\n")
        sys.stdout.flush()

    return say


def _rounded(value: float) -> float:
    return round(value, 1)


_OPENING = mark(
    "Mesure demonstration: a contact-centre day, real AI calls metered live. The ledger is kept in {folder}."
)
_AGAIN = mark(
    "Mesure demonstration: a contact-centre day, real AI calls metered live. {folder} already holds a ledger: "
    "the new calls are added."
)
_MODELLED = mark("Local model {model} ready in {seconds} s. The energy of its calls is modelled from its CPU time.")
_MEASURED = mark("Local model {model} ready in {seconds} s. The energy of its calls is measured by the processor.")
_UPSTREAM = mark("Calls are answered by {provider} ({model}). Energy is modelled.")
_READY = mark("Ready in {seconds} s. Open {url}")
_PLAYING = mark("Playing {count} customer messages, one every {pace} s or so. Ctrl-C stops everything.")
_DONE = mark(
    "The day is over: {calls} calls in {seconds} s ({failed} failed), {input_tokens} tokens read, "
    "{output_tokens} written. The pages stay open; Ctrl-C stops them."
)
_GAVE_UP = mark("The day stopped after {failed} failed calls. The last one: {reason}")
_STOPPED = mark("Stopped. What was recorded is kept in {folder}.")


def _opening(options: DemoOptions) -> Step:
    again = (options.data / "ledger").is_dir()
    return Step("opening", _AGAIN if again else _OPENING, {"folder": str(options.data), "again": again})


def _answering(backend: Backend) -> Step:
    if backend.meter is None:
        return Step("answering", _UPSTREAM, {"provider": backend.name, "model": backend.target.model})
    source = backend.meter.source
    values: dict[str, Any] = {
        "model": backend.target.model,
        "seconds": _rounded(backend.ready_s or 0.0),
        "sensor": source.name,
        "status": source.status,
        "why_not_measured": backend.why_not_measured,
    }
    return Step("answering", _MEASURED if source.status == "measured" else _MODELLED, values)


def _closing(summary: dict[str, Any]) -> Step:
    values = summary | {"seconds": _rounded(summary["seconds"])}
    if summary["gave_up"]:
        return Step("gave_up", _GAVE_UP, values | {"reason": summary["last_failure"]})
    return Step("done", _DONE, values)
