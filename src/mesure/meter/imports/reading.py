"""A plan (columns, constants, conventions) and its rows: events, or the reason why a line is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import ImportRefused, InvalidValue, MesureError
from mesure.meter.imports.files import ContentDigest
from mesure.meter.imports.mapping import (
    AMOUNTS,
    checked_mapping,
    joules_per,
    kind_of,
    known_field,
    nearest_columns,
)
from mesure.meter.imports.names import folded
from mesure.meter.imports.values import Conventions, is_unknown
from mesure.meter.imports.zones import zone_named
from mesure.meter.screening import LONGEST, is_screened, screened
from mesure.record import UsageEvent, derived_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from mesure.meter.imports.files import RawRow, TableFile

__all__ = [
    "DOUBTS",
    "BadRow",
    "ImportPlan",
    "Part",
    "Review",
    "name_of",
    "read_events",
    "read_rows",
    "review",
    "screened_name",
]

#: Refused rows that a review keeps to show; it counts them all.
SHOWN_REFUSALS = 20
#: What an accepted row may lack or have wrong: said and counted, and for the reader to judge.
DOUBTS = ("no_model", "no_amount", "long_ago", "in_future")
_LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)
_SUMMED = (*AMOUNTS, "cached_input_tokens", "reasoning_tokens", "calls_count")


_Reader = Callable[[Any], Any]


class BadRow(NamedTuple):
    """A line that is not taken, the column at fault if one is, and the three-part reason."""

    line: int
    column: str | None
    error: MesureError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What fills each field: a column, a constant, or values taken in turn row after row (and labelled assigned)."""

    mapping: Mapping[str, str]
    pseudonym: Callable[[str], str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    cycles: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)

    @classmethod
    def make(
        cls,
        file: TableFile,
        *,
        pseudonym: Callable[[str], str],
        mapping: Mapping[str, str] | None = None,
        constants: Mapping[str, str] | None = None,
        cycles: Mapping[str, Sequence[str]] | None = None,
        conventions: Conventions | None = None,
    ) -> ImportPlan:
        """The plan asked for, completed by the columns whose names are known. `pseudonym` names people.

        Raises `ImportRefused` for a field or column that does not exist, a constant its field cannot hold, a file
        without time or without any amount.
        """
        # An export's own reader writes points, ISO times and offsets, whatever the file does
        conventions = Conventions() if file.export else conventions or Conventions()
        reader = partial(_reader, conventions=conventions, pseudonym=pseudonym)
        fixed = {known_field(name): value for name, value in (constants or {}).items()}
        turns = {known_field(name): tuple(values) for name, values in (cycles or {}).items()}
        if twice := next((name for name in turns if name in fixed or not turns[name]), None):
            raise ImportRefused("This field is given twice, or without a value", value=twice, action="Give it once.")
        asked = checked_mapping(mapping or {}, file.columns)
        _check_units(asked, file)
        plan = cls(
            mapping={n: c for n, c in ({**file.proposal} | asked).items() if n not in fixed and n not in turns},
            constants={name: reader(name)(value) for name, value in fixed.items()},
            cycles={name: [reader(name)(value) for value in turns[name]] for name in turns},
            conventions=conventions,
            pseudonym=pseudonym,
        )
        plan._require(file)
        return plan

    def _require(self, file: TableFile) -> None:
        if file.export is not None:  # it knows what it counts, calls alone perhaps
            return
        given = {*self.mapping, *self.constants, *self.cycles}
        for needed, example in ((("started_at",), "started_at"), (AMOUNTS, "input_tokens")):
            if not given.intersection(needed):
                raise ImportRefused(
                    f"No column is known to hold {example}",
                    value=", ".join(file.columns),
                    nearest=nearest_columns(needed, file.columns),
                    action=f"Name it with --map {example}=COLUMN.",
                )

    @property
    def assigned(self) -> tuple[str, ...]:
        """Fields that were given by the person who imports, not by the file."""
        return (*self.constants, *self.cycles)

    def settings(self, file: TableFile) -> str:
        """Digest of how the file is read, columns that are found by their names apart: a file that grows may show
        more of them."""
        found = file.proposal
        conventions = self.conventions
        said = {
            "map": sorted((n, c) for n, c in self.mapping.items() if found.get(n) != c),
            "set": sorted((n, str(value)) for n, value in self.constants.items()),
            "cycle": sorted((n, [str(value) for value in values]) for n, values in self.cycles.items()),
            "conventions": [str(conventions.timezone), conventions.decimal, conventions.dates],
            "delimiter": file.delimiter if file.format == "csv" else "",
        } | ({"as": file.export.name} if file.export else {})
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def unused(self, file: TableFile) -> tuple[str, ...]:
        """Columns that are left aside: nothing of them is stored."""
        used = set(self.mapping.values())
        export = file.export
        return tuple(c for c in file.columns if c not in used and not (export is not None and export.reads(c)))


def _check_units(asked: Mapping[str, str], file: TableFile) -> None:
    """Raises `ImportRefused` where units that a platform bills are asked to be tokens of a model."""
    billed = file.export.not_tokens if file.export is not None else ()
    for name, column in asked.items():
        if name.endswith("_tokens") and any(word in folded(column) for word in billed):
            raise ImportRefused(
                "These units are what the platform bills, and no tokens that a model read or wrote",
                value=column,
                action="Leave them out: tokens per minute and per prompt are estimated, with a wide interval.",
                code="billing_units",
            )


class Part(NamedTuple):
    """The beginning of a file, up to where one imported before ended, or all of it. Counts are from the start."""

    content: str  # digest of the content so far
    rows: int
    accepted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a file holds under a plan, before anything is written."""

    parts: tuple[Part, ...]  # the last is the whole file
    refused: tuple[BadRow, ...]  # the first ones
    totals: Mapping[str, float]  # sums of the known amounts
    doubts: Mapping[str, int]  # of `DOUBTS`, how many accepted rows
    first: datetime | None
    last: datetime | None

    @property
    def sha256(self) -> str:
        return self.parts[-1].content

    @property
    def rows(self) -> int:
        return self.parts[-1].rows

    @property
    def accepted(self) -> int:
        return self.parts[-1].accepted

    @property
    def refused_count(self) -> int:
        return self.rows - self.accepted


def review(
    file: TableFile,
    plan: ImportPlan,
    *,
    known: Container[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Review:
    """Read every row once, keep only sums, times and the first refusals.

    `known`: digests of contents imported before; where this file begins with one of them, that is a part of its own.
    """
    digest = ContentDigest()
    parts: list[Part] = []
    seen = _Seen()
    rows = 0
    for rows, row in enumerate(_rows(file.rows(progress=progress, digest=digest), plan, iter([""])), 1):
        seen.add(row)
        if known and (content := digest.hexdigest()) in known:
            if parts and parts[-1].content == content:  # another row of the same line
                parts.pop()
            parts.append(Part(content, rows, seen.accepted))
    whole = Part(digest.hexdigest(), rows, seen.accepted)
    return Review(
        parts=(*(part for part in parts if part.content != whole.content), whole),
        refused=tuple(seen.refused),
        totals=seen.totals,
        doubts=seen.doubts,
        first=seen.first,
        last=seen.last,
    )


class _Seen:
    """Sums over the rows of a review."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: list[BadRow] = []
        self.totals: dict[str, float] = {}
        self.doubts: dict[str, int] = {}
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._tomorrow = datetime.now(UTC) + timedelta(days=1)

    def add(self, row: UsageEvent | BadRow) -> None:
        if isinstance(row, BadRow):
            if len(self.refused) < SHOWN_REFUSALS:
                self.refused.append(row)
            return
        self.accepted += 1
        for name in _SUMMED:
            if (amount := getattr(row, name)) is not None:
                self.totals[name] = self.totals.get(name, 0) + amount
        for doubt in self._doubts(row):
            self.doubts[doubt] = self.doubts.get(doubt, 0) + 1
        self.first = row.started_at if self.first is None else min(self.first, row.started_at)
        self.last = row.started_at if self.last is None else max(self.last, row.started_at)

    def _doubts(self, event: UsageEvent) -> Iterator[str]:
        if not (event.model_requested or event.model_answered):
            yield "no_model"
        if all(getattr(event, name) is None for name in AMOUNTS):
            yield "no_amount"
        if event.started_at < _LONG_AGO:
            yield "long_ago"
        if event.started_at > self._tomorrow:
            yield "in_future"


def read_rows(
    file: TableFile, plan: ImportPlan, reviewed: Review, *, progress: Callable[[int], None] | None = None
) -> Iterator[UsageEvent | BadRow]:
    """Each reviewed row as an event or as the reason why not; rows that were added to the file since are left out."""
    starts = [0, *(part.rows for part in reviewed.parts)]
    contents = chain.from_iterable(
        repeat(part.content, part.rows - start) for part, start in zip(reviewed.parts, starts, strict=False)
    )
    return islice(_rows(file.rows(progress=progress), plan, contents), reviewed.rows)


def read_events(
    file: TableFile, plan: ImportPlan, reviewed: Review, *, progress: Callable[[int], None] | None = None
) -> Iterator[UsageEvent]:
    """The events that a review accepted, no more."""
    rows = read_rows(file, plan, reviewed, progress=progress)
    return (row for row in rows if not isinstance(row, BadRow))


def _rows(raw_rows: Iterator[RawRow], plan: ImportPlan, contents: Iterator[str]) -> Iterator[UsageEvent | BadRow]:
    """`contents`: the digest that each row's origin names; the last one goes on."""
    cells = [(name, column, _cell_reader(name, column, plan)) for name, column in plan.mapping.items()]
    content = ""
    for index, raw in enumerate(raw_rows):
        content = next(contents, content)
        if raw.error is not None:
            yield BadRow(raw.line, None, raw.error)
            continue
        values: dict[str, Any] = dict(plan.constants)
        for name, choices in plan.cycles.items():
            values[name] = choices[index % len(choices)]
        yield _fill(values, raw, cells) or _event(
            values, plan, f"{content}:{raw.line}" + (f".{raw.part}" if raw.part else ""), raw.line
        )


def _fill(values: dict[str, Any], raw: RawRow, cells: Sequence[tuple[str, str, _Reader]]) -> BadRow | None:
    """The row's known cells into `values`, or the one that cannot be read."""
    for name, column, reader in cells:
        if not is_unknown(cell := raw.cells.get(column)):
            try:
                values[name] = reader(cell)
            except MesureError as error:
                return BadRow(raw.line, column, error)
    return None


def _event(values: dict[str, Any], plan: ImportPlan, origin: str, line: int) -> UsageEvent | BadRow:
    if "started_at" not in values:
        return BadRow(line, None, InvalidValue("The row has no time", action="Fill it in, or leave the row out."))
    labels = {name.removeprefix("labels."): values.pop(name) for name in tuple(values) if name.startswith("labels.")}
    if plan.assigned:
        labels |= {"assigned": "true", "assigned_fields": ",".join(plan.assigned)}
    values.setdefault("basis", "exported")
    at_ms = int(values["started_at"].timestamp() * 1000)
    event = UsageEvent(id=derived_id(at_ms, origin), source="import", origin=origin, labels=labels or None, **values)
    try:
        return event.checked()
    except MesureError as error:
        return BadRow(line, None, error)


def _cell_reader(name: str, column: str, plan: ImportPlan) -> _Reader:
    reader = _reader(name, plan.conventions, plan.pseudonym)
    if name in _ENERGIES and (joules := joules_per(column)) != 1.0:
        return lambda raw: reader(raw) * joules
    return reader


_ENERGIES = ("energy_j", "energy_low_j", "energy_high_j")


def _reader(name: str, conventions: Conventions, pseudonym: Callable[[str], str]) -> _Reader:
    kind = kind_of(name)
    if isinstance(kind, tuple):
        return partial(_word, name, kind)
    if name == "user":
        return lambda raw: pseudonym(name_of(raw))
    if is_screened(name):
        return lambda raw: screened_name(name_of(raw), pseudonym)
    if name == "host_zone":
        return cache(zone_named)
    readers: dict[type, _Reader] = {
        int: conventions.whole,
        float: conventions.number,
        bool: conventions.truth,
        str: name_of,
        datetime: conventions.time,
    }
    return readers[kind]


def _word(name: str, choices: tuple[str | None, ...], raw: Any) -> str:
    word = str(raw).strip().casefold()
    if word not in choices:
        raise InvalidValue(
            f"{name} is not one Mesure knows",
            value=raw,
            action=f"Use one of: {', '.join(filter(None, choices))}.",
        )
    return word


def screened_name(text: str, pseudonym: Callable[[str], str]) -> str:
    if (kept := screened(text, pseudonym)) is None:
        raise InvalidValue(
            "This text looks like a key or a token: it is not stored",
            action="Correct the column, and end that key where it was made: it was in a file.",
        )
    return kept


def name_of(raw: Any) -> str:
    text = str(raw).strip()
    if len(text) > LONGEST:
        raise InvalidValue(
            f"This text is longer than {LONGEST} characters: it is no name",
            action="Map a column that holds names; texts of calls are never imported.",
        )
    return text
