# SPDX-License-Identifier: MIT
"""Captures programs with flexaudio, as its users would; runs in a virtual environment of its own.

    flexaudio_peer.py record FOLDER PID...     one float WAV file a program, until SIGTERM
    flexaudio_peer.py latency SECONDS PID      when each chunk of a position player was held

Writes "ready" on a line once it captures, and at the end one line of JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import flexaudio
import numpy as np
import soundfile

_RATE = 48000
_CHANNELS = 2
_RECORD_POLL_S = 0.01
_LATENCY_POLL_S = 0.005  # as the loop in its README
_ended = False


def main() -> int:
    def end(*_: object) -> None:
        global _ended
        _ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if sys.argv[1] == "record":
        result = record(Path(sys.argv[2]), [int(pid) for pid in sys.argv[3:]])
    else:
        result = latency(float(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(result), flush=True)
    return 0


def record(folder: Path, pids: list[int]) -> dict[str, Any]:
    streams = [flexaudio.open("process", process_id=pid) for pid in pids]
    files = [
        soundfile.SoundFile(folder / f"{pid}.wav", "w", _RATE, _CHANNELS, subtype="FLOAT")
        for pid in pids
    ]
    print("ready", flush=True)
    events: Counter[str] = Counter()
    while True:
        ending = _ended
        for stream, file in zip(streams, files, strict=True):
            while (event := stream.poll_event()) is not None:
                events[event.type] += 1
            while (chunk := stream.poll_chunk()) is not None:
                file.write(np.frombuffer(chunk.data, np.float32).reshape(-1, _CHANNELS))
        if ending:
            break
        time.sleep(_RECORD_POLL_S)
    dropped = sum(stream.dropped_chunks() for stream in streams)
    for stream, file in zip(streams, files, strict=True):
        stream.stop()
        file.close()
    return {"dropped_chunks": dropped, "events": dict(events)}


def latency(seconds: float, pid: int) -> dict[str, Any]:
    stream = flexaudio.open("process", process_id=pid)
    print("ready", flush=True)
    held: list[tuple[int, int, int]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chunk = stream.poll_chunk()
        if chunk is None:
            time.sleep(_LATENCY_POLL_S)
            continue
        samples = np.frombuffer(chunk.data, np.float32)
        now = time.monotonic_ns()
        held.append((now, round(float(samples[0]) * (1 << 24)), chunk.frames))
    stream.stop()
    return {"held": held}


if __name__ == "__main__":
    sys.exit(main())
