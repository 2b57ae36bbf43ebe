# SPDX-License-Identifier: MIT
"""The Python API on Windows does as on Linux (tests/system/session/test_api.py)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from .conftest import RATE, Audio, Windows, in_windows, levels_db

TONES = {"game.exe": 440, "Discord.exe": 700}
FULL = -12.04  # dBFS, of each program
SCRIPT = "".join(f"program {name} tone={hz}\n" for name, hz in TONES.items())
PRELUDE = """
import json, time
import numpy as np
import pypac_obs
from pypac_obs import ProcessRecorder, list_processes, record_process, record_process_id

pids = {one.program: one.pid for one in list_processes()}
arrays = {}
told = {}

def refusal(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""
DEAD_PID = 999_996  # Windows' are multiples of four


def run(windows: Windows, code: str) -> tuple[dict[str, Audio], dict[str, Any]]:
    """Runs code that uses the API while both programs play: its `arrays`, and what is `told`."""
    for name in TONES:
        windows.program(name)
    arrays, told = windows.folder / "arrays.npz", windows.folder / "told.json"
    keep = [
        f"np.savez({in_windows(arrays)!r}, **arrays)",
        f"with open({in_windows(told)!r}, 'w') as file: json.dump(told, file)",
    ]
    ran = windows.call_python("-Ic", "\n".join([PRELUDE, code, *keep]))
    assert ran.returncode == 0, ran.stdout
    assert windows.saw("end")
    assert not windows.saw("violation")
    assert not windows.saw("open")
    with np.load(arrays) as loaded:
        return dict(loaded), json.loads(told.read_text())


def holds(audio: Audio, *programs: str) -> None:
    """Asserts that these play in it, and no other; there are gaps where a busy machine is late."""
    assert np.count_nonzero(audio[:, 0]) > len(audio) / 2
    for name, level in zip(TONES, levels_db(audio, TONES.values()), strict=True):
        assert level == pytest.approx(FULL, abs=0.2) if name in programs else level < -45


def test_programs_are_listed(windows: Windows) -> None:
    windows.script(
        "program game.exe tone=440 level=0.5 volume=0.5 display_name=Game\n"
        "program Discord.exe tone=700 mute=yes\n"
    )
    _, told = run(windows, "told['listed'] = [one.to_json() for one in list_processes()]\n")
    voice, game = told["listed"]  # sorted by name
    assert (voice["program"], game["program"]) == ("Discord.exe", "game.exe")
    assert game["application_name"] == "Game"
    assert game["pid"] > 0
    assert game["pid"] != voice["pid"] > 0
    assert (game["volume"], game["muted"], game["playing"]) == (0.5, False, True)
    assert game["peak_db"] == pytest.approx(-6.02, abs=0.01)
    [stream] = game["streams"]
    assert stream["volume_db"] == pytest.approx(-6.02, abs=0.01)
    assert (stream["channels"], stream["device"]) == (2, "Speakers (Fake Audio)")
    assert (voice["volume"], voice["muted"]) == (1.0, True)


def test_one_program_and_the_whole_system_are_recorded_as_arrays(windows: Windows) -> None:
    windows.script(SCRIPT)
    arrays, _ = run(
        windows,
        "arrays['name'] = record_process('game.exe', 1.5)\n"
        "arrays['pid'] = record_process_id(pids['Discord.exe'], 1.5)\n"
        "arrays['system'] = record_process_id(0, 1.5, channels=1)\n",
    )
    for name, channels in (("name", 2), ("pid", 2), ("system", 1)):
        assert (arrays[name].shape, arrays[name].dtype) == ((RATE * 3 // 2, channels), np.float32)
    holds(arrays["name"], "game.exe")
    holds(arrays["pid"], "Discord.exe")
    holds(arrays["system"], *TONES)


def test_who_is_not_there_is_an_error_and_nothing_is_captured_for_it(windows: Windows) -> None:
    windows.script(SCRIPT)
    _, told = run(
        windows,
        f"told['pid'] = refusal(lambda: record_process_id({DEAD_PID}, 1))\n"
        f"told['start'] = refusal(lambda: ProcessRecorder().start_process({DEAD_PID}))\n"
        "told['name'] = refusal(lambda: record_process('gaem.exe', 0.3))\n"
        "told['early'] = refusal(lambda: ProcessRecorder().get_audio())\n",
    )
    assert told["pid"] == told["start"]
    assert told["pid"].startswith(f"NotRunning: no process has the PID {DEAD_PID}")
    assert told["name"].startswith(
        "NotRunning: 'gaem.exe' gave no audio in 0.3 s: The program is not running."
    )
    assert told["early"].startswith("SessionClosed: nothing is being recorded")
    assert not windows.saw("activate")


def test_the_recorder_gives_contiguous_blocks_of_all_programs(windows: Windows) -> None:
    windows.script(SCRIPT)
    arrays, told = run(
        windows,
        """
names = ["game.exe", "pid %d" % pids["Discord.exe"], "absent.exe"]
blocks = []
with ProcessRecorder(latency_ms=1500) as recorder:
    recorder.start_processes(["game.exe", pids["Discord.exe"], "absent.exe"])
    told["twice"] = refusal(lambda: recorder.start_process("game.exe"))
    deadline = time.monotonic() + 60
    while sum(block.frames for block in blocks) < 2 * 48000 and time.monotonic() < deadline:
        time.sleep(0.2)  # as a program that takes blocks now and then
        blocks.append(recorder.get_audio())
    sources = recorder.status().sources
    told["sources"] = [source.name for source in sources] == names
    told["bound"] = [[program.pid for program in source.programs] for source in sources]
    told["pids"] = pids
    recorder.stop()
    blocks.append(recorder.get_audio())
    told["rest"] = recorder.get_audio().frames
    told["frames"] = recorder.status().frames
    told["lost"] = recorder.lost_frames
    told["missing"] = sorted({incident.source for incident in recorder.incidents})
told["blocks"] = [[block.start, block.frames] for block in blocks]
for track, name in zip(("game", "voice", "absent"), names):
    arrays[track] = np.concatenate([block.audio[name] for block in blocks])
""",
    )
    assert told["twice"].startswith("SessionClosed: a recording runs already")
    assert told["sources"]
    assert told["bound"] == [[told["pids"]["game.exe"]], [told["pids"]["Discord.exe"]], []]
    assert (told["rest"], told["lost"]) == (0, 0)
    assert "absent.exe" in told["missing"]
    at = told["blocks"][0][0]
    for start, frames in told["blocks"]:
        assert start == at
        at += frames
    assert at == told["frames"] > 2 * RATE
    held = at - told["blocks"][0][0]
    assert {track: audio.shape for track, audio in arrays.items()} == dict.fromkeys(
        ("game", "voice", "absent"), (held, 2)
    )
    holds(arrays["game"], "game.exe")
    holds(arrays["voice"], "Discord.exe")
    assert not arrays["absent"].any()
