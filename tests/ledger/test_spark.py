"""Spark over the table's files: what DuckDB says of them, and nothing lost, doubled or read in another time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_events import NOON, make_event

from mesure.config import Settings
from mesure.errors import LedgerError
from mesure.impact import formulas
from mesure.ledger import Ledger, Pricer, Slice, SparkEngine, View
from mesure.ledger.cells import Cell, Sums
from mesure.ledger.engine import Engine
from mesure.ledger.schema import second_of

pytestmark = pytest.mark.slow

_KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"input_tokens": None},
    {"output_tokens": None, "status": "error", "http_status": 500},
    {"energy_j": 100.0, "energy_low_j": 50.0, "energy_status": "measured", "energy_scope": "server"},
    {"energy_j": 100.0, "energy_status": "modelled", "energy_scope": "process"},
    {"operation": "transcription", "audio_seconds": 33.0, "input_tokens": None, "output_tokens": None},
    {"operation": "image", "images_count": 2, "image_width": 640, "image_height": 512},
    {"operation": "image", "images_count": 2, "model_requested": "acme-images", "model_answered": None},
    {"operation": "chat", "model_requested": "acme-images", "model_answered": None},
    {"host_zone": "FRA", "labels": {"ville": "Angers"}, "stream": True},
    {"host_zone": "XXX", "team": None},
    {"calls_count": 12, "team": ""},
    {"provider": None, "model_requested": None},
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Two months, several files, in a folder whose name a shell would mind."""
    ledger = Ledger(tmp_path_factory.mktemp("it's {a} cluster *"))
    events = [make_event(n, at_s=-3_600.0 * n, **_KINDS[n % len(_KINDS)]) for n in range(700)]
    ledger.append(events[:250], {})
    ledger.append(events[250:], {})
    return ledger


def _rows(view: View, since: datetime, until: datetime, by: tuple[str, ...]) -> dict[Any, Any]:
    return {row.key: row for row in view.totals(since, until, by)}


@pytest.mark.parametrize("where", [(("team", "team-1"),), (("use_case", None), ("provider", "openai"))])
def test_conditions_are_those_of_duckdb(ledger: Ledger, spark: Any, where: tuple[tuple[str, str | None], ...]) -> None:
    part = Slice(tuple(ledger.files()), 0, where=where)

    def counted(found: list[tuple[Any, int, Cell, Sums]]) -> dict[Any, list[int]]:
        rows: dict[Any, list[int]] = {}
        for values, _, _, sums in found:
            held = rows.setdefault(values, [0, 0, 0])
            rows[values] = [held[0] + sums.events, held[1] + sums.calls, held[2] + sums.tokens]
        return rows

    theirs = counted(Engine(Pricer({})).totals(part, ("team", "provider"), None))
    ours = counted(SparkEngine(Pricer({}), spark).totals(part, ("team", "provider"), None))
    assert ours == theirs
    assert ours


@pytest.mark.parametrize(
    "by",
    [
        (),
        ("team",),
        ("model", "host_zone"),
        ("day", "provider"),
        ("stream", "http_status"),
        ("hour",),
        ("operation", "month"),
    ],
)
def test_totals_are_those_of_duckdb(ledger: Ledger, spark: Any, by: tuple[str, ...]) -> None:
    settings = Settings()
    since, until = NOON - timedelta(days=20, seconds=17), NOON - timedelta(seconds=5)
    theirs = _rows(View(ledger, None, settings), since, until, by)
    ours = _rows(View(ledger, None, settings, spark=spark), since, until, by)
    assert set(ours) == set(theirs)
    for key, row in ours.items():
        other = theirs[key]
        assert (row.calls, row.events, row.tokens, row.coverage) == (
            other.calls,
            other.events,
            other.tokens,
            other.coverage,
        )
        assert row.energy_wh[:3] == pytest.approx(other.energy_wh[:3], rel=1e-12)
        assert (row.energy_wh.status, set(row.energy_wh.sources)) == (
            other.energy_wh.status,
            set(other.energy_wh.sources),
        )
        assert (row.gwp_gco2eq is None) == (other.gwp_gco2eq is None)
        if row.gwp_gco2eq is not None:
            assert row.gwp_gco2eq[:3] == pytest.approx(other.gwp_gco2eq[:3], rel=1e-12)


def test_each_event_comes_once_with_its_impacts(ledger: Ledger, spark: Any) -> None:
    pricer = Pricer({})
    frame = SparkEngine(pricer, spark).priced(Slice(tuple(ledger.files()), 0))
    assert frame.columns[-len(formulas.OUTPUTS) :] == list(formulas.OUTPUTS)
    found = {row["id"]: row for row in frame.collect()}
    assert frame.count() == len(found) == ledger.count() == 700
    view = View(ledger, None, Settings())
    for event_id in sorted(found)[::29]:
        event, row = view.event(event_id), found[event_id]
        assert event is not None
        impacts = pricer.impacts(event)
        assert row["energy_wh_mid"] == pytest.approx(impacts.energy_wh.mid, rel=1e-12)
        gwp = impacts.gwp_gco2eq
        assert row["gwp_gco2eq_high"] == (None if gwp is None else pytest.approx(gwp.high, rel=1e-12))
        assert row["started_at"].astimezone(UTC) == event.started_at
        assert (row["team"], row["labels"] is None) == (event.team, event.labels is None)
        assert row["month"] == f"{event.started_at:%Y-%m}"


def test_a_slice_ends_where_it_is_told(ledger: Ledger, spark: Any) -> None:
    engine, uris = SparkEngine(Pricer({}), spark), tuple(ledger.files())
    edge = second_of(NOON) - 36_000
    counts = [
        sum(sums.events for *_, sums in engine.totals(part, (), None))
        for part in (Slice(uris, 0, edge), Slice(uris, edge), Slice(uris, edge, edge + 1), Slice(uris, edge, edge))
    ]
    assert counts == [689, 11, 1, 0]


def test_files_of_an_earlier_schema_have_every_column(tmp_path: Path, spark: Any) -> None:
    """A column that a file does not have is unknown, not an error."""
    import duckdb

    ledger = Ledger(tmp_path)
    ledger.append([make_event(n, energy_j=5.0) for n in range(6)], {})
    [uri] = ledger.files()
    copy = tmp_path / "older" / "month=2026-11" / "part.parquet"
    copy.parent.mkdir(parents=True)
    duckdb.execute(
        f"COPY (SELECT * EXCLUDE (energy_j, energy_scope) FROM read_parquet('{uri}', hive_partitioning=false)) "
        f"TO '{copy}' (FORMAT parquet)"
    )
    found = SparkEngine(Pricer({}), spark).priced(Slice((str(copy),), 0)).collect()
    assert len(found) == 6
    assert all(row["energy_j"] is None and row["energy_wh_mid"] > 0.0 for row in found)


def test_a_ledger_without_events_gives_none(tmp_path: Path, spark: Any) -> None:
    part = Slice(tuple(Ledger(tmp_path).files()), 0)
    assert SparkEngine(Pricer({}), spark).totals(part, ("team",), {0: 0}) == []
    assert SparkEngine(Pricer({}), spark).priced(part).count() == 0
    view = View(Ledger(tmp_path), None, Settings(), spark=spark)
    assert view.totals(NOON - timedelta(days=1), NOON, ("team", "day")) == []


def test_a_file_that_is_gone_is_said(tmp_path: Path, spark: Any) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([make_event(0)], {})
    missing = tuple(uri.replace(".parquet", "-gone.parquet") for uri in ledger.files())
    with pytest.raises(LedgerError, match="Spark could not read the ledger") as refused:
        SparkEngine(Pricer({}), spark).totals(Slice(missing, 0), (), None)
    assert refused.value.code == "ledger_unavailable"
    assert "same path" in refused.value.action


def test_a_damaged_file_is_said(tmp_path: Path, spark: Any) -> None:
    ledger = Ledger(tmp_path)
    ledger.append([make_event(0)], {})
    [uri] = ledger.files()
    with Path(uri).open("r+b") as file:
        file.truncate(200)
    with pytest.raises(LedgerError) as refused:
        View(ledger, None, Settings(), spark=spark).totals(NOON - timedelta(days=1), NOON + timedelta(days=1), ())
    assert refused.value.code == "ledger_unavailable"


def test_the_document_s_example_runs(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    example = text.split("## On a cluster")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    Ledger("mesure-data").append([make_event(n, calls_count=5) for n in range(3)], {})
    exec(compile(example, "ledger.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "('team-0', 'gpt-4o') 5 " in printed
    assert "sum(energy_wh_mid)" in printed
