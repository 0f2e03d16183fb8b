"""Sentences of what reads energy, beside those of `sentences`."""

from __future__ import annotations

from mesure.i18n import mark

__all__ = ["PLAIN", "WITH_VALUES"]

WITH_VALUES = (
    mark("deployments.{name} is measured, and its calls must then pass through one process"),
    mark("The sensor does not answer: {reason}"),
    mark("The server that publishes readings cannot be read: {reason}"),
    mark("The management controller cannot be read: {reason}"),
    mark("sensors.{name} has no kind"),
    mark("sensors.{name}.url must be an http or https address"),
    mark("sensors.{name}.labels holds no label"),
    mark("deployments.{name}.sensor names no [sensors] table"),
    mark("Add [sensors.{name}]"),
    mark("deployments.{name}.metrics_url must be an http or https address"),
    mark("A factor has no {name}"),
)
PLAIN = (
    mark("No deployment is declared for the agent"),
    mark("Give one a sensor, requests = server and metrics_url: see docs/sensors.md"),
    mark("The environment variable of agent.key_env is not set"),
    mark("Set it to a virtual key of the other Mesure: mesure keys create makes one"),
    mark("Keep server.workers = 1, or say requests = server"),
    mark("The package that reads NVIDIA boards is not installed"),
    mark("Install it with: pip install 'mesure[gpu]'"),
    mark("This machine has no NVIDIA driver"),
    mark(
        "Nothing to do without an NVIDIA board. In a container, start it with --gpus all "
        "(NVIDIA_DRIVER_CAPABILITIES must hold utility)"
    ),
    mark("The NVIDIA driver refuses this user"),
    mark("The NVIDIA driver does not answer"),
    mark("Check that nvidia-smi works for this user"),
    mark("No NVIDIA board has this index or UUID"),
    mark("List them with: mesure sensors"),
    mark("This machine shows no AMD board"),
    mark("Nothing to do without one. In a container, pass --device /dev/kfd --device /dev/dri"),
    mark("This is not a Mac"),
    mark("Nothing to do"),
    mark("The package that reads Apple chips is not installed"),
    mark("Install it with: pip install 'mesure[apple]'"),
    mark("This Mac shows no energy counter"),
    mark("Use the CPU-time model"),
    mark("This machine shows no counter of its whole platform (psys: laptops and some desktops have one)"),
    mark("Use rapl, or the power that the server's management controller reads (redfish)"),
    mark("The sensor shows no device that can be read"),
    mark("See docs/sensors.md"),
    mark("Check that it runs and that this user may read it; see docs/sensors.md"),
    mark("The environment variable that holds the sensor's password is not set"),
    mark("Set it, or correct password_env of the sensor in mesure.toml"),
    mark("This address publishes no series of energy or power that is wanted"),
    mark("Check the metric's name and labels in mesure.toml against what the address publishes"),
    mark("The server that publishes readings refuses this user"),
    mark("Check user and password_env of the sensor in mesure.toml"),
    mark("Check the sensor's url in mesure.toml, the network, and that it runs"),
    mark("The management controller refuses this user"),
    mark("Check user and password_env of the sensor; a read-only account is enough"),
    mark("Check url and ca_file of the sensor in mesure.toml, and the network"),
    mark("The management controller shows no power of a chassis"),
    mark("Check the ids under /redfish/v1/Chassis"),
    mark("Say what it reads: see docs/sensors.md"),
    mark("Give the address of what publishes the readings"),
    mark("Write name=value"),
    mark("Give the address of the inference server's metrics, or say requests = gateway"),
    mark("agent.remote must be an http or https address"),
    mark("Give the address of the other Mesure, or leave it out"),
    mark("Give it, or remove the row"),
    mark("A factor is not a number"),
    mark("Correct the row"),
    mark("A factor's interval is crossed"),
    mark("Write low <= value <= high"),
    mark("Check that the intel_rapl module suits this processor; energy is modelled from CPU time meanwhile"),
    mark("Give the process id of the model server while it runs"),
    mark("Nothing to do: energy is modelled from CPU time. On your own hardware, load the intel_rapl module"),
    mark("The processor has an energy counter that this user may not read"),
    mark("The processor's energy counter does not answer with a number"),
    mark("There is no such process, or its CPU time cannot be read"),
    mark("This machine shows no energy counter of its processor (usual on a virtual machine)"),
    mark("As root: chmod a+rw /dev/nvidiactl /dev/nvidia[0-9]*; in a container, start it with --gpus all"),
    mark(
        "As root: chmod a+r /sys/class/powercap/intel-rapl*/energy_uj "
        "(the udev rule that keeps it after a restart is in docs/sensors.md)"
    ),
)
