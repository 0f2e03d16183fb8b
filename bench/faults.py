"""What is lost, and what clients feel, when things break. Usage: faults.py [--minutes 5] [--seed 1]; last line is JSON.

Callers ask without pause, plain and streamed, through `mesure up --workers N` while a fault follows another: workers
and the committer killed (-9), the disk full, the table's folder read-only, the state store (PostgreSQL) stopped.
Afterwards each answer that said it was recorded must be in the ledger, once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from fault_house import House
from fault_load import Answer, Load, Provider
from mesure.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

#: A caller that was connected to a killed process notices within this.
_FELT_S = 1.0


@dataclass
class Fault:
    """One harm: when, how long, whose calls it may break."""

    kind: str
    began: float
    ended: float = 0.0
    may_break: int = 0  # calls in flight on what was killed
    ports: set[int] = field(default_factory=set)

    def explains(self, answer: Answer) -> bool:
        return answer.port in self.ports and self.began - 0.05 <= answer.ended <= self.ended + _FELT_S


class Harm:
    """Does one fault after another, each kind at least once in any run of a few minutes."""

    def __init__(self, house: House, load: Load, seed: int) -> None:
        self.house, self.load = house, load
        self.draw = random.Random(seed)
        self.done: list[Fault] = []
        self.left_out: list[str] = []
        self._kinds: list[tuple[str, Callable[[Fault], None]]] = [
            ("worker killed", self._kill_worker),
            ("committer killed", self._kill_committer),
        ]
        if house.postgres is not None:
            self._kinds.append(("state store stopped", self._stop_state))
        else:
            self.left_out.append("state store stopped")
        if house.disk.made and house.table.made:
            self._kinds += [("disk full", self._fill), ("table read-only", self._read_only)]
        else:
            self.left_out += ["disk full", "table read-only"]

    def run(self, seconds: float) -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            for kind, step in [*self.draw.sample(self._kinds, len(self._kinds)), self._kinds[0]]:
                time.sleep(self.draw.uniform(0.5, 2.0))
                fault = Fault(kind, monotonic())
                step(fault)
                fault.ended = monotonic()
                self.done.append(fault)
                if monotonic() >= end:
                    return

    def _kill_worker(self, fault: Fault) -> None:
        if (worker := self.house.a_worker(self.draw)) is not None:
            fault.ports = self.house.ports_of(worker)
            fault.may_break = len(fault.ports & self.load.flying)
            worker.kill()

    def _kill_committer(self, fault: Fault) -> None:  # noqa: ARG002
        if (process := self.house.committer()) is not None:
            process.kill()
            time.sleep(self.draw.uniform(1.0, 3.0))

    def _stop_state(self, fault: Fault) -> None:  # noqa: ARG002
        assert self.house.postgres is not None
        self.house.postgres.stop()
        time.sleep(self.draw.uniform(3.0, 8.0))
        self.house.postgres.start()

    def _fill(self, fault: Fault) -> None:  # noqa: ARG002
        self.house.disk.fill()
        self.house.table.fill()
        time.sleep(self.draw.uniform(2.0, 5.0))
        self.house.table.free()
        self.house.disk.free()

    def _read_only(self, fault: Fault) -> None:
        if not self.house.table.read_only(on=True):
            fault.kind += " (refused)"
        time.sleep(self.draw.uniform(3.0, 6.0))
        self.house.table.read_only(on=False)


async def provide() -> int:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


def tally(answers: list[Answer], faults: list[Fault], rows: Counter[str], responses: Counter[str]) -> dict[str, Any]:
    """The books: what callers saw beside what the ledger holds."""
    complete = [answer for answer in answers if answer.outcome == "complete"]
    acknowledged = [answer for answer in complete if not answer.stream and answer.recorded]
    streams = [answer for answer in complete if answer.stream]
    full = [fault for fault in faults if fault.kind == "disk full"]
    absent = [answer for answer in streams if not responses[answer.name]]
    unexplained = [
        answer
        for answer in absent
        if not any(fault.explains(answer) for fault in faults)
        and not any(fault.began <= answer.ended <= fault.ended + _FELT_S for fault in full)
    ]
    broken = [answer for answer in answers if answer.outcome in ("broken", "refused")]
    return {
        "calls": len(answers),
        "complete": len(complete),
        "acknowledged": len(acknowledged),
        "lost": sum(not rows[answer.event_id] for answer in acknowledged),
        "duplicates": sum(count - 1 for count in rows.values()) + sum(count - 1 for count in responses.values()),
        "said_not_recorded": sum(not answer.stream and not answer.recorded for answer in complete),
        "streams_complete": len(streams),
        "streams_absent": len(absent),
        "streams_absent_unexplained": len(unexplained),
        "client_errors": len(broken),
        "client_errors_allowed": sum(fault.may_break for fault in faults),
        "client_errors_elsewhere": sum(not any(fault.explains(answer) for fault in faults) for answer in broken),
        "refused": sum(answer.outcome == "refused" for answer in broken),
        "rows": sum(rows.values()),
    }


def rows_of(house: House) -> tuple[Counter[str], Counter[str]]:
    """(events by id, events by the provider's response id) as the table holds them."""
    import duckdb

    files = Ledger(house.data).files()
    if not files:
        return Counter(), Counter()
    found = duckdb.read_parquet(files, union_by_name=True).project("id, response_id").fetchall()
    return Counter(row[0] for row in found), Counter(row[1] for row in found if row[1])


def print_table(faults: list[Fault], answers: list[Answer]) -> None:
    print(f"\n{'fault':<22}{'times':>6}{'seconds':>9}{'in flight on it':>17}{'client errors':>15}")
    broken = [answer for answer in answers if answer.outcome in ("broken", "refused")]
    for kind in dict.fromkeys(fault.kind for fault in faults):
        of_kind = [fault for fault in faults if fault.kind == kind]
        seconds = sum(fault.ended - fault.began for fault in of_kind)
        felt = sum(any(fault.explains(answer) for fault in of_kind) for answer in broken)
        print(f"{kind:<22}{len(of_kind):>6}{seconds:>9.1f}{sum(f.may_break for f in of_kind):>17}{felt:>15}")


async def run(house: House, arguments: argparse.Namespace) -> dict[str, Any]:
    load = Load(house.port, arguments.clients, house.key)
    harm = Harm(house, load, arguments.seed)
    running = asyncio.ensure_future(load.run())
    thread = threading.Thread(target=harm.run, args=(arguments.minutes * 60,), daemon=True)
    thread.start()
    began = monotonic()
    while thread.is_alive():
        await asyncio.sleep(0.5)
        print(
            f"\r{monotonic() - began:5.0f} s  {len(load.answers):>8} calls  {len(harm.done):>3} faults",
            end="",
            file=sys.stderr,
        )
    load.stopping = True
    await running
    healed_at = monotonic()
    while not await asyncio.to_thread(house.healthy):
        if monotonic() - healed_at > 60:
            break
        await asyncio.sleep(0.2)
    books: dict[str, Any] = {"healed_s": round(monotonic() - healed_at, 1), "rss_mb": round(house.rss_mb(), 1)}
    for name in ("mesure_calls_total", "mesure_spool_failed_total"):
        books[name] = await asyncio.to_thread(house.metric, name)
    books["exit_status"] = await asyncio.to_thread(house.stop)
    books |= tally(load.answers, harm.done, *rows_of(house))
    print_table(harm.done, load.answers)
    return books | {"faults": dict(Counter(fault.kind for fault in harm.done)), "left_out": harm.left_out}


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-log", action="store_true", help="print what the server wrote")
    arguments = parser.parse_args()
    house = House(await provide(), arguments.workers)
    try:
        await asyncio.to_thread(house.start)
        books = await run(house, arguments)
    except BaseException:
        print(house.log.read_text())
        raise
    finally:
        if arguments.keep_log:
            print(house.log.read_text())
        house.close()
    bad = ("lost", "duplicates", "streams_absent_unexplained", "client_errors_elsewhere")
    print("\nLost, duplicated or broken without a reason: " + ", ".join(f"{name} {books[name]}" for name in bad))
    print(json.dumps(books))
    return int(any(books[name] for name in bad) or books["client_errors"] > books["client_errors_allowed"])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
