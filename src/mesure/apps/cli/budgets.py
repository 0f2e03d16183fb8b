"""`mesure budgets`: limits, how far each is, and what its period will come to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.stored import opened_store, settings_given, state_options
from mesure.apps.cli.voice import BUDGET_EXCEEDED, printable
from mesure.errors import UnknownName, nearest_names
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.policy.progress import Progress
    from mesure.policy.watching import Watch

__all__ = ["command"]

_GAUGE = 30
_WIDEST = 40
_OUTLOOKS = {
    "within": mark("within the limit"),
    "may_be": mark("may exceed the limit"),
    "will_be": mark("will probably exceed the limit"),
    "over": mark("over the limit"),
}


@click.group(cls=CommandGroup, name="budgets", help=mark("See how far budgets are, and set them."))
@spoken_options
def command() -> None:
    pass


@command.command(
    "show",
    cls=Command,
    help=mark(
        "Show how far each budget is and what its period will come to; the exit code is 3 when a hard one is exceeded."
    ),
)
@click.argument("name", required=False)
@state_options
@click.pass_obj
def show(voice: Voice, /, name: str | None, **options: Any) -> int | None:
    with _watch(options) as (watch, settings):
        found = _named(watch.progress(datetime.now(UTC)), name)
    voice.emit({"budgets": [progress.to_json() for progress in found]})
    if not found:
        voice.say(voice.t("There is no budget yet: write [budgets.<name>] in mesure.toml, or use mesure budgets set."))
    for progress in found:
        _say(voice, progress, settings)
    over = [progress for progress in found if progress.budget.hard and progress.exceeded]
    return BUDGET_EXCEEDED if over else None


@command.command("list", cls=Command, help=mark("Show the budgets as they are defined, and where."))
@state_options
@click.pass_obj
def list_budgets(voice: Voice, /, **options: Any) -> None:
    from mesure.apps.notices import amount_text, scope_text
    from mesure.policy.budgets import budgets_of
    from mesure.policy.kept import KeptBudgets

    settings = settings_given(options)
    with opened_store(settings, make=True) as store:
        found = budgets_of(settings, KeptBudgets(store).all())
    rows: list[tuple[str, ...]] = []
    for budget in found.values():
        origin = "mesure.toml" if budget.name in settings.budgets else voice.t("state store")
        limit = f"{amount_text(budget.limit, budget.unit, voice.translator)} / {voice.t(_PERIODS[budget.period])}"
        scope = scope_text(budget.scope.given()) or voice.t("everything")
        rows.append((printable(budget.name, _WIDEST), limit, printable(scope, _WIDEST), budget.mode, origin))
    voice.emit(
        {
            "budgets": [
                {
                    "name": budget.name,
                    "limit": budget.limit,
                    "unit": budget.unit,
                    "period": budget.period,
                    "mode": budget.mode,
                    "scope": budget.scope.given(),
                    "thresholds": list(budget.thresholds),
                    "origin": "file" if budget.name in settings.budgets else "store",
                }
                for budget in found.values()
            ]
        }
    )
    titles = (mark("Budget"), mark("Limit"), mark("Scope"), mark("Mode"), mark("Defined in"))
    _table(voice, titles, rows)


_PERIODS = {
    "day": mark("day"),
    "week": mark("week"),
    "month": mark("month"),
    "quarter": mark("quarter"),
    "year": mark("year"),
}


@command.command("set", cls=Command, help=mark("Make a budget in the state store, or replace the one of that name."))
@click.argument("name")
@click.option("--limit", type=float, required=True, metavar="N", help=mark("How much for one period, in the unit."))
@click.option("--unit", default="kWh", show_default=True, help=mark("kWh, kgCO2eq, L, calls, or a currency."))
@click.option("--period", type=click.Choice(list(_PERIODS)), default="month", help=mark("When it begins again."))
@click.option("--organisation", metavar="NAME", help=mark("Only calls of this organisation."))
@click.option("--client", "end_client", metavar="NAME", help=mark("Only calls for this end client."))
@click.option("--team", metavar="NAME", help=mark("Only calls of this team."))
@click.option("--use-case", metavar="NAME", help=mark("Only calls for this use case."))
@click.option("--key", metavar="KEY", help=mark("Only calls with this virtual key."))
@click.option("--model", metavar="NAME", help=mark("Only calls to this model."))
@click.option("--usd-rate", type=float, metavar="N", help=mark("One US dollar in the budget's currency."))
@click.option("--hard", is_flag=True, help=mark("Refuse calls that no longer fit, instead of telling only."))
@state_options
@click.pass_obj
def set_budget(voice: Voice, /, name: str, **options: Any) -> None:
    from mesure.config import BudgetSettings
    from mesure.policy.budgets import Scope, from_settings
    from mesure.policy.kept import KeptBudgets

    scope: dict[str, Any] = {field.name: options[field.name] or "" for field in fields(Scope)}
    given = BudgetSettings(
        limit=options["limit"],
        unit=options["unit"],
        period=options["period"],
        mode="hard" if options["hard"] else "inform",
        usd_rate=options["usd_rate"] or 0.0,
        **scope,
    )
    budget = from_settings(name, given)
    settings = settings_given(options)
    with opened_store(settings, make=True) as store:
        KeptBudgets(store).save(budget)
    voice.emit({"saved": name})
    voice.say(voice.t("Budget {name} is saved.", name=printable(name, _WIDEST)))
    if name in settings.budgets:
        voice.note(voice.t("mesure.toml has a budget of this name, which goes before it."))


@command.command("delete", cls=Command, help=mark("Delete a budget of the state store."))
@click.argument("name")
@state_options
@click.pass_obj
def delete(voice: Voice, /, name: str, **options: Any) -> None:
    from mesure.policy.kept import KeptBudgets

    with opened_store(settings_given(options)) as store:
        KeptBudgets(store).delete(name)
    voice.emit({"deleted": name})
    voice.say(voice.t("Budget {name} is deleted.", name=printable(name, _WIDEST)))


@contextmanager
def _watch(options: dict[str, Any]) -> Iterator[tuple[Watch, Settings]]:
    from mesure.apps.notices import Words
    from mesure.ledger import Ledger, View
    from mesure.policy.watching import Watch

    settings = settings_given(options)
    ledger = Ledger(Path(settings.server.data), settings.ledger, settings.deployments)
    with opened_store(settings, make=True) as store:
        yield Watch(settings, View(ledger, None, settings), ledger, None, lambda: store, Words(settings)), settings


def _named(found: list[Progress], name: str | None) -> list[Progress]:
    if name is None:
        return found
    known = {progress.budget.name: progress for progress in found}
    if name not in known:
        raise UnknownName(
            "No budget has this name",
            value=name,
            nearest=nearest_names(name, known),
            action="See the names with: mesure budgets list",
        )
    return [known[name]]


def _say(voice: Voice, progress: Progress, settings: Settings) -> None:
    from zoneinfo import ZoneInfo

    from mesure.apps.notices import amount_text, scope_text
    from mesure.policy.progress import weigh

    budget, t = progress.budget, voice.t
    zone = ZoneInfo(settings.organisation.timezone)

    def amount(value: float) -> str:
        return amount_text(value, budget.unit, voice.translator)

    scope = scope_text(budget.scope.given()) or t("everything")
    hard = f" · {t('hard')}" if budget.hard else ""
    voice.say(f"{printable(budget.name, _WIDEST)} ({printable(scope, _WIDEST)}){hard}")
    filled = min(_GAUGE, round(progress.share * _GAUGE))
    gauge = "█" * filled + "░" * (_GAUGE - filled)
    spent = t("{spent} of {limit}", spent=amount(progress.spent.value), limit=amount(budget.limit))
    voice.say(f"  {gauge} {voice.translator.percent(progress.share)}  {spent}")
    voice.say(f"  {_forecast(voice, progress, zone)}")
    if progress.restated is not None:
        restated = amount(progress.restated.value)
        voice.say("  " + t("Counted with the versions of the period's start; with today's: {amount}", amount=restated))
    if progress.spent.unknown:
        count = voice.translator.number(progress.spent.unknown)
        voice.say("  " + t("Calls without a figure, not counted: {count}", count=count))
    voice.say(f"  {t(_OUTLOOKS[weigh(progress)])}")
    voice.say()


def _forecast(voice: Voice, progress: Progress, zone: Any) -> str:
    from mesure.apps.notices import amount_text

    end = voice.translator.day(progress.period.end.astimezone(zone))
    if progress.foreseen is None:
        return voice.t("Too early to foresee what {date} will bring", date=end)
    low, mid, high = (amount_text(value, progress.budget.unit, voice.translator) for value in progress.foreseen)
    text = voice.t("Foreseen by {date}: {mid} [{low} – {high}]", date=end, mid=mid, low=low, high=high)
    if progress.overrun.early is None:
        return text
    early, middle, late = (_day(voice, day) for day in progress.overrun)
    reached = voice.t("limit reached on {middle} [{early} – {late}]", early=early, middle=middle, late=late)
    return f"{text}; {reached}"


def _day(voice: Voice, day: date | None) -> str:
    return voice.translator.day(day) if day else voice.t("not in this period")


def _table(voice: Voice, titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    lines = [tuple(voice.t(title) for title in titles), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        voice.say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
