# SPDX-License-Identifier: MIT
"""Ctrl-C, Ctrl-Break, a closed console and a logoff end a run cleanly, with whole files."""

from __future__ import annotations

import time

import numpy as np
import pytest

from .conftest import PATIENCE_S, RATE, Windows, shifts, wait_until

EVENTS = {"ctrl_c": 0, "ctrl_break": 1, "closed": 2, "logoff": 5, "shutdown": 6}

PROFILE = """\
import time
from pypac_obs import Profile, Session
from pypac_obs.cli.running import run_session
profile = Profile.from_dict({'version': 1,
    'sources': {'a': {'synthetic': {'kind': 'tone'}}}, 'tracks': {'a': {'from': 'a'}}})
"""

SESSION = """\
with Session(profile, offline=OFFLINE) as session:
    stream = session.blocks()
    print('waits', flush=True)
    try:
        WAIT
    except KeyboardInterrupt:
        print('interrupted', flush=True)
"""


@pytest.mark.parametrize("event", EVENTS)
def test_a_run_that_is_told_to_end_ends_whole(windows: Windows, event: str) -> None:
    windows.script("program game.exe content=numbers\n")
    windows.program("game.exe")
    run = windows.begin({"game": "{process: game.exe}"}, None)
    wait_until((windows.folder / "out" / "session.json").exists)
    time.sleep(1.5)
    assert run.poll() is None
    windows.tell(EVENTS[event])
    recording = windows.finish(run)
    assert recording.manifest["state"] == "complete"
    frames = len(recording.tracks["game"])
    assert frames > RATE
    assert f"{frames} frames a track" in recording.output
    assert "nothing is missing" in recording.output
    assert len(np.unique(shifts(recording, "game"))) == 1
    recording.is_clean()


def test_a_second_key_aborts_a_run_that_hangs(windows: Windows) -> None:
    hanging = "run_session(Session(profile, on_block=lambda block: time.sleep(600)), as_json=True)"
    run = windows.listening("-Ic", PROFILE + hanging)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("{")
    windows.tell(EVENTS["ctrl_break"])
    time.sleep(1)
    assert run.poll() is None
    windows.tell(EVENTS["ctrl_c"])
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1
    assert output.endswith("Aborted: the files hold what had been written by now.\n")


@pytest.mark.parametrize(
    ("offline", "wait"),
    [(True, "session.run_offline(60)"), (False, "session.wait()"), (False, "session.wait(600)")],
    ids=["run_offline", "wait", "wait_with_a_timeout"],
)
def test_ctrl_c_interrupts_what_waits(windows: Windows, offline: bool, wait: str) -> None:
    """A wait of Windows' own would go on."""
    code = PROFILE + SESSION.replace("OFFLINE", str(offline)).replace("WAIT", wait)
    process = windows.listening("-Ic", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    time.sleep(0.5)
    windows.tell(EVENTS["ctrl_c"])
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (0, "interrupted\n")
