# SPDX-License-Identifier: MIT
"""Runs the benchmarks: prints one table, writes bench-results/NAME.json.

    .venv/bin/python tests/bench/run.py [NAME...] [--quick]

Ends with 0 when everything was measured, whether or not it met its target: benchmarks inform.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from pathlib import Path

import machine
from report import Options, Report, print_table
from rich.console import Console

_ROOT = Path(__file__).resolve().parents[2]
_BENCHMARKS = (
    "alignment", "many_to_files", "latency", "rebind", "engine", "loopback_hours", "obs_sync",
    "obs_slip", "obs_plan", "reload", "control", "windows_capture",
    "filters", "obs_sync_filters",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed, latency and memory, next to others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="about a minute, to try them out")
    parser.add_argument("--seconds", type=float, help="length of the long recording (60)")
    parser.add_argument("--build", type=Path, default=_ROOT / "build" / "release")
    parser.add_argument("--results", type=Path, default=_ROOT / "bench-results")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(_BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    options = Options(arguments.quick, arguments.seconds, arguments.build)
    console = Console()
    console.print(f"Machine: {machine.describe()}", markup=False)
    reports, failed = [], False
    for name in arguments.names or _BENCHMARKS:
        begin = time.monotonic()
        console.print(f"{name} ...", style="dim")
        try:
            report = _measure(name, options)
        except Exception:
            traceback.print_exc()
            failed = True
            continue
        console.print(f"{name}: {time.monotonic() - begin:.0f} s", style="dim")
        arguments.results.mkdir(parents=True, exist_ok=True)
        path = arguments.results / f"{name}.json"
        path.write_text(json.dumps(report.to_json(), indent=1) + "\n")
        reports.append(report)
    # A pipe gets the width that the table needs.
    if reports:
        print_table(console if console.is_terminal else Console(width=160), reports)
    return 1 if failed else 0


def _measure(name: str, options: Options) -> Report:
    load, busy = machine.load_average(), machine.busy_percent()
    report: Report = importlib.import_module(name).main(options)
    busy_after = machine.busy_percent()
    report.machine = machine.describe() | {
        "quick": options.quick,
        "load_average": {"before": load, "after": machine.load_average()},
        "busy_percent": {"before": round(busy, 1), "after": round(busy_after, 1)},
    }
    if max(busy, busy_after) > machine.QUIET_PERCENT:
        report.notes.append(
            f"THE MACHINE WAS NOT QUIET: others used {busy:.0f} % of its cores before and "
            f"{busy_after:.0f} % after"
        )
    return report


if __name__ == "__main__":
    sys.exit(main())
