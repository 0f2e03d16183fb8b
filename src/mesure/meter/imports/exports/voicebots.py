"""Voicebots and contact-centre platforms: minutes and interactions, in whatever columns the platform has.

No platform publishes one format: columns are found by their names, in French and English, and the export must be named
(`--as voicebot`). What it bills (tokens, units, credits) is no count of what a model read or wrote: it is left aside.
Tokens per minute are an estimate of the catalogue, so that these are declared, on a line of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesure.errors import InvalidValue
from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id, day_after, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["VOICEBOT"]

_DATE = ("date", "jour", "day", "started_at", "start_time", "date_debut", "timestamp")
_MINUTES = ("minutes", "total_minutes", "durée (min)", "duree_minutes", "minutes_de_communication", "call_minutes")
_SECONDS = ("duration_s", "seconds", "durée (s)", "duree_secondes", "durée totale (s)", "talk_time_s")
_COUNT = (
    *("interactions", "conversations", "sessions", "appels", "calls", "nombre d'appels", "nb_appels"),
    *("nombre_interactions", "nb_interactions", "contacts"),
)
_CLIENT = ("end_client", "client_final", "client", "donneur_d_ordre", "account")
_BOT = ("bot", "agent", "application", "nom_du_bot", "flow", "parcours", "voicebot")
_CASE = ("use_case", "motif", "intent", "intention", "cas_d_usage")
_FRENCH_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_BILLED = ("token", "jeton", "unit", "credit", "crédit")


def _talk(record: Record) -> Iterator[Facts]:
    day = _day(record)
    minutes, seconds = _number(record, *_MINUTES), _number(record, *_SECONDS)
    count = record.whole(*_COUNT)
    if minutes is None and seconds is None and count is None:
        raise InvalidValue(
            "The row has neither minutes nor interactions",
            action="Name its columns minutes and interactions, or leave the row out.",
        )
    heard = minutes * 60.0 if minutes is not None else seconds
    bot, client, case = record.text(*_BOT), record.text(*_CLIENT), record.text(*_CASE)
    yield {
        "started_at": day,
        "ended_at": day_after(day),
        "labels.aggregate": aggregate_id("voicebot", day, bot, client, case),
        "labels.product": "voicebot",
        "model_requested": "voicebot",
        "application": bot,
        "end_client": client,
        "use_case": case,
        "calls_count": count or 0,
        "audio_seconds": heard,
        "operation": "transcription",  # people talk, and it listens: its time is what counts
        "basis": "declared",
    }


def _number(record: Record, *names: str) -> float | None:
    said = record.get(*names)
    return None if said is None else Record({"n": str(said).replace(",", ".")}).number("n")


def _day(record: Record) -> str | None:
    said = record.text(*_DATE)
    if said is not None and (found := _FRENCH_DAY.fullmatch(said)):
        return Record({"day": f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}"}).time("day")
    return record.time(*_DATE)


VOICEBOT = Export(
    name="voicebot",
    title="Voicebot or contact-centre platform, minutes and interactions",
    written_after="no published format: columns by their names, 2026",
    marks=lambda _: False,  # nothing in it tells it from another table: it must be said
    fields={
        "started_at": "date / jour",
        "ended_at": "(a day of UTC)",
        "labels.aggregate": "(period and groups)",
        "labels.product": "(the product)",
        "model_requested": "(the product)",
        "application": "bot / agent",
        "end_client": "end_client / client_final",
        "use_case": "motif / intent",
        "calls_count": "interactions / appels",
        "audio_seconds": "minutes x 60 / seconds",
        "operation": "(the product)",
        "basis": "(declared)",
    },
    start=stateless(_talk),
    columns=(*_DATE, *_MINUTES, *_SECONDS, *_COUNT, *_CLIENT, *_BOT, *_CASE),
    not_tokens=_BILLED,
)
