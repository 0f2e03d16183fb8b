"""Two editions of the catalogue side by side: what came, went and changed, with both sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.cli.tree import bounded
from mesure.catalogue.table import FACTOR_TABLES, PRICES, factor_of
from mesure.errors import CatalogueError
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.catalogue import Catalogue, Factor

__all__ = ["Differences", "compared", "edition", "show_differences"]


@dataclass(frozen=True)
class Differences:
    """`sources`: the number is the same, where it comes from is not. Names and prices are (what, before, after), empty
    where there was or is none."""

    added: tuple[Factor, ...]
    removed: tuple[Factor, ...]
    changed: tuple[tuple[Factor, Factor], ...]
    sources: tuple[tuple[Factor, Factor], ...]
    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]
    names: tuple[tuple[str, str, str], ...]
    prices: tuple[tuple[str, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "added": [factor.to_json() for factor in self.added],
            "removed": [factor.to_json() for factor in self.removed],
            "changed": [{"old": old.to_json(), "new": new.to_json()} for old, new in self.changed],
            "sources": [{"old": old.to_json(), "new": new.to_json()} for old, new in self.sources],
            "models_added": list(self.models_added),
            "models_removed": list(self.models_removed),
            "names": [{"name": name, "old": old, "new": new} for name, old, new in self.names],
            "prices": [{"price": price, "old": old, "new": new} for price, old, new in self.prices],
        }


def edition(where: str) -> Catalogue:
    """`packaged`, a folder of tables (another installed edition), or a user's file over the packaged one."""
    from mesure.catalogue import Catalogue, current
    from mesure.catalogue.store import packaged

    path = Path(where)
    if where == "packaged":
        return packaged()
    if where == "current":
        return current()
    if (path / "VERSION").is_file():
        return Catalogue(path)
    if path.is_file():
        return packaged().with_user_file(path)
    raise CatalogueError(
        "This is no edition of the catalogue",
        value=where,
        action="Name packaged, current, a folder of tables with their VERSION, or a file of your own factors.",
    )


def compared(old: Catalogue, new: Catalogue) -> Differences:
    """Differences by id. A user's row replaces every packaged one of its quantity: it is compared with the last."""
    before, after, replaced = _figures(old), _figures(new), _replaced(old, new)
    pairs = [(before[key], after[key]) for key in sorted(before.keys() & after.keys())]
    pairs += [(before[last], after[key]) for key, (last, _) in sorted(replaced.items()) if key not in before]
    spoken_for = {key for _, keys in replaced.values() for key in keys}
    was, now = set(old.models()), set(new.models())
    return Differences(
        tuple(after[key] for key in sorted(after.keys() - before.keys() - replaced.keys())),
        tuple(before[key] for key in sorted(before.keys() - after.keys() - spoken_for)),
        tuple((a, b) for a, b in pairs if _number(a) != _number(b)),
        tuple((a, b) for a, b in pairs if _number(a) == _number(b) and _provenance(a) != _provenance(b)),
        tuple(sorted(now - was)),
        tuple(sorted(was - now)),
        _moved(_names(old), _names(new)),
        _moved(_prices(old), _prices(new)),
    )


def _figures(catalogue: Catalogue) -> dict[str, Factor]:
    return {_key(factor_of(row)): factor_of(row) for table in FACTOR_TABLES for row in _rows(catalogue, table)}


def _rows(catalogue: Catalogue, table: str) -> list[dict[str, str]]:
    """None where an edition did not have the table yet."""
    return catalogue.rows(table) if catalogue.holds(table) else []


def _replaced(old: Catalogue, new: Catalogue) -> dict[str, tuple[str, list[str]]]:
    """Key of a user's row -> (key of the last packaged figure it replaces, keys of all)."""
    series: dict[tuple[str, str, str], list[str]] = {}
    for table in FACTOR_TABLES:
        for row in _rows(old, table):
            series.setdefault((table, row["entity"], row["parameter"]), []).append(_key(factor_of(row)))
    out = {}
    for table in FACTOR_TABLES:
        for row in _rows(new, table):
            if row["id"].startswith("user.") and (held := series.get((table, row["entity"], row["parameter"]))):
                out[_key(factor_of(row))] = (held[-1], held)
    return out


def _names(catalogue: Catalogue) -> dict[str, str]:
    """Name, with its provider and the day it moved where it has them -> model."""
    rows = [*_rows(catalogue, "model_names"), *_rows(catalogue, "model_aliases")]
    return {
        " ".join(filter(None, (row["provider"], row["name"].casefold(), row.get("valid_from")))): row["model"]
        for row in rows
    }


def _prices(catalogue: Catalogue) -> dict[str, str]:
    return {
        f"{row['provider']} {row['model']} {row['tier']} {row['valid_from']}": " / ".join(
            (row.get(column) or "-") for column in ("input", "output", "cache_read", "cache_write")
        )
        for row in _rows(catalogue, PRICES)
    }


def _moved(before: dict[str, str], after: dict[str, str]) -> tuple[tuple[str, str, str], ...]:
    keys = sorted(before.keys() | after.keys())
    pairs = ((key, before.get(key, ""), after.get(key, "")) for key in keys)
    return tuple((key, old, new) for key, old, new in pairs if old != new)


def _key(factor: Factor) -> str:
    return factor.id.removeprefix("user.")


def _number(factor: Factor) -> tuple[float, float, float, str]:
    return factor.value, factor.low, factor.high, factor.unit


def _provenance(factor: Factor) -> tuple[str, str, str, str]:
    return factor.source, factor.source_url, factor.licence, factor.status


def show_differences(voice: Voice, old: str, new: str, found: Differences, limit: int) -> None:
    """At most `limit` lines of each kind, with the count of the rest."""
    voice.say(f"{old} → {new}")
    groups: tuple[tuple[str, list[str]], ...] = (
        (mark("Changed: {count}"), [_change(voice, a, b) for a, b in found.changed]),
        (mark("Added: {count}"), [_line(voice, factor) for factor in found.added]),
        (mark("Removed: {count}"), [_line(voice, factor) for factor in found.removed]),
        (mark("Sources changed: {count}"), [_resourced(a, b) for a, b in found.sources]),
        (mark("Models added: {count}"), list(found.models_added)),
        (mark("Models removed: {count}"), list(found.models_removed)),
        (mark("Names changed: {count}"), [f"{name}: {old or '-'} → {new or '-'}" for name, old, new in found.names]),
        (
            mark("Prices changed: {count}"),
            [_price(voice, *price) for price in found.prices],
        ),
    )
    for title, lines in groups:
        voice.say(voice.t(title, count=voice.translator.number(len(lines))))
        for line in lines[:limit]:
            voice.say(f"  {line}")
        if len(lines) > limit:
            voice.say(f"  {voice.t('and {count} more', count=len(lines) - limit)}")


def _line(voice: Voice, factor: Factor) -> str:
    return f"{_key(factor)} = {bounded(voice, factor)} {factor.unit} ({factor.source}, {factor.year})"


def _change(voice: Voice, old: Factor, new: Factor) -> str:
    """With the ratio of the values, where one unit holds for both."""
    same = old.unit == new.unit
    ratio = f" (x {voice.translator.plain(new.value / old.value, 3)})" if same and old.value else ""
    before = bounded(voice, old) if same else f"{bounded(voice, old)} {old.unit}"
    return f"{_key(new)}: {before} → {bounded(voice, new)} {new.unit}{ratio} ({old.source} → {new.source})"


def _resourced(old: Factor, new: Factor) -> str:
    """What of the provenance changed, before and after."""
    pairs = zip(_provenance(old), _provenance(new), strict=True)
    return f"{_key(new)}: " + "; ".join(f"{before} → {after}" for before, after in pairs if before != after)


def _price(voice: Voice, price: str, old: str, new: str) -> str:
    """USD per million tokens in, out, read from cache and written to it."""

    def told(figures: str) -> str:
        plain = voice.translator.plain
        parts = figures.split(" / ") if figures else ["-"]
        return " / ".join(part if part == "-" else plain(float(part), 6) for part in parts)

    return f"{price}: {told(old)} → {told(new)}"
