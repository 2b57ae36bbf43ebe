# SPDX-License-Identifier: MIT
"""What holds for every test."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

RUNTIME = "USERPROFILE" if sys.platform == "win32" else "XDG_RUNTIME_DIR"
# Where the secret of sessions' control is, and what is remembered.
SETTINGS = ("APPDATA",) if sys.platform == "win32" else ("XDG_CONFIG_HOME", "XDG_STATE_HOME")
PORTS_EACH = 1000
_FOLDER = pytest.StashKey[str]()

# Whoever runs the tests in the background may have these ignored, and a program that is started
# with a signal ignored has to leave it so: the commands under test would not hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # not on Windows
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Keeps test runs that go side by side apart: the places where sessions meet, and ports."""
    config.stash[_FOLDER] = os.environ[RUNTIME] = tempfile.mkdtemp(prefix="pypac-tests-")
    for name in SETTINGS:
        os.environ[name] = os.path.join(os.environ[RUNTIME], name.lower())
    worker = re.search(r"\d+$", os.environ.get("PYTEST_XDIST_WORKER", "0"))
    first = 20_000 + PORTS_EACH * (int(worker.group()) % 12 if worker else 0)
    os.environ["PYPAC_SANDBOX_PORTS"] = f"{first}-{first + PORTS_EACH - 1}"


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about the other system alone: it is no part that is missing.

    What waits for real programs comes first, so that what only computes fills the gaps beside it.
    """
    left_out = {"linux" if sys.platform == "win32" else "windows"}
    if not os.environ.get("PYPAC_LONG"):
        left_out.add("long")
    out = [item for item in items if any(map(item.get_closest_marker, left_out))]
    items[:] = [item for item in items if item not in out]
    items.sort(key=lambda item: [not item.get_closest_marker(name) for name in ("obs", "pipewire")])
    config.hook.pytest_deselected(items=out)


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


class SecondUser:
    """Another user of this computer: a number is all that takes, and nothing of it stays.

    ``shared`` is a folder that both may write to, as /tmp is.
    """

    uid = 65533

    def __init__(self, shared: Path) -> None:
        self.shared = shared

    def run(self, *command: str, check: bool = True) -> int:
        """Runs a command as that user, and gives its exit code."""
        return subprocess.run(
            command, user=self.uid, group=self.uid, extra_groups=[], cwd="/", check=check
        ).returncode


@pytest.fixture
def second_user() -> Iterator[SecondUser]:
    """Somebody else on this computer. Only root can act as one."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("skipped, because only root can act as another user")
    folder = Path(tempfile.mkdtemp(prefix="pypac-shared-", dir="/tmp"))
    folder.chmod(0o1777)
    yield SecondUser(folder)
    shutil.rmtree(folder)
