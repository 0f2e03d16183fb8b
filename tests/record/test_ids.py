"""UUIDv7: valid, ordered by time, unique, and repeatable when derived."""

from __future__ import annotations

import os
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from mesure.record import derived_id, new_id

times = st.integers(0, 2**48 - 1)


@given(times)
def test_it_is_a_version_7_uuid_of_that_time(at_ms: int) -> None:
    for text in (new_id(at_ms), derived_id(at_ms, "file:1")):
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122
        assert parsed.int >> 80 == at_ms


@given(times, times)
def test_text_order_is_time_order(first: int, second: int) -> None:
    if first < second:
        assert new_id(first) < new_id(second)
        assert derived_id(first, "b") < derived_id(second, "a")


def test_now_is_the_default() -> None:
    before = time.time_ns() // 1_000_000
    at_ms = uuid.UUID(new_id()).int >> 80
    assert before <= at_ms <= time.time_ns() // 1_000_000


def test_ids_of_one_millisecond_differ_also_across_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: new_id(1_700_000_000_000), range(20_000)))
    assert len(set(ids)) == len(ids)


@given(times, st.text(), st.text())
def test_a_derived_id_depends_on_its_origin_alone(at_ms: int, origin: str, other: str) -> None:
    assert derived_id(at_ms, origin) == derived_id(at_ms, origin)
    assert (derived_id(at_ms, origin) == derived_id(at_ms, other)) == (origin == other)


def test_derived_ids_of_many_lines_differ() -> None:
    ids = {derived_id(1_700_000_000_000, f"sha:{line}") for line in range(50_000)}
    assert len(ids) == 50_000


def test_a_time_no_id_can_hold_keeps_the_order() -> None:
    assert derived_id(-5, "a") == derived_id(0, "a")
    assert uuid.UUID(new_id(2**60)).int >> 80 == 2**48 - 1


def test_a_forked_child_and_a_seeded_program_draw_ids_of_their_own() -> None:
    at_ms = 1_700_000_000_000
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_id(at_ms).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() != new_id(at_ms)
    os.close(reading)
    os.close(writing)
    random.seed(1)
    first = new_id(at_ms)
    random.seed(1)
    assert new_id(at_ms) != first
