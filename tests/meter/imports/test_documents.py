"""JSON documents, Parquet files and metrics as records: whole, in order, in constant memory, or refused."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.errors import ImportRefused
from mesure.meter.imports import ImportPlan, TableFile, json_documents, read_events, review
from mesure.meter.imports.json_documents import is_document, records_of
from mesure.meter.imports.scrapes import is_scrapes, scrape_records

Write = Callable[..., Path]

leaves = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12)
objects = st.dictionaries(
    st.text(max_size=6).filter(lambda name: name not in ("data", "results", "observations", "items", "records")),
    leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=4), leaves, max_size=3),
    max_size=4,
)


def read(text: str, piece: int = 1 << 16) -> list[Any]:
    before = json_documents._PIECE
    json_documents._PIECE = piece
    try:
        return list(records_of(io.BytesIO(text.encode("utf-8", "surrogatepass")), "a.json"))
    finally:
        json_documents._PIECE = before


@settings(max_examples=100, deadline=None)
@given(st.lists(objects, max_size=5), st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 40))
def test_a_list_gives_back_its_elements_whatever_the_pieces(
    elements: list[Any], indent: int | None, wrapped: bool, piece: int
) -> None:
    document: Any = {"object": "page", "data": elements, "next": None} if wrapped else elements
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    assert read(text, piece) == elements
    if elements or wrapped:
        assert is_document(text.encode("utf-8", "surrogatepass")) or (wrapped and indent == 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(objects, min_size=1, max_size=4), st.integers(1, 30))
def test_an_object_without_a_list_is_one_record_and_several_follow(elements: list[Any], piece: int) -> None:
    assert read("\n".join(json.dumps(one, indent=1) for one in elements), piece) == elements


@pytest.mark.parametrize("text", ["[1", '[{"a":1} {"a":2}]', '{"a":1', '{"a"}', '{"data":[1,]}', "[NaN]", "{1:2}", "x"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read(text, 3)
    assert "not JSON" in refused.value.what


def test_a_record_too_large_is_refused_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_documents, "LARGEST_RECORD", 1 << 20)
    with pytest.raises(ImportRefused) as refused:
        read('[{"a":"' + "x" * (8 << 20))
    assert "longer than 1 MB" in refused.value.what


def test_memory_is_that_of_a_record() -> None:
    record = {"a": "x" * 2_000}

    class Endless(io.RawIOBase):
        def __init__(self, count: int) -> None:
            self.left, self.rest = count, b"["

        def read(self, size: int = -1) -> bytes:
            while len(self.rest) < size and self.left:
                self.left -= 1
                self.rest += json.dumps(record).encode() + (b"," if self.left else b"]")
            found, self.rest = self.rest[:size], self.rest[size:]
            return found

    def peak(count: int) -> int:
        tracemalloc.start()
        assert len([None for _ in records_of(Endless(count), "a")]) == count  # type: ignore[arg-type]
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert min(peak(4_000) for _ in range(2)) < 1.5 * min(peak(400) for _ in range(2))


def test_lines_of_json_stay_lines(write: Write) -> None:
    """A line that is spoilt spoils itself alone."""
    file = TableFile.open(write("a.jsonl", '{"a": 1}\n{"a":\n{"a": 3}\n'))
    assert file.format == "jsonl"
    assert [row.error is None for row in file.rows()] == [True, False, True]
    assert TableFile.open(write("b.jsonl", '{"a":\n{"a": 3}\n')).format == "jsonl"


# Parquet


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[[str], Path]:
    def _write(select: str) -> Path:
        path = tmp_path / "usage [1].parquet"
        duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return path

    return _write


def test_parquet_is_read_with_its_types(parquet: Callable[[str], Path]) -> None:
    path = parquet(
        "SELECT TIMESTAMPTZ '2026-11-20 08:00:00+01' AS \"timestamp\", 'gpt-4o' AS model, 12::BIGINT AS prompt_tokens, "
        "3.5::DECIMAL(9,2) AS cost, {'inside': 7} AS \"group\", [1, 2] AS texts, NULL::INTEGER AS completion_tokens, "
        "'\\x00'::BLOB AS bytes, 'nan'::DOUBLE AS latency_ms "
        "UNION ALL SELECT TIMESTAMPTZ '2026-11-20 09:00:00+01', 'm', 0, 0, NULL, NULL, 4, NULL, 2.5"
    )
    file = TableFile.open(path)
    assert file.format == "parquet"
    assert {"timestamp", "model", "group.inside"} <= set(file.columns)
    plan = ImportPlan.make(file, pseudonym=str)
    first, second = read_events(file, plan, review(file, plan))
    assert first.started_at == datetime(2026, 11, 20, 7, tzinfo=UTC)
    assert (first.model_requested, first.input_tokens, first.output_tokens, first.cost) == ("gpt-4o", 12, None, 3.5)
    assert (second.input_tokens, second.output_tokens, second.duration_ms) == (0, 4, 2.5)


def test_parquet_keeps_its_order_and_tells_how_far_it_is(parquet: Callable[[str], Path]) -> None:
    file = TableFile.open(parquet("SELECT range AS n FROM range(5000)"))
    told: list[int] = []
    assert [row.cells["n"] for row in file.rows(progress=told.append)] == list(range(5000))
    assert told == sorted(told)
    assert told[-1] == file.size


def test_a_parquet_file_that_is_damaged_is_refused(write: Write) -> None:
    with pytest.raises(ImportRefused) as refused:
        TableFile.open(write("a.parquet", b"PAR1" + b"\0" * 50))
    assert "Parquet" in refused.value.what


# Metrics


def test_a_scrape_is_what_was_read_together() -> None:
    text = (
        b'# scraped 2026-11-20T08:00:00Z\nvllm:a{m="x \\"y\\""} 1\nother 2\nvllm:b 3 nonsense\n'
        b"# scraped 10\nvllm:a NaN\nvllm:a 4\n"
    )
    first, second = scrape_records(text.splitlines(keepends=True)[:3]), list(scrape_records(text.splitlines()))
    assert next(first) == {"at": 1795161600.0, "samples": [["vllm:a", {"m": 'x "y"'}, 1.0]]}
    assert [record["at"] for record in second] == [1795161600.0, None, 10.0]


@given(st.binary(max_size=200))
def test_no_line_of_metrics_crashes(content: bytes) -> None:
    is_scrapes(content)
    lines = [line.decode("utf-8", "ignore").encode() for line in (b"vllm:x" + content).split(b"\n")]
    for record in scrape_records(lines):
        json.dumps(record)
