# SPDX-License-Identifier: MIT
"""What every test of the package may ask for."""

import os

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Fails the run where a test is skipped although everything must be there."""
    if report.skipped and os.environ.get("PYPAC_REQUIRE_ALL"):
        report.outcome = "failed"
