"""How many cases the fuzz tests of every intake try, and how many break one. Usage: fuzz.py; last line is JSON.

Runs the tests that feed each door with what they were not made for (any bytes, any JSON, any file, any header, any
request that our own description allows or forbids), and counts the cases that hypothesis and schemathesis made.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

INTAKES = {
    "HTTP, requests": ["apps/http1/test_reading.py", "apps/http1/test_exchange.py"],
    "HTTP, providers' answers": ["apps/http1/test_outgoing.py"],
    "headers and hosts": ["apps/gateway/test_headers.py", "apps/test_hosts.py", "apps/gateway/test_virtual_keys.py"],
    "providers' wires": ["meter/wires"],
    "OpenTelemetry": ["apps/otlp/test_otlp_http.py", "meter/otlp/test_intake.py"],
    "events of agents and hooks": ["apps/test_events_door.py"],
    "files": ["meter/imports"],
    "sensors elsewhere": ["meter/sensors/test_remote_readings.py"],
    "spool": ["ledger/test_corruption.py"],
    "our own API": ["apps/test_own_api.py"],
}
_PHASE = re.compile(r"- (\d+) passing(?: examples)?, (\d+) failing")
_TESTS = Path(__file__).parents[1] / "tests"


def cases(paths: list[str]) -> tuple[int, int, bool]:
    """(cases that passed, cases that failed, whether every test passed)."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--hypothesis-show-statistics"]
        + [str(_TESTS / path) for path in paths],
        cwd=_TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [(int(passing), int(failing)) for passing, failing in _PHASE.findall(ran.stdout)]
    return sum(passing for passing, _ in found), sum(failing for _, failing in found), ran.returncode == 0


def main() -> int:
    books: dict[str, dict[str, int | bool]] = {}
    for number, (intake, paths) in enumerate(INTAKES.items()):
        print(f"\r{number + 1}/{len(INTAKES)}  {intake:<32}", end="", file=sys.stderr, flush=True)
        passing, failing, sound = cases(paths)
        books[intake] = {"cases": passing + failing, "broke": failing, "tests_pass": sound}
    print(file=sys.stderr)
    for intake, found in books.items():
        print(f"{intake:<32}{found['cases']:>9} cases{found['broke']:>5} broke")
    total, broke = (sum(int(found[name]) for found in books.values()) for name in ("cases", "broke"))
    sound = all(found["tests_pass"] for found in books.values())
    print(json.dumps({"cases": total, "broke": broke, "tests_pass": sound, "intakes": books}))
    return int(broke > 0 or not sound)


if __name__ == "__main__":
    sys.exit(main())
