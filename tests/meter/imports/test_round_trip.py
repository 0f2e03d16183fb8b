"""What a file says comes back, however it is written; what it says badly is named by its line, and only that."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.errors import ImportRefused
from mesure.meter.imports import (
    BadRow,
    Conventions,
    ImportPlan,
    Review,
    TableFile,
    known_field,
    propose,
    read_events,
    read_rows,
    review,
)
from mesure.meter.imports.mapping import _KNOWN, FIELDS
from mesure.meter.imports.values import DATES, DECIMALS
from mesure.record import UsageEvent

PARIS = ZoneInfo("Europe/Paris")
#: One file a test of hypothesis, written anew for each example.
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Row = dict[str, Any]
_COLUMNS = ("started_at", "model_requested", "team", "input_tokens", "output_tokens", "cost", "duration_ms", "stream")
#: Names with whatever a spreadsheet may hold, apart from the words that mean unknown.
names = st.text(st.characters(codec="windows-1252", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(
    lambda text: text.strip() and text.strip().casefold() not in ("null", "none", "nan", "n/a", "na", "#n/a")
)
times = st.datetimes(datetime(2021, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001  (located below)
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "started_at": times,
            "model_requested": st.none() | names,
            "team": st.none() | names,
            "input_tokens": st.none() | st.integers(0, 10**9),
            "output_tokens": st.none() | st.integers(0, 10**9),
            "cost": st.none() | st.integers(0, 10**9).map(lambda milli: milli / 1000.0),
            "duration_ms": st.none() | st.integers(0, 10**8).map(float),
            "stream": st.none() | st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)


def written_time(at: datetime, conventions: Conventions) -> str:
    if conventions.dates in ("unix", "unix-ms"):
        return str(round(at.timestamp() * (1000 if conventions.dates == "unix-ms" else 1)))
    if conventions.dates == "french":
        return f"{at.astimezone(conventions.timezone):%d/%m/%Y à %H:%M:%S}"
    return at.astimezone(conventions.timezone).isoformat(sep=" ")


def written(value: Any, conventions: Conventions, *, marks: bool) -> str:
    """A value as a file of these conventions has it; `marks`: thousands apart by a narrow space."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return written_time(value, conventions)
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, int | float):
        text = f"{value:,}" if marks else str(value)
        text = text.replace(",", "\N{NO-BREAK SPACE}")
        return text.replace(".", ",") if conventions.decimal == "comma" else text
    return str(value)


def table(found: list[Row], conventions: Conventions, *, delimiter: str, marks: bool, order: list[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(order)
    for row in found:
        writer.writerow([written(row[name], conventions, marks=marks) for name in order])
    return out.getvalue()


def read(path: Path, conventions: Conventions, **options: Any) -> tuple[list[UsageEvent | BadRow], Review]:
    file = TableFile.open(path, **options)
    plan = ImportPlan.make(file, pseudonym=str, conventions=conventions)
    seen = review(file, plan)
    return list(read_rows(file, plan, seen)), seen


def facts(event: UsageEvent | BadRow) -> Row:
    assert isinstance(event, UsageEvent), event
    return {name: getattr(event, name) for name in _COLUMNS}


def meant(row: Row) -> Row:
    """The row as the record has it: names without the spaces around them."""
    return row | {name: row[name] and row[name].strip() for name in ("model_requested", "team")}


def ambiguous(at: datetime, conventions: Conventions) -> bool:
    """Whether a time written without offset comes twice, where its first is meant."""
    local = at.astimezone(conventions.timezone)
    return conventions.dates == "french" and local.fold == 1


@quick
@given(
    found=rows,
    dates=st.sampled_from(DATES),
    decimal=st.sampled_from(DECIMALS),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "windows-1252"]),
    marks=st.booleans(),
    packed=st.booleans(),
    order=st.permutations(_COLUMNS),
)
def test_any_table_comes_back_as_it_was(tmp_path: Path, found: list[Row], dates: Any, decimal: Any, zone: str,
                                        delimiter: str, encoding: Any, marks: bool, packed: bool,
                                        order: list[str]) -> None:  # fmt: skip
    conventions = Conventions(timezone=ZoneInfo(zone), decimal=decimal, dates=dates)
    content = table(found, conventions, delimiter=delimiter, marks=marks, order=order).encode(encoding)
    path = tmp_path / "usage.csv"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    events, seen = read(path, conventions, delimiter=delimiter, encoding=encoding)
    assert len(events) == seen.rows == seen.accepted == len(found)
    for event, row in zip(events, found, strict=True):
        if ambiguous(row["started_at"], conventions):
            row = row | {"started_at": row["started_at"] - timedelta(hours=1)}
        assert facts(event) == meant(row)
    for name in ("input_tokens", "output_tokens"):
        known = [row[name] for row in found if row[name] is not None]
        assert seen.totals.get(name) == (sum(known) if known else None)
    assert seen.first is not None
    assert seen.last is not None
    assert seen.first <= seen.last


@quick
@given(found=rows, nested=st.booleans(), data=st.data())
def test_json_lines_say_the_same_as_the_table(tmp_path: Path, found: list[Row], nested: bool, data: Any) -> None:
    path = tmp_path / "usage.jsonl"
    lines = []
    for row in found:
        flat = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        if nested:
            flat["usage"] = {"prompt_tokens": flat.pop("input_tokens"), "completion_tokens": flat.pop("output_tokens")}
        lines.append(json.dumps(flat, ensure_ascii=data.draw(st.booleans())))
    path.write_text("\n".join(lines), encoding="utf-8")
    file = TableFile.open(path)
    plan = ImportPlan.make(file, pseudonym=str)
    events = list(read_events(file, plan, review(file, plan)))
    assert [facts(event) for event in events] == [meant(row) for row in found]
    assert len({event.id for event in events}) == len(found)


#: A cell that cannot be taken -> the column at fault.
_SPOILS: dict[str, tuple[str, str]] = {
    "time": ("started_at", "yesterday"),
    "no time": ("started_at", ""),
    "count": ("input_tokens", "many"),
    "negative": ("output_tokens", "-1"),
    "fraction": ("input_tokens", "1.5"),
    "comma": ("cost", "1,5"),
    "truth": ("stream", "perhaps"),
    "text": ("team", "x" * 201),
}


@quick
@given(found=rows, data=st.data())
def test_spoilt_lines_are_refused_by_number_and_the_others_come_as_ever(
    tmp_path: Path, found: list[Row], data: Any
) -> None:
    spoilt = data.draw(st.dictionaries(st.integers(0, len(found) - 1), st.sampled_from(sorted(_SPOILS))))
    clean, wrong = tmp_path / "clean.csv", tmp_path / "wrong.csv"
    iso = Conventions()
    header, *lines = table(found, iso, delimiter=",", marks=False, order=list(_COLUMNS)).splitlines(keepends=True)
    clean.write_text(header + "".join(lines), encoding="utf-8", newline="")
    for place, how in spoilt.items():
        column, cell = _SPOILS[how]
        cells = next(csv.reader([lines[place]]))
        cells[_COLUMNS.index(column)] = cell
        out = io.StringIO()
        csv.writer(out).writerow(cells)
        lines[place] = out.getvalue()
    wrong.write_text(header + "".join(lines), encoding="utf-8", newline="")
    whole, _ = read(clean, iso)
    part, seen = read(wrong, iso)
    assert {row.line - 2 for row in part if isinstance(row, BadRow)} == set(spoilt)
    for place, (event, row) in enumerate(zip(whole, part, strict=True)):
        if isinstance(row, BadRow):
            column = _SPOILS[spoilt[place]][0]
            assert row.column in (column, None)
            assert row.error.action
        else:
            assert facts(row) == facts(event)
    assert seen.rows - seen.accepted == len(spoilt)
    assert [row.line for row in seen.refused] == sorted(place + 2 for place in spoilt)[:20]


def test_a_cell_of_several_lines_keeps_the_numbers_of_those_after_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        'time,team,input_tokens\n2026-01-01,"a\n\nb",1\n2026-01-02,c,x\n\n2026-01-03,d,3\n', encoding="utf-8"
    )
    found, _ = read(path, Conventions())
    assert [row.line if isinstance(row, BadRow) else row.origin and int(row.origin.split(":")[1]) for row in found] == [
        2,
        5,
        7,
    ]
    assert isinstance(found[1], BadRow)
    assert found[1].column == "input_tokens"


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_byte_order_mark_before_json_counts_for_nothing(tmp_path: Path, line: int) -> None:
    """Also in the middle: exports are put one after another."""
    lines = [json.dumps({"time": "2026-01-01", "input_tokens": number}) for number in range(3)]
    lines[line - 1] = "\ufeff" + lines[line - 1]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    found, _ = read(path, Conventions())
    assert [row.input_tokens for row in found if isinstance(row, UsageEvent)] == [0, 1, 2]


def test_a_row_without_a_time_says_so_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,input_tokens\n,1\n2026-01-01,2\nnull,3\n", encoding="utf-8")
    found, seen = read(path, Conventions())
    assert [(row.line, row.column, row.error.what) for row in found if isinstance(row, BadRow)] == [
        (2, None, "The row has no time"),
        (4, None, "The row has no time"),
    ]
    assert seen.accepted == 1


@pytest.mark.parametrize(
    ("time", "doubt"),
    [
        ("2014-12-31T23:59:59Z", "long_ago"),
        ("2015-01-01T00:00:00Z", None),
        ("1970-01-01", "long_ago"),
        ("2300-01-01", "in_future"),
    ],
)
def test_a_time_too_early_or_too_late_is_doubted_and_taken(tmp_path: Path, time: str, doubt: str | None) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,model,input_tokens\n{time},m,1\n", encoding="utf-8")
    _, seen = read(path, Conventions())
    assert seen.accepted == 1
    assert seen.doubts == ({} if doubt is None else {doubt: 1})


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(_KNOWN)), st.data())
def test_a_known_name_is_found_whatever_its_case_its_marks_and_its_accents(name: str, data: Any) -> None:
    known = data.draw(st.sampled_from(_KNOWN[name]))
    accented = known.replace("e", data.draw(st.sampled_from(["e", "é", "E", "ê"])))
    mark = data.draw(st.sampled_from(["", " ", "_", "-", ".", "'"]))
    column = mark.join(accented)
    if data.draw(st.booleans()):
        column = column.upper()
    proposed = propose(["unrelated", f" {column} (", "other"])
    assert proposed == {name: f" {column} ("}


def test_the_first_of_two_columns_that_stand_for_one_field_is_proposed() -> None:
    assert propose(["Prompt Tokens", "prompt_tokens"]) == {"input_tokens": "Prompt Tokens"}
    assert propose(["completion_tokens", "output_tokens"]) == {"output_tokens": "output_tokens"}, "the field's own name"
    assert propose([]) == {}


@pytest.mark.parametrize("name", [*FIELDS, "labels.site", "model", "time", "zone", "region"])
def test_every_field_may_be_asked_for_and_only_these(name: str) -> None:
    assert known_field(name) in (*FIELDS, "labels.site")
    for wrong in (f"{name}x", f" {name}", name.upper() + "S", ""):
        if not wrong.startswith("labels."):
            with pytest.raises(ImportRefused):
                known_field(wrong)


@settings(max_examples=80, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=64), st.sampled_from(DECIMALS))
def test_any_number_comes_back_from_its_text(value: float, decimal: Any) -> None:
    text = repr(value) if decimal == "point" else repr(value).replace(".", ",")
    assert Conventions(decimal=decimal).number(text) == value


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**15), st.sampled_from([" ", "\u00a0", "\u202f"]), st.sampled_from(DECIMALS))
def test_thousands_may_stand_apart_in_threes_only(value: int, mark: str, decimal: Any) -> None:
    conventions = Conventions(decimal=decimal)
    apart = f"{value:,}".replace(",", mark)
    assert conventions.whole(apart) == value
    if value >= 10_000:
        digits = str(value)
        with pytest.raises(Exception, match="not a number"):
            conventions.whole(
                f"{digits[:2]}{mark}{digits[2:4]}{mark}{digits[4:]}" if len(digits) != 7 else f"1{mark}23"
            )


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(2021, 1, 1), datetime(2027, 1, 1)), st.sampled_from([PARIS, ZoneInfo("America/New_York")]))  # noqa: DTZ001
def test_a_time_without_offset_is_of_the_zone_or_does_not_exist_there(naive: datetime, zone: ZoneInfo) -> None:
    conventions = Conventions(timezone=zone)
    exists = naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == naive
    if not exists:
        with pytest.raises(Exception, match="does not exist"):
            conventions.time(naive.isoformat())
        return
    found = conventions.time(naive.isoformat())
    assert found.astimezone(zone).replace(tzinfo=None) == naive
    assert found == min(naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


Write = Callable[..., Path]


def test_sums_of_a_review_are_those_of_its_accepted_rows(write: Write) -> None:
    lines = [f"2026-01-{day:02d},m,{day * 10 if day % 4 else 'x'},{day},{day / 2}" for day in range(1, 29)]
    path = write("a.csv", "\n".join(["time,model,input_tokens,output_tokens,audio_seconds", *lines]))
    found, seen = read(path, Conventions())
    events = [row for row in found if isinstance(row, UsageEvent)]
    assert len(events) == seen.accepted == 21
    for name in ("input_tokens", "output_tokens", "audio_seconds"):
        assert seen.totals[name] == math.fsum(getattr(event, name) for event in events)
    assert seen.totals["calls_count"] == 21
    assert (seen.first, seen.last) == (events[0].started_at, events[-1].started_at)
