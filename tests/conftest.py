# SPDX-License-Identifier: MIT
"""What holds for every test."""

import os
import signal
import sys
from collections.abc import Generator

import pytest

# Whoever runs the tests in the background may have these ignored, and a program that is started
# with a signal ignored has to leave it so: the commands under test would not hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # not on Windows
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about the other system alone: it is no part that is missing."""
    other = "linux" if sys.platform == "win32" else "windows"
    left_out = [item for item in items if item.get_closest_marker(other)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must be there (PYPAC_REQUIRE_ALL, as in CI), a skipped test fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("PYPAC_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing may be: {report.longrepr}"
    return report
