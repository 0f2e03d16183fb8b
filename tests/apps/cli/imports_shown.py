"""What an import left behind, read without our own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from mesure.ledger import Ledger

__all__ = ["CSV", "rows_of"]

CSV = (
    "timestamp,model,team,input_tokens,output_tokens\n2026-11-02 08:00,gpt-4o,A,100,40\n2026-11-02 08:01,gpt-4o,B,7,\n"
)


def rows_of(data: Path, columns: str = "* EXCLUDE (started_at, ended_at, ingested_at)") -> list[tuple[Any, ...]]:
    """Straight from the table's Parquet files, by another engine than the one that wrote them."""
    return duckdb.sql(f"SELECT {columns} FROM read_parquet({Ledger(data).files()!r})").fetchall()
