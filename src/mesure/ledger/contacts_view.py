"""Calls, tokens and footprint per contact: the calls of the ledger beside the contacts they carry the id of.

One statement sums the features of calls by the group of their contact, as for any other total; contacts are read by the
engine alone, never as Python objects: time is linear, and the engine's memory is bounded.
"""
# ruff: noqa: S608  (statements are built of our own column names and of quoted paths)

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import InvalidValue, nearest_names
from mesure.ledger.cells import Sums, Table, add_to, energy_of, gwp_of
from mesure.ledger.engine import Engine, Slice, _quoted, priced
from mesure.ledger.rollup import within
from mesure.ledger.schema import second_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mesure.ledger.cells import Cell
    from mesure.ledger.contacts import ContactTable
    from mesure.ledger.pricing import Pricer
    from mesure.ledger.table import Ledger
    from mesure.quantity import Quantity

__all__ = ["CONTACT_DIMENSIONS", "ContactGroup", "ContactTotals", "contact_totals"]

CONTACT_DIMENSIONS = ("channel", "end_client", "use_case")
#: Calls of a contact may be booked before it is, or after it ended.
_AROUND = timedelta(days=2)
_MEMORY = "400MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactGroup:
    """Contacts of one value of a dimension. `linked` of them have calls in the ledger; sums are of those calls.

    Outcomes are known of some contacts only: `outcomes` counts those whose resolution is known, `resolved` those of
    them that were; the `_of_known` sums are of the calls of contacts whose resolution is known.
    """

    key: str | None
    contacts: int
    linked: int
    calls: int
    tokens: int
    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    outcomes: int
    resolved: int
    linked_resolved: int
    transfers_known: int
    transferred: int
    recontacts_known: int
    recontacts: int
    duration_s: float | None  # mean of those that state one
    energy_of_known_wh: Quantity | None
    gwp_of_known_gco2eq: Quantity | None

    @property
    def outcomes_share(self) -> float | None:
        """Of contacts, whose resolution is known."""
        return self.outcomes / self.contacts if self.contacts else None

    @property
    def energy_per_contact_wh(self) -> Quantity | None:
        """Of a contact that has calls."""
        return _shared(self.energy_wh, self.linked)

    @property
    def gwp_per_contact_gco2eq(self) -> Quantity | None:
        return _shared(self.gwp_gco2eq, self.linked)

    @property
    def energy_per_resolved_wh(self) -> Quantity | None:
        """What the contacts whose resolution is known took, over those that were resolved; None without outcomes."""
        return _shared(self.energy_of_known_wh, self.linked_resolved)

    @property
    def gwp_per_resolved_gco2eq(self) -> Quantity | None:
        return _shared(self.gwp_of_known_gco2eq, self.linked_resolved)

    def to_json(self) -> dict[str, Any]:
        quantities = ("energy_wh", "gwp_gco2eq", "energy_per_contact_wh", "gwp_per_contact_gco2eq")
        resolved = ("energy_per_resolved_wh", "gwp_per_resolved_gco2eq")
        counts = (
            *("key", "contacts", "linked", "calls", "tokens", "outcomes", "resolved", "outcomes_share"),
            *("transfers_known", "transferred", "recontacts_known", "recontacts", "duration_s"),
        )
        return {name: getattr(self, name) for name in counts} | {
            name: None if (found := getattr(self, name)) is None else found.to_json()
            for name in (*quantities, *resolved)
        }


class ContactTotals(NamedTuple):
    """`unknown_calls`: calls that carry the id of a contact nobody imported; `plain_calls`: of no contact."""

    groups: tuple[ContactGroup, ...]  # most contacts first
    whole: ContactGroup
    unknown_calls: int
    plain_calls: int

    def to_json(self) -> dict[str, Any]:
        return {
            "groups": [group.to_json() for group in self.groups],
            "whole": self.whole.to_json(),
            "unknown_calls": self.unknown_calls,
            "plain_calls": self.plain_calls,
        }


def contact_totals(
    ledger: Ledger, contacts: ContactTable, pricer: Pricer, since: datetime, until: datetime, by: str = "channel"
) -> ContactTotals:
    """Contacts started in `[since, until)`, split `by` one of `CONTACT_DIMENSIONS`, with the calls that carry their id.

    What a contact does not say of its client or use case, its calls do not fill in. Raises `InvalidValue` for another
    dimension, `LedgerError` when a table cannot be read.
    """
    if by not in CONTACT_DIMENSIONS:
        raise InvalidValue(
            "Contacts cannot be split by this",
            value=by,
            nearest=nearest_names(by, CONTACT_DIMENSIONS),
            action=f"Use one of: {', '.join(CONTACT_DIMENSIONS)}.",
        )
    snapshot = ledger.snapshot() if (ledger.path / "_delta_log").is_dir() else None
    low, high = second_of(since - _AROUND), second_of(until + _AROUND)
    files = () if snapshot is None else tuple(within(snapshot, low, high))
    engine = _ContactEngine(pricer)
    counted = engine.contacts(contacts.files(), since, until, by)
    part = Slice(files, low, high)
    summed = engine.calls(part, pricer) if files else _Summed({}, {}, 0, 0)
    groups = [_group(key, rows, summed) for key, rows in counted.items()]
    groups.sort(key=lambda group: (-group.contacts, group.key or ""))
    every = [row for rows in counted.values() for row in rows]
    return ContactTotals(tuple(groups), _group(None, every, summed), summed.unknown, summed.plain)


class _Counted(NamedTuple):
    """Contacts of one group and outcome, as the engine counted them."""

    code: int
    resolved: bool | None
    contacts: int
    transfers_known: int
    transferred: int
    recontacts_known: int
    recontacts: int
    duration_s: float
    durations: int


class _Summed(NamedTuple):
    """Of calls, by code of their contacts."""

    tables: Mapping[int, Table]
    linked: Mapping[int, int]
    unknown: int
    plain: int


#: Codes of calls whose contact is not there, or that have none.
_UNKNOWN, _PLAIN = -1, -2


class _ContactEngine(Engine):
    """An engine that knows the contacts of a period, each by the code of its group and outcome."""

    def _connect(self) -> DuckDBPyConnection:
        fresh = self._connection is None
        connection = super()._connect()
        if fresh:
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            connection.execute(f"SET temp_directory = {_quoted(tempfile.gettempdir() + '/mesure-duckdb')}")
        return connection

    def contacts(
        self, files: Iterable[str], since: datetime, until: datetime, by: str
    ) -> dict[str | None, list[_Counted]]:
        """Counts by value of the dimension. A contact told of twice is what was said last."""
        listed = ", ".join(map(_quoted, files))
        source = (
            f"SELECT * FROM read_parquet([{listed}], union_by_name=true, hive_partitioning=true, "
            "hive_types={'month': VARCHAR})"
            if listed
            else f"SELECT {_NONE}"
        )
        with self._statement() as connection:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE known_contacts AS SELECT id, nullif(trim({by}), '') AS value, resolved, "
                f"transferred, recontact, duration_s FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY "
                f"ingested_at DESC, origin DESC) AS place FROM ({source})) WHERE place = 1 AND started_at >= "
                f"TIMESTAMPTZ '{since.isoformat()}' AND started_at < TIMESTAMPTZ '{until.isoformat()}'"
            )
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE contact_codes AS SELECT row_number() OVER () AS code, value, resolved, "
                "count(*) AS contacts, count(transferred) AS transfers, "
                "count(*) FILTER (WHERE transferred) AS transferred, count(recontact) AS recontacted, "
                "count(*) FILTER (WHERE recontact) AS recontacts, "
                "coalesce(sum(duration_s), 0) AS duration, count(duration_s) AS durations "
                "FROM known_contacts GROUP BY value, resolved"
            )
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE coded_contacts AS SELECT id, code FROM known_contacts JOIN contact_codes "
                "ON known_contacts.value IS NOT DISTINCT FROM contact_codes.value "
                "AND known_contacts.resolved IS NOT DISTINCT FROM contact_codes.resolved"
            )
            connection.execute("DROP TABLE known_contacts")
            rows = connection.execute(
                "SELECT value, code, resolved, contacts, transfers, transferred, recontacted, recontacts, duration, "
                "durations FROM contact_codes"
            ).fetchall()
        found: dict[str | None, list[_Counted]] = {}
        for value, *rest in rows:
            found.setdefault(value, []).append(_Counted(*rest))
        return found

    def calls(self, part: Slice, pricer: Pricer) -> _Summed:
        """After `contacts`: sums of the calls of these, and how many of them have any."""
        code = (
            f"CASE WHEN contact_id IS NULL THEN {_PLAIN} ELSE coalesce((SELECT code FROM coded_contacts "
            f"WHERE coded_contacts.id = contact_id), {_UNKNOWN}) END"
        )
        tables: dict[int, Table] = {}
        for row in self._grouped(part, groups=(), bucket=code, ended="NULL::BIGINT"):
            cell, sums = priced(pricer, row)
            add_to(tables.setdefault(row.bucket, {}), cell, sums)
        files = ", ".join(map(_quoted, part.uris))
        with self._statement() as connection:
            rows = connection.execute(
                "SELECT code, count(*) FROM coded_contacts SEMI JOIN (SELECT contact_id FROM "
                f"read_parquet([{files}], union_by_name=true)) AS told ON told.contact_id = coded_contacts.id "
                "GROUP BY code"
            ).fetchall()
        return _Summed(tables, dict(rows), _calls_of(tables.pop(_UNKNOWN, {})), _calls_of(tables.pop(_PLAIN, {})))


_NONE = (
    "NULL::VARCHAR AS id, NULL::TIMESTAMPTZ AS started_at, NULL::VARCHAR AS channel, NULL::VARCHAR AS end_client, "
    "NULL::VARCHAR AS use_case, NULL::DOUBLE AS duration_s, NULL::BOOLEAN AS transferred, NULL::BOOLEAN AS resolved, "
    "NULL::BOOLEAN AS recontact, NULL::VARCHAR AS origin, NULL::TIMESTAMPTZ AS ingested_at WHERE false"
)


def _calls_of(table: Table) -> int:
    return sum(sums.calls for sums in table.values())


def _group(key: str | None, rows: list[_Counted], summed: _Summed) -> ContactGroup:
    table = _merged(summed.tables.get(row.code, {}) for row in rows)
    known = [row for row in rows if row.resolved is not None]
    of_known = _merged(summed.tables.get(row.code, {}) for row in known)
    durations = sum(row.durations for row in rows)
    return ContactGroup(
        key=key,
        contacts=sum(row.contacts for row in rows),
        linked=sum(summed.linked.get(row.code, 0) for row in rows),
        calls=_calls_of(table),
        tokens=sum(sums.tokens for sums in table.values()),
        energy_wh=energy_of(table),
        gwp_gco2eq=gwp_of(table),
        outcomes=sum(row.contacts for row in known),
        resolved=sum(row.contacts for row in known if row.resolved),
        linked_resolved=sum(summed.linked.get(row.code, 0) for row in known if row.resolved),
        transfers_known=sum(row.transfers_known for row in rows),
        transferred=sum(row.transferred for row in rows),
        recontacts_known=sum(row.recontacts_known for row in rows),
        recontacts=sum(row.recontacts for row in rows),
        duration_s=sum(row.duration_s for row in rows) / durations if durations else None,
        energy_of_known_wh=energy_of(of_known),
        gwp_of_known_gco2eq=gwp_of(of_known),
    )


def _merged(tables: Iterable[Mapping[Cell, Sums]]) -> Table:
    total: Table = {}
    for table in tables:
        for cell, sums in table.items():
            add_to(total, cell, sums)
    return total


def _shared(quantity: Quantity | None, count: int) -> Quantity | None:
    return quantity.scaled(1.0 / count) if quantity is not None and count else None
