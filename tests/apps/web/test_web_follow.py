"""A page that applies every push shows what a page loaded now shows, whatever happened in between."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, pages, settings
from htpy import fragment
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from page_reader import read
from starlette.testclient import TestClient

from mesure.apps.web import calls, now
from mesure.apps.web.live import PUSH_BYTES, Channel
from mesure.apps.web.reader import Reader
from mesure.catalogue import current
from mesure.ledger.view import Overview
from mesure.quantity import Status


class _Page:
    """What a browser holds: its parts, its rows, its needle; `take` does what the script does with a push."""

    def __init__(self, channel: Channel, overview: Overview, reader: Reader) -> None:
        parts = channel.update(overview)
        self.parts = {name: str(fragment[node]) for name, node in parts.items()}
        units = calls.units_of(overview)
        self.rows = [str(calls.row(call, reader, units)) for call in overview.last_calls[: calls.ROWS]]
        self.turn = now.needle(overview)
        self.seen = channel.seen
        self.reloads = 0

    def take(self, channel: Channel) -> None:
        seen = self.seen
        for frame in channel.frames(seen):
            assert len(frame) <= PUSH_BYTES
            head, _, data = frame.rpartition(b"data: ")
            if head:
                self.seen = head.removeprefix(b"id: ").decode().strip()
            message = json.loads(data)
            if message.get("reload"):
                self.reloads += 1
                return
            self.parts |= message.get("set", {})
            if "turn" in message:
                self.turn = message["turn"]
            if "rows" in message:
                fresh = re.findall(r"<tr>.*?</tr>", message["rows"], re.DOTALL)
                kept = [] if message["cut"] else self.rows
                self.rows = [*fresh, *kept][: calls.ROWS]


def _reader(language: str) -> Reader:
    return Reader.of(language, settings())


def _later(overview: Overview, number: int, kind: int) -> Overview:
    """The overview after something happened: a call, several, another power, another month's total, nothing."""
    call = overview.last_calls[0]
    if kind == 0:
        return replace(overview)
    if kind == 1:
        return replace(overview, power_w=overview.power_w.scaled(1.0 + number % 7 / 10), calls_per_minute=number + 1.0)
    count = 1 if kind == 2 else 2 + number % 12
    energy = call.energy_wh.scaled(30.0 if number % 2 else 1 / 30)  # at times the column changes its unit
    fresh = tuple(
        replace(call, id=f"fresh-{number}-{i}", output_tokens=number + i, energy_wh=energy) for i in range(count)
    )
    month = replace(overview.month, calls=overview.month.calls + count)
    return replace(overview, last_calls=(*fresh, *overview.last_calls)[:20], month=month)


@how(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12),
    st.sampled_from(["fr", "en"]),
    st.sampled_from(["office", "small", "large"]),
)
def test_following_is_the_same_as_loading(steps: list[tuple[int, bool]], language: str, scene: str) -> None:
    reader = _reader(language)
    overview = web_scenes.SCENES[scene]()
    channel = Channel(reader, current())
    page = _Page(channel, overview, reader)
    for number, (kind, looked) in enumerate(steps):
        overview = _later(overview, number, kind)
        channel.update(overview)
        if looked:  # otherwise it was hidden, and catches up later
            page.take(channel)
    page.take(channel)
    fresh = _Page(Channel(reader, current()), overview, reader)
    assert page.parts == fresh.parts
    assert page.turn == fresh.turn
    # A push that leaves older rows out replaces the list by what it holds: never more, never out of order
    assert page.rows == fresh.rows[: len(page.rows)]
    assert page.rows
    assert page.seen == channel.seen
    assert channel.frames(page.seen) == []
    assert page.reloads == 0


def test_a_column_that_changes_its_unit_is_drawn_again() -> None:
    reader = _reader("en")
    channel = Channel(reader, current())
    one = web_scenes.small().last_calls[0]
    before = web_scenes.small(last_calls=(replace(one, energy_wh=web_scenes.q(3e-4, 6e-4, 9e-4)),))
    page = _Page(channel, before, reader)
    assert "600\u202fµWh" in page.rows[0]
    after = replace(
        before, last_calls=(replace(one, id="new", energy_wh=web_scenes.q(1e-3, 2e-3, 3e-3)), *before.last_calls)
    )
    channel.update(after)
    page.take(channel)
    assert [("mWh" in row, "µWh" in row) for row in page.rows] == [(True, False), (True, False)]


@pytest.mark.parametrize("seen", ["", "zzz-3", "abc", "-", "-1", "nonsense-5-6"])
def test_a_page_of_another_server_is_brought_to_the_same(seen: str) -> None:
    reader = _reader("fr")
    channel = Channel(reader, current())
    page = _Page(channel, web_scenes.office(), reader)
    page.parts, page.rows, page.seen = {}, [], seen
    channel.update(_later(web_scenes.office(), 1, 2))
    page.take(channel)
    fresh = _Page(Channel(reader, current()), _later(web_scenes.office(), 1, 2), reader)
    assert page.reloads or page.parts == fresh.parts


# Whole pages


def _get(scene: str, path: str, **more: Any) -> str:
    with TestClient(pages(HeldSource(web_scenes.SCENES[scene]()), **more), base_url="http://127.0.0.1:8420") as client:
        answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("scene", ["office", "small", "large"])
def test_every_part_that_pushes_replace_is_on_the_page(scene: str) -> None:
    page = read(_get(scene, "/fr/"))
    ids = {node["id"] for node in page.all()}
    overview = web_scenes.SCENES[scene]()
    for name in now.fragments(overview, current(), _reader("fr")):
        assert name in ids
    assert {"needle", "calls"} <= ids
    shown = [f"/fr/calls/{call.id}" for call in overview.last_calls[: calls.ROWS]]
    assert [node["href"] for node in page.all("a") if "/calls/" in node["href"]] == shown


@pytest.mark.parametrize("language", ["fr", "en"])
def test_all_models_beyond_the_first_are_told_as_one(language: str) -> None:
    text = _get("large", f"/{language}/")
    others = len(web_scenes.large().models) - 5
    assert f"{others} {'autres' if language == 'fr' else 'others'}" in re.sub("[\u00a0\u202f]", " ", text)
    assert "rather-long-name-5" in text
    assert text.count("rather-long-name-6") == 0


@pytest.mark.parametrize(
    ("coverage", "shown"),
    [(1.0, "100%"), (0.9996, "99%"), (0.004, "1%"), (0.0, "0%"), (0.5, "50%")],
)
def test_what_is_not_covered_stays_visible(coverage: float, shown: str) -> None:
    month = replace(web_scenes.office().month, coverage=coverage)
    parts = now.fragments(web_scenes.office(month=month), current(), _reader("en"))
    assert f"{shown} of tokens" in str(fragment[parts["known"]])


def test_calls_are_told_by_how_they_were_obtained() -> None:
    parts = now.fragments(web_scenes.office(statuses={Status.MEASURED: 1, Status.DEFAULT: 0}), current(), _reader("en"))
    text = re.sub("<[^>]+>", "", str(fragment[parts["origin"]]))
    assert text == "Energy: measured 1 callCO₂e: modelled"


@pytest.mark.parametrize(
    ("rate", "shown"), [(0.0, "0"), (0.4, "0.4"), (3.0, "3"), (7.5, "7.5"), (12.5, "12"), (21_212.0, "21,212")]
)
def test_the_rate_has_no_idle_digit(rate: float, shown: str) -> None:
    parts = now.fragments(web_scenes.office(calls_per_minute=rate), current(), _reader("en"))
    assert str(fragment[parts["rate"]]) == shown


def test_the_table_behind_the_hour_has_the_means_of_the_line() -> None:
    overview = web_scenes.office()
    parts = now.fragments(overview, current(), _reader("en"))
    rows = re.findall(r"<tr>(.*?)</tr>", str(fragment[parts["minutes"]]))
    assert len(rows) == 6
    newest = overview.power_series[-10:]
    mean = sum(point.mid_w for point in newest) / 10
    shown = re.search(r'class="n">(\d+)', rows[0])
    assert shown is not None
    assert float(shown[1]) == pytest.approx(mean, rel=0.05)  # rounded by the width of its interval
