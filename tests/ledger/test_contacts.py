"""Contacts: written once, the last word counts, and calls are summed by what they carry the id of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.errors import InvalidValue, LedgerError
from mesure.ledger import CONTACT_DIMENSIONS, ContactTable, Ledger, Pricer, contact_totals
from mesure.record import Contact, UsageEvent, derived_id

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
SINCE, UNTIL = AT - timedelta(days=1), AT + timedelta(days=1)


def contact(name: str, **said: Any) -> Contact:
    return Contact(id=name, **({"started_at": AT} | said)).checked()


def call(number: int, contact_id: str | None, **said: Any) -> UsageEvent:
    return UsageEvent(
        id=derived_id(number, "c"),
        started_at=AT + timedelta(seconds=number),
        contact_id=contact_id,
        provider="openai",
        model_requested="gpt-4o",
        input_tokens=1000,
        output_tokens=200,
        **said,
    )


def totals(folder: Path, by: str = "channel") -> Any:
    return contact_totals(Ledger(folder), ContactTable(folder), Pricer({}), SINCE, UNTIL, by)


def groups(folder: Path, by: str = "channel") -> dict[str | None, Any]:
    return {group.key: group for group in totals(folder, by).groups}


# The table


def test_an_import_enters_once_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    table = ContactTable(tmp_path)
    assert (table.files(), table.done("x"), table.forget(UNTIL)) == ([], 0, 0)
    rows = [contact(str(n)) for n in range(25)]

    def broken() -> Iterator[Contact]:
        yield from rows[:20]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table.add("x", broken(), batch=10)
    assert table.done("x") == 20
    assert table.add("x", rows, batch=10) == (5, 20)
    assert table.add("x", rows, batch=7) == (0, 25)
    assert totals(tmp_path).whole.contacts == 25


def test_two_programs_that_bring_the_same_file_write_it_once(tmp_path: Path) -> None:
    rows = [contact(str(n)) for n in range(400)]
    added: list[int] = []

    def bring() -> None:
        added.append(ContactTable(tmp_path).add("x", rows, batch=20).added)

    threads = [threading.Thread(target=bring) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 400
    assert sum(DeltaTable(str(tmp_path / "contacts")).get_add_actions(flatten=True)["num_records"].to_pylist()) == 400


def test_the_last_word_on_a_contact_counts(tmp_path: Path) -> None:
    table = ContactTable(tmp_path)
    table.add("first", [contact("1", channel="voice"), contact("2", channel="voice", resolved=True)])
    table.add("later", [contact("1", channel="voice", resolved=False)])
    found = groups(tmp_path)["voice"]
    assert (found.contacts, found.outcomes, found.resolved) == (2, 2, 1)


def test_contacts_are_forgotten_for_good(tmp_path: Path) -> None:
    table = ContactTable(tmp_path)
    table.add("x", [contact("old", started_at=AT - timedelta(days=40)), contact("secret-new")])
    assert table.forget(AT - timedelta(days=30)) == 1
    assert table.forget(AT - timedelta(days=30)) == 0
    kept = b"".join(path.read_bytes() for path in (tmp_path / "contacts").rglob("*.parquet"))
    assert b"old" not in kept
    assert totals(tmp_path).whole.contacts == 1


def test_a_table_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "contacts" / "_delta_log").mkdir(parents=True)
    (tmp_path / "contacts" / "_delta_log" / "00000000000000000000.json").write_text("no json")
    with pytest.raises(LedgerError, match="table of contacts"):
        ContactTable(tmp_path).files()


def test_a_table_of_a_later_version_is_read_by_name(tmp_path: Path) -> None:
    import arro3.core as arro3
    from deltalake import write_deltalake

    table = ContactTable(tmp_path)
    table.add("x", [contact("1", channel="chat")])
    more: dict[str, Any] = {
        "id": arro3.Array(["2"], arro3.DataType.utf8()),
        "mood": arro3.Array([3], arro3.DataType.int64()),
    }
    more["started_at"] = arro3.Array([int(AT.timestamp() * 1e6)], arro3.DataType.int64()).cast(
        arro3.DataType.timestamp("us", tz="UTC")
    )
    more["month"] = arro3.Array(["2026-11"], arro3.DataType.utf8())
    write_deltalake(str(table.path), arro3.Table.from_pydict(more), mode="append", schema_mode="merge")
    table.add("y", [contact("3", channel="chat")])
    assert {key: group.contacts for key, group in groups(tmp_path).items()} == {"chat": 2, None: 1}


# The view


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Three voice contacts (one resolved, one not, one unknown), a chat without calls, calls of nobody's contact."""
    ContactTable(tmp_path).add(
        "x",
        [
            contact("v1", channel="voice", end_client="A", use_case="bill", resolved=True, duration_s=60.0),
            contact("v2", channel="voice", end_client="A", resolved=False, transferred=True, duration_s=120.0),
            contact("v3", channel="voice", end_client="B", recontact=False),
            contact("c1", channel="chat", end_client="B", resolved=True),
            contact("other-day", channel="voice", started_at=AT - timedelta(days=9)),
        ],
    )
    calls = [call(1, "v1"), call(2, "v1"), call(3, "v2"), call(4, "v3"), call(5, "gone"), call(6, None)]
    Ledger(tmp_path).append([*calls, call(7, "other-day")], {})
    return tmp_path


def test_calls_are_summed_by_the_group_of_their_contact(day: Path) -> None:
    found = totals(day)
    voice, chat = found.groups
    assert (voice.key, voice.contacts, voice.linked, voice.calls, voice.tokens) == ("voice", 3, 3, 4, 4800)
    assert (chat.key, chat.contacts, chat.linked, chat.calls, chat.energy_wh) == ("chat", 1, 0, 0, None)
    assert (found.unknown_calls, found.plain_calls) == (2, 1)
    assert (found.whole.contacts, found.whole.calls, found.whole.key) == (4, 4, None)
    assert (voice.transfers_known, voice.transferred, voice.recontacts_known, voice.recontacts) == (1, 1, 1, 0)
    assert voice.duration_s == 90.0


def test_per_contact_is_the_sum_over_contacts_that_have_calls(day: Path) -> None:
    voice = groups(day)["voice"]
    one = Pricer({}).impacts(call(1, None))
    assert voice.energy_wh.mid == pytest.approx(4 * one.energy_wh.mid)
    assert voice.energy_per_contact_wh.mid == pytest.approx(4 / 3 * one.energy_wh.mid)
    assert voice.energy_per_contact_wh.sources == voice.energy_wh.sources != ()


def test_per_resolved_contact_needs_outcomes_and_counts_those_alone(day: Path) -> None:
    voice = groups(day)["voice"]
    one = Pricer({}).impacts(call(1, None)).energy_wh
    assert (voice.outcomes, voice.resolved, voice.linked_resolved) == (2, 1, 1)
    assert voice.outcomes_share == pytest.approx(2 / 3)
    assert voice.energy_of_known_wh.mid == pytest.approx(3 * one.mid)  # the unresolved one's call is in it
    assert voice.energy_per_resolved_wh.mid == pytest.approx(3 * one.mid)
    unknown = groups(day, "use_case")[None]
    assert unknown.outcomes < unknown.contacts
    only = groups(day, "end_client")["B"]
    assert (only.outcomes, only.linked_resolved) == (1, 0)
    assert only.energy_per_resolved_wh is None


@pytest.mark.parametrize("by", CONTACT_DIMENSIONS)
def test_groups_add_up_to_the_whole(day: Path, by: str) -> None:
    found = totals(day, by)
    for name in ("contacts", "linked", "calls", "tokens", "outcomes", "resolved"):
        assert sum(getattr(group, name) for group in found.groups) == getattr(found.whole, name)
    energies = [group.energy_wh.mid for group in found.groups if group.energy_wh]
    assert sum(energies) == pytest.approx(found.whole.energy_wh.mid)


def test_without_a_ledger_or_without_contacts_nothing_is_invented(tmp_path: Path) -> None:
    assert totals(tmp_path).whole.contacts == 0
    assert not list(tmp_path.iterdir())
    Ledger(tmp_path).append([call(1, "v1"), call(2, None)], {})
    found = totals(tmp_path)
    assert (found.groups, found.unknown_calls, found.plain_calls) == ((), 1, 1)
    ContactTable(tmp_path / "b").add("x", [contact("1")])
    assert totals(tmp_path / "b").whole.energy_per_contact_wh is None


def test_another_dimension_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue) as refused:
        totals(tmp_path, "chanel")
    assert refused.value.nearest[0] == "channel"


def test_names_with_quotes_are_names(tmp_path: Path) -> None:
    ContactTable(tmp_path).add("x", [contact("o'1", channel="l'un\"; DROP")])
    Ledger(tmp_path).append([call(1, "o'1")], {})
    assert groups(tmp_path)["l'un\"; DROP"].calls == 1


said = st.fixed_dictionaries(
    {
        "channel": st.sampled_from([None, "voice", "chat"]),
        "resolved": st.sampled_from([None, True, False]),
        "transferred": st.sampled_from([None, True, False]),
    }
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(said, max_size=8), st.lists(st.integers(-1, 9), max_size=12))
def test_any_contacts_and_calls_give_the_sums_that_python_gives(
    tmp_path_factory: pytest.TempPathFactory, contacts: list[dict[str, Any]], of: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [contact(str(n), **fields) for n, fields in enumerate(contacts)]
    calls = [call(n, None if index < 0 else str(index)) for n, index in enumerate(of)]
    if rows:
        ContactTable(folder).add("x", rows)
    if calls:
        Ledger(folder).append(calls, {})
    found = totals(folder)
    there = {row.id: row for row in rows}
    assert found.plain_calls == sum(1 for one in calls if one.contact_id is None)
    assert found.unknown_calls == sum(1 for one in calls if one.contact_id and one.contact_id not in there)
    for group in found.groups:
        mine = [row for row in rows if row.channel == group.key]
        ids = {row.id for row in mine}
        assert group.contacts == len(mine)
        assert group.calls == sum(1 for one in calls if one.contact_id in ids)
        assert group.linked == len({one.contact_id for one in calls} & ids)
        assert group.resolved == sum(1 for row in mine if row.resolved)
        assert group.outcomes == sum(1 for row in mine if row.resolved is not None)
        assert group.transferred == sum(1 for row in mine if row.transferred)


@pytest.mark.parametrize("named", ["contact-0042", "it's %' OR 1=1", "é"])
def test_a_contact_is_erased_without_a_trace_and_alone(tmp_path: Path, named: str) -> None:
    table = ContactTable(tmp_path)
    table.add("x", [contact(named, origin="sha:1"), contact("other", origin="sha:2")])
    table.add("y", [contact(named, origin="sha:9", resolved=True), contact("twin", origin=None, channel="voice")])
    assert table.holds(named) == 2
    assert table.holds("nobody") == table.erase("nobody") == 0
    erased = table.erase(named)
    assert erased == 2
    assert table.holds(named) == 0
    assert table.holds("other") == table.holds("twin") == 1
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert named.encode() not in held
    assert table.erase("twin") == 1  # without a line of a file, it is named by itself
    assert table.holds("other") == 1
