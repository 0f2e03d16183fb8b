"""Contacts at scale: import, then totals per contact; seconds and memory. One JSON line at the end.

`python bench/contacts.py [--contacts N] [--called SHARE]`: N contacts, two calls for a share of them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mesure.ledger import ContactTable, Ledger, Pricer, contact_totals
from mesure.meter.imports import BadRow, ContactPlan, Conventions, TableFile, read_contacts, review_contacts
from mesure.record import Contact, UsageEvent, derived_id

AT = datetime(2026, 11, 1, tzinfo=UTC)
CHANNELS = ("voice", "chat", "email", "sms")


def written(path: Path, count: int) -> None:
    generator = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        file.write("contact_id,started_at,channel,end_client,motif,duration_s,transferred,resolved\n")
        for n in range(count):
            at = AT + timedelta(seconds=n % (28 * 86_400))
            channel, client = generator.choice(CHANNELS), f"client-{generator.randrange(20)}"
            resolved = generator.choice(("true", "false", ""))
            file.write(f"c{n},{at.isoformat()},{channel},{client},m{n % 40},{n % 900},false,{resolved}\n")


def calls(called: int) -> Iterator[UsageEvent]:
    for n in range(2 * called):
        yield UsageEvent(
            id=derived_id(n, "bench"),
            started_at=AT + timedelta(seconds=n % (28 * 86_400)),
            contact_id=f"c{n // 2}",
            provider="openai",
            model_requested="gpt-4o",
            input_tokens=900,
            output_tokens=120,
        )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=200_000)
    parser.add_argument("--called", type=float, default=1.0)
    asked = parser.parse_args()
    count, called = asked.contacts, int(asked.contacts * asked.called)
    figures: dict[str, float] = {"contacts": count}
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "contacts.csv"
        written(path, count)
        file = TableFile.open(path)
        plan = ContactPlan.make(file, {}, Conventions(), pseudonym=str)
        begun = time.perf_counter()
        content = review_contacts(file, plan).content
        figures["review_s"] = time.perf_counter() - begun
        begun = time.perf_counter()
        rows: Iterator[Contact] = (row for row in read_contacts(file, plan, content) if not isinstance(row, BadRow))
        ContactTable(folder).add(content, rows)
        figures["import_s"], figures["import_peak_mb"] = time.perf_counter() - begun, peak_mb()
        ledger, batch = Ledger(folder), []
        for event in calls(called):
            batch.append(event)
            if len(batch) == 50_000:
                ledger.append(batch, {})
                batch = []
        if batch:
            ledger.append(batch, {})
        ledger.compact()
        figures["before_totals_peak_mb"] = peak_mb()
        for by in ("channel", "use_case"):
            begun = time.perf_counter()
            found = contact_totals(ledger, ContactTable(folder), Pricer({}), AT, AT + timedelta(days=40), by)
            figures[f"totals_by_{by}_s"] = time.perf_counter() - begun
            assert (found.whole.contacts, found.whole.linked) == (count, called)
            assert found.whole.calls == 2 * called
        figures["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps({name: round(value, 2) for name, value in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
