# SPDX-License-Identifier: MIT
"""A program to be captured, for `pypac-obs doctor --report`.

It is started by ``-m pypac_obs.diagnosis.loopback_player``.

Each process writes its PID on a line of its own. With an argument it does nothing but start another
one, with an argument less by one, as launchers do: ``2`` is a child whose child plays. The last one
obeys the words on its standard input, a line each: ``tone``, ``zeros`` (a stream of digital
silence) and ``nothing`` (no stream). It answers each with ``done``, or with why it could not do it,
and ends with its input.
"""

from __future__ import annotations

import os
import subprocess
import sys

from pypac_obs import _core
from pypac_obs.errors import PypacError

__all__ = ["command_line", "main"]

# A quiet tone: -40 dBFS.
_AMPLITUDES = {"tone": 0.01, "zeros": 0.0}


def command_line(generations: int) -> list[str]:
    """The command that starts it, with this many processes above the one that plays."""
    # Not -I, which leaves out what was installed for this user alone, as this package may be.
    return [sys.executable, "-Pm", "pypac_obs.diagnosis.loopback_player", str(generations)]


def main() -> None:
    """Is the program."""
    print(os.getpid(), flush=True)
    generations = int(sys.argv[1])
    if generations > 0:
        # Said in so many words: Windows hands on no others than these.
        subprocess.run(
            command_line(generations - 1), stdin=sys.stdin, stdout=sys.stdout, check=False
        )
        # Where it was ended from outside, what it had started still reads the input; so this one
        # stays for as long.
        sys.stdin.read()
        return
    player: _core.TonePlayer | None = None
    for line in sys.stdin:
        if player is not None:
            player.stop()
            player = None
        answer = "done"
        if (amplitude := _AMPLITUDES.get(line.strip())) is not None:
            try:
                player = _core.TonePlayer(amplitude)
            except PypacError as error:
                answer = error.message
        print(answer, flush=True)
    if player is not None:
        player.stop()


if __name__ == "__main__":
    main()
