"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mesure.catalogue import use

#: No test fails because the machine is busy.
settings.register_profile("mesure", deadline=None)
settings.load_profile("mesure")

_ROOT = Path(__file__).resolve().parent.parent


def _shared_data() -> Path | None:
    named = os.environ.get("MESURE_DATA")
    folder = Path(named) if named else _ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data. Absent from a user's clone: tests skip there, and fail in CI."""
    folder = _shared_data()
    if folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail("The development data is absent: set MESURE_DATA to its folder.")
        pytest.skip("The development data is absent (set MESURE_DATA): this test did not run.")
    return folder


@pytest.fixture(autouse=True)
def packaged_catalogue() -> Iterator[None]:
    """A catalogue that a test takes into use is left when it ends, with what was resolved under it."""
    yield
    use(None)
