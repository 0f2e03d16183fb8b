"""A Mesure of several processes on disks of its own, and the harm that is done to it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

sys.path += [str(Path(__file__).parents[1] / "tests" / part) for part in ("", "state")]

from postgres_server import PostgresServer

__all__ = ["Disk", "House"]

_START_S = 60.0
_STOP_S = 120.0


class Disk:
    """A small disk in memory, which can be full or read-only; `made` is False where this user may not mount one."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.made = _ran("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))

    def fill(self) -> None:
        """To the last byte."""
        with suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def read_only(self, *, on: bool) -> bool:
        """Refused while a file is open for writing: tried until it holds."""
        for _ in range(200):
            if _ran("mount", "-o", f"remount,{'ro' if on else 'rw'}", str(self.folder)):
                return True
            time.sleep(0.01)
        return False

    def close(self) -> None:
        if self.made:
            _ran("umount", "-l", str(self.folder))


class House:
    """`mesure up --workers N` in a process of its own, with a virtual key that every call must carry."""

    def __init__(self, provider_port: int, workers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mesure-faults-"))
        self.data = self.folder / "data"
        self.disk = Disk(self.data, 96)
        self.table = Disk(self.data / "ledger", 96)
        self.workers = workers
        self.postgres = PostgresServer() if PostgresServer.found() else None
        state = f'[state]\nurl = "{self.postgres.new_schema()}"\n' if self.postgres else ""
        self.config = self.folder / "mesure.toml"
        self.log = self.folder / "log"
        self.config.write_text(
            f'version = 1\n[server]\nport = 0\ndata = "{self.data}"\nworkers = {workers}\n'
            '[gateway]\nkeys = "required"\n'
            f"{state}[ledger]\ncommit_seconds = 2.0\nsegment_mb = 0.5\n"
            f'[providers.mock]\nbase_url = "http://127.0.0.1:{provider_port}/v1"\ndefault = true\n'
            'provider = "openai"\nzone = "FRA"\napi_key = "sk-of-the-provider"\n'
        )
        self.key = json.loads(self._command("keys", "create", "--label", "faults", "--json"))["token"]
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, *words: str) -> bytes:
        command = [sys.executable, "-m", "mesure", *words, "--config", str(self.config)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mesure", "up", "--json", "--config", str(self.config)],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rsplit(":", 1)[1])

    def stop(self) -> int:
        """In order: calls end, what the spool holds reaches the table. Returns the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(_STOP_S)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
                with suppress(psutil.Error):
                    process.kill()
        if self.postgres is not None:
            self.postgres.close()
        self.table.close()
        self.disk.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- its processes ---

    def _children(self) -> list[psutil.Process]:
        assert self._process is not None
        with suppress(psutil.NoSuchProcess):
            return [c for c in psutil.Process(self._process.pid).children() if "mesure.apps.worker" in c.cmdline()]
        return []

    def committer(self) -> psutil.Process | None:
        """The process that holds the committer's lock."""
        lock = str(self.data / "spool" / "committer.lock")
        for child in self._children():
            with suppress(psutil.Error):
                if any(file.path == lock for file in child.open_files()):
                    return child
        return None

    def a_worker(self, draw: random.Random) -> psutil.Process | None:
        committer = self.committer()
        relaying = [child for child in self._children() if committer is None or child.pid != committer.pid]
        return draw.choice(relaying) if relaying else None

    @staticmethod
    def ports_of(worker: psutil.Process) -> set[int]:
        """Ports of the clients that are connected to it."""
        with suppress(psutil.Error):
            return {c.raddr.port for c in worker.net_connections("tcp4") if c.raddr and c.status == "ESTABLISHED"}
        return set()

    def rss_mb(self) -> float:
        total = 0.0
        for child in self._children():
            with suppress(psutil.Error):
                total = max(total, child.memory_info().rss / 1e6)
        return total

    # --- what it says ---

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(self.url + "metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "healthz", timeout=5) as answer:
                told = json.loads(answer.read())
        except (OSError, ValueError):
            return False
        return told["committer"]["recent"] == 0 and told["committer"]["last_error"] is None


def _ran(*command: str) -> bool:
    if os.getuid() != 0 or shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
