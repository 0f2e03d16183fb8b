"""`mesure agent`: what a machine's sensors read, recorded there or sent to another Mesure."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.agent import Agent
    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings

__all__ = ["command"]

_TELL_EVERY_S = 60.0


@click.command(
    cls=Command,
    name="agent",
    help=mark("Measure the deployments of this machine, and record it or send it to another Mesure, until Ctrl-C."),
)
@config_option
@data_option
@spoken_options
@click.pass_obj
def command(voice: Voice, /, config: str | None, data: str | None) -> None:
    from mesure.apps.agent import Agent
    from mesure.config import load_settings

    settings = load_settings(config, flags={"server.data": data})
    agent = Agent(settings)
    announce(voice, settings, agent)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    agent.start()
    try:
        agent.wait(_TELL_EVERY_S, lambda status: tell(voice, status), stop)
    finally:
        agent.stop()
    tell(voice, agent.status())
    voice.note(voice.t("Stopped."))


def announce(voice: Voice, settings: Settings, agent: Agent) -> None:
    """Each sensor and why one is absent, then where what is measured goes."""
    from mesure.apps.cli.sensors import say_table, sensor_json
    from mesure.meter.sensors import Found

    found = [Found(name, meter.sensor) for name, meter in agent.measuring.meters.items()]
    found += [Found(unread.name, None, unread.why) for unread in agent.measuring.unread]
    voice.emit(
        {"sensors": [sensor_json(voice, one, {}) for one in found], "remote": settings.agent.remote or None},
        indent=None,
    )
    voice.say(voice.t("Declared in the configuration:"))
    say_table(voice, found, {})
    if settings.agent.remote:
        voice.say(
            voice.t(
                "What is measured is sent to {address}, and waits here while that is away.",
                address=settings.agent.remote,
            )
        )
    else:
        voice.say(voice.t("What is measured is recorded in {folder}.", folder=settings.server.data))


def tell(voice: Voice, status: dict[str, Any]) -> None:
    """A line a sensor, and one on the agent itself."""
    voice.emit(status, indent=None)
    number = voice.translator.number
    for one in status["sensors"]:
        if one["why_absent"]:
            continue
        watts = "-" if one["watts"] is None else number(one["watts"], 1)
        idle = "-" if one["idle_share"] is None else number(100 * one["idle_share"], 0)
        voice.say(voice.t("{name}: {watts} W, idle {share} %", name=one["name"], watts=watts, share=idle))
    share, sent = number(100 * status["own_cpu_share"], 2), status["forwarded"]
    voice.say(
        voice.t(
            "The agent itself: {share} % of a processor; {count} events recorded", share=share, count=status["written"]
        )
    )
    if sent and sent["last_error"]:
        voice.say(voice.t("Events wait: {reason}", reason=sent["last_error"]))
