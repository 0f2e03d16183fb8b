"""LiteLLM's callback: the real package in a venv of its own (slow), and the class alone beside it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import types
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_instrumenting import environment, spooled

from mesure.apps.sdk import delivery
from served_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_APP = Path(__file__).with_name("litellm_app.py")
_ROOT = _APP.parents[3]
#: What Mesure itself needs beside LiteLLM.
_OURS = ("babel", "click", "narwhals", "orjson", "psutil")

_CALL = {"id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv", "call_type": "completion", "status": "success", "model": "gpt-4o"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The callback's module over a stand-in for LiteLLM's base class, which does nothing either."""
    base = types.ModuleType("litellm.integrations.custom_logger")
    base.CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, base.__name__, base)
    monkeypatch.delitem(sys.modules, "mesure.apps.sdk.litellm_callback", raising=False)
    import mesure.apps.sdk.litellm_callback as loaded

    yield loaded
    sys.modules.pop("mesure.apps.sdk.litellm_callback", None)
    if (made := delivery._deliveries.pop(str(tmp_path), None)) is not None:
        made.close()


def kwargs(**given: Any) -> dict[str, Any]:
    counts = {"litellm_call_id": "1", "prompt_tokens": 12, "completion_tokens": 3}
    return {"standard_logging_object": _CALL | counts | given}


def test_each_call_is_taken_once_by_whichever_method(module: Any, tmp_path: Path) -> None:
    logger = module.MesureLogger(str(tmp_path))
    logger.log_success_event(kwargs(), None, None, None)
    asyncio.run(logger.async_log_success_event(kwargs(), None, None, None))
    asyncio.run(logger.async_log_failure_event(kwargs(litellm_call_id="2", status="failure"), None, None, None))
    logger.log_failure_event(kwargs(litellm_call_id="2", status="failure"), None, None, None)
    assert delivery.delivery_to(str(tmp_path)).box.flush(30)
    assert [(event.status, event.input_tokens) for event in spooled(tmp_path)] == [("ok", 12), ("error", 12)]


def test_a_user_is_a_pseudonym_and_an_id_is_made_from_the_identity(module: Any, tmp_path: Path) -> None:
    given = kwargs() | {"user": "someone@example.org", "litellm_params": {"metadata": {"team": "north"}}}
    for turn in ("1", "2"):
        given["standard_logging_object"] |= {"litellm_call_id": turn, "startTime": 1_763_625_600.0}
        module.MesureLogger(str(tmp_path)).log_success_event(given, None, None, None)
    assert delivery.delivery_to(str(tmp_path)).box.flush(30)
    first, again = spooled(tmp_path)
    assert first == again
    assert first.team == "north"
    assert first.user is not None
    assert first.user.startswith("u-")


@pytest.mark.parametrize("given", [None, {}, {"standard_logging_object": None}, {"standard_logging_object": {"x": 1}}])
def test_whatever_comes_nothing_is_raised(module: Any, tmp_path: Path, given: Any) -> None:
    logger = module.MesureLogger(str(tmp_path))
    logger.log_success_event(given, None, None, None)
    asyncio.run(logger.async_log_failure_event(given, None, None, None))
    assert logger.failed == (2 if given is None else 0)


def test_files_and_lists_are_no_calls(module: Any, tmp_path: Path) -> None:
    module.MesureLogger(str(tmp_path)).log_success_event(kwargs(call_type="acreate_file"), None, None, None)
    assert str(tmp_path) not in delivery._deliveries


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the real package, which asks for other versions of what the tests need: it is kept apart."""
    if named := os.environ.get("MESURE_LITELLM_PYTHON"):
        return Path(named)
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    folder = tmp_path_factory.mktemp("litellm") / "venv"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), "litellm[proxy]>=1.80", *_OURS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            if os.environ.get("CI") == "true":
                pytest.fail(done.stderr)
            pytest.skip(f"LiteLLM cannot be installed here. This test did not run. {done.stderr[-200:]}")
    return folder / "bin/python"


def _environment(**more: str) -> dict[str, str]:
    own = {"PYTHONPATH": str(_ROOT / "src"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return environment() | own | more


@pytest.mark.slow
def test_the_real_package(litellm: Path, tmp_path: Path) -> None:
    """Whole and streamed, awaited and not, refused, and twice the same with a cache."""
    done = subprocess.run(
        [litellm, _APP, tmp_path], env=_environment(), capture_output=True, text=True, timeout=240, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "litellm 0 7"
    events = spooled(tmp_path)
    assert len(events) == 7
    assert "secret" not in repr(events)
    assert "someone" not in repr(events)
    calls = [event for event in events if event.status == "ok" and event.route is None]
    assert all(event.input_tokens and event.output_tokens and event.cost for event in calls)
    assert sum(event.stream is True for event in events) == 2
    named = [event for event in events if event.team == "support"]
    assert {(event.use_case, event.environment, event.provider) for event in named} == {("reply", "test", "openai")}
    assert len({event.user for event in named}) == 1
    assert [event.error_type for event in events if event.status == "error"] == ["RateLimitError"]
    assert [event.input_tokens for event in events if event.route == "cache"] == [0]


@pytest.mark.slow
def test_named_in_the_configuration_of_its_proxy(litellm: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: house-model\n"
        "    litellm_params: {model: openai/gpt-4o, api_key: sk-none, mock_response: a secret answer}\n"
        "litellm_settings:\n"
        '  callbacks: ["mesure.apps.sdk.litellm_callback.handler"]\n'
    )
    port = free_port()
    own = _environment(
        MESURE_SERVER_DATA=str(tmp_path / "data"), LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true"
    )
    command = [litellm.with_name("litellm"), "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=own, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
    try:
        body = {
            "model": "house-model",
            "messages": [{"role": "user", "content": "a secret"}],
            "metadata": {"team": "north", "tags": ["use_case:reply"]},
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    told = json.load(answer)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.5)
        while not (events := spooled(tmp_path / "data")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.terminate()
        process.wait(30)
    (event,) = events
    assert (event.response_id, event.team, event.use_case) == (told["id"], "north", "reply")
    assert (event.model_requested, event.labels) == ("gpt-4o", {"model_group": "house-model"})
    assert "secret" not in repr(event)
