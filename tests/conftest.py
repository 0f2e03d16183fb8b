"""What every test may use."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
        _without("The development data is absent: set MESURE_DATA to its folder.")
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session on two threads of this machine. It needs Java: absent, tests skip, and fail in CI."""
    if importlib.util.find_spec("pyspark") is None:
        _without("Spark is absent: `make test-all` installs it.")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        _without("Java is absent: Spark needs version 17 or later.")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("mesure tests")
    for name, value in _SPARK.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


_SPARK = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.session.timeZone": "America/St_Johns",  # results must not depend on it
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def _without(what: str) -> None:
    """Skip loudly; in CI nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(f"{what} This test did not run.")


@pytest.fixture(autouse=True)
def packaged_catalogue() -> Iterator[None]:
    """A catalogue that a test takes into use is left when it ends, with what was resolved under it."""
    yield
    use(None)
