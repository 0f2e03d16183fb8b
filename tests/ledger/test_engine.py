"""The engine's statement against one event at a time, and against windows cut anywhere."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from ledger_events import NOON, make_event

from mesure.config import Settings
from mesure.errors import LedgerError
from mesure.ledger import Ledger, View
from mesure.ledger.cells import QUARTER_S, energy_of, gwp_of, quarter_of
from mesure.ledger.engine import Engine, Slice
from mesure.ledger.pricing import Pricer
from mesure.ledger.rollup import Recent, Rollup
from mesure.ledger.schema import second_of, time_of

_START = second_of(NOON) - 3 * 86_400
_KINDS = (
    {},
    {"input_tokens": None},
    {"output_tokens": None, "status": "error", "http_status": 500},
    {"input_tokens": 0, "output_tokens": 0, "tokens_reported": False},
    {"energy_j": 100.0, "energy_low_j": 50.0, "energy_high_j": 200.0, "energy_status": "measured"},
    {"energy_j": 100.0, "energy_status": "modelled", "energy_scope": "process"},
    {"cached_input_tokens": 80, "reasoning_tokens": 10},
    {"operation": "embeddings", "output_tokens": None, "input_items": 4},
    {"operation": "image", "images_count": 2, "model_requested": "acme-images", "model_answered": None},
    {"operation": "chat", "model_requested": "acme-images", "model_answered": None},
    {"provider": "azure", "host_region": "northeurope", "host_zone": None},
    {"operation": "transcription", "audio_seconds": 33.0, "input_tokens": None, "output_tokens": None},
    {"host_zone": "FRA"},
    {"host_zone": "XXX"},
    {"calls_count": 12},
    {"basis": "exported", "source": "import"},
    {"ended_at": NOON, "duration_ms": None},
    {"duration_ms": None},
    {"duration_ms": 59_999.6},
    {"model_answered": "gpt-4o-mini", "host_region": "eu-west-3"},
)  # fmt: skip


def _events(count=500, seed=11):
    draw = random.Random(seed)
    return [
        make_event(n, started_at=time_of(_START) + timedelta(seconds=draw.random() * 3 * 86_400), **draw.choice(_KINDS))
        for n in range(count)
    ]


EVENTS = _events()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    ledger = Ledger(tmp_path_factory.mktemp("it's the engine"))
    ledger.append(EVENTS[:300], {})
    ledger.append(EVENTS[300:], {})
    return ledger


@pytest.fixture
def engine():
    return Engine(Pricer({}))


def _sums(table):
    energy, gwp = energy_of(table), gwp_of(table)
    return (
        sum(sums.events for sums in table.values()),
        sum(sums.calls for sums in table.values()),
        sum(sums.tokens for sums in table.values()),
        energy and (energy.status, set(energy.sources)),
        gwp and (gwp.status, set(gwp.sources)),
        *(energy[:3] if energy else ()),
        *(gwp[:3] if gwp else ()),
    )


def _alike(found, expected):
    ours, theirs = _sums(found), _sums(expected)
    assert ours[:5] == theirs[:5]
    assert ours[5:] == pytest.approx(theirs[5:], rel=1e-9)


def _one_by_one(events):
    """`Cells` of the events, priced one at a time."""
    recent = Recent(Pricer({}))
    recent.follow(tuple(events))
    return recent.cells


@pytest.mark.parametrize("seed", range(6))
def test_windows_cut_anywhere_are_those_of_single_events(stored, engine, seed):
    draw = random.Random(seed)
    low, high = sorted(draw.randrange(_START - 1_000, _START + 3 * 86_400 + 1_000) for _ in range(2))
    fine = {quarter_of(low), quarter_of(high)}
    uris = tuple(file.uri for file in stored.snapshot().files)
    found = engine.cells(Slice(uris, 0), fine, 1 << 62)
    chosen = [event for event in EVENTS if low <= second_of(event.started_at) < high]
    total = {}
    for cells in found.values():
        for cell, sums in cells.window(low, high).items():
            total.setdefault(cell, type(sums)()).add(sums)
    _alike(total, _one_by_one(chosen).window(low, high))


def test_each_kind_of_event_is_priced_alike(tmp_path, engine):
    """A kind at a time: nothing can make up for anything else."""
    ledger = Ledger(tmp_path)
    events = [make_event(0, at_s=900.0 * n, **kind) for n, kind in enumerate(_KINDS)]
    ledger.append(events, {})
    uris = tuple(file.uri for file in ledger.snapshot().files)
    found = engine.cells(Slice(uris, 0), set(), 0)
    for event in events:
        quarter = quarter_of(second_of(event.started_at))
        total = {}
        for cells in found.values():
            total |= cells.window(quarter, quarter + QUARTER_S)
        _alike(total, _one_by_one([event]).window(quarter, quarter + QUARTER_S))


def test_ends_are_those_of_single_events(stored, engine):
    uris = tuple(file.uri for file in stored.snapshot().files)
    found = engine.cells(Slice(uris, 0), set(), 0)
    expected = _one_by_one(EVENTS).ended
    seconds = {}
    for cells in found.values():
        for second, table in cells.ended.seconds.items():
            for cell, sums in table.items():
                seconds.setdefault(second, {}).setdefault(cell, type(sums)()).add(sums)
    assert set(seconds) == set(expected.seconds)
    for second, table in seconds.items():
        _alike(table, expected.seconds[second])


@pytest.mark.parametrize("count", [1, 7, 20, 600])
def test_the_latest_are_the_latest(stored, engine, count):
    uris = tuple(file.uri for file in stored.snapshot().files)
    until = second_of(NOON) - 3_600
    expected = sorted(
        (event for event in EVENTS if second_of(event.started_at) < until),
        key=lambda event: (event.started_at, event.id),
        reverse=True,
    )[:count]
    found = engine.latest(Slice(uris, 0, until), count)
    assert [event.id for event in found] == [event.id for event in expected]
    assert [event.to_json() | {"ingested_at": None} for event in found] == [
        event.to_json() | {"ingested_at": None} for event in expected
    ]


def test_an_event_is_found_by_its_id_or_not_at_all(stored, engine):
    uris = tuple(file.uri for file in stored.snapshot().files)
    for event in EVENTS[::97]:
        found = engine.find(uris, UUID(event.id))
        assert found is not None
        assert (found.id, found.turn) == (event.id, event.turn)
    assert engine.find(uris, UUID(int=1)) is None
    assert engine.find((), UUID(EVENTS[0].id)) is None


def test_parts_of_a_period_add_up_to_it(stored):
    view = View(stored, None, Settings())
    bounds = [time_of(_START + n * 86_400 // 4) for n in range(-2, 16)]
    whole = view.totals(bounds[0], bounds[-1], ("provider",))
    parts: dict = {}
    for low, high in itertools.pairwise(bounds):
        for row in view.totals(low, high, ("provider",)):
            held = parts.setdefault(row.key, [0, 0, 0.0])
            held[0] += row.calls
            held[1] += row.tokens
            held[2] += row.energy_wh.mid
    assert {row.key: (row.calls, row.tokens) for row in whole} == {key: (c, t) for key, (c, t, _) in parts.items()}
    for row in whole:
        assert row.energy_wh.mid == pytest.approx(parts[row.key][2])


def test_an_empty_period_has_no_group(stored):
    view = View(stored, None, Settings())
    assert view.totals(NOON + timedelta(days=90), NOON + timedelta(days=91), ("team",)) == []
    assert view.totals(NOON, NOON, ("team",)) == []
    assert view.totals(NOON, NOON - timedelta(days=2), ("team",)) == []


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_file_that_cannot_be_read_is_an_error_with_what_to_do(tmp_path, how):
    ledger = Ledger(tmp_path)
    ledger.append([make_event(n, at_s=-n) for n in range(5)], {})
    (uri,) = ledger.files()
    if how == "gone":
        Path(uri).unlink()
    else:
        Path(uri).write_bytes(b"PAR1 not really")
    view = View(ledger, None, Settings())
    for ask in (
        lambda: view.overview(NOON),
        lambda: view.totals(NOON - timedelta(days=1), NOON, ("team",)),
        lambda: view.event(str(UUID(int=7))),
    ):
        with pytest.raises(LedgerError, match="could not be read") as caught:
            ask()
        assert caught.value.code == "ledger_unavailable"
        assert "files" in caught.value.action


def test_an_error_does_not_spoil_the_next_question(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append([make_event(n, at_s=-n) for n in range(5)], {})
    (uri,) = ledger.files()
    kept = Path(uri).read_bytes()
    Path(uri).write_bytes(b"PAR1 not really")
    view = View(ledger, None, Settings())
    with pytest.raises(LedgerError):
        view.overview(NOON)
    Path(uri).write_bytes(kept)
    assert view.overview(NOON).month.events == 5


def test_seconds_are_kept_for_the_windows_in_use_only(tmp_path):
    """A month watched quarter by quarter must not end up in memory second by second."""
    ledger = Ledger(tmp_path)
    events = [make_event(n, at_s=-60.0 * n) for n in range(300)]
    ledger.append(events, {})
    rollup = Rollup(Pricer({}))
    snapshot = ledger.snapshot()
    end = second_of(NOON)
    for back in range(8, -1, -1):
        edge = end - back * QUARTER_S + 17
        rollup.load(snapshot, end - 86_400, edge, edges=(edge, edge - 7_200))
        for cells in rollup.all():
            assert set(cells.fine) <= {quarter_of(edge), quarter_of(edge - 7_200)}
        counted = sum(sums.events for cells in rollup.all() for sums in cells.window(end - 86_400, edge).values())
        assert counted == sum(1 for event in events if second_of(event.started_at) < edge)
