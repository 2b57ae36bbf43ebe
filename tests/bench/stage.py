# SPDX-License-Identifier: MIT
"""A private audio system with programs that play the graph's position, and those who capture it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
from report import Options

from pypac_obs.sandbox import Player, Sandbox

RATE = 48000
_PLAYS_WITHIN_S = 20.0


class Stage:
    """A sandbox with position players ``app00``, ``app01``, ... spread over its sinks."""

    def __init__(
        self, options: Options, players: int, *, sinks: int = 1, quantum: int = 1024
    ) -> None:
        self._options = options
        self._sinks = [f"sink{index}" for index in range(sinks)]
        self.quantum = quantum
        self.sandbox = Sandbox(sinks=self._sinks, rate=RATE, quantum=quantum)
        self.names = [f"app{index:02}" for index in range(players)]
        self.players: list[Player] = []

    def __enter__(self) -> Stage:
        self.sandbox.start()
        try:
            self.set_quantum(self.quantum)
            self.players = [
                self.play(name, self._sinks[index % len(self._sinks)])
                for index, name in enumerate(self.names)
            ]
            for player in self.players:
                first_host_ns(player)
            time.sleep(0.5)
        except BaseException:
            self.sandbox.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def play(self, name: str, sink: str | None = None) -> Player:
        """Starts a position player."""
        program = self._options.program("players", "position_player")
        target = ["--target", sink] if sink else []
        return self.sandbox.spawn([program, "--name", name, *target], name=name)

    def set_quantum(self, frames: int) -> None:
        """Forces the length of the graph's cycles, so that no client changes it."""
        self.quantum = frames
        self.sandbox.set_quantum(frames)

    @property
    def daemon_pid(self) -> int:
        """PipeWire's own process."""
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                environment = process.environ()
                if process.name() == "pipewire" and str(self.sandbox.folder) in environment.get(
                    "XDG_RUNTIME_DIR", ""
                ):
                    return process.pid
        raise RuntimeError("the sandbox has no PipeWire")

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Lets clients of this process use the private audio system."""
        wanted = {
            "XDG_RUNTIME_DIR": self.sandbox.env["XDG_RUNTIME_DIR"],
            "PIPEWIRE_REMOTE": self.sandbox.remote,
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    @contextlib.contextmanager
    def cycle_clock(self) -> Iterator[list[tuple[int, int, int]]]:
        """Writes down the graph's cycles; the list is filled at the end.

        Each is (position of its first frame, host time in ns, frames).
        """
        player = self.sandbox.spawn([self._options.program("bench", "cycle_clock")])
        cycles: list[tuple[int, int, int]] = []
        try:
            yield cycles
        finally:
            time.sleep(0.2)
            player.stop()
            for line in player.output().splitlines():
                position, host_ns, frames = (int(word) for word in line.split())
                # The graph may run a cycle twice for a client that was late: the first counts.
                if not cycles or position > cycles[-1][0]:
                    cycles.append((position, host_ns, frames))


def first_host_ns(player: Player) -> int:
    """Waits until a position player plays; the host time at which its first cycle began."""
    deadline = time.monotonic() + _PLAYS_WITHIN_S
    while True:
        words = player.output().split()
        if len(words) >= 2 and words[0] == "first":
            return int(words[1])
        if time.monotonic() > deadline or not player.running:
            raise RuntimeError(f"{player.name} does not play: {player.output()}")
        time.sleep(0.005)


def write_profile(
    path: Path,
    names: Sequence[str],
    *,
    files: Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> Path:
    """Writes a profile with one source and one track for each program."""
    profile: dict[str, object] = {
        "version": 1,
        "session": dict(settings or {}),
        "sources": {name: {"process": name} for name in names},
        "tracks": {name: {"from": name} for name in names},
    }
    if not settings:
        del profile["session"]
    if files is not None:
        profile["outputs"] = {"files": {"folder": str(files)}}
    path.write_text(json.dumps(profile))  # which is YAML, too
    return path


# Reading what position players have played -------------------------------------------------------

POSITIONS = 1 << 24  # the players count modulo this

Audio = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


def decode(audio: Audio) -> Positions:
    """Gives each frame's position in the graph; -1 where it is not one player's frame.

    Position 0 is silence's, so that one frame in 2^24 counts as silent.
    """
    left = audio[:, 0].astype(np.float64) * POSITIONS
    right = audio[:, 1].astype(np.float64) * -POSITIONS
    positions = np.rint(left).astype(np.int64)
    good = (left == positions) & (left == right) & (positions > 0) & (positions < POSITIONS)
    return np.where(good, positions, -1)


def shifts(positions: Positions, start: int = 0) -> tuple[Positions, Positions]:
    """Gives the frames that were decoded, and position minus frame for each of them."""
    frames = np.flatnonzero(positions >= 0)
    return frames, (positions[frames] - frames - start) % POSITIONS


def signed(difference: int) -> int:
    """A difference of positions, brought to the nearest."""
    return (difference + POSITIONS // 2) % POSITIONS - POSITIONS // 2
