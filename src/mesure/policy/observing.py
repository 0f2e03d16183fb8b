"""What the rules look at, read from the ledger: uses of models, days, hours, repeated prompts. Sums only, no names of
people. One pass over the days asked, whatever the number of calls; what is not in the table yet (seconds) is left out.
"""
# ruff: noqa: S608  (statements are built of our own column names and of numbers)

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from mesure.catalogue import current
from mesure.errors import LedgerError, UnknownName
from mesure.policy.periods import bucket_starts, period_at
from mesure.policy.rules import DaySeries, Hours, Repeats, Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mesure.config import Settings
    from mesure.ledger import Ledger, View

__all__ = ["Observer"]

_WEEK = timedelta(days=7)
_GROUPS = ("team", "use_case", "environment", "task", "provider", "model", "status")
#: Days a forecast of one day's calls rests on, and scopes whose days are looked at.
_PAST_DAYS, _MOST_SCOPES = 70, 200


class Observer:
    """Reads of one ledger. Raises `LedgerError`."""

    def __init__(self, view: View, ledger: Ledger, settings: Settings) -> None:
        self._view = view
        self._ledger = ledger
        self._zone = ZoneInfo(settings.organisation.timezone)

    def uses(self, since: datetime, until: datetime) -> list[Use]:
        """Of each model by team, use case, environment and task."""
        found: dict[tuple[str | None, ...], list[Any]] = {}
        averages = self._tokens(since, until)
        for row in self._view.totals(since, until, _GROUPS):
            *place, status = row.key
            held = found.setdefault(tuple(place), [0, 0, 0.0, 0.0, 0.0])
            held[0] += row.calls
            held[1] += row.calls if status == "error" else 0
            held[2] += row.tokens
            held[3] += row.energy_wh.mid
            held[4] += row.tokens * (row.coverage or 0.0)
        return [_use(place, held, averages) for place, held in found.items()]

    def days(self, now: datetime) -> Iterator[DaySeries]:
        """Calls by whole day, of everything and of each use case, the day before `now` last."""
        today = period_at("day", now, self._zone).start
        since = today - timedelta(days=_PAST_DAYS + 1)  # clocks may have changed meanwhile
        starts = bucket_starts(since, today, self._zone, hourly=False)[-_PAST_DAYS:]
        labels = [start.astimezone(self._zone).date() for start in starts]
        series: dict[tuple[str | None, str | None], dict[str, float]] = {}
        whole: dict[str, float] = {}
        for row in self._view.totals(starts[0], today, ("team", "use_case", "day")):
            team, use_case, day = row.key
            if day is not None:
                whole[day] = whole.get(day, 0.0) + row.calls
                series.setdefault((team, use_case), {})[day] = float(row.calls)
        largest = sorted(series.items(), key=lambda item: -sum(item[1].values()))[:_MOST_SCOPES]
        for scope, found in [((None, None), whole), *(pair for pair in largest if any(pair[0]))]:
            named = {name: value for name, value in zip(("team", "use_case"), scope, strict=True) if value}
            calls = [found.get(label.isoformat(), 0.0) for label in labels]
            yield DaySeries(named, labels[-1], calls, [label.weekday() for label in labels])

    def hours(self, now: datetime) -> Hours:
        """Observed calls by hour of the last five weeks, up to the last whole hour."""
        end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        since = end - 5 * _WEEK
        rows = self._rows(
            "SELECT epoch_us(started_at) // 3600000000, sum(calls_count) FROM events WHERE basis = 'observed' "
            f"AND {_between(since, end)} GROUP BY ALL"
        )
        counts = {int(hour): float(calls) for hour, calls in rows}
        first, last = int(since.timestamp()) // 3600, int(end.timestamp()) // 3600
        return Hours(end, [counts.get(hour, 0.0) for hour in range(first, last)])

    def repeats(self, since: datetime, until: datetime) -> list[Repeats]:
        """Calls that a model answered and whose prompt has a fingerprint, by use case."""
        rows = self._rows(
            "SELECT team, use_case, sum(n), sum(n - 1) FROM (SELECT team, use_case, count(*) AS n FROM events "
            "WHERE prompt_fingerprint IS NOT NULL AND status = 'ok' AND coalesce(route, 'model') = 'model' "
            f"AND {_between(since, until)} GROUP BY team, use_case, prompt_fingerprint) GROUP BY ALL"
        )
        return [Repeats(team, use_case, int(calls), int(repeated)) for team, use_case, calls, repeated in rows]

    def _tokens(self, since: datetime, until: datetime) -> dict[tuple[str | None, ...], tuple[float, float]]:
        """Mean input and output tokens of calls whose counts are known, by team, use case, environment, task."""
        rows = self._rows(
            "SELECT team, use_case, environment, task, sum(input_tokens) / sum(calls_count), "
            "sum(output_tokens) / sum(calls_count) FROM events WHERE input_tokens IS NOT NULL AND output_tokens IS NOT "
            f"NULL AND calls_count > 0 AND {_between(since, until)} GROUP BY ALL"
        )
        return {tuple(place): (float(read), float(written)) for *place, read, written in rows}

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        import duckdb

        from mesure.ledger.schema import empty_table

        uris = [file.uri for file in self._ledger.snapshot().files]
        files = ", ".join("'" + uri.replace("'", "''") + "'" for uri in uris)
        read = f"SELECT * FROM read_parquet([{files}], union_by_name=true) UNION ALL BY NAME " if uris else ""
        try:
            with duckdb.connect() as connection:
                return _events(connection, empty_table(), read).execute(statement).fetchall()
        except duckdb.Error as error:
            raise LedgerError(
                f"The ledger could not be read: {str(error).splitlines()[0][:300]}",
                action="Check that its files are there and readable, and that the disk has room.",
                code="ledger_unavailable",
            ) from error


def _events(connection: DuckDBPyConnection, empty: Any, read: str) -> DuckDBPyConnection:
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("empty_events", empty)
    connection.execute(f"CREATE TEMP VIEW events AS {read}SELECT * FROM empty_events")
    return connection


def _between(since: datetime, until: datetime) -> str:
    return f"started_at >= TIMESTAMPTZ '{since.isoformat()}' AND started_at < TIMESTAMPTZ '{until.isoformat()}'"


def _use(
    place: tuple[str | None, ...], held: list[Any], averages: dict[tuple[str | None, ...], tuple[float, float]]
) -> Use:
    team, use_case, environment, task, provider, model = place
    calls, failed, tokens, energy, known_tokens = held
    read, written = averages.get((team, use_case, environment, task), (0.0, 0.0))
    active, listed = _active_b(model, provider)
    return Use(
        team=team,
        use_case=use_case,
        environment=environment or "production",
        task=task,
        provider=provider,
        model=model or "",
        known=known_tokens > 0.0 if tokens else listed,
        active_b=active,
        calls=calls,
        failed=failed,
        input_tokens=read * calls,
        output_tokens=written * calls,
        tokens=float(tokens),
        energy_wh=energy,
    )


def _active_b(model: str | None, provider: str | None) -> tuple[float | None, bool]:
    """The least that is known of the parameters at work on a token (1e9), and whether the model is listed."""
    try:
        facts = current().model(model or "", provider)
    except UnknownName:
        return None, False
    found = facts.one("active_params_b") or facts.one("total_params_b")
    if found is None:
        return None, True
    return (found.low if found.low is not None else found.value), True
