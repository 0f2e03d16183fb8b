"""The ledger: spool, committer, Delta table, and the derived view that pages read."""

from mesure.ledger.amounts import Amounts
from mesure.ledger.committer import Committer, CommitterState
from mesure.ledger.contacts import ContactTable
from mesure.ledger.contacts_view import CONTACT_DIMENSIONS, ContactGroup, ContactTotals, contact_totals
from mesure.ledger.counters import CounterLabels, CounterRow, Counters
from mesure.ledger.cut import DIMENSIONS, MEASURES, Cut, Total, change
from mesure.ledger.engine import Slice
from mesure.ledger.exploring import CallPage, Place
from mesure.ledger.importing import ImportResult, KnownImport, import_events, known_imports, remove_imports
from mesure.ledger.pricing import Pricer, key_of
from mesure.ledger.reading import View
from mesure.ledger.recompute import Basis, Cause, Change, Recomputed, explained, recomputed
from mesure.ledger.retention import Retained, Wanted, caught_up, erase, forget_damaged, matching, retain
from mesure.ledger.spark import SparkEngine
from mesure.ledger.spool import Spool
from mesure.ledger.table import Ledger, Snapshot, StaleBatch, StoredFile
from mesure.ledger.traffic import traffic_in
from mesure.ledger.view import (
    CallRow,
    GroupTotal,
    ModelRow,
    Overview,
    PowerPoint,
    Reconciled,
    ReportRow,
    Unseen,
    Window,
)

__all__ = [
    "CONTACT_DIMENSIONS",
    "DIMENSIONS",
    "MEASURES",
    "Amounts",
    "Basis",
    "CallPage",
    "CallRow",
    "Cause",
    "Change",
    "Committer",
    "CommitterState",
    "ContactGroup",
    "ContactTable",
    "ContactTotals",
    "CounterLabels",
    "CounterRow",
    "Counters",
    "Cut",
    "GroupTotal",
    "ImportResult",
    "KnownImport",
    "Ledger",
    "ModelRow",
    "Overview",
    "Place",
    "PowerPoint",
    "Pricer",
    "Recomputed",
    "Reconciled",
    "ReportRow",
    "Retained",
    "Slice",
    "Snapshot",
    "SparkEngine",
    "Spool",
    "StaleBatch",
    "StoredFile",
    "Total",
    "Unseen",
    "View",
    "Wanted",
    "Window",
    "caught_up",
    "change",
    "contact_totals",
    "erase",
    "explained",
    "forget_damaged",
    "import_events",
    "key_of",
    "known_imports",
    "matching",
    "recomputed",
    "remove_imports",
    "retain",
    "traffic_in",
]
