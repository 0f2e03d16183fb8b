"""The page over a real ledger: what a newcomer asks is answered in words, and every link leads somewhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from explored_ledger import NOW, client, events, filled, page, source
from held_pages import client_of
from page_reader import read
from starlette.testclient import TestClient

from mesure.apps.web.explore.query import MEASURES
from mesure.apps.web.explore.words import DIMENSIONS, SENTENCES
from mesure.i18n import catalog
from mesure.ledger import DIMENSIONS as NAMES
from mesure.ledger import View

_LANGUAGES = ("fr", "en")
_STATES = (
    "",
    "?show=time",
    "?show=calls",
    "?team=Service%20client",
    "?team=",
    "?team=Service%20client&use_case=Horaires&model=gpt-4o",
    "?range=12m&measure=co2e&by=model",
    "?range=today&measure=calls",
    "?range=last-month&measure=money&by=provider&sort=name",
    "?from=2026-10-25&to=2026-10-25&measure=tokens&by=environment",
    "?measure=minerals&by=figure",
    "?measure=water&provider=openai&environment=test",
    "?per=week&measure=primary-energy&by=end_client",
    "?from=2020-01-01&to=2020-02-01",
)
_every_state = pytest.mark.parametrize("state", _STATES)
_both = pytest.mark.parametrize("language", _LANGUAGES)


@pytest.fixture
def opened(explored: View) -> TestClient:
    return client(explored)


# What a newcomer asks


def test_answers_of_a_newcomer_in_words(opened: TestClient) -> None:
    text = page(opened, language="en").one("main").text
    first = page(opened, language="en").one("h1").text
    assert re.fullmatch(
        r"This month, the energy of your AI use is estimated at [\d.,]+ k?Wh \[[\d.,]+–[\d.,]+\] \.", first
    )
    assert re.search(r"(\d+% (more|less) than|[\d.]+ times as much as) at the same point of October, for", text)
    assert re.search(r"Largest part: Service client , \d+%\.", text)
    assert re.search(r"As much as (bringing|one LED bulb|[\d.]+ .* LED bulbs)", text)
    assert re.search(r"modelled|by default", text)
    assert re.search(r"\d+% of tokens belong to a known model", text)
    assert "Why these figures?" in text
    assert "our 90% interval" in text


def test_the_same_in_french(opened: TestClient) -> None:
    text = page(opened).one("main").text
    assert re.search(r"Ce mois-ci, la consommation de votre IA est estimée à [\d,]+ k?Wh \[", text)
    assert re.search(r"qu’au même point d’octobre, pour", text)
    assert re.search(r"Plus grande part : Service client , \d+ %\.", text)
    assert re.search(r"\d+ % des jetons rattachés à un modèle connu", text)


@_every_state
def test_both_languages_show_the_same_page(opened: TestClient, state: str) -> None:
    french, english = (page(opened, state, language).one("main") for language in _LANGUAGES)
    assert french.outline == english.outline
    figures = [re.sub(r"\D", "", " ".join(node.text for node in one.all("tbody"))) for one in (french, english)]
    if "show=time" not in state and "use_case" not in state and "calls" not in state:
        assert figures[0] == figures[1]


@_every_state
@_both
def test_every_state_keeps_to_its_budget(opened: TestClient, state: str, language: str) -> None:
    answer = opened.get(f"/{language}/explore{state}")
    assert answer.status_code == 200
    assert len(answer.content) <= 50_000
    found = read(answer.text)
    assert len(found.all()) <= 350
    assert "None" not in found.one("main").text
    assert "{" not in found.one("main").text


@_every_state
@_both
def test_headings_tables_and_drawings_say_what_they_are(opened: TestClient, state: str, language: str) -> None:
    main = page(opened, state, language).one("main")
    assert [node.tag for node in main.all("h1", "h2")][:1] == ["h1"]
    for drawing in main.all("svg"):
        assert drawing["aria-hidden"] == "true" or (drawing["role"] == "img" and drawing["aria-label"])
        assert not drawing.all("text")
    for table in main.all("table"):
        heads = [head for head in table.all("th") if head["scope"] == "col"]
        assert all(head["scope"] in ("row", "col") for head in table.all("th"))
        for row in table.one("tbody").all("tr"):
            cells = row.all("td", "th")
            assert len(cells) == len(heads)
            assert ["n" in cell.classes for cell in cells] == ["n" in head.classes for head in heads]
    ids = [node["id"] for node in page(opened, state, language).all() if node["id"]]
    assert len(ids) == len(set(ids))


@_every_state
def test_every_link_of_the_page_is_a_canonical_state_that_answers(opened: TestClient, state: str) -> None:
    for link in page(opened, state, "en").one("main").all("a"):
        address = link["href"]
        assert link.text
        if urlsplit(address).path != "/en/explore":
            assert address.startswith(("/en/why", "/en/calls/", "/api/explore"))
        if not address.startswith("/en/calls/"):
            answer = opened.get(address, follow_redirects=False)
            assert answer.status_code == 200, (address, answer.status_code, answer.headers.get("location"))


# Down to a call, and back


def test_from_the_organisation_down_to_a_call(explored: View) -> None:
    held = source(explored)
    for event in events():
        held.events[event.id] = event
    opened = client_of(held, now=NOW)
    found, way = page(opened, "?by=organisation", "en"), []
    for _ in range(6):
        rows = found.all("tbody")[0].all("tr")
        link = rows[0].all("a")[0]
        if link["href"].startswith("/en/calls/"):
            break
        way.append(link.text)
        found = page(opened, link["href"].removeprefix("/en/explore"), "en")
    assert way[0] == "Relation Plus"
    assert way[2] == "Service client"
    assert len(way) == 5
    crumbs = next(node for node in found.all("nav") if "crumbs" in node.classes)
    assert [item.text.split(" ", 1)[-1] for item in crumbs.all("li")][1:3] == ["Relation Plus", f"client {way[1]}"]
    links = [(a["href"], a.text) for a in crumbs.all("a")]
    assert links[0] == ("/en/explore", "Everything")
    assert len(links) == 5  # where one is links nowhere
    assert len(crumbs.all("span")) - len([s for s in crumbs.all("span") if "of" in s.classes]) == 1


def test_what_is_not_stated_is_shown_as_such_and_can_be_looked_into(opened: TestClient) -> None:
    main = page(opened, "", "en").one("main")
    rows = {row.all("a")[0].text: row for row in main.one("tbody").all("tr")}
    unstated = rows["team not stated"]
    address = unstated.all("a")[0]["href"]
    assert address == "/en/explore?team="
    inside = page(opened, "?team=", "en").one("main")
    assert "for team not stated" in inside.one("h1").text
    counted = unstated.all("td")[-1].text
    assert sum(int(row.all("td")[-1].text.replace(",", "")) for row in inside.one("tbody").all("tr")) == int(counted)


def test_no_page_speaks_of_a_person(opened: TestClient) -> None:
    assert not {"user", "contact_id", "conversation_id"} & {*NAMES, *DIMENSIONS}
    assert opened.get("/en/explore?by=user").status_code == 400
    assert opened.get("/en/explore?user=anna").status_code == 400


def test_a_condition_that_crosses_can_be_dropped(opened: TestClient) -> None:
    crumbs = next(
        n for n in page(opened, "?team=Qualit%C3%A9&provider=openai", "en").all("nav") if "crumbs" in n.classes
    )
    dropped = next(link for link in crumbs.all("a") if "drop" in link.classes)
    assert dropped.text.startswith("Provider: openai")
    assert dropped["href"] == "/en/explore?team=Qualit%C3%A9"


# Tables


def test_groups_are_sorted_as_asked(opened: TestClient) -> None:
    def names(query: str) -> list[str]:
        return [row.all("a")[0].text for row in page(opened, query, "en").one("tbody").all("tr")]

    assert names("")[0] == "Service client"
    assert names("?sort=name") == ["Back-office", "Qualité", "Service client", "team not stated"]
    head = next(th for th in page(opened, "?sort=name", "en").all("th") if th["aria-sort"])
    assert (head.text, head["aria-sort"]) == ("Team", "ascending")
    calls = [
        int(row.all("td")[-1].text.replace(",", "")) for row in page(opened, "?sort=calls", "en").one("tbody").all("tr")
    ]
    assert calls == sorted(calls, reverse=True)


def test_the_table_holds_the_numbers_of_the_ledger(opened: TestClient, explored: View) -> None:
    since, until = NOW.replace(day=1, hour=0, minute=0, second=0).astimezone(), NOW
    counted = Counter(event.team for event in events() if event.started_at.month == 11 and event.started_at < until)
    assert since < until
    rows = {row.all("a")[0].text: row.all("td")[-1].text for row in page(opened, "", "en").one("tbody").all("tr")}
    assert rows.pop("team not stated") == str(counted.pop(None))
    assert rows == {str(team): str(count) for team, count in counted.items()}


def test_many_groups_come_in_pages(tmp_path: Path) -> None:
    made = [event for number, event in enumerate(events(90)) if number % 5]
    made = [_with(event, use_case=f"cas {number:03}") for number, event in enumerate(made)]
    opened = client(filled(tmp_path, made))
    seen: list[str] = []
    query: str | None = "?range=12m&by=use_case&sort=name"
    pages = 0
    while query is not None:
        found = page(opened, query, "en").one("main")
        seen += [row.all("a")[0].text for row in found.one("tbody").all("tr")]
        onward = [link["href"] for link in found.all("a") if link["rel"] == "next"]
        query = onward[0].removeprefix("/en/explore") if onward else None
        pages += 1
    assert pages == 6
    assert len(seen) == len(set(seen)) == len(made)
    assert seen == sorted(seen)
    beyond = page(opened, "?range=12m&by=use_case&sort=name&page=99", "en")
    assert "6 of 6" in beyond.one("main").text
    keys = next(node for node in beyond.all("ul") if "legend" in node.classes)
    assert [item.text for item in keys.all("li")][-1] == "68 others"


def _with(event: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(event, **changes)


def test_the_table_over_time_is_that_of_the_bars(opened: TestClient) -> None:
    main = page(opened, "?range=7d&measure=calls&show=time", "en").one("main")
    rows = [[cell.text for cell in row.all("th", "td")] for row in main.one("tbody").all("tr")]
    assert [row[0] for row in rows][:2] == ["22 November 2026", "21 November 2026"]
    assert len(rows) == 7
    for row in rows:
        whole, *parts = (int(text.replace(",", "")) for text in row[1:])
        assert whole == sum(parts)


def test_calls_are_listed_and_go_on(opened: TestClient) -> None:
    seen: list[str] = []
    query: str | None = "?show=calls"
    while query is not None and len(seen) < 40:
        main = page(opened, query, "en").one("main")
        links = [link["href"] for link in main.one("tbody").all("a")]
        assert all(link.startswith("/en/calls/") for link in links)
        seen += links
        onward = [link["href"] for link in main.all("a") if link["rel"] == "next"]
        query = onward[0].removeprefix("/en/explore") if onward else None
    assert len(seen) == len(set(seen)) >= 40


# Measures


@pytest.mark.parametrize("measure", list(MEASURES))
@_both
def test_every_measure_is_told_in_a_sentence_of_its_own(opened: TestClient, measure: str, language: str) -> None:
    found = page(opened, f"?measure={measure}" if measure != "energy" else "", language)
    words = SENTENCES[measure]
    patterns = [
        re.escape(catalog(language).t(text, when="WHEN", amount="AMOUNT")).replace("WHEN", ".+").replace("AMOUNT", ".+")
        for text in words
    ]
    heading = found.one("h1").text.replace(" .", ".")
    assert any(re.fullmatch(_plain(pattern), heading) for pattern in patterns), heading
    current = [a.text for a in found.one("dl").all("a") if a["aria-current"]]
    assert len(current) == 3  # period, measure, split


def _plain(pattern: str) -> str:
    return pattern.replace("\u202f", " ").replace("\\\u202f", " ").replace("\u00a0", " ").replace("\\ ", " ")


def test_calls_without_a_figure_are_counted_and_said(opened: TestClient) -> None:
    main = page(opened, "?measure=money&by=provider", "en").one("main")
    text = main.text
    missing = re.search(r"([\d,]+) calls have no figure and are not in this total", text)
    assert missing
    rows = {row.all("a")[0].text: row.all("td") for row in main.one("tbody").all("tr")}
    assert rows["interne"][1].text == "—"
    without = [int(m) for m in re.findall(r"(\d+) calls? without a figure", text)]
    assert sum(without) == int(missing[1])
    keys = next(node for node in main.all("ul") if "legend" in node.classes)
    assert "interne" not in [item.text for item in keys.all("li")]  # unknown is not drawn


def test_a_status_that_differs_is_shown_beside_its_group(opened: TestClient) -> None:
    rows = {row.all("a")[0].text: row.text for row in page(opened, "?by=provider", "en").one("tbody").all("tr")}
    assert "measured" in rows["local"]


# Nothing, and too much


@_both
def test_a_period_without_calls_says_so(opened: TestClient, language: str) -> None:
    main = page(opened, "?from=2020-01-01&to=2020-02-01", language).one("main")
    said = {"en": "no AI call was made", "fr": "aucun appel d’IA n’a été fait"}[language]
    assert said in main.one("h1").text
    assert not main.all("table")
    assert main.one("dl")  # the way out stays


def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    main = page(client(filled(tmp_path, [])), "", "en").one("main")
    assert "no AI call was made" in main.text
    assert "nothing to compare with" in main.text


def test_names_are_shown_as_they_are_and_never_run(tmp_path: Path) -> None:
    name = "<script>alert('\"&x')</script> \x00{when}"
    opened = client(filled(tmp_path, [_with(event, team=name.replace("\x00", "")) for event in events(12)]))
    answer = opened.get("/en/explore?range=12m")
    assert "<script>alert" not in answer.text
    found = read(answer.text)
    link = found.one("main").one("tbody").all("a")[0]
    assert link.text == name.replace("\x00", "")
    inside = page(opened, link["href"].removeprefix("/en/explore"), "en")
    assert name.replace("\x00", "") in inside.one("h1").text


# Addresses


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("?range=month", "/fr/explore"),
        ("?measure=co2e&range=12m", "/fr/explore?range=12m&measure=co2e"),
        ("?from=2026-11-01&to=2026-11-15&measure=energy", "/fr/explore?from=2026-11-01&to=2026-11-15"),
        ("?team=Service+client", "/fr/explore?team=Service%20client"),
    ],
)
def test_one_state_has_one_address(opened: TestClient, asked: str, leads: str) -> None:
    answer = opened.get(f"/fr/explore{asked}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, leads)
    assert opened.get(leads, follow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    ("asked", "english", "french"),
    [
        ("?measure=wate", "measure=wate", "measure=wate"),
        ("?page=zero", "This is not the number of a page", "Ce n’est pas le numéro d’une page"),
        ("?from=2026-11-02&to=2026-11-01", "The period ends before it begins", "La période finit"),
        ("?range=12m&per=day", "too many parts", "trop de parties"),
        ("?nonsense=1", "no such choice", "ne connaît pas ce choix"),
        ("?from=1990-01-01&to=1990-01-02", "out of sight", "hors de vue"),
    ],
)
def test_a_bad_value_is_a_clear_sentence(opened: TestClient, asked: str, english: str, french: str) -> None:
    for language, said in (("en", english), ("fr", french)):
        answer = opened.get(f"/{language}/explore{asked}")
        assert answer.status_code == 400
        text = read(answer.text).text
        assert said in text
        assert answer.headers["content-security-policy"]
        assert [link["href"] for link in read(answer.text).one("main").all("a")] == [f"/{language}/explore"]


def test_the_language_link_keeps_the_state(opened: TestClient) -> None:
    found = page(opened, "?range=7d&team=Qualit%C3%A9", "en")
    switch = next(link for link in found.all("a") if "lang" in link.classes)
    assert switch["href"] == "/fr/explore?range=7d&team=Qualit%C3%A9"
    links = {link["rel"]: link["href"] for link in found.all("link")}
    assert links["canonical"] == "/en/explore?range=7d&team=Qualit%C3%A9"
    assert links["alternate"] == "/fr/explore?range=7d&team=Qualit%C3%A9"


def test_the_form_of_dates_keeps_the_rest_of_the_state(opened: TestClient) -> None:
    form = page(opened, "?range=7d&measure=co2e&team=Qualit%C3%A9", "en").one("form")
    assert (form["method"], form["action"]) == ("get", "/en/explore")
    given = {entry["name"]: entry["value"] for entry in form.all("input")}
    assert given == {"from": "2026-11-16", "to": "2026-11-22", "measure": "co2e", "team": "Qualité"}
    answer = opened.get("/en/explore", params=given)
    assert answer.status_code == 200
    assert "From 16 November 2026 to 22 November 2026, for Qualité" in read(answer.text).one("h1").text


def test_scale_speaks_of_everybody_or_of_nobody(explored: View) -> None:
    """A headcount is that of the organisation: not of one of its teams."""
    for state in ("?range=12m", "?range=12m&team=Service%20client"):
        text = page(client(explored, headcount=2), state, "en").one("main").text
        assert ("people" in text) <= (state == "?range=12m")


def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    view = filled(tmp_path, events(20))
    for file in tmp_path.rglob("*.parquet"):
        file.unlink()
    answer = client(view).get("/en/explore")
    assert answer.status_code == 503
    assert "could not be read" in read(answer.text).text
