"""The door for telemetry of others: OTLP over HTTP, and over gRPC where it is asked for."""

from mesure.apps.otlp.grpc_door import GrpcDoor, open_grpc
from mesure.apps.otlp.http import PATHS, OtlpApp
from mesure.apps.otlp.metrics import otlp_metrics

__all__ = ["PATHS", "GrpcDoor", "OtlpApp", "open_grpc", "otlp_metrics"]
