"""What `mesure agent` says to a person, in both languages; as a process it is in tests/apps/test_agent.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.agent import Agent
from mesure.apps.cli.agent import announce, tell
from mesure.apps.cli.voice import Voice
from mesure.config import AgentSettings, DeploymentSettings, SensorSettings, ServerSettings, Settings

from .conftest import Run


@pytest.fixture
def declared(tmp_path: Path) -> Settings:
    """A sensor that answers (CPU time, a model) and one that does not."""
    deployment = {"requests": "server", "metrics_url": "http://127.0.0.1:1/metrics"}
    return Settings(
        server=ServerSettings(data=str(tmp_path / "data")),
        sensors={
            "self": SensorSettings(kind="cpu-time", pid=1),
            "bmc": SensorSettings(kind="redfish", url="http://127.0.0.1:1"),
        },
        deployments={
            "chat": DeploymentSettings(sensor="self", **deployment),  # type: ignore[arg-type]
            "search": DeploymentSettings(sensor="bmc", **deployment),  # type: ignore[arg-type]
        },
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Declared in the configuration:", "model, not a reading", "cannot be read", "is recorded in")),
        (
            "fr",
            ("Déclarés dans la configuration", "modèle, pas un relevé", "ne peut pas être lu", "est enregistré dans"),
        ),
    ],
)
def test_it_starts_with_a_table(
    declared: Settings, capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    agent = Agent(declared, {})
    announce(Voice(language), declared, agent)
    agent.spool.close()
    out = capsys.readouterr().out
    for word in words:
        assert word in out


def test_a_remote_is_named(declared: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    given = replace(declared, agent=AgentSettings(remote="https://mesure.example", key_env="KEY"))
    agent = Agent(given, {"KEY": "mesure-secret"})
    announce(Voice("en"), given, agent)
    agent.spool.close()
    out = capsys.readouterr().out
    assert "is sent to https://mesure.example" in out
    assert "mesure-secret" not in out


def status(**changes: Any) -> dict[str, Any]:
    sensor = {"name": "board", "watts": 612.4, "idle_share": 0.25, "why_absent": None}
    absent = {"name": "bmc", "watts": None, "idle_share": None, "why_absent": "gone"}
    sent = {"sent": 3, "rejected": 0, "waiting_bytes": 0, "last_error": None}
    return {"sensors": [sensor, absent], "written": 3, "forwarded": sent, "own_cpu_share": 0.0016, **changes}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("board: 612.4 W, idle 25 %", "0.16 % of a processor; 3 events")),
        ("fr", ("board : 612,4 W, à vide 25 %", "0,16 % d’un processeur")),
    ],
)
def test_it_says_what_it_measures_and_what_it_takes(
    capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    tell(Voice(language), status())
    out = capsys.readouterr().out.replace("'", "’")
    for word in words:
        assert word in out.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "bmc" not in out


def test_it_says_that_events_wait(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = {"name": "board", "watts": None, "idle_share": None, "why_absent": None}
    waiting = {"sent": 0, "rejected": 0, "waiting_bytes": 900, "last_error": "connection refused"}
    tell(Voice("en"), status(sensors=[unknown], forwarded=waiting))
    out = capsys.readouterr().out
    assert "Events wait: connection refused" in out
    assert "board: -" in out
    tell(Voice("en"), status(forwarded=None))
    assert "wait" not in capsys.readouterr().out


def test_nothing_to_measure_is_told_in_three_parts(mesure: Run) -> None:
    ran = mesure("agent", "--data", "d", "--lang", "en")
    assert ran.code != 0
    assert "No deployment is declared for the agent" in ran.err
    assert "docs/sensors.md" in ran.err
