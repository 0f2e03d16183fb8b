"""Retention and erasure: links to people go after their days or when asked, counts stay, and no file keeps a trace."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import NOON, make_event, wait_for

from mesure.config import LedgerSettings, PrivacySettings
from mesure.ledger import Committer, Ledger, Spool, retention
from mesure.ledger.retention import ERASED, Wanted, caught_up, erase, forget_damaged, matching, retain
from mesure.ledger.schema import event_of
from mesure.ledger.sightings import sightings_of
from mesure.record import new_id

if TYPE_CHECKING:
    from mesure.record import UsageEvent

JEAN, ANNE = "u-" + "1" * 24, "u-" + "2" * 24
DAY = 86_400.0


def rows(ledger: Ledger, columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
    import duckdb

    order = "" if "sum(" in columns or "count(" in columns else "ORDER BY started_at, id"
    sql = f"SELECT {columns} FROM read_parquet(?, union_by_name=true) WHERE {where} {order}"
    with duckdb.connect() as connection:
        return connection.execute(sql, [ledger.files()]).fetchall()


def person(number: int, user: str = JEAN, days_ago: float = 0.0, **fields: Any) -> UsageEvent:
    given: dict[str, Any] = {
        "user": user, "contact_id": f"contact-{number:04}", "conversation_id": f"talk-{number:04}",
        "labels": {"channel": "voice"},
        "key_id": "k3Jd8aQz", "prompt_fingerprint": "f" * 24, "at_s": -days_ago * DAY,
    }  # fmt: skip
    return make_event(number, **(given | fields))


def holders(folder: Path, *texts: str) -> list[str]:
    """Files that hold one of the texts, as they are or as Parquet compresses short ones."""
    import duckdb

    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            if path.suffix == ".parquet" and "checkpoint" not in path.name:
                held += str(duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{path}')").fetchall()).encode()
            found += [path.name for text in texts if text.encode() in held]
    return found


def test_a_users_pseudonym_goes_after_its_days_and_the_counts_stay(ledger: Ledger) -> None:
    ledger.append([person(n, days_ago=n) for n in range(10)], {})
    before = rows(ledger, "sum(input_tokens), sum(output_tokens), count(*), count(team), count(contact_id)")
    done = retain(ledger, PrivacySettings(user_days=4, contact_days=0), NOON)
    assert done == (5, 0, 0)
    kept = rows(ledger, 'turn, "user"')
    assert [turn for turn, user in kept if user] == [4, 3, 2, 1, 0]
    assert rows(ledger, "sum(input_tokens), sum(output_tokens), count(*), count(team), count(contact_id)") == before


def test_a_contacts_references_go_after_theirs(ledger: Ledger) -> None:
    ledger.append([person(n, days_ago=n) for n in range(6)], {})
    assert retain(ledger, PrivacySettings(user_days=0, contact_days=2), NOON) == (0, 3, 0)
    old = rows(ledger, 'contact_id, conversation_id, turn, "user", input_tokens')[:3]
    assert [row[:4] for row in old] == [(None, None, None, JEAN)] * 3
    assert all(row[4] for row in old)


def test_rows_go_after_theirs(ledger: Ledger) -> None:
    ledger.append([person(n, days_ago=n) for n in range(6)], {})
    assert retain(ledger, PrivacySettings(user_days=0, contact_days=0, ledger_days=2), NOON) == (0, 0, 3)
    assert ledger.count() == 3


def test_nothing_is_written_where_nothing_is_due(ledger: Ledger) -> None:
    ledger.append([person(1), make_event(2, at_s=-400 * DAY, turn=None)], {})
    version = ledger.version
    assert retain(ledger, PrivacySettings(), NOON) == (0, 0, 0)
    assert retain(ledger, PrivacySettings(user_days=0, contact_days=0, ledger_days=0), NOON) == (0, 0, 0)
    assert ledger.version == version


@settings(max_examples=8, deadline=None)
@given(days=st.integers(1, 400), ages=st.lists(st.floats(0, 500), min_size=1, max_size=8))
def test_the_boundary_is_the_utc_day(days: int, ages: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    ledger.append([person(n, days_ago=age) for n, age in enumerate(ages)], {})
    retain(ledger, PrivacySettings(user_days=days, contact_days=0), NOON)
    limit = NOON.replace(hour=0) - timedelta(days=days)
    users = rows(ledger, 'epoch_us(started_at) AS us, "user"', "true")
    assert len(users) == len(ages)
    assert all((user is None) == (us < limit.timestamp() * 1e6) for us, user in users)


def test_twice_is_once(ledger: Ledger) -> None:
    ledger.append([person(n, days_ago=100 + n) for n in range(3)], {})
    assert retain(ledger, PrivacySettings(), NOON).users == 3
    version = ledger.version
    assert retain(ledger, PrivacySettings(), NOON).users == 0
    assert ledger.version == version


# Erasure


def test_a_person_is_forgotten_in_every_row_and_every_file(ledger: Ledger) -> None:
    ledger.append([person(n) for n in range(5)], {})
    ledger.append([person(n, ANNE) for n in range(5, 8)], {})
    wanted = Wanted(user=JEAN)
    assert matching(ledger, wanted) == 5
    assert holders(ledger.path, JEAN)
    assert erase(ledger, wanted) == 5
    assert matching(ledger, wanted) == 0
    assert not holders(ledger.path, JEAN, "contact-0003", "talk-0003")
    assert holders(ledger.path, ANNE)
    forgotten = rows(ledger, ", ".join(f'"{name}"' for name in ERASED), "contact_id IS NULL")
    assert forgotten == [(None,) * len(ERASED)] * 5
    assert rows(ledger, "count(*), sum(input_tokens)") == [(8, sum(100 + n for n in range(8)))]


def test_what_several_sources_told_of_a_call_is_forgotten_too(ledger: Ledger) -> None:
    """The row keeps what each told, as JSON: an export may name a person that the gateway did not."""
    tricky = 'quote " brace } and "user":"' + JEAN
    whole = {"response_id": "resp_0123456789abcdef0123", "contact_id": tricky, "labels": {"channel": 'a"}b', "x": "y"}}
    ledger.append([person(1, ANNE, **whole)], {})
    ledger.append([person(1, JEAN, **whole, source="import", origin="file:1", basis="exported", cost=0.5)], {})
    [(told,)] = rows(ledger, "sightings")
    assert ANNE in told
    assert matching(ledger, Wanted(user=JEAN)) == 1
    assert erase(ledger, Wanted(user=JEAN)) == 1
    assert not holders(ledger.path, JEAN, ANNE, "brace", "talk-0001", 'a\\"}b')
    [(told, user, tokens)] = rows(ledger, 'sightings, "user", input_tokens')
    seen = sightings_of(event_of({"sightings": told, "id": new_id(), "started_at": 0}))
    assert (user, tokens, len(seen)) == (None, 101, 2)
    assert [(each.user, each.contact_id, each.turn, each.labels, each.input_tokens) for each in seen] == [
        (None, None, None, None, 101)
    ] * 2
    assert {each.source for each in seen} == {"gateway", "import"}


def test_rows_are_deleted_when_asked(ledger: Ledger) -> None:
    ledger.append([person(n) for n in range(5)], {})
    assert erase(ledger, Wanted(contact="contact-0003"), rows=True) == 1
    assert ledger.count() == 4
    assert not holders(ledger.path, "contact-0003")


def test_what_is_given_narrows(ledger: Ledger) -> None:
    ledger.append([person(n, days_ago=n, contact_id="same") for n in range(4)], {})
    ledger.append([person(9, ANNE, contact_id="same")], {})
    assert matching(ledger, Wanted(user=JEAN, contact="same", before=NOON - timedelta(days=1.5))) == 2
    assert matching(ledger, Wanted(contact="same")) == 5
    assert matching(ledger, Wanted(before=NOON)) == 3
    assert matching(ledger, Wanted()) == 0
    assert erase(ledger, Wanted()) == 0


@pytest.mark.parametrize("contact", ["it's", "a' OR '1'='1", "%", 'c"; DROP', "é🙂", ""])
def test_any_text_is_a_value_never_a_condition(ledger: Ledger, contact: str) -> None:
    ledger.append([person(1, contact_id=contact), person(2, contact_id="other")], {})
    assert erase(ledger, Wanted(contact=contact)) == 1
    assert rows(ledger, "count(*)", "contact_id = 'other'") == [(1,)]


def test_more_rows_than_one_condition_names(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 7)
    ledger.append([person(n) for n in range(30)], {})
    assert erase(ledger, Wanted(user=JEAN)) == 30
    assert not holders(ledger.path, JEAN)


def test_the_log_of_the_table_names_nobody(ledger: Ledger) -> None:
    ledger.append([person(1)], {})
    erase(ledger, Wanted(user=JEAN, contact="contact-0001"))
    log = b"".join(path.read_bytes() for path in (ledger.path / "_delta_log").iterdir())
    assert b"UPDATE" in log
    assert JEAN.encode() not in log
    assert b"contact-0001" not in log


def test_a_writer_in_the_middle_of_a_commit_loses_nothing(ledger: Ledger) -> None:
    ledger.append([person(1)], {})
    ahead = ledger.path / "month=2026-11" / "part-not-committed-yet.parquet"
    ahead.write_bytes(b"being written by somebody else")
    erase(ledger, Wanted(user=JEAN))
    assert ahead.exists()


def test_appends_go_on_while_rows_are_forgotten(ledger: Ledger) -> None:
    ledger.append([person(n) for n in range(50)], {})

    def write() -> None:
        other = Ledger(ledger.path.parent)
        for n in range(100, 110):
            other.append([person(n, ANNE)], {})

    writer = threading.Thread(target=write)
    writer.start()
    erase(ledger, Wanted(user=JEAN))
    writer.join()
    assert rows(ledger, 'count(*), count("user")') == [(60, 10)]


# What the spool still holds


def test_what_waits_in_the_spool_is_brought_in_first(tmp_path: Path, ledger: Ledger) -> None:
    spool = Spool(tmp_path / "spool")
    spool.record(person(1))
    spool.close()
    assert caught_up(ledger, tmp_path / "spool", 5.0)
    assert erase(ledger, Wanted(user=JEAN)) == 1
    assert not holders(tmp_path, JEAN)


def test_the_running_committer_is_waited_for(tmp_path: Path, ledger: Ledger) -> None:
    spool = Spool(tmp_path / "spool", segment_s=0.1)
    committer = Committer(ledger, tmp_path / "spool", LedgerSettings(commit_seconds=0.3))
    committer.start()
    try:
        spool.record(person(1))
        assert caught_up(Ledger(tmp_path), tmp_path / "spool", 30.0)
        assert erase(ledger, Wanted(user=JEAN)) == 1
        wait_for(lambda: not holders(tmp_path, JEAN))  # its segment closes by age, and goes
    finally:
        spool.close()
        committer.stop()


def test_a_committer_that_cannot_keep_up_is_said(tmp_path: Path, ledger: Ledger) -> None:
    committer = Committer(ledger, tmp_path / "spool", LedgerSettings(commit_seconds=3600))
    committer.start()
    spool = Spool(tmp_path / "spool")
    try:
        spool.record(person(1))
        assert not caught_up(Ledger(tmp_path), tmp_path / "spool", 0.3)
    finally:
        spool.close()
        committer.stop()


def test_damaged_segments_that_hold_a_trace_go(tmp_path: Path) -> None:
    for name, text in (("a", JEAN), ("b", ANNE), ("c", "c7")):
        (tmp_path / f"{name}.spool.damaged").write_text(f"xx {text} yy")
    assert forget_damaged(tmp_path, Wanted(user=JEAN, contact="c7")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["b.spool.damaged"]
    assert forget_damaged(tmp_path, Wanted(before=NOON - timedelta(days=9999))) == 0
    assert forget_damaged(tmp_path, Wanted(before=NOON + timedelta(days=9999))) == 1


def test_the_committer_does_what_it_is_given_to_do(tmp_path: Path, ledger: Ledger) -> None:
    ledger.append([person(1, days_ago=200)], {})
    done: list[str] = []

    def fails() -> None:
        raise ZeroDivisionError

    upkeep = (fails, lambda: done.append("after") or retain(ledger, PrivacySettings(), NOON))
    committer = Committer(ledger, tmp_path / "spool", upkeep=upkeep, upkeep_after_s=0.0)
    committer.start()
    try:
        wait_for(lambda: bool(done))
        wait_for(lambda: matching(ledger, Wanted(user=JEAN)) == 0)
        wait_for(lambda: "ZeroDivisionError" in (committer.state.last_error or ""))
    finally:
        committer.stop()


def test_a_segment_is_closed_by_age_however_small(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_s=0.05)
    spool.record(person(1))
    wait_for(lambda: len(list(tmp_path.glob("*.spool"))) == 2)
    spool.record(person(2))
    spool.close()
    assert sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("*.spool")) == 2
