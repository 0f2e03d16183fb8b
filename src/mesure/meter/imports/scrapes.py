"""Metrics of a server written to a file scrape after scrape (Prometheus text, OpenMetrics): a record per scrape.

Each scrape says when it was read: timestamps on its samples, or a comment line `# scraped 2026-11-22T08:00:00Z`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_scrapes", "scrape_records"]

#: Servers whose counters are read.
_PREFIXES = (b"vllm:", b"vllm_", b"tgi_", b"llamacpp:", b"llamacpp_", b"sglang:")
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+([^\s]+)(?:\s+([^\s]+))?\s*$", re.ASCII)
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"', re.ASCII)
_SCRAPED = re.compile(r"#\s*scraped(?:[ _]at)?[ :]\s*(\S+)", re.IGNORECASE)
#: Timestamps of 2001 to 2286: milliseconds in Prometheus text, seconds in OpenMetrics.
_FIRST_MS = 1e12


def is_scrapes(beginning: bytes) -> bool:
    """Whether a file that begins so holds metrics of such a server."""
    lines = beginning.removeprefix(b"\xef\xbb\xbf").splitlines()[:400]
    first = next((line for line in lines if line.strip()), b"")
    if not (first.startswith(b"#") or first.startswith(_PREFIXES)):
        return False
    return any(line.startswith(_PREFIXES) or line.startswith(b"# TYPE ") for line in lines)


def scrape_records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """`{"at": Unix seconds or None, "samples": [[name, labels, value], ...]}` per scrape, in order."""
    at: float | None = None
    samples: list[list[Any]] = []
    for line in lines:
        text = line.decode().strip()
        said = _SCRAPED.match(text)
        if said:
            if samples:
                yield {"at": at, "samples": samples}
            at, samples = _seconds(said[1]), []
        elif (found := _SAMPLE.fullmatch(text)) and found[1].encode().startswith(_PREFIXES):
            if (value := _number(found[3])) is None:
                continue
            when = at if found[4] is None else _seconds(found[4])
            if when != at and samples:
                yield {"at": at, "samples": samples}
                samples = []
            at = when
            samples.append([found[1], _labels(found[2] or ""), value])
    if samples:
        yield {"at": at, "samples": samples}


def _labels(text: str) -> dict[str, str]:
    return {name: json.loads(f'"{value}"', strict=False) for name, value in _LABEL.findall(text) if _is_text(value)}


def _is_text(value: str) -> bool:
    try:
        json.loads(f'"{value}"', strict=False)
    except ValueError:
        return False
    return True


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 2.0**63 else None


def _seconds(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number / 1000.0 if number >= _FIRST_MS else number
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
