"""The store in PostgreSQL, for several machines. The driver (pg8000) is loaded only when a setting asks for it."""

from __future__ import annotations

import getpass
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from mesure.errors import ConfigError, StateError
from mesure.state.store import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mesure.state.store import Row

__all__ = ["Postgres"]

#: Any number, the same in every Mesure: whoever holds it writes.
_WRITER = 0x6D65_7375_7265
_CONNECT_S = 5
#: A server that is gone is noticed in seconds, not in the quarter of an hour that TCP takes by itself.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2), ("TCP_USER_TIMEOUT", 10_000))
_PARAMETERS = ("host", "port", "user", "password", "options", "sslmode", "sslrootcert")
_TLS = ("disable", "prefer", "require", "verify-full")
_EACH = 500
_FULL = "53100"
_LOCKED = ("55P03", "57014")  # lock not available, statement cancelled by its time-out
_NOT_WRITABLE = ("25006", "42501")  # read-only transaction, no right
#: Connection, authorisation, no such database or role, resources, operator, system.
_UNREACHABLE = ("08", "28", "3D", "53", "57", "58")
_DAMAGED = ("XX001", "XX002")


class _Place(NamedTuple):
    """What an address says, as libpq writes it."""

    host: str  # or the folder of a socket
    port: int
    database: str
    user: str
    password: str | None
    options: str | None
    tls: str
    authorities: str | None  # file


class _Answer:
    """What a statement gave."""

    __slots__ = ("_rows", "description", "rowcount")

    def __init__(self, columns: list[dict[str, Any]] | None, rows: list[list[Any]] | None, count: int) -> None:
        self.description = [(column["name"],) for column in columns or ()]
        self._rows = rows or []
        self.rowcount = count

    def fetchall(self) -> list[Row]:
        names = [name for (name,) in self.description]
        return [dict(zip(names, row, strict=True)) for row in self._rows]

    def fetchone(self) -> Row | None:
        return next(iter(self.fetchall()), None)


class _Session:
    """A connection that knows when it is lost: half an answer left unread would be taken for the next one."""

    def __init__(self, place: _Place, timeout_s: float) -> None:
        from pg8000 import native

        self._interface_error, self._database_error = native.InterfaceError, native.DatabaseError
        opened = None
        try:
            opened = _socket(place, timeout_s)
            self._connection = native.Connection(
                place.user,
                host=place.host,
                database=place.database,
                password=place.password,
                application_name="mesure",
                startup_params={"options": place.options} if place.options else None,
                sock=opened,
                ssl_context=_tls(place),
            )
        except BaseException as error:
            if opened is not None:
                opened.close()
            if isinstance(error, OSError):
                raise native.InterfaceError(error.strerror or type(error).__name__) from error
            raise
        self.lost = False

    def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> _Answer:
        if self.lost:
            raise self._interface_error("the connection was lost")
        for value in (values or {}).values():
            if isinstance(value, str):
                value.encode()  # raises before anything is sent
        whole = False
        try:
            rows = self._connection.run(statement, **(values or {}))
            whole = True
        except self._database_error:
            whole = True
            raise
        except OSError as error:
            raise self._interface_error(error.strerror or type(error).__name__) from error
        finally:
            self.lost = not whole
        return _Answer(self._connection.columns, rows, self._connection.row_count or 0)

    def close(self) -> None:
        try:
            self._connection.close()
        except (OSError, self._interface_error):
            self.lost = True


class Postgres:
    """One database, or one schema of it (`?options=-csearch_path%3Dmesure` in the address)."""

    name = "postgresql"

    def __init__(self, url: str, *, patience_s: float = 5.0) -> None:
        try:
            from pg8000.exceptions import Error
        except ModuleNotFoundError:
            raise ConfigError(
                "PostgreSQL needs a package that is not installed",
                value="pg8000",
                action="Install it with: pip install 'mesure[postgres]'",
                code="not_installed",
            ) from None
        self.failures: tuple[type[Exception], ...] = (Error,)
        self._place = _place(url)
        self.address = _shown(url)
        self._patience_ms = int(patience_s * 1000)

    def connect(self) -> _Session:
        # Longer than what the server allows a statement: only a server that is gone reaches it
        session = _Session(self._place, self._patience_ms / 100 + _CONNECT_S)
        try:
            for setting, value in (
                ("lock_timeout", self._patience_ms),
                ("statement_timeout", 10 * self._patience_ms),
                ("idle_in_transaction_session_timeout", 10 * self._patience_ms),
            ):
                session.execute("SELECT set_config(:name, :value, false)", {"name": setting, "value": f"{value}ms"})
        except BaseException:
            session.close()
            raise
        return session

    def usable(self, connection: _Session) -> bool:
        return not connection.lost

    def begin(self, connection: _Session, *, writing: bool) -> None:
        if writing:
            # Each statement sees what was committed before it
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            connection.execute("SELECT pg_advisory_xact_lock(:writer)", {"writer": _WRITER})
        else:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def execute(self, connection: _Session, statement: str, values: Mapping[str, Any]) -> _Answer:
        return connection.execute(statement, values)

    def each(self, connection: _Session, statement: str) -> Iterator[Row]:
        connection.execute(f"DECLARE mesure_each NO SCROLL CURSOR FOR {statement}")
        while rows := connection.execute(f"FETCH {_EACH} FROM mesure_each").fetchall():
            yield from rows
        connection.execute("CLOSE mesure_each")

    def has_table(self, connection: _Session, name: str) -> bool:
        # Not to_regclass: it may answer from what this connection knew before it waited for another writer
        found = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = :name AND schemaname = ANY (current_schemas(false))",
            {"name": name},
        )
        return found.fetchone() is not None

    def settle(self, connection: _Session) -> None:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")

    def check(self, connection: _Session) -> None:
        connection.execute("SELECT 1")

    def told(self, error: Exception) -> StateError:
        state = _member(error, "C")
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
        """The message alone: its details may quote values."""
        text = _member(error, "M") or str(error).strip() or type(error).__name__
        password = self._place.password
        return text.replace(password, "(hidden)") if password else text


def _member(error: Exception, letter: str) -> str | None:
    """One of what the server said of an error: C its code, M its message."""
    said = error.args[0] if error.args else None
    return said.get(letter) if isinstance(said, dict) else None


def _place(url: str) -> _Place:
    """Raises `ConfigError`, without the address: it may hold a password."""
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        host = given.get("host") or parts.hostname or "localhost"
        port = int(given.get("port") or parts.port or 5432)
    except ValueError:
        raise ConfigError(
            "state.url cannot be read",
            action="Write it as postgresql://user@host/database, special characters percent-encoded",
        ) from None
    tls = given.get("sslmode", "disable" if host.startswith("/") else "prefer")
    if (unknown := next((name for name in given if name not in _PARAMETERS), None)) or tls not in _TLS:
        raise ConfigError(
            "state.url has a parameter that is not known",
            value=unknown or f"sslmode={tls}",
            action="Known: host, port, user, password, options, "
            "sslmode (disable, prefer, require, verify-full), sslrootcert",
        )
    user = given.get("user") or unquote(parts.username or "") or getpass.getuser()
    password = given.get("password") or unquote(parts.password or "") or os.environ.get("PGPASSWORD")
    database = unquote(parts.path.strip("/")) or user
    return _Place(host, port, database, user, password, given.get("options"), tls, given.get("sslrootcert"))


def _socket(place: _Place, timeout_s: float) -> socket.socket:
    if place.host.startswith("/"):
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(_CONNECT_S)
            opened.connect(f"{place.host}/.s.PGSQL.{place.port}")
        except OSError:
            opened.close()
            raise
    else:
        opened = socket.create_connection((place.host, place.port), _CONNECT_S)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if (option := getattr(socket, name, None)) is not None:
                opened.setsockopt(socket.IPPROTO_TCP, option, value)
    opened.settimeout(timeout_s)
    return opened


def _tls(place: _Place) -> ssl.SSLContext | bool | None:
    """As the driver takes it: False never, None if the server has it, True always and unproven, or proven so."""
    if place.tls == "verify-full":
        return ssl.create_default_context(cafile=place.authorities)
    return {"disable": False, "prefer": None, "require": True}[place.tls]


def _shown(url: str) -> str:
    """Where it is, with the user if the address names one, never with the password."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    user = given.get("user") or parts.username
    port = given.get("port") or parts.port
    host = given.get("host") or parts.hostname or ""
    return f"postgresql://{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}/{parts.path.strip('/')}"
