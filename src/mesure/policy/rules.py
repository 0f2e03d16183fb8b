"""Alert rules: from what was observed to alerts. Pure: no clock, no store, no words; each threshold stands here.

An alert says a fact with its numbers and names an action. None names a person, and none blames: a large model for short
answers may well be right, which whoever reads it knows better.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mesure.policy.forecast import foresee
from mesure.policy.progress import weigh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from mesure.policy.progress import Progress

__all__ = [
    "ACTIONS",
    "CODES",
    "SEVERITIES",
    "Alert",
    "DaySeries",
    "Hours",
    "Repeats",
    "Severity",
    "Use",
    "of_budget",
    "of_coverage",
    "of_repeats",
    "of_silence",
    "of_unit_and_volume",
    "of_unknown_models",
    "of_use",
    "of_volume",
]

Severity = Literal["info", "warning", "serious"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "serious")

#: Code of an alert -> code of what to do.
ACTIONS = {
    "budget_threshold": "look_at_largest_use",
    "budget_exceeded": "raise_or_reduce",
    "budget_forecast": "reduce_or_plan",
    "volume_anomaly": "find_the_cause",
    "rebound": "ask_what_for",
    "oversized_model": "try_a_smaller_model",
    "repeated_calls": "cache_or_faq",
    "experiments_heavy": "move_experiments",
    "experiments_in_production": "name_the_environment",
    "failing_calls": "stop_retries",
    "unknown_model": "describe_the_model",
    "coverage_drop": "describe_the_model",
    "meter_silent": "check_the_gateway",
}
CODES = tuple(ACTIONS)

#: A day stands out above this much of the forecast's upper half-width (some 4.4 of its standard deviations).
_OUT_OF_BAND, _OUT_OF_MIDDLE, _LEAST_CALLS = 2.7, 1.8, 50
_LEAST_HISTORY = 14
#: Rebound: over 28 days against the 28 before.
_UNIT_DOWN, _VOLUME_UP, _TOTAL_UP = 0.85, 1.2, 1.05
#: Oversized: parameters that work on each token, at the least that is known; answers of a line; tasks that small
#: models do as well by published comparisons.
_LARGE_B, _SHORT_TOKENS, _MODEST_INPUT, _LEAST_USE = 20.0, 60.0, 2_000.0, 200
_SMALL_TASKS = frozenset({"classification", "faq", "extraction", "routing", "moderation", "sentiment", "language"})
_REPEATED_SHARE, _LEAST_REPEATS = 0.2, 50
_EXPERIMENT_SHARE, _FAILING_SHARE = 0.25, 0.3
_TRIAL_WORDS = frozenset({"test", "tests", "essai", "essais", "poc", "demo", "sandbox", "trial", "tmp", "experiment"})
_COVERAGE_LEAST, _COVERAGE_DROP = 0.95, 0.9
#: Silence: this many calls usually came in the time that passed, in each of the weeks before.
_USUAL_CALLS, _USUAL_WEEKS = 12, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`key` is the same for the same thing in the same period: told once. `facts` are numbers and names."""

    code: str
    severity: Severity
    key: str
    scope: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        return ACTIONS[self.code]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"action": self.action}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Alert:
        return cls(**{name: data[name] for name in ("code", "severity", "key", "scope", "facts")})


# --- budgets ---


def of_budget(progress: Progress) -> Iterator[Alert]:
    """The highest threshold reached, and an overrun that the forecast's middle tells."""
    budget, scope = progress.budget, {"budget": progress.budget.name, **progress.budget.scope.given()}
    facts: dict[str, Any] = {
        "limit": budget.limit,
        "unit": budget.unit,
        "spent": progress.spent.value,
        "share": progress.share,
        "period": budget.period,
        "start": progress.period.start.isoformat(),
        "end": progress.period.end.isoformat(),
        "hard": budget.hard,
        "unknown_calls": progress.spent.unknown,
    }
    reached = progress.reached
    if progress.exceeded:
        key = f"budget_exceeded:{budget.name}:{progress.period.key}"
        yield Alert(code="budget_exceeded", severity="serious", key=key, scope=scope, facts=facts)
    elif reached is not None:
        key = f"budget_threshold:{budget.name}:{progress.period.key}:{reached:g}"
        severity: Severity = "warning" if reached >= 0.8 else "info"
        shown = facts | {"threshold": reached}
        yield Alert(code="budget_threshold", severity=severity, key=key, scope=scope, facts=shown)
    if weigh(progress) == "will_be" and progress.history >= 7 and progress.foreseen is not None:
        low, mid, high = progress.foreseen
        told = facts | {"low": low, "mid": mid, "high": high}
        days = zip(("early", "middle", "late"), progress.overrun, strict=True)
        told |= {name: day.isoformat() if day else None for name, day in days}
        key = f"budget_forecast:{budget.name}:{progress.period.key}"
        yield Alert(code="budget_forecast", severity="warning", key=key, scope=scope, facts=told)


# --- volume ---


class DaySeries(NamedTuple):
    """Calls by whole day of one scope, oldest first, and their weekdays; the last is the day that is looked at."""

    scope: dict[str, str]
    day: date
    calls: Sequence[float]
    weekdays: Sequence[int]


def of_volume(series: DaySeries) -> Iterator[Alert]:
    """A day far above what its own past led to expect. Few calls, or a short past, are never told."""
    *past, last = series.calls
    if len(past) < _LEAST_HISTORY or last < _LEAST_CALLS or not any(past):
        return
    found = foresee(past, series.weekdays[:-1], series.weekdays[-1:])
    if found is None or found.history < _LEAST_HISTORY:
        return
    low, mid, high = found.total
    if last > mid + _OUT_OF_BAND * (high - mid) and last > _OUT_OF_MIDDLE * mid:
        yield Alert(
            code="volume_anomaly",
            severity="warning",
            key=f"volume_anomaly:{_named(series.scope)}:{series.day.isoformat()}",
            scope=series.scope,
            facts={"day": series.day.isoformat(), "calls": last, "low": low, "mid": mid, "high": high},
        )


class Use(NamedTuple):
    """Sums of one use of one model over some days; `active_b` is the least that is known of its size (1e9 parameters
    at work on a token), None when nothing is."""

    team: str | None
    use_case: str | None
    environment: str
    task: str | None
    provider: str | None
    model: str
    known: bool
    active_b: float | None
    calls: int
    failed: int
    input_tokens: float
    output_tokens: float
    tokens: float
    energy_wh: float


def of_unit_and_volume(now: Sequence[Use], before: Sequence[Use], period: str) -> Iterator[Alert]:
    """Rebound, by use case: each call takes less, there are more of them, and the total grew."""
    earlier = _by_use_case(before)
    for (team, use_case), (calls, energy) in _by_use_case(now).items():
        calls_before, energy_before = earlier.get((team, use_case), (0, 0.0))
        if min(calls, calls_before) < _LEAST_USE or energy_before <= 0.0:
            continue
        unit, volume, total = (energy / calls) / (energy_before / calls_before), calls / calls_before, energy
        if unit < _UNIT_DOWN and volume > _VOLUME_UP and total > _TOTAL_UP * energy_before:
            scope = _scope(team=team, use_case=use_case)
            facts = {"unit": unit, "volume": volume, "total": total / energy_before, "energy_wh": energy}
            key = f"rebound:{_named(scope)}:{period}"
            yield Alert(code="rebound", severity="info", key=key, scope=scope, facts=facts)


def _by_use_case(uses: Iterable[Use]) -> dict[tuple[str | None, str | None], tuple[int, float]]:
    found: dict[tuple[str | None, str | None], tuple[int, float]] = {}
    for use in uses:
        calls, energy = found.get((use.team, use.use_case), (0, 0.0))
        found[use.team, use.use_case] = calls + use.calls, energy + use.energy_wh
    return found


# --- how models are used ---


def of_use(uses: Sequence[Use], period: str) -> Iterator[Alert]:
    """Models that look large for what is asked of them, experiments, and calls that fail."""
    for use in uses:
        if _oversized(use):
            scope = _scope(team=use.team, use_case=use.use_case, model=use.model)
            facts = _about(use) | {"active_b": use.active_b, "task": use.task}
            key = f"oversized_model:{_named(scope)}:{period}"
            yield Alert(code="oversized_model", severity="info", key=key, scope=scope, facts=facts)
    yield from _experiments(uses, period)
    yield from _failing(uses, period)


def _oversized(use: Use) -> bool:
    if use.active_b is None or use.active_b < _LARGE_B or use.calls < _LEAST_USE:
        return False
    if (use.task or "").casefold() in _SMALL_TASKS:
        return True
    short = 0.0 < use.output_tokens / use.calls <= _SHORT_TOKENS
    return use.task is None and short and use.input_tokens / use.calls <= _MODEST_INPUT


def _about(use: Use) -> dict[str, Any]:
    return {
        "calls": use.calls,
        "energy_wh": use.energy_wh,
        "mean_input": use.input_tokens / use.calls,
        "mean_output": use.output_tokens / use.calls,
    }


def _experiments(uses: Sequence[Use], period: str) -> Iterator[Alert]:
    """Tests and experiments that weigh a lot, and what is named a trial and runs as production."""
    total = sum(use.energy_wh for use in uses)
    trials = [use for use in uses if use.environment in ("test", "experiment")]
    energy, calls = sum(use.energy_wh for use in trials), sum(use.calls for use in trials)
    if calls >= _LEAST_USE and energy > _EXPERIMENT_SHARE * total:
        facts = {"calls": calls, "energy_wh": energy, "share": energy / total}
        yield Alert(code="experiments_heavy", severity="info", key=f"experiments_heavy:{period}", facts=facts)
    named: dict[tuple[str | None, str | None], list[Use]] = {}
    for use in uses:
        words = set((use.use_case or "").casefold().replace("-", " ").replace("_", " ").split())
        if use.environment == "production" and words & _TRIAL_WORDS:
            named.setdefault((use.team, use.use_case), []).append(use)
    for (team, use_case), found in named.items():
        calls = sum(use.calls for use in found)
        if calls >= _LEAST_CALLS:
            scope = _scope(team=team, use_case=use_case)
            facts = {"calls": calls, "energy_wh": sum(use.energy_wh for use in found)}
            key = f"experiments_in_production:{_named(scope)}:{period}"
            yield Alert(code="experiments_in_production", severity="info", key=key, scope=scope, facts=facts)


def _failing(uses: Sequence[Use], period: str) -> Iterator[Alert]:
    by_place: dict[tuple[str | None, str | None, str], tuple[int, int]] = {}
    for use in uses:
        calls, failed = by_place.get((use.team, use.use_case, use.model), (0, 0))
        by_place[use.team, use.use_case, use.model] = calls + use.calls, failed + use.failed
    for (team, use_case, model), (calls, failed) in by_place.items():
        if failed >= _LEAST_CALLS and failed > _FAILING_SHARE * calls:
            scope = _scope(team=team, use_case=use_case, model=model)
            facts = {"calls": calls, "failed": failed, "share": failed / calls}
            key = f"failing_calls:{_named(scope)}:{period}"
            yield Alert(code="failing_calls", severity="warning", key=key, scope=scope, facts=facts)


class Repeats(NamedTuple):
    """Calls of a use case that a model answered, and how many of them asked what another had asked already."""

    team: str | None
    use_case: str | None
    calls: int
    repeated: int


def of_repeats(repeats: Iterable[Repeats], period: str) -> Iterator[Alert]:
    """The same keyed fingerprint again and again."""
    for found in repeats:
        if found.repeated >= _LEAST_REPEATS and found.repeated > _REPEATED_SHARE * found.calls:
            scope = _scope(team=found.team, use_case=found.use_case)
            facts = {"calls": found.calls, "repeated": found.repeated, "share": found.repeated / found.calls}
            key = f"repeated_calls:{_named(scope)}:{period}"
            yield Alert(code="repeated_calls", severity="info", key=key, scope=scope, facts=facts)


# --- what is known ---


def of_unknown_models(uses: Iterable[Use], period: str) -> Iterator[Alert]:
    """A model that the catalogue does not list: its figures are wide defaults."""
    found: dict[tuple[str | None, str], tuple[int, float]] = {}
    for use in uses:
        if not use.known and use.model:
            calls, energy = found.get((use.provider, use.model), (0, 0.0))
            found[use.provider, use.model] = calls + use.calls, energy + use.energy_wh
    for (provider, model), (calls, energy) in found.items():
        scope = _scope(provider=provider, model=model)
        facts = {"calls": calls, "energy_wh": energy}
        key = f"unknown_model:{_named(scope)}:{period}"
        yield Alert(code="unknown_model", severity="info", key=key, scope=scope, facts=facts)


def of_coverage(now: Sequence[Use], before: Sequence[Use], period: str) -> Iterator[Alert]:
    """A smaller share of tokens than before is priced by a known model."""
    share, earlier = _coverage(now), _coverage(before)
    if share is None or earlier is None or sum(use.calls for use in now) < _LEAST_CALLS:
        return
    if share < _COVERAGE_LEAST and share < _COVERAGE_DROP * earlier:
        facts = {"share": share, "before": earlier}
        yield Alert(code="coverage_drop", severity="warning", key=f"coverage_drop:{period}", facts=facts)


def _coverage(uses: Sequence[Use]) -> float | None:
    total = sum(use.tokens for use in uses)
    return sum(use.tokens for use in uses if use.known) / total if total > 0.0 else None


class Hours(NamedTuple):
    """Observed calls by hour, oldest first, whole weeks of them and the hours since; the last hour has just ended."""

    ended: datetime  # when the last hour ended
    calls: Sequence[float]


def of_silence(hours: Hours) -> Iterator[Alert]:
    """Nothing came for hours in which calls came in each of the last weeks."""
    calls, week = hours.calls, 7 * 24
    silent = 0
    while silent < min(len(calls), week) and calls[-1 - silent] == 0.0:
        silent += 1
    if silent == 0 or silent >= week:  # a week without calls was told of, or is no use
        return
    end = len(calls)
    weeks = [sum(calls[end - back * week - silent : end - back * week]) for back in range(1, 6) if back * week < end]
    if len(weeks) >= _USUAL_WEEKS and min(weeks[:4]) >= _USUAL_CALLS:
        began = (hours.ended - timedelta(hours=silent)).isoformat()
        facts = {"hours": silent, "usual_calls": sum(weeks[:4]) / len(weeks[:4]), "since": began}
        yield Alert(code="meter_silent", severity="serious", key=f"meter_silent:{began}", facts=facts)


def _scope(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _named(scope: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(scope.items())) or "all"
