# SPDX-License-Identifier: MIT
"""What OBS recorded: the audio tracks of its file, decoded by FFmpeg's programs, and its log."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import BackendUnavailable, ObsError

__all__ = ["RecordedTrack", "buffering_ms", "read_tracks", "run_ffmpeg"]

_BUFFERING = re.compile(r"total audio buffering is now (\d+) milliseconds")
_ENDS_WITHIN_S = 600.0


@dataclass(frozen=True)
class RecordedTrack:
    """An audio track of a recording.

    ``title`` is the name that the file gives it, ``start_s`` where it begins in the file, in
    seconds, and ``audio`` float32 of shape (frames, 2), whatever OBS's speaker layout.
    """

    title: str
    sample_rate: int
    start_s: float
    audio: NDArray[np.float32]


def read_tracks(path: str | os.PathLike[str]) -> tuple[RecordedTrack, ...]:
    """Decodes all audio tracks of a recording, in their order in the file.

    Raises BackendUnavailable where FFmpeg is not installed, ObsError where it can't read the file.
    """
    file = Path(path)
    probed = run_ffmpeg(
        "ffprobe", "-select_streams", "a", "-show_streams", "-of", "json", str(file)
    )
    tracks = []
    for index, stream in enumerate(json.loads(probed).get("streams", [])):
        rate = int(stream["sample_rate"])
        raw = run_ffmpeg(
            *("ffmpeg", "-i", str(file), "-map", f"0:a:{index}"),
            *("-f", "f32le", "-ac", "2", "-ar", str(rate), "-"),
        )
        audio = np.frombuffer(raw, np.float32).reshape(-1, 2)
        start_s = float(stream.get("start_time", 0.0))
        tracks.append(RecordedTrack(_title(stream), rate, start_s, audio))
    return tuple(tracks)


def _title(stream: dict[str, Any]) -> str:
    return str(stream.get("tags", {}).get("title", ""))


def run_ffmpeg(program: str, *arguments: str) -> bytes:
    """Runs ffmpeg or ffprobe to its end, and gives what it wrote to standard output."""
    if shutil.which(program) is None:
        raise BackendUnavailable(
            f"to read a recording takes {program}, which is not installed",
            remedy="sudo apt install ffmpeg",
        )
    command: Sequence[str] = [program, "-v", "error", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ENDS_WITHIN_S
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ObsError(f"{program} can't read the recording: {said[-1] if said else 'no reason'}")
    return done.stdout


def buffering_ms(log: str) -> tuple[int, ...]:
    """Tells from OBS's log how much it delayed all its audio, each time that it became more."""
    return tuple(int(found) for found in _BUFFERING.findall(log))
