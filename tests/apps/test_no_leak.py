"""Every route of the server, asked with secrets and with addresses of elsewhere: nothing shows again, nobody is called.

The routes are read from the application: one that is not covered here fails.
"""

from __future__ import annotations

import ast
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from provider_double import GOOD_KEY, ProviderDouble

from mesure.apps.events_door import EVENTS_PATH
from mesure.apps.gateway import PATHS as GATEWAY_PATHS
from mesure.apps.house import House
from mesure.apps.otlp import PATHS as OTLP_PATHS
from mesure.apps.totals import GatewayTotals
from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.ledger import Spool
from mesure.state import Keys, Scope, open_store
from served_process import served

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure"
PROMPT = "Parole-Secrete-7391"
PERSON = "jean.petit.7391@exemple.fr"
CLIENTS_KEY = "sk-clients-own-key-73917391"
_CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": PROMPT}]}).encode()
_SPAN = json.dumps({
    "resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "a" * 32, "spanId": "b" * 16, "name": "chat", "startTimeUnixNano": "1795300000000000000",
        "endTimeUnixNano": "1795300001000000000",
        "attributes": [
            {"key": name, "value": {"stringValue": text}}
            for name, text in (
                ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o"), ("gen_ai.prompt", PROMPT),
                ("gen_ai.input.messages", PROMPT), ("gen_ai.output.messages", PROMPT), ("mesure.user", PERSON),
                ("mesure.team", CLIENTS_KEY), ("user.email", PERSON),
            )
        ],
    }]}]}]
}).encode()  # fmt: skip
_EVENT = json.dumps({
    "id": "01a2055d-521a-7b82-ae78-257f53eb4289", "started_at": "2026-11-22T12:00:00+00:00", "source": "sensor",
    "user": PERSON, "team": PERSON, "use_case": CLIENTS_KEY, "prompt": PROMPT, "input_tokens": 3,
}).encode()  # fmt: skip

#: Each route -> the requests that are made of it: (method, path, body).
PROBES: dict[str, list[tuple[str, str, bytes]]] = {
    "/": [("GET", "/", b"")],
    **{f"/{language}/": [("GET", f"/{language}/", b"")] for language in ("fr", "en")},
    **{f"/{language}/explore": [("GET", f"/{language}/explore?by=team&q={PROMPT}", b"")] for language in ("fr", "en")},
    **{f"/{language}/why": [("GET", f"/{language}/why", b"")] for language in ("fr", "en")},
    **{
        f"/{language}/calls/{{event_id}}": [("GET", f"/{language}/calls/{x}", b"") for x in ("x", "../x", "%2e%2e")]
        for language in ("fr", "en")
    },
    "/live": [("GET", "/live?lang=xx", b"")],
    "/api/overview": [("GET", "/api/overview", b"")],
    "/api/openapi.json": [("GET", "/api/openapi.json", b"")],
    "/api/explore": [("GET", "/api/explore", b""), ("GET", "/api/explore?by=nothing", b"")],
    "/api/explore.csv": [("GET", "/api/explore.csv", b"")],
    "/api/sensors": [("GET", "/api/sensors", b"")],
    "/healthz": [("GET", "/healthz", b"")],
    "/readyz": [("GET", "/readyz", b"")],
    "/metrics": [("GET", "/metrics", b"")],
    **{path: [("POST", path, _SPAN), ("POST", path, b"{"), ("GET", path, b"")] for path in OTLP_PATHS},
    EVENTS_PATH: [("POST", EVENTS_PATH, _EVENT), ("POST", EVENTS_PATH, PROMPT.encode()), ("GET", EVENTS_PATH, b"")],
    "/v1/": [
        ("POST", "/v1/chat/completions", _CHAT),
        ("POST", "/v1/chat/completions", _CHAT.replace(b"gpt-4o", b"fail-500")),
        ("POST", "/v1/chat/completions", PROMPT.encode()),
        ("POST", "/v1/embeddings", json.dumps({"model": "e", "input": PROMPT}).encode()),
        ("GET", "/v1/models", b""),
        ("GET", "/v1/mirror", b""),
        ("GET", "/v1/moved", b""),
        ("DELETE", "/v1/../x", b""),
    ],
    "/providers/": [
        ("POST", "/providers/upstream/chat/completions", _CHAT),
        ("POST", "/providers/nobody/chat/completions", _CHAT),
        ("POST", "/providers/down/chat/completions", _CHAT),
    ],
    "(no route)": [
        ("GET", f"/nothing/{PROMPT}", b""),
        ("POST", "/fr/", _CHAT),
        ("GET", "/static/../pyproject.toml", b""),
    ],
}  # fmt: skip


def routes_of(folder: Path) -> set[str]:
    settings = Settings(
        server=ServerSettings(data=str(folder)), providers={"p": ProviderSettings(base_url="http://x/")}
    )
    spool = Spool(folder / "spool")
    try:
        house = House(settings, spool, GatewayTotals)
        pages = {str(getattr(route, "path", route)) for route in house.web.routes}
    finally:
        spool.close()
    return pages | set(OTLP_PATHS) | {EVENTS_PATH} | {path.decode() for path in GATEWAY_PATHS}


def test_every_route_is_asked_here(tmp_path: Path) -> None:
    assert routes_of(tmp_path) == set(PROBES) - {"(no route)"}


class Canary:
    """A server of elsewhere, on this machine: nobody should ever come."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.visits: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self.listener.accept()
            except OSError:
                return
            with visitor:
                visitor.settimeout(2)
                try:
                    self.visits.append(visitor.recv(400))
                except OSError:
                    self.visits.append(b"(nothing said)")


class Asked(NamedTuple):
    route: str
    request: bytes
    answer: bytes


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        pieces = []
        try:
            while piece := connection.recv(65_536):
                pieces.append(piece)
        except (TimeoutError, ConnectionError):
            pass
        return b"".join(pieces)


def request_of(method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    given = {"host": "127.0.0.1", "connection": "close", "content-type": "application/json"} | headers
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join([*lines, f"content-length: {len(body)}"]) + "\r\n\r\n").encode() + body


class Scene:
    """A server that was asked everything, stopped, and what it left."""

    def __init__(self, folder: Path, token: str, asked: list[Asked], output: str, canary: Canary) -> None:
        self.folder, self.asked, self.output, self.canary = folder, asked, output, canary
        self.token = token
        self.secret = token.split("-")[2]

    def files(self) -> bytes:
        import duckdb

        held = []
        for path in self.folder.rglob("*"):
            if path.is_file():
                held.append(path.read_bytes())
                if path.suffix == ".parquet":
                    found = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{path}')").fetchall()
                    held.append(str(found).encode())
        return b"".join(held)


def elsewhere(canary: Canary) -> list[dict[str, str]]:
    """Headers by which a caller may try to choose where a server goes."""
    there = f"127.0.0.1:{canary.port}"
    names = ("x-forwarded-host", "x-host", "x-original-host", "x-mesure-upstream", "x-upstream", "x-mesure-base-url")
    urls = (
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-for",
        "referer",
        "origin",
        "x-callback-url",
        "x-http-host-override",
    )
    return [
        {"host": there},
        dict.fromkeys(names, there) | dict.fromkeys(urls, f"http://{there}/"),
        {"forwarded": f"host={there};proto=http", "via": f"1.1 {there}", "proxy": f"http://{there}"},
    ]


def targets(path: str, canary: Canary) -> list[str]:
    there = f"127.0.0.1:{canary.port}"
    base = path.partition("?")[0].rstrip("/")
    return [
        f"http://{there}{base}",
        f"//{there}{base}",
        f"{base}/http://{there}/",
        f"{base}/@{there}/",
        f"{base}//{there}/",
        f"{base}?url=http://{there}/&base_url=http://{there}/&upstream={there}",
        f"{base}/%2f%2f{there}",
        f"{base}\\{there}",
    ]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("leak")
    canary = Canary()
    with ProviderDouble() as provider:
        (folder / "mesure.toml").write_text(
            f'[providers.upstream]\nbase_url = "{provider.url}"\napi_key = "{GOOD_KEY}"\n'
            '[providers.down]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "sk-of-the-one-that-is-down-7391"\n'
        )
        store = open_store(Settings(server=ServerSettings(data=str(folder / "data"))))
        token = Keys(store).create(Scope(team="care")).token
        store.close()
        asked: list[Asked] = []
        with served(provider, folder / "data") as server:
            port = int(server.url.rpartition(":")[2])
            keys = {"authorization": f"Bearer {token}", "x-api-key": CLIENTS_KEY, "cookie": CLIENTS_KEY}
            who = {"x-mesure-user": PERSON, "x-mesure-team": PERSON, "x-mesure-labels": f"a={CLIENTS_KEY}"}
            for route, probes in PROBES.items():
                for method, path, body in probes:
                    request = request_of(method, path, body, keys | who)
                    asked.append(Asked(route, request, ask(port, request)))
                    wrong = request_of(method, path, body, {"authorization": f"Bearer {CLIENTS_KEY}"})
                    asked.append(Asked(route, wrong, ask(port, wrong)))
                method, path, body = probes[0]
                for headers in elsewhere(canary):
                    ask(port, request_of(method, path, body, keys | headers))
                for target in targets(path, canary):
                    ask(port, request_of(method, target, body, keys))
            assert server.stop() == 0
        yield Scene(folder / "data", token, asked, server.output, canary)
    canary.listener.close()


def test_nobody_elsewhere_is_ever_called(scene: Scene) -> None:
    assert scene.canary.visits == []


def test_every_route_answered(scene: Scene) -> None:
    assert {asked.route for asked in scene.asked if asked.answer.startswith(b"HTTP/1.1 ")} == set(PROBES)
    assert any(b" 200 " in asked.answer[:16] for asked in scene.asked if asked.route == "/v1/")


def test_no_answer_holds_a_key(scene: Scene) -> None:
    secrets = [scene.secret.encode(), GOOD_KEY.encode(), b"sk-of-the-one-that-is-down-7391"]
    found = [(asked.route, secret) for asked in scene.asked for secret in secrets if secret in asked.answer]
    assert found == []


def test_no_page_no_metric_and_no_error_says_what_was_asked(scene: Scene) -> None:
    """The gateway passes on to a caller what the provider answers to that very call; nothing else repeats a word."""
    relayed = ("/v1/", "/providers/")
    for asked in scene.asked:
        if asked.route not in relayed:
            for secret in (PROMPT, PERSON, CLIENTS_KEY):
                mine = secret.encode() in asked.request.partition(b" HTTP/")[0]  # in its own address
                assert mine or secret.encode() not in asked.answer, (asked.route, secret)


def test_no_log_line_says_a_secret(scene: Scene) -> None:
    for secret in (PROMPT, PERSON, CLIENTS_KEY, GOOD_KEY, scene.secret, "sk-of-the-one-that-is-down-7391"):
        assert secret not in scene.output
    assert "Traceback" not in scene.output


def test_no_file_holds_a_secret(scene: Scene) -> None:
    held = scene.files()
    assert b"gpt-4o" in held  # the calls are there
    for secret in (PROMPT, PERSON, CLIENTS_KEY, GOOD_KEY, scene.secret, "sk-of-the-one-that-is-down-7391"):
        assert secret.encode() not in held, secret


#: Names in what may be logged that could hold words of a request or of an answer.
_CONTENT = {
    *("body", "request", "answer", "text", "prompt", "messages", "headers"),
    *("event", "events", "fields", "key"),
}
#: Where the name stands for something else: the path of a page that failed, the reason that another Mesure gave.
_HARMLESS = {("errors.py", "request"), ("forwarding.py", "answer")}


def test_no_log_call_takes_what_could_hold_content() -> None:
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "logger.")):
                for argument in node.args[1:]:
                    taken = {each.id for each in ast.walk(argument) if isinstance(each, ast.Name)}
                    found = {(file.name, name) for name in taken & _CONTENT} - _HARMLESS
                    assert not found, f"{file.name}:{node.lineno} logs {found}"
