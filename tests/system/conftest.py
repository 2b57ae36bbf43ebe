# SPDX-License-Identifier: MIT
"""Real programs in a private audio system, and how to tell what was captured of them."""

from __future__ import annotations

import fcntl
import functools
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

RATE = 48000
POSITIONS = 1 << 24  # the position player counts modulo this
PLAYBACK = ("playback", "re_emitter")  # the kinds of streams that programs play by
PLAYERS = Path(__file__).resolve().parents[1] / "players"
BUILT_PLAYERS = Path(__file__).resolve().parents[2] / "build" / "players"
PROGRAM = [sys.executable, "-Im", "pypac_obs.cli"]

Audio = npt.NDArray[np.float32]
Call = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


def require(there: bool, missing: str) -> None:
    """Skips a test that lacks something; fails it where everything must be there."""
    if there:
        return
    if os.environ.get("PYPAC_REQUIRE_ALL"):
        pytest.fail(missing)
    pytest.skip(f"skipped, because {missing}")


def wait_until(
    there: Callable[[], bool], timeout_s: float = 30.0, else_say: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + timeout_s
    while not there():
        assert time.monotonic() < deadline, else_say()
        time.sleep(0.005)


def one_track_each(sources: Sequence[str]) -> list[_core.TrackSpec]:
    """A track for each of these sources, of its name."""
    return [_core.TrackSpec(name, sends=[_core.SendSpec(name)]) for name in sources]


class Timeline(Protocol):
    """What sound is put on: an engine, a session, or what has one."""

    @property
    def position(self) -> int: ...


def hear(timeline: Timeline, seconds: float) -> None:
    """Waits until that much more sound is on a timeline.

    Sound takes its time: this is for tests that look at a stretch of it, or at nothing happening in
    the meantime. It is counted in frames that the engine has given out, so that on a busy machine
    there is as much of it as on an idle one. The engine is behind what is played now by its
    latency, so the sound of a program that has just begun is that much shorter.
    """
    until = timeline.position + round(seconds * RATE)
    deadline = time.monotonic() + seconds + 30.0
    while (left := until - timeline.position) > 0:
        assert time.monotonic() < deadline, f"the timeline stands still at {timeline.position}"
        time.sleep(left / RATE)


def own(name: str) -> str:
    """A name for a program that no other program of this machine has.

    For tests of what happens without it: tests run side by side, and one of the same name in
    another sandbox makes it a program that plays nothing instead of one that does not run.
    """
    return f"{name}-{os.getpid()}"


def long_or(short_s: float, long_s: float) -> float:
    """How long something goes on that is the same at any length: longer in `make test-long`."""
    return long_s if os.environ.get("PYPAC_LONG") else short_s


def wait_until_playing(sandbox: Sandbox, *programs: str) -> None:
    """Waits until each of these programs has a stream that gives frames."""
    capture = _core.PipewireCapture(remote=sandbox.remote)

    def playing() -> set[str]:
        return {one.program for one in capture.streams() if one.kind in PLAYBACK and one.playing}

    try:
        wait_until(lambda: playing() >= set(programs), else_say=lambda: f"only {playing()} play")
    finally:
        capture.stop()


@pytest.fixture
def call(sandbox: Sandbox) -> Call:
    """Runs a command to its end inside the sandbox."""

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, args)]
        return subprocess.run(
            command, env=sandbox.env, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture
def start_in() -> Iterator[Start]:
    """Starts a command inside a sandbox, behind a prefix if given, and leaves it running."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        sandbox: Sandbox, *args: object, prefix: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, *PROGRAM, *map(str, args)],
            env=sandbox.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start(sandbox: Sandbox, start_in: Start) -> Start:
    """Starts a command inside the sandbox of the test. See `start_in`."""
    return functools.partial(start_in, sandbox)


@pytest.fixture(scope="session")
def position_player() -> Path:
    """The program that plays the graph's position, built."""
    return build_player("position_player")


def build_player(name: str) -> Path:
    """Builds one of the programs that tests play and record with, unless it is built already."""
    require(shutil.which("c++") is not None, "there is no C++ compiler")
    require(shutil.which("pkg-config") is not None, "pkg-config is not installed")
    source = PLAYERS / f"{name}.cpp"
    program = BUILT_PLAYERS / name
    BUILT_PLAYERS.mkdir(parents=True, exist_ok=True)
    with (BUILT_PLAYERS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side, and each wants it
        if program.exists() and program.stat().st_mtime_ns > source.stat().st_mtime_ns:
            return program
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "libpipewire-0.3"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        command = ["c++", "-std=c++20", "-O1", str(source), "-o", f"{program}.new"]
        subprocess.run([*command, *shlex.split(flags)], check=True)
        os.replace(f"{program}.new", program)  # one that runs cannot be written to
    return program


@pytest.fixture
def play(sandbox: Sandbox, position_player: Path) -> Iterator[Callable[..., Player]]:
    """Starts a position player under a program name; all are ended after the test."""
    players: list[Player] = []

    def start(name: str, *options: str) -> Player:
        player = sandbox.spawn([position_player, "--name", name, *options], name=name)
        players.append(player)
        return player

    yield start
    for player in players:
        player.kill()


@pytest.fixture
def tone(sandbox: Sandbox) -> Iterator[Callable[..., Player]]:
    """Starts a player of a sine under a program name; all are ended after the test."""
    players: list[Player] = []

    def start(name: str, frequency: float, **options: object) -> Player:
        player = sandbox.play_tone(name, frequency, **options)  # type: ignore[arg-type]
        players.append(player)
        return player

    yield start
    for player in players:
        player.kill()


def shifts(track: Audio) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decodes a position player: the frames that have sound, and by how much each is shifted."""
    left = np.rint(track[:, 0].astype(np.float64) * POSITIONS).astype(np.int64)
    right = np.rint(track[:, 1].astype(np.float64) * -POSITIONS).astype(np.int64)
    assert np.array_equal(left, right), "left and right are not the same program's"
    frames = np.flatnonzero(left)
    return frames, (left[frames] - frames) % POSITIONS


def together(one: Audio, two: Audio) -> None:
    """Asserts that where both have sound, they are aligned to the frame."""
    frames_one, shift_one = shifts(one)
    frames_two, shift_two = shifts(two)
    both, at_one, at_two = np.intersect1d(
        frames_one, frames_two, assume_unique=True, return_indices=True
    )
    assert len(both) > RATE // 2
    assert np.array_equal(shift_one[at_one], shift_two[at_two])


def assert_whole(track: Audio, missed: Sequence[tuple[int, int]] = ()) -> None:
    """Every frame that a position player has played is there, and each in its place."""
    frames, shift = shifts(track)
    assert np.unique(shift).size == 1
    absent = np.ones(len(track), bool)
    absent[frames] = False
    for begin, end in missed:
        absent[max(0, begin - 2 * QUANTUM) : end + 2 * QUANTUM] = False
    assert not absent.any()
    assert len(frames) > 0.9 * len(track)


def gap(track: Audio) -> tuple[int, int]:
    """The longest silence between two sounds: where it begins, and its length."""
    heard = np.flatnonzero(track[:, 0])
    steps = np.diff(heard)
    longest = int(np.argmax(steps))
    return int(heard[longest]) + 1, int(steps[longest]) - 1


def level_db(samples: Audio, frequency: float) -> float:
    """The peak level of a tone in a mono signal, in dBFS; what is elsewhere stays out."""
    window = np.kaiser(len(samples), 20)
    tone = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / RATE)
    return float(20 * np.log10(abs(np.sum(samples * window * tone)) * 2 / window.sum() + 1e-15))


# What programs miss themselves -------------------------------------------------------------------

QUANTUM = 1024  # of the sandbox


def missed_by(player: Player, origin_ns: int) -> list[tuple[int, int]]:
    """What a position player says that it could not play, as stretches of the timeline.

    On a busy machine programs miss cycles of the graph. No capture can have those.
    """
    missed = []
    for line in player.output().splitlines():
        if line.startswith("missed "):
            _, host_ns, frames = line.split()
            end = round((int(host_ns) - origin_ns) * RATE / 1e9)
            missed.append((end - int(frames), end))
    return missed


def excused(cause: str, begin: int, end: int, missed: Sequence[tuple[int, int]]) -> bool:
    """True for a line of the ledger that tells what the program missed itself."""
    return cause in ("lost_cycles", "stalled", "underrun") and any(
        first - 2 * QUANTUM <= begin and end <= last + 2 * QUANTUM for first, last in missed
    )
