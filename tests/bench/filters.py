# SPDX-License-Identifier: MIT
"""A voice chain (high-pass, gate, four-band EQ, compressor, limiter) over stereo tracks at 48 kHz,
in blocks of 480 frames, next to pedalboard and ffmpeg; and what resampling costs, next to soxr.

All in CPU time. Programs take turns, and ratios are formed within a round: a busy moment falls on
all of them.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pedalboard
import soundfile
import soxr
from report import Options, Report

Audio = npt.NDArray[np.float32]

_RATE = 48000
_BLOCK = 480
_SIGNAL_S = 20
_CHAIN = (
    "high_pass:frequency_hz=80",
    "gate",
    "eq:band1_type=low_shelf:band1_hz=150:band1_db=-3:band3_type=peak:band3_hz=400:band3_db=-2"
    ":band5_type=peak:band5_hz=3000:band5_db=3:band7_type=high_shelf:band7_hz=10000:band7_db=2",
    "compressor:threshold_db=-24:ratio=3",
)
_SAMPLE_PEAK = "limiter:ceiling_db=-6:true_peak=false"
_TRUE_PEAK = "limiter:ceiling_db=-6:true_peak=true"
_TRACKS_AT_ONCE = 8
_MANY_TRACKS = 32
_FFMPEG_CHAIN = (
    ",highpass=f=80,agate=threshold=0.05:ratio=10:attack=25:release=150,"
    "bass=f=150:g=-3,equalizer=f=400:t=q:w=0.71:g=-2,equalizer=f=3000:t=q:w=0.71:g=3,"
    "treble=f=10000:g=2,acompressor=threshold=0.063:ratio=3:attack=6:release=60,"
    "alimiter=limit=0.5:attack=2:release=60:level=false"
)
_PPM = 100e-6
_CHAINS, _ENGINE = "chains", "engine"

# Name, mode of bench_filters, tracks, limiter, times pedalboard's speed that are wanted.
_CASES = (
    ("one track", _CHAINS, 1, _SAMPLE_PEAK, 4),
    (f"{_TRACKS_AT_ONCE} tracks", _CHAINS, _TRACKS_AT_ONCE, _SAMPLE_PEAK, 8),
    (f"{_TRACKS_AT_ONCE} tracks, true peak, all meters", _ENGINE, _TRACKS_AT_ONCE, _TRUE_PEAK, 5),
)
_MOST_OF_A_CORE = 6.0  # percent, for _MANY_TRACKS


def main(options: Options) -> Report:
    report = Report("filters")
    seconds = int(options.pick(240, 60))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signal = _voice()
        raw, wav = folder / "signal.f32", folder / "signal.wav"
        np.ascontiguousarray(signal.T).tofile(raw)
        soundfile.write(wav, signal, _RATE, "FLOAT")
        board = _Pedalboard(signal)

        def ours(mode: str, tracks: int, limiter: str) -> float:
            audio_s = max(10, seconds // tracks)
            found = _run(options, "bench_filters", mode, tracks, audio_s, raw, *_CHAIN, limiter)
            return tracks * found["audio_s"] / found["cpu_s"]

        measured: dict[str, Callable[[], float]] = {
            "pedalboard": board.times,
            "ffmpeg": lambda: _ffmpeg_times(wav),
            "many": lambda: ours(_ENGINE, _MANY_TRACKS, _TRUE_PEAK),
        }
        for case, mode, tracks, limiter, _ in _CASES:
            measured[case] = lambda m=mode, t=tracks, li=limiter: ours(m, t, li)  # type: ignore[misc]
        rounds = [
            {what: measure() for what, measure in measured.items()}
            for _ in range(int(options.pick(7, 2)))
        ]
        resampling = [_resampling(options) for _ in range(int(options.pick(5, 2)))]
    _add_chains(report, rounds)
    report.add(
        "Resampling by 100 ppm, stereo",
        "ns a frame",
        _median(resampling, "ours"),
        soxr=_median(resampling, "soxr"),
    )
    thd_n = _median(resampling, "thd_n_db")
    report.add(
        "THD+N of a resampled tone of 18013 Hz",
        "dB",
        thd_n,
        target="<= -120",
        met=thd_n <= -120,
    )
    report.details = {"rounds": rounds, "resampling": resampling, "chain": list(_CHAIN)}
    report.notes.append(
        "x real time of one stereo track each; ffmpeg's decoding taken out; soxr at a fixed ratio"
    )
    return report


def _add_chains(report: Report, rounds: Sequence[dict[str, float]]) -> None:
    peers = {peer: _median(rounds, peer) for peer in ("pedalboard", "ffmpeg")}
    for case, _, _, _, wanted in _CASES:
        report.add(f"Voice chain, {case}", "x real time", _median(rounds, case), digits=0, **peers)
        ratio = statistics.median(one[case] / one["pedalboard"] for one in rounds)
        report.add(
            f"Voice chain, {case}",
            "x pedalboard",
            ratio,
            target=f">= {wanted}",
            met=ratio >= wanted,
        )
    share = statistics.median(100 * _MANY_TRACKS / one["many"] for one in rounds)
    report.add(
        f"{_MANY_TRACKS} tracks with it, true peak and all meters",
        "% of a core",
        share,
        target=f"<= {_MOST_OF_A_CORE:g}",
        met=share <= _MOST_OF_A_CORE,
    )


def _voice() -> Audio:
    """Something like speech: a buzz and breath, in words and pauses, alike on both sides."""
    random = np.random.default_rng(1)
    t = np.arange(_SIGNAL_S * _RATE) / _RATE
    buzz = sum(np.sin(2 * np.pi * 140 * k * t + 3 * np.sin(5 * t)) / k for k in range(1, 30))
    breath = random.normal(0, 0.3, len(t))
    words = np.clip(np.sin(2 * np.pi * 3 * t) + 0.7 * np.sin(2 * np.pi * 0.4 * t), 0, 1)
    left = 0.3 * words * (buzz + breath) + random.normal(0, 1e-4, len(t))
    return np.stack([left, 0.9 * left], axis=1).astype(np.float32)


class _Pedalboard:
    def __init__(self, signal: Audio) -> None:
        self._signal = np.ascontiguousarray(signal.T)
        self._board = pedalboard.Pedalboard(
            [
                pedalboard.HighpassFilter(80),
                pedalboard.NoiseGate(threshold_db=-26, ratio=10, attack_ms=25, release_ms=150),
                pedalboard.LowShelfFilter(150, -3),
                pedalboard.PeakFilter(400, -2),
                pedalboard.PeakFilter(3000, 3),
                pedalboard.HighShelfFilter(10000, 2),
                pedalboard.Compressor(threshold_db=-24, ratio=3, attack_ms=6, release_ms=60),
                pedalboard.Limiter(threshold_db=-6, release_ms=60),
            ]
        )

    def times(self) -> float:
        """How many times real time, its own loop over the blocks."""
        begin = time.process_time()
        self._board(self._signal, _RATE, buffer_size=_BLOCK)
        return _SIGNAL_S / (time.process_time() - begin)


def _ffmpeg_times(wav: Path) -> float:
    return _SIGNAL_S / (_ffmpeg_cpu(wav, _FFMPEG_CHAIN) - _ffmpeg_cpu(wav, ""))


def _ffmpeg_cpu(wav: Path, chain: str) -> float:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1"]
    command += ["-i", str(wav), "-af", f"asetnsamples={_BLOCK}{chain}", "-f", "null", "-"]
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime


def _resampling(options: Options) -> dict[str, float]:
    found = _run(options, "bench_resampler", int(options.pick(120, 30)))
    audio = np.random.default_rng(2).uniform(-0.5, 0.5, (10 * _RATE, 2)).astype(np.float32)
    stream = soxr.ResampleStream(_RATE, _RATE * (1 + _PPM), 2, quality="VHQ")
    begin = time.process_time()
    for at in range(0, len(audio), _BLOCK):
        stream.resample_chunk(audio[at : at + _BLOCK])
    peer = (time.process_time() - begin) * 1e9 / len(audio)
    return {"ours": found["ns_a_frame"], "thd_n_db": found["thd_n_db"], "soxr": peer}


def _run(options: Options, program: str, *arguments: object) -> dict[str, float]:
    command = [options.program("bench", program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _median(rounds: Sequence[dict[str, float]], what: str) -> float:
    return statistics.median(one[what] for one in rounds)
