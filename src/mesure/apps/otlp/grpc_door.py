"""OTLP over gRPC, with the extra `grpc`: the same intake on a port of its own."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mesure.apps.gateway.keys import KeyCheck, scope_of
from mesure.apps.gateway.refusals import Refusal
from mesure.errors import ConfigError
from mesure.meter.otlp import SIGNALS, SpoolFull, protobuf

if TYPE_CHECKING:
    from mesure.config import Settings
    from mesure.meter.otlp import Intake, Signal
    from mesure.state import KeyRing

__all__ = ["GrpcDoor", "open_grpc"]

log = logging.getLogger("mesure.otlp")

_THREADS = 4
_GRACE_S = 2.0
_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


def open_grpc(settings: Settings, intake: Intake, keys: KeyRing | None) -> GrpcDoor | None:
    """The door that the configuration asks for, None when it asks for none. Raises `ConfigError`."""
    wanted = settings.otlp.enabled and settings.otlp.grpc_port
    return GrpcDoor(settings, intake, keys) if wanted else None


class GrpcDoor:
    """Serves from `start` to `stop`. Raises `ConfigError` when grpcio is absent or the port is taken."""

    def __init__(self, settings: Settings, intake: Intake, keys: KeyRing | None = None) -> None:
        try:
            import grpc
        except ImportError:
            raise ConfigError(
                "Telemetry over gRPC needs the package grpcio",
                value=f"otlp.grpc_port = {settings.otlp.grpc_port}",
                action="Install it with: pip install 'mesure[grpc]', or set otlp.grpc_port = 0 and send over HTTP",
            ) from None
        self._grpc = grpc
        self._intake = intake
        self._keys = KeyCheck(settings.gateway.keys, keys)
        most = int(settings.otlp.max_body_mb * 1e6)
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="mesure-otlp"),
            options=[("grpc.max_receive_message_length", most), ("grpc.so_reuseport", 0)],
            maximum_concurrent_rpcs=_THREADS * 4,
        )
        self._server.add_generic_rpc_handlers(tuple(self._handler(signal) for signal in SIGNALS))
        host, wanted = settings.server.host, settings.otlp.grpc_port
        address = f"[{host}]:{wanted}" if ":" in host else f"{host}:{wanted}"
        try:
            self.port: int = self._server.add_insecure_port(address)
        except RuntimeError:
            self.port = 0
        if not self.port:
            raise ConfigError(
                "The port of the gRPC intake cannot be listened on",
                value=address,
                action="Stop what uses it, or choose another otlp.grpc_port",
                code="port_taken",
            )

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        """What is under way is finished."""
        self._server.stop(_GRACE_S).wait()

    def _handler(self, signal: Signal) -> Any:
        request, response = protobuf.messages(signal)
        method = self._grpc.unary_unary_rpc_method_handler(
            lambda message, context: self._export(signal, message, context),
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )
        return self._grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})

    def _export(self, signal: Signal, message: Any, context: Any) -> Any:
        codes = self._grpc.StatusCode
        given = [(name.encode(), _bytes(value)) for name, value in context.invocation_metadata()]
        try:
            scope = scope_of(self._keys.admit(given).key)
            taken = self._intake.take_message(signal, message, scope)
        except Refusal as refusal:
            context.abort(codes.UNAVAILABLE if refusal.status == 503 else codes.UNAUTHENTICATED, str(refusal))
        except SpoolFull as error:
            context.abort(codes.UNAVAILABLE, str(error))
        return protobuf.answer(signal, taken.rejected, taken.why if taken.rejected else "")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
