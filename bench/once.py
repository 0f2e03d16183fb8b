"""What counting once costs a commit, as the ledger grows. Usage: once.py [largest] [--rate CALLS]; last line is JSON.

A ledger of calls at a steady rate, then commits of 1 000 calls: none seen before, and a tenth of them second sightings
of calls of the minute before, which is what a hook beside the gateway brings late.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mesure.ledger import Ledger
from mesure.record import UsageEvent, new_id

_BATCH = 1_000
_COMMITS = 7


def calls(first: int, count: int, begun: datetime, rate: float) -> list[UsageEvent]:
    """Calls as the gateway books them, `rate` a second."""
    return [
        UsageEvent(
            id=new_id(),
            started_at=begun + timedelta(seconds=number / rate),
            provider="openai",
            model_requested="gpt-4o",
            response_id=f"chatcmpl-{number * 2_654_435_761 % 2**64:024x}",
            trace_id=f"{number:032x}",
            span_id=f"{number:016x}",
            team=f"team-{number % 8}",
            input_tokens=number % 4000,
            output_tokens=number % 900,
        )
        for number in range(first, first + count)
    ]


def late_hook(call: UsageEvent) -> UsageEvent:
    return replace(call, id=new_id(), source="hook", team=None, use_case="reply")


def commits(folder: Path, size: int, rate: float) -> dict[str, float]:
    """Medians of commits on top of a ledger of `size` calls, in milliseconds."""
    ledger, begun = Ledger(folder), datetime.now(UTC) - timedelta(days=40)
    for first in range(0, size, 100_000):
        ledger.append(calls(first, min(100_000, size - first), begun, rate), {})
    ledger.compact()
    new_ms, mixed_ms, number = [], [], size
    for _ in range(_COMMITS):
        fresh = calls(number, _BATCH, begun, rate)
        new_ms.append(_timed(ledger, fresh, 0))
        late = [late_hook(call) for call in fresh[:: _BATCH // 100]]
        number += _BATCH
        mixed_ms.append(_timed(ledger, [*calls(number, _BATCH - len(late), begun, rate), *late], len(late)))
        number += _BATCH
    return {"new_ms": statistics.median(new_ms), "tenth_merged_ms": statistics.median(mixed_ms)}


def _timed(ledger: Ledger, events: list[UsageEvent], merged: int) -> float:
    begun = time.perf_counter()
    written = ledger.append(events, {})
    spent = (time.perf_counter() - begun) * 1e3
    assert written.merged == merged, written.merged
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("largest", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=20.0, help="calls a second")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    size = 1_000
    while size <= given.largest:
        with tempfile.TemporaryDirectory() as folder:
            found[str(size)] = commits(Path(folder), size, given.rate)
        sys.stdout.write(f"{size:>10} calls held {found[str(size)]}\n")
        size *= 10
    sys.stdout.write(json.dumps({"bench": "once", "rate": given.rate, "batch": _BATCH, "ledger": found}) + "\n")


if __name__ == "__main__":
    main()
