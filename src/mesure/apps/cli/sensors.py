"""`mesure sensors`: what can be read on this machine and from what mesure.toml declares, and why the rest cannot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, spoken_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.cli.voice import Voice
    from mesure.meter.sensors import Found, Sample, Sensor

__all__ = ["command", "say_table", "sensor_json"]

KINDS = {
    "counter": mark("energy counter"),
    "power": mark("power, sampled"),
    "model": mark("model, not a reading"),
}
SCOPES = {
    "process": mark("one process"),
    "cpu": mark("processor"),
    "accelerator": mark("accelerators"),
    "server": mark("whole server"),
}


@click.command(
    cls=Command,
    name="sensors",
    help=mark("List what reads energy on this machine, with watts now, and why the rest cannot."),
)
@config_option
@click.option("--watch", is_flag=True, help=mark("Go on with the watts, one line a second, until Ctrl-C."))
@spoken_options
@click.pass_obj
def command(voice: Voice, /, config: str | None, watch: bool) -> None:
    from mesure.config import load_settings
    from mesure.meter.sensors import declared_sensors, in_container, look

    settings = load_settings(config)
    local, declared = look(), declared_sensors(settings.sensors)
    opened = [found.sensor for found in (*local, *declared) if found.sensor]
    try:
        time.sleep(1.0 if opened else 0.0)  # counters give watts between two readings
        samples = {id(sensor): sensor.sample() for sensor in opened}
        contained = in_container()
        told = [sensor_json(voice, found, samples) for found in (*local, *declared)]
        voice.emit({"sensors": told, "container": contained})
        voice.say(voice.t("On this machine:"))
        say_table(voice, local, samples)
        if contained:
            voice.say(voice.t("This seems to be a container, where counters are often hidden: see docs/sensors.md."))
        if declared:
            voice.say()
            voice.say(voice.t("Declared in the configuration:"))
            say_table(voice, declared, samples)
        if watch and opened:
            _watch(voice, opened)
    finally:
        for sensor in opened:
            sensor.close()


def say_table(voice: Voice, found: Sequence[Found], samples: dict[int, Sample]) -> None:
    """A line a sensor, its devices under it; a reason and an action where there is none."""
    for one in found:
        if one.sensor is None:
            assert one.why is not None
            voice.say(f"  {one.name:<10} {voice.t('no')}  {voice.sentence(one.why.what)}")
            voice.say(f"  {'':<14} -> {voice.sentence(one.why.action)}")
            continue
        sensor, sample = one.sensor, samples.get(id(one.sensor))
        voice.say(f"  {one.name:<10} {voice.t('yes')} {_line(voice, sensor, sample)}")
        for device in sensor.devices:
            part = voice.t("part of {name}, not added", name=device.part_of) if device.part_of else ""
            voice.say(f"  {'':<14} {device.id}  {device.name if device.name != device.id else ''} {part}".rstrip())


def _line(voice: Voice, sensor: Sensor, sample: Sample | None) -> str:
    number = voice.translator.number
    watts = voice.t("no reading") if sample is None or sample.watts is None else f"{number(sample.watts, 1)} W"
    low, high = (100 * (ratio - 1) for ratio in sensor.error_ratios)
    error = voice.t("stated error {low} to +{high} %", low=number(low, 0), high=number(high, 0))
    return " · ".join((voice.t(SCOPES[sensor.scope]), voice.t(KINDS[sensor.kind]), watts, error))


def sensor_json(voice: Voice, found: Found, samples: dict[int, Sample]) -> dict[str, Any]:
    """One sensor for a program; `error_factor` is an id of the catalogue."""
    if found.sensor is None:
        assert found.why is not None
        why = {
            "code": found.why.code,
            "what": voice.sentence(found.why.what),
            "action": voice.sentence(found.why.action),
        }
        return {"name": found.name, "present": False, **why}
    sensor, sample = found.sensor, samples.get(id(found.sensor))
    low, high = sensor.error_ratios
    return {
        "name": found.name,
        "present": True,
        "sensor": sensor.name,
        "kind": sensor.kind,
        "scope": sensor.scope,
        "status": sensor.status,
        "watts": sample.watts if sample else None,
        "error_low": low,
        "error_high": high,
        "error_factor": sensor.factors[0],
        "devices": [{"id": one.id, "name": one.name, "part_of": one.part_of} for one in sensor.devices],
    }


def _watch(voice: Voice, sensors: Sequence[Sensor]) -> None:
    while True:
        time.sleep(1.0)
        told = {sensor.name: sensor.sample().watts for sensor in sensors}
        voice.emit({"watts": told}, indent=None)
        number = voice.translator.number
        voice.say("  ".join(f"{name} {'-' if watts is None else number(watts, 1)} W" for name, watts in told.items()))
