"""A formula tree drawn in a terminal: aligned values, numbered sources listed once below."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.words import FORMULAS, STATUSES, STEPS
from mesure.quantity import has_prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mesure.apps.cli.voice import Voice
    from mesure.catalogue import Factor
    from mesure.impact.explain import Explanation, Node
    from mesure.quantity import Quantity

__all__ = ["bounded", "drawn", "sources"]

_WIDTH = 110


class _Line(NamedTuple):
    name: str
    value: str
    status: str
    below: tuple[str, ...] = ()  # formula and numbers of the sources, under the name


def drawn(voice: Voice, explanation: Explanation) -> Iterator[str]:
    """The trees, line by line. A part shown once is referred to afterwards."""
    numbers = {factor.id: index for index, factor in enumerate(explanation.factors(), 1)}
    lines: list[_Line] = []
    seen: set[str] = set()
    for root in explanation.roots:
        lines.extend(_lines(voice, root, numbers, seen, "", ""))
    name_width = max(len(line.name) for line in lines)
    value_width = max(len(line.value) for line in lines)
    for line in lines:
        yield f"{line.name:<{name_width}}  {line.value:<{value_width}}  {line.status}".rstrip()
        yield from line.below


def _lines(
    voice: Voice, node: Node, numbers: Mapping[str, int], seen: set[str], branch: str, trunk: str
) -> Iterator[_Line]:
    value = _figure(voice, node.quantity)
    status = "" if node.quantity is None else voice.t(STATUSES[node.quantity.status])
    name = branch + _step(voice, node.name)
    if node.name in seen:
        yield _Line(name, value, voice.t("(as above)"))
        return
    seen.add(node.name)
    bar = trunk + ("│  " if node.children else "   ")
    below = [f"{bar}= {_formula(voice, node.formula)}"]
    if node.factors:
        cited = voice.t("sources {numbers}", numbers=_ranges(sorted({numbers[f.id] for f in node.factors})))
        below.append(f"{bar}  {cited}")
    yield _Line(name, value, status, tuple(below))
    for index, child in enumerate(node.children):
        last = index == len(node.children) - 1
        yield from _lines(
            voice, child, numbers, seen, trunk + ("└─ " if last else "├─ "), trunk + ("   " if last else "│  ")
        )


def _step(voice: Voice, name: str) -> str:
    return voice.t(STEPS[name]) if name in STEPS else name


def _formula(voice: Voice, formula: str) -> str:
    """In words; the names of steps in it are those of their lines."""
    if formula in FORMULAS:
        return voice.t(formula)
    return _NAME.sub(lambda found: _step(voice, found[0]), voice.t(formula))


#: A step's name inside a formula: words joined, or the one that is a single word.
_NAME = re.compile(r"[a-z]+(?:_[a-z0-9]+)+|\bpue\b")


def _figure(voice: Voice, quantity: Quantity | None) -> str:
    """As on the pages, but for the very small coefficients of a formula: those keep their powers of ten."""
    if quantity is None:
        return voice.t("unknown")
    if 0.0 < quantity.mid < 1e-4 and not has_prefixes(quantity.unit):
        low, mid, high = (f"{value:.2g}".replace(".", voice.translator.number(0.5, 1)[1]) for value in quantity[:3])
        return f"{mid} {quantity.unit} [{low}–{high}]"
    return str(voice.translator.quantity(quantity))


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 -> 1-3, 7"""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def bounded(voice: Voice, factor: Factor) -> str:
    """A factor's value and bounds, as the source gave them."""
    value, low, high = (voice.translator.plain(number, 6) for number in (factor.value, factor.low, factor.high))
    return value if factor.low == factor.high else f"{value} [{low}–{high}]"


def sources(voice: Voice, factors: Sequence[Factor]) -> Iterator[str]:
    """Every factor with its value, source, year and licence."""
    for number, factor in enumerate(factors, 1):
        yield f"{number:>3}  {factor.id} = {bounded(voice, factor)} {factor.unit}"
        cited = f"{factor.source}, {factor.year}. {voice.t('Licence:')} {factor.licence}. {factor.source_url}".strip()
        yield from textwrap.wrap(
            cited,
            _WIDTH,
            initial_indent=" " * 5,
            subsequent_indent=" " * 5,
            break_long_words=False,
            break_on_hyphens=False,
        )
