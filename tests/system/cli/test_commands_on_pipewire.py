# SPDX-License-Identifier: MIT
"""The commands on a real PipeWire with real players."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..conftest import PLAYERS, own, wait_until

pytestmark = pytest.mark.pipewire


def until_both_play(call) -> list[dict]:
    deadline = time.monotonic() + 30
    while True:
        listed = json.loads(call("ps", "--json").stdout)
        if sum(one["playing"] for one in listed) == 2:
            return listed
        assert time.monotonic() < deadline, listed


def levels_db(path, frequency: float) -> list[float]:
    """The levels of a tone, for each 128 ms: on a busy machine programs miss some of it."""
    samples, rate = soundfile.read(path)
    mono = samples[:, 0] if samples.ndim == 2 else samples
    frames = 6144
    window = np.kaiser(frames, 20)
    wave = np.exp(-2j * np.pi * frequency * np.arange(frames) / rate) * window
    parts = [mono[at : at + frames] for at in range(0, len(mono) - frames + 1, frames // 4)]
    return [
        float(20 * np.log10(abs(np.sum(one * wave)) * 2 / window.sum() + 1e-15)) for one in parts
    ]


# ps, check, doctor -------------------------------------------------------------------------------


def test_ps_lists_programs_of_both_interfaces_with_their_levels(sandbox, call):
    game = sandbox.play_tone("game", 440.0, level_dbfs=-12)
    voice = sandbox.play_tone("voice", 1000.0, api="pulse", level_dbfs=-20)
    listed = {one["program"]: one for one in until_both_play(call)}
    assert (listed["game"]["pid"], listed["voice"]["pid"]) == (game.pid, voice.pid)
    listed = {one["program"]: one for one in json.loads(call("ps", "--json").stdout)}
    assert listed["game"]["peak_db"] == pytest.approx(-12, abs=0.1)
    assert listed["voice"]["peak_db"] == pytest.approx(-20, abs=0.1)
    assert listed["voice"]["volume"] == 1.0
    assert not listed["voice"]["muted"]
    table = call("ps").stdout
    row = rf"^ +{game.pid} +game +\S+ +1 +{listed['game']['streams'][0]['device']} +playing"
    assert re.search(rf"{row} +100 % +no +-12\.\d dB", table, re.M)


@pytest.mark.parametrize(
    "args", [["ps"], ["ps", "--watch"], ["ps", "--watch", "--json"], ["check"]]
)
def test_a_closed_pipe_ends_a_listing_with_0(sandbox, call, start, tmp_path, args):
    sandbox.play_tone("game", 440.0)
    profile = tmp_path / "game.yaml"
    profile.write_text("version: 1\nsources: {g: {process: game}}\ntracks: {g: {from: g}}\n")
    process = start(*args, *([profile] if args == ["check"] else []))
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(30), said) == (0, "")


def test_ps_says_why_a_program_is_silent(sandbox, call):
    sandbox.play_tone("game", 440.0)
    sandbox.play_tone("zeros", 0.0)
    voice = sandbox.play_tone("voice", 1000.0, api="pulse")
    pauser = sandbox.spawn([sys.executable, PLAYERS / "pulse_tone.py"])

    def until(name: str, silence: str) -> None:
        deadline = time.monotonic() + 30
        found: dict[str, str] = {}
        while found.get(name) != silence:
            assert time.monotonic() < deadline, found
            listed = json.loads(call("ps", "--json").stdout)
            found = {one["application_name"]: one["silence"] for one in listed}

    def volume_of_voice(command: str, value: str) -> None:
        inputs = sandbox.run("pactl", "list", "sink-inputs").split("Sink Input #")[1:]
        [index] = [text.split()[0] for text in inputs if f'"{voice.pid}"' in text]
        sandbox.run("pactl", command, index, value)

    try:
        until("game", "")
        until("zeros", "The program plays silence.")
        until("voice", "")
        until("pauser", "")
        volume_of_voice("set-sink-input-mute", "1")
        until("voice", "The program is muted, or its volume is 0.")
        volume_of_voice("set-sink-input-mute", "0")
        until("voice", "")
        volume_of_voice("set-sink-input-volume", "0%")
        until("voice", "The program is muted, or its volume is 0.")
        voice.freeze()
        until("voice", "The program is frozen (stopped by a signal), and does not play.")
        pauser._process.send_signal(signal.SIGUSR1)
        until("pauser", "The program has paused its audio.")
        shown = call("ps").stdout.splitlines()
        assert "voice: The program is frozen (stopped by a signal), and does not play." in shown
        assert f"{Path(sys.executable).resolve().name}: The program has paused its audio." in shown
        assert "zeros: The program plays silence." in shown
        assert not any(line.startswith("game:") for line in shown)
    finally:
        voice.thaw()
        pauser.kill()


def test_ps_says_that_nothing_plays(call):
    empty = call("ps")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert empty.stderr == "Nothing plays now: no program has an audio stream.\n"
    assert call("ps", "--json").stdout == "[]\n"


def test_ps_watch_goes_on_until_ctrl_c(sandbox, start):
    watch = start("ps", "--watch", "--json")
    assert json.loads(watch.stdout.readline()) == []
    sandbox.play_tone("game", 440.0)
    lines = [json.loads(watch.stdout.readline()) for _ in range(6)]
    assert [one["program"] for one in lines[-1]] == ["game"]
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=30)
    assert (watch.returncode, err) == (0, "")


def test_check_says_what_a_profile_would_bind_to(sandbox, call, tmp_path):
    voice = sandbox.play_tone("Discord", 1000.0, api="pulse")
    profile = tmp_path / "p.yaml"
    profile.write_text(
        "version: 1\n"
        "sources:\n  discord: {process: Discord}\n  game: {process: cs2.exe}\n"
        "  rest: {everything_except: [discord]}\n"
        "tracks:\n  discord: {from: discord}\n  game: {from: game}\n  rest: {from: rest}\n"
        "outputs: {files: {}}\n"
    )
    deadline = time.monotonic() + 30
    bindings: dict = {}
    while not bindings.get("discord") and time.monotonic() < deadline:
        plan = json.loads(call("check", profile, "--json").stdout)
        bindings = {source["name"]: source["bindings"] for source in plan["sources"]}
    assert [binding["pid"] for binding in bindings["discord"]] == [voice.pid]
    assert (bindings["game"], bindings["rest"]) == ([], [])
    assert plan["audio_system"] == {"present": True, "reason": ""}
    text = call("check", profile).stdout
    assert f"Discord (PID {voice.pid})" in text
    assert re.search(r"^ game +process cs2\.exe +nothing +The program is not running\.", text, re.M)


def test_doctor_finds_that_recording_can_work(sandbox, call):
    sandbox.play_tone("game", 440.0)
    deadline = time.monotonic() + 30
    found: dict = {}
    while "idle" in found.get("audio graph", "idle") and time.monotonic() < deadline:
        result = call("doctor", "--json")
        found = {f["part"]: f["found"] for f in json.loads(result.stdout)["findings"]}
    assert result.returncode == 0
    assert "1024 frames a cycle at 48000 Hz" in found["audio graph"]
    assert found["default output"] == "speakers"
    assert found["pipewire-pulse"] == "answers"
    assert "wireplumber" in found["session manager"]


# record and run ----------------------------------------------------------------------------------


def test_record_writes_each_program_into_its_own_file(sandbox, call, tmp_path):
    sandbox.play_tone("game", 440.0)
    voice = sandbox.play_tone("voice", 1000.0, api="pulse")
    until_both_play(call)
    done = call("record", "game", voice.pid, "absent", 0, "--duration", "2", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "absent: The program is not running. Its track is silence until it plays." in done.stdout
    assert "absent was not running from 0:00.000 to 0:02.000." in done.stdout
    files = {
        name: tmp_path / f"{name}.wav" for name in ("game", f"pid {voice.pid}", "absent", "system")
    }
    assert {soundfile.info(path).frames for path in files.values()} == {96_000}
    game, voice_file, absent, system = files.values()
    assert max(levels_db(game, 440)) == pytest.approx(-12, abs=0.1)
    assert min(levels_db(game, 1000)) < -110
    assert max(levels_db(voice_file, 1000)) == pytest.approx(-12, abs=0.1)
    assert min(levels_db(voice_file, 440)) < -110
    assert not np.any(soundfile.read(absent)[0])
    assert max(levels_db(system, 440)) == pytest.approx(-12, abs=0.1)
    assert max(levels_db(system, 1000)) == pytest.approx(-12, abs=0.1)


def test_record_takes_a_folder_whose_bytes_are_no_text(sandbox, call, tmp_path):
    sandbox.play_tone("game", 440.0)
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    done = call("record", "game", "--duration", "1", "--out", folder / "{session}")
    assert (done.returncode, done.stderr) == (0, "")
    with (folder / "record" / "game.wav").open("rb") as file:
        assert soundfile.info(file).frames == 48_000


def test_record_takes_flac_and_tells_in_json(sandbox, call, tmp_path):
    sandbox.play_tone("game", 440.0)
    done = call(
        *("record", "game", "--duration", "1.5", "--out", tmp_path, "--format", "flac", "--json")
    )
    *lines, last = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert len(lines) == 2
    [file] = last["summary"]["files"]
    assert (file["path"], file["frames"]) == (str(tmp_path / "game.flac"), 72_000)
    assert soundfile.info(file["path"]).format == "FLAC"


def test_record_of_a_pid_that_does_not_exist_ends_with_1(call, tmp_path):
    done = call("record", 2**22 + 1, "--duration", "1", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: no process has the PID {2**22 + 1}.\n")


def test_run_tells_when_a_program_comes_and_goes(sandbox, start, tmp_path):
    name = own("game")
    profile = tmp_path / "p.yaml"
    profile.write_text(
        f"version: 1\nsources:\n  game: {{process: {name}}}\ntracks:\n  game: {{from: game}}\n"
        f"outputs:\n  files: {{folder: '{tmp_path}/out'}}\n"
    )
    run = start("run", profile)
    lines = [run.stdout.readline(), run.stdout.readline()]
    at, _, told = lines[1].partition("  ")
    assert at.startswith("0:00.")
    assert told == "game: The program is not running. Its track is silence until it plays.\n"
    track = tmp_path / "out" / "game.wav"
    wait_until(lambda: track.exists() and track.stat().st_size > 48_000)  # some of its silence
    game = sandbox.play_tone(name, 440.0)
    assert re.match(rf"0:0\d\.\d+  game: Playing\. Bound to .*\(PID {game.pid}\)", next_line(run))
    game.kill()
    run_lines = []
    while not any("The program is not running." in line for line in run_lines):
        run_lines.append(run.stdout.readline())
        assert run_lines[-1]
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=10)
    assert (run.returncode, err) == (0, "")
    _, incidents = out.split("Incidents:\n")
    assert re.search(r"^  game was not running from 0:00\.000 to ", incidents, re.MULTILINE)


def next_line(run) -> str:
    """The next line that tells of a source."""
    while "Playing" not in (line := run.stdout.readline()):
        assert line
    return line


# demo --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", [False, True], ids=["in a private system", "in one's own"])
def test_the_demo_keeps_its_programs_apart_and_together(call, tmp_path, real):
    for attempt in range(4):  # where the machine is too busy for the programs, another time
        folder = tmp_path / f"a {{strange}} $folder {attempt}"
        done = call("demo", "--duration", "4", "--out", folder, *(["--real"] if real else []))
        if "Nothing is measured" not in done.stdout + done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"isolation of \w+ from \w+: ([\d.]+) dB", done.stdout)
    assert len(found) == 2
    assert min(map(float, found)) >= 90
    assert "alignment of game and voice: 0 frames\n" in done.stdout
    assert ("Starting a private audio system" in done.stdout) is not real
    for name in ("game", "voice", "everything"):
        samples, _ = soundfile.read(folder / f"{name}.wav")
        assert samples.shape == (192_000, 2)
        assert np.abs(samples).max() > 0.1
    assert (folder / "demo.png").stat().st_size > 20_000
    # The second part: the game ducked under the voice.
    [quieter] = re.findall(r"while the voice speaks: the game ([\d.]+) dB quieter", done.stdout)
    assert float(quieter) == pytest.approx(12, abs=0.5)
    assert "while it is silent: the game as it plays" in done.stdout
    [down_ms] = re.findall(r"half of the way down (\d+) ms after a word begins", done.stdout)
    [up_ms] = re.findall(r"half of the way up (\d+) ms after it ends", done.stdout)
    assert int(down_ms) < 150 < int(up_ms) < 800
    ducked, _ = soundfile.read(folder / "ducked" / "game.wav")
    as_played, _ = soundfile.read(folder / "ducked" / "game as it plays.wav")
    levels = [np.std(audio[:, 0].reshape(-1, 4800), axis=1) for audio in (ducked, as_played)]
    whole = levels[1] > 0.01  # programs miss cycles on a busy machine
    ratio = levels[0][whole] / levels[1][whole]
    assert 20 * np.log10(ratio.min()) == pytest.approx(-12, abs=0.5)
    assert 20 * np.log10(ratio.max()) == pytest.approx(0, abs=0.5)
    assert (folder / "ducked" / "ducked.png").stat().st_size > 20_000
