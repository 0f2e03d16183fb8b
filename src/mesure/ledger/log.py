"""The table's log, for what its engine gives no list of: the applications that ever wrote a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from mesure.ledger.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["logged_applications"]


def logged_applications(table: Path) -> set[str]:
    """Ids of the applications in the last checkpoint and in the commits after it. Raises `OSError`."""
    log = table / "_delta_log"
    checkpoint = _last_checkpoint(log)
    return {*_in_checkpoint(log, checkpoint), *_in_commits(log, checkpoint)}


def _last_checkpoint(log: Path) -> int:
    """Version of the last checkpoint; -1 when there is none yet."""
    pointer = log / "_last_checkpoint"
    return int(orjson.loads(pointer.read_bytes())["version"]) if pointer.is_file() else -1


def _in_checkpoint(log: Path, version: int) -> Iterator[str]:
    files = sorted(str(file) for file in log.glob(f"{version:020d}.checkpoint*.parquet"))
    if not files:
        return
    with connect() as connection:
        query = "SELECT txn.appId FROM read_parquet(?) WHERE txn IS NOT NULL"
        for (app_id,) in connection.execute(query, [files]).fetchall():
            yield app_id


def _in_commits(log: Path, after: int) -> Iterator[str]:
    for commit in log.glob("*.json"):
        if commit.stem.isdigit() and int(commit.stem) > after:
            for line in commit.read_bytes().splitlines():
                if b'"txn"' in line and (transaction := orjson.loads(line).get("txn")):
                    yield transaction["appId"]
