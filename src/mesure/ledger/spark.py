"""Spark, for a table that one machine does not read in time: the formulas of `impact` as Spark's own columns.

A session is given, never started nor stopped here. Files of one version of the table are read by name, and nothing but
columns is sent to the executors: they need the data folder at the same path, and neither Python nor Mesure nor a Delta
connector.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.errors import LedgerError
from mesure.impact import formulas
from mesure.impact.formulas import COEFFICIENT_COLUMNS, FACTS, OUTPUTS
from mesure.ledger.cells import QUARTER_S
from mesure.ledger.engine import READ, featured_of, priced
from mesure.ledger.pricing import KEY_COLUMNS, Key, key_from
from mesure.ledger.schema import COLUMNS
from mesure.ledger.sightings import IS_REPORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

    from mesure.ledger.cells import Cell, Sums
    from mesure.ledger.engine import Slice
    from mesure.ledger.pricing import Pricer

__all__ = ["SparkEngine"]

_TYPES = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "str": "STRING",
    "labels": "STRING",
    "datetime": "TIMESTAMP",
}
#: Given, so that files of an earlier schema version have every column too, and a month stays a text.
_SCHEMA = ", ".join(f"`{name}` {_TYPES[kind]}" for name, kind in COLUMNS.items())
#: Sums wider than the 64 bits of what they add: no count, however large, may stop a total.
_WIDE = "coalesce(sum(cast({} AS DECIMAL(28, 0))), 0)"
_COUNTS = (
    "count(*)",
    _WIDE.format("calls_count"),
    f"{_WIDE.format('input_tokens')} + {_WIDE.format('output_tokens')}",
)
_KEYS = tuple(f"key_{name}" for name in Key._fields)
#: Characters that a path would be matched by rather than taken for.
_PATTERNS = re.compile(r"([{}\[\]*?\\])")


class SparkEngine:
    """What `Engine` sums on one machine, and each event with its impacts, by a Spark session."""

    def __init__(self, pricer: Pricer, session: SparkSession) -> None:
        self._pricer = pricer
        self._session = session

    def totals(
        self, part: Slice, by: Sequence[str], periods: Mapping[int, int] | None
    ) -> list[tuple[tuple[str | None, ...], int, Cell, Sums]]:
        """As `Engine.totals`. Raises `LedgerError` when Spark does."""
        from pyspark.sql import functions as sql

        groups = [f"group_{i}" for i in range(len(by))]
        with _said():
            rows = self._with_bucket(self._read(part), periods).select(
                *(sql.col(column).cast("string").alias(name) for column, name in zip(by, groups, strict=True)),
                "bucket",
                *_keys(),
                "energy_status",
                "energy_sensor",
                *FACTS,
            )
            found = (
                _featured(rows)
                .groupBy(*groups, "bucket", *_KEYS, "basis", *READ)
                .agg(*map(sql.expr, _COUNTS), *map(sql.sum, formulas.SUMMED))
                .collect()
            )
        return [self._priced(row, len(groups)) for row in found]

    def _priced(self, row: Sequence[Any], groups: int) -> tuple[tuple[str | None, ...], int, Cell, Sums]:
        """As a row of the statement of `Engine`: of no file, ended at no second, costs left aside."""
        until, counts = groups + 1, groups + 1 + len(_KEYS) + 1 + len(READ)
        added = (*map(int, row[counts : counts + 3]), None, 0)
        found = featured_of(("", *row[:until], None, *row[until:counts], *added, *row[counts + 3 :]), groups)
        return found.values, found.bucket, *priced(self._pricer, found)

    def priced(self, part: Slice) -> DataFrame:
        """Every call of the slice, as a Spark frame: the columns of the table, then `formulas.OUTPUTS`, which are
        NULL where no sourced factor exists. Raises `LedgerError` when Spark does; once given, the frame is Spark's."""
        import narwhals as nw
        from pyspark.sql import functions as sql

        with _said():
            rows = self._read(part).withColumns(
                {name: sql.col(column) for column, name in zip(KEY_COLUMNS, _KEYS, strict=True)}
            )
            featured = _featured(rows)
            prices = self._prices(featured.select(*_KEYS, "basis").distinct().collect())
            same = [featured[name].eqNullSafe(prices[f"price_{name}"]) for name in (*_KEYS, "basis")]
            joined = featured.join(sql.broadcast(prices), same, "left")
            return formulas.with_impacts(nw.from_native(joined)).to_native().select(*COLUMNS, *OUTPUTS)

    def _prices(self, seen: list[Any]) -> DataFrame:
        """A row of coefficients for each key and basis: one, so that the join doubles no event."""
        rows = []
        for *key, basis in seen:
            row = self._pricer.coefficients(key_from(key)).row(basis)
            values = (None if math.isnan(row[name]) else row[name] for name in COEFFICIENT_COLUMNS)
            rows.append((*key, basis, *values))
        texts = ", ".join(f"price_{name} STRING" for name in _KEYS)
        numbers = ", ".join(f"{name} DOUBLE" for name in COEFFICIENT_COLUMNS)
        return self._session.createDataFrame(rows, f"{texts}, price_basis INT, {numbers}")

    def _read(self, part: Slice) -> DataFrame:
        """Rows of the slice with every column of the record, whichever schema version wrote the file."""
        from pyspark.sql import functions as sql

        if not part.uris:
            return self._session.createDataFrame([], _SCHEMA)
        files = [_address(uri) for uri in part.uris]
        reader = self._session.read.schema(_SCHEMA).option("basePath", files[0].rpartition("/month=")[0])
        rows = reader.parquet(*(_PATTERNS.sub(r"\\\1", file) for file in files))
        if part.kind != "all":
            rows = rows.where(f"{'NOT ' * (part.kind == 'calls')}coalesce({IS_REPORT}, false)")
        rows = rows.where(sql.col("started_at") >= sql.timestamp_seconds(sql.lit(part.since)))
        for column, value in part.where:
            rows = rows.where(sql.coalesce(sql.col(column), sql.lit("")) == (value or ""))
        if part.until is None:
            return rows
        return rows.where(sql.col("started_at") < sql.timestamp_seconds(sql.lit(part.until)))

    def _with_bucket(self, rows: DataFrame, periods: Mapping[int, int] | None) -> DataFrame:
        from pyspark.sql import functions as sql

        if periods is None:
            return rows.withColumn("bucket", sql.lit(0))
        listed = self._session.createDataFrame(list(periods.items()), "period_quarter BIGINT, bucket BIGINT")
        second = sql.expr("unix_micros(started_at) div 1000000")
        quarter = second - second % QUARTER_S
        return rows.join(sql.broadcast(listed), quarter == sql.col("period_quarter"), "left")


def _featured(rows: DataFrame) -> DataFrame:
    """The frame with the columns that formulas make of events."""
    import narwhals as nw

    return formulas.with_event_columns(nw.from_native(rows)).to_native()


def _keys() -> list[Column]:
    from pyspark.sql import functions as sql

    return [sql.col(column).alias(name) for column, name in zip(KEY_COLUMNS, _KEYS, strict=True)]


def _address(path: str) -> str:
    """A local path as a file, whatever the session's own file system; other addresses as they are."""
    return path if "://" in path else f"file://{Path(path).absolute()}"


@contextmanager
def _said() -> Iterator[None]:
    """What Spark raises becomes a `LedgerError`."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise LedgerError(
            f"Spark could not read the ledger: {str(error).splitlines()[0][:300]}",
            action="Check that every executor finds the data folder at the same path, with its files readable.",
            code="ledger_unavailable",
        ) from error
