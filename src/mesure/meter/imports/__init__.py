"""Files of usage (CSV, JSON lines, plain or gzip) -> usage events, row by row, in constant memory."""

from mesure.meter.imports.files import RawRow, TableFile
from mesure.meter.imports.mapping import FIELDS, known_field, propose
from mesure.meter.imports.reading import BadRow, ImportPlan, Review, read_events, read_rows, review
from mesure.meter.imports.values import Conventions

__all__ = [
    "FIELDS",
    "BadRow",
    "Conventions",
    "ImportPlan",
    "RawRow",
    "Review",
    "TableFile",
    "known_field",
    "propose",
    "read_events",
    "read_rows",
    "review",
]
