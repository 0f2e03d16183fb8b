"""Known exports: recognised, read to the token, never crashed by what they hold, never counted twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.errors import ImportRefused, MesureError
from mesure.meter.imports import BadRow, ImportPlan, TableFile, read_events, read_rows, review
from mesure.meter.imports.exports import AS_TABLE, EXPORTS, named_export
from mesure.meter.imports.mapping import FIELDS
from mesure.record import UsageEvent, identity_of

from .exports_shown import COMPLETIONS, SHOWN, Facts, Shown, bucket, page

Write = Callable[..., Path]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEATS = ("m365-copilot", "copilot-interactions", "chatgpt-enterprise")
every_export = pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.export}-{shown.name}")


def events_of(path: Path, export: str | None = None, **plan: Any) -> list[UsageEvent]:
    file = TableFile.open(path, export=export)
    made = ImportPlan.make(file, pseudonym=lambda name: f"u-{hash(name)}", **plan)
    found = review(file, made)
    assert not found.refused_count, found.refused
    return list(read_events(file, made, found))


def as_text(event: UsageEvent) -> Facts:
    said = event.to_json()
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in said.items()}


@every_export
def test_each_is_recognised_and_read_to_the_token(write: Write, shown: Shown) -> None:
    path = write(shown.name, shown.content)
    file = TableFile.open(path)
    assert file.export is not None
    assert file.export.name == shown.export
    events = events_of(path)
    assert len(events) == len(shown.events)
    for event, expected in zip(events, shown.events, strict=True):
        said = as_text(event)
        assert {name: said.get(name) for name in expected} == pytest.approx(expected)
        assert event.checked() is event
        assert event.source == "import"
        assert event.basis == expected.get("basis", event.basis)
        assert (event.basis == "exported") is (shown.export not in SEATS)
        assert event.ended_at is None or event.ended_at > event.started_at


@every_export
def test_what_names_people_or_holds_texts_is_not_read(write: Write, shown: Shown) -> None:
    said = str([as_text(event) for event in events_of(write(shown.name, shown.content))])
    assert not [name for name in shown.people if name in said]


@every_export
def test_compressed_it_is_the_same_and_forced_it_is_too(write: Write, shown: Shown) -> None:
    plain, packed = write(shown.name, shown.content), write(shown.name + ".gz", shown.content)
    identities = [identity_of(event) for event in events_of(plain)]
    assert [identity_of(event) for event in events_of(packed)] == identities
    forced = [identity_of(event) for event in events_of(plain, shown.export)]
    assert forced == identities
    assert len(set(identities)) == len(identities)


def test_every_export_is_shown_documented_and_fills_fields_that_exist() -> None:
    assert {shown.export for shown in SHOWN} | {"voicebot"} == {export.name for export in EXPORTS}
    document = (Path(__file__).parents[3] / "docs" / "imports.md").read_text(encoding="utf-8")
    for export in EXPORTS:
        assert {name for name in export.fields if not name.startswith("labels.")} <= set(FIELDS)
        assert export.asked_for <= {"user", "conversation_id", "contact_id"}
        assert f"`{export.name}`" in document
        assert "20" in export.written_after


@every_export
def test_every_field_that_is_filled_is_declared_for_the_preview(write: Write, shown: Shown) -> None:
    export = named_export(shown.export)
    file = TableFile.open(write(shown.name, shown.content))
    raw = [row.cells for row in TableFile.open(file.path, export=AS_TABLE).rows()]
    reader = export.start()
    given_raw = json.loads(shown.content) if shown.name == "range.json" else None
    for cells in [given_raw] if given_raw else raw:
        with suppress(MesureError):  # flat cells hold no lists
            for facts in reader.read(cells):
                assert set(facts) <= set(export.fields)
    for facts in reader.end():
        assert set(facts) <= set(export.fields)
    for row in file.rows():
        assert row.error is None


def test_a_user_is_filled_when_it_is_asked_for_and_is_a_pseudonym(write: Write) -> None:
    shown = next(shown for shown in SHOWN if shown.export == "helicone")
    (event,) = events_of(write(shown.name, shown.content), mapping={"user": "user"})
    assert event.user is not None
    assert event.user.startswith("u-")


def test_its_other_columns_can_be_mapped(write: Write) -> None:
    shown = next(shown for shown in SHOWN if shown.name == "activity.csv")
    (event,) = events_of(write(shown.name, shown.content), mapping={"team": "api_key_name"}, constants={"zone": "FRA"})
    assert (event.team, event.host_zone) == ("prod", "FRA")


def test_a_name_that_is_no_export_gets_the_nearest(write: Write) -> None:
    with pytest.raises(ImportRefused) as refused:
        TableFile.open(write("a.csv", "a\n1\n"), export="openai-usages")
    assert refused.value.nearest[0] == "openai-usage"


def test_read_as_a_table_an_export_is_only_its_columns(write: Write) -> None:
    shown = next(shown for shown in SHOWN if shown.name == "completions_usage.csv")
    file = TableFile.open(write(shown.name, shown.content), export=AS_TABLE)
    assert file.export is None
    assert file.proposal["input_tokens"] == "input_tokens"


def test_columns_that_are_read_are_not_left_aside(write: Write) -> None:
    shown = next(shown for shown in SHOWN if shown.name == "claude_api_tokens.csv")
    file = TableFile.open(write(shown.name, shown.content))
    left = ImportPlan.make(file, pseudonym=str).unused(file)
    assert {"api_key", "workspace", "web_search_count"} <= set(left)
    assert not {"usage_date_utc", "usage_output_tokens", "model_version"} & set(left)


# Aggregates: the same one, exported twice, is the same one


def test_an_aggregate_keeps_its_identity_in_a_longer_export(write: Write) -> None:
    one = events_of(write("a.json", page(bucket(COMPLETIONS))))
    grown = COMPLETIONS | {"input_tokens": 5000, "num_model_requests": 9}
    longer = page(bucket(grown), bucket(COMPLETIONS, start=1_763_683_200))
    two = events_of(write("b.json", longer))
    assert key_of(one[0]) == key_of(two[0]) != key_of(two[1])
    other = events_of(write("c.json", page(bucket(COMPLETIONS | {"project_id": "proj_2"}))))
    assert key_of(other[0]) != key_of(one[0])
    assert one[0].response_id is None  # it is no call that another source may have seen


def key_of(event: UsageEvent) -> str:
    return (event.labels or {})["aggregate"]


@every_export
def test_an_aggregate_has_a_key_and_a_call_has_none(write: Write, shown: Shown) -> None:
    events = events_of(write(shown.name, shown.content))
    keys = [(event.labels or {}).get("aggregate") for event in events]
    calls = shown.export in ("langfuse", "helicone", "litellm", "openrouter-generations")
    assert [key is None for key in keys] == [calls] * len(events)
    assert [event.response_id or event.span_id for event in events if not calls] == [None] * (
        0 if calls else len(events)
    )
    assert calls or len(set(keys)) == len(keys)


@quick
@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5)),
        min_size=1,
        max_size=6,
    )
)
def test_buckets_give_back_their_sums(tmp_path: Path, counts: list[tuple[int, int, int, int]]) -> None:
    """Sub-counts are subsets: what the export counts apart is added, what it counts within is not."""
    path = tmp_path / "sums.json"
    results = [
        COMPLETIONS
        | {"model": f"m{i}", "input_tokens": read + cached, "input_cached_tokens": cached}
        | {"output_tokens": written, "input_audio_tokens": heard}
        for i, (read, cached, written, heard) in enumerate(counts)
    ]
    path.write_text(page(bucket(*results)))
    events = events_of(path)
    assert sum(e.input_tokens or 0 for e in events) == sum(r + c + h for r, c, _, h in counts)
    assert sum(e.cached_input_tokens or 0 for e in events) == sum(c for _, c, _, _ in counts)
    assert sum(e.output_tokens or 0 for e in events) == sum(w for _, _, w, _ in counts)


@quick
@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), min_size=1, max_size=20))
def test_counters_give_back_what_was_processed_over_restarts(tmp_path: Path, steps: list[tuple[int, bool]]) -> None:
    """What is lost is what was counted between the last scrape before a restart and it: nothing else."""
    lines, value, seen, total = [], 0, 0, 0
    for minute, (growth, restarted) in enumerate([(0, False), *steps]):
        value = growth if restarted else value + growth
        if minute:
            total += value - seen if value >= seen else value
        seen = value
        lines += [f"# scraped 2026-11-20T08:{minute:02d}:00Z", f'vllm:prompt_tokens_total{{model_name="m"}} {value}']
    path = tmp_path / "metrics.txt"
    path.write_text("\n".join(lines) + "\n")
    file = TableFile.open(path, export="server-metrics")
    plan = ImportPlan.make(file, pseudonym=str)
    events = list(read_events(file, plan, review(file, plan)))
    assert sum(event.input_tokens or 0 for event in events) == total
    assert all(event.ended_at and event.started_at < event.ended_at for event in events)


def test_timestamps_of_samples_tell_the_time(write: Write) -> None:
    text = "tgi_request_generated_tokens_sum 5 {t}\ntgi_request_input_length_sum 7 {t}\n"
    path = write("a.prom", text.format(t=1_763_625_600_000) + text.replace(" 5", " 9").format(t=1_763_625_660_000))
    (event,) = events_of(path)
    assert (event.output_tokens, event.input_tokens, event.provider) == (4, 0, "tgi")


def test_metrics_without_a_time_are_refused_with_what_to_do(write: Write) -> None:
    path = write("a.prom", "# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total 5\n")
    file = TableFile.open(path)
    (row,) = file.rows()
    assert row.error is not None
    assert "do not say when" in row.error.what
    assert "# scraped" in row.error.action


# Billing units are not tokens


def test_a_meter_in_an_unknown_unit_is_refused_by_its_line(write: Write) -> None:
    shown = next(shown for shown in SHOWN if shown.export == "azure-costs")
    path = write("a.csv", shown.content.replace("m1,1K,30", "m1,1 Unit,30"))
    file = TableFile.open(path)
    plan = ImportPlan.make(file, pseudonym=str)
    found = review(file, plan)
    assert [(bad.line, bad.error.value) for bad in found.refused] == [(2, "1 Unit")]


# Growth


def test_a_document_that_grew_brings_only_its_new_records(write: Write) -> None:
    first = write("a.json", page(bucket(COMPLETIONS, COMPLETIONS | {"model": "x"})))
    file = TableFile.open(first)
    plan = ImportPlan.make(file, pseudonym=str)
    known = review(file, plan).sha256
    grown = TableFile.open(
        write(
            "b.json", page(bucket(COMPLETIONS, COMPLETIONS | {"model": "x"}), bucket(COMPLETIONS, start=1_763_683_200))
        )
    )
    found = review(grown, plan, known={known})
    assert [(part.content == known, part.rows, part.accepted) for part in found.parts] == [(True, 2, 2), (False, 3, 3)]
    origins = [event.origin for event in read_events(grown, plan, found)]
    assert origins == [f"{known}:1", f"{known}:1.1", f"{found.sha256}:2"]


# Whatever a file holds


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def check_any(path: Path, export: str) -> None:
    """Every row is an event that can be stored, or a reason with an action; the file, rows or one reason."""
    with suppress(ImportRefused):  # anything else fails
        file = TableFile.open(path, export=export)
        plan = ImportPlan.make(file, pseudonym=str)
        for row in read_rows(file, plan, review(file, plan)):
            if isinstance(row, BadRow):
                assert row.error.what
                assert row.error.action
            else:
                row.checked()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_value_in_no_place_crashes_a_reader(tmp_path: Path, data: st.DataObject) -> None:
    shown = data.draw(st.sampled_from([shown for shown in SHOWN if not shown.name.endswith(("csv", "prom", "jsonl"))]))
    try:
        document = json.loads(shown.content)
    except ValueError:
        document = json.loads(shown.content.splitlines()[0])
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(document, data)
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(document))
    check_any(path, shown.export)


def spoil(document: Any, data: st.DataObject) -> None:
    """Another value somewhere in it."""
    places: list[tuple[Any, Any]] = []

    def walk(holder: Any) -> None:
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            places.append((holder, key))
            if isinstance(holder[key], dict | list):
                walk(holder[key])

    walk(document)
    if places:
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(values)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_cell_crashes_a_reader(tmp_path: Path, data: st.DataObject) -> None:
    shown = data.draw(st.sampled_from([shown for shown in SHOWN if shown.name.endswith("csv")]))
    header, row = shown.content.splitlines()[:2]
    cells = [data.draw(st.sampled_from([cell, "", "-1", "1e400", "x", "é", "9" * 30])) for cell in row.split(",")]
    path = tmp_path / "spoilt.csv"
    path.write_text(header + "\n" + ",".join(cells).replace('"', "") + "\n", encoding="utf-8")
    check_any(path, shown.export)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200),
    st.sampled_from([export.name for export in EXPORTS]),
    st.sampled_from([b"", b"[", b'{"data":[', b"# scraped 2026-01-01\nvllm:", b"PAR1"]),
)
def test_no_bytes_crash_any_export(tmp_path: Path, content: bytes, export: str, start: bytes) -> None:
    path = tmp_path / "fuzz"
    path.write_bytes(start + content)
    check_any(path, export)


# Seats and voicebots


@quick
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 50)), min_size=1, max_size=25))
def test_groups_of_people_are_told_from_five_on_and_prompts_add_up(tmp_path: Path, rows: list[tuple[str, int]]) -> None:
    shown = next(shown for shown in SHOWN if shown.export == "m365-copilot")
    header = shown.content.splitlines()[0]
    path = tmp_path / "seats.csv"
    lines = [f"2026-11-20,u{n},n,2026-11-19,,,28,{count},1,{team}" for n, (team, count) in enumerate(rows)]
    path.write_text("\n".join([header, *lines]) + "\n")
    file = TableFile.open(path)
    plan = ImportPlan.make(file, pseudonym=str)
    events = list(read_events(file, plan, review(file, plan)))
    assert sum(event.calls_count for event in events) == sum(count for _, count in rows)
    active = [team for team, count in rows if count]
    for event in events:
        assert event.team == "others" or active.count(event.team or "") >= 5


def test_a_report_without_prompts_says_what_to_do_instead(write: Write) -> None:
    path = write(
        "a.csv",
        "Report Refresh Date,Last Activity Date,Microsoft Teams Copilot Last Activity Date\n2026-11-20,2026-11-19,\n",
    )
    file = TableFile.open(path)
    (row,) = file.rows()
    assert row.error is not None
    assert "not how many prompts" in row.error.what
    assert "mesure declare" in row.error.action


VOICE = (
    "Jour;Nom du bot;Client final;Durée (min);Nombre d'appels;Jetons facturés\n"
    "22/11/2026;Accueil;Énergie+;120,5;80;99000\n"
    "23/11/2026;Accueil;Énergie+;;12;7000\n"
)


def test_a_voicebot_s_minutes_are_read_and_its_billing_units_are_not(write: Write) -> None:
    first, second = events_of(write("bot.csv", VOICE), "voicebot")
    assert (first.audio_seconds, first.calls_count, first.end_client, first.application) == (
        7230.0,
        80,
        "Énergie+",
        "Accueil",
    )
    assert (first.basis, first.model_requested, first.input_tokens, first.output_tokens) == (
        "declared",
        "voicebot",
        None,
        None,
    )
    assert (second.audio_seconds, second.calls_count) == (None, 12)
    assert "99000" not in str([as_text(event) for event in (first, second)])
    file = TableFile.open(write("bot.csv", VOICE), export="voicebot")
    assert "Jetons facturés" in ImportPlan.make(file, pseudonym=str).unused(file)
    with pytest.raises(ImportRefused) as refused:
        ImportPlan.make(file, pseudonym=str, mapping={"input_tokens": "Jetons facturés"})
    assert refused.value.code == "billing_units"
    assert "bills" in refused.value.what


def test_a_voicebot_row_without_minutes_or_interactions_is_named(write: Write) -> None:
    file = TableFile.open(write("bot.csv", "jour;minutes;appels\n2026-11-22;;\n"), export="voicebot")
    (row,) = file.rows()
    assert row.error is not None
    assert "neither minutes nor interactions" in row.error.what


@pytest.mark.parametrize("said", ["{'a': }", "[" * 5000, '{"a": -1}', "{'a': -1}"])
def test_counts_by_model_that_are_none_are_refused(write: Write, said: str) -> None:
    text = 'period_start,period_end,messages,model_to_messages,gpt_messages\n2026-11-01,2026-11-30,5,"{said}",0\n'
    file = TableFile.open(write("a.csv", text.replace("{said}", said.replace('"', '""'))))
    assert [row.error is not None for row in file.rows()] == [True]
