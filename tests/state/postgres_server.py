"""A real PostgreSQL, made in a folder of its own and stopped at the end; reached through a socket, on no port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
from pg8000.native import Connection, Error

from waiting import eventually


def _program(name: str) -> str | None:
    folders = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def _other_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return next((user.pw_name for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")), None)


class PostgresServer:
    """`PostgresServer.found()` says whether there is one on this machine."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mesure-pg-"))
        self._user = _other_user() if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count()
        self._run("initdb", "-D", self.folder / "data", "-A", "trust", "-U", "mesure", "--no-sync", "-E", "UTF8")
        self.start()

    @staticmethod
    def found() -> bool:
        return bool(_program("initdb") and _program("postgres"))

    def _run(self, name: str, *arguments: object) -> None:
        program = _program(name)
        assert program
        command = [program, *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")

    def start(self) -> None:
        program = _program("postgres")
        assert program
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=30"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-D", str(self.folder / "data"), "-k", str(self.folder), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        eventually(self._answers)

    def stop(self) -> None:
        """At once, as when the machine is lost: connections break. Each has a process, which dies with its server."""
        if self._process is not None:
            all_of_it = [psutil.Process(self._process.pid)]
            all_of_it += all_of_it[0].children(recursive=True)
            for process in all_of_it:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()
            psutil.wait_procs(all_of_it[1:], timeout=30)
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            self._process = None
            eventually(lambda: not self._answers())

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # without waiting for clients
            self._process.wait(30)
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://mesure@/{database}?host={quote(str(self.folder), safe='')}"

    def new_schema(self) -> str:
        """Address of an empty schema of the one database: a moment's work, where a database is 7 MB of files."""
        name = f"schema_{next(self._names)}"
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def new_database(self) -> str:
        """Address of an empty one."""
        name = f"test_{next(self._names)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str, url: str | None = None) -> list[list[Any]]:
        """Rows of one statement, as the owner of everything, in the database of an address."""
        database = urlsplit(url).path.strip("/") if url else "postgres"
        connection = Connection("mesure", unix_sock=f"{self.folder}/.s.PGSQL.5432", database=database, timeout=20)
        try:
            rows: list[list[Any]] = connection.run(statement) or []
            return rows
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return bool(self.run("SELECT 1"))
        except (OSError, Error):
            return False
