# SPDX-License-Identifier: MIT
"""Tracks hold who a program is, not what it calls itself; containers and links change nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import soundfile

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, Audio, Call, hear, level_db, require, wait_until, wait_until_playing
from .conftest import Record, Recording, programs

pytestmark = pytest.mark.pipewire

LEVEL_DB = -12.0
ABSENT_DB = -90.0
FIRST_HZ = 440.0
SECOND_HZ = 1250.0
SETTLED_S = 0.3  # a tone at its full level, and nothing of its beginning
CALLS_ITSELF_CHROMIUM = (
    "--client-name=Chromium",
    "--property=application.name=Chromium",
    "--stream-name=Playback",
)

Spawn = Callable[..., Player]


@pytest.fixture
def spawn(sandbox: Sandbox) -> Iterator[Spawn]:
    players: list[Player] = []

    def start(*command: object, name: str | None = None) -> Player:
        players.append(sandbox.spawn([str(word) for word in command], name=name))
        return players[-1]

    yield start
    for player in players:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(player.pid, signal.SIGKILL)  # what it has started, too
        player.kill()


@pytest.fixture
def sound(sandbox: Sandbox) -> Callable[[float], Path]:
    def make(hz: float) -> Path:
        return sandbox._tone_file(hz, LEVEL_DB, 2, RATE, 60.0)

    return make


def rest(*excluded: _core.Selector) -> _core.Selector:
    return _core.Selector(kind="everything_except", except_sources=list(excluded))


def levels(tracks: dict[str, Audio]) -> dict[str, tuple[bool, bool]]:
    """Whether the first and the second tone are in the last 0.3 s of each track."""
    return {name: _heard(track[-round(SETTLED_S * RATE) :]) for name, track in tracks.items()}


def _heard(track: Audio) -> tuple[bool, bool]:
    found = []
    for hz in (FIRST_HZ, SECOND_HZ):
        level = level_db(track[:, 0], hz)
        assert level > LEVEL_DB - 1 or level < ABSENT_DB, level
        found.append(level > LEVEL_DB - 1)
    return found[0], found[1]


def heard(recording: Recording) -> dict[str, tuple[bool, bool]]:
    hear(recording, SETTLED_S + 0.3)
    return levels(recording.stop())


@pytest.mark.parametrize("api", ["pulse", "native"])
def test_a_program_that_calls_itself_chromium_is_in_its_own_track_alone(
    api: str, record: Record, spawn: Spawn, sandbox: Sandbox, sound: Callable[[float], Path]
) -> None:
    for name, hz in (("Discord", FIRST_HZ), ("chromium", SECOND_HZ)):
        if api == "pulse":
            spawn("pacat", "--file-format=wav", *CALLS_ITSELF_CHROMIUM, sound(hz), name=name)
        else:
            claim = '{ application.name = "Chromium" node.name = "Chromium" }'
            spawn("pw-cat", "-p", "-P", claim, sound(hz), name=name)
    wait_until_playing(sandbox, "Discord", "chromium")
    browser = programs("chromium")
    recording = record(voice=programs("Discord"), browser=browser, rest=rest(browser))
    for name in ("voice", "browser", "rest"):
        recording.wait_for_state(name, "capturing")
    assert heard(recording) == {
        "voice": (True, False),
        "browser": (False, True),
        "rest": (True, False),
    }


def test_what_is_taken_or_left_out_for_a_claim_is_said(
    spawn: Spawn, sandbox: Sandbox, sound: Callable[[float], Path], call: Call
) -> None:
    spawn("pacat", "--file-format=wav", *CALLS_ITSELF_CHROMIUM, sound(FIRST_HZ), name="Discord")
    wait_until_playing(sandbox, "Discord")
    profile = sandbox.folder / "claims.yaml"
    profile.write_text(
        """version: 1
sources: {web: {process: chromium}, rest: {everything_except: web}, all: {process: Disc*}}
tracks: {web: {from: web}}
""",
        encoding="utf-8",
    )
    warnings = json.loads(call("check", profile, "--json").stdout)["warnings"]
    assert not any("calls itself" in warning for warning in warnings)
    assert any(w.startswith("Sources rest and all each take Discord (PID ") for w in warnings)
    profile.write_text(
        f"""version: 1
sources: {{web: {{process: chromium}}, rest: {{everything_except: web}}}}
tracks: {{web: {{from: web}}, rest: {{from: rest}}}}
outputs: {{files: {{folder: "{sandbox.folder}/claims"}}}}
""",
        encoding="utf-8",
    )
    said = call("check", profile).stdout
    assert "web takes Discord (PID " in said
    assert 'only because it calls itself "Chromium"' in said
    assert "`except: [Discord]`" in said
    assert "rest leaves out Discord (PID " in said
    ran = call("run", profile, "--duration", "0.8")
    assert ran.returncode == 0
    assert 'only because it calls itself "Chromium"' in ran.stdout
    # Nothing else plays, and why is said too.
    assert "Only programs that are left out play audio: Discord." in ran.stdout


def test_notes_are_in_the_manifest(
    spawn: Spawn, sandbox: Sandbox, sound: Callable[[float], Path], call: Call
) -> None:
    spawn("pacat", "--file-format=wav", sound(FIRST_HZ), name="game")
    wait_until_playing(sandbox, "game")
    profile = sandbox.folder / "twice.yaml"
    profile.write_text(
        f"""version: 1
sources: {{one: {{process: game}}, two: {{process: g*}}}}
tracks: {{one: {{from: one}}, two: {{from: two}}}}
outputs: {{files: {{folder: "{sandbox.folder}/twice"}}}}
""",
        encoding="utf-8",
    )
    assert call("run", profile, "--duration", "0.8").returncode == 0
    manifest = json.loads((sandbox.folder / "twice" / "session.json").read_text("utf-8"))
    notes = manifest["status"]["warnings"]
    assert any("one and two each take game (PID " in note for note in notes)
    one, _ = soundfile.read(sandbox.folder / "twice" / "one.wav")
    assert level_db(one[-RATE // 4 :, 0], FIRST_HZ) > LEVEL_DB - 1


def test_a_browser_that_discord_has_opened_is_not_in_its_track(
    record: Record, spawn: Spawn, sandbox: Sandbox, sound: Callable[[float], Path]
) -> None:
    browser = _named_copy(sandbox, "pw-cat", "firefox-esr")
    helper = _named_copy(sandbox, "pacat", "discord-voice")
    script = (
        f"{helper} --file-format=wav {sound(SECOND_HZ)} & {browser} -p {sound(FIRST_HZ)} & wait"
    )
    spawn("bash", "-c", script, name="Discord")
    wait_until_playing(sandbox, "firefox-esr", "discord-voice")
    voice = programs("Discord")
    recording = record(voice=voice, rest=rest(voice))
    for name in ("voice", "rest"):
        recording.wait_for_state(name, "capturing")
    taken = recording.capture.source_status("voice").streams
    assert [(one.program, one.ancestor) for one in taken] == [("discord-voice", "Discord")]
    assert heard(recording) == {"voice": (False, True), "rest": (True, False)}


@pytest.mark.parametrize("by", ["host PID", "launcher", "name"])
def test_a_pulse_program_in_a_pid_namespace_is_who_it_is(
    by: str, record: Record, spawn: Spawn, sandbox: Sandbox, sound: Callable[[float], Path]
) -> None:
    require(shutil.which("unshare") is not None, "unshare is not installed")
    inside = _named_copy(sandbox, "pacat", "boxed")
    spawn(
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"),
        f"true; {inside} --file-format=wav {sound(FIRST_HZ)} & wait",
        name="jailer",
    )
    spawn("pacat", "--file-format=wav", sound(SECOND_HZ), name="other")
    wait_until_playing(sandbox, "boxed", "other")
    pid = _pid_of(inside)
    mine = {"host PID": str(pid), "launcher": "jailer", "name": "boxed"}[by]
    recording = record(mine=programs(mine), rest=rest(programs(mine)))
    for name in ("mine", "rest"):
        recording.wait_for_state(name, "capturing")
    assert [one.pid for one in recording.capture.source_status("mine").streams] == [pid]
    assert heard(recording) == {"mine": (True, False), "rest": (False, True)}


def test_a_pid_that_nothing_readable_has_is_nobodys(
    sandbox: Sandbox, spawn: Spawn, sound: Callable[[float], Path]
) -> None:
    # 2 is the kernel's own thread on every machine, and a program in some container.
    spawn(
        *("pacat", "--file-format=wav", "--property=application.process.id=2"),
        *("--property=application.process.binary=game", sound(FIRST_HZ)),
        name="game",
    )
    capture = _core.PipewireCapture(remote=sandbox.remote)
    try:
        # Alone: what the test before has played may be on its way out.
        wait_until(
            lambda: [(one.program, one.playing) for one in capture.streams()] == [("game", True)]
        )
        by_pid, others, named = capture.preview([programs("2"), rest(), programs("game")])
        assert by_pid.streams == []
        assert others.streams == []
        assert [(one.program, one.claim) for one in others.left_out] == [("game", "")]
        assert [(one.pid, one.claim) for one in named.streams] == [(0, "game")]
    finally:
        capture.stop()


def _pid_of(program: str) -> int:
    running = psutil.process_iter(["pid", "exe"])
    (pid,) = (process.info["pid"] for process in running if process.info["exe"] == program)
    return int(pid)


def _named_copy(sandbox: Sandbox, program: str, name: str) -> str:
    return sandbox._named_copy(str(shutil.which(program)), name)
