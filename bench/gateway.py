"""Speed of the gateway on loopback, in one run beside a direct call and other gateways, against a provider in memory.

    python bench/gateway.py [--calls 100000] [--each 20000] [--seconds 8] [--rounds 3] [--only NAME ...]

Measured in turn, `--rounds` times, the quickest round told (whatever else runs on the machine only slows one down) and
the median beside it as `typical`: JSON calls a second at 1, 16 and 64 callers, streams of twenty events
a second (their events in one packet, and each in one of its own), the gateway's processor time a call, what it adds to
the median and the 99th percentile of a call and to the first event of a stream at a fixed number of calls a second, and
its memory after `--calls` calls, and by how much it still grew over the second half of them. Goals are those of a
worker with full metering on an idle machine; on a shared one read the processor time and the ratios. The last line is
one JSON object. LiteLLM's proxy and Portkey's gateway are installed for it, in a cache of their own, unless
`--only mesure`; what could not be installed is in `left_out`. `--only mesure --rounds 0 --calls 1000000`: memory alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from contenders import Contender, NotInstalled, litellm, mesure_up, portkey, provider, worker
from gateway_wire import EVENTS, Request, Timing, added, drive, drive_at

_CALLERS = (1, 16, 64)
#: Of the worker: (figure, goal, whether more is better).
_GOALS = (
    ("json_per_s", 4500.0, True),
    ("streams_per_s", 2500.0, True),
    ("cpu_ms_per_call", 0.20, False),
    ("added_p50_ms", 0.5, False),
    ("added_p99_ms", 3.0, False),
    ("first_event_added_ms", 1.0, False),
    ("rss_mb", 150.0, False),
    ("times_litellm", 50.0, True),
)
_READINGS = 20  # of memory
_SLOW_SHARE = 0.02  # of the calls, for others: they take up to a hundred times as long


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000, help="calls before memory is read")
    parser.add_argument("--each", type=int, default=20_000, help="calls of one measurement")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement at a fixed rate")
    parser.add_argument("--rate", type=float, default=500.0, help="calls a second at a fixed rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["mesure", "litellm", "portkey"], help="gateways to measure")
    given = parser.parse_args()
    began, load = datetime.now(UTC), os.getloadavg()[0]
    with ExitStack() as stack:
        direct = stack.enter_context(provider())
        others, left_out = _others(stack, direct.port, given.only)
        figures = _measured(given, direct, others, left_out)
    result = {
        "bench": "gateway",
        "at": began.isoformat(timespec="seconds"),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "cpus": os.cpu_count(),
        "nice": os.nice(0),
        "rounds": given.rounds,
        "events_per_stream": EVENTS,
        "gateways": figures,
        "left_out": left_out,
        "goals": _goals(figures),
    }
    _print_goals(result["goals"])
    print(json.dumps(result))


def _others(stack: ExitStack, port: int, names: list[str]) -> tuple[list[Contender], dict[str, str]]:
    """Those that run, and why others do not."""
    found: list[Contender] = []
    left_out: dict[str, str] = {}
    if "mesure" in names:
        found += [stack.enter_context(worker(port)), stack.enter_context(mesure_up(port))]
    for name, other in (("litellm", litellm), ("portkey", portkey)):
        if name in names:
            try:
                found.append(stack.enter_context(other(port)))
            except NotInstalled as error:
                left_out[name] = str(error)
                print(f"Left out: {name}: {error}", flush=True)
    return found, left_out


def _measured(
    given: argparse.Namespace, direct: Contender, others: list[Contender], left_out: dict[str, str]
) -> dict[str, dict[str, Any]]:
    rounds: dict[str, list[dict[str, float]]] = {one.name: [] for one in (direct, *others)}
    for one in (direct, *others):
        if why := _warm(one):
            left_out[f"{one.name}, streams"] = why
    for number in range(given.rounds):
        for one in (direct, *others):
            rounds[one.name].append(_throughput(one, given.each))
            _say(f"round {number + 1}", one.name, rounds[one.name][-1])
    figures: dict[str, dict[str, Any]] = {name: _quickest(found) for name, found in rounds.items()}
    for one in others:
        if given.rounds:
            figures[one.name] |= _latency(given, direct, one)
        figures[one.name] |= _memory(one, given.calls)
        _say("others", one.name, figures[one.name])
    if given.rounds:
        _compare(figures)
    return figures


def _warm(one: Contender) -> str | None:
    """Returns why its streams are left out, if they are."""
    calls = 64 if one.fast else 16
    drive(one.port, Request(headers=one.headers), calls, 16)
    try:
        for stream in ("at once", "apart", "late"):
            drive(one.port, Request(headers=one.headers, stream=stream), calls, 16)
    except (RuntimeError, ConnectionError) as error:
        one.streams = False
        return f"streams fail here: {str(error).splitlines()[0]}"
    return None


def _throughput(one: Contender, calls: int) -> dict[str, float]:
    count = calls if one.fast else max(int(calls * _SLOW_SHARE), 100)
    found: dict[str, float] = {}
    for callers in _CALLERS:
        before = one.cpu_s()
        found[f"json_per_s_{callers}"] = drive(one.port, Request(headers=one.headers), count, callers)
        if callers == 16:
            found["cpu_ms_per_call"] = (one.cpu_s() - before) / count * 1e3
    found["json_per_s"] = max(found[f"json_per_s_{callers}"] for callers in _CALLERS)
    if not one.streams:
        return found
    before = one.cpu_s()
    found["streams_per_s"] = drive(one.port, Request(headers=one.headers, stream="at once"), count // 2, 16)
    found["cpu_ms_per_stream"] = (one.cpu_s() - before) / (count // 2) * 1e3
    found["streams_apart_per_s"] = drive(one.port, Request(headers=one.headers, stream="apart"), count // 8, 64)
    return found


def _latency(given: argparse.Namespace, direct: Contender, one: Contender) -> dict[str, float]:
    """What a gateway adds, measured in turn with direct calls."""
    rate = given.rate if one.fast else min(given.rate, 20.0)
    found: dict[str, float] = {"rate": rate}
    for stream, names in ((None, {0.5: "added_p50_ms", 0.99: "added_p99_ms"}), ("late", {0.5: "first_event_added_ms"})):
        if stream and not one.streams:
            continue
        plain: list[Timing] = []
        through: list[Timing] = []
        for _ in range(given.rounds):
            plain.append(drive_at(direct.port, Request(stream=stream), rate, given.seconds / 2))
            through.append(drive_at(one.port, Request(headers=one.headers, stream=stream), rate, given.seconds))
        found |= {name: added(through, plain, share) for share, name in names.items()}
        if stream is None:
            found |= {f"direct_p{share}_ms": min(one.at(share / 100) for one in plain) for share in (50, 99)}
    return {name: round(value, 3) for name, value in found.items()}


def _memory(one: Contender, calls: int) -> dict[str, float]:
    """After so many calls; the slope is that of the second half, in MB a million calls."""
    calls = calls if one.fast else max(int(calls * _SLOW_SHARE / 5), 100)
    done, read = [0], [one.rss_mb()]
    for _ in range(_READINGS):
        drive(one.port, Request(headers=one.headers), calls // _READINGS, 16)
        done.append(done[-1] + calls // _READINGS)
        read.append(one.rss_mb())
    found = {"calls": done[-1], "rss_mb_before": read[0], "rss_mb": read[-1], "rss_mb_highest": max(read)}
    if one.fast:
        half = _READINGS // 2
        found["rss_mb_a_million_calls"] = statistics.linear_regression(done[half:], read[half:]).slope * 1e6
    return {name: round(value, 1) for name, value in found.items()}


def _quickest(rounds: list[dict[str, float]]) -> dict[str, Any]:
    if not rounds:
        return {}
    of_each = {name: [found[name] for found in rounds] for name in rounds[0]}
    quickest = {name: round((min if "cpu" in name else max)(found), 3) for name, found in of_each.items()}
    return {**quickest, "typical": {name: round(statistics.median(found), 3) for name, found in of_each.items()}}


def _compare(figures: dict[str, dict[str, Any]]) -> None:
    for name, found in figures.items():
        if name.startswith("litellm") and "mesure" in figures:
            figures["mesure"]["times_litellm"] = round(figures["mesure"]["json_per_s"] / found["json_per_s"], 1)
            ratio = found["cpu_ms_per_call"] / figures["mesure"]["cpu_ms_per_call"]
            figures["mesure"]["cpu_of_litellm_over_ours"] = round(ratio, 1)


def _goals(figures: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    ours = figures.get("mesure", {})
    return {
        name: {"goal": goal, "measured": ours[name], "reached": ours[name] >= goal if more else ours[name] <= goal}
        for name, goal, more in _GOALS
        if name in ours
    }


def _say(what: str, name: str, found: dict[str, Any]) -> None:
    told = "  ".join(
        f"{key} {value:.3g}" if value < 1 else f"{key} {value:,.1f}" for key, value in found.items() if key != "typical"
    )
    print(f"{what:8} {name:30} {told}", flush=True)


def _print_goals(goals: dict[str, dict[str, Any]]) -> None:
    for name, one in goals.items():
        print(
            f"{name:22} goal {one['goal']:>8g}   {one['measured']:>10g}   {'reached' if one['reached'] else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
