"""A process to be killed: `writer` records numbered events and prints each once acknowledged;
`sightings` tells of each twice; `committer` commits."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ledger_events import make_event
from sighted import sighting

from mesure.config import LedgerSettings
from mesure.ledger import Committer, Ledger, Spool, import_events


def main(role: str, data: Path, first: int, count: int) -> None:
    if role == "writer":
        spool = Spool(data / "spool", segment_bytes=20_000)
        for number in range(first, first + count):
            if spool.record(make_event(number)):
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()
    elif role == "sightings":
        spool = Spool(data / "spool", segment_bytes=20_000)
        for number in range(first, first + count):
            if all(spool.record(sighting(number, source)) for source in ("hook", "gateway")):
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()
    elif role == "committer":
        settings = LedgerSettings(commit_seconds=0.05, commit_events=50, compact_files=4)
        Committer(Ledger(data, settings), data / "spool", settings).start()
        sys.stdout.write("started\n")
        sys.stdout.flush()
        time.sleep(60)
    else:
        ledger = Ledger(data)
        import_events(
            ledger,
            "file",
            (make_event(number) for number in range(count)),
            batch=100,
            progress=lambda done: sys.stdout.write(f"{done}\n") and sys.stdout.flush(),
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
