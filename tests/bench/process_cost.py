# SPDX-License-Identifier: MIT
"""What processes cost: their CPU time to the nanosecond, and their memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """Of some processes together: CPU in % of one core, memory in MB (10^6 bytes).

    RSS counts memory that processes share once for each of them, PSS once in all.
    """

    cpu_percent: float
    rss_mb: float
    pss_mb: float


def with_children(pids: Iterable[int]) -> list[int]:
    """These processes and all that they have started."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return found


def cpu_ns(pid: int) -> int:
    """User and system time of a process, all its threads, also those that have ended.

    The clock of clock_getcpuclockid(3): /proc has the same sum in units of 10 ms, which is too
    coarse for programs that use 0.1 % of a core.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


class CostWindow:
    """Measures processes from its making until `cost`."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._begin = time.monotonic_ns()
        self._before = [cpu_ns(pid) for pid in self._pids]

    def cost(self) -> Cost:
        elapsed = time.monotonic_ns() - self._begin
        spent = sum(
            cpu_ns(pid) - before for pid, before in zip(self._pids, self._before, strict=True)
        )
        memory = [psutil.Process(pid).memory_full_info() for pid in self._pids]
        return Cost(
            100 * spent / elapsed,
            sum(one.rss for one in memory) / 1e6,
            sum(one.pss for one in memory) / 1e6,
        )
