# SPDX-License-Identifier: MIT
"""The engine alone, without an audio system or Python: how many times faster than real time."""

from __future__ import annotations

import json
import statistics
import subprocess

from report import Options, Report

_SOURCES = (1, 8, 32, 64)
_SKEW_PPM = 100.0
_TARGET_TIMES = 300


def main(options: Options) -> Report:
    report = Report("engine")
    program = options.program("bench", "bench_engine")
    runs = 1 if options.quick else 5
    cases = [(sources, 0.0) for sources in _SOURCES] + [(32, _SKEW_PPM)]
    times: dict[tuple[int, float], list[float]] = {case: [] for case in cases}
    for _ in range(runs):  # in rounds: a busy moment falls on one run of each
        for sources, skew_ppm in cases:
            seconds = round(options.pick(19200, 6400) / (8 + sources))
            # Those that are resampled cost about ten times as much.
            seconds = max(5, seconds // 8) if skew_ppm else seconds
            done = subprocess.run(
                [program, str(sources), str(seconds), str(skew_ppm)],
                capture_output=True,
                text=True,
                check=True,
            )
            times[sources, skew_ppm].append(json.loads(done.stdout)["times_real_time"])
    for (sources, skew_ppm), runs_of_case in times.items():
        drift = f", drift of {skew_ppm:g} ppm corrected" if skew_ppm else ""
        median = statistics.median(runs_of_case)
        judged = sources == 32 and not skew_ppm
        report.add(
            f"{sources} stereo source{'s' if sources > 1 else ''} into as many tracks{drift}",
            "x real time",
            median,
            target=f">= {_TARGET_TIMES}" if judged else "",
            met=median >= _TARGET_TIMES if judged else None,
            digits=0,
        )
        report.details[f"{sources} sources, {skew_ppm:g} ppm"] = {"times_real_time": runs_of_case}
    per_source = {
        sources: 1e6 / statistics.median(times[sources, 0.0]) / sources for sources in _SOURCES
    }
    for sources, cost in per_source.items():
        judged = sources == _SOURCES[-1]
        report.add(
            f"cost per source, {sources} source{'s' if sources > 1 else ''}",
            "us per s of audio",
            cost,
            target="<= 1.1 x that of 8" if judged else "",
            met=cost <= 1.1 * per_source[8] if judged else None,
        )
    return report
