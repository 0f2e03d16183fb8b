"""What is reported beside the calls seen: the same on the page, as JSON and from the command, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mesure.apps.reconciled import reconciled_json, reconciled_lines
from mesure.i18n import catalog
from mesure.ledger import Reconciled, Unseen
from mesure.quantity import Quantity, Status

DAY = datetime(2026, 11, 20, tzinfo=UTC)
_ENERGY = Quantity(1.0, 2.0, 4.0, "Wh", Status.MODELLED)
_NOTHING = Reconciled(
    since=DAY, until=DAY + timedelta(days=1), several=0, unseen=None, declared=None, beyond_calls=0, rows=()
)


def test_nothing_to_say_is_nothing_said() -> None:
    for language in ("en", "fr"):
        assert list(reconciled_lines(None, catalog(language))) == []
        assert list(reconciled_lines(_NOTHING, catalog(language))) == []


def test_each_line_in_both_languages() -> None:
    some = Unseen(calls=4, tokens=480, energy_wh=_ENERGY, gwp_gco2eq=None)
    found = replace(_NOTHING, several=1, unseen=some, declared=replace(some, calls=1), beyond_calls=3)
    english, french = (list(reconciled_lines(found, catalog(language))) for language in ("en", "fr"))
    assert [line.split(":")[0] for line in english] == [
        "4 calls reported by the provider, not seen by Mesure",
        "1 call declared, not seen by Mesure",
        "3 calls seen, not in the provider’s export",
        "1 call seen by several sources, counted once",
    ]
    assert french[0].startswith("4 appels déclarés par le fournisseur, non vus par Mesure")
    assert french[2].endswith("rien n’est retranché")
    assert all("Wh" in line for line in (*english[:2], *french[:2]))


def test_json_keeps_what_is_unknown() -> None:
    found = reconciled_json(replace(_NOTHING, unseen=Unseen(calls=4, tokens=0, energy_wh=_ENERGY, gwp_gco2eq=None)))
    assert found["unseen"]["gwp_gco2eq"] is None
    assert (found["unseen"]["energy_wh"]["mid"], found["declared"]) == (2.0, None)
