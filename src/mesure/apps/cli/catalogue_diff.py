"""Two editions of the catalogue side by side: what came, went and changed, with both sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.cli.tree import bounded
from mesure.errors import CatalogueError
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.catalogue import Catalogue, Factor

__all__ = ["Differences", "compared", "edition", "show_differences"]


@dataclass(frozen=True)
class Differences:
    added: tuple[Factor, ...]
    removed: tuple[Factor, ...]
    changed: tuple[tuple[Factor, Factor], ...]
    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "added": [factor.to_json() for factor in self.added],
            "removed": [factor.to_json() for factor in self.removed],
            "changed": [{"old": old.to_json(), "new": new.to_json()} for old, new in self.changed],
            "models_added": list(self.models_added),
            "models_removed": list(self.models_removed),
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
    """Differences by id; a user's row is the same figure as the packaged one it replaces."""
    before = {_key(factor): factor for factor in old.factors()}
    after = {_key(factor): factor for factor in new.factors()}
    was, now = set(old.models()), set(new.models())
    return Differences(
        tuple(after[key] for key in sorted(after.keys() - before.keys())),
        tuple(before[key] for key in sorted(before.keys() - after.keys())),
        tuple(
            (before[key], after[key])
            for key in sorted(before.keys() & after.keys())
            if _differ(before[key], after[key])
        ),
        tuple(sorted(now - was)),
        tuple(sorted(was - now)),
    )


def _key(factor: Factor) -> str:
    return factor.id.removeprefix("user.")


def _differ(old: Factor, new: Factor) -> bool:
    return (old.value, old.low, old.high, old.unit) != (new.value, new.low, new.high, new.unit)


def show_differences(voice: Voice, old: str, new: str, found: Differences, limit: int) -> None:
    """At most `limit` lines of each kind, with the count of the rest."""
    voice.say(f"{old} → {new}")
    groups: tuple[tuple[str, list[str]], ...] = (
        (mark("Changed: {count}"), [_change(voice, a, b) for a, b in found.changed]),
        (mark("Added: {count}"), [_line(voice, factor) for factor in found.added]),
        (mark("Removed: {count}"), [_line(voice, factor) for factor in found.removed]),
        (mark("Models added: {count}"), list(found.models_added)),
        (mark("Models removed: {count}"), list(found.models_removed)),
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
