"""Tables of earlier and later versions, a log that is cleaned, imports cut anywhere: facts stay, progress stays."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import NOON, make_event, turns

from mesure.config import LedgerSettings, Settings
from mesure.errors import LedgerError
from mesure.ledger import Ledger, View, import_events, known_imports, remove_imports
from mesure.ledger import rollup as rollup_module
from mesure.ledger.engine import Engine, Slice
from mesure.ledger.pricing import Pricer
from mesure.ledger.schema import COLUMNS, event_of, to_table
from mesure.record import UsageEvent

#: Columns that an earlier version may not have had: those a record may leave unknown.
OPTIONAL = tuple(f.name for f in fields(UsageEvent) if f.default is None and f.name != "ingested_at")
SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=1)


def events(count: int, first: int = 0, **more: Any) -> list[UsageEvent]:
    return [make_event(number, at_s=-60.0 * number, **more) for number in range(first, first + count)]


def older(ledger: Ledger, made: Sequence[UsageEvent], missing: Sequence[str]) -> None:
    """Rows as a version of Mesure without these columns would have left them."""
    kept = [name for name in COLUMNS if name not in missing]
    write_deltalake(str(ledger.path), to_table(made, NOON).select(kept), mode="append", schema_mode="merge")


def totals(ledger: Ledger) -> list[tuple[object, ...]]:
    view = View(ledger, None, Settings())
    rows = view.totals(SINCE, UNTIL, ("team",))
    return [(row.key, row.calls, row.tokens, row.energy_wh[:3]) for row in rows]


# Earlier and later schemas


def test_any_optional_column_may_be_absent_and_is_unknown(tmp_path: Path) -> None:
    """One file for each of them, in one table."""
    ledger, known = Ledger(tmp_path), {"stream": True, "user": "u", "http_status": 200, "labels": {"a": "b"}}
    ledger.append(events(1, first=900), {})
    made = {missing: make_event(number, **known) for number, missing in enumerate(OPTIONAL)}
    for missing, event in made.items():
        older(ledger, [event], [missing])
    part = Slice(tuple(ledger.files()), 0)
    found = {event.id: event for _, event in Engine(Pricer({})).events(part)}
    assert len(found) == len(OPTIONAL) + 1
    for missing, event in made.items():
        for name in OPTIONAL:
            assert getattr(found[event.id], name) == (None if name == missing else getattr(event, name)), (
                missing,
                name,
            )
    [whole] = View(ledger, None, Settings()).totals(SINCE, UNTIL, ())
    assert whole.events == len(found)
    assert whole.tokens == sum((e.input_tokens or 0) + (e.output_tokens or 0) for e in found.values())


@settings(max_examples=4, deadline=None)
@given(st.lists(st.lists(st.sampled_from(OPTIONAL), max_size=12), min_size=2, max_size=4), st.booleans())
def test_files_of_any_versions_together_read_as_one(
    tmp_path_factory: pytest.TempPathFactory, versions: list[list[str]], engine: bool
) -> None:
    """What a file lacks is unknown in its rows and in no other; compaction changes nothing."""
    ledger = Ledger(tmp_path_factory.mktemp("versions"))
    for number, missing in enumerate(versions):
        made = events(4, first=10 * number)
        if number == 0 or not missing:
            ledger.append(made, {})
        else:
            older(ledger, made, missing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_module, "_FEW", 0 if engine else 1 << 30)
        before = totals(ledger)
        assert sum(row[1] for row in before) == 4 * len(versions)  # type: ignore[misc]
        ledger.compact()
        after = totals(ledger)
        assert [row[:3] for row in after] == [row[:3] for row in before]
        assert [row[3] for row in after] == [pytest.approx(row[3], rel=1e-9) for row in before]


@pytest.mark.parametrize("kind", [DataType.int64(), DataType.utf8(), DataType.float64(), DataType.bool()])
def test_a_column_of_a_later_version_is_kept_and_does_not_disturb(tmp_path: Path, kind: DataType) -> None:
    ledger, made = Ledger(tmp_path), events(4)
    ledger.append(made[:2], {"a": 1})
    rows = to_table(made[2:], NOON)
    values = [None, None] if kind != DataType.bool() else [True, False]
    later: dict[str, Any] = {name: rows.column(name) for name in rows.column_names}
    later["grams_of_gold"] = Array(values, kind)
    write_deltalake(str(ledger.path), Table.from_pydict(later), mode="append", schema_mode="merge")
    assert ledger.count() == 4
    ledger.append(events(2, first=4), {"a": 2}, after={"a": 1})
    assert turns(ledger) == list(range(6))
    assert sum(row[1] for row in totals(ledger)) == 6  # type: ignore[misc]
    ledger.compact()
    names = {field.name for field in DeltaTable(str(ledger.path)).schema().fields}
    assert names == {*COLUMNS, "grams_of_gold"}
    found = View(ledger, None, Settings()).event(made[3].id)
    assert found is not None
    assert found.turn == 3


def test_a_row_of_another_version_is_an_event_without_what_it_does_not_know() -> None:
    row = {"id": "x", "started_at": 1_000_000, "labels": '{"a": "b"}', "of_a_later_version": 3, "team": None}
    found = event_of(row)
    assert (found.id, found.started_at, found.labels) == ("x", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), {"a": "b"})
    assert found.team is None


# The table's own log


def test_a_log_that_is_cleaned_keeps_every_row_every_progress_and_every_import(tmp_path: Path) -> None:
    """Past a checkpoint and the retention, commits of the log go; what they said stays."""
    ledger = Ledger(tmp_path, LedgerSettings(log_retention_hours=0))
    import_events(ledger, "first:s", events(3, first=500))
    for step in range(52):
        ledger.append([make_event(step)], {f"segment-{step % 4}": step + 1})
    log = ledger.path / "_delta_log"
    ledger.vacuum()
    assert (log / "_last_checkpoint").is_file()
    assert len(list(log.glob("*.json"))) < 10, "of more than fifty commits"
    for seen in (ledger, Ledger(tmp_path)):
        assert turns(seen) == [*range(52), 500, 501, 502]
        assert [seen.transaction_version(f"segment-{k}") for k in range(4)] == [49, 50, 51, 52]
        assert [(known.import_id, known.done) for known in known_imports(seen)] == [("first:s", 3)]
        assert import_events(seen, "first:s", events(3, first=500)).added == 0
    again = Ledger(tmp_path)
    again.append([make_event(52)], {"segment-0": 53}, after={"segment-0": 49})
    assert again.count() == ledger.count() == 56


def test_a_log_within_its_retention_is_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, LedgerSettings(log_retention_hours=24))
    for step in range(3):
        ledger.append([make_event(step)], {})
    before = sorted((ledger.path / "_delta_log").iterdir())
    files = set(ledger.files())
    ledger.compact()
    assert ledger.vacuum() == 0
    assert before == sorted((ledger.path / "_delta_log").iterdir())[: len(before)]
    assert all(Path(uri).is_file() for uri in files), "an older version can still be read"


def test_a_retention_says_itself_in_the_table(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, LedgerSettings(log_retention_hours=48))
    ledger.append([make_event(0)], {})
    configuration = DeltaTable(str(ledger.path)).metadata().configuration
    assert configuration["delta.logRetentionDuration"] == "interval 48 hours"


# Imports cut anywhere


class Cut(Exception):  # noqa: N818
    """The process dies here."""


def cut_after(rows: Sequence[UsageEvent], count: int) -> Iterator[UsageEvent]:
    for number, row in enumerate(rows):
        if number == count:
            raise Cut
        yield row


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 24), st.integers(3, 9), st.none() | st.integers(0, 24)), min_size=1, max_size=3)
)
def test_prefixes_of_a_file_imported_in_any_order_and_cut_anywhere_give_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int, int | None]]
) -> None:
    """A file grows, is imported again from an older copy, in batches of any size, and any run may die."""
    ledger, rows = Ledger(tmp_path_factory.mktemp("prefixes")), events(24)
    for length, batch, cut in runs:
        part = rows[:length]
        try:
            result = import_events(ledger, "file:s", cut_after(part, length if cut is None else cut), batch=batch)
        except Cut:
            continue
        assert result.added + result.already == len(part)
    done = ledger.transaction_version("import:file:s")
    assert turns(ledger) == list(range(done))
    assert import_events(ledger, "file:s", rows, batch=5).added == 24 - done
    assert turns(ledger) == list(range(24))


@pytest.mark.parametrize(("order", "removed"), [((2, 0, 1), {1}), ((0, 2, 1), {0, 2}), ((1, 0, 2), set())])
def test_imports_in_any_order_and_removals_leave_exactly_the_others(
    tmp_path: Path, order: tuple[int, ...], removed: set[int]
) -> None:
    ledger = Ledger(tmp_path)

    def rows(number: int) -> tuple[str, list[UsageEvent]]:
        content = f"{number:064x}"
        return f"{content}:s", [make_event(10 * number + k, origin=f"{content}:{k + 2}") for k in range(10)]

    for number in order:
        assert import_events(ledger, *rows(number), batch=6).added == 10
    gone = [known for known in known_imports(ledger) if int(known.content, 16) in removed]
    assert len(gone) == len(removed)
    before = ledger.version
    assert remove_imports(ledger, gone) == 10 * len(removed)
    assert ledger.version == before + bool(removed), "one commit, and none to remove nothing"
    assert turns(ledger) == [turn for turn in range(30) if turn // 10 not in removed]
    assert {int(k.content, 16) for k in known_imports(ledger) if k.done} == {0, 1, 2} - removed
    for number in removed:
        assert import_events(ledger, *rows(number)).added == 10
    assert turns(ledger) == list(range(30))


@pytest.mark.parametrize("ahead", [1, 20, 29])
def test_rows_beside_another_import_of_the_same_content_are_refused_or_taken_whole(tmp_path: Path, ahead: int) -> None:
    """Other settings are another import: its rows are other rows, even of the same file."""
    ledger, draw = Ledger(tmp_path), random.Random(ahead)
    rows = events(30)
    import_events(ledger, "file:a", rows[:ahead], batch=draw.randrange(1, 9))
    assert import_events(ledger, "file:b", rows, batch=7).added == 30
    assert {known.import_id: known.done for known in known_imports(ledger)} == {"file:a": ahead, "file:b": 30}
    assert {known.content for known in known_imports(ledger)} == {"file"}


def test_a_table_that_cannot_be_read_says_so_and_loses_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(events(3), {"a": 1})
    [commit] = sorted((ledger.path / "_delta_log").glob("*1.json"))
    content = commit.read_bytes()
    commit.write_bytes(b"{not json\n")
    with pytest.raises(LedgerError) as broken:
        Ledger(tmp_path).count()
    assert broken.value.code == "ledger_unavailable"
    commit.write_bytes(content)
    assert Ledger(tmp_path).count() == 3
