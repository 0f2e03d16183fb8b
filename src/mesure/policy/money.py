"""What calls cost: what was reported, else the seller's list price on that day, in US dollars. Unknown is never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current
from mesure.policy.budgets import Amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from mesure.ledger import Committer, Ledger
    from mesure.policy.budgets import Budget
    from mesure.record import UsageEvent

__all__ = ["Tokens", "cost_in", "cost_of", "list_price_usd", "spent_money"]


class Tokens(NamedTuple):
    """Sub-counts are subsets: cached and written ones are part of the input."""

    read: int
    cached: int
    stored: int
    written: int


def list_price_usd(provider: str | None, model: str | None, on: date, tokens: Tokens) -> float | None:
    """At the list price of that day; None without one, or when a kind of tokens has no price."""
    if not provider or not model:
        return None
    price = current().price(provider, model, on)
    if price is None or price.input_usd_per_mtok is None:
        return None
    if price.output_usd_per_mtok is None and tokens.written:
        return None
    plain = price.input_usd_per_mtok
    cached = plain if price.cached_input_usd_per_mtok is None else price.cached_input_usd_per_mtok
    stored = plain if price.cache_write_usd_per_mtok is None else price.cache_write_usd_per_mtok
    fresh = max(0, tokens.read - tokens.cached - tokens.stored)
    usd = fresh * plain + tokens.cached * cached + tokens.stored * stored
    return (usd + tokens.written * (price.output_usd_per_mtok or 0.0)) / 1e6


def cost_of(event: UsageEvent, currency: str, usd_rate: float | None) -> float | None:
    """Of one event, in a currency; `usd_rate` is one US dollar in it."""
    tokens = Tokens(
        event.input_tokens or 0,
        event.cached_input_tokens or 0,
        event.cache_write_tokens or 0,
        event.output_tokens or 0,
    )
    if event.cost is not None and event.cost_currency:
        return cost_in(currency, usd_rate, event.cost, event.cost_currency)
    if event.input_tokens is None and event.output_tokens is None:
        return None
    usd = _first_price(event.provider, (event.model_answered, event.model_requested), event.started_at.date(), tokens)
    return None if usd is None else cost_in(currency, usd_rate, usd, "USD")


def cost_in(currency: str, usd_rate: float | None, cost: float, given: str) -> float | None:
    """A cost in another currency; only US dollars have a rate."""
    if given == currency:
        return cost
    return cost * usd_rate if given == "USD" and usd_rate else None


def _first_price(provider: str | None, names: tuple[str | None, ...], on: date, tokens: Tokens) -> float | None:
    prices = (list_price_usd(provider, name, on, tokens) for name in names)
    return next((usd for usd in prices if usd is not None), None)


_COLUMNS = ("provider", "model_answered", "model_requested", "cost_currency")


def spent_money(
    ledger: Ledger, committer: Committer | None, budget: Budget, since: datetime, until: datetime
) -> dict[datetime, Amount]:
    """What a money budget's calls cost, by hour of `[since, until)`. Raises `LedgerError`.

    What a list price multiplies is summed first: a price is looked up once for each model and hour.
    """
    snapshot, recent = committer.consistent() if committer else (ledger.snapshot(), ())
    found: dict[datetime, Amount] = {}
    for hour, amount in _stored([file.uri for file in snapshot.files], budget, since, until):
        found[hour] = found.get(hour, Amount(0.0, 0, 0)).plus(amount)
    for event in recent:
        if since <= event.started_at < until and budget.scope.holds(event):
            cost = cost_of(event, budget.unit, budget.usd_rate)
            hour = event.started_at.replace(minute=0, second=0, microsecond=0)
            found[hour] = found.get(hour, Amount(0.0, 0, 0)).plus(_amount(cost, event.calls_count))
    return found


def _amount(cost: float | None, calls: int) -> Amount:
    return Amount(cost or 0.0, calls, calls if cost is None else 0)


def _stored(uris: list[str], budget: Budget, since: datetime, until: datetime) -> Iterator[tuple[datetime, Amount]]:
    """Sums of the table's files: one row for each hour, model and currency."""
    from mesure.ledger.database import connect
    from mesure.ledger.schema import empty_table, time_of

    if not uris:
        return
    given = {name: value for name, value in budget.scope.given().items() if name != "model"}
    where = [f"{'key_id' if name == 'key' else name} = ?" for name in given]
    values = list(given.values())
    if budget.scope.model:
        where.append("? IN (model_answered, model_requested)")
        values.append(budget.scope.model)
    tokens = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    unpriced = ", ".join(f"coalesce(sum({name}) FILTER (cost IS NULL), 0)" for name in tokens)
    statement = (
        f"SELECT epoch_us(started_at) // 3600000000 AS hour, {', '.join(_COLUMNS)}, coalesce(sum(cost), 0), "  # noqa: S608
        "coalesce(sum(calls_count) FILTER (cost IS NOT NULL), 0), coalesce(sum(calls_count) FILTER (cost IS NULL), 0), "
        "coalesce(sum(calls_count) FILTER (cost IS NULL AND input_tokens IS NULL AND output_tokens IS NULL), 0), "
        f"{unpriced} FROM (SELECT * FROM read_parquet(?, union_by_name=true) UNION ALL BY NAME SELECT * FROM "
        f"empty_events) WHERE started_at >= to_timestamp(?) AND started_at < to_timestamp(?)"
        f"{''.join(' AND ' + condition for condition in where)} GROUP BY ALL"
    )
    with connect() as connection:
        connection.register("empty_events", empty_table())
        rows = connection.execute(statement, [uris, since.timestamp(), until.timestamp(), *values]).fetchall()
    for hour, provider, answered, requested, currency, cost, paid, listed, blind, *counts in rows:
        at = time_of(hour * 3600)
        if paid:
            yield at, _amount(cost_in(budget.unit, budget.usd_rate, cost, currency or ""), int(paid))
        if listed - blind:
            usd = _first_price(provider, (answered, requested), at.date(), Tokens(*map(int, counts)))
            known = None if usd is None else cost_in(budget.unit, budget.usd_rate, usd, "USD")
            yield at, _amount(known, int(listed - blind))
        if blind:
            yield at, _amount(None, int(blind))
