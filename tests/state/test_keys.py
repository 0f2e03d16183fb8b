"""Virtual keys: what is kept of one, who it is for, how it ends."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mesure.errors import InvalidValue, UnknownName
from mesure.state import TOKEN, Keys, Scope, back_up
from mesure.state.keys import token_hash

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.state import Store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    """Told what time it is."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(store: Store, clock: Clock) -> Keys:
    return Keys(store, clock=clock)


def test_a_key_is_made_and_listed_with_its_scope(keys: Keys) -> None:
    scope = Scope(team="livraison", use_case="suivi", end_client="Épicerie Öst")
    made = keys.create(scope, label="n° 1", expires_at=NOON + 90 * DAY)
    (listed,) = keys.all()
    assert listed == made.key
    assert (listed.scope, listed.label) == (scope, "n° 1")
    assert (listed.created_at, listed.expires_at) == (NOON, NOON + 90 * DAY)
    assert (listed.revoked_at, listed.replaced_by) == (None, None)
    assert listed.state(NOON) == "active"


def test_its_token_has_a_visible_and_a_secret_part(keys: Keys) -> None:
    made = keys.create(Scope())
    found = TOKEN.fullmatch(made.token)
    assert found
    assert found[1] == made.key.id
    assert made.token.startswith(made.key.prefix + "-")
    assert made.key.prefix == f"mesure-{made.key.id}"


def test_tokens_differ_and_use_every_letter(keys: Keys) -> None:
    tokens = [keys.create(Scope()).token for _ in range(60)]
    assert len({token.split("-")[1] for token in tokens}) == 60
    assert len({token.split("-")[2] for token in tokens}) == 60
    used = set("".join(token.removeprefix("mesure-").replace("-", "") for token in tokens))
    assert used == set(string.ascii_letters + string.digits)  # 2 400 letters drawn from 62


def test_no_token_is_kept_anywhere(keys: Keys, store: Store, tmp_path: Path) -> None:
    secrets = [keys.create(Scope(team="t")).token.split("-")[2] for _ in range(3)]
    back_up(store, tmp_path / "backup")
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for secret in secrets:
        assert not any(secret.encode() in data for data in files)


def test_the_hash_needs_the_secret_of_the_installation(keys: Keys, store: Store) -> None:
    token = keys.create(Scope()).token
    keys.create(Scope())
    with store.reading() as transaction:
        noted = {row["name"]: row["value"] for row in transaction.rows("SELECT * FROM installation")}
        hashes = {row["hash"] for row in transaction.rows("SELECT hash FROM virtual_key")}
    secret = bytes.fromhex(noted["keys_secret"])
    assert len(secret) == 32
    assert token_hash(token.encode(), secret) in hashes
    assert token_hash(token.encode(), bytes(32)) not in hashes
    assert token_hash(token[:-1].encode() + b"!", secret) not in hashes
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize(
    ("after", "state"),
    [(timedelta(0), "active"), (DAY - timedelta(milliseconds=1), "active"), (DAY, "expired"), (2 * DAY, "expired")],
)
def test_it_expires_at_its_time(keys: Keys, after: timedelta, state: str) -> None:
    made = keys.create(Scope(), expires_at=NOON + DAY)
    assert made.key.state(NOON + after) == state
    assert keys.create(Scope()).key.state(NOON + 100_000 * DAY) == "active"


def test_rotated_the_old_one_stays_for_a_while(keys: Keys, clock: Clock) -> None:
    old = keys.create(Scope(team="a", use_case="b", end_client="c"), label="l", expires_at=NOON + 90 * DAY)
    clock.now += DAY
    new = keys.rotate(old.key.id, grace=7 * DAY, expires_at=clock.now + 90 * DAY)
    assert (new.key.scope, new.key.label) == (old.key.scope, "l")
    assert new.token != old.token
    listed = {key.id: key for key in keys.all()}
    before = listed[old.key.id]
    assert before.replaced_by == new.key.id
    assert before.expires_at == NOON + 8 * DAY
    assert before.state(clock.now) == "replaced"
    assert before.state(NOON + 8 * DAY) == "expired"
    assert listed[new.key.id] == new.key


def test_a_rotation_never_prolongs_the_old_key(keys: Keys) -> None:
    old = keys.create(Scope(), expires_at=NOON + DAY)
    keys.rotate(old.key.id, grace=7 * DAY)
    assert {key.expires_at for key in keys.all()} == {NOON + DAY, None}


def test_no_grace_ends_it_at_once(keys: Keys) -> None:
    old = keys.create(Scope())
    keys.rotate(old.key.id, grace=timedelta(0))
    assert {key.state(NOON) for key in keys.all() if key.id == old.key.id} == {"expired"}


def test_revoked_for_good_with_its_first_date(keys: Keys, clock: Clock) -> None:
    made = keys.create(Scope(), expires_at=NOON + DAY)
    assert keys.revoke(made.key.id).revoked_at == NOON
    clock.now += 5 * DAY
    again = keys.revoke(made.key.id)
    assert again.revoked_at == NOON
    assert again.state(clock.now) == "revoked"


@pytest.mark.parametrize("end", ["revoked", "expired", "replaced"])
def test_only_an_active_key_is_rotated(keys: Keys, clock: Clock, end: str) -> None:
    made = keys.create(Scope(), expires_at=NOON + DAY)
    if end == "revoked":
        keys.revoke(made.key.id)
    elif end == "replaced":
        keys.rotate(made.key.id, grace=DAY)
    else:
        clock.now += 2 * DAY
    count = len(keys.all())
    with pytest.raises(InvalidValue, match=end):
        keys.rotate(made.key.id, grace=DAY)
    assert len(keys.all()) == count


@pytest.mark.parametrize("form", ["{id}", "mesure-{id}", " mesure-{id} ", "{token}"])
def test_named_by_its_visible_part(keys: Keys, form: str) -> None:
    made = keys.create(Scope())
    name = form.format(id=made.key.id, token=made.token)
    assert keys.revoke(name).id == made.key.id


def test_an_unknown_name_gives_the_nearest_and_never_a_secret(keys: Keys) -> None:
    made = keys.create(Scope())
    close = made.key.id[:-1] + ("a" if made.key.id[-1] != "a" else "b")
    with pytest.raises(UnknownName) as raised:
        keys.revoke(f"mesure-{close}-{'s' * 32}")
    assert raised.value.nearest == (made.key.id,)
    assert raised.value.value == close
    assert "ssss" not in str(raised.value)


@pytest.mark.parametrize("where", ["team", "use_case", "end_client", "label"])
def test_names_that_cannot_stand_in_the_ledger_are_refused(keys: Keys, where: str) -> None:
    for name in ("", "   ", "x" * 201, "two\nlines", "nul\x00", "\x1b[31m", "\ud800", " around"):
        scope, label = (Scope(), name) if where == "label" else (Scope(**{where: name}), None)
        with pytest.raises(InvalidValue):
            keys.create(scope, label=label)
    assert keys.all() == []


@pytest.mark.parametrize("name", ["x" * 200, "n°\u00a01", "Ægir & fils, « 2 »", "日本"])
def test_other_names_are_taken_as_they_are(keys: Keys, name: str) -> None:
    keys.create(Scope(team=name, use_case=name, end_client=name), label=name)
    (key,) = keys.all()
    assert {key.scope.team, key.scope.use_case, key.scope.end_client, key.label} == {name}


@pytest.mark.parametrize("before", [timedelta(0), DAY])
def test_a_day_that_is_past_is_refused(keys: Keys, before: timedelta) -> None:
    with pytest.raises(InvalidValue):
        keys.create(Scope(), expires_at=NOON - before)
    made = keys.create(Scope())
    with pytest.raises(InvalidValue):
        keys.rotate(made.key.id, grace=DAY, expires_at=NOON - before)
    assert [key.state(NOON) for key in keys.all()] == ["active"]


def test_each_change_has_a_revision_of_its_own(keys: Keys, store: Store) -> None:
    def revision() -> str | None:
        with store.reading() as transaction:
            row = transaction.one("SELECT value FROM installation WHERE name = 'keys_revision'")
        return row["value"] if row else None

    seen = [revision()]
    first = keys.create(Scope()).key
    seen.append(revision())
    keys.rotate(first.id, grace=DAY)
    seen.append(revision())
    keys.revoke(first.id)
    seen.append(revision())
    assert seen[0] is None
    assert len(set(seen)) == 4


def test_the_newest_comes_first(keys: Keys, clock: Clock) -> None:
    made = []
    for _ in range(3):
        made.append(keys.create(Scope()).key.id)
        clock.now += DAY
    assert [key.id for key in keys.all()] == made[::-1]
