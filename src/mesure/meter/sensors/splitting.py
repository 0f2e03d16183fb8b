"""Joules of a server split among the requests in flight, by the work of the tokens each has processed; the rest: idle.

At every instant the power above the idle floor is shared in proportion to the rates at which requests progress: its
prompt from its start to its first output, its answer from there to its end. Power up to the floor, and all of it while
nothing is in flight, is what no request explains.

Laws: shares + idle = what the sensor read; neither the order of requests nor further cuts of a reading matter; a
request that is alone gets all the energy above the floor.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

__all__ = ["Reach", "Request", "Share", "Splitter", "Work", "prompt_weights"]

#: A request that took less is taken to have lasted this long.
_LEAST_S = 1e-3
#: Rates are told apart down to this part of the largest.
_STEPS = 1 << 200
_FLOOR_LEAST, _FLOOR_READINGS = 3, 301
_SQUARE = _STEPS * _STEPS


class Work(NamedTuple):
    """What a request asks of the machine, in any one unit: its prompt's part and its answer's."""

    prompt: float
    answer: float


@dataclass(frozen=True, slots=True)
class Request:
    """`first_s`: when its answer began, None where it did not stream. `work` None: its tokens were not counted, and it
    is taken to progress like the mean of those beside it."""

    key: Hashable
    start_s: float
    end_s: float
    work: Work | None
    first_s: float | None = None


class Share(NamedTuple):
    """Joules of a request: middle value, and what it would be if prompts weighed less or more. `missing_s`: time in
    flight whose energy was not read."""

    key: Hashable
    joules: float
    low_j: float
    high_j: float
    missing_s: float


class Reach(NamedTuple):
    """What has been settled: joules read, those that no request explains, and seconds not read, all since the start."""

    until_s: float
    total_j: float
    idle_j: float
    missing_s: float
    busy_s: float


class _Reading(NamedTuple):
    start: float
    end: float
    joules: float | None  # None: not read


class _Pending:
    """A request that has ended, and what it has got so far under each weighing of prompts."""

    __slots__ = ("got", "key", "left", "missing_s")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.got = [0.0, 0.0, 0.0]
        self.missing_s = 0.0
        self.left = 0  # pieces not settled yet


class _Piece(NamedTuple):
    """Part of a request during which its rate is constant. `prompt`, `answer`: work per second, None where unknown."""

    start: float
    order: int  # so that a heap never compares what follows
    end: float
    prompt: float | None
    answer: float
    owner: _Pending


class Splitter:
    """Fed with readings and requests as they come; settles every instant once all its requests have ended.

    Not for several threads at once. A reading costs n log n of the requests in flight during it. Memory: requests in
    flight, those that ended since the oldest of them began, and the readings meanwhile. A request still in flight after
    `longest_s` is let go: its energy is then idle. `floor_w` None: the idle floor is learnt, as the median of the last
    readings during which nothing was in flight, and 0 until there are three of them.
    """

    def __init__(self, *, floor_w: float | None = None, longest_s: float = 900.0) -> None:
        self._stated_w = floor_w
        self._seen_w: deque[float] = deque(maxlen=_FLOOR_READINGS)
        self.let_go = 0
        self._sums = [0.0, 0.0, 0.0, 0.0]  # total_j, idle_j, missing_s, busy_s
        self._longest_s = longest_s
        self._weights = prompt_weights()
        self._order = count()
        self._open: dict[Hashable, float] = {}
        self._coming: list[_Piece] = []
        self._flying: list[_Piece] = []
        self._done: list[_Pending] = []
        self._readings: deque[_Reading] = deque()
        self._settled_s = -math.inf

    def opened(self, key: Hashable, at_s: float) -> None:
        self._open[key] = at_s

    def forgot(self, key: Hashable) -> None:
        """It turned out to be no request: nothing ran for it."""
        self._open.pop(key, None)

    def closed(self, request: Request) -> None:
        """It ended. One that was never opened is taken too; what of its time is settled already is missing to it."""
        self._open.pop(request.key, None)
        pending = _Pending(request.key)
        for start, end, prompt, answer in _phases(request):
            began = max(start, self._settled_s)
            pending.missing_s += min(began, end) - start
            if began < end:
                pending.left += 1
                heapq.heappush(self._coming, _Piece(began, next(self._order), end, prompt, answer, pending))
        if not pending.left:
            self._done.append(pending)

    def read(self, start_s: float, end_s: float, joules: float | None) -> None:
        """Joules over an interval; None where they are not known. Intervals follow one another."""
        if end_s > start_s:
            self._readings.append(_Reading(start_s, end_s, joules))

    @property
    def floor_w(self) -> float | None:
        """Watts while nothing is in flight; None until they are known."""
        if self._stated_w is not None:
            return self._stated_w
        return median(self._seen_w) if len(self._seen_w) >= _FLOOR_LEAST else None

    @property
    def reach(self) -> Reach:
        return Reach(self._settled_s, *self._sums)

    def settle(self, now_s: float) -> list[Share]:
        """Shares of the requests whose whole time is now settled."""
        self._let_go(now_s - self._longest_s)
        until = min(self._open.values(), default=math.inf)
        while self._readings and self._readings[0].start < until:
            reading = self._readings.popleft()
            if reading.end > until:
                reading, later = _cut(reading, until)
                self._readings.appendleft(later)
            self._settle(reading)
            self._settled_s = reading.end
        done, self._done = self._done, []
        return [Share(each.key, each.got[0], min(each.got), max(each.got), each.missing_s) for each in done]

    def _let_go(self, before_s: float) -> None:
        for key in [key for key, start in self._open.items() if start < before_s]:
            del self._open[key]
            self.let_go += 1

    def _settle(self, reading: _Reading) -> None:
        while self._coming and self._coming[0].start < reading.end:
            self._flying.append(heapq.heappop(self._coming))
        if reading.joules is None:
            self._miss(reading)
        else:
            self._share(reading, reading.joules)
        for piece in self._flying:
            if piece.end <= reading.end:
                piece.owner.left -= 1
                if not piece.owner.left:
                    self._done.append(piece.owner)
        self._flying = [piece for piece in self._flying if piece.end > reading.end]

    def _miss(self, reading: _Reading) -> None:
        self._sums[2] += reading.end - reading.start
        for piece in self._flying:
            piece.owner.missing_s += min(piece.end, reading.end) - max(piece.start, reading.start)

    def _share(self, reading: _Reading, joules: float) -> None:
        seconds = reading.end - reading.start
        above_w = max(joules / seconds - (self.floor_w or 0.0), 0.0)
        working_s = 0.0
        if not self._flying:
            self._seen_w.append(joules / seconds)
        for index, weight in enumerate(self._weights):
            times, worked_s = _times(self._flying, reading, weight)
            for piece, seconds_alone in zip(self._flying, times, strict=True):
                piece.owner.got[index] += above_w * seconds_alone
            working_s = worked_s if index == 0 else working_s
        self._sums[0] += joules
        self._sums[1] += joules - above_w * working_s
        self._sums[3] += working_s


def prompt_weights() -> tuple[float, float, float]:
    """How much a prompt may weigh against an answer over what the method says: 1, then the ends of its interval."""
    factor = current().constant("split", "prompt_weight")
    return factor.value, factor.low, factor.high


def _times(flying: Sequence[_Piece], reading: _Reading, weight: float) -> tuple[list[float], float]:
    """For each piece, the seconds of this reading during which it would have run alone; and those in which any ran.

    With known rates r of n pieces that sum to R, and u pieces of unknown rate that each take the mean R / n, a piece
    gets r n / (R (n + u)) of an instant, and one of unknown rate 1 / (n + u): integrals of these over time, once for
    all, give every piece its seconds. Rates and the first integral are whole numbers, so that differences are exact.
    """
    rates = [None if piece.prompt is None else weight * piece.prompt + piece.answer for piece in flying]
    largest = max((rate for rate in rates if rate), default=1.0)
    whole = [None if rate is None else round(rate / largest * _STEPS) for rate in rates]
    turns = [(max(piece.start, reading.start), 1, rate) for piece, rate in zip(flying, whole, strict=True)]
    turns += [(min(piece.end, reading.end), -1, rate) for piece, rate in zip(flying, whole, strict=True)]
    known: dict[float, int] = {}
    unknown: dict[float, float] = {}
    total = counted = blind = of_known = 0
    at, of_unknown, worked_s = reading.start, 0.0, 0.0
    for time, change, rate in sorted(turns, key=lambda turn: turn[0]):
        if counted + blind:
            worked_s += time - at
            of_unknown += (time - at) / (counted + blind)
            of_known += round((time - at) * _STEPS) * counted * _STEPS // (total * (counted + blind)) if counted else 0
        at = time
        known[time], unknown[time] = of_known, of_unknown
        if rate is None:
            blind += change
        elif rate:
            total, counted = total + change * rate, counted + change
    out = []
    for piece, rate in zip(flying, whole, strict=True):
        start, end = max(piece.start, reading.start), min(piece.end, reading.end)
        if rate is None:
            out.append(unknown[end] - unknown[start])
        else:
            out.append((known[end] - known[start]) * rate / _SQUARE)
    return out, worked_s


def _cut(reading: _Reading, at: float) -> tuple[_Reading, _Reading]:
    before = after = reading.joules
    if reading.joules is not None:
        before = reading.joules * (at - reading.start) / (reading.end - reading.start)
        after = reading.joules - before
    return _Reading(reading.start, at, before), _Reading(at, reading.end, after)


def _phases(request: Request) -> Iterator[tuple[float, float, float | None, float]]:
    """Start, end, and work per second of prompt and answer."""
    start, end = request.start_s, max(request.end_s, request.start_s + _LEAST_S)
    first, work = request.first_s, request.work
    if work is None:
        yield start, end, None, 0.0
    elif first is None or not start + _LEAST_S < first < end - _LEAST_S:
        yield start, end, work.prompt / (end - start), work.answer / (end - start)
    else:
        yield start, first, work.prompt / (first - start), 0.0
        yield first, end, 0.0, work.answer / (end - first)
