# SPDX-License-Identifier: MIT
"""What the tests run Windows programs with."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from .conftest import Windows, wait_until


def processes_of(windows: Windows, name: str) -> list[int]:
    """The Linux processes of this test whose program, the first word, has that name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended
            continue
        program = command.split("\0")[0].replace("\\", "/")
        if program.endswith("/" + name) and windows.folder.name in command:
            found.append(int(folder.name))
    return found


def test_who_is_ended_ends_the_program_that_it_runs(windows: Windows) -> None:
    """As at a time-out: nothing of it is left to play into other tests."""
    windows.program("game.exe")
    [game] = processes_of(windows, "game.exe")
    [teller] = processes_of(windows, "tell_exit_code.exe")
    os.kill(teller, signal.SIGKILL)
    # What nobody waits for may stay in the list, without a command.
    wait_until(lambda: game not in processes_of(windows, "game.exe"))
