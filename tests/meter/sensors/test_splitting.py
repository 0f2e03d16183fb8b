"""Laws of the split: nothing is lost, nothing counts twice, and neither order nor cuts matter."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesure.impact import Deployment, impacts_of, resolve
from mesure.meter.sensors.splitting import Request, Share, Splitter, Work, prompt_weights
from mesure.meter.sensors.work import work_of, work_of_tokens
from mesure.record import UsageEvent, new_id
from mesure.record.event import UsageEvent as Event

times = st.floats(0.0, 60.0)
amounts = st.just(0.0) | st.floats(1e-6, 1e3)
works = st.none() | st.builds(Work, amounts, amounts)


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    found = []
    for key in range(draw(st.integers(0, 8))):
        start, end = sorted((draw(times), draw(times)))
        first = draw(st.none() | st.floats(start, end))
        found.append(Request(key, start, end, draw(works), first))
    return found


readings = st.lists(st.tuples(st.floats(0.2, 9.0), st.none() | st.floats(0.0, 5_000.0)), min_size=1, max_size=20)


def split(asked: list[Request], read: list[tuple[float, float | None]], floor_w: float) -> tuple[list[Share], Splitter]:
    splitter = Splitter(floor_w=floor_w)
    for request in asked:
        splitter.closed(request)
    at = 0.0
    for seconds, joules in read:
        splitter.read(at, at + seconds, joules)
        at += seconds
    splitter.read(at, at + 100.0, 0.0)  # whatever began in the meantime ends there
    return splitter.settle(at + 100.0), splitter


@given(requests(), readings, st.floats(0.0, 300.0))
def test_shares_and_idle_are_what_was_read(
    asked: list[Request], read: list[tuple[float, float | None]], floor_w: float
) -> None:
    shares, splitter = split(asked, read, floor_w)
    reach, total = splitter.reach, sum(joules or 0.0 for _, joules in read)
    assert {share.key for share in shares} == {request.key for request in asked}
    assert reach.total_j == pytest.approx(total, rel=1e-9, abs=1e-9)
    assert sum(share.joules for share in shares) + reach.idle_j == pytest.approx(total, rel=1e-9, abs=1e-6)
    assert all(share.low_j <= share.joules <= share.high_j for share in shares)
    assert reach.idle_j >= -1e-6


@given(requests(), readings, st.floats(0.0, 300.0), st.randoms())
def test_the_order_of_requests_does_not_matter(
    asked: list[Request], read: list[tuple[float, float | None]], floor_w: float, order: random.Random
) -> None:
    one, _ = split(asked, read, floor_w)
    shuffled = asked.copy()
    order.shuffle(shuffled)
    other, _ = split(shuffled, read, floor_w)
    assert _by_key(other) == pytest.approx(_by_key(one), rel=1e-9, abs=1e-9)


@given(requests(), readings, st.floats(0.0, 300.0), st.lists(st.floats(0.05, 0.95), min_size=1, max_size=20))
def test_further_cuts_of_a_reading_do_not_matter(
    asked: list[Request], read: list[tuple[float, float | None]], floor_w: float, places: list[float]
) -> None:
    finer: list[tuple[float, float | None]] = []
    for (seconds, joules), part in zip(read, itertools.cycle(places), strict=False):
        finer += [(seconds * share, None if joules is None else joules * share) for share in (part, 1.0 - part)]
    one, whole = split(asked, read, floor_w)
    other, cut = split(asked, finer, floor_w)
    assert _by_key(other) == pytest.approx(_by_key(one), rel=1e-6, abs=1e-6)
    assert cut.reach.idle_j == pytest.approx(whole.reach.idle_j, rel=1e-6, abs=1e-6)


@given(st.floats(0.0, 5_000.0), st.floats(0.0, 300.0), works, st.floats(0.01, 9.9))
def test_a_request_alone_gets_all_the_energy_above_the_floor(
    joules: float, floor_w: float, work: Work | None, end_s: float
) -> None:
    assume(work is None or work.prompt + work.answer > 0.0)
    splitter = Splitter(floor_w=floor_w)
    splitter.closed(Request("alone", 0.0, end_s, work))
    splitter.read(0.0, end_s, joules)
    (share,) = splitter.settle(10.0)
    above = max(joules - floor_w * end_s, 0.0)
    assert (share.joules, share.low_j, share.high_j) == pytest.approx((above, above, above))
    assert splitter.reach.idle_j == pytest.approx(joules - above)


def _by_key(shares: list[Share]) -> dict[object, float]:
    return {share.key: share.joules for share in shares}


def test_two_requests_are_shared_by_the_rate_of_their_tokens() -> None:
    """One reads 300 units in its first second, then both write: 100 a second against 300."""
    splitter = Splitter(floor_w=0.0)
    splitter.closed(Request("a", 0.0, 3.0, Work(300.0, 200.0), first_s=1.0))
    splitter.closed(Request("b", 1.0, 3.0, Work(0.0, 600.0)))
    splitter.read(0.0, 3.0, 3_000.0)
    assert _by_key(splitter.settle(3.0)) == pytest.approx({"a": 1_000.0 + 500.0, "b": 1_500.0})


def test_the_weight_of_prompts_moves_energy_between_neighbours_only() -> None:
    splitter = Splitter(floor_w=0.0)
    splitter.closed(Request("reads", 0.0, 1.0, Work(100.0, 0.0)))
    splitter.closed(Request("writes", 0.0, 1.0, Work(0.0, 100.0)))
    splitter.read(0.0, 1.0, 300.0)
    reads, writes = splitter.settle(1.0)
    _, least, most = prompt_weights()
    assert (reads.joules, reads.low_j, reads.high_j) == pytest.approx(
        (150.0, 300.0 * least / (1 + least), 300.0 * most / (1 + most))
    )
    assert (writes.low_j, writes.high_j) == pytest.approx((300.0 - reads.high_j, 300.0 - reads.low_j))


def test_a_call_whose_tokens_nobody_counted_goes_like_its_neighbours() -> None:
    splitter = Splitter(floor_w=0.0)
    splitter.closed(Request("a", 0.0, 1.0, Work(0.0, 10.0)))
    splitter.closed(Request("b", 0.0, 1.0, Work(0.0, 30.0)))
    splitter.closed(Request("blind", 0.0, 1.0, None))
    splitter.closed(Request("nothing ran", 0.0, 1.0, Work(0.0, 0.0)))
    splitter.read(0.0, 1.0, 600.0)
    assert _by_key(splitter.settle(1.0)) == pytest.approx({"a": 100.0, "b": 300.0, "blind": 200.0, "nothing ran": 0.0})


def test_nothing_is_settled_while_a_request_that_was_there_still_runs() -> None:
    splitter = Splitter(floor_w=0.0)
    splitter.opened("long", 0.5)
    splitter.closed(Request("short", 0.0, 1.0, Work(0.0, 1.0)))
    splitter.read(0.0, 10.0, 1_000.0)
    assert splitter.settle(10.0) == []
    assert splitter.reach.until_s == 0.5
    splitter.closed(Request("long", 0.5, 10.0, Work(0.0, 19.0)))
    shares = _by_key(splitter.settle(10.0))
    assert shares == pytest.approx({"short": 50.0 + 50.0 / 3, "long": 100.0 / 3 + 900.0})


def test_a_request_that_never_ends_is_let_go() -> None:
    splitter = Splitter(floor_w=0.0, longest_s=60.0)
    splitter.opened("lost", 0.0)
    splitter.read(0.0, 100.0, 5_000.0)
    assert splitter.settle(59.0) == []
    assert splitter.settle(100.0) == []
    assert (splitter.let_go, splitter.reach.idle_j) == (1, 5_000.0)
    splitter.closed(Request("lost", 0.0, 90.0, Work(1.0, 1.0)))  # it ended after all: nothing is left to share
    (share,) = splitter.settle(101.0)
    assert (share.joules, share.missing_s) == (0.0, 90.0)


def test_one_that_was_no_call_holds_nothing_back() -> None:
    splitter = Splitter(floor_w=0.0)
    splitter.opened("a list of models", 0.0)
    splitter.forgot("a list of models")
    splitter.read(0.0, 1.0, 80.0)
    splitter.settle(1.0)
    assert splitter.reach.idle_j == 80.0


def test_the_idle_floor_is_learnt_while_nothing_is_in_flight() -> None:
    splitter = Splitter()
    assert splitter.floor_w is None
    for second, watts in enumerate((70.0, 71.0, 69.0, 70.0, 400.0, 70.0)):
        if watts == 400.0:
            splitter.closed(Request("busy", second, second + 1.0, Work(1.0, 1.0)))
        splitter.read(second, second + 1.0, watts)
    (share,) = splitter.settle(6.0)
    assert (share.joules, splitter.floor_w) == (330.0, 70.0)
    assert splitter.reach.idle_j == pytest.approx(70.0 + 71.0 + 69.0 + 70.0 + 70.0 + 70.0)
    assert splitter.reach.busy_s == 1.0


def test_time_that_was_not_read_is_told_to_those_in_flight() -> None:
    splitter = Splitter(floor_w=0.0)
    splitter.closed(Request("a", 0.0, 4.0, Work(1.0, 1.0)))
    splitter.read(0.0, 1.0, 10.0)
    splitter.read(1.0, 3.5, None)
    splitter.read(3.5, 4.0, 5.0)
    (share,) = splitter.settle(4.0)
    assert (share.joules, share.missing_s, splitter.reach.missing_s) == (15.0, 2.5, 2.5)


def _call(**facts: object) -> Event:
    from datetime import UTC, datetime

    return UsageEvent(id=new_id(), started_at=datetime.now(UTC), **facts)  # type: ignore[arg-type]


def test_work_is_what_the_estimator_gives_prompt_and_answer() -> None:
    machine = resolve("llama-3.1-8b-instruct", deployment=Deployment(gpu="h100", batch=8.0))
    short = work_of(_call(input_tokens=1_000, output_tokens=100), machine)
    long = work_of(_call(input_tokens=1_000, output_tokens=200), machine)
    cached = work_of(_call(input_tokens=1_000, cached_input_tokens=900, output_tokens=100), machine)
    assert short is not None
    assert long is not None
    assert cached is not None
    assert long.prompt == short.prompt
    assert long.answer > 1.9 * short.answer
    assert cached.prompt < 0.5 * short.prompt
    per_token = short.answer / 100 / (short.prompt / 1_000)
    assert per_token > 2.0  # a written token asks more of the machine than one read


def test_work_without_tokens_is_not_known_and_a_refusal_is_none() -> None:
    machine = resolve("llama-3.1-8b-instruct")
    assert work_of(_call(), machine) is None
    refused = work_of(_call(http_status=429, input_tokens=0, output_tokens=0, status="error"), machine)
    assert refused is not None
    assert refused.answer == 0.0


def test_counts_of_a_server_weigh_like_those_of_calls() -> None:
    machine = resolve("llama-3.1-8b-instruct", deployment=Deployment(gpu="h100", batch=8.0))
    one = work_of_tokens(machine, calls=1, input_tokens=500, cached_tokens=0, output_tokens=50)
    ten = work_of_tokens(machine, calls=10, input_tokens=5_000, cached_tokens=0, output_tokens=500)
    assert (ten.prompt, ten.answer) == pytest.approx((10 * one.prompt, 10 * one.answer))


def test_a_measured_deployment_shares_no_idle_reserve_out() -> None:
    """Its idle energy is booked apart: adding a fleet's reserve to calls would count it twice."""
    plain = resolve("llama-3.1-8b-instruct", deployment=Deployment(gpu="h100"))
    measured = resolve("llama-3.1-8b-instruct", deployment=Deployment(gpu="h100", idle_measured=True))
    assert plain.parts["idle_reserve"].mid > 1.0
    assert measured.parts["idle_reserve"][:3] == (1.0, 1.0, 1.0)
    assert measured.parts["host_share"] == plain.parts["host_share"]
    call = _call(
        input_tokens=100,
        output_tokens=10,
        energy_j=3_600.0,
        energy_status="measured",
        energy_scope="accelerator",
        energy_sensor="nvml:prometheus",
    )
    impacts = impacts_of(call, measured)
    expected = measured.parts["host_share"].mid * measured.parts["pue"].mid
    assert impacts.energy_wh.mid == pytest.approx(expected)
    assert impacts.energy_wh.sources[0] == "stack.sensor-nvml.energy_error.2024"
    assert impacts.parts["accelerator_energy_wh"].sources == ("stack.sensor-nvml.energy_error.2024",)
    assert "stack.idle-measured.reserve.2026" in impacts.energy_wh.sources


@pytest.mark.parametrize(
    ("sensor", "known"), [("nvml", True), ("rapl:psys", True), ("a metre of mine", False), (None, False)]
)
def test_a_sensor_that_is_not_listed_leaves_no_source(sensor: str | None, known: bool) -> None:
    call = _call(energy_j=1.0, energy_status="measured", energy_scope="server", energy_sensor=sensor)
    sources = impacts_of(call, resolve("llama-3.1-8b-instruct")).energy_wh.sources
    assert any(".energy_error." in source for source in sources) is known
