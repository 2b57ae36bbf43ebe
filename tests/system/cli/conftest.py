# SPDX-License-Identifier: MIT
"""A private audio system for the commands of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from pypac_obs.sandbox import Sandbox, missing_packages

Call = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = [sys.executable, "-Im", "pypac_obs.cli"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    if missing := missing_packages():
        if os.environ.get("PYPAC_REQUIRE_ALL"):
            pytest.fail(f"not installed: {', '.join(missing)}")
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def call(sandbox: Sandbox) -> Call:
    """Runs a command to its end inside the sandbox."""

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, args)]
        return subprocess.run(
            command, env=sandbox.env, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture
def start(sandbox: Sandbox) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command inside the sandbox, and leaves it running."""
    started: list[subprocess.Popen[str]] = []

    def begin(*args: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, args)],
            env=sandbox.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
