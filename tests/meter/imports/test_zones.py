"""Zones as people write them."""

from __future__ import annotations

import pytest

from mesure.catalogue import current
from mesure.errors import UnknownName
from mesure.meter.imports import zone_named


def test_every_code_of_the_catalogue_is_itself() -> None:
    zones = current().zones()
    assert len(zones) > 100
    assert [zone_named(code.lower()) for code in zones] == list(zones)


@pytest.mark.parametrize(
    ("said", "zone"),
    [("France", "FRA"), (" fr ", "FRA"), ("Allemagne", "DEU"), ("Germany", "DEU"), ("États-Unis", "USA")],
)
def test_countries_by_name_and_by_two_letters(said: str, zone: str) -> None:
    assert zone_named(said) == zone


@pytest.mark.parametrize("said", ["Mars", "Frnace", "", "zz"])
def test_others_are_refused_and_never_guessed(said: str) -> None:
    with pytest.raises(UnknownName) as refused:
        zone_named(said)
    assert refused.value.value == said
    assert set(refused.value.nearest) <= set(current().zones())


def test_a_misspelt_country_gets_its_code() -> None:
    with pytest.raises(UnknownName) as refused:
        zone_named("Frnace")
    assert refused.value.nearest[0] == "FRA"
