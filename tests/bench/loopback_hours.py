# SPDX-License-Identifier: MIT
"""A day of a program on Windows through the engine, faster than real time."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from report import Options, Report


def main(options: Options) -> Report:
    report = Report("loopback_hours")
    short, long = _run(options, options.pick(1.0, 0.1)), _run(options, options.pick(24.0, 1.0))
    span = f"{long['hours']:g} h with jitter, drift, lost packets and a jump"
    report.add(
        f"{span}: furthest from its place", "ms", long["worst_ms"],
        target="< 1", met=long["worst_ms"] < 1, digits=3,
    )  # fmt: skip
    report.add("the same, RMS", "ms", long["rms_ms"], digits=3)
    report.add("frames that nobody handed over", "frames", long["lost_frames"], digits=0)
    report.add("the same, in the ledger", "frames", long["silent_frames"], digits=0)
    report.add(
        "allocations by the engine", "", long["allocations"],
        target="0", met=long["allocations"] == 0, digits=0,
    )  # fmt: skip
    report.add(
        f"largest memory, {long['hours']:g} h to {short['hours']:g} h", "ratio",
        long["largest_kb"] / short["largest_kb"], digits=3,
    )  # fmt: skip
    report.add("faster than real time", "times", 3600 * long["hours"] / long["elapsed_s"], digits=0)
    report.details |= {"short": short, "long": long}
    return report


def _run(options: Options, hours: float) -> dict[str, Any]:
    program = options.program("bench", "bench_loopback_hours")
    begin = time.monotonic()
    with subprocess.Popen([program, str(hours)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found: dict[str, Any] = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{program} ended with {process.returncode}")
    return found | {"elapsed_s": time.monotonic() - begin, "largest_kb": usage.ru_maxrss}
