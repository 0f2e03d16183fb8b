"""Alerts in words, in French and in English: for e-mails, webhooks, the command line and pages alike."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from mesure.i18n import catalog, mark
from mesure.policy.notices import Notice
from mesure.policy.rules import Alert
from mesure.quantity import Status, exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.config import Settings
    from mesure.i18n import Translator
    from mesure.policy.outbox import Message

__all__ = ["ACTION_WORDS", "SEVERITY_WORDS", "STATE_WORDS", "TITLES", "Words", "amount_text", "scope_text"]

TITLES = {
    "budget_threshold": mark("Budget {name}: {share} of the limit is used"),
    "budget_exceeded": mark("Budget {name} is exceeded: {share} of the limit"),
    "budget_forecast": mark("Budget {name} will probably be exceeded"),
    "volume_anomaly": mark("Far more calls than usual: {where}"),
    "rebound": mark("Each call takes less, but the total grows: {where}"),
    "oversized_model": mark("A smaller model may do: {where}"),
    "repeated_calls": mark("The same questions come again and again: {where}"),
    "experiments_heavy": mark("Tests and experiments take {share} of the energy"),
    "experiments_in_production": mark("What is named a trial runs as production: {where}"),
    "failing_calls": mark("Many calls fail: {where}"),
    "unknown_model": mark("A model is not known: {where}"),
    "coverage_drop": mark("Fewer tokens than before are priced by a known model"),
    "meter_silent": mark("The meter has been silent for {hours} h"),
    "test": mark("This is a test message"),
}

TEXTS = {
    "budget_threshold": mark("The budget passed a threshold that you set."),
    "budget_exceeded": mark("The limit of the budget is reached."),
    "budget_forecast": mark("If use goes on as before, the limit is reached before the period ends."),
    "volume_anomaly": mark("The number of calls of that day is outside what the past weeks led to expect."),
    "rebound": mark(
        "Compared with the four weeks before, a call takes less energy, and there are so many more of them."
    ),
    "oversized_model": mark("A large model gives short answers, or does a task that small models usually do well."),
    "repeated_calls": mark("Many prompts are the same as one before. Only fingerprints are compared, never texts."),
    "experiments_heavy": mark("Over the last four weeks, calls marked as test or experiment weigh a lot."),
    "experiments_in_production": mark("Its name says test, demo or trial, and its calls are marked as production."),
    "failing_calls": mark("Failed calls may consume, and are often sent again."),
    "unknown_model": mark("Its figures are wide defaults until it is described."),
    "coverage_drop": mark("More figures than before rest on wide defaults."),
    "meter_silent": mark("No call was metered, at hours when calls usually come."),
    "test": mark("If you read this, alerts reach you."),
}

ACTION_WORDS = {
    "look_at_largest_use": mark("What to do: see which team and use case take most, and whether that was planned."),
    "raise_or_reduce": mark("What to do: reduce the largest use, or raise the limit knowingly."),
    "reduce_or_plan": mark("What to do: look at the largest use now, while there is time to change it."),
    "find_the_cause": mark("What to do: look for a loop, a new use or a campaign behind that day."),
    "ask_what_for": mark("What to do: ask what the added calls are for, before the gain is gone."),
    "try_a_smaller_model": mark("What to do: try a smaller model on a sample, and compare the answers with people."),
    "cache_or_faq": mark("What to do: answer frequent questions from a cache or an FAQ."),
    "move_experiments": mark("What to do: run trials on a small model, or on fewer examples."),
    "name_the_environment": mark("What to do: mark these calls as test or experiment, or stop them."),
    "stop_retries": mark("What to do: find the error, and make retries wait longer each time."),
    "describe_the_model": mark("What to do: describe the model in your own catalogue file."),
    "check_the_gateway": mark("What to do: check that the gateway runs and that applications call it."),
    "nothing": mark("There is nothing to do."),
}

SEVERITY_WORDS = {"info": mark("to know"), "warning": mark("warning"), "serious": mark("serious")}
STATE_WORDS = {"open": mark("open"), "snoozed": mark("snoozed"), "resolved": mark("resolved")}

_BUDGET_PERIODS = {
    "day": mark("day"),
    "week": mark("week"),
    "month": mark("month"),
    "quarter": mark("quarter"),
    "year": mark("year"),
}
#: Units of budgets whose amounts get prefixes: (the unit they are shown in, how many of it make one).
_SHOWN_IN = {"kWh": ("Wh", 1000.0), "kgCO2eq": ("gCO2eq", 1000.0), "L": ("mL", 1000.0)}
#: What a page is opened with, from an alert's scope.
_LINKED = ("organisation", "end_client", "team", "use_case", "model")
_TEST = Alert(code="test", severity="info", key="test")


class Words:
    """Renders messages. `address` is that of the pages, or empty."""

    def __init__(self, settings: Settings, address: str = "") -> None:
        self._zone = ZoneInfo(settings.organisation.timezone)
        self._address = (settings.alerts.link or address).rstrip("/")

    def __call__(self, message: Message, language: str) -> Notice:
        if message.kind == "test":
            return self._notice("test", _TEST, "nothing", catalog(language))
        alert = Alert.from_json(message.body)
        return self.notice(alert, language)

    def notice(self, alert: Alert, language: str) -> Notice:
        return self._notice(alert.code, alert, alert.action, catalog(language))

    def _notice(self, code: str, alert: Alert, action: str, translator: Translator) -> Notice:
        facts = alert.facts
        title = translator.t(
            TITLES[code],
            name=alert.scope.get("budget", ""),
            where=scope_text(alert.scope) or translator.t("everything"),
            share=translator.percent(facts.get("share", 0.0)),
            hours=translator.number(facts.get("hours", 0)),
        )
        return Notice(
            title=title,
            text=translator.t(TEXTS[code]),
            figures=tuple(self._figures(alert, translator)),
            action=translator.t(ACTION_WORDS[action]),
            link=self._link(alert),
            link_text=translator.t("Open the page"),
            severity=alert.severity,
            language=translator.language,
        )

    def _link(self, alert: Alert) -> str:
        if not self._address:
            return ""
        asked = {name: alert.scope[name] for name in _LINKED if name in alert.scope}
        return f"{self._address}/?{urlencode(asked)}" if asked else f"{self._address}/"

    def _figures(self, alert: Alert, translator: Translator) -> Iterator[tuple[str, str]]:
        facts, t = alert.facts, translator.t
        if alert.code.startswith("budget_"):
            yield from self._budget_figures(facts, translator)
            return
        for name, text in _numbers(facts, translator):
            yield t(name), text
        if "day" in facts:
            yield t("Day"), translator.date(date.fromisoformat(facts["day"]))
        if "since" in facts:
            since = datetime.fromisoformat(facts["since"]).astimezone(self._zone)
            yield t("Since"), f"{translator.date(since)} {since:%H:%M}"

    def _budget_figures(self, facts: dict[str, Any], translator: Translator) -> Iterator[tuple[str, str]]:
        t, unit = translator.t, facts["unit"]
        yield t("Spent"), amount_text(facts["spent"], unit, translator)
        yield t("Limit"), f"{amount_text(facts['limit'], unit, translator)} / {t(_BUDGET_PERIODS[facts['period']])}"
        if "mid" in facts:
            low, mid, high = (amount_text(facts[name], unit, translator) for name in ("low", "mid", "high"))
            yield t("Foreseen"), f"{mid} [{low} – {high}]"
            yield t("Limit reached on"), self._days(facts, translator)
        if facts["unknown_calls"]:
            yield t("Calls without a figure, not counted"), translator.number(facts["unknown_calls"])

    def _days(self, facts: dict[str, Any], translator: Translator) -> str:
        early, middle, late = (
            translator.day(date.fromisoformat(facts[name])) if facts.get(name) else translator.t("not in this period")
            for name in ("early", "middle", "late")
        )
        return f"{middle} [{early} – {late}]"


def _numbers(facts: dict[str, Any], translator: Translator) -> Iterator[tuple[str, str]]:
    """Names of figures, as msgids, and their values."""
    counts = (
        ("calls", mark("Calls")),
        ("repeated", mark("Calls that repeat another")),
        ("failed", mark("Failed calls")),
        ("usual_calls", mark("Calls in those hours, usually")),
        ("mean_input", mark("Input tokens a call")),
        ("mean_output", mark("Output tokens a call")),
    )
    for name, msgid in counts:
        if name in facts:
            yield msgid, translator.number(facts[name])
    if "mid" in facts:
        low, mid, high = (translator.number(facts[name]) for name in ("low", "mid", "high"))
        yield mark("Expected calls"), f"{mid} [{low} – {high}]"
    for name, msgid in (("share", mark("Share")), ("before", mark("Share before"))):
        if name in facts:
            yield msgid, translator.percent(facts[name])
    for name, msgid in (
        ("unit", mark("Energy of a call, against before")),
        ("volume", mark("Calls, against before")),
        ("total", mark("Total energy, against before")),
    ):
        if name in facts:
            yield msgid, f"× {translator.number(facts[name], 2)}"
    if "energy_wh" in facts:
        yield mark("Energy"), amount_text(facts["energy_wh"] / 1000.0, "kWh", translator)
    if facts.get("active_b"):
        yield mark("Parameters at work, in billions, at least"), translator.plain(facts["active_b"], 3)


def amount_text(value: float, unit: str, translator: Translator) -> str:
    """An amount of a budget, in its unit or one with a prefix."""
    if unit in _SHOWN_IN:
        shown, scale = _SHOWN_IN[unit]
        return translator.quantity(exact(max(value, 0.0) * scale, shown, Status.MODELLED)).figure
    if unit == "calls":
        return translator.n("{count} call", "{count} calls", round(value))
    return f"{translator.number(value, 2)} {unit}"


def scope_text(scope: dict[str, str]) -> str:
    """Names of a scope, the widest first; a budget's own name is not one."""
    order = ("organisation", "end_client", "team", "use_case", "key", "provider", "model")
    return " · ".join(scope[name] for name in order if name in scope)
