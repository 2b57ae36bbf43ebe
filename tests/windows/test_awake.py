# SPDX-License-Identifier: MIT
"""The computer is kept awake while a session runs, and no longer."""

from __future__ import annotations

import json

from .conftest import Windows

# Windows counts it for each thread, Wine 8 for the program: that is what this looks at. Whoever
# asks for nothing is told what was asked for before.
CODE = """
import ctypes, json
from pypac_obs import Profile, Session
state = ctypes.WinDLL('kernel32').SetThreadExecutionState
state.restype = ctypes.c_uint
profile = Profile.from_dict({'version': 1,
    'sources': {'a': {'synthetic': {'kind': 'tone'}}}, 'tracks': {'a': {'from': 'a'}}})
with Session(profile, duration_s=1) as session:
    blocks = session.blocks()
    next(iter(blocks))
    told = [state(0)]
    session.wait()
told.append(state(0))
print(json.dumps(told))
"""

ES_CONTINUOUS, ES_SYSTEM_REQUIRED = 0x80000000, 1


def test_a_session_keeps_the_computer_awake_while_it_runs(windows: Windows) -> None:
    ran = windows.call_python("-Ic", CODE)
    assert ran.returncode == 0, ran.stdout
    assert json.loads(ran.stdout) == [ES_CONTINUOUS | ES_SYSTEM_REQUIRED, ES_CONTINUOUS]
