"""Doubles of what sensors read: clocks, a driver's library at its binary interface, local servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint64
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mesure.meter.sensors.device import Times

NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, GPU_IS_LOST = 3, 4, 6, 15


@dataclass
class HandClock:
    """Seconds that pass when told to; `sleep` passes them with the machine suspended."""

    awake_s: float = 1_000.0
    asleep_s: float = 0.0

    def __call__(self) -> Times:
        return Times(self.awake_s, self.awake_s + self.asleep_s)

    def wait(self, seconds: float) -> None:
        self.awake_s += seconds

    def sleep(self, seconds: float) -> None:
        self.asleep_s += seconds


@dataclass
class Board:
    """One NVIDIA board. `energy_mj` None: before Volta; `instances`: UUIDs of its MIG parts, None where undivided."""

    uuid: str
    name: str = "NVIDIA H200"
    energy_mj: int | None = 0
    power_mw: int | None = 90_000
    instances: list[str] | None = None
    lost: bool = False


class NvmlLibrary:
    """What `ctypes` finds in libnvidia-ml.so.1: functions that fill in the pointers they are given."""

    def __init__(self, boards: list[Board], init: int = 0) -> None:
        self.boards = boards
        self.init = init
        self.opened = 0
        self.parts = [(board, place) for board in boards for place in range(len(board.instances or ()))]

    def __getattr__(self, name: str) -> Callable[..., int]:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        try:
            return getattr(self, "_" + name.removeprefix("nvml").removesuffix("_v2"))  # type: ignore[no-any-return]
        except RecursionError:
            raise AttributeError(name) from None

    def _InitWithFlags(self, flags: int) -> int:  # noqa: N802
        self.opened += self.init == 0
        return self.init

    def _Shutdown(self) -> int:  # noqa: N802
        self.opened -= 1
        return 0

    def _DeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.boards)
        return 0

    def _DeviceGetHandleByIndex(self, index: Any, handle: Any) -> int:  # noqa: N802
        _point(handle, index.value + 1)
        return 0

    def _board(self, handle: Any) -> Board:
        return self.boards[_pointed(handle) - 1]

    def _DeviceGetName(self, handle: Any, name: Any, size: Any) -> int:  # noqa: N802
        name.value = self._board(handle).name.encode()
        return 0

    def _DeviceGetUUID(self, handle: Any, uuid: Any, size: Any) -> int:  # noqa: N802
        address = _pointed(handle)
        if address > 1000:
            board, place = self.parts[address - 1001]
            assert board.instances is not None
            uuid.value = board.instances[place].encode()
        else:
            uuid.value = self._board(handle).uuid.encode()
        return 0

    def _DeviceGetTotalEnergyConsumption(self, handle: Any, millijoules: Any) -> int:  # noqa: N802
        board = self._board(handle)
        if board.lost:
            return GPU_IS_LOST
        if board.energy_mj is None:
            return NOT_SUPPORTED
        assert isinstance(millijoules._obj, c_uint64)
        millijoules._obj.value = board.energy_mj
        return 0

    def _DeviceGetPowerUsage(self, handle: Any, milliwatts: Any) -> int:  # noqa: N802
        board = self._board(handle)
        if board.lost:
            return GPU_IS_LOST
        if board.power_mw is None:
            return NOT_SUPPORTED
        milliwatts._obj.value = board.power_mw
        return 0

    def _DeviceGetMigMode(self, handle: Any, current: Any, pending: Any) -> int:  # noqa: N802
        board = self._board(handle)
        if board.instances is None:
            return NOT_SUPPORTED
        current._obj.value = pending._obj.value = 1
        return 0

    def _DeviceGetMaxMigDeviceCount(self, handle: Any, count: Any) -> int:  # noqa: N802
        count._obj.value = 7
        return 0

    def _DeviceGetMigDeviceHandleByIndex(self, handle: Any, index: Any, part: Any) -> int:  # noqa: N802
        board = self._board(handle)
        if index.value >= len(board.instances or ()):
            return NOT_FOUND
        _point(part, 1001 + self.parts.index((board, index.value)))
        return 0


def _point(handle: Any, address: int) -> None:
    from ctypes import c_void_p, cast, memmove, pointer, sizeof

    memmove(cast(pointer(handle._obj), c_void_p), pointer(c_void_p(address)), sizeof(c_void_p))


def _pointed(handle: Any) -> int:
    from ctypes import c_void_p, cast

    return int(cast(handle, c_void_p).value or 0)


@dataclass
class Place:
    """A local HTTP server's answers by path: bytes, or a status; and what it was asked."""

    answers: dict[str, bytes | int | Callable[[], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    users: dict[str, str] | None = None  # basic authentication wanted, or a session
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def sets(self, path: str, answer: object) -> None:
        self.answers[path] = (
            answer if isinstance(answer, bytes | int) or callable(answer) else json.dumps(answer).encode()
        )


@contextmanager
def serving(place: Place, context: Any = None) -> Iterator[Place]:
    """`place` served on loopback while the block lasts, over TLS with a context."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            place.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, content, extra = _respond(place, self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    place.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _respond(place: Place, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    if method == "POST" and path == "/redfish/v1/SessionService/Sessions":
        given = json.loads(body)
        if (place.users or {}).get(given["UserName"]) != given["Password"]:
            return 401, b"{}", {}
        token = f"token-{len(place.tokens)}"
        place.tokens.add(token)
        return 201, b"{}", {"X-Auth-Token": token, "Location": f"/redfish/v1/SessionService/Sessions/{token}"}
    if method == "DELETE":
        place.tokens.discard(path.rpartition("/")[2])
        return 204, b"", {}
    if place.users is not None and not _let_in(place, headers):
        return 401, b"{}", {}
    answer = place.answers.get(path, 404)
    answer = answer() if callable(answer) else answer
    return (answer, b"{}", {}) if isinstance(answer, int) else (200, answer, {})


def _let_in(place: Place, headers: Any) -> bool:
    import base64

    if headers.get("X-Auth-Token") in place.tokens:
        return True
    scheme, _, pair = (headers.get("Authorization") or "").partition(" ")
    if scheme != "Basic":
        return False
    user, _, password = base64.b64decode(pair).decode().partition(":")
    return (place.users or {}).get(user) == password
