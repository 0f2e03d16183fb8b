"""Calls beside what is reported of them, in words and as JSON: for the page and for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.i18n import Translator
    from mesure.ledger import Reconciled, ReportRow, Unseen

__all__ = ["reconciled_json", "reconciled_lines"]


def reconciled_lines(found: Reconciled | None, t: Translator) -> Iterator[str]:
    """What is to be said of them; nothing where nothing is reported and every call has one source."""
    if found is None:
        return
    if (unseen := found.unseen) is not None:
        text = t.n(
            "{count} call reported by the provider, not seen by Mesure: {energy}",
            "{count} calls reported by the provider, not seen by Mesure: {energy}",
            unseen.calls,
            energy=t.quantity(unseen.energy_wh),
        )
        yield text
    if (declared := found.declared) is not None:
        yield t.n(
            "{count} call declared, not seen by Mesure: {energy}",
            "{count} calls declared, not seen by Mesure: {energy}",
            declared.calls,
            energy=t.quantity(declared.energy_wh),
        )
    if found.beyond_calls:
        yield t.n(
            "{count} call seen, not in the provider's export: nothing is taken away",
            "{count} calls seen, not in the provider's export: nothing is taken away",
            found.beyond_calls,
        )
    if found.several:
        yield t.n(
            "{count} call seen by several sources, counted once",
            "{count} calls seen by several sources, each counted once",
            found.several,
        )


def reconciled_json(found: Reconciled) -> dict[str, Any]:
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "several": found.several,
        "unseen": _unseen(found.unseen),
        "declared": _unseen(found.declared),
        "beyond_calls": found.beyond_calls,
        "rows": [_row(row) for row in found.rows],
    }


def _row(row: ReportRow) -> dict[str, Any]:
    return {
        "provider": row.provider,
        "model": row.model,
        "declared": row.declared,
        "reported_calls": row.reported_calls,
        "seen_calls": row.seen_calls,
        "reported_tokens": row.reported_tokens,
        "seen_tokens": row.seen_tokens,
        "unseen": _unseen(row.unseen),
        "beyond_calls": row.beyond_calls,
    }


def _unseen(found: Unseen | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "calls": found.calls,
        "tokens": found.tokens,
        "energy_wh": found.energy_wh.to_json(),
        "gwp_gco2eq": None if found.gwp_gco2eq is None else found.gwp_gco2eq.to_json(),
    }
