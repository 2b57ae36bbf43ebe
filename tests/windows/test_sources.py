# SPDX-License-Identifier: MIT
"""Sources that are no single programs: the whole system, everything but some, microphones."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import (
    RATE,
    Audio,
    Recording,
    Windows,
    in_windows,
    level_db,
    levels_db,
    offsets,
    wait_until,
    zeros,
)

TONES = {"game.exe": 440, "Discord.exe": 700, "Spotify.exe": 1000, "other.exe": 1500}
SCRIPT = "".join(f"program {name} tone={hz}\n" for name, hz in TONES.items())
FULL = -12.04  # dBFS, of each program

# Flags of IAudioClient::Initialize.
LOOPBACK, EVENT = 0x20000, 0x40000
CONVERT = 0x80000000 | 0x08000000  # AUTOCONVERTPCM, SRC_DEFAULT_QUALITY


def second(track: Audio, at: float) -> Audio:
    """One second of a track."""
    return track[round(at * RATE) : round((at + 1) * RATE)]


def is_heard(track: Audio, hz: float) -> bool:
    """True or False; a level between full and nothing is neither."""
    level = level_db(track, hz)
    assert level == pytest.approx(FULL, abs=0.1) or level < -120, level
    return level > -120


def all_tones(track: Audio) -> set[str]:
    return {name for name, hz in TONES.items() if is_heard(track, hz)}


def opened(recording: Recording) -> list[str]:
    """The clients that were started, in order."""
    return [line["client"] for line in recording.events("start")]


def missing(recording: Recording, source: str) -> int:
    return sum(recording.causes(source).values())


# Programs by what their windows say -------------------------------------------------------------


def test_a_program_is_found_by_the_title_of_its_window(windows: Windows) -> None:
    windows.script(SCRIPT)
    windows.program("game.exe", "--window", "My Game - Level 3")
    windows.program("Discord.exe", "--window", "Somebody | My Game chat")
    recording = windows.record(
        {"named": '{process: "my game*"}', "other": '{process: "* chat"}', "none": "{process: My}"}
    )
    assert all_tones(second(recording.tracks["named"], 1.5)) == {"game.exe"}
    assert all_tones(second(recording.tracks["other"], 1.5)) == {"Discord.exe"}
    assert not recording.tracks["none"].any()
    recording.is_clean()


def test_a_packaged_app_is_found_by_its_title_and_not_by_who_frames_it(windows: Windows) -> None:
    windows.script(SCRIPT + "program ApplicationFrameHost.exe tone=2000\n")
    windows.program("ApplicationFrameHost.exe", "--frame", "Films")
    windows.program("other.exe", "--in-frame", "Films")
    recording = windows.record({"films": "{process: Films}"})
    films = second(recording.tracks["films"], 1.5)
    assert all_tones(films) == {"other.exe"}
    assert level_db(films, 2000) < -120
    recording.is_clean()


RETITLE = """
import ctypes
user = ctypes.windll.user32
game = user.FindWindowW('PlayerWindow', 'My Game - Level 3')
chat = user.FindWindowW('PlayerWindow', 'Somebody | Chat')
assert game and chat
user.ShowWindow(game, 0)
assert user.SetWindowTextW(chat, 'Settings')
"""


def test_titles_that_change_let_nothing_in(windows: Windows) -> None:
    windows.script(SCRIPT)
    windows.program("game.exe", "--window", "My Game - Level 3")
    windows.program("Discord.exe", "--window", "Somebody | Chat")
    windows.program("other.exe")
    sources = {
        "game": '{process: "my game*"}',
        "rest": '{everything_except: [game, {process: "*chat"}]}',
    }
    run = windows.begin(sources, None)
    wait_until((windows.folder / "out" / "session.json").exists)
    changed = windows.call_python("-Ic", RETITLE)
    assert changed.returncode == 0, changed.stdout
    windows.await_recorded("rest", 3)
    windows.tell(0)
    recording = windows.finish(run)
    game, rest = recording.tracks["game"], recording.tracks["rest"]
    assert all_tones(game[-RATE:]) == {"game.exe"}
    assert all_tones(rest[-RATE:]) == {"other.exe"}
    for hz in (440, 700):
        assert level_db(rest, hz) < -60
    assert sorted(opened(recording)) == ["game.exe", "other.exe"]
    recording.is_clean()


# The whole system -----------------------------------------------------------------------------


def test_the_whole_system_is_one_capture_of_all_but_ourselves(windows: Windows) -> None:
    windows.script(SCRIPT)
    windows.program("game.exe")
    windows.program("Discord.exe")
    run = windows.begin({"all": "{system: true}", "game": "{process: game.exe}"}, 7)
    windows.await_recorded("all", 0.1)
    windows.program("Spotify.exe")  # heard without another client
    recording = windows.finish(run)
    everything, game = recording.tracks["all"], recording.tracks["game"]
    assert all_tones(second(everything, 0.5)) == {"game.exe", "Discord.exe"}
    assert all_tones(second(everything, 5.7)) == {"game.exe", "Discord.exe", "Spotify.exe"}
    assert all_tones(second(game, 5.7)) == {"game.exe"}
    assert sorted(opened(recording)) == ["except:python.exe", "game.exe"]
    assert recording.ledger == []
    recording.is_clean()


def test_pid_0_is_the_whole_system(windows: Windows) -> None:
    windows.script(SCRIPT)
    windows.program("game.exe")
    windows.program("Discord.exe")
    target = windows.folder / "heard.npy"
    run = windows.python(
        "-Ic",
        "import numpy, pypac_obs\n"
        f"numpy.save(r'{in_windows(target)}', pypac_obs.record_process_id(0, 3))",
    )
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 0, output
    heard = np.load(target)
    assert heard.shape == (3 * RATE, 2)
    game, voice, *others = levels_db(second(heard, 1.5), TONES.values())
    assert (game, voice) == (pytest.approx(FULL, abs=0.1), pytest.approx(FULL, abs=0.1))
    assert max(others) < -100


def test_the_system_is_silent_while_nobody_plays(windows: Windows) -> None:
    windows.script(SCRIPT)
    recording = windows.record({"all": "{system: true}"}, 3)
    assert not recording.tracks["all"].any()
    assert opened(recording) == ["except:python.exe"]
    recording.is_clean()


# Everything but some --------------------------------------------------------------------------


def test_everything_but_some_leaves_each_of_them_out_whenever_it_comes(windows: Windows) -> None:
    windows.script(SCRIPT + "program late*.exe tone=2000\n")
    for name in ("game.exe", "other.exe"):
        windows.program(name)
    sources = {
        "game": "{process: game.exe}",
        "voice": "{process: Discord.exe}",
        "never": "{process: never.exe}",
        "rest": '{everything_except: [game, voice, never, {process: ["late*.exe", gone.exe]}]}',
    }
    run = windows.begin(sources, 9)
    windows.await_recorded("rest", 0.1)
    windows.program("Discord.exe")
    windows.program("late-comer.exe")
    windows.program("Spotify.exe")
    recording = windows.finish(run)
    rest = recording.tracks["rest"]
    assert all_tones(second(rest, 0.3)) == {"other.exe"}
    assert all_tones(second(rest, 7.8)) == {"other.exe", "Spotify.exe"}
    # Not for a moment: 20 ms would be more than this, and where others begin is less.
    for hz in (440, 700, 2000):
        assert level_db(rest, hz) < -60
    assert all_tones(second(recording.tracks["voice"], 7.8)) == {"Discord.exe"}
    # Each by itself: nothing wider was ever opened.
    assert sorted(opened(recording)) == ["Discord.exe", "Spotify.exe", "game.exe", "other.exe"]
    assert not recording.tracks["never"].any()
    recording.is_clean()


def test_everything_but_all_that_runs_is_silent(windows: Windows) -> None:
    windows.script(SCRIPT)
    windows.program("game.exe")
    recording = windows.record({"rest": "{everything_except: [{process: [game.exe, absent.exe]}]}"})
    assert not recording.tracks["rest"].any()
    assert opened(recording) == []
    assert "No program plays audio" in recording.output
    recording.is_clean()


# Microphones and other inputs -----------------------------------------------------------------

USB = "endpoint {usb} flow=capture name=USB-Mic tone=300"
LINE = "endpoint {line} flow=capture name=Line-In tone=600"


def test_inputs_are_found_by_name_pattern_and_as_the_default(windows: Windows) -> None:
    windows.script(f"{USB} default=yes rate=44100 channels=1\n{LINE} rate=96000\n")
    recording = windows.record(
        {
            "default": "{device: default}",
            "named": "{device: USB-Mic}",
            "pattern": '{device: "line*"}',
            "absent": "{device: Nothing}",
        },
        4,
    )
    for track, hz in (("default", 300), ("named", 300), ("pattern", 600)):
        heard = second(recording.tracks[track], 2)
        assert level_db(heard, hz) == pytest.approx(FULL, abs=0.1)
        assert level_db(heard, 900 - hz) < -100
    assert not recording.tracks["absent"].any()
    assert np.array_equal(recording.tracks["default"], recording.tracks["named"])
    assert sorted(opened(recording)) == ["{line}", "{usb}"]
    assert missing(recording, "absent") == 4 * RATE
    recording.is_clean()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            "E_ACCESSDENIED",
            "Windows' privacy settings keep desktop apps from the microphone (0x8007",
        ),
        ("DEVICE_IN_USE", "another program has the device to itself (exclusive mode) (0x8889000A"),
    ],
)
def test_an_input_that_is_refused_is_told_with_what_to_do(
    windows: Windows, result: str, said: str
) -> None:
    windows.script(
        f"{USB}\nfail {{usb}} method=IAudioClient::Initialize times=forever result={result}\n"
    )
    recording = windows.record({"mic": "{device: USB-Mic}"})
    assert not recording.tracks["mic"].any()
    reason = recording.manifest["sources"]["mic"]["now"]["reason"]
    assert reason.startswith(f"Windows refuses the capture: {said}")
    assert reason.partition("It is tried again. ")[2].startswith(("Allow it in ", "Close that "))
    assert reason in " ".join(recording.output.split())
    recording.is_clean()


def test_the_default_input_is_followed_where_it_goes(windows: Windows) -> None:
    windows.script(f"{USB} default=yes\n{LINE}\n")
    run = windows.begin({"mic": "{device: default}", "usb": "{device: USB-Mic}"}, 8)
    wait_until(lambda: windows.saw("start", client="{usb}"))
    windows.await_recorded("mic", 0.5)
    windows.script(f"{USB}\n{LINE} default=yes\n")
    wait_until(lambda: windows.saw("start", client="{line}"))
    recording = windows.finish(run)
    mic, usb = recording.tracks["mic"], recording.tracks["usb"]
    assert len(mic) == 8 * RATE
    assert level_db(second(mic, 0.8), 300) == pytest.approx(FULL, abs=0.1)
    assert level_db(second(mic, 6.5), 600) == pytest.approx(FULL, abs=0.1)
    assert level_db(second(mic, 6.5), 300) < -100
    # Who named the device keeps it, by the same client.
    assert level_db(second(usb, 6.5), 300) == pytest.approx(FULL, abs=0.1)
    assert opened(recording) == ["{usb}", "{line}"]
    assert 0 < missing(recording, "mic") < 2 * RATE
    assert missing(recording, "usb") == 0
    recording.is_clean()


def test_an_input_that_is_pulled_out_comes_back_on_its_track(windows: Windows) -> None:
    windows.script(f"{USB} content=numbers\n{LINE} default=yes\n")
    run = windows.begin({"mic": "{device: USB-Mic}"}, 9)
    wait_until(lambda: windows.saw("start", client="{usb}"))
    windows.await_recorded("mic", 0.1)
    windows.script(f"{LINE} default=yes\n")
    wait_until(lambda: windows.saw("stop", client="{usb}"))
    windows.await_recorded("mic", 1.5)
    windows.script(f"{USB} content=numbers\n{LINE} default=yes\n")
    wait_until(lambda: len([1 for line in windows.report() if line["event"] == "start"]) == 2)
    recording = windows.finish(run)
    mic = recording.tracks["mic"]
    assert len(mic) == 9 * RATE
    # Nobody else's sound in between, each frame in its place, and each missing one told.
    found = offsets(recording, "mic")
    assert np.abs(found).max() <= 1
    assert zeros(mic) > RATE
    assert abs(missing(recording, "mic") - zeros(mic)) <= 1
    assert "not_running" in recording.causes("mic")
    assert opened(recording) == ["{usb}", "{usb}"]
    recording.is_clean()


def test_another_format_of_an_input_costs_a_moment(windows: Windows) -> None:
    windows.script(f"{USB} content=numbers channels=2\n")
    run = windows.begin({"mic": "{device: USB-Mic}"}, 7)
    wait_until(lambda: windows.saw("start", client="{usb}"))
    windows.await_recorded("mic", 0.1)
    windows.script(f"{USB} content=numbers channels=4\n")
    wait_until(lambda: windows.saw("stop", client="{usb}"))
    recording = windows.finish(run)
    mic = recording.tracks["mic"]
    assert np.abs(offsets(recording, "mic")).max() <= 1
    assert 0 < zeros(mic) < 2 * RATE
    assert abs(missing(recording, "mic") - zeros(mic)) <= 1
    assert opened(recording) == ["{usb}", "{usb}"]
    recording.is_clean()


# Programs, while outputs change ----------------------------------------------------------------


def test_another_default_output_is_nothing_to_the_captures_of_programs(windows: Windows) -> None:
    ends = ["endpoint {a} flow=render name=A", "endpoint {b} flow=render name=B"]
    windows.script(f"program game.exe content=numbers\n{ends[0]} default=yes\n{ends[1]}\n")
    windows.program("game.exe")
    run = windows.begin({"game": "{process: game.exe}"}, 5)
    windows.await_recorded("game", 0.1)
    windows.script(f"program game.exe content=numbers\n{ends[1]} default=yes\n")
    recording = windows.finish(run)
    assert len(np.unique(offsets(recording, "game"))) == 1
    assert zeros(recording.tracks["game"]) <= 1
    assert recording.ledger == []
    assert opened(recording) == ["game.exe"]
    recording.is_clean()


# What is tried when a capture of a program cannot be initialised --------------------------------


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_format_that_is_refused_is_asked_for_with_conversion(
    windows: Windows, failures: int
) -> None:
    script = "program game.exe tone=440\n"
    if failures:
        script += "fail game.exe method=IAudioClient::Initialize "
        script += f"times={failures} result=UNSUPPORTED_FORMAT\n"
    windows.script(script)
    windows.program("game.exe")
    recording = windows.record({"game": "{process: game.exe}"}, 4)
    [done] = recording.events("initialize")
    # First plain, then with conversion; and after both have failed, all over again.
    assert done["flags"] == LOOPBACK | EVENT | (CONVERT if failures == 1 else 0)
    assert len(recording.events("activate")) == failures + 1
    assert is_heard(second(recording.tracks["game"], 2.5), 440)
    recording.is_clean()
