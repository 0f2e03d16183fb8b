"""The powercap files, on trees made for the purpose."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mesure.meter.sensors import CpuTimeSource, RaplSource, SensorUnavailable, best_source, why_no_rapl
from mesure.meter.sensors.rapl import machine_busy_seconds, rapl_zones

_RANGE_UJ = 1_000_000_000


def _zone(root: Path, folder: str, label: str, energy_uj: int = 0) -> Path:
    zone = root / folder
    zone.mkdir(parents=True)
    (zone / "name").write_text(label + "\n")
    (zone / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    return zone / "energy_uj"


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, Path]:
    """Two packages, one with memory; and what must not be counted: parts, the platform, the second view."""
    return {
        "package-0": _zone(tmp_path, "intel-rapl:0", "package-0", 500),
        "package-1": _zone(tmp_path, "intel-rapl:1", "package-1"),
        "core": _zone(tmp_path, "intel-rapl:0:0", "core"),
        "dram": _zone(tmp_path, "intel-rapl:0:1", "dram"),
        "psys": _zone(tmp_path, "intel-rapl:2", "psys"),
        "mmio": _zone(tmp_path, "intel-rapl-mmio:0", "package-0"),
    }


def test_packages_and_memory_are_summed_and_nothing_twice(tmp_path: Path, tree: dict[str, Path]) -> None:
    source = RaplSource(root=tmp_path)
    for file in tree.values():
        file.write_text("3000500")
    energy = source.read()
    assert energy is not None
    assert energy.mid_j == pytest.approx(3.0 + 3.0005 * 2)
    assert energy.low_j == energy.mid_j == energy.high_j
    assert (source.name, source.status, source.scope) == ("rapl", "measured", "cpu")


def test_a_counter_that_starts_again_keeps_its_energy(tmp_path: Path, tree: dict[str, Path]) -> None:
    tree["package-1"].write_text(str(_RANGE_UJ - 2_000_000))
    source = RaplSource(root=tmp_path)
    for value in (1_000_000, 5_000_000, _RANGE_UJ - 1, 4):
        tree["package-1"].write_text(str(value))
        energy = source.read()
    assert energy is not None
    assert energy.mid_j == pytest.approx((2_000_000 + _RANGE_UJ + 4) / 1e6)


def test_a_virtual_machine_has_no_counter(tmp_path: Path) -> None:
    with pytest.raises(SensorUnavailable, match="no energy counter") as caught:
        RaplSource(root=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert why_no_rapl(tmp_path / "absent") is not None


def test_a_forbidden_counter_says_what_root_can_do(
    tmp_path: Path, tree: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_text

    def refuse(self: Path, *args: object, **kwargs: object) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_text", refuse)  # the tests may run as root, whom no mode stops
    reason = why_no_rapl(tmp_path)
    assert reason is not None
    assert reason.code == "sensor_permission"
    assert "may not read" in reason.what
    assert "root" in reason.action
    assert isinstance(best_source(os.getpid(), root=tmp_path), CpuTimeSource)


def test_a_counter_that_answers_rubbish_is_refused(tmp_path: Path, tree: dict[str, Path]) -> None:
    tree["dram"].write_text("unavailable\n")
    with pytest.raises(SensorUnavailable, match="does not answer with a number"):
        rapl_zones(tmp_path)


def test_a_counter_that_stops_answering_is_unknown_not_zero(tmp_path: Path, tree: dict[str, Path]) -> None:
    source = RaplSource(root=tmp_path)
    tree["package-0"].write_text("7000500")
    assert source.read() is not None
    text = tree["dram"].read_text()
    tree["dram"].unlink()
    assert source.read() is None
    tree["dram"].write_text(text)
    energy = source.read()
    assert energy is not None
    assert energy.mid_j == pytest.approx(7.0)


def _spend(process_seconds: float) -> float:
    before = time.process_time()
    while time.process_time() - before < process_seconds:
        pass
    return time.process_time() - before


def test_a_process_gets_its_share_of_the_busy_time(tmp_path: Path, tree: dict[str, Path]) -> None:
    busy = [100.0]
    source = RaplSource(os.getpid(), children=False, root=tmp_path, busy_seconds=lambda: busy[0])
    spent = _spend(0.25)
    busy[0] += 4.0 * spent  # others were three times as busy as this process
    tree["package-1"].write_text("8000000")
    energy = source.read()
    assert energy is not None
    assert energy.mid_j == pytest.approx(2.0, rel=0.25)
    assert energy.high_j == pytest.approx(2.0 * energy.mid_j)
    assert 0.0 < energy.low_j <= energy.mid_j
    assert energy.high_j <= 8.0


def test_a_process_alone_is_charged_with_the_whole_package_at_most(tmp_path: Path, tree: dict[str, Path]) -> None:
    source = RaplSource(os.getpid(), children=False, root=tmp_path, busy_seconds=lambda: 0.0)  # clock has not ticked
    _spend(0.02)
    tree["package-1"].write_text("8000000")
    energy = source.read()
    assert energy is not None
    assert energy.mid_j == energy.high_j == pytest.approx(8.0)


def test_an_idle_process_is_charged_nothing(tmp_path: Path, tree: dict[str, Path]) -> None:
    import subprocess
    import sys

    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeper:
        try:
            time.sleep(0.5)  # long past its start; only an upper bound is asserted
            source = RaplSource(sleeper.pid, root=tmp_path, busy_seconds=machine_busy_seconds)
            tree["package-1"].write_text("8000000")
            energy = source.read()
        finally:
            sleeper.kill()
    assert energy is not None
    assert 0.0 <= energy.mid_j <= 8.0


def test_the_source_ends_with_its_process(tmp_path: Path, tree: dict[str, Path]) -> None:
    import subprocess
    import sys

    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeper:
        source = RaplSource(sleeper.pid, root=tmp_path)
        sleeper.kill()
    assert source.read() is None


def test_the_best_source_is_the_counter_where_it_can_be_read(tmp_path: Path, tree: dict[str, Path]) -> None:
    assert why_no_rapl(tmp_path) is None
    assert isinstance(best_source(os.getpid(), root=tmp_path), RaplSource)
    assert isinstance(best_source(os.getpid(), root=tmp_path / "absent"), CpuTimeSource)


def test_the_machine_is_busy_while_this_runs() -> None:
    before = machine_busy_seconds()
    _spend(0.2)
    assert machine_busy_seconds() - before >= 0.1
