"""`mesure sensors`: what is there with its watts, what is not with the reason, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesure.meter.sensors import Device, Found, Raw, Sensor, SensorUnavailable
from shapes import Maybe, Several, mismatches

from .conftest import Run

ABSENT = {"name": str, "present": {False}, "code": str, "what": str, "action": str}
PRESENT = {
    "name": str,
    "present": {True},
    "sensor": str,
    "kind": {"counter", "power", "model"},
    "scope": {"process", "cpu", "accelerator", "server"},
    "status": {"measured", "modelled"},
    "watts": Maybe(float),
    "error_low": float,
    "error_high": float,
    "error_factor": str,
    "devices": Several({"id": str, "name": str, "part_of": Maybe(str)}),
}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with one board of 250 W, and a counter that this user may not read; what was let go."""
    closed: list[str] = []

    def look() -> list[Found]:
        devices = [
            Device("GPU-a", "NVIDIA H200", lambda: Raw(None, 250.0)),
            Device("core", "core", lambda: Raw(1.0, None), part_of="package-0"),
        ]
        why = SensorUnavailable(
            "The processor has an energy counter that this user may not read",
            value="/sys",
            action="See docs/sensors.md",
            code="sensor_permission",
        )
        sensor = Sensor("nvml", "power", "accelerator", devices, close=lambda: closed.append("nvml"))
        return [Found("nvml", sensor), Found("rapl", None, why)]

    monkeypatch.setattr("mesure.meter.sensors.look", look)
    return closed


def test_each_sensor_is_told_for_a_program(mesure: Run, board: list[str]) -> None:
    ran = mesure("sensors", "--json")
    there, missing = ran.data["sensors"]
    assert (ran.code, mismatches(there, PRESENT), mismatches(missing, ABSENT)) == (0, [], [])
    assert (there["watts"], there["error_factor"]) == (250.0, "stack.sensor-nvml.energy_error.2024")
    assert there["devices"][1]["part_of"] == "package-0"
    assert missing["code"] == "sensor_permission"
    assert board == ["nvml"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (
                "250.0 W",
                "power, sampled",
                "accelerators",
                "stated error \N{MINUS SIGN}10 to +10 %",
                "part of package-0, not added",
            ),
        ),
        ("fr", ("250,0 W", "puissance échantillonnée", "accélérateurs", "partie de package-0, non ajoutée")),
    ],
)
def test_a_person_reads_the_same(mesure: Run, board: list[str], language: str, words: tuple[str, ...]) -> None:
    out = mesure("sensors", "--lang", language).out
    for word in words:
        assert word in out
    assert "NVIDIA H200" in out


def test_what_the_configuration_declares_is_tried(mesure: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mesure.meter.sensors.look", list)
    (tmp_path / "mesure.toml").write_text(
        '[sensors.bmc]\nkind = "redfish"\nurl = "http://127.0.0.1:1"\nuser = "u"\npassword_env = "NOBODY_SETS_THIS"\n'
        '[sensors.self]\nkind = "cpu-time"\npid = 1\n'
    )
    ran = mesure("sensors", "--config", tmp_path / "mesure.toml", "--json")
    missing, modelled = ran.data["sensors"]
    assert (missing["name"], missing["code"]) == ("bmc", "sensor_permission")
    assert (modelled["sensor"], modelled["status"], modelled["kind"]) == ("cpu-time", "modelled", "model")
    assert modelled["error_low"] < 0.9
    assert modelled["error_high"] > 1.1


@pytest.mark.parametrize(("contained", "language"), [(True, "en"), (True, "fr"), (False, "en")])
def test_a_container_is_said(mesure: Run, monkeypatch: pytest.MonkeyPatch, contained: bool, language: str) -> None:
    monkeypatch.setattr("mesure.meter.sensors.look", list)
    monkeypatch.setattr("mesure.meter.sensors.in_container", lambda: contained)
    assert mesure("sensors", "--json").data == {"sensors": [], "container": contained}
    out = mesure("sensors", "--lang", language).out
    assert ("container" in out or "conteneur" in out) is contained


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[sensors.a]\n", "no kind"),
        ('[sensors.a]\nkind = "guess"\n', "one of"),
        ('[sensors.a]\nkind = "redfish"\nurl = "bmc"\n', "address"),
        ('[sensors.a]\nkind = "prometheus"\nurl = "http://x"\nlabels = ["gpu"]\n', "label"),
        ('[deployments.a]\nsensor = "gpus"\n', "no [sensors] table"),
        ('[sensors.a]\nkind = "nvml"\n[deployments.b]\nsensor = "a"\nrequests = "server"\n', "metrics_url"),
        ('[agent]\nremote = "mesure"\n', "agent.remote"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(mesure: Run, tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "mesure.toml").write_text(lines)
    ran = mesure("sensors", "--config", tmp_path / "mesure.toml", "--lang", "en")
    assert ran.code != 0
    assert said in ran.err
