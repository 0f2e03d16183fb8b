"""The store in PostgreSQL, for several machines. The driver (psycopg) is loaded only when a setting asks for it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mesure.errors import ConfigError, StateError
from mesure.state.store import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg import Connection, Cursor

    from mesure.state.store import Row

__all__ = ["Postgres"]

#: Any number, the same in every Mesure: whoever holds it writes.
_WRITER = 0x6D65_7375_7265
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
#: A server that is gone is noticed in seconds, not in the quarter of an hour that TCP takes by itself.
_DEFAULTS: dict[str, Any] = {
    "application_name": "mesure",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
_FULL = "53100"
_LOCKED = ("55P03", "57014")  # lock not available, statement cancelled by its time-out
_NOT_WRITABLE = ("25006", "42501")  # read-only transaction, no right
#: Connection, authorisation, no such database or role, resources, operator, system.
_UNREACHABLE = ("08", "28", "3D", "53", "57", "58")
_DAMAGED = ("XX001", "XX002")


class Postgres:
    """One database, or one schema of it (`?options=-csearch_path%3Dmesure` in the address)."""

    name = "postgresql"

    def __init__(self, url: str, *, patience_s: float = 5.0) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ModuleNotFoundError:
            raise ConfigError(
                "PostgreSQL needs a package that is not installed",
                value="psycopg",
                action="Install it with: pip install 'mesure[postgres]'",
                code="not_installed",
            ) from None
        self.failures: tuple[type[Exception], ...] = (psycopg.Error,)
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its message may quote the password
            raise ConfigError(
                "state.url cannot be read",
                action="Write it as postgresql://user@host/database, special characters percent-encoded",
            ) from None
        self._parameters = _DEFAULTS | {name: value for name, value in given.items() if value is not None}
        self.address = _shown(self._parameters)
        self._patience_ms = int(patience_s * 1000)

    def connect(self) -> Connection[Row]:
        import psycopg
        from psycopg.rows import dict_row

        # Statements are not prepared on the server: a pooler in between could not follow
        connection = psycopg.connect(autocommit=True, row_factory=dict_row, prepare_threshold=None, **self._parameters)
        try:
            for setting, value in (
                ("lock_timeout", self._patience_ms),
                ("statement_timeout", 10 * self._patience_ms),
                ("idle_in_transaction_session_timeout", 10 * self._patience_ms),
            ):
                connection.execute("SELECT set_config(%s, %s, false)", (setting, f"{value}ms"))
        except BaseException:
            connection.close()
            raise
        return connection

    def usable(self, connection: Connection[Row]) -> bool:
        return not (connection.closed or connection.broken)

    def begin(self, connection: Connection[Row], *, writing: bool) -> None:
        if writing:
            connection.execute(
                "BEGIN ISOLATION LEVEL READ COMMITTED"
            )  # each statement sees what was committed before it
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITER,))
        else:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def execute(self, connection: Connection[Row], statement: str, values: Mapping[str, Any]) -> Cursor[Row]:
        return connection.execute(_named(statement), values or None)

    def each(self, connection: Connection[Row], statement: str) -> Iterator[Row]:
        with connection.cursor(name="mesure_each") as cursor:
            yield from cursor.execute(statement)

    def has_table(self, connection: Connection[Row], name: str) -> bool:
        # Not to_regclass: it may answer from what this connection knew before it waited for another writer
        found = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = %s AND schemaname = ANY (current_schemas(false))",
            (name,),
        )
        return found.fetchone() is not None

    def settle(self, connection: Connection[Row]) -> None:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")

    def check(self, connection: Connection[Row]) -> None:
        connection.execute("SELECT 1")

    def told(self, error: Exception) -> StateError:
        state = getattr(error, "sqlstate", None)
        if state in _LOCKED:
            return StateError(
                "Another program holds the state store",
                value=self.address,
                action="Try again; if it lasts, look for a long transaction on the database",
                code="state_locked",
            )
        if state == _FULL:
            return StateError(
                "The disk of the state store is full",
                value=self.address,
                action="Free some space and try again; what was stored before is kept",
                code="state_full",
            )
        if state in _DAMAGED:
            return StateError(
                "The database of the state store is damaged",
                value=self.address,
                action="Have PostgreSQL repaired, or bring back a backup: mesure state restore FILE --replace",
                code="state_damaged",
            )
        if state in _NOT_WRITABLE:
            return StateError(
                f"The state store cannot be written: {self._reason(error)}",
                value=self.address,
                action="Give this user the right to create and write tables there",
                code="state_readonly",
            )
        if state is None or state[:2] in _UNREACHABLE:
            return StateError(
                f"The state store cannot be used: {self._reason(error)}",
                value=self.address,
                action="Check state.url, the network, and that PostgreSQL runs",
                code="state_unreachable",
            )
        return refused(self._reason(error), self.address)

    def _reason(self, error: Exception) -> str:
        """The first line alone: the next may quote values."""
        text = next(iter(str(error).splitlines()), "").strip() or type(error).__name__
        password = str(self._parameters.get("password") or "")
        return text.replace(password, "(hidden)") if password else text


def _shown(parameters: Mapping[str, Any]) -> str:
    user = f"{parameters['user']}@" if "user" in parameters else ""
    port = f":{parameters['port']}" if "port" in parameters else ""
    return f"postgresql://{user}{parameters.get('host', '')}{port}/{parameters.get('dbname', '')}"


@lru_cache
def _named(statement: str) -> str:
    """`:name` as this driver writes it."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")) if ":" in statement else statement
