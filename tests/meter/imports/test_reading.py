"""Plans and rows: events with a lasting identity, or refused lines with their reason."""

from __future__ import annotations

import csv
import gzip
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mesure.errors import ImportRefused, UnknownName
from mesure.meter.imports import BadRow, Conventions, ImportPlan, TableFile, read_events, read_rows, review
from mesure.meter.pseudonyms import KEY_FILE, Pseudonyms, pseudonym
from mesure.record import UsageEvent, identity_of

Write = Callable[..., Path]

KEY = b"k" * 32

CSV = "time,model,team,input_tokens,output_tokens\n2026-11-02 08:00:00Z,gpt-4o,A,100,40\n2026-11-02 08:01:00Z,,B,7,\n"


def load(path: Path, **options: Any) -> tuple[TableFile, ImportPlan]:
    file = TableFile.open(path)
    return file, ImportPlan.make(file, pseudonym=partial(pseudonym, KEY), **options)


def events(path: Path, **options: Any) -> list[UsageEvent]:
    file, plan = load(path, **options)
    return list(read_events(file, plan, review(file, plan)))


def bad(path: Path, **options: Any) -> list[BadRow]:
    file, plan = load(path, **options)
    return [row for row in read_rows(file, plan, review(file, plan)) if isinstance(row, BadRow)]


def test_rows_become_exported_events(write: Write) -> None:
    first, second = events(write("a.csv", CSV))
    assert first.started_at == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert (first.model_requested, first.team, first.input_tokens, first.output_tokens) == ("gpt-4o", "A", 100, 40)
    assert (first.source, first.basis, first.calls_count, first.labels) == ("import", "exported", 1, None)
    assert second.model_requested is None
    assert second.output_tokens is None  # unknown, not zero


def test_identity_is_the_content_and_the_line(write: Write) -> None:
    file, plan = load(write("a.csv", CSV))
    found = events(write("a.csv", CSV))
    sha = review(file, plan).sha256
    assert [event.origin for event in found] == [f"{sha}:2", f"{sha}:3"]
    assert [identity_of(event) for event in found] == [f"o:{sha}:2", f"o:{sha}:3"]


def test_reading_again_compressed_or_not_gives_the_same_ids(write: Write) -> None:
    first, again = events(write("a.csv", CSV)), events(write("b.csv.gz", CSV))
    assert first == again
    assert uuid.UUID(first[0].id).int >> 80 == int(first[0].started_at.timestamp() * 1000)


def test_a_line_means_the_same_whatever_the_options(write: Write) -> None:
    path = write("a.csv", CSV)
    plain, assigned = events(path), events(path, constants={"team": "C"})
    assert [event.id for event in plain] == [event.id for event in assigned]


def test_json_lines(write: Write) -> None:
    text = (
        '{"created": 1700158546, "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}, "stream": true}\n'
    )
    (event,) = events(write("a.jsonl", text), conventions=Conventions(dates="unix"))
    assert (event.input_tokens, event.output_tokens, event.stream) == (3, 4, True)
    assert event.started_at == datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC)


def test_french_file(write: Write) -> None:
    text = "Horodatage;Équipe;Jetons entrée;durée audio\n02/11/2026 08:00;Service client;1 234;12,5\n"
    conventions = Conventions(timezone=ZoneInfo("Europe/Paris"), decimal="comma", dates="french")
    (event,) = events(write("a.csv", text), conventions=conventions)
    assert event.started_at == datetime(2026, 11, 2, 7, tzinfo=UTC)
    assert (event.team, event.input_tokens, event.audio_seconds) == ("Service client", 1234, 12.5)


# What is stated or assigned


def test_constants_and_cycles_fill_fields_and_say_so(write: Write) -> None:
    found = events(
        write("a.csv", CSV),
        constants={"model": "gpt-4o", "environment": "test", "labels.site": "Lille", "calls_count": "2"},
        cycles={"team": ["x", "y"]},
    )
    assert [event.team for event in found] == ["x", "y"]
    assert {event.model_requested for event in found} == {"gpt-4o"}
    assert (found[0].environment, found[0].calls_count) == ("test", 2)
    assert found[0].labels == {
        "site": "Lille",
        "assigned": "true",
        "assigned_fields": "model_requested,environment,labels.site,calls_count,team",
    }


def test_a_mapping_asked_for_replaces_the_proposal(write: Write) -> None:
    path = write("a.csv", "time,n,tokens in,input_tokens\n2026-11-02,A,5,6\n")
    (event,) = events(path, mapping={"input_tokens": "tokens in", "team": "n", "labels.n": "n"})
    assert (event.input_tokens, event.team, event.labels) == (5, "A", {"n": "A"})


def test_unused_columns_are_named(write: Write) -> None:
    file, plan = load(write("a.csv", "time,prompt,input_tokens\n2026-11-02,secret,1\n"))
    assert plan.unused(file) == ("prompt",)
    assert "secret" not in str(list(read_rows(file, plan, review(file, plan))))


# Refused plans


@pytest.mark.parametrize(
    ("text", "options", "what"),
    [
        ("n,tokens\n1,2\n", {}, "started_at"),
        ("time,n\n2026-11-02,2\n", {}, "input_tokens"),
        (CSV, {"mapping": {"teem": "team"}}, "no such field"),
        (CSV, {"mapping": {"team": "teem"}}, "no such column"),
        (CSV, {"constants": {"environment": "prod"}}, "environment"),
        (CSV, {"constants": {"output_tokens": "many"}}, "not a number"),
        (CSV, {"cycles": {"team": []}}, "without a value"),
        (CSV, {"cycles": {"team": ["a"]}, "constants": {"team": "b"}}, "given twice"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(write: Write, text: str, options: dict[str, Any], what: str) -> None:
    from mesure.errors import MesureError

    with pytest.raises(MesureError) as refused:
        load(write("a.csv", text), **options)
    assert what in refused.value.what
    assert refused.value.action


# Refused rows


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        ("yesterday,m,A,1,1", "time", "not a time"),
        (",m,A,1,1", None, "no time"),
        ("2026-11-02,m,A,1.5,1", "input_tokens", "whole number"),
        ("2026-11-02,m,A,-1,1", None, "input_tokens must be a finite number"),
        ("2026-11-02,m,A,1e300,1", None, "input_tokens must be a finite number"),
        ("2026-11-02,m,A,x,1", "input_tokens", "not a number"),
        (f"2026-11-02,{'m' * 201},A,1,1", "model", "longer than 200"),
        ("2026-11-02,m,A,1", None, "4 cells"),
    ],
)
def test_a_bad_row_names_its_line_column_and_reason(write: Write, row: str, column: str | None, what: str) -> None:
    (refused,) = bad(write("a.csv", f"{CSV}{row}\n"))
    assert (refused.line, refused.column) == (4, column)
    assert what in refused.error.what
    assert refused.error.action


def test_cached_tokens_beyond_input_are_refused(write: Write) -> None:
    (refused,) = bad(write("a.csv", "time,input_tokens,cached_tokens\n2026-11-02,5,6\n2026-11-02,5,5\n"))
    assert refused.line == 2
    assert "part of input_tokens" in refused.error.what


def test_people_enter_as_pseudonyms_only(write: Write) -> None:
    already = pseudonym(KEY, "jeanne@exemple.fr")
    text = f"time,who,input_tokens\n2026-11-02,jeanne@exemple.fr,1\n2026-11-02, 7f3a ,1\n2026-11-02,{already},1\n"
    found = events(write("a.csv", text), mapping={"user": "who"})
    assert [event.user for event in found] == [already, pseudonym(KEY, "7f3a"), already]
    assert "jeanne" not in str(found)
    assert "7f3a" not in str(found[1].user)


@pytest.mark.parametrize("option", ["constants", "cycles"])
def test_people_named_by_who_imports_too(write: Write, option: str) -> None:
    value: Any = "a@b.fr" if option == "constants" else ["a@b.fr"]
    path = write("a.csv", CSV)
    assert {event.user for event in events(path, **{option: {"user": value}})} == {pseudonym(KEY, "a@b.fr")}
    file, plan = load(path, **{option: {"user": value}})
    assert plan.settings(file)
    assert "a@b.fr" not in repr(plan)


def test_a_key_that_cannot_be_used_refuses_the_row(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / KEY_FILE).write_text("broken")
    file = TableFile.open(write("a.csv", "time,who,input_tokens\n2026-11-02,jeanne,1\n2026-11-02,,1\n"))
    plan = ImportPlan.make(file, pseudonym=Pseudonyms(folder), mapping={"user": "who"})
    refused, accepted = read_rows(file, plan, review(file, plan))
    assert isinstance(refused, BadRow)
    assert "key of pseudonyms" in refused.error.what
    assert isinstance(accepted, UsageEvent)
    assert accepted.user is None


def test_a_cycle_turns_by_line_so_refused_rows_change_nothing_for_others(write: Write) -> None:
    text = "time,input_tokens\n2026-11-02,1\n2026-11-02,x\n2026-11-02,3\n"
    assert [event.team for event in events(write("a.csv", text), cycles={"team": ["a", "b"]})] == ["a", "a"]


# Review


def test_a_review_counts_sums_and_keeps_the_first_refusals(write: Write) -> None:
    lines = [f"2026-11-{day:02d},{day}" for day in range(1, 21)] + ["x,1"] * 30
    file, plan = load(write("a.csv", "time,input_tokens\n" + "\n".join(lines)))
    found = review(file, plan)
    assert (found.rows, found.accepted, found.refused_count) == (50, 20, 30)
    assert len(found.refused) == 20
    assert found.refused[0].line == 22
    assert found.totals == {"input_tokens": 210, "calls_count": 20}
    assert (found.first, found.last) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC))
    assert found.sha256 == file.fingerprint()


def test_rows_added_after_the_review_are_left_out(write: Write) -> None:
    path = write("a.csv", "time,input_tokens\n2026-11-01,1\n")
    file, plan = load(path)
    reviewed = review(file, plan)
    with path.open("a") as grown:
        grown.write("2026-11-02,2\n")
    assert [event.input_tokens for event in read_events(file, plan, reviewed)] == [1]


# A file that grew


GROWN = CSV + "2026-11-03 08:00:00Z,gpt-4o,C,1,1\n"


def test_a_file_that_grew_has_the_earlier_one_as_a_part(write: Write) -> None:
    file, plan = load(write("a.csv", CSV))
    earlier = review(file, plan)
    file, plan = load(write("b.csv", GROWN.replace("\n", "\r\n")))
    found = review(file, plan, known={earlier.sha256, "unrelated"})
    assert [(part.content, part.rows, part.accepted) for part in found.parts] == [
        (earlier.sha256, 2, 2),
        (found.sha256, 3, 3),
    ]
    origins = [event.origin for event in read_events(file, plan, found)]
    assert origins == [f"{earlier.sha256}:2", f"{earlier.sha256}:3", f"{found.sha256}:4"]


def test_a_file_known_whole_is_one_part(write: Write) -> None:
    file, plan = load(write("a.csv", CSV))
    sha = review(file, plan).sha256
    assert [part.content for part in review(file, plan, known={sha}).parts] == [sha]


def test_refused_rows_of_a_part_are_not_counted_as_done(write: Write) -> None:
    text = "time,input_tokens\nx,1\n2026-11-01,2\n"
    file, plan = load(write("a.csv", text))
    sha = review(file, plan).sha256
    file, plan = load(write("b.csv", text + "2026-11-02,3\n"))
    assert [(part.rows, part.accepted) for part in review(file, plan, known={sha}).parts] == [(2, 1), (3, 2)]


def test_settings_are_what_was_asked_not_what_was_found(write: Write) -> None:
    def settings(text: str, **options: Any) -> str:
        file, plan = load(write("a.jsonl", text), **options)
        return plan.settings(file)

    short, long = '{"time":"2026-11-01","n":1}\n', '{"time":"2026-11-02","n":1,"team":"A"}\n'
    asked: dict[str, Any] = {"mapping": {"input_tokens": "n"}}
    assert settings(short, **asked) == settings(short + long, **asked)
    others = [
        {"mapping": {"output_tokens": "n"}},
        asked | {"constants": {"team": "x"}},
        asked | {"constants": {"team": "y"}},
        asked | {"cycles": {"team": ["x"]}},
        asked | {"conventions": Conventions(timezone=ZoneInfo("Europe/Paris"))},
        asked | {"conventions": Conventions(decimal="comma")},
        asked | {"conventions": Conventions(dates="french")},
    ]
    assert len({settings(short, **options) for options in [asked, *others]}) == len(others) + 1


# What accepted rows lack


def test_rows_that_say_little_are_counted(write: Write) -> None:
    text = "time,model,input_tokens\n2026-11-01,m,1\n2026-11-01,,1\n2026-11-01,m,\n1999-01-01,m,1\n2200-01-01,,\n"
    file, plan = load(write("a.csv", text))
    found = review(file, plan)
    assert found.accepted == 5
    assert found.doubts == {"no_model": 2, "no_amount": 2, "long_ago": 1, "in_future": 1}


# Units and places


@pytest.mark.parametrize(
    ("column", "joules"),
    [("Énergie (Wh)", 3600.0), ("energy_kwh", 3.6e6), ("Consommation (kJ)", 1000.0), ("energy_j", 1.0)],
)
def test_energy_is_read_in_the_unit_its_column_names(write: Write, column: str, joules: float) -> None:
    (event,) = events(write("a.csv", f"time;{column}\n2026-11-01;2\n"))
    assert event.energy_j == 2 * joules
    assert event.energy_status is None


@pytest.mark.parametrize(("said", "zone"), [("France", "FRA"), ("fr", "FRA"), ("Allemagne", "DEU"), ("usa", "USA")])
def test_a_zone_is_known_by_its_usual_names(write: Write, said: str, zone: str) -> None:
    text = f"time,input_tokens,zone\n2026-11-01,1,{said}\n2026-11-01,1,\n"
    assert [event.host_zone for event in events(write("a.csv", text))] == [zone, None]


def test_a_zone_without_a_factor_is_refused_with_the_nearest(write: Write) -> None:
    (refused,) = bad(write("a.csv", "time,input_tokens,zone\n2026-11-01,1,Mars\n"))
    assert (refused.column, refused.error.value) == ("zone", "Mars")
    assert refused.error.nearest
    with pytest.raises(UnknownName):
        load(write("a.csv", CSV), constants={"zone": "Frnace"})


def test_a_column_that_is_not_known_is_proposed_when_near(write: Write) -> None:
    with pytest.raises(ImportRefused) as refused:
        load(write("a.csv", "date;équipe;jetons en entrée (total)\n"))
    assert refused.value.nearest == ("jetons en entrée (total)",)


def test_the_azure_trace_agrees_with_an_independent_sum(shared_data: Path) -> None:
    path = shared_data / "traces" / "azure_llm_2023_conv.csv.gz"
    with gzip.open(path, "rt", newline="") as text:
        rows = list(csv.reader(text))[1:]
    file, plan = load(path, cycles={"team": ["a", "b", "c"], "model": ["gpt-4o"]})
    found = review(file, plan)
    assert (found.rows, found.refused_count) == (19_366, 0)
    assert found.totals["input_tokens"] == sum(int(row[1]) for row in rows)
    assert found.totals["output_tokens"] == sum(int(row[2]) for row in rows)
    read = list(read_events(file, plan, found))
    assert len({event.id for event in read}) == len({event.origin for event in read}) == 19_366
    assert all(event.labels and event.labels["assigned"] == "true" for event in read)


def test_nothing_of_a_refused_file_is_a_plan(write: Write) -> None:
    with pytest.raises(ImportRefused):
        TableFile.open(write("a.csv", ""))
