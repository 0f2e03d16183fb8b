"""`mesure.meter()`: blocks, functions, coroutines, generators of both kinds; one event each, and the same result."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from test_instrumenting import environment

import mesure
from mesure.apps.sdk import delivery, metering
from mesure.errors import InvalidValue
from mesure.ledger.lines import decode

if TYPE_CHECKING:
    from mesure.record import UsageEvent


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    if (made := delivery._deliveries.pop(str(tmp_path), None)) is not None:
        made.close()


def told(data: Path) -> list[UsageEvent]:
    delivery.delivery_to(data).box.flush(30)
    return [decode(line) for file in (data / "spool").glob("*.spool") for line in file.read_bytes().splitlines()]


def work() -> float:
    """Enough of it for a clock of processor time to move."""
    return float(np.linalg.norm(np.random.default_rng(7).random((300, 300)) @ np.ones((300, 300))))


def test_a_block_is_one_event_with_its_energy(data: Path) -> None:
    with mesure.meter("topics", operation="classification", items=3, use_case="triage", zone="FRA", to=data) as m:
        work()
        m.input_tokens = 12
        m.labels["shop"] = "Lille"
    (event,) = told(data)
    assert (event.model_requested, event.operation, event.input_items) == ("topics", "classification", 3)
    assert (event.use_case, event.host_zone, event.source) == ("triage", "FRA", "hook")
    assert (event.input_tokens, event.tokens_reported, event.labels) == (12, False, {"shop": "Lille"})
    assert event.energy_j is not None
    assert event.energy_low_j is not None
    assert event.energy_high_j is not None
    assert 0 < event.energy_low_j <= event.energy_j <= event.energy_high_j
    assert event.energy_status in ("measured", "modelled")
    assert event.duration_ms is not None
    assert event.duration_ms > 0


def test_a_function_returns_what_it_returns_and_keeps_its_name(data: Path) -> None:
    @mesure.meter("double", to=data)
    def double(x: int, *, plus: int = 0) -> int:
        """Twice."""
        return 2 * x + plus

    assert (double(2, plus=1), double.__name__, double.__doc__) == (5, "double", "Twice.")
    assert double(4) == 8
    assert [event.status for event in told(data)] == ["ok", "ok"]


def test_an_error_is_raised_as_it_is_and_told_by_its_kind(data: Path) -> None:
    @mesure.meter("broken", to=data)
    def broken() -> None:
        raise ValueError("with a secret")

    with pytest.raises(ValueError, match="with a secret"):
        broken()
    (event,) = told(data)
    assert (event.status, event.error_type) == ("error", "ValueError")
    assert "secret" not in repr(event)


def test_coroutines_and_blocks_beside_each_other(data: Path) -> None:
    shared = mesure.meter("shared", to=data)

    @shared
    async def asked(x: int) -> int:
        await asyncio.sleep(0.001 * (3 - x))
        return x

    async def run() -> list[int]:
        async with mesure.meter("block", to=data) as m:
            m.items = 1
            async with shared as inner:
                inner.items = 2
        return await asyncio.gather(*(asked(x) for x in range(3)))

    assert asyncio.run(run()) == [0, 1, 2]
    events = told(data)
    assert sorted(event.model_requested or "" for event in events) == ["block", "shared", "shared", "shared", "shared"]
    assert {event.input_items for event in events} == {None, 1, 2}
    assert all(event.energy_j is not None for event in events)


def test_a_generator_is_metered_while_it_works_and_not_while_it_waits(data: Path) -> None:
    @mesure.meter("stream", to=data)
    def stream() -> Iterator[int]:
        got = yield 1
        try:
            yield got + 1
        except KeyError:
            yield 99
        return "end"

    generator = stream()
    said: list[Any] = [next(generator), generator.send(5), generator.throw(KeyError())]
    for _ in range(20):
        work()  # the consumer's own
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert (said, end.value.value) == ([1, 6, 99], "end")
    (event,) = told(data)
    assert event.status == "ok"
    assert event.ended_at is not None
    assert event.duration_ms is not None
    assert event.duration_ms < (event.ended_at - event.started_at).total_seconds() * 1e3 / 2


def test_a_generator_left_early_is_cancelled(data: Path) -> None:
    closed = []

    @mesure.meter("left", to=data)
    def left() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    generator = left()
    assert next(generator) == 1
    generator.close()
    assert closed == [True]
    assert [event.status for event in told(data)] == ["cancelled"]


def test_asynchronous_generators(data: Path) -> None:
    @mesure.meter("asynchronous", to=data)
    async def numbers(fail: bool) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        if fail:
            raise RuntimeError("no")
        yield 2

    async def run() -> tuple[list[int], list[int]]:
        whole = [x async for x in numbers(False)]
        part: list[int] = []

        async def fail() -> None:
            part.extend([x async for x in numbers(True)])

        with pytest.raises(RuntimeError, match="no"):
            await fail()
        stopped = numbers(False)
        assert await anext(stopped) == 1
        await stopped.aclose()
        return whole, part

    assert asyncio.run(run()) == ([1, 2], [])
    assert sorted(event.status for event in told(data)) == ["cancelled", "error", "ok"]


def test_nothing_in_its_way_stops_the_work(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise OSError("no sensor, no disk")

    monkeypatch.setattr(metering, "delivery_to", broken)
    with mesure.meter("x", to=data) as m:
        m.input_tokens = -5
    monkeypatch.undo()
    with mesure.meter("x", to=data) as m:
        m.input_tokens = -5  # no count: the event is refused, the block is not
    assert told(data) == []


def test_without_a_sensor_a_use_is_told_without_energy(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "_sensor", lambda: None)
    with mesure.meter("x", to=data):
        pass
    assert [event.energy_j for event in told(data)] == [None]


def test_an_operation_that_does_not_exist_is_said_at_once() -> None:
    with pytest.raises(InvalidValue, match="classification"):
        mesure.meter("x", operation="classify")  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["import mesure.meter.sensors", "pass"])
def test_the_public_function_and_the_room_of_that_name_are_both_there(first: str, tmp_path: Path) -> None:
    code = (
        f"import sys, mesure; {first}\n"
        "with mesure.meter('m', to=sys.argv[1]): pass\n"
        "import mesure.meter.sensors\n"
        "from mesure.meter.sensors import CallMeter\n"
        "mesure.meter('m', to=sys.argv[1])(lambda: None)()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line for file in (tmp_path / "spool").glob("*.spool") for line in file.read_bytes().splitlines()]
    assert [decode(line).model_requested for line in lines] == ["m", "m"]
