"""Grid zones as people write them: a code of the catalogue, a country's two letters, or its name."""

from __future__ import annotations

from functools import cache

from mesure.errors import UnknownName, nearest_names

__all__ = ["zone_named"]


def zone_named(text: str) -> str:
    """The catalogue's code of a zone. Raises `UnknownName` with the nearest codes for one it has no factor for."""
    from mesure.catalogue import current

    zones = current().zones()
    asked = text.strip().casefold()
    found = next((code for code in zones if code.casefold() == asked), None) or _spoken(tuple(zones.items())).get(asked)
    if found is not None:
        return found
    names = _spoken(tuple(zones.items()))
    near = (names.get(name, name) for name in nearest_names(asked, [*names, *zones]))
    raise UnknownName(
        "This grid zone has no factor in the catalogue",
        value=text,
        nearest=tuple(dict.fromkeys(near)),
        action="Use a country (France, FR or FRA) or the code of a listed grid zone.",
    )


@cache
def _spoken(zones: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Names in English and French, and the two letters of ISO 3166-1, folded -> zone."""
    from babel import Locale
    from babel.core import get_global

    names = {name.casefold(): code for code, name in zones}
    aliases = get_global("territory_aliases")
    for code, _ in zones:
        two = aliases.get(code, [])
        if len(code) == 3 and len(two) == 1:
            names.setdefault(two[0].casefold(), code)
            for language in ("en", "fr"):
                names.setdefault(Locale(language).territories.get(two[0], code).casefold(), code)
    return names
