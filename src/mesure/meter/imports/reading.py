"""A plan (columns, constants, conventions) and its rows: events, or the reason why a line is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import ImportRefused, InvalidValue, MesureError
from mesure.meter.imports.mapping import AMOUNTS, checked_mapping, kind_of, known_field, propose
from mesure.meter.imports.values import Conventions, is_unknown
from mesure.record import UsageEvent, derived_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mesure.meter.imports.files import RawRow, TableFile

__all__ = ["BadRow", "ImportPlan", "Review", "read_events", "read_rows", "review"]

#: A longer text is no name of a team or a model: a column of prompts was mapped by mistake.
LONGEST_TEXT = 200
#: Refused rows that a review keeps to show; it counts them all.
SHOWN_REFUSALS = 20
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
    constants: Mapping[str, Any] = field(default_factory=dict)
    cycles: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)

    @classmethod
    def make(
        cls,
        file: TableFile,
        *,
        mapping: Mapping[str, str] | None = None,
        constants: Mapping[str, str] | None = None,
        cycles: Mapping[str, Sequence[str]] | None = None,
        conventions: Conventions | None = None,
    ) -> ImportPlan:
        """The plan asked for, completed by the columns whose names are known.

        Raises `ImportRefused` for a field or column that does not exist, a constant its field cannot hold, a file
        without time or without any amount.
        """
        conventions = conventions or Conventions()
        fixed = {known_field(name): value for name, value in (constants or {}).items()}
        turns = {known_field(name): tuple(values) for name, values in (cycles or {}).items()}
        if twice := next((name for name in turns if name in fixed or not turns[name]), None):
            raise ImportRefused("This field is given twice, or without a value", value=twice, action="Give it once.")
        asked = checked_mapping(mapping or {}, file.columns)
        plan = cls(
            mapping={n: c for n, c in (propose(file.columns) | asked).items() if n not in fixed and n not in turns},
            constants={name: _reader(name, conventions)(value) for name, value in fixed.items()},
            cycles={name: [_reader(name, conventions)(value) for value in turns[name]] for name in turns},
            conventions=conventions,
        )
        plan._require(file)
        return plan

    def _require(self, file: TableFile) -> None:
        given = {*self.mapping, *self.constants, *self.cycles}
        for needed, example in ((("started_at",), "started_at"), (AMOUNTS, "input_tokens")):
            if not given.intersection(needed):
                raise ImportRefused(
                    f"No column is known to hold {example}",
                    value=", ".join(file.columns),
                    action=f"Name it with --map {example}=COLUMN.",
                )

    @property
    def assigned(self) -> tuple[str, ...]:
        """Fields that were given by the person who imports, not by the file."""
        return (*self.constants, *self.cycles)

    def unused(self, file: TableFile) -> tuple[str, ...]:
        """Columns that are left aside: nothing of them is stored."""
        used = set(self.mapping.values())
        return tuple(column for column in file.columns if column not in used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a file holds under a plan, before anything is written."""

    sha256: str
    rows: int
    refused_count: int
    refused: tuple[BadRow, ...]  # the first ones
    totals: Mapping[str, float]  # sums of the known amounts
    first: datetime | None
    last: datetime | None

    @property
    def accepted(self) -> int:
        return self.rows - self.refused_count


def review(file: TableFile, plan: ImportPlan, *, progress: Callable[[int], None] | None = None) -> Review:
    """Read every row once, keep only sums, times and the first refusals."""
    digest = sha256()
    rows, refused_count = 0, 0
    refused: list[BadRow] = []
    totals: dict[str, float] = {}
    first = last = None
    for row in _rows(file.rows(progress=progress, digest=digest), plan, ""):
        rows += 1
        if isinstance(row, BadRow):
            refused_count += 1
            if len(refused) < SHOWN_REFUSALS:
                refused.append(row)
            continue
        for name in _SUMMED:
            if (amount := getattr(row, name)) is not None:
                totals[name] = totals.get(name, 0) + amount
        first = row.started_at if first is None else min(first, row.started_at)
        last = row.started_at if last is None else max(last, row.started_at)
    return Review(
        sha256=digest.hexdigest(),
        rows=rows,
        refused_count=refused_count,
        refused=tuple(refused),
        totals=totals,
        first=first,
        last=last,
    )


def read_rows(
    file: TableFile, plan: ImportPlan, fingerprint: str, *, progress: Callable[[int], None] | None = None
) -> Iterator[UsageEvent | BadRow]:
    """Each row as an event or as the reason why not; `fingerprint` is the content's SHA-256 (see `review`)."""
    return _rows(file.rows(progress=progress), plan, fingerprint)


def read_events(
    file: TableFile, plan: ImportPlan, reviewed: Review, *, progress: Callable[[int], None] | None = None
) -> Iterator[UsageEvent]:
    """The events that a review accepted, no more: rows that were added to the file since are left out."""
    rows = islice(read_rows(file, plan, reviewed.sha256, progress=progress), reviewed.rows)
    return (row for row in rows if not isinstance(row, BadRow))


def _rows(raw_rows: Iterator[RawRow], plan: ImportPlan, fingerprint: str) -> Iterator[UsageEvent | BadRow]:
    cells = [(name, column, _reader(name, plan.conventions)) for name, column in plan.mapping.items()]
    for index, raw in enumerate(raw_rows):
        if raw.error is not None:
            yield BadRow(raw.line, None, raw.error)
            continue
        values: dict[str, Any] = dict(plan.constants)
        for name, choices in plan.cycles.items():
            values[name] = choices[index % len(choices)]
        yield _fill(values, raw, cells) or _event(values, plan, f"{fingerprint}:{raw.line}", raw.line)


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


def _reader(name: str, conventions: Conventions) -> _Reader:
    kind = kind_of(name)
    if isinstance(kind, tuple):
        return partial(_word, name, kind)
    if name == "user":
        return _pseudonym
    readers: dict[type, _Reader] = {
        int: conventions.whole,
        float: conventions.number,
        bool: conventions.truth,
        str: _name,
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


def _pseudonym(raw: Any) -> str:
    text = _name(raw)
    if "@" in text:
        raise InvalidValue(
            "A user must be a pseudonym, and this looks like an address",
            action="Replace it with a number or a keyed hash before the import.",
        )
    return text


def _name(raw: Any) -> str:
    text = str(raw).strip()
    if len(text) > LONGEST_TEXT:
        raise InvalidValue(
            f"This text is longer than {LONGEST_TEXT} characters: it is no name",
            action="Map a column that holds names; texts of calls are never imported.",
        )
    return text
