"""The facts: what is recorded of a use of AI, and the protocol by which it is handed over."""

from mesure.record.allowed import ALLOWED, FILES, LINKED, PURPOSES, SCREENED, Allowed
from mesure.record.contact import CONTACT_SCHEMA_VERSION, Contact
from mesure.record.event import (
    CHOICES,
    KINDS,
    SCHEMA_VERSION,
    Basis,
    Environment,
    Operation,
    Outcome,
    Source,
    UsageEvent,
    identity_of,
)
from mesure.record.ids import derived_id, new_id
from mesure.record.sink import FieldSink, Sink

__all__ = [
    "ALLOWED",
    "CHOICES",
    "CONTACT_SCHEMA_VERSION",
    "FILES",
    "KINDS",
    "LINKED",
    "PURPOSES",
    "SCHEMA_VERSION",
    "SCREENED",
    "Allowed",
    "Basis",
    "Contact",
    "Environment",
    "FieldSink",
    "Operation",
    "Outcome",
    "Sink",
    "Source",
    "UsageEvent",
    "derived_id",
    "identity_of",
    "new_id",
]
