# SPDX-License-Identifier: MIT
"""A recorder that is frozen again and again itself: what it misses is a gap, never misplaced."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, long_or, shifts, together, wait_until, wait_until_playing

pytestmark = pytest.mark.pipewire


def test_a_recorder_that_is_called_late_misplaces_no_frame(
    play: Callable[..., Player], sandbox: Sandbox, tmp_path: Path
) -> None:
    play("one")
    play("two")
    chance = random.Random(1)
    sandbox.set_quantum(64)  # so that several cycles pass in each freeze, and end in it
    length_s = int(long_or(4, 8))
    try:
        wait_until_playing(sandbox, "one", "two")
        command = ["record", "one", "two", "--duration", str(length_s), "--out", str(tmp_path)]
        recorder = subprocess.Popen(
            [sys.executable, "-m", "pypac_obs.cli", *command],
            env=sandbox.env,
            stdout=subprocess.DEVNULL,
        )
        files = [tmp_path / f"{name}.wav" for name in ("one", "two")]
        wait_until(lambda: all(path.exists() and path.stat().st_size > RATE for path in files))
        for _ in range(3 * length_s):  # of 0.3 s at most
            recorder.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.005, 0.1))  # frozen
            recorder.send_signal(signal.SIGCONT)
            time.sleep(chance.uniform(0.05, 0.2))  # and at work
        assert recorder.wait(30) == 0
    finally:
        sandbox.set_quantum(0)
    tracks = [soundfile.read(path, dtype="float32")[0] for path in sorted(tmp_path.rglob("*.wav"))]
    one, two = tracks
    assert len(one) == len(two) == length_s * RATE
    together(one, two)
    for track in tracks:
        _, shift = shifts(track)
        assert (shift == shift[0]).all(), "frames lie where other cycles' belong"
