"""The table of what may be stored, against what is: a new column, file or metric label without an entry fails here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mesure.config import ContentSettings, PrivacySettings, ServerSettings, Settings
from mesure.ledger import Committer, Ledger, Spool
from mesure.ledger.contacts import CONTACT_COLUMNS
from mesure.ledger.lines import decode, encode
from mesure.ledger.schema import COLUMNS
from mesure.record import ALLOWED, FILES, KINDS, LINKED, PURPOSES, SCREENED, UsageEvent, new_id
from mesure.state import Keys, Scope, open_store

if TYPE_CHECKING:
    from mesure.record import Allowed


def names(store: str) -> list[str]:
    return [entry.name for entry in ALLOWED[store]]


@pytest.mark.parametrize("store", ALLOWED)
def test_each_name_has_one_entry(store: str) -> None:
    assert [name for name, count in Counter(names(store)).items() if count > 1] == []


def test_the_spool_holds_what_is_allowed() -> None:
    assert set(names("spool")) == {f.name for f in fields(UsageEvent)}
    line = encode(UsageEvent(id=new_id(), started_at=datetime.now(UTC), team="t", labels={"a": "b"}))
    assert set(decode(line).to_json()) <= set(names("spool"))


def test_the_ledger_holds_what_is_allowed(tmp_path: Path) -> None:
    assert set(names("ledger")) == set(COLUMNS)
    ledger = Ledger(tmp_path)
    ledger.append([UsageEvent(id=new_id(), started_at=datetime.now(UTC))], {})
    [file] = ledger.files()
    import duckdb

    columns = {row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{file}')").fetchall()}
    assert columns | {"month"} == set(names("ledger"))


def test_the_table_of_contacts_holds_what_is_allowed() -> None:
    assert set(names("contacts")) == set(CONTACT_COLUMNS)


def test_the_state_holds_what_is_allowed(tmp_path: Path) -> None:
    store = open_store(Settings(server=ServerSettings(data=str(tmp_path))))
    with store.reading() as transaction:
        tables = [row["name"] for row in transaction.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        held = {f"{table}.{column}" for table in tables for column in transaction.columns(f"SELECT * FROM {table}")}
    store.close()
    assert held == set(names("state"))


def test_labels_of_the_metrics_are_allowed() -> None:
    from mesure.ledger.counters import CounterLabels

    source = Path(__file__).resolve().parents[2] / "src" / "mesure" / "apps" / "gateway" / "metrics.py"
    written = set(re.findall(r'\(\("(\w+)", |, \("(\w+)", ', source.read_text(encoding="utf-8")))
    assert {*CounterLabels._fields, *(name for pair in written for name in pair if name)} == set(names("metrics"))


def test_every_file_of_a_data_folder_is_foreseen(tmp_path: Path) -> None:
    """After a day's work: events, commits, keys, pseudonyms, a copy of the keys."""
    from mesure.meter.pseudonyms import Pseudonyms
    from mesure.state import KeyRing

    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    Pseudonyms(tmp_path)("jean")
    spool = Spool(tmp_path / "spool")
    spool.record(UsageEvent(id=new_id(), started_at=datetime.now(UTC)))
    store = open_store(settings)
    Keys(store).create(Scope(team="t"))
    store.close()
    ring = KeyRing(tmp_path, lambda: open_store(settings), every_s=60.0)
    ring.start()
    ring.refresh()
    committer = Committer(Ledger(tmp_path), tmp_path / "spool")
    committer.start()
    (tmp_path / "catalogue.toml").write_text("")
    held = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    ring.stop()
    spool.close()
    committer.stop()
    held += [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert {"pseudonym.key", "state.sqlite", "keys.snapshot.json"} <= set(held)
    assert [path for path in held if not any(fnmatch(path, pattern) for pattern in FILES)] == []


def every_entry() -> list[Allowed]:
    return [entry for entries in ALLOWED.values() for entry in entries]


def test_retention_names_settings_that_exist() -> None:
    settings = {f"privacy.{f.name}" for f in fields(PrivacySettings)} | {"contacts.keep_days"}
    settings |= {f"content.<use case>.{f.name}" for f in fields(ContentSettings)} | {"state", ""}
    assert {entry.retention for entry in every_entry()} <= settings
    assert {f"privacy.{f.name}" for f in fields(PrivacySettings) if f.name.endswith("_days")} <= {
        entry.retention for entry in every_entry()
    }


def test_purposes_are_all_used_and_all_known() -> None:
    assert {entry.purpose for entry in every_entry()} | {purpose for purpose, _ in FILES.values()} == set(PURPOSES)


def test_no_store_but_its_own_holds_content() -> None:
    assert {store for store, entries in ALLOWED.items() if any(e.kind == "content" for e in entries)} == {"content"}
    assert {store for store, entries in ALLOWED.items() if any(e.kind == "secret" for e in entries)} == {"state"}


def test_texts_of_an_event_are_each_judged() -> None:
    """A text that is neither a name, a reference, a pseudonym nor a word of ours would be a place for content."""
    texts = {name for name, kind in KINDS.items() if kind in (str, dict)}
    kinds = {entry.name: entry.kind for entry in ALLOWED["spool"]}
    words = {"id", "provider", "model_requested", "model_answered", "reasoning_effort", "deployment", "host_region"}
    words |= {"host_zone", "error_type", "finish_reason", "route", "baseline_model", "cost_currency", "energy_sensor"}
    assert {name for name in texts if kinds[name] == "none"} == words


def test_what_is_blanked_is_known_and_leaves_counts() -> None:
    blanked = reduce(set.union, map(set, LINKED.values()), set[str]())
    assert {"user", "contact_id", "conversation_id"} <= blanked
    assert blanked <= {f.name for f in fields(UsageEvent)}
    assert not blanked & {"input_tokens", "output_tokens", "started_at", "id", "team", "energy_j"}
    assert "user" not in SCREENED  # it is never kept as it came, whatever it looks like
