"""Every text the code names has its French, and no French is left without its text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from msgids import SOURCE, plural_pairs, used_msgids

from mesure.errors import UnknownName
from mesure.i18n import catalog, mark, preferred
from mesure.i18n.text import NARROW, NO_BREAK, QuantityText, french, typographic

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _entries() -> dict[str, tuple[str, ...]]:
    with (SOURCE / "i18n" / "fr.po").open("rb") as file:
        messages = read_po(file, locale="fr")
    found = {}
    for message in messages:
        if message.id:
            msgid = message.id if isinstance(message.id, str) else message.id[0]
            found[msgid] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return found


def test_every_text_used_is_translated() -> None:
    used, french_texts = used_msgids(), _entries()
    assert len(used) > 80
    missing = {text: place for text, place in used.items() if not all(french_texts.get(text, ("",)))}
    assert not missing, f"add these to fr.po: {missing}"


def test_no_translation_is_left_over() -> None:
    assert set(_entries()) <= set(used_msgids())


def test_translations_keep_their_placeholders() -> None:
    plural_of = dict(plural_pairs())
    for msgid, forms in _entries().items():
        expected = set(_PLACEHOLDER.findall(msgid)) | set(_PLACEHOLDER.findall(plural_of.get(msgid, "")))
        for form in forms:
            assert set(_PLACEHOLDER.findall(form)) == expected, msgid


def test_plurals_have_both_forms() -> None:
    entries = _entries()
    for singular, _ in plural_pairs():
        assert len(entries[singular]) == 2, singular


def test_the_collector_sees_what_the_translator_is_given(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(
        'x.t("one"); y.n("two", "twos", 2); z.rich("three"); mark("four"); t("five" if x else "six"); q.other("seven")'
    )
    assert set(used_msgids(tmp_path)) == {"one", "two", "three", "four", "five", "six"}
    assert plural_pairs(tmp_path) == {("two", "twos")}


@pytest.mark.parametrize(
    "word", ["neutral", "net zero", "green", "eco-friendly", "neutre", "zéro", "vert", "écologique"]
)
def test_words_never_used_of_a_result(word: str) -> None:
    for msgid, forms in _entries().items():
        for text in (msgid, *forms):
            assert not re.search(rf"\b{word}\b", text, re.IGNORECASE), text


def test_texts_and_values() -> None:
    fr, en = catalog("fr"), catalog("en")
    assert fr.t("Now") == "Maintenant"
    assert en.t("Now") == "Now"
    assert fr.t("a text nobody translated") == "a text nobody translated"
    assert en.t("{share} of this month's energy", share="5%") == "5% of this month’s energy"
    assert fr.t("Why these figures?") == f"Pourquoi ces chiffres{NARROW}?"


def test_plural_follows_the_language() -> None:
    fr, en = catalog("fr"), catalog("en")
    assert [fr.n("{count} call", "{count} calls", n) for n in (0, 1, 2)] == ["0 appel", "1 appel", "2 appels"]
    assert [en.n("{count} call", "{count} calls", n) for n in (0, 1, 2)] == ["0 calls", "1 call", "2 calls"]


def test_rich_keeps_nodes_whole() -> None:
    node = object()
    pieces = catalog("fr").rich("Weigh {model} against a smaller model", model=node)
    assert pieces == ["Comparer ", node, " à un modèle plus petit"]


def test_french_typography() -> None:
    assert french("« Oui » : 8 W ; 5 % !") == (
        f"«{NO_BREAK}Oui{NO_BREAK}»{NO_BREAK}: 8{NARROW}W{NARROW}; 5{NARROW}%{NARROW}!"
    )
    assert french("l'eau http://x") == "l’eau http://x"
    assert typographic("It's {n} kB...") == f"It’s {{n}}{NARROW}kB…"


def test_quantity_text_reads_as_one() -> None:
    assert str(QuantityText("0,31", "Wh", "[0,18–0,52]")) == f"0,31{NARROW}Wh [0,18–0,52]"
    assert str(QuantityText("4", "", "")) == "4"


def test_mark_changes_nothing() -> None:
    assert mark("measured") == "measured"


def test_only_two_languages_are_spoken() -> None:
    with pytest.raises(UnknownName, match="Use fr or en"):
        catalog("de")
    assert catalog("fr") is catalog("fr")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "fr"),
        ("", "fr"),
        ("en-US,en;q=0.9,fr;q=0.8", "en"),
        ("de,fr;q=0.4,en;q=0.5", "en"),
        ("fr-CA", "fr"),
        ("de", "fr"),
        ("*", "fr"),
        ("en;q=0,*;q=0.1", "fr"),
        ("en;q=nonsense", "fr"),
        ("EN", "en"),
    ],
)
def test_language_the_browser_prefers(header: str | None, expected: str) -> None:
    assert preferred(header, "fr") == expected
