"""Telemetry of others, in OpenTelemetry's protocol: spans, log records and token histograms -> usage events.

`protobuf` and `json_form` read a request into `records`, keeping the attributes of a list and nothing else: no text of
a prompt or an answer is ever read. `conventions` says what attributes mean, `calls` makes a record one call,
`nesting` keeps a call that several spans tell from counting twice, `histograms` makes aggregates, `intake` writes.
"""

from mesure.meter.otlp.intake import Intake, SpoolFull, Taken, Unreadable
from mesure.meter.otlp.records import SIGNALS, Signal

__all__ = ["SIGNALS", "Intake", "Signal", "SpoolFull", "Taken", "Unreadable"]
