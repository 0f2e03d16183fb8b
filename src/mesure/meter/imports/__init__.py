"""Files of usage (CSV, JSON lines, plain or gzip) -> usage events, row by row, in constant memory."""

from mesure.meter.imports.contacts import (
    CONTACT_FIELDS,
    ContactPlan,
    ContactReview,
    propose_contacts,
    read_contacts,
    review_contacts,
)
from mesure.meter.imports.files import ENCODINGS, ContentDigest, RawRow, TableFile
from mesure.meter.imports.guessing import Guess, Habits, guesses, habits_of, likely
from mesure.meter.imports.mapping import FIELDS, known_field, propose
from mesure.meter.imports.profiles import Declared, declared
from mesure.meter.imports.reading import DOUBTS, BadRow, ImportPlan, Part, Review, read_events, read_rows, review
from mesure.meter.imports.values import Conventions
from mesure.meter.imports.zones import zone_named

__all__ = [
    "CONTACT_FIELDS",
    "DOUBTS",
    "ENCODINGS",
    "FIELDS",
    "BadRow",
    "ContactPlan",
    "ContactReview",
    "ContentDigest",
    "Conventions",
    "Declared",
    "Guess",
    "Habits",
    "ImportPlan",
    "Part",
    "RawRow",
    "Review",
    "TableFile",
    "declared",
    "guesses",
    "habits_of",
    "known_field",
    "likely",
    "propose",
    "propose_contacts",
    "read_contacts",
    "read_events",
    "read_rows",
    "review",
    "review_contacts",
    "zone_named",
]
