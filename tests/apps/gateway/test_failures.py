"""Failed calls in the log: rare, with their reason, without content."""

from __future__ import annotations

import logging

import pytest

from mesure.apps.gateway.failures import FailureLog


def test_one_line_a_minute_for_each_provider(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 1.0, 2.0, 59.0, 59.5, 60.0))
    failures = FailureLog(clock=lambda: next(times))
    with caplog.at_level(logging.WARNING, "mesure.gateway"):
        for _ in range(4):
            failures.failed("upstream", "upstream_unreachable", 502)
        failures.failed("other", None, 401)
        failures.failed("upstream", None, None)
    assert [record.getMessage() for record in caplog.records] == [
        "A call to provider upstream failed: upstream_unreachable, HTTP 502",
        "A call to provider other failed: HTTP 401",
        "A call to provider upstream failed: unknown (3 more since)",
    ]
