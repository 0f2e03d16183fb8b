"""The gRPC door, through the protocol's own channels and codes."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from otlp_messages import PARENT, Shelf, binary, log_record, logs, point, span, token_usage, traces

from mesure.apps.otlp import GrpcDoor, open_grpc
from mesure.apps.otlp.grpc_door import _SERVICES
from mesure.config import GatewaySettings, OtlpSettings, Settings
from mesure.errors import ConfigError
from mesure.meter.otlp import Intake, Signal, protobuf
from served_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 40}


@contextmanager
def door(**given: Any) -> Iterator[tuple[Shelf, str]]:
    shelf = Shelf()
    settings = Settings(otlp=OtlpSettings(grpc_port=free_port(), max_body_mb=0.1), **given)
    opened = open_grpc(settings, Intake(settings, shelf, str, began_ns=0), None)
    assert opened is not None
    opened.start()
    try:
        yield shelf, f"127.0.0.1:{opened.port}"
    finally:
        opened.stop()


def export(address: str, signal: Signal, body: bytes, **metadata: str) -> Any:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{_SERVICES[signal]}/Export")
        given = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        answer = call(body, metadata=given, timeout=20, compression=grpc.Compression.Gzip)
    return protobuf.messages(signal)[1].FromString(answer)


def test_each_signal() -> None:
    event = "gen_ai.client.inference.operation.details"
    sent: dict[Signal, dict[str, Any]] = {
        "traces": traces(span(_CALL)),
        "metrics": token_usage(point("input", 2, 10.0)),
        "logs": logs(log_record(_CALL, eventName=event)),
    }
    with door() as (shelf, address):
        for signal, message in sent.items():
            assert not export(address, signal, binary(signal, message)).HasField("partial_success")
    assert [event.input_tokens for event in shelf.events if event.basis == "observed"] == [120, 120]


def test_partial_success() -> None:
    old = span(_CALL, startTimeUnixNano="1", endTimeUnixNano="2", spanId=PARENT)
    with door() as (shelf, address):
        answer = export(address, "traces", binary("traces", traces(span(_CALL), old)))
    assert answer.partial_success.rejected_spans == 1
    assert "time" in answer.partial_success.error_message
    assert len(shelf.events) == 1


def _code(address: str, body: bytes, **metadata: str) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        export(address, "traces", body, **metadata)
    return raised.value.code()  # type: ignore[attr-defined]


def test_a_full_disk_is_a_state_that_clients_try_again_after() -> None:
    body = binary("traces", traces(span(_CALL)))
    with door() as (shelf, address):
        shelf.full = True
        assert _code(address, body) is grpc.StatusCode.UNAVAILABLE
        shelf.full = False
        export(address, "traces", body)
    assert len(shelf.events) == 1


def test_a_key_is_asked_for_where_keys_are_required() -> None:
    body = binary("traces", traces(span(_CALL)))
    with door(gateway=GatewaySettings(keys="required")) as (shelf, address):
        assert _code(address, body) is grpc.StatusCode.UNAUTHENTICATED
        token = f"Bearer mesure-{'a' * 8}-{'b' * 32}"
        assert _code(address, body, authorization=token) is grpc.StatusCode.UNAVAILABLE
    assert shelf.events == []


def test_bytes_that_are_no_message_and_messages_that_are_too_large() -> None:
    with door() as (shelf, address):
        assert _code(address, b"\xff\xff\xff") is not None
        assert _code(address, b"\0" * 200_000) is not None
        export(address, "traces", binary("traces", traces(span(_CALL))))
    assert len(shelf.events) == 1


def test_off_by_default() -> None:
    settings = Settings()
    assert open_grpc(settings, Intake(settings, Shelf(), str), None) is None


def test_a_port_in_use_is_said() -> None:
    with door() as (_, address):
        taken = Settings(otlp=OtlpSettings(grpc_port=int(address.rpartition(":")[2])))
        with pytest.raises(ConfigError, match="cannot be listened on"):
            GrpcDoor(taken, Intake(taken, Shelf(), str))


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    settings = Settings(otlp=OtlpSettings(grpc_port=4317))
    with pytest.raises(ConfigError, match=r"mesure\[grpc\]"):
        GrpcDoor(settings, Intake(settings, Shelf(), str))
