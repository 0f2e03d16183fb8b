"""A sensor split among the calls of its deployments: what is recorded, when, and what is not."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_doubles import HandClock

from mesure.meter.sensors import Device, Raw, Sensor
from mesure.meter.sensors.server_meter import Measured, ServerMeter
from mesure.meter.sensors.serving import Counts, Serving
from mesure.meter.sensors.splitting import Work
from mesure.meter.sensors.windows import IDLE
from mesure.record import UsageEvent, identity_of, new_id
from waiting import eventually

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Kept:
    """A sink that keeps, or refuses when told to."""

    def __init__(self) -> None:
        self.events: list[UsageEvent] = []
        self.full = False

    def record(self, event: UsageEvent) -> bool:
        if self.full:
            return False
        self.events.append(event.checked())
        return True


class Bench:
    """A board whose watts are set by hand, a clock, and a meter over them."""

    def __init__(self, *names: str, kind: str = "counter", **options: Any) -> None:
        self.clock, self.sink = HandClock(), Kept()
        self.joules = 1e6
        self.fails = False
        device = Device("GPU-a", "NVIDIA H200", self.raw)
        self.sensor = Sensor("nvml", "counter", "accelerator", [device], clock=self.clock)
        declared = [
            one if isinstance(one, Measured) else Measured(one, "vllm", zone="FRA") for one in (names or ("chat",))
        ]
        self.meter = ServerMeter(
            self.sensor,
            declared,
            self.sink,
            work=lambda event: (
                None if event.output_tokens is None else Work(event.input_tokens or 0, event.output_tokens)
            ),
            host="gpu-1",
            clock=lambda: self.clock.awake_s,
            wall=lambda: NOON.timestamp() + self.clock.awake_s - 1_000.0,
            **{"idle_w": 70.0, **options},
        )

    def raw(self) -> Raw:
        if self.fails:
            raise OSError("lost")
        return Raw(self.joules, None)

    def passes(self, seconds: float, watts: float, *, every: float = 1.0) -> None:
        """Time at a power, read each second."""
        while seconds > 1e-9:
            step = min(every, seconds)
            self.clock.wait(step)
            self.joules += step * watts
            self.meter.step()
            seconds -= step

    def call(self, seconds: float, watts: float, **facts: Any) -> UsageEvent:
        """A call that is alone."""
        key = new_id()
        self.meter.start(key)
        self.passes(seconds, watts)
        event = called(key, seconds, **facts)
        self.meter.booked(key, event)
        self.passes(1.0, 70.0)
        return event

    def kept(self, task: str | None = None) -> list[UsageEvent]:
        return [event for event in self.sink.events if event.task == task]


def called(key: str, seconds: float, **facts: Any) -> UsageEvent:
    given = {"input_tokens": 100, "output_tokens": 50, "response_id": f"chatcmpl-{key}", **facts}
    return UsageEvent(
        id=key,
        started_at=NOON,
        duration_ms=seconds * 1e3,
        deployment="chat",
        provider="vllm",
        model_answered="m",
        **given,
    )


def test_a_calls_joules_follow_as_a_sighting_of_the_same_call() -> None:
    bench = Bench()
    event = bench.call(4.0, 570.0)
    (sighting,) = bench.kept()
    assert identity_of(sighting) == identity_of(event)
    assert (sighting.id, sighting.source) == (event.id, "sensor")
    assert sighting.energy_j == pytest.approx(4 * 500.0)
    assert (sighting.energy_low_j, sighting.energy_high_j) == pytest.approx((1_800.0, 2_200.0))
    assert (sighting.energy_sensor, sighting.energy_status, sighting.energy_scope) == (
        "nvml",
        "measured",
        "accelerator",
    )
    same = replace(
        sighting, source="gateway", **dict.fromkeys(name for name in UsageEvent.__slots__ if name.startswith("energy_"))
    )
    assert same == event  # the rest is told as it was


def test_idle_has_its_own_line_and_is_no_call() -> None:
    bench = Bench(window_s=10.0)
    bench.call(4.0, 570.0)
    bench.passes(6.0, 70.0)
    (idle,) = bench.kept(IDLE)
    assert idle.energy_j == pytest.approx(10 * 70.0)
    assert (idle.calls_count, idle.operation, idle.deployment, idle.host_zone) == (0, "other", "chat", "FRA")
    assert (idle.input_tokens, idle.output_tokens) == (None, None)
    assert idle.started_at == NOON
    assert idle.ended_at == NOON + timedelta(seconds=10)
    assert bench.meter.state.idle_share == pytest.approx(770.0 / 2_770.0)


@given(
    st.lists(st.tuples(st.floats(0.3, 20.0), st.floats(0.0, 900.0), st.integers(0, 3)), min_size=1, max_size=12),
    st.floats(2.0, 40.0),
)
def test_calls_and_idle_are_what_the_sensor_read(turns: list[tuple[float, float, int]], window_s: float) -> None:
    bench = Bench(window_s=window_s)
    first, flying = bench.joules, []
    for seconds, watts, news in turns:
        for _ in range(news):
            flying.append((new_id(), bench.clock.awake_s))
            bench.meter.start(flying[-1][0])
        bench.passes(seconds, watts)
        while len(flying) > 1:
            key, since = flying.pop(0)
            bench.meter.booked(key, called(key, bench.clock.awake_s - since))
    for key, since in flying:
        bench.meter.booked(key, called(key, bench.clock.awake_s - since))
    bench.passes(2.0, 70.0)
    bench.meter.close()
    recorded = sum(event.energy_j or 0.0 for event in bench.sink.events)
    assert recorded == pytest.approx(bench.joules - first, rel=1e-6)


def test_a_call_is_recorded_once_its_neighbours_have_ended() -> None:
    bench = Bench()
    bench.meter.start("long")
    bench.passes(1.0, 170.0)
    bench.meter.start("short")
    bench.passes(2.0, 170.0)
    bench.meter.booked("short", called("short", 2.0))
    bench.passes(3.0, 170.0)
    assert bench.kept() == []
    assert bench.meter.state.waiting == 1
    bench.meter.booked("long", called("long", 6.0, output_tokens=500))
    bench.passes(1.0, 70.0)
    shares = {event.id: event.energy_j for event in bench.kept()}
    assert sum(joules or 0.0 for joules in shares.values()) == pytest.approx(600.0)
    assert shares["short"] == pytest.approx(200.0 * (150 / 2.0) / (150 / 2.0 + 600 / 6.0))


def test_what_was_no_call_leaves_no_trace() -> None:
    bench = Bench(window_s=5.0)
    bench.meter.start("a list of models")
    bench.passes(1.0, 170.0)
    bench.meter.forgot("a list of models")
    bench.passes(5.0, 70.0)
    assert bench.kept() == []
    (idle,) = bench.kept(IDLE)
    assert idle.energy_j == pytest.approx(100.0 + 4 * 70.0 + 70.0)


def test_a_call_without_tokens_still_gets_what_it_drew() -> None:
    bench = Bench()
    bench.call(2.0, 270.0, input_tokens=None, output_tokens=None, status="cancelled")
    (sighting,) = bench.kept()
    assert sighting.energy_j == pytest.approx(400.0)


def test_a_call_that_was_mostly_not_read_keeps_its_estimate() -> None:
    bench = Bench()
    bench.meter.start("a")
    bench.passes(10.0, 570.0)
    bench.joules = 5.0  # the driver was loaded anew
    bench.passes(2.0, 570.0)
    bench.meter.booked("a", called("a", 12.0))
    bench.passes(1.0, 70.0)
    (sighting,) = bench.kept()  # a twelfth was not read
    assert sighting.energy_j == pytest.approx(11 * 500.0)
    bench.meter.start("b")
    bench.passes(2.0, 570.0)
    bench.joules = 5.0
    bench.passes(2.0, 570.0)
    bench.meter.booked("b", called("b", 4.0))
    bench.passes(1.0, 70.0)
    assert len(bench.kept()) == 1  # a quarter was not


def test_a_short_silence_of_a_counter_loses_nothing() -> None:
    bench = Bench()
    bench.meter.start("a")
    bench.passes(2.0, 570.0)
    bench.fails = True
    bench.passes(5.0, 570.0)
    bench.fails = False
    bench.passes(3.0, 570.0)
    bench.meter.booked("a", called("a", 10.0))
    bench.passes(1.0, 70.0)
    (sighting,) = bench.kept()
    assert sighting.energy_j == pytest.approx(5_000.0)


def test_calls_do_not_wait_for_a_sensor_that_is_gone() -> None:
    bench = Bench()
    bench.passes(2.0, 70.0)
    bench.fails = True
    bench.meter.start("a")
    bench.passes(30.0, 570.0)
    bench.meter.booked("a", called("a", 30.0))
    bench.passes(100.0, 70.0, every=5.0)
    assert bench.meter.state.waiting == 0
    assert bench.kept() == []
    assert bench.meter.state.silent == 1
    before = bench.meter.state.total_j
    bench.fails = False
    bench.passes(1.0, 70.0)  # what the counter says of the silence is not known to be whole
    bench.passes(10.0, 70.0)
    assert bench.meter.state.total_j == pytest.approx(before + 700.0)
    assert bench.meter.state.missing_s > 120.0


def test_a_counter_that_moves_seldom_is_spread_over_the_time_it_covers() -> None:
    """An exporter that refreshes every 30 s: a call in the middle gets its part of the step."""
    bench = Bench()
    bench.meter.start("a")
    for _ in range(29):
        bench.clock.wait(1.0)
        bench.meter.step()
    bench.meter.booked("a", called("a", 29.0))
    bench.clock.wait(1.0)
    bench.joules += 30 * 570.0
    bench.meter.step()
    bench.passes(1.0, 70.0)
    (sighting,) = bench.kept()
    assert sighting.energy_j == pytest.approx(29 * 500.0)


def test_two_deployments_of_one_board_share_it() -> None:
    bench = Bench("chat", "search", window_s=4.0)
    for key, deployment in (("a", "chat"), ("b", "search")):
        bench.meter.start(key)
        bench.meter.booked(key, replace(called(key, 0.0), deployment=deployment))
    bench.passes(8.0, 70.0)
    idle = bench.kept(IDLE)
    assert {event.deployment for event in idle} == {"chat", "search"}
    assert sum(event.energy_j or 0.0 for event in idle) == pytest.approx(8 * 70.0, rel=1e-3)


class Server:
    """An inference server's counters, set by hand."""

    def __init__(self) -> None:
        self.told = Counts("vllm", 0.0, 0.0, 0.0, 0.0, 0.0, "llama")
        self.fails = False

    def __call__(self) -> Counts:
        if self.fails:
            raise OSError("connection refused")
        return self.told

    def does(self, **more: float) -> None:
        self.told = self.told._replace(**{name: getattr(self.told, name) + value for name, value in more.items()})


def counted(server: Server, **options: Any) -> Bench:
    declared = Measured("chat", "vllm", None, "FRA", server, lambda done, model: Work(done.prompt, 4 * done.answer))
    return Bench(declared, **options)  # type: ignore[arg-type]


def test_what_a_server_counts_is_one_event_a_window() -> None:
    server = Server()
    bench = counted(server, window_s=10.0)
    bench.passes(2.0, 70.0)
    for _ in range(3):
        server.does(prompt=1_000.0, answer=200.0, calls=2.0, cached=300.0)
        bench.passes(1.0, 570.0)
    bench.passes(6.0, 70.0)
    (event,) = bench.kept()
    assert (event.calls_count, event.input_tokens, event.cached_input_tokens, event.output_tokens) == (
        6,
        3_000,
        900,
        600,
    )
    assert event.energy_j == pytest.approx(3 * 500.0)
    assert (event.model_answered, event.provider, event.deployment, event.tokens_reported) == (
        "llama",
        "vllm",
        "chat",
        True,
    )
    (idle,) = bench.kept(IDLE)
    assert idle.energy_j == pytest.approx(70.0 * 10)
    assert idle.id != event.id


def test_a_server_that_starts_again_loses_one_interval_only() -> None:
    server = Server()
    bench = counted(server, window_s=5.0)
    server.does(prompt=1_000.0, answer=200.0, calls=2.0)
    bench.passes(1.0, 70.0)
    server.told = Counts("vllm", 10.0, 0.0, 0.0, 0.0, 0.0, "llama")
    bench.passes(1.0, 70.0)
    server.does(prompt=5.0, answer=1.0, calls=1.0)
    bench.passes(1.0, 170.0)
    bench.passes(3.0, 70.0)
    (event,) = bench.kept()
    assert (event.calls_count, event.input_tokens, event.energy_j) == (1, 5, pytest.approx(100.0))


def test_a_server_that_works_without_having_counted_yet_is_not_idle() -> None:
    server = Server()
    bench = counted(server, window_s=5.0)
    bench.passes(1.0, 70.0)
    server.told = server.told._replace(running=1.0)
    bench.passes(3.0, 570.0)
    server.told = server.told._replace(running=0.0)
    server.does(prompt=100.0, answer=1.0, calls=1.0)
    bench.passes(1.0, 570.0)
    bench.passes(2.0, 70.0)
    (event,) = bench.kept()
    assert event.energy_j == pytest.approx(4 * 500.0)


def test_a_server_that_does_not_answer_leaves_the_sensor_read() -> None:
    server = Server()
    bench = counted(server, window_s=5.0)
    server.fails = True
    bench.passes(6.0, 70.0)
    (idle,) = bench.kept(IDLE)
    assert idle.energy_j == pytest.approx(5 * 70.0)


def test_an_event_told_twice_is_the_same_event() -> None:
    """After a restart within a window's time, or a redelivery: ids follow from host, deployment and time."""
    one, other = Bench(window_s=2.0), Bench(window_s=2.0)
    for bench in (one, other):
        bench.passes(3.0, 70.0)
    assert [event.id for event in one.sink.events] == [event.id for event in other.sink.events]
    assert identity_of(one.sink.events[0]) == identity_of(other.sink.events[0])


def test_what_the_sink_refuses_is_counted() -> None:
    bench = Bench(window_s=2.0)
    bench.sink.full = True
    bench.passes(3.0, 70.0)
    assert bench.meter.not_acknowledged == 1


def test_the_thread_steps_survives_a_failure_and_stops() -> None:
    bench = Bench(window_s=1e9)
    steps: list[int] = []
    stop = threading.Event()
    real = bench.meter.step

    def step() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise RuntimeError("once")
        real()

    bench.meter.step = step  # type: ignore[method-assign]
    bench.meter._clock = __import__("time").monotonic
    thread = threading.Thread(target=bench.meter.run, args=(stop, 0.001))
    thread.start()
    eventually(lambda: len(steps) > 3)
    stop.set()
    thread.join(5.0)
    assert not thread.is_alive()
    assert bench.meter.failures == 1


def test_a_serving_interval_needs_both_looks() -> None:
    from mesure.meter.sensors.serving import between

    first = Counts("llama.cpp", 10.0, 5.0, None, None, 0.0, None)
    assert between(first, first._replace(prompt=30.0)) == Serving(20.0, 0.0, 0.0, None, True)
    assert between(first, first) == Serving(0.0, 0.0, 0.0, None, False)
    assert between(first, first._replace(answer=1.0)) is None
