# SPDX-License-Identifier: MIT
"""A program restarts again and again: how much of its beginning is missing in the track.

The player says when its first cycle began and `cycle_clock` says which position that was, so that
the first captured sample tells to the frame how much came before it.
"""

from __future__ import annotations

import bisect
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from report import Options, Report
from stage import RATE, Stage, decode, first_host_ns, write_profile

from pypac_obs import Block, Session
from pypac_obs.sandbox import Player

_TARGET_MS = 100
_NAME = "restarted"
_BESIDES = 3  # programs that play all the time
_PLAYS_S = 0.25


def main(options: Options) -> Report:
    report = Report("rebind")
    restarts = round(options.pick(50, 5))
    with Stage(options, _BESIDES) as stage, stage.cycle_clock() as cycles:
        time.sleep(0.5)
        starts, blocks, incidents = _run(stage, restarts)
    missed = _missed_frames(starts, blocks, cycles)
    came = np.array([frames for frames in missed if frames is not None]) * 1000 / RATE
    report.add("restarts", "", restarts, digits=0)
    never = restarts - len(came)
    report.add("never heard", "", never, target="0", met=never == 0, digits=0)
    if len(came):
        for percentile in (50, 95, 100):
            value = float(np.percentile(came, percentile))
            judged = percentile == 95
            report.add(
                "largest" if percentile == 100 else f"p{percentile}",
                "ms",
                value,
                target=f"< {_TARGET_MS}" if judged else "",
                met=value < _TARGET_MS and never == 0 if judged else None,
            )
    report.details = {
        "quantum": stage.quantum,
        "missed_frames": missed,
        "incidents": incidents,
    }
    return report


def _run(stage: Stage, restarts: int) -> tuple[list[int], list[Block], dict[str, int]]:
    starts: list[int] = []
    blocks: list[Block] = []
    chance = random.Random(1)  # so that restarts fall anywhere in a cycle and in a watch period
    with tempfile.TemporaryDirectory() as folder, stage.joined():
        profile = write_profile(Path(folder) / "rebind.yaml", [*stage.names, _NAME])
        with Session(profile) as session:
            stream = session.blocks([_NAME])
            reader = threading.Thread(target=lambda: blocks.extend(stream), name="reader")
            reader.start()
            for _ in range(restarts):
                player: Player = stage.play(_NAME)
                starts.append(first_host_ns(player))
                time.sleep(_PLAYS_S)
                player.kill()
                time.sleep(chance.uniform(0.15, 0.35))
        reader.join()
    causes = [incident.cause for incident in session.incidents]
    return starts, blocks, {cause: causes.count(cause) for cause in sorted(set(causes))}


def _missed_frames(
    starts: list[int], blocks: list[Block], cycles: list[tuple[int, int, int]]
) -> list[int | None]:
    """For each start, how many frames it played before the first in the track; None: none came."""
    positions = decode(np.concatenate([block.audio[_NAME] for block in blocks]))
    heard = positions[positions >= 0]
    times = [host_ns for _, host_ns, _ in cycles]
    missed: list[int | None] = []
    for start_ns in starts:
        index = bisect.bisect_right(times, start_ns) - 1
        position, host_ns, _ = cycles[max(0, index)]
        # The clock may have missed that cycle: a graph without gaps tells it from another.
        first = position + round((start_ns - host_ns) * RATE / 1e9)
        later = heard[(heard >= first) & (heard < first + round(_PLAYS_S * RATE))]
        missed.append(int(later[0] - first) if len(later) else None)
    return missed
