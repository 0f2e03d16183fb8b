"""NVIDIA boards through the driver's own library (NVML): its energy counter, or its watts on boards without one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mesure.meter.sensors.device import Clock

__all__ = ["nvml_sensor"]

_J_PER_MJ = _W_PER_MW = 1e-3


def nvml_sensor(wanted: Sequence[str] = (), *, clock: Clock = now) -> Sensor:
    """A sensor over the boards named by index, UUID, or UUID of one of their MIG instances; all of them when none is.

    An instance of a divided board (MIG) has no energy of its own: the board's is read, and what runs on it shares it.
    Raises `SensorUnavailable`, which says what is in the way.
    """
    library = _library()
    try:
        boards = _boards(library, wanted)
    except Exception:
        library.nvmlShutdown()
        raise
    counter = all(has_counter for _, has_counter in boards)
    devices = [device for device, _ in boards]
    return Sensor(
        "nvml", "counter" if counter else "power", "accelerator", devices, close=library.nvmlShutdown, clock=clock
    )


def _library() -> Any:
    try:
        import pynvml
    except ImportError:
        raise SensorUnavailable(
            "The package that reads NVIDIA boards is not installed",
            value="nvidia-ml-py",
            action="Install it with: pip install 'mesure[gpu]'",
            code="sensor_not_installed",
        ) from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise _unavailable(pynvml, error) from None
    return pynvml


def _unavailable(pynvml: Any, error: Any) -> SensorUnavailable:
    if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return SensorUnavailable(
            "This machine has no NVIDIA driver",
            value="libnvidia-ml.so.1",
            action="Nothing to do without an NVIDIA board. In a container, start it with --gpus all "
            "(NVIDIA_DRIVER_CAPABILITIES must hold utility)",
        )
    if error.value == pynvml.NVML_ERROR_NO_PERMISSION:
        return SensorUnavailable(
            "The NVIDIA driver refuses this user",
            value=str(error),
            action="As root: chmod a+rw /dev/nvidiactl /dev/nvidia[0-9]*; in a container, start it with --gpus all",
            code="sensor_permission",
        )
    return SensorUnavailable(
        "The NVIDIA driver does not answer", value=str(error), action="Check that nvidia-smi works for this user"
    )


def _boards(nvml: Any, wanted: Sequence[str]) -> list[tuple[Device, bool]]:
    found: list[tuple[Device, bool]] = []
    seen: set[str] = set()
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = nvml.nvmlDeviceGetUUID(handle)
        names = {str(index), uuid, *_instances(nvml, handle)}
        seen |= names
        if not wanted or names & set(wanted):
            found.append(_board(nvml, handle, uuid))
    if missing := next((name for name in wanted if name not in seen), None):
        raise SensorUnavailable(
            "No NVIDIA board has this index or UUID", value=missing, action="List them with: mesure sensors"
        )
    return found


def _instances(nvml: Any, handle: Any) -> list[str]:
    """UUIDs of the parts of a divided board."""
    try:
        if not nvml.nvmlDeviceGetMigMode(handle)[0]:
            return []
    except nvml.NVMLError:  # a board that cannot be divided
        return []
    found = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            found.append(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)))
        except nvml.NVMLError:  # a place where no instance was made
            continue
    return found


def _board(nvml: Any, handle: Any, uuid: str) -> tuple[Device, bool]:
    name = nvml.nvmlDeviceGetName(handle)
    parts = len(_instances(nvml, handle))
    shown = f"{name} (MIG, {parts})" if parts else name
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        counter = True
    except nvml.NVMLError:  # before Volta, and on some virtual boards
        counter = False
    read: Callable[[], Raw] = partial(_read, nvml, handle, counter=counter)
    return Device(uuid, shown, read), counter


def _read(nvml: Any, handle: Any, *, counter: bool) -> Raw:
    try:
        joules = nvml.nvmlDeviceGetTotalEnergyConsumption(handle) * _J_PER_MJ if counter else None
        return Raw(joules, _watts(nvml, handle, needed=not counter))
    except nvml.NVMLError as error:  # lost from the bus, driver reloaded
        raise OSError(str(error)) from None


def _watts(nvml: Any, handle: Any, *, needed: bool) -> float | None:
    try:
        return float(nvml.nvmlDeviceGetPowerUsage(handle) * _W_PER_MW)
    except nvml.NVMLError:
        if needed:
            raise
        return None
