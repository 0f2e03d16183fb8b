"""What a played day adds up to, how its process is told, and the words for each step."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesure.apps.demo import DemoOptions, Step
from mesure.apps.demo import run as run_module
from mesure.apps.demo.backend import Backend
from mesure.apps.demo.driver import Plan, Summary, _read_answer, headers_for
from mesure.apps.demo.messages import read_messages
from mesure.apps.demo.prompts import Target
from mesure.apps.demo.run import _answering, _closing, _Day, _opening, demo_settings
from mesure.config import ProviderSettings
from mesure.i18n import catalog

_MESSAGE = read_messages()[0]
_both = pytest.mark.parametrize("language", ["fr", "en"])


@given(st.lists(st.sampled_from([True, False, False, False, False]), max_size=60))
@example([False] * 8 + [True, False])
@example(([False] * 7 + [True]) * 4)
def test_it_gives_up_after_eight_failures_in_a_row_never_after_eight_in_all(outcomes: list[bool]) -> None:
    summary, row, longest = Summary(), 0, 0
    for well in outcomes:
        if well:
            summary.succeed(replace_use_case("reply"), "", None)
        else:
            summary.fail("no answer")
        row = 0 if well else row + 1
        longest = max(longest, row)
        assert summary.gave_up is (longest >= 8)
    assert (summary.calls, summary.failed) == (sum(outcomes), len(outcomes) - sum(outcomes))


def replace_use_case(use_case: str, **changes: Any) -> Any:
    return _MESSAGE._replace(use_case=use_case, **changes)


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": None, "completion_tokens": None, "prompt_tokens_details": None}, {"prompt_tokens": 0}],
)
def test_tokens_that_nobody_counted_add_nothing(usage: dict[str, Any] | None) -> None:
    summary = Summary()
    summary.succeed(replace_use_case("reply"), "text", usage)
    assert (summary.calls, summary.input_tokens, summary.output_tokens, summary.cached_tokens) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "valid", "right"),
    [(" Livraison \n", True, True), ("FACTURE", None, False), ("quelque chose", False, False), ("", False, False)],
)
def test_a_label_is_compared_without_its_spaces_and_capitals(text: str, valid: bool | None, right: bool) -> None:
    summary = Summary()
    summary.succeed(replace_use_case("intent", language="fr", intent="livraison"), text, None)
    assert summary.labelled == 1
    assert valid is None or bool(summary.valid_labels) is valid
    assert bool(summary.right_labels) is right
    summary.succeed(replace_use_case("reply"), "livraison", None)  # only a classification has a label
    assert summary.labelled == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"choices": [{"text": "a"}]}, "a"),
        ({"choices": [{"message": {"content": "b"}}]}, "b"),
        ({"choices": [{"message": {"content": None}}]}, ""),
        ({"choices": [{}]}, ""),
        ({"data": [{"embedding": []}]}, ""),
        ({"choices": []}, ""),
    ],
)
def test_answers_of_every_kind_are_read(answer: dict[str, Any], text: str) -> None:
    assert _read_answer(answer | {"usage": {"prompt_tokens": 3}}) == (text, {"prompt_tokens": 3})
    assert _read_answer(answer) == (text, None)


def test_one_contact_is_one_agent_of_the_team() -> None:
    agents: dict[str, set[str]] = {}
    for message in read_messages():
        headers = headers_for(message)
        assert all(value.isascii() and value.isprintable() for value in headers.values())
        agents.setdefault(message.contact, set()).add(headers["x-mesure-user"])
        assert headers["x-mesure-user"].startswith(f"{message.team}-")
    shared = {contact for contact in agents if len({m.team for m in read_messages() if m.contact == contact}) == 1}
    assert all(len(agents[contact]) == 1 for contact in shared)
    assert headers_for(_MESSAGE._replace(team="new", contact="c010"))["x-mesure-user"] == "new-02"


# What is told


def _backend(**changes: Any) -> Backend:
    provider = ProviderSettings(base_url="http://127.0.0.1:9/v1", default=True)
    return Backend("upstream", provider, Target("m", "e", completions=False))._replace(**changes)


def _meter(status: str) -> Any:
    return SimpleNamespace(source=SimpleNamespace(name="cpu-time", status=status))


@_both
@pytest.mark.parametrize(("status", "words"), [("modelled", "CPU"), ("measured", "process")])
def test_what_is_measured_and_what_is_modelled_are_told_apart(status: str, words: str, language: str) -> None:
    step = _answering(_backend(meter=_meter(status), ready_s=2.345, why_not_measured="no counter"))
    assert (step.values["status"], step.values["seconds"], step.values["why_not_measured"]) == (
        status,
        2.3,
        "no counter",
    )
    told = step.told(catalog(language))
    assert catalog(language).number(2.3, 1) in told
    assert (words in told) or language == "fr"
    other = _answering(_backend(meter=_meter({"modelled": "measured", "measured": "modelled"}[status]), ready_s=2.345))
    assert other.told(catalog(language)) != told


@_both
def test_every_step_is_told_whole(language: str, tmp_path: Path) -> None:
    options = DemoOptions(data=tmp_path)
    summary = {"calls": 150, "failed": 2, "seconds": 61.234, "input_tokens": 9, "output_tokens": 8, "gave_up": False}
    steps = [
        _opening(options),
        _answering(_backend()),
        _closing(summary),
        _closing(summary | {"gave_up": True, "last_failure": "502 bad"}),
    ]
    (tmp_path / "ledger").mkdir()
    steps.append(_opening(options))
    told = [step.told(catalog(language)) for step in steps]
    assert len(set(told)) == len(told)
    assert not any(re.search(r"[{}]|None", text) for text in told)
    assert [step.code for step in steps] == ["opening", "answering", "done", "gave_up", "opening"]
    assert [step.values.get("again") for step in (steps[0], steps[-1])] == [False, True]
    assert catalog(language).number(61.2, 1) in told[2]
    assert "502 bad" in told[3]


def test_whole_numbers_stay_whole_and_names_as_they_are() -> None:
    step = Step("x", "{count} {name} {seconds}", {"count": 3, "name": "1.50", "seconds": 2.0})
    assert step.told(catalog("en")) == "3 1.50 2.0"
    assert step.told(catalog("fr")) == "3 1.50 2,0"


def test_the_configuration_is_the_one_a_user_would_write(tmp_path: Path) -> None:
    settings = demo_settings(DemoOptions(host="::1", port=7, data=tmp_path, language="en", zone="SWE"), _backend())
    assert (settings.server.host, settings.server.port, settings.server.data) == ("::1", 7, str(tmp_path))
    assert settings.organisation.language == "en"
    assert settings.gateway.application == "contact-centre-demo"
    assert {name: provider.zone for name, provider in settings.providers.items()} == {"upstream": "SWE"}
    kept = demo_settings(DemoOptions(data=tmp_path), _backend()).providers["upstream"]
    assert kept == replace(_backend().provider, zone="")


# The driver's process


class _Process:
    """A process that has written `line` and ends when asked; the third time it is asked it must be killed."""

    def __init__(self, line: bytes = b"", *, deaf: bool = False) -> None:
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(line)
        self.killed = False
        self._deaf = deaf

    def wait(self, timeout: float | None = None) -> int:
        if self._deaf and not self.killed:
            raise run_module.subprocess.TimeoutExpired("driver", timeout or 0.0)
        return 0

    def kill(self) -> None:
        self.killed = True


def _started(monkeypatch: pytest.MonkeyPatch, process: _Process, **options: Any) -> tuple[_Day, list[Step], list[Any]]:
    told: list[Step] = []
    commands: list[Any] = []

    def start(command: list[str], **more: Any) -> _Process:
        commands.append((command, more))
        return process

    monkeypatch.setattr(run_module.subprocess, "Popen", start)
    day = _Day(DemoOptions(**options), _backend(), told.append)
    day.start("http://127.0.0.1:1/v1")
    if day._reader is not None:
        day._reader.join(10)
    return day, told, commands


def test_the_plan_reaches_the_driver_as_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    day, told, commands = _started(monkeypatch, _Process(), pace_s=0.25, days=3)
    ((command, more),) = commands
    assert Plan(**json.loads(command[-1])) == Plan(
        base_url="http://127.0.0.1:1/v1", model="m", embeddings_model="e", completions=False, pace_s=0.25, days=3
    )
    assert more["start_new_session"] is True  # Ctrl-C is the parent's to pass on
    assert [step.code for step in told] == ["playing"]
    assert told[0].values == {"count": len(read_messages()), "pace": 0.2}
    day.close()
    day.close()  # once more is no error


def test_its_summary_is_told_and_stops_the_server_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"calls": 1, "failed": 0, "seconds": 1.26, "gave_up": False, "last_failure": ""}).encode() + b"\n"
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(run_module.os, "kill", lambda pid, number: killed.append((pid, number)))
    for stop_after in (False, True):
        _, told, _ = _started(monkeypatch, _Process(line), stop_after=stop_after)
        assert [step.code for step in told] == ["playing", "done"]
        assert told[1].values["seconds"] == 1.3
    assert killed == [(run_module.os.getpid(), run_module.signal.SIGINT)]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_driver_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch, deaf: bool) -> None:
    process = _Process(deaf=deaf)
    day, told, _ = _started(monkeypatch, process)
    day.close()
    assert process.stdin.closed
    assert process.killed is deaf
    assert [step.code for step in told] == ["playing"]  # it said nothing: nothing is told of it
