# SPDX-License-Identifier: MIT
"""Programs on Windows are recorded apart, together and whole, whatever its audio service does.

The numbers are those of the gotchas in docs/windows.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .conftest import (
    LATENCY_S,
    RATE,
    Audio,
    Recording,
    Windows,
    in_windows,
    level_db,
    shifts,
    wait_until,
    zeros,
)

TONES = {"game.exe": 440, "Discord.exe": 700, "Spotify.exe": 1000, "other.exe": 1500}
SOURCES = {
    "game": "{process: game.exe}",
    "voice": "{process: Discord.exe}",
    "music": "{process: Spotify.exe}",
}
ONE = {"game": "{process: game.exe}"}


def steady(track: Audio) -> Audio:
    """A track without its first and last half second."""
    return track[RATE // 2 : -RATE // 2]


def numbers_for(windows: Windows, script: str = "", seconds: float = 4) -> Recording:
    """Records a program that plays numbers, with its audio service as the script says."""
    windows.script("program game.exe content=numbers\n" + script)
    windows.program("game.exe")
    return windows.record(ONE, seconds)


def test_four_programs_are_recorded_each_on_its_own_track(windows: Windows) -> None:
    windows.script("".join(f"program {name} tone={hz}\n" for name, hz in TONES.items()))
    for name in TONES:
        windows.program(name)
    recording = windows.record(SOURCES | {"rest": "{everything_except: [game, voice, music]}"})
    assert {len(track) for track in recording.tracks.values()} == {3 * RATE}
    for track, own in zip(recording.tracks.values(), TONES.values(), strict=True):
        for hz in TONES.values():
            level = level_db(steady(track), hz)
            assert level == pytest.approx(-12.04, abs=0.05) if hz == own else level < -150
    assert recording.ledger == []
    recording.is_clean()


def test_tracks_agree_to_the_frame_and_with_the_clock(windows: Windows) -> None:
    """Gotchas 4 and 11: places come from QPC alone."""
    names = list(TONES)[:3]
    windows.script("".join(f"program {name} content=numbers\n" for name in names))
    for name in names:
        windows.program(name)
    recording = windows.record(SOURCES)
    found = [shifts(recording, track) for track in SOURCES]
    assert {len(np.unique(shift)) for shift in found} == {1}
    assert len({int(shift[0]) for shift in found}) == 1
    assert abs(int(found[0][0])) <= 1
    assert min(len(shift) for shift in found) > 2.9 * RATE
    recording.is_clean()


@pytest.mark.parametrize(
    "frames", ["441", "240", "480,441,17,960"], ids=lambda frames: frames.replace(",", "-")
)
def test_packets_of_any_length_lose_nothing(windows: Windows, frames: str) -> None:
    """Gotcha 5."""
    recording = numbers_for(windows, f"capture * frames={frames}\n", 3)
    assert len(np.unique(shifts(recording, "game"))) == 1
    assert recording.ledger == []
    recording.is_clean()


def test_jitter_moves_no_frame(windows: Windows) -> None:
    recording = numbers_for(windows, "capture * jitter_us=500\n")
    found = shifts(recording, "game")
    assert len(np.unique(found)) == 1
    assert abs(int(found[0])) <= 24  # 0.5 ms
    assert recording.ledger == []


@pytest.mark.parametrize("ppm", [200, -200])
def test_drift_is_corrected(windows: Windows, ppm: int) -> None:
    windows.script(f"program game.exe tone=1000\ncapture * drift_ppm={ppm}\n")
    windows.program("game.exe")
    recording = windows.record(ONE, 20)
    track = recording.tracks["game"][:, 0].astype(np.float64)
    # The phase against QPC, at the beginning and at the end; 1 ms is a whole turn.
    times = (np.arange(len(track)) + recording.start_frame) / RATE
    turns = track * np.exp(-2j * np.pi * 1000 * times)
    phases = [np.angle(turns[at : at + RATE].sum() * 1j) for at in (2 * RATE, 18 * RATE)]
    assert np.abs(phases).max() < 0.05 * 2 * np.pi  # 50 microseconds
    assert recording.ledger == []
    recording.is_clean()


def test_lost_packets_are_gaps_of_their_length(windows: Windows) -> None:
    recording = numbers_for(
        windows, "packets * from=200 what=lost_flagged\npackets * from=300 count=10 what=lost\n", 5
    )
    found = shifts(recording, "game")
    # Where Windows does not say so, the loss is believed from the second packet behind it on.
    assert np.count_nonzero(found != found[0]) <= 480
    assert found[-1] == found[0]
    lost = [one["frames"] for one in recording.ledger if one["cause"] == "lost_cycles"]
    assert sorted(lost) == [480, 10 * 480]
    recording.is_clean()


def test_silent_packets_are_zeros(windows: Windows) -> None:
    """Gotcha 6: their memory is undefined."""
    recording = numbers_for(windows, "packets * from=150 count=50 what=silent\n")
    assert len(np.unique(shifts(recording, "game"))) == 1
    assert np.abs(recording.tracks["game"]).max() <= 1
    assert 50 * 480 <= zeros(recording.tracks["game"]) < 60 * 480
    assert recording.ledger == []
    recording.is_clean()


@pytest.mark.parametrize(
    "what",
    [
        "timestamp_error",  # gotcha 8
        "stamp_zero",  # gotcha 10 from here on
        "shift ms=600",
        "shift ms=-3",
        "shift ms=-20",
        "shift ms=-700",
        "shift ms=28800000",
    ],
    ids=lambda what: what.replace(" ms=", ""),
)
def test_a_stamp_that_cannot_be_moves_nothing(windows: Windows, what: str) -> None:
    recording = numbers_for(windows, f"packets * from=200 every=50 what={what}\n")
    assert len(np.unique(shifts(recording, "game"))) == 1
    assert recording.ledger == []
    assert "time stamps" not in recording.output
    recording.is_clean()


def test_stamps_that_jump_for_good_lose_no_frame(windows: Windows) -> None:
    """Gotcha 10: the clock is our own from then on."""
    recording = numbers_for(windows, "packets * from=200 count=forever what=shift ms=28800000\n", 5)
    track = recording.tracks["game"]
    # When it was handed over is the only clock that is left: a busy machine does that late.
    assert zeros(steady(track)) < RATE // 4
    assert np.abs(shifts(recording, "game")).max() < RATE // 4
    said = [text for text in recording.manifest["status"]["warnings"] if "time stamps" in text]
    assert len(said) == 1
    assert recording.output.count(said[0]) == 1
    recording.is_clean()


def test_lost_and_spurious_events_cost_nothing(windows: Windows) -> None:
    recording = numbers_for(
        windows,
        "capture * per_event=3\npackets * from=100 every=40 count=5 what=lost_event\n"
        "packets * from=120 every=40 what=extra_event\npackets * from=130 every=40 what=hold\n",
    )
    assert len(np.unique(shifts(recording, "game"))) == 1
    assert zeros(steady(recording.tracks["game"])) == 0
    recording.is_clean()


@pytest.mark.parametrize("idle", ["silent", "zeros", "nothing"])
def test_whether_packets_come_while_nothing_plays_makes_no_difference(
    windows: Windows, idle: str
) -> None:
    windows.script(f"program game.exe content=numbers delay_ms=3000\ncapture * idle={idle}\n")
    windows.program("game.exe")
    recording = windows.record(ONE, 6)
    assert len(recording.tracks["game"]) == 6 * RATE
    assert len(np.unique(shifts(recording, "game"))) == 1
    recording.is_clean()


@pytest.mark.parametrize(
    "failure",
    [
        "activate * times=2 result=E_UNEXPECTED",  # gotcha 20
        "activate * times=1 call=E_FAIL",
        "activate * times=1 outer=E_FAIL",
        "activate * when=before_return",
        "activate * delay_ms=300",
        "fail * method=IAudioClient::Initialize result=UNSUPPORTED_FORMAT",
        "fail * method=IAudioClient::SetEventHandle result=E_FAIL",
        "fail * method=IAudioClient::GetService result=E_OUTOFMEMORY",
        "fail * method=IAudioClient::Start result=SERVICE_NOT_RUNNING",
        "fail * method=IAudioCaptureClient::GetNextPacketSize nth=100 result=DEVICE_INVALIDATED",
        "fail * method=IAudioCaptureClient::GetBuffer nth=100 result=DEVICE_INVALIDATED",
        "fail * method=IAudioCaptureClient::GetBuffer nth=100 result=RESOURCES_INVALIDATED",
        "fail * method=IAudioCaptureClient::GetBuffer nth=100 result=OUT_OF_ORDER",
        "fail * method=IAudioCaptureClient::ReleaseBuffer nth=100 result=SERVICE_NOT_RUNNING",
    ],
    ids=lambda failure: failure.replace("method=", "").replace("*", "").replace("::", "."),
)
def test_a_failure_is_tried_again(windows: Windows, failure: str) -> None:
    """Each clean-up leaves nothing, and time is kept."""
    recording = numbers_for(windows, failure + "\n", 6)
    assert len(recording.tracks["game"]) == 6 * RATE
    found = shifts(recording, "game")
    assert len(found) > RATE
    assert np.abs(found).max() <= 1
    assert recording.events("failed") or "activate" in failure
    recording.is_clean()


def test_an_activation_that_never_completes_holds_nothing_up(windows: Windows) -> None:
    windows.script(
        "program game.exe tone=440\nprogram Discord.exe tone=700\nactivate game.exe when=never\n"
    )
    windows.program("game.exe")
    windows.program("Discord.exe")
    recording = windows.record({"game": SOURCES["game"], "voice": SOURCES["voice"]})
    assert level_db(steady(recording.tracks["voice"]), 700) == pytest.approx(-12.04, abs=0.05)
    assert not recording.tracks["game"].any()
    assert recording.causes("game")
    recording.is_clean()


def test_a_killed_program_comes_back_on_its_track(windows: Windows) -> None:
    # What Windows hands over of a program that has just ended is not missing.
    windows.script(
        "program game.exe content=numbers\nprogram Discord.exe content=numbers\n"
        "capture * idle=nothing\n"
    )
    game = windows.program("game.exe")
    windows.program("Discord.exe")
    run = windows.begin({"game": SOURCES["game"], "voice": SOURCES["voice"]}, 10)
    windows.await_recorded("game", 0.1)
    windows.kill(game)
    wait_until(lambda: windows.saw("stop", client="game.exe"))
    windows.program("game.exe")
    recording = windows.finish(run)
    assert len(recording.tracks["game"]) == len(recording.tracks["voice"]) == 10 * RATE
    starts = [one for one in recording.events("start") if one["client"] == "game.exe"]
    assert len(starts) == 2
    for track in recording.tracks:
        found = shifts(recording, track)
        assert np.abs(found).max() <= 1
        assert len(found) > RATE
    # Every missing frame is in the ledger; 0 is a number, too.
    missing = 10 * RATE - np.count_nonzero(recording.tracks["game"][:, 0])
    assert missing > 0
    assert abs(sum(recording.causes("game").values()) - missing) <= 1
    assert "not_running" in recording.causes("game")
    recording.is_clean()


def test_children_belong_to_their_program(windows: Windows) -> None:
    """Gotcha 18, and an audio service that is started again."""
    windows.script("program helper.exe tone=440\nprogram Discord.exe tone=700\n")
    windows.program("game.exe", "--spawn", "helper.exe", "--respawn")
    windows.program("Discord.exe")
    recording = windows.record(ONE)
    assert level_db(steady(recording.tracks["game"]), 440) == pytest.approx(-12.04, abs=0.05)
    assert level_db(steady(recording.tracks["game"]), 700) < -150
    recording.is_clean()


def test_a_program_whose_launcher_has_left_is_recorded_alone(windows: Windows) -> None:
    windows.script("program game.exe tone=440\nprogram Discord.exe tone=700\n")
    launcher = windows.program("launcher.exe", "--spawn", "game.exe", "--leave")
    windows.program("Discord.exe")
    try:
        recording = windows.record(ONE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)  # the game, too
    assert level_db(steady(recording.tracks["game"]), 440) == pytest.approx(-12.04, abs=0.05)
    assert level_db(steady(recording.tracks["game"]), 700) < -150
    recording.is_clean()


def test_two_tracks_of_one_program_are_one_client(windows: Windows) -> None:
    """Gotcha 14: a second client of one program hears nothing."""
    windows.script("program game.exe tone=440\n")
    windows.program("game.exe")
    recording = windows.record({"one": "{process: game.exe}", "two": '{process: "ga*.exe"}'})
    assert np.array_equal(recording.tracks["one"], recording.tracks["two"])
    assert level_db(steady(recording.tracks["one"]), 440) == pytest.approx(-12.04, abs=0.05)
    recording.is_clean()


def test_the_audio_service_comes_back(windows: Windows) -> None:
    script = "program game.exe content=numbers\n"
    windows.script(script)
    windows.program("game.exe")
    run = windows.begin(ONE, None)
    manifest = windows.folder / "out" / "session.json"
    wait_until(lambda: manifest.exists() and windows.saw("start", client="game.exe"))
    windows.script(script + "service running=no\n")
    wait_until(lambda: '"backend_lost"' in manifest.read_text())
    windows.await_recorded("game", LATENCY_S + 0.5)  # what is missing has been recorded as such
    windows.script(script)
    wait_until(lambda: sum(line["event"] == "start" for line in windows.report()) >= 2)
    windows.await_recorded("game", 1)
    windows.tell(0)  # Ctrl-C
    recording = windows.finish(run)
    assert np.abs(shifts(recording, "game")).max() <= 1
    assert "backend_lost" in recording.causes("game")
    # Gotcha 24.
    assert "Windows' audio service does not answer (0x88890010, Windows build " in recording.output
    recording.is_clean()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("program game.exe tone=440 hidden=yes\n", "hides its sound"),  # gotcha 12
        ("program game.exe tone=440 mute=yes\n", "muted"),  # gotcha 15
        # Gotcha 23, from here on.
        ("program game.exe tone=440 level=0\n", "plays silence, or past Windows' mixer"),
        (
            "program game.exe session=none content=nothing\n",
            "no audio stream, unless it plays past Windows' mixer",
        ),
    ],
    ids=["hidden", "muted", "past-the-mixer", "no-stream"],
)
def test_a_silence_has_its_reason(windows: Windows, script: str, said: str) -> None:
    windows.script(script)
    windows.program("game.exe")
    recording = windows.record(ONE, 6)
    assert not recording.tracks["game"].any()
    assert said in recording.output
    recording.is_clean()


def test_a_program_that_is_muted_meanwhile_is_silent_for_as_long_and_said_to_be(
    windows: Windows,
) -> None:
    """Gotcha 15, in the middle of a run."""
    script = "program game.exe tone=440\n"
    windows.script(script)
    windows.program("game.exe")
    run = windows.begin(ONE, None)
    manifest = windows.folder / "out" / "session.json"

    def states() -> list[str]:
        text = manifest.read_text() if manifest.exists() else ""
        if not text:  # seen once, at a moment when the file was replaced
            return []
        source = json.loads(text)["sources"].get("game", {"history": []})
        return [entry["state"] for entry in source["history"]]

    wait_until(lambda: "playing" in states())
    windows.await_recorded("game", 0.5)  # frame 0 may come after the state
    windows.script(script.strip() + " mute=yes\n")
    wait_until(lambda: "muted" in states())
    windows.script(script)
    wait_until(lambda: states()[-1:] == ["playing"])
    windows.await_recorded("game", 0.5)
    windows.tell(0)  # Ctrl-C
    recording = windows.finish(run)
    heard = np.flatnonzero(recording.tracks["game"].any(axis=1))
    silences = np.diff(heard) - 1  # but for single zeros of the tone, between what is heard
    assert np.count_nonzero(silences > 1) == 1
    assert silences.max() > RATE // 4
    assert "The program is muted in Windows' volume mixer" in " ".join(recording.output.split())
    assert recording.causes("game") == {}  # its silence was captured
    recording.is_clean()


def test_a_microphone_is_recorded(windows: Windows) -> None:
    windows.script("endpoint {mic} flow=capture default=yes rate=44100 tone=300\n")
    recording = windows.record({"mic": "{device: default}"})
    assert level_db(steady(recording.tracks["mic"]), 300) == pytest.approx(-12.04, abs=0.05)
    recording.is_clean()


def test_programs_are_listed_with_volume_mute_and_peak(windows: Windows) -> None:
    windows.script("program game.exe level=0.5 volume=0.5\nprogram Discord.exe mute=yes\n")
    windows.program("game.exe")
    windows.program("Discord.exe")
    listed = windows.call("ps")
    assert listed.returncode == 0, listed.stdout
    lines = {
        line.split("|")[2].strip(): line
        for line in listed.stdout.splitlines()
        if ".exe" in line and "|" in line
    }
    assert "50 %" in lines["game.exe"]
    assert "| muted" in lines["Discord.exe"]


def test_programs_are_listed_with_the_reason_of_their_silence(windows: Windows) -> None:
    muted = (
        "The program is muted in Windows' volume mixer, or its volume is 0 there: what is captured "
        "is silent, too."
    )
    reasons = {
        "game.exe": ("", ""),
        "muted.exe": ("mute=yes", muted),
        "turned_down.exe": ("volume=0", muted),
        "paused.exe": ("content=nothing", "The program has paused its audio."),
        "zeros.exe": (
            "level=0",
            "The program plays silence, or past Windows' mixer (exclusive mode, ASIO).",
        ),
    }
    windows.script("".join(f"program {name} {how[0]}\n" for name, how in reasons.items()))
    for name in reasons:
        windows.program(name)
    listed = windows.call("ps", "--json")
    assert listed.returncode == 0, listed.stdout
    found = {one["program"]: one["silence"] for one in json.loads(listed.stdout)}
    assert found == {name: how[1] for name, how in reasons.items()}
    shown = windows.call("ps").stdout.splitlines()
    for name, (_, reason) in reasons.items():
        if reason:
            assert f"{name}: {reason}" in shown
    assert not any(line.startswith("game.exe:") for line in shown)


def test_an_audio_service_that_does_not_answer_is_not_taken_for_silence(windows: Windows) -> None:
    windows.script("program game.exe\nservice running=no\n")
    windows.program("game.exe")
    listed = windows.call("ps")
    assert listed.returncode == 3
    assert "Windows' audio service does not answer (0x88890010, Windows build " in listed.stdout
    assert "net start audiosrv" in listed.stdout
    assert "Nothing plays" not in listed.stdout


def test_each_endpoint_that_a_program_plays_to_is_shown(windows: Windows) -> None:
    """Gotcha 16: all of them are in the capture, a controller's haptics as well."""
    windows.script(
        "endpoint {speakers} name=Speakers default=yes\nendpoint {pad} name=Controller channels=4\n"
        "endpoint {mic} flow=capture default=yes\n"
        "program game.exe endpoint={speakers},{pad}\nprogram Discord.exe endpoint={pad}\n"
    )
    windows.program("game.exe")
    windows.program("Discord.exe")
    listed = windows.call("ps", "--json")
    assert listed.returncode == 0, listed.stdout
    found = {
        one["program"]: [stream["device"] for stream in one["streams"]]
        for one in json.loads(listed.stdout)
    }
    assert sorted(found["game.exe"]) == ["Controller", "Speakers"]
    assert found["Discord.exe"] == ["Controller"]
    shown = windows.call("ps").stdout
    [line] = [line for line in shown.splitlines() if "game.exe" in line]
    assert "Speakers" in line
    assert "Controller" in line
    # A run says it, too, and keeps it.
    recording = windows.record(ONE)
    [binding] = recording.manifest["sources"]["game"]["now"]["bindings"]
    assert binding["devices"] == ["Controller", "Speakers"]
    assert ", to Controller and Speakers)" in recording.output
    recording.is_clean()


@pytest.mark.parametrize(("build", "warned"), [("22631", True), ("26100", False)])
def test_before_24h2_the_doctor_warns_of_noise(
    windows: Windows, monkeypatch: pytest.MonkeyPatch, build: str, warned: bool
) -> None:
    """Gotcha 19."""
    monkeypatch.setenv("PYPAC_WINDOWS_BUILD", build)
    windows.script("")
    looked = windows.call("doctor")
    assert looked.returncode == 0, looked.stdout
    said = " ".join(looked.stdout.split())
    assert f"build {build}" in said
    assert (
        "after hours of capture its audio engine may put noise into the sound" in said
    ) == warned
    assert ("24H2 (build 26100) has that mended" in said) == warned


@pytest.mark.parametrize("grants", ["little", "nothing"])
def test_a_program_that_shields_itself_is_recorded(windows: Windows, grants: str) -> None:
    """Gotcha 22: as elevated ones and those with an anti-cheat do."""
    windows.script("program game.exe tone=440\nprogram Discord.exe tone=700\n")
    windows.program("game.exe", "--grants", grants)
    windows.program("Discord.exe")
    recording = windows.record({"game": SOURCES["game"], "voice": SOURCES["voice"]})
    for track, own, other in (("game", 440, 700), ("voice", 700, 440)):
        heard = steady(recording.tracks[track])
        assert level_db(heard, own) == pytest.approx(-12.04, abs=0.05)
        assert level_db(heard, other) < -150
    recording.is_clean()


@pytest.mark.parametrize("grants", ["little", "nothing"])
def test_a_shielded_program_that_is_refused_is_silent_and_said_to_be(
    windows: Windows, grants: str
) -> None:
    """Gotcha 22: the run goes on, and nothing wider is captured instead."""
    windows.script(
        "program game.exe tone=440\nprogram Discord.exe tone=700\n"
        "activate game.exe result=E_ACCESSDENIED\n"
    )
    windows.program("game.exe", "--grants", grants)
    windows.program("Discord.exe")
    recording = windows.record({"game": SOURCES["game"], "voice": SOURCES["voice"]}, 5)
    assert not recording.tracks["game"].any()
    assert level_db(steady(recording.tracks["voice"]), 700) == pytest.approx(-12.04, abs=0.05)
    assert {one["target"] for one in recording.events("activate")} == {"game.exe", "Discord.exe"}
    reason = recording.manifest["sources"]["game"]["now"]["reason"]
    assert "(0x80070005, Windows build " in reason
    # What this program asks for is little: it knows who grants that.
    shielded = "game.exe is shielded from other programs: if it runs as an administrator"
    assert (shielded in reason) == (grants == "nothing")
    assert reason in " ".join(recording.output.split())
    told = {one["message"] for one in recording.ledger if one["cause"] == "stalled"}
    assert told
    assert all("the system refused the capture" in message for message in told)
    recording.is_clean()


DEAD_PID = 999_996  # Windows' are multiples of four


def test_a_dead_pid_is_refused(windows: Windows) -> None:
    """Gotcha 21."""
    windows.script("program game.exe\n")
    windows.program("game.exe")
    code = f"import pypac_obs; pypac_obs.record_process_id({DEAD_PID}, 1)"
    refused = windows.call_python("-Ic", code)
    assert refused.returncode != 0
    assert f"NotRunning: no process has the PID {DEAD_PID}" in refused.stdout
    assert "`pypac-obs ps` lists what plays" in refused.stdout
    refused = windows.call("record", str(DEAD_PID), "--out", in_windows(windows.folder / "out"))
    assert refused.returncode != 0
    assert f"no process has the PID {DEAD_PID}" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert not (windows.folder / "out").exists()
    assert not windows.saw("activate")


def test_a_dead_pid_in_a_profile_is_not_running_and_nothing_is_captured_for_it(
    windows: Windows,
) -> None:
    """Gotcha 21: as with a name, nothing is wrong with a profile whose program is not there."""
    windows.script("program game.exe tone=440\n")
    windows.program("game.exe")
    recording = windows.record({"gone": f"{{process: [{DEAD_PID}]}}", "game": ONE["game"]})
    assert not recording.tracks["gone"].any()
    assert recording.manifest["sources"]["gone"]["now"]["state"] == "not_running"
    assert "The program is not running." in recording.output
    assert {one["target"] for one in recording.events("activate")} == {"game.exe"}
    recording.is_clean()


def can_mount() -> bool:
    """Whether a disk may be mounted here; tried where nobody else sees it."""
    mount = "mount -t tmpfs none /mnt"
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--mount", "sh", "-c", mount]
    return subprocess.run(tried, capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.skipif(not can_mount(), reason="no disk may be mounted here")
def test_a_full_disk_is_told_as_one_and_the_files_stay_whole(
    windows: Windows, small_disk: Path
) -> None:
    profile = windows.folder / "profile.yaml"
    folder = in_windows(small_disk / "out").replace("\\", "/")
    profile.write_text(
        "version: 1\nsources: {tone: {synthetic: {kind: tone}}}\ntracks: {tone: {from: tone}}\n"
        f'outputs: {{files: {{folder: "{folder}", name: "{{track}}"}}}}\n'
    )
    run = windows.call("run", in_windows(profile), "--duration", "12")
    assert run.returncode == 1, run.stdout
    assert "the disk is full" in run.stdout
    out = small_disk / "out"
    manifest = json.loads((out / "session.json").read_text())
    assert manifest["state"] == "failed"
    track, rate = soundfile.read(out / "tone.wav", dtype="float32", always_2d=True)
    assert len(track) == manifest["frames"] > 4 * rate
    assert np.abs(np.diff(track[:, 0])).max() < 0.03  # a tone of 440 Hz, unbroken
    assert level_db(track, 440) == pytest.approx(-12, abs=0.1)


def test_an_old_windows_is_refused_with_its_build(
    windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYPAC_WINDOWS_BUILD", "18362")
    refused = windows.call("ps")
    assert refused.returncode == 3
    assert "build 18362" in refused.stdout
    assert "19041" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_the_obs_module_is_installed_and_taken_away(windows: Windows) -> None:
    own = windows.prefix / "drive_c" / "ProgramData" / "obs-studio" / "plugins" / "pypac-obs"
    installed = windows.call("obs", "install")
    assert installed.returncode == 0, installed.stdout
    assert (own / "bin" / "64bit" / "pypac-obs.dll").read_bytes().startswith(b"MZ")
    assert (own / "data" / "locale" / "en-US.ini").is_file()
    assert "is installed already" in windows.call("obs", "install").stdout.lower()
    removed = windows.call("obs", "uninstall")
    assert removed.returncode == 0, removed.stdout
    assert not own.exists()
