"""Energy read on this machine, or modelled from what a process does on it, and its share among calls."""

from mesure.meter.sensors.call_meter import CallMeter, Reading
from mesure.meter.sensors.choice import best_source, why_no_rapl
from mesure.meter.sensors.cpu_time import CpuTimeSource
from mesure.meter.sensors.device import Device, Faults, Raw
from mesure.meter.sensors.factors import SensorFactor, busy_thread_power, factor, machine_cpu_name
from mesure.meter.sensors.found import Found, declared_sensors, in_container, look, open_sensor
from mesure.meter.sensors.own import Own, OwnMeter
from mesure.meter.sensors.rapl import RaplSource
from mesure.meter.sensors.sensor import Sample, Sensor
from mesure.meter.sensors.source import Energy, EnergySource, Scope, SensorStatus, SensorUnavailable

__all__ = [
    "CallMeter",
    "CpuTimeSource",
    "Device",
    "Energy",
    "EnergySource",
    "Faults",
    "Found",
    "Own",
    "OwnMeter",
    "RaplSource",
    "Raw",
    "Reading",
    "Sample",
    "Scope",
    "Sensor",
    "SensorFactor",
    "SensorStatus",
    "SensorUnavailable",
    "best_source",
    "busy_thread_power",
    "declared_sensors",
    "factor",
    "in_container",
    "look",
    "machine_cpu_name",
    "open_sensor",
    "why_no_rapl",
]
