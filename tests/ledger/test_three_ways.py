"""An event not in the table yet, one of a few read one by one, one of many summed by the engine: the same answers.
And past traffic under editions that come one after another."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from ledger_events import NOON, make_event

from mesure.catalogue import Catalogue
from mesure.catalogue.store import packaged
from mesure.config import Settings
from mesure.impact.methods import Traffic, method, traffic_of
from mesure.ledger import Basis, Ledger, Overview, View, explained, recomputed, traffic_in
from mesure.ledger import rollup as rollup_module
from mesure.ledger.recompute import CAUSES
from mesure.record import UsageEvent

WAYS = ("recent", "one by one", "engine")
PROVIDERS = ("openai", "anthropic", "mistral", "own")


class Held:
    """A committer that has seen these events and committed none."""

    def __init__(self, ledger: Ledger, events: tuple[UsageEvent, ...]) -> None:
        self.ledger, self.recent = ledger, events

    def consistent(self) -> tuple[Any, tuple[UsageEvent, ...]]:
        return self.ledger.snapshot(), self.recent


def seen(way: str, folder: Path, events: list[UsageEvent], *nows: datetime) -> list[Overview]:
    """What pages show at each of `nows`, of events that are known in one way."""
    ledger = Ledger(folder / way.replace(" ", ""))
    committer: Any = None
    if way == "recent":
        committer = Held(ledger, tuple(events))
    else:
        ledger.append(events, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_module, "_FEW", 0 if way == "engine" else 1 << 30)
        view = View(ledger, committer, Settings())
        return [view.overview(now) for now in nows]


@pytest.mark.parametrize(
    ("fields", "ended_s"),
    [
        ({"duration_ms": 0.0}, 0.0),
        ({"duration_ms": None}, 0.0),
        ({"duration_ms": 999.0}, 0.0),
        ({"duration_ms": 1_000.0}, 1.0),
        ({"duration_ms": 12_345.678}, 12.0),
        ({"at_s": 0.75, "duration_ms": 249.9}, 0.0),
        ({"at_s": 0.75, "duration_ms": 250.0}, 1.0),
        ({"ended_at": NOON + timedelta(seconds=7, milliseconds=900), "duration_ms": 1.0}, 7.0),
        ({"ended_at": NOON, "duration_ms": 90_000.0}, 0.0),
        ({"ended_at": NOON + timedelta(seconds=3), "duration_ms": None}, 3.0),
        ({"basis": "exported", "duration_ms": 5.0}, None),
        ({"basis": "declared", "ended_at": NOON + timedelta(seconds=1)}, None),
    ],
)
def test_a_call_moves_the_needle_in_the_second_it_ended(
    tmp_path: Path, fields: dict[str, Any], ended_s: float | None
) -> None:
    event = make_event(0, **fields)
    after = (-1, 0, 59, 60)
    nows = [NOON + timedelta(seconds=(ended_s or 0.0) + after_s) for after_s in after]
    for way in WAYS:
        for after_s, found in zip(after, seen(way, tmp_path, [event], *nows), strict=True):
            # The second of `now` is included, and the sixty before its end count
            moving = ended_s is not None and 0 <= after_s < 60
            assert found.calls_per_minute == float(moving), (way, after_s)
            assert (found.power_w.mid > 0.0) is moving, (way, after_s)
            assert found.power_w.unit == "W"


def test_the_three_ways_give_one_overview(tmp_path: Path) -> None:
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"output_tokens": None},
        {"status": "cancelled", "output_tokens": 3},
        {"http_status": 429, "status": "error", "input_tokens": None, "output_tokens": None},
        {"energy_j": 40.0, "energy_low_j": 30.0, "energy_high_j": 90.0, "energy_status": "measured"},
        {"energy_j": 40.0, "energy_scope": "process"},
        {"operation": "embeddings", "output_tokens": None},
        {"operation": "image", "images_count": 2, "model_requested": "flux.1-dev", "image_width": 512},
        {"calls_count": 9},
        {"host_zone": "FRA", "cached_input_tokens": 40},
        {"host_zone": "XXX"},
        {"provider": None, "model_requested": None, "model_answered": "gpt-4o"},
    )
    events = [make_event(n, at_s=-37.0 * n, **kinds[n % len(kinds)]) for n in range(96)]
    found = {way: seen(way, tmp_path, events, NOON)[0] for way in WAYS}
    first = found["recent"]
    for other in (found["one by one"], found["engine"]):
        for window in ("today", "month", "previous"):
            a, b = getattr(first, window), getattr(other, window)
            assert (a.events, a.calls, a.tokens, a.coverage) == (b.events, b.calls, b.tokens, b.coverage)
            for name in ("energy_wh", "gwp_gco2eq"):
                x, y = getattr(a, name), getattr(b, name)
                assert (x is None) == (y is None)
                if x is not None:
                    assert x[:3] == pytest.approx(y[:3], rel=1e-9)
                    assert x.status is y.status
                    assert set(x.sources) == set(y.sources)
        assert other.statuses == first.statuses
        assert [call.id for call in other.last_calls] == [call.id for call in first.last_calls]
        assert [row.model for row in other.models] == [row.model for row in first.models]
        assert other.power_w[:3] == pytest.approx(first.power_w[:3], rel=1e-9)
        assert [point.mid_w for point in other.power_series] == pytest.approx([p.mid_w for p in first.power_series])


@pytest.mark.parametrize("way", WAYS)
def test_a_call_of_the_very_second_shows_and_one_of_the_next_does_not(tmp_path: Path, way: str) -> None:
    """At the end of a quarter of an hour, and inside one."""
    for place, now in enumerate((NOON, NOON + timedelta(seconds=899), NOON + timedelta(seconds=77))):
        ahead = (1, 2) if place else (1,)
        starts = (-1, 0, 0.999, *ahead)
        events = [make_event(n, started_at=now + timedelta(seconds=at)) for n, at in enumerate(starts)]
        [found] = seen(way, tmp_path / str(place), events, now)
        assert [call.id for call in found.last_calls] == [events[n].id for n in (2, 1, 0)]
        assert found.today.events == found.month.events == 3
        assert sum(found.statuses.values()) == 3


# Editions that come one after another

ROW = """
[[factor]]
table = "{table}"
entity = "{entity}"
parameter = "{parameter}"
value = {value}
unit = "{unit}"
year = 2026
source = "Acme"
source_url = "internal"
licence = "internal"
status = "published"
"""


@pytest.fixture
def editions(tmp_path: Path) -> list[Catalogue]:
    """The packaged one, then one with another grid, then one with another size too."""
    grid = ROW.format(table="grids", entity="FRA", parameter="intensity", value=300, unit="gCO2e/kWh")
    size = ROW.format(table="models", entity="qwen3-8b", parameter="total_params_b", value=2, unit="1e9 parameters")
    found = [packaged()]
    for number, text in enumerate((grid, grid + size)):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        found.append(packaged().with_user_file(path))
    return found


@pytest.fixture
def traffic() -> Traffic:
    return traffic_of(
        make_event(n, provider="own", model_requested="qwen3-8b", host_zone="FRA", status=("ok", "cancelled")[n % 2])
        for n in range(8)
    )


def test_changes_one_after_another_make_the_whole_change_and_back_again(
    traffic: Traffic, editions: list[Catalogue]
) -> None:
    first, second, third = (Basis(method("mesure"), catalogue) for catalogue in editions)
    a, b, whole = explained(traffic, first, second), explained(traffic, second, third), explained(traffic, first, third)
    back = explained(traffic, third, first)
    assert a.energy_wh == 0.0, "a grid changes no energy"
    assert b.energy_wh < 0.0 < a.gwp_gco2eq
    for name in ("energy_wh", "gwp_gco2eq"):
        assert getattr(a, name) + getattr(b, name) == pytest.approx(getattr(whole, name))
        assert getattr(back, name) == pytest.approx(-getattr(whole, name))
    moved = {cause.code for cause in whole.causes if cause.gwp_gco2eq}
    assert moved == {"catalogue_models", "catalogue_grid"}
    assert [cause.code for cause in back.causes] == list(CAUSES)


def test_an_earlier_edition_without_a_constant_of_today_is_completed_and_says_its_own_name(
    traffic: Traffic, tmp_path: Path
) -> None:
    folder = tmp_path / "earlier"
    with as_file(files("mesure.catalogue") / "data") as packaged_folder:
        shutil.copytree(packaged_folder, folder)
    (folder / "VERSION").write_text("2025-02-03\n", encoding="utf-8")
    stack = (folder / "stack.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "stack.csv").write_text("".join(x for x in stack if "stack.idle.reserve" not in x), encoding="utf-8")
    (folder / "technologies.csv").unlink()
    earlier = Basis(method("mesure"), Catalogue(folder))
    found, now = recomputed(traffic, earlier), recomputed(traffic, Basis(method("mesure"), packaged()))
    assert found.catalogue_version == "2025-02-03"
    assert found.energy_wh == now.energy_wh, "the constant it lacked is today's"
    change = explained(traffic, earlier, Basis(method("mesure"), packaged()))
    assert (change.energy_wh, change.gwp_gco2eq) == (0.0, 0.0)
    assert change.before.catalogue_version == "2025-02-03"


def test_a_method_that_covers_nothing_has_no_figure_and_says_it_in_json(editions: list[Catalogue]) -> None:
    embedded = traffic_of([make_event(0, operation="embeddings", output_tokens=None)])
    found = recomputed(embedded, Basis(method("ecologits-0.11"), editions[0])).to_json()
    assert (found["energy_wh"], found["gwp_gco2eq"]) == (None, None)
    assert (found["calls"], found["covered_calls"], found["gwp_calls"]) == (1, 0, 0)
    assert found["codes"] == ["operation_not_covered"]
    nowhere = traffic_of([make_event(0, host_zone="XXX")])
    partly = recomputed(nowhere, Basis(method("mesure"), editions[0])).to_json()
    assert partly["energy_wh"]["mid"] > 0.0
    assert (partly["gwp_gco2eq"], partly["gwp_calls"], partly["covered_calls"]) == (None, 0, 1)


def test_traffic_of_the_table_is_that_of_its_events_in_whatever_files_they_lie(tmp_path: Path) -> None:
    events = [
        make_event(n, started_at=datetime(2026, 1 + n % 3, 1, tzinfo=UTC), provider=PROVIDERS[n % 4]) for n in range(60)
    ]
    together, apart = Ledger(tmp_path / "together"), Ledger(tmp_path / "apart")
    together.append(events, {})
    for start in range(0, 60, 15):
        apart.append(events[start : start + 15], {})
    expected = recomputed(traffic_of(events), Basis(method("mesure"), packaged()))
    for ledger in (together, apart):
        found = recomputed(traffic_in(ledger, {}), Basis(method("mesure"), packaged()))
        assert (found.events, found.calls, found.gwp_calls) == (60, expected.calls, expected.gwp_calls)
        for seen_, meant in ((found.energy_wh, expected.energy_wh), (found.gwp_gco2eq, expected.gwp_gco2eq)):
            assert seen_ is not None
            assert meant is not None
            assert seen_[:3] == pytest.approx(meant[:3], rel=1e-9)
