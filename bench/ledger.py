"""How fast facts are taken, committed, read and summed. Usage: ledger.py [events] [--folder DIR]; last line is JSON."""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mesure.config import LedgerSettings, Settings
from mesure.ledger import Committer, Ledger, Spool, View, import_events
from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODELS = (
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("mistral", "mistral-large-latest"),
    ("google", "gemini-2.5-flash"),
    ("own", "a-model-nobody-lists"),
)
DAYS = 50


def events(count: int, now: datetime) -> Iterator[UsageEvent]:
    """Calls of the last fifty days, oldest first, as an import or a life of the gateway would bring them."""
    draw = random.Random(7)
    for number in range(count):
        provider, model = draw.choice(MODELS)
        yield UsageEvent(
            id=new_id(),
            started_at=now - timedelta(days=DAYS) * (1 - number / count),
            provider=provider,
            model_requested=model,
            team=f"team-{draw.randrange(8)}",
            use_case=f"use-{draw.randrange(5)}",
            input_tokens=draw.randrange(50, 4000),
            output_tokens=draw.randrange(10, 900),
            duration_ms=draw.random() * 9000,
        )


def timed(what: Callable[[], object], times: int = 1) -> float:
    """Median milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        what()
        spent.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(spent)


def spool_and_commit(folder: Path, count: int, now: datetime) -> dict[str, float]:
    """From `record` to the table through a live committer."""
    settings = LedgerSettings(commit_seconds=1.0)
    ledger, spool = Ledger(folder, settings), Spool(folder / "spool")
    committer = Committer(ledger, folder / "spool", settings)
    prepared = list(events(count, now))
    record_ms = timed(lambda: [spool.record(event) for event in prepared])
    begun = time.perf_counter()
    committer.start()
    while committer.state.committed < count:
        time.sleep(0.01)
    committed_s = time.perf_counter() - begun
    seen_ms = []
    for event in prepared[:50]:
        begun = time.perf_counter()
        spool.record(event)
        while not committer.recent:
            time.sleep(0.001)
        seen_ms.append((time.perf_counter() - begun) * 1e3)
        while committer.recent:
            time.sleep(0.01)
        if sum(seen_ms) > 5e3 or len(seen_ms) == 5:
            break
    spool.close()
    committer.stop()
    assert ledger.count() == count + len(seen_ms)
    return {
        "record_us": record_ms * 1e3 / count,
        "committed_per_s": count / committed_s,
        "seen_after_ms": statistics.median(seen_ms),
    }


def read(folder: Path, count: int, now: datetime) -> dict[str, float]:
    """Import, then what pages cost."""
    ledger = Ledger(folder)
    import_ms = timed(lambda: import_events(ledger, "bench", events(count, now), batch=50_000))
    ledger.compact()
    view = View(ledger, None, Settings())
    moments = iter(range(1000))
    found: dict[str, float] = {
        "imported_per_s": count / import_ms * 1e3,
        "bytes_per_event": sum(file.size_bytes for file in ledger.snapshot().files) / count,
        "files": len(ledger.files()),
        "overview_first_ms": timed(lambda: view.overview(now)),
        "overview_ms": timed(lambda: view.overview(now + timedelta(seconds=next(moments))), 20),
    }
    import_events(ledger, "more", events(200, now))
    found["overview_after_commit_ms"] = timed(lambda: view.overview(now + timedelta(seconds=30)))
    since = now - timedelta(days=30)
    found["totals_by_team_ms"] = timed(lambda: view.totals(since, now, ("team",)))
    found["totals_by_day_and_model_ms"] = timed(lambda: view.totals(since, now, ("day", "model")))
    found["totals_again_ms"] = timed(lambda: view.totals(since, now, ("day", "model")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the tables there (a new folder)")
    given = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        found = spool_and_commit(folder / "live", min(given.events, 50_000), now) | read(
            folder / "read", given.events, now
        )
    found["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, value in found.items():
        sys.stdout.write(f"{name:>28} {value:12.2f}\n")
    sys.stdout.write(json.dumps({"bench": "ledger", "events": given.events} | found) + "\n")


if __name__ == "__main__":
    main()
