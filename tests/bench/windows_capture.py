# SPDX-License-Identifier: MIT
"""Windows' capture under Wine, against the tests' double of its audio service, next to Linux's.

What is measured is this program's code, Wine and the double, on Linux: no figure is Windows' own.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from report import Options, Report
from stage import Stage, write_profile

_CAPTURES = 16
_QUANTUM = 480  # packets and cycles of 10 ms
_TARGET_MS = 1.0
_STOP_MS = 200.0
_PATIENCE_S = 120.0
_ROOT = Path(__file__).resolve().parents[2]
_BUILD = _ROOT / "build" / "windows" / "tests" / "windows"
_PREFIX = _ROOT / "build" / "windows" / "wine"
_PROGRAM = "bench_wasapi_capture.exe"
_PEER = Path(__file__).with_name("pipewire_peer.py")


def main(options: Options) -> Report:
    report = Report("windows_capture")
    if not (_BUILD / "programs" / _PROGRAM).exists():
        report.not_measured["Windows' capture"] = "it is not built: run `make bench-windows`"
        return report
    seconds = options.pick(20, 3)
    rounds = [
        (_on_linux(options, seconds), *_under_wine(seconds))
        for _ in range(1 if options.quick else 3)
    ]
    _report_handovers(report, [found for _, _, _, found in rounds])
    _report_cost(report, rounds)
    _report_stops(report, [found for _, _, _, found in rounds])
    report.notes.append(
        "Wine on Linux and a double of Windows' audio service: not a figure of Windows. The time "
        "to the ring and the CPU have Wine's events and the double's work in its calls in them"
    )
    report.details["seconds"] = seconds
    report.details["rounds"] = [
        {"linux_percent": linux, "wine_percent": wine, "wineserver_percent": server} | found
        for linux, wine, server, found in rounds
    ]
    return report


# Under Wine --------------------------------------------------------------------------------------


def _under_wine(seconds: float) -> tuple[float, float, dict[str, Any]]:
    """CPU of the capture threads and of Wine's server for them, in % of a core, and what was said.

    The threads are those that come with the captures.
    """
    with _program() as (process, next_line):
        _expect(next_line(), "idle")
        pid = _pid_of(process)
        before = set(_threads(pid))
        idle = _server_percent(min(seconds, 5.0))
        _tell(process)
        _expect(next_line(), "capturing")
        threads = sorted(set(_threads(pid)) - before)
        spent = _spent_ns(pid, threads)
        server = _server_percent(seconds)
        spent = _spent_ns(pid, threads) - spent
        _tell(process)
        found: dict[str, Any] = json.loads(next_line())
    if found["violations"]:
        raise RuntimeError(f"the double has seen {found['violations']} calls that Windows refuses")
    return 100 * spent / (seconds * 1e9), server - idle, found


@contextlib.contextmanager
def _program() -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    command: Sequence[Path | str] = (
        _ROOT / "tests" / "windows" / "in_wine_with_double",
        _BUILD / "fake_mmdevapi" / "mmdevapi.dll",
        _BUILD / "programs" / _PROGRAM,
        str(_CAPTURES),
    )
    with subprocess.Popen(
        command,
        env=os.environ | {"WINEPREFIX": str(_PREFIX)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        output = process.stdout
        assert output is not None

        def next_line() -> str:
            # The programs that are captured say who they are, there as well.
            while (line := output.readline()).startswith("bench_wc_"):
                pass
            return line

        yield process, next_line
        _tell(process)
        if process.wait(_PATIENCE_S) != 0:
            raise RuntimeError(f"{_PROGRAM} ended with {process.returncode}")


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write("\n")
        process.stdin.flush()


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise RuntimeError(f"{_PROGRAM} said {line!r} in place of {word}")


def _pid_of(process: subprocess.Popen[str]) -> int:
    """The Windows program in its starter's group of processes."""
    # Wine's processes are nobody's children; they stay in the group of who started the first.
    for one in psutil.process_iter(["name"]):
        with contextlib.suppress(ProcessLookupError):
            # Linux keeps that much of a name.
            named = str(one.info["name"]).startswith(_PROGRAM[:15])
            if named and os.getpgid(one.pid) == process.pid:
                return one.pid
    raise RuntimeError(f"{_PROGRAM} is not among the processes")


def _server_percent(seconds: float) -> float:
    """CPU of the Wine server of our prefix."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("WINEPREFIX") == str(_PREFIX)
            if ours and str(process.info["name"]).startswith("wineserver"):
                begin = _spent_ns(process.pid, _threads(process.pid))
                time.sleep(seconds)
                return 100 * (_spent_ns(process.pid, _threads(process.pid)) - begin) / seconds / 1e9
    raise RuntimeError("Wine's server is not among the processes")


# On Linux ----------------------------------------------------------------------------------------


def _on_linux(options: Options, seconds: float) -> float:
    """CPU of PipeWire's thread in a session of as many captures, in % of a core."""
    with (
        Stage(options, _CAPTURES, quantum=_QUANTUM) as stage,
        tempfile.TemporaryDirectory() as folder,
    ):
        profile = write_profile(Path(folder) / "many.yaml", stage.names)
        with subprocess.Popen(
            [sys.executable, _PEER, profile],
            cwd=folder,
            env=stage.sandbox.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            threads = [int(tid) for tid in process.stdout.readline().split()]
            if not threads:
                raise RuntimeError("no thread captures")
            time.sleep(1.5)
            spent = _spent_ns(process.pid, threads)
            time.sleep(seconds)
            spent = _spent_ns(process.pid, threads) - spent
            _tell(process)
            captured = int(process.stdout.readline())
    if captured < seconds * 48000:
        raise RuntimeError(f"a source has only {captured} frames")
    return 100 * spent / (seconds * 1e9)


# Threads -----------------------------------------------------------------------------------------


def _threads(pid: int) -> list[int]:
    return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]


def _spent_ns(pid: int, threads: Sequence[int]) -> int:
    """CPU time of threads that run."""
    spent = 0
    for tid in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            spent += int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[0])
    return spent


# Telling -----------------------------------------------------------------------------------------


def _report_handovers(report: Report, rounds: list[dict[str, Any]]) -> None:
    times = np.concatenate([found["handover_ms"] for found in rounds])
    label = f"Wine, {_CAPTURES} captures, packets of 10 ms: from a packet's being put to its ring"
    median = float(np.median(times))
    report.add(
        f"{label}, p50", "ms", median,
        target=f"< {_TARGET_MS:g}", met=median < _TARGET_MS, digits=3,
    )  # fmt: skip
    report.add("the same, p99", "ms", float(np.percentile(times, 99)), digits=3)
    report.add("the same, longest", "ms", float(times.max()), digits=3)
    report.add("the same: packets", "", len(times), digits=0)
    missing = max(found["missing_frames"] for found in rounds)
    report.add("frames that came too late, of a capture", "frames", missing, digits=0)


def _report_cost(report: Report, rounds: list[tuple[float, float, float, dict[str, Any]]]) -> None:
    linux, wine, server = (
        statistics.median(one[index] for one in rounds) / _CAPTURES for index in range(3)
    )
    report.add("CPU of a capture's thread, under Wine", "% of a core", wine, digits=3)
    report.add("the same: what Wine's server spends more", "% of a core", server, digits=3)
    report.add("CPU of PipeWire's thread on Linux, a capture", "% of a core", linux, digits=3)


def _report_stops(report: Report, rounds: list[dict[str, Any]]) -> None:
    for state in rounds[0]["stop_ms"]:
        times = [value for found in rounds for value in found["stop_ms"][state]]
        longest = max(times)
        report.add(
            f"stop, {state}: median", "ms", statistics.median(times), digits=2,
        )  # fmt: skip
        report.add(
            f"stop, {state}: longest of {len(times)}", "ms", longest,
            target=f"< {_STOP_MS:g}", met=longest < _STOP_MS, digits=2,
        )  # fmt: skip
