# SPDX-License-Identifier: MIT
"""The two programs of the demos: a "game" that speaks PipeWire, a "voice" that speaks Pulse."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pypac_obs.cli.console import listed, say
from pypac_obs.errors import BackendUnavailable, NotRunning
from pypac_obs.processes import ProcessWatch
from pypac_obs.sandbox import Sandbox

__all__ = [
    "GAME",
    "MARGIN_S",
    "PROGRAMS",
    "VOICE",
    "joined",
    "play_here",
    "play_in",
    "wait_until_both_play",
    "wait_until_none_plays",
]

GAME, VOICE = "game", "voice"
PROGRAMS = {GAME: "pypac-demo-game", VOICE: "pypac-demo-voice"}
# They start first and end last: what they play is this much longer than what is recorded.
MARGIN_S = 20.0
_PLAYS_WITHIN_S = 10.0


@contextlib.contextmanager
def play_in(sandbox: Sandbox, signals: Path) -> Iterator[None]:
    """Starts both in a private audio system, and ends them.

    They play ``signals``/game.wav and voice.wav.
    """
    players = [
        sandbox.play_file(PROGRAMS[GAME], signals / f"{GAME}.wav"),
        sandbox.play_file(PROGRAMS[VOICE], signals / f"{VOICE}.wav", api="pulse"),
    ]
    yield
    for player in players:
        player.stop()


@contextlib.contextmanager
def joined(sandbox: Sandbox, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Makes a private audio system, and its folders, those of this process.

    ``environment`` is set as well meanwhile.
    """
    wanted = {name: value for name, value in sandbox.env.items() if name.startswith("XDG_")}
    wanted |= {"PIPEWIRE_REMOTE": sandbox.remote, **(environment or {})}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def play_here(signals: Path) -> Iterator[None]:
    """Starts both in the user's own audio session, and ends them."""
    commands = {
        GAME: ["pw-cat", "--playback"],
        VOICE: ["pacat", "--playback", "--file-format=wav"],
    }
    players: list[subprocess.Popen[bytes]] = []
    try:
        for name, (program, *arguments) in commands.items():
            found = shutil.which(program)
            if found is None:
                package = "pipewire-bin" if program == "pw-cat" else "pulseaudio-utils"
                raise BackendUnavailable(
                    f"the program {program} is not installed", remedy=f"sudo apt install {package}"
                )
            # A copy, because programs are told apart by the name of their file.
            copy = signals / PROGRAMS[name]
            shutil.copy2(found, copy)
            players.append(
                subprocess.Popen(
                    [copy, *arguments, signals / f"{name}.wav"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # a Ctrl-C is for this program
                )
            )
        yield
    finally:
        for player in players:
            player.terminate()
            player.wait()


def wait_until_both_play() -> None:
    """Waits, and says so. Raises NotRunning where they don't."""
    deadline = time.monotonic() + _PLAYS_WITHIN_S
    with ProcessWatch() as watch:
        while True:
            found = {p.program: p for p in watch.processes() if p.playing}
            missing = [name for name in PROGRAMS.values() if name not in found]
            if not missing:
                break
            if time.monotonic() > deadline:
                raise NotRunning(
                    f"{listed(missing)} did not begin to play in {_PLAYS_WITHIN_S:g} s",
                    remedy="`pypac-obs doctor` tells what the audio system lacks.",
                )
            time.sleep(0.05)
    for name in PROGRAMS.values():
        say(f"{name} plays (PID {found[name].pid}).")


def wait_until_none_plays() -> None:
    """Waits until the audio system has forgotten those that have ended."""
    deadline = time.monotonic() + _PLAYS_WITHIN_S
    with ProcessWatch() as watch:
        while time.monotonic() < deadline:
            if not any(p.playing and p.program in PROGRAMS.values() for p in watch.processes()):
                return
            time.sleep(0.05)
