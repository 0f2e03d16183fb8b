"""One implementation: floats, NumPy, DuckDB and Spark give each of 100 000 adversarial events the same figures.

Events go the way of real ones: records, the Delta table, its files read by each engine, features, the join with
coefficients, impacts. `make test` does so with fewer events and without Spark, `make test-all` with all of it.
"""

from __future__ import annotations

import math
import random
import sys
from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pytest
from arro3.core import Array, DataType, Table
from made_events import DEPLOYMENT, LARGEST, LONGEST_CONTEXT, NO_FACTOR, SMALLEST, crossed, drawn, served

from mesure.config import DeploymentSettings
from mesure.errors import InvalidValue
from mesure.impact import estimate, formulas
from mesure.impact.engines import Engine as Way
from mesure.impact.engines import numpy_engine
from mesure.ledger import Ledger, Pricer, Slice, SparkEngine
from mesure.ledger.engine import Engine, _key_columns, _source
from mesure.ledger.pricing import Key, key_of
from mesure.ledger.schema import empty_table, to_table
from mesure.record import CHOICES, UsageEvent

OUTPUTS = formulas.OUTPUTS
DEPLOYMENTS = {DEPLOYMENT: DeploymentSettings(gpu="h100-sxm", n_gpus=2, precision="fp8", batch=8, framework="vllm")}
TEXT = ("operation", "energy_scope")
KEYS = tuple(f"key_{name}" for name in Key._fields)
Figures = dict[str, np.ndarray]


class Made:
    """The events, where they are stored, and what floats make of each: what every engine is held to."""

    def __init__(self, count: int, folder: Path) -> None:
        self.events = crossed(count)
        self.pricer = Pricer(DEPLOYMENTS)
        self.facts = [{name: getattr(event, name) for name in formulas.FACTS} for event in self.events]
        self.columns = [formulas.event_columns(facts) for facts in self.facts]
        self.bases = [formulas.basis_of(columns) for columns in self.columns]
        self.ledger = Ledger(folder)
        shuffled = random.Random(count).sample(self.events, count)
        for start in range(0, count, count // 2):
            self.ledger.append(shuffled[start : start + count // 2], {})

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """The coefficients of each event."""
        return [
            self.pricer.coefficients(key_of(event)).row(basis)
            for event, basis in zip(self.events, self.bases, strict=True)
        ]

    @cached_property
    def coefficients(self) -> Figures:
        return {name: np.array([row[name] for row in self.rows]) for name in formulas.COEFFICIENT_COLUMNS}

    @cached_property
    def figures(self) -> Figures:
        found = [formulas.impacts(columns, row) for columns, row in zip(self.columns, self.rows, strict=True)]
        return {name: np.array([one[name] for one in found]) for name in OUTPUTS}

    @property
    def part(self) -> Slice:
        return Slice(tuple(self.ledger.files()), 0, kind="all")


@pytest.fixture(scope="module", params=[3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(request.param, tmp_path_factory.mktemp("made"))


def arrays(facts: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Facts as NumPy has them: NaN unknown, texts as objects."""
    return {
        name: np.array([one[name] for one in facts], dtype=object)
        if name in TEXT
        else np.array([math.nan if one[name] is None else float(one[name]) for one in facts])
        for name in formulas.FACTS
    }


def on_numpy(facts: list[dict[str, Any]], coefficients: Figures) -> Figures:
    return formulas.impacts(formulas.event_columns(arrays(facts), numpy_engine()), coefficients)


def prices(pricer: Pricer, seen: list[tuple[Any, ...]]) -> Table:
    """A row of coefficients for each key and basis, NULL where there is no factor."""
    rows = [pricer.coefficients(Key(*(text or "" for text in key))).row(basis) for *key, basis in seen]
    named: dict[str, Any] = {name: Array([one[i] for one in seen], DataType.utf8()) for i, name in enumerate(KEYS)}
    named["basis"] = Array([one[-1] for one in seen], DataType.int64())
    for name in formulas.COEFFICIENT_COLUMNS:
        named[name] = Array([None if math.isnan(row[name]) else row[name] for row in rows], DataType.float64())
    return Table.from_pydict(named)


def on_duckdb(pricer: Pricer, part: Slice) -> Figures:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("empty_events", empty_table())
        facts = ", ".join(formulas.FACTS)
        connection.execute(
            f"CREATE TEMP TABLE keyed AS SELECT turn, {facts}, {', '.join(KEYS)} "
            f"FROM (SELECT *, {_key_columns()} FROM ({_source(part)}))"
        )
        staged = formulas.with_event_columns(nw.from_native(connection.table("keyed"))).to_native()
        connection.execute(f"CREATE TEMP TABLE staged AS {staged.sql_query()}")
        seen = connection.execute(f"SELECT DISTINCT {', '.join(KEYS)}, basis FROM staged").fetchall()
        connection.register("prices", prices(pricer, seen))
        same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM p.{name}" for name in (*KEYS, "basis"))
        joined = connection.sql(
            f"SELECT s.*, p.* EXCLUDE ({', '.join(KEYS)}, basis) FROM staged s LEFT JOIN prices p ON {same}"
        )
        priced = formulas.with_impacts(nw.from_native(joined)).to_native()
        return fetched(connection.sql(f"SELECT turn, {', '.join(OUTPUTS)} FROM ({priced.sql_query()})"))


def on_spark(pricer: Pricer, part: Slice, session: Any, folder: Path) -> Figures:
    """Written by Spark, since a row at a time is slow to hand over, and read back as it is."""
    SparkEngine(pricer, session).priced(part).select("turn", *OUTPUTS).write.parquet(str(folder))
    with duckdb.connect() as connection:
        return fetched(connection.sql(f"SELECT * FROM read_parquet('{folder}/*.parquet')"))


def fetched(relation: Any) -> Figures:
    """Columns in the order of the events, NaN for NULL."""
    columns = {name: np.ma.filled(values.astype(float), math.nan) for name, values in relation.fetchnumpy().items()}
    order = np.argsort(columns["turn"])
    return {name: values[order] for name, values in columns.items()}


def the_same(made: Made, found: Figures, within: float = 1e-12) -> None:
    """Every figure of every event, and each event once."""
    if "turn" in found:
        assert np.array_equal(found["turn"], np.arange(len(made.events))), "rows in are not rows out"
    for name in OUTPUTS:
        expected = made.figures[name]
        assert len(found[name]) == len(expected)
        with np.errstate(invalid="ignore"):
            alike = np.abs(found[name] - expected) <= within * np.abs(expected)
        alike |= np.isnan(found[name]) & np.isnan(expected)
        if not alike.all():
            first = int(np.argmin(alike))
            pytest.fail(f"{name}: {found[name][first]!r}, not {expected[first]!r}: {made.events[first]}")


def test_numpy_agrees_with_floats(made: Made) -> None:
    the_same(made, on_numpy(made.facts, made.coefficients))


def test_duckdb_agrees_with_floats(made: Made) -> None:
    the_same(made, on_duckdb(made.pricer, made.part))


@pytest.mark.slow
def test_spark_agrees_with_floats(made: Made, spark: Any, tmp_path: Path) -> None:
    the_same(made, on_spark(made.pricer, made.part, spark, tmp_path / "priced"))


def test_what_a_person_asks_of_one_event_agrees(made: Made) -> None:
    """`Impacts`, which multiplies by sums of multipliers, one quantity at a time."""
    for turn in range(0, len(made.events), 7):
        impacts = made.pricer.impacts(made.events[turn])
        for part in formulas.PARTS:
            for quantity in formulas.QUANTITIES:
                if (part, quantity) == ("embodied_", "energy_wh"):
                    continue
                found = impacts.quantity(part, quantity)
                expected = [made.figures[f"{part}{quantity}_{q}"][turn] for q in formulas.QUANTILES]
                if found is None:
                    assert all(math.isnan(value) for value in expected)
                else:
                    # Below the normal range a float has fewer digits to agree on
                    assert found[:3] == pytest.approx(expected, rel=1e-12, abs=1e-300), made.events[turn]


def test_the_order_of_rows_changes_nothing(made: Made) -> None:
    turns = random.Random(1).sample(range(len(made.events)), len(made.events))
    rows = {name: values[turns] for name, values in made.coefficients.items()}
    shuffled = on_numpy([made.facts[turn] for turn in turns], rows)
    back = np.argsort(turns)
    the_same(made, {name: values[back] for name, values in shuffled.items()}, within=0.0)
    files = made.part.uris
    ways = [on_duckdb(made.pricer, Slice(uris, 0, kind="all")) for uris in (files, tuple(reversed(files)))]
    for name in OUTPUTS:
        assert np.array_equal(ways[0][name], ways[1][name], equal_nan=True)


@pytest.mark.slow
def test_the_order_of_files_changes_nothing_on_spark(made: Made, spark: Any, tmp_path: Path) -> None:
    part = Slice(tuple(reversed(made.part.uris)), 0, kind="all")
    the_same(made, on_spark(made.pricer, part, spark, tmp_path / "priced"))


def summed(rows: list[tuple[Any, ...]]) -> dict[Any, list[float]]:
    """Totals of groups over their cells."""
    totals: dict[Any, list[float]] = {}
    for values, _, _, sums in rows:
        held = totals.setdefault(values, [0] * 10)
        counted = (sums.events, sums.calls, sums.tokens, sums.gwp_events)
        amounts = (sums.energy_low, sums.energy_mid, sums.energy_high, sums.gwp_low, sums.gwp_mid, sums.gwp_high)
        totals[values] = [a + b for a, b in zip(held, (*counted, *amounts), strict=True)]
    return totals


def expected_totals(made: Made) -> dict[Any, list[float]]:
    by: dict[str, list[int]] = defaultdict(list)
    for turn, event in enumerate(made.events):
        by[event.operation].append(turn)
    totals: dict[Any, list[float]] = {}
    for operation, turns in by.items():
        events = [made.events[turn] for turn in turns]
        known = [turn for turn in turns if not math.isnan(made.figures["gwp_gco2eq_mid"][turn])]
        tokens = sum((event.input_tokens or 0) + (event.output_tokens or 0) for event in events)
        totals[(operation,)] = [
            len(events), sum(event.calls_count for event in events), tokens, len(known),
            *(math.fsum(made.figures[f"energy_wh_{q}"][turns]) for q in formulas.QUANTILES),
            *(math.fsum(made.figures[f"gwp_gco2eq_{q}"][known]) for q in formulas.QUANTILES),
        ]  # fmt: skip
    return totals


def totals_agree(made: Made, rows: list[tuple[Any, ...]]) -> None:
    found, expected = summed(rows), expected_totals(made)
    assert set(found) == set(expected)
    for group, values in expected.items():
        assert found[group][:4] == values[:4], "events, calls, tokens and those with a factor are counted exactly"
        # Each addition of two positive numbers is off by half of the last place at most
        assert found[group][4:] == pytest.approx(values[4:], rel=max(1e-12, values[0] * 2.0**-52))


def test_totals_of_the_ledger_are_those_of_single_events(made: Made) -> None:
    totals_agree(made, Engine(made.pricer).totals(made.part, ("operation",), None))


@pytest.mark.slow
def test_totals_of_spark_are_those_of_single_events(made: Made, spark: Any) -> None:
    totals_agree(made, SparkEngine(made.pricer, spark).totals(made.part, ("operation",), None))


# What was tried


def told(event: UsageEvent, basis: int) -> set[str]:
    """Names of the adversities an event holds."""
    read, written, cached = event.input_tokens, event.output_tokens, event.cached_input_tokens
    made = bool(basis < formulas.ACCELERATOR and basis & (formulas.STEPS | formulas.PIXELS | formulas.FRAMES))
    holds = {
        "input unknown": read is None,
        "output unknown": written is None,
        "no token at all": read == 0 == written,
        "context of ten million": read == LONGEST_CONTEXT,
        "largest count": LARGEST in (read, written),
        "all of the input cached": read is not None and cached == read > 0,
        "cached tokens of an unknown input": read is None and bool(cached),
        "reasoning inside the output": bool(event.reasoning_tokens and written),
        "cancelled": event.status == "cancelled",
        "refused without a count": event.http_status in (400, 429, 499) and read is None is written,
        "failed in the server": event.http_status in (500, 503),
        "aggregate": event.calls_count > 1,
        "aggregate of nothing": event.calls_count == 0,
        "image with size": event.operation == "image" and bool(event.image_width and event.image_height),
        "image without size": made and bool(basis & formulas.PIXELS),
        "image with one side": (event.image_width is None) != (event.image_height is None),
        "steps unknown": made and bool(basis & formulas.STEPS),
        "frames of a video": event.operation == "video" and (event.video_frames or 0) > 1,
        "images beside a chat": event.operation == "chat" and bool(event.images_count),
        "audio heard": event.operation == "transcription" and bool(event.audio_seconds),
        "audio of unknown length": basis < formulas.ACCELERATOR and bool(basis & formulas.AUDIO),
        "measured with both bounds": None not in (event.energy_low_j, event.energy_j, event.energy_high_j),
        "measured without bounds": event.energy_j is not None and event.energy_low_j is None is event.energy_high_j,
        "bounds of no measurement": event.energy_j is None and event.energy_low_j is not None,
        "smallest float": SMALLEST in (event.energy_j, event.audio_seconds),
        "read at the accelerator": basis == formulas.ACCELERATOR,
        "read at the processor": basis == formulas.PROCESSOR,
        "read at the server": basis == formulas.SERVER,
        "nothing named": not (event.provider or event.model_answered or event.model_requested),
        "empty name": "" in (event.provider, event.model_answered, event.model_requested),
        "place without a factor": event.host_zone == NO_FACTOR,
        "place unknown": event.host_zone is None,
        "machine stated": event.deployment == DEPLOYMENT,
        "deployment nobody stated": event.deployment == "nowhere",
    }
    return {name for name, so in holds.items() if so} | {f"operation {event.operation}"}


def test_every_adversity_is_there_and_no_two_events_are_alike(made: Made) -> None:
    alike = {repr(replace(event, id="", turn=None)) for event in made.events}
    assert len(alike) == len(made.events)
    seen: dict[str, int] = defaultdict(int)
    for event, basis in zip(made.events, made.bases, strict=True):
        for name in told(event, basis):
            seen[name] += 1
    sys.stdout.write(f"{len(made.events)} events, none alike: {dict(sorted(seen.items()))}\n")
    assert len(seen) == 34 + len(CHOICES["operation"])
    priced = [made.pricer.coefficients(key_of(event)) for event in made.events]
    assert {found.known for found in priced} == {True, False}
    assert {found.modality for found in priced} >= {"text", "image", "video", "embedding", "speech to text"}
    assert {found.view for found in priced} == {"api", "self-host", "local"}
    modelled = [basis for basis in made.bases if basis < formulas.ACCELERATOR]
    for bit in (formulas.INPUT, formulas.OUTPUT, formulas.STEPS, formulas.PIXELS, formulas.FRAMES, formulas.AUDIO):
        assert {bool(basis & bit) for basis in modelled} == {True, False}


def test_every_condition_is_met_and_missed(made: Made) -> None:
    """Each `where` of the formulas takes both of its branches."""
    taken: dict[tuple[str, int], set[bool]] = defaultdict(set)
    plain = numpy_engine()

    def noted(condition: Any, then: Any, otherwise: Any) -> Any:
        caller = sys._getframe(1)
        taken[caller.f_code.co_name, caller.f_lasti] |= set(np.unique(condition).tolist())
        return plain.where(condition, then, otherwise)

    formulas.event_columns(arrays(made.facts), Way(noted, plain.known, plain.number, plain.among))
    assert len(taken) >= 25
    assert {place: branches for place, branches in taken.items() if branches != {True, False}} == {}


def test_what_has_no_factor_is_unknown_and_the_rest_is_a_number(made: Made) -> None:
    for name in OUTPUTS:
        values = made.figures[name]
        used = [made.coefficients[column] for _, column in formulas.multipliers(*split(name))]
        known = ~np.isnan(used).any(axis=0)
        assert np.array_equal(known, np.isfinite(values)), name
        assert (values[known] >= 0.0).all()
    assert np.isfinite(made.figures["energy_wh_mid"]).all()
    assert 0 < np.isnan(made.figures["gwp_gco2eq_mid"]).sum() < len(made.events)


def split(name: str) -> tuple[str, str, str]:
    part = next(part for part in ("usage_", "embodied_", "") if name.startswith(part))
    quantity, _, q = name.removeprefix(part).rpartition("_")
    return part, quantity, q


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, -5e-324])
@pytest.mark.parametrize("name", ["energy_j", "energy_low_j", "audio_seconds"])
def test_what_is_no_amount_is_refused_at_every_door(name: str, value: float) -> None:
    [where] = drawn(served(), 1)
    event = UsageEvent(id="", **where, **{name: value})
    with pytest.raises(InvalidValue, match=name):
        event.checked()
    with pytest.raises(InvalidValue):
        estimate("gpt-4o", audio_seconds=value)
    if math.isnan(value):
        assert to_table([event], where["started_at"]).column(name).to_pylist() == [None]
