"""A sourced factor as a line of a page: value, source, year, licence, and how sure it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from htpy import Element, Node, a, code, li, span

from mesure.apps.words import FACTOR_STATUSES, UNITS
from mesure.i18n.text import NARROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Factor
    from mesure.meter.sensors import SensorFactor

__all__ = ["factor_line", "factor_lines", "tidy"]

#: Notes that curators leave in a source or licence; people read their meaning instead, as a status.
_NOTES = re.compile(
    r"\s*\(keep this file apart\)|[\s,;:]*\bpage not opened\b|[\s,;:]*\b(?:to )?(?:verify|confirm)\b[^,;:()]*"
)
_OURS = re.compile(r"Mesure authors, (?:guess|assumption|expert (estimate|knowledge) of [^:,]+)(?::|,|\b)\s*")


def tidy(text: str) -> tuple[str, bool]:
    """The text without working notes, and whether one asked for a check."""
    kept = _NOTES.sub("", text)
    unchecked = any("apart" not in note[0] for note in _NOTES.finditer(text))
    return kept.replace("()", "").strip(" ,;:"), unchecked


def factor_lines(factors: Iterable[Factor | SensorFactor], reader: Reader) -> list[Element]:
    """One line a source: figures that share theirs, its year and its licence stand together."""
    groups: dict[tuple[object, ...], list[Factor | SensorFactor]] = {}
    for factor in factors:
        told = (factor.source, factor.source_url, factor.year, factor.licence, factor.status)
        groups.setdefault(told, []).append(factor)
    return [_line(group, reader) for group in groups.values()]


def factor_line(factor: Factor | SensorFactor, reader: Reader) -> Element:
    return _line([factor], reader)


def _line(group: Sequence[Factor | SensorFactor], reader: Reader) -> Element:
    t, factor = reader.t, group[0]
    licence, licence_unchecked = tidy(factor.licence)
    unchecked = licence_unchecked or tidy(factor.source)[1]
    status = FACTOR_STATUSES.get("unchecked" if unchecked else factor.status)
    if _OURS.match(factor.source):  # its source says so already
        status = None
    one = len(group) == 1
    return li[
        _value(factor, reader) if one else code[_listed(group, reader)],
        " · ",
        _source(factor, reader),
        f" · {factor.year} · {t.t('licence:')} ",
        licence,
        f" · {t.t(status)}" if status else None,
        [" · ", code[factor.id]] if one else None,
    ]


def _listed(group: Sequence[Factor | SensorFactor], reader: Reader) -> str:
    return " · ".join(f"{factor.id} = {_value(factor, reader)}" for factor in group)


def _source(factor: Factor | SensorFactor, reader: Reader) -> Node:
    """Titles stay in their language. An assumption of ours links to no paper: none states it."""
    text = tidy(factor.source)[0]
    if ours := _OURS.match(text):
        said = reader.t.t("estimate of Mesure's authors") if ours[1] else reader.t.t("assumption of Mesure's authors")
        return [said, _quoted(text[ours.end() :], reader)]
    if not factor.source_url.startswith(("https://", "http://")):
        return span(lang="en")[text]
    return a(href=factor.source_url, rel="noreferrer", lang="en" if reader.language != "en" else None)[text]


def _quoted(text: str, reader: Reader) -> Node:
    if not text:
        return None
    return [": ", text] if reader.language == "en" else ["\u00a0: ", span(lang="en")[text]]


def _value(factor: Factor | SensorFactor, reader: Reader) -> str:
    t = reader.t
    words = UNITS.get(factor.unit, factor.unit)
    unit = t.t(words) if words else ""
    value = t.plain(factor.value)
    interval = f" [{t.plain(factor.low)}–{t.plain(factor.high)}]" if factor.low != factor.high else ""
    return f"{value}{NARROW}{unit}{interval}" if unit else f"{value}{interval}"
