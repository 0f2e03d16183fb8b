"""Estimates under another edition, and everything as before afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesure.catalogue import current, use
from mesure.catalogue.store import packaged
from mesure.impact import estimate
from mesure.impact.methods import under
from own_factors import own_factor

OWN = own_factor(400, year=2020)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def grams() -> float:
    found = estimate("llama-3.1-8b", input_tokens=100, output_tokens=100, zone="FRA").gwp_gco2eq
    assert found is not None
    return found.mid


def test_inside_the_other_edition_counts_and_outside_this_one_again(own: Path) -> None:
    before = grams()
    other = packaged().with_user_file(own)
    with under(other):
        assert current() is other
        assert grams() > 3 * before
    assert current() is packaged()
    assert grams() == before


def test_also_after_an_error(own: Path) -> None:
    def fail() -> None:
        with under(packaged().with_user_file(own)):
            grams()
            raise KeyError

    before = grams()
    with pytest.raises(KeyError):
        fail()
    assert current() is packaged()
    assert grams() == before


def test_the_edition_in_use_may_itself_be_a_user_s(own: Path) -> None:
    mine = packaged().with_user_file(own)
    use(mine)
    with under(packaged()):
        assert current() is packaged()
    assert current() is mine


def test_taken_into_use_it_counts_at_once_and_left_it_no_longer_does(own: Path) -> None:
    before = grams()
    use(packaged().with_user_file(own))
    assert grams() > 3 * before
    use(None)
    assert grams() == before
