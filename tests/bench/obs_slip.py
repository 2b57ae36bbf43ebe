# SPDX-License-Identifier: MIT
"""Whether sound slips in OBS's recording while the sources' clocks run wrong.

Tones whose clocks run 200 ppm fast, 200 ppm slow and right go through the session into OBS. What
they would be without any error is known to the phase, for all of the recording; so each part of it
tells how far the sound has moved since the beginning.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from obs_stage import SCENE, ObsStage
from report import Options, Report

from pypac_obs.cli.running import grouped
from pypac_obs.obs.recording import RecordedTrack, read_tracks
from pypac_obs.sandbox import Sandbox

_SKEWS_PPM = {"fast": 200.0, "slow": -200.0, "right": 0.0}
# Three tones a track, whose phases agree at one offset only within the reach below.
_TONES_HZ = (283.0, 311.0, 547.0)
_REACH_S = 0.1
_PIECE_S = 1.0
# Until a clock's rate is known and its offset slewed away, which is at the session's start.
_SETTLE_S = 20.0
_TARGET_MS = 1.0

Milliseconds = npt.NDArray[np.float64]


def main(options: Options) -> Report:
    report = Report("obs_slip")
    seconds = options.seconds or options.pick(180, 10)
    with (
        Sandbox() as sandbox,
        ObsStage(options, sandbox, fps=30) as stage,
        stage.session(_profile()) as session,
    ):
        stage.connection.request("SetCurrentProgramScene", sceneName=SCENE)
        time.sleep(options.pick(_SETTLE_S, 3))
        with stage.recording() as recording:
            time.sleep(seconds)
        incidents = list(grouped(session.incidents, session.sample_rate))
        tracks = read_tracks(recording[0])
        stage.tell_buffering(report, session.profile.tracks)
    for track in tracks:
        moved = _moved_ms(track, _SKEWS_PPM[track.title])
        slip = float(np.median(moved[-5:]) - np.median(moved[:5]))
        report.add(
            f"{seconds:g} s, clock {_SKEWS_PPM[track.title]:+g} ppm: moved from start to end",
            "ms",
            slip,
            target=f"within {_TARGET_MS:g}",
            met=abs(slip) <= _TARGET_MS,
            digits=3,
        )
        report.add(
            f"{seconds:g} s, clock {_SKEWS_PPM[track.title]:+g} ppm: largest move of any second",
            "ms",
            float(np.abs(moved - np.median(moved[:5])).max()),
            digits=3,
        )
        report.details[track.title] = moved.tolist()
    report.add("kinds of incidents of the session", "", len(incidents), digits=0)
    report.details["incidents"] = incidents
    return report


def _profile() -> dict[str, object]:
    sources = {
        f"{name}-{hertz:g}": {
            "synthetic": {
                "kind": "tone",
                "frequency_hz": hertz,
                "level_dbfs": -20,
                "skew_ppm": ppm,
                "jitter_ms": 1,
            }
        }
        for name, ppm in _SKEWS_PPM.items()
        for hertz in _TONES_HZ
    }
    return {
        "version": 1,
        "session": {"latency_ms": 10},
        "sources": sources,
        "tracks": {
            name: {"from": [f"{name}-{hertz:g}" for hertz in _TONES_HZ]} for name in _SKEWS_PPM
        },
        "outputs": {
            "obs": {
                "scene": SCENE,
                "tracks": {name: index for index, name in enumerate(_SKEWS_PPM, 1)},
                "desktop_audio": "unassign",
                "mic_aux": "unassign",
                "recording": {
                    "tracks": list(range(1, 1 + len(_SKEWS_PPM))),
                    "names": dict(enumerate(_SKEWS_PPM, 1)),
                },
                "own_profile": "Benchmark",
            }
        },
    }


def _moved_ms(track: RecordedTrack, skew_ppm: float) -> Milliseconds:
    """How much later the sound is in each second than in the first, in ms."""
    rate = track.sample_rate
    piece = round(_PIECE_S * rate)
    mono = track.audio[:, 0].astype(np.float64)
    starts = np.arange(piece, len(mono) - 2 * piece + 1, piece)
    window = np.hanning(piece)
    heard = []
    for hertz in _TONES_HZ:
        # As fast as its clock is, so fast are its tones.
        turn = -2j * np.pi * hertz * (1 + skew_ppm * 1e-6) / rate
        heard.append(
            [
                np.sum(mono[at : at + piece] * window * np.exp(turn * np.arange(at, at + piece)))
                for at in starts
            ]
        )
    phasors = np.array(heard)
    turned = phasors * np.conj(phasors[:, :1])
    turned /= np.abs(turned)
    # In hundredths of a ms: where all tones agree best.
    offsets_ms = np.arange(-_REACH_S * 1e3, _REACH_S * 1e3, 0.01)
    fit = np.zeros((turned.shape[1], len(offsets_ms)))
    for hertz, phases in zip(_TONES_HZ, turned, strict=True):
        fit += np.real(phases[:, None] * np.exp(2j * np.pi * hertz * offsets_ms[None, :] / 1e3))
    return offsets_ms[np.argmax(fit, axis=1)]
