"""One implementation: floats, NumPy and Narwhals over DuckDB agree to 1e-12, rows in = rows out."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.impact import Coefficients, Deployment, ModelCard, coefficient_row, formulas, resolve
from mesure.impact.engines import numpy_engine

TEXT = ("operation", "energy_scope")
TOKENS = st.none() | st.integers(0, 10_000_000)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
AMOUNT = st.none() | st.floats(0, 1e6)


def deployments() -> dict[str, Coefficients]:
    """Known and unknown models, zones with and without a factor, every modality."""
    return {
        "closed": resolve("gpt-4o", provider="openai", zone="FRA"),
        "unknown": resolve("never-heard-of", zone="DEU"),
        "no-zone-factor": resolve("qwen3-8b", zone="XXX"),
        "local": resolve("gemma-3-270m", provider="local"),
        "own": resolve("llama-3.1-8b", zone="SWE", deployment=Deployment(gpu="H100", n_gpus=1, batch=32)),
        "image": resolve("flux.1-dev", zone="USA"),
        "video": resolve("cogvideox-2b", zone="USA", deployment=Deployment(gpu="B200", n_gpus=2)),
        "speech": resolve("whisper-large-v3", zone="GBR"),
        "card": resolve("mine", card=ModelCard(total_params_b=100, active_params_b=10, architecture="moe"), zone="JPN"),
    }


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    read, width = draw(TOKENS), draw(st.none() | st.integers(1, 4096))
    energy = draw(AMOUNT)
    return {
        "calls_count": draw(st.integers(1, 10**6)),
        "operation": draw(
            st.none() | st.sampled_from(["chat", "embeddings", "image", "video", "transcription", "training"])
        ),
        "http_status": draw(st.none() | st.sampled_from([200, 400, 429, 500])),
        "input_tokens": read,
        "cached_input_tokens": draw(st.none() | st.integers(0, read or 0)),
        "output_tokens": draw(TOKENS),
        "images_count": draw(st.none() | st.integers(0, 100)),
        "image_width": width,
        "image_height": draw(st.none() | st.integers(1, 4096)),
        "image_steps": draw(st.none() | st.integers(0, 200)),
        "video_frames": draw(st.none() | st.integers(0, 1000)),
        "audio_seconds": draw(AMOUNT),
        "energy_j": energy,
        "energy_low_j": draw(st.none() | st.just(energy)),
        "energy_high_j": None if energy is None else energy * 1.5,
        "energy_scope": draw(st.none() | st.sampled_from(["process", "cpu", "accelerator", "server"])),
    }


def as_float(value: Any) -> float:
    return math.nan if value is None else float(value)


def row_for(coefficients: Coefficients, columns: dict[str, Any]) -> dict[str, float]:
    return coefficient_row(coefficients, formulas.basis_of(columns))


def on_floats(rows: list[dict[str, Any]], coefficients: Coefficients) -> list[dict[str, float]]:
    columns = [formulas.event_columns(facts) for facts in rows]
    return [formulas.impacts(one, row_for(coefficients, one)) for one in columns]


def on_numpy(rows: list[dict[str, Any]], coefficients: Coefficients) -> dict[str, list[float]]:
    facts = {
        name: np.array([one[name] for one in rows], dtype=object)
        if name in TEXT
        else np.array([as_float(one[name]) for one in rows])
        for name in formulas.FACTS
    }
    columns = formulas.event_columns(facts, numpy_engine())
    by_basis = {int(basis): coefficients.row(int(basis)) for basis in np.unique(columns["basis"])}
    row = {
        name: np.array([by_basis[int(basis)][name] for basis in columns["basis"]])
        for name in formulas.COEFFICIENT_COLUMNS
    }
    found = formulas.impacts(columns, row)
    return {name: found[name].tolist() for name in formulas.OUTPUTS}


def events_table(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], keys: list[str]) -> Any:
    integers = ("calls_count", "http_status", "input_tokens", "cached_input_tokens", "output_tokens", "images_count")
    types = {name: "VARCHAR" if name in TEXT else "BIGINT" if name in integers else "DOUBLE" for name in formulas.FACTS}
    connection.execute(f"create table e (i integer, m varchar, {', '.join(f'{n} {t}' for n, t in types.items())})")
    connection.executemany(
        f"insert into e values ({', '.join('?' * (len(types) + 2))})",
        [
            [i, key, *(facts[name] for name in formulas.FACTS)]
            for i, (facts, key) in enumerate(zip(rows, keys, strict=True))
        ],
    )
    return formulas.with_event_columns(nw.from_native(connection.table("e")))


def on_duckdb(rows: list[dict[str, Any]], keys: list[str], known: dict[str, Coefficients]) -> list[dict[str, Any]]:
    """Events joined with the coefficients of their key and basis, in the order of the rows."""
    connection = duckdb.connect()
    staged = events_table(connection, rows, keys).to_native()
    pairs = staged.project("m, basis").distinct().fetchall()
    columns = formulas.COEFFICIENT_COLUMNS
    connection.execute(f"create table k (m varchar, basis bigint, {', '.join(f'{name} double' for name in columns)})")
    for key, basis in pairs:
        if key in known:
            row = known[key].row(basis)
            values = [None if math.isnan(row[name]) else row[name] for name in columns]
            connection.execute(f"insert into k values ({', '.join('?' * (len(columns) + 2))})", [key, basis, *values])
    connection.register("staged", staged)
    joined = connection.sql("select s.*, k.* exclude (m, basis) from staged s left join k using (m, basis)")
    result = formulas.with_impacts(nw.from_native(joined)).to_native()
    names = result.columns
    found = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    connection.close()
    return sorted(found, key=lambda one: one["i"])


def agree(found: float, expected: float) -> bool:
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=0.0)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.lists(events(), min_size=1, max_size=20), st.sampled_from(sorted(deployments())))
def test_numpy_agrees_with_floats(rows: list[dict[str, Any]], key: str) -> None:
    coefficients = deployments()[key]
    floats, arrays = on_floats(rows, coefficients), on_numpy(rows, coefficients)
    for name in formulas.OUTPUTS:
        assert len(arrays[name]) == len(rows)
        for found, expected in zip(arrays[name], floats, strict=True):
            assert agree(found, expected[name]), (name, found, expected[name])


@settings(max_examples=6, deadline=None, suppress_health_check=SLOW)
@given(st.lists(st.tuples(events(), st.sampled_from(sorted(deployments()))), min_size=30, max_size=60))
def test_duckdb_agrees_with_floats(drawn: list[tuple[dict[str, Any], str]]) -> None:
    known = deployments()
    rows, keys = [facts for facts, _ in drawn], [key for _, key in drawn]
    found = on_duckdb(rows, keys, known)
    assert len(found) == len(rows)
    for facts, key, one in zip(rows, keys, found, strict=True):
        [expected] = on_floats([facts], known[key])
        for name in formulas.OUTPUTS:
            assert agree(as_float(one[name]), expected[name]), (name, key, facts)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.lists(events(), min_size=1, max_size=20), st.sampled_from(sorted(deployments())))
def test_sums_of_features_give_the_sum_of_impacts(rows: list[dict[str, Any]], key: str) -> None:
    """What lets a total be one pass: impacts of summed features are the sum of impacts, basis by basis."""
    coefficients = deployments()[key]
    columns = [formulas.event_columns(facts) for facts in rows]
    for basis in {formulas.basis_of(one) for one in columns}:
        members = [one for one in columns if formulas.basis_of(one) == basis]
        summed = {name: math.fsum(one[name] for one in members) for name in formulas.SUMMED}
        row = coefficient_row(coefficients, basis)
        whole = formulas.impacts(summed, row)
        each = [formulas.impacts(one, row) for one in members]
        for name in formulas.OUTPUTS:
            expected = math.fsum(one[name] for one in each) if formulas.known(whole[name]) else math.nan
            assert math.isnan(expected) or math.isclose(whole[name], expected, rel_tol=1e-9)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(events())
def test_text_alone_leaves_out_only_what_is_zero(facts: dict[str, Any]) -> None:
    facts |= {"operation": "chat", "images_count": None, "audio_seconds": None}
    columns = formulas.event_columns(facts)
    assert all(columns[name] == 0.0 for name in formulas.SUMMED if name not in formulas.SUMMED_TEXT)


def plain(**facts: Any) -> dict[str, Any]:
    return dict.fromkeys(formulas.FACTS) | {"calls_count": 1, "operation": "chat"} | facts


def test_a_row_without_coefficients_stays_and_is_unknown() -> None:
    [found] = on_duckdb([plain(input_tokens=10)], ["nobody"], {"somebody": resolve("qwen3-8b")})
    assert found["energy_wh_mid"] is None
    assert found["input_tokens"] == 10


def test_the_frame_keeps_its_own_columns_and_gains_the_outputs() -> None:
    [found] = on_duckdb([plain(input_tokens=10, output_tokens=10)], ["m"], {"m": resolve("qwen3-8b", zone="FRA")})
    assert set(formulas.FACTS) <= set(found)
    assert set(formulas.OUTPUTS) <= set(found)


@pytest.mark.parametrize("key", sorted(deployments()))
@pytest.mark.parametrize("basis", [0, 1, 2, 3, 12, 28, 32, 64, 128, 192])
def test_the_row_holds_exactly_the_columns_formulas_read(key: str, basis: int) -> None:
    row = coefficient_row(deployments()[key], basis)
    assert tuple(row) == formulas.COEFFICIENT_COLUMNS
    assert all(isinstance(value, float) and (math.isnan(value) or 0.0 <= value < math.inf) for value in row.values())
    assert tuple(formulas.event_columns(plain())) == formulas.EVENT_COLUMNS


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(events(), st.sampled_from(sorted(deployments())))
def test_intervals_are_ordered_and_finite(facts: dict[str, Any], key: str) -> None:
    [found] = on_floats([facts], deployments()[key])
    for name in formulas.OUTPUTS:
        if name.endswith("_mid") and formulas.known(found[name]):
            stem = name.removesuffix("_mid")
            low, mid, high = found[f"{stem}_low"], found[name], found[f"{stem}_high"]
            assert 0.0 <= low <= mid * (1 + 1e-12), (name, facts)
            assert mid <= high * (1 + 1e-12) < math.inf, (name, facts)


def test_an_unknown_fact_is_what_stands_for_it() -> None:
    """Folding an assumption into coefficients gives what stating it would, interval apart."""
    coefficients = resolve("llama-3.1-8b", zone="FRA", deployment=Deployment(gpu="H100", n_gpus=1, batch=32))
    assumed = coefficients.form.assumed
    stated = plain(input_tokens=assumed.input_tokens, output_tokens=assumed.output_tokens)
    known = formulas.accelerator_energy_wh(formulas.event_columns(stated), coefficients.row(0))
    for unknown in ({"input_tokens": None}, {"output_tokens": None}, {"input_tokens": None, "output_tokens": None}):
        columns = formulas.event_columns(stated | unknown)
        found = formulas.accelerator_energy_wh(columns, coefficients.row(formulas.basis_of(columns)))
        assert found == pytest.approx(known, rel=1e-12)
