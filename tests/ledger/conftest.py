"""What every test of this room may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mesure.config import LedgerSettings
from mesure.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def quick() -> LedgerSettings:
    """Commits soon, so that tests need not wait."""
    return LedgerSettings(commit_seconds=0.2, commit_events=500)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)
