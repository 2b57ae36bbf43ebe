# SPDX-License-Identifier: MIT
"""A program restarts again and again: how much of its beginning is missing in the track.

The position player says when its first cycle began and `cycle_clock` says which position that was,
so that the first captured sample tells to the frame how much came before it. pw-cat, which the
session manager links to its sink as it does any program, plays a file of numbered frames: the
first captured number tells the same.
"""

from __future__ import annotations

import bisect
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from report import Options, Report
from stage import POSITIONS, RATE, Positions, Stage, decode, first_host_ns, write_profile

from pypac_obs import Block, Session
from pypac_obs.sandbox import Player

_TARGET_MS = 100
_NAME = "restarted"
_FILE_NAME = "restarted-file"
_BESIDES = 3  # programs that play all the time
_PLAYS_S = 0.25
_FILE_PLAYS_S = 0.5  # from its start: it is linked 50 to 200 ms after it


def main(options: Options) -> Report:
    report = Report("rebind")
    restarts = round(options.pick(50, 5))
    with Stage(options, _BESIDES) as stage, stage.cycle_clock() as cycles:
        time.sleep(0.5)
        starts, blocks, incidents = _run(stage, restarts)
    missed = _missed_frames(starts, _positions(blocks, _NAME), cycles)
    _judge(report, "position player", restarts, [one for one in missed if one is not None])
    numbers = _first_numbers(_positions(blocks, _FILE_NAME))
    _judge(report, "pw-cat", restarts, [number - 1 for number in numbers])
    report.details = {
        "quantum": stage.quantum,
        "missed_frames": {"position player": missed, "pw-cat": [one - 1 for one in numbers]},
        "incidents": incidents,
    }
    return report


def _judge(report: Report, program: str, restarts: int, missed_frames: list[int]) -> None:
    never = restarts - len(missed_frames)
    report.add(
        f"{program}: never heard, of {restarts} restarts",
        "",
        never,
        target="0",
        met=never == 0,
        digits=0,
    )
    if not missed_frames:
        return
    for percentile in (50, 95, 100):
        value = float(np.percentile(missed_frames, percentile)) * 1000 / RATE
        judged = percentile == 95
        report.add(
            f"{program}: missing at its beginning, "
            + ("largest" if percentile == 100 else f"p{percentile}"),
            "ms",
            value,
            target=f"< {_TARGET_MS}" if judged else "",
            met=value < _TARGET_MS and never == 0 if judged else None,
        )


def _run(stage: Stage, restarts: int) -> tuple[list[int], list[Block], dict[str, int]]:
    starts: list[int] = []
    blocks: list[Block] = []
    chance = random.Random(1)  # so that restarts fall anywhere in a cycle and in a watch period
    with tempfile.TemporaryDirectory() as name, stage.joined():
        folder = Path(name)
        numbered = _numbered_file(folder / "numbered.wav")
        profile = write_profile(folder / "rebind.yaml", [*stage.names, _NAME, _FILE_NAME])
        with Session(profile) as session:
            stream = session.blocks([_NAME, _FILE_NAME])
            reader = threading.Thread(target=lambda: blocks.extend(stream), name="reader")
            reader.start()
            time.sleep(0.5)  # a session's frame 0 comes some time after its start
            for _ in range(restarts):
                player: Player = stage.play(_NAME)
                starts.append(first_host_ns(player))
                time.sleep(_PLAYS_S)
                player.kill()
                time.sleep(chance.uniform(0.1, 0.3))
            for _ in range(restarts):
                player = stage.sandbox.play_file(_FILE_NAME, numbered)
                time.sleep(_FILE_PLAYS_S)
                player.kill()
                time.sleep(chance.uniform(0.1, 0.3))
        reader.join()
    causes = [incident.cause for incident in session.incidents]
    return starts, blocks, {cause: causes.count(cause) for cause in sorted(set(causes))}


def _numbered_file(path: Path) -> Path:
    numbers = np.arange(1, 10 * RATE + 1) / POSITIONS
    frames = np.stack([numbers, -numbers], axis=1).astype(np.float32)
    soundfile.write(path, frames, RATE, subtype="FLOAT")
    return path


def _positions(blocks: list[Block], track: str) -> Positions:
    return decode(np.concatenate([block.audio[track] for block in blocks]))


def _first_numbers(numbers: Positions) -> list[int]:
    """The first number of each run: they begin again with each start of the player."""
    heard = numbers[numbers >= 0]
    again = np.flatnonzero(np.diff(heard) < 0) + 1
    return [int(heard[at]) for at in (0, *again)] if len(heard) else []


def _missed_frames(
    starts: list[int], positions: Positions, cycles: list[tuple[int, int, int]]
) -> list[int | None]:
    """For each start, how many frames it played before the first in the track; None: none came."""
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
