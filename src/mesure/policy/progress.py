"""How far each budget is: spent so far under the versions pinned at its period's start, and what it will come to."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from mesure.catalogue import current
from mesure.impact import resolve
from mesure.ledger import Cut
from mesure.policy.budgets import NOTHING, QUANTITIES, Amount
from mesure.policy.forecast import Outlook, foresee
from mesure.policy.money import spent_money
from mesure.policy.periods import Period, bucket_starts, period_at
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mesure.config import Settings
    from mesure.ledger import Committer, Ledger, View
    from mesure.policy.budgets import Budget, Scope

__all__ = ["Overrun", "Pin", "Progress", "Spending", "Versions", "running", "weigh"]

#: History a forecast looks at, by period.
_LOOK_BACK = {"day": 28, "week": 182, "month": 366, "quarter": 732, "year": 1096}
#: Closed days are read again this often: late rows (imports) enter them.
_CLOSED_S = 600.0
_SUNDAY = 6


class Versions(NamedTuple):
    method: str
    catalogue: str


def running() -> Versions:
    """Those that figures are computed with now."""
    return Versions(METHOD_VERSION, current().version)


class Pin(NamedTuple):
    """The versions a period began with, and what was booked under them up to a moment."""

    versions: Versions
    booked: Amount
    booked_until: datetime


class Overrun(NamedTuple):
    """Days on which the limit is reached: early (5 %), middle, late (95 %); None: not within this period."""

    early: date | None
    middle: date | None
    late: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A budget now. Amounts are in its unit; `restated` is what was spent under the running versions, where they are
    not those of the period's start; `foreseen` is the whole period's total."""

    budget: Budget
    period: Period
    at: datetime
    spent: Amount
    pinned: Versions
    restated: Amount | None
    foreseen: Outlook | None
    overrun: Overrun
    history: int  # whole buckets the forecast rests on

    @property
    def share(self) -> float:
        return self.spent.value / self.budget.limit

    @property
    def exceeded(self) -> bool:
        return self.spent.value >= self.budget.limit

    def to_json(self) -> dict[str, Any]:
        """For programs and pages: amounts in the budget's unit."""
        budget, foreseen = self.budget, self.foreseen
        return {
            "name": budget.name,
            "unit": budget.unit,
            "limit": budget.limit,
            "mode": budget.mode,
            "scope": budget.scope.given(),
            "period": {
                "name": budget.period,
                "start": self.period.start.isoformat(),
                "end": self.period.end.isoformat(),
            },
            "thresholds": list(budget.thresholds),
            "spent": self.spent.value,
            "share": self.share,
            "calls": self.spent.calls,
            "unknown_calls": self.spent.unknown,
            "exceeded": self.exceeded,
            "outlook": weigh(self),
            "pinned": {"method": self.pinned.method, "catalogue": self.pinned.catalogue},
            "restated": None if self.restated is None else self.restated.value,
            "foreseen": None if foreseen is None else foreseen._asdict(),
            "overrun": {name: day.isoformat() if day else None for name, day in self.overrun._asdict().items()},
            "history": self.history,
            "at": self.at.isoformat(),
        }

    @property
    def reached(self) -> float | None:
        """The highest threshold reached."""
        return max((share for share in self.budget.thresholds if self.share >= share), default=None)


class Spending:
    """Amounts of budgets from the ledger. Closed days are kept; today is read again, which the view answers from what
    it holds. Raises `LedgerError`. For one thread."""

    def __init__(
        self,
        view: View,
        ledger: Ledger,
        committer: Committer | None,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._ledger = ledger
        self._committer = committer
        self.zone = ZoneInfo(settings.organisation.timezone)
        self.holidays = frozenset(settings.organisation.holidays)
        self._clock = clock
        self._closed: dict[tuple[Budget, datetime, datetime], tuple[float, dict[datetime, Amount]]] = {}

    def progress(self, budget: Budget, now: datetime, pin: Pin | None) -> Progress:
        """How far it is at `now`; `pin` is None where the period begins with the running versions."""
        now = now.astimezone(UTC)
        period = period_at(budget.period, now, self.zone)
        since = _back(period.start, _LOOK_BACK[budget.period])
        today = max(period_at("day", now, self.zone).start, since)
        buckets = dict(self._closed_buckets(budget, since, today))
        buckets.update(self.buckets(budget, today, period.end))
        in_period = _sum(amount for at, amount in buckets.items() if at >= period.start)
        versions, spent, restated = self._pinned(budget, period, pin, in_period)
        foreseen, overrun, history = self._foreseen(budget, period, now, buckets, spent.value)
        return Progress(
            budget=budget,
            period=period,
            at=now,
            spent=spent,
            pinned=versions,
            restated=restated,
            foreseen=foreseen,
            overrun=overrun,
            history=history,
        )

    def total(self, budget: Budget, since: datetime, until: datetime) -> Amount:
        """What the calls started in `[since, until)` add."""
        return _sum(self.buckets(budget, since, until).values())

    def buckets(self, budget: Budget, since: datetime, until: datetime) -> dict[datetime, Amount]:
        """By the bucket (day, or hour for a budget of a day) that calls started in, as its first instant."""
        if since >= until:
            return {}
        hourly = budget.period == "day"
        later = [at for at in bucket_starts(since, until, self.zone, hourly=hourly) if at > since]
        starts = [since, *later]
        if not budget.money:
            return dict(zip(starts, self._counted(budget, since, starts, until), strict=True))
        found: dict[datetime, Amount] = {}
        for at, amount in spent_money(self._ledger, self._committer, budget, since, until).items():
            start = starts[max(0, bisect_right(starts, at) - 1)]
            found[start] = found.get(start, NOTHING).plus(amount)
        return found

    def _counted(self, budget: Budget, since: datetime, starts: list[datetime], until: datetime) -> list[Amount]:
        """By bucket, from the ledger's sums."""
        name, per_unit = QUANTITIES[budget.unit]
        cut = Cut(since=since, until=until, where=_where(budget.scope, since), edges=tuple(starts))
        totals = self._view.explore(cut, name).over_time()
        return [
            Amount(total.amount.mid / per_unit if total.amount else 0.0, total.calls, total.calls - total.counted)
            for total in totals
        ]

    def _closed_buckets(self, budget: Budget, since: datetime, today: datetime) -> Mapping[datetime, Amount]:
        key, now = (budget, since, today), self._clock()
        held = self._closed.get(key)
        if held is None or now - held[0] > _CLOSED_S:
            self._closed = {k: v for k, v in self._closed.items() if k[2] == today}
            held = self._closed[key] = (now, self.buckets(budget, since, today))
        return held[1]

    def _pinned(
        self, budget: Budget, period: Period, pin: Pin | None, in_period: Amount
    ) -> tuple[Versions, Amount, Amount | None]:
        """Under other versions than the pinned ones, what was booked stands, and what came since is added to it."""
        if pin is None or pin.versions == running():
            return running(), in_period, None
        since = self.total(budget, max(pin.booked_until, period.start), period.end)
        return pin.versions, pin.booked.plus(since), in_period

    def _foreseen(
        self, budget: Budget, period: Period, now: datetime, buckets: Mapping[datetime, Amount], spent: float
    ) -> tuple[Outlook | None, Overrun, int]:
        hourly = budget.period == "day"
        first = min((at for at, amount in buckets.items() if amount.value), default=now)
        starts = bucket_starts(min(first, now), period.end, self.zone, hourly=hourly)
        ahead = max(0, bisect_right(starts, now) - 1)
        past, coming = starts[:ahead], starts[ahead:]
        if not coming or coming[0] > now:  # use began within the bucket in progress: nothing is whole yet
            return None, Overrun(None, None, None), 0
        ends = [*coming[1:], period.end]
        elapsed = (now - coming[0]) / (ends[0] - coming[0])
        history = [buckets.get(at, NOTHING).value for at in past]
        slots = [self._slot(at, hourly=hourly) for at in starts]
        found = foresee(history, slots[:ahead], slots[ahead:], elapsed=elapsed)
        if found is None:
            return None, Overrun(None, None, None), 0
        days = [self._day(at) for at in coming]
        named = [None if i is None else days[i] for i in found.reached(max(0.0, budget.limit - spent))]
        total = Outlook(*(spent + part for part in found.total))
        return total, Overrun(*named), found.history

    def _slot(self, at: datetime, *, hourly: bool) -> int:
        local = at.astimezone(self.zone)
        weekday = _SUNDAY if local.date().isoformat() in self.holidays else local.weekday()
        return weekday * 24 + local.hour if hourly else weekday

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()


def weigh(progress: Progress) -> str:
    """`over`, `will_be` (the middle of the forecast is over), `may_be` (its upper end is), or `within`."""
    if progress.exceeded:
        return "over"
    if progress.foreseen is None:
        return "within"
    limit = progress.budget.limit
    if progress.foreseen.mid >= limit:
        return "will_be"
    return "may_be" if progress.foreseen.high >= limit else "within"


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = NOTHING
    for amount in amounts:
        total = total.plus(amount)
    return total


def _where(scope: Scope, at: datetime) -> tuple[tuple[str, str | None], ...]:
    """A scope as the ledger takes it: models by their catalogue's name."""
    given: dict[str, str | None] = {"key_id" if name == "key" else name: value for name, value in scope.given().items()}
    if scope.model:
        given["model"] = resolve(scope.model, at=at.date()).model or scope.model
    return tuple(given.items())


def _back(start: datetime, days: int) -> datetime:
    return start - timedelta(days=days)
