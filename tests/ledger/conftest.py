"""What every test of this room may use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mesure.config import LedgerSettings
from mesure.ledger import Ledger

# Tests are imported by path: `ledger_events`, which the killed processes import too, is found beside them
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def quick() -> LedgerSettings:
    """Commits soon, so that tests need not wait."""
    return LedgerSettings(commit_seconds=0.2, commit_events=500)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)
