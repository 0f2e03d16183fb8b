"""A Parquet file as records, through DuckDB: a batch of rows in memory, whatever the size of the file."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mesure.errors import ImportRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["MAGIC", "parquet_records"]

#: How every Parquet file begins.
MAGIC = b"PAR1"
_BATCH = 1_000
#: A path is one file: its characters mean nothing else.
_LITERAL = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parquet_records(path: Path, progress: Callable[[int], None] | None) -> Iterator[dict[str, Any]]:
    """Rows in the order of the file; times in ISO 8601, with their offset where the column has one.

    Raises `ImportRefused` when the file cannot be read, or nothing here reads Parquet.
    """
    try:
        import duckdb
    except ModuleNotFoundError:
        raise ImportRefused(
            "This is a Parquet file, and nothing here reads Parquet",
            value=str(path),
            action="Install it with: pip install 'mesure[server]', or export CSV.",
        ) from None
    size = path.stat().st_size
    try:
        with duckdb.connect(":memory:") as engine:
            engine.execute("SET threads = 1")
            source = [str(path).translate(_LITERAL)]
            kinds = engine.execute("SELECT * FROM read_parquet(?) LIMIT 0", source).description or []
            counted = engine.execute("SELECT count(*) FROM read_parquet(?)", source).fetchone() or (0,)
            total, names = max(counted[0], 1), [name for name, *_ in kinds]
            rows = engine.execute(f"SELECT {_selected(kinds)} FROM read_parquet(?)", source)  # noqa: S608  (quoted names)
            done = 0
            while batch := rows.fetchmany(_BATCH):
                for row in batch:
                    yield {name: _plain(value) for name, value in zip(names, row, strict=True)}
                done += len(batch)
                if progress is not None:
                    progress(size * done // total)
    except duckdb.Error as error:
        raise ImportRefused(
            f"The Parquet file cannot be read: {str(error).splitlines()[0][:200]}",
            value=str(path),
            action="Fetch or export it again.",
        ) from None


def _selected(kinds: list[tuple[Any, ...]]) -> str:
    """Times with an offset as microseconds: their own type would ask for a time zone package."""
    quoted = [('"' + name.replace('"', '""') + '"', str(kind)) for name, kind, *_ in kinds]
    return ", ".join(
        f"{{'us': epoch_us({name})}}" if kind == "TIMESTAMP WITH TIME ZONE" else name for name, kind in quoted
    )


def _plain(value: Any) -> Any:
    """As JSON has it: bytes are no value of usage and are left aside."""
    match value:
        case {"us": us} if len(value) == 1:
            return None if us is None else (_EPOCH + timedelta(microseconds=us)).isoformat()
        case dict():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return str(value)
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case None | bool() | int() | str():
            return value
    return None
