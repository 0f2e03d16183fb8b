"""Prometheus' text format, and its query answers, read for the few series that are wanted."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["Series", "matches", "parse_query", "parse_text"]

_LINE = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$")
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Series(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def parse_text(text: str, names: Collection[str]) -> Iterator[Series]:
    """Series of the wanted names, in their order. Lines of others are not even split: servers show thousands."""
    starts = tuple(names)
    for line in text.splitlines():
        if not line.startswith(starts):
            continue
        found = _LINE.match(line)
        if found is None or found[1] not in names:
            continue
        value = _number(found[3])
        if value is not None:
            yield Series(found[1], _labels(found[2] or ""), value)


def parse_query(answer: Any) -> Iterator[Series]:
    """Series of an instant query's vector. `ValueError` when the answer is not one."""
    try:
        if answer["status"] != "success" or answer["data"]["resultType"] != "vector":
            raise ValueError("not the answer of an instant query")
        for row in answer["data"]["result"]:
            labels = dict(row["metric"])
            value = _number(row["value"][1])
            if value is not None:
                yield Series(labels.pop("__name__", ""), labels, value)
    except (KeyError, TypeError, IndexError):
        raise ValueError("not the answer of an instant query") from None


def matches(series: Series, wanted: Mapping[str, str]) -> bool:
    """Whether it bears every label wanted, with that value."""
    return all(series.labels.get(name) == value for name, value in wanted.items())


def _labels(text: str) -> dict[str, str]:
    return {
        name: re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), value)
        for name, value in _LABEL.findall(text)
    }


def _number(text: str) -> float | None:
    """None for what is not a figure: NaN and infinities stand for no reading."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
