"""What cuts of the ledger and the page over them cost. Usage: explore.py [events] [--folder DIR]; last line is JSON.

A folder given is filled once and used again as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from ledger import events, timed
from mesure.apps.web.explore import Explore
from mesure.apps.web.layout import render
from mesure.apps.web.reader import Reader
from mesure.catalogue import current
from mesure.config import Settings
from mesure.ledger import Cut, Ledger, View, import_events

#: States of the page, by what a reader would call them.
PAGES = {
    "month": "",
    "water": "measure=water",
    "team": "team=team-3",
    "model_calls": "team=team-3&model=gpt-4o",
    "year": "range=12m&by=model",
    "time": "show=time",
}


def _filled(folder: Path, count: int, now: datetime) -> Ledger:
    ledger = Ledger(folder)
    if not ledger.files():
        import_events(ledger, "bench", events(count, now), batch=50_000)
        ledger.compact()
    return ledger


def cuts(ledger: Ledger, now: datetime) -> dict[str, float]:
    """A month by team and day, the way a reader goes through it."""
    view = View(ledger, None, Settings())
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    edges = tuple(until - timedelta(days=back) for back in range(30, 0, -1))
    month = Cut(since=edges[0], until=until, by="team", edges=edges)
    whole = Cut(since=until - timedelta(days=60), until=until, by="model")
    view.overview(now)  # prices are resolved once, whichever page asks first
    found = {"month_by_team_first_ms": timed(lambda: view.explore(month, "energy_wh").groups())}
    found["month_by_team_again_ms"] = timed(lambda: view.explore(month, "energy_wh").groups(), 5)
    found["other_measure_ms"] = timed(lambda: view.explore(month, "water_ml").groups(), 5)
    one = Cut(since=edges[0], until=until, by="use_case", where=(("team", "team-3"),), edges=edges)
    found["one_team_by_use_case_ms"] = timed(lambda: view.explore(one, "gwp_gco2eq").groups())
    found["everything_by_model_ms"] = timed(lambda: view.explore(whole, "money").groups())
    found["calls_ms"] = timed(lambda: view.calls(one, None, 20), 3)
    model = Cut(since=edges[0], until=until, where=(("model", "gpt-4o"), ("team", "team-3")))
    found["calls_of_a_model_ms"] = timed(lambda: view.calls(model, None, 20), 3)
    page = view.calls(month, None, 20)
    found["calls_after_ms"] = timed(lambda: view.calls(month, page.after, 20), 3)
    import_events(ledger, f"more {now}", events(200, now))
    found["after_a_commit_ms"] = timed(lambda: view.explore(month, "energy_wh").groups())
    return found


def pages(ledger: Ledger, now: datetime) -> dict[str, float]:
    """The page as it is sent, read a second time as readers do who go back and forth, and with nothing remembered."""
    settings = Settings()
    reader = Reader.of("fr", settings)

    def page(explore: Explore, text: str) -> bytes:
        return render(
            asyncio.run(explore.page(explore.query(parse_qsl(text, keep_blank_values=True)), reader, ())), reader
        )

    view = View(ledger, None, settings)
    view.overview(now)
    explore = Explore(view, current(), reader.zone, lambda: now)
    found = {}
    for name, text in PAGES.items():
        found[f"page_{name}_first_ms"] = timed(lambda text=text: page(explore, text))
        found[f"page_{name}_ms"] = timed(lambda text=text: page(explore, text), 7)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the table there")
    given = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as temporary:
        ledger = _filled(given.folder or Path(temporary), given.events, now)
        found = {"files": float(len(ledger.files()))} | cuts(ledger, now) | pages(ledger, now)
    found["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, value in found.items():
        sys.stdout.write(f"{name:>28} {value:12.2f}\n")
    sys.stdout.write(json.dumps({"bench": "explore", "events": given.events} | found) + "\n")


if __name__ == "__main__":
    main()
