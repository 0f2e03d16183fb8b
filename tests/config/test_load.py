"""mesure.toml, environment and flags: precedence, types, and every refusal with what to do."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from mesure.apps.sentences import told
from mesure.config import Settings, load_settings
from mesure.errors import ConfigError
from mesure.i18n import catalog


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str | None = None, *, environ: dict[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from the text of a mesure.toml; flags are named with __ for the dot."""
    if text is not None:
        Path("mesure.toml").write_text(text, encoding="utf-8")
    return load_settings(flags={name.replace("__", "."): value for name, value in flags.items()}, environ=environ or {})


def refusal(text: str | None = None, **kwargs: Any) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        load(text, **kwargs)
    return refused.value


PROVIDER = '[providers.a]\nbase_url = "http://a/v1"\n'


# Precedence


def test_without_anything_every_default_holds() -> None:
    assert load() == Settings()


def test_flag_beats_environment_beats_file_beats_default() -> None:
    text = "[server]\nport = 1\n"
    assert load().server.port == 8420
    assert load(text).server.port == 1
    assert load(text, environ={"MESURE_SERVER_PORT": "2"}).server.port == 2
    assert load(text, environ={"MESURE_SERVER_PORT": "2"}, server__port=3).server.port == 3


def test_a_flag_not_given_changes_nothing() -> None:
    assert load("[server]\nport = 1\n", server__port=None).server.port == 1


def test_the_real_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESURE_SERVER_DATA", "elsewhere")
    assert load_settings().server.data == "elsewhere"


def _scalars() -> list[tuple[str, str, type]]:
    sections = {name: hint for name, hint in get_type_hints(Settings).items() if is_dataclass(hint)}
    return [
        (section, setting.name, get_type_hints(kind)[setting.name])
        for section, kind in sections.items()
        for setting in fields(kind)
        if get_type_hints(kind)[setting.name] in (int, float) and setting.name != "port"
    ]


@pytest.mark.parametrize(("section", "name", "kind"), _scalars())
def test_every_number_can_come_from_the_environment(section: str, name: str, kind: type) -> None:
    settings = load(environ={f"MESURE_{section}_{name}".upper(): "7"})
    value = getattr(getattr(settings, section), name)
    assert value == 7
    assert type(value) is kind


def test_lists_come_with_commas_from_the_environment() -> None:
    settings = load(environ={"MESURE_SERVER_ALLOWED_HOSTS": "mesure.exemple.fr, meter ,"})
    assert settings.server.allowed_hosts == ["mesure.exemple.fr", "meter"]


def test_a_flag_makes_a_provider() -> None:
    settings = load(providers__upstream__base_url="http://127.0.0.1:9/v1", providers__upstream__default=True)
    assert settings.providers["upstream"].base_url == "http://127.0.0.1:9/v1"
    assert settings.providers["upstream"].default


def test_a_named_file_is_read_and_the_one_here_is_not() -> None:
    Path("mesure.toml").write_text("[server]\nport = 1\n")
    Path("other.toml").write_text("[server]\nport = 2\n")
    assert load_settings("other.toml", environ={}).server.port == 2


def test_tables_of_providers_and_deployments() -> None:
    settings = load(
        PROVIDER + 'deployment = "rack"\ntimeout_s = 30\n[deployments.rack]\ngpu = "h100"\nn_gpus = 8\nbatch = 12.5\n'
    )
    assert settings.providers["a"].timeout_s == 30.0
    assert type(settings.providers["a"].timeout_s) is float
    assert settings.deployments["rack"].batch == 12.5


# Refusals


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[server]\nport = true\n", "server.port"),
        ('[server]\nport = "eighty"\n', "server.port"),
        ("[server]\nport = 80.5\n", "server.port"),
        ("[server]\nport = 70000\n", "server.port"),
        ("[server]\nport = -1\n", "server.port"),
        ("[server]\nhost = 1\n", "server.host"),
        ("[server]\nallowed_hosts = [1]\n", "server.allowed_hosts"),
        ("[server]\nallowed_hosts = 3\n", "server.allowed_hosts"),
        ("[ledger]\ncommit_seconds = 0\n", "ledger.commit_seconds"),
        ("[ledger]\ncommit_seconds = nan\n", "ledger.commit_seconds"),
        ("[ledger]\ncommit_seconds = inf\n", "ledger.commit_seconds"),
        ("[ledger]\ncommit_seconds = -1\n", "ledger.commit_seconds"),
        (f"[ledger]\ncommit_seconds = 1{'0' * 400}\n", "ledger.commit_seconds"),
        ("[ledger]\ncommit_events = 0\n", "ledger.commit_events"),
        ('[organisation]\nlanguage = "de"\n', "organisation.language"),
        ('[organisation]\ntimezone = "Europe/Atlantis"\n', "organisation.timezone"),
        ('[organisation]\ntimezone = "Europe"\n', "organisation.timezone"),
        ('[organisation]\ntimezone = "../etc/passwd"\n', "organisation.timezone"),
        ('[organisation]\ntimezone = ""\n', "organisation.timezone"),
        ("[organisation]\nheadcount = -3\n", "organisation.headcount"),
        ('[gateway]\nenvironment = "prod"\n', "gateway.environment"),
        ("server = 3\n", "[server]"),
        ("providers = 3\n", "[providers]"),
        ("[providers]\na = 3\n", "[providers.a]"),
        ('[providers.a]\nbase_url = "a/v1"\n', "providers.a.base_url"),
        ('[providers.a]\nwire = "openai"\n', "providers.a.base_url"),
        (PROVIDER + 'wire = "telepathy"\n', "providers.a.wire"),
        (PROVIDER + 'default = "perhaps"\n', "providers.a.default"),
        (PROVIDER + "default = 1\n", "providers.a.default"),
        (PROVIDER + 'deployment = "rack"\n', "providers.a.deployment"),
        ('[providers."a/b"]\nbase_url = "http://a"\n', "/providers/<name>/"),
        ("version = 2\n", "configuration version 1"),
    ],
)
def test_a_bad_value_is_refused_naming_the_setting(text: str, where: str) -> None:
    error = refusal(text)
    assert where in error.what
    assert error.action


@pytest.mark.parametrize(
    ("text", "value", "nearest"),
    [
        ("[server]\nprot = 1\n", "server.prot", "port"),
        ("[serveur]\nport = 1\n", "serveur", "server"),
        (PROVIDER + 'base_ulr = "x"\n', "providers.a.base_ulr", "base_url"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest(text: str, value: str, nearest: str) -> None:
    error = refusal(text)
    assert error.value == value
    assert nearest in error.nearest


def test_two_default_providers_are_refused() -> None:
    error = refusal(PROVIDER + 'default = true\n[providers.b]\nbase_url = "http://b"\ndefault = true\n')
    assert error.value == "a, b"


def test_a_misspelt_deployment_gets_the_nearest() -> None:
    error = refusal(PROVIDER + 'deployment = "rak"\n[deployments.rack]\ngpu = "h100"\n')
    assert error.nearest == ("rack",)


def test_a_bad_environment_variable_or_flag_is_refused_alike() -> None:
    assert "server.port" in refusal(environ={"MESURE_SERVER_PORT": "eighty"}).what
    assert "server.port" in refusal(server__port=99999).what


def test_a_flag_over_a_file_that_is_not_a_table_is_refused() -> None:
    assert "[server] must be a table" in refusal("server = 3\n", server__port=1).what


def test_invalid_toml_is_refused_with_its_place() -> None:
    error = refusal("[server\nport = 1\n")
    assert "mesure.toml" in error.what
    assert "line 1" in error.what


def test_a_file_that_is_not_text_is_refused() -> None:
    Path("mesure.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(environ={})


def test_a_missing_file_is_refused_only_when_named(tmp_path: Path) -> None:
    assert load_settings(environ={}) == Settings()
    with pytest.raises(ConfigError, match="does not exist"):
        load_settings("absent.toml", environ={})


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path, environ={})


def test_a_key_is_never_printed() -> None:
    error = refusal(PROVIDER + "api_key = 12345678\n")
    assert "12345678" not in str(error)
    assert "12345678" not in str(refusal('[providers]\na = "12345678"\n'))
    assert "sk-secret" not in repr(load(PROVIDER + 'api_key = "sk-secret"\n'))
    assert load(PROVIDER + 'api_key = "sk-secret"\n').providers["a"].api_key == "sk-secret"


# Files and addresses as people write them


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_may_begin_with_the_mark_of_an_editor(mark: bytes) -> None:
    Path("mesure.toml").write_bytes(mark + "[organisation]\nname = 'Exemple é'\n".encode())
    assert load_settings(environ={}).organisation.name == "Exemple é"


@pytest.mark.parametrize(
    "address",
    ["http://", "https://", "http:///v1", "http://:8000/v1", "http://host:port/v1", "http://host:70000", "http://host:0",
     "http://[::1/v1", "ftp://host/v1", "host/v1", "HTTP//host", " http://host", "//host/v1", ""],
)  # fmt: skip
def test_an_address_that_leads_nowhere_is_refused_at_the_start(address: str) -> None:
    error = refusal(f'[providers.a]\nbase_url = "{address}"\n')
    assert error.what == "providers.a.base_url must be an http or https address"
    assert error.value == address


@pytest.mark.parametrize(
    "address",
    ["http://host", "https://host/v1", "http://127.0.0.1:8000/v1", "http://[::1]:80", "https://h:65535/a/b?c=d"],
)
def test_an_address_is_kept_as_written(address: str) -> None:
    assert load(f'[providers.a]\nbase_url = "{address}"\n').providers["a"].base_url == address


# Precedence, for any setting and any set of places that give it


def _settable() -> list[tuple[str, str, tuple[str, ...]]]:
    """(section, setting, three values as text that it takes)"""
    found = []
    for section, name, kind in _scalars():
        found.append((section, name, ("3", "5", "7") if kind is int else ("3.5", "5.5", "7.5")))
    return [*found, ("server", "data", ("a", "b", "c")), ("organisation", "name", ("x", "y", "é"))]


@how(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(_settable()), st.sets(st.sampled_from(["file", "environment", "flag"])))
def test_the_nearest_word_wins(setting: tuple[str, str, tuple[str, ...]], given_by: set[str]) -> None:
    section, name, values = setting
    written = dict(zip(("file", "environment", "flag"), values, strict=True))
    number = values[0].replace(".", "").isdecimal()
    line = f"{name} = {written['file']}" if number else f'{name} = "{written["file"]}"'
    Path("mesure.toml").write_text(f"[{section}]\n{line}\n" if "file" in given_by else "", encoding="utf-8")
    environ = {f"MESURE_{section}_{name}".upper(): written["environment"]} if "environment" in given_by else {}
    flags = {f"{section}.{name}": written["flag"]} if "flag" in given_by else {}
    found = getattr(getattr(load_settings(flags=flags, environ=environ), section), name)
    strongest = next((place for place in ("flag", "environment", "file") if place in given_by), None)
    default = getattr(getattr(Settings(), section), name)
    assert found == (default if strongest is None else type(default)(written[strongest]))
    others = load_settings(flags=flags, environ=environ)
    assert replace(others, **{section: getattr(Settings(), section)}) == Settings()  # and nothing else moved


@pytest.mark.parametrize(
    "name",
    ["MESURE_PROVIDERS_A_BASE_URL", "MESURE_VERSION", "MESURE_PORT", "SERVER_PORT", "mesure_server_port", "MESURE_"],
)
def test_other_variables_are_left_alone(name: str) -> None:
    assert load(environ={name: "x"}) == Settings()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("False", False), ("0", False)])
def test_yes_and_no_from_a_flag(text: str, value: bool) -> None:
    settings = load(PROVIDER, providers__a__live=text)
    assert settings.providers["a"].live is value


@pytest.mark.parametrize("text", ["yes", "", "2", "on"])
def test_what_is_neither_is_refused(text: str) -> None:
    assert "providers.a.live must be true or false" in refusal(PROVIDER, providers__a__live=text).what


# What is refused is told in both languages

_REFUSED = (
    "[server]\nport = true\n",
    "[server]\nport = 70000\n",
    "[server]\nallowed_hosts = 3\n",
    "[ledger]\ncommit_seconds = nan\n",
    '[organisation]\nlanguage = "de"\n',
    '[gateway]\nenvironment = "prod"\n',
    '[organisation]\ntimezone = "Europe"\n',
    "server = 3\n",
    "providers = 3\n",
    '[providers.a]\nbase_url = "a/v1"\n',
    PROVIDER + 'deployment = "rack"\n',
    PROVIDER + "default = 1\n",
    PROVIDER + 'default = true\n[providers.b]\nbase_url = "http://b"\ndefault = true\n',
    '[providers."a/b"]\nbase_url = "http://a"\n',
    "[server]\nprot = 1\n",
    "version = 2\n",
)


@pytest.mark.parametrize("text", _REFUSED)
def test_a_refusal_is_whole_in_french(text: str) -> None:
    error = refusal(text)
    french, english = told(error, catalog("fr")), told(error, catalog("en"))
    assert error.what.rstrip(".") in english
    assert error.action.rstrip(".") in english
    left = {"must", "be", "its", "the", "and", "not", "Correct", "Write", "Use", "with", "value"}
    kept = {word.strip(".,:") for word in f"{error.value} {text}".split()}
    assert not {word.strip(".,:") for word in french.split()} & (left - kept), french
    assert error.value is None or str(error.value) in french
