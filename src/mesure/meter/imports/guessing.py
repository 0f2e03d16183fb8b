"""Columns of a table that nobody knows: what they probably hold, by the words of their names and by their values.

A guess is shown with its confidence and examples, and used only when somebody says so. Names of people are never
guessed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import MesureError
from mesure.meter.imports.mapping import kind_of
from mesure.meter.imports.names import plain
from mesure.meter.imports.values import Conventions, Dates, Decimal, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mesure.meter.imports.files import TableFile

__all__ = ["LIKELY", "Guess", "Habits", "guesses", "habits_of", "likely"]

#: From this confidence on, a guess that nothing contests may be used without being spelt out.
LIKELY = 0.7
_LEAST = 0.45
#: Two candidates this near contest each other.
_CONTESTED = 0.12
_EXAMPLES = 3
_LONGEST_NAME = 80

_TOKENS = frozenset({"jeton", "token", "tok", "tokens", "tkn"})
_READ = frozenset({"entree", "entrant", "input", "in", "prompt", "question", "lu", "recu", "contexte", "context"})
_WRITTEN = frozenset(
    {
        "sortie",
        "sortant",
        "output",
        "out",
        "completion",
        "reponse",
        "response",
        "answer",
        "genere",
        "generated",
        "ecrit",
    }
)
#: field -> words of which its column's name has one of each set.
_WORDS: dict[str, tuple[frozenset[str], ...]] = {
    "started_at": (
        frozenset(
            {
                "date",
                "heure",
                "time",
                "timestamp",
                "horodatage",
                "jour",
                "day",
                "created",
                "debut",
                "start",
                "started",
                "quand",
            }
        ),
    ),
    "model_requested": (frozenset({"model", "modele", "moteur", "engine", "llm"}),),
    "provider": (frozenset({"provider", "fournisseur", "vendor", "editeur"}),),
    "input_tokens": (_TOKENS, _READ),
    "output_tokens": (_TOKENS, _WRITTEN),
    "cached_input_tokens": (_TOKENS, frozenset({"cache", "cached"})),
    "reasoning_tokens": (_TOKENS, frozenset({"reasoning", "raisonnement", "thinking"})),
    "calls_count": (
        frozenset({"appel", "call", "requete", "request", "requests", "invocation", "interaction"}),
        frozenset({"nb", "nombre", "count", "number", "num", "n", "total", "volume"}),
    ),
    "team": (
        frozenset({"equipe", "team", "service", "departement", "department", "direction", "pole", "entite", "bu"}),
    ),
    "application": (frozenset({"application", "appli", "app", "projet", "project", "produit", "product"}),),
    "use_case": (frozenset({"motif", "usage", "cas", "usecase", "intention", "intent", "reason", "sujet", "topic"}),),
    "end_client": (frozenset({"client", "donneur", "enseigne", "marque", "brand", "customer", "account"}),),
    "duration_ms": (
        frozenset({"duree", "duration", "latence", "latency"}),
        frozenset({"ms", "millisecondes", "milliseconds"}),
    ),
    "cost": (frozenset({"cout", "cost", "montant", "amount", "prix", "price"}),),
    "host_region": (frozenset({"region"}),),
}
_SPLIT = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=\d)")
_CAMEL = re.compile(r"(?<=[a-zéèêà])(?=[A-Z])")
_COMMA = re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u202f]?\d{3})*,\d+|[+-]?\d+,\d+")
_FRENCH = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}(?:\D.*)?")
_MONTHS = 12


class Guess(NamedTuple):
    """`rivals`: other columns that would do as well for the field, or fields for the column."""

    field: str
    column: str
    confidence: float  # 0 to 1
    examples: tuple[str, ...]
    rivals: tuple[str, ...] = ()


class Habits(NamedTuple):
    """How a table writes; None where its values do not tell. `month_first`: as neither French nor ISO has dates."""

    dates: Dates | None = None
    decimal: Decimal | None = None
    month_first: bool = False


def likely(found: Iterable[Guess]) -> dict[str, str]:
    """field -> column of the guesses that may be used together."""
    return {guess.field: guess.column for guess in found if guess.confidence >= LIKELY and not guess.rivals}


def habits_of(file: TableFile) -> Habits:
    """How its sample writes dates and numbers."""
    texts = [text for column in file.columns for text in _texts(file, column)]
    dated = [found for text in texts if (found := _FRENCH.fullmatch(text))]
    month_first = any(int(found[2]) > _MONTHS for found in dated)
    told = any(int(found[1]) > _MONTHS for found in dated)
    return Habits(
        dates="french" if told and not month_first else None,
        decimal="comma" if any(_COMMA.fullmatch(text) for text in texts) else None,
        month_first=month_first,
    )


def guesses(file: TableFile, conventions: Conventions, taken: Mapping[str, str]) -> tuple[Guess, ...]:
    """For fields and columns that are not `taken`, best first."""
    free = [column for column in file.columns if column not in taken.values()]
    scored = sorted(
        ((score, name, column) for column in free for name, score in _scores(file, column, conventions, taken)),
        key=lambda one: (-one[0], one[1], one[2]),
    )
    best: dict[str, Guess] = {}
    for score, name, column in scored:
        if name in best or any(guess.column == column for guess in best.values()):
            continue
        rivals = [
            other if field == name else field
            for near, field, other in scored
            if (field == name) != (other == column) and score - near <= _CONTESTED
        ]
        best[name] = Guess(name, column, round(score, 2), _examples(file, column), tuple(dict.fromkeys(rivals)))
    return tuple(best.values())


def _scores(
    file: TableFile, column: str, conventions: Conventions, taken: Mapping[str, str]
) -> Iterator[tuple[str, float]]:
    words = _words_of(column)
    values = list(_texts(file, column))
    if not values:
        return
    for name, needed in _WORDS.items():
        if name in taken:
            continue
        named = _named(words, needed)
        if name == "model_requested":
            named = max(named, 0.95 * _known_models(values))
        if named and (score := named * _fit(name, values, conventions)) >= _LEAST:
            yield name, score


def _words_of(column: str) -> list[str]:
    parts = _SPLIT.split(plain(_CAMEL.sub(" ", column).casefold()))
    return [part[:-1] if len(part) > 3 and part.endswith("s") else part for part in parts if part]


def _named(words: Sequence[str], needed: Sequence[frozenset[str]]) -> float:
    """1 where the name says just what is needed, less with every other word; 0 where something needed is missing."""
    if not all(any(word in group for word in words) for group in needed):
        return 0.0
    others = sum(1 for word in words if not any(word in group for group in needed) and len(word) > 2)
    return max(1.0 - 0.1 * others, 0.5)


def _fit(name: str, values: Sequence[str], conventions: Conventions) -> float:
    """Share of the values that the field can hold."""
    kind = kind_of(name)
    if kind is str:
        texts = [v for v in values if len(v) <= _LONGEST_NAME and not v.replace(".", "").replace(",", "").isdecimal()]
        distinct = len(set(values))
        varied = 0.6 if len(values) >= 20 and distinct > 0.8 * len(values) else 1.0  # names come back
        return varied * len(texts) / len(values)
    reader: Any = {int: conventions.whole, float: conventions.number}.get(kind, conventions.time)  # type: ignore[arg-type]
    return sum(1 for value in values if _reads(reader, value)) / len(values)


def _reads(reader: Any, value: str) -> bool:
    try:
        reader(value)
    except MesureError:
        return False
    return True


def _known_models(values: Sequence[str]) -> float:
    """Share of the distinct values that the catalogue knows as models."""
    from mesure.catalogue import current

    distinct = sorted(set(values))[:20]
    known = [value for value in distinct if len(value) <= _LONGEST_NAME and current().find_model(value) is not None]
    return len(known) / len(distinct)


def _texts(file: TableFile, column: str) -> Iterator[str]:
    for row in file.sample:
        if not is_unknown(value := row.cells.get(column)) and not isinstance(value, bool | list | dict):
            yield str(value).strip()


def _examples(file: TableFile, column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_texts(file, column)))[:_EXAMPLES]
