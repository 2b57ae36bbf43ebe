# SPDX-License-Identifier: MIT
"""A program of ours that plays, to be captured."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from pypac_obs.diagnosis.loopback_player import command_line

__all__ = ["Player", "PlayerError", "playing"]

# A slow disk, an antivirus program that looks at each new process.
_STARTS_WITHIN_S = 60.0


class PlayerError(Exception):
    """The program that is to be captured does not do what it is told."""


class Player:
    """A process of `loopback_player`, below as many others as there are generations."""

    def __init__(self, generations: int = 0) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        try:
            process = subprocess.Popen(
                command_line(generations),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError as error:
            raise PlayerError(f"it could not be started: {error.strerror}") from error
        assert process.stdin is not None
        assert process.stdout is not None
        self._process: subprocess.Popen[str] | None = process
        self._input = process.stdin
        threading.Thread(
            target=self._read, args=(process.stdout,), name="player", daemon=True
        ).start()
        try:
            self.pids = [int(self._line()) for _ in range(generations + 1)]
        except (PlayerError, ValueError) as error:
            self.end()
            raise PlayerError("it does not start") from error

    def do(self, word: str) -> None:
        """Has it play ``tone`` or ``zeros``, or ``nothing``. Raises PlayerError."""
        try:
            self._input.write(word + "\n")
            self._input.flush()
        except OSError as error:
            raise PlayerError("it has ended") from error
        if (answer := self._line()) != "done":
            raise PlayerError(answer)

    def end(self) -> None:
        """Ends it, and all of its generations. May be called again."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Its handle as well: a PID is dead only when nobody holds its process any more.
        self._process = None

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._lines.put(line.strip())
        self._lines.put("it has ended")

    def _line(self) -> str:
        try:
            return self._lines.get(timeout=_STARTS_WITHIN_S)
        except queue.Empty:
            raise PlayerError(f"it does not answer within {_STARTS_WITHIN_S:g} s") from None


@contextlib.contextmanager
def playing(what: str, generations: int = 0) -> Iterator[Player]:
    """Has a program play until the block ends; ``what`` is a word of `Player.do`."""
    player = Player(generations)
    try:
        player.do(what)
        yield player
    finally:
        player.end()
