"""Cuts of the ledger against one event at a time: every measure, every condition, files and recent events alike."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ledger_events import NOON, make_event, wait_for

from mesure.catalogue import current
from mesure.config import LedgerSettings, Settings
from mesure.errors import InvalidValue, LedgerError
from mesure.ledger import MEASURES, Committer, Cut, Ledger, Place, Spool, View
from mesure.ledger.cells import Served, by_served, combined
from mesure.ledger.cut import column_of
from mesure.ledger.engine import Engine
from mesure.ledger.exploring import Explorer
from mesure.ledger.pricing import Pricer, key_of
from mesure.quantity import Status
from mesure.record import UsageEvent

_SINCE, _UNTIL = NOON - timedelta(days=3), NOON
_KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"input_tokens": None},
    {"input_tokens": 0, "output_tokens": 0, "status": "error", "http_status": 500},
    {"energy_j": 100.0, "energy_low_j": 50.0, "energy_high_j": 200.0, "energy_status": "measured"},
    {"energy_j": 100.0, "energy_status": "modelled", "energy_scope": "process"},
    {"cached_input_tokens": 80},
    {"operation": "image", "images_count": 2, "input_tokens": None, "output_tokens": None},
    {"host_zone": "FRA"},
    {"host_zone": "XXX"},
    {"calls_count": 12},
    {"model_answered": "gpt-4o-mini-2024-07-18"},
    {"cost": 0.25, "cost_currency": "USD"},
    {"cost": 0.5, "cost_currency": "EUR"},
    {"cost": 0.125},
    {"use_case": 'l\'accueil; "1"', "environment": "test"},
    {"use_case": "", "team": None},
    {"organisation": "Nous", "end_client": "Eux"},
    {"key_id": "k1", "cache_write_tokens": 30},
)


def _events(count: int = 400, seed: int = 5) -> list[UsageEvent]:
    draw = random.Random(seed)
    return [
        make_event(n, started_at=NOON - timedelta(seconds=draw.randrange(-7_000, 4 * 86_400)), **draw.choice(_KINDS))
        for n in range(count)
    ]


EVENTS = _events()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("it's a cut"))
    ledger.append(EVENTS[:250], {})
    ledger.append(EVENTS[250:], {})
    return ledger


@pytest.fixture
def view(stored: Ledger) -> View:
    return View(stored, None, Settings())


def _cut(**changes: Any) -> Cut:
    return Cut(**{"since": _SINCE, "until": _UNTIL} | changes)


def _inside(**wanted: Any) -> list[UsageEvent]:
    return [
        event
        for event in EVENTS
        if _SINCE <= event.started_at < _UNTIL
        and all((getattr(event, name) or None) == value for name, value in wanted.items())
    ]


class _OneByOne:
    """What the same events come to, each priced alone."""

    def __init__(self, events: list[UsageEvent]) -> None:
        pricer = Pricer({})
        self.priced = [(event, pricer.impacts(event), _served(pricer, event)) for event in events]

    def amount(self, measure: str) -> Any:
        found = ((served, impacts.quantity("", measure)) for _, impacts, served in self.priced)
        return combined(by_served((served, quantity) for served, quantity in found if quantity is not None))

    def counted(self, measure: str) -> int:
        return sum(e.calls_count for e, impacts, _ in self.priced if impacts.quantity("", measure) is not None)


def _served(pricer: Pricer, event: UsageEvent) -> Served:
    return pricer.price(event)[0].served


@pytest.mark.parametrize("measure", ["energy_wh", "gwp_gco2eq", "water_ml", "pe_mj", "adpe_gsbeq"])
def test_every_impact_is_that_of_single_events(view: View, measure: str) -> None:
    found, expected = view.explore(_cut(), measure).total(), _OneByOne(_inside())
    amount = expected.amount(measure)
    assert found.calls == sum(event.calls_count for event in _inside())
    assert found.counted == expected.counted(measure)
    assert (found.amount is None) == (amount is None)
    if found.amount is not None:
        assert found.amount[:3] == pytest.approx(amount[:3], rel=1e-9)
        assert (found.amount.unit, found.amount.status) == (amount.unit, amount.status)
        assert set(found.amount.sources) == set(amount.sources)
    assert found.energy_wh is not None
    assert found.energy_wh[:3] == pytest.approx(expected.amount("energy_wh")[:3], rel=1e-9)


@pytest.mark.parametrize("by", ["team", "use_case", "provider", "environment", "organisation", "end_client", "key"])
def test_groups_are_those_of_single_events(view: View, by: str) -> None:
    rows = dict(view.explore(_cut(by=by), "energy_wh").groups())
    by = column_of(by)
    assert set(rows) == {getattr(event, by) or None for event in _inside()}
    for value, total in rows.items():
        chosen = [event for event in _inside() if (getattr(event, by) or None) == value]
        assert total.events == len(chosen)
        assert total.tokens == sum((event.input_tokens or 0) + (event.output_tokens or 0) for event in chosen)
        assert total.amount is not None
        assert total.amount[:3] == pytest.approx(_OneByOne(chosen).amount("energy_wh")[:3], rel=1e-9)


def test_groups_are_those_of_the_totals(view: View) -> None:
    """Two ways through the ledger, one answer."""
    ours = dict(view.explore(_cut(by="model"), "gwp_gco2eq").groups())
    for row in view.totals(_SINCE, _UNTIL, ("model",)):
        total = ours.pop(row.key[0])
        assert (total.calls, total.events, total.tokens) == (row.calls, row.events, row.tokens)
        assert total.coverage == row.coverage
        assert total.energy_wh is not None
        assert total.energy_wh[:3] == pytest.approx(row.energy_wh[:3])
        assert (total.amount is None) == (row.gwp_gco2eq is None)
    assert not ours


def test_groups_by_how_the_figure_came_about(view: View) -> None:
    rows = dict(view.explore(_cut(by="figure"), "energy_wh").groups())
    pricer = Pricer({})
    for status, total in rows.items():
        assert status is not None
        events = [event for event in _inside() if pricer.impacts(event).status == status]
        assert total.events == len(events)
    assert set(rows) >= {Status.MEASURED.value, Status.MODELLED.value, Status.DEFAULT.value}


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ((("team", "team-1"),), {"team": "team-1"}),
        ((("team", None),), {"team": None}),
        ((("use_case", 'l\'accueil; "1"'),), {"use_case": 'l\'accueil; "1"'}),
        ((("use_case", None), ("provider", "openai")), {"use_case": None, "provider": "openai"}),
        ((("environment", "test"),), {"environment": "test"}),
        ((("key", "k1"),), {"key_id": "k1"}),
        ((("key", None), ("team", "team-2")), {"key_id": None, "team": "team-2"}),
        ((("team", "nobody's"),), {"team": "nobody's"}),
    ],
)
def test_a_condition_keeps_what_holds_it(view: View, where: Any, wanted: Any) -> None:
    found = view.explore(_cut(where=where), "energy_wh").total()
    chosen = _inside(**wanted)
    assert found.events == len(chosen)
    if chosen:
        assert found.amount is not None
        assert found.amount[:3] == pytest.approx(_OneByOne(chosen).amount("energy_wh")[:3], rel=1e-9)
    else:
        assert found.amount is None


def test_a_condition_on_what_comes_with_the_price(view: View) -> None:
    pricer = Pricer({})
    for name, values in (("model", ("gpt-4o", "gpt-4o-mini", "nobody-1")), ("figure", ("measured", "default"))):
        for value in values:
            found = view.explore(_cut(where=((name, value),)), "energy_wh").total()
            chosen = [
                event
                for event in _inside()
                if value == (_served(pricer, event).model if name == "model" else pricer.impacts(event).status)
            ]
            assert chosen
            assert found.events == len(chosen)


def test_what_is_no_dimension_is_refused() -> None:
    with pytest.raises(InvalidValue, match="team") as caught:
        _cut(by="teams")
    assert caught.value.nearest == ("team",)
    for name in ("user", "contact_id", "conversation_id"):  # nobody is looked at by name
        with pytest.raises(InvalidValue):
            _cut(by=name)
        with pytest.raises(InvalidValue):
            _cut(where=((name, "x"),))


@pytest.mark.parametrize("days", [1, 2])
def test_periods_add_up(view: View, days: int) -> None:
    edges = tuple(_SINCE + timedelta(days=n) for n in range(0, 3, days))
    cut = _cut(by="team", edges=edges)
    amounts = view.explore(cut, "energy_wh")
    periods, total = amounts.over_time(), amounts.total()
    assert len(periods) == len(edges)
    assert sum(period.events for period in periods) == total.events
    for edge, period in zip(edges, periods, strict=True):
        end = min(edge + timedelta(days=days), _UNTIL)
        assert period.events == sum(1 for event in EVENTS if edge <= event.started_at < end)
    by_team = [amounts.over_time([value]) for value, _ in amounts.groups()]
    for number, period in enumerate(periods):
        assert sum(team[number].calls for team in by_team) == period.calls
        mids = [team[number].amount for team in by_team]
        assert period.amount is not None
        assert sum(amount.mid for amount in mids if amount) == pytest.approx(period.amount.mid)
    some = [value for value, _ in amounts.groups()[:1]]
    assert amounts.others(some).calls + amounts.over_time(some)[0].calls <= total.calls
    assert amounts.others(some).calls == total.calls - amounts.groups()[0][1].calls


def test_a_period_without_calls_has_no_amount(view: View) -> None:
    edges = tuple(_SINCE + timedelta(days=n) for n in (0, 1))
    alone = _cut(where=(("team", "nobody's"),), edges=edges)
    assert [period.amount for period in view.explore(alone, "energy_wh").over_time()] == [None, None]


def test_a_day_of_the_clock_change_holds_its_hours(tmp_path: Any) -> None:
    zone = ZoneInfo("Europe/Paris")
    start = datetime(2026, 10, 25, tzinfo=zone).astimezone(UTC)
    following = datetime(2026, 10, 26, tzinfo=zone).astimezone(UTC)
    assert following - start == timedelta(hours=25)
    ledger = Ledger(tmp_path)
    ledger.append([make_event(n, started_at=start + timedelta(hours=n)) for n in range(26)], {})
    cut = Cut(since=start, until=following + timedelta(days=1), edges=(start, following))
    periods = View(ledger, None, Settings()).explore(cut, "calls").over_time()
    assert [period.calls for period in periods] == [25, 1]


@pytest.mark.parametrize("measure", list(MEASURES))
def test_recent_events_count_like_stored_ones(stored: Ledger, tmp_path: Any, measure: str) -> None:
    """Whatever part of the events is not in a file yet, sums are the same."""
    ledger = Ledger(tmp_path)
    ledger.append(EVENTS[:100], {})
    edges = tuple(_SINCE + timedelta(days=n) for n in range(3))
    for cut in (_cut(by="use_case", edges=edges), _cut(by="model", where=(("team", "team-1"),), edges=edges)):
        split = Explorer(Pricer({})).explore(ledger.snapshot(), EVENTS[100:], cut, measure)
        whole = Explorer(Pricer({})).explore(stored.snapshot(), (), cut, measure)
        assert split.unit == whole.unit
        for ours, theirs in ((dict(split.groups()), dict(whole.groups())), _numbered(split, whole)):
            assert set(ours) == set(theirs)
            for value, total in ours.items():
                _alike(total, theirs[value])


def _numbered(*amounts: Any) -> Any:
    return tuple(dict(enumerate(one.over_time())) for one in amounts)


def _alike(ours: Any, theirs: Any) -> None:
    assert (ours.calls, ours.counted, ours.events, ours.tokens) == (
        theirs.calls,
        theirs.counted,
        theirs.events,
        theirs.tokens,
    )
    assert (ours.amount is None) == (theirs.amount is None)
    if ours.amount is not None:
        assert ours.amount[:3] == pytest.approx(theirs.amount[:3], rel=1e-9)
        assert ours.amount.status == theirs.amount.status


def test_another_measure_reads_nothing_and_a_commit_its_own_file(tmp_path: Any, monkeypatch: Any) -> None:
    ledger, read = Ledger(tmp_path), []
    ledger.append(EVENTS[:200], {})
    view = View(ledger, None, Settings())
    featured = Engine.featured
    monkeypatch.setattr(Engine, "featured", lambda self, part, *a: read.append(part.uris) or featured(self, part, *a))
    first = view.explore(_cut(by="team"), "energy_wh").total()
    files = len(ledger.files())
    assert [len(uris) for uris in read] == [files]
    view.explore(_cut(by="team"), "water_ml")
    view.explore(_cut(by="team"), "money")
    assert len(read) == 1
    ledger.append(EVENTS[200:], {})
    after = view.explore(_cut(by="team"), "energy_wh").total()
    assert len(read[1]) == len(ledger.files()) - files
    assert after.events > first.events
    fresh = View(ledger, None, Settings()).explore(_cut(by="team"), "energy_wh").total()
    _alike(after, fresh)


@pytest.mark.parametrize(("limit", "most", "left"), [("_KEPT_CUTS", 2, 2), ("_KEPT_ROWS", 0, 1)])
def test_what_is_remembered_is_bounded(
    stored: Ledger, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, left: int
) -> None:
    monkeypatch.setattr(f"mesure.ledger.exploring.{limit}", most)
    explorer, snapshot = Explorer(Pricer({})), stored.snapshot()
    for minutes in range(4):
        explorer.explore(snapshot, (), _cut(until=_UNTIL - timedelta(minutes=minutes)), "calls")
    assert len(explorer._kept) == left


def test_a_call_shows_before_it_is_committed(tmp_path: Any) -> None:
    """Through a committer that holds it."""
    settings = LedgerSettings(commit_seconds=3600.0)
    ledger, spool = Ledger(tmp_path, settings), Spool(tmp_path / "spool")
    committer = Committer(ledger, tmp_path / "spool", settings)
    view = View(ledger, committer, Settings())
    committer.start()
    try:
        assert spool.record(make_event(0, at_s=-60.0, team="tout nouveau"))
        wait_for(lambda: bool(committer.recent))
        cut = _cut(by="team")
        assert [value for value, _ in view.explore(cut, "calls").groups()] == ["tout nouveau"]
        assert [call.team for call in view.calls(cut).calls] == ["tout nouveau"]
    finally:
        spool.close()
        committer.stop()


# Money


def test_money_is_what_came_with_the_calls_or_the_listed_price(tmp_path: Any) -> None:
    ledger = Ledger(tmp_path)
    given = make_event(0, at_s=-60.0, cost=0.25, cost_currency="USD", model_answered="gpt-4o")
    listed = make_event(0, at_s=-50.0, input_tokens=1_000_000, cached_input_tokens=400_000, output_tokens=100_000)
    stored = make_event(1, at_s=-45.0, input_tokens=1_000_000, cache_write_tokens=250_000, output_tokens=0)
    ledger.append([given, listed, stored], {})
    amounts = View(ledger, None, Settings()).explore(_cut(), "money")
    price = current().price("openai", "gpt-4o", NOON.date())
    writing = current().price("anthropic", "claude-sonnet-4-5", NOON.date())
    assert price is not None
    assert writing is not None
    assert writing.cache_write_usd_per_mtok != writing.input_usd_per_mtok
    usd = (
        0.25
        + 0.6 * (price.input_usd_per_mtok or 0)
        + 0.4 * (price.cached_input_usd_per_mtok or 0)
        + 0.1 * (price.output_usd_per_mtok or 0)
        + 0.75 * (writing.input_usd_per_mtok or 0)
        + 0.25 * (writing.cache_write_usd_per_mtok or 0)
    )
    total = amounts.total()
    assert total.amount is not None
    assert total.amount[:3] == pytest.approx((usd, usd, usd))
    assert (total.amount.unit, total.amount.status, total.counted) == ("USD", Status.MODELLED, 3)
    assert {found.id for found in amounts.prices()} == {price.id, writing.id} == set(total.amount.sources)


def test_an_unknown_price_is_no_zero_and_currencies_do_not_mix(tmp_path: Any) -> None:
    ledger = Ledger(tmp_path)
    events = [
        make_event(3, at_s=-60.0),  # a model that nobody lists
        make_event(0, at_s=-50.0, input_tokens=None),
        make_event(0, at_s=-40.0, cost=3.0),  # of what?
        make_event(3, at_s=-30.0, cost=2.0, cost_currency="EUR"),
        make_event(3, at_s=-20.0, cost=4.0, cost_currency="EUR"),
        make_event(3, at_s=-10.0, cost=5.0, cost_currency="USD"),
    ]
    ledger.append(events, {})
    amounts = View(ledger, None, Settings()).explore(_cut(), "money")
    total = amounts.total()
    assert amounts.currencies() == {"EUR": 2, "USD": 1}
    assert total.amount is not None
    assert (total.amount.mid, total.amount.unit, total.amount.status) == (6.0, "EUR", Status.REPORTED)
    assert (total.calls, total.counted) == (6, 2)
    ledger.append([make_event(3, at_s=-5.0, team="sans prix")], {})
    rows = dict(View(ledger, None, Settings()).explore(_cut(by="team"), "money").groups())
    assert rows["sans prix"].amount is None


def test_tokens_that_nobody_counted_are_not_counted_as_none(tmp_path: Any) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([make_event(0, at_s=-60.0), make_event(0, at_s=-50.0, output_tokens=None)], {})
    total = View(ledger, None, Settings()).explore(_cut(), "tokens").total()
    assert (total.calls, total.counted) == (2, 1)
    assert total.amount is not None
    assert total.amount.mid == 100 + 20


# Lists of calls


@pytest.mark.parametrize(
    "where",
    [
        (),
        (("team", "team-1"),),
        (("team", None),),
        (("model", "gpt-4o"),),
        (("model", "gpt-4o-mini"), ("team", "team-1")),
        (("figure", "measured"),),
        (("figure", "default"), ("provider", "openai")),
        (("model", "nothing-like-it"),),
    ],
)
@pytest.mark.parametrize("recent", [0, 120])
def test_pages_of_calls_hold_each_once_newest_first(tmp_path: Any, where: Any, recent: int) -> None:
    ledger, pricer = Ledger(tmp_path), Pricer({})
    ledger.append(EVENTS[recent:], {})
    explorer, snapshot, cut = Explorer(pricer), ledger.snapshot(), _cut(where=where)
    expected = [event for event in _inside() if all(_value(pricer, event, name) == value for name, value in where)]
    expected.sort(key=lambda event: (event.started_at, event.id), reverse=True)
    found: list[str] = []
    place: Place | None = None
    for _ in range(len(EVENTS)):
        events, place = explorer.calls(snapshot, EVENTS[:recent], cut, place, 17)
        found += [event.id for event in events]
        assert place is None or len(events) == 17
        if place is None:
            break
    assert found == [event.id for event in expected]


def _value(pricer: Pricer, event: UsageEvent, name: str) -> Any:
    if name == "model":
        return _served(pricer, event).model or None
    return pricer.impacts(event).status.value if name == "figure" else getattr(event, name) or None


def test_calls_of_the_same_instant_are_not_lost_between_pages(tmp_path: Any) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([make_event(n, at_s=-60.0) for n in range(30)], {})
    view = View(ledger, None, Settings())
    seen: list[str] = []
    page = view.calls(_cut(), None, 7)
    seen += [call.id for call in page.calls]
    while page.after is not None:
        page = view.calls(_cut(), page.after, 7)
        seen += [call.id for call in page.calls]
    assert len(seen) == len(set(seen)) == 30


def test_a_rare_kind_is_looked_for_page_after_page(tmp_path: Any, monkeypatch: Any) -> None:
    """What only a price tells is not searched without end: a page may be short, and says where to go on."""
    monkeypatch.setattr("mesure.ledger.exploring._READ_AT_ONCE", 10)
    monkeypatch.setattr("mesure.ledger.exploring._READS", 2)
    ledger = Ledger(tmp_path)
    events = [make_event(0, at_s=-60.0 * n) for n in range(1, 60)]
    events.append(make_event(0, at_s=-60.0 * 70, energy_j=5.0, energy_status="measured"))
    ledger.append(events, {})
    view, cut = View(ledger, None, Settings()), _cut(where=(("figure", "measured"),))
    pages, page = 1, view.calls(cut, None, 5)
    assert not page.calls
    while not page.calls and page.after is not None:
        pages, page = pages + 1, view.calls(cut, page.after, 5)
    assert [call.id for call in page.calls] == [events[-1].id]
    assert 2 < pages < 5


def test_an_empty_ledger_has_nothing_to_explore(tmp_path: Any) -> None:
    view = View(Ledger(tmp_path), None, Settings())
    amounts = view.explore(_cut(by="team", edges=(_SINCE,)), "energy_wh")
    assert amounts.groups() == []
    assert amounts.total().amount is None
    assert [period.calls for period in amounts.over_time()] == [0]
    assert view.calls(_cut()) == ((), None)
    assert view.calls(_cut(where=(("model", "gpt-4o"),))) == ((), None)


def test_a_file_that_is_gone_is_told(tmp_path: Any) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([make_event(0, at_s=-60.0)], {})
    for uri in ledger.files():
        Path(uri).unlink()
    view = View(ledger, None, Settings())
    with pytest.raises(LedgerError):
        view.explore(_cut(), "energy_wh")
    with pytest.raises(LedgerError):
        view.calls(_cut())


def test_key_of_an_event_is_that_of_its_row(view: View) -> None:
    """Names of a model are found from sums: the three columns they are looked up by are those of events."""
    keys = {key_of(event)[:3] for event in _inside()}
    rows = Explorer(Pricer({}))._rows(view._ledger.snapshot(), _cut())
    assert {row.key[:3] for row in rows} == keys
