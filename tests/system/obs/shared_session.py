# SPDX-License-Identifier: MIT
"""A session of synthetic tracks for OBS, in a process of its own.

Its arguments are the session's name, its latency in ms, and for each track NAME=SIGNAL. A signal
is a frequency in Hz, or "numbered": frame n of the timeline is n / 2^24. It runs until it is
killed or its time is over; "started" on its output says that it runs. ORIGIN_NS in the environment
is the host time of its frame 0.
"""

from __future__ import annotations

import os
import sys
import time

from pypac_obs import _core

RATE = 48000
RUNS_FOR_S = 600.0


def main(session: str, latency_ms: str, *tracks: str) -> None:
    # As a profile's: blocks of a quarter of the latency, 10 ms at most.
    latency = round(float(latency_ms) * RATE / 1000)
    engine = _core.Engine(
        sample_rate=RATE, block_frames=min(RATE // 100, latency // 4), latency_frames=latency
    )
    sources: list[tuple[str, _core.Source]] = []
    for track in tracks:
        name, signal = track.split("=")
        numbered = signal == "numbered"
        source = _core.SyntheticSource(
            sample_rate=RATE,
            channels=2,
            capacity_frames=RATE,
            kind="numbered" if numbered else "tone",
            frequency_hz=440.0 if numbered else float(signal),
            level_dbfs=-12.0,
        )
        sources.append((name, source))
    names = [name for name, _ in sources]
    engine.apply(sources, [_core.TrackSpec(name, sends=[_core.SendSpec(name)]) for name in names])
    shared = _core.SharedTracks(engine, "obs", session, names, RATE)
    engine.start(int(os.environ.get("ORIGIN_NS", _core.host_now_ns() + 20_000_000)))
    print("started", flush=True)
    time.sleep(RUNS_FOR_S)
    shared.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
