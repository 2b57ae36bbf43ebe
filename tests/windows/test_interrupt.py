# SPDX-License-Identifier: MIT
"""Ctrl-C, Ctrl-Break, a closed console, a logoff and `taskkill` end a run with whole files."""

from __future__ import annotations

import json
import subprocess
import time

import numpy as np
import pytest

from .conftest import PATIENCE_S, RATE, Recording, Windows, in_windows, shifts

EVENTS = {"ctrl_c": 0, "ctrl_break": 1, "closed": 2, "shutdown": 6}
LOGOFF = 5  # of some user's, to services

FIND_WINDOW = """
import ctypes, pathlib, subprocess, sys
user32 = ctypes.WinDLL('user32')
user32.FindWindowW.argtypes = [ctypes.c_wchar_p, ctypes.c_wchar_p]
user32.FindWindowW.restype = ctypes.c_void_p
user32.SendMessageW.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t, ctypes.c_ssize_t]
user32.SendMessageW.restype = ctypes.c_ssize_t
window = user32.FindWindowW('pypac-obs run', None)
assert window
assert not user32.IsWindowVisible(ctypes.c_void_p(window))
"""

# As Windows does: each window is asked, then told whether the end comes. The file is read as soon
# as the window has answered, which may be the program's end.
SEND_LOGOFF = f"""{FIND_WINDOW}
logoff = ctypes.c_int(0x80000000).value
assert user32.SendMessageW(window, 0x11, 0, logoff) == 1
for ends in map(int, sys.argv[2:]):
    assert user32.SendMessageW(window, 0x16, ends, logoff) == 0
print(pathlib.Path(sys.argv[1]).read_text(encoding='utf-8') if sys.argv[1] else '')
"""

TASKKILL = f"""{FIND_WINDOW}
pid = ctypes.c_ulong()
user32.GetWindowThreadProcessId(ctypes.c_void_p(window), ctypes.byref(pid))
sys.exit(subprocess.call(['taskkill', '/PID', str(pid.value)]))
"""

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


def begin(windows: Windows) -> subprocess.Popen[str]:
    """A run that has been recording for a while, and ends when told."""
    windows.script("program game.exe content=numbers\n")
    windows.program("game.exe")
    run = windows.begin({"game": "{process: game.exe}"}, None)
    windows.await_recorded("game", 0.1)
    assert run.poll() is None
    return run


def finish_whole(windows: Windows, run: subprocess.Popen[str]) -> Recording:
    recording = windows.finish(run)
    assert recording.manifest["state"] == "complete"
    frames = len(recording.tracks["game"])
    assert frames > RATE
    assert f"{frames} frames a track" in recording.output
    assert "nothing is missing" in recording.output
    assert len(np.unique(shifts(recording, "game"))) == 1
    recording.is_clean()
    return recording


def send_logoff(windows: Windows, *ends: int, read: str = "") -> str:
    sent = windows.call_python("-Ic", SEND_LOGOFF, read, *map(str, ends))
    assert sent.returncode == 0, sent.stdout
    return sent.stdout


@pytest.mark.parametrize("event", EVENTS)
def test_a_run_that_is_told_to_end_ends_whole(windows: Windows, event: str) -> None:
    run = begin(windows)
    windows.tell(EVENTS[event])
    finish_whole(windows, run)


def test_at_a_logoff_windows_waits_until_the_files_are_whole(windows: Windows) -> None:
    run = begin(windows)
    manifest = in_windows(windows.folder / "out" / "session.json")
    assert json.loads(send_logoff(windows, 1, read=manifest))["state"] == "complete"
    finish_whole(windows, run)


def test_a_logoff_that_does_not_come_ends_nothing(windows: Windows) -> None:
    """Nor does the question whether it may, nor another user's, which only services hear of."""
    run = begin(windows)
    send_logoff(windows)
    send_logoff(windows, 0)
    windows.tell(LOGOFF)
    # One that ends writes no more than it has heard until then, which is less.
    windows.await_recorded("game", 4)
    assert run.poll() is None
    windows.tell(EVENTS["ctrl_c"])
    finish_whole(windows, run)


def test_a_logoff_does_not_wait_for_a_run_that_hangs(windows: Windows) -> None:
    hanging = """
session = Session(profile)
session.stop = lambda: time.sleep(600)
run_session(session, as_json=True)
"""
    run = windows.python("-Ic", PROFILE + hanging)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("{")
    send_logoff(windows, 1)
    assert run.poll() is None


def test_taskkill_ends_a_run_whole(windows: Windows) -> None:
    run = begin(windows)
    killed = windows.call_python("-Ic", TASKKILL)
    assert killed.returncode == 0, killed.stdout
    finish_whole(windows, run)


def test_a_second_key_aborts_a_run_that_hangs(windows: Windows) -> None:
    hanging = "run_session(Session(profile, on_block=lambda block: time.sleep(600)), as_json=True)"
    run = windows.listening("-Ic", PROFILE + hanging)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("{")
    windows.tell(EVENTS["ctrl_break"])
    time.sleep(1)  # it would have ended by then
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
    time.sleep(0.5)  # nothing tells that the wait has begun, a few instructions later
    windows.tell(EVENTS["ctrl_c"])
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (0, "interrupted\n")
