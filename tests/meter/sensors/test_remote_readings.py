"""Exporters, Prometheus servers and management controllers: local servers that speak their documented formats."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_doubles import HandClock, Place, serving

from mesure.config import SensorSettings
from mesure.meter.sensors import SensorUnavailable, open_sensor
from mesure.meter.sensors.exposition import parse_query, parse_text
from mesure.meter.sensors.http import HttpReader
from mesure.meter.sensors.prometheus import KNOWN, UNITS, Metric, prometheus_sensor
from mesure.meter.sensors.redfish import redfish_sensor

DCGM = """\
# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{{gpu="0",UUID="GPU-a",device="nvidia0",modelName="NVIDIA H200",Hostname="h1"}} {watts}
# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a",device="nvidia0",modelName="NVIDIA H200",Hostname="h1"}} {a}
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="1",UUID="GPU-b",device="nvidia1",modelName="NVIDIA H200",Hostname="h1"}} {b}
"""


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections of sensors that a test leaves open."""
    opened = []
    real = HttpReader._open

    def recorded(reader: HttpReader) -> HTTPConnection:
        opened.append(reader)
        return real(reader)

    monkeypatch.setattr(HttpReader, "_open", recorded)
    yield
    for reader in opened:
        reader.close()


@pytest.fixture
def place() -> Iterator[Place]:
    with serving(Place()) as place:
        yield place


def dcgm(place: Place, a: int, b: int, watts: float = 90.0) -> None:
    place.sets("/metrics", DCGM.format(a=a, b=b, watts=watts).encode())


def test_dcgms_counters_are_read_in_millijoules(place: Place) -> None:
    dcgm(place, 1_000_000, 2_000_000)
    clock = HandClock()
    sensor = prometheus_sensor(HttpReader(place.url + "/metrics"), clock=clock)
    assert (sensor.name, sensor.kind, sensor.scope) == ("nvml:prometheus", "counter", "accelerator")
    assert [device.id for device in sensor.devices] == ["GPU-a", "GPU-b"]
    dcgm(place, 1_600_000, 2_090_000)
    clock.wait(1.0)
    asked = len(place.asked)
    assert sensor.sample().joules == pytest.approx(690.0)
    assert len(place.asked) == asked + 1  # one page for all boards
    sensor.close()


@pytest.mark.parametrize("wanted", [["GPU-b"], ["1"], ["nvidia1"]])
def test_boards_are_chosen_by_any_label(place: Place, wanted: list[str]) -> None:
    dcgm(place, 1, 2)
    sensor = prometheus_sensor(HttpReader(place.url), clock=HandClock(), wanted=wanted)
    assert [device.id for device in sensor.devices] == ["GPU-b"]


def test_an_exporter_that_has_no_counter_gives_watts(place: Place) -> None:
    text = 'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a"} %s\n'
    place.sets("/metrics", (text % 100).encode())
    clock = HandClock()
    sensor = prometheus_sensor(HttpReader(place.url), clock=clock)
    assert sensor.kind == "power"
    place.sets("/metrics", (text % 300).encode())
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts) == (pytest.approx(200.0), 300.0)


def test_keplers_nested_zones_are_not_added(place: Place) -> None:
    text = "\n".join(
        f'kepler_node_cpu_joules_total{{zone="{zone}",path="/sys/{zone}",node_name="n"}} JOULES'
        for zone in ("package", "core", "uncore", "dram", "psys")
    )
    place.sets("/metrics", text.replace("JOULES", "100.0").encode())
    clock = HandClock()
    sensor = prometheus_sensor(HttpReader(place.url), clock=clock)
    assert [device.id for device in sensor.devices] == ["/sys/package", "/sys/dram"]
    place.sets("/metrics", text.replace("JOULES", "110.0").encode())
    clock.wait(1.0)
    assert (sensor.sample().joules, sensor.factors) == (pytest.approx(20.0), ("stack.sensor-rapl.energy_error.2016",))


def test_node_exporters_rapl_and_ipmi_watts_are_known(place: Place) -> None:
    place.sets(
        "/metrics", b'node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} 262143\n'
    )
    assert prometheus_sensor(HttpReader(place.url), clock=HandClock()).name == "rapl:prometheus"
    place.sets("/metrics", b"ipmi_dcmi_power_consumption_watts 312\n")
    sensor = prometheus_sensor(HttpReader(place.url), clock=HandClock())
    assert (sensor.name, sensor.scope, sensor.kind) == ("bmc:prometheus", "server", "power")


def test_a_prometheus_server_answers_a_query(place: Place) -> None:
    path = "/api/v1/query?query=sum%20by%20%28host%29%20%28pdu_watts%29"
    row = {"metric": {"host": "h1"}, "value": [1.0, "420.5"]}
    place.sets(path, {"status": "success", "data": {"resultType": "vector", "result": [row]}})
    metric = Metric("pdu", "W", "metric", "server")
    clock = HandClock()
    sensor = prometheus_sensor(HttpReader(place.url), clock=clock, query="sum by (host) (pdu_watts)", metric=metric)
    clock.wait(2.0)
    assert sensor.sample().joules == pytest.approx(841.0)
    assert (sensor.name, sensor.scope) == ("metric:prometheus", "server")


@pytest.mark.parametrize("answer", [{"status": "error"}, [], {"status": "success", "data": {"resultType": "scalar"}}])
def test_what_is_no_answer_of_a_query_is_refused(place: Place, answer: object) -> None:
    place.sets("/api/v1/query?query=up", answer)
    metric = Metric("up", "W", "metric", "server")
    with pytest.raises(SensorUnavailable, match="not the answer"):
        prometheus_sensor(HttpReader(place.url), clock=HandClock(), query="up", metric=metric)


def test_a_metric_you_name_is_read_in_its_unit_with_its_labels(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.sets("/m", b'x_mj{a="1"} 5000\nx_mj{a="2"} 7000\n')
    settings = SensorSettings(kind="prometheus", url=place.url + "/m", metric="x_mj", unit="mJ", labels=["a=2"])
    sensor = open_sensor(settings, {})
    place.sets("/m", b'x_mj{a="1"} 9000\nx_mj{a="2"} 8000\n')
    page = sensor.devices[0].read.args[0]  # type: ignore[attr-defined]
    page.at = float("-inf")
    assert sensor.sample().joules == pytest.approx(1.0)
    assert sensor.error_ratios == (0.8, 1.25)


def test_a_series_that_disappears_is_silent(place: Place) -> None:
    dcgm(place, 1, 2)
    clock = HandClock()
    sensor = prometheus_sensor(HttpReader(place.url), clock=clock)
    place.sets("/metrics", b"")
    clock.wait(1.0)
    assert sensor.sample().silent == 2
    place.sets("/metrics", 500)
    clock.wait(1.0)
    assert sensor.sample().silent == 2


def test_an_address_without_energy_says_what_to_check(place: Place) -> None:
    place.sets("/metrics", b"go_goroutines 7\nDCGM_FI_DEV_POWER_USAGE_MORE 3\nDCGM_FI_DEV_POWER_USAGE NaN\n")
    with pytest.raises(SensorUnavailable, match="publishes no series"):
        prometheus_sensor(HttpReader(place.url), clock=HandClock())


def test_nobody_there_is_told() -> None:
    with serving(Place()) as gone:
        url = gone.url
    with pytest.raises(SensorUnavailable, match="cannot be read"):
        prometheus_sensor(HttpReader(url), clock=HandClock())


def test_an_exporter_behind_a_password(place: Place) -> None:
    place.users = {"reader": "s3cret"}
    dcgm(place, 1, 2)
    given = SensorSettings(kind="prometheus", url=place.url, user="reader", password_env="EXPORTER_PASSWORD")
    assert len(open_sensor(given, {"EXPORTER_PASSWORD": "s3cret"}).devices) == 2
    with pytest.raises(SensorUnavailable, match="refuses") as refused:
        open_sensor(given, {"EXPORTER_PASSWORD": "wrong"})
    with pytest.raises(SensorUnavailable, match="is not set"):
        open_sensor(given, {})
    assert "wrong" not in str(refused.value)
    assert "s3cret" not in repr(SensorSettings(kind="redfish", password="s3cret"))


def test_a_connection_the_server_closed_is_opened_anew(place: Place) -> None:
    dcgm(place, 1, 2)
    reader = HttpReader(place.url)
    assert reader.get("/metrics")
    assert reader._connection is not None
    reader._connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    assert reader.get("/metrics")


CHASSIS = {"Members": [{"@odata.id": "/redfish/v1/Chassis/Board"}, {"@odata.id": "/redfish/v1/Chassis/1/"}]}


def test_power_control_of_the_first_chassis_that_shows_it(place: Place) -> None:
    place.sets("/redfish/v1/Chassis", CHASSIS)
    power = {"PowerControl": [{"PowerConsumedWatts": 590}, {"PowerConsumedWatts": 120}]}  # the second is a part
    place.sets("/redfish/v1/Chassis/1/Power", power)
    clock = HandClock()
    sensor = redfish_sensor(HttpReader(place.url), clock=clock)
    assert ([device.id for device in sensor.devices], sensor.kind, sensor.scope) == (["1"], "power", "server")
    power["PowerControl"][0]["PowerConsumedWatts"] = 610
    place.sets("/redfish/v1/Chassis/1/Power", power)
    clock.wait(2.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts) == (pytest.approx(1_200.0), 610.0)


def test_environment_metrics_with_a_counter(place: Place) -> None:
    place.sets("/redfish/v1/Chassis", CHASSIS)
    path = "/redfish/v1/Chassis/1/EnvironmentMetrics"
    place.sets(
        path, {"PowerWatts": {"Reading": 700.5}, "EnergyJoules": {"Reading": 5_000}, "EnergykWh": {"Reading": 1}}
    )
    clock = HandClock()
    sensor = redfish_sensor(HttpReader(place.url), clock=clock, wanted=["1"])
    place.sets(path, {"PowerWatts": {"Reading": 701}, "EnergyJoules": {"Reading": 5_700}})
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sensor.kind, sample.joules, sample.watts) == ("counter", pytest.approx(700.0), 701.0)


def test_a_counter_in_kwh_is_left_for_watts(place: Place) -> None:
    """Its steps of a kilowatt-hour would put an hour's energy into one second."""
    place.sets("/redfish/v1/Chassis", CHASSIS)
    path = "/redfish/v1/Chassis/1/EnvironmentMetrics"
    place.sets(path, {"PowerWatts": 300, "EnergykWh": {"Reading": 12}})
    assert redfish_sensor(HttpReader(place.url), wanted=["1"]).kind == "power"
    place.sets(path, {"EnergykWh": {"Reading": 12}})
    assert redfish_sensor(HttpReader(place.url), wanted=["1"]).kind == "counter"


def test_a_session_is_opened_renewed_and_ended(place: Place) -> None:
    place.users = {"mesure": "s3cret"}
    place.sets("/redfish/v1/Chassis", CHASSIS)
    place.sets("/redfish/v1/Chassis/1/Power", {"PowerControl": [{"PowerConsumedWatts": 100}]})
    given = SensorSettings(kind="redfish", url=place.url, user="mesure", password="s3cret", session=True)
    sensor = open_sensor(given, {})
    assert len(place.tokens) == 1
    place.tokens.clear()  # the controller forgot it
    assert sensor.sample().silent == 0
    assert len(place.tokens) == 1
    sensor.close()
    assert place.tokens == set()
    assert not any("authorization" in headers for _, _, headers in place.asked)


@pytest.mark.parametrize("session", [True, False])
def test_a_controller_that_refuses_says_so_without_the_password(place: Place, session: bool) -> None:
    place.users = {"mesure": "other"}
    place.sets("/redfish/v1/Chassis", CHASSIS)
    given = SensorSettings(kind="redfish", url=place.url, user="mesure", password="s3cret", session=session)
    with pytest.raises(SensorUnavailable, match="refuses this user") as caught:
        open_sensor(given, {})
    assert "s3cret" not in str(caught.value)


def test_a_controller_without_power_is_told(place: Place) -> None:
    place.sets("/redfish/v1/Chassis", CHASSIS)
    with pytest.raises(SensorUnavailable, match="no power of a chassis"):
        redfish_sensor(HttpReader(place.url))
    place.sets("/redfish/v1/Chassis", b"<html>")
    with pytest.raises(SensorUnavailable, match="cannot be read"):
        redfish_sensor(HttpReader(place.url))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody else vouches for, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    key = file.with_name("key.pem")
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *asked.split(), "-keyout", key, "-out", file], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


def test_a_certificate_is_verified_and_can_be_trusted(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(Place(), context) as place:
        dcgm(place, 1, 2)
        with pytest.raises(SensorUnavailable, match=r"(?i)certificate"):
            open_sensor(SensorSettings(kind="prometheus", url=place.url), {})
        trusted = open_sensor(SensorSettings(kind="prometheus", url=place.url, ca_file=str(certificate)), {})
        assert len(trusted.devices) == 2
        trusted.close()


def test_labels_with_quotes_commas_and_braces_are_read() -> None:
    text = 'x{a="one, \\"two\\"",b="c:\\\\d}",e="l\\nm"} 4.5e3 1700000000000\nx_more 1\nx 7\n'
    first, second = parse_text(text, {"x"})
    assert first.labels == {"a": 'one, "two"', "b": "c:\\d}", "e": "l\nm"}
    assert (first.value, second.labels, second.value) == (4500.0, {}, 7.0)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for series in parse_text(f"x{text}\nx 1\n" + text, {"x"}):
        assert series.name == "x"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)
    )
)
def test_no_answer_breaks_a_query(answer: object) -> None:
    with pytest.raises(ValueError, match="not the answer"):
        list(parse_query(answer))


def test_every_known_metric_has_a_unit_and_a_stated_error() -> None:
    from mesure.meter.sensors.sensor import error_of

    for metric in KNOWN:
        assert metric.unit in UNITS
        factor = error_of(metric.sensor)
        assert factor.low < factor.value < factor.high
        assert factor.source
        assert factor.unit == "ratio"
