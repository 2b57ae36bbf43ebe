# SPDX-License-Identifier: MIT
"""A control server on a free port, in front of a session without sound."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypac_obs.control.server import ControlServer

sys.path.insert(0, str(Path(__file__).parent))

from control_api import TOKEN, Api
from fake_controls import FakeControls


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + 2
    while left := [one.name for one in threading.enumerate() if one not in before]:
        assert time.monotonic() < until, f"threads are left behind: {left}"
        time.sleep(0.005)


@pytest.fixture
def controls() -> FakeControls:
    return FakeControls()


@pytest.fixture
def server(controls: FakeControls) -> Iterator[ControlServer]:
    made = ControlServer(controls, port=0, token=TOKEN)
    yield made
    made.stop()


@pytest.fixture
def api(server: ControlServer) -> Api:
    return Api(server.start())


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(there: Callable[[], object]) -> None:
        until = time.monotonic() + 5
        while not there():
            assert time.monotonic() < until
            time.sleep(0.002)

    return wait


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose folders are nobody else's."""
    return os.environ | {
        "HOME": str(tmp_path),
        "USERPROFILE": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
