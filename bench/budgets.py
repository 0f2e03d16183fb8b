"""Races for a hard budget. Usage: budgets.py [--workers N] [--calls N] [--room N]; last line is JSON.

Each worker is a process with its own gate; each of its calls is a thread that starts at once with all the others, is
let through or refused, lasts a few milliseconds and is reconciled. Calls let through are counted in a file, before they
run, so that those of a killed worker count too. On SQLite, and on PostgreSQL where the machine has one:

    race      all at once                              bound: 0 over
    killed    one worker is killed in the middle       bound: 0 over
    closed    the store stops in the middle            bound: 0 over
    open      the same, where fail_open                bound: workers x outage_share x limit
    wrong     calls take 1.5 times what was reserved   bound: calls in flight x 0.5
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from mesure.config import ServerSettings, Settings, StateSettings
from mesure.policy.budgets import Budget
from mesure.policy.gate import Gate, Wanted
from mesure.policy.leases import Account, Leases
from mesure.policy.periods import period_at
from mesure.state import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIOS = ("race", "killed", "closed", "open", "wrong")
SHARE = 0.1
ZONE = ZoneInfo("Europe/Paris")
LASTS_S = 0.02


def budget_of(scenario: str, room: float) -> Budget:
    return Budget(
        name="race", limit=room, unit="calls", mode="hard", fail_open=scenario != "closed", outage_share=SHARE
    ).checked()


def settings_of(folder: Path, url: str) -> Settings:
    return Settings(server=ServerSettings(data=str(folder)), state=StateSettings(url=url))


def work(folder: Path, url: str, scenario: str, calls: int, room: float, number: int) -> None:
    """One worker: waits for the start, then all its calls at once."""
    settings = settings_of(folder, url)
    budget = budget_of(scenario, room)
    gate = Gate(lambda: Leases(open_store(settings), f"machine-{number % 2}"), ZONE)
    gate.watch([budget])
    gate.start()
    (folder / f"ready-{number}").touch()
    while not (folder / "go").exists():
        time.sleep(0.002)
    took = 1.5 if scenario == "wrong" else 1.0
    count = os.open(folder / "passed", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def call(index: int) -> None:
        draw = random.Random(index)
        if scenario != "race":
            time.sleep(draw.random() * 1.5)  # so that there is a middle
        name = f"{number}-{index}"
        begun = time.perf_counter()
        refused = gate.admit(name, [Wanted(budget, 1.0)])
        waited.append(time.perf_counter() - begun)
        if refused is None:
            os.write(count, f"{took}\n".encode())
            time.sleep(LASTS_S * draw.random())
            gate.reconcile(name, lambda _: took)

    waited: list[float] = []
    threads = [threading.Thread(target=call, args=(index,)) for index in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.stop()
    waited.sort()
    (folder / f"waited-{number}").write_text(json.dumps([waited[len(waited) // 2], waited[-1]]))


def race(scenario: str, folder: Path, url: str, given: argparse.Namespace, stop: Callable[[], Any]) -> dict[str, Any]:
    """One scenario; what was let through against its bound."""
    settings = settings_of(folder, url)
    open_store(settings).close()
    command = [sys.executable, __file__, "--worker", str(folder), url, scenario]
    sizes = ["--calls", str(given.calls), "--room", str(given.room)]
    workers = [
        subprocess.Popen([*command, *sizes, "--number", str(number)], env=os.environ) for number in range(given.workers)
    ]
    while sum(1 for _ in folder.glob("ready-*")) < given.workers:
        time.sleep(0.01)
    (folder / "go").touch()
    undo = None
    if scenario in ("killed", "closed", "open"):
        while not (folder / "passed").exists() or (folder / "passed").stat().st_size < 4 * given.room // 4:
            time.sleep(0.001)
        if scenario == "killed":
            workers[0].send_signal(signal.SIGKILL)
        else:
            undo = stop()
    for worker in workers:
        worker.wait()
    if undo is not None:
        undo()
    spent = sum(map(float, (folder / "passed").read_text().split()))
    in_flight = given.workers * given.calls
    bound = {"open": given.workers * SHARE * given.room, "wrong": min(in_flight, given.room) * 0.5}.get(scenario, 0.0)
    over = max(0.0, spent - given.room)
    waits = [json.loads(path.read_text()) for path in folder.glob("waited-*")]
    result = {"let_through": spent, "room": given.room, "over": over, "bound": bound, "held": over <= bound + 1e-6}
    result["wait_ms_median_longest"] = [round(1e3 * max(wait[i] for wait in waits), 1) for i in (0, 1)]
    if undo is None:
        store = open_store(settings)
        standing = Leases(store, "bench").standing(Account("race", _period_ms(), float(given.room)))
        store.close()
        result["booked"] = round(standing.spent, 6)
        result["stranded"] = round(standing.held, 6)
    return result


def _period_ms() -> int:
    from datetime import UTC, datetime

    return period_at("month", datetime.now(UTC), ZONE).key


def locked(file: Path) -> Callable[[], None]:
    """SQLite has no server to stop: somebody else holds the file."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=30.0)
    connection.execute("BEGIN EXCLUSIVE")
    return connection.close


def stopped(server: Any) -> Callable[[], None]:
    server.stop()
    return partial(server.start)


def on_sqlite(given: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for scenario in given.scenarios:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            found[scenario] = race(scenario, folder, "", given, partial(locked, folder / "state.sqlite"))
            print(f"sqlite      {scenario:7} {found[scenario]}", flush=True)
    return found


def on_postgres(given: argparse.Namespace) -> dict[str, Any] | None:
    tests = Path(__file__).resolve().parents[1] / "tests"
    sys.path[:0] = [str(tests), str(tests / "state")]
    from postgres_server import PostgresServer

    if not PostgresServer.found():
        return None
    found = {}
    server = PostgresServer()
    try:
        for scenario in given.scenarios:
            with tempfile.TemporaryDirectory() as name:
                url = server.new_schema()
                found[scenario] = race(scenario, Path(name), url, given, partial(stopped, server))
                print(f"postgresql  {scenario:7} {found[scenario]}", flush=True)
    finally:
        server.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--room", type=float, default=100.0)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS, choices=SCENARIOS)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        folder, url, scenario = given.worker
        work(Path(folder), url, scenario, given.calls, given.room, given.number)
        return 0
    result: dict[str, Any] = {}
    if given.only != "postgresql":
        result["sqlite"] = on_sqlite(given)
    if given.only != "sqlite":
        result["postgresql"] = on_postgres(given)
    held = all(found["held"] for store in result.values() if store for found in store.values())
    print(json.dumps({"bench": "budgets", "workers": given.workers, "calls": given.calls, "held": held, **result}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
