# SPDX-License-Identifier: MIT
"""How far the tracks of one session are from each other, in frames, decoded from every frame."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from report import Options, Report
from stage import POSITIONS, Audio, Stage, decode, shifts, signed, write_profile

from pypac_obs import Session

_PROGRAMS = (2, 32)
_SINKS = (1, 2)


def main(options: Options) -> Report:
    report = Report("alignment")
    cases = [(programs, sinks) for programs in _PROGRAMS for sinks in _SINKS]
    for programs, sinks in cases if not options.quick else (cases[0], cases[-1]):
        _measure(options, report, programs, sinks)
    return report


def _measure(options: Options, report: Report, programs: int, sinks: int) -> None:
    seconds = options.pick(12, 2)
    with Stage(options, programs, sinks=sinks) as stage, stage.joined():
        tracks, incidents, lost = _record(stage, seconds)
    found = _compare(tracks)
    name = f"{programs} programs, {sinks} sink{'s' if sinks > 1 else ''}"
    report.add(
        f"{name}: largest offset between tracks",
        "frames",
        found["offset"],
        target="0",
        met=found["offset"] == 0 and found["frames"] > 0,
        digits=0,
    )
    report.add(f"{name}: frames not decodable", "%", found["undecodable_percent"], digits=4)
    report.add(f"{name}: incidents", "", len(incidents), digits=0)
    report.details[name] = found | {
        "seconds": seconds,
        "quantum": stage.quantum,
        "incidents": incidents,
        "lost_by_reader": lost,
    }


def _record(stage: Stage, seconds: float) -> tuple[dict[str, Audio], list[object], int]:
    with tempfile.TemporaryDirectory() as folder:
        # All of it is kept and decoded afterwards, so that the decoding disturbs nothing.
        profile = write_profile(Path(folder) / "alignment.yaml", stage.names)
        blocks = []
        with Session(profile, duration_s=seconds) as session, session.blocks() as stream:
            blocks = list(stream)
            lost = stream.lost_frames
        session.wait()
    pieces = {name: [block.audio[name] for block in blocks] for name in stage.names}
    tracks = {name: np.concatenate(piece) for name, piece in pieces.items()}
    return tracks, [incident.to_json() for incident in session.incidents], lost


def _compare(tracks: dict[str, Audio]) -> dict[str, float]:
    """Compares every frame of every track with the first track's frame."""
    decoded = {name: decode(audio) for name, audio in tracks.items()}
    first = next(iter(decoded.values()))
    frames = len(first)
    offset = undecodable = slips = compared = 0
    for positions in decoded.values():
        both = (positions >= 0) & (first >= 0)
        compared += int(np.count_nonzero(both))
        differences = np.unique((positions[both] - first[both]) % POSITIONS)
        offset = max([offset, *(abs(signed(int(one))) for one in differences)])
        undecodable += frames - int(np.count_nonzero(positions >= 0))
        slips += int(np.count_nonzero(np.diff(shifts(positions)[1])))
    return {
        "offset": offset,
        "frames": frames,
        "compared_frames": compared,
        "undecodable_frames": undecodable,
        "undecodable_percent": 100 * undecodable / max(1, frames * len(decoded)),
        "slips_against_the_graph": slips,
    }
