"""Files of contacts -> `Contact`, row by row: columns are found by their names, in French and English."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mesure.errors import ImportRefused, InvalidValue, MesureError, nearest_names
from mesure.meter.imports.files import ContentDigest
from mesure.meter.imports.names import folded, plain
from mesure.meter.imports.reading import SHOWN_REFUSALS, BadRow, name_of, screened_name
from mesure.meter.imports.values import Conventions, is_unknown
from mesure.record import Contact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mesure.meter.imports.files import RawRow, TableFile

__all__ = ["CONTACT_FIELDS", "ContactPlan", "ContactReview", "propose_contacts", "read_contacts", "review_contacts"]

#: Names of columns, letters and digits only, in the order of preference.
_KNOWN: dict[str, tuple[str, ...]] = {
    "id": (
        *("contactid", "idcontact", "idducontact", "interactionid", "idinteraction", "conversationid", "callid"),
        *("idappel", "ticketid", "ticket", "numeroticket", "caseid", "reference", "id"),
    ),
    "started_at": (
        *("startedat", "starttime", "timestamp", "datetime", "dateheure", "dateetheure", "horodatage", "debut"),
        *("datedebut", "datedecontact", "dateducontact", "datecontact", "createdat", "date", "time"),
    ),
    "channel": ("channel", "canal", "canaldecontact", "media", "mediatype", "typedecontact"),
    "end_client": ("endclient", "clientfinal", "donneurdordre", "enseigne", "marque", "brand", "account", "client"),
    "use_case": (
        *("usecase", "casdusage", "motif", "motifdappel", "motifappel", "motifdecontact", "reason", "contactreason"),
        *("intent", "intention", "queue", "filedattente", "skill", "competence"),
    ),
    "duration_s": (
        *("durations", "durationseconds", "dureesecondes", "dureeens", "durees", "duration", "duree", "handletime"),
        *("dmt", "aht", "dureedetraitement", "dureedecommunication", "talktime", "durationmin", "dureemin"),
        *("dureeminutes", "durationminutes", "durationms", "dureems"),
    ),
    "transferred": ("transferred", "transfere", "transferee", "transfert", "transfer", "escalated", "escalade"),
    "resolved": ("resolved", "resolu", "resolue", "resolution", "solved", "fcr", "resolupremiercontact"),
    "recontact": ("recontact", "recontacted", "reiteration", "reitere", "repeatcontact", "repeat", "rappel"),
}
CONTACT_FIELDS = tuple(_KNOWN)
_NEEDED = ("id", "started_at")
_CHANNELS = {
    "voice": ("voice", "voix", "phone", "telephone", "tel", "call", "appel", "inboundcall", "voixentrant"),
    "chat": ("chat", "livechat", "messaging", "messagerie", "chatbot", "webchat", "whatsapp"),
    "email": ("email", "mail", "courriel", "emel"),
    "sms": ("sms", "texto"),
    "social": ("social", "reseauxsociaux", "facebook", "twitter", "instagram", "x"),
    "voicebot": ("voicebot", "callbot", "svi", "ivr"),
}
_CHANNEL_OF = {word: channel for channel, words in _CHANNELS.items() for word in words}
_YES = frozenset({"resolu", "resolue", "resolved", "solved", "transfere", "transferee", "transferred", "y", "o"})
_NO = frozenset({"nonresolu", "nonresolue", "unresolved", "notresolved", "unsolved", "nontransfere", "n"})
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})(?:[.,](\d{1,3}))?")
_UNITS = (("ms", 0.001), ("milliseconds", 0.001), ("min", 60.0), ("minutes", 60.0), ("mn", 60.0))


def propose_contacts(columns: Iterable[str]) -> dict[str, str]:
    """field -> column, for columns whose name is known."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(folded(column), column)
        by_name.setdefault(folded(re.sub(r"\(.*?\)", "", column)), column)  # durée (min) is a durée
    return {
        name: column
        for name, known in _KNOWN.items()
        if (column := next((by_name[word] for word in known if word in by_name), "")) != ""
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPlan:
    """Which column fills which field of a contact, and how the file writes."""

    mapping: Mapping[str, str]
    pseudonym: Callable[[str], str]
    conventions: Conventions = field(default_factory=Conventions)

    @classmethod
    def make(
        cls, file: TableFile, mapping: Mapping[str, str], conventions: Conventions, *, pseudonym: Callable[[str], str]
    ) -> ContactPlan:
        """The mapping asked for, completed by known names. `pseudonym` stands in for what names a person, as it does
        in the calls of that contact. Raises `ImportRefused` for what does not exist, or without an id or a time."""
        if unknown := next((name for name in mapping if name not in CONTACT_FIELDS), None):
            raise ImportRefused(
                "A contact has no such field",
                value=unknown,
                nearest=nearest_names(unknown, CONTACT_FIELDS),
                action=f"Its fields are: {', '.join(CONTACT_FIELDS)}.",
            )
        if absent := next((column for column in mapping.values() if column not in file.columns), None):
            raise ImportRefused(
                "The file has no such column",
                value=absent,
                nearest=nearest_names(absent, file.columns),
                action=f"Its columns are: {', '.join(file.columns)}.",
            )
        whole = propose_contacts(file.columns) | dict(mapping)
        if missing := next((name for name in _NEEDED if name not in whole), None):
            raise ImportRefused(
                f"No column is known to hold {missing}",
                value=", ".join(file.columns),
                action=f"Name it with --map {missing}=COLUMN.",
            )
        return cls(mapping=whole, conventions=conventions, pseudonym=pseudonym)

    def unused(self, file: TableFile) -> tuple[str, ...]:
        return tuple(column for column in file.columns if column not in self.mapping.values())


@dataclass(slots=True, kw_only=True)
class ContactReview:
    """What a file holds under a plan, before anything is written. `known`: contacts that say it, by field."""

    content: str = ""
    rows: int = 0
    refused_count: int = 0
    refused: list[BadRow] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def accepted(self) -> int:
        return self.rows - self.refused_count


def review_contacts(
    file: TableFile, plan: ContactPlan, *, progress: Callable[[int], None] | None = None
) -> ContactReview:
    """Read every row once, keep counts and the first refusals."""
    found, digest = ContactReview(), ContentDigest()
    for row in _contacts(file.rows(progress=progress, digest=digest), plan, ""):
        found.rows += 1
        if isinstance(row, BadRow):
            found.refused_count += 1
            if len(found.refused) < SHOWN_REFUSALS:
                found.refused.append(row)
            continue
        for name in CONTACT_FIELDS:
            if getattr(row, name) is not None:
                found.known[name] = found.known.get(name, 0) + 1
        found.first = row.started_at if found.first is None else min(found.first, row.started_at)
        found.last = row.started_at if found.last is None else max(found.last, row.started_at)
    found.content = digest.hexdigest()
    return found


def read_contacts(
    file: TableFile, plan: ContactPlan, content: str, *, progress: Callable[[int], None] | None = None
) -> Iterator[Contact | BadRow]:
    """Each row as a contact, or as the reason why not. `content`: digest that their origins name."""
    return _contacts(file.rows(progress=progress), plan, content)


def _contacts(rows: Iterator[RawRow], plan: ContactPlan, content: str) -> Iterator[Contact | BadRow]:
    readers = [(name, column, _reader(name, column, plan)) for name, column in plan.mapping.items()]
    for raw in rows:
        if raw.error is not None:
            yield BadRow(raw.line, None, raw.error)
            continue
        values: dict[str, Any] = {}
        try:
            for name, column, reader in readers:
                if not is_unknown(cell := raw.cells.get(column)):
                    values[name] = reader(cell)
        except MesureError as error:
            yield BadRow(raw.line, column, error)
            continue
        yield _contact(values, raw.line, f"{content}:{raw.line}")


def _contact(values: dict[str, Any], line: int, origin: str) -> Contact | BadRow:
    try:
        for name in _NEEDED:
            if name not in values:
                raise InvalidValue(f"The row has no {name}", action="Fill it in, or leave the row out.")
        return Contact(**values, origin=origin).checked()
    except MesureError as error:
        return BadRow(line, None, error)


def _reader(name: str, column: str, plan: ContactPlan) -> Callable[[Any], Any]:
    conventions = plan.conventions
    if name == "started_at":
        return conventions.time
    if name == "duration_s":
        factor = _unit_of(column)
        return lambda raw: _duration(raw, factor, conventions)
    if name in ("transferred", "resolved", "recontact"):
        return lambda raw: _outcome(raw, conventions)
    return _channel if name == "channel" else lambda raw: screened_name(name_of(raw), plan.pseudonym)


def _unit_of(column: str) -> float:
    """Seconds in the unit that the column's name ends on: `Durée (min)` is in 60."""
    words = re.split(r"[^a-z]+", plain(column.casefold()))
    return next((factor for word in words for unit, factor in _UNITS if word == unit), 1.0)


def _duration(raw: Any, factor: float, conventions: Conventions) -> float:
    """Seconds; `00:05:30` and `5:30` are clocks."""
    if isinstance(raw, str) and (found := _CLOCK.fullmatch(raw.strip())):
        hours, minutes, seconds = (float(part or 0) for part in found.groups()[:3])
        return hours * 3600.0 + minutes * 60.0 + seconds
    return conventions.number(raw) * factor


def _outcome(raw: Any, conventions: Conventions) -> bool:
    if isinstance(raw, int | float) and raw in (0, 1):
        return bool(raw)
    word = folded(str(raw))
    if word in _YES or word in _NO:
        return word in _YES
    return conventions.truth(raw)


def _channel(raw: Any) -> str:
    text = name_of(raw)
    return _CHANNEL_OF.get(folded(text), text.casefold())
