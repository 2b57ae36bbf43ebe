# SPDX-License-Identifier: MIT
"""What OBS recorded: the audio tracks of its file, decoded by FFmpeg's programs, and its log."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import BackendUnavailable, ObsError

__all__ = ["RecordedTrack", "buffering_ms", "read_tracks", "run_ffmpeg"]

_BUFFERING = re.compile(r"total audio buffering is now (\d+) milliseconds")
_ENDS_WITHIN_S = 600.0
# Of the box that describes a file's tracks; it has some MB for hours of recording.
_MOST_DESCRIPTION_BYTES = 64 << 20


@dataclass(frozen=True)
class RecordedTrack:
    """An audio track of a recording.

    ``title`` is the name that the file gives it, empty where it gives none, ``start_s`` where it
    begins in the file, in seconds, and ``audio`` float32 of shape (frames, 2), whatever OBS's
    speaker layout.
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
    streams = json.loads(probed).get("streams", [])
    names = mp4_track_names(file)
    if len(names) != len(streams):
        names = ("",) * len(streams)
    tracks = []
    for index, stream in enumerate(streams):
        rate = int(stream["sample_rate"])
        raw = run_ffmpeg(
            *("ffmpeg", "-i", str(file), "-map", f"0:a:{index}"),
            *("-f", "f32le", "-ac", "2", "-ar", str(rate), "-"),
        )
        audio = np.frombuffer(raw, np.float32).reshape(-1, 2)
        start_s = float(stream.get("start_time", 0.0))
        tracks.append(RecordedTrack(_title(stream) or names[index], rate, start_s, audio))
    return tuple(tracks)


def _title(stream: dict[str, Any]) -> str:
    tags = stream.get("tags", {})
    # Of Matroska's tracks, and of MP4's: those only a new FFmpeg tells.
    return str(tags.get("title") or tags.get("name") or "")


def mp4_track_names(file: Path) -> tuple[str, ...]:
    """Tell the names of the audio tracks of an MP4 or QuickTime file, in their order.

    A track without a name has an empty one. No names: the file is none of these, or damaged.
    """
    description = _mp4_description(file)
    tracks = [dict(_boxes(body)) for kind, body in _boxes(description) if kind == b"trak"]
    names = []
    for track in tracks:
        handler = dict(_boxes(track.get(b"mdia", b""))).get(b"hdlr", b"")
        if handler[8:12] == b"soun":
            name = dict(_boxes(track.get(b"udta", b""))).get(b"name", b"")
            names.append(name.rstrip(b"\0").decode(errors="replace"))
    return tuple(names)


def _mp4_description(file: Path) -> bytes:
    """What is in a file's `moov`, the box that describes its tracks; empty where there is none."""
    length = file.stat().st_size
    with file.open("rb") as opened:
        at = 0
        while at + 16 <= length:
            opened.seek(at)
            head = opened.read(16)
            size, header, found = int.from_bytes(head[:4], "big"), 8, head[4:8]
            if at == 0 and found != b"ftyp":
                return b""
            if size == 1:  # too large for four bytes
                size, header = int.from_bytes(head[8:16], "big"), 16
            elif size == 0:  # the last one
                size = length - at
            if size < header or at + size > length:
                return b""
            if found == b"moov":
                opened.seek(at + header)
                return opened.read(min(size - header, _MOST_DESCRIPTION_BYTES))
            at += size
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes that lie in another one: what each is, and what is in it."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8 or at + size > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


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
