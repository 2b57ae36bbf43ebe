# SPDX-License-Identifier: MIT
"""What a listener hears of a session's start and end: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import POSITIONS, hear, wait_until, wait_until_playing
from .conftest import Record, programs

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]

SINKS = ("speakers", "headphones")
SESSIONS = 3
ATTEMPTS = 3


Finish = Callable[[], dict[str, Path]]


@pytest.fixture
def monitors(sandbox: Sandbox) -> Callable[[], Finish]:
    """Begins to record what each sink plays; what it gives ends that, and gives the files."""
    return lambda: _monitors(sandbox)


def _monitors(sandbox: Sandbox) -> Finish:
    files = {sink: sandbox.folder / f"{sink}.wav" for sink in SINKS}
    for file in files.values():
        file.unlink(missing_ok=True)
    recorders = [
        sandbox.spawn(
            [
                *("pw-cat", "--record", "--format=f32", "--rate=48000", "--channels=2"),
                *(f"--target={sink}", "-P", "{ stream.capture.sink=true }", str(file)),
            ],
            name=f"recorder-{sink}",
        )
        for sink, file in files.items()
    ]
    # A block of the file's own, beyond its header.
    wait_until(lambda: all(f.exists() and f.stat().st_size > 4096 for f in files.values()))

    def finish() -> dict[str, Path]:
        for recorder in recorders:
            recorder.stop()
        return files

    return finish


@pytest.mark.parametrize("of", ["each alone", "both at once"])
def test_sessions_that_start_and_end_leave_what_the_devices_play_whole(
    of: str, play: Play, record: Record, sandbox: Sandbox, monitors: Callable[[], Finish]
) -> None:
    for sink in SINKS:
        play(sink, "--target", sink)
    wait_until_playing(sandbox, *SINKS)
    whole = {sink: [1.0] for sink in SINKS}
    # On a busy machine players and recorders miss cycles themselves, but not each time.
    for _ in range(ATTEMPTS):
        finish = monitors()
        for _ in range(SESSIONS):
            if of == "each alone":
                recording = record(**{sink: programs(sink) for sink in SINKS})
            else:
                recording = record(all=_core.Selector(kind="system"))
            for name in recording.names:
                recording.wait_for_state(name, "capturing")
            hear(recording, 0.2)
            recording.stop()
        steps = {sink: _steps(file) for sink, file in finish().items()}
        if steps == whole:
            break
    assert steps == whole


def _steps(file: Path) -> list[float]:
    """The steps from each position that was heard to the next; 1: nothing missing or moved."""
    heard, _ = soundfile.read(file, always_2d=True, dtype="float64")
    positions = np.rint(heard[:, 0] * POSITIONS)
    first = int(np.flatnonzero(positions)[0])
    assert len(positions) - first > 48000 // 2
    steps: list[float] = np.unique(np.diff(positions[first:])).tolist()
    return steps
