"""Tables of rows: formats, line numbers, damage, memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.errors import ImportRefused
from mesure.meter.imports import ContentDigest, TableFile
from mesure.meter.imports.files import LONGEST_LINE

Write = Callable[..., Path]


def cells(path: Path) -> list[dict[str, object]]:
    return [row.cells for row in TableFile.open(path).rows()]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.txt"])
def test_csv_of_any_delimiter_line_end_and_compression(write: Write, mark: str, end: str, name: str) -> None:
    path = write(name, end.join([f"time{mark}tokens", f"t1{mark}1", f"t2{mark}2"]))
    file = TableFile.open(path)
    assert (file.format, file.delimiter, file.columns) == ("csv", mark, ("time", "tokens"))
    assert cells(path) == [{"time": "t1", "tokens": "1"}, {"time": "t2", "tokens": "2"}]


def test_line_numbers_are_those_of_the_file(write: Write) -> None:
    path = write("a.csv", 'a,b\n1,2\n\n"x\ny",3\n4,5\n')
    rows = list(TableFile.open(path).rows())
    assert [(row.line, row.cells["b"]) for row in rows] == [(2, "2"), (4, "3"), (6, "5")]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.log"])
def test_json_lines_are_flattened_and_lists_left_aside(write: Write, name: str) -> None:
    row = {"t": 1, "usage": {"in": 2, "details": {"cached": 3}}, "messages": [{"content": "secret"}], "n": None}
    path = write(name, json.dumps(row) + "\n\n" + json.dumps({"t": 4, "extra": True}))
    file = TableFile.open(path)
    assert file.format == "jsonl"
    assert file.columns == ("t", "usage.in", "usage.details.cached", "n", "extra")
    assert [row.line for row in file.rows()] == [1, 3]
    assert "secret" not in str(cells(path))


def test_byte_order_mark_is_no_part_of_the_first_column(write: Write) -> None:
    assert TableFile.open(write("a.csv", "\ufefftime,n\n1,2")).columns == ("time", "n")
    assert TableFile.open(write("b.jsonl", '\ufeff{"time": 1}')).columns == ("time",)


def test_quotes_delimiters_and_accents_inside_cells(write: Write) -> None:
    path = write("a.csv", 'équipe;n\n"Réclamations; ""gaz""";1\n')
    assert cells(path) == [{"équipe": 'Réclamations; "gaz"', "n": "1"}]


def test_a_stated_delimiter_wins(write: Write) -> None:
    file = TableFile.open(write("a.csv", "a,b,c;d\n1,2,3;4\n"), delimiter=";")
    assert file.columns == ("a,b,c", "d")


def test_the_sample_holds_the_first_rows(write: Write) -> None:
    file = TableFile.open(write("a.csv", "n\n" + "\n".join(map(str, range(500)))))
    assert [row.cells["n"] for row in file.sample[:3]] == ["0", "1", "2"]
    assert len(file.sample) == 100


# Rows that cannot be read: the others still are


@pytest.mark.parametrize(
    ("name", "content", "bad_line", "reason"),
    [
        ("a.csv", b"a,b\n1,2\n3\n4,5\n", 3, "1 cells where the header has 2"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n4,5\n", 3, "3 cells where the header has 2"),
        ("a.csv", b'a,b\n1,2\n"x"y,3\n4,5\n', 3, "cannot be read"),
        ("a.jsonl", b'{"a":1}\n{"a":\n{"a":5}\n', 2, "cannot be read"),
        ("a.jsonl", b'{"a":1}\n[1]\n{"a":5}\n', 2, "not a JSON object"),
        ("a.jsonl", b'{"a":1}\n{"a":NaN}\n{"a":5}\n', 2, "cannot be read"),
        ("a.jsonl", b'{"a":1}\n' + b"[" * 100_000 + b'\n{"a":5}\n', 2, "cannot be read"),
    ],
)
def test_a_row_that_cannot_be_read_names_its_line(
    write: Write, name: str, content: bytes, bad_line: int, reason: str
) -> None:
    rows = list(TableFile.open(write(name, content)).rows())
    assert [row.line for row in rows if row.error] == [bad_line]
    error = next(row.error for row in rows if row.error)
    assert error is not None
    assert reason in error.what
    assert len(rows) == 3
    assert rows[2].cells["a"] in ("4", 5)


def test_a_quote_never_closed_spoils_its_row_only(write: Write) -> None:
    rows = list(TableFile.open(write("a.csv", 'a,b\n1,2\n"open,3\n')).rows())
    assert rows[0].error is None
    assert rows[1].line == 3
    assert rows[1].error is not None


# Files that cannot be read


def refusal(path: Path) -> str:
    with pytest.raises(ImportRefused) as refused:
        list(TableFile.open(path).rows())
    assert refused.value.action
    return refused.value.what


def test_absent_empty_and_folder(write: Write, tmp_path: Path) -> None:
    assert "not a file" in refusal(tmp_path / "absent.csv")
    assert "not a file" in refusal(tmp_path)
    assert "empty" in refusal(write("a.csv", ""))
    assert "empty" in refusal(write("a.csv.gz", ""))
    assert "empty" in refusal(write("b.csv", "\n1,2\n"))


def test_damaged_compression(write: Write) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)
    assert "damaged" in refusal(write("a.csv", whole[:-20]))
    assert "damaged" in refusal(write("b.csv", whole[:12] + b"\xff" * 30 + whole[42:]))


def test_utf_16_and_twin_columns(write: Write) -> None:
    assert "UTF-16" in refusal(write("a.csv", "a,b\n1,2\n".encode("utf-16")))
    assert "same name" in refusal(write("b.csv", "a,a\n1,2\n"))


def test_what_is_not_a_table_of_text_is_told_without_its_bytes(write: Write) -> None:
    for content in (b"PK\x03\x04\x14\x00rest\n", b"\xd0\xcf\x11\xe0rest\n"):
        assert "workbook" in refusal(write("a.csv", content))
    assert "Line 2 holds bytes" in refusal(write("a.csv", b"a,b\n1,\x00\n"))


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}]\n',
        '[\n{"a": 1}\n]\n',
        '{\n  "a": 1\n}\n',
        '{"data": [{"a": 1}]}',
        '\ufeff {"x": 2, "data": [{"a":1}]}',
    ],
)
def test_a_json_document_is_its_records(write: Write, content: str) -> None:
    for name in ("a.json", "a.json.gz"):
        assert cells(write(name, content)) == [{"a": 1}]


FRENCH = "équipe;n\nRéclamations;1\n"


def test_windows_1252_is_one_refusal_that_says_what_to_do(write: Write) -> None:
    path = write("a.csv", "n;a\n1;b\n2;é\n3;é\n".encode("cp1252"))
    with pytest.raises(ImportRefused) as refused:
        TableFile.open(path)
    assert refused.value.what == "Line 3 is not text in utf-8"
    assert "--encoding windows-1252" in refused.value.action


def test_an_encoding_that_is_said_is_read_and_the_content_is_the_same(write: Write) -> None:
    saved = TableFile.open(write("a.csv", FRENCH.encode("cp1252")), encoding="windows-1252")
    assert [row.cells for row in saved.rows()] == [{"équipe": "Réclamations", "n": "1"}]
    assert saved.fingerprint() == TableFile.open(write("b.csv", FRENCH)).fingerprint()


def test_a_line_too_long_is_refused_before_it_fills_memory(write: Write) -> None:
    bomb = write("bomb.csv.gz", b"a,b\n" + b"x" * (40 * LONGEST_LINE))
    tracemalloc.start()
    what = refusal(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "Line 2 is longer" in what
    assert peak < 8 * LONGEST_LINE


def test_memory_is_constant(write: Write) -> None:
    def peak(rows: int) -> int:
        file = TableFile.open(write(f"{rows}.csv", "a,b,c\n" + "2023-11-16 18:15:46,123,456\n" * rows))
        tracemalloc.start()
        assert sum(1 for _ in file.rows()) == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # The least of several: threads of other tests may allocate meanwhile, and count in a peak
    assert min(peak(40_000) for _ in range(3)) < min(peak(2_000) for _ in range(3)) * 1.5


# Fingerprint and progress


@pytest.mark.parametrize(
    "content",
    ["a,b\r\n1,2\r\n3,4", "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4\n\n \n\r\n", "\ufeffa,b\n1,2\n3,4\n"],
)
def test_a_content_saved_again_is_the_same(write: Write, content: str) -> None:
    plain, packed = TableFile.open(write("a.csv", content)), TableFile.open(write("a.csv.gz", content))
    expected = hashlib.sha256(b"a,b\n1,2\n3,4\n").hexdigest()
    assert plain.fingerprint() == packed.fingerprint() == expected


@given(st.lists(st.sampled_from([b"a", b"", b" ", b"b,c"]), max_size=8), st.integers(0, 3))
def test_blank_lines_count_only_before_another(lines: list[bytes], blank: int) -> None:
    def digest(of: list[bytes], end: bytes) -> str:
        found = ContentDigest()
        for line in of:
            found.update(line + end)
        return found.hexdigest()

    assert digest(lines, b"\n") == digest([*lines, *[b""] * blank], b"\r\n")
    assert digest([*lines, b"x"], b"\n") != digest([*lines, b"y"], b"\n")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_progress_ends_at_the_size_on_disk(write: Write, name: str) -> None:
    file = TableFile.open(write(name, "a,b\n" + "1,2\n" * 3000))
    seen: list[int] = []
    assert len(list(file.rows(progress=seen.append))) == 3000
    assert seen == sorted(seen)
    assert seen[-1] == file.size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=300))
def test_no_content_crashes_the_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz"
    path.write_bytes(content)
    with suppress(ImportRefused):  # anything else fails
        for row in TableFile.open(path).rows():
            assert (row.error is None) or not row.cells
