# SPDX-License-Identifier: MIT
"""From the start of a graph cycle to Python code that holds the frames of that cycle, all of them.

Position players say in each sample to which cycle it belongs, and `cycle_clock`, a client of its
own, writes down when each cycle began. So nothing of what is measured is asked for a time.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from peers import FLEXAUDIO_PEER, PeerMissingError, flexaudio_python
from report import FLEXAUDIO, Options, Report
from stage import RATE, Stage, decode, write_profile

from pypac_obs import Session

_PROGRAMS = 4
_QUANTA = (256, 1024)
_LATENCIES_MS = (10.0, 40.0)  # 40 is the default of a profile
_TARGET_MS = 20
_WARM_UP_S = 1.0
_PERCENTILES = (50, 99)


@dataclass
class _Held:
    """When each block was held: host time in ns, position of its first frame, frames."""

    blocks: list[tuple[int, int, int]]


def main(options: Options) -> Report:
    report = Report("latency")
    seconds = options.pick(15, 2)
    with Stage(options, _PROGRAMS) as stage:
        for quantum in _QUANTA if not options.quick else _QUANTA[:1]:
            stage.set_quantum(quantum)
            time.sleep(1)
            theirs = _flexaudio(report, stage, seconds)
            for latency_ms in _LATENCIES_MS:
                frames = _block_frames(latency_ms)
                with stage.cycle_clock() as cycles:
                    held = _ours(stage, latency_ms, frames, seconds)
                ours = _milliseconds(held, cycles, quantum)
                for percentile in _PERCENTILES:
                    judged = (quantum, latency_ms, percentile) == (256, 10.0, 99)
                    value = float(np.percentile(ours, percentile))
                    report.add(
                        f"quantum {quantum}, latency_ms {latency_ms:g}: p{percentile}",
                        "ms",
                        value,
                        flexaudio=_percentile(theirs, percentile),
                        target=f"< {_TARGET_MS}" if judged else "",
                        met=value < _TARGET_MS if judged else None,
                    )
                report.details[f"quantum {quantum}, latency_ms {latency_ms:g}"] = {
                    "block_frames": frames,
                    "ms": _summary(ours),
                }
            if theirs is not None:
                report.details[f"quantum {quantum}, {FLEXAUDIO}"] = {"ms": _summary(theirs)}
    lengths = ", ".join(f"{quantum / RATE * 1e3:.1f} ms at {quantum}" for quantum in _QUANTA)
    report.notes.append(f"until the last frame of a cycle is held; a cycle lasts {lengths}")
    return report


def _block_frames(latency_ms: float) -> int:
    # As long as the engine's own blocks: what a reader in a hurry asks for.
    return round(min(10.0, latency_ms / 4) * RATE / 1000)


def _ours(stage: Stage, latency_ms: float, frames: int, seconds: float) -> _Held:
    held = []
    with tempfile.TemporaryDirectory() as folder, stage.joined():
        profile = write_profile(
            Path(folder) / "latency.yaml", stage.names, settings={"latency_ms": latency_ms}
        )
        first = stage.names[0]
        with (
            Session(profile, duration_s=seconds + _WARM_UP_S) as session,
            session.blocks(frames=frames) as stream,
        ):
            for block in stream:
                held.append((time.monotonic_ns(), block.frames, block.audio[first]))
    begin = held[0][0] + _WARM_UP_S * 1e9
    blocks = []
    for host_ns, block_frames, audio in held:
        positions = decode(audio)
        if host_ns >= begin and (positions >= 0).all():
            blocks.append((host_ns, int(positions[0]), block_frames))
    return _Held(blocks)


def _flexaudio(report: Report, stage: Stage, seconds: float) -> npt.NDArray[np.float64] | None:
    try:
        python = flexaudio_python()
    except PeerMissingError as error:
        report.not_measured[FLEXAUDIO] = str(error)
        return None
    with stage.cycle_clock() as cycles:
        done = subprocess.run(
            [python, FLEXAUDIO_PEER, "latency", str(seconds + 1), str(stage.players[0].pid)],
            env=stage.sandbox.env,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        report.not_measured[FLEXAUDIO] = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        return None
    blocks = json.loads(done.stdout.splitlines()[-1])["held"]
    begin = blocks[0][0] + _WARM_UP_S * 1e9
    held = _Held([(at, first, frames) for at, first, frames in blocks if at >= begin and first > 0])
    return _milliseconds(held, cycles, stage.quantum)


def _milliseconds(
    held: _Held, cycles: list[tuple[int, int, int]], quantum: int
) -> npt.NDArray[np.float64]:
    """For each cycle of which everything came: from its start until its last frame was held."""
    host_ns, first, frames = np.array(held.blocks, np.int64).T
    found = []
    for position, cycle_ns, duration in cycles:
        last = position + duration - 1
        index = int(np.searchsorted(first, last, side="right")) - 1
        # Not those whose first frame came before what is looked at.
        if duration != quantum or index < 0 or position < first[0]:
            continue
        if last < first[index] + frames[index]:
            found.append((host_ns[index] - cycle_ns) / 1e6)
    return np.array(found)


def _percentile(values: npt.NDArray[np.float64] | None, percentile: int) -> float | None:
    return None if values is None else float(np.percentile(values, percentile))


def _summary(values: npt.NDArray[np.float64]) -> dict[str, float]:
    named = {f"p{one}": float(np.percentile(values, one)) for one in (1, 50, 90, 99, 99.9)}
    return {"cycles": len(values), **named, "max": float(values.max())}
