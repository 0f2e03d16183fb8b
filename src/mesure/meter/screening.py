"""Texts that callers choose, before they are stored: a person in them becomes a pseudonym, a key is refused.

It knows the common shapes (e-mail addresses, international and French phone numbers, IBANs, French social security
numbers; keys of the usual services), not every name: that team names hold no people is for the organisation to see to.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mesure.record import SCREENED, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["LONGEST", "allowed_labels", "is_screened", "screened", "screened_event", "screened_fields"]

#: A longer text is no name of a team or of a contact.
LONGEST: Final = 200
#: Of keys and tokens. Anything here is a mistake of the caller, who put it in the wrong place.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{16,}"  # OpenAI, Anthropic, Stripe
    r"|mesure-\w{8}-\w{16,}"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bhf_\w{20,}|\bxox[abeprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\bA(?:KIA|SIA)[A-Z0-9]{16}\b"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.|-----BEGIN|\bBearer\s+\S{12,}",
    re.ASCII,
)
#: What every one of these shapes has in it: most names have none, and are looked at once.
_SUSPECT = re.compile(r"@|[\w-]{15}|-----|eyJ|Bearer|\+\d|(?<!\w)0[1-9]|[A-Z]{2}\d\d|(?:\d ?){12}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\W\d_]{2,}")
_PHONE = re.compile(
    r"(?<![\w+])\+\d{1,3}(?:[ .\-/]?\(?\d\)?){7,13}(?!\w)"  # international, with its plus
    r"|(?<!\w)0[1-9](?:[ .-]?\d{2}){4}(?!\w)",  # French
    re.ASCII,
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.ASCII)
_NIR = re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)", re.ASCII)


def is_screened(name: str) -> bool:
    """Whether a field, or a label (`labels.<key>`), holds a text that callers choose."""
    return name in SCREENED or name.startswith("labels.")


def screened(text: str, pseudonym: Callable[[str], str | None]) -> str | None:
    """The text itself, a pseudonym in the place of one that names a person, None for one that may not be stored."""
    if len(text) > LONGEST:
        return None
    if not _SUSPECT.search(text):
        return text
    if _SECRET.search(text):
        return None
    return pseudonym(text) if _names_a_person(text) else text


def allowed_labels(labels: Mapping[str, str], keys: Collection[str] | None) -> tuple[dict[str, str], list[str]]:
    """The labels whose keys the configuration allows (all where None), and the keys of the others."""
    keys = labels if keys is None else keys
    return {k: v for k, v in labels.items() if k in keys}, [k for k in labels if k not in keys]


def screened_fields(
    fields: Mapping[str, Any], pseudonym: Callable[[str], str | None], label_keys: Collection[str] | None
) -> dict[str, Any]:
    """Fields of an event as they may be stored: names screened, labels by their keys; what may not be is left out."""
    kept = dict(fields)
    for name in SCREENED & kept.keys():
        if name == "labels":
            labels, _ = allowed_labels(kept[name] or {}, label_keys)
            shown = {key: screened(text, pseudonym) for key, text in labels.items()}
            kept[name] = {key: text for key, text in shown.items() if text is not None} or None
        elif isinstance(text := kept[name], str):
            kept[name] = screened(text, pseudonym)
    return kept


def screened_event(
    event: UsageEvent, pseudonym: Callable[[str], str | None], label_keys: Collection[str] | None = None
) -> UsageEvent:
    """An event that another program made, as it may be stored; labels keep whatever keys they have where None."""
    given = {name: value for name in SCREENED if (value := getattr(event, name)) is not None}
    kept = screened_fields(given, pseudonym, label_keys)
    return event if kept == given else replace(event, **kept)


def _names_a_person(text: str) -> bool:
    if _EMAIL.search(text) or _PHONE.search(text):
        return True
    return any(_is_iban(found[0]) for found in _IBAN.finditer(text)) or any(
        _is_nir(found[0]) for found in _NIR.finditer(text)
    )


def _is_iban(text: str) -> bool:
    """ISO 13616: its own check digits hold."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _is_nir(text: str) -> bool:
    """French social security number: its key holds (Corsica's letters count as 19 and 18)."""
    plain = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return plain.isdigit() and 97 - int(plain[:13]) % 97 == int(plain[13:])
