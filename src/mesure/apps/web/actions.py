"""What to do next, read from the figures themselves: each action says what it would change and how to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.apps.web.sentence import failed
from mesure.apps.words import DEMOS
from mesure.catalogue import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.apps.web.reader import Reader
    from mesure.ledger.view import ModelRow, Overview

__all__ = ["Action", "next_actions"]

#: Shown at once; the rest waits until these are done.
_SHOWN = 3
_LARGE_SHARE = 0.3
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Action:
    """`what` to do, `effect` in a few words, `why` in a sentence, `how`: a command, a header or a setting, exact."""

    what: str
    effect: str
    why: str
    how: str


def next_actions(overview: Overview, reader: Reader, *, little: bool) -> list[Action]:
    """At most three, the surest first: what fails, what is unknown, what weighs most, what cannot be attributed.

    Until a first call succeeds, only what fails is told. Where the total is `little`, nobody is asked to lower it.
    """
    failing = list(_failing(overview, reader))
    if failing and failed(overview):
        return failing
    found = [*failing, *_placeless(overview, reader), *_unknown_models(overview, reader)]
    found += [*(() if little else _largest(overview, reader)), *_unnamed(overview, reader)]
    return found[:_SHOWN]


def _unknown_models(overview: Overview, reader: Reader) -> Iterator[Action]:
    t = reader.t
    if row := next((row for row in overview.models if not row.known), None):
        yield Action(
            t.t("Check the model “{model}”", model=row.model or t.t("unnamed")),
            t.t("narrows the interval"),
            t.n(
                "{count} call this month went to a model the catalogue does not know: its figure is a wide default.",
                "{count} calls this month went to a model the catalogue does not know: their figure is a wide default.",
                row.calls,
            ),
            f"mesure explain {row.model or '…'}",
        )


def _largest(overview: Overview, reader: Reader) -> Iterator[Action]:
    t = reader.t
    total = overview.month.energy_wh
    row = next((row for row in overview.models if row.known), None)
    if row is None or total is None or total.mid <= 0.0 or (share := row.energy_wh.mid / total.mid) < _LARGE_SHARE:
        return
    typical = _typical_call(overview, row)
    if typical is not None:
        tokens_in, tokens_out = typical
        yield Action(
            t.t("Weigh {model} against a smaller model", model=row.model),
            t.t("{share} of this month's energy", share=t.percent(share)),
            t.t("One of its last calls, to estimate with any other model of the catalogue:"),
            f"mesure estimate {row.model} --input {tokens_in} --output {tokens_out}",
        )


def _typical_call(overview: Overview, row: ModelRow) -> tuple[int, int] | None:
    """Tokens of the middle one of the model's last calls, by tokens written."""
    calls = sorted(
        (call.output_tokens, call.input_tokens)
        for call in overview.last_calls
        if call.model == row.model and call.output_tokens is not None and call.input_tokens is not None
    )
    if not calls:
        return None
    written, read = calls[len(calls) // 2]
    return read, written


def _unnamed(overview: Overview, reader: Reader) -> Iterator[Action]:
    t = reader.t
    count = sum(1 for call in overview.last_calls if call.use_case is None)
    if count:
        yield Action(
            t.t("Name your use cases"),
            t.t("shows where to act"),
            t.n(
                "{count} of the last {all} calls says not what it is for. Add a header:",
                "{count} of the last {all} calls do not say what they are for. Add a header:",
                count,
                all=t.number(len(overview.last_calls)),
            ),
            "x-mesure-use-case: call-reason",
        )


def _failing(overview: Overview, reader: Reader) -> Iterator[Action]:
    """Where most of the last calls of a provider failed, nothing else matters yet."""
    t = reader.t
    for name, provider in reader.settings.providers.items():
        calls = [call for call in overview.last_calls if call.provider == (provider.provider or name)]
        lost = sum(1 for call in calls if call.status == "error")
        if lost and lost >= _MOSTLY * len(calls):
            yield Action(
                t.t("Check the provider {provider}: its calls fail", provider=name),
                t.t("lets calls through"),
                t.n(
                    "{count} of its last {all} calls failed. The call's page gives the reason; see also that the key "
                    "is valid and that this address answers:",
                    "{count} of its last {all} calls failed. The page of a call gives its reason; see also that the "
                    "key is valid and that this address answers:",
                    lost,
                    all=t.number(len(calls)),
                ),
                provider.base_url,
            )
            return


def _placeless(overview: Overview, reader: Reader) -> Iterator[Action]:
    """Where nobody stated the place, it decides most of the CO₂e."""
    t = reader.t
    used = {call.provider for call in overview.last_calls}
    for name, provider in reader.settings.providers.items():
        seen = provider.provider or name
        if provider.zone or provider.region or seen not in used:
            continue
        why = (
            t.t("Its place is not stated: its provider's usual places, in several countries, stand for it. State it:")
            if current().host(seen)
            else t.t("Its place is not known: the world's average, very wide, stands for it. State it:")
        )
        demo = any(notice in DEMOS for notice in reader.notices)
        how = "mesure demo --zone FRA" if demo else f'[providers.{name}] zone = "FRA"'
        yield Action(t.t("State where {provider} runs", provider=name), t.t("narrows the CO₂e interval"), why, how)
        return
