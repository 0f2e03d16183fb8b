"""Who answers: the upstream given, the local model, a key; else a clear error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from mesure.apps.demo import DemoError, DemoOptions
from mesure.apps.demo import backend as room
from mesure.apps.demo.backend import open_backend
from mesure.apps.demo.model_server import MODEL_NAME
from mesure.apps.demo.run import demo_settings

if TYPE_CHECKING:
    from conftest import Upstream


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = DemoError("The local model is not installed", action="Install it.", code="demo_no_model")
    monkeypatch.setattr(room, "why_no_local_model", lambda: missing)


def test_an_upstream_given_is_used_and_its_first_model(upstream: Upstream, tmp_path: Path) -> None:
    options = DemoOptions(upstream=upstream.base_url + "/")
    with open_backend(options, {"OPENAI_API_KEY": "x"}, tmp_path / "log") as backend:
        assert backend.target.model == "tiny-1"
        assert not backend.target.completions
        assert not backend.local
        settings = demo_settings(options, backend)
    assert settings.providers["upstream"].base_url == upstream.base_url
    assert settings.providers["upstream"].default


def test_a_model_named_is_taken_without_asking(tmp_path: Path) -> None:
    options = DemoOptions(upstream="http://127.0.0.1:9/v1", model="mine")
    with open_backend(options, {}, tmp_path / "log") as backend:
        assert backend.target.model == "mine"


@pytest.mark.parametrize("address", ["ftp://x", "localhost:8000"])
def test_an_upstream_that_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with (
        pytest.raises(DemoError, match="http or https") as caught,
        open_backend(DemoOptions(upstream=address), {}, tmp_path / "log"),
    ):
        pass
    assert caught.value.value == address


def test_an_upstream_without_a_list_of_models_asks_for_a_name(upstream: Upstream, tmp_path: Path) -> None:
    for answer in (web.Response(status=404), web.json_response({"data": []}), web.Response(text="<html>")):
        upstream.answer = lambda number, path, body, answer=answer: answer  # type: ignore[misc]
        with (
            pytest.raises(DemoError, match="does not list its models") as caught,
            open_backend(DemoOptions(upstream=upstream.base_url), {}, tmp_path / "log"),
        ):
            pass
        assert "--model" in caught.value.action


@pytest.mark.usefixtures("no_model")
def test_a_key_in_the_environment_serves_instead(tmp_path: Path) -> None:
    with open_backend(DemoOptions(), {"OPENAI_API_KEY": "sk-1"}, tmp_path / "log") as backend:
        assert backend.name == "openai"
        assert backend.provider.api_key_env == "OPENAI_API_KEY"
        assert backend.provider.api_key == ""
        assert "sk-1" not in repr(backend)
    with open_backend(DemoOptions(model="other"), {"MISTRAL_API_KEY": "k"}, tmp_path / "log") as backend:
        assert (backend.name, backend.target.model) == ("mistral", "other")


@pytest.mark.usefixtures("no_model")
def test_nobody_to_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(DemoError) as caught, open_backend(DemoOptions(), {"OPENAI_API_KEY": ""}, tmp_path / "log"):
        pass
    assert caught.value.code == "demo_no_model"


@pytest.mark.local
@pytest.mark.usefixtures("local_model")
def test_the_local_model_comes_with_its_meter(tmp_path: Path) -> None:
    with open_backend(DemoOptions(zone="FRA"), {}, tmp_path / "log") as backend:
        assert backend.local
        assert backend.target.model == MODEL_NAME
        assert backend.provider.meter_cpu_pid > 0
        assert backend.meter is not None
        provider = demo_settings(DemoOptions(zone="FRA"), backend).providers["local"]
        assert provider.zone == "FRA"
        assert provider.base_url.endswith("/v1")
