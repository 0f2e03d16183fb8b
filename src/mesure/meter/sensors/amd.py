"""AMD boards: through AMD's library where it is installed, else from the files of the kernel's driver (hwmon)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mesure.meter.sensors.device import Clock

__all__ = ["HWMON", "amd_sensor"]

HWMON = Path("/sys/class/hwmon")
_MICRO = 1e-6
_POWER_FILES = ("power1_average", "power1_input")


def amd_sensor(wanted: Sequence[str] = (), *, root: Path = HWMON, clock: Clock = now) -> Sensor:
    """A sensor over the boards named by index (or UUID, with AMD's library); all of them when none is named.

    Raises `SensorUnavailable`.
    """
    library = _library()
    if library is not None:
        devices = _of_library(library, wanted)
        if devices:
            return Sensor("amd", "counter", "accelerator", devices, close=library.amdsmi_shut_down, clock=clock)
        library.amdsmi_shut_down()
    devices = _of_kernel(root, wanted)
    if not devices:
        raise SensorUnavailable(
            "This machine shows no AMD board",
            value=", ".join(wanted) or str(root),
            action="Nothing to do without one. In a container, pass --device /dev/kfd --device /dev/dri",
        )
    kinds = {device.read().joules is not None for device in devices}
    return Sensor("amd", "counter" if kinds == {True} else "power", "accelerator", devices, clock=clock)


def _library() -> Any:
    """AMD's Python package, ready to answer; None where it, or the ROCm library under it, is not installed."""
    try:
        import amdsmi

        amdsmi.amdsmi_init()
    except Exception:  # noqa: BLE001  (it raises several kinds when ROCm's own library is absent: the kernel's files remain)
        return None
    return amdsmi


def _of_library(library: Any, wanted: Sequence[str]) -> list[Device]:
    found = []
    for index, handle in enumerate(library.amdsmi_get_processor_handles()):
        try:
            uuid = str(library.amdsmi_get_gpu_device_uuid(handle))
            name = str(library.amdsmi_get_gpu_asic_info(handle)["market_name"])
            device = Device(uuid, name, partial(_read_library, library, handle))
            device.read()
        except (library.AmdSmiException, KeyError, OSError):  # an integrated board, or a virtual one
            continue
        if not wanted or {str(index), uuid} & set(wanted):
            found.append(device)
    return found


def _read_library(library: Any, handle: Any) -> Raw:
    """The accumulator counts in steps of `counter_resolution` microjoules."""
    try:
        energy = library.amdsmi_get_energy_count(handle)
        power = library.amdsmi_get_power_info(handle)
    except library.AmdSmiException as error:
        raise OSError(str(error)) from None
    count = energy["energy_accumulator"] if "energy_accumulator" in energy else energy["power"]  # before ROCm 6.2
    watts = next(
        (power[key] for key in ("current_socket_power", "average_socket_power") if _is_power(power, key)), None
    )
    return Raw(count * energy["counter_resolution"] * _MICRO, None if watts is None else float(watts))


def _is_power(power: dict[str, Any], key: str) -> bool:
    return isinstance(power.get(key), int | float) and power[key] > 0


def _of_kernel(root: Path, wanted: Sequence[str]) -> list[Device]:
    found = []
    folders = [folder for folder in sorted(root.glob("hwmon*")) if _text(folder / "name") == "amdgpu"]
    for index, folder in enumerate(folders):
        read = _reader(folder)
        if read is not None and (not wanted or str(index) in wanted):
            found.append(
                Device(f"amdgpu {index}", _text(folder / "device" / "product_name") or f"amdgpu {index}", read)
            )
    return found


def _reader(folder: Path) -> Callable[[], Raw] | None:
    power = next((folder / name for name in _POWER_FILES if (folder / name).exists()), None)
    energy = folder / "energy1_input" if (folder / "energy1_input").exists() else None
    return partial(_read_kernel, energy, power) if power or energy else None


def _read_kernel(energy: Path | None, power: Path | None) -> Raw:
    joules = int(energy.read_text()) * _MICRO if energy else None
    return Raw(joules, int(power.read_text()) * _MICRO if power else None)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
