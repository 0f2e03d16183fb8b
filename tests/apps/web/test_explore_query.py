"""The state of the page in its address: read, checked, and written in one way."""

from __future__ import annotations

import itertools
from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.web.explore.query import LEVELS, MEASURES, PERIODS, RANGES, SORTS, VIEWS, Query, next_level, parsed
from mesure.errors import InvalidValue
from mesure.ledger import DIMENSIONS, Place


def _from(text: str) -> Query:
    return parsed(parse_qsl(text, keep_blank_values=True))


_names = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
_days = st.dates(date(2001, 1, 1), date(2100, 1, 1))


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    first, last = sorted((draw(_days), draw(_days)))
    dated = draw(st.booleans())
    names = draw(st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=4))
    found = Query(
        range="dates" if dated else draw(st.sampled_from(RANGES[:-1])),
        first=first if dated else None,
        last=last if dated else None,
        per=draw(st.none() | st.sampled_from(PERIODS)),
        measure=draw(st.sampled_from(list(MEASURES))),
        by=draw(st.none() | st.sampled_from(DIMENSIONS)),
        where=tuple((name, draw(_names) or None) for name in DIMENSIONS if name in names),
        show=draw(st.none() | st.sampled_from(VIEWS)),
        sort=draw(st.sampled_from(SORTS)),
    ).but()
    place = draw(st.none() | st.builds(Place, st.integers(0, 10**16), st.uuids().map(str)))
    return found if place is None else found.but(after=place)


@given(_queries())
def test_what_is_written_is_read_again(query: Query) -> None:
    assert _from(query.text()) == query
    assert _from(query.text()).text() == query.text()


@given(_queries())
def test_an_address_holds_plain_characters_only(query: Query) -> None:
    assert query.text().isascii()
    assert not set(query.text()) & set(" \"'<>#\\")


def test_the_usual_is_not_said() -> None:
    assert Query().text() == ""
    assert _from("range=month&measure=energy&by=team&show=groups&sort=amount&page=1").text() == ""


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("measure=co2e&range=12m", "range=12m&measure=co2e"),
        ("model=gpt-4o&team=Service%20client", "team=Service%20client&model=gpt-4o"),
        ("team=Service+client", "team=Service%20client"),
        ("to=2026-11-15&from=2026-11-01", "from=2026-11-01&to=2026-11-15"),
        ("team=&by=use_case", "team="),
        ("team=A&use_case=B&by=model&show=groups", "team=A&use_case=B"),
        ("model=m&show=calls", "model=m"),
        ("model=m&show=time", "model=m&show=time"),
        ("provider=openai&by=team", "provider=openai"),
        ("page=3&sort=name", "sort=name&page=3"),
        ("range=month&from=2026-11-01&to=2026-11-02", "from=2026-11-01&to=2026-11-02"),
    ],
)
def test_one_state_has_one_address(text: str, canonical: str) -> None:
    assert _from(text).text() == canonical
    assert _from(canonical).text() == canonical


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        ("range=year", "not one of the page's", "range=year"),
        ("range=dates", "not one of the page's", "range=dates"),
        ("measure=energie", "not one of the page's", "measure=energie"),
        ("per=decade", "not one of the page's", "per=decade"),
        ("by=user", "not one of the page's", "by=user"),
        ("show=everything", "not one of the page's", "show=everything"),
        ("sort=random", "not one of the page's", "sort=random"),
        ("user=anna", "no such choice", "user"),
        ("utm_source=x", "no such choice", "utm_source"),
        ("team=A&team=B", "made twice", "team=B"),
        ("team=" + "a" * 301, "no name", "team=" + "a" * 40),
        ("team=a%00b", "no name", "team=a\x00b"),
        ("from=2026-11-01", "go by two", "from/to=2026-11-01"),
        ("to=2026-11-01", "go by two", "from/to=2026-11-01"),
        ("from=2026-11-31&to=2026-12-01", "not a day", "from=2026-11-31"),
        ("from=01/11/2026&to=2026-12-01", "not a day", "from=01/11/2026"),
        ("from=2026-11-02&to=2026-11-01", "ends before", "from/to=2026-11-02 > 2026-11-01"),
        ("page=0", "number of a page", "page=0"),
        ("page=-1", "number of a page", "page=-1"),
        ("page=1.5", "number of a page", "page=1.5"),
        ("page=٣", "number of a page", "page=٣"),
        ("page=99999999999999", "number of a page", "page=99999999999999"),
        ("after=yesterday", "no place", "after=yesterday"),
        ("after=1-'--", "no place", "after=1-'--"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_value(text: str, what: str, value: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        _from(text)
    assert what in caught.value.what
    assert caught.value.value == value
    assert caught.value.action


def test_near_misses_are_proposed() -> None:
    for text, nearest in (("measure=wate", "water"), ("by=modle", "model"), ("mesure=water", "measure")):
        with pytest.raises(InvalidValue) as caught:
            _from(text)
        assert nearest in caught.value.nearest


def test_the_way_down_ends_at_calls() -> None:
    query, way = Query(), []
    for value in ("Équipe", "Cas", "gpt-4o"):
        assert query.view == "groups"
        way.append(query.split)
        query = query.within(value)
    assert way == ["team", "use_case", "model"]
    assert (query.split, query.view) == (None, "calls")
    assert query.text() == "team=%C3%89quipe&use_case=Cas&model=gpt-4o"
    assert query.without(["model", "use_case"]) == Query().within("Équipe")


def test_every_level_leads_to_the_next() -> None:
    for above, below in itertools.pairwise(LEVELS):
        assert next_level([above]) == below
    assert next_level([]) == "team"
    assert next_level(["provider", "environment"]) == "team"
    assert next_level(["organisation", "model"]) is None


def test_unknown_is_a_value_of_its_own() -> None:
    query = Query().within(None)
    assert query.text() == "team="
    assert _from("team=").where == (("team", None),)
    assert _from("").where == ()


def test_a_change_starts_from_the_first_page_and_forgets_the_place() -> None:
    later = _from("team=A&page=4")
    assert later.but(measure="water").page == 1
    calls = _from("show=calls&after=12-abc")
    assert calls.after == Place(12, "abc")
    assert calls.but(range="7d").after is None
    assert calls.but(range="7d").view == "calls"


def test_crossing_conditions_do_not_change_the_level() -> None:
    query = _from("by=provider").within("openai")
    assert (query.split, query.where) == ("team", (("provider", "openai"),))
    assert query.within("A").split == "use_case"
