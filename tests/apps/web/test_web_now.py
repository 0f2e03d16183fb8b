"""`Now`, section by section: each number is one of the overview, whatever the language and the time zone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, client_of, settings
from htpy import fragment
from page_reader import Node, plain, read

from mesure.apps.web import everyday, now
from mesure.apps.web.charts import nice_top
from mesure.apps.web.reader import Reader
from mesure.apps.words import STATUSES
from mesure.catalogue import current
from mesure.i18n import catalog
from mesure.ledger.view import Overview, PowerPoint, Reconciled
from mesure.quantity import Quantity, Status, add_independent

_both = pytest.mark.parametrize("language", ["fr", "en"])


def _parts(overview: Overview, language: str = "en", **organisation: Any) -> dict[str, Node]:
    parts = now.fragments(overview, current(), Reader.of(language, settings(**organisation)))
    return {name: read(str(fragment[node])) for name, node in parts.items()}


def _page(overview: Overview, language: str = "en", **organisation: Any) -> Node:
    return read(client_of(HeldSource(overview), **organisation).get(f"/{language}/").text)


def _points(*watts: tuple[float, float, float]) -> tuple[PowerPoint, ...]:
    """One a minute, the last one at 13:02."""
    last = web_scenes.NOW.replace(second=0)
    return tuple(
        PowerPoint(at=last - timedelta(minutes=len(watts) - 1 - i), low_w=low, mid_w=mid, high_w=high)
        for i, (low, mid, high) in enumerate(watts)
    )


# Power


@_both
def test_power_says_its_interval_and_over_what(language: str) -> None:
    t = catalog(language)
    power = t.quantity(web_scenes.office().power_w)
    parts = _parts(web_scenes.office(), language)
    assert parts["watts"].text == plain(f"{power.value} {power.unit} {power.interval} {t.t('over a minute')}")
    assert parts["watts"].one("span").text == power.unit
    still = _parts(web_scenes.empty(), language)["watts"]
    assert still.text == plain(f"0 W {t.t('over a minute')}")


@pytest.mark.parametrize("highest", [0.0, 3.0, 318.0, 4_200.0])
def test_dial_and_line_share_one_scale(highest: float) -> None:
    """What the last hour reached, or now, whichever is more."""
    series = _points((0.0, 0.0, 0.0), (0.0, highest / 2, highest))
    quiet = web_scenes.q(0, 0, 0, "W")
    for overview in (
        web_scenes.office(power_series=series, power_w=quiet),
        web_scenes.office(power_series=series[:1], power_w=web_scenes.q(0, highest / 2, highest, "W")),
    ):
        top = nice_top(highest)
        shown = catalog("en").quantity(Quantity(top, top, top, "W", Status.MODELLED)).figure
        parts = _parts(overview)
        assert [node.text for node in parts["ends"].all("span")] == ["0", plain(shown)]
        axis = next(node for node in parts["hour"].all("div") if node.classes == ["y"]).all("span")
        assert [axis[0].text, axis[-1].text] == [plain(shown), "0"]


@_both
def test_the_line_is_told_by_its_ends(language: str) -> None:
    series = _points((1.0, 2.04, 3.0), (10.0, 20.06, 30.0), (4.0, 5.0, 6.0))
    label = _parts(web_scenes.office(power_series=series), language)["hour"].one("svg")["aria-label"]
    first, second = ("2,0", "20,1") if language == "fr" else ("2.0", "20.1")
    assert re.findall(r"\d+[.,]?\d*", plain(label)) == [first.removesuffix(",0").removesuffix(".0"), second]
    assert plain(label) == plain(
        catalog(language).t("Power over the last hour, between {low} and {high}", low="2 W", high=f"{second} W")
    )


@_both
def test_rows_of_the_hour_are_means_of_ten_minutes(language: str) -> None:
    watts = [(float(i), 2.0 * i, 4.0 * i) for i in range(1, 26)]  # 25 minutes: two rows of ten, one of five
    parts = _parts(web_scenes.office(power_series=_points(*watts)), language)
    rows = [[cell.text for cell in row.all("td")] for row in parts["minutes"].all("tr")]
    assert [row[0] for row in rows] == ["13:58", "13:48", "13:38"]  # newest first, in Paris
    for (_, shown), group in zip(reversed(rows), (watts[:10], watts[10:20], watts[20:]), strict=True):
        low, mid, high = (sum(column) / len(group) for column in zip(*group, strict=True))
        mean = Quantity(low, mid, high, "W", Status.MODELLED)
        assert shown == plain(str(catalog(language).quantity(mean)))


def test_an_hour_without_points_is_an_empty_table() -> None:
    parts = _parts(web_scenes.office(power_series=()))
    assert not parts["minutes"].all("tr")
    assert "between 0 W and 0 W" in plain(parts["hour"].one("svg")["aria-label"])


# Models


def _models(count: int) -> Overview:
    models = tuple(web_scenes.model(f"m{i}", web_scenes.q(10 - i, 20 - i, 40 - i), 1) for i in range(count))
    return web_scenes.office(models=models)


@_both
@pytest.mark.parametrize(("count", "named", "others"), [(1, 1, 0), (5, 5, 0), (6, 6, 0), (7, 5, 2), (9, 5, 4)])
def test_six_rows_at_most_the_last_for_all_the_others(count: int, named: int, others: int, language: str) -> None:
    overview = _models(count)
    rows = _parts(overview, language)["models"].all("tr")
    assert len(rows) == named + (others > 0)
    assert [row.one("th").text for row in rows[:named]] == [f"m{i}" for i in range(named)]
    t = catalog(language)
    if others:
        assert rows[-1].one("th").text == plain(t.n("{count} other", "{count} others", others))
        rest = add_independent([row.energy_wh for row in overview.models[named:]])
        assert rows[-1].all("td")[-1].text == plain(str(t.quantity(rest)))


def test_bars_compare_with_each_other() -> None:
    """Half the energy, half the bar; the whisker of the widest reaches the edge."""
    wide, half = web_scenes.q(10, 40, 100), web_scenes.q(10, 20, 60)
    rows = _parts(web_scenes.office(models=(web_scenes.model("a", wide, 1), web_scenes.model("b", half, 1))))["models"]
    widths = [float(bar["width"]) for bar in rows.all("rect")]
    assert widths == [80.0, 40.0]
    ends = [re.search(r"H([\d.]+)", path["d"]) for path in rows.all("path") if path.classes == ["whisker"]]
    assert [float(end[1]) for end in ends if end] == [200.0, 120.0]


@_both
def test_a_model_nobody_knows_or_named_says_so(language: str) -> None:
    t = catalog(language).t
    models = (
        web_scenes.model("mine", web_scenes.q(1, 2, 3), 1, known=False),
        replace(web_scenes.model("", web_scenes.q(1, 2, 3), 1), model=None),
        web_scenes.model("gpt-4o", web_scenes.q(1, 2, 3), 1),
    )
    heads = [row.one("th") for row in _parts(web_scenes.office(models=models), language)["models"].all("tr")]
    assert [head.text for head in heads] == [
        plain(f"mine {t('unknown model, wide default')}"),
        plain(t("unnamed")),
        "gpt-4o",
    ]
    assert [len(head.all("small")) for head in heads] == [1, 0, 0]


@_both
@pytest.mark.parametrize("coverage", [0.0, 0.5, 0.984, 1.0])
def test_coverage_is_a_meter_that_says_its_share(coverage: float, language: str) -> None:
    month = replace(web_scenes.office().month, coverage=coverage)
    known = _parts(web_scenes.office(month=month), language)["known"]
    meter = known.one("meter")
    assert (float(meter["min"]), float(meter["max"]), float(meter["value"])) == (0.0, 1.0, coverage)
    assert plain(meter["aria-label"]) == known.text
    assert re.match(rf"{round(coverage * 100)} ?%", known.text)


@_both
def test_without_tokens_no_share_is_made_up(language: str) -> None:
    known = _parts(web_scenes.empty(), language)["known"]
    assert not known.all("meter")
    assert known.text == plain(catalog(language).t("No tokens counted this month."))


@_both
def test_origins_are_told_from_the_most_frequent(language: str) -> None:
    t = catalog(language)
    counts = {Status.MEASURED: 3, Status.MODELLED: 1200, Status.DEFAULT: 1, Status.DECLARED: 0}
    lines = [line.text for line in _parts(web_scenes.office(statuses=counts), language)["origin"].all("li")]
    energy = [plain(t.t("{figure}: {status}", figure=t.t("Energy"), status=t.t(STATUSES[s]))) for s in counts]
    assert lines[:3] == [
        f"{energy[1]} {plain(t.number(1200))} {'appels' if language == 'fr' else 'calls'}",
        f"{energy[0]} 3 {'appels' if language == 'fr' else 'calls'}",
        f"{energy[2]} 1 {'appel' if language == 'fr' else 'call'}",
    ]
    assert lines[3].startswith("CO₂e")
    unknown = web_scenes.office(statuses=counts, month=replace(web_scenes.office().month, gwp_gco2eq=None))
    assert len(_parts(unknown, language)["origin"].all("li")) == 3


@_both
def test_what_is_reported_beside_the_calls_is_told_among_the_origins(language: str) -> None:
    at = web_scenes.office().now
    month = Reconciled(since=at, until=at, several=1_234, unseen=None, declared=None, beyond_calls=2, rows=())
    lines = [line.text for line in _parts(web_scenes.office(reconciled=month), language)["origin"].all("li")]
    t = catalog(language)
    several = (
        "{count} call seen by several sources, counted once",
        "{count} calls seen by several sources, each counted once",
    )
    assert plain(t.n(*several, 1_234)) in lines
    assert len(lines) == len(_parts(web_scenes.office(), language)["origin"].all("li")) + 2


@_both
def test_what_to_do_is_exact_or_nothing_stands_out(language: str) -> None:
    todo = _parts(web_scenes.office(), language)["do"].all("li")
    assert len(todo) == 3
    for item in todo:
        assert item.one("b").text
        assert item.one("span").text
        assert item.one("small").one("code").text
    named = tuple(replace(call, provider="mistral") for call in web_scenes.small().last_calls)
    settled = _parts(web_scenes.small(last_calls=named), language)["do"]
    assert settled.text == plain(catalog(language).t("Nothing stands out in these figures."))


@_both
def test_calls_that_say_nothing_are_told_the_header_to_add(language: str) -> None:
    calls = tuple(replace(call, use_case=None, provider="mistral") for call in web_scenes.small().last_calls)
    (item,) = _parts(web_scenes.small(last_calls=calls), language)["do"].all("li")
    assert item.one("code").text == "x-mesure-use-case: call-reason"
    assert "20" in item.one("small").text


# Time zones and borders of months


@_both
@pytest.mark.parametrize(
    ("zone", "since", "shown"),
    [
        ("Europe/Paris", datetime(2026, 10, 31, 23, tzinfo=UTC), (1, 11)),
        ("America/Los_Angeles", datetime(2026, 11, 1, 7, tzinfo=UTC), (1, 11)),
        ("Pacific/Auckland", datetime(2026, 12, 31, 11, tzinfo=UTC), (1, 1)),
        ("UTC", datetime(2027, 1, 1, tzinfo=UTC), (1, 1)),
        ("Asia/Kathmandu", datetime(2026, 2, 28, 18, 15, tzinfo=UTC), (1, 3)),
    ],
)
def test_a_month_begins_where_the_organisation_is(
    zone: str, since: datetime, shown: tuple[int, int], language: str
) -> None:
    overview = web_scenes.empty(month=web_scenes.window(since, None, 0))
    first = datetime(2026, shown[1], shown[0], tzinfo=UTC)
    day = catalog(language).day(first)
    assert day.startswith(("1er ", "1 "))
    assert plain(day) in _parts(overview, language, timezone=zone)["lede"].text


@_both
@pytest.mark.parametrize(("month", "french"), [(1, "de janvier"), (4, "d’avril"), (8, "d’août"), (10, "d’octobre")])
def test_the_month_before_is_named_where_it_began(month: int, french: str, language: str) -> None:
    since = datetime(2026, month, 1, tzinfo=UTC) - timedelta(hours=5)  # a month that began at midnight east of here
    previous = replace(web_scenes.office().previous, since=since)
    text = _parts(web_scenes.office(previous=previous), language, timezone="Asia/Yekaterinburg")["next"].text
    english = f"of {catalog('en').month(datetime(2026, month, 1, tzinfo=UTC))}"
    assert (french if language == "fr" else english) in text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Paris", "14:02:11"),
        ("UTC", "13:02:11"),
        ("Asia/Kathmandu", "18:47:11"),
        ("Pacific/Auckland", "02:02:11"),
    ],
)
def test_times_of_calls_are_the_organisation_s(zone: str, shown: str) -> None:
    page = _page(web_scenes.office(), timezone=zone)
    assert page.by_id("calls").all("td")[0].text == shown
    assert page.by_id("minutes").all("td")[0].text[:2] in (shown[:2], f"{(int(shown[:2]) - 1) % 24:02}")


# Everyday scale, at its borders


@pytest.mark.parametrize(
    ("times", "words"),
    [(1.0, "LED bulbs of 8 W lit without a break"), (0.999, "of water to the boil")],
)
def test_bulbs_from_one_bulb_on(times: float, words: str) -> None:
    month = web_scenes.office().month
    hours = (month.until - month.since).total_seconds() / 3600.0
    wh = current().factor(everyday.LED_HOUR).value * hours * times
    text = _parts(web_scenes.office(month=replace(month, energy_wh=web_scenes.q(wh / 2, wh, wh * 2))))["next"].text
    assert words in text


@pytest.mark.parametrize(("times", "words"), [(1.0, "bringing 1.00 L"), (0.999, "one LED bulb of 8 W lit for")])
def test_litres_from_one_litre_on(times: float, words: str) -> None:
    wh = current().factor(everyday.LITRE_BOILED).value * times
    month = replace(web_scenes.office().month, energy_wh=web_scenes.q(wh / 1.5, wh, wh * 1.5))
    assert words in _parts(web_scenes.office(month=month))["next"].text


@pytest.mark.parametrize(
    ("hours", "unit"), [(1.0, "h"), (0.999, "min"), (1 / 60, "min"), (0.999 / 60, "s"), (0.001 / 60, "s")]
)
def test_a_bulb_s_time_is_in_the_unit_one_reads(hours: float, unit: str) -> None:
    wh = current().factor(everyday.LED_HOUR).value * hours
    window = web_scenes.window(web_scenes.MONTH, web_scenes.q(wh * 0.7, wh, wh * 1.3), 1)
    found = everyday.proportion(window, current())
    assert found is not None
    assert found.bulb_time.unit == unit
    assert (found.litres.unit, found.bulbs.unit, found.bulb_wh.unit) == ("L", "1", "Wh")


# The same numbers everywhere


@_both
@pytest.mark.parametrize("scene", ["office", "small", "large"])
def test_page_and_json_say_the_same(scene: str, language: str) -> None:
    client = client_of(HeldSource(web_scenes.SCENES[scene]()))
    data, page = client.get("/api/overview").json(), read(client.get(f"/{language}/").text)
    t = catalog(language)

    def text(found: dict[str, Any], beside: dict[str, Any] | None = None) -> str:
        one, other = (
            value and Quantity(value["low"], value["mid"], value["high"], value["unit"], Status(value["status"]))
            for value in (found, beside)
        )
        assert one
        return plain(str(t.quantity(one, other or None)))

    lede = page.by_id("lede").text
    for name in ("energy_wh", "gwp_gco2eq"):
        assert text(data["month"][name]) in lede
    assert page.by_id("today").text == text(data["today"]["energy_wh"])
    assert text(data["power_w"]) in page.by_id("watts").text
    models = page.by_id("models").all("tr")
    for row, found in list(zip(models, data["models"], strict=False))[:5]:
        assert row.one("th").text.startswith(found["model"])
        assert row.all("td")[-1].text == text(found["energy_wh"])
    rows, shown = page.by_id("calls").all("tr"), data["last_calls"][:10]
    largest = max((call["energy_wh"] for call in shown), key=lambda value: value["mid"])
    for row, call in zip(rows, shown, strict=True):
        assert row.one("a").text == text(call["energy_wh"], largest)
        assert row.one("a")["href"].endswith(call["id"])
