"""Virtual keys: made, listed, rotated, revoked. A token is shown once; what is kept of it is a keyed hash."""

from __future__ import annotations

import re
import secrets
import string
import time
import unicodedata
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mesure.errors import InvalidValue, UnknownName, nearest_names
from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.state.store import Row, Store, Transaction

__all__ = ["TOKEN", "KeyState", "Keys", "NewKey", "Scope", "VirtualKey", "note", "renew_revision", "token_hash"]

KeyState = Literal["active", "replaced", "expired", "revoked"]

#: mesure-<8 visible characters>-<32 secret ones, 190 bits>
TOKEN = re.compile(r"mesure-([0-9A-Za-z]{8})-[0-9A-Za-z]{32}")
_LETTERS = string.ascii_letters + string.digits
_LONGEST = 200
#: Names in `installation`.
SECRET, REVISION = "keys_secret", "keys_revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a key writes on each call made with it; None leaves the field to the caller."""

    team: str | None = None
    use_case: str | None = None
    end_client: str | None = None

    def checked(self) -> Scope:
        """Itself; raises `InvalidValue` where a name could not stand in the ledger."""
        for scoped in fields(self):
            _check(getattr(self, scoped.name))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualKey:
    """A key as it is stored, without its hash. Times are UTC; `expires_at` None: never."""

    id: str
    label: str | None
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None

    @property
    def prefix(self) -> str:
        """The part of its token that may be shown."""
        return f"mesure-{self.id}"

    def state(self, at: datetime) -> KeyState:
        """`replaced`: rotated, and still valid until it expires."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= at:
            return "expired"
        return "replaced" if self.replaced_by else "active"


class NewKey(NamedTuple):
    """A key just made, and its token: the only time it is seen."""

    key: VirtualKey
    token: str


class Keys:
    """The keys of a store. Each change is seen by the gateways' key rings at their next look. Raises `StateError`."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def create(self, scope: Scope, *, label: str | None = None, expires_at: datetime | None = None) -> NewKey:
        """A key with this scope. Raises `InvalidValue` for a name that is too long, or a day that is past."""
        _check(label)
        _check_day(expires_at, self.now())
        with self._store.writing() as transaction:
            made = self._make(transaction, scope.checked(), label, expires_at)
            renew_revision(transaction)
        return made

    def all(self) -> list[VirtualKey]:
        """Every key ever made, the newest first."""
        with self._store.reading() as transaction:
            rows = transaction.rows("SELECT * FROM virtual_key ORDER BY created_at_ms DESC, id")
        return [_key(row) for row in rows]

    def rotate(self, name: str, *, grace: timedelta, expires_at: datetime | None = None) -> NewKey:
        """A key in the place of another, which stays valid for `grace`. Raises `UnknownName`, `InvalidValue`."""
        _check_day(expires_at, self.now())
        with self._store.writing() as transaction:
            old = self._named(transaction, name)
            if (state := old.state(self.now())) != "active":
                raise InvalidValue(
                    f"Only an active key can be rotated, and this one is {state}",
                    value=old.prefix,
                    action="Make a new one with: mesure keys create",
                )
            made = self._make(transaction, old.scope, old.label, expires_at)
            ends = self.now() + grace
            if old.expires_at is not None:
                ends = min(ends, old.expires_at)
            transaction.run(
                "UPDATE virtual_key SET replaced_by = :replaced_by, expires_at_ms = :expires_at_ms WHERE id = :id",
                replaced_by=made.key.id,
                expires_at_ms=_ms(ends),
                id=old.id,
            )
            renew_revision(transaction)
        return made

    def revoke(self, name: str) -> VirtualKey:
        """End a key now, for good. Revoked again, it keeps its first date. Raises `UnknownName`."""
        with self._store.writing() as transaction:
            key = self._named(transaction, name)
            transaction.run(
                "UPDATE virtual_key SET revoked_at_ms = :now WHERE id = :id AND revoked_at_ms IS NULL",
                now=_ms(self.now()),
                id=key.id,
            )
            renew_revision(transaction)
            return self._named(transaction, key.id)

    def _make(self, transaction: Transaction, scope: Scope, label: str | None, expires_at: datetime | None) -> NewKey:
        identifier, secret = _random(8), _random(32)
        token = f"mesure-{identifier}-{secret}"
        key = VirtualKey(
            id=identifier,
            label=label,
            scope=scope,
            created_at=_time(_ms(self.now())),
            expires_at=None if expires_at is None else _time(_ms(expires_at)),
            revoked_at=None,
            replaced_by=None,
        )
        transaction.run(
            "INSERT INTO virtual_key (id, hash, label, team, use_case, end_client, created_at_ms, expires_at_ms) "
            "VALUES (:id, :hash, :label, :team, :use_case, :end_client, :created_at_ms, :expires_at_ms)",
            id=key.id,
            hash=token_hash(token.encode(), _secret(transaction)),
            label=label,
            team=scope.team,
            use_case=scope.use_case,
            end_client=scope.end_client,
            created_at_ms=_ms(key.created_at),
            expires_at_ms=None if key.expires_at is None else _ms(key.expires_at),
        )
        return NewKey(key, token)

    def _named(self, transaction: Transaction, name: str) -> VirtualKey:
        """By its visible part, with or without `mesure-` before it; of a whole token only that part is used."""
        identifier = name.strip().removeprefix("mesure-").partition("-")[0]
        row = transaction.one("SELECT * FROM virtual_key WHERE id = :id", id=identifier)
        if row is None:
            known = [found["id"] for found in transaction.rows("SELECT id FROM virtual_key")]
            raise UnknownName(
                "No virtual key has this name",
                value=identifier[:20],
                nearest=nearest_names(identifier[:20], known),
                action="See the names with: mesure keys list",
            )
        return _key(row)


def token_hash(token: bytes, secret: bytes) -> str:
    """BLAKE2b of a token under this installation's secret, 256 bits: nobody finds the token from it."""
    return blake2b(token, digest_size=32, key=secret, person=b"mesure-key").hexdigest()


def renew_revision(transaction: Transaction) -> None:
    """Tell the key rings that the keys changed."""
    note(transaction, REVISION, new_id())


def _secret(transaction: Transaction) -> bytes:
    """The secret of this installation's hashes, made with the first key."""
    row = transaction.one("SELECT value FROM installation WHERE name = :name", name=SECRET)
    if row is None:
        note(transaction, SECRET, secrets.token_hex(32))
        return _secret(transaction)
    return bytes.fromhex(row["value"])


def note(transaction: Transaction, name: str, value: str) -> None:
    """Keep a fact about this installation, over what it was before."""
    transaction.run(
        "INSERT INTO installation (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name,
        value=value,
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _check(name: str | None) -> None:
    if name is None:
        return
    control = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    if control or not 0 < len(name) <= _LONGEST or name != name.strip():
        raise InvalidValue(
            f"A name has 1 to {_LONGEST} characters, none of them a control character, no space around it",
            value=name[:_LONGEST],
            action="Correct it, or leave it out",
        )


def _check_day(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidValue(
            "A key cannot expire before it is made",
            value=expires_at.isoformat(timespec="seconds"),
            action="Give a later date, or a duration such as 90d",
        )


def _key(row: Row) -> VirtualKey:
    times: dict[str, Any] = {
        name: None if row[f"{name}_ms"] is None else _time(row[f"{name}_ms"])
        for name in ("created_at", "expires_at", "revoked_at")
    }
    scope = Scope(team=row["team"], use_case=row["use_case"], end_client=row["end_client"])
    return VirtualKey(id=row["id"], label=row["label"], scope=scope, replaced_by=row["replaced_by"], **times)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _time(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
