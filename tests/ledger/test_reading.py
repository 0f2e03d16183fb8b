"""Pages read what an independent sum over the same events gives, wherever the events are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ledger_events import make_event, wait_for

from mesure.catalogue import current
from mesure.config import DeploymentSettings, LedgerSettings, OrganisationSettings, Settings
from mesure.errors import InvalidValue
from mesure.impact import Deployment, impacts_of, resolve
from mesure.ledger import Committer, Ledger, Spool, View
from mesure.ledger import rollup as rollup_module
from mesure.quantity import Quantity, Status, add_independent, add_shared, weakest
from mesure.version import METHOD_VERSION

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
_DEPLOYMENTS = {"hall": DeploymentSettings(gpu="h100-sxm", n_gpus=2, batch=8)}
SETTINGS = Settings(deployments=_DEPLOYMENTS)
_METER = {"energy_status": "measured", "energy_scope": "cpu"}


def _random_events(count: int, seed: int = 1, days: float = 55.0):
    draw = random.Random(seed)
    kinds = (
        {},
        {"input_tokens": None},
        {"output_tokens": None},
        {"energy_j": 9e2, "energy_low_j": 8e2, "energy_high_j": 1e3, **_METER},
        {"energy_j": 500.0, "energy_status": "measured", "energy_scope": "server"},
        {"energy_j": 300.0, "energy_scope": "process"},
        {"http_status": 429, "status": "error", "output_tokens": None},
        {"host_zone": "FRA"},
        {"host_zone": "XXX"},  # no such zone: no CO2e
        {"deployment": "hall", "model_requested": "llama-3.1-8b"},
        {"calls_count": 7},
        {"operation": "image", "images_count": 2, "model_requested": "gpt-image-1", "input_tokens": None},
        {"model_answered": "gpt-4o-2024-11-20"},
        {"model_answered": "something-else"},
        {"cached_input_tokens": 50},
        {"provider": None, "model_requested": None},
    )  # fmt: skip
    return [
        make_event(
            number,
            started_at=NOW - timedelta(seconds=draw.random() * days * 86_400),
            **draw.choice(kinds),  # type: ignore[arg-type]
        )
        for number in range(count)
    ]


def _priced(event):
    """An event's impacts, by the public functions only."""
    stated = _DEPLOYMENTS.get(event.deployment or "")
    deployment = Deployment(gpu=stated.gpu, n_gpus=stated.n_gpus, batch=stated.batch) if stated else None

    def of(model: str):
        return resolve(
            model,
            provider=event.provider,
            zone=event.host_zone,
            at=event.started_at,
            deployment=deployment,
            operation=event.operation,
        )

    found = of(event.model_answered or event.model_requested or "")
    if not found.known and event.model_requested and of(event.model_requested).known:
        found = of(event.model_requested)
    return impacts_of(event, found)


def _total(events, quantity: str) -> Quantity | None:
    groups: dict[tuple, list[Quantity]] = {}
    for event in events:
        impacts = _priced(event)
        if (value := getattr(impacts, quantity)) is not None:
            model = impacts.model or event.model_answered or event.model_requested
            groups.setdefault((event.provider, model, event.host_zone, event.deployment), []).append(value)
    return add_independent([add_shared(found) for found in groups.values()]) if groups else None


def _same(found: Quantity | None, expected: Quantity | None) -> None:
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        for ours, theirs in zip(found[:3], expected[:3], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9)
        assert (found.unit, found.status) == (expected.unit, expected.status)
        assert set(found.sources) == set(expected.sources)


def _chosen(window, events) -> list[Any]:
    end = window.until.replace(microsecond=0) + timedelta(seconds=1)
    return [event for event in events if window.since <= event.started_at < end]


def _all_seen(overview, events) -> bool:
    """No event is on its way any more. Counting the recent and the table would count twice what moves between them."""
    return all(window.events >= len(_chosen(window, events)) for window in (overview.month, overview.previous))


def _check_window(window, events) -> None:
    chosen = _chosen(window, events)
    assert window.events == len(chosen)
    assert window.calls == sum(event.calls_count for event in chosen)
    assert window.tokens == sum((event.input_tokens or 0) + (event.output_tokens or 0) for event in chosen)
    _same(window.energy_wh, _total(chosen, "energy_wh"))
    _same(window.gwp_gco2eq, _total(chosen, "gwp_gco2eq"))
    known = sum((e.input_tokens or 0) + (e.output_tokens or 0) for e in chosen if _priced(e).known)
    assert window.coverage == (pytest.approx(known / window.tokens) if window.tokens else None)


def _check_overview(overview, events) -> None:
    for window in (overview.month, overview.previous, overview.today):
        _check_window(window, events)
    month = [event for event in events if overview.month.since <= event.started_at <= overview.now]
    statuses: dict[Status, int] = {}
    for event in month:
        status = _priced(event).energy_wh.status
        statuses[status] = statuses.get(status, 0) + event.calls_count
    assert overview.statuses == statuses
    assert sum(row.calls for row in overview.models) == overview.month.calls
    assert [row.energy_wh.mid for row in overview.models] == sorted(
        (r.energy_wh.mid for r in overview.models), reverse=True
    )
    newest = sorted(events, key=lambda event: (event.started_at, event.id), reverse=True)[:20]
    assert [call.id for call in overview.last_calls] == [event.id for event in newest]
    for call, event in zip(overview.last_calls, newest, strict=True):
        _same(call.energy_wh, _priced(event).energy_wh)
        _same(call.gwp_gco2eq, _priced(event).gwp_gco2eq)


@pytest.fixture(params=["summed by the engine", "summed one by one"])
def both_ways(request, monkeypatch):
    """Few events are priced one at a time, many by the engine: results must not tell which."""
    monkeypatch.setattr(rollup_module, "_FEW", -1 if request.param == "summed by the engine" else 1 << 30)


@pytest.mark.usefixtures("both_ways")
def test_everything_equals_an_independent_sum(ledger):
    events = _random_events(400)
    ledger.append(events[:150], {})
    ledger.append(events[150:], {})
    view = View(ledger, None, SETTINGS)
    overview = view.overview(NOW)
    _check_overview(overview, events)
    assert (overview.month.since, overview.now) == (datetime(2026, 10, 31, 23, tzinfo=UTC), NOW)
    assert overview.previous.until == datetime(2026, 10, 22, 11, 0, 30, tzinfo=UTC)
    assert overview.method_version == METHOD_VERSION
    assert overview.catalogue_version == current().version
    assert overview.ledger_version == ledger.version
    # Later, with more events, after a compaction: only what is new is read
    more = [make_event(1000 + n, started_at=NOW + timedelta(minutes=n)) for n in range(30)]
    ledger.append(more, {})
    later = NOW + timedelta(minutes=20)
    seen = [event for event in (*events, *more) if event.started_at <= later]
    _check_overview(view.overview(later), seen)
    ledger.compact()
    _check_overview(view.overview(later), seen)
    _check_overview(view.overview(NOW), [event for event in seen if event.started_at <= NOW])


def test_recent_events_and_the_table_make_one(tmp_path):
    settings = LedgerSettings(commit_seconds=0.1, commit_events=40)
    ledger = Ledger(tmp_path, settings)
    committer, spool = Committer(ledger, tmp_path / "spool", settings), Spool(tmp_path / "spool")
    view = View(ledger, committer, SETTINGS)
    committer.start()
    events = _random_events(130, seed=3)
    for event in events:
        spool.record(event)
        view.overview(NOW)  # at any moment of the way
    wait_for(lambda: _all_seen(view.overview(NOW), events))
    _check_overview(view.overview(NOW), events)
    wait_for(lambda: ledger.count() == 130)
    _check_overview(view.overview(NOW), events)
    spool.close()
    committer.stop()
    _check_overview(view.overview(NOW), events)


def test_an_empty_ledger_has_an_overview(ledger):
    overview = View(ledger, None, SETTINGS).overview(NOW)
    for window in (overview.month, overview.previous, overview.today):
        assert (window.calls, window.energy_wh, window.gwp_gco2eq, window.coverage) == (0, None, None, None)
    assert (overview.models, overview.last_calls, overview.statuses) == ((), (), {})
    assert overview.power_w[:3] == (0.0, 0.0, 0.0)
    assert len(overview.power_series) == 60


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-15"])
def test_a_day_is_a_day_of_paris(ledger, day):
    """One event a minute around the day, also those of 23 and 25 hours."""
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=PARIS)
    first, last = noon.replace(hour=0), noon.replace(hour=23, minute=59, second=59)
    hours = (last.astimezone(UTC) - first.astimezone(UTC)) / timedelta(hours=1)
    start = first.astimezone(UTC) - timedelta(hours=2)
    events = [make_event(n, started_at=start + timedelta(minutes=n)) for n in range(29 * 60)]
    ledger.append(events, {})
    view = View(ledger, None, SETTINGS)
    expected = [event for event in events if event.started_at.astimezone(PARIS).date().isoformat() == day]
    assert len(expected) == round(hours * 60)
    assert view.overview(last).today.calls == len(expected)
    by_day = {row.key[0]: row.calls for row in view.totals(start, start + timedelta(hours=29), ("day",))}
    assert by_day[day] == len(expected)
    assert sum(by_day.values()) == len(events)
    by_hour = view.totals(first, last, ("hour",))
    assert len(by_hour) == round(hours)  # 02:00 twice in October, with another offset


def test_the_needle_moves_with_the_calls_that_ended(ledger):
    ended = [5.0, 30.0, 59.0, 61.0, 200.0, 3_590.0]
    events = [
        make_event(0, started_at=NOW - timedelta(seconds=seconds + 2.0), duration_ms=2_000.0, basis="observed")
        for seconds in ended
    ]
    exported = make_event(0, started_at=NOW - timedelta(seconds=10), basis="exported")
    ledger.append([*events, exported], {})
    overview = View(ledger, None, SETTINGS).overview(NOW)
    one = _priced(events[0]).energy_wh
    assert overview.calls_per_minute == 3
    assert overview.power_w.mid == pytest.approx(3 * one.mid * 60)
    assert overview.power_w.high == pytest.approx(3 * one.high * 60)
    assert (overview.power_w.unit, overview.power_w.status) == ("W", one.status)
    points = {point.at: point.mid_w for point in overview.power_series}
    assert len(points) == 60
    assert max(points) == NOW.replace(second=0)
    assert points[NOW.replace(second=0)] == overview.power_w.mid
    earlier = sum(value for at, value in points.items() if at < NOW.replace(second=0))
    # 59 and 61 s ago lie in the minute before, 200 s ago in another, 3 590 s ago before the first point
    assert earlier == pytest.approx(3 * one.mid * 60)


def test_months_not_asked_are_not_read(ledger, monkeypatch):
    ledger.append([make_event(n, started_at=datetime(2026, 1 + n % 8, 5, tzinfo=UTC)) for n in range(16)], {})
    ledger.append([make_event(n, started_at=NOW - timedelta(minutes=n)) for n in range(30)], {})
    view = View(ledger, None, SETTINGS)
    read = []
    engine = view._rollup._engine
    rows, grouped = engine._rows, engine._grouped
    monkeypatch.setattr(engine, "_rows", lambda part, order: read.extend(part.uris) or rows(part, order))
    monkeypatch.setattr(engine, "_grouped", lambda part, **how: read.extend(part.uris) or grouped(part, **how))
    assert view.overview(NOW).month.calls == 30
    assert view.totals(NOW - timedelta(days=2), NOW + timedelta(days=1), ("team",))
    assert {uri.split("month=")[1][:7] for uri in read} == {"2026-11"}
    read.clear()
    view.overview(NOW + timedelta(seconds=5))
    assert read == []  # what was read is kept


def test_calls_of_the_previous_month_fill_the_list_of_last_calls(ledger):
    ledger.append(
        [make_event(n, started_at=datetime(2026, 2, 1, tzinfo=UTC) + timedelta(hours=n)) for n in range(30)], {}
    )
    ledger.append([make_event(n, started_at=NOW - timedelta(minutes=n)) for n in range(5)], {})
    calls = View(ledger, None, SETTINGS).overview(NOW).last_calls
    assert [call.started_at.month for call in calls] == [11] * 5 + [2] * 15


def test_totals_by_anything_equal_an_independent_sum(ledger):
    events = _random_events(300, seed=5)
    ledger.append(events, {})
    view = View(ledger, None, SETTINGS)
    since, until = NOW - timedelta(days=30), NOW - timedelta(days=3, hours=7)
    since, until = since.replace(microsecond=0), until.replace(microsecond=0)
    chosen = [event for event in events if since <= event.started_at < until]
    for by in ((), ("team",), ("provider", "status"), ("model", "day"), ("month", "team"), ("stream",)):
        rows = view.totals(since, until, by)
        assert sum(row.events for row in rows) == len(chosen)
        assert len({row.key for row in rows}) == len(rows)
        assert [row.energy_wh.mid for row in rows] == sorted((row.energy_wh.mid for row in rows), reverse=True)
    (everything,) = view.totals(since, until, ())
    _same(everything.energy_wh, _total(chosen, "energy_wh"))
    for row in view.totals(since, until, ("team", "status")):
        own = [event for event in chosen if (event.team, event.status) == row.key]
        assert (row.events, row.calls) == (len(own), sum(event.calls_count for event in own))
        _same(row.energy_wh, _total(own, "energy_wh"))
        _same(row.gwp_gco2eq, _total(own, "gwp_gco2eq"))


def test_totals_refuse_what_they_cannot_split_by(ledger):
    with pytest.raises(InvalidValue, match="cannot be split") as caught:
        View(ledger, None, SETTINGS).totals(NOW - timedelta(days=1), NOW, ("teem",))
    assert "team" in caught.value.nearest


def test_measured_energy_replaces_the_model_and_says_so(ledger):
    event = make_event(
        0,
        energy_j=3_600.0,
        energy_low_j=3_600.0,
        energy_high_j=3_600.0,
        energy_status="measured",
        energy_scope="server",
    )
    ledger.append([event], {})
    overview = View(ledger, None, SETTINGS).overview(NOW)
    assert overview.statuses == {Status.MEASURED: 1}
    assert overview.month.energy_wh is not None
    assert overview.month.energy_wh.status is Status.MEASURED
    assert overview.month.gwp_gco2eq is not None
    assert overview.month.gwp_gco2eq.status is weakest([Status.MODELLED, overview.month.gwp_gco2eq.status])


def test_a_table_of_an_older_schema_is_read(ledger):
    from deltalake import write_deltalake

    from mesure.ledger.schema import COLUMNS, to_table

    events = _random_events(60, seed=9, days=20)
    kept = [name for name in COLUMNS if name not in ("energy_scope", "video_frames", "route", "baseline_model")]
    old = [event for event in events if event.energy_scope is None]
    write_deltalake(str(ledger.path), to_table(old, NOW).select(kept), partition_by=["month"])
    _check_overview(View(ledger, None, SETTINGS).overview(NOW), old)


def test_another_time_zone_has_other_days(ledger):
    ledger.append([make_event(n, started_at=NOW - timedelta(hours=n)) for n in range(24)], {})
    tokyo = Settings(organisation=OrganisationSettings(timezone="Asia/Tokyo"))
    assert View(ledger, None, tokyo).overview(NOW).today.calls == 22  # 21:00 there
    assert View(ledger, None, SETTINGS).overview(NOW).today.calls == 14  # 13:00 here
