# SPDX-License-Identifier: MIT
"""The engine alone, without an audio system or Python: how many times faster than real time."""

from __future__ import annotations

import json
import statistics
import subprocess

from report import Options, Report

_SOURCES = (1, 8, 32, 64)
_JUDGED = 32
_SKEW_PPM = 100.0
_TARGET_TIMES = 300
_DISTURBED = 1.05  # elapsed to CPU time: above, others had the core

# Sources, drift in ppm, whether an output takes the tracks.
_Case = tuple[int, float, bool]
_PLAIN: dict[int, _Case] = {sources: (sources, 0.0, False) for sources in _SOURCES}


def main(options: Options) -> Report:
    report = Report("engine")
    cases = [*_PLAIN.values(), (_JUDGED, 0.0, True), (_JUDGED, _SKEW_PPM, False)]
    runs: dict[_Case, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(1 if options.quick else 5):
        for case in cases:  # in rounds: a busy moment falls on one run of each
            runs[case].append(_run(options, *case))
    for case, each in runs.items():
        sources, skew_ppm, output = case
        drift = f", drift of {skew_ppm:g} ppm corrected" if skew_ppm else ""
        times = _times(each)
        judged = case == _PLAIN[_JUDGED]
        report.add(
            f"{_count(sources)} into as many stereo tracks{', and an output' * output}{drift}",
            "x real time",
            times,
            target=f">= {_TARGET_TIMES}" if judged else "",
            met=times >= _TARGET_TIMES if judged else None,
            digits=0,
        )
        report.details[f"{sources} sources, {skew_ppm:g} ppm{', output' * output}"] = each
    per_source = {sources: 1e6 / _times(runs[_PLAIN[sources]]) / sources for sources in _SOURCES}
    for sources, cost in per_source.items():
        judged = sources == _SOURCES[-1]
        report.add(
            f"{_count(sources)}: cost per source",
            "us per s",
            cost,
            target="<= 1.1 x that of 8" if judged else "",
            met=cost <= 1.1 * per_source[8] if judged else None,
        )
    if any(one["elapsed_s"] > _DISTURBED * one["cpu_s"] for each in runs.values() for one in each):
        report.notes.append("others had the core in some runs: the medians may be too low")
    return report


def _run(options: Options, sources: int, skew_ppm: float, output: bool) -> dict[str, float]:
    seconds = round(options.pick(12800, 3200) / (8 + sources))
    if skew_ppm:  # costs ten times as much
        seconds = max(5, seconds // 8)
    program = options.program("bench", "bench_engine")
    command = [program, str(sources), str(seconds), str(skew_ppm), *["output"] * output]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# In CPU time: others that have the core meanwhile count less that way, though not for nothing.
def _times(runs: list[dict[str, float]]) -> float:
    return statistics.median(one["audio_s"] / one["cpu_s"] for one in runs)


def _count(sources: int) -> str:
    return f"{sources} stereo source{'s' if sources > 1 else ''}"
