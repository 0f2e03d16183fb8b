"""The store: short transactions over a few connections, the same on every backend."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from mesure.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Backend", "Row", "Store", "Transaction", "refused"]

Row = dict[str, Any]

#: Connections kept between transactions; more are opened when more threads ask at once, and closed after use.
_MOST_IDLE = 4


class Backend(Protocol):
    """What differs between databases. Connections are used by one thread at a time; rows are dicts."""

    name: str  # "sqlite" or "postgresql"
    address: str  # as it may be shown: without a password
    failures: tuple[type[Exception], ...]

    def connect(self) -> Any: ...
    def usable(self, connection: Any) -> bool:
        """Whether an idle connection still leads to the store."""

    def begin(self, connection: Any, *, writing: bool) -> None:
        """A reader sees one moment throughout; writers come one at a time, also from several machines."""

    def execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Any: ...
    def each(self, connection: Any, statement: str) -> Iterator[Row]:
        """Rows one by one, in constant memory."""

    def has_table(self, connection: Any, name: str) -> bool: ...
    def settle(self, connection: Any) -> None:
        """Check now what was put off to the end of the transaction, so that tables may be altered in it."""

    def check(self, connection: Any) -> None:
        """Raise where the store's own structures are damaged."""

    def told(self, error: Exception) -> StateError:
        """A driver's error in three parts, without any value that was sent."""


class Transaction:
    """Statements of one transaction. Values are only ever named parameters: `WHERE id = :id`."""

    __slots__ = ("_backend", "_connection")

    def __init__(self, backend: Backend, connection: Any) -> None:
        self._backend = backend
        self._connection = connection

    def run(self, statement: str, **values: Any) -> int:
        """The number of rows changed."""
        return int(self._backend.execute(self._connection, statement, values).rowcount)

    def rows(self, statement: str, **values: Any) -> list[Row]:
        return list(self._backend.execute(self._connection, statement, values).fetchall())

    def one(self, statement: str, **values: Any) -> Row | None:
        """The first row, if there is one."""
        found: Row | None = self._backend.execute(self._connection, statement, values).fetchone()
        return found

    def columns(self, statement: str) -> list[str]:
        """Names of what a statement selects."""
        return [column[0] for column in self._backend.execute(self._connection, statement, {}).description]

    def each(self, statement: str) -> Iterator[Row]:
        """Rows one by one, in constant memory."""
        return self._backend.each(self._connection, statement)

    def has_table(self, name: str) -> bool:
        return self._backend.has_table(self._connection, name)

    def settle(self) -> None:
        """Check foreign keys now, and again at the end."""
        self._backend.settle(self._connection)


class Store:
    """Safe for threads. Transactions are short and never nested; each raises `StateError` when the store fails."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @property
    def backend(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self._backend.name

    @property
    def address(self) -> str:
        """Where it is, as it may be shown."""
        return self._backend.address

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._transaction(writing=False) as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Committed at the end of the block, undone when it raises."""
        with self._transaction(writing=True) as transaction:
            yield transaction

    def check(self) -> None:
        """Raise `StateError` where the store cannot be reached or is damaged."""
        with self._transaction(writing=False) as transaction:
            self._backend.check(transaction._connection)

    def close(self) -> None:
        """Let go of the idle connections; a later transaction opens another."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _transaction(self, *, writing: bool) -> Iterator[Transaction]:
        try:
            connection = self._begun(writing=writing)
        except self._backend.failures as error:
            raise self._backend.told(error) from None
        try:
            yield Transaction(self._backend, connection)
            connection.execute("COMMIT")
        except BaseException as error:
            self._undo(connection)
            if isinstance(error, self._backend.failures):
                raise self._backend.told(error) from None
            raise
        self._give_back(connection)

    def _begun(self, *, writing: bool) -> Any:
        """A connection in a transaction. One that was idle may have died meanwhile: then a new one is opened."""
        while (connection := self._taken()) is not None:
            try:
                self._backend.begin(connection, writing=writing)
            except self._backend.failures:
                broken = not self._backend.usable(connection)
                connection.close()
                if not broken:
                    raise
            else:
                return connection
        connection = self._backend.connect()
        try:
            self._backend.begin(connection, writing=writing)
        except BaseException:
            connection.close()
            raise
        return connection

    def _taken(self) -> Any:
        """An idle connection that still leads to the store, or None."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if self._backend.usable(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Any) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _undo(self, connection: Any) -> None:
        try:
            connection.execute("ROLLBACK")
        except self._backend.failures:
            with suppress(*self._backend.failures):
                connection.close()
        else:
            self._give_back(connection)


def refused(reason: str, address: str) -> StateError:
    """What is said of an error that no circumstance explains."""
    return StateError(
        f"The state store refused a statement: {reason}",
        value=address,
        action="Nothing was changed; report this line, it is a defect of Mesure",
        code="state_refused",
    )
